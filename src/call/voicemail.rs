//! A message after the tone: the tone, what the caller says, and how that ends. Pure.
//!
//! ```text
//!  Asked ─ the disk is ready ─▶ Beeping ─ the tone is heard ─▶ Running ─ silence, #, the longest ─▶ over
//!    └──── it is not, or gives no answer ─▶ failed       └──── the disk takes no more ─▶ failed
//! ```
//!
//! While it runs nothing of the caller's is recognised or answered. Frames leave as they are heard, so that a caller who
//! hangs up, or a program that ends, loses nothing that was said before.

use std::f32::consts::{PI, TAU};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::media::HeardFrame;
use crate::base::pcm::{FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};
use crate::base::{UtteranceId, serial};
use crate::converse::{Message, Recorded};
use crate::speak::PlayoutFrame;

/// The tone of answering machines.
const TONE_HZ: f32 = 1_000.0;
const TONE_FRAMES: usize = 20;
/// -12 dBFS: as loud as speech that is close.
const TONE_AMPLITUDE: f32 = 8_200.0;
/// It begins and ends without a click.
const RAMP_SAMPLES: f32 = SAMPLE_RATE_HZ as f32 * 0.01;
/// The disk says within this time whether it takes a message; a caller waits no longer for a tone.
const DISK_WITHIN: Duration = Duration::from_secs(3);
/// The end of the tone is reported within this time, or it is taken as heard.
const TONE_WITHIN: Duration = Duration::from_secs(3);
/// Whoever has heard a tone collects themselves for so long beyond the usual silence.
const FIRST_WORD: Duration = Duration::from_secs(4);
/// Frames with speech that make a message: a cough or a click has fewer.
const SPOKEN_FRAMES: u32 = 10;

/// How a message ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Silence that ends it.
    #[serde(rename = "silence_ms", with = "serial::ms")]
    pub silence: Duration,
    #[serde(rename = "longest_ms", with = "serial::ms")]
    pub longest: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { silence: Duration::from_secs(5), longest: Duration::from_secs(180) }
    }
}

/// What is to be done with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tape {
    /// Answered with a [`TapeNews`].
    Begin(Box<Message>),
    /// The next 20 ms of the caller.
    Sound(Box<Frame>),
    /// Nothing more comes. What nobody has spoken into is thrown away.
    End { is_spoken: bool },
}

/// What the disk has to say to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TapeNews {
    Ready,
    /// It takes nothing, or nothing more.
    Failed,
}

#[derive(Debug)]
enum Stage {
    Asked { until: Instant },
    Beeping { wire: UtteranceId, frames: usize, until: Instant },
    Running { since: Instant, quiet_since: Instant },
}

/// One message.
#[derive(Debug)]
pub(super) struct Taking {
    settings: Settings,
    stage: Stage,
    spoken_frames: u32,
    /// Neither side hears the other since then.
    held_since: Option<Instant>,
}

impl Taking {
    /// The disk has been asked.
    pub(super) fn new(now: Instant, settings: Settings) -> Self {
        let stage = Stage::Asked { until: now + DISK_WITHIN };
        Self { settings, stage, spoken_frames: 0, held_since: None }
    }

    /// Neither side hears the other, or they do again: what passes meanwhile is nobody's silence, and of no message.
    pub(super) fn hold(&mut self, now: Instant, is_held: bool) {
        if is_held {
            self.held_since.get_or_insert(now);
            return;
        }
        let Some(held_since) = self.held_since.take() else { return };
        let held = now.saturating_duration_since(held_since);
        match &mut self.stage {
            Stage::Asked { until } | Stage::Beeping { until, .. } => *until += held,
            Stage::Running { since, quiet_since } => {
                // Where the tone came to its end meanwhile, it began then.
                *since = (*since + held).min(now);
                *quiet_since = (*quiet_since + held).min(now);
            }
        }
    }

    /// The tone may be heard, under this number.
    pub(super) fn ready(&mut self, now: Instant, wire: UtteranceId) {
        if let Stage::Asked { .. } = self.stage {
            self.stage = Stage::Beeping { wire, frames: 0, until: now + TONE_WITHIN };
        }
    }

    /// The next 20 ms of the tone.
    pub(super) fn tone(&mut self) -> Option<PlayoutFrame> {
        let Stage::Beeping { wire, frames, .. } = &mut self.stage else { return None };
        if *frames >= TONE_FRAMES {
            return None;
        }
        let mut frame = Frame::SILENCE;
        for (index, sample) in frame.0.iter_mut().enumerate() {
            *sample = tone_at(*frames * FRAME_SAMPLES + index) as i16;
        }
        *frames += 1;
        Some(PlayoutFrame { utterance: *wire, frame, last: *frames == TONE_FRAMES })
    }

