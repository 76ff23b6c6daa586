//! Days and times as Russian callers name them: `в понедельник`, `завтра утром`, `двадцатого мая`,
//! `в половине четвёртого`, `без пятнадцати пять`, `в три часа дня`.

use crate::converse::matching::numbers;
use crate::converse::matching::tokens::Token;

/// As it is named again, and what its forms begin with.
const WEEKDAYS: [(&str, &str); 7] = [
    ("понедельник", "понедельник"),
    ("вторник", "вторник"),
    ("среда", "сред"),
    ("четверг", "четверг"),
    ("пятница", "пятниц"),
    ("суббота", "суббот"),
    ("воскресенье", "воскресен"),
];
const MONTHS: [&str; 12] = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
];
const RELATIVE: [&str; 3] = ["сегодня", "завтра", "послезавтра"];
const PARTS: [&str; 4] = ["утром", "днем", "вечером", "ночью"];
/// Ordinals by value, by what their forms begin with.
const ORDINALS: [(&str, u8); 20] = [
    ("перв", 1),
    ("втор", 2),
    ("трет", 3),
    ("четверт", 4),
    ("пят", 5),
    ("шест", 6),
    ("седьм", 7),
    ("восьм", 8),
    ("девят", 9),
    ("десят", 10),
    ("одиннадцат", 11),
    ("двенадцат", 12),
    ("тринадцат", 13),
    ("четырнадцат", 14),
    ("пятнадцат", 15),
    ("шестнадцат", 16),
    ("семнадцат", 17),
    ("восемнадцат", 18),
    ("девятнадцат", 19),
    ("двадцат", 20),
];

/// The first day named, as it may be said again.
pub(super) fn day(tokens: &[Token]) -> Option<String> {
    (0..tokens.len()).find_map(|at| day_at(tokens, at))
}

fn day_at(tokens: &[Token], at: usize) -> Option<String> {
    let word = tokens.get(at)?.word.as_str();
    let part = tokens.get(at + 1).filter(|t| t.is_one_of(&PARTS));
    let with_part = |day: &str| match part {
        Some(part) => format!("{day} {}", part.word),
        None => day.to_owned(),
    };
    if RELATIVE.contains(&word) {
        return Some(with_part(word));
    }
    let weekday = WEEKDAYS.iter().find(|(name, begins)| {
        word.starts_with(begins) && word.chars().count() <= name.chars().count() + 2
    });
    // `среди` and `средний` are no day.
    if let Some((name, _)) =
        weekday.filter(|_| !word.starts_with("среди") && !word.starts_with("средн"))
    {
        return Some(with_part(name));
    }
    if !MONTHS.contains(&word) {
        return None;
    }
    let number = day_of_month(tokens.get(..at)?)?;
    Some(format!("{number} {word}"))
}

/// The number at the end of `tokens`: `20`, `двадцатого`, `двадцать первое`.
fn day_of_month(tokens: &[Token]) -> Option<u8> {
    let last = tokens.last()?;
    if let Some(number) = last.word.parse().ok().filter(|n| (1..=31).contains(n)) {
        return Some(number);
    }
    let unit = ordinal(&last.word)?;
    let tens = tokens.len().checked_sub(2).and_then(|i| tokens.get(i)).map(|t| t.word.as_str());
    match (tens, unit) {
        (Some("двадцать"), 1..=9) => Some(20 + unit),
        (Some("тридцать"), 1) => Some(31),
        _ => Some(unit),
    }
}

fn ordinal(word: &str) -> Option<u8> {
    if word.starts_with("тридцат") && word != "тридцать" {
        return Some(30);
    }
    let is_form = |begins: &str| {
        word.strip_prefix(begins).is_some_and(|ending| {
            ["ый", "ой", "ий", "ое", "ье", "ого", "ьего", "ому", "ом"].contains(&ending)
        })
    };
    ORDINALS.iter().find(|(begins, _)| is_form(begins)).map(|(_, number)| *number)
}

/// The first time named, by the clock: `15:20`.
pub(super) fn time(tokens: &[Token]) -> Option<String> {
    (0..tokens.len()).find_map(|at| time_at(tokens, at))
}

fn time_at(tokens: &[Token], at: usize) -> Option<String> {
    let word = |offset: usize| tokens.get(at + offset).map(|t| t.word.as_str());
    let first = word(0)?;
    match first {
        "полдень" => return Some("12:00".to_owned()),
        "полночь" => return Some("0:00".to_owned()),
        // The half of the fourth hour is 3:30.
        "половина" | "половине" | "пол" => {
            return before(word(1).and_then(ordinal)?, 30);
        }
        "без" => {
            let (minutes, taken) = match word(1)? {
                "четверти" => (15, 1),
                _ => number(tokens, at + 1)?,
            };
            let (hour, _) = number(tokens, at + 1 + taken)?;
            return before(hour, 60 - minutes.min(59));
        }
        _ => {}
    }
    if let Some(hour) = first.strip_prefix("пол").and_then(ordinal) {
        return before(hour, 30);
    }
    if let Some((hour, minute)) = first.split_once(':') {
        let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
        return (hour < 24 && minute < 60).then(|| format!("{hour}:{minute:02}"));
    }
    let (hour, taken) = number(tokens, at)?;
    let next = word(taken);
    let said_hours = matches!(next, Some("час" | "часа" | "часов"));
    let after = taken + usize::from(said_hours);
    let afternoon = matches!(word(after), Some("дня" | "вечера")) && hour < 12;
    if hour > 23 {
        return None;
    }
    let hour = if afternoon { hour + 12 } else { hour };
    if let Some((minute, _)) = number(tokens, at + after).filter(|(m, _)| (10..60).contains(m)) {
        return Some(format!("{hour}:{minute:02}"));
    }
    let named = said_hours || matches!(word(after), Some("утра" | "дня" | "вечера" | "ночи"));
    named.then(|| format!("{hour}:00"))
}

/// So many minutes after the hour before `hour`.
fn before(hour: u8, minutes: u8) -> Option<String> {
    let before = if hour == 1 { 12 } else { hour.checked_sub(1)? };
    (hour <= 24).then(|| format!("{before}:{minutes:02}"))
}

/// A number below 60 of one or two words, and how many.
fn number(tokens: &[Token], at: usize) -> Option<(u8, usize)> {
    let upto = |length: usize| tokens.get(at..(at + length).min(tokens.len()));
    [2, 1].into_iter().find_map(|length| {
        let run = numbers::runs(upto(length)?).into_iter().find(|run| run.start == 0)?;
        let value = numbers::value(&run.digits).filter(|_| run.digits.len() <= 2)?;
        Some((u8::try_from(value).ok().filter(|value| *value < 60)?, run.end))
    })
}
