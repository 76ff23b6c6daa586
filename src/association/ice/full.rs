//! The full side of ICE: checks of ours find the peer, open routers on the way, and ask for consent.
//!
//! ```text
//!  candidates ─▶ pairs ─ one check each 50 ms, the best first ─▶ peer
//!  its checks ─▶ its pair, the first in turn ─────────────────▶    │
//!  answers ◀─ under its password, from where the check went ──────┘
//!      └─▶ valid ─ nominated: by us, or as the peer wants ─▶ sent to
//!             └─ checked again each 5 s: 30 s without an answer, and it is none any more
//! ```
//!
//! All pairs of a component are checked, none waits for another's foundation: there is one stream.
//! Where no way is left those that worked are tried again for a while: the peer may be back, and need not ask.
//!
//! Invariants: nothing is sent to but what has answered a check; whose request is not under our password gets no
//! answer, not even an error, and nothing is kept of it; the number of pairs and of copies of a check has a bound, whatever the peer tells, and
//! it is a small one until the peer has shown a password. Consent is an answer under it (RFC 7675 section 5.1), or
//! sound under the keys of the handshake, which nobody else could send either: what only says that it is there, as an
//! indication does, is anybody's, and changes nothing.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc_stun::crypto::RTCCryptoProvider;
use rtc_stun::message::{Message, TransactionId};

use super::Before;
use super::check_list::{CheckList, Nomination, Pair, Sent, State};
use super::message::{self, Answer, Asked, Check, Heard, Role, Told};
use crate::base::address::{is_nowhere, plain};
use crate::base::handshake::{Candidate, CandidateKind, FullIce, IceTerms, ROUTE_SOURCES, Route};
use crate::base::{Entropy, limits};

/// How long a better way than the first one is waited for before that is nominated.
const PATIENCE: Duration = Duration::from_millis(200);
/// The same where the first one is a relay's: that costs time in every packet.
const PATIENCE_FOR_RELAY: Duration = Duration::from_secs(1);
/// Of ways that a peer wants within this time the best is taken: a side that nominates each of them
/// (RFC 5245 section 8.1.1.2) does so again with each check.
const WANTED_WITHIN: Duration = Duration::from_secs(3);

pub(in crate::association) struct Full {
    terms: IceTerms,
    component: u8,
    crypto: Arc<dyn RTCCryptoProvider>,
    entropy: Entropy,
    is_controlling: bool,
    tie_breaker: u64,
    list: CheckList,
    /// Pairs whose check goes before those of the others.
    triggered: VecDeque<SocketAddr>,
    /// No check before this.
    paced: Instant,
    /// When the first one had an answer.
    first: Option<Instant>,
    /// Addresses of the peer's that a relay is to open a door to, and those that it was asked for.
    doors: VecDeque<SocketAddr>,
    asked: Vec<SocketAddr>,
    /// Doors that are open: the peer's address, and the door.
    open: Vec<(SocketAddr, SocketAddr)>,
    before: Before,
    /// Where checks went while nobody had shown a password.
    unproven: Vec<IpAddr>,
    is_proven: bool,
    /// Since when no way is left.
    lost: Option<Instant>,
    /// When ways that worked were last tried again.
    revived: Instant,
    out: VecDeque<(SocketAddr, Vec<u8>)>,
}

impl std::fmt::Debug for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Full({} pairs, controlling: {})", self.list.len(), self.is_controlling)
    }
}

impl Full {
    pub fn new(
        now: Instant,
        terms: IceTerms,
        component: u8,
        crypto: Arc<dyn RTCCryptoProvider>,
        mut entropy: Entropy,
    ) -> Self {
        let tie_breaker = entropy.next_u64();
        let is_controlling = terms.full.as_ref().is_some_and(|full| full.is_controlling);
        let mut full = Self {
            terms,
            component,
            crypto,
            entropy,
            is_controlling,
            tie_breaker,
            list: CheckList::default(),
            triggered: VecDeque::new(),
            paced: now,
            first: None,
            doors: VecDeque::new(),
            asked: Vec::new(),
            open: Vec::new(),
            before: None,
            unproven: Vec::new(),
            is_proven: false,
            lost: None,
            revived: now,
            out: VecDeque::new(),
        };
        full.pair_all();
        full.timeout(now);
        full
    }

    pub fn agree(&mut self, now: Instant, terms: &IceTerms) {
        if !self.is_of(terms) {
            let route = self.route();
            self.list.clear();
            self.triggered.clear();
            (self.first, self.lost) = (None, None);
            self.unproven.clear();
            self.is_proven = false;
            self.before = route.to.map(|_| (route, now + limits::ICE_CONSENT));
        }
        self.terms = terms.clone();
        self.pair_all();
        self.timeout(now);
    }

