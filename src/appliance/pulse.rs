//! Signs of life of threads: each beats in its own loop, the main thread looks how long ago that was.
//!
//! A beat stands in the loop that does the work and nowhere else: one by a timer would only prove that the timer
//! works.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A thread's own end. Clones beat the same pulse.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// RT safe.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn beats(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Loops that wait for work turn at least this often.
pub const BEAT: Duration = Duration::from_millis(250);

/// Who is silent for so long is not waited for any more, whatever is silence without a fault: with what systemd takes to
/// end a program and start it again no hang lasts 15 s.
const HANGS: Duration = Duration::from_secs(9);
/// And at so many looks in a row: a machine that has stood still as a whole goes on between two of them.
const HANGS_LOOKS: u32 = 3;

/// One thread, as it is watched.
#[derive(Debug)]
struct Watched {
    thread: &'static str,
    pulse: Pulse,
    /// Silence that is no fault.
    limit: Duration,
    beats: u64,
    since: Instant,
}

/// All threads that are watched.
#[derive(Debug, Default)]
pub struct Pulses {
    watched: Vec<Watched>,
    /// In a row, at which one was silent.
    silent_looks: u32,
}

impl Pulses {
    /// `thread` may be silent for `limit`, beginning with now.
    #[must_use]
    pub fn with(
        mut self,
        now: Instant,
        thread: &'static str,
        pulse: Pulse,
        limit: Duration,
    ) -> Self {
        self.watched.push(Watched { thread, beats: pulse.beats(), pulse, limit, since: now });
        self
    }

    /// The first thread that has been silent for longer than it may; to be asked again and again.
    pub fn silent(&mut self, now: Instant) -> Option<&'static str> {
        for watched in &mut self.watched {
            let beats = watched.pulse.beats();
            if beats != watched.beats {
                (watched.beats, watched.since) = (beats, now);
            }
        }
        let is_silent =
            |watched: &&Watched| now.saturating_duration_since(watched.since) > watched.limit;
        let silent = self.watched.iter().find(is_silent).map(|watched| watched.thread);
        self.silent_looks = silent.map_or(0, |_| self.silent_looks.saturating_add(1));
        silent
    }

    /// Whether one has been silent for so long that it does not come back; after [`Self::silent`].
    pub fn hangs(&self, now: Instant) -> bool {
        let is_over = |watched: &Watched| now.saturating_duration_since(watched.since) > HANGS;
        self.silent_looks >= HANGS_LOOKS && self.watched.iter().any(is_over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thread_has_its_own_limit_and_comes_back() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let (quick, slow) = (Pulse::default(), Pulse::default());
        let mut pulses = Pulses::default()
            .with(start, "quick", quick.clone(), Duration::from_millis(500))
            .with(start, "slow", slow.clone(), Duration::from_secs(5));
        assert_eq!(pulses.silent(at(500)), None);
        assert_eq!(pulses.silent(at(501)), Some("quick"));
        quick.clone().beat();
        assert_eq!(pulses.silent(at(5_000)), None);
        quick.beat();
        assert_eq!(pulses.silent(at(5_001)), Some("slow"));
        slow.beat();
        assert_eq!(pulses.silent(at(5_400)), None);
    }

    #[test]
    fn who_is_silent_for_long_hangs_and_a_machine_that_stood_still_does_not() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let pulse = Pulse::default();
        let mut pulses =
            Pulses::default().with(start, "slow", pulse.clone(), Duration::from_secs(6));
        let hangs: Vec<u64> = (1..=11)
            .filter(|second| {
                let now = at(second * 1_000 + 1);
                pulses.silent(now);
                pulses.hangs(now)
            })
            .collect();
        assert_eq!(hangs, [9, 10, 11]);
        pulse.beat();
        assert_eq!(pulses.silent(at(12_000)), None);
        assert!(!pulses.hangs(at(12_000)));
        assert_eq!(pulses.silent(at(42_000)), Some("slow"));
        assert!(!pulses.hangs(at(42_000)), "the first look after a long time");
        pulse.beat();
        assert_eq!(pulses.silent(at(43_000)), None);
        assert!(!pulses.hangs(at(43_000)));
    }
}
