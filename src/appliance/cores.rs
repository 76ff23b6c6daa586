//! Which core of the machine does what, by its topology.
//!
//! | cores that the program may use | audio thread | speech engine | the rest |
//! |---|---|---|---|
//! | one or more that the owner has isolated | the last of them | those that are not isolated | all others |
//! | fewer than four | any | any | any |
//! | four to seven | the last | any | any |
//! | eight and more | the last | all but that | any |
//! | fast and slow ones | as above, among the fast ones | the fast ones but that, where there are four or more | any |
//!
//! The first cores are where most kernels take interrupts, so that the audio thread has the last. A recogniser's threads wait
//! for each other at each layer: one on a slow core would make all of them slow.

use std::path::Path;

/// From so many cores on one is left to the audio thread by the speech engine too; with fewer it would be missed more
/// than a real-time thread needs it.
const LEFT_ALONE_FROM: usize = 8;
/// A core that is given to the audio thread is missed by the rest where there are fewer.
const PINNED_FROM: usize = 4;
/// With fewer fast cores the slow ones help.
const FAST_ENOUGH: usize = 4;
/// A core with less than this share of the fastest one's capacity is a slow one: two of one kind that differ by some
/// percent, as of the best-binned core of a processor, are the same.
const FAST_SHARE: f64 = 0.8;

/// One core that the program may use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Core {
    pub number: usize,
    /// Of the kernel's scheduling of everything else.
    pub is_isolated: bool,
    /// In any unit that all cores have; `None`: all are alike, as far as is known.
    pub capacity: Option<f64>,
}

/// Who is where; `None`: anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    pub audio: Option<usize>,
    pub engine: Option<Vec<usize>>,
}

/// `wanted` is the owner's core for the audio thread.
pub fn choose(cores: &[Core], wanted: Option<usize>) -> Roles {
    let fastest = cores.iter().filter_map(|core| core.capacity).fold(0.0, f64::max);
    let is_fast = |core: &&Core| core.capacity.is_none_or(|own| own >= FAST_SHARE * fastest);
    let fast: Vec<usize> = cores.iter().filter(is_fast).map(|core| core.number).collect();
    let isolated = cores.iter().rev().find(|core| core.is_isolated).map(|core| core.number);
    let last = fast.last().copied().filter(|_| cores.len() >= PINNED_FROM);
    let audio = wanted.or(isolated).or(last);
    let is_hybrid = fast.len() < cores.len();
    let is_alone = isolated.is_some() || cores.len() >= LEFT_ALONE_FROM;
    let is_isolated = |number| cores.iter().any(|core| core.number == number && core.is_isolated);
    let is_left = |number: &usize| Some(*number) != audio && !is_isolated(*number);
    let without_audio = |numbers: &[usize]| numbers.iter().copied().filter(is_left).collect();
    let all: Vec<usize> = cores.iter().map(|core| core.number).collect();
    let mut engine: Vec<usize> = if is_alone { without_audio(&all) } else { all.clone() };
    if is_hybrid {
        let among_fast: Vec<usize> = without_audio(&fast);
        if among_fast.len() >= FAST_ENOUGH {
            engine = among_fast;
        }
    }
    let engine = Some(engine).filter(|engine| !engine.is_empty() && *engine != all);
    Roles { audio, engine }
}

