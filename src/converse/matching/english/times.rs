//! Times of day as callers say them: `3 o'clock`, `half past three`, `3 30`, `5 pm`, `noon`.

use crate::converse::matching::numbers;
use crate::converse::matching::tokens::{self, Token};

/// The first time named in `tokens`, written so that it can be said again: `3:30 pm`.
pub fn find(tokens: &[Token]) -> Option<String> {
    (0..tokens.len()).find_map(|at| time_at(tokens, at))
}

fn time_at(tokens: &[Token], at: usize) -> Option<String> {
    let word = |offset: usize| tokens.get(at + offset).map(|t| t.word.as_str());
    let first = word(0)?;
    match first {
        "noon" | "midday" => return Some("noon".to_owned()),
        "midnight" => return Some("midnight".to_owned()),
        "half" if word(1) == Some("past") => {
            return word(2).and_then(hour).map(|h| format!("{h}:30"));
        }
        "quarter" => {
            let hour = word(2).and_then(hour)?;
            return match word(1)? {
                "past" | "after" => Some(format!("{hour}:15")),
                "to" | "before" => Some(format!("{}:45", if hour == 1 { 12 } else { hour - 1 })),
                _ => None,
            };
        }
        _ => {}
    }
    if let Some((hour, minute)) = first.split_once(':') {
        let (hour, minute): (u8, u8) = (hour.parse().ok()?, minute.parse().ok()?);
        return (hour < 24 && minute < 60)
            .then(|| format!("{hour}:{minute:02}{}", half(word(1), word(2))));
    }
    let hour = hour(first)?;
    if word(1) == Some("o'clock") {
        return Some(format!("{hour} o'clock{}", half(word(2), word(3))));
    }
    let suffix = half(word(1), word(2));
    if !suffix.is_empty() {
        return Some(format!("{hour}{suffix}"));
    }
    let (minute, taken) = minute(tokens, at + 1)?;
    Some(format!("{hour}:{minute:02}{}", half(word(1 + taken), word(2 + taken))))
}

/// ` am` or ` pm` when the words say so.
fn half(first: Option<&str>, second: Option<&str>) -> &'static str {
    match (first, second) {
        (Some("am"), _) | (Some("a"), Some("m")) => " am",
        (Some("pm"), _) | (Some("p"), Some("m")) => " pm",
        _ => "",
    }
}

fn hour(word: &str) -> Option<u8> {
    let tokens = tokens::tokenise(word, &super::ENGLISH);
    let run = numbers::runs(tokens.get(..1)?).pop()?;
    let hour = numbers::value(&run.digits)?;
    u8::try_from(hour).ok().filter(|hour| (1..=12).contains(hour) && run.digits.len() <= 2)
}

fn minute(tokens: &[Token], at: usize) -> Option<(u8, usize)> {
    let rest = tokens.get(at..(at + 2).min(tokens.len()))?;
    let run = numbers::runs(rest).into_iter().find(|run| run.start == 0)?;
    let minute = numbers::value(&run.digits).and_then(|m| u8::try_from(m).ok())?;
    ((10..60).contains(&minute) && run.digits.len() == 2).then_some((minute, run.end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::converse::matching::tokens::english as tokenise;

    #[test]
    fn times_are_found() {
        let table = [
            ("On Monday at 3 o'clock.", Some("3 o'clock")),
            ("3 30", Some("3:30")),
            ("at 3:30 p.m.", Some("3:30 pm")),
            ("three forty five", Some("3:45")),
            ("half past three", Some("3:30")),
            ("quarter to four", Some("3:45")),
            ("quarter to one", Some("12:45")),
            ("5 pm", Some("5 pm")),
            ("five p m", Some("5 pm")),
            ("at noon", Some("noon")),
            ("15:20", Some("15:20")),
            ("99:99", None),
            ("4729", None),
            ("no time", None),
        ];
        for (text, expected) in table {
            assert_eq!(find(&tokenise(text)).as_deref(), expected, "{text}");
        }
    }
}
