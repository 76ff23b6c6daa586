//! A recording of ours as samples again: 16 kHz, one channel.

use std::io::{self, Cursor};

use ogg::PacketReader;

use super::Recording;
use crate::base::limits;
use crate::base::pcm::SAMPLE_RATE_HZ;

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;
/// Head and tags (RFC 7845 section 5).
const HEADERS: usize = 2;
/// Samples of the longest packet of Opus, 120 ms.
const PACKET_SAMPLES: usize = SAMPLE_RATE_HZ as usize * 12 / 100;

/// The sound of a message; what was cut off is heard up to its last whole page.
///
/// # Errors
/// The disk fails, it is longer than a message may be, or it is no recording of ours.
pub fn decode(recording: &Recording) -> io::Result<Vec<i16>> {
    let length = usize::try_from(recording.bytes()).unwrap_or(usize::MAX);
    if length > limits::VOICEMAIL_BYTES {
        return Err(io::Error::other("it is longer than a message may be"));
    }
    let mut bytes = Vec::with_capacity(length);
    loop {
        let piece = recording.read_at(bytes.len() as u64, PIECE)?;
        if piece.is_empty() {
            break;
        }
        bytes.extend(piece);
    }
    let mut opus =
        ::opus::Decoder::new(SAMPLE_RATE_HZ, ::opus::Channels::Mono).map_err(io::Error::other)?;
    let mut packets = PacketReader::new(Cursor::new(bytes));
    let mut samples = Vec::new();
    let mut skip = 0;
    let mut number = 0;
    // An end in the middle of a page is where the power went.
    while let Ok(Some(packet)) = packets.read_packet() {
        if number == 0 {
            skip = pre_skip(&packet.data).ok_or_else(|| io::Error::other("it is no Opus"))?;
        }
        if number >= HEADERS {
            let mut sound = [0; PACKET_SAMPLES];
            let decoded = opus.decode(&packet.data, &mut sound, false).map_err(io::Error::other)?;
            samples.extend(sound.iter().take(decoded));
        }
        number += 1;
    }
    samples.drain(..skip.min(samples.len()));
    Ok(samples)
}

/// Samples of ours before the sound begins; the head counts them at 48 kHz.
fn pre_skip(head: &[u8]) -> Option<usize> {
    let rest = head.strip_prefix(b"OpusHead")?;
    let skip = u16::from_le_bytes([*rest.get(2)?, *rest.get(3)?]);
    Some(usize::from(skip) * SAMPLE_RATE_HZ as usize / 48_000)
}
