//! How much one source address may ask for: a token bucket for each address in a bounded table.
//!
//! Only requests outside any dialog pay; what belongs to a call that was let in is free. A source
//! above its share is dropped without an answer, so that a forged source is not flooded by us.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::base::limits;

/// Token buckets by source address.
///
/// Invariant: `by_age` holds each source of `sources` once, under the time it was last seen.
#[derive(Debug)]
pub struct RateLimiter {
    sources: HashMap<IpAddr, Bucket>,
    by_age: BTreeSet<(Instant, IpAddr)>,
    per_second: u32,
    capacity: usize,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// In thousandths of a request.
    tokens_milli: u64,
    seen_at: Instant,
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::new(limits::SIP_NEW_DIALOGS_PER_SOURCE_PER_SECOND, limits::SIP_SOURCES)
    }
}

impl RateLimiter {
    /// `per_second` requests a second from one source, with bursts of as many; `capacity` sources
    /// are remembered.
    pub fn new(per_second: u32, capacity: usize) -> Self {
        Self { sources: HashMap::new(), by_age: BTreeSet::new(), per_second, capacity }
    }

    /// Whether `source` may ask for one more thing now; if so, it has.
    pub fn admit(&mut self, now: Instant, source: IpAddr) -> bool {
        let source = network_of(source);
        let full_milli = u64::from(self.per_second) * 1000;
        let mut bucket = match self.sources.get(&source) {
            Some(bucket) => {
                self.by_age.remove(&(bucket.seen_at, source));
                let gained_milli = milli_tokens(now - bucket.seen_at, self.per_second);
                let tokens_milli = (bucket.tokens_milli + gained_milli).min(full_milli);
                Bucket { tokens_milli, seen_at: now }
            }
            None => {
                self.make_room();
                Bucket { tokens_milli: full_milli, seen_at: now }
            }
        };
        let admitted = bucket.tokens_milli >= 1000;
        if admitted {
            bucket.tokens_milli -= 1000;
        }
        self.sources.insert(source, bucket);
        self.by_age.insert((now, source));
        admitted
    }

    /// Sources remembered.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    fn make_room(&mut self) {
        while self.sources.len() >= self.capacity {
            let Some((_, oldest)) = self.by_age.pop_first() else { return };
            self.sources.remove(&oldest);
        }
    }
}

/// Whoever holds an IPv6 address holds its /64, so that is what counts as one source.
fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

fn milli_tokens(elapsed: Duration, per_second: u32) -> u64 {
    let elapsed_ms = elapsed.as_millis().min(1_000_000) as u64;
    elapsed_ms * u64::from(per_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn a_source_gets_its_share_each_second_and_the_others_theirs() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(5, 10);
        for (ms, source, asked, admitted) in
            [(0, 1, 8, 5), (0, 2, 5, 5), (200, 1, 3, 1), (1000, 1, 9, 4), (60_000, 1, 9, 5)]
        {
            let now = start + Duration::from_millis(ms);
            let count = (0..asked).filter(|_| limiter.admit(now, address(source))).count();
            assert_eq!(count, admitted, "{ms} ms, source {source}");
        }
    }

    #[test]
    fn the_oldest_source_is_forgotten_when_the_table_is_full() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(1, 3);
        for n in 0..4 {
            let now = start + Duration::from_millis(n.into());
            assert!(limiter.admit(now, address(n)));
        }
        assert_eq!(limiter.len(), 3);
        let now = start + Duration::from_millis(5);
        assert!(!limiter.admit(now, address(3)), "still known");
        assert!(limiter.admit(now, address(0)), "forgotten, so its bucket is full");
    }

    #[test]
    fn one_ipv6_network_is_one_source() {
        let now = Instant::now();
        let mut limiter = RateLimiter::new(1, 10);
        assert!(limiter.admit(now, "2001:db8::1".parse().unwrap()));
        assert!(!limiter.admit(now, "2001:db8::2".parse().unwrap()));
        assert!(limiter.admit(now, "2001:db8:0:1::2".parse().unwrap()));
    }
}
