//! Who speaks near: the caller, told from people, a television and a crowd around by how loud they
//! are.
//!
//! ```text
//!  level of what speaks ─▶ the caller's own level ─ far below it ─┐
//!                       ─▶ evenly loud for seconds: a crowd ──────┴▶ background: counts as silence
//! ```
//!
//! One voice rises and falls by 20 dB within two seconds, since each consonant closes the mouth; many
//! at once fill each other's gaps. So a crowd is known without a caller to compare it with, and one
//! voice far off only beside the caller's, once it has gone on after the caller for a second. In a quiet
//! room nothing here decides anything.
//!
//! Steady noise fills one voice's gaps as well. It gives itself away by its level, where it was heard
//! before the voice, and by the voice's pitch: that of many at once is nobody's.

mod levels;
mod noise;

use levels::Levels;
use noise::Noise;

/// Score from which a frame speaks at all.
const SPEAKS: f32 = 0.45;
/// Score from which it may be one of a crowd: noise of a line or a car reaches 0.55.
const LIKE_A_VOICE: f32 = 0.6;

/// Soft frames that are no further above steady noise than this are noise, in dB.
const SOFT_ABOVE_NOISE_DB: f32 = 3.0;
/// The caller stands at least this far above a crowd's loud frames, in dB.
const ABOVE_CROWD_DB: f32 = 4.0;
/// A crowd grows louder by so much a frame at most, in dB: the caller in it must not pass for it.
const CROWD_RISE_DB: f32 = 0.03;
/// Whatever the crowd, what is this near to the caller's own level is the caller, in dB.
const CERTAIN_DB: f32 = 5.0;

/// Farther than this below the caller's own level is background, in dB. People turn away from their
/// telephone by 12; those around them are 15 and more below.
const FAR_DB: f32 = 14.0;
/// Frames of speech by which the caller's level is known for the first time: 0.5 s.
const FIRST_FRAMES: u32 = 25;
/// Frames by which it is known for sure: 3 s.
const SURE_FRAMES: u32 = 150;
/// The level is where 7 of 8 frames of near speech are below: 3.5 dB above their mean power. Steps in
/// dB.
const STEP_UP_DB: f32 = 0.5;
const STEP_DOWN_DB: f32 = 0.07;
const ABOVE_MEAN_DB: f32 = 3.5;

/// What is weak for so many frames after near speech, without a pause, is background: people let their
/// voices fall for less. Where there is background, near speech holds what is weak after it for less.
const WEAK_FRAMES: u32 = 50;
const WEAK_FRAMES_IN_BACKGROUND: u32 = 10;
/// Near speech is so many of the last five frames: a click is shorter.
const FIRM: u32 = 3;
const FIRM_MASK: u32 = 0b1_1111;
/// Frames without a voice after which a crowd is gone: 0.3 s.
const CLEARED: u32 = 15;
/// And after which there is no background at all: 3 s, for whoever speaks in a television pauses, too.
const QUIET: u32 = 150;
/// Far speech that we waited through in silence, in frames, may be a caller who has gone away from the
/// telephone: from then on the level falls, in dB a frame.
const IGNORED_FRAMES: u32 = 150;
const IGNORED_FALL_DB: f32 = 0.1;
/// A crowd that ends so soon, and never had anybody before it, was the caller without a pause.
const SHORT_CROWD_FRAMES: u32 = 250;

/// One frame as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sound {
    pub level_dbfs: f32,
    /// The detector's score, and 0 where nothing stands out of the noise.
    pub speech: f32,
    /// The same whatever the noise.
    pub likeness: f32,
    /// How periodic it is, 0 to 1.
    pub voicing: f32,
    /// It is neither a tone nor our own voice that comes back.
    pub may_be_noise: bool,
    /// Our own voice may be in it.
    pub we_speak: bool,
    /// It may hide somebody under our own voice: of those around it says nothing.
    pub is_masked: bool,
}

/// What is known of who speaks near and far in one call.
pub(super) struct Nearness {
    levels: Levels,
    noise: Noise,
    caller: Caller,
    crowd: Option<Crowd>,
    /// The last frames, the newest in the lowest bit: 1 is near speech.
    marks: u32,
    /// Frames since the last firm near speech.
    since_near: u32,
    /// Frames like no voice in a row.
    unlike: u32,
    /// No pause since firm near speech.
    follows: bool,
    /// Something far goes on after the caller has ended.
    is_background: bool,
    /// Frames of far speech since near speech while we were silent.
    ignored: u32,
}

#[derive(Clone, Copy)]
struct Crowd {
    /// Nine of ten of its frames are below.
    loud_dbfs: f32,
    frames: u32,
    /// Somebody has stood out of it.
    was_topped: bool,
}

impl Nearness {
    pub(super) const fn new() -> Self {
        Self {
            levels: Levels::new(),
            noise: Noise::new(),
            caller: Caller::new(),
            crowd: None,
            marks: 0,
            since_near: u32::MAX,
            unlike: 0,
            follows: false,
            is_background: false,
            ignored: 0,
        }
    }

