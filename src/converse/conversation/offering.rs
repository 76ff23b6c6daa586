//! The other side of being put through: somebody whom we have called is offered a caller who waits.
//!
//! ```text
//! Connected ─▶ Offering: told who waits ─ 1, or yes ─▶ Output::Accepted
//!                 │  ▲ nothing: asked once more            (the call belongs to the two from here on)
//!                 └──┴ any other key, no, nothing again ─▶ HangUp
//! ```
//!
//! What answers by itself, such as an answering machine, presses no key and says no yes: the caller is
//! never given to one.

use std::time::{Duration, Instant};

use super::beginning::Beginning;
use super::{Conversation, Phase, Timer};
use crate::converse::alphabet::{EndCause, Output, Purpose, Speech};
use crate::converse::matching::answers::Answer;

/// The key that takes the caller.
const TAKE: char = '1';
/// How long an answer is waited for after the question.
const PATIENCE: Duration = Duration::from_secs(5);
/// The end of the question is reported within this time, or it is taken as said.
const SAID_WITHIN: Duration = Duration::from_secs(30);
/// How often the question is asked.
const TIMES: u8 = 2;
/// All of it: whatever talks without an end is not asked for ever.
pub(super) const OFFERED_WITHIN: Duration = Duration::from_secs(45);

impl Conversation {
    pub(super) fn offer_caller(&mut self, now: Instant, asked: u8, until: Instant) {
        let Beginning::Offered(offer) = &self.beginning else { return };
        if asked >= TIMES || now >= until {
            return self.hang_up(EndCause::Silence);
        }
        let offer = offer.reveal().clone();
        self.phase = Phase::Offering { asked: asked + 1, until };
        self.timers.set(Timer::HangUp, (now + SAID_WITHIN).min(until));
        let _ = self.say(now, vec![offer], true, Purpose::Greeting);
    }

    /// The question was heard to its end, or spoken over.
    pub(super) fn await_offer(&mut self, now: Instant) {
        let Phase::Offering { until, .. } = self.phase else { return };
        if self.voice.is_silent() {
            self.timers.set(Timer::HangUp, (now + PATIENCE).min(until));
        }
    }

    pub(super) fn offer_keyed(&mut self, digit: char) {
        match digit {
            TAKE => self.take_caller(),
            _ => self.hang_up(EndCause::Goodbye),
        }
    }

    pub(super) fn offer_answered(&mut self, now: Instant, speech: &Speech) {
        self.caller = super::Caller::Quiet;
        match self.dialogue.yes_or_no(speech) {
            Some(Answer::Yes) => self.take_caller(),
            Some(Answer::No) => self.hang_up(EndCause::Goodbye),
            // A hello; what we say is still to come, or was said over.
            None => self.await_offer(now),
        }
    }

    fn take_caller(&mut self) {
        self.stop(self.voice.all());
        self.phase = Phase::Ended;
        self.timers.clear();
        self.outputs.push_back(Output::Accepted);
    }
}
