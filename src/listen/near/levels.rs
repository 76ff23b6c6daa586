//! Levels of the last seconds, and whether they are those of many voices at once.

use super::Sound;

/// Frames that a crowd is judged by: 2.5 s.
const WINDOW: usize = 125;
/// Of these so many may be like no voice.
const UNLIKE: usize = 4;
/// Most dB between the loud and the soft frames of a crowd (9 of 10 and 1 of 20 are below). One voice
/// has 21 at least, four at once 14 at most.
const SPREAD_DB: f32 = 14.5;
/// Most dB between its loud frames and the median: steady noise under one voice has more.
const PEAK_DB: f32 = 5.5;
/// Periodic as only one voice is.
const ONE_VOICE: f32 = 0.8;
/// Frames of one voice that a crowd has at most: of six people 1 in 20, of four 1 in 6 to 1 in 3, and of
/// one in noise 9 dB below half.
const OF_ONE_VOICE: usize = WINDOW / 3;

/// Steps of the histogram in a dB, and its places: -96 to 0 dBFS.
const STEPS: f32 = 2.0;
const PLACES: usize = 193;

/// The last frames.
pub(super) struct Levels {
    /// The oldest is at `next`.
    frames: [Kept; WINDOW],
    next: usize,
    filled: usize,
    counts: [u8; PLACES],
    unlike: usize,
    of_one_voice: usize,
}

#[derive(Clone, Copy)]
struct Kept {
    /// In `counts`.
    place: u8,
    is_like_a_voice: bool,
    is_of_one_voice: bool,
}

/// Levels of frames that are evenly loud, and of no one voice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Even {
    /// Nine of ten are below.
    pub loud_dbfs: f32,
    /// One of twenty is.
    pub soft_dbfs: f32,
}

impl Levels {
    pub(super) const fn new() -> Self {
        let none = Kept { place: 0, is_like_a_voice: true, is_of_one_voice: false };
        Self {
            frames: [none; WINDOW],
            next: 0,
            filled: 0,
            counts: [0; PLACES],
            unlike: 0,
            of_one_voice: 0,
        }
    }

    pub(super) fn push(&mut self, sound: &Sound, is_like_a_voice: bool) {
        let place = ((sound.level_dbfs + 96.0) * STEPS).clamp(0.0, (PLACES - 1) as f32) as u8;
        let is_of_one_voice = sound.voicing >= ONE_VOICE;
        let new = Kept { place, is_like_a_voice, is_of_one_voice };
        let old = std::mem::replace(&mut self.frames[self.next], new);
        if self.filled == WINDOW {
            self.counts[usize::from(old.place)] -= 1;
            self.unlike -= usize::from(!old.is_like_a_voice);
            self.of_one_voice -= usize::from(old.is_of_one_voice);
        } else {
            self.filled += 1;
        }
        self.counts[usize::from(place)] += 1;
        self.unlike += usize::from(!is_like_a_voice);
        self.of_one_voice += usize::from(is_of_one_voice);
        self.next = (self.next + 1) % WINDOW;
    }

    /// The levels, if all of the frames together may be a crowd.
    pub(super) fn even(&self) -> Option<Even> {
        if self.filled < WINDOW || self.unlike > UNLIKE || self.of_one_voice > OF_ONE_VOICE {
            return None;
        }
        let [soft_dbfs, median_dbfs, loud_dbfs] =
            [WINDOW / 20, WINDOW / 2, WINDOW * 9 / 10].map(|rank| self.ranked_dbfs(rank));
        let is_even = loud_dbfs - soft_dbfs <= SPREAD_DB && loud_dbfs - median_dbfs <= PEAK_DB;
        is_even.then_some(Even { loud_dbfs, soft_dbfs })
    }

    /// The level that so many frames are below.
    fn ranked_dbfs(&self, rank: usize) -> f32 {
        let mut below = 0;
        let place = self.counts.iter().position(|count| {
            below += usize::from(*count);
            below > rank
        });
        place.unwrap_or(PLACES - 1) as f32 / STEPS - 96.0
    }
}
