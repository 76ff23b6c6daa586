//! The end of a conversation: the farewell, last words into it, and hanging up.

use std::time::{Duration, Instant};

use super::beginning::Beginning;
use super::{Caller, Conversation, Phase, Timer};
use crate::converse::alphabet::{EndCause, Output, Purpose, Speech};
use crate::converse::dialogue::{Reaction, Understanding};

/// A part of a farewell whose end is not reported within this time is taken as played: no call hangs
/// on it.
pub(super) const FAREWELL_GUARD: Duration = Duration::from_secs(20);
/// After an interrupted farewell the caller gets this long to say why.
pub(super) const SECOND_THOUGHT: Duration = Duration::from_secs(4);
/// A caller who speaks at the end of a farewell is waited for so long in all, and so long at a time.
const LAST_WORDS: Duration = Duration::from_secs(15);
const LAST_WORDS_DELAY: Duration = Duration::from_secs(1);

impl Conversation {
    /// What a caller who speaks into the farewell gets: an answer, if there is something to answer.
    /// It is believed no more than elsewhere, or a noise at the end would be acted upon.
    pub(super) fn second_thought(&self, cause: EndCause, speech: &Speech) -> Option<Reaction> {
        // A machine goes on talking, and is not answered.
        if matches!(self.beginning, Beginning::Message(_)) {
            return None;
        }
        let reaction = self.dialogue.clone().hear(speech);
        let wish = match reaction.understanding {
            Understanding::Intent { id, .. } => !self.playbook.intent(id).weak,
            Understanding::Answer | Understanding::Missed => false,
        };
        let resumes = match cause {
            EndCause::Goodbye => wish,
            EndCause::Silence => true,
            EndCause::MaxDuration | EndCause::NotUnderstood | EndCause::Closing => false,
        };
        (resumes && reaction.hang_up.is_none()).then_some(reaction)
    }

    pub(super) fn leave(&mut self, now: Instant, cause: EndCause) {
        self.stop_thinking();
        self.phase = Phase::Leaving(cause);
        self.forget_keys();
        self.timers.set(Timer::HangUp, now + FAREWELL_GUARD);
    }

    /// The line closes: who is told so is not waited for. A farewell that is being said is enough.
    pub(super) fn close_down(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Leaving(_)) {
            return;
        }
        self.stop(self.voice.all());
        let closing = vec![self.playbook.prompts().closing.clone()];
        let _ = self.say(now, closing, false, Purpose::Farewell);
        self.leave(now, EndCause::Closing);
    }

    /// The caller has something more to say.
    pub(super) fn stay(&mut self) {
        self.phase = Phase::Talking;
        self.last_words_until = None;
        self.timers.cancel(Timer::HangUp);
    }

    /// The farewell is over. A caller who speaks at this moment is waited for, unless time is over.
    pub(super) fn part(&mut self, now: Instant, cause: EndCause) {
        let until = *self.last_words_until.get_or_insert(now + LAST_WORDS);
        let is_late = matches!(cause, EndCause::MaxDuration | EndCause::Closing) || now >= until;
        if self.caller == Caller::Quiet || is_late {
            return self.hang_up(cause);
        }
        self.timers.set(Timer::HangUp, now + LAST_WORDS_DELAY);
    }

    pub(super) fn hang_up(&mut self, cause: EndCause) {
        self.stop_thinking();
        self.phase = Phase::Ended;
        self.timers.clear();
        self.outputs.push_back(Output::HangUp(cause));
    }
}
