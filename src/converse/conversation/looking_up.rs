//! The owner's system is asked, for the playbook or for a model: how long is waited, what is said
//! meanwhile. At most one question is under way; what replaces it cancels it.

use std::time::Instant;

use super::{Caller, Conversation, Phase, Timer};
use crate::base::limits;
use crate::converse::alphabet::Speech;
use crate::converse::alphabet::{Output, Purpose};
use crate::converse::lookup::{LookUp, LookedUp};
use crate::converse::people::PersonId;

/// How far the wait has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Fresh,
    /// The caller was told so often that it takes a while.
    Told(u32),
}

/// News for a caller who speaks at this moment.
#[derive(Clone, Debug)]
pub(super) enum Held {
    LookedUp(LookedUp),
    NotTransferred(PersonId),
}

impl Conversation {
    /// Asks. Beyond the budget of a call the answer is that it failed.
    pub(super) fn begin_look_up(&mut self, now: Instant, asked: LookUp) {
        self.looking = Some(Wait::Fresh);
        if self.look_ups >= limits::LOOK_UPS_PER_CALL {
            return self.looked_up(now, LookedUp::Failed);
        }
        self.look_ups += 1;
        self.outputs.push_back(Output::LookUp(asked));
        let told_at = (self.waits_since(now) + limits::LLM_FILLER_AFTER).max(now);
        self.timers.set(Timer::LookUp, told_at);
    }

    pub(super) fn looked_up(&mut self, now: Instant, outcome: LookedUp) {
        if self.looking.take().is_none() {
            return;
        }
        self.timers.cancel(Timer::LookUp);
        if self.thinking.is_looking_up() {
            return self.model_looked_up(now, &outcome);
        }
        if self.caller == Caller::Speaking {
            self.held = Some(Held::LookedUp(outcome));
            return;
        }
        if let Some(reaction) = self.dialogue.looked_up(&outcome) {
            self.follow(now, reaction);
        }
    }

    /// The caller who spoke is silent, and it was no turn.
    pub(super) fn tell_held_news(&mut self, now: Instant) {
        if self.caller == Caller::Speaking {
            return;
        }
        match self.held.take() {
            Some(Held::LookedUp(outcome)) => {
                if let Some(reaction) = self.dialogue.looked_up(&outcome) {
                    self.follow(now, reaction);
                }
            }
            Some(Held::NotTransferred(person)) => self.not_transferred(now, person),
            None => (),
        }
    }

    /// The caller's turn has ended, in which an answer came: it is told, unless the words make it
    /// useless.
    pub(super) fn tell_held(&mut self, now: Instant, speech: &Speech) -> bool {
        if self.held.is_none() {
            return false;
        }
        let mut after = self.dialogue.clone();
        let _ = after.hear(speech);
        if !after.is_looking_up() {
            self.held = None;
            return false;
        }
        self.stop(self.voice.interruptible());
        self.tell_held_news(now);
        true
    }

    /// The playbook's question takes long. A model has its own filler.
    pub(super) fn look_up_takes_long(&mut self, now: Instant) {
        let told = match self.looking {
            Some(Wait::Fresh) => 0,
            Some(Wait::Told(limits::LOOK_UP_TOLD)) => {
                self.outputs.push_back(Output::CancelLookUp);
                return self.looked_up(now, LookedUp::Failed);
            }
            Some(Wait::Told(told)) => told,
            None => return,
        };
        self.looking = Some(Wait::Told(told + 1));
        self.timers.set(Timer::LookUp, now + limits::LOOK_UP_AGAIN);
        let wait = self.dialogue.waiting();
        if self.caller == Caller::Quiet && self.voice.is_silent() {
            let _ = self.say(now, wait.into_iter().collect(), true, Purpose::Reply);
        }
    }

    /// Cancels a question that nobody waits for any more.
    pub(super) fn watch_look_up(&mut self) {
        let is_wanted = self.phase == Phase::Talking
            && (self.dialogue.is_looking_up() || self.thinking.is_looking_up());
        self.held = self.held.take().filter(|held| match held {
            Held::LookedUp(_) => is_wanted,
            Held::NotTransferred(_) => matches!(self.phase, Phase::Transferring(..)),
        });
        if !is_wanted && self.looking.take().is_some() {
            self.timers.cancel(Timer::LookUp);
            self.outputs.push_back(Output::CancelLookUp);
        }
    }
}
