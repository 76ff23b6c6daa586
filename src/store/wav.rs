//! WAV files: what `--play` and `transcribe` read and `--record` writes.
//!
//! Microsoft's RIFF WAVE: 16-bit PCM, mu-law or A-law, one or two channels, 8 to 48 kHz. A file
//! that ends before its header says so is read as far as it goes; the reader says that it was cut.

use std::ops::RangeInclusive;

use crate::codec::g711::Law;

/// Rates that are read: those that the resampler takes.
const RATES_HZ: RangeInclusive<u32> = 8_000..=48_000;

/// Sound as a file has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Wav {
    pub rate_hz: u32,
    /// 1 or 2.
    pub channels: u16,
    /// The channels' samples in turn.
    pub samples: Vec<i16>,
    /// The file ends before all the sound that its header announces.
    pub is_cut: bool,
}

/// Which channel of a file with two is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Channel {
    /// The mean of both.
    #[default]
    Both,
    Left,
    Right,
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    #[error("not a WAV file")]
    NotWav,
    #[error("the WAV file ends before its sound begins")]
    Headless,
    #[error("neither PCM of 16 bit nor mu-law nor A-law (format {format}, {bits} bit)")]
    Coding { format: u16, bits: u16 },
    #[error("{0} channels; one or two are read")]
    Channels(u16),
    #[error("{0} Hz; 8000 to 48000 Hz are read")]
    Rate(u32),
    #[error("no sound in it")]
    Empty,
}

const PCM: u16 = 1;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
/// The true format stands in the extension.
const EXTENSIBLE: u16 = 0xfffe;

#[derive(Clone, Copy)]
enum Coding {
    Pcm16,
    G711(Law),
}

struct Format {
    rate_hz: u32,
    channels: u16,
    coding: Coding,
}

/// Reads a file's bytes. A length of 0xffffffff, as in a stream, counts as all there is.
pub fn read(bytes: &[u8]) -> Result<Wav, WavError> {
    let (head, mut rest) = bytes.split_at_checked(12).ok_or(WavError::NotWav)?;
    if !head.starts_with(b"RIFF") || !head.ends_with(b"WAVE") {
        return Err(WavError::NotWav);
    }
    let mut format = None;
    while let Some((chunk, after)) = rest.split_at_checked(8) {
        let (name, length) = chunk.split_at(4);
        let open = word(length).ok_or(WavError::Headless)?;
        let length = open as usize;
        let content = after.get(..length).unwrap_or(after);
        match name {
            b"fmt " => format = Some(read_format(content)?),
            b"data" => {
                let format = format.ok_or(WavError::Headless)?;
                let is_cut = content.len() < length && open != u32::MAX;
                return read_sound(&format, content, is_cut);
            }
            _ => (),
        }
        // Chunks begin at even places.
        rest = after.get(length.saturating_add(length % 2)..).unwrap_or_default();
    }
    Err(WavError::Headless)
}

fn read_sound(format: &Format, content: &[u8], is_cut: bool) -> Result<Wav, WavError> {
    let mut samples: Vec<i16> = match format.coding {
        Coding::Pcm16 => {
            content.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
        }
        Coding::G711(law) => content.iter().map(|code| law.decode(*code)).collect(),
    };
    samples.truncate(samples.len() - samples.len() % usize::from(format.channels));
    if samples.is_empty() {
        return Err(WavError::Empty);
    }
    Ok(Wav { rate_hz: format.rate_hz, channels: format.channels, samples, is_cut })
}

fn read_format(content: &[u8]) -> Result<Format, WavError> {
    let short = |at: usize| Some(u16::from_le_bytes(content.get(at..at + 2)?.try_into().ok()?));
    let field = |at: usize| short(at).ok_or(WavError::Headless);
    let (tag, bits) = (field(0)?, field(14)?);
    let tag = if tag == EXTENSIBLE { field(24)? } else { tag };
    let coding = match (tag, bits) {
        (PCM, 16) => Coding::Pcm16,
        (A_LAW, 8) => Coding::G711(Law::A),
        (MU_LAW, 8) => Coding::G711(Law::Mu),
        (format, bits) => return Err(WavError::Coding { format, bits }),
    };
    let channels = field(2)?;
    if !(1..=2).contains(&channels) {
        return Err(WavError::Channels(channels));
    }
    let rate_hz = content.get(4..8).and_then(word).ok_or(WavError::Headless)?;
    if !RATES_HZ.contains(&rate_hz) {
        return Err(WavError::Rate(rate_hz));
    }
    Ok(Format { rate_hz, channels, coding })
}

fn word(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_le_bytes)
}

impl Wav {
    /// One channel of it.
    pub fn into_mono(self, channel: Channel) -> Vec<i16> {
        if self.channels == 1 {
            return self.samples;
        }
        let pairs = self.samples.as_chunks::<2>().0.iter();
        pairs
            .map(|&[left, right]| match channel {
                Channel::Both => i16::midpoint(left, right),
                Channel::Left => left,
                Channel::Right => right,
            })
            .collect()
    }
}

