//! Call-progress tones by their rhythm: ringback, busy, congestion.
//!
//! Countries differ in frequency (400, 425, 440 and 480, 450, 480 and 620 Hz) and agree in rhythm:
//! ringing pauses for 1.5 s and more, busy is tone and pause of the same length around half a second,
//! congestion the same around a quarter (ITU-T E.180/Q.35 and its supplement 2, GSM 02.40, ATIS-0600401).
//! So lengths are measured, and a frequency has only to be one that such tones have.

use super::tones::Sounding;

/// Tones of call progress lie here; two that beat seem to be 40 Hz beside.
const LOWEST_HZ: f32 = 310.0;
const HIGHEST_HZ: f32 = 720.0;
/// So many frames in a row change from tone to pause or back; fewer are a click, or two sinusoids that
/// cancel each other.
const CHANGE: u32 = 2;
/// A shorter tone is a vowel.
const SHORTEST: u32 = 6;
/// A tone is ringing from 0.86 s on: busy tones last 0.75 s at most (India).
const RING: u32 = 43;
/// No ringing lasts 3 s at a time: it is a dial tone, or "number unobtainable".
const CONTINUOUS: u32 = 150;
/// A pause of 1.5 s follows only ringing; Belgium's and Japan's 2 s is the shortest of them.
const RING_PAUSE: u32 = 75;
/// Tone and pause of congestion have at most 0.3 s, of busy at most 0.8 s.
const CONGESTION_MOST: u32 = 15;
const BUSY_MOST: u32 = 40;
/// Lengths that should be the same differ by 60 ms at most.
const SAME: u32 = 3;
/// A network's tones are all of one level, within 3 dB.
const SAME_POWER: f32 = 2.0;
/// Speech of so many frames within a pause: no cadence goes on behind it.
const SPEECH: u32 = 5;
/// Pairs of tone and pause that are remembered: twice the longest pattern (British congestion).
const PAIRS: usize = 4;

/// What a rhythm means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// The telephone rings; told with each ring.
    Ringing,
    Busy,
    Congestion,
    /// A tone without an end.
    Continuous,
}

/// Lengths in frames.
#[derive(Clone, Copy, Debug)]
struct Pair {
    tone: u32,
    pause: u32,
    /// The tone's greatest.
    power: f32,
}

impl Pair {
    fn is_like(self, other: Self) -> bool {
        self.tone.abs_diff(other.tone) <= SAME
            && self.pause.abs_diff(other.pause) <= SAME
            && self.power <= SAME_POWER * other.power
            && other.power <= SAME_POWER * self.power
    }

    /// As long a pause as a tone, within a third.
    fn is_even(self) -> bool {
        3 * self.tone <= 5 * self.pause && 3 * self.pause <= 5 * self.tone
    }
}

#[derive(Clone, Copy, Debug)]
enum Run {
    Tone {
        frames: u32,
        power: f32,
    },
    Pause {
        frames: u32,
        /// Of the tone before; 0 frames for none.
        tone: u32,
        power: f32,
        speech: u32,
    },
}

/// Follows the rhythm of one incoming leg.
#[derive(Debug)]
pub(super) struct Cadence {
    run: Run,
    /// Frames in a row that are not of the run.
    contrary: u32,
    /// The newest first.
    pairs: [Pair; PAIRS],
    known: usize,
}

impl Cadence {
    pub const fn new() -> Self {
        Self {
            run: Run::Pause { frames: 0, tone: 0, power: 0.0, speech: 0 },
            contrary: 0,
            pairs: [Pair { tone: 0, pause: 0, power: 0.0 }; PAIRS],
            known: 0,
        }
    }

    /// Takes the next frame. RT safe.
    pub fn frame(&mut self, sounding: &Sounding, is_speech: bool) -> Option<Signal> {
        let tone = match sounding {
            Sounding::Tone(tone) if tone.is_within(LOWEST_HZ, HIGHEST_HZ) => Some(tone),
            _ => None,
        };
        let now = tone.map_or(0.0, |tone| tone.power);
        if tone.is_some() == matches!(self.run, Run::Tone { .. }) {
            if let Run::Tone { power, .. } = &mut self.run {
                *power = power.max(now);
            }
            let absorbed = std::mem::take(&mut self.contrary);
            return self.go_on(1 + absorbed, is_speech);
        }
        self.contrary += 1;
        if self.contrary < CHANGE {
            return None;
        }
        self.contrary = 0;
        match self.run {
            Run::Tone { frames, power } => {
                if frames < SHORTEST {
                    self.known = 0;
                }
                let tone = if frames < SHORTEST { 0 } else { frames };
                self.run = Run::Pause { frames: CHANGE, tone, power, speech: 0 };
                None
            }
            Run::Pause { frames, tone, power, .. } => {
                self.run = Run::Tone { frames: CHANGE, power: now };
                self.remember(Pair { tone, pause: frames, power });
                self.repeated()
            }
        }
    }

