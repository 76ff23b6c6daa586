//! The table `patience` of a step: how long a silence ends an answer to it.

use std::ops::RangeInclusive;

use super::reader::{Faults, Section};
use crate::base::limits;
use crate::base::patience::Patience;

/// Of what is a whole thought, certainly or probably: no turn ends before its words are decoded.
const WHOLE_MS: RangeInclusive<u64> = 60..=limits::PAUSE_MS;
/// Of what may go on; what is shorter cuts off every caller.
const OPEN_MS: RangeInclusive<u64> = 200..=limits::PAUSE_MS;

/// The usual times where there is no such table.
pub fn patience(section: &mut Section<'_>, faults: &mut Faults) -> Patience {
    let Some(mut table) = section.table(faults, "patience") else { return Patience::default() };
    let mut ms = |name, range| {
        table.value(name)?;
        Some(table.number(faults, name, range, 0))
    };
    let patience = Patience {
        complete_ms: ms("complete_ms", WHOLE_MS),
        probable_ms: ms("probable_ms", WHOLE_MS),
        unknown_ms: ms("unknown_ms", OPEN_MS),
        doubtful_ms: ms("doubtful_ms", OPEN_MS),
        incomplete_ms: ms("incomplete_ms", OPEN_MS),
    };
    table.finish(faults);
    patience
}

/// A slot's, whose key `pause_ms` is short for `patience.unknown_ms`.
pub fn slot_patience(section: &mut Section<'_>, faults: &mut Faults) -> Patience {
    let patience = patience(section, faults);
    if section.value("pause_ms").is_none() {
        return patience;
    }
    let unknown_ms = section.number(faults, "pause_ms", OPEN_MS, 0);
    if patience.unknown_ms.is_some() {
        section.fault(faults, "pause_ms", "says the same as patience.unknown_ms: only one of them");
    }
    Patience { unknown_ms: Some(unknown_ms), ..patience }
}
