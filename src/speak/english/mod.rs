//! English: numbers, times, money, dates, units, abbreviations, addresses of the network and codes
//! become words.

mod numerals;
mod written;

use super::language::Spoken;
use super::normalise::{affixes, digits_of, telephone};
use numerals::{cardinal, digit_words};
use written::{Neighbours, spoken};

pub(super) const ENGLISH: Spoken = Spoken {
    words,
    digits: digit_words,
    plus: "plus",
    is_abbreviation,
    conjunctions: &["but", "because", "so", "which", "while", "although", "unless"],
    digit_names: &["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    after_number: &["am", "pm", "a.m", "p.m", "o'clock"],
    ends_day: &["a.m.", "p.m.", "etc.", "inc.", "ltd.", "co."],
};

/// Abbreviations whose full stop ends no sentence, and what is said for them.
const ABBREVIATIONS: [(&str, &str); 52] = [
    ("mr.", "mister"),
    ("mrs.", "missus"),
    ("ms.", "miz"),
    ("dr.", "doctor"),
    ("prof.", "professor"),
    ("jr.", "junior"),
    ("sr.", "senior"),
    ("e.g.", "for example"),
    ("i.e.", "that is"),
    ("etc.", "and so on"),
    ("vs.", "versus"),
    ("approx.", "approximately"),
    ("dept.", "department"),
    ("tel.", "telephone"),
    ("ext.", "extension"),
    ("ave.", "avenue"),
    ("rd.", "road"),
    ("blvd.", "boulevard"),
    ("apt.", "apartment"),
    ("bldg.", "building"),
    ("inc.", "incorporated"),
    ("ltd.", "limited"),
    ("co.", "company"),
    ("corp.", "corporation"),
    ("a.m.", "A M"),
    ("p.m.", "P M"),
    ("jan.", "January"),
    ("feb.", "February"),
    ("mar.", "March"),
    ("apr.", "April"),
    ("jun.", "June"),
    ("jul.", "July"),
    ("aug.", "August"),
    ("sep.", "September"),
    ("sept.", "September"),
    ("oct.", "October"),
    ("nov.", "November"),
    ("dec.", "December"),
    ("mon.", "Monday"),
    ("tue.", "Tuesday"),
    ("wed.", "Wednesday"),
    ("thu.", "Thursday"),
    ("fri.", "Friday"),
    ("sat.", "Saturday"),
    ("min.", "minutes"),
    ("max.", "maximum"),
    ("hrs.", "hours"),
    ("fig.", "figure"),
    ("vol.", "volume"),
    ("pp.", "pages"),
    ("u.s.", "U S"),
    ("u.k.", "U K"),
];

/// Everything but what is marked to be read digit by digit.
pub(super) fn words(text: &str) -> String {
    let chunks: Vec<&str> = text.split_whitespace().collect();
    let mut said: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(chunk) = chunks.get(at) {
        if let Some((words, taken)) = telephone(&chunks, at, &ENGLISH) {
            said.push(words);
            at += taken;
            continue;
        }
        let neighbours = Neighbours {
            before: at.checked_sub(1).and_then(|i| chunks.get(i)).copied().unwrap_or_default(),
            after: chunks.get(at + 1).copied().unwrap_or_default(),
        };
        let word = chunk_words(chunk, neighbours);
        if !word.is_empty() {
            said.push(word);
        }
        at += 1;
    }
    said.join(" ")
}

fn chunk_words(chunk: &str, neighbours: Neighbours<'_>) -> String {
    let (before, core, after) = affixes(chunk);
    let dotted = format!("{core}.").to_ascii_lowercase();
    if after.starts_with('.') {
        let tail = after.get(1..).unwrap_or_default();
        if let Some(full) = short_form(&dotted, neighbours) {
            // At the end of the text the stop is the sentence's too.
            let stop = if neighbours.after.is_empty() && tail.is_empty() { "." } else { "" };
            return format!("{before}{full}{stop}{tail}");
        }
    }
    format!("{before}{}{after}", spoken(core, neighbours))
}

fn short_form(dotted: &str, neighbours: Neighbours<'_>) -> Option<&'static str> {
    let capital = |word: &str| word.starts_with(char::is_uppercase);
    match dotted {
        "st." if capital(neighbours.after) && !capital(neighbours.before) => Some("Saint"),
        "st." if capital(neighbours.before) => Some("Street"),
        "no." if neighbours.after.starts_with(|c: char| c.is_ascii_digit()) => Some("number"),
        "jan." | "feb." | "mar." | "apr." | "jun." | "jul." | "aug." | "sep." | "oct." | "nov."
        | "dec." | "min." | "sat." | "fig." | "max." | "mon." | "wed." | "fri." | "co."
            if neighbours.after.is_empty() && neighbours.before.is_empty() =>
        {
            None
        }
        dotted => abbreviation(dotted),
    }
}

/// Whether `word`, with its full stop, is an abbreviation after which a sentence goes on.
pub(super) fn is_abbreviation(word: &str) -> bool {
    let lower = word.trim_start_matches(['(', '"', '\'']).to_ascii_lowercase();
    matches!(lower.as_str(), "st." | "no.") || abbreviation(&lower).is_some()
}

fn abbreviation(lower: &str) -> Option<&'static str> {
    ABBREVIATIONS.iter().find(|(written, _)| *written == lower).map(|(_, spoken)| *spoken)
}

/// `12` as a number of things, `007` digit by digit.
fn count_words(digits: &str) -> String {
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    match digits.parse() {
        Ok(number) if !leading_zero => cardinal(number),
        _ => read_digits(digits),
    }
}

fn read_digits(code: &str) -> String {
    digits_of(code, &ENGLISH)
}
