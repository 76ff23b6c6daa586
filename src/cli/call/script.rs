//! The caller's side of a scripted conversation: when to speak, when to listen, when to hang up.
//! Pure.
//!
//! ```text
//!  Dialling ─▶ Listening ─▶ Judging ─▶ Pausing ─▶ Speaking ─▶ Listening ─▶ … ─▶ Leaving ─▶ HangingUp ─▶ Over
//! ```
//! After each act the reply is waited for: [`REPLY`] for it to begin, then until the far end is
//! silent. A reply that began before our act had ended counts, with a negative gap: we were cut
//! off, and unless it is as expected the reply to the rest of what we said is waited for. Where the far
//! end's words are known during the call they are judged then: a reply that is not as expected has the
//! turn made again, and the caller gives up after its last try. Without words nothing is judged here,
//! and turn follows turn.

mod follow;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::scenario::{Act, End, Scenario, When};
use super::talk::Mark;
use crate::base::TimerTable;

/// The greeting and each reply must begin within this time, where the scenario has no other.
const REPLY: Duration = Duration::from_secs(10);
/// Who was cut off has said the rest meanwhile: the reply to it must begin within this time.
const REST: Duration = Duration::from_secs(2);
/// After the last reply the far end may hang up first.
const FAREWELL: Duration = Duration::from_secs(5);
/// A far end that does not answer our BYE or CANCEL in this time is gone.
const GIVE_UP: Duration = Duration::from_secs(3);
/// The far end's words are there within this time, or the caller goes by what was known before.
const WORDS: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input<'a> {
    /// The INVITE is sent.
    Dialled,
    /// The ACK is sent.
    Connected,
    /// The far end talks; the mark is its first packet with speech.
    Began(Mark),
    /// The far end has stopped talking.
    Ended(Mark),
    /// The first packet with sound of what is performed has left.
    Audible,
    /// The last packet with speech of it has left.
    Spoken,
    /// Everything that the far end has said in this call.
    Words(&'a str),
    /// The call is over, by whomever.
    Closed,
    Timeout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Speak this, or press its keys; answer with `Audible` and `Spoken`.
    Perform(What),
    /// Answer with `Words`.
    Read,
    /// BYE or CANCEL; answer with `Closed`.
    HangUp,
    Timeout(Option<Instant>),
}

/// Something that the caller does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Turn(usize),
    Whenever(usize),
}

/// What became of one act, or of the greeting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Exchange {
    /// When we began.
    pub began: Option<Instant>,
    /// When our first packet with sound left.
    pub audible: Option<Instant>,
    /// When our last packet with speech left; for the greeting, the ACK.
    pub spoken: Option<Instant>,
    /// The far end's first and last packet with speech.
    pub reply_from: Option<Mark>,
    pub reply_to: Option<Mark>,
    /// We began into the far end's words, and this was the last of them.
    pub stopped: Option<Mark>,
}

impl Exchange {
    /// From our last packet with speech to the far end's first, in milliseconds.
    pub(super) fn gap_ms(&self) -> Option<i64> {
        let (spoken, reply) = (self.spoken?, self.reply_from?.arrived);
        let gap = match reply.checked_duration_since(spoken) {
            Some(gap) => i64::try_from(gap.as_millis()),
            None => i64::try_from((spoken - reply).as_millis()).map(|early| -early),
        };
        gap.ok()
    }

    /// From our first sound to the last of the far end's words that we spoke into.
    pub(super) fn stopped_after(&self) -> Option<Duration> {
        Some(self.stopped?.arrived.saturating_duration_since(self.audible?))
    }
}

/// Something that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Performed {
    pub what: What,
    pub exchange: Exchange,
    /// Bytes of the far end's words before it.
    pub words_from: usize,
}

/// How the script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every turn was made.
    Complete,
    /// A reply was not as expected, after every try.
    GaveUp,
    /// The far end ended the call before that, or never took it.
    BrokenOff,
    /// The longest time was over.
    TooLong,
}

