//! The first words of who answered, given to the recogniser while it is not known who that is: they tell
//! sooner than a greeting's length does, and they alone tell a telephone that asks who calls.

use crate::base::WorkId;
use crate::base::pcm::SAMPLE_RATE_HZ;
use crate::call::media::HeardFrame;

/// What is looked at: 8 s. A machine has said what it is by then.
const SOUND_MOST: usize = 8 * SAMPLE_RATE_HZ as usize;
/// Of sound since the last look, while somebody speaks on: 1.2 s, some four words.
const LOOK_EVERY: usize = SAMPLE_RATE_HZ as usize / 5 * 6;
/// Frames of quiet after which what was said is looked at: 0.3 s.
const PAUSE_FRAMES: u32 = 15;
/// Frames of speech that are worth a look: 0.2 s.
const SPEECH_FRAMES: u32 = 10;

/// Sound from the first speech on, and when it is looked at.
#[derive(Default)]
pub(super) struct FirstWords {
    sound: Vec<i16>,
    /// Length of what was looked at.
    looked: usize,
    /// Frames of speech since then, and of quiet since the last one.
    speech: u32,
    quiet: u32,
    asked: Option<WorkId>,
}

impl FirstWords {
    pub(super) fn frame(&mut self, heard: &HeardFrame) {
        match heard.is_speech() {
            true => (self.speech, self.quiet) = (self.speech + 1, 0),
            false => self.quiet += 1,
        }
        let is_begun = self.speech > 0 || self.looked > 0;
        if is_begun && self.sound.len() < SOUND_MOST {
            self.sound.extend_from_slice(&heard.frame.0);
        }
    }

    /// All sound so far, if it is time to look at it and nothing else is being looked at.
    pub(super) fn due(&mut self) -> Option<Vec<i16>> {
        let new = self.sound.len() - self.looked;
        let is_worth_it = self.speech >= SPEECH_FRAMES && new > 0;
        let is_time = new >= LOOK_EVERY || self.quiet >= PAUSE_FRAMES;
        if self.asked.is_some() || !is_worth_it || !is_time {
            return None;
        }
        (self.looked, self.speech) = (self.sound.len(), 0);
        Some(self.sound.clone())
    }

    pub(super) fn asked(&mut self, work: WorkId) {
        self.asked = Some(work);
    }

    /// Whether this is the end of a look.
    pub(super) fn answered(&mut self, work: WorkId) -> bool {
        self.asked.take_if(|asked| *asked == work).is_some()
    }
}
