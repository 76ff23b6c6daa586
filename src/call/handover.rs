//! How far a caller has come on the way to a person.
//!
//! ```text
//! None ─ REFER ──▶ Asked ─▶ Accepted ─▶ the call ends: the caller talks to somebody else
//!   ▲  └ bridge ─▶ Bridging ─────────▶ Joined: the two talk through us
//!   └── failed ─────┘ │ ▲
//!           attended: ▼ │ failed
//!                   Handing ───────────▶ the call ends: the caller talks to the person directly
//! ```
//!
//! The person's call is `Handed` meanwhile. Joined is None again where the person has left the caller behind.
//! From None somebody of the firm's may take the call over by us, and give it back: `TakenOver`.

use std::time::Duration;

use crate::base::Private;
use crate::converse::people::Address;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handover {
    None,
    /// The caller's side was asked to call somebody else.
    Asked,
    /// It does.
    Accepted,
    /// We call somebody.
    Bridging,
    /// The caller's side was asked to call in our place whom we have called.
    Handing {
        /// It does.
        is_accepted: bool,
    },
    /// Whom we have called is to be called by the caller's side in our place.
    Handed,
    /// The two talk.
    Joined,
    /// Somebody of the firm's talks to the caller in the assistant's place.
    TakenOver,
}

/// Somebody whom we are to call for a caller who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutThrough {
    pub to: Address,
    /// How long it may ring.
    pub within: Duration,
    /// What they are told first, a question.
    pub offer: Private<String>,
    /// Whether the caller's side is to call them in our place, once they have taken the caller.
    pub is_attended: bool,
}
