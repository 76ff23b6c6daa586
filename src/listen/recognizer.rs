//! What is asked of the speech engine and what it answers; the call carries both.
//!
//! A request is whole: it holds all the sound, so that it can be sent again to an engine that has
//! been restarted.

use std::fmt;

use super::SegmentId;
use crate::base::Private;
use crate::base::pcm::samples_to_ms;

/// Decode this sound (16 kHz mono). A later revision of the same segment replaces it.
#[derive(Clone, PartialEq, Eq)]
pub struct Transcribe {
    pub segment: SegmentId,
    pub revision: u32,
    pub audio: Vec<i16>,
}

impl fmt::Debug for Transcribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length_ms = samples_to_ms(self.audio.len());
        write!(f, "Transcribe({:?}.{}, {length_ms} ms)", self.segment, self.revision)
    }
}

/// What the model made of it, with its own probabilities: [`confidence`](super::confidence) makes
/// of them what can be believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognition {
    /// As the model wrote it, brackets and all.
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
#[derive(Clone, Copy, Debug, PartialEq)]
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
        let request = Transcribe { segment: SegmentId(3), revision: 2, audio: vec![77; 1_600] };
        assert_eq!(format!("{request:?}"), "Transcribe(SegmentId(3).2, 100 ms)");
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
