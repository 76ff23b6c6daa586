//! What lies between an agreed description and sound under keys by DTLS: the way to the peer (ICE) and the
//! handshake on it.
//!
//! ```text
//!  STUN ─▶ Ice ─ validated sources ─▶ Route ─▶ the media
//!  DTLS ─ from one of them ─▶ Attempt ─ the right certificate ─▶ Keying ─▶ the media
//! ```
//!
//! One association is of one socket: RTP's, and RTCP's where it has one of its own. Where there is no ICE
//! anybody may speak first, and in anybody's name, so each hello has an attempt of its own, and the first
//! that shows the right certificate is the peer. Invariants: nothing that a datagram says ends a call; no
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

use crate::base::address::{is_nowhere, plain};
use crate::base::handshake::{Route, Setup, Terms};
use crate::base::{Keying, limits};
use attempt::{Attempt, Progress};
use ice::Ice;
use records::Random;

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
    Keys(Box<Keying>),
    /// There will be none; told once.
    Failed(Fault),
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
    pub fn new(now: Instant, identity: Arc<Identity>, component: Component, terms: Terms) -> Self {
        let ice = terms.ice.clone().map(|ice| Ice::new(ice, identity.crypto()));
        let mut association = Self {
            identity,
            component,
            terms,
            began: now,
            ice,
            route: Route::default(),
            attempts: Vec::new(),
            stage: Stage::Going { begin_at: now },
            has_heard: false,
            out: VecDeque::new(),
        };
        association.begin(now);
        association
    }

    /// Other terms: another way to the same peer, and with `is_new` another handshake on it.
    pub fn agree(&mut self, now: Instant, terms: Terms, is_new: bool) {
        match (&mut self.ice, &terms.ice) {
            (Some(ice), Some(terms)) if !is_new || ice.is_of(terms) => ice.agree(now, terms),
            (_, None) => self.ice = None,
            // Another peer comes by no way of the one before.
            (_, Some(terms)) => self.ice = Some(Ice::new(terms.clone(), self.identity.crypto())),
        }
        self.terms = terms;
        if is_new {
            self.attempts.clear();
            (self.began, self.stage) = (now, Stage::Going { begin_at: now });
            self.has_heard = false;
        }
        self.follow_ice();
        self.begin(now);
    }

    pub fn has_failed(&self) -> bool {
        self.stage == Stage::Failed
    }

    /// A datagram that is STUN or DTLS by its first byte.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let from = plain(from);
        if bytes.first().is_some_and(|first| *first < 4) {
            let Some(ice) = &mut self.ice else { return };
            if let Some(answer) = ice.receive(now, from, bytes) {
                self.out.push_back(Output::Datagram { to: from, bytes: answer });
            }
            self.follow_ice();
            self.begin(now);
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

    /// A datagram of DTLS goes to the attempts of its source, a client's first one to its own.
    fn shake(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let source = match self.ice {
            // From nobody who has not shown that it knows our password: a ClientHello is quickly sent.
            Some(_) if !self.route.has_source(from) => return,
            Some(_) => None,
            None => Some(from),
        };
        let random = records::beginning(bytes);
        let is_server = self.terms.setup == Setup::Passive;
        if let Some(random) = random.filter(|_| is_server) {
            self.welcome(now, source, random);
        }
        let mut proved = None;
        for at in (0..self.attempts.len()).rev() {
            let Some((of, attempt)) = self.attempts.get_mut(at) else { continue };
            let is_its = random.is_none() || attempt.random() == random;
            if *of != source || !is_its {
                continue;
            }
            let was_proved = attempt.is_proved();
            let progress = attempt.receive(now, bytes);
            self.has_heard |= attempt.has_heard();
            if !was_proved && attempt.is_proved() {
                proved = attempt.random();
            }
            let is_over = !matches!(progress, Progress::Going | Progress::Broken);
            self.go_on(now, at, progress);
            if is_over {
                return;
            }
        }
        if proved.is_some() {
            self.make_room(source, proved, true);
        }
    }

    pub fn timeout(&mut self, now: Instant) {
        if let Some(ice) = &mut self.ice {
            ice.timeout(now);
            self.follow_ice();
        }
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
        match Attempt::new(now, Side::Client, None, &self.identity, &self.terms.fingerprints) {
            Ok(attempt) => {
                self.attempts.push((source, attempt));
                self.transmit(self.attempts.len() - 1);
            }
            Err(_) => self.fail(Fault::Refused),
        }
    }

    /// A client says hello: its attempt, where it has none.
    fn welcome(&mut self, now: Instant, source: Option<SocketAddr>, random: Random) {
        let mut of_source = self.attempts.iter().filter(|(of, _)| *of == source);
        let is_known = of_source.any(|(_, attempt)| attempt.random() == Some(random));
        if is_known || !matches!(self.stage, Stage::Going { .. }) {
            return;
        }
        let fingerprints = &self.terms.fingerprints;
        let new = Attempt::new(now, Side::Server, Some(random), &self.identity, fingerprints);
        if let Ok(attempt) = new {
            self.attempts.push((source, attempt));
            self.make_room(source, Some(random), false);
        }
    }

    /// Of attempts too many, the one of a newcomer being there, the least advanced goes: of the same address
    /// where that has more than its share, so that who can send from one only never puts out the peer.
    fn make_room(&mut self, source: Option<SocketAddr>, random: Option<Random>, is_proved: bool) {
        let ip = |source: &Option<SocketAddr>| source.map(|source| source.ip());
        let described = Some(self.described().ip());
        let rivals = |all: &[(Option<SocketAddr>, Attempt)], is_same: bool| {
            let all = all.iter().enumerate();
            let all = all.filter(|(_, (_, attempt))| attempt.is_proved() == is_proved);
            let all = all.filter(|(_, (of, _))| !is_same || ip(of) == ip(&source));
            all.map(|(at, _)| at).collect::<Vec<usize>>()
        };
        let (same, all) = (rivals(&self.attempts, true), rivals(&self.attempts, false));
        let pool = if same.len() > limits::HANDSHAKES / 2 {
            same
        } else if all.len() > limits::HANDSHAKES {
            all
        } else {
            return;
        };
        let is_new = |at: usize| {
            self.attempts.get(at).is_some_and(|(of, attempt)| {
                *of == source && random.is_some() && attempt.random() == random
            })
        };
        let least = pool.into_iter().filter(|at| !is_new(*at)).min_by_key(|at| {
            let place = self.attempts.get(*at);
            place.map(|(of, attempt)| (ip(of) == described, attempt.advance()))
        });
        if let Some(at) = least {
            self.attempts.swap_remove(at);
        }
    }

    fn go_on(&mut self, now: Instant, at: usize, progress: Progress) {
        self.transmit(at);
        match progress {
            Progress::Going => {}
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

    fn follow_ice(&mut self) {
        let Some(ice) = &self.ice else { return };
        let route = ice.route();
        if route != self.route {
            self.has_heard = true;
            self.route = route;
            self.out.push_back(Output::Route(Box::new(route)));
        }
    }
}
