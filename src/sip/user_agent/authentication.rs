//! Answers to challenges: once for each nonce of a request, and only to whom we called.

use std::net::IpAddr;

use crate::base::Entropy;
use crate::sip::digest::{Asker, Attempt, Challenge, Credentials, answer};
use crate::sip::message::{Request, Response};

/// A leg's credentials and what was answered with them.
pub(super) struct Authentication {
    credentials: Credentials,
    /// The configured destination: nobody else's challenge is answered.
    destination: IpAddr,
    /// Challenges answered for the request at hand.
    answered: Vec<(Asker, Challenge)>,
    /// The last challenge used, and how often: the nonce count goes on from request to request.
    used: Option<(Challenge, u32)>,
}

impl Authentication {
    pub fn new(credentials: Credentials, destination: IpAddr) -> Self {
        Self { credentials, destination, answered: Vec::new(), used: None }
    }

    /// A new request begins, which may be challenged for itself.
    pub fn begin_request(&mut self) {
        self.answered.clear();
    }

    /// Adds credentials for the challenge in `response` to `request`, which is to be sent to
    /// `peer`. False if the challenge is not to be answered.
    pub fn answer(
        &mut self,
        response: &Response,
        request: &mut Request,
        peer: IpAddr,
        entropy: &mut Entropy,
    ) -> bool {
        if peer != self.destination {
            return false;
        }
        let Some((asker, challenge)) = Challenge::of(response, &self.credentials) else {
            return false;
        };
        let before = self.answered.iter().find(|(who, _)| *who == asker).map(|(_, c)| c);
        if !challenge.is_worth_answering(before) {
            return false;
        }
        let mut nonce = challenge.clone();
        nonce.is_stale = false;
        let nonce_count = match &self.used {
            Some((used, count)) if *used == nonce => count + 1,
            _ => 1,
        };
        let uri = request.uri().to_string();
        let attempt = Attempt { method: request.method(), uri: &uri, nonce_count };
        let value = answer(&challenge, &self.credentials, attempt, entropy);
        request.set_header(asker.answer_header(), value);
        self.answered.retain(|(who, _)| *who != asker);
        self.answered.push((asker, challenge));
        self.used = Some((nonce, nonce_count));
        true
    }
}
