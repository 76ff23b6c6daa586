//! A remote agent held the call and is gone: the playbook goes on with it.

use std::time::Instant;

use super::{Conversation, Phase, Timer};
use crate::converse::alphabet::{Output, Purpose, TakeOver, Why};

impl Conversation {
    /// The call's length counts from its answer, whoever has held it since.
    pub(super) fn take_over(&mut self, now: Instant, over: TakeOver) {
        self.phase = Phase::Talking;
        self.begin_length(over.since);
        self.told = over.told;
        self.outputs.push_back(Output::Expect(self.awaited));
        match over.why {
            Why::NotThere => self.greet(now),
            Why::TimeIsOver => {
                self.timers.cancel(Timer::LengthWarning);
                self.expire(now);
            }
            Why::Gone => {
                let parts = self.playbook.takes_over();
                self.dialogue.said(&parts);
                let _ = self.say(now, parts, true, Purpose::EngineNotice);
            }
            Why::Transfer(person) => self.announce_transfer(now, person),
        }
    }
}
