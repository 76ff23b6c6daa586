//! The picture of a sound that turn models look at: Whisper's logarithmic mel spectrum of 8 s.
//!
//! As the feature extractor of Hugging Face's Whisper makes it, with the sound brought to a mean of 0
//! and a variance of 1 before: 80 bands, 10 ms apart, windows of 25 ms, Slaney's mel scale and areas.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};

use crate::base::pcm;

/// Samples that are looked at: 8 s.
pub const SAMPLES: usize = 8 * pcm::SAMPLE_RATE_HZ as usize;
pub const BANDS: usize = 80;
pub const FRAMES: usize = SAMPLES / HOP;
const HOP: usize = 160;
const WINDOW: usize = 400;
const BINS: usize = WINDOW / 2 + 1;
/// Keeps silence from being brought to full scale.
const LEAST_VARIANCE: f32 = 1e-7;
/// What lies further below the loudest point than this power of ten is as if it lay there.
const DEPTH: f32 = 8.0;
const LEAST_POWER: f32 = 1e-10;

/// Tables and memory for one picture at a time.
pub struct LogMel {
    fft: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    bands: Vec<Band>,
    /// The sound, with half a window before and after it.
    padded: Vec<f32>,
    frame: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
}

/// A triangle over neighbouring bins.
struct Band {
    first: usize,
    weights: Vec<f32>,
}

impl Default for LogMel {
    fn default() -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(WINDOW);
        let angle = |n: usize| 2.0 * std::f64::consts::PI * n as f64 / WINDOW as f64;
        Self {
            hann: (0..WINDOW).map(|n| (0.5 - 0.5 * angle(n).cos()) as f32).collect(),
            bands: bands(),
            padded: vec![0.0; SAMPLES + WINDOW],
            frame: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
        }
    }
}

impl LogMel {
    pub fn new() -> Self {
        Self::default()
    }

    /// The last 8 s of `audio`, 16 kHz, with silence before it if it is shorter: [`BANDS`] rows of
    /// [`FRAMES`] values, about -1 to 1.5.
    pub fn picture(&mut self, audio: &[i16]) -> Vec<f32> {
        let audio = audio.get(audio.len().saturating_sub(SAMPLES)..).unwrap_or(audio);
        self.lay_out(audio);
        let mut picture = vec![0.0; BANDS * FRAMES];
        // Frames of nothing but the silence before it are alike.
        let alike = (SAMPLES - audio.len()).saturating_sub(WINDOW / 2) / HOP;
        let mut powers = [0.0; BANDS];
        for frame in 0..FRAMES {
            if frame == 0 || frame > alike {
                powers = self.powers(frame * HOP);
            }
            for (row, power) in picture.chunks_mut(FRAMES).zip(powers) {
                row[frame] = power.max(LEAST_POWER).log10();
            }
        }
        let highest = picture.iter().copied().fold(f32::MIN, f32::max);
        for value in &mut picture {
            *value = (value.max(highest - DEPTH) + 4.0) / 4.0;
        }
        picture
    }

    /// Normalised, with silence before it, and mirrored at both ends.
    fn lay_out(&mut self, audio: &[i16]) {
        let count = SAMPLES as f64;
        let samples = || audio.iter().map(|&sample| f64::from(sample) / 32_768.0);
        let mean = samples().sum::<f64>() / count;
        let variance = samples().map(|sample| sample * sample).sum::<f64>() / count - mean * mean;
        let (mean, deviation) = (mean as f32, (variance.max(0.0) as f32 + LEAST_VARIANCE).sqrt());
        let half = WINDOW / 2;
        let begins = half + SAMPLES - audio.len();
        self.padded.fill(-mean / deviation);
        for (place, &sample) in self.padded.iter_mut().skip(begins).zip(audio) {
            *place = (f32::from(sample) / 32_768.0 - mean) / deviation;
        }
        for n in 1..=half {
            self.padded[half - n] = self.padded[half + n];
            self.padded[half + SAMPLES - 1 + n] = self.padded[half + SAMPLES - 1 - n];
        }
    }

    /// Power in each band of the window that begins at `start` of the padded sound.
    fn powers(&mut self, start: usize) -> [f32; BANDS] {
        let window = self.padded.iter().skip(start);
        for ((value, sample), weight) in self.frame.iter_mut().zip(window).zip(&self.hann) {
            *value = sample * weight;
        }
        self.fft
            .process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch)
            .expect("the buffers were made by this transform");
        let power = |band: &Band| {
            let bins = self.spectrum.iter().skip(band.first);
            bins.zip(&band.weights).map(|(bin, weight)| bin.norm_sqr() * weight).sum()
        };
        let mut powers = [0.0; BANDS];
        for (sum, band) in powers.iter_mut().zip(&self.bands) {
            *sum = power(band);
        }
        powers
    }
}

impl std::fmt::Debug for LogMel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogMel")
    }
}

/// Linear up to 1 kHz, then logarithmic (Slaney's Auditory Toolbox).
fn mel_of(hertz: f64) -> f64 {
    if hertz < 1_000.0 { 3.0 * hertz / 200.0 } else { 15.0 + (hertz / 1_000.0).ln() / step() }
}

fn hertz_of(mel: f64) -> f64 {
    if mel < 15.0 { 200.0 * mel / 3.0 } else { 1_000.0 * ((mel - 15.0) * step()).exp() }
}

fn step() -> f64 {
    6.4_f64.ln() / 27.0
}

/// Triangles between neighbouring points of the mel scale, each with the same area.
fn bands() -> Vec<Band> {
    let nyquist = f64::from(pcm::SAMPLE_RATE_HZ) / 2.0;
    let point = |n: usize| hertz_of(mel_of(nyquist) * n as f64 / (BANDS + 1) as f64);
    let hertz = |bin: usize| nyquist * bin as f64 / (BINS - 1) as f64;
    let band = |n: usize| {
        let (low, middle, high) = (point(n), point(n + 1), point(n + 2));
        let weight = |bin: usize| {
            let (up, down) =
                ((hertz(bin) - low) / (middle - low), (high - hertz(bin)) / (high - middle));
            (up.min(down).max(0.0) * 2.0 / (high - low)) as f32
        };
        let first = (0..BINS).find(|&bin| weight(bin) > 0.0).unwrap_or(0);
        let weights = (first..BINS).map(weight).take_while(|weight| *weight > 0.0).collect();
        Band { first, weights }
    };
    (0..BANDS).map(band).collect()
}
