//! What the bytes of a binary frame are, and the way to the 20 ms frames inside.
//!
//! A message may be of any length and end within a sample: what is left over waits for the next one.

use serde::{Deserialize, Serialize};

use crate::base::pcm::{FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};
use crate::codec::Resampler;
use crate::codec::g711::Law;

/// Samples that are converted in one go: 20 ms at 16 kHz.
const CHUNK: usize = FRAME_SAMPLES;

/// How a sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// 16 bit, little-endian.
    Pcm16,
    /// G.711.
    #[serde(alias = "ulaw")]
    MuLaw,
}

/// What a client sends and gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    encoding: Encoding,
    rate_hz: u32,
}

impl Format {
    /// `None` for a pair that there is not: 16-bit samples come at 8000 or 16000 Hz, mu-law at 8000.
    pub const fn new(encoding: Encoding, rate_hz: u32) -> Option<Self> {
        match (encoding, rate_hz) {
            (Encoding::Pcm16, 8_000 | 16_000) | (Encoding::MuLaw, 8_000) => {
                Some(Self { encoding, rate_hz })
            }
            _ => None,
        }
    }

    pub const fn encoding(self) -> Encoding {
        self.encoding
    }

    /// Samples a second.
    pub const fn rate_hz(self) -> u32 {
        self.rate_hz
    }

    const fn sample_bytes(self) -> usize {
        match self.encoding {
            Encoding::Pcm16 => 2,
            Encoding::MuLaw => 1,
        }
    }

    /// Bytes of a millisecond.
    pub const fn bytes_per_ms(self) -> usize {
        self.rate_hz as usize / 1_000 * self.sample_bytes()
    }

    fn resampler(self, from_hz: u32, to_hz: u32) -> Option<Resampler> {
        (self.rate_hz != SAMPLE_RATE_HZ).then(|| Resampler::new(from_hz, to_hz))
    }
}

/// Bytes of one client to frames.
pub struct Reader {
    format: Format,
    /// The first half of a sample.
    odd: Option<u8>,
    to_16_khz: Option<Resampler>,
    /// Samples at 16 kHz that do not fill a frame yet.
    held: Vec<i16>,
}

impl Reader {
    pub fn new(format: Format) -> Self {
        Self {
            format,
            odd: None,
            to_16_khz: format.resampler(format.rate_hz, SAMPLE_RATE_HZ),
            held: Vec::with_capacity(2 * FRAME_SAMPLES),
        }
    }

    /// Takes a message and gives the frames that are full.
    pub fn read(&mut self, bytes: &[u8], mut take: impl FnMut(Frame)) {
        let samples = self.samples(bytes);
        for chunk in samples.chunks(CHUNK) {
            match &mut self.to_16_khz {
                None => self.held.extend_from_slice(chunk),
                Some(resampler) => {
                    let mut wide = [0; 2 * CHUNK];
                    let count = resampler.process(chunk, &mut wide);
                    self.held.extend_from_slice(wide.get(..count).unwrap_or_default());
                }
            }
            while let Some((frame, rest)) = self.held.split_first_chunk::<FRAME_SAMPLES>() {
                take(Frame(*frame));
                let rest = rest.len();
                self.held.copy_within(FRAME_SAMPLES.., 0);
                self.held.truncate(rest);
            }
        }
    }

    /// What is left of a frame, with silence after it.
    pub fn flush(&mut self) -> Option<Frame> {
        self.odd = None;
        if self.held.is_empty() {
            return None;
        }
        let mut frame = Frame::SILENCE;
        for (sample, &held) in frame.0.iter_mut().zip(&self.held) {
            *sample = held;
        }
        self.held.clear();
        Some(frame)
    }

    /// Throws away what is left of a frame.
    pub fn clear(&mut self) {
        self.odd = None;
        self.held.clear();
    }