/// Why the far end's words are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// The far end is silent.
    Silence,
    /// It is time to speak into its words.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Dialling,
    Listening {
        hears: bool,
    },
    /// The far end's words are on their way.
    Judging(Reading),
    Pausing {
        next: What,
    },
    /// `over` is what the far end has begun to say meanwhile.
    Speaking {
        over: Option<Mark>,
    },
    /// Every turn is made; the far end may hang up.
    Leaving,
    HangingUp(Verdict),
    Over(Verdict),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    Step,
    /// The last turn's own time to hang up.
    HangUp,
    Limit,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Script<'a> {
    scenario: &'a Scenario,
    /// The far end's words can be read during the call.
    has_words: bool,
    limit: Duration,
    state: State,
    timers: TimerTable<Timer>,
    out: VecDeque<Output>,
    greeting: Exchange,
    acts: Vec<Performed>,
    /// The turn that was made last; what is done whenever something is heard belongs to it.
    turn: Option<usize>,
    /// Bytes of the far end's words before the turn's first try.
    turn_words_from: usize,
    tries: u32,
    /// How often each reflex may still come.
    reflexes: Vec<u32>,
    words: String,
    /// Since when the far end talks.
    talking: Option<Mark>,
    /// The reply to what was done last must have begun by then.
    reply_by: Option<Instant>,
    /// The reply that was heard last began before our act had ended.
    was_cut_off: bool,
    /// Since when nobody speaks.
    quiet_since: Option<Instant>,
    longest_quiet: Duration,
}

impl<'a> Script<'a> {
    /// The call lasts `limit` at most.
    pub(super) fn new(scenario: &'a Scenario, has_words: bool, limit: Duration) -> Self {
        Self {
            scenario,
            has_words,
            limit,
            state: State::Dialling,
            timers: TimerTable::default(),
            out: VecDeque::new(),
            greeting: Exchange::default(),
            acts: Vec::new(),
            turn: None,
            turn_words_from: 0,
            tries: 0,
            reflexes: scenario.whenever.iter().map(|reflex| reflex.times).collect(),
            words: String::new(),
            talking: None,
            reply_by: None,
            was_cut_off: false,
            quiet_since: None,
            longest_quiet: Duration::ZERO,
        }
    }

    pub(super) fn greeting(&self) -> &Exchange {
        &self.greeting
    }

    pub(super) fn acts(&self) -> &[Performed] {
        &self.acts
    }

    pub(super) fn longest_quiet(&self) -> Duration {
        self.longest_quiet
    }

    fn reply(&self) -> Duration {
        self.scenario.patience.unwrap_or(REPLY)
    }

