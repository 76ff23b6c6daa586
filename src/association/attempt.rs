//! One handshake with one source, and the keys that come of it (RFC 5764).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use zeroize::Zeroizing;

use super::Side;
use super::identity::{Identity, NoIdentity, suite};
use super::records::Records;
use crate::base::handshake::Fingerprints;
use crate::base::{Keying, SrtpKey, SrtpSuite, limits};

/// RFC 5764 section 4.2.
const LABEL: &str = "EXTRACTOR-dtls_srtp";

/// What has become of it.
#[derive(Debug)]
pub(super) enum Progress {
    Going,
    Done(Box<Keying>),
    /// The peer is another one.
    Refused,
    /// It cannot go on. Another one may.
    Broken,
}

pub(super) struct Attempt {
    side: Side,
    peer: Fingerprints,
    /// The library knows its peers by address; this handshake has one, wherever that is.
    endpoint: Endpoint,
    records: Records,
    /// Datagrams that may still come.
    budget: u32,
    heard: Instant,
    has_heard: bool,
    /// The library asks in the midst of a datagram whether the certificate is the peer's.
    is_refused: Arc<AtomicBool>,
    is_done: bool,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attempt({:?}, done: {})", self.side, self.is_done)
    }
}

/// What the library calls the peer.
fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 9))
}

impl Attempt {
    /// Begins; the client's first flight is there at once.
    ///
    /// # Errors
    /// Where the library has no random numbers.
    pub fn new(
        now: Instant,
        side: Side,
        identity: &Identity,
        fingerprints: &Fingerprints,
    ) -> Result<Self, NoIdentity> {
        let is_refused = Arc::new(AtomicBool::new(false));
        let config = identity.config(side, fingerprints, Arc::clone(&is_refused))?;
        let serving = (side == Side::Server).then(|| Arc::clone(&config));
        let mut endpoint = Endpoint::new(peer(), Default::default(), serving);
        if side == Side::Client {
            endpoint.connect(now, peer(), config, None).map_err(|error| NoIdentity::of(&error))?;
        }
        Ok(Self {
            side,
            peer: fingerprints.clone(),
            endpoint,
            records: Records::new(side),
            budget: limits::HANDSHAKE_BUDGET,
            heard: now,
            has_heard: false,
            is_refused,
            is_done: false,
        })
    }

    /// Something came that was of use.
    pub fn has_heard(&self) -> bool {
        self.has_heard
    }

    /// When it came last.
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// Takes a datagram; what is none of the handshake's changes nothing.
    pub fn receive(&mut self, now: Instant, datagram: &[u8]) -> Progress {
        let Some(budget) = self.budget.checked_sub(1) else { return Progress::Going };
        self.budget = budget;
        let records = self.records.take(datagram);
        if records.is_empty() {
            return Progress::Going;
        }
        (self.heard, self.has_heard) = (now, true);
        let read = self.endpoint.read(now, peer(), None, records.as_slice().into());
        if self.is_done {
            // The keys are there, whatever the peer says of them, and SIP ends calls. What comes after an
            // end would begin anew.
            if read.is_ok_and(|all| all.iter().any(|e| matches!(e, EndpointEvent::PeerClosed))) {
                self.budget = 0;
            }
            return Progress::Going;
        }
        let Ok(events) = read else {
            let is_refused = self.is_refused.load(Ordering::Relaxed);
            return if is_refused { Progress::Refused } else { Progress::Broken };
        };
        if !events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete)) {
            return Progress::Going;
        }
        match self.keying() {
            Some(keying) => {
                self.is_done = true;
                self.budget = limits::HANDSHAKE_AFTER_BUDGET;
                Progress::Done(Box::new(keying))
            }
            None => Progress::Broken,
        }
    }

    /// Sends again what was not answered.
    pub fn timeout(&mut self, now: Instant) -> Progress {
        if self.deadline().is_none_or(|at| now < at) {
            return Progress::Going;
        }
        match self.endpoint.handle_timeout(peer(), now) {
            Ok(()) => Progress::Going,
            // It was sent often enough.
            Err(_) => Progress::Broken,
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.endpoint.poll_timeout(&peer()).filter(|_| !self.is_done)
    }

    /// The next datagram to be sent. Alerts of ours that are not encrypted stay here: who could have
    /// provoked them must not end the peer's side either.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        loop {
            let datagram = self.endpoint.poll_transmit()?.message;
            let is_plain_alert = matches!(*datagram, [21, _, _, 0, 0, ..]);
            if !is_plain_alert {
                return Some(datagram.to_vec());
            }
        }
    }

    /// The keys, once the peer has shown its certificate.
    fn keying(&self) -> Option<Keying> {
        let state = self.endpoint.get_connection_state(peer())?;
        let leaf = state.peer_certificates.first()?;
        if !self.peer.vouch_for(leaf) {
            return None;
        }
        let suite = suite(state.srtp_protection_profile())?;
        let length = 2 * suite.key_and_salt_bytes();
        let material = state.export_keying_material(LABEL, &[], length).ok()?;
        let material = Zeroizing::new(material.into_bytes());
        let (client, server) = halves(suite, &material)?;
        let (tx, rx) = match self.side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        Some(Keying { suite, tx, rx })
    }
}

/// Client's key, server's key, client's salt, server's salt.
fn halves(suite: SrtpSuite, material: &[u8]) -> Option<(SrtpKey, SrtpKey)> {
    let salt_bytes = suite.salt_bytes();
    let key_bytes = suite.key_and_salt_bytes() - salt_bytes;
    let (keys, salts) = material.split_at_checked(2 * key_bytes)?;
    let (client_key, server_key) = keys.split_at_checked(key_bytes)?;
    let (client_salt, server_salt) = salts.split_at_checked(salt_bytes)?;
    let key = |key: &[u8], salt: &[u8]| {
        let whole = Zeroizing::new([key, salt].concat());
        SrtpKey::new(suite, &whole)
    };
    Some((key(client_key, client_salt)?, key(server_key, server_salt)?))
}
