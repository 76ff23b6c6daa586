//! Tells call-progress tones, DTMF and other beeps from voices.
//!
//! The voice detector gives a pure tone 0.5 to 0.8. A sum of two sinusoids is predicted without
//! error from four earlier samples, however far apart those are, as long as the spacing is even; a
//! voice has many harmonics, which move. So each frame is fitted with four coefficients, and
//! counts as tonal when the fit is too good for a voice, or good and still good with the
//! coefficients of 160 ms ago.

use crate::base::pcm::{FRAME_SAMPLES, Frame};
use crate::codec::dot::dot;

/// Half-rate samples of a frame.
const HALF: usize = FRAME_SAMPLES / 2;
/// Half-rate samples that are looked at: this frame and the one before.
const SPAN: usize = 2 * HALF;
/// Coefficients: two for each sinusoid.
const ORDER: usize = 4;
/// Spacing of the predicting samples at 8 kHz. 0.6 ms: too far for the slope of a voice's spectrum
/// to help, and 2.5 ms in all: too short for its pitch to.
const SPACING: usize = 5;
/// Frames between the coefficients that are tried again and the present.
const MEMORY: usize = 8;
/// Unexplained share of the power (-23 dB) below which a frame is a tone: the noise of a telephone
/// line is lower, the third harmonic of a voice is not.
const PURE_RESIDUE: f32 = 0.005;
/// The same (-17 dB) for two frames in a row.
const TONE_RESIDUE: f32 = 0.02;
/// The same (-12 dB) for a fit that holds over 160 ms.
const STEADY_RESIDUE: f32 = 0.06;
/// Below this power a sample (-60 dBFS) nothing is a tone.
const QUIET_POWER: f32 = 32.8 * 32.8;

type Coefficients = [f32; ORDER];

/// The tone guard of one incoming leg.
pub(super) struct ToneGuard {
    recent: [f32; SPAN],
    fits: [Coefficients; MEMORY],
    newest: usize,
    clean_frames: u32,
}

impl ToneGuard {
    pub(super) const fn new() -> Self {
        Self { recent: [0.0; SPAN], fits: [[0.0; ORDER]; MEMORY], newest: 0, clean_frames: 0 }
    }

    /// Whether the frame is a tone. RT safe.
    pub(super) fn is_tonal(&mut self, frame: &Frame) -> bool {
        self.recent.copy_within(HALF.., 0);
        let (pairs, _) = frame.0.as_chunks::<2>();
        for (half, pair) in self.recent[HALF..].iter_mut().zip(pairs) {
            *half = 0.5 * (f32::from(pair[0]) + f32::from(pair[1]));
        }
        let products = self.products();
        let power = products[0][0];
        let counted = (SPAN - ORDER * SPACING) as f32;
        if power < QUIET_POWER * counted {
            self.clean_frames = 0;
            return false;
        }
        let fit = solve(&products);
        self.newest = (self.newest + 1) % MEMORY;
        let old = std::mem::replace(&mut self.fits[self.newest], fit);
        let residue = unexplained(&products, &fit) / power;
        let is_clean = residue < TONE_RESIDUE;
        self.clean_frames = if is_clean { self.clean_frames + 1 } else { 0 };
        let is_steady =
            residue < STEADY_RESIDUE && unexplained(&products, &old) < STEADY_RESIDUE * power;
        residue < PURE_RESIDUE || self.clean_frames >= 2 || is_steady
    }

    /// Inner products of the span with itself, shifted by 0 to `ORDER` spacings.
    fn products(&self) -> [[f32; ORDER + 1]; ORDER + 1] {
        let start = ORDER * SPACING;
        let shifted = |by: usize| &self.recent[start - by * SPACING..SPAN - by * SPACING];
        std::array::from_fn(|row| std::array::from_fn(|column| dot(shifted(row), shifted(column))))
    }
}

/// The least-squares prediction of the span from its shifts, by Cholesky decomposition with a
/// little noise added (-40 dB), without which a single sinusoid has no unique answer.
fn solve(products: &[[f32; ORDER + 1]; ORDER + 1]) -> Coefficients {
    let ridge = 1e-4 * products[0][0];
    let mut lower = [[0.0_f32; ORDER]; ORDER];
    let mut y = [0.0; ORDER];
    for row in 0..ORDER {
        for column in 0..=row {
            let known: f32 = (0..column).map(|k| lower[row][k] * lower[column][k]).sum();
            let rest = products[row + 1][column + 1] - known;
            lower[row][column] = if row == column {
                (rest + ridge).max(ridge).sqrt()
            } else {
                rest / lower[column][column]
            };
        }
        let known: f32 = (0..row).map(|k| lower[row][k] * y[k]).sum();
        y[row] = (products[0][row + 1] - known) / lower[row][row];
    }
    let mut fit = [0.0; ORDER];
    for row in (0..ORDER).rev() {
        let known: f32 = (row + 1..ORDER).map(|k| lower[k][row] * fit[k]).sum();
        fit[row] = (y[row] - known) / lower[row][row];
    }
    fit
}

/// Power that this fit leaves.
fn unexplained(products: &[[f32; ORDER + 1]; ORDER + 1], fit: &Coefficients) -> f32 {
    let mut left = products[0][0];
    for (row, a) in fit.iter().enumerate() {
        left -= 2.0 * a * products[0][row + 1];
        for (column, b) in fit.iter().enumerate() {
            left += a * b * products[row + 1][column + 1];
        }
    }
    left.max(0.0)
}
