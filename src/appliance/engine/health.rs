//! When an engine is dead although its process lives, and how soon the next one is tried. Pure.

use std::time::{Duration, Instant};

/// An engine is asked so often whether it lives.
const PING_EVERY: Duration = Duration::from_secs(1);
/// An engine with nothing to do answers at once; this leaves room for a busy machine.
const SILENCE_IDLE: Duration = Duration::from_secs(3);
/// One that works may share its cores with much else.
const SILENCE_BUSY: Duration = Duration::from_secs(10);
/// Waits before the second and later starts; the first is at once.
const BACK_OFF_FIRST: Duration = Duration::from_millis(500);
const BACK_OFF_MOST: Duration = Duration::from_secs(30);
/// An engine that lived so long has earned a start at once.
pub const STABLE_AFTER: Duration = Duration::from_secs(60);

/// Starts that came to nothing before a careful one.
pub const CAUTIOUS_AFTER: u32 = 2;

/// The pulse of one engine.
#[derive(Debug)]
pub struct Health {
    nonce: u64,
    next_ping: Instant,
    /// Since when an answer has been waited for.
    silent_since: Option<Instant>,
}

impl Health {
    pub fn new(now: Instant) -> Self {
        Self { nonce: 0, next_ping: now + PING_EVERY, silent_since: None }
    }

    /// The engine has said something, whatever it was.
    pub fn heard(&mut self) {
        self.silent_since = None;
    }

    /// The nonce of a ping that is due.
    pub fn ping(&mut self, now: Instant) -> Option<u64> {
        if now < self.next_ping {
            return None;
        }
        self.next_ping = now + PING_EVERY;
        self.nonce += 1;
        self.silent_since.get_or_insert(now);
        Some(self.nonce)
    }

    /// It has not answered for longer than it may.
    pub fn is_dead(&self, now: Instant, busy: bool) -> bool {
        self.dead_at(busy).is_some_and(|at| at <= now)
    }

    /// When to look again.
    pub fn next_look(&self, busy: bool) -> Instant {
        self.dead_at(busy).map_or(self.next_ping, |at| at.min(self.next_ping))
    }

    fn dead_at(&self, busy: bool) -> Option<Instant> {
        let allowed = if busy { SILENCE_BUSY } else { SILENCE_IDLE };
        self.silent_since.map(|since| since + allowed)
    }
}

/// How long to wait before the next start.
#[derive(Debug, Default)]
pub struct BackOff {
    failures: u32,
}

impl BackOff {
    /// Engines that ended since one was stable.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// An engine has ended; `lived` since it was ready, if it ever was.
    pub fn after(&mut self, lived: Option<Duration>) -> Duration {
        if lived.is_some_and(|lived| lived >= STABLE_AFTER) {
            self.failures = 0;
        }
        let doublings = self.failures.checked_sub(1);
        self.failures = self.failures.saturating_add(1);
        doublings.map_or(Duration::ZERO, |n| {
            BACK_OFF_FIRST.saturating_mul(1 << n.min(16)).min(BACK_OFF_MOST)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_death_sooner_when_idle_than_when_busy() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut health = Health::new(start);
        assert_eq!(health.ping(at(999)), None);
        assert_eq!(health.ping(at(1_000)), Some(1));
        assert_eq!(health.ping(at(2_000)), Some(2));
        assert!(!health.is_dead(at(3_999), false));
        assert!(health.is_dead(at(4_000), false));
        assert!(!health.is_dead(at(4_000), true));
        assert!(health.is_dead(at(11_000), true));
        health.heard();
        assert!(!health.is_dead(at(60_000), false));
    }

    #[test]
    fn the_next_look_is_at_the_next_ping_or_at_death() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut health = Health::new(start);
        assert_eq!(health.next_look(false), at(1_000));
        health.ping(at(1_000));
        assert_eq!(health.next_look(false), at(2_000));
        for ms in [2_000, 3_000, 3_900] {
            health.ping(at(ms));
        }
        assert_eq!(health.next_look(false), at(4_000));
    }

    #[test]
    fn the_first_restart_is_at_once_and_later_ones_wait_longer_and_longer() {
        let mut back_off = BackOff::default();
        let waits: Vec<u128> = (0..9).map(|_| back_off.after(None).as_millis()).collect();
        assert_eq!(waits, [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(back_off.after(Some(STABLE_AFTER)), Duration::ZERO);
        assert_eq!(back_off.after(Some(Duration::ZERO)), BACK_OFF_FIRST);
    }
}
