//! How late the audio thread's ticks were: written by it without a lock, read by anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets in microseconds; what is later falls into one more.
pub const BOUNDS_US: [u64; 9] = [50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 20_000];

/// A histogram of lateness.
#[derive(Debug, Default)]
pub struct Lateness {
    counts: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Lateness {
    /// RT safe.
    pub fn record(&self, late: Duration) {
        let late_us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < late_us);
        self.sum_us.fetch_add(late_us, Ordering::Relaxed);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Ticks in each bucket.
    pub fn counts(&self) -> [u64; BOUNDS_US.len() + 1] {
        std::array::from_fn(|i| self.counts.get(i).map_or(0, |c| c.load(Ordering::Relaxed)))
    }

    /// Lateness of all ticks together, in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us.load(Ordering::Relaxed)
    }

    pub fn ticks(&self) -> u64 {
        self.counts().iter().sum()
    }

    /// The bound that this share of the ticks (0 to 1) stayed below; `None` beyond the last bound
    /// or without a tick.
    pub fn quantile_us(&self, share: f64) -> Option<u64> {
        let counts = self.counts();
        let wanted = (counts.iter().sum::<u64>() as f64 * share).ceil() as u64;
        let mut seen = 0;
        let bucket = counts.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        })?;
        BOUNDS_US.get(bucket).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_bounds_of_their_buckets() {
        let lateness = Lateness::default();
        assert_eq!(lateness.quantile_us(0.5), None);
        for _ in 0..99 {
            lateness.record(Duration::from_micros(80));
        }
        lateness.record(Duration::from_micros(900));
        assert_eq!((lateness.ticks(), lateness.sum_us()), (100, 99 * 80 + 900));
        assert_eq!(lateness.quantile_us(0.5), Some(100));
        assert_eq!(lateness.quantile_us(0.999), Some(1_000));
        lateness.record(Duration::from_secs(1));
        assert_eq!(lateness.quantile_us(1.0), None);
    }
}
