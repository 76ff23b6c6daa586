//! Two clocks: the box's tick and the crystal of a sound card, a few millionths apart. Nothing may run full or
//! empty for that, so the resampler between them follows how much waits in the card.
//!
//! ```text
//!  microphone ─ card's rate ─▶ FromCard ─ 16 kHz, 20 ms a tick     what waits ─▶ Follower ─▶ ratio
//!  20 ms a tick, 16 kHz ─▶ ToCard ─ card's rate ─▶ loudspeaker     what is queued ──┘
//! ```

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Adjustable, Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};

use crate::base::pcm::{FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};

/// Farthest that the ratio goes from what it was made for. Crystals differ by a few hundred millionths at most; 2 in
/// a thousand are heard by nobody.
const MOST: f64 = 0.002;
/// Of a resampler: it refuses what is beyond.
const MOST_RELATIVE: f64 = 1.01;
/// How much of the deviation a tick mends, for each millisecond: a step is followed in 5 s, so that the steps of a
/// period are not.
const PROPORTIONAL: f64 = 2e-4;
/// The drift is known after some 20 s, without overshooting.
const INTEGRAL: f64 = 2e-7;
/// A new measure of the level counts so much: over a second the periods even out.
const SMOOTH: f64 = 0.04;
/// Length of the filter in samples of the slower side: 4 ms, which keeps what is above 7.5 kHz out.
const SINC: usize = 64;

/// Steers a level in milliseconds.
#[derive(Clone, Debug)]
pub struct Follower {
    target_ms: f64,
    level_ms: Option<f64>,
    drift: f64,
}

impl Follower {
    pub fn new(target_ms: f64) -> Self {
        Self { target_ms, level_ms: None, drift: 0.0 }
    }

    /// A tick's measure; the ratio of the resampler relative to its own.
    pub fn follow(&mut self, level_ms: f64) -> f64 {
        let before = self.level_ms.unwrap_or(level_ms);
        let level = before + SMOOTH * (level_ms - before);
        self.level_ms = Some(level);
        let error = level - self.target_ms;
        self.drift = (self.drift + INTEGRAL * error).clamp(-MOST, MOST);
        1.0 - (self.drift + PROPORTIONAL * error).clamp(-MOST, MOST)
    }

    /// What was measured is past; the drift stays known.
    pub fn forget(&mut self) {
        self.level_ms = None;
    }

    /// By how many millionths the two clocks differ.
    pub fn drift_ppm(&self) -> f64 {
        self.drift * 1e6
    }
}

fn resampler(from: u32, to: u32, fixed: FixedAsync, chunk: usize) -> Option<Async<f32>> {
    let parameters = SincInterpolationParameters::new(SINC, WindowFunction::BlackmanHarris2)
        .interpolation(SincInterpolationType::Linear);
    let ratio = f64::from(to) / f64::from(from);
    Async::new_sinc(ratio, MOST_RELATIVE, &parameters, chunk, 1, fixed).ok()
}

/// From a microphone to our frames.
pub struct FromCard {
    resampler: Async<f32>,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl FromCard {
    /// `None`: nothing can be made of this rate.
    pub fn new(rate: u32) -> Option<Self> {
        let resampler = resampler(rate, SAMPLE_RATE_HZ, FixedAsync::Output, FRAME_SAMPLES)?;
        let input = vec![0.0; resampler.input_frames_max()];
        Some(Self { resampler, input, output: vec![0.0; FRAME_SAMPLES] })
    }

    pub fn steer(&mut self, relative: f64) {
        // It is within what the resampler was made for.
        let _ = self.resampler.set_resample_ratio_relative(relative, true);
    }

    /// Samples that the next frame is made of.
    pub fn needs(&self) -> usize {
        self.resampler.input_frames_next()
    }

    /// A frame of [`Self::needs`] samples; what is missing is silence.
    pub fn frame(&mut self, samples: &[i16]) -> Frame {
        let needs = self.needs();
        self.input.fill(0.0);
        self.input.iter_mut().zip(samples).for_each(|(to, from)| *to = f32::from(*from));
        let taken = InterleavedSlice::new(&self.input[..needs], 1, needs).ok();
        let into = InterleavedSlice::new_mut(&mut self.output[..], 1, FRAME_SAMPLES).ok();
        if let (Some(taken), Some(mut into)) = (taken, into) {
            let _ = self.resampler.process_into_buffer(&taken, &mut into, None);
        }
        let mut frame = Frame::SILENCE;
        frame.0.iter_mut().zip(&self.output).for_each(|(to, from)| *to = sample(*from));
        frame
    }
}

/// From our frames to a loudspeaker.
pub struct ToCard {
    resampler: Async<f32>,
    input: Vec<f32>,
    output: Vec<f32>,
    samples: Vec<i16>,
}

impl ToCard {
    /// `None`: nothing can be made of this rate.
    pub fn new(rate: u32) -> Option<Self> {
        let resampler = resampler(SAMPLE_RATE_HZ, rate, FixedAsync::Input, FRAME_SAMPLES)?;
        let most = resampler.output_frames_max();
        let (input, output) = (vec![0.0; FRAME_SAMPLES], vec![0.0; most]);
        Some(Self { resampler, input, output, samples: Vec::with_capacity(most) })
    }

    pub fn steer(&mut self, relative: f64) {
        // It is within what the resampler was made for.
        let _ = self.resampler.set_resample_ratio_relative(relative, true);
    }

