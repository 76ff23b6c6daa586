//! Keys that the caller presses: digits where digits are awaited, yes and no, and the menu.

use std::time::{Duration, Instant};

use super::{Conversation, Patience, Timer};
use crate::base::Private;
use crate::converse::alphabet::{Expectation, Purpose, Speech};
use crate::converse::matching::grammar::Answers;

/// Most digits keyed in before they are taken.
const KEYS: usize = 40;
/// Keys of a run follow one another within this time; nobody corrects a wrong key so soon.
const RUN: Duration = Duration::from_millis(700);

impl Conversation {
    pub(super) fn digit(&mut self, now: Instant, digit: char) {
        let digit = digit.to_ascii_uppercase();
        if !matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D') {
            return;
        }
        self.patience = Patience::Fresh;
        self.spoke_until = None;
        if self.is_rest_of_keys(now, digit) {
            return;
        }
        self.keyed_at = Some(now);
        self.stop(self.voice.interruptible());
        match (self.expectation(), digit) {
            (Expectation::Digits { .. }, '*') => self.forget_keys(),
            (Expectation::Digits { .. }, '#') => self.submit_keys(now),
            (Expectation::Digits { max, .. }, '0'..='9') => {
                let mut keys = self.keys.reveal().clone();
                keys.push(digit);
                let full = keys.len() >= max.min(KEYS);
                self.keys = Private::new(keys);
                self.timers.set(Timer::KeyPause, now + self.settings.key_pause);
                if full {
                    self.take_keys(now);
                }
            }
            (Expectation::YesNo, '1') => self.key_answer(now, |answers| answers.spoken_yes),
            (Expectation::YesNo, '2') => self.key_answer(now, |answers| answers.spoken_no),
            (Expectation::Anything | Expectation::YesNo | Expectation::Text, key) => {
                self.menu_key(now, key);
            }
            (Expectation::Digits { .. }, _) => {}
        }
    }

    fn key_answer(&mut self, now: Instant, answer: fn(&Answers) -> &'static str) {
        let answer = answer(&self.playbook.lexicon().grammar().answers);
        let speech = Speech::certain(answer);
        if self.think(now, &speech) {
            return;
        }
        if self.ask_unheard(now, &speech) {
            return;
        }
        let reaction = self.dialogue.hear(&speech);
        self.react(now, reaction);
    }

    /// A key of the menu. One that means nothing may be the first of many, as in `*#06#`: they get
    /// one answer, and none of them is a wish.
    fn menu_key(&mut self, now: Instant, key: char) {
        let is_in_run = self.timers.is_armed(Timer::WrongKeys);
        match self.playbook.by_key(key).filter(|_| !is_in_run) {
            Some(intent) => {
                let reaction = self.dialogue.choose(intent);
                self.react(now, reaction);
            }
            None => self.timers.set(Timer::WrongKeys, now + RUN),
        }
    }

    /// The keys that mean nothing have ended.
    pub(super) fn explain_keys(&mut self, now: Instant) {
        // The keys of the menu are no answer to a question.
        let parts = self.question_or_menu();
        self.stop(self.voice.interruptible());
        self.say_question(now, parts, Purpose::Reprompt);
    }

    /// The keys so far, without a `#`: it and what else comes late belongs to them.
    pub(super) fn take_keys(&mut self, now: Instant) {
        self.keys_taken_at = Some(now);
        self.submit_keys(now);
    }

    fn is_rest_of_keys(&mut self, now: Instant, digit: char) -> bool {
        let within = if digit == '#' { self.settings.key_pause } else { RUN };
        let is_rest = self.keys_taken_at.is_some_and(|at| now <= at + within);
        self.keys_taken_at = (is_rest && digit != '#').then_some(now);
        is_rest
    }

    /// Keys have been pressed since the caller's last words, and more will come.
    pub(super) fn is_keying(&self) -> bool {
        let is_newer = |at| self.spoke_until.is_none_or(|until| until <= at);
        !self.keys.reveal().is_empty() && self.keyed_at.is_some_and(is_newer)
    }

    pub(super) fn submit_keys(&mut self, now: Instant) {
        let keys = std::mem::take(&mut self.keys).into_revealed();
        self.timers.cancel(Timer::KeyPause);
        if keys.is_empty() {
            return;
        }
        self.caller_turn(now, &keys);
        let reaction = self.dialogue.keyed(&keys);
        self.react(now, reaction);
    }

    pub(super) fn forget_keys(&mut self) {
        self.keys = Private::new(String::new());
        self.timers.cancel(Timer::KeyPause);
        self.timers.cancel(Timer::WrongKeys);
    }
}
