//! Sound between a call and a remote agent: other rates, other codings, and time that passes otherwise.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::base::pcm::{FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ, ms_to_samples, samples_to_ms};
use crate::codec::Resampler;
use crate::codec::g711::Law;
use crate::converse::agent::Format;

/// What is left of a reply that is shorter than a frame waits this long for more, then it is all.
const REST_WAITS: Duration = Duration::from_millis(60);

/// `None` where both ends have the program's own rate.
fn resampler(from_hz: u32, to_hz: u32) -> Option<Box<Resampler>> {
    (from_hz != to_hz).then(|| Box::new(Resampler::new(from_hz, to_hz)))
}

fn resampled(resampler: &mut Option<Box<Resampler>>, samples: Vec<i16>) -> Vec<i16> {
    let Some(resampler) = resampler else { return samples };
    let mut out = vec![0; resampler.max_output(samples.len()) + 1];
    let count = resampler.process(&samples, &mut out);
    out.truncate(count);
    out
}

/// The caller's sound on its way to the agent.
pub(in crate::call) struct Uplink {
    format: Format,
    resampler: Option<Box<Resampler>>,
    chunk: Vec<u8>,
}

impl std::fmt::Debug for Uplink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Uplink({:?})", self.format)
    }
}

impl Uplink {
    pub(in crate::call) fn new(format: Format) -> Self {
        let resampler = resampler(SAMPLE_RATE_HZ, format.rate_hz());
        Self { format, resampler, chunk: Vec::new() }
    }

    /// Takes samples at 16 kHz; gives a chunk once there is a whole one.
    pub(in crate::call) fn push(&mut self, samples: &[i16]) -> Option<Vec<u8>> {
        let samples = resampled(&mut self.resampler, samples.to_vec());
        match self.format {
            Format::Ulaw => self.chunk.extend(samples.iter().map(|s| Law::Mu.encode(*s))),
            Format::Pcm(_) => self.chunk.extend(samples.iter().flat_map(|s| s.to_le_bytes())),
        }
        let is_whole = self.format.ms(self.chunk.len()) >= limits::AGENT_CHUNK_MS;
        is_whole.then(|| std::mem::take(&mut self.chunk))
    }
}

/// The agent's sound, which comes faster than it is played.
pub(in crate::call) struct Downlink {
    format: Format,
    resampler: Option<Box<Resampler>>,
    /// Half a sample that a message ended with.
    half: Option<u8>,
    /// At 16 kHz.
    samples: VecDeque<i16>,
    /// When the last of it came.
    arrived: Option<Instant>,
    dropped: usize,
}

impl std::fmt::Debug for Downlink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Downlink({:?}, {} ms)", self.format, self.ms())
    }
}

impl Downlink {
    pub(in crate::call) fn new(format: Format) -> Self {
        let resampler = resampler(format.rate_hz(), SAMPLE_RATE_HZ);
        Self { format, resampler, half: None, samples: VecDeque::new(), arrived: None, dropped: 0 }
    }

    /// Takes bytes in the agent's format; how many samples of ours were kept of them.
    pub(in crate::call) fn push(&mut self, now: Instant, bytes: &[u8]) -> usize {
        self.arrived = Some(now);
        let samples: Vec<i16> = match self.format {
            Format::Ulaw => bytes.iter().map(|code| Law::Mu.decode(*code)).collect(),
            Format::Pcm(_) => {
                let whole: Vec<u8> =
                    self.half.take().into_iter().chain(bytes.iter().copied()).collect();
                let pairs = whole.chunks_exact(2);
                self.half = pairs.remainder().first().copied();
                pairs
                    .filter_map(|pair| pair.first_chunk().copied().map(i16::from_le_bytes))
                    .collect()
            }
        };
        let samples = resampled(&mut self.resampler, samples);
        let room = ms_to_samples(limits::AGENT_REPLY_MS).saturating_sub(self.samples.len());
        let kept = samples.len().min(room);
        self.dropped += samples.len() - kept;
        self.samples.extend(samples.into_iter().take(kept));
        kept
    }

    /// The next 20 ms. `is_all`: nothing more will come.
    pub(in crate::call) fn next(&mut self, now: Instant, is_all: bool) -> Option<Frame> {
        let is_rest = self.samples.len() < FRAME_SAMPLES;
        let is_old = |at| now.saturating_duration_since(at) >= REST_WAITS;
        if self.samples.is_empty() || is_rest && !is_all && !self.arrived.is_some_and(is_old) {
            return None;
        }
        let mut frame = Frame::SILENCE;
        let count = self.samples.len().min(FRAME_SAMPLES);
        frame.0.iter_mut().zip(self.samples.drain(..count)).for_each(|(slot, s)| *slot = s);
        Some(frame)
    }

