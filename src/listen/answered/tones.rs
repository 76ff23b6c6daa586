//! What a frame sounds like: quiet, one or two sinusoids, or anything else.
//!
//! ```text
//!  frame ─▶ 8 kHz, last 32 ms ─▶ spectrum ─▶ the two highest peaks ─▶ Sounding
//! ```
//!
//! Both tables of the world's tones (ITU-T E.180 supplement 2, E.180/Q.35) and beeps have one sinusoid or two
//! at a time, so the share of the power that lies around the two highest peaks tells them from voices
//! and noise. Two that are closer than 60 Hz (440 and 480, 400 and 450) count as one that beats.

use crate::base::pcm::{FRAME_SAMPLES, Frame};
use crate::listen::spectrum::{Spectra, WINDOW};

/// Samples of a frame at 8 kHz.
const NARROW: usize = FRAME_SAMPLES / 2;
const BIN_HZ: f32 = 8_000.0 / WINDOW as f32;
/// The telephone's band, 250 to 3,500 Hz, in bins.
const FIRST: usize = 8;
const LAST: usize = 112;
/// A sinusoid under Hann's window lies within so many bins to either side.
const LOBE: usize = 2;
/// Below this power a sample (-48 dBFS) nothing is a tone: networks send theirs at -10 to -30 dBm0.
const QUIET_POWER: f32 = 130.0 * 130.0;
/// One sinusoid has this share of the power. Noise 8 dB below it leaves it that; the strongest harmonic
/// of a voice hardly ever has it for long.
const ALONE: f32 = 0.85;
/// Two together have this share.
const BOTH: f32 = 0.88;
/// A second one has at least this share of the power, or it is the first's noise.
const SECOND: f32 = 0.06;

/// What one frame sounds like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sounding {
    Quiet,
    Tone(Tone),
    Other {
        /// As a tone's.
        power: f32,
    },
}

/// One sinusoid, or two at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tone {
    /// The stronger one.
    pub hz: f32,
    pub second_hz: Option<f32>,
    /// Mean square of the telephone's band, per sample.
    pub power: f32,
}

impl Tone {
    /// It is one sinusoid, or one whose second or third harmonic is heard as well: what a telephone's
    /// beeper makes. The two sinusoids of a DTMF digit are nowhere near such a ratio.
    pub fn is_single(&self) -> bool {
        self.second_hz.is_none_or(|second_hz| {
            let ratio = (second_hz / self.hz).max(self.hz / second_hz);
            (ratio - ratio.round()).abs() < 0.03
        })
    }

    /// Lower of the two if it is single, which is its pitch.
    pub fn pitch_hz(&self) -> f32 {
        self.second_hz.map_or(self.hz, |second_hz| self.hz.min(second_hz))
    }

    /// All of it lies between these.
    pub fn is_within(&self, low_hz: f32, high_hz: f32) -> bool {
        let range = low_hz..=high_hz;
        range.contains(&self.hz) && self.second_hz.is_none_or(|hz| range.contains(&hz))
    }
}

/// Measures one incoming leg, frame by frame.
pub(super) struct ToneMeter {
    spectra: Spectra,
    recent: [f32; WINDOW],
}

impl ToneMeter {
    pub fn new() -> Self {
        Self { spectra: Spectra::new(), recent: [0.0; WINDOW] }
    }

    /// The 32 ms that end with this frame. RT safe.
    pub fn measure(&mut self, frame: &Frame) -> Sounding {
        self.recent.copy_within(NARROW.., 0);
        let (pairs, _) = frame.0.as_chunks::<2>();
        for (sample, pair) in self.recent[WINDOW - NARROW..].iter_mut().zip(pairs) {
            *sample = 0.5 * (f32::from(pair[0]) + f32::from(pair[1]));
        }
        let powers = self.spectra.powers(&self.recent);
        let total: f32 = powers[FIRST..LAST].iter().sum();
        if total < QUIET_POWER {
            return Sounding::Quiet;
        }
        let first = highest(&powers, None);
        let first_share = around(&powers, first, None) / total;
        let second = highest(&powers, Some(first));
        let second_share = around(&powers, second, Some(first)) / total;
        let has_second = second_share >= SECOND;
        if first_share < ALONE && first_share + second_share < BOTH {
            return Sounding::Other { power: total };
        }
        let second_hz = has_second.then(|| place_hz(&powers, second));
        Sounding::Tone(Tone { hz: place_hz(&powers, first), second_hz, power: total })
    }
}

