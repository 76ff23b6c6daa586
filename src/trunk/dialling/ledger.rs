//! How many calls were made and what they cost: within the owner's limits, also over a restart.
//!
//! What a call may cost is set aside before it begins and counts as spent until it is known what it
//! did cost. So whatever ends the program, the budget of a day is not exceeded.
//!
//! Invariant: `spent` and what is set aside are together within the budget that `reserve` was given.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::tariff::Money;
use crate::base::CallId;
use crate::base::day::{Clock, Page};

const MINUTE_MS: u64 = 60_000;

/// Limits that the owner has set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls begun in any 60 s.
    pub per_minute: u32,
    /// Calls begun in a day.
    pub per_day: u32,
    /// Of a day; `None`: no limit.
    pub budget: Option<Money>,
}

/// Why no call is begun now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitReached {
    #[error("dial.calls_per_minute is reached; try again in {again_in_s} s")]
    Minute { again_in_s: u32 },
    #[error("dial.calls_per_day is reached")]
    Day,
    #[error("the budget of the day is used up, or too small for the longest call of this number")]
    Budget,
}

/// The calls of a day. Nothing in it tells who was called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    page: Page,
    /// Calls begun in this day.
    calls: u32,
    spent: Money,
    /// When calls of the last minute began, since the box had started; the oldest first.
    recent_ms: VecDeque<u64>,
    /// What is set aside for calls that have not ended.
    reserved: Vec<(CallId, Money)>,
}

impl Ledger {
    /// After a restart: what became of calls that had not ended is not known, so they have cost all
    /// that was set aside.
    #[must_use]
    pub fn resumed(mut self) -> Self {
        let reserved = self.reserved.drain(..);
        self.spent = reserved.fold(self.spent, |spent, (_, money)| spent.plus(money));
        self
    }

    /// Counts a call that begins now and may cost so much.
    ///
    /// # Errors
    /// Names the limit; nothing is counted then.
    pub fn reserve(
        &mut self,
        now: Clock,
        limits: &Limits,
        call: CallId,
        most: Money,
    ) -> Result<(), LimitReached> {
        self.begin(now, limits, most)?;
        self.reserved.push((call, most));
        Ok(())
    }

    /// Counts a call that costs so much, whatever becomes of it.
    ///
    /// # Errors
    /// Names the limit; nothing is counted then.
    pub fn spend(&mut self, now: Clock, limits: &Limits, cost: Money) -> Result<(), LimitReached> {
        self.begin(now, limits, cost)?;
        self.spent = self.spent.plus(cost);
        Ok(())
    }

