//! Days as callers name them: `on Monday`, `tomorrow morning`, `next Friday`, `March 3`.

use crate::converse::matching::tokens::Token;

const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const RELATIVE: [&str; 3] = ["today", "tomorrow", "tonight"];

/// The first day named in `tokens`, as it may be said again.
pub fn find(tokens: &[Token]) -> Option<String> {
    (0..tokens.len()).find_map(|at| day_at(tokens, at))
}

fn day_at(tokens: &[Token], at: usize) -> Option<String> {
    let word = tokens.get(at)?.word.as_str();
    let after = tokens.get(at + 1).map(|t| t.word.as_str());
    let part = |part: Option<&str>| match part {
        Some(part @ ("morning" | "afternoon" | "evening")) => format!(" {part}"),
        _ => String::new(),
    };
    if word == "next" || word == "this" {
        let weekday = after.and_then(|w| proper(&WEEKDAYS, w));
        if let Some(weekday) = weekday {
            return Some(format!("{word} {weekday}{}", part(tokens.get(at + 2).map(|t| &*t.word))));
        }
        return (after == Some("week")).then(|| format!("{word} week"));
    }
    if RELATIVE.contains(&word) {
        return Some(format!("{word}{}", part(after)));
    }
    if let Some(weekday) = proper(&WEEKDAYS, word) {
        return Some(format!("{weekday}{}", part(after)));
    }
    let month = proper(&MONTHS, word)?;
    let before = at.checked_sub(1).and_then(|i| tokens.get(i)).and_then(|t| day_of_month(&t.word));
    let of = at >= 2 && tokens.get(at - 1).is_some_and(|t| t.word == "of");
    let before_of = if of { tokens.get(at - 2).and_then(|t| day_of_month(&t.word)) } else { None };
    let number = after.and_then(day_of_month).or(before).or(before_of);
    match number {
        Some(number) => Some(format!("{month} {number}")),
        // `may` alone is a verb.
        None if month == "May" => None,
        None => Some(month.to_owned()),
    }
}

fn proper(names: &[&'static str], word: &str) -> Option<&'static str> {
    names
        .iter()
        .find(|name| {
            name.eq_ignore_ascii_case(word) || format!("{name}s").eq_ignore_ascii_case(word)
        })
        .copied()
}

fn day_of_month(word: &str) -> Option<u8> {
    let digits = word
        .strip_suffix("st")
        .or_else(|| word.strip_suffix("nd"))
        .or_else(|| word.strip_suffix("rd"))
        .or_else(|| word.strip_suffix("th"))
        .unwrap_or(word);
    let number = digits.parse().ok().or_else(|| {
        let ordinals = [
            "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
            "tenth", "eleventh", "twelfth",
        ];
        ordinals.iter().zip(1..).find(|(name, _)| **name == word).map(|(_, number)| number)
    })?;
    (1..=31).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::converse::matching::tokens::english as tokenise;

    #[test]
    fn days_are_found() {
        let table = [
            ("On Monday at 3 o'clock.", Some("Monday")),
            ("tomorrow morning please", Some("tomorrow morning")),
            ("Next Friday.", Some("next Friday")),
            ("March 3", Some("March 3")),
            ("the 3rd of March", Some("March 3")),
            ("on the third of March", Some("March 3")),
            ("In October.", Some("October")),
            ("may I", None),
            ("May 5", Some("May 5")),
            ("next week", Some("next week")),
            ("Are you open on Sundays?", Some("Sunday")),
            ("no day", None),
        ];
        for (text, expected) in table {
            assert_eq!(find(&tokenise(text)).as_deref(), expected, "{text}");
        }
    }
}
