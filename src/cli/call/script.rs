//! The caller's side of a scripted conversation: when to speak, when to listen, when to hang up.
//! Pure.
//!
//! ```text
//!  Dialling ─▶ Listening(greeting) ─▶ Pausing ─▶ Speaking(turn) ─▶ Listening(turn) ─▶ … ─▶ Leaving ─▶ HangingUp ─▶ Over
//! ```
//! After each turn the reply is waited for: [`REPLY`] for it to begin, then until the far end is
//! silent. A reply that began before our turn had ended counts, with a negative gap: we were cut
//! off.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::talk::Mark;
use crate::base::TimerTable;

/// The greeting and each reply must begin within this time.
const REPLY: Duration = Duration::from_secs(10);
/// After the last reply the far end may hang up first.
const FAREWELL: Duration = Duration::from_secs(5);
/// A far end that does not answer our BYE or CANCEL in this time is gone.
const GIVE_UP: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The INVITE is sent.
    Dialled,
    /// The ACK is sent.
    Connected,
    /// The far end talks; the mark is its first packet with speech.
    Began(Mark),
    /// The far end has stopped talking.
    Ended(Mark),
    /// The last packet with speech of the turn that is being spoken has left.
    Spoken,
    /// The call is over, by whomever.
    Closed,
    Timeout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Speak this turn, or press its keys; answer with `Spoken`.
    Perform(usize),
    /// BYE or CANCEL; answer with `Closed`.
    HangUp,
    Timeout(Option<Instant>),
}

/// What became of one turn, or of the greeting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Exchange {
    /// When we began to speak.
    pub began: Option<Instant>,
    /// When our last packet with speech left; for the greeting, the ACK.
    pub spoken: Option<Instant>,
    /// The far end's first and last packet with speech.
    pub reply_from: Option<Mark>,
    pub reply_to: Option<Mark>,
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
}

/// How the script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every turn was spoken.
    Complete,
    /// The far end ended the call before that, or never took it.
    BrokenOff,
    /// `--max-seconds` were over.
    TooLong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Dialling,
    /// `None` is the greeting.
    Listening {
        to: Option<usize>,
        hears: bool,
    },
    Pausing {
        next: usize,
    },
    /// `over` is what the far end says meanwhile.
    Speaking {
        turn: usize,
        over: Option<Mark>,
    },
    /// Every turn is spoken; the far end may hang up.
    Leaving,
    HangingUp(Verdict),
    Over(Verdict),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    Step,
    Limit,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Script {
    /// How long to wait before each turn, once the far end is silent.
    pauses: Vec<Duration>,
    limit: Duration,
    state: State,
    timers: TimerTable<Timer>,
    out: VecDeque<Output>,
    greeting: Exchange,
    turns: Vec<Exchange>,
}

impl Script {
    /// One turn for each of `pauses`; the call lasts `limit` at most.
    pub(super) fn new(pauses: Vec<Duration>, limit: Duration) -> Self {
        let turns = vec![Exchange::default(); pauses.len()];
        Self {
            pauses,
            limit,
            state: State::Dialling,
            timers: TimerTable::default(),
            out: VecDeque::new(),
            greeting: Exchange::default(),
            turns,
        }
    }

    pub(super) fn greeting(&self) -> &Exchange {
        &self.greeting
    }

    pub(super) fn turns(&self) -> &[Exchange] {
        &self.turns
    }

