//! The one PCM format inside the program: 16 kHz, mono, 16 bit, frames of 20 ms.
//!
//! Codecs have rates of their own (`codec::Codec::sample_rate_hz`); the media plane resamples at
//! its border, so that hearing and speaking never ask which codec a call uses.

/// Samples a second inside the program.
pub const SAMPLE_RATE_HZ: u32 = 16_000;
/// Length of a frame in milliseconds.
pub const FRAME_MS: u64 = 20;
/// Samples in a frame.
pub const FRAME_SAMPLES: usize = (SAMPLE_RATE_HZ as usize / 1000) * FRAME_MS as usize;

/// From this loudness on 20 ms of sound are heard: far above the silence of a codec, far below a voice on a
/// telephone.
pub const SOUND_DBFS: f32 = -45.0;

/// 20 ms of sound.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame(pub [i16; FRAME_SAMPLES]);

impl Frame {
    pub const SILENCE: Self = Self([0; FRAME_SAMPLES]);

    /// Root mean square in dB relative to full scale; digital silence is -96.
    pub fn level_dbfs(&self) -> f32 {
        level_dbfs(&self.0)
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({:.0} dBFS)", self.level_dbfs())
    }
}

/// Root mean square of `samples` in dB relative to full scale; digital silence is -96.
pub fn level_dbfs(samples: &[i16]) -> f32 {
    let energy: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    let mean = energy / samples.len().max(1) as f64;
    let rms = (mean.sqrt() / 32_768.0).max(1.6e-5);
    20.0 * (rms.log10() as f32)
}

/// Milliseconds in `samples` samples at the internal rate.
pub const fn samples_to_ms(samples: usize) -> u64 {
    samples as u64 * 1000 / SAMPLE_RATE_HZ as u64
}

/// Samples at the internal rate in `ms` milliseconds.
pub const fn ms_to_samples(ms: u64) -> usize {
    (ms * SAMPLE_RATE_HZ as u64 / 1000) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_relative_to_full_scale() {
        assert!(Frame::SILENCE.level_dbfs() < -95.0);
        assert!(Frame([i16::MAX; FRAME_SAMPLES]).level_dbfs().abs() < 0.01);
        let half = Frame([i16::MAX / 2; FRAME_SAMPLES]).level_dbfs();
        assert!((half + 6.02).abs() < 0.05, "{half}");
    }
}
