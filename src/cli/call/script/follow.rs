//! What the far end does and says, and what the caller does about it.

use std::time::{Duration, Instant};

use super::{
    End, FAREWELL, Output, REST, Reading, Script, State, Timer, Verdict, WORDS, What, When,
};
use crate::cli::call::scenario::Turn;
use crate::cli::call::talk::Mark;

impl Script<'_> {
    pub(super) fn listen(&mut self, now: Instant, patience: Duration) {
        self.state = State::Listening { hears: false };
        self.reply_by = Some(now + patience);
        self.timers.set(Timer::Step, now + patience);
    }

    pub(super) fn hear(&mut self) {
        self.state = State::Listening { hears: true };
        self.timers.cancel(Timer::Step);
    }

    pub(super) fn began(&mut self, now: Instant, mark: Mark) {
        self.talking = Some(mark);
        self.quiet_until(mark.arrived);
        match self.state {
            State::Listening { hears: false } => {
                self.exchange().reply_from.get_or_insert(mark);
                self.hear();
                if let Some(Turn { when: When::Over(after), .. }) = self.upcoming() {
                    self.timers.set(Timer::Step, mark.arrived + *after);
                    self.timeout(now);
                }
            }
            State::Speaking { .. } => self.state = State::Speaking { over: Some(mark) },
            // They have something to add: hear it out, and pause anew.
            State::Pausing { .. } => self.hear(),
            _ => (),
        }
    }

    pub(super) fn ended(&mut self, now: Instant, mark: Mark) {
        let from = self.talking.take().map(|from| from.arrived);
        let is_before =
            |then: Option<Instant>| from.zip(then).is_some_and(|(from, then)| from < then);
        // What we hear of a stretch that began before we did is no reply.
        let is_older = is_before(self.exchange().began);
        let is_to_part = !is_older && is_before(self.exchange().spoken);
        if is_older {
            self.exchange().stopped.get_or_insert(mark);
        }
        if !matches!(self.state, State::Speaking { .. } | State::Leaving) {
            let ours = self.exchange().spoken.unwrap_or(mark.arrived);
            self.quiet_since = Some(mark.arrived.max(ours));
        }
        match self.state {
            State::Listening { hears: true } => {
                self.exchange().reply_to = Some(mark);
                // Who has begun to answer may go on as late as who has not.
                self.reply_by = Some(now + if is_to_part { REST } else { self.reply() });
                self.was_cut_off = is_to_part;
                self.reply_over(now);
            }
            State::Judging(_) => self.exchange().reply_to = Some(mark),
            // Their answer may have come so soon that it was one stretch with what we spoke into.
            State::Listening { hears: false } if is_older && self.has_words => {
                self.read(now, Reading::Silence);
            }
            State::Speaking { .. } => self.state = State::Speaking { over: None },
            _ => (),
        }
    }

    /// The reply is over, or did not come.
    pub(super) fn reply_over(&mut self, now: Instant) {
        if self.has_words {
            return self.read(now, Reading::Silence);
        }
        self.go_on(now);
    }

    pub(super) fn read(&mut self, now: Instant, reading: Reading) {
        if !self.has_words {
            return self.go_on(now);
        }
        self.state = State::Judging(reading);
        self.timers.set(Timer::Step, now + WORDS);
        self.out.push_back(Output::Read);
    }

    /// The words are there, or will not come.
    pub(super) fn judge(&mut self, now: Instant, reading: Reading) {
        self.timers.cancel(Timer::Step);
        if reading == Reading::Over {
            return match (self.is_as_expected(), self.talking) {
                (true, _) => self.perform(now, What::Turn(self.next_turn())),
                // Let them finish, then judge.
                (false, Some(_)) => self.hear(),
                (false, None) => self.judge(now, Reading::Silence),
            };
        }
        // They have something to add: hear it out.
        if self.talking.is_some() && !self.is_as_expected() {
            return self.hear();
        }
        let is_early = self.reply_by.is_some_and(|by| now < by);
        if self.was_cut_off && is_early && !self.is_as_expected() {
            return self.listen_on(now);
        }
        if let Some(reflex) = self.reflex() {
            if let Some(left) = self.reflexes.get_mut(reflex) {
                *left -= 1;
            }
            let pause = self.scenario.whenever.get(reflex).map_or(Duration::ZERO, |r| r.pause);
            return self.pause(now, What::Whenever(reflex), pause);
        }
        if self.is_as_expected() {
            return match self.upcoming().map(|turn| &turn.when) {
                Some(When::Heard(pattern)) if !pattern.is_match(self.reply_to_turn()) => {
                    self.listen_on(now);
                }
                _ => self.go_on(now),
            };
        }
        let has_reply = self.exchange().reply_from.is_some();
        if !has_reply && is_early {
            return self.listen_on(now);
        }
        match self.turn {
            Some(turn) if self.tries < self.scenario.turns.get(turn).map_or(1, |t| t.tries) => {
                self.pause(now, What::Turn(turn), Duration::ZERO);
            }
            _ => self.hang_up(now, Verdict::GaveUp),
        }
    }

    /// More may come until the reply is late; then the caller gives up.
    fn listen_on(&mut self, now: Instant) {
        match self.reply_by.filter(|by| now < *by) {
            Some(by) => {
                self.state = State::Listening { hears: false };
                self.timers.set(Timer::Step, by);
            }
            None => self.hang_up(now, Verdict::GaveUp),
        }
    }

    fn go_on(&mut self, now: Instant) {
        match self.upcoming().map(|turn| &turn.when) {
            Some(When::Silence(pause)) => {
                let pause = *pause;
                self.pause(now, What::Turn(self.next_turn()), pause);
            }
            Some(When::Over(_) | When::Heard(_)) => {
                self.pause(now, What::Turn(self.next_turn()), Duration::ZERO);
            }
            None if self.scenario.wanted.end == Some(End::Caller) => {
                self.hang_up(now, Verdict::Complete);
            }
            None => {
                // It is the far end's turn to end the call; this silence is ours.
                self.quiet_since = None;
                self.state = State::Leaving;
                self.timers.set(Timer::Step, now + FAREWELL);
            }
        }
    }

    fn pause(&mut self, now: Instant, next: What, pause: Duration) {
        self.state = State::Pausing { next };
        self.timers.set(Timer::Step, now + pause);
        self.timeout(now);
    }

    fn upcoming(&self) -> Option<&Turn> {
        self.scenario.turns.get(self.next_turn())
    }

    fn reply_to_turn(&self) -> &str {
        self.words.get(self.turn_words_from..).unwrap_or_default()
    }

    fn is_as_expected(&self) -> bool {
        let expected = match self.turn {
            None => &self.scenario.greeting,
            Some(turn) => match self.scenario.turns.get(turn) {
                Some(turn) => &turn.expect,
                None => return true,
            },
        };
        expected.iter().all(|pattern| pattern.is_match(self.reply_to_turn()))
    }

    /// The first reflex that the newest words call for.
    fn reflex(&self) -> Option<usize> {
        let from = self.acts.last().map_or(0, |act| act.words_from);
        let newest = self.words.get(from..).unwrap_or_default();
        let mut reflexes = self.scenario.whenever.iter().zip(&self.reflexes);
        reflexes.position(|(reflex, left)| {
            *left > 0
                && reflex.hears.is_match(newest)
                && !reflex.unless.iter().any(|pattern| pattern.is_match(newest))
        })
    }
}
