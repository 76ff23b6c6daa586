//! What comes, unprotected: whose stream it is of, which packet of it, and whether it came before.

use super::Fault;
use super::replay::Window;
use super::session::Session;
use super::transform::RTCP_CLEAR_BYTES;
use crate::base::{SrtpKey, SrtpSuite, limits};
use crate::rtp::packet;
use crate::rtp::sequence::Sequence;

/// From this sequence number on the packets before a wrap are nearer than those after it.
const HALF: u16 = 1 << 15;
const ROLLED_OVER: u64 = 1 << 16;

/// Unprotects what comes under one master key of the peer's.
pub struct Unprotector {
    session: Session,
    streams: [Option<Stream>; limits::SRTP_STREAMS],
    /// Packets that were taken, a clock for [`Stream::used`].
    taken: u64,
}

/// One SSRC of the peer's.
#[derive(Clone, Copy)]
struct Stream {
    ssrc: u32,
    rtp: Option<Window>,
    rtcp: Option<Window>,
    used: u64,
}

impl std::fmt::Debug for Unprotector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unprotector({} streams)", self.streams.iter().flatten().count())
    }
}

impl Unprotector {
    /// RT safe.
    pub fn new(suite: SrtpSuite, master: &SrtpKey) -> Self {
        let streams = [None; limits::SRTP_STREAMS];
        Self { session: Session::new(suite, master), streams, taken: 0 }
    }

    /// Checks and decrypts an RTP packet in place; returns its length without the tag. What is refused
    /// has changed neither the bytes nor anything here. RT safe.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn unprotect_rtp(&mut self, datagram: &mut [u8]) -> Result<usize, Fault> {
        let (header, clear) = packet::clear_part(datagram).map_err(|_| Fault::Malformed)?;
        let (ssrc, sequence) = (header.ssrc, header.sequence);
        let window = self.stream(ssrc).and_then(|stream| stream.rtp);
        let [first, second] = match &window {
            Some(window) => [window.index_of(sequence), None],
            None => first_indices(sequence),
        };
        let index = first.ok_or(Fault::Replayed)?;
        if window.is_some_and(|window| !window.is_new(index)) {
            return Err(Fault::Replayed);
        }
        let rtp = &self.session.rtp;
        let (length, index) = match (rtp.open_rtp(datagram, clear, (ssrc, index)), second) {
            (Ok(length), _) => (length, index),
            (Err(Fault::Forged), Some(index)) => {
                (rtp.open_rtp(datagram, clear, (ssrc, index))?, index)
            }
            (Err(fault), _) => return Err(fault),
        };
        note(&mut self.authentic(ssrc).rtp, index);
        Ok(length)
    }

    /// The same for an RTCP packet. RT safe.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn unprotect_rtcp(&mut self, datagram: &mut [u8]) -> Result<usize, Fault> {
        let clear = datagram.first_chunk::<RTCP_CLEAR_BYTES>().ok_or(Fault::Malformed)?;
        let [first, _, _, _, s0, s1, s2, s3] = *clear;
        let ssrc = u32::from_be_bytes([s0, s1, s2, s3]);
        let index = self.session.rtcp.rtcp_index(datagram).map(u64::from);
        let index = index.filter(|_| first >> 6 == 2).ok_or(Fault::Malformed)?;
        let window = self.stream(ssrc).and_then(|stream| stream.rtcp);
        if window.is_some_and(|window| !window.is_new(index)) {
            return Err(Fault::Replayed);
        }
        let length = self.session.rtcp.open_rtcp(datagram, ssrc)?;
        note(&mut self.authentic(ssrc).rtcp, index);
        Ok(length)
    }

    fn stream(&self, ssrc: u32) -> Option<&Stream> {
        self.streams.iter().flatten().find(|stream| stream.ssrc == ssrc)
    }

    /// The stream of a packet that has proved to be the peer's. A new one takes the place of the one that
    /// was silent for longest.
    fn authentic(&mut self, ssrc: u32) -> &mut Stream {
        self.taken += 1;
        let known = self.streams.iter().position(|at| at.is_some_and(|at| at.ssrc == ssrc));
        let oldest = || {
            let ages = self.streams.iter().map(|place| place.map_or(0, |stream| stream.used));
            ages.enumerate().min_by_key(|(_, used)| *used).map_or(0, |(at, _)| at)
        };
        let at = known.unwrap_or_else(oldest);
        let place = &mut self.streams[at];
        if known.is_none() {
            *place = None;
        }
        let new = Stream { ssrc, rtp: None, rtcp: None, used: 0 };
        let stream = place.get_or_insert(new);
        stream.used = self.taken;
        stream
    }
}

/// What the first packet of a stream may be: the rollover counter is 0 for whoever comes late, and 1
/// where the few packets before a wrap were lost, for a stream may begin just before one.
fn first_indices(sequence: Sequence) -> [Option<u64>; 2] {
    let index = u64::from(sequence.0);
    [Some(index), (sequence.0 < HALF).then_some(index + ROLLED_OVER)]
}

fn note(window: &mut Option<Window>, index: u64) {
    match window {
        Some(window) => window.note(index),
        None => *window = Some(Window::new(index)),
    }
}