/// A stereo file of two tracks; the shorter one is filled with silence.
pub fn stereo(rate_hz: u32, left: &[i16], right: &[i16]) -> Vec<u8> {
    let length = left.len().max(right.len());
    let mut file = head(rate_hz, 2, length);
    for at in 0..length {
        for track in [left, right] {
            file.extend(track.get(at).copied().unwrap_or(0).to_le_bytes());
        }
    }
    file
}

/// A file of one track.
pub fn mono(rate_hz: u32, track: &[i16]) -> Vec<u8> {
    let mut file = head(rate_hz, 1, track.len());
    file.extend(track.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// What stands before so many samples of each channel.
fn head(rate_hz: u32, channels: u16, length: usize) -> Vec<u8> {
    let block = 2 * channels;
    let sound = length * usize::from(block);
    let bytes = u32::try_from(sound).unwrap_or(u32::MAX);
    let mut file = Vec::with_capacity(44 + sound);
    file.extend(b"RIFF");
    file.extend(bytes.saturating_add(36).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend(PCM.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate_hz.to_le_bytes());
    file.extend((rate_hz * u32::from(block)).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Format tag, channels, rate, bits, then the sound under an announced length.
    fn file(
        tag: u16,
        channels: u16,
        rate_hz: u32,
        bits: u16,
        length: u32,
        sound: &[u8],
    ) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVE".to_vec();
        file.extend(b"LIST\x03\0\0\0abc\0");
        file.extend(b"fmt \x10\0\0\0");
        file.extend(tag.to_le_bytes());
        file.extend(channels.to_le_bytes());
        file.extend(rate_hz.to_le_bytes());
        file.extend([0; 6]);
        file.extend(bits.to_le_bytes());
        file.extend(b"data");
        file.extend(length.to_le_bytes());
        file.extend(sound);
        file
    }

    fn pcm(rate_hz: u32, channels: u16, bits: u16, samples: &[i16]) -> Vec<u8> {
        let sound: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        file(PCM, channels, rate_hz, bits, u32::MAX, &sound)
    }

    #[test]
    fn a_file_with_other_chunks_and_an_open_length_is_read() {
        let wav = read(&pcm(44_100, 1, 16, &[1, -2, 300]));
        let samples = vec![1, -2, 300];
        assert_eq!(wav, Ok(Wav { rate_hz: 44_100, channels: 1, samples, is_cut: false }));
    }

    #[test]
    fn two_channels_become_the_one_that_is_wanted() {
        for (channel, heard) in
            [(Channel::Both, [150, -30]), (Channel::Left, [100, -20]), (Channel::Right, [200, -40])]
        {
            let wav = read(&pcm(8_000, 2, 16, &[100, 200, -20, -40, 7])).unwrap();
            assert_eq!(wav.into_mono(channel), heard);
        }
    }

    #[test]
    fn g711_is_read_with_its_tag_or_with_an_extension() {
        let loud = |tag| read(&file(tag, 1, 8_000, 8, 2, &[0x80, 0x2a])).unwrap().samples;
        assert_eq!(loud(MU_LAW), [Law::Mu.decode(0x80), Law::Mu.decode(0x2a)]);
        assert_eq!(loud(A_LAW), [Law::A.decode(0x80), Law::A.decode(0x2a)]);
        let mut extended = pcm(8_000, 1, 16, &[5]);
        let at = extended.windows(4).position(|four| four == b"fmt ").unwrap();
        extended[at + 4] = 40;
        extended.splice(at + 8..at + 10, EXTENSIBLE.to_le_bytes());
        let mut extension = [0; 24];
        extension[8] = 1;
        extended.splice(at + 24..at + 24, extension);
        assert_eq!(read(&extended).unwrap().samples, [5]);
    }

    #[test]
    fn a_file_that_was_cut_off_is_read_as_far_as_it_goes() {
        let whole = file(PCM, 2, 8_000, 16, 12, &[1; 12]);
        assert!(!read(&whole).unwrap().is_cut);
        let cut = read(&whole[..whole.len() - 5]).unwrap();
        assert_eq!((cut.samples.len(), cut.is_cut), (2, true));
    }

    #[test]
    fn what_is_not_ours_is_refused_without_a_panic() {
        for (bytes, error) in [
            (pcm(96_000, 1, 16, &[1]), WavError::Rate(96_000)),
            (pcm(8_000, 6, 16, &[1]), WavError::Channels(6)),
            (pcm(8_000, 0, 16, &[1]), WavError::Channels(0)),
            (pcm(8_000, 1, 24, &[1]), WavError::Coding { format: PCM, bits: 24 }),
            (file(3, 1, 8_000, 32, 4, &[0; 4]), WavError::Coding { format: 3, bits: 32 }),
            (pcm(8_000, 1, 16, &[]), WavError::Empty),
            (b"RIFX".to_vec(), WavError::NotWav),
            (b"RIFF\0\0\0\0WAVE".to_vec(), WavError::Headless),
        ] {
            assert_eq!(read(&bytes), Err(error));
        }
        let whole = pcm(8_000, 1, 16, &[1]);
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
