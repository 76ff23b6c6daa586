//! The values of the configuration, each in its range by its type.
//!
//! Every one is made by `TryFrom` from what stands in the file; the error says what would have been
//! allowed.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// One address that takes SIP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    pub transport: Transport,
    pub address: SocketAddr,
}

/// Calls at once, 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxCalls(usize);

/// Longest call, 30 s to a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxDuration(Duration);

/// What a call beyond `calls.max` gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// 486.
    Busy,
    /// 503 with Retry-After.
    Unavailable { retry_after_s: u32 },
}

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
    Espeak { language: String },
}

/// Where the models run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    Auto,
    Cpu,
    Cuda { index: u8 },
}

/// When a silent caller is asked again, and when the call ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilencePrompts {
    prompts: Vec<Duration>,
    end: Duration,
}

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
        within(value, 1, 100).map(|count| Self(count as usize))
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

impl TryFrom<(&str, i64)> for WhenFull {
    type Error = Allowed;

    fn try_from((policy, retry_after_s): (&str, i64)) -> Result<Self, Allowed> {
        match policy {
            "busy" => Ok(Self::Busy),
            "unavailable" => Ok(Self::Unavailable {
                retry_after_s: within(retry_after_s, 1, 3_600).unwrap_or(1),
            }),
            _ => allowed("busy or unavailable"),
        }
    }
}

impl TryFrom<&str> for ListenAddress {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        let parsed = text.split_once(':').and_then(|(transport, address)| {
            let transport = match transport {
                "udp" => Transport::Udp,
                "tcp" => Transport::Tcp,
                _ => return None,
            };
            Some(Self { transport, address: address.parse().ok()? })
        });
        parsed.map_or_else(
            || {
                allowed(
                    "udp:ADDRESS:PORT or tcp:ADDRESS:PORT, as in udp:0.0.0.0:5060 or udp:[::]:5060",
                )
            },
            Ok,
        )
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = match self.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        };
        write!(f, "{transport}:{}", self.address)
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

impl TryFrom<&str> for Voice {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        match text.split_once(':') {
            None if text == "slt" => Ok(Self::Slt),
            Some(("espeak", language)) if is_voice_name(language) => {
                Ok(Self::Espeak { language: language.to_owned() })
            }
            _ => allowed("slt, or espeak:LANGUAGE as in espeak:de or espeak:en-gb"),
        }
    }
}

/// What espeak-ng calls a voice; the name reaches its command line, so it is narrow.
fn is_voice_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '+';
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 32
        && text.chars().all(plain)
}

impl TryFrom<&str> for Device {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "cpu" => Ok(Self::Cpu),
            Some(("cuda", index)) => match index.parse() {
                Ok(index) if index < 64 => Ok(Self::Cuda { index }),
                _ => allowed("cuda:0 to cuda:63"),
            },
            _ => allowed("auto, cpu or cuda:N"),
        }
    }
}

impl SilencePrompts {
    /// Silence before each prompt, rising, counted from the last word of either side.
    pub fn prompts(&self) -> &[Duration] {
        &self.prompts
    }

    /// Silence before the call ends, longer than that before the last prompt.
    pub const fn end(&self) -> Duration {
        self.end
    }
}

impl TryFrom<(&[i64], i64)> for SilencePrompts {
    type Error = Allowed;

    fn try_from((prompts_s, end_s): (&[i64], i64)) -> Result<Self, Allowed> {
        let rising = prompts_s.iter().zip(prompts_s.iter().skip(1)).all(|(a, b)| a < b);
        let in_range = prompts_s.iter().all(|seconds| (2..=300).contains(seconds));
        let last = prompts_s.last().copied().unwrap_or(1);
        if !rising || !in_range || prompts_s.len() > 5 {
            return allowed("at most five numbers, rising, each 2 to 300");
        }
        if !(last + 1..=600).contains(&end_s) {
            return allowed(format!("an end within {} to 600", last + 1));
        }
        let seconds = |value: i64| Duration::from_secs(value.unsigned_abs());
        Ok(Self { prompts: prompts_s.iter().copied().map(seconds).collect(), end: seconds(end_s) })
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
