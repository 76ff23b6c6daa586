//! Two ends behind routers, each with the addresses that its router gives it, and a relay.

use super::*;
use crate::base::handshake::{Candidate, CandidateKind, FullIce};
use std::collections::{HashMap, HashSet};

/// How a router changes ports (RFC 4787 section 4.1). Each lets in only what was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mapping {
    /// The same for all destinations.
    Cone,
    /// Another one for each.
    Symmetric,
}

pub(super) struct Router {
    public: &'static str,
    mapping: Mapping,
    ports: HashMap<Option<SocketAddr>, u16>,
    next: u16,
    asked: HashSet<(u16, SocketAddr)>,
}

impl Router {
    pub fn new(public: &'static str, mapping: Mapping) -> Option<Self> {
        let (ports, asked) = (HashMap::new(), HashSet::new());
        Some(Self { public, mapping, ports, next: 40_000, asked })
    }

    /// As what a datagram to there leaves.
    fn leave(&mut self, to: SocketAddr) -> SocketAddr {
        let key = (self.mapping == Mapping::Symmetric).then_some(to);
        let next = &mut self.next;
        let port = *self.ports.entry(key).or_insert_with(|| {
            *next += 1;
            *next
        });
        self.asked.insert((port, to));
        SocketAddr::new(self.public.parse().unwrap(), port)
    }

    fn lets_in(&self, from: SocketAddr, to: SocketAddr) -> bool {
        to.ip() == address(&format!("{}:1", self.public)).ip()
            && self.asked.contains(&(to.port(), from))
    }

    /// It was switched off and on.
    pub fn forget(&mut self) {
        self.ports.clear();
        self.asked.clear();
    }
}

/// Where one end is.
pub(super) struct Place {
    pub end: End,
    /// Its addresses, the first being where it sends from.
    pub inside: Vec<SocketAddr>,
    pub router: Option<Router>,
    /// A relay's address for it, and its doors: the peer, and the door.
    relay: Option<SocketAddr>,
    doors: Vec<(SocketAddr, SocketAddr)>,
    /// Where others have reached it: what it answers leaves from there, as by the interface of its network.
    reached: HashMap<SocketAddr, SocketAddr>,
}

pub(super) struct World {
    pub now: Instant,
    pub places: [Place; 2],
    flying: Vec<(Instant, usize, SocketAddr, Vec<u8>)>,
    pub lost: u16,
    /// Datagrams to there are lost.
    pub cut: HashSet<SocketAddr>,
    chance: Entropy,
}

/// What one end is like.
pub(super) struct Site {
    pub inside: &'static [&'static str],
    pub router: Option<Router>,
    /// Whether it tells where a STUN server sees it.
    pub knows_outside: bool,
    pub has_relay: bool,
    /// `None`: the lite side.
    pub controls: Option<bool>,
}

impl Site {
    pub fn open(inside: &'static [&'static str], controls: Option<bool>) -> Self {
        Self { inside, router: None, knows_outside: false, has_relay: false, controls }
    }

    fn candidates(&mut self, end: usize) -> Vec<Candidate> {
        let hosts = self.inside.iter().zip((0..=u16::MAX).rev());
        let mut all: Vec<Candidate> = hosts
            .map(|(at, preference)| Candidate::new(CandidateKind::Host, preference, 1, address(at)))
            .collect();
        if let Some(router) = self.router.as_mut().filter(|_| self.knows_outside) {
            let seen = router.leave(address("198.51.100.200:3478"));
            all.push(Candidate::new(CandidateKind::ServerReflexive, 65_535, 1, seen));
        }
        if self.has_relay {
            all.push(Candidate::new(CandidateKind::Relayed, 65_535, 1, relay(end)));
        }
        all
    }
}

fn relay(end: usize) -> SocketAddr {
    address(["198.51.100.1:7000", "198.51.100.2:7000"][end])
}

/// The session of this number.
pub(super) fn session(end: usize, number: usize, full: Option<FullIce>) -> IceTerms {
    let mut ice = ice_terms(end);
    ice.ours.fragment.push_str(&number.to_string());
    ice.theirs.fragment.push_str(&number.to_string());
    IceTerms { full, ..ice }
}

