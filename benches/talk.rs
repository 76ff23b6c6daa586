//! Scripted conversations with the whole box: what a caller waits for, what the box needs for it,
//! and how punctual its audio thread is meanwhile.

mod call;
pub mod callers;
mod parts;
mod script;

use std::thread;
use std::time::Duration;

use call::{Made, Turn};
use script::{Recordings, SCRIPTS};

use crate::meter::{BoxUse, Meter};
use crate::stopwatch::percentile;
use crate::support::appliance::{Appliance, Setup};
use crate::table::{Table, Target};

const IDLE: Duration = Duration::from_secs(5);

/// How many calls there are at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    One,
    Five,
}

impl Side {
    pub const fn calls(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Five => 5,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::One => "one call at a time",
            Self::Five => "five calls at once",
        }
    }

    /// What is wanted of the gap's median, and of its 95th percentile.
    const fn wanted(self) -> [f64; 2] {
        match self {
            Self::One => [200.0, 400.0],
            Self::Five => [f64::NAN, 500.0],
        }
    }
}

pub fn measure(table: &mut Table, side: Side) {
    let appliance = Setup::default().start();
    let recordings = Recordings::make();
    let idle = idle(&appliance);
    let late_before = lateness(&appliance);
    let meter = Meter::start(&appliance);
    let make = |script| call::make(&appliance, script, &recordings);
    let made: Vec<Made> = match side {
        Side::One => SCRIPTS.iter().filter_map(|script| make(script)).collect(),
        Side::Five => thread::scope(|scope| {
            let calls = SCRIPTS.iter().map(|script| scope.spawn(move || make(script)));
            let calls: Vec<_> = calls.collect();
            calls.into_iter().filter_map(|call| call.join().ok().flatten()).collect()
        }),
    };
    let used = meter.read();
    // The figures are shown once a second.
    thread::sleep(Duration::from_millis(1_500));
    let late_after = lateness(&appliance);
    let asked = SCRIPTS.iter().map(|script| script.len()).sum();
    conversations(table, side.name(), (&made, asked), side.wanted());
    parts::print(table, &made);
    needs(table, side, &used, &idle);
    if side == Side::Five {
        punctuality(table, &late_before, &late_after);
    }
}

fn idle(appliance: &Appliance) -> BoxUse {
    let meter = Meter::start(appliance);
    thread::sleep(IDLE);
    meter.read()
}

fn needs(table: &mut Table, side: Side, used: &BoxUse, idle: &BoxUse) {
    table.section(&format!("{}: processor time, share of a core (front, engine)", side.name()));
    processor(table, "idle", idle, idle, 0);
    processor(table, "in calls", used, idle, side.calls());
    table.section(&format!("{}: memory, largest (front, engine)", side.name()));
    memory(table, "idle", idle);
    memory(table, "in calls", used);
}

/// `asked` turns were wanted. `wanted` is the median's and the 95th percentile's target; the first may
/// be none.
fn conversations(
    table: &mut Table,
    name: &str,
    (calls, asked): (&[Made], usize),
    wanted: [f64; 2],
) {
    let turns: Vec<&Turn> = calls.iter().flat_map(|call| &call.turns).collect();
    table.section(&format!("{name}: {} of {asked} turns in {} calls", turns.len(), calls.len()));
    let heard: Vec<&Turn> = turns.iter().copied().filter(|turn| turn.is_heard()).collect();
    let gaps: Vec<f64> = heard.iter().filter_map(|turn| turn.gap_ms).collect();
    let target = |limit: f64| if limit.is_nan() { Target::None } else { Target::AtMost(limit) };
    table.figure("turn gap, median", percentile(gaps.clone(), 50), "ms", target(wanted[0]));
    table.figure("turn gap, 95th percentile", percentile(gaps, 95), "ms", target(wanted[1]));
    let whole = heard.iter().filter(|turn| !turn.has_pause).filter_map(|turn| turn.gap_ms);
    let whole: Vec<f64> = whole.collect();
    let percentiles = [percentile(whole.clone(), 50), percentile(whole, 95)];
    let words = percentiles.map(|ms| ms.map_or("none".to_owned(), |ms| format!("{ms:.0}")));
    table.note("turns without a pause inside, median / 95th", &format!("{} ms", words.join(" / ")));
    by_wait(table, &heard);
    let parts = |which: fn(&call::Piece) -> f64, percent| {
        let pieces = turns.iter().flat_map(|turn| turn.pieces.last());
        percentile(pieces.map(which).collect(), percent)
    };
    for (what, which) in [
        ("of which silence waited for", (|piece| piece.endpoint_ms) as fn(&call::Piece) -> f64),
        ("decoding, mostly within that silence", |piece| piece.decode_ms),
    ] {
        let [median, high] = [50, 95].map(|percent| parts(which, percent).unwrap_or(f64::NAN));
        table.note(&format!("{what}, median / 95th"), &format!("{median:.0} / {high:.0} ms"));
    }
    let share = |some: usize, all: usize| (all > 0).then(|| 100.0 * some as f64 / all as f64);
    let understood = turns.iter().filter(|turn| turn.is_understood).count();
    table.figure("turns heard", share(heard.len(), turns.len()), "%", Target::None);
    table.figure("turns understood", share(understood, turns.len()), "%", Target::None);
    for turn in turns.iter().filter(|turn| !turn.is_understood) {
        let heard: Vec<&str> = turn.pieces.iter().map(|piece| piece.heard.as_str()).collect();
        let Turn { said, reply, .. } = turn;
        table.remark(format!("not understood: {said:?}, heard {heard:?}, replied {reply:?}"));
    }
    let cut = turns.iter().filter(|turn| turn.is_cut_off()).count();
    table.figure("turns cut off", share(cut, turns.len()), "%", Target::AtMost(5.0));
    let paused: Vec<_> = turns.iter().filter(|turn| turn.has_pause).collect();
    let cut = paused.iter().filter(|turn| turn.is_cut_off()).count();
    let name = format!("of the {} with a pause inside", paused.len());
    table.figure(&name, share(cut, paused.len()), "%", Target::None);
    let answers = calls.iter().filter_map(|call| call.answer_delay_ms).collect();
    table.figure("INVITE to 200, median", percentile(answers, 50), "ms", Target::None);
    let greetings: Vec<f64> = calls.iter().filter_map(|call| call.greeting_delay_ms).collect();
    let median = percentile(greetings.clone(), 50);
    table.figure("ACK to greeting, median", median, "ms", Target::AtMost(60.0));
    table.figure("ACK to greeting, longest", percentile(greetings, 100), "ms", Target::None);
}

