//! How periodic sound is: a vowel is, and breath, coughs, steps and the noise of a line are not.
//!
//! ```text
//!  frame ─▶ 4 kHz, 100 to 900 Hz ─▶ correlation of the last 40 ms with what was 2 to 12.5 ms before ─▶ its peak
//! ```
//!
//! As in the usual pitch trackers (Boersma 1993; Talkin, RAPT, 1995), but of the pitch only the height of
//! the peak is wanted. On telephone speech of people it is above 0.6 in three frames at least of any
//! word, and noise of any colour is below 0.5.

use crate::base::pcm::{FRAME_SAMPLES, Frame};
use crate::codec::dot::dot;

/// Samples of a frame at 8 and at 4 kHz.
const NARROW: usize = FRAME_SAMPLES / 2;
const LOW: usize = FRAME_SAMPLES / 4;
/// What is correlated, at 4 kHz: 40 ms, two periods of the lowest voice.
const WINDOW: usize = 2 * LOW;
/// Periods that a voice has: 80 to 500 Hz.
const SHORTEST: usize = 8;
const LONGEST: usize = 50;
const LAGS: usize = LONGEST - SHORTEST + 1;
const KEPT: usize = WINDOW + LONGEST;
/// Mean square below which there is nothing to measure: -66 dBFS.
const QUIET: f32 = 16.0 * 16.0;

/// Lowpass at 900 Hz for 8 kHz (Hamming's window): the middle and one side.
const LOWPASS: [f32; 8] = [0.2282, 0.2001, 0.1318, 0.0589, 0.0109, -0.0063, -0.006, -0.0036];
const TAPS: usize = 2 * LOWPASS.len() - 1;
/// Pole of the highpass at 4 kHz, which takes hum and rumble out.
const HIGHPASS: f32 = 0.85;

/// Measures one incoming leg.
pub(super) struct Voicing {
    /// At 8 kHz: what the lowpass remembers, and the newest frame.
    narrow: [f32; TAPS - 1 + NARROW],
    /// At 4 kHz, the newest last.
    recent: [f32; KEPT],
    /// The highpass's last input and output.
    before: (f32, f32),
}

impl Voicing {
    pub(super) const fn new() -> Self {
        Self { narrow: [0.0; TAPS - 1 + NARROW], recent: [0.0; KEPT], before: (0.0, 0.0) }
    }

    /// The peak for the 40 ms that end with this frame, 0 to 1. RT safe.
    pub(super) fn measure(&mut self, frame: &Frame) -> f32 {
        self.take(frame);
        let window = &self.recent[LONGEST..];
        let power = dot(window, window);
        if power < QUIET * WINDOW as f32 {
            return 0.0;
        }
        let mut alike = [0.0_f32; LAGS];
        let mut energy = {
            let first = &self.recent[LONGEST - SHORTEST..KEPT - SHORTEST];
            dot(first, first)
        };
        for (index, alike) in alike.iter_mut().enumerate() {
            let start = LONGEST - SHORTEST - index;
            let shifted = &self.recent[start..start + WINDOW];
            // Less is what is left of a running sum.
            if energy > 1e-5 * power {
                *alike = dot(window, shifted) / (power * energy).sqrt();
            }
            if start > 0 {
                let (enters, leaves) = (self.recent[start - 1], self.recent[start + WINDOW - 1]);
                energy += enters * enters - leaves * leaves;
            }
        }
        // A slope that has no peak is a lower sound's.
        let peaks = alike.windows(3).filter(|near| near[1] >= near[0] && near[1] >= near[2]);
        peaks.map(|near| near[1]).fold(0.0, f32::max).min(1.0)
    }

    fn take(&mut self, frame: &Frame) {
        self.narrow.copy_within(NARROW.., 0);
        let (pairs, _) = frame.0.as_chunks::<2>();
        for (half, pair) in self.narrow[TAPS - 1..].iter_mut().zip(pairs) {
            *half = 0.5 * (f32::from(pair[0]) + f32::from(pair[1]));
        }
        self.recent.copy_within(LOW.., 0);
        let middle = LOWPASS.len() - 1;
        for (index, sample) in self.recent[KEPT - LOW..].iter_mut().enumerate() {
            let around = &self.narrow[2 * index..2 * index + TAPS];
            let sides = LOWPASS.iter().enumerate().skip(1);
            let low = sides.fold(LOWPASS[0] * around[middle], |sum, (far, tap)| {
                sum + tap * (around[middle - far] + around[middle + far])
            });
            let (input, output) = self.before;
            let high = low - input + HIGHPASS * output;
            // What decays without an end becomes numbers that are slow to reckon with.
            *sample = if high.abs() < 1e-3 { 0.0 } else { high };
            self.before = (low, *sample);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use super::*;
    use crate::base::Entropy;

    const RATE_HZ: f32 = 16_000.0;

    /// The highest and the lowest of half a second, without its begin.
    fn range(sound: impl Fn(usize) -> f32) -> (f32, f32) {
        let mut voicing = Voicing::new();
        let measured = (0..25).map(|frame| {
            let sample = |index| sound(frame * FRAME_SAMPLES + index) as i16;
            voicing.measure(&Frame(std::array::from_fn(sample)))
        });
        let steady = measured.skip(5);
        steady.fold((0.0, 1.0), |(most, least), now| (now.max(most), now.min(least)))
    }

    /// Harmonics of `pitch_hz` from 300 Hz on, as a telephone passes them.
    fn vowel(pitch_hz: f32, at: usize) -> f32 {
        let time = at as f32 / RATE_HZ;
        let harmonics =
            (1..=40).map(|n| n as f32 * pitch_hz).filter(|hz| (300.0..3_400.0).contains(hz));
        harmonics.map(|hz| 900.0 * 300.0 / hz * (TAU * hz * time).sin()).sum()
    }

    fn noise() -> Vec<f32> {
        let mut entropy = Entropy::new([5; 32]);
        (0..12_000).map(|_| f32::from(entropy.next_u32() as i16)).collect()
    }

    #[test]
    fn a_vowel_of_any_pitch_is_periodic() {
        for pitch_hz in [85.0, 110.0, 150.0, 220.0, 300.0, 380.0] {
            let (_, least) = range(|at| vowel(pitch_hz, at));
            assert!(least > 0.9, "{pitch_hz} Hz: {least}");
        }
    }

    #[test]
    fn noise_of_any_colour_and_hum_are_not() {
        let white = noise();
        let brown: Vec<f32> = white
            .iter()
            .scan(0.0, |sum, sample| {
                *sum = 0.97 * *sum + 0.03 * sample;
                Some(*sum * 4.0)
            })
            .collect();
        let hum = |at: usize| 3_000.0 * (TAU * 50.0 * at as f32 / RATE_HZ).sin();
        for (name, (most, _)) in [
            ("white", range(|at| 0.1 * white[at])),
            ("brown", range(|at| brown[at])),
            ("hum", range(|at| hum(at) + 0.003 * white[at])),
            ("nothing", range(|_| 0.0)),
        ] {
            assert!(most < 0.55, "{name}: {most}");
        }
    }

    #[test]
    fn a_vowel_in_noise_is_as_periodic_as_its_share_of_the_power() {
        let noise = noise();
        let (_, loud) = range(|at| vowel(120.0, at) + 0.02 * noise[at]);
        let (soft, _) = range(|at| 0.1 * vowel(120.0, at) + 0.1 * noise[at]);
        assert!(loud > 0.8 && soft < 0.6, "{loud} {soft}");
    }
}
