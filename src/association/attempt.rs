//! One handshake with one source, and the keys that come of it (RFC 5764).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use zeroize::Zeroizing;

use super::Side;
use super::identity::{Identity, NoIdentity, suite};
use super::records::{self, Client, Random, Records};
use crate::base::handshake::Fingerprints;
use crate::base::{Keying, SrtpKey, SrtpSuite, limits};

/// RFC 5764 section 4.2.
const LABEL: &str = "EXTRACTOR-dtls_srtp";

/// What has become of it.
#[derive(Debug)]
pub(super) enum Progress {
    Going,
    Done(Box<Keying>),
    /// The peer says, under the keys, that nothing more comes.
    Closed,
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
    /// Datagrams with something in the clear that the library may still get, and after the end datagrams
    /// that it may still send.
    budget: u32,
    heard: Instant,
    has_heard: bool,
    out: VecDeque<Vec<u8>>,
    repetition: Repetition,
    /// The library asks in the midst of a datagram whether the certificate is the peer's.
    is_refused: Arc<AtomicBool>,
    is_done: bool,
}

impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attempt({:?}, done: {})", self.side, self.is_done)
    }
}

/// When a flight is sent again (RFC 6347 section 4.2.4.1): soon at first, for most are lost because the
/// other end was not ready yet, and somebody waits to be greeted; later more seldom.
#[derive(Clone, Copy, Debug, Default)]
struct Repetition {
    /// The library's timer of the flight, by which it is known.
    timer: Option<Instant>,
    sent: u32,
    at: Option<Instant>,
}

impl Repetition {
    /// Another timer of the library's is another flight.
    fn follow(&mut self, timer: Option<Instant>) {
        if timer != self.timer {
            *self = Self { timer, sent: 0, at: timer };
        }
    }

    /// It was sent again, and the library has set its timer anew.
    fn repeated(&mut self, now: Instant, timer: Option<Instant>) {
        self.timer = timer;
        self.sent += 1;
        let pause = limits::HANDSHAKE_FLIGHT * 2_u32.pow(self.sent.min(8));
        let has_more = self.sent < limits::HANDSHAKE_REPETITIONS;
        let next = now + pause.min(LONGEST);
        self.at = timer.filter(|_| has_more).map(|_| next);
    }
}

/// Between two repetitions.
const LONGEST: Duration = Duration::from_secs(2);

/// What the library calls the peer.
fn peer() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 9))
}

impl Attempt {
    /// Begins, as the server of `client`, or as the client, whose first flight is there at once.
    ///
    /// # Errors
    /// Where the library has no random numbers.
    pub fn new(
        now: Instant,
        client: Option<Client>,
        identity: &Identity,
        fingerprints: &Fingerprints,
    ) -> Result<Self, NoIdentity> {
        let is_refused = Arc::new(AtomicBool::new(false));
        let side = if client.is_some() { Side::Server } else { Side::Client };
        let cookie = client.map(|client| client.cookie);
        let config = identity.config(cookie, fingerprints, Arc::clone(&is_refused))?;
        let serving = (side == Side::Server).then(|| Arc::clone(&config));
        let mut endpoint = Endpoint::new(peer(), Default::default(), serving);
        if side == Side::Client {
            endpoint.connect(now, peer(), config, None).map_err(|error| NoIdentity::of(&error))?;
        }
        let mut attempt = Self {
            side,
            peer: fingerprints.clone(),
            endpoint,
            records: Records::new(client),
            budget: limits::HANDSHAKE_BUDGET,
            out: VecDeque::new(),
            repetition: Repetition::default(),
            heard: now,
            has_heard: false,
            is_refused,
            is_done: false,
        };
        attempt.follow();
        Ok(attempt)
    }

    /// What the library has for the peer, and when it wants to be asked again. Alerts of ours that are not
    /// encrypted stay here: who could have provoked them must not end the peer's side either. The client has
    /// said its cookie before this handshake began.
    fn follow(&mut self) {
        while let Some(datagram) = self.endpoint.poll_transmit() {
            let datagram = datagram.message.to_vec();
            if matches!(*datagram, [21, _, _, 0, 0, ..]) || records::asks_for_cookie(&datagram) {
                continue;
            }
            if self.is_done {
                self.budget = self.budget.saturating_sub(1);
            }
            self.out.push_back(datagram);
        }
        self.repetition.follow(self.endpoint.poll_timeout(&peer()));
    }

    /// Tells the other end that nothing more comes (close_notify, RFC 5246 section 7.2.1), under the keys of the
    /// handshake: there is no other end before that is over.
    pub fn close(&mut self, now: Instant) {
        if self.is_done {
            self.endpoint.stop(now, peer());
            self.follow();
            self.budget = 0;
        }
    }

    /// Of the client's hello.
    pub fn random(&self) -> Option<Random> {
        self.records.random()
    }

    /// How far it has come, and when it last went on.
    pub fn advance(&self) -> (u16, Instant) {
        (self.records.messages_taken(), self.heard)
    }

    /// Something came that was of use.
    pub fn has_heard(&self) -> bool {
        self.has_heard
    }

    /// Takes a datagram; what is none of the handshake's changes nothing.
    pub fn receive(&mut self, now: Instant, datagram: &[u8]) -> Progress {
        if self.budget == 0 {
            return Progress::Going;
        }
        let records = self.records.take(datagram);
        if records.is_empty() {
            return Progress::Going;
        }
        // What is encrypted may be anybody's until the library has looked at it, and then it brings us on or
        // changes nothing: a stranger must not spend what the peer needs.
        if self.records.has_plain() && !self.is_done {
            self.budget -= 1;
            (self.heard, self.has_heard) = (now, true);
        }
        let first = self.records.first_hello();
        if !first.is_empty() {
            // It asks for the cookie that comes next.
            let _ = self.endpoint.read(now, peer(), None, first.as_slice().into());
            self.follow();
        }
        let progress = self.read(now, &records);
        self.follow();
        progress
    }

    /// What the library makes of it.
    fn read(&mut self, now: Instant, records: &[u8]) -> Progress {
        let read = self.endpoint.read(now, peer(), None, records.into());
        if self.is_done {
            // The keys are there, whatever the peer says of them. What comes after an end would begin anew.
            if read.is_ok_and(|all| all.iter().any(|e| matches!(e, EndpointEvent::PeerClosed))) {
                self.budget = 0;
                return Progress::Closed;
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
        let result = self.endpoint.handle_timeout(peer(), now);
        self.repetition.repeated(now, self.endpoint.poll_timeout(&peer()));
        self.follow();
        match result {
            Ok(()) => Progress::Going,
            Err(_) => Progress::Broken,
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.repetition.at.filter(|_| !self.is_done)
    }

    /// The next datagram to be sent.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
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