    pub fn follow(&mut self, before: Before) {
        self.before = before;
    }

    pub fn is_of(&self, terms: &IceTerms) -> bool {
        self.terms.ours == terms.ours && self.terms.theirs == terms.theirs
    }

    pub fn hear(&mut self, now: Instant, from: SocketAddr) {
        if let Some(pair) = self.list.get_mut(from).filter(|pair| pair.is_source()) {
            match pair.state {
                State::Succeeded => pair.consent = Some(now),
                State::Waiting | State::InProgress | State::Failed => pair.heard = Some(now),
            }
        } else if let Some((route, until)) = &mut self.before
            && route.has_source(from)
        {
            *until = now + limits::ICE_CONSENT;
        }
    }

    pub fn add_candidates(&mut self, now: Instant, candidates: &[Candidate]) {
        if let Some(FullIce { remote, .. }) = &mut self.terms.full {
            for candidate in candidates {
                if remote.len() < limits::ICE_CANDIDATES && !remote.contains(candidate) {
                    remote.push(candidate.clone());
                }
            }
        }
        self.pair_all();
        self.timeout(now);
    }

    pub fn add_door(&mut self, now: Instant, peer: SocketAddr, through: SocketAddr) {
        let (peer, through) = (plain(peer), plain(through));
        if !self.open.iter().any(|(_, door)| *door == through)
            && self.open.len() < limits::ICE_DOORS
        {
            self.open.push((peer, through));
        }
        match self.list.get_mut(through) {
            Some(pair) => pair.peer = peer,
            None => self.pair_doors(),
        }
        self.timeout(now);
    }

