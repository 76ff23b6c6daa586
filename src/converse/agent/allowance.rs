//! Seconds with an agent: within the owner's limits, also over a restart.
//!
//! What a call may use is set aside before it is connected and counts as used until it is known what it
//! did use. So whatever ends the program, no day has more than its seconds.

use serde::{Deserialize, Serialize};

use crate::base::CallId;
use crate::base::day::{Clock, Page};

/// Limits that the owner has set, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub per_call: u32,
    pub per_day: u32,
}

/// The seconds of a day. Nothing in it tells who called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    page: Page,
    used: u32,
    /// What is set aside for calls that may still use it.
    reserved: Vec<(CallId, u32)>,
}

impl Allowance {
    /// After a restart: what became of calls that had not ended is not known, so they have used all that
    /// was set aside.
    #[must_use]
    pub fn resumed(mut self) -> Self {
        let reserved = self.reserved.drain(..);
        self.used = reserved.fold(self.used, |used, (_, seconds)| used.saturating_add(seconds));
        self
    }

    /// Sets aside what one connection of this call may use, `most` seconds or what is left of the day.
    /// `None`: nothing is left.
    pub fn reserve(&mut self, now: Clock, limits: Limits, call: CallId, most: u32) -> Option<u32> {
        let granted = most.min(self.left(now, limits));
        if granted == 0 {
            return None;
        }
        self.reserved.push((call, granted));
        Some(granted)
    }

    /// A connection of this call is over, for which so much had been set aside, and has used so much.
    pub fn settle(&mut self, now: Clock, call: CallId, granted: u32, used: u32) {
        self.turn_page(now);
        if let Some(at) = self.reserved.iter().position(|reserved| *reserved == (call, granted)) {
            self.reserved.swap_remove(at);
            self.used = self.used.saturating_add(used);
        }
    }

    /// What is left of this day.
    pub fn left(&mut self, now: Clock, limits: Limits) -> u32 {
        self.turn_page(now);
        limits.per_day.saturating_sub(self.taken())
    }

    /// Used in this day, without what is set aside.
    pub fn used(&mut self, now: Clock) -> u32 {
        self.turn_page(now);
        self.used
    }

    fn taken(&self) -> u32 {
        self.reserved.iter().fold(self.used, |sum, (_, seconds)| sum.saturating_add(*seconds))
    }

    fn turn_page(&mut self, now: Clock) {
        if self.page.turns(now) {
            self.used = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Each day is a whole one.
    fn on(day: i64) -> Clock {
        let up = Duration::from_secs(24 * 3_600 * day.unsigned_abs());
        Clock { day, up, start: 1 }
    }

    const LIMITS: Limits = Limits { per_call: 600, per_day: 1_000 };

    fn restarted(allowance: &Allowance) -> Allowance {
        let text = serde_json::to_string(allowance).unwrap();
        serde_json::from_str::<Allowance>(&text).unwrap().resumed()
    }

    #[test]
    fn a_day_has_no_more_than_its_seconds_however_many_calls_there_are() {
        let mut allowance = Allowance::default();
        let mut reserve = |id| allowance.reserve(on(5), LIMITS, CallId(id), LIMITS.per_call);
        assert_eq!([reserve(1), reserve(2), reserve(3)], [Some(600), Some(400), None]);
        allowance.settle(on(5), CallId(1), 600, 30);
        allowance.settle(on(5), CallId(1), 600, 30);
        assert_eq!(allowance.used(on(5)), 30, "a connection is settled once");
        assert_eq!(allowance.reserve(on(5), LIMITS, CallId(3), 600), Some(570));
    }

    #[test]
    fn what_a_crash_cut_off_has_used_all_that_was_set_aside() {
        let mut allowance = Allowance::default();
        assert_eq!(allowance.reserve(on(5), LIMITS, CallId(1), 600), Some(600));
        let mut allowance = restarted(&allowance);
        assert_eq!(allowance.used(on(5)), 600);
        allowance.settle(on(5), CallId(1), 600, 1);
        assert_eq!(allowance.used(on(5)), 600, "it is another call by now");
        assert_eq!(allowance.used(on(6)), 0);
    }

    #[test]
    fn a_clock_that_goes_to_and_fro_begins_no_day_after_day() {
        let mut allowance = Allowance::default();
        let mut sum = 1_000;
        assert_eq!(allowance.reserve(on(5), LIMITS, CallId(1), 1_000), Some(1_000));
        allowance.settle(on(5), CallId(1), 1_000, 1_000);
        for day in [4, 6, 5, 7, 4, 8] {
            let now = Clock { day, ..on(5) };
            let reserved = allowance.reserve(now, LIMITS, CallId(2), 1_000);
            if let Some(granted) = reserved {
                allowance.settle(now, CallId(2), granted, granted);
                sum += granted;
            }
        }
        assert_eq!(sum, 2_000, "the book's first day may have been at its end");
        assert_eq!(allowance.reserve(on(9), LIMITS, CallId(2), 10), Some(10));
    }
}
