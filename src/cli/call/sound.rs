//! What our turns sound like: text through espeak-ng, files, made ready before the call so that no
//! gap contains the making.

use std::path::PathBuf;

use super::noise::{self, Kind};
use super::scenario::{self, Act, Background, Manner, Piece, Scenario, Speech};
use crate::base::pcm::{FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ, level_dbfs, ms_to_samples};
use crate::base::{Entropy, limits};
use crate::call::media::SOUND_DBFS;
use crate::codec::Resampler;
use crate::speech::espeak::{Espeak, EspeakError};
use crate::speech::flite::{Flite, FliteError, Flow};
use crate::store::bounded::{self, ReadError};
use crate::store::wav::{self, Channel, WavError};

/// Frames that are kept around the sound, so that no attack and no end is cut.
const MARGIN: usize = 2;
/// Longest turn: ten minutes.
const FRAMES: usize = 30_000;

/// The voice that is inside the program.
const INSIDE: &str = "slt";
/// A noise that is performed, and noise around a caller who says nothing: about the level of speech.
const LOUDNESS_DBFS: f32 = -20.0;
/// Who talks in a babble: voice and words.
const PEOPLE: [(&str, &str); 4] = [
    ("en-us+m1", "so I told him that we could not possibly have it ready before the weekend"),
    ("en-gb+f2", "the meeting moved again and nobody wrote it down anywhere as far as I know"),
    ("en-us+m5", "did you see how much they wanted for those two old chairs in the corner"),
    ("en-gb+f4", "my sister always takes the early train because the later one is full of people"),
];

/// An act that is ready to be performed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ready {
    Sound(Spoken),
    Keys(String),
    /// The caller only waits.
    Nothing,
}

/// A scenario's sounds.
#[derive(Debug, Default)]
pub(super) struct Rehearsed {
    pub turns: Vec<Ready>,
    pub whenever: Vec<Ready>,
    /// A round of the noise around the caller; empty where there is none.
    pub noise: Vec<Frame>,
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
    #[error("the caller's voice needs the program espeak-ng, which cannot be run")]
    NoEspeak,
    #[error("the caller's voice {voice:?}")]
    Espeak { voice: String, source: EspeakError },
    #[error("the caller's voice slt")]
    Flite(#[from] FliteError),
    #[error("{text:?}: nothing of it can be spoken")]
    Unspeakable { text: String },
    #[error("{text:?}: {fault}")]
    Marks { text: String, fault: String },
    #[error("--play {path}")]
    Unreadable { path: PathBuf, source: ReadError },
    #[error("--play {path}")]
    Wav { path: PathBuf, source: WavError },
    #[error("--play {path}: all of it is silent")]
    Silent { path: PathBuf },
}

/// Makes acts ready.
#[derive(Debug)]
pub(super) struct Studio {
    entropy: Entropy,
    /// Looked for once.
    espeak: Option<Espeak>,
}

impl Studio {
    /// The same seed gives the same sounds.
    pub(super) fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self { entropy: Entropy::new(bytes), espeak: None }
    }

    pub(super) fn rehearse(&mut self, scenario: &Scenario) -> Result<Rehearsed, SoundError> {
        let turns = scenario.turns.iter().map(|turn| self.prepare(&turn.act));
        let turns = turns.collect::<Result<Vec<_>, _>>()?;
        let whenever = scenario.whenever.iter().map(|reflex| self.prepare(&reflex.act));
        let whenever = whenever.collect::<Result<Vec<_>, _>>()?;
        let noise = match scenario.noise {
            Some(background) => self.noise(background, &turns)?,
            None => Vec::new(),
        };
        Ok(Rehearsed { turns, whenever, noise })
    }

