//! The floor while a caller leaves a message after the tone.

use std::time::Instant;

use super::{Floor, FloorOutput, Phase, Timer};
use crate::call::media::HeardFrame;
use crate::call::voicemail::{Taking, Tape, TapeNews};
use crate::converse::{self, Message, Recorded};

impl Floor {
    pub(super) fn record_message(&mut self, now: Instant, message: Box<Message>) {
        let mut taking = Taking::new(now, self.voicemail);
        taking.hold(now, matches!(self.phase, Phase::Held { .. }));
        self.taking = Some(taking);
        self.watch_tape();
        self.out.push_back(FloorOutput::Tape(Tape::Begin(message)));
    }

    /// Whoever leaves a message is not talked with.
    pub(super) const fn is_taking(&self) -> bool {
        self.taking.is_some()
    }

    pub(in crate::call) fn tape(&mut self, now: Instant, news: TapeNews) {
        let Some(taking) = &mut self.taking else { return };
        match news {
            TapeNews::Ready => {
                self.last_wire = self.last_wire.next();
                taking.ready(now, self.last_wire);
                self.watch_tape();
            }
            TapeNews::Failed => self.end_message(now, Recorded::Failed),
        }
    }

    pub(super) fn tape_hears(&mut self, now: Instant, frame: &HeardFrame) {
        let Some(taking) = &mut self.taking else { return };
        if taking.heard(now, frame) {
            self.out.push_back(FloorOutput::Tape(Tape::Sound(Box::new(frame.frame))));
            self.watch_tape();
        }
    }

    pub(super) fn tape_key(&mut self, now: Instant, key: char) {
        if let Some(outcome) = self.taking.as_ref().and_then(|taking| taking.key(key)) {
            self.end_message(now, outcome);
        }
    }

    pub(super) fn tape_timeout(&mut self, now: Instant) {
        let Some(taking) = &mut self.taking else { return };
        match taking.timeout(now) {
            Some(outcome) => self.end_message(now, outcome),
            None => self.watch_tape(),
        }
    }

    pub(super) fn watch_tape(&mut self) {
        let Some(taking) = &self.taking else { return };
        match taking.due() {
            Some(at) => self.timers.set(Timer::Voicemail, at),
            None => self.timers.cancel(Timer::Voicemail),
        }
    }

    /// As [`Taking::hold`].
    pub(super) fn hold_tape(&mut self, now: Instant, is_held: bool) {
        if let Some(taking) = &mut self.taking {
            taking.hold(now, is_held);
            self.watch_tape();
        }
    }

    fn end_message(&mut self, now: Instant, outcome: Recorded) {
        self.stop_tape();
        self.converse(now, converse::Input::CallerSilent { since: now });
        self.converse(now, converse::Input::Recorded(outcome));
    }

    /// Nothing more is recorded; what there is stays.
    pub(super) fn stop_tape(&mut self) {
        self.timers.cancel(Timer::Voicemail);
        if let Some(taking) = self.taking.take() {
            let is_spoken = taking.is_spoken();
            self.out.push_back(FloorOutput::Tape(Tape::End { is_spoken }));
        }
    }
}
