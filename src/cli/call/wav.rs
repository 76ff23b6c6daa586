//! WAV files of 16-bit PCM: what `--play` reads and `--record` writes.

/// Sound as a file has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wav {
    pub rate_hz: u32,
    /// One channel.
    pub samples: Vec<i16>,
}

/// Why a file cannot be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WavError {
    #[error("not a WAV file")]
    NotWav,
    #[error("not mono PCM of 16 bit at 8, 16 or 48 kHz")]
    Format,
    #[error("no sound in it")]
    Empty,
}

const PCM: u16 = 1;
/// PCM as well, where the format has an extension.
const EXTENSIBLE: u16 = 0xfffe;

/// Reads a file's bytes. A length of more than there is, as in a stream, counts as all there is.
pub(super) fn read(bytes: &[u8]) -> Result<Wav, WavError> {
    let (head, mut rest) = bytes.split_at_checked(12).ok_or(WavError::NotWav)?;
    if !head.starts_with(b"RIFF") || !head.ends_with(b"WAVE") {
        return Err(WavError::NotWav);
    }
    let mut rate_hz = None;
    while let Some((chunk, after)) = rest.split_at_checked(8) {
        let (name, length) = chunk.split_at(4);
        let length = word(length).ok_or(WavError::NotWav)? as usize;
        let content = after.get(..length).unwrap_or(after);
        match name {
            b"fmt " => rate_hz = Some(format(content).ok_or(WavError::Format)?),
            b"data" => {
                let rate_hz = rate_hz.ok_or(WavError::NotWav)?;
                let pairs = content.chunks_exact(2);
                let sample = |pair: &[u8]| pair.try_into().map_or(0, i16::from_le_bytes);
                let samples: Vec<i16> = pairs.map(sample).collect();
                return match samples.is_empty() {
                    true => Err(WavError::Empty),
                    false => Ok(Wav { rate_hz, samples }),
                };
            }
            _ => (),
        }
        // Chunks begin at even places.
        rest = after.get(length.saturating_add(length % 2)..).unwrap_or_default();
    }
    Err(WavError::NotWav)
}

/// The rate, if the format is one that we play.
fn format(content: &[u8]) -> Option<u32> {
    let short = |at: usize| Some(u16::from_le_bytes(content.get(at..at + 2)?.try_into().ok()?));
    let rate_hz = word(content.get(4..8)?)?;
    let is_pcm = matches!(short(0)?, PCM | EXTENSIBLE);
    let fits = is_pcm && short(2)? == 1 && short(14)? == 16;
    (fits && [8_000, 16_000, 48_000].contains(&rate_hz)).then_some(rate_hz)
}

fn word(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_le_bytes)
}

/// A stereo file of two tracks; the shorter one is filled with silence.
pub(super) fn stereo(rate_hz: u32, left: &[i16], right: &[i16]) -> Vec<u8> {
    let length = left.len().max(right.len());
    let bytes = u32::try_from(length * 4).unwrap_or(u32::MAX);
    let mut file = Vec::with_capacity(44 + length * 4);
    file.extend(b"RIFF");
    file.extend(bytes.saturating_add(36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(PCM.to_le_bytes());
    file.extend(2_u16.to_le_bytes());
    file.extend(rate_hz.to_le_bytes());
    file.extend((rate_hz * 4).to_le_bytes());
    file.extend(4_u16.to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    for at in 0..length {
        for track in [left, right] {
            file.extend(track.get(at).copied().unwrap_or(0).to_le_bytes());
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mono(rate_hz: u32, channels: u16, bits: u16, samples: &[i16]) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVE".to_vec();
        file.extend(b"LIST\x03\0\0\0abc\0");
        file.extend(b"fmt \x10\0\0\0\x01\0");
        file.extend(channels.to_le_bytes());
        file.extend(rate_hz.to_le_bytes());
        file.extend([0; 6]);
        file.extend(bits.to_le_bytes());
        file.extend(b"data\xff\xff\xff\xff");
        file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        file
    }

    #[test]
    fn a_file_with_other_chunks_and_an_open_length_is_read() {
        let wav = read(&mono(8_000, 1, 16, &[1, -2, 300]));
        assert_eq!(wav, Ok(Wav { rate_hz: 8_000, samples: vec![1, -2, 300] }));
    }

    #[test]
    fn what_is_not_ours_is_refused_without_a_panic() {
        for (bytes, error) in [
            (mono(44_100, 1, 16, &[1]), WavError::Format),
            (mono(8_000, 2, 16, &[1]), WavError::Format),
            (mono(8_000, 1, 8, &[1]), WavError::Format),
            (mono(8_000, 1, 16, &[]), WavError::Empty),
            (b"RIFX".to_vec(), WavError::NotWav),
        ] {
            assert_eq!(read(&bytes), Err(error));
        }
        let whole = mono(8_000, 1, 16, &[1]);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_recording_has_both_tracks_side_by_side() {
        let file = stereo(16_000, &[1, 2], &[-1]);
        assert_eq!(file.len(), 44 + 8);
        assert_eq!(file[44..], [1, 0, 0xff, 0xff, 2, 0, 0, 0]);
    }
}