    /// The frame's score where it is near, else 0. RT safe.
    pub(super) fn weigh(&mut self, sound: &Sound) -> f32 {
        let is_like_a_voice = sound.likeness >= LIKE_A_VOICE;
        self.noise.learn(sound.level_dbfs, !is_like_a_voice && sound.may_be_noise);
        if !sound.is_masked {
            self.levels.push(sound, is_like_a_voice);
            self.unlike = if is_like_a_voice { 0 } else { self.unlike.saturating_add(1) };
            self.watch_crowd();
        }
        let speaks = sound.speech >= SPEAKS;
        let is_near = speaks && self.nearest_far_dbfs().is_none_or(|far| sound.level_dbfs >= far);
        self.marks = ((self.marks << 1) | u32::from(is_near)) & FIRM_MASK;
        let is_firm = is_near && self.marks.count_ones() >= FIRM;
        if is_firm {
            self.since_near = 0;
            self.follows = true;
            self.ignored = 0;
            if let Some(crowd) = &mut self.crowd {
                crowd.was_topped = true;
            }
            if !sound.we_speak {
                self.caller.learn(sound.level_dbfs);
            }
        } else {
            self.since_near = self.since_near.saturating_add(1);
        }
        if !speaks || is_near {
            return sound.speech;
        }
        self.is_background |= self.follows && self.since_near == WEAK_FRAMES;
        if !sound.we_speak {
            self.ignore();
        }
        // Where nobody else is known to be, a weak voice is the caller's: a second one, or the first
        // who has stopped shouting.
        let is_alone = !self.is_background && self.crowd.is_none();
        if is_alone || self.since_near <= WEAK_FRAMES_IN_BACKGROUND { sound.speech } else { 0.0 }
    }

    /// What is softer than this is far.
    fn nearest_far_dbfs(&self) -> Option<f32> {
        let above_crowd = self.crowd.map(|crowd| crowd.loud_dbfs + ABOVE_CROWD_DB);
        let Some(caller_dbfs) = self.caller.level_dbfs else { return above_crowd };
        let certain_dbfs = caller_dbfs - CERTAIN_DB;
        let far_dbfs = caller_dbfs - FAR_DB;
        Some(above_crowd.map_or(far_dbfs, |above| above.min(certain_dbfs).max(far_dbfs)))
    }

    fn watch_crowd(&mut self) {
        if let Some(crowd) = &mut self.crowd {
            crowd.frames = crowd.frames.saturating_add(1);
        }
        self.is_background &= self.unlike < QUIET;
        if self.unlike >= CLEARED {
            self.follows = false;
            let gone = self.crowd.take();
            if let Some(crowd) = gone.filter(Crowd::was_the_caller) {
                self.caller.was(crowd.loud_dbfs);
            }
        }
        let Some(levels::Even { loud_dbfs, soft_dbfs }) = self.levels.even() else { return };
        let is_noise = |noise: f32| soft_dbfs < noise + SOFT_ABOVE_NOISE_DB;
        if self.noise.level_dbfs().is_some_and(is_noise) {
            return;
        }
        let below_caller_db = self.caller.level_dbfs.map(|caller| caller - loud_dbfs);
        let is_caller = |below_db: f32| below_db < CERTAIN_DB + ABOVE_CROWD_DB;
        if below_caller_db.is_some_and(is_caller) {
            if self.caller.is_sure() {
                return;
            }
            // What it was learnt from was the crowd.
            self.caller = Caller::new();
        }
        match &mut self.crowd {
            Some(crowd) => crowd.loud_dbfs = loud_dbfs.min(crowd.loud_dbfs + CROWD_RISE_DB),
            None => self.crowd = Some(Crowd { loud_dbfs, frames: 0, was_topped: false }),
        }
    }

    /// Far speech while we wait for the caller.
    fn ignore(&mut self) {
        self.ignored = self.ignored.saturating_add(1);
        let Some(level_dbfs) = &mut self.caller.level_dbfs else { return };
        if self.ignored > IGNORED_FRAMES {
            let lowest = self.crowd.map(|crowd| crowd.loud_dbfs + ABOVE_CROWD_DB + CERTAIN_DB);
            let fallen = *level_dbfs - IGNORED_FALL_DB;
            *level_dbfs = lowest.map_or(fallen, |lowest| fallen.max(lowest.min(*level_dbfs)));
        }
    }
}

impl Crowd {
    fn was_the_caller(&self) -> bool {
        self.frames < SHORT_CROWD_FRAMES && !self.was_topped
    }
}

/// How loud the caller speaks.
struct Caller {
    level_dbfs: Option<f32>,
    /// Frames that it was learnt from.
    frames: u32,
    /// Sum of their powers before it was known.
    power: f32,
}

impl Caller {
    const fn new() -> Self {
        Self { level_dbfs: None, frames: 0, power: 0.0 }
    }

    const fn is_sure(&self) -> bool {
        self.level_dbfs.is_some() && self.frames >= SURE_FRAMES
    }

    fn learn(&mut self, dbfs: f32) {
        self.frames = self.frames.saturating_add(1);
        match &mut self.level_dbfs {
            Some(level_dbfs) if dbfs > *level_dbfs => *level_dbfs += STEP_UP_DB,
            Some(level_dbfs) => *level_dbfs -= STEP_DOWN_DB,
            None => {
                self.power += 10.0_f32.powf(dbfs / 10.0);
                if self.frames == FIRST_FRAMES {
                    let mean = self.power / FIRST_FRAMES as f32;
                    self.level_dbfs = Some(10.0 * mean.log10() + ABOVE_MEAN_DB);
                }
            }
        }
    }

    /// It is known for sure to have been this.
    fn was(&mut self, dbfs: f32) {
        if self.level_dbfs.is_none() {
            *self = Self { level_dbfs: Some(dbfs), frames: SURE_FRAMES, power: 0.0 };
        }
    }
}

#[cfg(test)]
mod tests;
