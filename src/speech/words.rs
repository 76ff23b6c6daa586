//! Tokens to a text with its words and their probabilities. Pure.
//!
//! A word is a run of letters, or one digit: callers say numbers digit by digit, and each of them
//! can be wrong by itself. Its probability is the product of those of the tokens that it is made
//! of; digits that share a token share its probability.

use crate::base::{Private, limits};
use crate::listen::{Recognition, WordSpan};

/// A piece of text as the model gives it; it may end within a character.
#[derive(Clone, Debug)]
pub struct Token<'a> {
    pub bytes: &'a [u8],
    pub probability: f32,
}

/// What a model that was taught so writes after words that are not all.
const GOES_ON: &[u8] = b"...";

/// Joins the tokens. `ending` is the probability of the end after them, if the model ended. A model
/// that `tells` so writes three dots where the voice goes on: they become a number, and leave the text.
pub fn recognition(
    tokens: &[Token<'_>],
    ending: Option<f32>,
    no_speech: f32,
    tells: bool,
) -> Recognition {
    let goes_on = tokens.last().filter(|_| tells).and_then(goes_on);
    let is_marked = tells && tokens.last().is_some_and(|last| last.bytes == GOES_ON);
    let tokens = &tokens[..tokens.len() - usize::from(is_marked)];
    let (text, owners) = text_of(tokens);
    let mut words: Vec<WordSpan> = Vec::new();
    let mut open: Option<usize> = None;
    for (at, c) in text.char_indices() {
        let (start, end) = (place(at), place(at + c.len_utf8()));
        let first = owners.get(at).copied().unwrap_or_default();
        let last = owners.get(at + c.len_utf8() - 1).copied().unwrap_or(first);
        let is_letter = c.is_alphabetic() || c == '\'';
        if !is_letter && !c.is_numeric() {
            open = None;
            continue;
        }
        match (open.filter(|_| is_letter), words.last_mut()) {
            (Some(owner), Some(word)) => {
                word.end = end;
                word.probability *= product(tokens, owner + 1, last);
            }
            _ => {
                let probability = product(tokens, first, last);
                words.push(WordSpan { start, end, probability });
            }
        }
        open = is_letter.then_some(last);
    }
    words.truncate(limits::TRANSCRIPT_WORDS);
    let sound = |p: f32| if p.is_nan() { 0.0 } else { p.clamp(0.0, 1.0) };
    words.iter_mut().for_each(|word| word.probability = sound(word.probability));
    let (ending, no_speech) = (sound(ending.unwrap_or(0.0)), sound(no_speech));
    let goes_on = goes_on.map(sound);
    Recognition { text: Private::new(text), words, ending, no_speech, goes_on }
}

/// By the sign at the end: what is left of a full stop's probability are mostly the dots.
fn goes_on(last: &Token<'_>) -> Option<f32> {
    match last.bytes {
        GOES_ON => Some(last.probability),
        b"." | b"?" | b"!" => Some(1.0 - last.probability),
        _ => None,
    }
}

/// The text, and for each of its bytes the token that it is from. What is no character is left out.
fn text_of(tokens: &[Token<'_>]) -> (String, Vec<usize>) {
    let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.bytes).copied().collect();
    let owner = |(n, token): (usize, &Token<'_>)| std::iter::repeat_n(n, token.bytes.len());
    let all: Vec<usize> = tokens.iter().enumerate().flat_map(owner).collect();
    let (mut text, mut owners) = (String::new(), Vec::new());
    let (mut from, mut left) = (0, limits::TRANSCRIPT_CHARS);
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid();
        let length = valid.char_indices().nth(left).map_or(valid.len(), |(at, _)| at);
        left -= valid[..length].chars().count();
        text.push_str(&valid[..length]);
        owners.extend_from_slice(all.get(from..from + length).unwrap_or_default());
        from += valid.len() + chunk.invalid().len();
    }
    (text, owners)
}

fn product(tokens: &[Token<'_>], first: usize, last: usize) -> f32 {
    let own = tokens.get(first..=last).unwrap_or_default();
    own.iter().map(|token| token.probability).product()
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(tokens: &[(&[u8], f32)]) -> (String, Vec<(String, f32)>) {
        let tokens: Vec<Token<'_>> =
            tokens.iter().map(|&(bytes, probability)| Token { bytes, probability }).collect();
        let recognition = recognition(&tokens, Some(0.9), 0.1, false);
        assert!(recognition.is_sound());
        let text = recognition.text.into_revealed();
        let word =
            |w: &WordSpan| (text[w.start as usize..w.end as usize].to_owned(), w.probability);
        let words = recognition.words.iter().map(word).collect();
        (text, words)
    }

    fn words(list: &[(&str, f32)]) -> Vec<(String, f32)> {
        list.iter().map(|(text, probability)| ((*text).to_owned(), *probability)).collect()
    }

    #[test]
    fn letters_make_words_over_tokens_and_digits_stand_alone() {
        let (text, found) = joined(&[
            (b" My", 1.0),
            (b" nu", 0.5),
            (b"mber", 0.5),
            (b" 47", 0.8),
            (b"2", 0.25),
            (b".", 0.1),
        ]);
        assert_eq!(text, " My number 472.");
        let expected = [("My", 1.0), ("number", 0.25), ("4", 0.8), ("7", 0.8), ("2", 0.25)];
        assert_eq!(found, words(&expected));
    }

    #[test]
    fn signs_part_words_but_an_apostrophe_does_not() {
        let (_, found) = joined(&[(b"What", 0.5), (b"'s", 0.5), (b" half-past", 0.5)]);
        assert_eq!(found, words(&[("What's", 0.25), ("half", 0.5), ("past", 0.5)]));
    }

    #[test]
    fn a_character_over_two_tokens_is_whole_and_half_of_one_is_nothing() {
        let (text, found) = joined(&[(b"m\xc3", 0.5), (b"\xbcde", 0.5), (b" \xd0", 0.9)]);
        assert_eq!((text.as_str(), found), ("müde ", words(&[("müde", 0.25)])));
    }

    #[test]
    fn a_sign_at_the_end_tells_whether_the_voice_goes_on() {
        let table = [
            (&b"..."[..], 0.75, true, ("My number", Some(0.75))),
            (b".", 0.75, true, ("My number.", Some(0.25))),
            (b"?", 1.0, true, ("My number?", Some(0.0))),
            (b" is", 0.9, true, ("My number is", None)),
            (b"...", 0.75, false, ("My number...", None)),
        ];
        for (sign, probability, tells, (text, goes_on)) in table {
            let words: [&[u8]; 2] = [b"My", b" number"];
            let words = words.map(|bytes| Token { bytes, probability: 0.5 });
            let tokens = [&words[..], &[Token { bytes: sign, probability }]].concat();
            let found = recognition(&tokens, Some(0.9), 0.1, tells);
            assert_eq!((found.text.reveal().as_str(), found.goes_on), (text, goes_on));
            assert!(found.is_sound());
        }
        assert_eq!(recognition(&[], None, 0.0, true).goes_on, None);
    }

    #[test]
    fn whatever_a_model_gives_is_bounded() {
        let long = vec![(&b"ab1"[..], f32::NAN); 2_000];
        let (text, found) = joined(&long);
        assert_eq!(text.chars().count(), limits::TRANSCRIPT_CHARS);
        assert!(found.len() <= limits::TRANSCRIPT_WORDS);
        assert!(found.iter().all(|(_, probability)| *probability == 0.0));
        assert_eq!(joined(&[]).0, "");
    }
}
