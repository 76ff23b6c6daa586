//! The floor while a caller leaves a message after the tone.

use std::time::Instant;

use super::{Floor, FloorOutput, Timer};
use crate::call::media::HeardFrame;
use crate::call::voicemail::{Taking, Tape, TapeNews};
use crate::converse::{self, Message, Recorded};

impl Floor {
    pub(super) fn record_message(&mut self, now: Instant, message: Box<Message>) {
        let taking = Taking::new(now, self.voicemail);
        self.timers.set(Timer::Voicemail, taking.deadline());
        self.taking = Some(taking);
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
        if let Some(taking) = &self.taking {
            self.timers.set(Timer::Voicemail, taking.deadline());
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
