//! Single tones that hold their pitch: what beeps, fax machines and special information tones are made
//! of, and voices are not.

use super::tones::{Sounding, Tone};

/// A tone strays so far from its mean at most; a voice that is held does so within a frame or two.
const STRAYS_HZ: f32 = 14.0;
/// What a bell loses before it counts as ended, as a power: 20 dB.
const FADES: f32 = 100.0;
/// Frames that may be missing within a tone: a lost packet, a reversal of phase (ITU-T V.8's ANSam).
const MISSING: u32 = 2;
/// A shorter tone (100 ms) is a piece of a vowel.
const SHORTEST: u32 = 5;

/// A tone that was held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Segment {
    pub hz: f32,
    /// Length in frames.
    pub frames: u32,
    /// The greatest mean square.
    pub power: f32,
}

impl Segment {
    pub fn is_around(&self, hz: f32, tolerance_hz: f32) -> bool {
        (self.hz - hz).abs() <= tolerance_hz
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Nothing,
    Held { sum_hz: f32, sounded: u32, missing: u32, power: f32, frames: u32 },
}

/// Finds the segments of one incoming leg.
#[derive(Debug)]
pub(super) struct Steady {
    state: State,
}

impl Steady {
    pub const fn new() -> Self {
        Self { state: State::Nothing }
    }

    /// Takes the next frame, and returns the segment that ended `MISSING + 1` frames ago or with this
    /// frame's other pitch. RT safe.
    pub fn frame(&mut self, sounding: &Sounding) -> Option<Segment> {
        let tone = match sounding {
            Sounding::Tone(tone) if tone.is_single() => Some(tone),
            _ => None,
        };
        let State::Held { sum_hz, sounded, missing, power, frames } = &mut self.state else {
            self.begin(tone);
            return None;
        };
        let mean_hz = *sum_hz / *sounded as f32;
        if let Some(tone) = tone
            && (tone.pitch_hz() - mean_hz).abs() <= STRAYS_HZ
            && tone.power * FADES >= *power
        {
            *sum_hz += tone.pitch_hz();
            *sounded += 1;
            *frames += 1 + std::mem::take(missing);
            *power = power.max(tone.power);
            return None;
        }
        *missing += 1;
        if *missing <= MISSING {
            return None;
        }
        let ended = self.current();
        self.begin(tone);
        ended
    }

    /// The tone that is heard now, once it is long enough to be one.
    pub fn current(&self) -> Option<Segment> {
        match self.state {
            State::Held { sum_hz, sounded, power, frames, .. } if frames >= SHORTEST => {
                Some(Segment { hz: sum_hz / sounded as f32, frames, power })
            }
            State::Held { .. } | State::Nothing => None,
        }
    }

    /// Frames since the current tone was last heard.
    pub fn missing(&self) -> u32 {
        match self.state {
            State::Held { missing, .. } => missing,
            State::Nothing => 0,
        }
    }

    fn begin(&mut self, tone: Option<&Tone>) {
        self.state = tone.map_or(State::Nothing, |tone| State::Held {
            sum_hz: tone.pitch_hz(),
            sounded: 1,
            missing: 0,
            power: tone.power,
            frames: 1,
        });
    }
}
