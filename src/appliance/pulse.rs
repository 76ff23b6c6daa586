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
pub struct Pulses(Vec<Watched>);

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
        self.0.push(Watched { thread, beats: pulse.beats(), pulse, limit, since: now });
        self
    }

    /// The first thread that has been silent for longer than it may; to be asked again and again.
    pub fn silent(&mut self, now: Instant) -> Option<&'static str> {
        for watched in &mut self.0 {
            let beats = watched.pulse.beats();
            if beats != watched.beats {
                (watched.beats, watched.since) = (beats, now);
            }
        }
        let is_silent =
            |watched: &&Watched| now.saturating_duration_since(watched.since) > watched.limit;
        self.0.iter().find(is_silent).map(|watched| watched.thread)
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
}
