//! How long packets must wait so that nearly all of them come in time.
//!
//! The transit of a packet is its arrival against its timestamp. The least transit of the last
//! seconds is the undelayed path; it also follows a sender whose clock drifts. What a packet took
//! beyond it is its lateness, and the target is a high percentile of the newest latenesses.

use std::time::{Duration, Instant};

/// The least transit is sought over this many windows...
const WINDOWS: usize = 8;
/// ...of this length: at 500 ppm the path seems to move by 4 ms meanwhile.
const WINDOW: Duration = Duration::from_secs(1);
/// Latenesses remembered: 5 s of 20 ms packets.
const MEMORY: usize = 256;
/// Resolution of the percentile.
const BIN_US: i64 = 5_000;
/// Bins: 320 ms, well beyond the longest target.
const BINS: usize = 64;
/// One packet in this many may be later than the target.
const TOLERATED: usize = 40;
/// Below this many packets the target is a guess.
const TRUSTED: usize = 16;
/// A lateness or earliness beyond this is a leap of the sender's timestamps.
const LEAP_US: i64 = 1_500_000;

/// On a path where one packet in `QUIET_TOLERATED` at most is later than a bin, once so many packets have
/// shown it: a wired network, or the box itself.
const QUIET_TARGET_US: i64 = 10_000;
const QUIET_TOLERATED: usize = 200;
const QUIET_KNOWN: usize = 64;
const MIN_TARGET_US: i64 = 20_000;
const FIRST_TARGET_US: i64 = 40_000;
const MAX_TARGET_US: i64 = 200_000;

/// Measures the path of one stream.
#[derive(Clone, Debug)]
pub struct DelayEstimate {
    origin: Option<Instant>,
    /// Least transits, newest window first; `i64::MAX` where nothing came.
    least_us: [i64; WINDOWS],
    window_ends: Option<Instant>,
    /// The bins of the newest latenesses, as a ring, and how many of each there are.
    memory: [u8; MEMORY],
    written: usize,
    counts: [u16; BINS],
}

impl DelayEstimate {
    pub fn new() -> Self {
        Self {
            origin: None,
            least_us: [i64::MAX; WINDOWS],
            window_ends: None,
            memory: [0; MEMORY],
            written: 0,
            counts: [0; BINS],
        }
    }

    /// Takes a packet whose sound begins at `media_us` on the sender's clock.
    pub fn observe(&mut self, media_us: i64, arrived: Instant) {
        self.turn_windows(arrived);
        let transit_us = self.since_origin_us(arrived).saturating_sub(media_us);
        let lateness_us = match self.path_us() {
            Some(path_us) => transit_us.saturating_sub(path_us),
            None => 0,
        };
        if lateness_us.abs() > LEAP_US {
            self.least_us = [i64::MAX; WINDOWS];
        }
        if let Some(least) = self.least_us.first_mut() {
            *least = transit_us.min(*least);
        }
        if lateness_us.abs() <= LEAP_US {
            self.remember(lateness_us.max(0));
        }
    }

    /// When the sound of `media_us` would have come had its packet not been delayed, as time since
    /// the origin; `None` before the first packet.
    fn undelayed_us(&self, media_us: i64) -> Option<i64> {
        self.path_us().map(|path_us| path_us.saturating_add(media_us))
    }

    /// How long after its undelayed arrival the sound of `media_us` is played if it is played now.
    pub fn delay_us(&self, media_us: i64, now: Instant) -> i64 {
        let undelayed = self.undelayed_us(media_us);
        undelayed.map_or(0, |at| self.since_origin_us(now).saturating_sub(at))
    }

    /// The wanted value of `delay_us`.
    pub fn target_us(&self) -> i64 {
        let known = self.written.min(MEMORY);
        let mut later = 0;
        let percentile = (0..BINS).rev().find(|&bin| {
            later += usize::from(self.counts.get(bin).copied().unwrap_or(0));
            later * TOLERATED > known
        });
        let measured_us = percentile.map_or(0, |bin| (bin as i64 + 1) * BIN_US);
        let late = known.saturating_sub(self.counts.first().copied().map_or(0, usize::from));
        let is_quiet = known >= QUIET_KNOWN && late * QUIET_TOLERATED <= known;
        let least_us = match known {
            0..TRUSTED => FIRST_TARGET_US,
            _ if is_quiet => QUIET_TARGET_US,
            _ => MIN_TARGET_US,
        };
        measured_us.clamp(least_us, MAX_TARGET_US)
    }

    fn path_us(&self) -> Option<i64> {
        self.least_us.iter().copied().min().filter(|&least| least != i64::MAX)
    }