    pub fn samples(&mut self, frame: &Frame) -> &[i16] {
        self.input.iter_mut().zip(&frame.0).for_each(|(to, from)| *to = f32::from(*from));
        let most = self.output.len();
        let taken = InterleavedSlice::new(&self.input[..], 1, FRAME_SAMPLES).ok();
        let into = InterleavedSlice::new_mut(&mut self.output[..], 1, most).ok();
        let made = match (taken, into) {
            (Some(taken), Some(mut into)) => {
                self.resampler.process_into_buffer(&taken, &mut into, None).map_or(0, |made| made.1)
            }
            _ => 0,
        };
        self.samples.clear();
        self.samples.extend(self.output.iter().take(made).map(|value| sample(*value)));
        &self.samples
    }
}

fn sample(value: f32) -> i16 {
    // Rounded and cut off at full scale by the conversion.
    value.round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A card whose crystal is off by so many millionths, which gives its sound in steps: of a period, or of what comes
    /// by USB each millisecond.
    #[test]
    fn what_waits_in_a_card_stays_where_it_is_wanted_whatever_its_crystal() {
        let steps = [(48.0_f64, true), (480.0, false)];
        let crystals = [-300.0, -40.0, 0.0, 150.0, 300.0];
        let all = steps.into_iter().flat_map(|step| crystals.map(|ppm| (step, ppm)));
        for ((step, is_known), ppm) in all {
            let mut from = FromCard::new(48_000).unwrap();
            let mut follower = Follower::new(30.0);
            let rate = 48_000.0 * (1.0 + ppm * 1e-6);
            let (mut made, mut read) = (1_440.0_f64, 0.0_f64);
            let (mut least, mut most) = (f64::MAX, f64::MIN);
            let buffer = vec![0_i16; 4_000];
            for tick in 0..30_000 {
                made += rate * 0.02;
                let given = (made / step).floor() * step;
                let needs = from.needs();
                assert!(given - read >= needs as f64, "{ppm} ppm: it runs empty at tick {tick}");
                let _ = from.frame(&buffer[..needs]);
                read += needs as f64;
                let level_ms = (given - read) / 48.0;
                from.steer(follower.follow(level_ms));
                if tick > 3_000 {
                    (least, most) = (least.min(level_ms), most.max(level_ms));
                }
            }
            assert!(least > 15.0 && most < 45.0, "{ppm} ppm: {least} to {most} ms");
            let drift = follower.drift_ppm();
            // By periods alone it is known once a period more or less has come.
            assert!(!is_known || (drift - ppm).abs() < 40.0, "{ppm}: {drift}");
        }
    }

    #[test]
    fn a_loudspeakers_queue_stays_where_it_is_wanted() {
        for ppm in [-300.0, 120.0, 300.0] {
            let mut to = ToCard::new(44_100).unwrap();
            let mut follower = Follower::new(40.0);
            let rate = 44_100.0 * (1.0 + ppm * 1e-6);
            let mut queued = 44.1 * 40.0;
            let (mut least, mut most) = (f64::MAX, f64::MIN);
            for tick in 0..30_000 {
                queued -= rate * 0.02;
                assert!(queued > 0.0, "{ppm} ppm: it runs empty at tick {tick}");
                queued += to.samples(&Frame::SILENCE).len() as f64;
                let level_ms = queued / 44.1;
                to.steer(follower.follow(level_ms));
                if tick > 3_000 {
                    (least, most) = (least.min(level_ms), most.max(level_ms));
                }
            }
            assert!(least > 30.0 && most < 50.0, "{ppm} ppm: {least} to {most} ms");
        }
    }

    /// A tone through both ways is the same tone, and little else.
    #[test]
    fn sound_stays_what_it_is_at_every_rate_of_a_card() {
        for rate in [8_000, 16_000, 44_100, 48_000, 96_000] {
            let (mut to, mut from) = (ToCard::new(rate).unwrap(), FromCard::new(rate).unwrap());
            let (mut card, mut heard) = (Vec::new(), Vec::new());
            for tick in 0..60 {
                let mut frame = Frame::SILENCE;
                for (index, sample) in frame.0.iter_mut().enumerate() {
                    let at = (tick * FRAME_SAMPLES + index) as f32 / SAMPLE_RATE_HZ as f32;
                    *sample = (8_000.0 * (std::f32::consts::TAU * 1_000.0 * at).sin()) as i16;
                }
                card.extend_from_slice(to.samples(&frame));
                while card.len() >= from.needs() {
                    let rest = card.split_off(from.needs());
                    heard.extend(from.frame(&card).0);
                    card = rest;
                }
            }
            let steady = &heard[4_800..14_400];
            let (mut sine, mut cosine, mut all) = (0.0_f64, 0.0_f64, 0.0_f64);
            for (index, sample) in steady.iter().enumerate() {
                let phase = std::f64::consts::TAU * 1_000.0 * index as f64 / 16_000.0;
                let value = f64::from(*sample);
                (sine, cosine) = (sine + value * phase.sin(), cosine + value * phase.cos());
                all += value * value;
            }
            let count = steady.len() as f64;
            let tone = 2.0 * (sine * sine + cosine * cosine) / count;
            assert!((all / count).sqrt() > 5_300.0, "{rate} Hz: {}", (all / count).sqrt());
            assert!(tone / all > 0.999, "{rate} Hz: {}", tone / all);
        }
    }
}
