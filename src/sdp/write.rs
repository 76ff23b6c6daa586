//! Our own descriptions as text.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::crypto::Crypto;
use super::formats::COMFORT_NOISE;
use super::{Direction, Local};
use crate::codec::Codec;

/// An accepted or offered audio line.
pub struct AudioLine<'a> {
    /// `RTP/AVP`, `RTP/SAVPF` or the like, as offered.
    pub proto: &'a str,
    pub crypto: &'a [Crypto],
    /// Attributes of a handshake and its way.
    pub handshake: &'a [String],
    pub codecs: &'a [(u8, Codec)],
    /// Telephone events: number and clock.
    pub events: &'a [(u8, u32)],
    pub has_comfort_noise: bool,
    pub ptime_ms: u32,
    pub direction: Direction,
    pub has_rtcp_mux: bool,
    pub mid: Option<&'a str>,
    /// The peer's sound belongs to a stream, so that ours does (RFC 8830).
    pub has_msid: bool,
}

/// A line that is kept for its transport alone.
pub struct SilentLine<'a> {
    pub media: &'a str,
    pub proto: &'a str,
    pub format: &'a str,
    /// What the format is, where the offer says so.
    pub rtpmap: Option<&'a str>,
    pub handshake: &'a [String],
    pub mid: Option<&'a str>,
}

pub struct Text {
    out: String,
    port: u16,
}

impl Text {
    /// Starts with the session's lines.
    pub fn begin(local: &Local, version: u64, bundle: Option<&str>, is_lite: bool) -> Self {
        let mut text = Self { out: String::with_capacity(512), port: local.port };
        let address = match local.address {
            IpAddr::V4(address) => format!("IP4 {address}"),
            IpAddr::V6(address) => format!("IP6 {address}"),
        };
        text.line(format_args!("v=0"));
        text.line(format_args!("o=- {} {version} IN {address}", local.id));
        text.line(format_args!("s=-"));
        text.line(format_args!("c=IN {address}"));
        text.line(format_args!("t=0 0"));
        if let Some(mid) = bundle {
            text.line(format_args!("a=group:BUNDLE {mid}"));
        }
        if is_lite {
            text.line(format_args!("a=ice-lite"));
        }
        text
    }

    pub fn audio(&mut self, line: &AudioLine<'_>) {
        let mut numbers: Vec<u8> = line.codecs.iter().map(|(number, _)| *number).collect();
        numbers.extend(line.has_comfort_noise.then_some(COMFORT_NOISE));
        numbers.extend(line.events.iter().map(|(number, _)| *number));
        let numbers: Vec<String> = numbers.iter().map(u8::to_string).collect();
        let port = self.port;
        self.line(format_args!("m=audio {port} {} {}", line.proto, numbers.join(" ")));
        for crypto in line.crypto {
            self.line(format_args!("a=crypto:{}", crypto.value()));
        }
        for attribute in line.handshake {
            self.line(format_args!("a={attribute}"));
        }
        for &(number, codec) in line.codecs {
            let channels = if codec == Codec::Opus { "/2" } else { "" };
            let (name, clock) = (codec.name(), codec.clock_rate_hz());
            self.line(format_args!("a=rtpmap:{number} {name}/{clock}{channels}"));
            if codec == Codec::Opus {
                // We play and record 16 kHz: more would be thrown away.
                let rate = codec.sample_rate_hz();
                self.line(format_args!(
                    "a=fmtp:{number} maxplaybackrate={rate};sprop-maxcapturerate={rate};\
                     stereo=0;useinbandfec=1"
                ));
            }
        }
        if line.has_comfort_noise {
            self.line(format_args!("a=rtpmap:{COMFORT_NOISE} CN/8000"));
        }
        for (number, clock) in line.events {
            self.line(format_args!("a=rtpmap:{number} telephone-event/{clock}"));
            self.line(format_args!("a=fmtp:{number} 0-15"));
        }
        self.line(format_args!("a=ptime:{}", line.ptime_ms));
        self.line(format_args!("a=maxptime:60"));
        self.line(format_args!("a={}", line.direction.name()));
        if line.has_rtcp_mux {
            self.line(format_args!("a=rtcp-mux"));
        }
        self.mid(line.mid);
        if line.has_msid {
            self.line(format_args!("a=msid:attendant voice"));
        }
    }

    /// A line on which nothing is ever sent, and whose transport is another one's: with the first of the formats that
    /// were offered, for one must stand there.
    pub fn silent(&mut self, line: &SilentLine<'_>) {
        let SilentLine { media, proto, format, rtpmap, handshake, mid } = line;
        let port = self.port;
        self.line(format_args!("m={media} {port} {proto} {format}"));
        for attribute in *handshake {
            self.line(format_args!("a={attribute}"));
        }
        if let Some(rtpmap) = rtpmap {
            self.line(format_args!("a=rtpmap:{rtpmap}"));
        }
        self.line(format_args!("a=inactive"));
        self.line(format_args!("a=rtcp-mux"));
        self.mid(*mid);
    }

    /// A line that stays in its place with port 0 (RFC 3264 section 6).
    pub fn rejected(&mut self, media: &str, proto: &str, formats: &str, mid: Option<&str>) {
        self.line(format_args!("m={media} 0 {proto} {formats}"));
        self.mid(mid);
    }

    pub fn finish(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    fn mid(&mut self, mid: Option<&str>) {
        if let Some(mid) = mid {
            self.line(format_args!("a=mid:{mid}"));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.out.write_fmt(line).expect("a String takes every write");
        self.out.push_str("\r\n");
    }
}
