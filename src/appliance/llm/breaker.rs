//! The circuit breaker: a server that fails is left alone for a while, and then tried by one.
//!
//! A call that waits for a server that is known to be down would make its caller wait for nothing.

use std::time::{Duration, Instant};

/// Failures in a row until it opens.
const FAILURES: u32 = 3;
/// The first rest; each failed trial doubles it, to the most.
const REST: Duration = Duration::from_secs(5);
const REST_MOST: Duration = Duration::from_secs(60);
/// A trial that nobody tells the outcome of, as of a caller who hung up, is over after this.
const TRIAL: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Breaker(State);

#[derive(Clone, Copy, Debug)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
        rest: Duration,
    },
    /// One is asking.
    Trying {
        since: Instant,
        rest: Duration,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self(State::Closed { failures: 0 })
    }
}

impl Breaker {
    /// Whether the server may be asked now; at the end of a rest one is let through.
    pub fn admits(&mut self, now: Instant) -> bool {
        match self.0 {
            State::Closed { .. } => true,
            State::Open { until, rest } if until <= now => {
                self.0 = State::Trying { since: now, rest };
                true
            }
            State::Trying { since, rest } if since + TRIAL <= now => {
                self.0 = State::Trying { since: now, rest };
                true
            }
            State::Open { .. } | State::Trying { .. } => false,
        }
    }

    pub fn succeeded(&mut self) {
        self.0 = State::Closed { failures: 0 };
    }

    /// What lasts opens it at once.
    pub fn failed(&mut self, now: Instant, lasts: bool) {
        let open = |rest| State::Open { until: now + rest, rest };
        self.0 = match self.0 {
            State::Closed { failures } if failures + 1 < FAILURES && !lasts => {
                State::Closed { failures: failures + 1 }
            }
            State::Closed { .. } => open(REST),
            State::Trying { rest, .. } => open((rest * 2).min(REST_MOST)),
            // Asked before it opened.
            State::Open { .. } => self.0,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_open_it_one_trial_closes_it_and_failed_trials_double_the_rest() {
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES {
            assert!(breaker.admits(start));
            breaker.failed(start, false);
        }
        assert!(!breaker.admits(at(4)));
        assert!(breaker.admits(at(5)), "a trial");
        assert!(!breaker.admits(at(5)), "only one");
        breaker.failed(at(6), false);
        assert!(!breaker.admits(at(15)));
        assert!(breaker.admits(at(16)));
        assert!(breaker.admits(at(26)), "the trial was forgotten");
        breaker.succeeded();
        assert!(breaker.admits(at(26)) && breaker.admits(at(26)));
        for failed in 0..20 {
            breaker.failed(at(100 * failed + 100), true);
            assert!(!breaker.admits(at(100 * failed + 104)));
            assert!(breaker.admits(at(100 * failed + 161)), "a minute at most");
        }
    }
}