/// What the kernel tells of these cores; `root` is `/sys/devices/system/cpu`.
pub fn read(root: &Path, allowed: &[usize]) -> Vec<Core> {
    let isolated = list(&text(&root.join("isolated")));
    let core = |number: usize| {
        let own = root.join(format!("cpu{number}"));
        // ARM has the one, x86 the other; of a virtual machine neither is told.
        let capacity = ["cpu_capacity", "cpufreq/cpuinfo_max_freq"];
        let capacity = capacity.iter().find_map(|name| text(&own.join(name)).parse().ok());
        Core { number, is_isolated: isolated.contains(&number), capacity }
    };
    let cores: Vec<Core> = allowed.iter().copied().map(core).collect();
    // Of cores that are told by halves nothing is known.
    let is_told = cores.iter().all(|core| core.capacity.is_some());
    let unknown = |core: Core| Core { capacity: core.capacity.filter(|_| is_told), ..core };
    cores.into_iter().map(unknown).collect()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// As the kernel writes sets of cores: `0-3,8`.
fn list(text: &str) -> Vec<usize> {
    let part = |part: &str| -> Option<std::ops::RangeInclusive<usize>> {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let last = last.parse::<usize>().ok()?.min(MOST);
        Some(first.parse().ok()?..=last)
    };
    text.split(',').filter_map(part).flatten().collect()
}

/// As many as the kernel's sets of cores hold.
const MOST: usize = 1_023;

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// The files of a machine's cores, each with a capacity and, where it differs, a highest frequency.
    struct Machine(PathBuf);

    impl Machine {
        fn new(name: &str, isolated: &str, capacities: &[Option<&str>], file: &str) -> Self {
            let root = std::env::temp_dir().join(format!("cores-{}-{name}", std::process::id()));
            for (number, capacity) in capacities.iter().enumerate() {
                let path = root.join(format!("cpu{number}")).join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                capacity
                    .iter()
                    .for_each(|text| std::fs::write(&path, format!("{text}\n")).unwrap());
            }
            std::fs::write(root.join("isolated"), format!("{isolated}\n")).unwrap();
            Self(root)
        }

        fn roles(&self, allowed: &[usize]) -> Roles {
            choose(&read(&self.0, allowed), None)
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn numbers(count: usize) -> Vec<usize> {
        (0..count).collect()
    }

    fn roles(audio: Option<usize>, engine: Option<Vec<usize>>) -> Roles {
        Roles { audio, engine }
    }

    #[test]
    fn machines_of_equal_cores() {
        let machine = Machine::new("equal", "", &[None; 16], "cpu_capacity");
        assert_eq!(machine.roles(&[]), Roles::default());
        assert_eq!(machine.roles(&numbers(2)), Roles::default());
        assert_eq!(machine.roles(&numbers(4)), roles(Some(3), None));
        assert_eq!(machine.roles(&[2, 4, 6, 9, 15]), roles(Some(15), None));
        assert_eq!(machine.roles(&numbers(8)), roles(Some(7), Some(numbers(7))));
        // Some of a server's cores are a little faster than others.
        let mut servers = vec![Some("3500000"); 8];
        servers[2] = Some("3700000");
        let server = Machine::new("server", "", &servers, "cpufreq/cpuinfo_max_freq");
        assert_eq!(server.roles(&numbers(8)), roles(Some(7), Some(numbers(7))));
    }

    #[test]
    fn a_core_that_is_isolated_is_the_audio_threads() {
        let machine = Machine::new("isolated", "1,3", &[None; 4], "cpu_capacity");
        assert_eq!(machine.roles(&numbers(4)), roles(Some(3), Some(vec![0, 2])));
        assert_eq!(machine.roles(&numbers(2)), roles(Some(1), Some(vec![0])));
        let by_owner = choose(&read(&machine.0, &numbers(4)), Some(0));
        assert_eq!(by_owner, roles(Some(0), Some(vec![2])));
    }

    #[test]
    fn of_fast_and_slow_cores_sound_and_recognition_have_fast_ones() {
        // A processor of a PC: eight threads of four fast cores, then eight slow ones.
        let mut pc = vec![Some("5000000"); 8];
        pc.extend(vec![Some("3800000"); 8]);
        let pc = Machine::new("pc", "", &pc, "cpufreq/cpuinfo_max_freq");
        assert_eq!(pc.roles(&numbers(16)), roles(Some(7), Some(numbers(7))));
        // A small board: four slow cores, then two fast ones, which are too few for themselves.
        let board =
            [Some("446"), Some("446"), Some("446"), Some("446"), Some("1024"), Some("1024")];
        let board = Machine::new("board", "", &board, "cpu_capacity");
        assert_eq!(board.roles(&numbers(6)), roles(Some(5), None));
    }

    #[test]
    fn what_is_told_by_halves_is_not_believed() {
        let half = Machine::new("half", "", &[Some("1"), None, Some("9"), None], "cpu_capacity");
        assert_eq!(half.roles(&numbers(4)), roles(Some(3), None));
        assert_eq!(list("0-2,5,x,7-"), [0, 1, 2, 5]);
        assert_eq!(list(""), [0; 0]);
    }
}