    /// A tone of call progress is heard, for longer than a vowel.
    pub fn is_in_tone(&self) -> bool {
        matches!(self.run, Run::Tone { frames, .. } if frames >= SHORTEST)
    }

    fn go_on(&mut self, more: u32, is_speech: bool) -> Option<Signal> {
        let reaches = |frames: u32, limit: u32| (frames - more..frames).contains(&(limit - 1));
        match &mut self.run {
            Run::Tone { frames, .. } => {
                *frames = frames.saturating_add(more);
                match *frames {
                    frames if reaches(frames, RING) => Some(Signal::Ringing),
                    frames if reaches(frames, CONTINUOUS) => Some(Signal::Continuous),
                    _ => None,
                }
            }
            Run::Pause { frames, tone, speech, .. } => {
                *frames = frames.saturating_add(more);
                *speech += u32::from(is_speech);
                if *speech >= SPEECH {
                    (*tone, *speech, self.known) = (0, 0, 0);
                }
                // Two short rings and a long pause: Britain and many others.
                let is_double = self.known > 0
                    && *tone > 0
                    && self.pairs[0].tone.abs_diff(*tone) <= SAME
                    && 5 * self.pairs[0].pause <= 3 * *tone;
                (reaches(*frames, RING_PAUSE) && is_double).then_some(Signal::Ringing)
            }
        }
    }

    fn remember(&mut self, pair: Pair) {
        if pair.tone == 0 {
            self.known = 0;
            return;
        }
        self.pairs.rotate_right(1);
        self.pairs[0] = pair;
        self.known = (self.known + 1).min(PAIRS);
    }

