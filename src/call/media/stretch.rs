//! Sound in hand between the decoder and the tick, and its length: a pitch period is taken out or
//! put in where the delay must change, so that neither a gap nor a jump is heard.

use crate::base::pcm::{FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};

/// The longest packet (120 ms), a concealed one beside it, and two frames.
const CAPACITY: usize = 2 * 1_920 + 2 * FRAME_SAMPLES;
/// Shortest and longest piece that is taken out or put in: 2.5 to 15 ms, which holds a period of
/// every voice and tone.
const SHORTEST: usize = 40;
const LONGEST: usize = 240;
/// Over which two pieces are compared, and faded into each other: 10 and 5 ms.
const COMPARED: usize = 160;
const SEAM: usize = 80;
/// With so many samples in hand every piece can be taken out.
pub(super) const ENOUGH_TO_SHORTEN: usize = FRAME_SAMPLES + LONGEST;
/// Below this the sound is background and any seam will do.
const QUIET_DBFS: f32 = -50.0;
/// Likeness of two pieces, 0 to 1, at which the seam cannot be heard.
const ALIKE: f32 = 0.9;

/// Up to 280 ms of 16 kHz PCM, first in, first out.
#[derive(Debug)]
pub(super) struct InHand {
    samples: Box<[i16]>,
    count: usize,
}

