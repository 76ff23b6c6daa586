//! The net thread's handshakes: one call's ICE and DTLS, between its place in the audio thread, which
//! receives for it, and its sockets.
//!
//! ```text
//!  audio thread ─ ring of STUN and DTLS ─▶ Association ─ datagrams ─▶ the call's socket
//!               ◀─────── keys, route ─────────┘   └─ news ─▶ the call
//! ```
//!
//! Replies leave from here, over the same socket: a flight waits for one tick, not for two.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::places::Places;
use super::rings::Place;
use crate::association::{Association, Component, Fault, Identity, Output};
use crate::base::handshake::{Candidate, Fingerprint, Terms};
use crate::base::{CallId, Entropy, SrtpSuite};
use crate::call;
use crate::call::media::Path;

/// What a call must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Secured(SrtpSuite),
    Failed(Fault),
    /// The other end has said under the keys that nothing more comes.
    Closed,
}

/// The handshakes of all calls.
#[derive(Debug)]
pub struct Associations {
    identity: Arc<Identity>,
    entropy: Entropy,
    all: HashMap<Place, Line>,
    news: VecDeque<(CallId, News)>,
}

/// One call's.
#[derive(Debug)]
struct Line {
    call: CallId,
    number: u32,
    rtp: Part,
    /// Where RTCP has a port of its own.
    rtcp: Option<Part>,
}

#[derive(Debug)]
struct Part {
    association: Association,
    deadline: Option<Instant>,
}

impl Part {
    fn new(
        now: Instant,
        identity: &Arc<Identity>,
        component: Component,
        terms: &Terms,
        entropy: Entropy,
    ) -> Self {
        let identity = Arc::clone(identity);
        let association = Association::new(now, identity, component, terms.clone(), entropy);
        Self { association, deadline: None }
    }
}

impl Line {
    fn deadline(&self) -> Option<Instant> {
        let rtcp = self.rtcp.as_ref().and_then(|part| part.deadline);
        self.rtp.deadline.into_iter().chain(rtcp).min()
    }

    fn parts(&mut self) -> impl Iterator<Item = (Path, &mut Part)> {
        let rtcp = self.rtcp.as_mut().map(|part| (Path::Rtcp, part));
        std::iter::once((Path::Rtp, &mut self.rtp)).chain(rtcp)
    }
}

impl Associations {
    pub fn new(identity: Identity, entropy: Entropy) -> Self {
        let (all, news) = (HashMap::new(), VecDeque::new());
        Self { identity: Arc::new(identity), entropy, all, news }
    }

    /// Of our certificate.
    pub fn fingerprint(&self) -> &Fingerprint {
        self.identity.fingerprint()
    }

    /// What a call wants of the handshake in its place.
    pub fn associate(
        &mut self,
        now: Instant,
        (call, place): (CallId, Place),
        wanted: call::Association,
        places: &mut Places,
    ) {
        let call::Association { number, terms } = wanted;
        let has_rtcp = !terms.rtcp_mux;
        match self.all.get_mut(&place).filter(|line| line.call == call) {
            Some(line) if line.rtcp.is_some() == has_rtcp => {
                let is_new = line.number != number || line.rtp.association.has_failed();
                line.number = number;
                if is_new {
                    // What became of the one before is nobody's concern any more.
                    self.news.retain(|(of, _)| *of != call);
                }
                for (_, part) in line.parts() {
                    part.association.agree(now, terms.clone(), is_new);
                }
            }
            Some(_) | None => {
                let (identity, entropy) = (&self.identity, &mut self.entropy);
                let mut part =
                    |component| Part::new(now, identity, component, &terms, entropy.fork());
                let rtcp = has_rtcp.then(|| part(Component::Rtcp));
                self.news.retain(|(of, _)| *of != call);
                let line = Line { call, number, rtp: part(Component::Rtp), rtcp };
                self.all.insert(place, line);
            }
        }
        self.drain(place, places);
    }

