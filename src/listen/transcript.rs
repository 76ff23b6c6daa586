//! Reads what the model wrote: words, or its ways of saying that there were none.
//!
//! Whisper models write `[BLANK_AUDIO]`, `(silence)`, notes of music, or film subtitles where nobody
//! spoke, and repeat themselves when they lose their way. A caller must never be answered for words
//! that he did not say.
//!
//! | file | what |
//! |---|---|
//! | `notes` | marks and remarks in the text |
//! | `guards` | why a text is not believed, by kind; captions, pace |
//! | `repetition` | loops |

mod guards;
mod notes;
mod repetition;

use std::ops::Range;

use super::confidence;
use super::recognizer::{Evidence, Recognition, WordSpan};
use crate::base::{Private, limits};
pub use guards::{Guard, Guards};
use guards::{is_too_fast, phrase, without_captions};
use notes::{Plain, without_notes};
use repetition::{REPEATED, Repetition, without_repetition};

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
/// Said by people too: nothing only when the model doubts it.
const FILLERS: [&str; 6] = ["you", "thank you", "bye", "the", "so", "okay"];

/// What was made of one answer of the recogniser.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub heard: Heard,
    /// Why it is not the model's text as it stood.
    pub guards: Guards,
}

impl Reading {
    /// Nothing of the model's text is left.
    pub fn of(heard: Heard) -> Self {
        Self { heard, guards: Guards::default() }
    }

    fn guarded(mut self, guard: Guard, heard: Heard) -> Self {
        self.guards.note(guard);
        Self { heard, ..self }
    }
}

/// Reads one answer of the recogniser to sound of which this is known, if anything is.
///
/// Where there is no voice, one word is a cough's: a model makes words of any sound, and surely so.
/// Several words without a voice were whispered.
pub fn read(recognition: &Recognition, evidence: Option<Evidence>) -> Reading {
    let reading = read_words(recognition, evidence);
    let is_breath = evidence.is_some_and(|evidence| !evidence.is_voiced);
    match &reading.heard {
        Heard::Unclear if is_breath => reading.guarded(Guard::Breath, Heard::Nothing),
        Heard::Words { words, .. } if is_breath && words.len() <= 1 => {
            reading.guarded(Guard::Breath, Heard::Nothing)
        }
        Heard::Nothing | Heard::Unclear | Heard::Words { .. } => reading,
    }
}

fn read_words(recognition: &Recognition, evidence: Option<Evidence>) -> Reading {
    let plain = without_notes(recognition.text.reveal());
    let mut chunks = chunks(&plain, &recognition.words);
    let nothing = if plain.missing.is_empty() { Heard::Nothing } else { Heard::Unclear };
    let mut reading = Reading::of(nothing.clone());
    if plain.has_notes {
        reading.guards.note(Guard::Remark);
    }
    if chunks.iter().all(|chunk| key(&chunk.text).is_empty()) {
        return reading;
    }
    if let Some(kept) = without_captions(&chunks) {
        reading.guards.note(Guard::Caption);
        chunks = kept;
    }
    let phrase = phrase(&chunks);
    if phrase.is_empty() {
        return reading;
    }
    let confidence = confidence::utterance(recognition);
    let is_nobody = recognition.no_speech > NO_SPEECH || FILLERS.contains(&phrase.as_str());
    if confidence < DOUBTFUL && is_nobody {
        return reading.guarded(Guard::Doubt, nothing);
    }
    if confidence < GUESS && !are_mostly_likely(&chunks) {
        return reading.guarded(Guard::Guess, Heard::Unclear);
    }
    let most = if plain.missing.is_empty() { 1.0 } else { INCOMPLETE };
    let (chunks, most) = match without_repetition(&chunks) {
        Repetition::None => (chunks, most),
        Repetition::Some(kept) => {
            reading.guards.note(Guard::Repetition);
            (kept, most.min(confidence * REPEATED))
        }
        Repetition::Runaway => return reading.guarded(Guard::Loop, Heard::Unclear),
    };
    let words = chunks.iter().map(|chunk| chunk.words.len()).sum();
    if evidence.is_some_and(|evidence| is_too_fast(words, evidence.speech_ms)) {
        return reading.guarded(Guard::Pace, Heard::Unclear);
    }
    Reading { heard: words_heard(chunks, confidence.min(most)), ..reading }
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

#[cfg(test)]
mod tests;
