//! Answers to challenges: once for each nonce of a request, and only to whom we called.

use std::net::IpAddr;

use crate::base::Entropy;
use crate::sip::digest::{Asker, Attempt, Challenge, Credentials, answer, next_nonce};
use crate::sip::message::{Request, Response};

/// Challenges of one asker that one request answers: the first, and fresh nonces for stale ones. A
/// server that calls every nonce stale would have us ask for ever.
const ANSWERS: usize = 4;

/// Why a challenge is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// The credentials were given, and are not believed.
    Disbelieved,
    /// By somebody else, for another realm, or in a way that we do not know.
    NotForUs,
}

/// One's credentials and what was answered with them.
pub(super) struct Authentication {
    credentials: Credentials,
    /// The configured destination: nobody else's challenge is answered.
    destination: IpAddr,
    /// Challenges answered for the request at hand.
    answered: Vec<(Asker, Challenge)>,
    /// Those that the request at hand answered before anybody asked.
    ahead: Vec<(Asker, Challenge)>,
    /// The last challenge of each asker, and how often it was used: the nonce count goes on from
    /// request to request.
    used: Vec<(Asker, Challenge, u32)>,
}

impl Authentication {
    pub fn new(credentials: Credentials, destination: IpAddr) -> Self {
        Self { credentials, destination, answered: Vec::new(), ahead: Vec::new(), used: Vec::new() }
    }

    /// The same credentials for another server.
    pub fn towards(&self, destination: IpAddr) -> Self {
        Self::new(self.credentials.clone(), destination)
    }

    pub const fn destination(&self) -> IpAddr {
        self.destination
    }

    /// A new request begins, which may be challenged for itself.
    pub fn begin_request(&mut self) {
        self.answered.clear();
        self.ahead.clear();
    }

    /// Adds credentials for the challenge in `response` to `request`, which is to be sent to
    /// `peer`.
    pub fn answer(
        &mut self,
        response: &Response,
        request: &mut Request,
        peer: IpAddr,
        entropy: &mut Entropy,
    ) -> Result<(), Unanswered> {
        if peer != self.destination {
            return Err(Unanswered::NotForUs);
        }
        let challenge = Challenge::of(response, &self.credentials);
        let Some((asker, challenge)) = challenge else { return Err(Unanswered::NotForUs) };
        let of_asker = |all: &[(Asker, Challenge)]| {
            all.iter().rev().find(|(who, _)| *who == asker).map(|(_, challenge)| challenge.clone())
        };
        let is_same = |before: &Challenge| before.nonce() == challenge.nonce();
        let before = of_asker(&self.answered);
        let rounds = self.answered.iter().filter(|(who, _)| *who == asker).count();
        if rounds >= ANSWERS
            || !challenge.is_worth_answering(before.as_ref())
            || of_asker(&self.ahead).is_some_and(|ahead| is_same(&ahead))
        {
            return Err(Unanswered::Disbelieved);
        }
        self.write(asker, &challenge, request, entropy);
        self.answered.push((asker, challenge));
        Ok(())
    }

    /// Adds what the last challenges are answered with, before anybody asks again.
    pub fn answer_ahead(&mut self, request: &mut Request, entropy: &mut Entropy) {
        let known: Vec<_> = self.used.iter().map(|(who, known, _)| (*who, known.clone())).collect();
        for (asker, challenge) in known {
            self.write(asker, &challenge, request, entropy);
            self.ahead.push((asker, challenge));
        }
    }

    /// The request was let through: its answer may name the nonce for the next one.
    pub fn accepted(&mut self, response: &Response) {
        for (asker, challenge, count) in &mut self.used {
            if let Some(nonce) = next_nonce(response, *asker) {
                *challenge = challenge.clone().with_nonce(nonce);
                *count = 0;
            }
        }
    }

    fn write(
        &mut self,
        asker: Asker,
        challenge: &Challenge,
        request: &mut Request,
        entropy: &mut Entropy,
    ) {
        let mut nonce = challenge.clone();
        nonce.is_stale = false;
        let known = self.used.iter().find(|(who, used, _)| *who == asker && *used == nonce);
        let nonce_count = known.map_or(1, |(_, _, count)| count.saturating_add(1));
        let uri = request.uri().to_string();
        let attempt = Attempt { method: request.method(), uri: &uri, nonce_count };
        let value = answer(challenge, &self.credentials, attempt, entropy);
        request.set_header(asker.answer_header(), value);
        self.used.retain(|(who, _, _)| *who != asker);
        self.used.push((asker, nonce, nonce_count));
    }
}
