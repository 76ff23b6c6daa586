//! The slots of an intent.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::checks::Context;
use super::patience::slot_patience;
use super::reader::{Faults, Section};
use super::sections::names;
use super::{ReadBack, Slot};
use crate::converse::matching::slots::SlotKind;

const SLOTS: usize = 12;
/// Longest digits in a slot: beyond an IBAN's nobody reads out a number.
const DIGITS: u64 = 34;
/// A telephone number has 15 digits at most (E.164); 20 leave room for prefixes.
const PHONE_DIGITS: u64 = 20;

/// The list `[[intent.slot]]`.
pub fn slots(section: &mut Section<'_>, faults: &mut Faults, context: &Context<'_>) -> Vec<Slot> {
    let mut sections = section.list(faults, "slot", SLOTS);
    let names: Vec<&str> = names(&mut sections, faults);
    let slot = |mut section: Section<'_>, faults: &mut Faults, name: &str| {
        let s = &mut section;
        let kind = kind(s, faults);
        if s.value("ask").is_none() {
            s.fault(faults, "ask", "is missing: the question for this slot");
        }
        let ask = context.template(s, faults, "ask", &names).unwrap_or_default();
        let reask = context.template(s, faults, "reask", &names).unwrap_or_else(|| ask.clone());
        let confirm = context.template(s, faults, "confirm", &names);
        let read_back = match (s.flag(faults, "read_back"), confirm) {
            (true, None) => context.read_back(s.key("read_back"), faults, name, &kind),
            (_, confirm) => confirm,
        };
        let read_back = read_back.map_or(ReadBack::Never, ReadBack::Always);
        let optional = s.flag(faults, "optional");
        let remember = s.flag(faults, "remember");
        // A message is kept as it was heard; nobody acts on its words.
        let default = if kind == SlotKind::Text { 0.0 } else { context.ask_again_below };
        let ask_again_below = s.share(faults, "ask_again_below", default);
        let usual = usual(s, faults, &kind);
        let patience = slot_patience(s, faults);
        section.finish(faults);
        Slot {
            name: name.to_owned(),
            kind,
            ask,
            reask,
            read_back,
            optional,
            remember,
            ask_again_below,
            usual,
            patience,
        }
    };
    sections.into_iter().zip(&names).map(|(s, name)| slot(s, faults, name)).collect()
}

/// The key `usual`: a count of digits or several, for the slots that have such counts.
fn usual(section: &mut Section<'_>, faults: &mut Faults, kind: &SlotKind) -> Vec<usize> {
    match kind {
        SlotKind::Digits { min, max }
        | SlotKind::Phone { min, max }
        | SlotKind::Code { min, max } => section.counts(faults, "usual", *min..=*max),
        _ => Vec::new(),
    }
}

/// Where all keys of the table have one length, so has what callers will say.
pub fn learn_usual(slot: &mut Slot, table: &BTreeMap<String, String>) {
    let Some(first) = table.keys().next() else { return };
    let is_like_first =
        |key: &String| key.len() == first.len() && key.bytes().all(|byte| byte.is_ascii_digit());
    let fits = match slot.kind {
        SlotKind::Digits { min, max } | SlotKind::Phone { min, max } => {
            (min..=max).contains(&first.len())
        }
        _ => false,
    };
    if slot.usual.is_empty() && fits && table.keys().all(is_like_first) {
        slot.usual = vec![first.len()];
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Digits,
    Phone,
    Code,
    Number,
    Name,
    Time,
    Day,
    YesNo,
    Text,
}

fn kind(section: &mut Section<'_>, faults: &mut Faults) -> SlotKind {
    let choices = [
        ("text", Kind::Text),
        ("digits", Kind::Digits),
        ("phone", Kind::Phone),
        ("code", Kind::Code),
        ("number", Kind::Number),
        ("name", Kind::Name),
        ("time", Kind::Time),
        ("day", Kind::Day),
        ("yes_no", Kind::YesNo),
    ];
    match section.choice(faults, "type", &choices).unwrap_or(Kind::Text) {
        Kind::Digits => {
            let (min, max) = bounds(section, faults, 1..=DIGITS, (1, DIGITS));
            SlotKind::Digits { min: min as usize, max: max as usize }
        }
        Kind::Phone => {
            let (min, max) = bounds(section, faults, 1..=PHONE_DIGITS, (5, 15));
            SlotKind::Phone { min: min as usize, max: max as usize }
        }
        Kind::Code => {
            let (min, max) = bounds(section, faults, 2..=DIGITS, (2, DIGITS));
            SlotKind::Code { min: min as usize, max: max as usize }
        }
        Kind::Number => {
            let (min, max) = bounds(section, faults, 0..=999_999_999, (0, 999_999_999));
            SlotKind::Number { min, max }
        }
        Kind::Name => SlotKind::Name,
        Kind::Time => SlotKind::Time,
        Kind::Day => SlotKind::Day,
        Kind::YesNo => SlotKind::YesNo,
        Kind::Text => SlotKind::Text,
    }
}

fn bounds(
    section: &mut Section<'_>,
    faults: &mut Faults,
    range: RangeInclusive<u64>,
    default: (u64, u64),
) -> (u64, u64) {
    let min = section.number(faults, "min", range.clone(), default.0);
    let max = section.number(faults, "max", range, default.1);
    if min > max {
        section.fault(faults, "min", format!("must not be above max, which is {max}"));
    }
    (min, max.max(min))
}
