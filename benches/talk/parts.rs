//! Where the gaps went, and how much of them the parts leave unexplained: against the box's audio
//! thread, and against what the caller measured on its side of the wire.

use super::call::{Made, Piece, Turn};
use crate::stopwatch::percentile;
use crate::table::{Table, Target};

const NAMES: [&str; 6] = ["jitter", "endpoint", "decode", "think", "voice", "pacing"];

pub fn print(table: &mut Table, calls: &[Made]) {
    let turns: Vec<&Turn> = calls.iter().flat_map(|call| &call.turns).collect();
    let pieces: Vec<&Piece> = turns.iter().filter_map(|turn| turn.pieces.last()).collect();
    for name in NAMES {
        let wanted = format!("{name}_ms");
        let of = |piece: &&Piece| {
            let part = piece.parts.iter().find(|(part, _)| *part == wanted);
            part.map(|(_, ms)| *ms)
        };
        let ms: Vec<f64> = pieces.iter().filter_map(of).collect();
        let words = [50, 95, 100].map(|percent| shown(percentile(ms.clone(), percent)));
        table.note(&format!("part {name}, median / 95th / most"), &words.join(" / "));
    }
    let by_box = pieces.iter().filter_map(|piece| piece.explained);
    let residuals: Vec<f64> = by_box.map(|(gap, sum)| (gap - sum).abs()).collect();
    residual(table, "gap by the audio thread less the sum of its parts", residuals);
    // A turn in pieces has one gap at the caller's and several in the box.
    let whole = turns.iter().filter(|turn| turn.pieces.len() == 1);
    let by_caller = whole.filter_map(|turn| {
        let (_, sum) = turn.pieces.first()?.explained?;
        Some((turn.gap_ms? - sum).abs())
    });
    residual(table, "gap at the caller's less the sum of the parts", by_caller.collect());
}

fn residual(table: &mut Table, what: &str, ms: Vec<f64>) {
    let turns = ms.len();
    let target = |percent| if percent == 95 { Target::AtMost(20.0) } else { Target::None };
    for (percent, name) in [(50, "median"), (95, "95th percentile"), (100, "most")] {
        let name = format!("{what}, {name} of {turns}");
        table.figure(&name, percentile(ms.clone(), percent), "ms", target(percent));
    }
}

fn shown(ms: Option<f64>) -> String {
    ms.map_or("none".to_owned(), |ms| format!("{ms:.0} ms"))
}
