//! The level of steady noise, known from when nobody speaks.

/// Noise is heard for so many frames without a voice: 0.2 s.
const FRAMES: u32 = 10;
/// And its frames are within so many dB, as those of many voices are not.
const STEADY_DB: f32 = 5.0;

/// What is known of it in one call.
pub(super) struct Noise {
    /// Frames without a voice in a row, their mean level, and the softest and loudest of them.
    frames: u32,
    mean_dbfs: f32,
    range_dbfs: (f32, f32),
    known_dbfs: Option<f32>,
}

impl Noise {
    pub(super) const fn new() -> Self {
        let range_dbfs = (f32::INFINITY, f32::NEG_INFINITY);
        Self { frames: 0, mean_dbfs: 0.0, range_dbfs, known_dbfs: None }
    }

    pub(super) const fn level_dbfs(&self) -> Option<f32> {
        self.known_dbfs
    }

    pub(super) fn learn(&mut self, level_dbfs: f32, is_noise: bool) {
        if !is_noise {
            *self = Self { known_dbfs: self.known_dbfs, ..Self::new() };
            return;
        }
        self.frames += 1;
        self.mean_dbfs += (level_dbfs - self.mean_dbfs) / self.frames as f32;
        let (softest, loudest) = self.range_dbfs;
        self.range_dbfs = (softest.min(level_dbfs), loudest.max(level_dbfs));
        if self.frames == FRAMES {
            let is_steady = self.range_dbfs.1 - self.range_dbfs.0 <= STEADY_DB;
            let known_dbfs = if is_steady { Some(self.mean_dbfs) } else { self.known_dbfs };
            *self = Self { known_dbfs, ..Self::new() };
        }
    }
}
