//! Time of small pieces of work: the median of many batches, which a busy machine hardly moves.

use std::time::{Duration, Instant};

const BATCHES: usize = 41;
/// A batch is long against the clock's own steps and short against a time slice.
const BATCH: Duration = Duration::from_millis(2);

/// Nanoseconds that `work` takes.
pub fn nanoseconds(mut work: impl FnMut()) -> f64 {
    let mut repeats: u32 = 1;
    loop {
        let took = timed(&mut || (0..repeats).for_each(|_| work()));
        if took >= BATCH {
            break;
        }
        repeats = repeats.saturating_mul(2);
    }
    let batches = (0..BATCHES).map(|_| {
        let took = timed(&mut || (0..repeats).for_each(|_| work()));
        took.as_nanos() as f64 / f64::from(repeats)
    });
    median(batches.collect()).unwrap_or(0.0)
}

pub fn timed(work: &mut impl FnMut()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

pub fn median(values: Vec<f64>) -> Option<f64> {
    percentile(values, 50)
}

/// By nearest rank: a value that occurred.
pub fn percentile(mut values: Vec<f64>, percent: usize) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100).max(1);
    values.get(rank - 1).copied()
}
