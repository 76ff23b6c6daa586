//! A browser's way in: offer and answer by HTTP, in the manner of WHIP (RFC 9725) with sound both ways.
//!
//! ```text
//!  POST an offer ─▶ Sessions ─ Asked, OfferReceived, Ended ─▶ Call
//!  its answer    ◀─    │     ◀─ Answer, Reject, AcceptOffer, Bye ─┘
//!  PATCH candidates ───┘ (RFC 8840)
//! ```
//!
//! A session is one leg of one call: it begins with an offer and ends with the call, or with the page. Its
//! id is a secret of whoever began it: who knows it may end the call and read its words, and nobody else.
//! Session descriptions are looked at here as far as a restart of ICE needs it; what is agreed on is the
//! call's. Invariants: each request has one response; a leg ends with one event; what is kept of sessions
//! has a bound.

mod candidate;
mod fragment;
mod offer;
mod session;
mod sessions;

#[cfg(test)]
mod tests;

pub use offer::first_address;
pub use session::SessionId;
pub use sessions::{
    AskId, Crowd, IfMatch, Input, Observes, Opening, Output, Refusal, Request, Response, Sessions,
    Visitor,
};
