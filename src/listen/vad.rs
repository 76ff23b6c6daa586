//! Voice activity: a number for each frame, inside the audio tick.
//!
//! earshot's network hears the voice; a guard takes out tones, which it half believes, a level gate
//! what lies in the noise of the line, the echo detector what is our own, and `near` those who talk
//! around the caller.

use earshot::Detector;

use super::echo::Voices;
use super::near::{Nearness, Sound};
use super::tone::ToneGuard;
use super::voicing::Voicing;
use crate::base::pcm::{Frame, SOUND_DBFS};

/// Samples that earshot takes at once.
const BLOCK_SAMPLES: usize = 256;
/// Quieter than this is not a caller, in dBFS: 20 dB below a faint talker on a telephone.
const QUIETEST_SPEECH_DBFS: f32 = -62.0;
/// Speech stands at least this far above the line's noise, in dB.
const ABOVE_NOISE_DB: f32 = 4.0;
/// What is this far below the loudest sound just before, and not heard on a telephone by itself, is that sound
/// dying away, in dB: the detector goes on hearing speech in it for up to 0.1 s. Only an "f" or "th" may be as
/// soft, and what follows those within a word is loud again before a turn could end.
const DYING_DB: f32 = 24.0;
/// That loudest sound is forgotten by so much a frame, in dB: 25 in a second.
const FORGOTTEN_DB: f32 = 0.5;
/// The noise floor is the quietest frame of the last one to two such windows (0.8 s each): people
/// dip between syllables sooner than that, a fan does not.
const FLOOR_WINDOW_FRAMES: u32 = 40;
/// No noise is believed to be louder than this, in dBFS, or a loud room would deafen us.
const LOUDEST_NOISE_DBFS: f32 = -30.0;
/// Where the floor starts, in dBFS: too low rather than too high.
const FIRST_FLOOR_DBFS: f32 = -70.0;
/// A frame is voiced from this peak of its correlation on.
const VOICED: f32 = 0.6;

/// What the detector thinks of one frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VadScore {
    /// Probability that the caller speaks, 0 to 1: not our echo, nobody far off.
    pub speech: f32,
    /// The frame is a tone (DTMF, ringback, busy, a beep), whatever `speech` says.
    pub tonal: bool,
    /// It is periodic, as vowels are: no cough, breath or noise is for 60 ms.
    pub voiced: bool,
}

/// Our own voice in a frame.
#[derive(Clone, Copy, Debug)]
pub struct Ours {
    pub voices: Voices,
    /// We speak, or have so lately that it may still come back.
    pub is_about: bool,
    /// Of the frame's power, the share that may be our echo, 0 to 1.
    pub share: f32,
}

impl Ours {
    /// We are silent.
    pub const NONE: Self = Self { voices: Voices::Theirs, is_about: false, share: 0.0 };
}

/// The voice detector of one incoming leg.
pub struct Vad {
    detector: Box<Detector>,
    block: [i16; BLOCK_SAMPLES],
    filled: usize,
    /// Of the last whole block; a frame that completes none repeats it.
    last: f32,
    tones: ToneGuard,
    voicing: Voicing,
    floor: NoiseFloor,
    loudest: Loudest,
    nearness: Nearness,
}

impl Default for Vad {
    fn default() -> Self {
        Self::new()
    }
}

impl Vad {
    pub fn new() -> Self {
        Self {
            detector: Box::default(),
            block: [0; BLOCK_SAMPLES],
            filled: 0,
            last: 0.0,
            tones: ToneGuard::new(),
            voicing: Voicing::new(),
            floor: NoiseFloor::new(),
            loudest: Loudest::new(),
            nearness: Nearness::new(),
        }
    }

    /// Back to the state of a new call. RT safe.
    pub fn reset(&mut self) {
        self.detector.reset();
        self.filled = 0;
        self.last = 0.0;
        self.tones = ToneGuard::new();
        self.voicing = Voicing::new();
        self.floor = NoiseFloor::new();
        self.loudest = Loudest::new();
        self.nearness = Nearness::new();
    }

