//! The engine's parts that are lost and come back, and what the caller is told of it.

use std::time::Instant;

use super::{Caller, Conversation, Patience, Phase};
use crate::converse::alphabet::Purpose;

/// Whether a part of the engine can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Up,
    Lost,
    /// It was never there: the model does not know the language.
    Missing,
    /// Nothing can be heard for the noise around the caller.
    Drowned,
}

impl Conversation {
    pub(super) fn recognizer_lost(&mut self, now: Instant) {
        if self.recognizer == Engine::Up {
            self.recognizer = Engine::Lost;
            let text = self.playbook.prompts().engine.recognizer_lost.clone();
            self.notice(now, vec![text]);
        }
    }

    pub(super) fn recognizer_back(&mut self, now: Instant) {
        if self.recognizer == Engine::Lost {
            self.recognizer = Engine::Up;
            let back = vec![self.playbook.prompts().engine.recognizer_back.clone()];
            if self.phase == Phase::Talking {
                self.ask_open(now, back, Purpose::EngineNotice);
            }
        }
    }

    /// What is around the caller drowns its words: the call is held by keys.
    pub(super) fn too_loud(&mut self, now: Instant) {
        let too_loud = self.playbook.prompts().too_loud.clone();
        self.go_by_keys(now, too_loud);
    }

    /// Nothing of what the caller says comes here: the same.
    pub(super) fn deaf(&mut self, now: Instant) {
        let unclear = self.playbook.prompts().unclear.clone();
        self.go_by_keys(now, unclear);
    }

    /// The caller has spoken and waits; so do we.
    pub(super) fn text_late(&mut self, now: Instant) {
        if self.recognizer == Engine::Up && self.voice.is_silent() {
            self.notice(now, vec![self.filler().to_owned()]);
        }
    }

    /// What is said while something takes too long.
    pub fn filler(&self) -> &str {
        &self.playbook.prompts().engine.recognizer_lost
    }

    /// Whoever has said something and hears nothing is offered to leave a message.
    pub(super) fn no_reply(&mut self, now: Instant) {
        let waits = self.phase == Phase::Talking
            && self.caller == Caller::Quiet
            && self.voice.is_silent()
            && !self.is_keying();
        if waits {
            let reaction = self.dialogue.give_way();
            self.react(now, reaction);
        }
    }

    fn go_by_keys(&mut self, now: Instant, because: String) {
        self.caller = Caller::Quiet;
        self.recognizer = Engine::Drowned;
        self.patience = Patience::Fresh;
        self.dialogue.hear_keys_only();
        if self.phase == Phase::Talking {
            self.stop_thinking();
            self.stop(self.voice.interruptible());
            let parts = [vec![because], self.question_or_menu()].concat();
            self.say_question(now, parts, Purpose::EngineNotice);
        }
        self.tell_held_news(now);
    }

    /// The noise around the caller is over.
    pub(super) fn quiet_again(&mut self, now: Instant) {
        if self.recognizer != Engine::Drowned {
            return;
        }
        self.recognizer = Engine::Up;
        self.dialogue.hear_words();
        // Whoever answers by keys meanwhile is not talked over.
        if self.phase == Phase::Talking && self.voice.is_silent() && !self.is_keying() {
            let again = self.playbook.prompts().quiet_again.clone();
            self.ask_open(now, vec![again], Purpose::EngineNotice);
        }
    }

    /// Words can be understood.
    pub fn hears_words(&self) -> bool {
        self.recognizer == Engine::Up
    }

    fn notice(&mut self, now: Instant, parts: Vec<String>) {
        if self.phase == Phase::Talking {
            let _ = self.say(now, parts, true, Purpose::EngineNotice);
        }
    }
}
