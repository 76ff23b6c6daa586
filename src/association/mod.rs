//! What lies between an agreed description and sound under keys by DTLS: the way to the peer (ICE) and the
//! handshake on it.
//!
//! ```text
//!  STUN ─▶ Ice ─ validated sources ─▶ Route ─▶ the media
//!  DTLS ─ from one of them ─▶ Attempt ─ the right certificate ─▶ Keying ─▶ the media
//! ```
//!
//! One association is of one socket: RTP's, and RTCP's where it has one of its own. Where there is no ICE
//! anybody may speak first, and in anybody's name: so a hello is answered by a cookie of its source's, and
//! nothing is kept of it; who says that cookie has an attempt of its own, and the first that shows the right
//! certificate is the peer. Invariants: nothing that a datagram says ends a call, unless it is under the keys; no
//! keys without the certificate that signalling has told; all that a stranger can have us keep has a bound.

mod attempt;
mod ice;
mod identity;
mod records;

#[cfg(test)]
mod tests;

pub use identity::{Identity, NoIdentity};

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::base::address::{is_nowhere, plain};
use crate::base::handshake::{Candidate, Route, Setup, Terms};
use crate::base::{Entropy, Keying, Private, limits};
use attempt::{Attempt, Progress};
use ice::Ice;
use records::{Client, Cookie, Random};

/// Which end of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// Which socket an association is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    Rtp,
    Rtcp,
}

impl Component {
    /// As ICE counts them.
    const fn number(self) -> u8 {
        match self {
            Self::Rtp => 1,
            Self::Rtcp => 2,
        }
    }
}

/// Why there are no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing came from the peer.
    Silent,
    /// Its checks came, or a part of its handshake, and no end.
    Unfinished,
    /// It showed another certificate than its description says, or speaks another DTLS.
    Refused,
}

impl Fault {
    /// For logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "nothing came",
            Self::Unfinished => "it came to no end",
            Self::Refused => "another certificate, or nothing in common",
        }
    }
}

/// What it wants.
pub enum Output {
    /// A datagram to be sent now.
    Datagram {
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// The peer is here from now on.
    Route(Box<Route>),
    /// A relay of ours is to open a door to there: see [`Association::add_door`].
    Door(SocketAddr),
    Keys(Box<Keying>),
    /// There will be none; told once.
    Failed(Fault),
    /// Whoever has the keys says that nothing more comes; told once. They are good as before.
    Closed,
    /// All is told; look again then.
    Timeout(Option<Instant>),
}

/// Whoever begins tries again after this long.
const AGAIN: Duration = Duration::from_secs(1);

/// The association of one socket.
pub struct Association {
    identity: Arc<Identity>,
    component: Component,
    terms: Terms,
    began: Instant,
    entropy: Entropy,
    /// What cookies are made from.
    secret: Private<[u8; 32]>,
    ice: Option<Ice>,
    route: Route,
    /// By source; with ICE there is one, whose source is any that was validated.
    attempts: Vec<(Option<SocketAddr>, Attempt)>,
    stage: Stage,
    /// Something of the peer's has come.
    has_heard: bool,
    out: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// We begin no attempt before this.
    Going {
        begin_at: Instant,
    },
    Done,
    Failed,
}

impl std::fmt::Debug for Association {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Association({:?}, {:?})", self.component, self.stage)
    }
}

impl Association {
    /// Drain [`Self::poll_output`] afterwards, as after every input.
    pub fn new(
        now: Instant,
        identity: Arc<Identity>,
        component: Component,
        terms: Terms,
        mut entropy: Entropy,
    ) -> Self {
        let secret = Private::new(entropy.seed());
        let mut association = Self {
            identity,
            component,
            terms,
            began: now,
            entropy,
            secret,
            ice: None,
            route: Route::default(),
            attempts: Vec::new(),
            stage: Stage::Going { begin_at: now },
            has_heard: false,
            out: VecDeque::new(),
        };
        association.ice = association.new_ice(now);
        association.follow_ice(now);
        association
    }