    /// Scores the next frame; frames come in order and without holes. RT safe.
    pub fn score(&mut self, frame: &Frame, ours: Ours) -> VadScore {
        let heard = self.detect(&frame.0);
        let tonal = self.tones.is_tonal(frame);
        let voicing = self.voicing.measure(frame);
        let level_dbfs = frame.level_dbfs();
        let floor_dbfs = self.floor.track(level_dbfs);
        let is_dying = self.loudest.is_dying(level_dbfs);
        let is_theirs = ours.voices == Voices::Theirs;
        let is_loud = level_dbfs > QUIETEST_SPEECH_DBFS;
        let is_above_noise = level_dbfs > floor_dbfs + ABOVE_NOISE_DB;
        let stands_out = is_theirs && is_loud && is_above_noise && !is_dying;
        let is_voice = is_theirs && is_loud && !tonal;
        let near = self.nearness.weigh(&Sound {
            level_dbfs,
            speech: if stands_out && !tonal { heard } else { 0.0 },
            likeness: if is_voice { heard } else { 0.0 },
            voicing,
            may_be_noise: !tonal && ours.voices != Voices::Ours,
            we_speak: ours.is_about,
            is_masked: is_loud && !is_theirs,
        });
        // A tone is told by `tonal`, whatever the detector thinks of it.
        let speech = if stands_out && tonal { heard } else { near };
        // So much of what is periodic may be ours.
        let least = VOICED + (1.0 - VOICED) * (2.0 * ours.share).min(1.0);
        VadScore { speech, tonal, voiced: voicing >= least }
    }

    /// The highest score of the blocks that this frame completes.
    fn detect(&mut self, mut samples: &[i16]) -> f32 {
        let mut highest: Option<f32> = None;
        while !samples.is_empty() {
            let take = samples.len().min(BLOCK_SAMPLES - self.filled);
            let (now, later) = samples.split_at(take);
            self.block[self.filled..self.filled + take].copy_from_slice(now);
            self.filled += take;
            samples = later;
            if self.filled == BLOCK_SAMPLES {
                self.filled = 0;
                self.last = self.detector.predict_i16(&self.block).clamp(0.0, 1.0);
                highest = Some(highest.unwrap_or(0.0).max(self.last));
            }
        }
        highest.unwrap_or(self.last)
    }
}

/// The loudest sound of the last moments.
struct Loudest {
    dbfs: f32,
}

impl Loudest {
    const fn new() -> Self {
        Self { dbfs: FIRST_FLOOR_DBFS }
    }

    /// Takes a frame's level and tells whether it is only what is left of a sound before it.
    fn is_dying(&mut self, level_dbfs: f32) -> bool {
        self.dbfs = level_dbfs.max(self.dbfs - FORGOTTEN_DB);
        level_dbfs < SOUND_DBFS && level_dbfs < self.dbfs - DYING_DB
    }
}

/// The level of the line when nobody speaks.
struct NoiseFloor {
    /// Quietest frame of the window before this one, in dBFS.
    before_dbfs: f32,
    /// Quietest frame of this window so far, in dBFS.
    quietest_dbfs: f32,
    frames: u32,
}

impl NoiseFloor {
    const fn new() -> Self {
        Self { before_dbfs: FIRST_FLOOR_DBFS, quietest_dbfs: f32::MAX, frames: 0 }
    }

    /// Takes a frame's level and returns the floor in dBFS.
    fn track(&mut self, level_dbfs: f32) -> f32 {
        self.quietest_dbfs = self.quietest_dbfs.min(level_dbfs);
        let floor_dbfs = self.before_dbfs.min(self.quietest_dbfs).min(LOUDEST_NOISE_DBFS);
        self.frames += 1;
        if self.frames == FLOOR_WINDOW_FRAMES {
            *self = Self { before_dbfs: self.quietest_dbfs, ..Self::new() };
        }
        floor_dbfs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_loud_sound_is_dying_and_a_soft_voice_or_consonant_is_not() {
        let dying = |levels: &[f32]| -> Vec<bool> {
            let mut loudest = Loudest::new();
            levels.iter().map(|level| loudest.is_dying(*level)).collect()
        };
        assert_eq!(dying(&[-14.0, -30.0, -43.9, -46.0, -60.0]), [false, false, false, true, true]);
        // Consonants after a vowel, and a caller who is soft throughout.
        assert_eq!(dying(&[-20.0, -42.0, -44.0]), [false; 3]);
        assert_eq!(dying(&[-38.0, -50.0, -61.0]), [false; 3]);
        // After a while what is soft begins anew.
        let later = [vec![-14.0], vec![-90.0; 30], vec![-52.0]].concat();
        assert_eq!(dying(&later).last(), Some(&false));
    }
}
