//! A call by WebSocket: a program on the other end sends sound in binary frames and says the rest in JSON.
//!
//! ```text
//!  client ─ binary ─▶ SoundIn: bytes ─▶ frames ─▶ queue ─ 20 ms ─▶ Line ─ RTP, L16 ─▶ the call's media socket
//!         ◀─ binary ─ SoundOut: bytes ◀─ frames ◀────────────────── Line ◀─ RTP, L16 ─
//!         ◀─▶ text ── Control ◀─▶ Session ─ Wish ─▶ the call's leg: begins, is held, hangs up
//!                                         ◀─ News ─ answered, silenced, said, ended
//! ```
//!
//! [`Session`] is a small telephone of our own beside the call: it offers a description, has a socket on
//! loopback, presses keys as telephone-events. So everything that a call does with sound (jitter buffer, voice
//! detector, barge-in, keys, records, figures) is the same as in a call by SIP. It outlives its WebSocket:
//! one that is lost puts the call on hold for `limits::AUDIO_RESUME`.
//!
//! Everything here is pure; `appliance::audio_legs` owns the sockets and the clock. The protocol is
//! written down for its users in `docs/websocket.md`.

pub mod bridge;
mod control;
mod describe;
mod format;
mod line;
mod prepared;
mod session;
mod sound_in;
mod sound_out;
mod transcript;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests;

pub use control::{ErrorCode, Who};
pub use describe::{CODEC, offer, port_of};
pub use format::Format;
pub use line::Line;
pub use prepared::{NotPrepared, Order, Secret};
pub use session::{
    CloseCode, Figures, Input, News, NotAttached, Opening, Outgoing, Output, Session, Wish,
};
pub use transcript::{Said, Told};

/// What the two ends speak (RFC 6455 section 1.9).
pub const SUBPROTOCOL: &str = "attendant.audio.v1";
