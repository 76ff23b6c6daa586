//! A WAV file as frames of 16 kHz, resampled as it goes: an hour of sound takes its file's memory
//! and no more.

use std::path::{Path, PathBuf};

use crate::base::limits;
use crate::base::pcm::{FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};
use crate::codec::Resampler;
use crate::store::bounded::{self, ReadError};
use crate::store::wav::{self, Channel, WavError};

/// Samples of the file that are resampled at a time.
const CHUNK_SAMPLES: usize = 4_800;

/// Why a file has no sound for us.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordingError {
    #[error("{}", path.display())]
    Unreadable { path: PathBuf, source: ReadError },
    #[error("{}", path.display())]
    Wav { path: PathBuf, source: WavError },
}

/// One channel of a file.
#[derive(Debug)]
pub(super) struct Recording {
    rate_hz: u32,
    is_cut: bool,
    samples: Vec<i16>,
}

impl Recording {
    pub(super) fn open(path: &Path, channel: Channel) -> Result<Self, RecordingError> {
        let path = path.to_path_buf();
        let bytes = match bounded::bytes(&path, limits::RECORDING_BYTES) {
            Ok(bytes) => bytes,
            Err(source) => return Err(RecordingError::Unreadable { path, source }),
        };
        match wav::read(&bytes) {
            Ok(wav) => {
                let (rate_hz, is_cut) = (wav.rate_hz, wav.is_cut);
                Ok(Self { rate_hz, is_cut, samples: wav.into_mono(channel) })
            }
            Err(source) => Err(RecordingError::Wav { path, source }),
        }
    }

    pub(super) fn duration_ms(&self) -> u64 {
        self.samples.len() as u64 * 1_000 / u64::from(self.rate_hz)
    }

    /// The file ends before its sound does.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Tells recordings apart: FNV-1a over the samples.
    pub(super) fn fingerprint(&self) -> u64 {
        let step = |hash: u64, sample: &i16| {
            (hash ^ u64::from(sample.cast_unsigned())).wrapping_mul(0x0100_0000_01b3)
        };
        self.samples.iter().fold(0xcbf2_9ce4_8422_2325, step)
    }

    /// Its frames; the last one is filled with silence.
    pub(super) fn into_frames(self) -> impl Iterator<Item = Frame> {
        let resampler =
            (self.rate_hz != SAMPLE_RATE_HZ).then(|| Resampler::new(self.rate_hz, SAMPLE_RATE_HZ));
        Frames { samples: self.samples, taken: 0, resampler, ready: Vec::new(), given: 0 }
    }
}

struct Frames {
    samples: Vec<i16>,
    taken: usize,
    resampler: Option<Resampler>,
    /// Samples at 16 kHz, of which so many are given away.
    ready: Vec<i16>,
    given: usize,
}

impl Frames {
    /// Makes more samples ready; false at the end of the file.
    fn refill(&mut self) -> bool {
        let rest = self.samples.get(self.taken..).unwrap_or_default();
        let chunk = rest.get(..CHUNK_SAMPLES).unwrap_or(rest);
        if chunk.is_empty() {
            return false;
        }
        self.taken += chunk.len();
        self.ready.drain(..self.given);
        self.given = 0;
        match &mut self.resampler {
            None => self.ready.extend_from_slice(chunk),
            Some(resampler) => {
                let before = self.ready.len();
                self.ready.resize(before + resampler.max_output(chunk.len()), 0);
                let out = self.ready.get_mut(before..).unwrap_or_default();
                let written = resampler.process(chunk, out);
                self.ready.truncate(before + written);
            }
        }
        true
    }
}

impl Iterator for Frames {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        while self.ready.len() - self.given < FRAME_SAMPLES && self.refill() {}
        let rest = self.ready.get(self.given..).unwrap_or_default();
        if rest.is_empty() {
            return None;
        }
        let mut frame = Frame::SILENCE;
        for (to, from) in frame.0.iter_mut().zip(rest) {
            *to = *from;
        }
        self.given += rest.len().min(FRAME_SAMPLES);
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(rate_hz: u32, samples: Vec<i16>) -> Recording {
        Recording { rate_hz, is_cut: false, samples }
    }

    #[test]
    fn every_usual_rate_becomes_as_long_as_it_was() {
        for rate_hz in [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 47_999] {
            let second = recording(rate_hz, vec![0; rate_hz as usize]);
            assert_eq!(second.duration_ms(), 1_000);
            let frames = second.into_frames().count();
            assert!((50..=51).contains(&frames), "{rate_hz}: {frames}");
        }
    }

    #[test]
    fn the_samples_keep_their_order_and_the_last_frame_is_filled_up() {
        let samples: Vec<i16> = (0..1_000).collect();
        let frames: Vec<Frame> = recording(16_000, samples.clone()).into_frames().collect();
        let all: Vec<i16> = frames.iter().flat_map(|frame| frame.0).collect();
        assert_eq!((all.len(), &all[..1_000]), (1_280, &samples[..]));
        assert!(all[1_000..].iter().all(|sample| *sample == 0));
    }
}
