//! Sounds for tests: speech-like, tones, noise. Fixed sequences, any rate.

use std::f32::consts::TAU;

/// Uniform noise with this peak.
pub(crate) fn noise(samples: usize, peak: f32) -> Vec<i16> {
    let mut state = 12_345_u32;
    (0..samples).map(|_| (next_white(&mut state) * peak) as i16).collect()
}

/// A sum of sines of the same peak.
pub(crate) fn tones(rate_hz: u32, samples: usize, hz: &[f32], peak: f32) -> Vec<i16> {
    let wave = |n: usize| -> f32 {
        hz.iter().map(|f| (TAU * f * n as f32 / rate_hz as f32).sin() * peak).sum()
    };
    (0..samples).map(|n| wave(n) as i16).collect()
}

/// Voiced syllables of 200 ms: glottal pulses around 120 Hz through three formants that move
/// from vowel to vowel, with a dip and a breath of noise between two syllables.
pub(crate) fn speech(rate_hz: u32, samples: usize) -> Vec<i16> {
    speech_at(rate_hz, samples, 120.0)
}

/// The same with another mean pitch.
pub(crate) fn speech_at(rate_hz: u32, samples: usize, pitch_hz: f32) -> Vec<i16> {
    let rate = rate_hz as f32;
    let vowels = [[700.0, 1_200.0, 2_600.0], [300.0, 2_200.0, 2_900.0], [500.0, 900.0, 2_400.0]];
    let syllable = 0.2 * rate;
    let mut formants = [Formant::default(); 3];
    let (mut state, mut phase, mut glottis) = (99_u32, 0.0_f32, 0.0_f32);
    let mut wave = Vec::with_capacity(samples);
    for n in 0..samples {
        let at = n as f32 / syllable;
        let (index, within) = (at as usize, at.fract());
        let (from, to) = (vowels[index % 3], vowels[(index + 1) % 3]);
        let loudness = (within * std::f32::consts::PI).sin().max(0.0).sqrt() * 0.9 + 0.1;
        let pitch = pitch_hz * (1.0 + 0.1 * (TAU * 0.7 * n as f32 / rate).sin());
        phase += pitch / rate;
        let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
        phase = phase.fract();
        glottis = 0.95 * glottis + pulse;
        let breath = 0.02 + 0.1 * (1.0 - loudness);
        let mut x = loudness * glottis + breath * next_white(&mut state);
        for (k, formant) in formants.iter_mut().enumerate() {
            let centre = from[k] + (to[k] - from[k]) * within;
            x = formant.filter(x, centre, 60.0 + 40.0 * k as f32, rate);
        }
        wave.push(x);
    }
    let peak = wave.iter().fold(1e-9_f32, |peak, x| peak.max(x.abs()));
    wave.iter().map(|x| (x / peak * 12_000.0) as i16).collect()
}

/// Power in dB relative to full scale.
pub(crate) fn dbfs(samples: &[i16]) -> f32 {
    crate::base::pcm::level_dbfs(samples)
}

/// Signal to noise in dB of `got` against `wanted`, at the best delay up to `most` samples and the
/// best gain.
pub(crate) fn snr_db(wanted: &[i16], got: &[i16], most: usize) -> f32 {
    let at = |delay: usize| {
        let pairs = || wanted.iter().zip(&got[delay..]).skip(most);
        let (mut ab, mut aa, mut bb) = (0.0_f64, 0.0_f64, 1e-9_f64);
        for (&a, &b) in pairs() {
            let (a, b) = (f64::from(a), f64::from(b));
            (ab, aa, bb) = (ab + a * b, aa + a * a, bb + b * b);
        }
        let explained = if ab > 0.0 { ab * ab / bb } else { 0.0 };
        10.0 * (aa / (aa - explained).max(1e-3)).log10()
    };
    (0..=most).map(at).fold(f64::MIN, f64::max) as f32
}

fn next_white(state: &mut u32) -> f32 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*state >> 8) as f32 / 8_388_608.0 - 1.0
}

#[derive(Clone, Copy, Default)]
struct Formant {
    y1: f32,
    y2: f32,
}

impl Formant {
    fn filter(&mut self, x: f32, centre_hz: f32, width_hz: f32, rate_hz: f32) -> f32 {
        let r = (-std::f32::consts::PI * width_hz / rate_hz).exp();
        let a1 = 2.0 * r * (TAU * centre_hz / rate_hz).cos();
        let gain = 1.0 - a1 + r * r;
        let y = gain * x + a1 * self.y1 - r * r * self.y2;
        (self.y2, self.y1) = (self.y1, y);
        y
    }
}
