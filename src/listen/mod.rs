//! Hearing: frames of PCM to what the caller said.
//!
//! ```text
//!  audio tick         net thread                                 engine
//!  Frame -> Vad ----> Ear -> Decode ---- Transcribe -----------> Whisper
//!           score      |                                           |
//!                      +-- Closed, Cut --> Assembly <- transcript <+ Recognition
//! ```
//! [`Vad`] scores each frame inside the tick: [`EchoDetector`] tells the caller's voice from our own
//! that comes back, `near` from people who talk around. [`Ear`] decides where an utterance starts, pauses and
//! ends, and asks for a decode at each pause: the last one asked for is the final one, so that
//! nothing is left to compute when the turn closes. [`transcript`] reads what came back,
//! [`confidence`] says how far it can be believed, and
//! [`Assembly`] puts together an utterance that was longer than the recogniser's window. While the
//! caller speaks without a pause, [`Partials`] says when the words so far are worth a decode, and
//! which of them have settled.

pub mod answered;
pub mod assembly;
pub mod confidence;
pub mod ear;
pub mod echo;
pub mod endpoint;
pub mod keypad;
mod near;
pub mod partial;
pub mod recognizer;
mod recording;
mod spectrum;
pub mod tone;
pub mod transcript;
pub mod vad;
mod voicing;

pub use answered::Answered;
pub use assembly::Assembly;
pub use ear::{Awaited, Completeness, Ear, Expectation, Input, Output, Settings};
pub use echo::{EchoDetector, Voices};
pub use keypad::{KeyTone, Keypad};
pub use partial::{PartialText, Partials};
pub use recognizer::{DecodeWish, Evidence, Hint, Recognition, Transcribe, Urgency, WordSpan};
pub use transcript::{Guard, Guards, Heard, Reading, Word};
pub use vad::{Ours, Vad, VadScore};

/// One piece of an utterance, numbered from 1 in its call. An utterance has more than one only when
/// it is longer than the recogniser's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentId(pub u32);
