//! Which codecs there are, with the names and numbers that RTP and SDP give them.

use serde::{Deserialize, Serialize};

/// A speech codec of RFC 3551 or RFC 7587. `L16` is for our own loopback alone: a leg by WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Codec {
    Pcmu,
    Pcma,
    G722,
    Opus,
    /// Plain samples at 16 kHz, big-endian (RFC 3551 section 4.5.11).
    L16,
}

impl Codec {
    pub const ALL: [Self; 5] = [Self::Opus, Self::G722, Self::Pcmu, Self::Pcma, Self::L16];

    /// The encoding name of its `a=rtpmap`; compared without regard to case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
            Self::L16 => "L16",
        }
    }

    /// RTP timestamp units a second. G.722 says 8000 by an old mistake (RFC 3551 section 4.5.2);
    /// Opus always counts at 48000 (RFC 7587 section 4.1).
    pub const fn clock_rate_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus => 48_000,
            Self::L16 => 16_000,
        }
    }

    /// Samples a second of the PCM that our decoder gives and our encoder takes. Opus is run at
    /// 16 kHz, which libopus does by itself.
    pub const fn sample_rate_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
            Self::G722 | Self::Opus | Self::L16 => 16_000,
        }
    }

    /// Samples at 16 kHz by which sound comes out of our decoder later than it went into our encoder,
    /// resampling included: what of a packet's sound is heard with the next.
    pub const fn delay_samples(self) -> usize {
        match self {
            Self::Pcmu | Self::Pcma => 46,
            Self::G722 => 22,
            Self::Opus => 104,
            Self::L16 => 0,
        }
    }

    /// The static payload type of RFC 3551, if it has one.
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            Self::G722 => Some(9),
            Self::Opus | Self::L16 => None,
        }
    }

    /// The codec with this encoding name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }
}