    fn since_origin_us(&self, at: Instant) -> i64 {
        let Some(origin) = self.origin else { return 0 };
        let to_us = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        match at.checked_duration_since(origin) {
            Some(after) => to_us(after),
            None => -to_us(origin.duration_since(at)),
        }
    }

    fn turn_windows(&mut self, now: Instant) {
        self.origin.get_or_insert(now);
        let ends = *self.window_ends.get_or_insert(now + WINDOW);
        if now < ends {
            return;
        }
        // A pause of any length turns one window only: what was known of the path still holds.
        self.window_ends = Some(now + WINDOW);
        self.least_us.rotate_right(1);
        if let Some(least) = self.least_us.first_mut() {
            *least = i64::MAX;
        }
    }

    fn remember(&mut self, lateness_us: i64) {
        let bin = usize::try_from(lateness_us / BIN_US).unwrap_or(BINS).min(BINS - 1);
        let Some(place) = self.memory.get_mut(self.written % MEMORY) else { return };
        let forgotten = usize::from(std::mem::replace(place, bin as u8));
        if self.written >= MEMORY
            && let Some(count) = self.counts.get_mut(forgotten)
        {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.counts.get_mut(bin) {
            *count += 1;
        }
        // Kept from overflowing without ever looking unwritten again.
        self.written = if self.written == MEMORY * 2 { MEMORY + 1 } else { self.written + 1 };
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests {
    use super::*;

    fn fed(packets: i64, lateness_us: impl Fn(i64) -> i64) -> DelayEstimate {
        let start = Instant::now();
        let mut estimate = DelayEstimate::new();
        for n in 0..packets {
            let at_us = 1_000_000 + n * 20_000 + lateness_us(n);
            estimate.observe(n * 20_000, start + Duration::from_micros(at_us as u64));
        }
        estimate
    }

    #[test]
    fn the_target_is_a_high_percentile_of_the_lateness_within_its_bounds() {
        let spread = |range: i64| move |n: i64| (n * 7_919) % range;
        assert_eq!(fed(5, |_| 0).target_us(), 40_000, "a guess at first");
        assert_eq!(fed(40, |_| 0).target_us(), 20_000, "it seems to be a quiet path");
        assert_eq!(fed(500, |_| 0).target_us(), 10_000, "a quiet path");
        let target = fed(500, |n| if n % 60 == 0 { 6_000 } else { 0 }).target_us();
        assert_eq!(target, 20_000, "one packet in sixty is later than on a quiet path");
        let target = fed(1_000, spread(80_000)).target_us();
        assert!((75_000..=85_000).contains(&target), "{target}");
        let target = fed(1_000, |n| if n % 100 == 0 { 150_000 } else { 0 }).target_us();
        assert_eq!(target, 20_000, "one packet in a hundred may be late");
        assert_eq!(fed(1_000, spread(900_000)).target_us(), 200_000, "a hopeless path");
        let calmed = fed(1_000, |n| if n < 600 { (n * 7_919) % 150_000 } else { 0 });
        assert_eq!(calmed.target_us(), 10_000, "a path that calmed down");
    }

    #[test]
    fn drift_and_leaps_of_the_senders_clock_do_not_look_like_delay() {
        for ppm in [-500_i64, 500] {
            let drifting = fed(180_000, |n| n * 20_000 * ppm / 1_000_000);
            assert_eq!(drifting.target_us(), 10_000, "{ppm} ppm");
            let start = drifting.origin.unwrap();
            let now = start + Duration::from_micros(180_000 * 20_000);
            let drifted_us = 180_000 * 20_000 * ppm / 1_000_000;
            let delay_us = drifting.delay_us(180_000 * 20_000 - drifted_us, now);
            assert!(delay_us.abs() < 10_000, "{ppm} ppm: {delay_us}");
        }
        for leap_us in [-10_000_000, 10_000_000] {
            let leapt = fed(1_000, |n| if n < 500 { 0 } else { leap_us + 10_000_000 });
            assert_eq!(leapt.target_us(), 10_000, "{leap_us}");
        }
    }

    #[test]
    fn a_path_that_is_held_up_for_some_seconds_is_not_taken_for_a_new_one() {
        let held_up = fed(650, |n| if n < 500 { 0 } else { 60_000 });
        let now = held_up.origin.unwrap() + Duration::from_micros(649 * 20_000 + 60_000);
        assert_eq!(held_up.delay_us(649 * 20_000, now), 60_000);
        let moved = fed(1_100, |n| if n < 500 { 0 } else { 60_000 });
        let now = moved.origin.unwrap() + Duration::from_micros(1_099 * 20_000 + 60_000);
        assert_eq!(moved.delay_us(1_099 * 20_000, now), 0, "after 12 s it is");
    }
}
