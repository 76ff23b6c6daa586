//! Somebody else held the call and is gone, a remote agent or a person of the firm: the playbook goes on with it.

use std::sync::Arc;
use std::time::Instant;

use super::engine::Engine;
use super::timing::Patience;
use super::{Caller, Conversation, Phase, Timer};
use crate::base::LanguageCode;
use crate::converse::alphabet::{Output, Purpose, TakeOver, Why};
use crate::converse::dialogue::Dialogue;

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
            // What is said follows when they have given it back.
            Why::Operator => (),
        }
    }

    /// A person of the firm has spoken to the caller and has gone: what was being asked before may be settled by now,
    /// and that time was not ours.
    pub(super) fn given_back(&mut self, now: Instant) {
        match self.phase {
            Phase::Waiting | Phase::Offering { .. } | Phase::Ended => return,
            Phase::Talking => (),
            Phase::Leaving(_) | Phase::Transferring(..) | Phase::Recording(_) => self.stay(),
        }
        self.message = None;
        self.stop_thinking();
        self.forget_keys();
        (self.asked, self.held, self.has_paused_in_number) = (None, None, false);
        (self.caller, self.patience) = (Caller::Quiet, Patience::Fresh);
        self.dialogue = Dialogue::new(Arc::clone(&self.playbook)).beginning(self.settings.began);
        if matches!(self.recognizer, Engine::Missing | Engine::Drowned) {
            self.dialogue.hear_keys_only();
        }
        self.timers.cancel(Timer::Silence);
        self.begin_length(now);
        let language = LanguageCode::of_tag(self.playbook.language());
        let own = language.and_then(|code| self.settings.back.get(code.as_str()).cloned());
        let parts = own.map_or_else(|| self.playbook.takes_over(), |own| vec![own]);
        self.dialogue.said(&parts);
        let _ = self.say(now, parts, true, Purpose::EngineNotice);
        self.expect();
    }
}
