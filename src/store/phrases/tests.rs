use std::fs;
use std::path::PathBuf;

use super::*;

const VOICE: [u8; 32] = [7; 32];
/// Of a phrase of ten samples.
const TEN: u64 = HEAD_BYTES as u64 + 20;

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let folder = format!("attendant-phrases-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(folder);
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn open(&self, most_bytes: u64) -> Phrases {
        Phrases::open(&self.0, most_bytes).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(ENDING)).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_phrase_is_found_again_by_voice_and_text_also_by_the_next_process() {
    let place = Place::new("again");
    let sound: Vec<i16> = (0..1_000).map(|n| n * 7).collect();
    let phrases = place.open(1_000_000);
    let key = phrases.key(&VOICE, "Good morning.");
    assert!(!phrases.has(&key) && phrases.read(&key).is_none());
    assert!(phrases.write(key, &sound).unwrap());
    assert!(matches!(Phrases::open(&place.0, 9), Err(PhrasesError::InUse)));
    drop(phrases);

    let phrases = place.open(1_000_000);
    let key = phrases.key(&VOICE, "Good morning.");
    assert!(phrases.has(&key));
    assert_eq!(phrases.read(&key), Some(sound));
    for other in [phrases.key(&[8; 32], "Good morning."), phrases.key(&VOICE, "Good morning!")] {
        assert!(!phrases.has(&other) && phrases.read(&other).is_none());
    }
}

#[test]
fn no_name_tells_the_text_and_only_the_owner_may_look() {
    let (one, other) = (Place::new("secret-1"), Place::new("secret-2"));
    let text = "Good morning, Ms. Brown.";
    let keys = [&one, &other].map(|place| {
        let phrases = place.open(1_000_000);
        let key = phrases.key(&VOICE, text);
        phrases.write(key, &[1; 10]).unwrap();
        assert_eq!(fs::metadata(&place.0).unwrap().permissions().mode() & 0o777, 0o700);
        key
    });
    assert_ne!(keys[0], keys[1], "the name depends on a secret of the folder");
    // Without its secret nothing can be read, and it makes room.
    fs::write(one.0.join(SECRET), "damaged").unwrap();
    let phrases = one.open(1_000_000);
    assert!(!phrases.has(&phrases.key(&VOICE, text)));
    assert_eq!((phrases.bytes(), one.files()), (0, Vec::new()));
}

#[test]
fn what_a_crash_or_the_power_has_left_is_a_miss_and_goes() {
    let place = Place::new("crash");
    let phrases = place.open(1_000_000);
    let keys = ["a", "b", "c", "d", "e"].map(|text| phrases.key(&VOICE, text));
    keys.iter().for_each(|key| assert!(phrases.write(*key, &[5; 10]).unwrap()));
    let path = |key: &PhraseKey| place.0.join(key.name());
    drop(phrases);
    // Killed in mid-write; the power lost before the sound was on the disk; a bit; another's sound.
    fs::write(place.0.join(format!("{}{NEW}", keys[0].name())), &MAGIC[..3]).unwrap();
    let whole = fs::read(path(&keys[1])).unwrap();
    fs::write(path(&keys[1]), &whole[..whole.len() - 4]).unwrap();
    let mut flipped = fs::read(path(&keys[2])).unwrap();
    flipped[HEAD_BYTES + 3] ^= 1;
    fs::write(path(&keys[2]), flipped).unwrap();
    fs::copy(path(&keys[0]), path(&keys[3])).unwrap();
    fs::write(path(&keys[4]), b"").unwrap();

    let phrases = place.open(1_000_000);
    assert_eq!(place.files().len(), 5);
    assert_eq!(phrases.read(&keys[0]), Some(vec![5; 10]));
    for key in &keys[1..] {
        assert!(phrases.read(key).is_none());
        assert!(!phrases.has(key));
        assert!(phrases.write(*key, &[6; 10]).unwrap());
        assert_eq!(phrases.read(key), Some(vec![6; 10]));
    }
}

#[test]
fn the_folder_stays_within_its_limit_and_the_least_used_goes_first() {
    let place = Place::new("bounded");
    let phrases = place.open(3 * TEN);
    let key = |n: usize| phrases.key(&VOICE, &n.to_string());
    (0..3).for_each(|n| assert!(phrases.write(key(n), &[1; 10]).unwrap()));
    assert!(phrases.read(&key(0)).is_some());
    phrases.write(key(3), &[1; 10]).unwrap();
    assert_eq!([0, 1, 2, 3].map(|n| phrases.has(&key(n))), [true, false, true, true]);
    assert_eq!((phrases.bytes(), place.files().len()), (3 * TEN, 3));
    // The same phrase again takes no more room.
    phrases.write(key(3), &[2; 10]).unwrap();
    assert_eq!(phrases.bytes(), 3 * TEN);
    // One that is larger than all of it, or nothing, is left out.
    assert!(!phrases.write(key(4), &[1; 100]).unwrap());
    assert!(!phrases.write(key(4), &[]).unwrap());
    (5..100).for_each(|n| assert!(phrases.write(key(n), &[1; 10]).unwrap()));
    assert_eq!(place.files().len(), 3);
    drop(phrases);
    // A smaller limit holds from the next start on.
    assert_eq!(place.open(TEN).bytes(), TEN);
    assert_eq!(place.files().len(), 1);
}

#[test]
fn the_second_time_counts_and_what_was_met_is_bounded() {
    let place = Place::new("met");
    let phrases = place.open(1_000);
    let first = phrases.key(&VOICE, "first");
    assert!(!phrases.comes_again(first));
    assert!(phrases.comes_again(first));
    for n in 0..limits::PHRASES_MET {
        assert!(!phrases.comes_again(phrases.key(&VOICE, &n.to_string())));
    }
    assert!(!phrases.comes_again(first), "forgotten by now");
    assert_eq!(phrases.index().met.len(), limits::PHRASES_MET);
}

#[test]
fn a_link_in_place_of_a_phrase_leads_nowhere() {
    let place = Place::new("link");
    let phrases = place.open(1_000_000);
    let key = phrases.key(&VOICE, "a");
    phrases.write(key, &[5; 10]).unwrap();
    let elsewhere = place.0.join("elsewhere");
    fs::rename(place.0.join(key.name()), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, place.0.join(key.name())).unwrap();
    assert!(phrases.read(&key).is_none());
    assert!(elsewhere.exists(), "only the link was removed");
}