    fn begin(&mut self, now: Clock, limits: &Limits, most: Money) -> Result<(), LimitReached> {
        self.turn_page(now);
        let oldest = self.recent_ms.front().copied();
        if let Some(oldest) =
            oldest.filter(|_| self.recent_ms.len() as u64 >= limits.per_minute.into())
        {
            let left_ms = (oldest + MINUTE_MS).saturating_sub(up_ms(now));
            let again_in_s = u32::try_from(left_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
            return Err(LimitReached::Minute { again_in_s });
        }
        if self.calls >= limits.per_day {
            return Err(LimitReached::Day);
        }
        let aside = self.reserved.iter().fold(self.spent, |sum, (_, money)| sum.plus(*money));
        if limits.budget.is_some_and(|budget| aside.plus(most) > budget) {
            return Err(LimitReached::Budget);
        }
        self.recent_ms.push_back(up_ms(now));
        self.calls = self.calls.saturating_add(1);
        Ok(())
    }

    /// A call has ended and has cost so much.
    pub fn settle(&mut self, now: Clock, call: CallId, cost: Money) {
        self.turn_page(now);
        if let Some(at) = self.reserved.iter().position(|(of, _)| *of == call) {
            self.reserved.swap_remove(at);
            self.spent = self.spent.plus(cost);
        }
    }

    /// Another day has other sums.
    fn turn_page(&mut self, now: Clock) {
        let has_restarted = self.page.is_of_another_start(now);
        if self.page.turns(now) {
            (self.calls, self.spent) = (0, Money::NONE);
        }
        let now_ms = up_ms(now);
        for began in &mut self.recent_ms {
            // How long ago that was is not known.
            *began = if has_restarted { now_ms } else { (*began).min(now_ms) };
        }
        while self.recent_ms.front().is_some_and(|began| now_ms - began >= MINUTE_MS) {
            self.recent_ms.pop_front();
        }
    }
}

fn up_ms(now: Clock) -> u64 {
    u64::try_from(now.up.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: i64 = 20_000;

    fn at(seconds: u64) -> Clock {
        let day = DAY + i64::try_from(seconds / 86_400).unwrap();
        Clock { day, up: Duration::from_secs(seconds), start: 1 }
    }

    fn money(units: f64) -> Money {
        Money::of_units(units).unwrap()
    }

    fn limits(per_minute: u32, per_day: u32, budget: Option<f64>) -> Limits {
        Limits { per_minute, per_day, budget: budget.map(money) }
    }

    /// As it is read again after the program was killed.
    fn restarted(ledger: &Ledger) -> Ledger {
        let text = serde_json::to_string(ledger).unwrap();
        serde_json::from_str::<Ledger>(&text).unwrap().resumed()
    }

    #[test]
    fn so_many_calls_begin_in_any_minute() {
        let limits = limits(2, 100, None);
        let mut ledger = Ledger::default();
        for (second, id, outcome) in [
            (0, 1, Ok(())),
            (30, 2, Ok(())),
            (31, 3, Err(LimitReached::Minute { again_in_s: 29 })),
            (59, 4, Err(LimitReached::Minute { again_in_s: 1 })),
            (60, 5, Ok(())),
            (61, 6, Err(LimitReached::Minute { again_in_s: 29 })),
        ] {
            let reserved = ledger.reserve(at(second), &limits, CallId(id), Money::NONE);
            assert_eq!(reserved, outcome, "{second}");
            ledger = restarted(&ledger);
        }
    }

    #[test]
    fn so_many_calls_begin_in_a_day_and_a_restart_forgets_none() {
        let limits = limits(100, 2, None);
        let mut ledger = Ledger::default();
        for (second, id, outcome) in [
            (0, 1, Ok(())),
            (3_600, 2, Ok(())),
            (7_200, 3, Err(LimitReached::Day)),
            (86_399, 4, Err(LimitReached::Day)),
            (86_400, 5, Ok(())),
        ] {
            let reserved = ledger.reserve(at(second), &limits, CallId(id), Money::NONE);
            assert_eq!(reserved, outcome, "{second}");
            ledger = restarted(&ledger);
        }
    }

    #[test]
    fn what_is_set_aside_counts_until_the_call_has_ended_for_less() {
        let limits = limits(100, 100, Some(1.0));
        let mut ledger = Ledger::default();
        let reserve =
            |ledger: &mut Ledger, id| ledger.reserve(at(0), &limits, CallId(id), money(0.6));
        assert_eq!(reserve(&mut ledger, 1), Ok(()));
        assert_eq!(reserve(&mut ledger, 2), Err(LimitReached::Budget));
        ledger.settle(at(1), CallId(1), money(0.4));
        assert_eq!(reserve(&mut ledger, 3), Ok(()));
        ledger.settle(at(1), CallId(3), Money::NONE);
        ledger.settle(at(1), CallId(3), money(9.0));
        assert_eq!(ledger.spent, money(0.4), "a call is settled once");
    }

    #[test]
    fn a_call_that_a_crash_cut_off_has_cost_all_that_was_set_aside() {
        let limits = limits(100, 100, Some(1.0));
        let mut ledger = Ledger::default();
        ledger.reserve(at(0), &limits, CallId(1), money(0.6)).unwrap();
        let mut ledger = restarted(&ledger);
        assert_eq!(ledger.spent, money(0.6));
        let again = ledger.reserve(at(1), &limits, CallId(1), money(0.6));
        assert_eq!(again, Err(LimitReached::Budget));
        assert_eq!(ledger.reserve(at(86_400), &limits, CallId(1), money(0.6)), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_to_and_fro_gives_no_new_budgets_and_locks_nothing() {
        let limits = limits(100, 2, None);
        let mut ledger = Ledger::default();
        let mut begun = 0;
        for minute in 0..1_000 {
            let day = [DAY, DAY + 1, DAY - 400, DAY + 2, DAY + 400][minute % 5];
            let now = Clock { day, ..at(u64::try_from(minute).unwrap() * 60) };
            let reserved = ledger.reserve(now, &limits, CallId(1), Money::NONE);
            begun += u32::from(reserved.is_ok());
            ledger = restarted(&ledger);
        }
        assert_eq!(begun, 3, "the book's first day may have been at its end");
        let later = Clock { day: DAY + 2, ..at(2 * 86_400) };
        assert_eq!(ledger.reserve(later, &limits, CallId(3), Money::NONE), Ok(()));
    }

    #[test]
    fn the_minute_is_one_whatever_the_wall_shows_and_begins_anew_with_the_box() {
        let limits = limits(1, 100, None);
        let mut ledger = Ledger::default();
        ledger.reserve(at(100), &limits, CallId(1), Money::NONE).unwrap();
        let early = Clock { day: DAY + 400, ..at(110) };
        let early = ledger.reserve(early, &limits, CallId(2), Money::NONE);
        assert_eq!(early, Err(LimitReached::Minute { again_in_s: 50 }));
        let started = Clock { start: 2, ..at(500) };
        let early = ledger.reserve(started, &limits, CallId(2), Money::NONE);
        assert_eq!(early, Err(LimitReached::Minute { again_in_s: 60 }));
        let later = Clock { start: 2, ..at(560) };
        assert_eq!(ledger.reserve(later, &limits, CallId(2), Money::NONE), Ok(()));
    }
}
