//! The flight record of a call: everything that it was given and decided, in one file, and the call
//! made again from it.
//!
//! ```text
//!  Tracked: Call with a Recorder ─ Piece ─▶ (a file, by the shell)
//!                                              │
//!  Flight::read ◀──────────────────────────────┘
//!     ├─ replay: the same inputs, each decision compared with the recorded one
//!     └─ what_if: other settings; what engine and model would have answered is looked up in the record
//! ```
//!
//! A record holds the sound and the words of its call, the numbers of both ends and the playbook. It
//! needs nothing else to be replayed, on any machine, by a program of the same version. It does not have
//! the keys of encrypted sound.

mod block;
mod bytes;
mod decision;
mod entry;
mod head;
mod keyless;
mod replay;
mod sound;
mod tracked;
mod what_if;
mod world;

pub use head::{Head, SetError};
pub use replay::{Difference, Flight, Replayed};
pub use tracked::{Piece, Tracked};
pub use what_if::{NewTurn, Pair, what_if};
pub use world::Certainty;

/// The same file with other payloads and the right checks.
#[cfg(test)]
pub(super) fn forged(file: &[u8], mut forge: impl FnMut(usize, &mut Vec<u8>)) -> Vec<u8> {
    let blocks = block::blocks(file).expect("a sound file");
    let mut forged = block::beginning();
    for (number, payload) in blocks.payloads.iter().enumerate() {
        let mut payload = payload.to_vec();
        forge(number, &mut payload);
        forged.extend(block::block(number as u64, &payload));
    }
    forged
}

/// Why a file cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlightError {
    #[error("it is no flight record")]
    NoRecord,
    #[error("it is a flight record of version {found}; this program reads version {known}")]
    Version { found: u8, known: u8 },
    #[error("it ends before the call begins")]
    NoHead,
    #[error("it is damaged: block {number} at byte {at} is not as it was written")]
    Block { number: usize, at: usize },
    #[error("it is damaged: {0}")]
    Malformed(&'static str),
    #[error(
        "this program decides otherwise than the one that recorded it, so nothing follows from it"
    )]
    Differs,
    #[error("its playbook cannot be read: {reason}")]
    Playbook { reason: String },
}
