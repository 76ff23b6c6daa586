//! The beep after which an answering machine records.

use std::time::{Duration, Instant};

use super::steady::{Segment, Steady};
use super::tones::Sounding;
use crate::base::pcm::FRAME_MS;

/// Beeps lie here; DTMF has two tones at once, fax machines and networks have theirs elsewhere or in
/// a rhythm.
const LOWEST_HZ: f32 = 390.0;
const HIGHEST_HZ: f32 = 2_050.0;
/// 0.14 to 2.1 s: machines have 0.15 to 2 s, and a frame at each side may be half of one.
const FRAMES: std::ops::RangeInclusive<u32> = 7..=105;
/// The line is quiet for so many frames after it: a melody goes on, and a voice does.
const QUIET_AFTER: u32 = 7;
/// What is 6 dB below the beep is quiet, as a power: the noise of the line may be.
const QUIETER: f32 = 4.0;
/// More tones in a row than this are a melody: some machines beep twice or three times.
const NOTES: u32 = 3;
/// Frames without a tone that end a row.
const ROW_ENDS: u32 = 25;

/// A beep that was heard to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beep {
    /// Its pitch.
    pub hz: f32,
    pub length: Duration,
    /// Its last frame; what is said from now on is recorded.
    pub ended_at: Instant,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Listening,
    /// A tone has ended that may have been a beep.
    Ended {
        segment: Segment,
        at: Instant,
        quiet: u32,
    },
}

/// Listens for beeps on one incoming leg.
#[derive(Debug)]
pub(super) struct Beeps {
    state: State,
    /// Tones in a row.
    notes: u32,
    /// Frames since the last.
    since: u32,
}

impl Beeps {
    pub const fn new() -> Self {
        Self { state: State::Listening, notes: 0, since: 0 }
    }

    /// Takes the next frame, with the segment that ended and the one that goes on. RT safe.
    pub fn frame(
        &mut self,
        at: Instant,
        sounding: &Sounding,
        is_speech: bool,
        ended: Option<&Segment>,
        steady: &Steady,
    ) -> Option<Beep> {
        self.since = if steady.current().is_some() { 0 } else { self.since.saturating_add(1) };
        if self.since > ROW_ENDS {
            self.notes = 0;
        }
        if let Some(segment) = ended {
            self.notes += 1;
            let is_beep = (LOWEST_HZ..=HIGHEST_HZ).contains(&segment.hz)
                && FRAMES.contains(&segment.frames)
                && self.notes <= NOTES;
            // `Steady` has waited for its tone to come back.
            let ago = 3;
            let waited = Duration::from_millis(FRAME_MS * u64::from(ago));
            let ended_at = at.checked_sub(waited).unwrap_or(at);
            self.state = match is_beep {
                true => State::Ended { segment: *segment, at: ended_at, quiet: ago },
                false => State::Listening,
            };
        }
        let State::Ended { segment, at, quiet } = &mut self.state else { return None };
        let is_quiet = match sounding {
            Sounding::Quiet => true,
            Sounding::Tone(tone) => tone.power * QUIETER <= segment.power,
            Sounding::Other { power } => power * QUIETER <= segment.power,
        };
        if !is_quiet || is_speech {
            self.state = State::Listening;
            return None;
        }
        *quiet += 1;
        if *quiet < QUIET_AFTER {
            return None;
        }
        let length = Duration::from_millis(FRAME_MS * u64::from(segment.frames));
        let beep = Beep { hz: segment.hz, length, ended_at: *at };
        self.state = State::Listening;
        Some(beep)
    }
}