    fn new_ice(&mut self, now: Instant) -> Option<Ice> {
        let terms = self.terms.ice.clone()?;
        let (number, crypto) = (self.component.number(), self.identity.crypto());
        Some(Ice::new(now, terms, number, crypto, self.entropy.fork()))
    }

    /// Other terms: another way to the same peer, and with `is_new` another handshake on it.
    pub fn agree(&mut self, now: Instant, terms: Terms, is_new: bool) {
        self.terms = terms;
        let continues = |ice: &Ice, terms| !is_new || ice.is_of(terms);
        match (&mut self.ice, &self.terms.ice) {
            (Some(ice), Some(terms)) if continues(ice, terms) && ice.has_side_of(terms) => {
                ice.agree(now, terms);
            }
            (Some(ice), Some(terms)) if continues(ice, terms) => {
                let before = ice.route();
                self.ice = self.new_ice(now);
                self.ice.iter_mut().for_each(|ice| ice.follow(now, before));
            }
            // Another peer comes by no way of the one before.
            (_, terms) => self.ice = terms.is_some().then(|| self.new_ice(now)).flatten(),
        }
        if is_new {
            self.attempts.clear();
            (self.began, self.stage) = (now, Stage::Going { begin_at: now });
            self.has_heard = false;
        }
        self.follow_ice(now);
    }

    /// There will be no more sound: whoever has the keys is told so, once. Nobody answers for its arrival.
    pub fn close(&mut self, now: Instant) {
        if self.stage == Stage::Done {
            self.stage = Stage::Failed;
            for at in 0..self.attempts.len() {
                if let Some((_, attempt)) = self.attempts.get_mut(at) {
                    attempt.close(now);
                }
                self.transmit(at);
            }
        }
    }

    pub fn has_failed(&self) -> bool {
        self.stage == Stage::Failed
    }

