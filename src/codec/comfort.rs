//! Comfort noise (RFC 3389): the level goes over the wire, the noise is made here.
//!
//! The optional spectrum of RFC 3389 is read past: a soft noise of the right level is all that a
//! listener, or a recogniser, needs. The noise is a fixed sequence, so a test can replay it.

/// Loudest noise that a peer may ask of us, in -dBov; a level byte of 0 would be a scream.
const LOUDEST_LEVEL: u8 = 30;
/// Share of the way to a new level that one `fill` goes: no step is heard between two updates.
const LEVEL_SMOOTHING: f32 = 0.3;

/// Soft pseudo-random noise.
#[derive(Clone, Debug)]
pub(super) struct Noise {
    state: u32,
    last: f32,
}

impl Noise {
    pub(super) const fn new() -> Self {
        Self { state: 0x2545_F491, last: 0.0 }
    }

    /// The next sample of noise with this root mean square. RT safe.
    pub(super) fn next(&mut self, rms: f32) -> f32 {
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let white = ((self.state >> 8) as f32 / 8_388_608.0 - 1.0) * 3_f32.sqrt();
        // One pole at half; the factor restores the power that it takes.
        self.last = 0.5 * self.last + 0.866 * white;
        self.last * rms
    }
}

/// The background noise of a peer that is silent.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    target_rms: f32,
    rms: f32,
    noise: Noise,
}

impl Default for ComfortNoise {
    fn default() -> Self {
        Self::new()
    }
}

impl ComfortNoise {
    /// Silent until the first level comes.
    pub const fn new() -> Self {
        Self { target_rms: 0.0, rms: 0.0, noise: Noise::new() }
    }

    /// Back to the state of a new call. RT safe.
    pub fn reset(&mut self) {
        *self = Self::new();
    }

    /// Takes the level from a comfort noise payload; an empty one changes nothing. RT safe.
    pub fn update(&mut self, payload: &[u8]) {
        if let Some(&level) = payload.first() {
            self.target_rms = rms_of((level & 0x7F).max(LOUDEST_LEVEL));
        }
    }

    /// Fills `out` with noise at the last level. RT safe.
    pub fn fill(&mut self, out: &mut [i16]) {
        self.rms += LEVEL_SMOOTHING * (self.target_rms - self.rms);
        for sample in out {
            *sample = self.noise.next(self.rms) as i16;
        }
    }
}

/// The level byte for this background: -dBov, 0 to 127. RT safe.
pub fn level_byte(samples: &[i16]) -> u8 {
    (-crate::base::pcm::level_dbfs(samples)).round().clamp(0.0, 127.0) as u8
}

/// Writes the comfort noise payload for this background (the level alone) and returns its bytes.
/// RT safe.
pub fn encode(samples: &[i16], out: &mut [u8]) -> usize {
    let Some(first) = out.first_mut() else { return 0 };
    *first = level_byte(samples);
    1
}

fn rms_of(level: u8) -> f32 {
    32_768.0 * 10_f32.powf(-f32::from(level) / 20.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_has_the_level_that_was_sent() {
        for level in [35, 50, 65, 75] {
            let mut comfort = ComfortNoise::new();
            comfort.update(&[level, 12, 13]);
            let mut out = [0; 160];
            for _ in 0..30 {
                comfort.fill(&mut out);
            }
            let mut long = [0; 8_000];
            comfort.fill(&mut long);
            assert!(level_byte(&long).abs_diff(level) <= 1, "{level} {}", level_byte(&long));
        }
    }

    #[test]
    fn a_level_of_zero_is_not_obeyed() {
        let mut comfort = ComfortNoise::new();
        comfort.update(&[0]);
        let mut out = [0; 1_600];
        for _ in 0..20 {
            comfort.fill(&mut out);
        }
        assert!(level_byte(&out) >= 29);
    }

    #[test]
    fn silence_is_127_or_the_floor_of_16_bits_and_goes_back_to_silence() {
        let mut payload = [0];
        assert_eq!(encode(&[0; 160], &mut payload), 1);
        assert!(payload[0] >= 96);
        let mut comfort = ComfortNoise::new();
        let mut out = [1; 160];
        comfort.fill(&mut out);
        assert_eq!(out, [0; 160]);
    }
}
