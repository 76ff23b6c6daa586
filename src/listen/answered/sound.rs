//! Sounds that the tests here are made of.

use std::f32::consts::TAU;

use crate::base::Entropy;
use crate::base::pcm::{SAMPLE_RATE_HZ, ms_to_samples};

/// A sum of sinusoids of equal power, together at this level.
pub(super) fn sines(hz: &[f32], dbfs: f32, length_ms: u64) -> Vec<i16> {
    let peak = 32_768.0 * 10.0_f32.powf(dbfs / 20.0) * (2.0 / hz.len() as f32).sqrt();
    let at = |index: usize| {
        let time = index as f32 / SAMPLE_RATE_HZ as f32;
        hz.iter().map(|hz| peak * (TAU * hz * time).sin()).sum::<f32>() as i16
    };
    (0..ms_to_samples(length_ms)).map(at).collect()
}

pub(super) fn silence(length_ms: u64) -> Vec<i16> {
    vec![0; ms_to_samples(length_ms)]
}

/// White noise this far below the sound's own power.
pub(super) fn with_noise(sound: Vec<i16>, snr_db: f32, entropy: &mut Entropy) -> Vec<i16> {
    let power = sound.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / sound.len() as f32;
    // Evenly spread numbers from -1 to 1 have a third of their peak's power.
    let peak = (3.0 * power * 10.0_f32.powf(-snr_db / 10.0)).sqrt();
    let noise = |sample: &i16, entropy: &mut Entropy| {
        let part = f32::from(entropy.next_u16() as i16) / 32_768.0;
        (f32::from(*sample) + peak * part).clamp(-32_768.0, 32_767.0) as i16
    };
    sound.iter().map(|sample| noise(sample, entropy)).collect()
}

/// Tone and pause in turns, a pattern again and again: (Hz, milliseconds), no Hz for a pause.
pub(super) fn cadence(pattern: &[(&[f32], u64)], times: usize) -> Vec<i16> {
    let once: Vec<i16> = pattern
        .iter()
        .flat_map(|(hz, ms)| if hz.is_empty() { silence(*ms) } else { sines(hz, -20.0, *ms) })
        .collect();
    once.repeat(times)
}