    /// Something was played to its end; the tone's end begins the message.
    pub(super) fn finished(&mut self, now: Instant, played: UtteranceId) {
        if let Stage::Beeping { wire, .. } = self.stage
            && wire == played
        {
            self.run(now);
        }
    }

    fn run(&mut self, now: Instant) {
        self.stage = Stage::Running { since: now, quiet_since: now };
    }

    /// Whether the frame is of the message.
    pub(super) fn heard(&mut self, now: Instant, frame: &HeardFrame) -> bool {
        let Stage::Running { quiet_since, .. } = &mut self.stage else { return false };
        if frame.is_speech() {
            self.spoken_frames = self.spoken_frames.saturating_add(1);
            *quiet_since = now;
        }
        true
    }

    /// `#` ends it; what it comes to.
    pub(super) fn key(&self, key: char) -> Option<Recorded> {
        (key == '#' && self.is_running()).then(|| self.outcome())
    }

    pub(super) const fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running { .. })
    }

    pub(super) const fn is_spoken(&self) -> bool {
        self.spoken_frames >= SPOKEN_FRAMES
    }

    fn outcome(&self) -> Recorded {
        if self.is_spoken() { Recorded::Saved } else { Recorded::Nothing }
    }

    /// What has come to its time; what the message comes to, if that is its end.
    pub(super) fn timeout(&mut self, now: Instant) -> Option<Recorded> {
        match self.stage {
            Stage::Asked { until } => (now >= until).then_some(Recorded::Failed),
            Stage::Beeping { until, .. } => {
                if now >= until {
                    self.run(now);
                }
                None
            }
            Stage::Running { .. } => (now >= self.deadline()).then(|| self.outcome()),
        }
    }

    /// When to look again; `None`: nothing comes to its time while it is held.
    pub(super) fn due(&self) -> Option<Instant> {
        self.held_since.is_none().then(|| self.deadline())
    }

    fn deadline(&self) -> Instant {
        match self.stage {
            Stage::Asked { until } | Stage::Beeping { until, .. } => until,
            Stage::Running { since, quiet_since } => {
                let first = if self.is_spoken() { Duration::ZERO } else { FIRST_WORD };
                (quiet_since + self.settings.silence + first).min(since + self.settings.longest)
            }
        }
    }
}

fn tone_at(sample: usize) -> f32 {
    let length = (TONE_FRAMES * FRAME_SAMPLES) as f32;
    let (at, left) = (sample as f32, length - sample as f32);
    let edge = (at.min(left) / RAMP_SAMPLES).min(1.0);
    let ramp = 0.5 - 0.5 * (PI * edge).cos();
    TONE_AMPLITUDE * ramp * (TAU * TONE_HZ * at / SAMPLE_RATE_HZ as f32).sin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone() -> Vec<i16> {
        let now = Instant::now();
        let mut taking = Taking::new(now, Settings::default());
        assert!(taking.tone().is_none(), "not before the disk is ready");
        taking.ready(now, UtteranceId(7));
        let frames: Vec<PlayoutFrame> = std::iter::from_fn(|| taking.tone()).collect();
        assert!(frames.iter().all(|frame| frame.utterance == UtteranceId(7)));
        let lasts: Vec<bool> = frames.iter().map(|frame| frame.last).collect();
        assert!(lasts.ends_with(&[true]) && lasts.iter().filter(|last| **last).count() == 1);
        frames.iter().flat_map(|frame| frame.frame.0).collect()
    }

    #[test]
    fn the_tone_is_one_kilohertz_of_four_tenths_of_a_second() {
        let samples = tone();
        assert_eq!(samples.len(), 6_400);
        let crossings = samples.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        assert!((395..=400).contains(&crossings), "{crossings}");
        let loudest = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!((8_000..8_300).contains(&loudest), "{loudest}");
    }

    #[test]
    fn the_tone_begins_and_ends_without_a_click() {
        let samples = tone();
        // In the first and last 2 ms there is hardly anything.
        let is_soft = |part: &[i16]| part.iter().all(|sample| sample.unsigned_abs() < 1_000);
        assert!(is_soft(&samples[..32]) && is_soft(&samples[samples.len() - 32..]));
        // No step is larger than a whole tone's largest, 2 pi f / rate of its amplitude.
        let step = |pair: &[i16]| (i32::from(pair[1]) - i32::from(pair[0])).unsigned_abs();
        assert!(samples.windows(2).map(step).max().unwrap() < 3_300);
    }
}
