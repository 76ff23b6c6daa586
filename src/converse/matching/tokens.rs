//! Cuts recognised text into normalised words, keeping how they were written, which sentence they
//! stood in and how far they are believed.

use std::ops::Range;

use super::belief::Belief;
use super::grammar::Grammar;
use crate::converse::alphabet::Speech;

/// Words taken from one utterance; ten seconds of fast speech have about 50.
pub const TOKENS: usize = 120;

/// A word as it is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// Lower case, without punctuation, contractions resolved: `where's` gives `where` and `is`.
    pub word: String,
    /// As written, for names and messages; empty for the second half of a contraction.
    pub written: String,
    /// Sentence in the utterance, counted from 0.
    pub sentence: usize,
    /// Its place in the text, in bytes; shared by the halves of a contraction.
    pub range: Range<usize>,
    pub belief: Belief,
    /// The language of the utterance.
    pub grammar: &'static Grammar,
}

impl Token {
    /// Too common to tell one wish from another.
    pub fn is_common(&self) -> bool {
        self.grammar.is_common(&self.word)
    }

    /// After it a sentence goes on: a thought that ends so is not finished.
    pub fn is_dangling(&self) -> bool {
        self.grammar.words.dangling.split_ascii_whitespace().any(|word| word == self.word)
    }

    pub fn is_one_of(&self, words: &[&str]) -> bool {
        words.contains(&self.word.as_str())
    }
}

/// The words of `speech`, each as likely as it says.
pub fn heard(speech: &Speech, grammar: &'static Grammar) -> Vec<Token> {
    let mut tokens = tokenise(speech.text.reveal(), grammar);
    super::belief::believe(&mut tokens, speech);
    tokens
}

/// Splits `text`. Bracketed remarks of the recogniser (`[BLANK_AUDIO]`, `(music)`) and fillers are
/// dropped, so that no words are left where none were spoken.
pub fn tokenise(text: &str, grammar: &'static Grammar) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut sentence = 0;
    for piece in pieces(Piece { start: 0, text: &without_remarks(text) }, char::is_whitespace) {
        let chunk = piece.text;
        if chunk.is_empty() {
            continue;
        }
        let ends = chunk.ends_with(['.', '?', '!', '…']) && !is_abbreviation(chunk, grammar);
        push_chunk(&mut tokens, piece, (sentence, grammar));
        if tokens.len() >= TOKENS {
            tokens.truncate(TOKENS);
            break;
        }
        if ends {
            sentence += 1;
        }
    }
    tokens
}

/// The normalised words with one space between.
pub fn joined(tokens: &[Token]) -> String {
    let words: Vec<&str> = tokens.iter().map(|t| t.word.as_str()).collect();
    words.join(" ")
}

/// The words as they were written.
pub fn written(tokens: &[Token]) -> String {
    let words: Vec<&str> =
        tokens.iter().map(|t| t.written.as_str()).filter(|w| !w.is_empty()).collect();
    words.join(" ")
}

/// Spaces in their place, byte for byte, so that what is left stands where it stood.
fn without_remarks(text: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        let opens = matches!(c, '[' | '(');
        let closes = matches!(c, ']' | ')') && depth > 0;
        depth += u32::from(opens);
        if depth > 0 || matches!(c, '*' | '♪' | '<' | '>') {
            kept.extend(std::iter::repeat_n(' ', c.len_utf8()));
        } else {
            kept.push(c);
        }
        depth -= u32::from(closes);
    }
    kept
}

/// A part of the text and where it begins.
#[derive(Clone, Copy)]
struct Piece<'a> {
    start: usize,
    text: &'a str,
}

impl<'a> Piece<'a> {
    fn trimmed(self, is_kept: impl Fn(char) -> bool) -> Self {
        let text = self.text.trim_start_matches(|c| !is_kept(c));
        let start = self.start + self.text.len() - text.len();
        Self { start, text: text.trim_end_matches(|c| !is_kept(c)) }
    }
}

