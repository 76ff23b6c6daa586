//! What can be told from a payload without decoding it: its duration, and whether it carries a
//! copy of the frame before (RFC 6716 section 3.1, RFC 7587).

use super::Codec;
use super::g711::Law;

/// PCM samples at `Codec::sample_rate_hz` in a payload, or `None` if it is empty or not of the
/// codec. RT safe.
pub fn samples_in(codec: Codec, payload: &[u8]) -> Option<usize> {
    if payload.is_empty() {
        return None;
    }
    match codec {
        Codec::Pcmu | Codec::Pcma => Some(payload.len()),
        Codec::G722 => Some(payload.len() * 2),
        Codec::Opus => opus_samples(payload),
        Codec::L16 => payload.len().is_multiple_of(2).then_some(payload.len() / 2),
    }
}

/// The same in RTP timestamp units. RT safe.
pub fn rtp_time_in(codec: Codec, payload: &[u8]) -> Option<u32> {
    let samples = u64::try_from(samples_in(codec, payload)?).ok()?;
    let units = samples * u64::from(codec.clock_rate_hz()) / u64::from(codec.sample_rate_hz());
    u32::try_from(units).ok()
}

/// The packet duration nearest below `wanted_ms` that the codec has: 10 to 60 ms in tens, without
/// 30 and 50 for Opus (RFC 6716 section 2.1.4); 20 at most for L16, whose longer ones fit no datagram
/// of Ethernet's. RT safe.
pub const fn packet_ms(codec: Codec, wanted_ms: u64) -> u64 {
    let tens = match wanted_ms / 10 {
        0 => 1,
        1..=6 => wanted_ms / 10,
        _ => 6,
    };
    match (codec, tens) {
        (Codec::Opus, 3) => 20,
        (Codec::Opus, 5) => 40,
        (Codec::L16, 2..) => 20,
        _ => tens * 10,
    }
}

/// Writes a payload of silence and returns its bytes, 0 if `out` is too small: for keeping a path
/// open without an encoder's state. The duration is `duration_ms`, with Opus 10 or 20 ms.
/// RT safe.
pub fn fill_silence(codec: Codec, duration_ms: u64, out: &mut [u8]) -> usize {
    let bytes_per_ms = if matches!(codec, Codec::L16) { 32 } else { 8 };
    let count = usize::try_from(duration_ms).unwrap_or(usize::MAX).saturating_mul(bytes_per_ms);
    let code = match codec {
        Codec::Pcmu => Law::Mu.silence(),
        Codec::Pcma => Law::A.silence(),
        // The smallest step of both bands.
        Codec::G722 => 0xFD,
        Codec::L16 => 0,
        Codec::Opus => return fill_opus_silence(duration_ms, out),
    };
    let Some(out) = out.get_mut(..count) else { return 0 };
    out.fill(code);
    count
}

/// A CELT frame of nothing, fullband, mono.
fn fill_opus_silence(duration_ms: u64, out: &mut [u8]) -> usize {
    let toc = if duration_ms < 20 { 0xF0 } else { 0xF8 };
    let Some(out) = out.get_mut(..3) else { return 0 };
    out.copy_from_slice(&[toc, 0xFF, 0xFE]);
    3
}

/// Samples at 16 kHz from the table of contents byte.
fn opus_samples(payload: &[u8]) -> Option<usize> {
    let toc = *payload.first()?;
    let frames = match toc & 0x03 {
        0 => 1,
        1 | 2 => 2,
        _ => usize::from(payload.get(1)? & 0x3F),
    };
    let samples = frames * opus_frame_samples(toc);
    (1..=super::MAX_PACKET_SAMPLES).contains(&samples).then_some(samples)
}

fn opus_frame_samples(toc: u8) -> usize {
    match (toc >> 3, (toc >> 3) & 0x03) {
        // SILK: 10, 20, 40, 60 ms.
        (0..=11, step) => [160, 320, 640, 960][usize::from(step)],
        // Hybrid: 10, 20 ms.
        (12..=15, step) => [160, 320][usize::from(step & 1)],
        // CELT: 2.5, 5, 10, 20 ms.
        (_, step) => [40, 80, 160, 320][usize::from(step)],
    }
}

/// Whether the Opus payload holds a copy of the frame before it (RFC 6716 section 4.2.4). Payloads
/// of more than two frames are not looked into: nobody sends the copy in them.
pub(super) fn has_redundant_copy(payload: &[u8]) -> bool {
    let Some(&toc) = payload.first() else { return false };
    let is_celt = toc & 0x80 != 0;
    let first_frame_at = match toc & 0x03 {
        0 | 1 => 1,
        2 if payload.get(1).is_some_and(|&length| length >= 252) => 3,
        2 => 2,
        _ => return false,
    };
    let Some(&flags) = payload.get(first_frame_at) else { return false };
    // One voice flag for each 20 ms of the SILK frame, then the flag for the copy.
    let voice_flags = (opus_frame_samples(toc) / 320).max(1);
    !is_celt && (flags >> (7 - voice_flags)) & 1 == 1
}
