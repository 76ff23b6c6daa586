//! One session: a leg, and how far offer and answer are.

use std::fmt;

use super::sessions::{AskId, Opening, Visitor};
use crate::base::{CallId, Entropy, Private};
use crate::sip::LegId;

/// The secret name of a session, of 128 random bits. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

impl SessionId {
    pub(super) fn random(entropy: &mut Entropy) -> Self {
        Self(format!("{}{}", entropy.token(), entropy.token()))
    }

    /// As somebody says it; whether there is such a one is not known yet.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// A session that has not ended.
#[derive(Debug)]
pub(super) struct Session {
    pub visitor: Visitor,
    pub leg: LegId,
    /// It listens to a call, and is none itself.
    pub observes: bool,
    /// `None` until the call is taken.
    pub call: Option<CallId>,
    pub stage: Stage,
    /// The offer that was answered last.
    pub offer: Private<Vec<u8>>,
    /// Of the ICE session: a restart begins the next.
    pub generation: u32,
    /// Offers since the first one.
    pub reoffers: u32,
    /// The peer's candidates since then.
    pub candidates: usize,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// The first offer waits for the call to answer it.
    Offered(AskId),
    Up,
    /// So does another one.
    Reoffered(Box<Reoffer>),
}

/// An offer within a session.
#[derive(Debug)]
pub(super) struct Reoffer {
    pub ask: AskId,
    pub offer: Private<Vec<u8>>,
    /// Only ICE begins anew, and whoever asked wants to know of nothing else.
    pub is_restart: bool,
}

impl Session {
    /// `ask` waits for the call to answer the opening's offer.
    pub fn new(leg: LegId, ask: AskId, opening: &Opening) -> Self {
        Self {
            visitor: opening.visitor.clone(),
            leg,
            observes: opening.observes.is_some(),
            call: None,
            stage: Stage::Offered(ask),
            offer: opening.offer.clone(),
            generation: 1,
            reoffers: 0,
            candidates: 0,
        }
    }

    /// The value of ETag (RFC 9725 section 4.3): it names the ICE session.
    pub fn tag(&self) -> String {
        format!("\"{}\"", self.generation)
    }
}