    /// Once the call is over.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        match self.state {
            State::Over(verdict) => Some(verdict),
            _ => None,
        }
    }

    /// One input; drain [`Self::poll_output`] afterwards.
    pub(super) fn handle(&mut self, now: Instant, input: Input<'_>) {
        match (self.state, input) {
            (State::Over(_), _) => (),
            (_, Input::Timeout) => self.timeout(now),
            (_, Input::Closed) => self.closed(now),
            (State::Dialling, Input::Dialled) => self.timers.set(Timer::Limit, now + self.limit),
            (State::Dialling, Input::Connected) => {
                self.greeting.spoken = Some(now);
                self.quiet_since = Some(now);
                self.listen(now, self.reply());
            }
            (_, Input::Began(mark)) => self.began(now, mark),
            (_, Input::Ended(mark)) => self.ended(now, mark),
            (State::Speaking { .. }, Input::Audible) => self.exchange().audible = Some(now),
            (State::Speaking { over }, Input::Spoken) => self.spoken(now, over),
            (State::Judging(reading), Input::Words(words)) => {
                words.clone_into(&mut self.words);
                self.judge(now, reading);
            }
            // Out of place: the call has gone on meanwhile.
            (
                State::Dialling
                | State::Listening { .. }
                | State::Judging(_)
                | State::Pausing { .. }
                | State::Speaking { .. }
                | State::Leaving
                | State::HangingUp(_),
                _,
            ) => (),
        }
    }

    /// Drain until `Timeout`.
    pub(super) fn poll_output(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match (timer, self.state) {
                (Timer::Limit, _) => self.hang_up(now, Verdict::TooLong),
                (Timer::HangUp, _) => self.hang_up(now, Verdict::Complete),
                (Timer::Step, State::Listening { hears: true }) => self.read(now, Reading::Over),
                (Timer::Step, State::Listening { hears: false }) => self.reply_over(now),
                (Timer::Step, State::Judging(reading)) => self.judge(now, reading),
                (Timer::Step, State::Pausing { next }) => self.perform(now, next),
                (Timer::Step, State::Leaving) => self.hang_up(now, Verdict::Complete),
                (Timer::Step, State::HangingUp(verdict)) => self.close(verdict),
                (Timer::Step, _) => (),
            }
        }
    }

    fn perform(&mut self, now: Instant, what: What) {
        let words_from = self.words.len();
        self.acts.push(Performed { what, exchange: Exchange::default(), words_from });
        self.exchange().began = Some(now);
        self.was_cut_off = false;
        let scenario = self.scenario;
        let act = match what {
            What::Turn(turn) => {
                if self.turn != Some(turn) {
                    (self.turn, self.tries, self.turn_words_from) = (Some(turn), 0, words_from);
                }
                self.tries += 1;
                let turn = scenario.turns.get(turn);
                if let Some(after) = turn.and_then(|turn| turn.hang_up_after) {
                    self.timers.set(Timer::HangUp, now + after);
                }
                turn.map(|turn| &turn.act)
            }
            What::Whenever(reflex) => scenario.whenever.get(reflex).map(|reflex| &reflex.act),
        };
        if let Some(Act::Wait(patience)) = act {
            self.exchange().spoken = Some(now);
            return self.listen(now, *patience);
        }
        self.quiet_until(now);
        self.state = State::Speaking { over: None };
        self.out.push_back(Output::Perform(what));
    }

    fn spoken(&mut self, now: Instant, over: Option<Mark>) {
        let exchange = self.exchange();
        exchange.spoken = Some(now);
        exchange.reply_from = over;
        if self.talking.is_none() {
            self.quiet_since = Some(now);
        }
        match over {
            Some(_) => self.hear(),
            None => self.listen(now, self.reply()),
        }
    }

    fn hang_up(&mut self, now: Instant, verdict: Verdict) {
        if !matches!(self.state, State::HangingUp(_) | State::Over(_)) {
            self.quiet_until(now);
            self.state = State::HangingUp(verdict);
            self.timers.clear();
            self.timers.set(Timer::Step, now + GIVE_UP);
            self.out.push_back(Output::HangUp);
        }
    }

    fn closed(&mut self, now: Instant) {
        self.quiet_until(now);
        match self.state {
            State::HangingUp(verdict) => self.close(verdict),
            State::Leaving => self.close(Verdict::Complete),
            State::Listening { .. } | State::Judging(_) | State::Pausing { .. }
                if self.is_last() =>
            {
                self.close(Verdict::Complete);
            }
            _ => self.close(Verdict::BrokenOff),
        }
    }

    fn close(&mut self, verdict: Verdict) {
        self.state = State::Over(verdict);
        self.timers.clear();
    }

    /// Nobody spoke until then.
    fn quiet_until(&mut self, then: Instant) {
        if let Some(since) = self.quiet_since.take() {
            self.longest_quiet = self.longest_quiet.max(then.saturating_duration_since(since));
        }
    }

    /// No turn is left.
    fn is_last(&self) -> bool {
        self.next_turn() == self.scenario.turns.len()
    }

    fn next_turn(&self) -> usize {
        self.turn.map_or(0, |turn| turn + 1)
    }

    /// Of what was done last, or of the greeting.
    fn exchange(&mut self) -> &mut Exchange {
        self.acts.last_mut().map_or(&mut self.greeting, |act| &mut act.exchange)
    }
}
