//! A call whose keys come by a handshake: until they are there nothing is said, for nobody could hear it.

use std::time::Instant;

use super::{Call, Output, State};
use crate::base::handshake::Terms;
use crate::base::{Protection, SrtpSuite};
use crate::call::ending::Cause;
use crate::call::media::Plan;

/// What the handshake of a call is to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Association {
    /// Another number is another association, with keys of its own.
    pub number: u32,
    pub terms: Terms,
}

/// Whether the peer can hear us, as far as agreement and keys go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Audibility {
    is_held: bool,
    /// By a wish: we hold the other end, or say nothing.
    holds: bool,
    is_mute: bool,
    keys: Keys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// None are needed, or signalling has brought them.
    There,
    /// Of this association.
    Awaited(u32),
    Made(u32),
}

impl Audibility {
    pub(super) const fn new() -> Self {
        Self { is_held: false, holds: false, is_mute: false, keys: Keys::There }
    }

    fn agreed(&mut self, plan: &Plan) {
        self.is_held = !plan.sends;
        self.keys = match plan.protection.handshake().map(|handshake| handshake.association) {
            None => Keys::There,
            Some(number) if self.keys == Keys::Made(number) => self.keys,
            Some(number) => Keys::Awaited(number),
        };
    }

    pub(super) const fn hold(&mut self, holds: bool) {
        self.holds = holds;
    }

    pub(super) const fn mute(&mut self, is_mute: bool) {
        self.is_mute = is_mute;
    }

    pub(super) fn is_heard(self) -> bool {
        let is_silent = self.is_held || self.holds || self.is_mute;
        !is_silent && !matches!(self.keys, Keys::Awaited(_))
    }
}

impl Call {
    /// What was agreed decides who is heard, and under which keys.
    pub(super) fn protect(&mut self, now: Instant, plan: &Plan) {
        self.audibility.agreed(plan);
        match &plan.protection {
            Protection::Keys(keying) => self.record.srtp = Some(keying.suite),
            Protection::Handshake(_) if !matches!(self.audibility.keys, Keys::Awaited(_)) => {}
            Protection::Handshake(_) | Protection::Plain => self.record.srtp = None,
        }
        self.floor.held(now, !self.audibility.is_heard());
        if let Some((number, terms)) = self.agreement.association() {
            let association = Association { number, terms: terms.clone() };
            self.out.push_back(Output::Associate(Box::new(association)));
        }
    }

    /// The peer has shown the certificate that its description speaks of, and there are keys.
    pub(super) fn secured(&mut self, now: Instant, suite: SrtpSuite) {
        if let Keys::Awaited(number) = self.audibility.keys {
            self.audibility.keys = Keys::Made(number);
            self.record.srtp = Some(suite);
            self.floor.held(now, !self.audibility.is_heard());
            self.out.push_back(Output::Recorded);
        }
    }

    /// There will be no keys. Before the answer that may be one of several telephones that ring.
    pub(super) fn not_secured(&mut self, now: Instant) {
        let is_early = matches!(&self.state, State::Dialling(dialling) if !dialling.is_accepted());
        if !is_early && matches!(self.audibility.keys, Keys::Awaited(_)) {
            self.end(now, Cause::NoKeys.into());
        }
    }
}
