//! Keys that come as sound (ITU-T Q.23, Q.24), for lines that have no better way.
//!
//! ```text
//!  frame ─▶ 8 kHz ─▶ every 10 ms: the newest 12.75 ms ─▶ power at 4 low and 4 high frequencies (Goertzel)
//!        ─▶ one of each, and nothing else ─▶ the same three times ─▶ pressed; three times not ─▶ let go
//! ```
//!
//! So short a window has room for what telephones are off by (1.5 %) and tells 697 from 770 Hz. A voice
//! has power elsewhere: where it has not, it has not for 30 ms.

use std::fmt;
use std::time::Duration;

use crate::base::pcm::{FRAME_SAMPLES, Frame};

const LOW_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH_HZ: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
const RATE_HZ: f32 = 8_000.0;
/// Samples at 8 kHz that are looked at, and those between two looks: 10 ms.
const WINDOW: usize = 102;
const STEP: usize = 80;
const STEP_MS: u64 = 10;
/// Looks that make a key, which a tone of 40 ms has (Q.24), and looks without it that end it.
const BEGIN: u32 = 3;
const END: u32 = 3;
/// Share of the power that the two must have. Sampled speech has false keys from 0.5 on, and a tone
/// that is off by 1.5 % loses a quarter at the highest frequency.
const SHARE: f32 = 0.68;
/// The strongest of each four by this factor before the others (8 dB).
const PEAK: f32 = 6.0;
/// The stronger of the two is no more than this factor (9 dB) above the other: lines weaken the high one,
/// some telephones raise it, by 6 dB at most.
const TWIST: f32 = 8.0;
/// Below this level (RMS, -41 dBFS) there is none: the least that Q.24 wants heard is 10 dB above.
const QUIET: f32 = 300.0;

/// What a key does. Keys may be a secret: which one it is does not print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyTone {
    Pressed,
    Released { key: char, duration: Duration },
}

impl fmt::Debug for KeyTone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pressed => f.write_str("Pressed"),
            Self::Released { duration, .. } => write!(f, "Released({duration:?})"),
        }
    }
}

/// Listens to one incoming leg.
#[derive(Clone)]
pub struct Keypad {
    /// At 8 kHz, the newest last.
    recent: [f32; WINDOW],
    /// 2 cos w for each frequency, the low ones first.
    turns: [[f32; 4]; 2],
    /// What the last look saw, and how many in a row saw it.
    seen: Option<char>,
    times: u32,
    pressed: Option<Press>,
}

#[derive(Clone, Copy)]
struct Press {
    key: char,
    /// Looks since its first, and of these the last that did not see it.
    looks: u32,
    missed: u32,
}

impl fmt::Debug for Keypad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keypad")
    }
}

impl Default for Keypad {
    fn default() -> Self {
        let turn = |hz: f32| 2.0 * (std::f32::consts::TAU * hz / RATE_HZ).cos();
        Self {
            recent: [0.0; WINDOW],
            turns: [LOW_HZ.map(turn), HIGH_HZ.map(turn)],
            seen: None,
            times: 0,
            pressed: None,
        }
    }
}

impl Keypad {
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Tells what is pressed and let go in this frame, at most one of each. RT safe.
    pub fn hear(&mut self, frame: &Frame, mut tell: impl FnMut(KeyTone)) {
        let mut narrow = [0.0; FRAME_SAMPLES / 2];
        let (pairs, _) = frame.0.as_chunks::<2>();
        for (place, pair) in narrow.iter_mut().zip(pairs) {
            *place = 0.5 * (f32::from(pair[0]) + f32::from(pair[1]));
        }
        let (steps, _) = narrow.as_chunks::<STEP>();
        for step in steps {
            self.recent.copy_within(STEP.., 0);
            self.recent[WINDOW - STEP..].copy_from_slice(step);
            let now = self.look();
            self.follow(now, &mut tell);
        }
    }

    fn follow(&mut self, now: Option<char>, tell: &mut impl FnMut(KeyTone)) {
        self.times = if now.is_some() && now == self.seen { self.times + 1 } else { 1 };
        self.seen = now;
        if let Some(press) = &mut self.pressed {
            press.looks += 1;
            press.missed = if now == Some(press.key) { 0 } else { press.missed + 1 };
            if press.missed == END {
                let (key, looks) = (press.key, press.looks - press.missed);
                let duration = Duration::from_millis(u64::from(looks) * STEP_MS);
                self.pressed = None;
                tell(KeyTone::Released { key, duration });
            }
        }
        if let (Some(key), BEGIN, None) = (now, self.times, &self.pressed) {
            self.pressed = Some(Press { key, looks: BEGIN, missed: 0 });
            tell(KeyTone::Pressed);
        }
    }

    /// The key that the newest window has.
    fn look(&self) -> Option<char> {
        let total: f32 = self.recent.iter().map(|sample| sample * sample).sum();
        if total < QUIET * QUIET * WINDOW as f32 {
            return None;
        }
        let [low, high] = self.turns.map(|four| Strongest::of(four.map(|turn| self.power(turn))));
        let is_alone = low.power + high.power >= SHARE * total
            && low.power >= PEAK * low.next
            && high.power >= PEAK * high.next;
        let is_even = low.power <= TWIST * high.power && high.power <= TWIST * low.power;
        let key = KEYS.get(low.at)?.get(high.at)?;
        (is_alone && is_even).then_some(*key)
    }

    /// Of a sinusoid of this frequency, in units of the window's whole power (Goertzel 1958).
    fn power(&self, turn: f32) -> f32 {
        let (mut last, mut before) = (0.0_f32, 0.0_f32);
        for sample in &self.recent {
            (last, before) = (sample + turn * last - before, last);
        }
        (last * last + before * before - turn * last * before) * 2.0 / WINDOW as f32
    }
}

/// Of four frequencies.
struct Strongest {
    at: usize,
    power: f32,
    /// The second.
    next: f32,
}

impl Strongest {
    fn of(powers: [f32; 4]) -> Self {
        let mut strongest = Self { at: 0, power: 0.0, next: 0.0 };
        for (at, power) in powers.into_iter().enumerate() {
            if power > strongest.power {
                strongest = Self { at, power, next: strongest.power };
            } else {
                strongest.next = strongest.next.max(power);
            }
        }
        strongest
    }
}

#[cfg(test)]
mod tests;