    pub fn poll_door(&mut self) -> Option<SocketAddr> {
        self.doors.pop_front()
    }

    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.out.pop_front()
    }

    /// Pairs what both ends have told.
    fn pair_all(&mut self) {
        let Some(FullIce { local, remote, .. }) = self.terms.full.clone() else { return };
        let is_ours = |of: &&Candidate| of.component == self.component;
        let has_relay =
            local.iter().filter(is_ours).any(|ours| ours.kind == CandidateKind::Relayed);
        for theirs in remote.iter().filter(is_ours).take(limits::ICE_CANDIDATES) {
            let address = plain(theirs.address);
            // Who is on this machine is where we are, too.
            let is_here = |ours: &Candidate| plain(ours.address).ip().is_loopback();
            let is_elsewhere = address.ip().is_loopback() && !local.iter().any(is_here);
            if is_nowhere(address) || is_elsewhere {
                continue;
            }
            // A base of ours of the same family, if there is any, and a relay reaches both.
            let is_near = |ours: &&Candidate| {
                let is_same = plain(ours.address).is_ipv4() == address.is_ipv4();
                ours.component == self.component && ours.kind == CandidateKind::Host && is_same
            };
            let host = local.iter().filter(is_near).map(|ours| ours.priority).max();
            if let Some(priority) = host {
                self.list.add(Pair::new(address, theirs.priority, priority));
            }
            let is_wanted = has_relay && address.is_ipv4() && !self.asked.contains(&address);
            if is_wanted && self.asked.len() < limits::ICE_DOORS {
                self.asked.push(address);
                self.doors.push_back(address);
            }
        }
        self.pair_doors();
    }

    fn pair_doors(&mut self) {
        let component = self.component;
        for (peer, through) in &self.open {
            let known = self.terms.full.iter().flat_map(|full| &full.remote);
            let known = known.filter(|theirs| theirs.component == component);
            let priority = known
                .filter(|theirs| plain(theirs.address) == *peer)
                .map(|theirs| theirs.priority)
                .next();
            let priority =
                priority.unwrap_or_else(|| CandidateKind::PeerReflexive.priority(0, component));
            let ours = CandidateKind::Relayed.priority(u16::MAX, component);
            let mut pair = Pair::new(*through, priority, ours);
            pair.peer = *peer;
            self.list.add(pair);
        }
    }

    pub fn route(&self) -> Route {
        let live = |pair: &Pair| pair.is_alive();
        let any = |pair: &Pair| pair.state == State::Succeeded;
        let controls = self.is_controlling;
        let selected = self.selected();
        let to = selected
            .filter(|pair| pair.is_alive())
            .or_else(|| self.list.best(controls, live))
            .or_else(|| selected.filter(|pair| any(pair)))
            .or_else(|| self.list.best(controls, any));
        let Some(to) = to else {
            let mut route = self.before.map(|(route, _)| route).unwrap_or_default();
            // Who knows our password is heard, before it has answered.
            let heard = self.list.iter().filter(|pair| pair.is_source());
            let mut heard = heard.map(|pair| pair.remote);
            for place in route.sources.iter_mut().filter(|place| place.is_none()) {
                *place = heard.next();
            }
            return route;
        };
        let others = self.list.iter().filter(|pair| pair.is_source() && pair.remote != to.remote);
        let mut others: Vec<&Pair> = others.collect();
        if others.len() >= ROUTE_SOURCES {
            others.sort_by_key(|pair| std::cmp::Reverse(pair.heard.max(pair.consent)));
        }
        let all = std::iter::once(to.remote).chain(others.iter().map(|pair| pair.remote));
        let mut route = Route { to: Some(to.remote), ..Route::default() };
        for (place, source) in route.sources.iter_mut().zip(all) {
            *place = Some(source);
        }
        route
    }

    /// The nominated pair.
    fn selected(&self) -> Option<&Pair> {
        if self.is_controlling {
            return self.list.iter().find(|pair| pair.nomination == Nomination::Done);
        }
        let valid = |pair: &Pair| pair.state == State::Succeeded;
        let newest = self.list.iter().filter(|pair| valid(pair)).filter_map(|pair| pair.wanted);
        let newest = newest.max()?;
        let is_wanted = |pair: &Pair| {
            let wanted = pair.wanted.map(|at| newest.saturating_duration_since(at));
            valid(pair) && wanted.is_some_and(|age| age <= WANTED_WITHIN)
        };
        self.list.best(false, is_wanted)
    }

    pub fn deadline(&self) -> Option<Instant> {
        let is_waiting = |pair: &Pair| self.may_begin(pair);
        let has_more = !self.triggered.is_empty() || self.list.iter().any(is_waiting);
        let paced = has_more.then_some(self.paced);
        let before = self.before.map(|(_, until)| until);
        let (choice, revival) = (self.nominates_at(), self.revives_at());
        [paced, before, choice, revival].into_iter().flatten().chain(self.list.deadline()).min()
    }

    pub fn timeout(&mut self, now: Instant) {
        self.before = self.before.filter(|(_, until)| now < *until);
        self.list.iter_mut().for_each(|pair| pair.expire(now));
        self.note_loss(now);
        if self.revives_at().is_some_and(|at| at <= now) {
            self.revive(now);
        }
        let due = self.list.iter().filter(|pair| pair.next.is_some_and(|at| at <= now));
        for remote in due.map(|pair| pair.remote).collect::<Vec<_>>() {
            self.again(now, remote);
        }
        if self.paced <= now {
            let next = self.next_in_turn();
            if let Some(remote) = next {
                self.paced = now + limits::ICE_PACE;
                self.check(now, remote);
            }
        }
        if self.nominates_at().is_some_and(|at| at <= now) {
            self.nominate(now);
        }
    }

    fn next_in_turn(&mut self) -> Option<SocketAddr> {
        if let Some(remote) = self.triggered.pop_front() {
            return Some(remote);
        }
        let waiting = |pair: &Pair| self.may_begin(pair);
        self.list.best(self.is_controlling, waiting).map(|pair| pair.remote)
    }

    /// It waits for its first check, and may have one.
    fn may_begin(&self, pair: &Pair) -> bool {
        pair.state == State::Waiting && self.may_send(pair.peer.ip())
    }

    /// Whether one more check may go there. Who calls may name any address as its own: until it has shown that it
    /// knows a password, others get little by that.
    fn may_send(&self, peer: IpAddr) -> bool {
        let of_address = self.unproven.iter().filter(|ip| **ip == peer).count();
        let has_room = self.unproven.len() < limits::ICE_UNPROVEN_CHECKS
            && of_address < limits::ICE_UNPROVEN_CHECKS_OF_ADDRESS;
        self.is_proven || has_room
    }

    /// Whether one may go there again: those that have had none come first.
    fn may_repeat(&self, peer: IpAddr) -> bool {
        let waiting = self.list.iter().filter(|pair| self.may_begin(pair)).count();
        let is_spare = self.unproven.len() + waiting < limits::ICE_UNPROVEN_CHECKS;
        self.may_send(peer) && (self.is_proven || is_spare)
    }

    fn note_sent(&mut self, peer: IpAddr) {
        if !self.is_proven {
            self.unproven.push(peer);
        }
    }

    fn note_loss(&mut self, now: Instant) {
        let is_left = |pair: &Pair| pair.state == State::Succeeded;
        let is_lost = self.list.iter().any(|pair| pair.was_valid) && !self.list.iter().any(is_left);
        self.lost = is_lost.then(|| self.lost.unwrap_or(now));
    }

    /// When ways that worked are tried again, none being left.
    fn revives_at(&self) -> Option<Instant> {
        let until = self.lost? + limits::ICE_RECOVERY;
        let at = self.revived + limits::ICE_RECOVERY_EVERY;
        (self.list.iter().any(Pair::is_lost) && at < until).then_some(at)
    }

    fn revive(&mut self, now: Instant) {
        self.revived = now;
        for pair in self.list.iter_mut().filter(|pair| pair.is_lost()) {
            pair.state = State::Waiting;
        }
    }

    /// A check of ours has not been answered, or consent is to be asked for.
    fn again(&mut self, now: Instant, remote: SocketAddr) {
        let may_repeat = self.list.get(remote).is_some_and(|pair| self.may_repeat(pair.peer.ip()));
        let Some(pair) = self.list.get_mut(remote) else { return };
        match pair.state {
            State::InProgress if pair.copies < limits::ICE_COPIES && may_repeat => {
                pair.copies += 1;
                pair.next = Some(now + limits::ICE_FIRST_WAIT * 2_u32.pow(pair.copies - 1));
                let (peer, bytes) = (pair.peer.ip(), pair.bytes.clone());
                self.note_sent(peer);
                self.out.push_back((remote, bytes));
            }
            State::InProgress => (pair.state, pair.next) = (State::Failed, None),
            State::Succeeded => {
                // None is there where the last one was answered.
                if !pair.sent.is_empty() {
                    pair.missed = pair.missed.saturating_add(1);
                }
                if pair.missed > 0 && pair.nomination == Nomination::Asked {
                    // Another one may be better by now.
                    pair.nomination = Nomination::No;
                }
                self.check(now, remote);
            }
            State::Waiting | State::Failed => pair.next = None,
        }
    }

    /// Sends another check there.
    fn check(&mut self, now: Instant, remote: SocketAddr) {
        let role = match self.is_controlling {
            true => Role::Controlling(self.tie_breaker),
            false => Role::Controlled(self.tie_breaker),
        };
        let mut id = TransactionId([0; 12]);
        let seed = [self.entropy.next_u64(), self.entropy.next_u64()];
        let seed = seed.map(u64::to_be_bytes).concat();
        id.0.iter_mut().zip(seed).for_each(|(place, byte)| *place = byte);
        let spread = 4_000 + u64::from(self.entropy.next_u16()) * 2_000 / 65_536;
        let Some(pair) = self.list.get_mut(remote) else { return };
        let is_nominating = self.is_controlling && pair.nomination != Nomination::No;
        let kind = CandidateKind::PeerReflexive;
        let preference = (pair.local_priority >> 8) as u16;
        let priority = kind.priority(preference, self.component);
        let check = Check { id, role, is_nominating, priority };
        let Some(bytes) = check.bytes(&self.terms, self.crypto.as_ref()) else { return };
        let was_controlling = self.is_controlling;
        pair.note_sent(Sent { id, is_nominating, was_controlling }, bytes.clone());
        pair.next = Some(match pair.state {
            State::Waiting | State::Failed | State::InProgress => {
                pair.state = State::InProgress;
                now + limits::ICE_FIRST_WAIT
            }
            State::Succeeded if pair.missed > 0 || pair.nomination == Nomination::Asked => {
                now + limits::ICE_FIRST_WAIT * 2
            }
            // RFC 7675 section 5.1: five seconds, a fifth of it more or less.
            State::Succeeded => now + Duration::from_millis(spread),
        });
        let peer = pair.peer.ip();
        self.note_sent(peer);
        self.out.push_back((remote, bytes));
    }

    /// When a pair is to be chosen by us.
    fn nominates_at(&self) -> Option<Instant> {
        let first = self.first.filter(|_| self.is_controlling)?;
        let chosen = |pair: &Pair| pair.nomination != Nomination::No && pair.is_alive();
        if self.list.iter().any(chosen) {
            return None;
        }
        let best = self.list.best(true, Pair::is_alive)?;
        let priority = best.priority(true);
        // One that has been sent so often will hardly be answered.
        let is_hoped_for =
            |pair: &Pair| pair.is_open() && pair.copies < 4 && pair.priority(true) > priority;
        let patience = match (self.list.iter().any(is_hoped_for), best.remote == best.peer) {
            (false, _) => Duration::ZERO,
            (true, true) => PATIENCE,
            (true, false) => PATIENCE_FOR_RELAY,
        };
        Some(first + patience)
    }

    fn nominate(&mut self, now: Instant) {
        let best = self.list.best(true, Pair::is_alive).map(|pair| pair.remote);
        for pair in self.list.iter_mut() {
            pair.nomination = match best == Some(pair.remote) {
                true => Nomination::Asked,
                false => Nomination::No,
            };
        }
        if let Some(remote) = best {
            self.check(now, remote);
        }
    }

    pub fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
        match Heard::of(bytes)? {
            // Whoever sent it has shown nothing.
            Heard::Indication => None,
            Heard::Request(request) => self.take_request(now, from, request),
            Heard::Response(response) => {
                self.take_response(now, from, response);
                self.timeout(now);
                None
            }
        }
    }

    /// A check of the peer's.
    fn take_request(
        &mut self,
        now: Instant,
        from: SocketAddr,
        mut request: Message,
    ) -> Option<Vec<u8>> {
        let seen = self.list.get(from).map_or(from, |pair| pair.peer);
        let answer = match message::judge(&mut request, &self.terms, self.crypto.as_ref())? {
            Ok(asked) if self.is_my_role(asked.role) => Answer::CONFLICT,
            Ok(asked) => {
                self.validate(now, from, asked);
                Answer::Success
            }
            Err(answer) => answer,
        };
        let answer = message::respond(&request, seen, &answer, &self.terms, self.crypto.as_ref());
        self.timeout(now);
        answer
    }

    /// Whether the peer has to take the other role; if not, we do (RFC 8445 section 7.3.1.1).
    fn is_my_role(&mut self, theirs: Role) -> bool {
        let (is_conflict, do_we_keep_it) = match theirs {
            Role::Controlling(tie) => (self.is_controlling, self.tie_breaker >= tie),
            Role::Controlled(tie) => (!self.is_controlling, self.tie_breaker < tie),
        };
        if is_conflict && !do_we_keep_it {
            self.change_role(!self.is_controlling);
        }
        is_conflict && do_we_keep_it
    }

    fn change_role(&mut self, is_controlling: bool) {
        if self.is_controlling != is_controlling {
            self.is_controlling = is_controlling;
            for pair in self.list.iter_mut() {
                pair.nomination = Nomination::No;
            }
        }
    }

    fn validate(&mut self, now: Instant, from: SocketAddr, asked: Asked) {
        self.is_proven = true;
        if self.list.get(from).is_none() {
            let kind = CandidateKind::PeerReflexive;
            let theirs = asked.priority.unwrap_or_else(|| kind.priority(0, self.component));
            let ours = CandidateKind::Host.priority(0, self.component);
            self.list.add(Pair::new(from, theirs, ours));
        }
        let controls = self.is_controlling;
        let Some(pair) = self.list.get_mut(from) else { return };
        pair.heard = Some(now);
        if asked.is_nominating && !controls {
            pair.wanted = Some(now);
        }
        let is_to_check = match pair.state {
            State::Waiting | State::Failed => true,
            // It may be that its router has only now been opened.
            State::InProgress => pair.copies > 1,
            State::Succeeded => pair.missed > 0,
        };
        if is_to_check && !self.triggered.contains(&from) {
            self.triggered.push_back(from);
        }
    }

    /// What claims to answer a check of ours.
    fn take_response(&mut self, now: Instant, from: SocketAddr, mut response: Message) {
        let id = response.transaction_id;
        let Some(pair) = self.list.get_mut(from) else { return };
        if !pair.sent.iter().any(|sent| sent.id == id) {
            return;
        }
        let told = message::told(&mut response, &self.terms, self.crypto.as_ref());
        let Some((told, sent)) = told.zip(pair.answered(id)) else { return };
        self.is_proven = true;
        match told {
            Told::Success => {
                let is_first = pair.state != State::Succeeded;
                (pair.state, pair.was_valid) = (State::Succeeded, true);
                (pair.consent, pair.missed) = (Some(now), 0);
                pair.sent.clear();
                if is_first || pair.nomination == Nomination::Asked {
                    pair.next = Some(now + limits::ICE_CONSENT_EVERY);
                }
                if sent.is_nominating && pair.nomination == Nomination::Asked {
                    pair.nomination = Nomination::Done;
                }
                self.triggered.retain(|remote| *remote != from);
                self.first.get_or_insert(now);
                (self.before, self.lost) = (None, None);
            }
            Told::Conflict => {
                if self.is_controlling == sent.was_controlling {
                    self.change_role(!sent.was_controlling);
                }
                if !self.triggered.contains(&from) {
                    self.triggered.push_back(from);
                }
            }
            // It may not know our name yet, and be asked again.
            Told::Refusal => {}
        }
    }
}
