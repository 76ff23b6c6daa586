//! One call: what SIP, media, hearing, conversation and voice have to do with each other.
//!
//! ```text
//!                 sip::Event ─▶ ┌──────── Call ────────┐ ─▶ sip::Command
//!   description (sdp)           │ state, timers, ending │ ─▶ StartMedia ApplyMedia StopMedia
//!                               │  ┌────── Floor ─────┐ │
//!   heard frames, digits     ─▶ │  │ Hearing  Voice   │ │ ─▶ frames to play, Silence
//!   results of the engine    ─▶ │  │   Conversation   │ │ ─▶ Work for the engine
//!                               └──┴──────────────────┴─┘ ─▶ record, messages
//! ```
//!
//! Everything here is pure: the shell owns sockets, threads, rings, clocks and the engine. `media`
//! is the other half of a call, the one that the audio thread runs.

pub mod admission;
mod agent;
mod agreement;
mod dialling;
pub mod ending;
pub mod flight;
mod floor;
mod handover;
mod hearing;
mod incoming;
mod keys;
pub mod language;
pub mod latency;
mod line;
pub mod media;
pub mod one_way;
pub mod quality;
pub mod record;
mod state;
pub mod tuning;
mod voice;
mod voicemail;
mod who;
mod work;

#[cfg(test)]
mod tests;

pub use agreement::{Agreement, LocalMedia, Towards};
pub use ending::{By, Cause, Ending};
pub use floor::HoldSound;
pub use handover::PutThrough;
pub use incoming::{Incoming, Visit};
pub use one_way::OneWay;
pub use quality::Mos;
pub use record::CallRecord;
pub use state::{
    Association, Call, Input, Opening, Outgoing, Output, Settings, Start, TransferTo, Wish, warning,
};
pub use voice::{Shelf, Shelved, render_list};
pub use voicemail::{Settings as VoicemailSettings, Tape, TapeNews};
pub use work::{Work, WorkIds, WorkResult};
