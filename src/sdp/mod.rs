//! Offer and answer of one audio stream (RFC 3264, RFC 8866): bytes in, what was agreed out.
//!
//! Owns the choice of codec, payload types, packet time, direction and hold. Takes a peer's session
//! description as SIP carried it; gives ours and a [`Negotiated`] for the media plane. A peer's
//! fault is a [`Refusal`] with its SIP status, never an error past this module. Invariants: an
//! answer has as many media lines as its offer, in the same order; nothing that is written holds a
//! control character of the peer.

mod candidates;
mod crypto;
mod description;
mod formats;
mod handshake;
mod offer_answer;
mod write;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

pub use candidates::read as candidate;
pub use crypto::{Keys, without_keys};
pub use offer_answer::{accept, answer, offer};

use crate::base::Protection;
use crate::base::handshake::{Fingerprint, IceCredentials, LocalIce, Setup, Terms};
use crate::codec::Codec;

/// The media type of a session description in SIP.
pub const CONTENT_TYPE: &str = "application/sdp";

/// What we can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offering {
    /// In the order of our preference, which also decides an answer: the first one that the peer
    /// offers is spoken, the other common ones are understood.
    pub codecs: Vec<Codec>,
    /// Whether telephone events (RFC 4733) are offered and accepted.
    pub dtmf: bool,
    /// Packet time that we wish for, 10 to 60.
    pub ptime_ms: u32,
    pub srtp: Srtp,
    /// How our own offers bring keys.
    #[serde(default)]
    pub keys: OfferedKeys,
}

/// Where the keys that we offer are from; in an answer both are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OfferedKeys {
    /// They stand in the description (RFC 4568).
    #[default]
    Sdes,
    /// A handshake makes them (RFC 5764). There is no plain offer beside it.
    Dtls,
}

impl OfferedKeys {
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "sdes" => Some(Self::Sdes),
            "dtls" => Some(Self::Dtls),
            _ => None,
        }
    }
}

/// Whether sound is encrypted: SRTP under keys in the description (SDES, RFC 4568) or of a handshake
/// (DTLS, RFC 5764).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Srtp {
    /// Never: who wants nothing else is refused.
    Off,
    /// As the peer wants it. Our offers have keys in a line of plain RTP: who knows them may use them,
    /// who does not reads a plain offer.
    #[default]
    Optional,
    /// Always: who offers no key that we can use is refused.
    Required,
}

impl Srtp {
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "off" => Some(Self::Off),
            "optional" => Some(Self::Optional),
            "required" => Some(Self::Required),
            _ => None,
        }
    }
}

/// Where our end is, and under which keys it sends.
#[derive(Clone, PartialEq, Eq)]
pub struct Local {
    /// The address that the peer is to send to.
    pub address: IpAddr,
    /// The RTP port; RTCP is on the next one unless it is multiplexed.
    pub port: u16,
    /// The session id of `o=`, the same for the life of a dialog.
    pub id: u64,
    pub keys: Keys,
    /// `None`: no keys by DTLS.
    pub handshake: Option<LocalHandshake>,
}

/// What our end says of its handshakes.
#[derive(Clone, PartialEq, Eq)]
pub struct LocalHandshake {
    /// Of our certificate.
    pub fingerprint: Fingerprint,
    pub ice: IceCredentials,
    /// Of the session after this one.
    pub next_ice: IceCredentials,
    /// The peer's, in the session that there is.
    pub their_ice: Option<IceCredentials>,
    /// Our side of the association that there is.
    pub role: Option<Setup>,
    /// How we are found.
    pub way: LocalIce,
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Local(port {})", self.port)
    }
}

/// Who may send, from our side of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    #[default]
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    fn from_flow(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same stream seen from the other end.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self::from_flow(self.receives(), self.sends())
    }

    /// The attribute's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

/// Telephone events as agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dtmf {
    pub tx_payload_type: u8,
    pub rx_payload_type: u8,
    /// Units of an event's duration, a second: 8000 or 48000.
    pub clock_rate_hz: u32,
}

