//! The values of the configuration, each in its range by its type.
//!
//! Every one is made by `TryFrom` from what stands in the file; the error says what would have been
//! allowed.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::voices::NeuralVoice;
use crate::base::address::on_this_machine;
use crate::base::handshake::IceSide;
use crate::base::limits;
use crate::call::admission::WhenFull;
use crate::sdp::{OfferedKeys, Srtp};
use crate::sip::Transport;

/// One address that takes SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    pub transport: Transport,
    pub address: SocketAddr,
}

impl ListenAddress {
    /// Under what the box calls itself there.
    pub fn own_uri(&self, user: &str) -> String {
        let Self { transport, address } = *self;
        format!("sip:{user}@{};transport={}", on_this_machine(address), transport.uri_token())
    }
}

/// Calls at once, 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxCalls(usize);

/// Longest call, 30 s to a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxDuration(Duration);

/// UDP ports for media, both ends included, with at least one even-odd pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Packet length in milliseconds: 10, 20, 30, 40 or 60.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ptime(u8);

/// Whose voice is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Voice {
    /// flite's `slt`.
    Slt,
    /// espeak-ng's voice of this name.
    Espeak {
        language: String,
    },
    Neural(NeuralVoice),
}

/// Where the models run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    Auto,
    Cpu,
    Cuda,
}

/// Silence before the first prompt, the second prompt and the end: rising, 2 s to 600 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SilenceTimes([Duration; 3]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// What a value should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed(String);

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn allowed<T>(text: impl Into<String>) -> Result<T, Allowed> {
    Err(Allowed(text.into()))
}

pub(super) fn within(value: i64, first: i64, last: i64) -> Result<u32, Allowed> {
    match u32::try_from(value) {
        Ok(number) if (first..=last).contains(&value) => Ok(number),
        _ => allowed(format!("{first} to {last}")),
    }
}

impl MaxCalls {
    pub const fn count(self) -> usize {
        self.0
    }
}

impl TryFrom<i64> for MaxCalls {
    type Error = Allowed;

    fn try_from(value: i64) -> Result<Self, Allowed> {
        within(value, 1, limits::CALLS.into()).map(|count| Self(count as usize))
    }
}

impl MaxDuration {
    pub const fn as_duration(self) -> Duration {
        self.0
    }
}

impl TryFrom<i64> for MaxDuration {
    type Error = Allowed;

    fn try_from(value: i64) -> Result<Self, Allowed> {
        within(value, 30, 86_400).map(|seconds| Self(Duration::from_secs(seconds.into())))
    }
}

impl TryFrom<&str> for Srtp {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        Self::from_name(text).map_or_else(|| allowed("off, optional or required"), Ok)
    }
}

impl TryFrom<&str> for IceSide {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        Self::from_name(text).map_or_else(|| allowed("full or lite"), Ok)
    }
}

impl TryFrom<&str> for OfferedKeys {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        Self::from_name(text).map_or_else(|| allowed("sdes or dtls"), Ok)
    }
}

impl TryFrom<&str> for WhenFull {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        match text {
            "busy" => Ok(Self::Busy),
            "unavailable" => Ok(Self::Unavailable),
            _ => allowed("busy or unavailable"),
        }
    }
}

impl ListenAddress {
    /// What may be listened on.
    const TRANSPORTS: [Transport; 5] =
        [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws, Transport::Wss];
}

impl TryFrom<&str> for ListenAddress {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        let parsed = text.split_once(':').and_then(|(transport, address)| {
            let transport = Self::TRANSPORTS.into_iter().find(|of| of.uri_token() == transport)?;
            Some(Self { transport, address: address.parse().ok()? })
        });
        parsed.map_or_else(
            || allowed("udp, tcp, tls, ws or wss, then :ADDRESS:PORT, as in udp:[::]:5060"),
            Ok,
        )
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.uri_token(), self.address)
    }
}

impl PortRange {
    pub const fn first(self) -> u16 {
        self.first
    }

    pub const fn last(self) -> u16 {
        self.last
    }

    /// The even ports whose odd successor is in the range too: RTP's, RFC 3550 section 11.
    pub fn rtp_ports(self) -> impl Iterator<Item = u16> {
        (self.first..self.last).filter(|port| port % 2 == 0)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl TryFrom<&str> for PortRange {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        let parsed = text.split_once('-').and_then(|(first, last)| {
            Some(Self { first: first.trim().parse().ok()?, last: last.trim().parse().ok()? })
        });
        match parsed {
            Some(range) if range.first >= 1024 && range.rtp_ports().next().is_some() => Ok(range),
            _ => {
                allowed("FIRST-LAST within 1024-65535, with an even port and the odd one after it")
            }
        }
    }
}

impl Ptime {
    pub const fn ms(self) -> u8 {
        self.0
    }
}

impl TryFrom<i64> for Ptime {
    type Error = Allowed;

    fn try_from(value: i64) -> Result<Self, Allowed> {
        match value {
            10 | 20 | 30 | 40 | 60 => within(value, 10, 60).map(|ms| Self(ms as u8)),
            _ => allowed("10, 20, 30, 40 or 60"),
        }
    }
}

impl TryFrom<&str> for Device {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            _ => allowed("auto, cpu or cuda"),
        }
    }
}

impl SilenceTimes {
    pub const fn as_durations(self) -> [Duration; 3] {
        self.0
    }
}

impl TryFrom<&[i64]> for SilenceTimes {
    type Error = Allowed;

    fn try_from(seconds: &[i64]) -> Result<Self, Allowed> {
        match *seconds {
            [first, second, end] if 2 <= first && first < second && second < end && end <= 600 => {
                Ok(Self([first, second, end].map(|s| Duration::from_secs(s.unsigned_abs()))))
            }
            _ => allowed("three numbers, rising, 2 to 600"),
        }
    }
}

impl TryFrom<&str> for Level {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        match text {
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            "trace" => Ok(Self::Trace),
            _ => allowed("error, warn, info, debug or trace"),
        }
    }
}