    /// Throws away what has not been played.
    pub(in crate::call) fn clear(&mut self) {
        self.samples.clear();
        self.half = None;
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
    }

    /// What waits to be played.
    pub(in crate::call) fn ms(&self) -> u64 {
        samples_to_ms(self.samples.len())
    }

    pub(in crate::call) fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// When the last of it came.
    pub(in crate::call) fn arrived(&self) -> Option<Instant> {
        self.arrived
    }

    /// What was left out because too much waited.
    pub(in crate::call) fn dropped_ms(&self) -> u64 {
        samples_to_ms(self.dropped)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests {
    use super::*;

    const FORMATS: [Format; 7] = [
        Format::Ulaw,
        Format::Pcm(8_000),
        Format::Pcm(16_000),
        Format::Pcm(22_050),
        Format::Pcm(24_000),
        Format::Pcm(44_100),
        Format::Pcm(48_000),
    ];

    fn tone(samples: usize) -> Vec<i16> {
        let at = |i: usize| (i as f32 * 2.0 * std::f32::consts::PI * 440.0 / 16_000.0).sin();
        (0..samples).map(|i| (at(i) * 8_000.0) as i16).collect()
    }

    /// The share of power that is a tone of 440 Hz at 16 kHz.
    fn share(samples: &[i16]) -> f32 {
        let (mut re, mut im, mut power) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (i, s) in samples.iter().enumerate() {
            let (x, w) = (f32::from(*s), i as f32 * 2.0 * std::f32::consts::PI * 440.0 / 16_000.0);
            (re, im, power) = (re + x * w.cos(), im + x * w.sin(), power + x * x);
        }
        2.0 * (re * re + im * im) / samples.len() as f32 / power.max(1.0)
    }

    #[test]
    fn a_tone_is_the_same_tone_after_both_ways_in_every_format() {
        let now = Instant::now();
        for format in FORMATS {
            let (mut up, mut down) = (Uplink::new(format), Downlink::new(format));
            let mut chunks = 0;
            for frame in tone(16_000).chunks(FRAME_SAMPLES) {
                if let Some(chunk) = up.push(frame) {
                    chunks += 1;
                    assert!((20..=100).contains(&format.ms(chunk.len())), "{format:?}");
                    down.push(now, &chunk);
                }
            }
            assert_eq!(chunks, 25, "{format:?}: 40 ms each");
            let heard: Vec<i16> =
                std::iter::from_fn(|| down.next(now, false)).flat_map(|f| f.0).collect();
            let ms = samples_to_ms(heard.len());
            assert!((960..=1_000).contains(&ms), "{format:?}: {ms} ms");
            assert!(share(&heard[800..]) > 0.99, "{format:?}: {}", share(&heard[800..]));
        }
    }

    #[test]
    fn a_reply_that_comes_at_once_is_kept_whole_and_one_without_end_is_bounded() {
        let now = Instant::now();
        let mut down = Downlink::new(Format::Pcm(16_000));
        let second = vec![1; 32_000];
        (0..30).for_each(|_| {
            down.push(now, &second);
        });
        assert_eq!((down.ms(), down.dropped_ms()), (30_000, 0));
        (0..200).for_each(|_| {
            down.push(now, &second);
        });
        assert_eq!(down.ms(), limits::AGENT_REPLY_MS);
        assert_eq!(down.dropped_ms(), 230_000 - limits::AGENT_REPLY_MS);
        down.clear();
        assert!(down.next(now, true).is_none());
    }

    #[test]
    fn what_is_left_of_a_reply_is_played_once_nothing_more_comes_and_half_a_sample_waits() {
        let now = Instant::now();
        let mut down = Downlink::new(Format::Pcm(16_000));
        down.push(now, &vec![1; 641]);
        assert!(down.next(now, false).is_some() && down.next(now, false).is_none());
        down.push(now, &[2, 3, 4]);
        assert!(down.next(now, false).is_none(), "two samples are no frame yet");
        let later = now + REST_WAITS;
        let rest = down.next(later, false).unwrap();
        assert_eq!(rest.0[..3], [0x0201, 0x0403, 0]);
        assert!(down.next(later, false).is_none());
    }
}