/// What stands between the characters at which `piece` is split.
fn pieces<'a>(
    piece: Piece<'a>,
    is_between: impl Fn(char) -> bool + Copy,
) -> impl Iterator<Item = Piece<'a>> {
    let mut next = piece.start;
    piece.text.split_inclusive(is_between).map(move |part| {
        let start = next;
        next += part.len();
        Piece { start, text: part.trim_end_matches(is_between) }
    })
}

fn is_abbreviation(chunk: &str, grammar: &Grammar) -> bool {
    let lower = chunk.trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    grammar.words.abbreviations.contains(&lower.as_str())
}

/// The sentence and its language.
type Place = (usize, &'static Grammar);

fn push_chunk(tokens: &mut Vec<Token>, chunk: Piece<'_>, place: Place) {
    let chunk = chunk.trimmed(|c| c.is_alphanumeric() || c == '+');
    // `1,234` and `47,29` are digits with a comma; `yes,please` is two words; `3:30` is a time.
    let is_time = chunk.text.contains(':');
    let parts = |c| !is_time && matches!(c, '-' | '–' | '—' | '/' | ',' | '.' | '\u{2026}');
    for part in pieces(chunk, parts) {
        push_word(tokens, part, place);
    }
}

fn push_word(tokens: &mut Vec<Token>, part: Piece<'_>, (sentence, grammar): Place) {
    let part = part.trimmed(|c| c.is_alphanumeric() || c == '+');
    let written = part.text.replace(['\u{2019}', '\u{2018}', '`'], "'");
    let word = written.to_lowercase();
    if word.is_empty() || grammar.words.fillers.contains(&word.as_str()) {
        return;
    }
    let range = part.start..part.start + part.text.len();
    let words = (grammar.words.expand)(&word);
    for (index, word) in words.into_iter().enumerate() {
        let written = if index == 0 { written.clone() } else { String::new() };
        let (range, belief) = (range.clone(), Belief::CERTAIN);
        tokens.push(Token { word, written, sentence, range, belief, grammar });
    }
}

/// English words, for tests.
#[cfg(test)]
pub fn english(text: &str) -> Vec<Token> {
    tokenise(text, Grammar::of("en"))
}

#[cfg(test)]
mod tests {
    use super::{TOKENS, english as tokenise, joined, written};

    #[test]
    fn text_becomes_plain_words() {
        let table = [
            ("Where's my package?", "where is my package"),
            ("I\u{2019}d like to cancel, please!", "i would like to cancel please"),
            ("No, I can't.", "no i can not"),
            ("[BLANK_AUDIO]", ""),
            ("(wind blowing) um, uh", ""),
            ("4-7-2-9", "4 7 2 9"),
            ("forty-seven", "forty seven"),
            ("1,234", "1 234"),
            ("At 3:30 p.m.", "at 3:30 p m"),
            ("3 o'clock.", "3 o'clock"),
            ("The firm's address", "the firm address"),
            ("Yeah. Nope.", "yes no"),
            ("  ", ""),
            ("...", ""),
        ];
        for (text, expected) in table {
            assert_eq!(joined(&tokenise(text)), expected, "{text}");
        }
    }

    #[test]
    fn sentences_are_counted_and_abbreviations_do_not_end_one() {
        let sentences: Vec<usize> =
            tokenise("Hello. This is Mr. Brown. Bye.").iter().map(|t| t.sentence).collect();
        assert_eq!(sentences, [0, 1, 1, 1, 1, 2]);
    }

    #[test]
    fn the_written_form_is_kept_for_names_and_messages() {
        assert_eq!(written(&tokenise("It's Anna O'Brien, here")), "It's Anna O'Brien here");
    }

    #[test]
    fn a_word_knows_where_it_stood_whatever_was_dropped_before_it() {
        let text = "[noise] Where’s 4-7, um (♪ é) né? 3:30.";
        let found: Vec<&str> = tokenise(text).iter().map(|t| &text[t.range.clone()]).collect();
        assert_eq!(found, ["Where’s", "Where’s", "4", "7", "né", "3:30"]);
    }

    #[test]
    fn a_flood_of_words_is_cut() {
        assert_eq!(tokenise(&"word ".repeat(5_000)).len(), TOKENS);
    }
}
