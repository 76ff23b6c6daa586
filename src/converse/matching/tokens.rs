//! Cuts recognised text into normalised words, keeping how they were written and which sentence
//! they stood in.

use super::grammar::Grammar;

/// Words taken from one utterance; ten seconds of fast speech have about 50.
pub const TOKENS: usize = 120;

/// A word as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Lower case, without punctuation, contractions resolved: `where's` gives `where` and `is`.
    pub word: String,
    /// As written, for names and messages; empty for the second half of a contraction.
    pub written: String,
    /// Sentence in the utterance, counted from 0.
    pub sentence: usize,
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

/// Splits `text`. Bracketed remarks of the recogniser (`[BLANK_AUDIO]`, `(music)`) and fillers are
/// dropped, so that no words are left where none were spoken.
pub fn tokenise(text: &str, grammar: &'static Grammar) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut sentence = 0;
    for chunk in without_remarks(text).split_whitespace() {
        let ends = chunk.ends_with(['.', '?', '!', '…']) && !is_abbreviation(chunk, grammar);
        push_chunk(&mut tokens, chunk, (sentence, grammar));
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

fn without_remarks(text: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' if depth > 0 => {
                depth -= 1;
                kept.push(' ');
            }
            '*' | '♪' | '<' | '>' => kept.push(' '),
            '\u{2019}' | '\u{2018}' | '`' if depth == 0 => kept.push('\''),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

fn is_abbreviation(chunk: &str, grammar: &Grammar) -> bool {
    let lower = chunk.trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    grammar.words.abbreviations.contains(&lower.as_str())
}

/// The sentence and its language.
type Place = (usize, &'static Grammar);

fn push_chunk(tokens: &mut Vec<Token>, chunk: &str, place: Place) {
    let chunk = chunk.trim_matches(|c: char| !c.is_alphanumeric() && c != '+');
    let lower = chunk.to_lowercase();
    let time_like = lower.contains(':');
    let parts: Vec<&str> = if time_like {
        vec![chunk]
    } else {
        chunk.split(['-', '–', '—', '/']).flat_map(split_commas).collect()
    };
    for part in parts {
        push_word(tokens, part, place);
    }
}

/// `1,234` and `47,29` are digits with a comma; `yes,please` is two words.
fn split_commas(part: &str) -> Vec<&str> {
    part.split([',', '.', '\u{2026}']).collect()
}

fn push_word(tokens: &mut Vec<Token>, part: &str, (sentence, grammar): Place) {
    let written = part.trim_matches(|c: char| !c.is_alphanumeric() && c != '+');
    let word = written.to_lowercase();
    if word.is_empty() || grammar.words.fillers.contains(&word.as_str()) {
        return;
    }
    let words = (grammar.words.expand)(&word);
    for (index, word) in words.into_iter().enumerate() {
        let written = if index == 0 { written.to_owned() } else { String::new() };
        tokens.push(Token { word, written, sentence, grammar });
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
    fn a_flood_of_words_is_cut() {
        assert_eq!(tokenise(&"word ".repeat(5_000)).len(), TOKENS);
    }
}
