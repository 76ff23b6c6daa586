//! Brings a voice's own rate to the program's 16 kHz. Pure.
//!
//! A windowed-sinc filter for each phase of the ratio. Chunks may be of any length; what comes out
//! is the same however the sound was cut.

use crate::base::pcm::SAMPLE_RATE_HZ;

/// Taps on each side of a sample, at the lower of the two rates.
const HALF_TAPS: usize = 16;
/// Part of the lower rate's band that passes.
const PASS: f64 = 0.94;

/// From `from_hz` to 16 kHz, mono.
#[derive(Debug)]
pub struct ToSixteenKilohertz {
    /// Output over input rate, reduced.
    up: usize,
    down: usize,
    reach: usize,
    /// `2 * reach` taps for each of `up` phases.
    taps: Vec<f32>,
    /// Input not yet done with; its first sample belongs to the next output's first tap.
    input: Vec<f32>,
    /// Phase of the next output, below `up`.
    phase: usize,
}

impl ToSixteenKilohertz {
    /// `None` for a rate outside of 8 to 48 kHz.
    pub fn new(from_hz: u32) -> Option<Self> {
        if !(8_000..=48_000).contains(&from_hz) {
            return None;
        }
        let divisor = greatest_common_divisor(SAMPLE_RATE_HZ, from_hz);
        let (up, down) = ((SAMPLE_RATE_HZ / divisor) as usize, (from_hz / divisor) as usize);
        let cutoff = PASS * (f64::from(SAMPLE_RATE_HZ) / f64::from(from_hz)).min(1.0);
        let reach = (HALF_TAPS as f64 / cutoff).ceil() as usize;
        let taps = (0..up).flat_map(|phase| phase_taps(phase, up, reach, cutoff)).collect();
        // Before the first sample there was silence, so that the first output is the first input.
        let input = vec![0.0; reach - 1];
        Some(Self { up, down, reach, taps, input, phase: 0 })
    }

    /// Takes `samples` and appends what can be made of them to `out`.
    pub fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.input.extend(samples.iter().map(|&sample| f32::from(sample)));
        let width = 2 * self.reach;
        let mut first = 0;
        while let Some(window) = self.input.get(first..first + width) {
            let taps = self.taps.get(self.phase * width..(self.phase + 1) * width);
            let taps = taps.expect("the phase is below the number of phases");
            let sum: f32 = window.iter().zip(taps).map(|(sample, tap)| sample * tap).sum();
            out.push(sum.round() as i16);
            self.phase += self.down;
            first += self.phase / self.up;
            self.phase %= self.up;
        }
        self.input.drain(..first.min(self.input.len()));
    }

    /// Appends what is still inside, at the end of the sound.
    pub fn finish(&mut self, out: &mut Vec<i16>) {
        self.push(&vec![0; self.reach], out);
    }
}

/// The taps around a point `phase / up` of the way from one input sample to the next.
fn phase_taps(phase: usize, up: usize, reach: usize, cutoff: f64) -> Vec<f32> {
    let shift = phase as f64 / up as f64;
    let tap = |n: usize| {
        let distance = n as f64 - (reach as f64 - 1.0) - shift;
        let x = std::f64::consts::PI * distance * cutoff;
        let sinc = if x.abs() < 1e-9 { 1.0 } else { x.sin() / x };
        let edge = (std::f64::consts::PI * distance / reach as f64).cos();
        sinc * cutoff * (0.5 + 0.5 * edge)
    };
    let taps: Vec<f64> = (0..2 * reach).map(tap).collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| (tap / sum) as f32).collect()
}

const fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pcm::level_dbfs;

    fn tone(hz: f32, rate_hz: u32, samples: usize) -> Vec<i16> {
        let step = std::f32::consts::TAU * hz / rate_hz as f32;
        (0..samples).map(|n| ((n as f32 * step).sin() * 16_384.0) as i16).collect()
    }

    fn convert(from_hz: u32, input: &[i16], piece: usize) -> Vec<i16> {
        let mut resampler = ToSixteenKilohertz::new(from_hz).unwrap();
        let mut out = Vec::new();
        input.chunks(piece).for_each(|chunk| resampler.push(chunk, &mut out));
        resampler.finish(&mut out);
        out
    }

    #[test]
    fn a_tone_keeps_its_pitch_place_and_level() {
        for from_hz in [8_000, 22_050, 16_000, 48_000] {
            let out = convert(from_hz, &tone(1_000.0, from_hz, from_hz as usize), 1_000);
            let expected = tone(1_000.0, 16_000, out.len());
            assert!(out.len().abs_diff(16_000) <= 1, "{from_hz} Hz: {} samples", out.len());
            let middle = 1_000..15_000;
            let difference: Vec<i16> = middle.map(|n| out[n].saturating_sub(expected[n])).collect();
            assert!(level_dbfs(&difference) < -60.0, "{from_hz} Hz: {}", level_dbfs(&difference));
        }
    }

    #[test]
    fn what_does_not_fit_the_lower_rate_is_taken_out() {
        let out = convert(22_050, &tone(9_500.0, 22_050, 22_050), 512);
        assert!(level_dbfs(&out[1_000..15_000]) < -50.0);
    }

    #[test]
    fn the_cuts_of_the_input_cannot_be_heard() {
        let input = tone(440.0, 22_050, 5_000);
        assert_eq!(convert(22_050, &input, 7), convert(22_050, &input, 5_000));
    }

    #[test]
    fn silly_rates_are_refused() {
        assert!(ToSixteenKilohertz::new(0).is_none());
        assert!(ToSixteenKilohertz::new(192_000).is_none());
    }
}
