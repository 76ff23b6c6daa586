//! Power in the bands of telephone speech, of two signals at once.

use std::f32::consts::PI;

/// Samples at 8 kHz that a spectrum is taken of: 32 ms.
pub const WINDOW: usize = 256;
const LOG2_WINDOW: u32 = WINDOW.trailing_zeros();
/// First bins of the bands, 31.25 Hz each, from 250 to 3,400 Hz: narrower where speech has most.
const EDGES: [usize; BANDS + 1] = [8, 12, 16, 21, 27, 34, 42, 51, 62, 76, 92, 109];
/// Bands.
pub const BANDS: usize = 11;
/// Hann's window passes 3/8 of the power; both sides of the spectrum count.
const SCALE: f32 = 2.0 / (0.375 * (WINDOW * WINDOW) as f32);

/// Twiddle factors and the window.
pub struct Spectra {
    window: [f32; WINDOW],
    cos: [f32; WINDOW / 2],
    sin: [f32; WINDOW / 2],
}

impl Spectra {
    pub fn new() -> Self {
        let angle = |index: usize| 2.0 * PI * index as f32 / WINDOW as f32;
        Self {
            window: std::array::from_fn(|index| 0.5 - 0.5 * angle(index).cos()),
            cos: std::array::from_fn(|index| angle(index).cos()),
            sin: std::array::from_fn(|index| -angle(index).sin()),
        }
    }

    /// Mean square of both signals in each band, of [`WINDOW`] samples each. RT safe.
    pub fn bands(&self, first: &[f32], second: &[f32]) -> ([f32; BANDS], [f32; BANDS]) {
        let (mut re, mut im) = ([0.0; WINDOW], [0.0; WINDOW]);
        for (index, window) in self.window.iter().enumerate() {
            let place = index.reverse_bits() >> (usize::BITS - LOG2_WINDOW);
            re[place] = first.get(index).copied().unwrap_or(0.0) * window;
            im[place] = second.get(index).copied().unwrap_or(0.0) * window;
        }
        self.transform(&mut re, &mut im);
        // One transform of both: the first signal's spectrum is even, the second's odd.
        let power = |bin: usize| {
            let mirror = WINDOW - bin;
            let first = (re[bin] + re[mirror], im[bin] - im[mirror]);
            let second = (im[bin] + im[mirror], re[mirror] - re[bin]);
            (first.0 * first.0 + first.1 * first.1, second.0 * second.0 + second.1 * second.1)
        };
        // Each signal's part was taken twice.
        let scale = SCALE / 4.0;
        let mut bands = ([0.0; BANDS], [0.0; BANDS]);
        for band in 0..BANDS {
            for bin in EDGES[band]..EDGES[band + 1] {
                let (first, second) = power(bin);
                bands.0[band] += first * scale;
                bands.1[band] += second * scale;
            }
        }
        bands
    }

    /// Mean square in each bin, 31.25 Hz apart from 0 Hz on. RT safe.
    pub fn powers(&self, signal: &[f32; WINDOW]) -> [f32; WINDOW / 2] {
        let (mut re, mut im) = ([0.0; WINDOW], [0.0; WINDOW]);
        for (index, (sample, window)) in signal.iter().zip(&self.window).enumerate() {
            re[index.reverse_bits() >> (usize::BITS - LOG2_WINDOW)] = sample * window;
        }
        self.transform(&mut re, &mut im);
        std::array::from_fn(|bin| SCALE * (re[bin] * re[bin] + im[bin] * im[bin]))
    }

    /// Decimation in time, radix 2, of values in bit-reversed order.
    fn transform(&self, re: &mut [f32; WINDOW], im: &mut [f32; WINDOW]) {
        let mut half = 1;
        while half < WINDOW {
            let step = WINDOW / (2 * half);
            for start in (0..WINDOW).step_by(2 * half) {
                for k in 0..half {
                    let (cos, sin) = (self.cos[k * step], self.sin[k * step]);
                    let (a, b) = (start + k, start + k + half);
                    let (x, y) = (re[b] * cos - im[b] * sin, re[b] * sin + im[b] * cos);
                    (re[b], im[b]) = (re[a] - x, im[a] - y);
                    (re[a], im[a]) = (re[a] + x, im[a] + y);
                }
            }
            half *= 2;
        }
    }
}