    pub(super) fn prepare(&mut self, act: &Act) -> Result<Ready, SoundError> {
        match act {
            Act::Press(keys) => Ok(Ready::Keys(keys.clone())),
            Act::Wait(_) => Ok(Ready::Nothing),
            Act::Say(speech) => {
                let unspeakable = || SoundError::Unspeakable { text: speech.text.clone() };
                Ok(Ready::Sound(trimmed(&self.say(speech)?).ok_or_else(unspeakable)?))
            }
            Act::Play(path) => played(path.clone()),
            Act::Sound(kind, length) => {
                let round = noise::at_dbfs(&self.round(*kind)?, LOUDNESS_DBFS);
                let samples = ms_to_samples(length.as_millis().try_into().unwrap_or(u64::MAX));
                let samples = samples.clamp(FRAME_SAMPLES, FRAMES * FRAME_SAMPLES);
                let sound: Vec<i16> = round.iter().copied().cycle().take(samples).collect();
                Ok(trimmed(&sound).map_or(Ready::Nothing, Ready::Sound))
            }
        }
    }

    fn say(&mut self, speech: &Speech) -> Result<Vec<i16>, SoundError> {
        let Speech { text, manner } = speech;
        let marks = |fault| SoundError::Marks { text: text.clone(), fault };
        let pieces = scenario::pieces(text, manner, &mut self.entropy).map_err(marks)?;
        let mut samples = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Words(words) => samples.extend(self.spoken(&words, manner)?),
                Piece::Pause(length) => {
                    let length = ms_to_samples(length.as_millis().try_into().unwrap_or(u64::MAX));
                    samples.resize(samples.len() + length, 0);
                }
            }
        }
        let gain = 10_f32.powf(manner.gain_db / 20.0);
        for sample in &mut samples {
            *sample = (f32::from(*sample) * gain).round().clamp(-32_768.0, 32_767.0) as i16;
        }
        Ok(samples)
    }

    fn round(&mut self, kind: Kind) -> Result<Vec<f32>, SoundError> {
        let people = match kind {
            Kind::Babble => {
                let voices = PEOPLE.iter().map(|(voice, words)| {
                    let manner = Manner { voice: (*voice).to_owned(), ..Manner::default() };
                    self.spoken(words, &manner)
                });
                voices.collect::<Result<Vec<_>, _>>()?
            }
            _ => Vec::new(),
        };
        Ok(noise::round(kind, &mut self.entropy, &people))
    }

    /// As far below the speech of these as is wanted.
    fn noise(&mut self, wanted: Background, turns: &[Ready]) -> Result<Vec<Frame>, SoundError> {
        let speech = speech_dbfs(turns).unwrap_or(LOUDNESS_DBFS);
        let samples = noise::at_dbfs(&self.round(wanted.kind)?, speech - wanted.snr_db);
        Ok(samples.chunks(FRAME_SAMPLES).map(frame).collect())
    }

    /// Words without the silence that a voice puts around them.
    fn spoken(&mut self, words: &str, manner: &Manner) -> Result<Vec<i16>, SoundError> {
        let mut samples = Vec::new();
        let mut keep = |more: &[i16]| {
            samples.extend_from_slice(more);
            Flow::Continue
        };
        if manner.voice == INSIDE {
            Flite::open()?.speak(words, &mut keep)?;
        } else {
            let found = self.espeak.take().or_else(Espeak::find).ok_or(SoundError::NoEspeak)?;
            let espeak = self.espeak.insert(found.at_pace(manner.words_per_minute));
            let failed = |source| SoundError::Espeak { voice: manner.voice.clone(), source };
            espeak.speak(&manner.voice, words, &mut keep).map_err(failed)?;
        }
        Ok(between_silences(&samples).to_vec())
    }
}

/// Level of the frames with sound; `None` where nothing is spoken.
fn speech_dbfs(turns: &[Ready]) -> Option<f32> {
    let sounds = turns.iter().filter_map(|ready| match ready {
        Ready::Sound(spoken) => Some(&spoken.frames),
        Ready::Keys(_) | Ready::Nothing => None,
    });
    let loud = sounds.flatten().filter(|frame| frame.level_dbfs() >= SOUND_DBFS);
    let samples: Vec<i16> = loud.flat_map(|frame| frame.0).collect();
    (!samples.is_empty()).then(|| level_dbfs(&samples))
}

