//! The engine's parts that are lost and come back, and what the caller is told of it.

use std::time::Instant;

use super::{Conversation, Phase};
use crate::converse::alphabet::Purpose;

/// Whether a part of the engine can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Up,
    Lost,
    /// It was never there: the model does not know the language.
    Missing,
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

    fn notice(&mut self, now: Instant, parts: Vec<String>) {
        if self.phase == Phase::Talking {
            let _ = self.say(now, parts, true, Purpose::EngineNotice);
        }
    }
}
