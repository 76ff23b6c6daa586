//! What the box achieves, measured and printed in one table; nothing is asserted.
//!
//! | file | what |
//! |---|---|
//! | `table` | the table and the conditions under it |
//! | `stopwatch` | time of small pieces of work |
//! | `meter` | processor time and memory of the box's two processes |
//! | `media`, `signalling`, `words` | the pure modules, in this process |
//! | `life` | start, and the engine's death |
//! | `pauses` | the pause corpus: gap and false cut-offs, by our rule and by plain ones |
//! | `answered` | who answered a call of ours: people, machines and their beeps, tones |
//! | `barge` | barge-in: on RTP, over an echo, and by what is not meant |
//! | `room` | a caller in steady noise, and among people |
//! | `talk` | conversations with `attendant call`, alone and five at once: `talk` of fixed turns, `callers` of the scenarios |
//! | `voices` | neural voices: first sound, real-time factor |
//! | `model` | a language model at a small one's pace, and each fault of its server |
//! | `crowd` | SIPp: calls set up in a second |
//! | `history` | the database of calls: a part of the list, a search, one call |
//!
//! Every part bounds its own time. An argument that is a part's name leaves out the others:
//! `talk-one` and `talk-five` are the halves of `talk`. `callers-one` and `callers-five` need 200 turns
//! each; with `seconds=N` they stop after so long, and with `keep=FILE` they add their turns to those
//! that the file has from runs before and print the figures of all. Another program is another file.

#![allow(clippy::disallowed_methods, reason = "a bench lives in real time")]

mod answered;
mod barge;
mod crowd;
mod history;
mod life;
mod media;
mod meter;
mod model;
mod pauses;
mod room;
mod signalling;
mod stopwatch;
mod table;
mod talk;
mod voices;
mod words;

#[path = "../tests/support/mod.rs"]
mod support;

use table::Table;

type Part = (&'static str, fn(&mut Table, &Asked));

const PARTS: [Part; 16] = [
    ("media", |table, _| media::measure(table)),
    ("signalling", |table, _| signalling::measure(table)),
    ("words", |table, _| words::measure(table)),
    ("life", |table, _| life::measure(table)),
    ("pauses", |table, _| pauses::measure(table)),
    ("answered", |table, _| answered::measure(table)),
    ("barge", |table, _| barge::measure(table)),
    ("room", |table, _| room::measure(table)),
    ("talk-one", |table, _| talk::measure(table, talk::Side::One)),
    ("talk-five", |table, _| talk::measure(table, talk::Side::Five)),
    ("callers-one", |table, asked| talk::callers::measure(table, talk::Side::One, asked)),
    ("callers-five", |table, asked| talk::callers::measure(table, talk::Side::Five, asked)),
    ("voices", |table, _| voices::measure(table)),
    ("model", |table, _| model::measure(table)),
    ("crowd", |table, _| crowd::measure(table)),
    ("history", |table, _| history::measure(table)),
];

/// What the command line wants.
#[derive(Debug, Default)]
struct Asked {
    parts: Vec<String>,
    /// For the parts that may be made in pieces.
    seconds: Option<u64>,
    keep: Option<String>,
}

impl Asked {
    fn of(arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Self::default();
        // cargo gives arguments of its own, such as --bench.
        for argument in arguments.filter(|argument| !argument.starts_with('-')) {
            match argument.split_once('=') {
                Some(("seconds", seconds)) => asked.seconds = seconds.parse().ok(),
                Some(("keep", file)) => asked.keep = Some(file.to_owned()),
                _ => asked.parts.push(argument),
            }
        }
        asked
    }

    fn wants(&self, part: &str) -> bool {
        let is_it = |asked: &String| {
            asked == part
                || part.strip_prefix(asked.as_str()).is_some_and(|rest| rest.starts_with('-'))
        };
        self.parts.is_empty() || self.parts.iter().any(is_it)
    }
}

fn main() {
    let asked = Asked::of(std::env::args().skip(1));
    let mut table = Table::default();
    for (name, measure) in PARTS {
        if asked.wants(name) {
            eprintln!("measuring: {name}");
            measure(&mut table, &asked);
        }
    }
    table.print();
}
