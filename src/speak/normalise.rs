//! Makes written text speakable: numbers, times, money, dates, units, abbreviations, addresses of
//! the network and codes become English words.
//!
//! Other languages pass through, but for `<digits>`: their voice, espeak-ng, reads numbers itself.

use super::numerals::{cardinal, digit_words, groups};
use super::written::{Neighbours, spoken};

const OPEN: &str = "<digits>";
const CLOSE: &str = "</digits>";

/// Whose words a text becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    English,
    Other,
}

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

/// `text` as words, with punctuation kept for the voice's pauses.
pub fn normalise(text: &str, language: Language) -> String {
    let mut said = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some((before, marked)) = rest.split_once(OPEN) {
        let (digits, after) = marked.split_once(CLOSE).unwrap_or((marked, ""));
        push(&mut said, &words(before, language));
        push(&mut said, &read_digits(digits, language));
        if !after.starts_with(|c: char| c.is_whitespace() || c.is_ascii_punctuation()) {
            said.push(' ');
        }
        rest = after;
        if rest.starts_with(|c: char| c.is_ascii_punctuation() && c != '<') {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (marks, tail) = rest.split_at(end.min(1));
            said.push_str(marks);
            rest = tail;
        }
    }
    push(&mut said, &words(rest, language));
    said.trim_end().to_owned()
}

/// Whether `word`, with its full stop, is an abbreviation after which a sentence goes on.
pub fn is_abbreviation(word: &str) -> bool {
    let lower = word.trim_start_matches(['(', '"', '\'']).to_ascii_lowercase();
    matches!(lower.as_str(), "st." | "no.") || abbreviation(&lower).is_some()
}

fn abbreviation(lower: &str) -> Option<&'static str> {
    ABBREVIATIONS.iter().find(|(written, _)| *written == lower).map(|(_, spoken)| *spoken)
}

/// Digits one by one, with a pause after each group; letters of a code by their names.
pub fn read_digits(code: &str, language: Language) -> String {
    let mut parts: Vec<String> = Vec::new();
    for run in runs(code) {
        let digits = run.starts_with(|c: char| c.is_ascii_digit());
        if digits {
            for group in groups(run) {
                parts.push(match language {
                    Language::English => digit_words(group),
                    Language::Other => spaced(group),
                });
            }
        } else {
            let plus = if run.contains('+') { "plus " } else { "" };
            let letters: String = run.chars().filter(|c| c.is_alphanumeric()).collect();
            let letters = spaced(&letters.to_uppercase());
            let part = format!("{plus}{letters}").trim().to_owned();
            if !part.is_empty() {
                parts.push(part);
            }
        }
    }
    parts.join(", ").replace("plus, ", "plus ")
}

/// Runs of digits, of letters, and of the plus sign; what separates them only separates.
fn runs(code: &str) -> Vec<&str> {
    let kind = |c: char| (c.is_ascii_digit(), c.is_alphabetic(), c == '+');
    let mut runs = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in code.char_indices() {
        if last.is_some_and(|last| last != kind(c)) {
            runs.extend(code.get(start..at));
            start = at;
        }
        last = Some(kind(c));
    }
    runs.extend(code.get(start..));
    runs.retain(|run| run.chars().any(|c| c.is_alphanumeric() || c == '+'));
    runs
}

fn spaced(text: &str) -> String {
    text.chars().map(String::from).collect::<Vec<_>>().join(" ")
}

fn push(said: &mut String, part: &str) {
    let glued = said.is_empty() || said.ends_with(char::is_whitespace) || part.is_empty();
    if !glued && !part.starts_with(|c: char| c.is_ascii_punctuation()) {
        said.push(' ');
    }
    said.push_str(part);
}

fn words(text: &str, language: Language) -> String {
    if language == Language::Other {
        return text.trim().to_owned();
    }
    let chunks: Vec<&str> = text.split_whitespace().collect();
    let mut said: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(chunk) = chunks.get(at) {
        if let Some((words, taken)) = telephone(&chunks, at) {
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

/// Groups of digits that stand together are a telephone number if there are enough of them.
fn telephone(chunks: &[&str], at: usize) -> Option<(String, usize)> {
    let mut groups: Vec<String> = Vec::new();
    let mut count = 0;
    let mut closing = "";
    for chunk in chunks.get(at..)? {
        let (_, core, after) = affixes(chunk);
        let opened = chunk.trim_start_matches('(').trim_end_matches(')');
        let bare = if core.is_empty() { opened } else { core };
        let plausible =
            |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '/' | '(' | ')' | '.');
        let digits = bare.chars().filter(char::is_ascii_digit).count();
        if digits < 2 || !bare.chars().all(plausible) || bare.contains('.') && digits < 7 {
            break;
        }
        groups.push(read_digits(bare, Language::English));
        count += digits;
        let ends = after.trim_start_matches(')');
        if !ends.is_empty() {
            closing = ends;
            break;
        }
    }
    let first = chunks.get(at)?.trim_start_matches('(');
    let hyphenated = first.matches('-').count() >= 2 || first.starts_with('+');
    let is_date = first.matches('-').count() == 2 && first.find('-') == Some(4);
    let telephone_like =
        (groups.len() >= 2 && count >= 7) || (hyphenated && count >= 7 && !is_date);
    telephone_like.then(|| (format!("{}{closing}", groups.join(", ")), groups.len()))
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

/// Punctuation before a word, the word, and punctuation after it.
fn affixes(chunk: &str) -> (&str, &str, &str) {
    let opening = |c: char| matches!(c, '(' | '"' | '\'' | '“' | '‘' | '«' | '[');
    let closing = |c: char| {
        matches!(
            c,
            '.' | ',' | ';' | ':' | '!' | '?' | ')' | '"' | '\'' | '”' | '’' | '»' | '…' | ']'
        )
    };
    let core = chunk.trim_start_matches(opening);
    let (before, core) = chunk.split_at(chunk.len() - core.len());
    let end = core.trim_end_matches(closing).len();
    let (core, after) = core.split_at(end);
    (before, core, after)
}

/// `12` as a number of things, `007` digit by digit.
pub fn count_words(digits: &str) -> String {
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    match digits.parse() {
        Ok(number) if !leading_zero => cardinal(number),
        _ => read_digits(digits, Language::English),
    }
}

#[cfg(test)]
mod tests;
