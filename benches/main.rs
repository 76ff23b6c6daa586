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
//! | `barge` | barge-in: on RTP, over an echo, and by what is not meant |
//! | `talk` | scripted conversations with `attendant call`, alone and five at once |
//! | `crowd` | SIPp: calls set up in a second |
//!
//! Every part bounds its own time. An argument that is a part's name leaves out the others.

#![allow(clippy::disallowed_methods, reason = "a bench lives in real time")]

mod barge;
mod crowd;
mod life;
mod media;
mod meter;
mod pauses;
mod signalling;
mod stopwatch;
mod table;
mod talk;
mod words;

#[path = "../tests/support/mod.rs"]
mod support;

use table::Table;

type Part = (&'static str, fn(&mut Table));

const PARTS: [Part; 8] = [
    ("media", media::measure),
    ("signalling", signalling::measure),
    ("words", words::measure),
    ("life", life::measure),
    ("pauses", pauses::measure),
    ("barge", barge::measure),
    ("talk", talk::measure),
    ("crowd", crowd::measure),
];

fn main() {
    // cargo gives arguments of its own, such as --bench.
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let mut table = Table::default();
    for (name, measure) in PARTS {
        if asked.is_empty() || asked.iter().any(|a| a == name) {
            eprintln!("measuring: {name}");
            measure(&mut table);
        }
    }
    table.print();
}
