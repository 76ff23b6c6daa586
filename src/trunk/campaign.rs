//! Campaigns: many numbers that are called one after the other; which step is next, and what follows from a call.
//!
//! ```text
//!  waiting ─ Scheduler::step ─▶ calling ─ the call ends ─ Rules::after ─▶ waiting, later ─ or it is over
//!                                  └─ the dialler refuses ─ Scheduler::refused ─▶ waiting, or refused
//! ```
//!
//! Decides only, and knows no number: the call is made by the dialler, with its own rules; what waits is `store`'s.

use std::time::{Duration, Instant};

/// Where one number of a campaign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Calling,
    /// A person has taken the call.
    Reached,
    /// A machine has taken it.
    Machine,
    Busy,
    NoAnswer,
    /// It may not be called, or the other end wants no call.
    Refused,
    Failed,
    /// The owner, or whoever has the number, wants no call any more.
    Withdrawn,
}

impl State {
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Calling,
        Self::Reached,
        Self::Machine,
        Self::Busy,
        Self::NoAnswer,
        Self::Refused,
        Self::Failed,
        Self::Withdrawn,
    ];

    /// One word for database and API, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Calling => "calling",
            Self::Reached => "reached",
            Self::Machine => "machine",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What one call of a number came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Reached,
    /// A machine has taken it, and has a message.
    MessageLeft,
    /// A machine has taken it, and was told nothing.
    Machine,
    Busy,
    NoAnswer,
    /// The other end wants no call.
    Refused,
    /// Nobody was reached for a reason that lies between us.
    Failed,
    /// The owner has ended it before anybody answered.
    Withdrawn,
    /// The program ended in the middle of it.
    CutOff,
}

impl Outcome {
    /// One word for database and API, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reached => "reached",
            Self::MessageLeft => "message-left",
            Self::Machine => "machine",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Withdrawn => "withdrawn",
            Self::CutOff => "cut-off",
        }
    }
}

/// How often a number is tried, and how long it is left alone in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Calls of one number, 1 or more.
    pub attempts: u32,
    pub busy: Duration,
    /// Also after a call that failed.
    pub no_answer: Duration,
    pub machine: Duration,
}

/// What is known of a number whose call is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Calls so far, this one included.
    pub attempts: u32,
    /// The program had ended in the middle of one of them before.
    pub was_cut_off: bool,
    /// No further one is wanted.
    pub is_last: bool,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    Over(State),
    Again(Duration),
}

/// Who was cut off may call back, and hears a free line for so long.
const AFTER_CUT_OFF: Duration = Duration::from_secs(15);

impl Rules {
    pub fn after(&self, tried: Tried, outcome: Outcome) -> After {
        let (state, wait) = match outcome {
            Outcome::Reached => (State::Reached, None),
            Outcome::MessageLeft => (State::Machine, None),
            Outcome::Refused => (State::Refused, None),
            Outcome::Withdrawn => (State::Withdrawn, None),
            Outcome::Machine => (State::Machine, Some(self.machine)),
            Outcome::Busy => (State::Busy, Some(self.busy)),
            Outcome::NoAnswer => (State::NoAnswer, Some(self.no_answer)),
            Outcome::Failed => (State::Failed, Some(self.no_answer)),
            Outcome::CutOff => (State::Failed, (!tried.was_cut_off).then_some(AFTER_CUT_OFF)),
        };
        match wait {
            Some(wait) if tried.attempts < self.attempts && !tried.is_last => After::Again(wait),
            _ => After::Over(state),
        }
    }
}

/// Why the dialler made no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// This number, or what is to be said to it, is not allowed.
    Never,
    /// A limit of the owner's: until then, or for long.
    Limit(Option<Duration>),
    /// There is no line, or no way out.
    Now,
}

/// What there is to do, as the database and the clock on the wall have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen<N> {
    /// Numbers that are being called, of all campaigns.
    pub calling: usize,
    /// A number whose time has come.
    pub due: Option<N>,
    /// When the next one's has, where none is due.
    pub next_in: Option<Duration>,
    /// Within the owner's hours.
    pub is_open: bool,
    /// Lines that nobody uses.
    pub free_lines: usize,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<N> {
    Dial(N),
    /// It is looked at again then, or earlier where something changes.
    Wait(Duration),
}

/// Lines that are left to callers.
pub const LEFT_FREE: usize = 1;
/// Something has changed by then: a call has ended, a line is free.
const SOON: Duration = Duration::from_secs(1);
/// The clock on the wall is looked at this often.
const LATER: Duration = Duration::from_secs(30);
/// After a refusal that passes by itself; after each further one twice as long, up to this many times.
const NOT_NOW: Duration = Duration::from_secs(5);
const DOUBLINGS: u32 = 4;
/// After a limit that says nothing of its end: one of the day.
const LIMITED: Duration = Duration::from_secs(15 * 60);

/// When the next number is called.
#[derive(Clone, Copy, Debug)]
pub struct Scheduler {
    /// Calls of campaigns at once.
    at_once: usize,
    /// Nobody is called before.
    held_until: Option<Instant>,
    /// Refusals that pass by themselves since the last call.
    refusals: u32,
}

impl Scheduler {
    pub const fn new(at_once: usize) -> Self {
        Self { at_once, held_until: None, refusals: 0 }
    }

