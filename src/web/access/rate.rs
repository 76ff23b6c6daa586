//! How often one may ask: a token bucket for each caller, and a smaller one for each address that shows wrong tokens.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// What a bucket holds when it is full, and what flows into it.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub burst: u32,
    pub per_second: f64,
}

/// Buckets by whoever is counted. Full ones are forgotten, so that only who has asked lately takes room.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    most: usize,
    filled: HashMap<K, (f64, Instant)>,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    /// At most `most` buckets are kept.
    pub fn new(rate: Rate, most: usize) -> Self {
        Self { rate, most, filled: HashMap::new() }
    }

    /// Takes one out of the bucket; else says after how long there is one.
    pub fn take(&mut self, now: Instant, who: &K) -> Result<(), Duration> {
        let level = self.level(now, who);
        if level < 1.0 {
            let missing = (1.0 - level) / self.rate.per_second;
            return Err(Duration::from_secs_f64(missing));
        }
        if self.filled.len() >= self.most && !self.filled.contains_key(who) {
            self.make_room(now);
        }
        self.filled.insert(who.clone(), (level - 1.0, now));
        Ok(())
    }

    fn level(&self, now: Instant, who: &K) -> f64 {
        let burst = f64::from(self.rate.burst);
        self.filled.get(who).map_or(burst, |(level, at)| {
            let since = now.saturating_duration_since(*at).as_secs_f64();
            (level + since * self.rate.per_second).min(burst)
        })
    }

    /// The full ones go; where none is full, the fullest.
    fn make_room(&mut self, now: Instant) {
        let burst = f64::from(self.rate.burst);
        let levels: Vec<(K, f64)> =
            self.filled.keys().map(|who| (who.clone(), self.level(now, who))).collect();
        let fullest = levels.iter().map(|(_, level)| *level).fold(0.0, f64::max).min(burst);
        for (who, _) in levels.into_iter().filter(|(_, level)| *level >= fullest) {
            self.filled.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_fills_and_says_when() {
        let mut buckets = Buckets::new(Rate { burst: 3, per_second: 2.0 }, 10);
        let now = Instant::now();
        for _ in 0..3 {
            assert_eq!(buckets.take(now, &"a"), Ok(()));
        }
        assert_eq!(buckets.take(now, &"a"), Err(Duration::from_millis(500)));
        assert_eq!(buckets.take(now, &"b"), Ok(()));
        assert_eq!(buckets.take(now + Duration::from_millis(500), &"a"), Ok(()));
        let later = now + Duration::from_secs(60);
        for _ in 0..3 {
            assert_eq!(buckets.take(later, &"a"), Ok(()));
        }
        assert!(buckets.take(later, &"a").is_err());
    }

    #[test]
    fn a_flood_of_addresses_takes_bounded_room_and_frees_nobody_who_is_out() {
        let mut buckets = Buckets::new(Rate { burst: 2, per_second: 1.0 }, 4);
        let now = Instant::now();
        for _ in 0..2 {
            buckets.take(now, &0).unwrap();
        }
        for who in 1..100 {
            buckets.take(now, &who).unwrap();
            assert!(buckets.filled.len() <= 4);
        }
        assert!(buckets.take(now, &0).is_err());
    }
}
