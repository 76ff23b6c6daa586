//! Two ends in memory, on a network that loses, repeats and turns round, and strangers on it.

mod checks;
mod full;
mod garbage;
mod handshakes;
mod race;
mod routers;

use super::*;
use crate::base::Entropy;
use crate::base::Private;
use crate::base::handshake::{Fingerprints, IceCredentials, IceTerms};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Certificates take time to make, and two serve all tests.
fn identity(end: usize) -> Arc<Identity> {
    static ALL: std::sync::OnceLock<[Arc<Identity>; 3]> = std::sync::OnceLock::new();
    let all = ALL.get_or_init(|| [0, 1, 2].map(|_| Arc::new(Identity::new().unwrap())));
    Arc::clone(&all[end])
}

const ADDRESSES: [&str; 2] = ["192.0.2.1:4000", "192.0.2.2:5000"];

/// What end 0 or 1 has agreed on; the other one's certificate is that of `peer`.
fn terms(end: usize, setup: Setup, peer: usize) -> Terms {
    let remote = Private::new(address(ADDRESSES[1 - end]));
    Terms {
        setup,
        fingerprints: Fingerprints::new([identity(peer).fingerprint().clone()]),
        tls_id: None,
        ice: None,
        remote: remote.clone(),
        remote_rtcp: remote,
        rtcp_mux: true,
    }
}

/// One end and what came of it.
struct End {
    association: Association,
    deadline: Option<Instant>,
    keys: Option<Keying>,
    fault: Option<Fault>,
    /// The other end has said that nothing more comes.
    is_closed: bool,
    route: Route,
    doors: Vec<SocketAddr>,
    sent: usize,
}

impl End {
    fn new(now: Instant, end: usize, terms: Terms) -> Self {
        let entropy = Entropy::new([end as u8; 32]);
        let association = Association::new(now, identity(end), Component::Rtp, terms, entropy);
        let route = Route::default();
        let doors = Vec::new();
        let (keys, fault, is_closed) = (None, None, false);
        Self { association, deadline: None, keys, fault, is_closed, route, doors, sent: 0 }
    }

    /// What it sends.
    fn drain(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut sent = Vec::new();
        loop {
            match self.association.poll_output() {
                Output::Datagram { to, bytes } => sent.push((to, bytes)),
                Output::Route(route) => self.route = *route,
                Output::Door(peer) => self.doors.push(peer),
                Output::Keys(keying) => {
                    assert!(self.keys.is_none(), "told once");
                    self.keys = Some(*keying);
                }
                Output::Failed(fault) => self.fault = Some(fault),
                Output::Closed => self.is_closed = true,
                Output::Timeout(at) => {
                    self.deadline = at;
                    self.sent += sent.len();
                    return sent;
                }
            }
        }
    }
}

/// What a network does to datagrams, by the hundred.
#[derive(Clone, Copy, Default)]
struct Weather {
    lost: u16,
    repeated: u16,
    late: u16,
}

/// Both ends and the datagrams between them.
struct Net {
    now: Instant,
    ends: [End; 2],
    flying: Vec<(Instant, usize, SocketAddr, Vec<u8>)>,
    weather: Weather,
    chance: Entropy,
}

impl Net {
    fn new(terms: [Terms; 2], weather: Weather, seed: u8) -> Self {
        let now = Instant::now();
        let [a, b] = terms;
        let ends = [End::new(now, 0, a), End::new(now, 1, b)];
        let chance = Entropy::new([seed; 32]);
        let mut net = Self { now, ends, flying: Vec::new(), weather, chance };
        net.collect();
        net
    }

    fn percent(&mut self) -> u16 {
        self.chance.next_u16() % 100
    }

    fn collect(&mut self) {
        for end in [0, 1] {
            for (to, bytes) in self.ends[end].drain() {
                let other = ADDRESSES.iter().position(|known| address(known) == to);
                let Some(other) = other.filter(|other| *other != end) else { continue };
                if self.percent() < self.weather.lost {
                    continue;
                }
                let copies = 1 + usize::from(self.percent() < self.weather.repeated);
                for _ in 0..copies {
                    let late = self.percent() < self.weather.late;
                    let delay = if late { 5 + u32::from(self.percent()) } else { 10 };
                    let at = self.now + MS * delay;
                    self.flying.push((at, other, address(ADDRESSES[end]), bytes.clone()));
                }
            }
        }
    }

    /// Until both have keys or have given up, or for so long.
    fn run(&mut self, most: Duration) {
        let end = self.now + most;
        loop {
            let is_over = |end: &End| end.keys.is_some() || end.fault.is_some();
            if self.ends.iter().all(is_over) {
                return;
            }
            let flying = self.flying.iter().map(|(at, ..)| *at);
            let timers = self.ends.iter().filter_map(|end| end.deadline);
            let Some(next) = flying.chain(timers).min().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            let now = self.now;
            let (due, later) =
                std::mem::take(&mut self.flying).into_iter().partition(|f| f.0 <= now);
            self.flying = later;
            let due: Vec<(Instant, usize, SocketAddr, Vec<u8>)> = due;
            for (_, to, from, bytes) in due {
                self.ends[to].association.receive(now, from, &bytes);
            }
            for end in &mut self.ends {
                if end.deadline.is_some_and(|at| at <= now) {
                    end.association.timeout(now);
                }
            }
            self.collect();
        }
    }

    /// Both have the same keys.
    fn is_secure(&self) -> bool {
        let [a, b] = &self.ends;
        a.keys.as_ref().zip(b.keys.as_ref()).is_some_and(|(a, b)| {
            a.suite == b.suite && a.tx == b.rx && a.rx == b.tx && a.tx != a.rx
        })
    }
}

fn ice_terms(end: usize) -> IceTerms {
    let both = ["left", "right"].map(|name| IceCredentials {
        fragment: name.to_owned(),
        password: Private::new(format!("{name}-password-of-22-characters")),
    });
    let [left, right] = both;
    if end == 0 {
        IceTerms { ours: left, theirs: right, full: None }
    } else {
        IceTerms { ours: right, theirs: left, full: None }
    }
}