    pub fn step<N>(&mut self, now: Instant, seen: Seen<N>) -> Step<N> {
        self.held_until = self.held_until.filter(|until| *until > now);
        if let Some(until) = self.held_until {
            return Step::Wait((until - now).min(LATER));
        }
        match seen.due {
            None => Step::Wait(match seen.calling {
                0 => seen.next_in.unwrap_or(LATER).min(LATER),
                _ => SOON,
            }),
            Some(_) if !seen.is_open => Step::Wait(LATER),
            Some(_) if seen.calling >= self.at_once || seen.free_lines <= LEFT_FREE => {
                Step::Wait(SOON)
            }
            Some(number) => Step::Dial(number),
        }
    }

    /// The dialler has made the call.
    pub fn placed(&mut self) {
        self.refusals = 0;
    }

    /// The dialler made no call: `None` where the number is over with that, else it goes on waiting, and with it
    /// all others for as long.
    pub fn refused(&mut self, now: Instant, why: Refusal) -> Option<Duration> {
        let wait = match why {
            Refusal::Never => return None,
            Refusal::Limit(wait) => wait.unwrap_or(LIMITED),
            Refusal::Now => {
                let wait = NOT_NOW * (1 << self.refusals.min(DOUBLINGS));
                self.refusals += 1;
                wait
            }
        };
        self.held_until = Some(now + wait);
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        attempts: 3,
        busy: Duration::from_secs(300),
        no_answer: Duration::from_secs(3_600),
        machine: Duration::from_secs(7_200),
    };

    fn tried(attempts: u32) -> Tried {
        Tried { attempts, ..Tried::default() }
    }

    #[test]
    fn who_was_not_reached_is_tried_again_after_a_time_of_its_own() {
        for (outcome, again_s, state) in [
            (Outcome::Reached, None, State::Reached),
            (Outcome::MessageLeft, None, State::Machine),
            (Outcome::Refused, None, State::Refused),
            (Outcome::Withdrawn, None, State::Withdrawn),
            (Outcome::Machine, Some(7_200), State::Machine),
            (Outcome::Busy, Some(300), State::Busy),
            (Outcome::NoAnswer, Some(3_600), State::NoAnswer),
            (Outcome::Failed, Some(3_600), State::Failed),
            (Outcome::CutOff, Some(15), State::Failed),
        ] {
            let again = again_s.map(Duration::from_secs);
            let expected = again.map_or(After::Over(state), After::Again);
            assert_eq!(RULES.after(tried(2), outcome), expected, "{outcome:?}");
            assert_eq!(RULES.after(tried(3), outcome), After::Over(state), "the last: {outcome:?}");
            let unwanted = Tried { is_last: true, ..tried(1) };
            assert_eq!(RULES.after(unwanted, outcome), After::Over(state), "{outcome:?}");
        }
    }

    #[test]
    fn after_a_second_end_in_the_middle_nobody_is_called_again() {
        let again = Tried { was_cut_off: true, ..tried(2) };
        assert_eq!(RULES.after(again, Outcome::CutOff), After::Over(State::Failed));
        assert_eq!(RULES.after(again, Outcome::Busy), After::Again(RULES.busy));
    }

    fn seen(calling: usize, free_lines: usize) -> Seen<u8> {
        Seen { calling, due: Some(7), next_in: None, is_open: true, free_lines }
    }

    #[test]
    fn one_is_called_where_limit_hours_and_lines_allow_it() {
        let now = Instant::now();
        let mut scheduler = Scheduler::new(2);
        for (seen, step) in [
            (seen(0, 2), Step::Dial(7)),
            (seen(1, 2), Step::Dial(7)),
            (seen(2, 9), Step::Wait(SOON)),
            // The last line is the callers'.
            (seen(0, 1), Step::Wait(SOON)),
            (seen(0, 0), Step::Wait(SOON)),
            (Seen { is_open: false, ..seen(0, 9) }, Step::Wait(LATER)),
            (Seen { due: None, ..seen(1, 9) }, Step::Wait(SOON)),
            (Seen { due: None, ..seen(0, 9) }, Step::Wait(LATER)),
        ] {
            assert_eq!(scheduler.step(now, seen), step, "{seen:?}");
        }
        let wait = Duration::from_secs(3);
        let soon = Seen { due: None, next_in: Some(wait), ..seen(0, 9) };
        assert_eq!(scheduler.step(now, soon), Step::Wait(wait));
    }

    #[test]
    fn a_refusal_that_passes_holds_all_and_one_that_does_not_its_number_alone() {
        let now = Instant::now();
        let minute = Duration::from_secs(60);
        for (why, wait) in [
            (Refusal::Never, None),
            (Refusal::Now, Some(NOT_NOW)),
            (Refusal::Limit(Some(minute)), Some(minute)),
            (Refusal::Limit(None), Some(LIMITED)),
        ] {
            let mut scheduler = Scheduler::new(1);
            assert_eq!(scheduler.refused(now, why), wait, "{why:?}");
            let step = scheduler.step(now, seen(0, 9));
            match wait {
                None => assert_eq!(step, Step::Dial(7)),
                Some(wait) => {
                    assert_eq!(step, Step::Wait(wait.min(LATER)), "{why:?}");
                    assert_eq!(scheduler.step(now + wait, seen(0, 9)), Step::Dial(7), "{why:?}");
                }
            }
        }
    }

    #[test]
    fn where_no_call_gets_out_it_is_tried_less_and_less_often() {
        let now = Instant::now();
        let mut scheduler = Scheduler::new(1);
        for wait_s in [5, 10, 20, 40, 80, 80] {
            let wait = Duration::from_secs(wait_s);
            assert_eq!(scheduler.refused(now, Refusal::Now), Some(wait));
        }
        scheduler.placed();
        assert_eq!(scheduler.refused(now, Refusal::Now), Some(NOT_NOW));
    }
}
