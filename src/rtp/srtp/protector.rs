//! What leaves, protected.

use super::replay::index_after;
use super::session::Session;
use super::transform::RTCP_CLEAR_BYTES;
use crate::base::{SrtpKey, SrtpSuite};
use crate::rtp::packet;

/// Protects what one end sends under one master key. Invariant: no index is used twice, for that would
/// show what both packets have in common.
pub struct Protector {
    session: Session,
    /// SSRC and highest index of the stream.
    stream: Option<(u32, u64)>,
    rtcp_index: u32,
}

impl std::fmt::Debug for Protector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Protector")
    }
}

impl Protector {
    /// RT safe.
    pub fn new(suite: SrtpSuite, master: &SrtpKey) -> Self {
        Self { session: Session::new(suite, master), stream: None, rtcp_index: 0 }
    }

    /// Protects the RTP packet in the first `length` bytes of `buffer`, which has room for
    /// [`super::TRAILER_BYTES`] more. Returns the new length; `None` for what is no RTP, does not fit, or
    /// has a sequence number that was there before. RT safe.
    pub fn protect_rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let (header, clear) = packet::clear_part(buffer.get(..length)?).ok()?;
        let index = match self.stream {
            Some((ssrc, highest)) if ssrc == header.ssrc => {
                index_after(highest, header.sequence).filter(|index| *index > highest)?
            }
            _ => header.sequence.0.into(),
        };
        let whole = (header.ssrc, index);
        let length = self.session.rtp.seal_rtp(buffer, (clear, length), whole)?;
        self.stream = Some(whole);
        Some(length)
    }

    /// The same for a compound RTCP packet. RT safe.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let (clear, _) = buffer.get(..length)?.split_first_chunk::<RTCP_CLEAR_BYTES>()?;
        let [.., s0, s1, s2, s3] = *clear;
        let ssrc = u32::from_be_bytes([s0, s1, s2, s3]);
        let index = self.rtcp_index;
        let length = self.session.rtcp.seal_rtcp(buffer, length, (ssrc, index))?;
        // 31 bits: at one report in five seconds they last for 340 years.
        self.rtcp_index = (index + 1) & (u32::MAX >> 1);
        Some(length)
    }
}
