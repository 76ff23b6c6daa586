//! Who may ask for something, and how much one source address, or one call, may ask for: token
//! buckets, those of addresses in a bounded table.
//!
//! A source above its share is dropped without an answer, so that a forged source is not flooded by
//! us.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::base::limits;

/// Addresses that begin with the same bits, as `192.0.2.0/24` writes them (RFC 4632 section 3.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// `None` with more bits than an address has, or with bits set behind them.
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let network = Self { address, bits };
        let is_sound = bits <= width(address) && network.cut(address) == number(address);
        is_sound.then_some(network)
    }

    /// This address alone.
    pub const fn one(address: IpAddr) -> Self {
        Self { address, bits: width(address) }
    }

    /// Reads `ADDRESS` or `ADDRESS/BITS`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            Some((address, bits)) => {
                let is_plain = bits.bytes().all(|byte| byte.is_ascii_digit());
                Self::new(address.parse().ok()?, is_plain.then(|| bits.parse().ok()).flatten()?)
            }
            None => Some(Self::one(text.parse::<IpAddr>().ok()?.to_canonical())),
        }
    }

    pub fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && self.cut(address) == number(self.address)
    }

    /// The bits that count, in their places.
    fn cut(&self, address: IpAddr) -> u128 {
        let free = u32::from(width(address) - self.bits.min(width(address)));
        let mask = u128::MAX.checked_shl(free).unwrap_or(0);
        number(address) & mask
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network(/{})", self.bits)
    }
}

/// Whose new requests are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sources {
    Anyone,
    Of(Vec<Network>),
}

impl Sources {
    pub fn admit(&self, source: IpAddr) -> bool {
        match self {
            Self::Anyone => true,
            Self::Of(networks) => networks.iter().any(|network| network.holds(source)),
        }
    }
}

/// How fast a [`TokenBucket`] fills, and how much it holds.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub per_second: u32,
    /// What may come at once after a rest.
    pub burst: u32,
}

impl Rate {
    /// The time that one token takes.
    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }
}

/// Lets `burst` things pass at once and `per_second` over time. Full at first.
///
/// Kept as the moment at which it will be full again, so that nothing is lost to rounding however
/// often it is asked.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    rate: Rate,
    full_at: Option<Instant>,
}

impl TokenBucket {
    pub const fn new(rate: Rate) -> Self {
        Self { rate, full_at: None }
    }

    /// Whether one more thing may pass now; if so, it has.
    pub fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        let interval = self.rate.interval();
        let admitted = full_at - now <= interval * self.rate.burst.saturating_sub(1);
        if admitted {
            self.full_at = Some(full_at + interval);
        }
        admitted
    }
}

/// Token buckets by source address.
///
/// Invariant: `by_age` holds each source of `sources` once, under the time it was last seen.
#[derive(Debug)]
pub struct RateLimiter {
    sources: HashMap<IpAddr, Source>,
    by_age: BTreeSet<(Instant, IpAddr)>,
    rate: Rate,
    capacity: usize,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    bucket: TokenBucket,
    seen_at: Instant,
}

impl RateLimiter {
    /// `rate` for each source; `capacity` sources are remembered.
    pub fn new(rate: Rate, capacity: usize) -> Self {
        Self { sources: HashMap::new(), by_age: BTreeSet::new(), rate, capacity }
    }

    /// For requests that begin calls, or belong to calls that we do not know.
    pub fn of_calls() -> Self {
        let per_second = limits::SIP_NEW_DIALOGS_PER_SOURCE_PER_SECOND;
        Self::new(Rate { per_second, burst: per_second }, limits::SIP_SOURCES)
    }

    /// For requests that have nothing to do with a call.
    pub fn of_probes() -> Self {
        let per_second = limits::SIP_PROBES_PER_SOURCE_PER_SECOND;
        let burst = limits::SIP_PROBES_PER_SOURCE_BURST;
        Self::new(Rate { per_second, burst }, limits::SIP_SOURCES)
    }

    /// Whether `source` may ask for one more thing now; if so, it has.
    pub fn admit(&mut self, now: Instant, source: IpAddr) -> bool {
        let source = network_of(source);
        let mut bucket = match self.sources.get(&source) {
            Some(known) => {
                self.by_age.remove(&(known.seen_at, source));
                known.bucket
            }
            None => {
                self.make_room();
                TokenBucket::new(self.rate)
            }
        };
        let admitted = bucket.take(now);
        self.sources.insert(source, Source { bucket, seen_at: now });
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
pub fn network_of(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    fn limiter(per_second: u32, capacity: usize) -> RateLimiter {
        RateLimiter::new(Rate { per_second, burst: per_second }, capacity)
    }

    #[test]
    fn a_bucket_that_is_asked_all_the_time_still_fills() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(Rate { per_second: 20, burst: 40 });
        let asked = (0..50_000).map(|n| start + Duration::from_micros(200) * n);
        let admitted = asked.filter(|now| bucket.take(*now)).count();
        assert_eq!(admitted, 40 + 199, "in 10 s");
    }

    #[test]
    fn a_source_gets_its_share_each_second_and_the_others_theirs() {
        let start = Instant::now();
        let mut limiter = limiter(5, 10);
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
        let mut limiter = limiter(1, 3);
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
    fn a_network_holds_the_addresses_that_begin_as_it_does() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.7", "::ffff:192.0.2.7", "::7"),
            ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
        ] {
            let network = Network::parse(network).unwrap();
            assert!(network.holds(ip(inside)), "{inside}");
            assert!(!network.holds(ip(outside)), "{outside}");
        }
        for wrong in ["", "192.0.2.1/24", "192.0.2.0/33", "2001:db8::/129", "host/8", "1.2.3.4/"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Network::parse("1.2.3.4/+8"), None);
    }

    #[test]
    fn one_ipv6_network_is_one_source() {
        let now = Instant::now();
        let mut limiter = limiter(1, 10);
        assert!(limiter.admit(now, "2001:db8::1".parse().unwrap()));
        assert!(!limiter.admit(now, "2001:db8::2".parse().unwrap()));
        assert!(limiter.admit(now, "2001:db8:0:1::2".parse().unwrap()));
    }
}
