//! Cuts a text into phrases that are spoken one by one, so that the first can be heard while the
//! rest is still being rendered.
//!
//! How a sentence is cut depends on that sentence alone: the phrases of two joined texts are the
//! phrases of the one and then of the other, so that phrases rendered before are found again.

use super::language::{Language, Spoken};
use crate::base::limits;

/// Sentences up to this many characters are spoken in one go: cutting costs intonation.
const WHOLE_CHARS: usize = 60;
/// The first phrase of a longer sentence has at least this many, or it sounds torn off.
const FIRST_CHARS: usize = 15;
/// Later phrases of a sentence have about this many at most.
const PHRASE_CHARS: usize = 110;

/// A part of a text that is rendered in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// As written; `normalise` comes after.
    pub text: String,
    /// What follows it.
    pub border: Border,
}

/// Where a phrase ends, for the pause after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    Sentence,
    Clause,
    /// In mid-sentence, because it was too long.
    Word,
}

/// Cuts `text`, of which no more than `limits::REPLY_CHARS` characters are spoken. Numbers,
/// abbreviations and `<digits>` are never cut.
pub fn phrases(text: &str, language: Language) -> Vec<Phrase> {
    let spoken = language.spoken();
    let end = text.char_indices().nth(limits::REPLY_CHARS).map_or(text.len(), |(at, _)| at);
    let mut phrases = Vec::new();
    for sentence in sentences(text.get(..end).unwrap_or_default(), spoken) {
        cut_sentence(sentence, spoken, &mut phrases);
    }
    phrases
}

/// The sentences of `text`, trimmed; none is empty.
fn sentences<'a>(text: &'a str, spoken: &Spoken) -> Vec<&'a str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (at, gap) in gaps(text) {
        let before = text.get(start..at).unwrap_or_default();
        let after = text.get(gap..).unwrap_or_default();
        let line_break = text.get(at..gap).is_some_and(|space| space.contains('\n'));
        if line_break || ends_sentence(before, after, spoken) {
            sentences.push(before);
            start = gap;
        }
    }
    sentences.push(text.get(start..).unwrap_or_default());
    sentences.into_iter().map(str::trim).filter(|s| s.chars().any(char::is_alphanumeric)).collect()
}

/// Start and end of every white space outside `<digits>`.
fn gaps(text: &str) -> Vec<(usize, usize)> {
    let mut gaps: Vec<(usize, usize)> = Vec::new();
    let mut in_mark = false;
    for (at, c) in text.char_indices() {
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with("<digits>") {
            in_mark = true;
        } else if rest.starts_with("</digits>") {
            in_mark = false;
        }
        if in_mark || !c.is_whitespace() {
            continue;
        }
        let end = at + c.len_utf8();
        match gaps.last_mut() {
            Some(last) if last.1 == at => last.1 = end,
            _ => gaps.push((at, end)),
        }
    }
    gaps
}

fn ends_sentence(before: &str, after: &str, spoken: &Spoken) -> bool {
    let bare = before.trim_end_matches(['"', '\'', ')', '”', '’', '»']);
    if bare.ends_with(['?', '!', '…']) {
        return true;
    }
    if !bare.ends_with('.') {
        return false;
    }
    let word = bare.rsplit(char::is_whitespace).next().unwrap_or_default();
    let next_is_lower = after.chars().next().is_some_and(char::is_lowercase);
    let initial = word.chars().count() == 2 && word.starts_with(char::is_uppercase);
    // `Mr.` and `e.g.` go on; `p.m.` may end a sentence if a capital follows.
    !(next_is_lower || initial || ((spoken.is_abbreviation)(word) && !ends_day(word, spoken)))
}

fn ends_day(word: &str, spoken: &Spoken) -> bool {
    spoken.ends_day.contains(&word.to_lowercase().as_str())
}

fn cut_sentence(sentence: &str, spoken: &Spoken, phrases: &mut Vec<Phrase>) {
    let mut rest = sentence;
    let mut most = WHOLE_CHARS;
    while rest.chars().count() > most {
        let Some((head, tail, border)) = cut(rest, most == WHOLE_CHARS, spoken) else { break };
        phrases.push(Phrase { text: head.to_owned(), border });
        rest = tail;
        most = PHRASE_CHARS;
    }
    phrases.push(Phrase { text: rest.to_owned(), border: Border::Sentence });
}

/// The first piece: the earliest clause; later ones: the last clause that still fits.
fn cut<'a>(text: &'a str, first: bool, spoken: &Spoken) -> Option<(&'a str, &'a str, Border)> {
    let mut clause = None;
    let mut word = None;
    for (at, gap) in gaps(text) {
        let head = text.get(..at)?;
        let tail = text.get(gap..)?;
        let (length, left) = (head.chars().count(), tail.chars().count());
        if length < FIRST_CHARS || left < FIRST_CHARS || in_number(head, tail, spoken) {
            continue;
        }
        if length > PHRASE_CHARS {
            break;
        }
        if is_clause_border(head, tail, spoken) {
            clause = Some((head, tail, Border::Clause));
            if first {
                break;
            }
        }
        word = Some((head, tail, Border::Word));
    }
    match clause {
        Some(clause) => Some(clause),
        None if text.chars().count() > PHRASE_CHARS => word,
        None => None,
    }
}

