//! What happens by itself: prompts after silence, the longest duration, the end of a farewell.

use std::time::{Duration, Instant};

use super::engine::Engine;
use super::{Caller, Conversation, Phase};
use crate::converse::alphabet::{EndCause, Purpose};

/// The length warning waits this long at a time for the caller to finish.
const WARNING_DELAY: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    Silence,
    LengthWarning,
    LengthEnd,
    KeyPause,
    /// Keys that mean nothing have ended.
    WrongKeys,
    HangUp,
    /// The caller waits for the model and hears nothing.
    Lull,
    /// The owner's system is asked.
    LookUp,
    /// What was held while the caller spoke can be said.
    Held,
}

/// How far the caller's silence has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    Fresh,
    Prompted,
    PromptedTwice,
}

impl Conversation {
    /// From here on the call may last for as long as the owner lets it.
    pub(super) fn begin_length(&mut self, now: Instant) {
        let longest = self.settings.max_duration;
        let warning = self.settings.length_warning.min(longest / 4);
        self.timers.set(Timer::LengthWarning, now + (longest - warning));
        self.timers.set(Timer::LengthEnd, now + longest);
    }

    pub(super) fn expire(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match (self.phase, timer) {
                (Phase::Talking, Timer::Silence) => self.silent(now),
                (Phase::Talking, Timer::LengthWarning) => self.warn(now),
                (Phase::Talking | Phase::Leaving(_), Timer::LengthEnd) => self.end_of_time(now),
                (Phase::Transferring(..) | Phase::Recording(_), Timer::LengthEnd) => {
                    self.put_off_end(now);
                }
                (Phase::Offering { asked, until }, Timer::HangUp) => {
                    self.offer_caller(now, asked, until);
                }
                (Phase::Transferring(..), Timer::HangUp) => self.transfer_expired(now),
                (Phase::Recording(_), Timer::HangUp) => self.record_message(),
                (Phase::Talking, Timer::KeyPause) => self.take_keys(now),
                (Phase::Talking, Timer::WrongKeys) => self.explain_keys(now),
                (Phase::Talking, Timer::Lull) => self.lull(now),
                (Phase::Talking, Timer::Held) => {
                    self.go_on(now);
                    self.tell_held_news(now);
                }
                (Phase::Transferring(..), Timer::Held) => self.tell_held_news(now),
                (Phase::Talking, Timer::LookUp) => self.look_up_takes_long(now),
                (Phase::Leaving(cause), Timer::HangUp) => self.part(now, cause),
                (Phase::Waiting | Phase::Offering { .. } | Phase::Ended, _)
                | (Phase::Talking, Timer::HangUp)
                | (Phase::Leaving(_) | Phase::Recording(_), Timer::Held)
                | (
                    Phase::Leaving(_) | Phase::Transferring(..) | Phase::Recording(_),
                    Timer::Silence
                    | Timer::LengthWarning
                    | Timer::KeyPause
                    | Timer::WrongKeys
                    | Timer::Lull
                    | Timer::LookUp,
                ) => {}
            }
        }
    }

    fn silent(&mut self, now: Instant) {
        let prompts = &self.playbook.prompts().silence;
        let (prompt, next) = match self.patience {
            Patience::Fresh => (prompts.first.clone(), Patience::Prompted),
            Patience::Prompted => (prompts.second.clone(), Patience::PromptedTwice),
            Patience::PromptedTwice => {
                let _ = self.say(now, vec![prompts.end.clone()], true, Purpose::Farewell);
                self.leave(now, EndCause::Silence);
                return;
            }
        };
        self.patience = next;
        let before = match self.recognizer {
            Engine::Up => vec![prompt],
            Engine::Lost | Engine::Missing | Engine::Drowned => {
                let has_question = self.question_by_keys().is_some();
                let menu = || self.playbook.prompts().keypad.clone();
                if has_question { Vec::new() } else { vec![menu()] }
            }
        };
        self.ask_open(now, before, Purpose::SilencePrompt);
    }

    fn warn(&mut self, now: Instant) {
        if self.caller == Caller::Speaking {
            self.timers.set(Timer::LengthWarning, now + WARNING_DELAY);
            return;
        }
        let warning = vec![self.playbook.prompts().length.warning.clone()];
        let _ = self.say(now, warning, true, Purpose::LengthWarning);
    }

    fn end_of_time(&mut self, now: Instant) {
        if self.phase == Phase::Leaving(EndCause::MaxDuration) {
            return;
        }
        self.stop(self.voice.all());
        let end = vec![self.playbook.prompts().length.end.clone()];
        let _ = self.say(now, end, false, Purpose::Farewell);
        self.leave(now, EndCause::MaxDuration);
    }

    /// Counts silence while neither side speaks.
    pub(super) fn watch_silence(&mut self, now: Instant) {
        let quiet = self.phase == Phase::Talking
            && self.caller == Caller::Quiet
            && self.voice.is_silent()
            && !self.thinking.is_answering()
            && self.looking.is_none()
            && !self.timers.is_armed(Timer::KeyPause);
        if !quiet {
            self.timers.cancel(Timer::Silence);
        } else if !self.timers.is_armed(Timer::Silence) {
            let [first, second, end] = self.settings.silence;
            let wait = match self.patience {
                Patience::Fresh => first,
                Patience::Prompted => second.saturating_sub(first),
                Patience::PromptedTwice => end.saturating_sub(second),
            };
            self.timers.set(Timer::Silence, now + wait);
        }
    }
}
