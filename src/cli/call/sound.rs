//! What our turns sound like: text through espeak-ng, files, made ready before the call so that no
//! gap contains the making.

use std::path::PathBuf;

use super::arguments::Act;
use super::talk::SOUND_DBFS;
use crate::base::limits;
use crate::base::pcm::{FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};
use crate::cli::wav::{self, Channel, WavError};
use crate::codec::Resampler;
use crate::speech::espeak::{Espeak, EspeakError};
use crate::speech::flite::Flow;
use crate::store::bounded::{self, ReadError};

/// Frames that are kept around the sound, so that no attack and no end is cut.
const MARGIN: usize = 2;
/// Longest turn: ten minutes.
const FRAMES: usize = 30_000;

/// A turn that is ready to be made.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ready {
    Sound(Spoken),
    Keys(String),
}

/// An utterance in frames.
#[derive(Clone, PartialEq)]
pub(super) struct Spoken {
    pub frames: Vec<Frame>,
    /// The first and the last frame with sound.
    pub first: usize,
    pub last: usize,
}

impl std::fmt::Debug for Spoken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Spoken({} frames)", self.frames.len())
    }
}

/// Why a turn cannot be made ready.
#[derive(Debug, thiserror::Error)]
pub(super) enum SoundError {
    #[error("--say needs the program espeak-ng, which cannot be run")]
    NoEspeak,
    #[error("--say")]
    Espeak(#[from] EspeakError),
    #[error("--say {text:?}: nothing of it can be spoken")]
    Unspeakable { text: String },
    #[error("--play {path}")]
    Unreadable { path: PathBuf, source: ReadError },
    #[error("--play {path}")]
    Wav { path: PathBuf, source: WavError },
    #[error("--play {path}: all of it is silent")]
    Silent { path: PathBuf },
}

/// Makes turns ready.
#[derive(Debug)]
pub(super) struct Studio<'a> {
    pub voice: &'a str,
    pub words_per_minute: u16,
}

impl Studio<'_> {
    pub(super) fn prepare(&self, act: &Act) -> Result<Ready, SoundError> {
        match act {
            Act::Press(keys) => Ok(Ready::Keys(keys.clone())),
            Act::Say(text) => {
                let unspeakable = || SoundError::Unspeakable { text: text.clone() };
                Ok(Ready::Sound(trimmed(&self.say(text)?).ok_or_else(unspeakable)?))
            }
            Act::Play(path) => {
                let path = path.clone();
                let bytes = match bounded::bytes(&path, limits::RECORDING_BYTES) {
                    Ok(bytes) => bytes,
                    Err(source) => return Err(SoundError::Unreadable { path, source }),
                };
                match wav::read(&bytes) {
                    Ok(wav) => trimmed(&at_16_khz(wav.rate_hz, wav.into_mono(Channel::Both)))
                        .map(Ready::Sound)
                        .ok_or(SoundError::Silent { path }),
                    Err(source) => Err(SoundError::Wav { path, source }),
                }
            }
        }
    }

    fn say(&self, text: &str) -> Result<Vec<i16>, SoundError> {
        let espeak = Espeak::find().ok_or(SoundError::NoEspeak)?.at_pace(self.words_per_minute);
        let mut samples = Vec::new();
        let mut keep = |more: &[i16]| {
            samples.extend_from_slice(more);
            Flow::Continue
        };
        espeak.speak(self.voice, text, &mut keep)?;
        Ok(samples)
    }
}

fn at_16_khz(rate_hz: u32, samples: Vec<i16>) -> Vec<i16> {
    if rate_hz == SAMPLE_RATE_HZ {
        return samples;
    }
    let mut resampler = Resampler::new(rate_hz, SAMPLE_RATE_HZ);
    let mut out = vec![0; resampler.max_output(samples.len())];
    let count = resampler.process(&samples, &mut out);
    out.truncate(count);
    out
}

/// The sound in frames, without the silence before and after it; `None` if all is silence.
fn trimmed(samples: &[i16]) -> Option<Spoken> {
    let frame = |samples: &[i16]| {
        let mut frame = Frame::SILENCE;
        for (to, from) in frame.0.iter_mut().zip(samples) {
            *to = *from;
        }
        frame
    };
    let frames: Vec<Frame> = samples.chunks(FRAME_SAMPLES).take(FRAMES).map(frame).collect();
    let sounds = |frame: &Frame| frame.level_dbfs() >= SOUND_DBFS;
    let (first, last) = (frames.iter().position(sounds)?, frames.iter().rposition(sounds)?);
    let from = first.saturating_sub(MARGIN);
    let frames: Vec<Frame> = frames.into_iter().take(last + 1 + MARGIN).skip(from).collect();
    Some(Spoken { frames, first: first - from, last: last - from })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frames: usize) -> Vec<i16> {
        (0..frames * FRAME_SAMPLES).map(|n| if n % 40 < 20 { 8_000 } else { -8_000 }).collect()
    }

    #[test]
    fn silence_around_the_sound_is_cut_but_for_a_margin() {
        let silence = vec![3; 50 * FRAME_SAMPLES];
        let samples = [silence.clone(), tone(10), silence].concat();
        let spoken = trimmed(&samples).unwrap();
        assert_eq!((spoken.frames.len(), spoken.first, spoken.last), (14, 2, 11));
        assert_eq!(trimmed(&vec![3; 9_000]), None);
        // Sound to the very end: nothing to keep after it.
        let spoken = trimmed(&tone(3)).unwrap();
        assert_eq!((spoken.frames.len(), spoken.first, spoken.last), (3, 0, 2));
    }

    #[test]
    fn other_rates_become_ours() {
        for (rate_hz, samples) in [(8_000, 8_000), (48_000, 48_000)] {
            let length = at_16_khz(rate_hz, vec![0; samples]).len();
            assert!((15_990..=16_010).contains(&length), "{rate_hz}: {length}");
        }
    }

    #[test]
    fn a_text_is_spoken_and_a_missing_file_is_named() {
        let studio = Studio { voice: "en-us+f3", words_per_minute: 160 };
        let Ready::Sound(spoken) = studio.prepare(&Act::Say("good morning".into())).unwrap() else {
            panic!("keys for a text")
        };
        assert!((20..120).contains(&spoken.frames.len()), "{spoken:?}");
        let error = studio.prepare(&Act::Play("/nonexistent.wav".into())).unwrap_err();
        assert!(error.to_string().contains("/nonexistent.wav"), "{error}");
        let endless = studio.prepare(&Act::Play("/dev/zero".into()));
        let is_refused =
            matches!(&endless, Err(SoundError::Unreadable { source: ReadError::NotAFile, .. }));
        assert!(is_refused, "{endless:?}");
        assert!(matches!(
            studio.prepare(&Act::Say("...".into())),
            Err(SoundError::Unspeakable { .. })
        ));
    }
}
