//! Reads what the model wrote: words, or its ways of saying that there were none.
//!
//! Whisper models write `[BLANK_AUDIO]`, `(silence)`, notes of music, or film subtitles where nobody
//! spoke, and repeat themselves when they lose their way. A caller must never be answered for words
//! that he did not say.

use std::ops::Range;

use super::confidence;
use super::recognizer::{Recognition, WordSpan};
use crate::base::{Private, limits};

/// What was heard in a segment, or in an utterance joined from several.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// Nobody spoke.
    Nothing,
    /// Somebody spoke and was not understood.
    Unclear,
    /// Words. `confidence` is how likely all of them are right and none is missing, 0 to 1.
    Words { text: Private<String>, confidence: f32, words: Vec<Word> },
}

/// One word's place in a text, without the signs around it; a digit is a word. A word of no length
/// stands where something was said that was not understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// In bytes.
    pub range: Range<usize>,
    /// How likely it is right, 0 to 1.
    pub confidence: f32,
}

impl Word {
    const fn missing(at: usize) -> Self {
        Self { range: at..at, confidence: INCOMPLETE }
    }

    /// The same word where its text begins at `from`.
    fn moved(&self, from: usize) -> Self {
        Self { range: from + self.range.start..from + self.range.end, ..*self }
    }
}

/// What stands between two spaces, with its words; their places are counted in it.
#[derive(Clone, Debug, Default)]
struct Chunk {
    text: String,
    words: Vec<Word>,
}

/// The model's own doubt above which an unconvincing text is nothing.
const NO_SPEECH: f32 = 0.8;
/// What "unconvincing" means.
const DOUBTFUL: f32 = 0.4;
/// Below this the words are a guess, unless most of them are likely by themselves: one doubtful filler
/// or the length of a message brings a whole down that far.
const GUESS: f32 = 0.1;
/// A word that is rather right than wrong.
const LIKELY: f32 = 0.5;
/// Of words beside which something was said that was not understood. Confidence says how likely
/// nothing is missing, and something is, unless the model took a noise for speech: no surer than a
/// guess, which is less than any playbook should believe, and still words for what takes all.
const INCOMPLETE: f32 = GUESS;
/// What a repetition that nobody said leaves of the confidence in what was repeated.
const REPEATED: f32 = 0.5;
/// Film subtitles: models have learnt to put these where nobody speaks.
const SUBTITLES: [&str; 8] = [
    "thanks for watching",
    "thank you for watching",
    "thank you so much for watching",
    "please subscribe",
    "like and subscribe",
    "please like and subscribe",
    "subtitles by the amara org community",
    "transcription by castingwords",
];
/// Said by people too: nothing only when the model doubts it.
const FILLERS: [&str; 6] = ["you", "thank you", "bye", "the", "so", "okay"];
/// Annotations that stand for speech.
const SPEECH_NOTES: [&str; 8] = [
    "inaudible",
    "unintelligible",
    "unclear",
    "indistinct",
    "foreign",
    "crosstalk",
    "mumbl",
    "speak",
];
/// Longest phrase, in words, whose repetition is looked for.
const LONGEST_PHRASE: usize = 8;
/// Repetitions of a phrase from which nobody said it.
const RUNAWAY: usize = 6;
const MUSIC: [char; 6] = ['♪', '♫', '♩', '♬', '🎵', '🎶'];
const NUMBERS: [&str; 17] = [
    "zero", "oh", "o", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "ten", "double", "triple", "hundred", "thousand",
];

/// Reads one answer of the recogniser.
pub fn read(recognition: &Recognition) -> Heard {
    let plain = without_notes(recognition.text.reveal());
    let chunks = chunks(&plain, &recognition.words);
    let nothing = if plain.missing.is_empty() { Heard::Nothing } else { Heard::Unclear };
    if chunks.iter().all(|chunk| key(&chunk.text).is_empty()) {
        return nothing;
    }
    let phrase = chunks.iter().map(|chunk| key(&chunk.text)).filter(|key| !key.is_empty());
    let phrase = phrase.collect::<Vec<_>>().join(" ");
    let confidence = confidence::utterance(recognition);
    let is_doubtful = confidence < DOUBTFUL;
    if SUBTITLES.contains(&phrase.as_str())
        || (is_doubtful
            && (recognition.no_speech > NO_SPEECH || FILLERS.contains(&phrase.as_str())))
    {
        return nothing;
    }
    if confidence < GUESS && !are_mostly_likely(&chunks) {
        return Heard::Unclear;
    }
    let most = if plain.missing.is_empty() { 1.0 } else { INCOMPLETE };
    match without_repetition(&chunks) {
        Repetition::None => words_heard(chunks, confidence.min(most)),
        Repetition::Some(kept) => words_heard(kept, (confidence * REPEATED).min(most)),
        Repetition::Runaway => Heard::Unclear,
    }
}

fn are_mostly_likely(chunks: &[Chunk]) -> bool {
    let words = chunks.iter().flat_map(|chunk| &chunk.words);
    let (likely, all) = words.fold((0, 0), |(likely, all), word| {
        (likely + usize::from(word.confidence >= LIKELY), all + 1)
    });
    2 * likely > all
}

