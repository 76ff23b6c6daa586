//! A message after the tone: what is said before it, and what follows.
//!
//! ```text
//! Talking ─ the announcement is said ─▶ Recording ─ it is heard ─▶ Output::RecordMessage
//!    ▲                                                                 │ (nothing is answered)
//!    └─ go_on, or another way ── Input::Recorded ◀─────────────────────┘
//!                                 └─ hang_up ─▶ Leaving
//! ```

use std::time::Instant;

use super::leaving::FAREWELL_GUARD;
use super::{Conversation, Phase, Timer};
use crate::converse::alphabet::{EndCause, Message, Output, Purpose, Recorded};

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The caller is being told.
    Announced,
    /// The tone is heard, or was.
    Running,
}

impl Conversation {
    /// Begins, once what is being said is heard. A call may leave several.
    pub(super) fn begin_message(&mut self, now: Instant, message: Message) {
        self.stop_thinking();
        self.forget_keys();
        self.phase = Phase::Recording(Stage::Announced);
        self.message = Some(Box::new(message));
        self.timers.set(Timer::HangUp, now + FAREWELL_GUARD);
        self.record_if_heard();
    }

    /// What was being said has ended.
    pub(super) fn record_if_heard(&mut self) {
        if self.voice.is_silent() {
            self.record_message();
        }
    }

    /// The announcement is over, or its end is not reported.
    pub(super) fn record_message(&mut self) {
        if self.phase != Phase::Recording(Stage::Announced) {
            return;
        }
        self.phase = Phase::Recording(Stage::Running);
        self.timers.cancel(Timer::HangUp);
        let message = self.message.take().unwrap_or_default();
        self.outputs.push_back(Output::RecordMessage(message));
    }

    pub(super) fn recorded(&mut self, now: Instant, outcome: Recorded) {
        if self.phase != Phase::Recording(Stage::Running) {
            return;
        }
        self.phase = Phase::Talking;
        self.patience = super::Patience::Fresh;
        let Some(voicemail) = self.playbook.voicemail().cloned() else {
            return self.listen_on(now, Vec::new());
        };
        let said = match outcome {
            Recorded::Saved => voicemail.saved,
            Recorded::Nothing => voicemail.nothing,
            Recorded::Failed => {
                let said = vec![voicemail.failed];
                let Some(instead) = voicemail.instead else { return self.listen_on(now, said) };
                let mut reaction = self.dialogue.choose(instead);
                reaction.parts.splice(0..0, said);
                return self.follow(now, reaction);
            }
        };
        if voicemail.goes_on {
            return self.listen_on(now, vec![said]);
        }
        let _ = self.say(now, vec![said], true, Purpose::Farewell);
        self.leave(now, EndCause::Goodbye);
    }

    fn listen_on(&mut self, now: Instant, mut said: Vec<String>) {
        said.push(self.playbook.prompts().listen.clone());
        let _ = self.say(now, said, true, Purpose::Reply);
        self.expect();
    }
}
