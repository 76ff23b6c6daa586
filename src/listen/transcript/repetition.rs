//! Phrases that a decoder that has lost its way says over and over (loops of n words).

use super::{Chunk, key};

/// Longest phrase, in words, whose repetition is looked for.
const LONGEST_PHRASE: usize = 8;
/// Repetitions of a phrase from which nobody said it.
const RUNAWAY: usize = 6;
const NUMBERS: [&str; 17] = [
    "zero", "oh", "o", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "double", "triple", "hundred", "thousand",
];

/// What a repetition that nobody said leaves of the confidence in what was repeated.
pub(super) const REPEATED: f32 = 0.5;

pub(super) enum Repetition {
    None,
    /// What is left when each repetition is said once.
    Some(Vec<Chunk>),
    /// Hardly anything but one repetition.
    Runaway,
}

pub(super) fn without_repetition(chunks: &[Chunk]) -> Repetition {
    let is_word = |chunk: &&Chunk| !key(&chunk.text).is_empty();
    let words: Vec<&Chunk> = chunks.iter().filter(is_word).collect();
    let keys: Vec<String> = words.iter().map(|word| key(&word.text)).collect();
    let (mut kept, mut at, mut is_repeated) = (Vec::with_capacity(words.len()), 0, false);
    while at < words.len() {
        let Some((length, times)) = repetition(&keys[at..]) else {
            kept.push(words[at].clone());
            at += 1;
            continue;
        };
        if times >= RUNAWAY && 3 * length * times >= 2 * words.len() {
            return Repetition::Runaway;
        }
        is_repeated = true;
        kept.extend(words[at..at + length].iter().map(|chunk| doubted(chunk)));
        let after = at + length * times;
        // A repetition that the end of the text cut short.
        let is_cut_short = words.len() - after < length && keys[at..].starts_with(&keys[after..]);
        at = if is_cut_short { words.len() } else { after };
    }
    if is_repeated { Repetition::Some(kept) } else { Repetition::None }
}

/// What is left of a repetition is no surer than the whole.
fn doubted(chunk: &Chunk) -> Chunk {
    let mut chunk = chunk.clone();
    chunk.words.iter_mut().for_each(|word| word.confidence *= REPEATED);
    chunk
}

/// Length in words and count of a repetition at the start that nobody says. People do say "no no
/// no no", and numbers repeat digits and groups.
fn repetition(keys: &[String]) -> Option<(usize, usize)> {
    (1..=LONGEST_PHRASE.min(keys.len())).find_map(|length| {
        let phrase = &keys[..length];
        let times = keys.chunks_exact(length).take_while(|chunk| *chunk == phrase).count();
        let is_number = phrase.iter().all(|word| is_number(word));
        let suspicious = match (is_number, length) {
            (true, 1) => 12,
            (true, _) => RUNAWAY,
            (false, 1) => 5,
            (false, _) => 3,
        };
        (times >= suspicious).then_some((length, times))
    })
}

fn is_number(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit()) || NUMBERS.contains(&word)
}
