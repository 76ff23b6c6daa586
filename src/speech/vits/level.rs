//! Brings a voice to the level of the telephone: a gain that never changes while it speaks, so that
//! no phrase is louder than another, and a limiter for its peaks. Pure.

use std::collections::VecDeque;

/// Level of speech while somebody speaks, RMS; full scale is 0.
pub const SPEECH_DBFS: f32 = -20.0;
/// No sample is above this (-2 dBFS): resampling and codecs overshoot a little.
const CEILING: f32 = 0.794;
/// A voice that is further off is broken, not quiet.
const MOST_GAIN_DB: f32 = 30.0;
const FRAME_S: f32 = 0.02;
/// What is this far below the loudest frame is a pause.
const PAUSE_DB: f32 = 30.0;
/// The limiter sees a peak this long before it comes.
const LOOK_AHEAD_S: f32 = 0.005;
const RELEASE_S: f32 = 0.08;

/// The level of the speech in `sound`, pauses left out; `None` for silence.
pub fn speech_dbfs(sound: &[f32], rate_hz: u32) -> Option<f32> {
    let frame = ((rate_hz as f32 * FRAME_S) as usize).max(1);
    let power = |frame: &[f32]| frame.iter().map(|x| x * x).sum::<f32>() / frame.len() as f32;
    let powers: Vec<f32> = sound.chunks(frame).map(power).collect();
    let loudest = powers.iter().copied().fold(0.0, f32::max);
    let floor = loudest * 10_f32.powf(-PAUSE_DB / 10.0);
    let active: Vec<f32> = powers.into_iter().filter(|&power| power >= floor).collect();
    let mean = active.iter().sum::<f32>() / active.len() as f32;
    (mean > 1e-9).then(|| 10.0 * mean.log10())
}

/// The factor that brings speech of this level to [`SPEECH_DBFS`].
pub fn gain_for(dbfs: f32) -> f32 {
    let gain_db = (SPEECH_DBFS - dbfs).clamp(-MOST_GAIN_DB, MOST_GAIN_DB);
    10_f32.powf(gain_db / 20.0)
}

/// Gain and limiter of one phrase.
#[derive(Debug)]
pub struct Leveller {
    gain: f32,
    look_ahead: usize,
    release: f32,
    /// What has not come out yet.
    delayed: VecDeque<f32>,
    /// The factor that each of these needs, and those of the look-ahead before.
    needed: VecDeque<f32>,
    /// The factor with its slow release.
    held: f32,
    /// The last of them, averaged: the way down is a ramp.
    recent: VecDeque<f32>,
    sum: f64,
}

impl Leveller {
    pub fn new(gain: f32, rate_hz: u32) -> Self {
        let look_ahead = ((rate_hz as f32 * LOOK_AHEAD_S) as usize).max(1);
        Self {
            gain,
            look_ahead,
            release: 1.0 / (rate_hz as f32 * RELEASE_S),
            delayed: VecDeque::new(),
            needed: VecDeque::new(),
            held: 1.0,
            recent: VecDeque::from(vec![1.0; look_ahead]),
            sum: look_ahead as f64,
        }
    }

    /// Takes sound, about ±1, and appends what is done with, as 16-bit samples.
    pub fn push(&mut self, sound: &[f32], out: &mut Vec<i16>) {
        for &sample in sound {
            let sample = sample * self.gain;
            let peak = sample.abs();
            self.delayed.push_back(sample);
            self.needed.push_back(if peak > CEILING { CEILING / peak } else { 1.0 });
            if self.delayed.len() > self.look_ahead {
                self.step(out);
            }
        }
    }

    /// Appends what is still inside, at the end of the phrase.
    pub fn finish(&mut self, out: &mut Vec<i16>) {
        while !self.delayed.is_empty() {
            self.step(out);
        }
    }

    fn step(&mut self, out: &mut Vec<i16>) {
        let Some(sample) = self.delayed.pop_front() else { return };
        // The look-ahead is some hundred samples and peaks are rare: nothing cleverer is needed.
        let least = self.needed.iter().copied().fold(1.0, f32::min);
        self.needed.pop_front();
        self.held = least.min(self.held + (1.0 - self.held) * self.release);
        self.recent.push_back(self.held);
        self.sum += f64::from(self.held);
        if let Some(oldest) = self.recent.pop_front() {
            self.sum -= f64::from(oldest);
        }
        let factor = (self.sum / self.look_ahead as f64) as f32;
        let limited = (sample * factor).clamp(-CEILING, CEILING);
        out.push((limited * 32_767.0).round() as i16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pcm::level_dbfs;

    const RATE_HZ: u32 = 22_050;

    fn tone(amplitude: f32, samples: usize) -> Vec<f32> {
        let step = std::f32::consts::TAU * 440.0 / RATE_HZ as f32;
        (0..samples).map(|n| (n as f32 * step).sin() * amplitude).collect()
    }

    fn levelled(gain: f32, pieces: &[&[f32]]) -> Vec<i16> {
        let mut leveller = Leveller::new(gain, RATE_HZ);
        let mut out = Vec::new();
        pieces.iter().for_each(|piece| leveller.push(piece, &mut out));
        leveller.finish(&mut out);
        out
    }

    #[test]
    fn voices_of_any_loudness_come_to_one_level() {
        for amplitude in [0.02, 0.1, 0.9] {
            let sound = [tone(amplitude, 22_050), vec![0.0; 22_050]].concat();
            let dbfs = speech_dbfs(&sound, RATE_HZ).unwrap();
            let out = levelled(gain_for(dbfs), &[&sound]);
            assert_eq!(out.len(), sound.len());
            let level = level_dbfs(&out[2_000..20_000]);
            assert!((level - SPEECH_DBFS).abs() < 0.5, "{amplitude}: {level}");
        }
        assert_eq!(speech_dbfs(&[0.0; 1_000], RATE_HZ), None);
        assert_eq!(speech_dbfs(&[], RATE_HZ), None);
    }

    #[test]
    fn peaks_are_held_without_clipping_and_quiet_sound_is_only_multiplied() {
        let quiet = tone(0.1, 8_000);
        let out = levelled(2.0, &[&quiet]);
        for (sample, original) in out.iter().zip(&quiet) {
            assert!((f32::from(*sample) - original * 2.0 * 32_767.0).abs() < 1.0);
        }
        let loud = [tone(0.1, 4_000), tone(3.0, 4_000), tone(0.1, 20_000)].concat();
        let out = levelled(1.0, &[&loud]);
        let most = out.iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!(f32::from(most) <= CEILING * 32_767.0 + 1.0, "{most}");
        // A limiter bends, a clipper cuts: hardly a sample stands at the ceiling.
        let at_ceiling = out.iter().filter(|s| s.unsigned_abs() >= most - 1).count();
        assert!(at_ceiling < 400, "{at_ceiling}");
        let end = level_dbfs(&out[22_000..27_000]);
        assert!((end - level_dbfs(&levelled(1.0, &[&tone(0.1, 5_000)]))).abs() < 0.5, "{end}");
    }

    #[test]
    fn the_cuts_of_the_sound_cannot_be_heard() {
        let loud = [tone(0.3, 3_000), tone(2.0, 3_000), tone(0.3, 3_000)].concat();
        let pieces: Vec<&[f32]> = loud.chunks(777).collect();
        assert_eq!(levelled(1.0, &[&loud]), levelled(1.0, &pieces));
    }
}
