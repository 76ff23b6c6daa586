//! The wall's clock, and for what is counted by the day the time since the box has started.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::base::day::Clock;
use crate::converse::people::WeekMinute;

/// Linux's name for the time since the box has started: another one after each start.
const START: &str = "/proc/sys/kernel/random/boot_id";

/// The time where we are.
pub fn now() -> Clock {
    let wall = jiff::ZonedDateTime::now();
    // Asleep or awake; every Linux has it.
    let up = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
    Clock {
        // Days need not follow each other without a gap, but grow.
        day: i64::from(wall.year()) * 1_000 + i64::from(wall.day_of_year()),
        up,
        start: start(),
    }
}

/// Minutes since midnight, where we are.
pub fn minute_of_day() -> u32 {
    let wall = jiff::ZonedDateTime::now();
    let part = |part: i8| u32::try_from(part).unwrap_or(0);
    part(wall.hour()) * 60 + part(wall.minute())
}

/// The minute of the week where we are, by the system's time zone.
pub fn week_minute() -> WeekMinute {
    let now = jiff::ZonedDateTime::now();
    let day = now.weekday().to_monday_zero_offset();
    let [day, hour, minute] = [day, now.hour(), now.minute()].map(|part| part.unsigned_abs());
    WeekMinute::new(day.into(), hour.into(), minute.into())
}

/// Of the wall, in milliseconds since 1970.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn start() -> u64 {
    static KNOWN: OnceLock<u64> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        let name = std::fs::read_to_string(START).unwrap_or_default();
        let digits: String = name.chars().filter(char::is_ascii_hexdigit).take(16).collect();
        // Without one each start of the program is taken for one of the box.
        u64::from_str_radix(&digits, 16).unwrap_or_else(|_| {
            let up = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
            u64::try_from(up.as_nanos()).unwrap_or(u64::MAX)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_since_the_start_grows_and_the_start_stays() {
        let (one, other) = (now(), now());
        assert!(one.up > Duration::ZERO && other.up >= one.up);
        assert!(one.start == other.start && one.start != 0);
        assert!((2_020_001..2_200_366).contains(&one.day));
    }
}
