//! Makes written text speakable: what stands in digits and signs becomes words of the language, and
//! `<digits>` is read one by one.

use super::language::{Language, Spoken};

const OPEN: &str = "<digits>";
const CLOSE: &str = "</digits>";

/// `text` as words, with punctuation kept for the voice's pauses.
pub fn normalise(text: &str, language: Language) -> String {
    let spoken = language.spoken();
    let words = spoken.words;
    let mut said = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some((before, marked)) = rest.split_once(OPEN) {
        let (digits, after) = marked.split_once(CLOSE).unwrap_or((marked, ""));
        push(&mut said, &words(before));
        push(&mut said, &digits_of(digits, spoken));
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
    push(&mut said, &words(rest));
    said.trim_end().to_owned()
}

/// Digits one by one, with a pause after each group; letters of a code by their names.
pub(super) fn digits_of(code: &str, spoken: &Spoken) -> String {
    let mut parts: Vec<String> = Vec::new();
    for run in runs(code) {
        let digits = run.starts_with(|c: char| c.is_ascii_digit());
        if digits {
            for group in groups(run) {
                parts.push((spoken.digits)(group));
            }
        } else {
            let plus = if run.contains('+') { format!("{} ", spoken.plus) } else { String::new() };
            let letters: String = run.chars().filter(|c| c.is_alphanumeric()).collect();
            let letters = spaced(&letters.to_uppercase());
            let part = format!("{plus}{letters}").trim().to_owned();
            if !part.is_empty() {
                parts.push(part);
            }
        }
    }
    let plus = spoken.plus;
    parts.join(", ").replace(&format!("{plus}, "), &format!("{plus} "))
}

/// The lengths of the groups in which digits are read: at most four are one group; of more, groups
/// of three with two or four at the end.
fn groups(digits: &str) -> Vec<&str> {
    let mut groups = Vec::new();
    let mut rest = digits;
    while rest.len() > 4 {
        let Some((group, tail)) = rest.split_at_checked(3) else { break };
        groups.push(group);
        rest = tail;
    }
    groups.push(rest);
    groups
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

pub(super) fn spaced(text: &str) -> String {
    text.chars().map(String::from).collect::<Vec<_>>().join(" ")
}

fn push(said: &mut String, part: &str) {
    let glued = said.is_empty() || said.ends_with(char::is_whitespace) || part.is_empty();
    if !glued && !part.starts_with(|c: char| c.is_ascii_punctuation()) {
        said.push(' ');
    }
    said.push_str(part);
}

/// Groups of digits that stand together are a telephone number if there are enough of them.
pub(super) fn telephone(chunks: &[&str], at: usize, spoken: &Spoken) -> Option<(String, usize)> {
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
        if (digits < 2 && !bare.starts_with('+'))
            || !bare.chars().all(plausible)
            || bare.contains('.') && digits < 7
        {
            break;
        }
        groups.push(digits_of(bare, spoken));
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

/// Punctuation before a word, the word, and punctuation after it.
pub(super) fn affixes(chunk: &str) -> (&str, &str, &str) {
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

#[cfg(test)]
mod tests;
