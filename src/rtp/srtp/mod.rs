//! SRTP and SRTCP (RFC 3711, RFC 7714): packets protected and unprotected in place.
//!
//! ```text
//!  SRTP   header │ payload, encrypted │ tag              all but the tag is authenticated
//!  SRTCP  8 bytes │ rest, encrypted │ E, index │ tag     (GCM: the tag stands before E and index)
//! ```
//!
//! One master key a direction, which lives as long as the agreement that it is from: there is no
//! MKI and no key derivation rate. Invariant: nothing that a packet says changes anything before it
//! is known to be the peer's. RT safe: nothing here allocates, and no input can make it panic.

mod protector;
mod replay;
mod session;
mod transform;
mod unprotector;

#[cfg(test)]
mod tests;

pub use protector::Protector;
pub use unprotector::Unprotector;

/// The most bytes that protection adds to a packet: a tag of GCM, and the index of SRTCP.
pub const TRAILER_BYTES: usize = 16 + 4;

/// Why a packet is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("not of a form that can be unprotected")]
    Malformed,
    /// Forged, damaged, or under another key.
    #[error("its tag is wrong")]
    Forged,
    /// It was here before, or is so old that this cannot be told.
    #[error("replayed")]
    Replayed,
}
