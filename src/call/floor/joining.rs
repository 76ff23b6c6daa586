//! A caller whom we put through ourselves: the tone while it rings there, and afterwards the sound of
//! the other call in place of ours.
//!
//! Once two calls are joined nothing of them is recognised, understood or recorded here: what the two say
//! is theirs. Invariant: joined is the last phase but closed.

use std::collections::VecDeque;
use std::f32::consts::TAU;

use super::{Floor, FloorOutput, Phase};
use crate::base::UtteranceId;
use crate::base::pcm::{FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};
use crate::speak::PlayoutFrame;

/// Frames of the other call that may wait: more would be delay that never goes away again.
const WAITING: usize = 5;
/// A ringback tone as both sides of the Atlantic know it: two tones, two seconds in six.
const TONES_HZ: [f32; 2] = [440.0, 480.0];
const AMPLITUDE: f32 = 1_600.0;
const RING_FRAMES: u32 = 100;
const CADENCE_FRAMES: u32 = 300;

/// The tone that a waiting caller hears.
#[derive(Debug)]
pub(super) struct Ringback {
    wire: UtteranceId,
    frames: u32,
}

/// The other call's sound.
#[derive(Debug)]
pub(super) struct Relay {
    wire: UtteranceId,
    waiting: VecDeque<Frame>,
}

impl Ringback {
    fn next(&mut self) -> PlayoutFrame {
        let in_cadence = self.frames % CADENCE_FRAMES;
        let first = in_cadence as usize * FRAME_SAMPLES;
        self.frames += 1;
        let mut frame = Frame::SILENCE;
        if in_cadence < RING_FRAMES {
            for (index, sample) in frame.0.iter_mut().enumerate() {
                let seconds = (first + index) as f32 / SAMPLE_RATE_HZ as f32;
                let sum: f32 = TONES_HZ.iter().map(|hz| (TAU * hz * seconds).sin()).sum();
                *sample = (AMPLITUDE * sum) as i16;
            }
        }
        PlayoutFrame { utterance: self.wire, frame, last: false }
    }
}

impl Floor {
    /// The other telephone rings: the caller hears that.
    pub(in crate::call) fn ring_back(&mut self) {
        self.last_wire = self.last_wire.next();
        self.ringback = Some(Ringback { wire: self.last_wire, frames: 0 });
    }

    /// It does not ring any more.
    pub(in crate::call) fn stop_ringing_back(&mut self) {
        if let Some(ringback) = self.ringback.take() {
            self.out.push_back(FloorOutput::Silence(ringback.wire));
        }
    }

    /// From here on this call has the sound of another one.
    pub(in crate::call) fn join(&mut self) {
        if self.phase == Phase::Closed {
            return;
        }
        self.close();
        self.phase = Phase::Joined;
        self.ringback = None;
        self.out.push_back(FloorOutput::Silence(self.last_wire));
        self.last_wire = self.last_wire.next();
        self.relay = Some(Relay { wire: self.last_wire, waiting: VecDeque::new() });
    }

    /// 20 ms of the other call. What is too late is left out.
    pub(in crate::call) fn relay(&mut self, frame: &Frame) {
        if let Some(relay) = &mut self.relay {
            if relay.waiting.len() >= WAITING {
                relay.waiting.pop_front();
            }
            relay.waiting.push_back(*frame);
        }
    }

    pub(super) fn relayed(&mut self) -> Option<PlayoutFrame> {
        let relay = self.relay.as_mut()?;
        let frame = relay.waiting.pop_front()?;
        Some(PlayoutFrame { utterance: relay.wire, frame, last: false })
    }

    /// The tone, where nothing is said.
    pub(super) fn rung(&mut self) -> Option<PlayoutFrame> {
        let ringback = self.ringback.as_mut()?;
        // What was said meanwhile may be silenced, and all before it with it.
        if ringback.wire != self.last_wire {
            self.last_wire = self.last_wire.next();
            ringback.wire = self.last_wire;
        }
        Some(ringback.next())
    }
}
