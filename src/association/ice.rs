//! The lite side of ICE (RFC 8445): checks are answered, and whoever knows our password is where it says.
//!
//! The peer is the full side and decides; we follow its nomination, and until there is one send to the
//! first source that was validated. Consent is the same thing seen from here (RFC 7675): a source that
//! makes no check any more is not sent to. Telephones that know no RFC 7675 keep their path open with
//! indications, or with nothing but their sound (RFC 8445 section 11): both count, once a source is validated.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rtc_stun::attributes::{
    ATTR_ICE_CONTROLLED, ATTR_ICE_CONTROLLING, ATTR_MESSAGE_INTEGRITY, ATTR_PRIORITY,
    ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType,
};
use rtc_stun::crypto::RTCCryptoProvider;
use rtc_stun::error_code::{
    CODE_BAD_REQUEST, CODE_ROLE_CONFLICT, CODE_UNAUTHORIZED, CODE_UNKNOWN_ATTRIBUTE, ErrorCode,
};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{
    BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, CLASS_INDICATION, MESSAGE_HEADER_SIZE,
    METHOD_BINDING, Message, Setter,
};
use rtc_stun::uattrs::UnknownAttributes;
use rtc_stun::xoraddr::XorMappedAddress;

use crate::base::handshake::{IceTerms, ROUTE_SOURCES, Route};
use crate::base::limits;

/// Attributes that must be understood, and are.
const KNOWN: [AttrType; 4] =
    [ATTR_USERNAME, ATTR_MESSAGE_INTEGRITY, ATTR_PRIORITY, ATTR_USE_CANDIDATE];

pub(super) struct Ice {
    terms: IceTerms,
    crypto: Arc<dyn RTCCryptoProvider>,
    /// In the order in which they were validated.
    sources: Vec<Source>,
    nominated: Option<SocketAddr>,
    /// Those of the session before, which count until this one has found somebody, or for as long as
    /// they are heard.
    before: Option<(Route, Instant)>,
}

#[derive(Clone, Copy)]
struct Source {
    address: SocketAddr,
    checked: Instant,
}

impl std::fmt::Debug for Ice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ice({} sources)", self.sources.len())
    }
}

/// What a check is answered with.
enum Answer {
    Success,
    Error(ErrorCode),
    Unknown(Vec<AttrType>),
}

impl Ice {
    pub fn new(terms: IceTerms, crypto: Arc<dyn RTCCryptoProvider>) -> Self {
        Self { terms, crypto, sources: Vec::new(), nominated: None, before: None }
    }

    /// Other names and passwords begin a new session; the old way is used until there is a new one.
    pub fn agree(&mut self, now: Instant, terms: &IceTerms) {
        if self.terms != *terms {
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
        let mut request = Message::new();
        request.unmarshal_binary(bytes).ok()?;
        let is_whole = bytes.len() == MESSAGE_HEADER_SIZE + request.length as usize;
        if is_whole && request.typ.method == METHOD_BINDING && request.typ.class == CLASS_INDICATION
        {
            self.hear(now, from);
            return None;
        }
        // There is nothing that we have asked.
        if !is_whole || request.typ != BINDING_REQUEST || FINGERPRINT.check(&request).is_err() {
            return None;
        }
        let answer = self.judge(&mut request);
        if matches!(answer, Answer::Success) {
            self.validate(now, from, request.contains(ATTR_USE_CANDIDATE));
        }
        self.respond(&request, from, &answer)
    }

    fn judge(&self, request: &mut Message) -> Answer {
        let Ok(username) = request.get(ATTR_USERNAME) else {
            return Answer::Error(CODE_BAD_REQUEST);
        };
        let Some(integrity) =
            request.attributes.0.iter().position(|a| a.typ == ATTR_MESSAGE_INTEGRITY)
        else {
            return Answer::Error(CODE_BAD_REQUEST);
        };
        let IceTerms { ours, theirs } = &self.terms;
        let expected = format!("{}:{}", ours.fragment, theirs.fragment);
        let key = ours.password.reveal().as_bytes();
        let checked = MessageIntegrity::check(request, key, self.crypto.crypto());
        if username != expected.as_bytes() || checked.is_err() {
            return Answer::Error(CODE_UNAUTHORIZED);
        }
        // What stands after it is nobody's word.
        request.attributes.0.truncate(integrity + 1);
        let unknown = request.attributes.0.iter().map(|attribute| attribute.typ);
        let unknown: Vec<AttrType> =
            unknown.filter(|typ| typ.required() && !KNOWN.contains(typ)).take(16).collect();
        if !unknown.is_empty() {
            return Answer::Unknown(unknown);
        }
        // Only a full side controls: another one that does not has to take its place.
        if request.contains(ATTR_ICE_CONTROLLED) {
            return Answer::Error(CODE_ROLE_CONFLICT);
        }
        match request.contains(ATTR_ICE_CONTROLLING) {
            true => Answer::Success,
            false => Answer::Error(CODE_BAD_REQUEST),
        }
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

    fn respond(&self, request: &Message, to: SocketAddr, answer: &Answer) -> Option<Vec<u8>> {
        let mut response = Message::new();
        response.transaction_id = request.transaction_id;
        response.typ = match answer {
            Answer::Success => BINDING_SUCCESS,
            Answer::Error(_) | Answer::Unknown(_) => BINDING_ERROR,
        };
        response.write_header();
        match answer {
            Answer::Success => {
                let mapped = XorMappedAddress { ip: to.ip(), port: to.port() };
                mapped.add_to(&mut response).ok()?;
            }
            Answer::Error(code) => code.add_to(&mut response).ok()?,
            Answer::Unknown(types) => {
                CODE_UNKNOWN_ATTRIBUTE.add_to(&mut response).ok()?;
                UnknownAttributes(types.clone()).add_to(&mut response).ok()?;
            }
        }
        // Who is not known has no key that could vouch for the answer (RFC 8489 section 9.1.3).
        let is_known = !matches!(answer, Answer::Error(CODE_BAD_REQUEST | CODE_UNAUTHORIZED));
        if is_known {
            let key = self.terms.ours.password.reveal().as_bytes();
            let integrity =
                MessageIntegrity::new_raw_integrity_with_provider(key, self.crypto.crypto());
            integrity.add_to(&mut response).ok()?;
        }
        FINGERPRINT.add_to(&mut response).ok()?;
        Some(response.raw)
    }
}