/// The bin of most power, away from the lobe of another.
fn highest(powers: &[f32; WINDOW / 2], but: Option<usize>) -> usize {
    let bins = (FIRST..LAST).filter(|bin| but.is_none_or(|but| bin.abs_diff(but) > LOBE));
    bins.max_by(|a, b| powers[*a].total_cmp(&powers[*b])).unwrap_or(FIRST)
}

/// Power of the lobe around `bin`, without what belongs to another's.
fn around(powers: &[f32; WINDOW / 2], bin: usize, but: Option<usize>) -> f32 {
    let bins =
        (bin - LOBE..=bin + LOBE).filter(|bin| but.is_none_or(|but| bin.abs_diff(but) > LOBE));
    bins.map(|bin| powers[bin]).sum()
}

/// Where between the bins a sinusoid under Hann's window has its peak.
fn place_hz(powers: &[f32; WINDOW / 2], bin: usize) -> f32 {
    let (below, above) = (powers[bin - 1], powers[bin + 1]);
    let ratio = (below.max(above) / powers[bin].max(f32::MIN_POSITIVE)).sqrt().min(1.0);
    let part = ((2.0 * ratio - 1.0) / (ratio + 1.0)).max(0.0);
    let part = if above >= below { part } else { -part };
    (bin as f32 + part) * BIN_HZ
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Entropy;
    use crate::listen::answered::sound::{sines, with_noise};

    fn measured(samples: &[i16]) -> Vec<Sounding> {
        let mut meter = ToneMeter::new();
        let (frames, _) = samples.as_chunks::<FRAME_SAMPLES>();
        frames.iter().map(|samples| meter.measure(&Frame(*samples))).skip(2).collect()
    }

    #[test]
    fn one_sinusoid_is_placed_within_a_few_hertz() {
        for hz in [400.0, 425.0, 950.0, 1_004.0, 1_100.0, 1_400.0, 1_800.0, 2_100.0] {
            for snr_db in [60.0, 15.0] {
                let mut entropy = Entropy::new([7; 32]);
                let sound = with_noise(sines(&[hz], -20.0, 400), snr_db, &mut entropy);
                for sounding in measured(&sound) {
                    let Sounding::Tone(tone) = sounding else { panic!("{hz} Hz: {sounding:?}") };
                    assert!((tone.hz - hz).abs() < 6.0, "{hz} Hz: {tone:?}");
                    assert!(tone.is_single() && tone.is_within(hz - 10.0, hz + 10.0), "{tone:?}");
                }
            }
        }
    }

    #[test]
    fn two_are_told_apart_where_they_are_far_enough() {
        for [low, high] in [[480.0, 620.0], [697.0, 1_209.0], [941.0, 1_633.0]] {
            for sounding in measured(&sines(&[low, high], -20.0, 400)) {
                let Sounding::Tone(tone) = sounding else { panic!("{low} Hz: {sounding:?}") };
                let other = tone.second_hz.unwrap();
                let (first, second) = (tone.hz.min(other), tone.hz.max(other));
                assert!((first - low).abs() < 8.0 && (second - high).abs() < 8.0, "{tone:?}");
                assert!(!tone.is_single(), "{tone:?}");
            }
        }
        for [low, high] in [[440.0, 480.0], [400.0, 450.0], [350.0, 440.0]] {
            for sounding in measured(&sines(&[low, high], -20.0, 400)) {
                let Sounding::Tone(tone) = sounding else { panic!("{low} Hz: {sounding:?}") };
                assert!(tone.is_within(low - 40.0, high + 40.0), "{tone:?}");
            }
        }
    }

    #[test]
    fn noise_and_silence_are_no_tones() {
        assert!(measured(&[0; 6_400]).iter().all(|sounding| *sounding == Sounding::Quiet));
        let mut entropy = Entropy::new([9; 32]);
        let noise: Vec<i16> = (0..16_000).map(|_| (entropy.next_u16() as i16) / 8).collect();
        assert!(measured(&noise).iter().all(|sounding| matches!(sounding, Sounding::Other { .. })));
    }
}