impl InHand {
    pub(super) fn new() -> Self {
        Self { samples: vec![0; CAPACITY].into(), count: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.count = 0;
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Lets `write` append to what is in hand; it returns the samples it wrote.
    pub(super) fn append(&mut self, write: impl FnOnce(&mut [i16]) -> usize) -> usize {
        let Some(free) = self.samples.get_mut(self.count..) else { return 0 };
        let written = write(free).min(free.len());
        self.count += written;
        written
    }

    /// The next 20 ms; what is missing is silence.
    pub(super) fn take(&mut self) -> Frame {
        let mut frame = Frame::SILENCE;
        for (out, sample) in frame.0.iter_mut().zip(self.samples.iter().take(self.count)) {
            *out = *sample;
        }
        let taken = self.count.min(FRAME_SAMPLES);
        self.samples.copy_within(taken..self.count, 0);
        self.count -= taken;
        frame
    }

    /// Takes out 2.5 to 15 ms and returns how many µs that was; 0 if a frame would not be left or,
    /// unless `urgent`, if it might be heard.
    pub(super) fn shorten(&mut self, urgent: bool) -> i64 {
        let spare = self.count.saturating_sub(FRAME_SAMPLES);
        let Some(piece) = self.piece(spare, urgent) else { return 0 };
        for index in 0..SEAM {
            self.fade(index, index, index + piece, index);
        }
        self.samples.copy_within(piece + SEAM..self.count, SEAM);
        self.count -= piece;
        micros(piece)
    }

    /// Puts in 2.5 to 15 ms and returns how many µs that was, as `shorten`.
    pub(super) fn lengthen(&mut self, urgent: bool) -> i64 {
        let room = self.samples.len() - self.count;
        let Some(piece) = self.piece(room, urgent) else { return 0 };
        // Everything from `piece` on was there already; before it goes a copy of the beginning,
        // whose end fades into it.
        self.samples.copy_within(0..self.count, piece);
        self.count += piece;
        for index in 0..SEAM {
            self.fade(piece + index, 2 * piece + index, piece + index, index);
        }
        micros(piece)
    }

    /// `out` becomes a mix of `from` and `to`, at `step` of the seam.
    fn fade(&mut self, out: usize, from: usize, to: usize, step: usize) {
        let sample = |at: usize| i32::from(self.samples.get(at).copied().unwrap_or(0));
        let (step, seam) = (step as i32, SEAM as i32);
        let mixed = (sample(from) * (seam - step) + sample(to) * step) / seam;
        if let Some(place) = self.samples.get_mut(out) {
            *place = mixed as i16;
        }
    }

    /// The length of the piece, at most `limit`, whose repetition or absence is heard least.
    fn piece(&self, limit: usize, urgent: bool) -> Option<usize> {
        let samples = self.samples.get(..self.count)?;
        let reference = samples.get(..COMPARED)?;
        let longest = limit.min(LONGEST).min(samples.len() - COMPARED);
        if longest < SHORTEST {
            return None;
        }
        if crate::base::pcm::level_dbfs(samples) < QUIET_DBFS {
            return Some(longest);
        }
        let likeness = |piece: usize| {
            samples.get(piece..piece + COMPARED).map_or(0.0, |other| alike(reference, other))
        };
        let coarse = best((SHORTEST..=longest).step_by(3), likeness)?;
        let near = coarse.0.saturating_sub(2).max(SHORTEST)..=(coarse.0 + 2).min(longest);
        let (piece, score) = best(near, likeness)?;
        (urgent || score >= ALIKE).then_some(piece)
    }
}

fn best(
    pieces: impl Iterator<Item = usize>,
    likeness: impl Fn(usize) -> f32,
) -> Option<(usize, f32)> {
    pieces.map(|piece| (piece, likeness(piece))).max_by(|a, b| a.1.total_cmp(&b.1))
}

/// The correlation of two pieces of sound, -1 to 1.
fn alike(a: &[i16], b: &[i16]) -> f32 {
    let (mut both, mut a_alone, mut b_alone) = (0_i64, 1_i64, 1_i64);
    for (&x, &y) in a.iter().zip(b) {
        let (x, y) = (i64::from(x), i64::from(y));
        both += x * y;
        a_alone += x * x;
        b_alone += y * y;
    }
    both as f32 / ((a_alone as f32).sqrt() * (b_alone as f32).sqrt())
}

fn micros(samples: usize) -> i64 {
    samples as i64 * 1_000_000 / i64::from(SAMPLE_RATE_HZ)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(samples: &[i16]) -> InHand {
        let mut in_hand = InHand::new();
        in_hand.append(|out| {
            out[..samples.len()].copy_from_slice(samples);
            samples.len()
        });
        in_hand
    }

    fn tone(hz: f64, count: usize) -> Vec<i16> {
        let wave = |n| (f64::from(n) * hz * std::f64::consts::TAU / 16_000.0).sin() * 8_000.0;
        (0..count as u32).map(|n| wave(n) as i16).collect()
    }

    /// The largest second difference: a click has a large one.
    fn roughness(samples: &[i16]) -> i32 {
        let second = |w: &[i16]| i32::from(w[0]) - 2 * i32::from(w[1]) + i32::from(w[2]);
        samples.windows(3).map(|w| second(w).abs()).max().unwrap_or(0)
    }

    #[test]
    fn a_tone_is_stretched_and_shortened_without_a_click() {
        for hz in [110.0, 220.5, 440.0, 1_003.0] {
            let before = tone(hz, 800);
            for lengthens in [false, true] {
                let mut in_hand = filled(&before);
                let us = if lengthens { in_hand.lengthen(false) } else { in_hand.shorten(false) };
                assert!((2_500..=15_000).contains(&us), "{hz} Hz: {us}");
                let expected = in_hand.len();
                let by = expected.abs_diff(800);
                assert_eq!((expected > 800, micros(by)), (lengthens, us));
                let after = &in_hand.samples[..in_hand.count];
                let allowed = roughness(&before) * 3 / 2 + 60;
                assert!(roughness(after) <= allowed, "{hz} Hz: {}", roughness(after));
                assert_eq!(after[0], before[0]);
                assert_eq!(after[expected - 300..], before[500..]);
            }
        }
    }

    #[test]
    fn sound_that_repeats_nothing_is_only_changed_in_need_and_little_sound_never() {
        let mut state = 1_u32;
        let noise: Vec<i16> = (0..800)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 18) as i16 - 8_192
            })
            .collect();
        assert_eq!(filled(&noise).shorten(false), 0);
        assert!(filled(&noise).shorten(true) > 0);
        assert!(filled(&vec![3; 800]).lengthen(false) == 15_000, "silence takes any change");
        assert_eq!(filled(&noise[..FRAME_SAMPLES + SHORTEST - 1]).shorten(true), 0);
        assert!(filled(&tone(220.0, 320)).lengthen(false) > 0, "a frame is enough to lengthen");
        assert_eq!(InHand::new().lengthen(true), 0);
    }

    #[test]
    fn frames_come_out_in_order_and_short_ones_end_in_silence() {
        let sound: Vec<i16> = (1..=400).collect();
        let mut in_hand = filled(&sound);
        assert_eq!(in_hand.take().0[..], sound[..320]);
        let rest = in_hand.take();
        assert_eq!((rest.0[79], rest.0[80]), (400, 0));
        assert_eq!(in_hand.len(), 0);
        let written = in_hand.append(|out| out.len() + 1);
        assert_eq!(written, CAPACITY);
    }
}
