//! A text as it is spoken: words, the pauses that are marked in it, and what a stutter or a search
//! for words adds.

use std::time::Duration;

use super::Manner;
use crate::base::Entropy;

/// Longest pause within an utterance.
const PAUSE_MS: u64 = 60_000;
/// Between the first and the second beginning of a word.
const STUTTER_MS: std::ops::Range<u64> = 60..180;
/// After the sound of somebody who thinks.
const THOUGHT_MS: std::ops::Range<u64> = 250..600;
const THOUGHTS: [&str; 3] = ["um", "uh", "well"];
const VOWELS: &str = "aeiouyAEIOUY";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::call) enum Piece {
    Words(String),
    Pause(Duration),
}

/// What is wrong with a text.
pub(super) fn check(text: &str) -> Result<(), String> {
    let pieces = marked(text)?;
    let speaks = |piece: &Piece| matches!(piece, Piece::Words(words) if words.chars().any(char::is_alphanumeric));
    match pieces.iter().any(speaks) {
        true => Ok(()),
        false => Err("no words".to_owned()),
    }
}

/// The pieces of `text`, in which `[300]` is a pause of so many milliseconds. Stutter and
/// hesitations are drawn from `entropy`.
///
/// # Errors
/// What is wrong with the marks.
pub(in crate::cli::call) fn pieces(
    text: &str,
    manner: &Manner,
    entropy: &mut Entropy,
) -> Result<Vec<Piece>, String> {
    let mut all = Vec::new();
    for piece in marked(text)? {
        match piece {
            Piece::Words(words) => disturb(&words, manner, entropy, &mut all),
            pause @ Piece::Pause(_) => all.push(pause),
        }
    }
    Ok(all)
}

fn marked(text: &str) -> Result<Vec<Piece>, String> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some((words, after)) = rest.split_once('[') {
        let wrong = || format!("a pause is written as [MS], 1 to {PAUSE_MS}");
        let (mark, after) = after.split_once(']').ok_or_else(wrong)?;
        let ms = mark.trim().parse().ok().filter(|ms| (1..=PAUSE_MS).contains(ms));
        push_words(&mut all, words);
        all.push(Piece::Pause(Duration::from_millis(ms.ok_or_else(wrong)?)));
        rest = after;
    }
    push_words(&mut all, rest);
    Ok(all)
}

fn push_words(all: &mut Vec<Piece>, words: &str) {
    if !words.trim().is_empty() {
        all.push(Piece::Words(words.trim().to_owned()));
    }
}

fn disturb(words: &str, manner: &Manner, entropy: &mut Entropy, all: &mut Vec<Piece>) {
    let mut fluent: Vec<&str> = Vec::new();
    let flush = |fluent: &mut Vec<&str>, all: &mut Vec<Piece>| {
        push_words(all, &fluent.join(" "));
        fluent.clear();
    };
    for word in words.split_whitespace() {
        if happens(manner.hesitate, entropy) {
            let at = usize::from(entropy.next_u16()) % THOUGHTS.len();
            fluent.push(THOUGHTS.get(at).copied().unwrap_or("um"));
            flush(&mut fluent, all);
            all.push(Piece::Pause(within(THOUGHT_MS, entropy)));
        }
        if happens(manner.stutter, entropy)
            && let Some(beginning) = beginning(word)
        {
            fluent.push(beginning);
            flush(&mut fluent, all);
            all.push(Piece::Pause(within(STUTTER_MS, entropy)));
        }
        fluent.push(word);
    }
    flush(&mut fluent, all);
}

fn happens(share: f32, entropy: &mut Entropy) -> bool {
    share > 0.0 && f32::from(entropy.next_u16()) < share * 65_536.0
}

fn within(range: std::ops::Range<u64>, entropy: &mut Entropy) -> Duration {
    let length = range.end - range.start;
    Duration::from_millis(range.start + entropy.next_u64() % length)
}

/// A word's letters up to its first vowel: `messa` has `me`. A word of one syllable is said whole.
fn beginning(word: &str) -> Option<&str> {
    let vowel = word.char_indices().find(|(_, letter)| VOWELS.contains(*letter))?;
    word.get(..vowel.0 + vowel.1.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(text: &str, manner: &Manner, seed: u8) -> Vec<Piece> {
        pieces(text, manner, &mut Entropy::new([seed; 32])).unwrap()
    }

    fn words(text: &str) -> Piece {
        Piece::Words(text.to_owned())
    }

    #[test]
    fn marks_are_pauses_and_the_rest_is_spoken_as_it_stands() {
        let pause = |ms| Piece::Pause(Duration::from_millis(ms));
        let fluent = Manner::default();
        assert_eq!(
            spoken("four seven [700] two nine[50]", &fluent, 1),
            [words("four seven"), pause(700), words("two nine"), pause(50)]
        );
        for wrong in ["[", "a [b]", "a [0]", "a [99999999]", "[300]", "..."] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_stutterer_begins_words_twice_and_a_thinker_says_so_and_waits() {
        let stutter = Manner { stutter: 1.0, ..Manner::default() };
        let all = spoken("message please", &stutter, 3);
        let said: Vec<_> = all.iter().filter(|p| matches!(p, Piece::Words(_))).cloned().collect();
        assert_eq!(said, [words("me"), words("message ple"), words("please")]);
        let thinker = Manner { hesitate: 1.0, ..Manner::default() };
        let all = spoken("hello", &thinker, 3);
        let [Piece::Words(thought), Piece::Pause(pause), Piece::Words(word)] = &all[..] else {
            panic!("{all:?}")
        };
        assert!(THOUGHTS.contains(&thought.as_str()) && word == "hello");
        assert!(pause.as_millis() >= 250);
    }

    #[test]
    fn the_same_seed_gives_the_same_speech() {
        let manner = Manner { stutter: 0.4, hesitate: 0.3, ..Manner::default() };
        let text = "I would like to leave a message for the people in the office";
        assert_eq!(spoken(text, &manner, 7), spoken(text, &manner, 7));
        assert_ne!(spoken(text, &manner, 7), spoken(text, &manner, 8));
    }
}