    /// What the pairs so far mean, at the begin of another tone.
    fn repeated(&self) -> Option<Signal> {
        let [first, second, third, fourth] = self.pairs;
        let longest = first.tone.max(first.pause);
        let is_repeated = self.known >= 2 && first.is_like(second) && first.is_even();
        if is_repeated && longest > CONGESTION_MOST && longest <= BUSY_MOST {
            return Some(Signal::Busy);
        }
        let is_thrice = is_repeated && self.known >= 3 && second.is_like(third);
        // Short and long in turns (Britain's 0.4 and 0.225 s, Spain's last pause of 0.6 s).
        let in_turns = self.known == PAIRS
            && first.is_like(third)
            && second.is_like(fourth)
            && !first.is_like(second)
            && longest.max(second.tone).max(second.pause) <= BUSY_MOST;
        (is_thrice && longest <= CONGESTION_MOST || in_turns).then_some(Signal::Congestion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pcm::{FRAME_SAMPLES, Frame};
    use crate::listen::answered::sound::{cadence, silence};
    use crate::listen::answered::tones::ToneMeter;

    /// Signals with the time at which each was first told, in milliseconds.
    fn told(samples: &[i16]) -> Vec<(Signal, usize)> {
        let (mut meter, mut rhythm) = (ToneMeter::new(), Cadence::new());
        let mut told: Vec<(Signal, usize)> = Vec::new();
        let (frames, _) = samples.as_chunks::<FRAME_SAMPLES>();
        for (index, samples) in frames.iter().enumerate() {
            let sounding = meter.measure(&Frame(*samples));
            if let Some(signal) = rhythm.frame(&sounding, false)
                && told.iter().all(|(known, _)| *known != signal)
            {
                told.push((signal, index * 20));
            }
        }
        told
    }

    const PAUSE: &[f32] = &[];

    /// Frequencies and milliseconds.
    type Pattern = Vec<(&'static [f32], u64)>;

    #[test]
    fn ringing_of_many_countries() {
        let cases: [(&str, Pattern, usize); 9] = [
            ("Germany", vec![(&[425.0], 1_000), (PAUSE, 4_000)], 900),
            ("France", vec![(&[440.0], 1_500), (PAUSE, 3_500)], 900),
            ("Russia", vec![(&[425.0], 1_000), (PAUSE, 4_000)], 900),
            ("North America", vec![(&[440.0, 480.0], 2_000), (PAUSE, 4_000)], 900),
            ("Japan", vec![(&[384.0, 416.0], 1_000), (PAUSE, 2_000)], 900),
            ("China", vec![(&[450.0], 1_000), (PAUSE, 4_000)], 900),
            (
                "Britain",
                vec![(&[400.0, 450.0], 400), (PAUSE, 200), (&[400.0, 450.0], 400), (PAUSE, 2_000)],
                2_600,
            ),
            (
                "Australia",
                vec![(&[425.0], 400), (PAUSE, 200), (&[425.0], 400), (PAUSE, 2_000)],
                2_600,
            ),
            ("Sweden", vec![(&[425.0], 1_000), (PAUSE, 5_000)], 900),
        ];
        for (country, pattern, latest_ms) in cases {
            let told = told(&cadence(&pattern, 3));
            assert_eq!(told.len(), 1, "{country}: {told:?}");
            assert_eq!(told[0].0, Signal::Ringing, "{country}: {told:?}");
            assert!(told[0].1 <= latest_ms, "{country}: {told:?}");
        }
    }

    #[test]
    fn busy_and_congestion_of_many_countries() {
        let cases: [(&str, Pattern, Signal); 12] = [
            ("Germany, busy", vec![(&[425.0], 480), (PAUSE, 480)], Signal::Busy),
            ("France, busy", vec![(&[440.0], 500), (PAUSE, 500)], Signal::Busy),
            ("Britain, busy", vec![(&[400.0], 375), (PAUSE, 375)], Signal::Busy),
            ("Russia, busy", vec![(&[425.0], 400), (PAUSE, 400)], Signal::Busy),
            ("China, busy", vec![(&[450.0], 350), (PAUSE, 350)], Signal::Busy),
            ("India, busy", vec![(&[400.0], 750), (PAUSE, 750)], Signal::Busy),
            ("North America, busy", vec![(&[480.0, 620.0], 500), (PAUSE, 500)], Signal::Busy),
            (
                "North America, reorder",
                vec![(&[480.0, 620.0], 250), (PAUSE, 250)],
                Signal::Congestion,
            ),
            ("Germany, congestion", vec![(&[425.0], 240), (PAUSE, 240)], Signal::Congestion),
            ("Russia, congestion", vec![(&[425.0], 200), (PAUSE, 200)], Signal::Congestion),
            (
                "Britain, congestion",
                vec![(&[400.0], 400), (PAUSE, 350), (&[400.0], 225), (PAUSE, 525)],
                Signal::Congestion,
            ),
            (
                "Spain, congestion",
                vec![(&[425.0], 200), (PAUSE, 200), (&[425.0], 200), (PAUSE, 600)],
                Signal::Congestion,
            ),
        ];
        for (name, pattern, signal) in cases {
            let told = told(&cadence(&pattern, 5));
            assert_eq!(told.len(), 1, "{name}: {told:?}");
            assert_eq!(told[0].0, signal, "{name}: {told:?}");
            assert!(told[0].1 <= 3_100, "{name}: {told:?}");
        }
    }

    #[test]
    fn a_dial_tone_goes_on() {
        let told = told(&cadence(&[(&[350.0, 440.0], 4_000)], 1));
        assert_eq!(told.last().map(|(signal, _)| *signal), Some(Signal::Continuous), "{told:?}");
    }

    #[test]
    fn a_tone_that_was_begun_before_we_listened_still_tells() {
        for cut_ms in [100, 350, 700] {
            let sound = cadence(&[(&[425.0], 500), (PAUSE, 500)], 6);
            let told = told(&sound[16 * cut_ms..]);
            assert_eq!(told.len(), 1, "{cut_ms}: {told:?}");
            assert_eq!(told[0].0, Signal::Busy, "{cut_ms}: {told:?}");
        }
    }

    #[test]
    fn other_tones_and_single_beeps_mean_nothing() {
        for pattern in [
            vec![(&[1_000.0][..], 500), (PAUSE, 500)],
            vec![(&[425.0][..], 300), (PAUSE, 6_000)],
            vec![(&[697.0, 1_209.0][..], 100), (PAUSE, 100)],
        ] {
            assert_eq!(told(&cadence(&pattern, 4)), [], "{pattern:?}");
        }
        assert_eq!(told(&silence(5_000)), []);
    }
}
