//! The lite side of ICE (RFC 8445): checks are answered, and whoever knows our password is where it says.
//!
//! The peer is the full side and decides; we follow its nomination, and until there is one send to the
//! first source that was validated. Consent is the same thing seen from here (RFC 7675): a source that
//! makes no check any more is not sent to. Telephones that know no RFC 7675 keep their path open with
//! indications, or with nothing but their sound (RFC 8445 section 11): both count, once a source is validated.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rtc_stun::crypto::RTCCryptoProvider;

use super::Before;
use super::message::{self, Answer, Asked, Heard, Role};
use crate::base::handshake::{IceTerms, ROUTE_SOURCES, Route};
use crate::base::limits;

pub(in crate::association) struct Lite {
    terms: IceTerms,
    crypto: Arc<dyn RTCCryptoProvider>,
    /// In the order in which they were validated.
    sources: Vec<Source>,
    nominated: Option<SocketAddr>,
    /// Those of the session before, which count until this one has found somebody, or for as long as
    /// they are heard.
    before: Before,
}

#[derive(Clone, Copy)]
struct Source {
    address: SocketAddr,
    checked: Instant,
}

impl std::fmt::Debug for Lite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lite({} sources)", self.sources.len())
    }
}

impl Lite {
    pub fn new(terms: IceTerms, crypto: Arc<dyn RTCCryptoProvider>) -> Self {
        Self { terms, crypto, sources: Vec::new(), nominated: None, before: None }
    }

    /// Other names and passwords begin a new session; the old way is used until there is a new one.
    pub fn agree(&mut self, now: Instant, terms: &IceTerms) {
        if !self.is_of(terms) {
            let until = now + limits::ICE_CONSENT;
            let route = self.route();
            self.terms = terms.clone();
            self.sources.clear();
            self.nominated = None;
            self.before = route.to.map(|_| (route, until));
        }
    }

    /// Whether this is the session with these names and passwords.
    pub fn is_of(&self, terms: &IceTerms) -> bool {
        self.terms == *terms
    }

    /// Goes on from the way of another side.
    pub fn follow(&mut self, before: Before) {
        self.before = before;
    }

    /// Something of the peer's came from there that is no check. It finds nobody.
    pub fn hear(&mut self, now: Instant, from: SocketAddr) {
        if let Some(source) = self.sources.iter_mut().find(|source| source.address == from) {
            source.checked = now;
        } else if let Some((route, until)) = &mut self.before
            && route.has_source(from)
        {
            *until = now + limits::ICE_CONSENT;
        }
    }

    pub fn route(&self) -> Route {
        let Some(first) = self.sources.first() else {
            return self.before.map(|(route, _)| route).unwrap_or_default();
        };
        let mut route = Route::default();
        for (place, source) in route.sources.iter_mut().zip(&self.sources) {
            *place = Some(source.address);
        }
        route.to = Some(self.nominated.unwrap_or(first.address));
        route
    }

    /// When a source is given up.
    pub fn deadline(&self) -> Option<Instant> {
        let sources = self.sources.iter().map(|source| source.checked + limits::ICE_CONSENT);
        sources.chain(self.before.map(|(_, until)| until)).min()
    }

    /// Whoever has not asked for too long wants nothing any more.
    pub fn timeout(&mut self, now: Instant) {
        self.sources.retain(|source| now < source.checked + limits::ICE_CONSENT);
        let is_there = |at: &SocketAddr| self.sources.iter().any(|source| source.address == *at);
        self.nominated = self.nominated.filter(is_there);
        self.before = self.before.filter(|(_, until)| now < *until);
    }

    /// Takes a STUN message; gives what it is answered with.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut request = match Heard::of(bytes)? {
            Heard::Request(request) => request,
            Heard::Indication => {
                self.hear(now, from);
                return None;
            }
            // There is nothing that we have asked.
            Heard::Response(_) => return None,
        };
        let crypto = self.crypto.as_ref();
        let answer = match message::judge(&mut request, &self.terms, crypto)? {
            Ok(Asked { role: Role::Controlling(_), is_nominating, .. }) => {
                self.validate(now, from, is_nominating);
                Answer::Success
            }
            // Only a full side controls: another one that does not has to take its place.
            Ok(Asked { role: Role::Controlled(_), .. }) => Answer::CONFLICT,
            Err(answer) => answer,
        };
        message::respond(&request, from, &answer, &self.terms, self.crypto.as_ref())
    }

    fn validate(&mut self, now: Instant, from: SocketAddr, is_nominated: bool) {
        match self.sources.iter_mut().find(|source| source.address == from) {
            Some(source) => source.checked = now,
            None => {
                if self.sources.len() >= ROUTE_SOURCES {
                    let oldest = self.sources.iter().enumerate();
                    let oldest = oldest.filter(|(_, s)| Some(s.address) != self.nominated);
                    let oldest = oldest.min_by_key(|(_, source)| source.checked);
                    oldest.map(|(at, _)| at).into_iter().for_each(|at| {
                        self.sources.remove(at);
                    });
                }
                self.sources.push(Source { address: from, checked: now });
            }
        }
        if is_nominated {
            self.nominated = Some(from);
        }
        self.before = None;
    }
}
