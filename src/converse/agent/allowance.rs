//! Seconds with an agent: within the owner's limits, also over a restart.
//!
//! What a call may use is set aside before it is connected and counts as used until it is known what it
//! did use. So whatever ends the program, no day has more than its seconds.

use serde::{Deserialize, Serialize};

use crate::base::CallId;

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
    /// A number of the local calendar's day.
    day: i64,
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
    pub fn reserve(&mut self, day: i64, limits: Limits, call: CallId, most: u32) -> Option<u32> {
        self.turn_page(day);
        let granted = most.min(limits.per_day.saturating_sub(self.taken()));
        if granted == 0 {
            return None;
        }
        self.reserved.push((call, granted));
        Some(granted)
    }

    /// A connection of this call is over, for which so much had been set aside, and has used so much.
    pub fn settle(&mut self, day: i64, call: CallId, granted: u32, used: u32) {
        self.turn_page(day);
        if let Some(at) = self.reserved.iter().position(|reserved| *reserved == (call, granted)) {
            self.reserved.swap_remove(at);
            self.used = self.used.saturating_add(used);
        }
    }

    /// Used in this day, without what is set aside.
    pub fn used(&mut self, day: i64) -> u32 {
        self.turn_page(day);
        self.used
    }

    fn taken(&self) -> u32 {
        self.reserved.iter().fold(self.used, |sum, (_, seconds)| sum.saturating_add(*seconds))
    }

    /// A clock that goes back takes its sum along: a box without a clock of its own begins each day in the
    /// past, and must not begin its seconds anew with it.
    fn turn_page(&mut self, day: i64) {
        if day > self.day {
            self.used = 0;
        }
        self.day = day;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { per_call: 600, per_day: 1_000 };

    fn restarted(allowance: &Allowance) -> Allowance {
        let text = serde_json::to_string(allowance).unwrap();
        serde_json::from_str::<Allowance>(&text).unwrap().resumed()
    }

    #[test]
    fn a_day_has_no_more_than_its_seconds_however_many_calls_there_are() {
        let mut allowance = Allowance::default();
        let mut reserve = |id| allowance.reserve(5, LIMITS, CallId(id), LIMITS.per_call);
        assert_eq!([reserve(1), reserve(2), reserve(3)], [Some(600), Some(400), None]);
        allowance.settle(5, CallId(1), 600, 30);
        allowance.settle(5, CallId(1), 600, 30);
        assert_eq!(allowance.used(5), 30, "a connection is settled once");
        assert_eq!(allowance.reserve(5, LIMITS, CallId(3), 600), Some(570));
    }

    #[test]
    fn what_a_crash_cut_off_has_used_all_that_was_set_aside() {
        let mut allowance = Allowance::default();
        assert_eq!(allowance.reserve(5, LIMITS, CallId(1), 600), Some(600));
        let mut allowance = restarted(&allowance);
        assert_eq!(allowance.used(5), 600);
        allowance.settle(5, CallId(1), 600, 1);
        assert_eq!(allowance.used(5), 600, "it is another call by now");
        assert_eq!(allowance.used(6), 0);
    }

    #[test]
    fn a_clock_that_goes_back_begins_no_new_day() {
        let mut allowance = Allowance::default();
        assert_eq!(allowance.reserve(5, LIMITS, CallId(1), 1_000), Some(1_000));
        allowance.settle(5, CallId(1), 1_000, 1_000);
        assert_eq!(allowance.reserve(4, LIMITS, CallId(2), 10), None);
        assert_eq!(allowance.reserve(6, LIMITS, CallId(2), 10), Some(10));
    }
}
