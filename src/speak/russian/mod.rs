//! Russian: numbers in gender and case, times, money, dates, units and abbreviations become words.
//!
//! The case of a number is read from the preposition before it, its gender from the noun after it:
//! `с 9 до 18`, `2 минуты`, `21 посылка`. What is not sure is said in the nominative.

mod numerals;
mod written;

use super::language::Spoken;
use super::normalise::{affixes, telephone};
use numerals::digit_words;
use written::{Neighbours, spoken};

pub(super) const RUSSIAN: Spoken = Spoken {
    words,
    digits: digit_words,
    plus: "плюс",
    is_abbreviation,
    conjunctions: &[
        "но",
        "потому",
        "поэтому",
        "которая",
        "который",
        "которые",
        "хотя",
        "если",
        "чтобы",
    ],
    digit_names: &[
        "ноль",
        "один",
        "два",
        "три",
        "четыре",
        "пять",
        "шесть",
        "семь",
        "восемь",
        "девять",
    ],
    after_number: &[
        "час",
        "часа",
        "часов",
        "минут",
        "минута",
        "минуты",
        "утра",
        "дня",
        "вечера",
        "ночи",
        "руб",
        "рублей",
        "рубля",
        "рубль",
        "г",
        "кг",
        "км",
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
    ],
    ends_day: &["т.д.", "т.п.", "др.", "руб.", "коп.", "г.", "шт."],
};

/// Abbreviations whose full stop ends no sentence, and what is said for them.
const ABBREVIATIONS: [(&str, &str); 37] = [
    ("ул.", "улица"),
    ("пр.", "проспект"),
    ("просп.", "проспект"),
    ("пер.", "переулок"),
    ("пл.", "площадь"),
    ("наб.", "набережная"),
    ("ш.", "шоссе"),
    ("д.", "дом"),
    ("корп.", "корпус"),
    ("стр.", "строение"),
    ("оф.", "офис"),
    ("кв.", "квартира"),
    ("эт.", "этаж"),
    ("обл.", "область"),
    ("р-н.", "район"),
    ("им.", "имени"),
    ("г.", "город"),
    ("тел.", "телефон"),
    ("доб.", "добавочный"),
    ("т.е.", "то есть"),
    ("т.д.", "так далее"),
    ("т.п.", "тому подобное"),
    ("др.", "другие"),
    ("напр.", "например"),
    ("ок.", "около"),
    ("руб.", "рублей"),
    ("коп.", "копеек"),
    ("шт.", "штук"),
    ("мин.", "минут"),
    ("ч.", "часов"),
    ("пн.", "понедельник"),
    ("вт.", "вторник"),
    ("ср.", "среда"),
    ("чт.", "четверг"),
    ("пт.", "пятница"),
    ("сб.", "суббота"),
    ("вс.", "воскресенье"),
];

fn is_abbreviation(word: &str) -> bool {
    let lower = word.trim_start_matches(['(', '"', '«']).to_lowercase();
    abbreviation(&lower).is_some()
}

fn abbreviation(lower: &str) -> Option<&'static str> {
    ABBREVIATIONS.iter().find(|(written, _)| *written == lower).map(|(_, spoken)| *spoken)
}

/// Everything but what is marked to be read digit by digit.
fn words(text: &str) -> String {
    let text = joined_thousands(text);
    let chunks: Vec<&str> = text.split_whitespace().collect();
    let mut said: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(chunk) = chunks.get(at) {
        if let Some((words, taken)) = telephone(&chunks, at, &RUSSIAN) {
            said.push(words);
            at += taken;
            continue;
        }
        let near = |offset: isize| at.checked_add_signed(offset).and_then(|i| chunks.get(i));
        let neighbours = Neighbours {
            before: near(-1).copied().unwrap_or_default(),
            after: near(1).copied().unwrap_or_default(),
            after_next: near(2).copied().unwrap_or_default(),
        };
        let word = chunk_words(chunk, neighbours);
        if !word.is_empty() {
            said.push(word);
        }
        at += 1;
    }
    said.join(" ")
}

/// `1 250 руб.` is one number: groups of three digits before a unit, however they are spaced.
fn joined_thousands(text: &str) -> String {
    let text = text.replace(['\u{a0}', '\u{202f}'], " ");
    let chunks: Vec<&str> = text.split(' ').collect();
    let mut joined: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(chunk) = chunks.get(at) {
        let is_group = |c: &&&str| c.len() == 3 && c.bytes().all(|b| b.is_ascii_digit());
        let groups = chunks.iter().skip(at + 1).take_while(is_group).count();
        let first = (1..=3).contains(&chunk.len()) && chunk.bytes().all(|b| b.is_ascii_digit());
        let unit = chunks.get(at + 1 + groups).is_some_and(|next| written::is_unit(next));
        if first && groups > 0 && unit {
            joined.push(chunks.get(at..=at + groups).unwrap_or_default().concat());
            at += groups + 1;
        } else {
            joined.push((*chunk).to_owned());
            at += 1;
        }
    }
    joined.join(" ")
}

fn chunk_words(chunk: &str, neighbours: Neighbours<'_>) -> String {
    let (before, core, after) = affixes(chunk);
    if after.starts_with('.')
        && let Some(full) = short_form(&format!("{core}.").to_lowercase(), neighbours)
    {
        let tail = after.get(1..).unwrap_or_default();
        // At the end of the text the stop is the sentence's too.
        let stop = if neighbours.after.is_empty() && tail.is_empty() { "." } else { "" };
        return format!("{before}{full}{stop}{tail}");
    }
    format!("{before}{}{after}", spoken(core, neighbours))
}

/// After a number an abbreviation is a unit and agrees with it.
fn short_form(dotted: &str, neighbours: Neighbours<'_>) -> Option<String> {
    let unit = written::unit_after(dotted.trim_end_matches('.'), neighbours.before);
    let numeric_before = neighbours.before.ends_with(|c: char| c.is_ascii_digit());
    match dotted {
        "г." if numeric_before && neighbours.before.len() == 4 => Some("года".to_owned()),
        "д." | "кв." | "корп." | "стр." | "оф." | "доб."
            if !neighbours.after.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            None
        }
        dotted => unit.or_else(|| abbreviation(dotted).map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests;