/// The same apart for turns after which more may well come, and for the others.
fn by_wait(table: &mut Table, heard: &[&Turn]) {
    for (may_go_on, what) in [(false, "turns with nothing to wait for"), (true, "the others")] {
        let of_kind = heard.iter().filter(|turn| turn.may_go_on == may_go_on);
        let gaps: Vec<f64> = of_kind.filter_map(|turn| turn.gap_ms).collect();
        let count = gaps.len();
        let [median, high] = [50, 95].map(|percent| percentile(gaps.clone(), percent));
        let [median, high] =
            [median, high].map(|ms| ms.map_or("none".to_owned(), |ms| format!("{ms:.0}")));
        table.note(&format!("{what} ({count}), median / 95th"), &format!("{median} / {high} ms"));
    }
}

fn processor(table: &mut Table, what: &str, used: &BoxUse, idle: &BoxUse, calls: u32) {
    let percent = |cores: f64| 100.0 * cores;
    let (front, engine) = (percent(used.front.cores), percent(used.engine.cores));
    table.note(what, &format!("{front:.1} %, {engine:.1} %"));
    if calls > 0 {
        let idle = percent(idle.front.cores + idle.engine.cores);
        let each = (front + engine - idle) / f64::from(calls);
        table.figure(&format!("{what}, for each"), Some(each), "%", Target::None);
    }
}

fn memory(table: &mut Table, what: &str, used: &BoxUse) {
    let BoxUse { front, engine } = used;
    let resident = format!("{:.1}, {:.1} MiB", front.resident_mib, engine.resident_mib);
    table.note(&format!("{what}, resident"), &resident);
    let shared = format!("{:.1}, {:.1} MiB", front.proportional_mib, engine.proportional_mib);
    table.note(&format!("{what}, shared pages by share"), &shared);
}

/// Ticks by lateness since the start, with the bounds in microseconds.
struct Lateness {
    bounds_us: Vec<u64>,
    counts: Vec<u64>,
    dropped: u64,
}

fn lateness(appliance: &Appliance) -> Lateness {
    let audio = &appliance.api("/health")["audio"];
    let numbers = |name: &str| {
        let list = audio[name].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(serde_json::Value::as_u64).collect()
    };
    let dropped = audio["dropped"].as_u64().unwrap_or(0);
    Lateness { bounds_us: numbers("late_bounds_us"), counts: numbers("late_counts"), dropped }
}

fn punctuality(table: &mut Table, before: &Lateness, after: &Lateness) {
    let counts = after.counts.iter().zip(&before.counts).map(|(after, before)| after - before);
    let counts: Vec<u64> = counts.collect();
    let ticks: u64 = counts.iter().sum();
    table.section(&format!("audio ticks during the five calls: {ticks}"));
    for (name, share, target) in [
        ("late, median, at most", 0.5, Target::None),
        ("late, 99.9th percentile, at most", 0.999, Target::AtMost(1.0)),
    ] {
        let mut seen = 0;
        let at = counts.iter().position(|count| {
            seen += count;
            seen as f64 >= ticks as f64 * share
        });
        let bound = at.and_then(|at| after.bounds_us.get(at));
        let ms = bound.map(|us| *us as f64 / 1_000.0);
        table.figure(name, ms.or(Some(f64::INFINITY)), "ms", target);
    }
    let later = |from_us: u64| -> u64 {
        let late = after.bounds_us.iter().zip(&counts).filter(|(bound, _)| **bound > from_us);
        late.map(|(_, count)| count).sum::<u64>() + counts.last().copied().unwrap_or(0)
    };
    let words = [1_000, 5_000, 20_000].map(|us| later(us).to_string());
    table.note("later than 1, 5, 20 ms", &words.join(", "));
    table.note("frames and events dropped", &(after.dropped - before.dropped).to_string());
}
