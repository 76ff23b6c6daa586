//! RTP packets on the wire (RFC 3550 section 5.1), and which protocol a datagram is of (RFC 7983,
//! RFC 5761).
//!
//! Parsing borrows, never copies, never trusts a length.

use super::sequence::{RtpTime, Sequence};

/// Bytes of the header that we write: no CSRC, no extension.
pub const HEADER_BYTES: usize = 12;

/// What arrived on a media socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Rtp,
    Rtcp,
    /// STUN or DTLS.
    Handshake,
    /// TURN, ZRTP or noise.
    Other,
}

/// Tells the protocol by the first two bytes (RFC 7983 section 7, RFC 5761 section 4).
pub fn protocol(datagram: &[u8]) -> Protocol {
    match datagram {
        [128..=191, 192..=223, ..] => Protocol::Rtcp,
        [128..=191, ..] => Protocol::Rtp,
        [0..=3 | 20..=63, ..] => Protocol::Handshake,
        _ => Protocol::Other,
    }
}

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    #[error("shorter than its header says")]
    Truncated,
    #[error("not RTP version 2")]
    Version,
    #[error("padding longer than the payload")]
    Padding,
}

/// The fields of a header that mean something to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    pub sequence: Sequence,
    pub timestamp: RtpTime,
    pub ssrc: u32,
}

/// A received packet. Contributing sources and header extensions are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub header: Header,
    /// Without padding; may be empty.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let (header, clear) = clear_part(datagram)?;
        let mut payload = datagram.get(clear..).ok_or(PacketError::Truncated)?;
        if datagram.first().is_some_and(|first| first & 0x20 != 0) {
            payload = strip_padding(payload)?;
        }
        Ok(Self { header, payload })
    }
}

/// The header, and where the payload with its padding begins: what SRTP leaves clear.
pub fn clear_part(datagram: &[u8]) -> Result<(Header, usize), PacketError> {
    let (head, rest) =
        datagram.split_first_chunk::<HEADER_BYTES>().ok_or(PacketError::Truncated)?;
    let [first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *head;
    if first >> 6 != 2 {
        return Err(PacketError::Version);
    }
    let csrc_bytes = usize::from(first & 0x0F) * 4;
    let mut payload = rest.get(csrc_bytes..).ok_or(PacketError::Truncated)?;
    if first & 0x10 != 0 {
        payload = skip_extension(payload)?;
    }
    let header = Header {
        marker: second & 0x80 != 0,
        payload_type: second & 0x7F,
        sequence: Sequence(u16::from_be_bytes([s0, s1])),
        timestamp: RtpTime(u32::from_be_bytes([t0, t1, t2, t3])),
        ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
    };
    Ok((header, datagram.len() - payload.len()))
}

impl Header {
    /// The header's bytes on the wire.
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let [s0, s1] = self.sequence.0.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.0.to_be_bytes();
        let [c0, c1, c2, c3] = self.ssrc.to_be_bytes();
        let second = (self.payload_type & 0x7F) | if self.marker { 0x80 } else { 0 };
        [0x80, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3]
    }
}

fn skip_extension(bytes: &[u8]) -> Result<&[u8], PacketError> {
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or(PacketError::Truncated)?;
    let [_, _, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low])) * 4;
    rest.get(length..).ok_or(PacketError::Truncated)
}

fn strip_padding(payload: &[u8]) -> Result<&[u8], PacketError> {
    let count = usize::from(*payload.last().ok_or(PacketError::Padding)?);
    let kept = payload.len().checked_sub(count).ok_or(PacketError::Padding)?;
    match count {
        0 => Err(PacketError::Padding),
        _ => payload.get(..kept).ok_or(PacketError::Padding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_as_written() {
        let header = Header {
            marker: true,
            payload_type: 101,
            sequence: Sequence(65_535),
            timestamp: RtpTime(0xFFFF_FFF0),
            ssrc: 0x1234_5678,
        };
        let mut datagram = header.to_bytes().to_vec();
        datagram.extend_from_slice(&[1, 2, 3]);
        let packet = Packet::parse(&datagram).unwrap();
        assert_eq!(packet, Packet { header, payload: &[1, 2, 3] });
    }

    #[test]
    fn sources_extension_and_padding_are_taken_off_and_their_lengths_are_not_believed() {
        let head = |first: u8| [first, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        /// First byte, what follows the header, expected payload.
        type Case = (u8, &'static [u8], Result<&'static [u8], PacketError>);
        let cases: [Case; 14] = [
            (0x80, &[], Ok(&[])),
            (0x80, &[9], Ok(&[9])),
            (0x81, &[0, 0, 0, 7, 9], Ok(&[9])),
            (0x82, &[0, 0, 0, 7, 9], Err(PacketError::Truncated)),
            (0x90, &[0xBE, 0xDE, 0, 1, 1, 2, 3, 4, 9], Ok(&[9])),
            (0x90, &[0xBE, 0xDE, 0, 2, 1, 2, 3, 4, 9], Err(PacketError::Truncated)),
            (0x90, &[0xBE, 0xDE], Err(PacketError::Truncated)),
            (0xA0, &[9, 0, 2], Ok(&[9])),
            (0xA0, &[9, 0, 3], Ok(&[])),
            (0xA0, &[9, 0, 4], Err(PacketError::Padding)),
            (0xA0, &[9, 0, 0], Err(PacketError::Padding)),
            (0xA0, &[], Err(PacketError::Padding)),
            (0xB1, &[0, 0, 0, 7, 1, 1, 0, 0, 9, 1], Ok(&[9])),
            (0x40, &[9], Err(PacketError::Version)),
        ];
        for (first, rest, expected) in cases {
            let mut datagram = head(first).to_vec();
            datagram.extend_from_slice(rest);
            assert_eq!(Packet::parse(&datagram).map(|p| p.payload), expected, "{first:x} {rest:?}");
        }
        for length in 0..HEADER_BYTES {
            assert_eq!(Packet::parse(&head(0x80)[..length]), Err(PacketError::Truncated));
        }
    }

    #[test]
    fn the_first_bytes_tell_the_protocol() {
        let cases: [(&[u8], Protocol); 11] = [
            (&[], Protocol::Other),
            (&[0x80], Protocol::Rtp),
            (&[0, 1], Protocol::Handshake),
            (&[22, 254], Protocol::Handshake),
            (&[64, 0], Protocol::Other),
            (&[127, 200], Protocol::Other),
            (&[0x80, 0], Protocol::Rtp),
            (&[0x80, 0x80 | 63], Protocol::Rtp),
            (&[0x80, 0x80 | 101], Protocol::Rtp),
            (&[0x81, 200], Protocol::Rtcp),
            (&[192, 200], Protocol::Other),
        ];
        for (datagram, expected) in cases {
            assert_eq!(protocol(datagram), expected, "{datagram:?}");
        }
    }
}
