//! What is asked of the speech engine and what it answers; the call carries both.
//!
//! A request is whole: it holds all the sound, so that it can be sent again to an engine that has
//! been restarted.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::SegmentId;
use crate::base::pcm::samples_to_ms;
use crate::base::{LanguageCode, Private, limits, serial};

/// Decode this sound (16 kHz mono). A later revision of the same segment replaces it.
#[derive(Clone, PartialEq, Eq)]
pub struct Transcribe {
    pub segment: SegmentId,
    pub revision: u32,
    pub audio: Vec<i16>,
    pub evidence: Evidence,
}

/// What the detector found in the sound of a decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Speech, pauses left out: rather too much than too little.
    pub speech_ms: u64,
    /// There is a voice in the utterance so far, not only breath.
    pub is_voiced: bool,
}

/// How an utterance is to be decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecodeWish {
    /// Languages that it may be in; among several the model decides. Empty: the engine's first.
    pub languages: Vec<LanguageCode>,
    pub urgency: Urgency,
    pub hint: Hint,
}

/// What waits for a decode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Urgency {
    /// A turn, or what may become one.
    #[default]
    Turn,
    /// Whoever looks on while the caller speaks. It is begun when nothing else waits, given up for
    /// anything else, and nothing is lost with it.
    Partial,
}

/// What the caller is likely to say, in the playbook's words: never a caller's. Bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hint(Vec<String>);

impl Hint {
    /// Of these phrases, the most likely first; those beyond the limits are left out.
    pub fn new<'a>(phrases: impl IntoIterator<Item = &'a str>) -> Self {
        let mut left = limits::HINT_BYTES;
        let phrases = phrases.into_iter().map(str::trim).filter(|phrase| !phrase.is_empty());
        let fitting = phrases.map_while(|phrase| {
            left = left.checked_sub(phrase.len())?;
            Some(phrase.to_owned())
        });
        Self(fitting.take(limits::HINT_PHRASES).collect())
    }

    pub fn phrases(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Debug for Transcribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length_ms = samples_to_ms(self.audio.len());
        write!(f, "Transcribe({:?}.{}, {length_ms} ms)", self.segment, self.revision)
    }
}

/// What the model made of it, with its own probabilities: [`confidence`](super::confidence) makes
/// of them what can be believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recognition {
    /// As the model wrote it, brackets and all.
    #[serde(with = "serial::revealed")]
    pub text: Private<String>,
    /// Its words in their order; a joined digit string has a word for each digit.
    pub words: Vec<WordSpan>,
    /// Probability of the end after the last word, 0 to 1.
    pub ending: f32,
    /// Probability, at the first word, of a remark instead of one (`[BLANK_AUDIO]`), 0 to 1.
    pub no_speech: f32,
    /// Probability, after the last word, that the voice goes on: words and melody say that more
    /// follows. 0 to 1; `None` where the model was not taught to tell.
    pub goes_on: Option<f32>,
}

/// A word's place in the text, in bytes, and the product of its tokens' probabilities, 0 to 1.
/// Spans stand at borders of characters, in their order, and do not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordSpan {
    pub start: u32,
    pub end: u32,
    pub probability: f32,
}

impl Recognition {
    /// Nobody spoke, and nothing was decoded.
    pub fn nothing() -> Self {
        let text = Private::new(String::new());
        Self { text, words: Vec::new(), ending: 1.0, no_speech: 1.0, goes_on: None }
    }

    /// A text whose words all have this probability, as an engine gives it that tells no more.
    pub fn evenly(text: &str, probability: f32) -> Self {
        let begins = |at: &usize| !text[..*at].ends_with(|c: char| !c.is_whitespace());
        let words = text.char_indices().filter(|(_, c)| !c.is_whitespace()).map(|(at, _)| at);
        let words = words.filter(begins).map(|start| {
            let rest = &text[start..];
            let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            WordSpan { start: place(start), end: place(start + length), probability }
        });
        let words = words.collect();
        let text = Private::new(text.to_owned());
        Self { text, words, ending: probability, no_speech: 0.0, goes_on: None }
    }

    /// Whether the spans are what they promise to be.
    pub fn is_sound(&self) -> bool {
        let text = self.text.reveal();
        let mut last = 0;
        self.words.iter().all(|word| {
            let (start, end) = (word.start as usize, word.end as usize);
            let fits = last <= start && start < end && text.get(start..end).is_some();
            last = end;
            fits
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_prints_its_length_and_not_its_sound() {
        let request = Transcribe {
            segment: SegmentId(3),
            revision: 2,
            audio: vec![77; 1_600],
            evidence: Evidence { speech_ms: 40, is_voiced: true },
        };
        assert_eq!(format!("{request:?}"), "Transcribe(SegmentId(3).2, 100 ms)");
    }

    #[test]
    fn a_hint_keeps_its_first_phrases_within_its_limits() {
        assert_eq!(Hint::new([" yes ", "", "no"]).phrases(), ["yes", "no"]);
        let long = "x".repeat(limits::HINT_BYTES - 1);
        assert_eq!(Hint::new([long.as_str(), "no", "y"]).phrases(), [long.as_str()]);
        assert_eq!(Hint::new(["a"; 500]).phrases().len(), limits::HINT_PHRASES);
    }

    #[test]
    fn words_of_equal_probability_are_found_between_their_spaces() {
        let recognition = Recognition::evenly(" müde  now.", 0.5);
        let spans: Vec<_> = recognition.words.iter().map(|word| (word.start, word.end)).collect();
        assert_eq!(spans, [(1, 6), (8, 12)]);
        assert!(recognition.is_sound());
        for (start, end) in [(2, 2), (0, 99), (2, 3), (0, 1)] {
            let mut wrong = recognition.clone();
            wrong.words[1] = WordSpan { start, end, probability: 0.5 };
            assert!(!wrong.is_sound(), "{start} to {end}");
        }
    }
}
