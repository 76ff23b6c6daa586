//! Sample rate conversion between the codecs' rates and 16 kHz, by a polyphase FIR filter.
//!
//! Ours rather than a library's for its short delay (1.4 ms between 8 and 16 kHz) and because a
//! tick's block may have any length. A Kaiser window gives 60 dB; the pass band reaches to 0.85 of
//! the lower rate's half, which is the telephone band at 8 kHz.

use super::dot::dot;

/// Filter length in samples of the lower rate.
const TAPS_AT_LOWER_RATE: usize = 24;
/// Kaiser's shape for 60 dB.
const KAISER_BETA: f64 = 5.65;
/// Input that is converted in one go; longer input is cut up inside.
const CHUNK_SAMPLES: usize = 480;

/// A converter for one direction of one leg. Rates are 8000 to 48000 Hz.
pub struct Resampler {
    up: usize,
    down: usize,
    taps: usize,
    /// For each of `up` phases the filter, reversed, so that it meets the input in its order.
    bank: Vec<f32>,
    /// `taps - 1` samples of the past, then the chunk.
    window: Vec<f32>,
    /// Of the next output sample, in `1 / up` input samples from the chunk's start.
    next_at: usize,
}

impl Resampler {
    /// Designs the filter. Equal rates are allowed and pass the samples through the same delay.
    pub fn new(from_hz: u32, to_hz: u32) -> Self {
        let rates = 8_000..=48_000;
        assert!(rates.contains(&from_hz) && rates.contains(&to_hz), "{from_hz} to {to_hz} Hz");
        let common = greatest_common_divisor(from_hz, to_hz);
        let (up, down) = ((to_hz / common) as usize, (from_hz / common) as usize);
        let taps = (TAPS_AT_LOWER_RATE * down.max(up)).div_ceil(up);
        Self {
            up,
            down,
            taps,
            bank: design(up, down, taps),
            window: vec![0.0; taps - 1 + CHUNK_SAMPLES],
            next_at: 0,
        }
    }

    /// Back to the state of a new call. RT safe.
    pub fn reset(&mut self) {
        self.window.fill(0.0);
        self.next_at = 0;
    }

    /// Delay from input to output, in samples of the output, rounded.
    pub fn delay_samples(&self) -> usize {
        let prototype = (self.taps * self.up) / 2 - 1;
        (prototype + self.down / 2) / self.down
    }

    /// Samples that `process` writes at most for so many.
    pub fn max_output(&self, input_samples: usize) -> usize {
        (input_samples * self.up).div_ceil(self.down)
    }

    /// Converts all of `input` and returns the samples written to `out`, which holds
    /// `max_output(input.len())`; what does not fit is lost. Blocks of 10 ms give whole blocks
    /// between 8, 16, 32 and 48 kHz. RT safe.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> usize {
        let mut written = 0;
        for chunk in input.chunks(CHUNK_SAMPLES) {
            let past = self.taps - 1;
            for (slot, &sample) in self.window[past..].iter_mut().zip(chunk) {
                *slot = f32::from(sample);
            }
            let end_at = chunk.len() * self.up;
            while self.next_at < end_at {
                let (index, phase) = (self.next_at / self.up, self.next_at % self.up);
                let filter = &self.bank[phase * self.taps..(phase + 1) * self.taps];
                let heard = &self.window[index..index + self.taps];
                let sum = dot(filter, heard);
                if let Some(slot) = out.get_mut(written) {
                    // The cast saturates.
                    *slot = sum.round() as i16;
                    written += 1;
                }
                self.next_at += self.down;
            }
            self.next_at -= end_at;
            self.window.copy_within(chunk.len()..chunk.len() + past, 0);
        }
        written
    }
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// A windowed sinc at `up` times the input rate, cut off at half the lower rate, split into phases
/// that each sum to 1, so that no phase is heard as a tone on a steady input.
fn design(up: usize, down: usize, taps: usize) -> Vec<f32> {
    let length = up * taps - 1;
    let centre = (length - 1) as f64 / 2.0;
    let cutoff = 1.0 / up.max(down) as f64;
    let prototype = |at: usize| {
        let x = at as f64 - centre;
        let edge = x / (centre + 1.0);
        let window = bessel_i0(KAISER_BETA * (1.0 - edge * edge).max(0.0).sqrt());
        let angle = std::f64::consts::PI * x * cutoff;
        window * if x == 0.0 { 1.0 } else { angle.sin() / angle }
    };
    let mut bank = vec![0.0; up * taps];
    for phase in 0..up {
        let row = &mut bank[phase * taps..(phase + 1) * taps];
        for (back, tap) in row.iter_mut().rev().enumerate() {
            let at = phase + back * up;
            *tap = if at < length { prototype(at) as f32 } else { 0.0 };
        }
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|tap| *tap /= sum);
    }
    bank
}

/// The modified Bessel function of order zero, by its series.
fn bessel_i0(x: f64) -> f64 {
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-12 {
        term *= (x / 2.0 / k) * (x / 2.0 / k);
        sum += term;
        k += 1.0;
    }
    sum
}
