//! Waveform substitution for codecs without concealment of their own (G.711, G.722).
//!
//! A lost frame becomes the last pitch periods, repeated; it fades over 60 ms to the background
//! noise, and the first frame that comes again is blended in. Nothing is delayed for it: the step
//! between the last real sample and the first invented one is taken out by a short ramp.

use super::comfort::Noise;

/// Memory of what was played: enough for the longest loop and its blend.
const HISTORY_MS: usize = 50;
/// Voices between 400 and 66 Hz.
const SHORTEST_PITCH_US: usize = 2_500;
const LONGEST_PITCH_MS: usize = 15;
/// What is compared to find the pitch.
const TEMPLATE_MS: usize = 10;
/// At least this much is repeated, in whole periods: a single period repeated buzzes.
const SHORTEST_LOOP_MS: usize = 10;
/// Without a pitch this much is repeated: too long to be heard as a tone.
const UNVOICED_LOOP_MS: usize = 20;
/// Correlation above which there is a pitch.
const VOICED_CORRELATION: f32 = 0.45;
/// Full strength for so long...
const HOLD_MS: f32 = 10.0;
/// ...and nothing but background noise after so long.
const FADE_END_MS: f32 = 60.0;
/// Blend into the first received frame.
const RECOVERY_MS: usize = 5;
/// Ramp that takes out the first step.
const STEP_US: usize = 2_500;
/// The loudest background that is believed, in full-scale root mean square: -45 dBFS.
const LOUDEST_FLOOR_RMS: f32 = 184.0;
/// Rise of the background estimate for each received frame: about 2 dB a second.
const FLOOR_RISE: f32 = 1.005;

const MAX_HISTORY: usize = 16 * HISTORY_MS;
const MAX_LOOP: usize = 16 * (SHORTEST_LOOP_MS + LONGEST_PITCH_MS);

/// Concealment for one incoming leg at 8 or 16 kHz.
pub struct Concealment {
    samples_per_ms: usize,
    history: [i16; MAX_HISTORY],
    pattern: [f32; MAX_LOOP],
    gap: Gap,
    floor_rms: f32,
    noise: Noise,
}

#[derive(Clone, Copy)]
enum Gap {
    /// The last frame was received.
    None,
    /// Frames are missing: `produced` samples were made from `period` samples of the pattern;
    /// `step` is what the first of them was off.
    Open { period: usize, produced: usize, step: f32 },
}

impl Concealment {
    /// `rate_hz` is 8000 or 16000.
    pub fn new(rate_hz: u32) -> Self {
        Self {
            samples_per_ms: if rate_hz >= 16_000 { 16 } else { 8 },
            history: [0; MAX_HISTORY],
            pattern: [0.0; MAX_LOOP],
            gap: Gap::None,
            floor_rms: 0.0,
            noise: Noise::new(),
        }
    }

    /// Back to the state of a new call. RT safe.
    pub fn reset(&mut self) {
        self.history.fill(0);
        self.gap = Gap::None;
        self.floor_rms = 0.0;
    }

    /// A frame was decoded: remembers it, and after a gap blends its start in place. RT safe.
    pub fn received(&mut self, frame: &mut [i16]) {
        self.track_floor(frame);
        if let Gap::Open { .. } = self.gap {
            let blend = (RECOVERY_MS * self.samples_per_ms).min(frame.len());
            for (at, sample) in frame.iter_mut().take(blend).enumerate() {
                let share = (at as f32 + 0.5) / blend as f32;
                let invented = self.next_invented();
                *sample = (share * f32::from(*sample) + (1.0 - share) * invented) as i16;
            }
            self.gap = Gap::None;
        }
        self.remember(frame);
    }

    /// Fills `out` in place of a frame that did not come. RT safe.
    pub fn conceal(&mut self, out: &mut [i16]) {
        if let Gap::None = self.gap {
            self.open_gap();
        }
        for sample in out.iter_mut() {
            *sample = self.next_invented() as i16;
        }
        self.remember(out);
    }

    fn open_gap(&mut self) {
        let (lag, correlation) = self.pitch();
        let period = if correlation >= VOICED_CORRELATION {
            let shortest = SHORTEST_LOOP_MS * self.samples_per_ms;
            lag * shortest.div_ceil(lag)
        } else {
            UNVOICED_LOOP_MS * self.samples_per_ms
        };
        let blend = period / 4;
        for at in 0..period {
            // The end of the loop turns into what came before its start: the joint is as smooth
            // as the original was there.
            let share = (at + blend).saturating_sub(period) as f32 / blend as f32;
            let here = self.past(period - at);
            let before = self.past(2 * period - at);
            self.pattern[at] = (1.0 - share) * here + share * before;
        }
        let step = self.past(1) - self.past(period + 1);
        self.gap = Gap::Open { period, produced: 0, step };
    }

    /// The sample `ago` before the end of what was played; 1 is the last.
    fn past(&self, ago: usize) -> f32 {
        f32::from(self.history[MAX_HISTORY.saturating_sub(ago).min(MAX_HISTORY - 1)])
    }

    /// Lag in samples and normalised correlation of the best repetition.
    fn pitch(&self) -> (usize, f32) {
        // Compared at 8 kHz, whatever the rate: pitch needs no more.
        let stride = self.samples_per_ms / 8;
        let template = TEMPLATE_MS * 8;
        let shortest = SHORTEST_PITCH_US * self.samples_per_ms / 1_000;
        let longest = LONGEST_PITCH_MS * self.samples_per_ms;
        let mut best = (shortest, 0.0);
        for lag in shortest..=longest {
            let (mut cross, mut here_power, mut then_power) = (0.0, 1.0, 1.0);
            for k in 0..template {
                let here = self.past(1 + k * stride);
                let then = self.past(1 + k * stride + lag);
                cross += here * then;
                here_power += here * here;
                then_power += then * then;
            }
            let correlation = cross / (here_power * then_power).sqrt();
            if correlation > best.1 {
                best = (lag, correlation);
            }
        }
        best
    }

    fn next_invented(&mut self) -> f32 {
        let Gap::Open { period, produced, step } = self.gap else { return 0.0 };
        self.gap = Gap::Open { period, produced: produced + 1, step };
        let elapsed_ms = produced as f32 / self.samples_per_ms as f32;
        let gain = ((FADE_END_MS - elapsed_ms) / (FADE_END_MS - HOLD_MS)).clamp(0.0, 1.0);
        let ramp = 1.0 - produced as f32 * 1_000.0 / (STEP_US * self.samples_per_ms) as f32;
        let voice = self.pattern[produced % period] + step * ramp.max(0.0);
        gain * voice + (1.0 - gain) * self.noise.next(self.floor_rms)
    }

    fn remember(&mut self, frame: &[i16]) {
        let kept = frame.len().min(MAX_HISTORY);
        self.history.copy_within(kept.., 0);
        self.history[MAX_HISTORY - kept..].copy_from_slice(&frame[frame.len() - kept..]);
    }

    fn track_floor(&mut self, frame: &[i16]) {
        let power: f32 = frame.iter().map(|&s| f32::from(s) * f32::from(s)).sum();
        let rms = (power / frame.len().max(1) as f32).sqrt();
        let risen = self.floor_rms * FLOOR_RISE + 0.01;
        let unknown = self.floor_rms == 0.0;
        self.floor_rms = if unknown { rms } else { rms.min(risen) }.min(LOUDEST_FLOOR_RMS);
    }
}
