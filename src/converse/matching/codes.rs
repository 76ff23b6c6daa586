//! Codes of letters and digits as people say them on the telephone: `A B four seven`, `alpha bravo 47`,
//! `B as in Berlin`, `double A dash two`, and as recognisers write them: `AB47`.

use super::numbers::{self, Run};
use super::tokens::Token;

/// Longest stretch that is read as letters when it is written in capitals: `AB`, not `HELLO`.
const CAPITALS: usize = 4;

/// All codes in `tokens`, longest stretches; in capital letters. One letter or digit is none.
pub fn runs(tokens: &[Token]) -> Vec<Run> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let run = run_from(tokens, at);
        at = run.end.max(at + 1);
        if run.digits.chars().count() > 1 {
            found.push(run);
        }
    }
    found
}

fn run_from(tokens: &[Token], start: usize) -> Run {
    let (mut text, mut at) = (String::new(), start);
    while let Some((more, next)) = piece(tokens, at, !text.is_empty()) {
        text.push_str(&more);
        at = next;
    }
    Run { digits: text, start, end: at }
}

/// The next piece of a code and where the one after it begins.
fn piece(tokens: &[Token], at: usize, is_within: bool) -> Option<(String, usize)> {
    let token = tokens.get(at)?;
    if let Some(text) = written(token) {
        return Some((text, at + 1));
    }
    if let (Some(times), Some((letter, end))) =
        (numbers::repetition(token), letter_at(tokens, at + 1))
    {
        return Some((letter.to_string().repeat(times), end));
    }
    if let Some((letter, end)) = letter_at(tokens, at) {
        return Some((letter.to_string(), end));
    }
    if let Some((digits, end)) = numbers::digits_at(tokens, at) {
        return Some((digits, end));
    }
    // `A oh B`: between others it is a zero.
    if is_within && numbers::is_oh(token) {
        return Some(("0".to_owned(), at + 1));
    }
    let is_mark = is_within && token.is_one_of(token.grammar.number_marks);
    let (more, end) = is_mark.then(|| piece(tokens, at + 1, true)).flatten()?;
    Some((more, end))
}

/// Letters and digits written as one word, or letters in capitals.
fn written(token: &Token) -> Option<String> {
    let has = |kind: fn(char) -> bool| token.written.chars().any(kind);
    let is_code = token.written.chars().all(char::is_alphanumeric);
    let is_mixed = has(char::is_alphabetic) && has(|c| c.is_ascii_digit());
    // `OK` is a word that is written so.
    let is_capitals = token.word.to_uppercase() == token.written
        && has(char::is_uppercase)
        && (2..=CAPITALS).contains(&token.written.chars().count());
    (is_code && (is_mixed || is_capitals)).then(|| token.written.to_uppercase())
}

/// A letter, by itself or by a word that stands for it, and where it ends: what says which one it is
/// belongs to it, as in `B for Berlin`.
fn letter_at(tokens: &[Token], at: usize) -> Option<(char, usize)> {
    let token = tokens.get(at)?;
    let mut characters = token.word.chars();
    let letter = match (characters.next(), characters.next()) {
        (Some(letter), None) if letter.is_alphabetic() && !numbers::is_oh(token) => letter,
        _ => (token.grammar.letter)(&token.word)?,
    };
    let links = token.grammar.letter_links.iter();
    let explained = links.copied().find_map(|link| {
        let words = tokens.get(at + 1..at + 1 + link.len())?;
        let example = tokens.get(at + 1 + link.len())?;
        let is_link = words.iter().map(|t| t.word.as_str()).eq(link.iter().copied());
        (is_link && example.word.starts_with(letter)).then_some(at + 2 + link.len())
    });
    Some((letter.to_uppercase().next()?, explained.unwrap_or(at + 1)))
}

#[cfg(test)]
mod tests {
    use super::super::grammar::Grammar;
    use super::super::tokens::{english as tokenise, tokenise as tokenise_in};
    use super::*;

    fn codes(tokens: &[Token]) -> Vec<String> {
        runs(tokens).into_iter().map(|run| run.digits).collect()
    }

    #[test]
    fn codes_are_heard_in_every_form() {
        let table: [(&str, &[&str]); 25] = [
            ("A B four seven", &["AB47"]),
            ("My code is A B 4 7.", &["AB47"]),
            ("AB47", &["AB47"]),
            ("ab47", &["AB47"]),
            ("AB 47", &["AB47"]),
            ("A-B-4-7", &["AB47"]),
            ("alpha bravo forty seven", &["AB47"]),
            ("A as in Anna, B like Berta, 47", &["AB47"]),
            ("B for Berlin four", &["B4"]),
            ("B for four", &["4"]),
            ("double A two", &["AA2"]),
            ("triple x double five", &["XXX55"]),
            ("A oh B", &["A0B"]),
            ("A oh four", &["A04"]),
            ("zed four", &["Z4"]),
            ("xray two", &["X2"]),
            ("A dash four slash B", &["A4B"]),
            ("K 1 hundred and five", &["K105"]),
            ("4 7 A", &["47A"]),
            ("I am at home", &[]),
            ("a parcel", &[]),
            ("HELLO THERE", &[]),
            ("four", &[]),
            ("OK, A B 47", &["AB47"]),
            ("order A1, or B2", &["A1", "B2"]),
        ];
        for (text, expected) in table {
            let expected: Vec<String> = expected.iter().map(|&code| code.to_owned()).collect();
            let found = codes(&tokenise(text));
            let found: Vec<String> = match text {
                // One digit is no code.
                "B for four" => runs_or_digits(&tokenise(text)),
                _ => found,
            };
            assert_eq!(found, expected, "{text}");
        }
        let russian = tokenise_in("код б г сорок семь", Grammar::of("ru"));
        assert_eq!(codes(&russian), ["БГ47"]);
        let russian = tokenise_in("Г как Галина, два тире три", Grammar::of("ru"));
        assert_eq!(codes(&russian), ["Г23"]);
    }

    fn runs_or_digits(tokens: &[Token]) -> Vec<String> {
        assert!(codes(tokens).is_empty());
        numbers::runs(tokens).into_iter().map(|run| run.digits).collect()
    }
}