impl World {
    pub fn new(mut sites: [Site; 2], seed: u8) -> Self {
        let now = Instant::now();
        let all = [0, 1].map(|end| sites[end].candidates(end));
        let places = [0, 1].map(|end| {
            let site = &mut sites[end];
            let full = site.controls.map(|is_controlling| FullIce {
                is_controlling,
                local: all[end].clone(),
                remote: all[1 - end].clone(),
            });
            let setup = if end == 0 { Setup::Active } else { Setup::Passive };
            let terms = Terms { ice: Some(session(end, 0, full)), ..terms(end, setup, 1 - end) };
            Place {
                end: End::new(now, end, terms),
                inside: site.inside.iter().map(|at| address(at)).collect(),
                router: site.router.take(),
                relay: site.has_relay.then(|| relay(end)),
                doors: Vec::new(),
                reached: HashMap::new(),
            }
        });
        let (flying, cut) = (Vec::new(), HashSet::new());
        let chance = Entropy::new([seed; 32]);
        let mut world = Self { now, places, flying, lost: 0, cut, chance };
        world.collect();
        world
    }

    /// A datagram of `end` in the open network: where it arrives, and as what.
    fn carry(&mut self, end: usize, to: SocketAddr) -> Option<(usize, SocketAddr)> {
        let place = &mut self.places[end];
        let from = if let Some((peer, _)) = place.doors.iter().find(|(_, door)| *door == to) {
            let (peer, from) = (*peer, place.relay?);
            return self.arrive(1 - end, from, peer);
        } else {
            match &mut place.router {
                Some(router) => router.leave(to),
                None => place.reached.get(&to).copied().unwrap_or(place.inside[0]),
            }
        };
        self.arrive(1 - end, from, to)
    }

    fn arrive(
        &mut self,
        end: usize,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Option<(usize, SocketAddr)> {
        if self.cut.contains(&to) {
            return None;
        }
        let place = &mut self.places[end];
        if place.relay == Some(to) {
            let door = place.doors.iter().find(|(peer, _)| *peer == from)?;
            return Some((end, door.1));
        }
        let is_there = match &place.router {
            Some(router) => router.lets_in(from, to),
            None => place.inside.contains(&to),
        };
        place.reached.insert(from, to);
        is_there.then_some((end, from))
    }

    pub fn collect(&mut self) {
        for end in [0, 1] {
            for (to, bytes) in self.places[end].end.drain() {
                let is_lost = self.chance.next_u16() % 100 < self.lost;
                if let Some((other, from)) = self.carry(end, to).filter(|_| !is_lost) {
                    self.flying.push((self.now + MS * 15, other, from, bytes));
                }
            }
            for peer in std::mem::take(&mut self.places[end].end.doors) {
                let place = &mut self.places[end];
                let door = SocketAddr::from(([127, 0, 0, 1], 9_000 + place.doors.len() as u16));
                place.doors.push((peer, door));
                place.end.association.add_door(self.now, peer, door);
            }
        }
    }

    /// For so long, or until this is so.
    pub fn run(&mut self, most: Duration, is_over: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + most;
        while !is_over(self) {
            let flying = self.flying.iter().map(|(at, ..)| *at);
            let timers = self.places.iter().filter_map(|place| place.end.deadline);
            let Some(next) = flying.chain(timers).min().filter(|at| *at <= end) else {
                self.now = end;
                return is_over(self);
            };
            self.now = self.now.max(next);
            let now = self.now;
            let flying = std::mem::take(&mut self.flying);
            let (due, later): (Vec<_>, Vec<_>) = flying.into_iter().partition(|f| f.0 <= now);
            self.flying = later;
            for (_, to, from, bytes) in due {
                self.places[to].end.association.receive(now, from, &bytes);
            }
            for place in &mut self.places {
                if place.end.deadline.is_some_and(|at| at <= now) {
                    place.end.association.timeout(now);
                }
            }
            self.collect();
        }
        true
    }

    pub fn ends(&self) -> [&End; 2] {
        self.places.each_ref().map(|place| &place.end)
    }

    /// Both have the same keys.
    pub fn is_secure(&self) -> bool {
        let [a, b] = self.ends();
        a.keys.as_ref().zip(b.keys.as_ref()).is_some_and(|(a, b)| a.tx == b.rx && a.rx == b.tx)
    }

    pub fn is_open(&self) -> bool {
        self.ends().iter().all(|end| end.route.to.is_some())
    }

    /// Both send to where the other one is heard from.
    pub fn agrees(&mut self) -> bool {
        [0, 1].into_iter().all(|end| {
            let Some(to) = self.places[end].end.route.to else { return false };
            let arrived = self.carry(end, to);
            arrived.is_some_and(|(other, from)| self.places[other].end.route.has_source(from))
        })
    }
}