    fn samples(&mut self, bytes: &[u8]) -> Vec<i16> {
        match self.format.encoding {
            Encoding::MuLaw => bytes.iter().map(|&code| Law::Mu.decode(code)).collect(),
            Encoding::Pcm16 => {
                let mut samples = Vec::with_capacity(bytes.len() / 2 + 1);
                let mut bytes = bytes.iter().copied();
                while let Some(low) = self.odd.take().or_else(|| bytes.next()) {
                    match bytes.next() {
                        Some(high) => samples.push(i16::from_le_bytes([low, high])),
                        None => {
                            self.odd = Some(low);
                            break;
                        }
                    }
                }
                samples
            }
        }
    }
}

/// Frames to bytes for one client.
pub struct Writer {
    format: Format,
    from_16_khz: Option<Resampler>,
}

impl Writer {
    pub fn new(format: Format) -> Self {
        Self { format, from_16_khz: format.resampler(SAMPLE_RATE_HZ, format.rate_hz) }
    }

    /// 20 ms as a message.
    pub fn write(&mut self, frame: &Frame) -> Vec<u8> {
        let mut narrow = [0; CHUNK];
        let samples = match &mut self.from_16_khz {
            None => &frame.0[..],
            Some(resampler) => {
                let count = resampler.process(&frame.0, &mut narrow);
                narrow.get(..count).unwrap_or_default()
            }
        };
        match self.format.encoding {
            Encoding::MuLaw => samples.iter().map(|&sample| Law::Mu.encode(sample)).collect(),
            Encoding::Pcm16 => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Format; 3] = [
        Format { encoding: Encoding::Pcm16, rate_hz: 16_000 },
        Format { encoding: Encoding::Pcm16, rate_hz: 8_000 },
        Format { encoding: Encoding::MuLaw, rate_hz: 8_000 },
    ];

    fn tone(ms: usize) -> Vec<Frame> {
        let mut at = 0.0_f32;
        let mut next = || {
            at += std::f32::consts::TAU * 440.0 / 16_000.0;
            (at.sin() * 8_000.0) as i16
        };
        (0..ms / 20).map(|_| Frame(std::array::from_fn(|_| next()))).collect()
    }

    #[test]
    fn the_pairs_that_there_are() {
        for (encoding, rate_hz, fits) in [
            (Encoding::Pcm16, 8_000, true),
            (Encoding::Pcm16, 16_000, true),
            (Encoding::Pcm16, 48_000, false),
            (Encoding::MuLaw, 8_000, true),
            (Encoding::MuLaw, 16_000, false),
            (Encoding::Pcm16, 0, false),
        ] {
            assert_eq!(Format::new(encoding, rate_hz).is_some(), fits, "{encoding:?} {rate_hz}");
        }
        assert_eq!(ALL.map(Format::bytes_per_ms), [32, 16, 8]);
    }

    #[test]
    fn sound_comes_back_whole_however_it_was_cut() {
        for format in ALL {
            let sent = tone(1_000);
            let mut writer = Writer::new(format);
            let bytes: Vec<u8> = sent.iter().flat_map(|frame| writer.write(frame)).collect();
            assert_eq!(bytes.len(), 1_000 * format.bytes_per_ms(), "{format:?}");
            for cut in [1, 7, 160, 333, 640, 6_400, 40_000] {
                let mut reader = Reader::new(format);
                let mut got = Vec::new();
                for piece in bytes.chunks(cut) {
                    reader.read(piece, |frame| got.push(frame));
                }
                assert_eq!(got.len(), 50, "{format:?} in pieces of {cut}");
                assert_eq!(reader.flush(), None);
                let level = got[25].level_dbfs() - sent[25].level_dbfs();
                assert!(level.abs() < 0.3, "{format:?}: {level} dB");
                if format == ALL[0] {
                    assert!(got == sent, "plain samples are the same");
                }
            }
        }
    }

    #[test]
    fn the_rest_of_a_frame_is_filled_with_silence_or_forgotten() {
        let mut reader = Reader::new(ALL[0]);
        let mut none = |_| panic!("no whole frame");
        reader.read(&[1, 0, 2, 0, 9], &mut none);
        let frame = reader.flush().unwrap();
        assert_eq!(frame.0[..3], [1, 2, 0]);
        reader.read(&[1, 0, 2], &mut none);
        reader.clear();
        assert_eq!(reader.flush(), None);
    }
}
