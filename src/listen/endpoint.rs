//! How long a silence ends an utterance: the one table of adaptive endpointing.

use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::patience::Patience;

/// What the conversation makes of the words so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// A whole thought: it can be answered.
    Complete,
    /// Whole as it stands, such as a greeting, but perhaps only the beginning.
    Probable,
    /// More must come ("my number is").
    Incomplete,
    /// Not known, or the text has not come yet.
    Unknown,
    /// More may well come, or something was said that was not understood.
    Doubtful,
    /// It was not understood, and will be asked for again.
    Unclear,
}

/// What the last question asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// A number, which people say in groups with pauses between.
    Digits,
    /// One word.
    YesNo,
    Anything,
}

/// The last question and the patience with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Awaited {
    pub answer: Expectation,
    /// Times of the question's own.
    pub patience: Patience,
}

impl From<Expectation> for Awaited {
    fn from(answer: Expectation) -> Self {
        Self { answer, patience: Patience::default() }
    }
}

/// Thresholds of the ear. All times are heard time, in whole frames of 20 ms; milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Score from which a frame counts as speech, 0 to 1.
    pub speech_threshold: f32,
    /// Speech needed within 40 ms more than itself to start an utterance.
    pub onset_ms: u64,
    /// Sound kept before the first frame of speech: soft first consonants lie there.
    pub preroll_ms: u64,
    /// Speech needed within 20 ms more than itself to go on after a pause: a click is shorter.
    pub resume_ms: u64,
    /// Silence after which the utterance so far is decoded.
    pub speculate_after_ms: u64,
    /// Silence given to the recogniser after the last speech.
    pub tail_ms: u64,
    /// An utterance with less speech than this is dismissed.
    pub shortest_speech_ms: u64,
    /// Silence that ends a complete thought.
    pub close_complete_ms: u64,
    /// Silence that ends a thought that is probably complete.
    pub close_probable_ms: u64,
    /// Silence that ends an answer to a yes-or-no question of which nothing is known.
    pub close_yes_no_ms: u64,
    /// Silence that ends anything else of which nothing is known.
    pub close_unknown_ms: u64,
    /// Silence that ends what was not understood, in answer to no question for a number.
    pub close_unclear_ms: u64,
    /// Silence that ends what may well go on.
    pub close_doubtful_ms: u64,
    /// Silence that ends an incomplete thought.
    pub close_incomplete_ms: u64,
    /// Silence that ends a number of which nothing is known.
    pub close_digits_ms: u64,
    /// Silence that ends a number with digits missing.
    pub close_digits_incomplete_ms: u64,
    /// A caller's own pauses make no silence longer than this.
    pub longest_pace_ms: u64,
    /// Speech that begins so soon after the end of an utterance is its rest: it was cut off.
    pub cut_off_within_ms: u64,
    /// A tone in the middle of speech is taken for a held vowel for so long.
    pub held_vowel_ms: u64,
    /// Lost frames in the middle of speech are taken for speech for so long.
    pub lost_speech_ms: u64,
    /// Without any frame for so long an utterance is closed: the media has stopped.
    pub stalled_ms: u64,
    /// While the caller speaks, what was said so far is decoded this often, or less often where a
    /// decode takes long. 0: never.
    pub partial_every_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            speech_threshold: 0.45,
            onset_ms: 80,
            preroll_ms: 200,
            resume_ms: 60,
            speculate_after_ms: 60,
            tail_ms: 100,
            shortest_speech_ms: 100,
            close_complete_ms: 120,
            close_probable_ms: 300,
            close_yes_no_ms: 300,
            close_unknown_ms: 500,
            close_unclear_ms: 300,
            close_doubtful_ms: 900,
            close_incomplete_ms: 1_500,
            close_digits_ms: 800,
            close_digits_incomplete_ms: 1_500,
            longest_pace_ms: 1_600,
            cut_off_within_ms: 700,
            held_vowel_ms: 300,
            lost_speech_ms: 60,
            stalled_ms: 1_000,
            partial_every_ms: 600,
        }
    }
}

impl Settings {
    /// Silence that ends the utterance now, of a caller who has paused for `pace_ms` in this call and
    /// gone on: longer than that where more may come, or the same caller is cut off each time.
    pub fn close_after_ms(&self, thought: Completeness, awaited: Awaited, pace_ms: u64) -> u64 {
        let pace_ms = (pace_ms + pace_ms / 4).min(self.longest_pace_ms);
        let close_ms = self.unhurried_ms(thought, awaited);
        match thought {
            Completeness::Complete | Completeness::Probable => close_ms,
            Completeness::Incomplete
            | Completeness::Unknown
            | Completeness::Doubtful
            | Completeness::Unclear => close_ms.max(pace_ms),
        }
    }

    fn unhurried_ms(&self, thought: Completeness, awaited: Awaited) -> u64 {
        let usual_ms = self.usual_ms(thought, awaited.answer);
        let patience = awaited.patience;
        let own_ms = match thought {
            Completeness::Complete => patience.complete_ms,
            Completeness::Probable => patience.probable_ms,
            Completeness::Unknown | Completeness::Unclear => patience.unknown_ms,
            Completeness::Doubtful => patience.doubtful_ms,
            // More is missing than where nothing is known.
            Completeness::Incomplete => {
                patience.incomplete_ms.or(patience.unknown_ms.map(|own_ms| own_ms.max(usual_ms)))
            }
        };
        own_ms.map_or(usual_ms, |own_ms| own_ms.min(limits::PAUSE_MS))
    }

    const fn usual_ms(&self, thought: Completeness, answer: Expectation) -> u64 {
        match (thought, answer) {
            (Completeness::Complete, _) => self.close_complete_ms,
            (Completeness::Probable, _) => self.close_probable_ms,
            (Completeness::Incomplete, Expectation::Digits) => self.close_digits_incomplete_ms,
            (Completeness::Incomplete, _) => self.close_incomplete_ms,
            (Completeness::Unknown | Completeness::Unclear, Expectation::Digits) => {
                self.close_digits_ms
            }
            (Completeness::Unknown, Expectation::YesNo) => self.close_yes_no_ms,
            (Completeness::Unclear, _) => self.close_unclear_ms,
            (Completeness::Unknown, Expectation::Anything) => self.close_unknown_ms,
            (Completeness::Doubtful, _) => self.close_doubtful_ms,
        }
    }

    /// The longest of them.
    pub(super) fn longest_close_ms(&self) -> u64 {
        use Completeness::{Complete, Doubtful, Incomplete, Probable, Unclear, Unknown};
        let answers = [Expectation::Digits, Expectation::YesNo, Expectation::Anything];
        let of = |thought| answers.iter().map(move |answer| self.usual_ms(thought, *answer));
        let all = [Complete, Probable, Incomplete, Unknown, Doubtful, Unclear];
        let all = all.into_iter().flat_map(of);
        all.fold(limits::PAUSE_MS.max(self.longest_pace_ms), u64::max)
    }
}
