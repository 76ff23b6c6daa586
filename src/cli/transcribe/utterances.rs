//! Frames to utterances: the ear of a call on a clock that moves by a frame with each frame.

use std::time::{Duration, Instant};

use super::arguments::WayArguments;
use super::line::Line;
use super::recording::Recording;
use crate::base::pcm::{FRAME_MS, Frame};
use crate::listen::{Ear, Expectation, Input, Ours, Output, Settings, Transcribe, Vad};

/// Silence after the file: more than the longest pause and a jitter buffer's delay.
const TAIL_FRAMES: usize = 125;
const FRAME: Duration = Duration::from_millis(FRAME_MS);

/// Speech between two silences, ready to be decoded.
pub(super) struct Utterance {
    /// Its first and last frame with speech, from the file's beginning, in what was heard: a line
    /// adds its delay.
    pub start_ms: u64,
    pub end_ms: u64,
    /// In their order; more than one if it is longer than the engine's window.
    pub pieces: Vec<Transcribe>,
}

/// The sound's way from one file to the ear.
pub(super) struct Way {
    began: Instant,
    now: Instant,
    lead_ms: u64,
    medium: Medium,
    ear: Ear,
    started: Instant,
    pieces: Vec<Transcribe>,
}

enum Medium {
    Air(Box<Vad>),
    Line(Box<Line>),
}

impl Way {
    pub(super) fn new(arguments: &WayArguments, recording: &Recording) -> Self {
        let now = Instant::now();
        let medium = match arguments.line {
            None => Medium::Air(Box::default()),
            Some(codec) => {
                let seed = arguments.seed ^ recording.fingerprint();
                Medium::Line(Box::new(Line::new(now, codec, arguments.loss, seed)))
            }
        };
        let mut ear = Ear::new(Settings::default());
        ear.handle(now, Input::Expect(Expectation::from(arguments.expect).into()));
        let lead_ms = arguments.lead_silence;
        Self { began: now, now, lead_ms, medium, ear, started: now, pieces: Vec::new() }
    }

    /// All that the ear hears of a file: silence, the file, silence.
    pub(super) fn frames(&self, recording: Recording) -> impl Iterator<Item = Frame> + use<> {
        let silence = |frames| std::iter::repeat_n(Frame::SILENCE, frames);
        let lead = usize::try_from(self.lead_ms / FRAME_MS).unwrap_or(0);
        silence(lead).chain(recording.into_frames()).chain(silence(TAIL_FRAMES))
    }

    /// The next frame; gives the utterance that ends with it.
    pub(super) fn hear(&mut self, frame: &Frame) -> Option<Utterance> {
        self.now += FRAME;
        let input = match &mut self.medium {
            Medium::Air(vad) => {
                Input::Frame { frame: *frame, score: vad.score(frame, Ours::NONE), lost: false }
            }
            Medium::Line(line) => {
                let heard = line.carry(self.now, frame);
                Input::Frame { frame: heard.frame, score: heard.score, lost: heard.is_lost() }
            }
        };
        self.ear.handle(self.now, input);
        let mut ended = None;
        loop {
            match self.ear.poll_output() {
                Output::SpeechStarted { at, .. } => self.started = at,
                Output::Decode(request) => self.keep(request),
                // Nothing is decoded before an utterance has ended: what is void costs nothing.
                Output::Resumed { .. } | Output::Cut { .. } => (),
                Output::Closed { ended_at, .. } => {
                    ended = Some(Utterance {
                        start_ms: self.in_file_ms(self.started),
                        end_ms: self.in_file_ms(ended_at),
                        pieces: std::mem::take(&mut self.pieces),
                    });
                }
                Output::Dismissed { .. } => self.pieces.clear(),
                // Frames never stop here.
                Output::Timeout(_) => return ended,
            }
        }
    }

    /// A later revision replaces the one before.
    fn keep(&mut self, request: Transcribe) {
        match self.pieces.last_mut().filter(|last| last.segment == request.segment) {
            Some(last) => *last = request,
            None => self.pieces.push(request),
        }
    }

    fn in_file_ms(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.began).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX).saturating_sub(self.lead_ms)
    }
}