fn played(path: PathBuf) -> Result<Ready, SoundError> {
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

fn between_silences(samples: &[i16]) -> &[i16] {
    let sounds = |frame: &[i16]| level_dbfs(frame) >= SOUND_DBFS;
    let mut frames = samples.chunks(FRAME_SAMPLES);
    let Some(first) = frames.position(sounds) else { return &[] };
    let last = samples.chunks(FRAME_SAMPLES).rposition(sounds).unwrap_or(first);
    let to = ((last + 1 + MARGIN) * FRAME_SAMPLES).min(samples.len());
    samples.get(first.saturating_sub(MARGIN) * FRAME_SAMPLES..to).unwrap_or_default()
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

fn frame(samples: &[i16]) -> Frame {
    let mut frame = Frame::SILENCE;
    for (to, from) in frame.0.iter_mut().zip(samples) {
        *to = *from;
    }
    frame
}

/// The sound in frames, without the silence before and after it; `None` if all is silence.
fn trimmed(samples: &[i16]) -> Option<Spoken> {
    let frames: Vec<Frame> = samples.chunks(FRAME_SAMPLES).take(FRAMES).map(frame).collect();
    let sounds = |frame: &Frame| frame.level_dbfs() >= SOUND_DBFS;
    let (first, last) = (frames.iter().position(sounds)?, frames.iter().rposition(sounds)?);
    let from = first.saturating_sub(MARGIN);
    let frames: Vec<Frame> = frames.into_iter().take(last + 1 + MARGIN).skip(from).collect();
    Some(Spoken { frames, first: first - from, last: last - from })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::call::scenario::{Turn, When};

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
        let mut studio = Studio::new(1);
        let say =
            |text: &str| Act::Say(Speech { text: text.to_owned(), manner: Manner::default() });
        let Ready::Sound(spoken) = studio.prepare(&say("good morning")).unwrap() else {
            panic!("keys for a text")
        };
        assert!((20..120).contains(&spoken.frames.len()), "{spoken:?}");
        let error = studio.prepare(&Act::Play("/nonexistent.wav".into())).unwrap_err();
        assert!(error.to_string().contains("/nonexistent.wav"), "{error}");
        let endless = studio.prepare(&Act::Play("/dev/zero".into()));
        let is_refused =
            matches!(&endless, Err(SoundError::Unreadable { source: ReadError::NotAFile, .. }));
        assert!(is_refused, "{endless:?}");
        assert!(matches!(studio.prepare(&say("...")), Err(SoundError::Unspeakable { .. })));
    }

    #[test]
    fn a_pause_in_a_text_is_as_long_as_it_says_and_noise_is_below_the_speech() {
        let act =
            |text: &str| Act::Say(Speech { text: text.to_owned(), manner: Manner::default() });
        let length = |text: &str| match Studio::new(1).prepare(&act(text)).unwrap() {
            Ready::Sound(spoken) => spoken.frames.len(),
            other => panic!("{other:?}"),
        };
        let (short, long) = (length("four [100] two"), length("four [900] two"));
        assert!((39..=41).contains(&(long - short)), "{short} {long}");
        let turn = Turn::new(When::Silence(Duration::ZERO), act("what are your opening hours"));
        let noise = Some(Background { kind: Kind::Pink, snr_db: 15.0 });
        let scenario = Scenario { turns: vec![turn], noise, ..Scenario::default() };
        let rehearsed = Studio::new(1).rehearse(&scenario).unwrap();
        let speech = speech_dbfs(&rehearsed.turns).unwrap();
        let noise: Vec<i16> = rehearsed.noise.iter().flat_map(|frame| frame.0).collect();
        assert!((speech - level_dbfs(&noise) - 15.0).abs() < 0.5, "{speech}");
    }
}