fn is_clause_border(head: &str, tail: &str, spoken: &Spoken) -> bool {
    if head.ends_with([',', ';', ':', '–', '—']) {
        return true;
    }
    let next = tail.split_whitespace().next().unwrap_or_default();
    spoken.conjunctions.contains(&next)
}

/// `1, 2, 3`, `555 0123`, `8 am` and `No. 5` belong together.
fn in_number(head: &str, tail: &str, spoken: &Spoken) -> bool {
    let digit_before = head.trim_end_matches([',', '.']).ends_with(|c: char| c.is_ascii_digit());
    let digit_after = tail.starts_with(|c: char| c.is_ascii_digit() || c == '+');
    let last = head.rsplit(char::is_whitespace).next().unwrap_or_default();
    let next = tail.split_whitespace().next().unwrap_or_default();
    let half = next.trim_end_matches([',', '.', '?', '!']).to_lowercase();
    let is_digit_word = |word: &str| spoken.digit_names.contains(&word);
    let bare_last = last.trim_end_matches(',');
    (digit_before && digit_after)
        || (is_digit_word(bare_last) && is_digit_word(next.trim_end_matches([',', '.', '?'])))
        || (digit_before && spoken.after_number.contains(&half.as_str()))
        || (spoken.is_abbreviation)(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        phrases(text, Language::English).into_iter().map(|phrase| phrase.text).collect()
    }

    #[test]
    fn texts_are_cut_at_sentences_and_long_ones_at_clauses() {
        let table: [(&str, &[&str]); 20] = [
            ("Hello.", &["Hello."]),
            ("Hello. How are you?", &["Hello.", "How are you?"]),
            ("Yes! Really? Yes.", &["Yes!", "Really?", "Yes."]),
            ("Mr. Brown is here. He waits.", &["Mr. Brown is here.", "He waits."]),
            ("It costs 3.50 today.", &["It costs 3.50 today."]),
            (
                "We open at 8 a.m. and close at 6 p.m. Please come.",
                &["We open at 8 a.m. and close at 6 p.m.", "Please come."],
            ),
            ("Bring e.g. a pen. Thanks.", &["Bring e.g. a pen.", "Thanks."]),
            ("I am J. Smith. Hello.", &["I am J. Smith.", "Hello."]),
            (
                "That is <digits>47. 29</digits>. Is that right?",
                &["That is <digits>47. 29</digits>.", "Is that right?"],
            ),
            ("He said \"Stop.\" Then he left.", &["He said \"Stop.\"", "Then he left."]),
            ("Line one\nLine two", &["Line one", "Line two"]),
            ("Wait... what is it?", &["Wait... what is it?"]),
            ("Visit example.com today.", &["Visit example.com today."]),
            ("", &[]),
            ("  . ! ", &[]),
            ("No final stop", &["No final stop"]),
            (
                "We are open Monday to Friday from 8 am to 6 pm, and on Saturday from 9 am to 1 pm.",
                &[
                    "We are open Monday to Friday from 8 am to 6 pm,",
                    "and on Saturday from 9 am to 1 pm.",
                ],
            ),
            ("Short, but with a comma.", &["Short, but with a comma."]),
            (
                "Please call 555, 0123 or 555, 0199 as soon as you can do so because we wait for you here.",
                &[
                    "Please call 555, 0123 or 555, 0199 as soon as you can do",
                    "so because we wait for you here.",
                ],
            ),
            (
                "I would like to tell you at once that your parcel is on the van which left the depot at 8 am.",
                &[
                    "I would like to tell you at once that your parcel is on the van",
                    "which left the depot at 8 am.",
                ],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(texts(text), expected, "{text}");
        }
    }

    #[test]
    fn joined_texts_have_the_phrases_of_each() {
        let long =
            "We are open Monday to Friday from 8 am to 6 pm, and on Saturday from 9 am to 1 pm.";
        let question =
            "Is there anything else that I can do for you today, or shall we leave it at that?";
        let joined = [texts(long), texts(question)].concat();
        assert_eq!(texts(&format!("{long} {question}")), joined);
    }

    #[test]
    fn endless_text_is_bounded_and_still_cut() {
        let words = "word ".repeat(2_000);
        let cut = texts(&words);
        assert!(cut.iter().all(|phrase| phrase.chars().count() <= PHRASE_CHARS + 5));
        assert!(cut.iter().map(String::len).sum::<usize>() <= limits::REPLY_CHARS);
        assert_eq!(phrases(&words, Language::English)[0].border, Border::Word);
        assert_eq!(texts(&"x".repeat(5_000)).len(), 1);
    }
}
