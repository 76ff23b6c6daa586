//! The silence in which a caller waits for a model: the filler, and what is said in place of its answer.

use std::time::Instant;

use super::{Lull, State};
use crate::base::limits;
use crate::converse::alphabet::Purpose;
use crate::converse::conversation::{Caller, Conversation, Timer};
use crate::converse::dialogue::Understanding;

impl Conversation {
    /// When the caller's last words ended, or the key was pressed that is being answered.
    pub(in crate::converse::conversation) fn waits_since(&self, now: Instant) -> Instant {
        self.spoke_until.map_or(now, |since| since.min(now))
    }

    /// Keeps watch over a silence in which the caller waits.
    pub(in crate::converse::conversation) fn watch_lull(&mut self, now: Instant) {
        let (State::Answering(answering) | State::LookingUp { answering, .. }) =
            &self.thinking.state
        else {
            return;
        };
        let is_quiet = self.caller == Caller::Quiet && self.voice.is_silent();
        if !is_quiet {
            return self.timers.cancel(Timer::Lull);
        }
        if !self.timers.is_armed(Timer::Lull) {
            let is_looking_up = self.thinking.is_looking_up();
            let at = match answering.lull {
                Lull::FilledAgain if is_looking_up => now + limits::LOOK_UP_AGAIN,
                Lull::Fresh if answering.said.is_empty() => {
                    answering.since + limits::LLM_FILLER_AFTER
                }
                Lull::Fresh | Lull::Filled | Lull::FilledAgain => now + limits::LLM_AGAIN_AFTER,
            };
            self.timers.set(Timer::Lull, at);
        }
    }

    pub(in crate::converse::conversation) fn lull(&mut self, now: Instant) {
        let is_looking_up = matches!(self.thinking.state, State::LookingUp { .. });
        let (State::Answering(answering) | State::LookingUp { answering, .. }) =
            &mut self.thinking.state
        else {
            return;
        };
        let llm = self.playbook.llm();
        let (lull, filler) = match answering.lull {
            Lull::Fresh => (Lull::Filled, llm.map(|llm| llm.filler.clone())),
            Lull::Filled => (Lull::FilledAgain, llm.map(|llm| llm.filler_again.clone())),
            // The owner's system has a limit of its own.
            Lull::FilledAgain if is_looking_up => {
                (Lull::FilledAgain, llm.map(|llm| llm.filler_again.clone()))
            }
            Lull::FilledAgain => return self.fail(now),
        };
        answering.lull = lull;
        let _ = self.say(now, filler.into_iter().collect(), true, Purpose::Reply);
    }

    /// There will be no answer, or no more of it: the playbook answers, or offers what is left.
    pub(super) fn fail(&mut self, now: Instant) {
        let (State::Answering(answering) | State::LookingUp { answering, .. }) =
            &self.thinking.state
        else {
            return;
        };
        let since_then = answering.since_then;
        let (dialogue, reaction) = (*answering.playbook).clone();
        self.stop_thinking();
        let reaction = if since_then.has_message {
            self.dialogue.message_left()
        } else if since_then.has_answer {
            self.dialogue.listen()
        } else if reaction.understanding == Understanding::Missed {
            self.dialogue.give_way()
        } else {
            self.dialogue = dialogue;
            reaction
        };
        self.follow(now, reaction);
    }
}