    /// Once the call is over.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        match self.state {
            State::Over(verdict) => Some(verdict),
            _ => None,
        }
    }

    /// One input; drain [`Self::poll_output`] afterwards.
    pub(super) fn handle(&mut self, now: Instant, input: Input) {
        match (self.state, input) {
            (State::Over(_), _) => (),
            (_, Input::Timeout) => self.timeout(now),
            (State::HangingUp(verdict), Input::Closed) => self.close(verdict),
            (State::Leaving, Input::Closed) => self.close(Verdict::Complete),
            (State::Listening { to, .. }, Input::Closed) => {
                let is_last = to.map_or(0, |turn| turn + 1) == self.turns.len();
                self.close(if is_last { Verdict::Complete } else { Verdict::BrokenOff });
            }
            (_, Input::Closed) => self.close(Verdict::BrokenOff),
            (State::Dialling, Input::Dialled) => self.timers.set(Timer::Limit, now + self.limit),
            (State::Dialling, Input::Connected) => {
                self.greeting.spoken = Some(now);
                self.listen(now, None);
            }
            (State::Listening { to, hears: false }, Input::Began(mark)) => {
                self.exchange(to).reply_from = Some(mark);
                self.hear(to);
            }
            (State::Listening { to, hears: true }, Input::Ended(mark)) => {
                self.exchange(to).reply_to = Some(mark);
                self.go_on(now, to);
            }
            (State::Speaking { turn, .. }, Input::Began(mark)) => {
                self.state = State::Speaking { turn, over: Some(mark) };
            }
            (State::Speaking { turn, .. }, Input::Ended(_)) => {
                self.state = State::Speaking { turn, over: None };
            }
            (State::Speaking { turn, over }, Input::Spoken) => self.spoken(now, turn, over),
            // Out of place: what the far end says while we wait or leave asks for nothing.
            (
                State::Dialling
                | State::Listening { .. }
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
                (Timer::Step, State::Listening { to, .. }) => self.go_on(now, to),
                (Timer::Step, State::Pausing { next }) => self.speak(now, next),
                (Timer::Step, State::Leaving) => self.hang_up(now, Verdict::Complete),
                (Timer::Step, State::HangingUp(verdict)) => self.close(verdict),
                (Timer::Step, _) => (),
            }
        }
    }

    fn listen(&mut self, now: Instant, to: Option<usize>) {
        self.state = State::Listening { to, hears: false };
        self.timers.set(Timer::Step, now + REPLY);
    }

    fn hear(&mut self, to: Option<usize>) {
        self.state = State::Listening { to, hears: true };
        self.timers.cancel(Timer::Step);
    }

    /// The reply is over, or did not come.
    fn go_on(&mut self, now: Instant, after: Option<usize>) {
        let next = after.map_or(0, |turn| turn + 1);
        match self.pauses.get(next) {
            Some(pause) => {
                self.state = State::Pausing { next };
                self.timers.set(Timer::Step, now + *pause);
                self.timeout(now);
            }
            None => {
                self.state = State::Leaving;
                self.timers.set(Timer::Step, now + FAREWELL);
            }
        }
    }

    fn speak(&mut self, now: Instant, turn: usize) {
        self.exchange(Some(turn)).began = Some(now);
        self.state = State::Speaking { turn, over: None };
        self.out.push_back(Output::Perform(turn));
    }

    fn spoken(&mut self, now: Instant, turn: usize, over: Option<Mark>) {
        let exchange = self.exchange(Some(turn));
        exchange.spoken = Some(now);
        exchange.reply_from = over;
        match over {
            Some(_) => self.hear(Some(turn)),
            None => self.listen(now, Some(turn)),
        }
    }

    fn hang_up(&mut self, now: Instant, verdict: Verdict) {
        if !matches!(self.state, State::HangingUp(_) | State::Over(_)) {
            self.state = State::HangingUp(verdict);
            self.timers.clear();
            self.timers.set(Timer::Step, now + GIVE_UP);
            self.out.push_back(Output::HangUp);
        }
    }

    fn close(&mut self, verdict: Verdict) {
        self.state = State::Over(verdict);
        self.timers.clear();
    }

    fn exchange(&mut self, of: Option<usize>) -> &mut Exchange {
        of.and_then(|turn| self.turns.get_mut(turn)).unwrap_or(&mut self.greeting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    struct Call {
        start: Instant,
        script: Script,
        said: Vec<(u64, Output)>,
    }

    impl Call {
        fn new(pauses_ms: &[u64]) -> Self {
            let pauses = pauses_ms.iter().map(|ms| Duration::from_millis(*ms)).collect();
            let script = Script::new(pauses, Duration::from_secs(120));
            let mut call = Self { start: Instant::now(), script, said: Vec::new() };
            call.at(0, Input::Dialled);
            call
        }

        fn instant(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn mark(&self, ms: u64) -> Mark {
            Mark { number: 0, arrived: self.instant(ms) }
        }

        /// Lets every deadline before `ms` pass, then gives the input.
        fn at(&mut self, ms: u64, input: Input) {
            while let Some(due) = self.script.timers.next().filter(|due| *due <= self.instant(ms)) {
                self.script.handle(due, Input::Timeout);
                self.drain(due);
            }
            let now = self.instant(ms);
            self.script.handle(now, input);
            self.drain(now);
        }

        fn drain(&mut self, now: Instant) {
            let ms = u64::try_from((now - self.start).as_millis()).unwrap();
            loop {
                match self.script.poll_output() {
                    Output::Timeout(_) => return,
                    output => self.said.push((ms, output)),
                }
            }
        }

        fn began(&mut self, ms: u64) {
            self.at(ms, Input::Began(self.mark(ms)));
        }

        fn ended(&mut self, ms: u64) {
            self.at(ms, Input::Ended(self.mark(ms - 700)));
        }
    }

    #[test]
    fn each_turn_waits_for_the_reply_to_the_one_before() {
        let mut call = Call::new(&[0, 300]);
        call.at(10, Input::Connected);
        call.began(50);
        call.ended(2_700);
        call.at(4_000, Input::Spoken);
        call.began(4_240);
        call.ended(6_000);
        call.at(7_000, Input::Spoken);
        call.began(7_100);
        call.at(9_000, Input::Closed);
        assert_eq!(call.said, [(2_700, Output::Perform(0)), (6_300, Output::Perform(1))]);
        assert_eq!(call.script.greeting().gap_ms(), Some(40));
        let gaps: Vec<_> = call.script.turns().iter().map(Exchange::gap_ms).collect();
        assert_eq!(gaps, [Some(240), Some(100)]);
        assert_eq!(call.script.verdict(), Some(Verdict::Complete));
    }

    #[test]
    fn without_greeting_or_reply_the_call_goes_on_after_ten_seconds() {
        let mut call = Call::new(&[0, 0]);
        call.at(0, Input::Connected);
        call.at(11_000, Input::Spoken);
        call.at(25_000, Input::Spoken);
        call.at(40_100, Input::Closed);
        let said =
            [(10_000, Output::Perform(0)), (21_000, Output::Perform(1)), (40_000, Output::HangUp)];
        assert_eq!(call.said, said);
        assert_eq!(call.script.turns()[0].gap_ms(), None);
        assert_eq!(call.script.verdict(), Some(Verdict::Complete));
    }

    #[test]
    fn a_reply_before_our_end_is_a_negative_gap_and_one_that_stops_again_is_none() {
        let mut call = Call::new(&[0, 0]);
        call.at(0, Input::Connected);
        call.began(0);
        call.ended(1_000);
        call.began(1_800);
        call.at(2_000, Input::Spoken);
        call.ended(3_000);
        call.began(3_100);
        call.ended(4_000);
        call.at(5_000, Input::Spoken);
        call.began(5_300);
        let gaps: Vec<_> = call.script.turns().iter().map(Exchange::gap_ms).collect();
        assert_eq!(gaps, [Some(-200), Some(300)]);
    }

    #[test]
    fn a_far_end_that_leaves_early_breaks_the_call_off() {
        let mut call = Call::new(&[0, 0]);
        call.at(0, Input::Connected);
        call.began(10);
        call.ended(1_000);
        call.at(2_000, Input::Spoken);
        call.at(2_100, Input::Closed);
        assert_eq!(call.script.verdict(), Some(Verdict::BrokenOff));
        let mut refused = Call::new(&[]);
        refused.at(5, Input::Closed);
        assert_eq!(refused.script.verdict(), Some(Verdict::BrokenOff));
    }

    #[test]
    fn a_call_has_its_longest_time_however_busy() {
        let mut call = Call::new(&[0]);
        call.at(0, Input::Connected);
        call.began(10);
        call.at(122_000, Input::Timeout);
        assert_eq!(call.script.verdict(), None);
        // Its answer to our BYE never comes.
        call.at(123_000, Input::Timeout);
        assert_eq!(call.said, [(120_000, Output::HangUp)]);
        assert_eq!(call.script.verdict(), Some(Verdict::TooLong));
    }

    #[test]
    fn a_call_without_turns_hears_the_greeting_and_leaves() {
        let mut call = Call::new(&[]);
        call.at(0, Input::Connected);
        call.began(30);
        call.ended(2_000);
        call.at(7_000, Input::Timeout);
        assert_eq!(call.said, [(7_000, Output::HangUp)]);
        call.at(7_001 + u64::from(MS.subsec_millis()), Input::Closed);
        assert_eq!(call.script.verdict(), Some(Verdict::Complete));
    }
}
