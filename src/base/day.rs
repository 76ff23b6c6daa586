//! Which day a sum belongs to, by a clock on the wall that may be wrong.
//!
//! A cap of a day must not be passed because a clock jumps to and fro, and an owner must not be locked out
//! because it was once in the future. So the wall only names the day; that a day has passed is told by the
//! time since the box has started, which nobody sets.
//!
//! Invariants: while the box runs two pages do not begin within [`DAY_LEAST`]; a page that a wrong clock has put
//! into the future ends after [`DAY_BEHIND`] at most.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::{DAY_BEHIND, DAY_LEAST};

/// The time, by the wall and by what nobody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// A number of the local calendar's day, greater than those of all days before.
    pub day: i64,
    /// Since the box has started, asleep or awake.
    pub up: Duration,
    /// Which start that was.
    pub start: u64,
}

/// Of a book that nothing was written into.
const NO_DAY: i64 = 0;

/// A day's page in an account book: it says when the next one begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    day: i64,
    /// How long it has been the page.
    open_ms: u64,
    /// For how long the wall has shown an earlier day without a break.
    behind_ms: u64,
    /// When it was looked at last, since the box had started, and which start that was.
    seen_ms: u64,
    start: u64,
}

impl Page {
    /// Whether another page begins now, with sums of its own.
    pub fn turns(&mut self, now: Clock) -> bool {
        let seen_ms = millis(now.up);
        match self.start == now.start {
            true => {
                let passed_ms = seen_ms.saturating_sub(self.seen_ms);
                self.open_ms = self.open_ms.saturating_add(passed_ms);
                self.behind_ms = self.behind_ms.saturating_add(passed_ms);
            }
            // For how long the box was off nobody knows: it may have been a day.
            false => self.open_ms = self.open_ms.max(millis(DAY_LEAST)),
        }
        (self.seen_ms, self.start) = (seen_ms, now.start);
        if now.day >= self.day {
            self.behind_ms = 0;
        }
        let turns = match now.day > self.day {
            true => self.open_ms >= millis(DAY_LEAST),
            false => self.behind_ms >= millis(DAY_BEHIND),
        };
        if turns {
            // The book's first day began before it was opened.
            let open_ms = if self.day == NO_DAY { self.open_ms } else { 0 };
            (self.day, self.open_ms, self.behind_ms) = (now.day, open_ms, 0);
        }
        turns
    }

    /// Whether the box has been started anew since the page was looked at last.
    pub const fn is_of_another_start(&self, now: Clock) -> bool {
        self.start != now.start
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600;

    /// Hours after the first start, on a day.
    fn at(hours: u64, day: i64) -> Clock {
        Clock { day, up: Duration::from_secs(hours * HOUR), start: 1 }
    }

    fn after_a_start(hours: u64, day: i64, start: u64) -> Clock {
        Clock { start, ..at(hours, day) }
    }

    fn restarted(page: &Page) -> Page {
        serde_json::from_str(&serde_json::to_string(page).unwrap()).unwrap()
    }

    #[test]
    fn each_midnight_begins_a_page_also_the_first_after_an_hour_and_one_after_23() {
        let mut page = Page::default();
        let looks = [(0, 5), (1, 6), (20, 6), (25, 7), (48, 8), (72, 9), (73, 9)];
        let turns = looks.map(|(hours, day)| page.turns(at(hours, day)));
        assert_eq!(turns, [true, true, false, true, true, true, false]);
    }

    #[test]
    fn a_clock_that_goes_to_and_fro_begins_one_page_whichever_days_it_shows() {
        let mut page = Page::default();
        assert!(page.turns(at(0, 5)));
        let mut turns = 0;
        for minute in 0..DAY_LEAST.as_secs() / 60 {
            let day = [6, 5, 7, 4, 400][usize::try_from(minute % 5).unwrap()];
            let now = Clock { up: Duration::from_secs(minute * 60), ..at(0, day) };
            turns += u32::from(page.turns(now));
            page = restarted(&page);
        }
        assert_eq!(turns, 1);
    }

    #[test]
    fn a_clock_that_was_in_the_future_locks_for_a_day_and_not_until_then() {
        let mut page = Page::default();
        assert!(page.turns(at(0, 5)));
        assert!(page.turns(at(24, 36_000)), "the future has come, for all that is known");
        for hours in 25..48 {
            assert!(!page.turns(at(hours, 6)), "{hours}");
        }
        assert!(page.turns(at(49, 7)), "a day has passed");
        assert!(!page.turns(at(50, 7)));
        assert!(page.turns(at(73, 8)), "and the next is one like all");
    }

    #[test]
    fn a_box_without_a_clock_of_its_own_begins_no_page_in_the_past() {
        let mut page = Page::default();
        assert!(page.turns(at(0, 20_000)));
        for start in 2..9 {
            assert!(!page.turns(after_a_start(0, 1, start)), "it starts in 1970");
            page = restarted(&page);
            assert!(!page.turns(after_a_start(1, 20_000, start)), "and learns the day");
            page = restarted(&page);
        }
        assert!(page.turns(after_a_start(2, 20_001, 8)), "the next day is one at once");
    }

    #[test]
    fn a_program_that_starts_again_on_a_box_that_does_not_begins_one_page() {
        let mut page = Page::default();
        assert!(page.turns(at(0, 5)));
        let turns = (6..20).filter(|day| {
            page = restarted(&page);
            page.turns(at(1, *day))
        });
        assert_eq!(turns.count(), 1);
    }
}
