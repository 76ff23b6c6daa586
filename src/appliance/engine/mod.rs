//! The front's side of the engine: starts it, watches it, asks it, starts it again.
//!
//! One thread, the speech link, owns the engine's child and its socket. Everyone else holds a
//! [`Link`], which asks and returns at once; answers come as [`EngineEvent`]s on one bounded
//! channel, and the engine's state on a watch channel. Requests are complete in themselves, so
//! when the engine dies the link sends those that wait again to the next one.
//!
//! Invariant: every request ends in exactly one of `Text`, `Spoken`, `Failed` or `Cancelled`, also
//! when the engine never comes back.

use std::time::Instant;

use tokio::sync::watch;

use crate::base::{CallId, Private};
use crate::listen::DecodeWish;
use crate::speech::protocol::Ready;
pub use crate::speech::protocol::{Detected, Failure, Phrase, RequestId, Transcript};

pub mod double;
pub mod health;
pub mod link;
pub mod load;
pub mod requests;
mod wire;

pub use link::{EnginePlace, Link, Variants};
pub use load::Figures as LoadFigures;

/// On whose behalf a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    Call(CallId),
    /// Phrases rendered at start, the canary.
    Appliance,
    /// What nobody waits for: messages after the tone.
    Voicemail,
}

/// An answer, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineEvent {
    pub asker: Asker,
    pub request: RequestId,
    pub answer: Answer,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The end of a `transcribe`.
    Text(Transcript),
    /// A chunk of a `speak`, in order and without gaps: 16 kHz mono.
    Audio(Private<Vec<i16>>),
    /// The end of a `speak`: all its chunks have been delivered.
    Spoken,
    Failed(Failure),
    /// The end of a request that was cancelled in time.
    Cancelled,
}

impl Answer {
    /// Nothing more comes for the request.
    pub fn is_end(&self) -> bool {
        !matches!(self, Self::Audio(_))
    }
}

/// How the engine is.
#[derive(Clone, Debug, PartialEq)]
pub enum EngineState {
    /// The first one is loading and warming its models.
    Starting,
    Ready(Ready),
    /// It died, or cannot be started, and the next one is not ready yet; `restarts` times one had
    /// been started again when it did.
    Down {
        since: Instant,
        reason: String,
        restarts: u32,
        /// A child's that ended by itself.
        exit_code: Option<i32>,
    },
}

impl EngineState {
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }
}

/// With what an engine of ours is to work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As it is configured.
    #[default]
    Usual,
    /// With the smaller model, where one is configured.
    Lean,
    /// On the CPU, and with the smaller model: the GPU is lost.
    WithoutGpu,
}

/// What hears and speaks for the calls. The product's is [`Link`]; tests use [`double::Scripted`].
pub trait Engine: Send + Sync {
    /// Recognises one utterance: 16 kHz mono, at most `limits::UTTERANCE_MS`. `lane` is the call's
    /// place below `calls.max`.
    fn transcribe(&self, asker: Asker, lane: u16, audio: Vec<i16>) -> RequestId {
        self.transcribe_in(asker, lane, audio, DecodeWish::default())
    }

    /// The same in the way that is wished.
    fn transcribe_in(
        &self,
        asker: Asker,
        lane: u16,
        audio: Vec<i16>,
        wish: DecodeWish,
    ) -> RequestId;

    /// Speaks one phrase, already normalised for speech.
    fn speak(&self, asker: Asker, phrase: Phrase) -> RequestId;

    /// The answer is no longer wanted. Its end still comes; it may be another than `Cancelled`.
    fn cancel(&self, request: RequestId);

    /// The state, now and at each change.
    fn state(&self) -> watch::Receiver<EngineState>;

    /// Has the engine work so. One that runs as a unit of its own, and a double, stay as they are.
    fn steer(&self, _mode: Mode) {}

    /// How much it has to do.
    fn load(&self) -> LoadFigures {
        LoadFigures::default()
    }
}