    /// The call in this place is over: the other end is told, and its handshake forgotten.
    pub fn close(&mut self, now: Instant, place: Place, places: &mut Places) {
        if let Some(line) = self.all.get_mut(&place) {
            line.parts().for_each(|(_, part)| part.association.close(now));
            self.drain(place, places);
        }
        self.forget(place);
    }

    /// There is no handshake in this place any more.
    pub fn forget(&mut self, place: Place) {
        self.all.remove(&place);
    }

    /// Takes what the audio thread has received for handshakes.
    pub fn receive(&mut self, now: Instant, places: &mut Places) {
        for place in places.all() {
            while let Some((call, datagram)) = places.handshake(place) {
                let line = self.all.get_mut(&place).filter(|line| line.call == call);
                let part = line.and_then(|line| {
                    line.parts().find(|(path, _)| *path == datagram.path).map(|(_, part)| part)
                });
                if let Some(part) = part {
                    part.association.receive(now, datagram.from, datagram.bytes());
                    self.drain(place, places);
                }
            }
        }
    }

    /// Authentic sound of the call in this place came from there.
    pub fn hear(&mut self, now: Instant, place: Place, from: SocketAddr, places: &mut Places) {
        if let Some(line) = self.all.get_mut(&place) {
            line.rtp.association.hear(now, from);
            self.drain(place, places);
        }
    }

    /// A relay passes on to `peer` what the call in this place sends to `through`.
    pub fn open(
        &mut self,
        now: Instant,
        place: Place,
        (peer, through): (SocketAddr, SocketAddr),
        places: &mut Places,
    ) {
        if let Some(line) = self.all.get_mut(&place) {
            line.rtp.association.add_door(now, peer, through);
            self.drain(place, places);
        }
    }

    /// The peer of the call in this place has told of more candidates (RFC 8838), each for its component.
    pub fn add_candidates(
        &mut self,
        now: Instant,
        place: Place,
        candidates: &[Candidate],
        places: &mut Places,
    ) {
        if let Some(line) = self.all.get_mut(&place) {
            for (_, part) in line.parts() {
                part.association.add_candidates(now, candidates);
            }
            self.drain(place, places);
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.all.values().filter_map(Line::deadline).min()
    }

    pub fn timeout(&mut self, now: Instant, places: &mut Places) {
        let is_due = |line: &Line| line.deadline().is_some_and(|at| at <= now);
        let due = self.all.iter().filter(|(_, line)| is_due(line)).map(|(place, _)| *place);
        let due: Vec<Place> = due.collect();
        for place in due {
            if let Some(line) = self.all.get_mut(&place) {
                for (_, part) in line.parts() {
                    if part.deadline.is_some_and(|at| at <= now) {
                        part.association.timeout(now);
                    }
                }
            }
            self.drain(place, places);
        }
    }

    /// The next thing that a call must know.
    pub fn news(&mut self) -> Option<(CallId, News)> {
        self.news.pop_front()
    }

    fn drain(&mut self, place: Place, places: &mut Places) {
        let Some(line) = self.all.get_mut(&place) else { return };
        let (call, number) = (line.call, line.number);
        for (path, part) in line.parts() {
            loop {
                match part.association.poll_output() {
                    Output::Datagram { to, bytes } => places.send(place, path.into(), to, &bytes),
                    Output::Route(route) if path == Path::Rtp => places.steer(place, *route),
                    Output::Door(peer) => places.open_door(place, peer),
                    // RTCP goes to where it comes from.
                    Output::Route(_) => (),
                    Output::Keys(keying) => {
                        let suite = keying.suite;
                        places.secure(place, number, path, *keying);
                        if path == Path::Rtp {
                            self.news.push_back((call, News::Secured(suite)));
                        }
                    }
                    Output::Failed(fault) if path == Path::Rtp => {
                        self.news.push_back((call, News::Failed(fault)));
                    }
                    Output::Closed if path == Path::Rtp => {
                        self.news.push_back((call, News::Closed));
                    }
                    // A call without reports is a call.
                    Output::Failed(_) | Output::Closed => (),
                    Output::Timeout(at) => {
                        part.deadline = at;
                        break;
                    }
                }
            }
        }
    }
}
