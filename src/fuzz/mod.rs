//! Bodies of fuzz targets: each is given any bytes and must neither panic nor run long, and what it claims must
//! hold for all of them. They stand in the crate so that a change which breaks one does not compile, and `tests`
//! plays each with its seeds and their mutations; `tests/fuzz` runs them with libFuzzer.
//!
//! What is stateful reads the bytes as a script ([`Script`]): choices, times and pieces in the order in which
//! they stand.

mod media;
mod sip;
mod text;
mod way;

#[cfg(test)]
mod tests;

use std::sync::OnceLock;
use std::time::Instant;

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Of its folder of seeds and its dictionary, too.
    pub name: &'static str,
    pub body: fn(&[u8]),
}

const fn target(name: &'static str, body: fn(&[u8])) -> Target {
    Target { name, body }
}

/// Every target.
pub const TARGETS: [Target; 22] = [
    target("sip_datagram", sip::datagram),
    target("sip_stream", sip::stream),
    target("sip_uri", sip::uri),
    target("sip_user_agent", sip::user_agent),
    target("digest", sip::digest),
    target("sdp", sip::description),
    target("rtp", media::rtp),
    target("rtcp", media::rtcp),
    target("srtp", media::srtp),
    target("jitter", media::jitter),
    target("wav", media::wav),
    target("stun", way::stun),
    target("dtls", way::dtls),
    target("websocket", way::websocket),
    target("engine", way::engine),
    target("ctrl_tcp", text::ctrl_tcp),
    target("bodies", text::bodies),
    target("config", text::config),
    target("playbook", text::playbook),
    target("ringcentral", text::ringcentral),
    target("agent", text::agent),
    target("model", text::model),
];

/// The target of this name.
pub fn named(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

/// A moment that is the same for all runs of one process.
fn beginning() -> Instant {
    static AT: OnceLock<Instant> = OnceLock::new();
    *AT.get_or_init(Instant::now)
}

/// Bytes as a script: what is not there any more reads as zero.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let taken = self.take(N);
        let mut array = [0; N];
        array.iter_mut().zip(taken).for_each(|(place, byte)| *place = *byte);
        array
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Up to 65,535 bytes, whose number stands before them.
    fn piece(&mut self) -> &'a [u8] {
        let count = self.u16();
        self.take(count.into())
    }
}
