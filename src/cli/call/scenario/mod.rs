//! A scenario: what a caller does, when, and how the call must come out. From a script file or from
//! the command line. Pure.
//!
//! | file | what |
//! |---|---|
//! | `file` | the form of a script file, every value in its range |
//! | `utterance` | text with pauses, stutter and hesitations as pieces to speak |

mod file;
mod utterance;

use std::path::PathBuf;
use std::time::Duration;

use regex::{Regex, RegexBuilder};

pub(super) use file::{FILE_BYTES, read};
pub(super) use utterance::{Piece, pieces};

use super::noise;

/// What a caller does and what is wanted of the call.
#[derive(Clone, Debug, Default)]
pub(super) struct Scenario {
    pub about: String,
    /// Of stutter, hesitations and noise: the same seed gives the same sound.
    pub seed: u64,
    pub noise: Option<Background>,
    /// What the greeting must match, all of them.
    pub greeting: Vec<Regex>,
    /// Within this time the greeting and each reply must begin; `None`: within the usual one.
    pub patience: Option<Duration>,
    pub turns: Vec<Turn>,
    pub whenever: Vec<Reflex>,
    pub wanted: Wanted,
}

impl Scenario {
    /// Something of it can be judged only with the other end's words.
    pub(super) fn needs_words(&self) -> bool {
        let heard = |turn: &Turn| !turn.expect.is_empty() || matches!(turn.when, When::Heard(_));
        !self.greeting.is_empty()
            || self.turns.iter().any(heard)
            || !self.whenever.is_empty()
            || !self.wanted.never.is_empty()
    }
}

/// One turn.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub when: When,
    pub act: Act,
    /// What the reply must match, all of them.
    pub expect: Vec<Regex>,
    /// How often it is done until the reply matches.
    pub tries: u32,
    /// The caller hangs up so long after its beginning.
    pub hang_up_after: Option<Duration>,
    /// The other end must have stopped talking so long after our first sound.
    pub stops_within: Option<Duration>,
}

impl Turn {
    pub(super) fn new(when: When, act: Act) -> Self {
        let (expect, tries) = (Vec::new(), 1);
        Self { when, act, expect, tries, hang_up_after: None, stops_within: None }
    }
}

/// What is done beside the turns, whenever the other end says something.
#[derive(Clone, Debug)]
pub(super) struct Reflex {
    pub hears: Regex,
    /// Not if the reply matches one of these, too.
    pub unless: Vec<Regex>,
    pub act: Act,
    /// To wait before it.
    pub pause: Duration,
    /// How often in one call.
    pub times: u32,
}

/// When a turn begins.
#[derive(Clone, Debug)]
pub(super) enum When {
    /// So long after the other end has fallen silent.
    Silence(Duration),
    /// So long after the other end has begun the reply to the turn before, into its words.
    Over(Duration),
    /// Once the other end has said this and has fallen silent.
    Heard(Regex),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    Say(Speech),
    Play(PathBuf),
    Press(String),
    /// A noise as loud as speech.
    Sound(noise::Kind, Duration),
    /// Nothing; the other end has so long to begin by itself.
    Wait(Duration),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Speech {
    pub text: String,
    pub manner: Manner,
}

/// How somebody speaks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Manner {
    /// A name of espeak-ng, or `slt`.
    pub voice: String,
    pub words_per_minute: u16,
    pub gain_db: f32,
    /// Share of the words that begin twice.
    pub stutter: f32,
    /// Share of the words before which the speaker has to think.
    pub hesitate: f32,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            voice: "en-us+f3".to_owned(),
            words_per_minute: 160,
            gain_db: 0.0,
            stutter: 0.0,
            hesitate: 0.0,
        }
    }
}

/// Noise around the caller, the whole call long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Background {
    pub kind: noise::Kind,
    /// Of the caller's speech to it.
    pub snr_db: f32,
}

/// Who ends a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum End {
    Desk,
    Caller,
}

/// How the call must come out.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub end: Option<End>,
    /// The longest time in which nobody may speak.
    pub longest_silence: Option<Duration>,
    pub at_most: Option<Duration>,
    /// What the other end must not say at any time.
    pub never: Vec<Regex>,
    /// The messages that must be left, these and no others; `None` is not judged.
    pub messages: Option<Vec<MessageWanted>>,
}

/// What one message must be like; what is not there is not judged.
#[derive(Clone, Debug, Default)]
pub(super) struct MessageWanted {
    /// `topic`, `name`, `number`, `text` or a field of the playbook, each with what it must match.
    pub parts: Vec<(String, Regex)>,
}

/// A pattern for words: the case of letters does not matter.
pub(super) fn pattern(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).case_insensitive(true).build()
}
