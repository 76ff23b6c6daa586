//! The way to the peer (RFC 8445), for one component: as the lite side, which answers checks, or as the full
//! one, which makes them too.
//!
//! Both hear only sources that have shown that they know our password, or have answered a check of ours under
//! theirs, and send to one of these; to nobody who is silent for too long (RFC 7675).

mod check_list;
mod full;
pub(super) mod lite;
mod message;

pub(super) use full::Full;
pub(super) use lite::Lite;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rtc_stun::crypto::RTCCryptoProvider;

use crate::base::handshake::{Candidate, IceTerms, Route};
use crate::base::{Entropy, limits};

pub(super) enum Ice {
    Lite(Box<Lite>),
    Full(Box<Full>),
}

/// The way of the session before, and until when it counts.
type Before = Option<(Route, Instant)>;

impl Ice {
    pub fn new(
        now: Instant,
        terms: IceTerms,
        component: u8,
        crypto: Arc<dyn RTCCryptoProvider>,
        entropy: Entropy,
    ) -> Self {
        match terms.full {
            Some(_) => Self::Full(Box::new(Full::new(now, terms, component, crypto, entropy))),
            None => Self::Lite(Box::new(Lite::new(terms, crypto))),
        }
    }

    /// Whether these are terms for this side of ICE.
    pub fn has_side_of(&self, terms: &IceTerms) -> bool {
        matches!(self, Self::Full(_)) == terms.full.is_some()
    }

    /// Other names and passwords begin a new session; the old way is used until there is a new one. Other
    /// candidates are added to those that are known.
    pub fn agree(&mut self, now: Instant, terms: &IceTerms) {
        match self {
            Self::Lite(lite) => lite.agree(now, terms),
            Self::Full(full) => full.agree(now, terms),
        }
    }

    /// Goes on from the way of another side.
    pub fn follow(&mut self, now: Instant, route: Route) {
        let before = route.to.map(|_| (route, now + limits::ICE_CONSENT));
        match self {
            Self::Lite(lite) => lite.follow(before),
            Self::Full(full) => full.follow(before),
        }
    }

    /// Whether this is the session with these names and passwords.
    pub fn is_of(&self, terms: &IceTerms) -> bool {
        match self {
            Self::Lite(lite) => lite.is_of(terms),
            Self::Full(full) => full.is_of(terms),
        }
    }

    /// Something of the peer's came from there that is no check. It finds nobody.
    pub fn hear(&mut self, now: Instant, from: SocketAddr) {
        match self {
            Self::Lite(lite) => lite.hear(now, from),
            Self::Full(full) => full.hear(now, from),
        }
    }

    /// Takes a STUN message; gives what it is answered with.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Lite(lite) => lite.receive(now, from, bytes),
            Self::Full(full) => full.receive(now, from, bytes),
        }
    }

    /// Candidates that the peer has told later on.
    pub fn add_candidates(&mut self, now: Instant, candidates: &[Candidate]) {
        if let Self::Full(full) = self {
            full.add_candidates(now, candidates);
        }
    }

    /// What goes to `through` a relay of ours passes on to `peer`.
    pub fn add_door(&mut self, now: Instant, peer: SocketAddr, through: SocketAddr) {
        if let Self::Full(full) = self {
            full.add_door(now, peer, through);
        }
    }

    /// The next of the peer's addresses that a relay of ours is to open a door to.
    pub fn poll_door(&mut self) -> Option<SocketAddr> {
        match self {
            Self::Lite(_) => None,
            Self::Full(full) => full.poll_door(),
        }
    }

    /// The next check to be sent.
    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        match self {
            Self::Lite(_) => None,
            Self::Full(full) => full.poll_transmit(),
        }
    }

    pub fn route(&self) -> Route {
        match self {
            Self::Lite(lite) => lite.route(),
            Self::Full(full) => full.route(),
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Lite(lite) => lite.deadline(),
            Self::Full(full) => full.deadline(),
        }
    }

    pub fn timeout(&mut self, now: Instant) {
        match self {
            Self::Lite(lite) => lite.timeout(now),
            Self::Full(full) => full.timeout(now),
        }
    }
}