/// Joins the segments of one utterance, in their order: all of it is right if each of them is, and
/// incomplete if one was not understood.
pub fn join<'a>(parts: impl IntoIterator<Item = &'a Heard>) -> Heard {
    let (mut text, mut all, mut words) = (String::new(), 1.0_f32, Vec::new());
    let (mut most, mut is_missing) = (1.0, false);
    for part in parts {
        match part {
            Heard::Nothing => {}
            Heard::Unclear => (most, is_missing) = (INCOMPLETE, true),
            Heard::Words { text: more, confidence, words: more_words } => {
                let from = append(&mut text, more.reveal());
                all *= confidence;
                words.extend(std::mem::take(&mut is_missing).then(|| Word::missing(from)));
                words.extend(more_words.iter().map(|word| word.moved(from)));
            }
        }
    }
    match (text.is_empty(), most < 1.0) {
        (false, _) => {
            words.extend(is_missing.then(|| Word::missing(text.len())));
            Heard::Words { text: Private::new(text), confidence: all.min(most), words }
        }
        (true, true) => Heard::Unclear,
        (true, false) => Heard::Nothing,
    }
}

/// Gives where `more` begins. The model ends each segment like a sentence; where the next one goes
/// on in lower case it was none.
fn append(text: &mut String, more: &str) -> usize {
    if more.chars().next().is_some_and(char::is_lowercase) {
        text.truncate(text.trim_end_matches(['.', '-', '…', ' ']).len());
    }
    if !text.is_empty() {
        text.push(' ');
    }
    let from = text.len();
    text.push_str(more);
    from
}

fn words_heard(chunks: Vec<Chunk>, confidence: f32) -> Heard {
    let (mut text, mut words, mut left) = (String::new(), Vec::new(), limits::TRANSCRIPT_CHARS);
    for chunk in chunks {
        let length = chunk.text.chars().count() + usize::from(!text.is_empty());
        let Some(after) = left.checked_sub(length) else { break };
        left = after;
        text.extend((!text.is_empty()).then_some(' '));
        words.extend(chunk.words.iter().map(|word| word.moved(text.len())));
        text.push_str(&chunk.text);
    }
    Heard::Words { text: Private::new(text), confidence, words }
}

/// The pieces between spaces, each with the words that lie in it.
fn chunks(plain: &Plain, spans: &[WordSpan]) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let (mut is_open, mut is_missing) = (false, false);
    let mut last_span = None;
    for (at, c) in plain.text.char_indices() {
        is_missing |= plain.missing.contains(&at);
        if c.is_whitespace() {
            is_open = false;
            continue;
        }
        if !is_open {
            let words = std::mem::take(&mut is_missing).then(|| Word::missing(0));
            chunks.push(Chunk { words: words.into_iter().collect(), ..Chunk::default() });
            is_open = true;
            last_span = None;
        }
        let Some(chunk) = chunks.last_mut() else { continue };
        let start = chunk.text.len();
        chunk.text.push(c);
        let origin = plain.origins.get(at).copied().unwrap_or(u32::MAX);
        let span = spans.iter().position(|span| (span.start..span.end).contains(&origin));
        let Some(index) = span.filter(|_| c.is_alphanumeric() || c == '\'') else { continue };
        match chunk.words.last_mut().filter(|_| last_span == Some(index)) {
            Some(word) => word.range.end = chunk.text.len(),
            None => {
                let confidence = confidence::word(spans[index].probability);
                chunk.words.push(Word { range: start..chunk.text.len(), confidence });
            }
        }
        last_span = Some(index);
    }
    if let Some(last) = chunks.last_mut().filter(|_| is_missing) {
        last.words.push(Word::missing(last.text.len()));
    }
    chunks
}

/// A word as it is compared: lower case, letters and digits.
fn key(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A text without annotations.
#[derive(Default)]
struct Plain {
    text: String,
    /// For each byte of `text` where it stood; `u32::MAX` for what was put in.
    origins: Vec<u32>,
    /// Where in `text` annotations stood that said that somebody spoke.
    missing: Vec<usize>,
}

impl Plain {
    fn push(&mut self, text: &str, origin: Option<usize>) {
        self.text.push_str(text);
        let origin_of = |n| origin.and_then(|at| u32::try_from(at + n).ok()).unwrap_or(u32::MAX);
        self.origins.extend((0..text.len()).map(origin_of));
    }
}

/// Takes out the annotations. A bracket with a digit in it is none but a telephone number.
fn without_notes(text: &str) -> Plain {
    let mut plain = Plain::default();
    let mut rest = text;
    while let Some((at, open)) = rest.char_indices().find(|(_, c)| closing(*c).is_some()) {
        let from = text.len() - rest.len();
        plain.push(&rest[..at], Some(from));
        let inner = &rest[at + open.len_utf8()..];
        let close = closing(open).unwrap_or(open);
        // An annotation without an end goes on to the end of the text.
        let (note, after) = inner.split_once(|c| is_closing(open, close, c)).unwrap_or((inner, ""));
        if note.chars().any(|c| c.is_ascii_digit()) {
            plain.push(note, Some(from + at + open.len_utf8()));
        } else {
            let lower = note.to_lowercase();
            if SPEECH_NOTES.iter().any(|speech| lower.contains(speech)) {
                plain.missing.push(plain.text.len());
            }
            plain.push(" ", None);
        }
        rest = after;
    }
    plain.push(rest, Some(text.len() - rest.len()));
    plain
}

fn closing(open: char) -> Option<char> {
    match open {
        '[' => Some(']'),
        '(' => Some(')'),
        '{' => Some('}'),
        '<' => Some('>'),
        '*' => Some('*'),
        note if MUSIC.contains(&note) => Some(note),
        _ => None,
    }
}

fn is_closing(open: char, close: char, candidate: char) -> bool {
    candidate == close || (MUSIC.contains(&open) && MUSIC.contains(&candidate))
}

enum Repetition {
    None,
    /// What is left when each repetition is said once.
    Some(Vec<Chunk>),
    /// Hardly anything but one repetition.
    Runaway,
}

fn without_repetition(chunks: &[Chunk]) -> Repetition {
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

#[cfg(test)]
mod tests;