/// What the peer wants to receive as Opus (RFC 7587 section 6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpusWishes {
    /// `maxaveragebitrate`, 6000 to 510000.
    pub max_average_bitrate_bps: Option<u32>,
    /// `maxplaybackrate`, 8000 to 48000.
    pub max_playback_rate_hz: Option<u32>,
    /// `useinbandfec=1`.
    pub has_inband_fec: bool,
    /// `cbr=1`.
    pub is_constant_rate: bool,
}

/// What both ends agreed on.
#[derive(Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Where RTP goes. An unspecified address means that the peer did not say (a host name, ICE, or
    /// hold of old): send nothing until its own packets show where it is.
    pub remote: SocketAddr,
    /// Where RTCP goes; equal to `remote` when multiplexed.
    pub remote_rtcp: SocketAddr,
    pub has_rtcp_mux: bool,
    /// What we send.
    pub codec: Codec,
    pub tx_payload_type: u8,
    /// What we understand: every agreed codec, since peers may change among them at any packet.
    pub rx_payload_types: Vec<(u8, Codec)>,
    pub dtmf: Option<Dtmf>,
    /// Comfort noise of RFC 3389 under payload type 13 was agreed.
    pub has_comfort_noise: bool,
    /// Packet time of what we send, 10 to 60, a multiple of 10.
    pub ptime_ms: u32,
    pub direction: Direction,
    pub opus: OpusWishes,
    pub protection: Protection<Box<Terms>>,
}

impl fmt::Debug for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { codec, tx_payload_type, ptime_ms, direction, protection, .. } = self;
        let name = match protection {
            Protection::Plain => "not encrypted",
            Protection::Keys(keying) => keying.suite.name(),
            Protection::Handshake(_) => "DTLS",
        };
        write!(
            f,
            "Negotiated({codec:?} as {tx_payload_type}, {ptime_ms} ms, {direction:?}, {name})"
        )
    }
}

/// Our answer and what it means.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub body: Vec<u8>,
    pub negotiated: Negotiated,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} bytes, {:?})", self.body.len(), self.negotiated)
    }
}

/// Why a description cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 400 for what is not a session description, 488 for one that we cannot meet.
    pub status: u16,
    /// Code of a Warning header field (RFC 3261 section 20.43): 301 to 306 or 399.
    pub warning_code: u16,
    /// Its text; holds no quote.
    pub warning: &'static str,
}

impl Refusal {
    const fn malformed(warning: &'static str) -> Self {
        Self { status: 400, warning_code: 399, warning }
    }

    const fn unacceptable(warning_code: u16, warning: &'static str) -> Self {
        Self { status: 488, warning_code, warning }
    }
}

/// The `o=` version of our descriptions in one dialog: it rises by one when, and only when, the
/// description changed (RFC 3264 section 8).
#[derive(Clone, Debug, Default)]
pub struct Revision {
    version: u64,
    last: Option<Vec<u8>>,
}

impl Revision {
    /// [`answer`] under the right version.
    ///
    /// # Errors
    /// As [`answer`]; the version stays as it is.
    pub fn answer(
        &mut self,
        offer: &[u8],
        offering: &Offering,
        local: &Local,
        is_held: bool,
    ) -> Result<Answer, Refusal> {
        let mut made = answer(offer, offering, local, self.version, is_held)?;
        if self.is_change(&made.body) {
            self.version += 1;
            made = answer(offer, offering, local, self.version, is_held)?;
        }
        self.last = Some(made.body.clone());
        Ok(made)
    }

    /// [`offer`] under the right version.
    pub fn offer(&mut self, offering: &Offering, local: &Local, direction: Direction) -> Vec<u8> {
        let mut made = offer(offering, local, self.version, direction);
        if self.is_change(&made) {
            self.version += 1;
            made = offer(offering, local, self.version, direction);
        }
        self.last = Some(made.clone());
        made
    }

    fn is_change(&self, made: &[u8]) -> bool {
        self.last.as_ref().is_some_and(|last| last != made)
    }
}