    /// A datagram that is STUN or DTLS by its first byte.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let from = plain(from);
        if bytes.first().is_some_and(|first| *first < 4) {
            let Some(ice) = &mut self.ice else { return };
            let answer = ice.receive(now, from, bytes);
            // Who has the answer may begin at once, and must be heard by then.
            self.follow_route();
            self.out.extend(answer.map(|bytes| Output::Datagram { to: from, bytes }));
            self.follow_ice(now);
        } else {
            self.shake(now, from, bytes);
        }
    }

    /// Sound of the peer's came from there, which is as good as a check.
    pub fn hear(&mut self, now: Instant, from: SocketAddr) {
        if let Some(ice) = &mut self.ice {
            ice.hear(now, plain(from));
        }
    }

    /// Candidates that the peer has told after its description (RFC 8838).
    pub fn add_candidates(&mut self, now: Instant, candidates: &[Candidate]) {
        if let Some(ice) = &mut self.ice {
            ice.add_candidates(now, candidates);
        }
        self.follow_ice(now);
    }

    /// A relay of ours passes on to `peer` what goes to `through`, and what comes back.
    pub fn add_door(&mut self, now: Instant, peer: SocketAddr, through: SocketAddr) {
        if let Some(ice) = &mut self.ice {
            ice.add_door(now, peer, through);
        }
        self.follow_ice(now);
    }

    /// A datagram of DTLS goes to the attempts of its source, a client's hello to its own.
    fn shake(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let source = match self.ice {
            // From nobody who has not shown that it knows our password: a ClientHello is quickly sent.
            Some(_) if !self.route.has_source(from) => return,
            Some(_) => None,
            None => Some(from),
        };
        let is_server = self.terms.setup == Setup::Passive;
        let mut random = None;
        if let Some(hello) = records::beginning(bytes).filter(|_| is_server) {
            self.has_heard = true;
            let client = Client { random: *hello.random, cookie: self.cookie(source) };
            if *hello.cookie != client.cookie {
                return self.ask_for_cookie(from, &client.cookie);
            }
            random = Some(client.random);
            self.welcome(now, source, client);
        }
        for at in (0..self.attempts.len()).rev() {
            let Some((of, attempt)) = self.attempts.get_mut(at) else { continue };
            let is_its = random.is_none() || attempt.random() == random;
            if *of != source || !is_its {
                continue;
            }
            let progress = attempt.receive(now, bytes);
            self.has_heard |= attempt.has_heard();
            let is_over = !matches!(progress, Progress::Going | Progress::Broken);
            self.go_on(now, at, progress);
            if is_over {
                return;
            }
        }
    }

    /// Of a source, so that whoever says hello in its name changes nothing for it.
    fn cookie(&self, source: Option<SocketAddr>) -> Cookie {
        let mut hash = Sha256::new_with_prefix(self.secret.reveal());
        if let Some(source) = source {
            match source.ip().to_canonical() {
                std::net::IpAddr::V4(ip) => hash.update(ip.octets()),
                std::net::IpAddr::V6(ip) => hash.update(ip.octets()),
            }
            hash.update(source.port().to_be_bytes());
        }
        let mut cookie = Cookie::default();
        cookie.iter_mut().zip(hash.finalize()).for_each(|(place, byte)| *place = byte);
        cookie
    }

    /// A hello costs an answer that is shorter, and nothing else.
    fn ask_for_cookie(&mut self, to: SocketAddr, cookie: &Cookie) {
        if matches!(self.stage, Stage::Going { .. }) {
            let bytes = records::verify_request(cookie);
            self.out.push_back(Output::Datagram { to, bytes });
        }
    }

    pub fn timeout(&mut self, now: Instant) {
        if let Some(ice) = &mut self.ice {
            ice.timeout(now);
        }
        self.follow_ice(now);
        for at in (0..self.attempts.len()).rev() {
            let Some((_, attempt)) = self.attempts.get_mut(at) else { continue };
            let progress = attempt.timeout(now);
            self.go_on(now, at, progress);
        }
        self.begin(now);
        if self.gives_up_at().is_some_and(|at| at <= now) {
            self.fail(if self.has_heard { Fault::Unfinished } else { Fault::Silent });
        }
    }

    /// Drain until `Timeout`.
    pub fn poll_output(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| Output::Timeout(self.deadline()))
    }

    fn deadline(&self) -> Option<Instant> {
        let attempts = self.attempts.iter().filter_map(|(_, attempt)| attempt.deadline());
        let again = match self.stage {
            Stage::Going { begin_at } if self.may_begin() => Some(begin_at),
            Stage::Going { .. } | Stage::Done | Stage::Failed => None,
        };
        let ice = self.ice.as_ref().and_then(Ice::deadline);
        attempts.chain(again).chain(ice).chain(self.gives_up_at()).min()
    }

    /// A handshake that is put off has all the time in the world.
    fn gives_up_at(&self) -> Option<Instant> {
        let is_going = matches!(self.stage, Stage::Going { .. });
        let is_due = is_going && self.terms.setup != Setup::HoldConnection;
        is_due.then(|| self.began + limits::HANDSHAKE_TIME)
    }

    /// We are the client, and there is somebody to begin with.
    fn may_begin(&self) -> bool {
        let is_client = self.terms.setup == Setup::Active && self.attempts.is_empty();
        is_client && self.destination().is_some()
    }

    /// Where ours goes to.
    fn destination(&self) -> Option<SocketAddr> {
        if self.ice.is_some() {
            return self.route.to;
        }
        let described = self.described();
        (!is_nowhere(described)).then_some(described)
    }

    fn described(&self) -> SocketAddr {
        let Terms { remote, remote_rtcp, .. } = &self.terms;
        let described = match self.component {
            Component::Rtp => *remote.reveal(),
            Component::Rtcp => *remote_rtcp.reveal(),
        };
        plain(described)
    }

    /// Begins as the client, if it is time.
    fn begin(&mut self, now: Instant) {
        let Stage::Going { begin_at } = self.stage else { return };
        if now < begin_at || !self.may_begin() {
            return;
        }
        let source = if self.ice.is_some() { None } else { self.destination() };
        match Attempt::new(now, None, &self.identity, &self.terms.fingerprints) {
            Ok(attempt) => {
                self.attempts.push((source, attempt));
                self.transmit(self.attempts.len() - 1);
            }
            Err(_) => self.fail(Fault::Refused),
        }
    }

    /// A client has said our cookie: its attempt, where it has none.
    fn welcome(&mut self, now: Instant, source: Option<SocketAddr>, client: Client) {
        let random = Some(client.random);
        let mut of_source = self.attempts.iter().filter(|(of, _)| *of == source);
        let is_known = of_source.any(|(_, attempt)| attempt.random() == random);
        if is_known || !matches!(self.stage, Stage::Going { .. }) {
            return;
        }
        let fingerprints = &self.terms.fingerprints;
        if let Ok(attempt) = Attempt::new(now, Some(client), &self.identity, fingerprints) {
            self.attempts.push((source, attempt));
            self.make_room(source, random);
        }
    }

    /// Of attempts too many, the one of a newcomer being there, the least advanced goes: of the same address
    /// where that has more than its share, so that who can send from one only never puts out the peer.
    fn make_room(&mut self, source: Option<SocketAddr>, random: Option<Random>) {
        let ip = |source: &Option<SocketAddr>| source.map(|source| source.ip());
        let described = Some(self.described().ip());
        let same = self.attempts.iter().filter(|(of, _)| ip(of) == ip(&source)).count();
        let is_same = same > limits::HANDSHAKES / 2;
        if !is_same && self.attempts.len() <= limits::HANDSHAKES {
            return;
        }
        let rivals = self.attempts.iter().enumerate().filter(|(_, (of, attempt))| {
            let is_new = *of == source && attempt.random() == random;
            !is_new && (!is_same || ip(of) == ip(&source))
        });
        let least =
            rivals.min_by_key(|(_, (of, attempt))| (ip(of) == described, attempt.advance()));
        if let Some((at, _)) = least {
            self.attempts.swap_remove(at);
        }
    }

    fn go_on(&mut self, now: Instant, at: usize, progress: Progress) {
        self.transmit(at);
        match progress {
            Progress::Going => {}
            Progress::Closed => self.out.push_back(Output::Closed),
            Progress::Done(keying) => {
                let done = self.attempts.swap_remove(at);
                self.attempts = vec![done];
                self.stage = Stage::Done;
                self.out.push_back(Output::Keys(keying));
            }
            Progress::Refused => {
                let (source, _) = self.attempts.swap_remove(at);
                // A stranger may show what it likes.
                if source.is_none_or(|source| source == self.described()) {
                    self.fail(Fault::Refused);
                }
            }
            Progress::Broken => {
                self.attempts.swap_remove(at);
                // Whoever begins does so again.
                self.stage = Stage::Going { begin_at: now + AGAIN };
            }
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.attempts.clear();
        self.stage = Stage::Failed;
        self.out.push_back(Output::Failed(fault));
    }

    fn transmit(&mut self, at: usize) {
        let Some((source, attempt)) = self.attempts.get_mut(at) else { return };
        let to = source.or(self.route.to);
        while let Some(bytes) = attempt.poll_transmit() {
            self.out.extend(to.map(|to| Output::Datagram { to, bytes }));
        }
    }

    /// What ICE wants, and what follows from where it has got to.
    fn follow_ice(&mut self, now: Instant) {
        self.follow_route();
        if let Some(ice) = &mut self.ice {
            while let Some(peer) = ice.poll_door() {
                self.out.push_back(Output::Door(peer));
            }
            while let Some((to, bytes)) = ice.poll_transmit() {
                self.out.push_back(Output::Datagram { to, bytes });
            }
        }
        self.begin(now);
    }

    fn follow_route(&mut self) {
        let Some(ice) = &self.ice else { return };
        let route = ice.route();
        if route != self.route {
            self.has_heard = true;
            self.route = route;
            self.out.push_back(Output::Route(Box::new(route)));
        }
    }
}
