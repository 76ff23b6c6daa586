//! Whether the wall clock can be believed: what is deleted by its age is gone, and a clock that has stepped forward makes
//! everything old.

use std::time::{Duration, Instant};

/// Between two looks a clock that is kept by NTP is not off by more, nor is one that changes a leap second.
const STEP: Duration = Duration::from_secs(3_600);
/// A box that was off for longer than this is taken for one whose clock is wrong.
const OFF: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Long enough for a clock to be set right, or for its owner to see what the page says.
const WAIT: Duration = Duration::from_secs(24 * 3_600);

/// Looks at both clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calendar {
    last: Option<(Instant, u64)>,
    /// Nothing is deleted by its age until then.
    until: Option<Instant>,
}

impl Calendar {
    /// The time of the newest thing that is kept, at the start of the program.
    pub fn known(&mut self, now: Instant, wall_ms: u64, newest_ms: Option<u64>) {
        if newest_ms.is_some_and(|newest| wall_ms.saturating_sub(newest) > millis(OFF)) {
            self.until = Some(now + WAIT);
        }
        self.last = Some((now, wall_ms));
    }

    /// The time by which age counts; `None` while the clock is not believed.
    pub fn look(&mut self, now: Instant, wall_ms: u64) -> Option<u64> {
        if let Some((at, wall_before)) = self.last.replace((now, wall_ms)) {
            let expected = wall_before.saturating_add(millis(now.saturating_duration_since(at)));
            if wall_ms.abs_diff(expected) > millis(STEP) {
                self.until = Some(now + WAIT);
            }
        }
        self.is_believed(now).then_some(wall_ms)
    }

    /// Whether age counts.
    pub fn is_believed(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now >= until)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: u64 = 24 * 3_600_000;
    const NOW_MS: u64 = 20_000 * DAY_MS;

    #[test]
    fn a_clock_that_steps_is_not_believed_for_a_day() {
        let start = Instant::now();
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        for step in [400 * DAY_MS, DAY_MS / 12] {
            for is_forward in [true, false] {
                let mut calendar = Calendar::default();
                assert_eq!(calendar.look(start, NOW_MS), Some(NOW_MS));
                assert_eq!(calendar.look(after(60), NOW_MS + 61_000), Some(NOW_MS + 61_000));
                let wrong = if is_forward { NOW_MS + step } else { NOW_MS - step };
                assert_eq!(calendar.look(after(120), wrong), None);
                assert_eq!(calendar.look(after(180), wrong + 60_000), None);
                // Set right: that is a step, too.
                assert_eq!(calendar.look(after(240), NOW_MS + 240_000), None);
                let next_day = NOW_MS + 240_000 + DAY_MS;
                assert_eq!(calendar.look(after(240 + 86_400), next_day), Some(next_day));
            }
        }
    }

    #[test]
    fn what_is_older_than_the_last_start_by_months_waits() {
        let now = Instant::now();
        let mut calendar = Calendar::default();
        calendar.known(now, NOW_MS, Some(NOW_MS - DAY_MS));
        assert!(calendar.look(now, NOW_MS).is_some());
        calendar.known(now, NOW_MS, Some(NOW_MS - 40 * DAY_MS));
        assert!(calendar.look(now, NOW_MS).is_none());
    }
}
