//! SIP (RFC 3261): bytes in, bytes out, and one event for each thing that a call must know.
//!
//! ```text
//!            shell: sockets, clock                         call::Call
//!     Datagram StreamBytes │ ▲ Transmit Connect      Command │ ▲ Event
//!  ┌───────────────────────▼─┴───────────────────────────────▼─┴──────┐
//!  │ user_agent   UAS rules, UAC, offers, endings, registering         │
//!  ├──────────────┬───────────────────────────────────────────────────┤
//!  │ dialog       │ route set, remote target, CSeq, who may speak      │
//!  ├──────────────┴───────────────────────────────────────────────────┤
//!  │ transaction  four machines, timers A to M, matching               │
//!  ├──────────────────────────────────────────────────────────────────┤
//!  │ connections  stream reuse, framing, idle; admission: rate limits  │
//!  ├──────────────────────────────────────────────────────────────────┤
//!  │ message      parse, normalise, build; digest; framing             │
//!  └──────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Pure: [`UserAgent::handle`] is given the time and an input, [`UserAgent::poll_output`] is drained
//! until it returns the next deadline. Session descriptions are opaque bytes here.
//!
//! Invariants: every table has a limit in `base::limits`; nothing received can panic, grow memory
//! past those limits, or make us send to an address that did not send first (but for the Via and
//! Contact of a peer that was let in).

pub mod admission;
pub mod connections;
pub mod counters;
pub mod deadlines;
pub mod dialog;
pub mod digest;
pub mod framing;
mod leg_id;
pub mod message;
pub mod transaction;
pub mod transport;
pub mod user_agent;

#[cfg(test)]
mod tests;

pub use admission::{Network, Sources};
pub use counters::Counters;
pub use leg_id::LegId;
pub use transport::{AccountId, ConnectionId, Flow, Server, Transport};
pub use user_agent::{
    Admission, Command, Dialect, EndCause, Event, FoundBy, Incoming, Input, Invite, Occupancy,
    OfferBy, Outbound, Output, Presence, Probe, ReferNews, ReferTo, Referral, Register,
    RegistrationFailure, RegistrationNews, Said, Settings, Telling, UserAgent, Warning,
};
