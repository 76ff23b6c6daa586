//! Pairs of one component (RFC 8445 section 6.1.2): what is known of each way to the peer.
//!
//! All of ours go through one socket, or through a door that a relay of ours has opened in front of it: so a
//! pair is known by where its datagrams go, and by where they come from.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use rtc_stun::message::TransactionId;

use crate::base::limits;

/// Checks in a row without an answer, after which another way is better.
const MISSED: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No check of ours is under way.
    Waiting,
    InProgress,
    /// The peer has answered, and since then never been silent for too long.
    Succeeded,
    Failed,
}

/// A check that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub id: TransactionId,
    pub is_nominating: bool,
    pub was_controlling: bool,
}

pub(super) struct Pair {
    /// Where datagrams go to, and come from.
    pub remote: SocketAddr,
    /// The peer's own address; another one behind a door.
    pub peer: SocketAddr,
    /// Of the peer's end.
    pub remote_priority: u32,
    /// Of ours.
    pub local_priority: u32,
    pub state: State,
    /// The newest last.
    pub sent: VecDeque<Sent>,
    /// The newest as bytes, to be sent again.
    pub bytes: Vec<u8>,
    /// How often it was sent.
    pub copies: u32,
    /// When it is sent again, or another one is.
    pub next: Option<Instant>,
    /// Checks in a row that were not answered.
    pub missed: u32,
    /// When the peer answered, or its authentic sound came from there.
    pub consent: Option<Instant>,
    /// When a check of the peer's came from there.
    pub heard: Option<Instant>,
    /// When the peer last wanted this way.
    pub wanted: Option<Instant>,
    /// We have chosen it; whether the peer knows.
    pub nomination: Nomination,
    /// The peer has answered on it, if only once.
    pub was_valid: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nomination {
    No,
    Asked,
    Done,
}

impl Pair {
    pub fn new(remote: SocketAddr, remote_priority: u32, local_priority: u32) -> Self {
        Self {
            remote,
            peer: remote,
            remote_priority,
            local_priority,
            state: State::Waiting,
            sent: VecDeque::new(),
            bytes: Vec::new(),
            copies: 0,
            next: None,
            missed: 0,
            consent: None,
            heard: None,
            wanted: None,
            nomination: Nomination::No,
            was_valid: false,
        }
    }

    /// RFC 8445 section 6.1.2.3.
    pub fn priority(&self, is_controlling: bool) -> u64 {
        let both = [u64::from(self.local_priority), u64::from(self.remote_priority)];
        let [controlling, controlled] = if is_controlling { both } else { [both[1], both[0]] };
        let (least, most) = (controlling.min(controlled), controlling.max(controlled));
        (least << 32) + 2 * most + u64::from(controlling > controlled)
    }

    /// It works, as far as is known.
    pub fn is_alive(&self) -> bool {
        self.state == State::Succeeded && self.missed < MISSED
    }

    /// The peer has shown that it is there.
    pub fn is_source(&self) -> bool {
        self.state == State::Succeeded || self.heard.is_some()
    }

    /// Whether something may still come of it.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Waiting | State::InProgress)
    }

    /// It worked, and is given up.
    pub fn is_lost(&self) -> bool {
        self.was_valid && self.state == State::Failed
    }

    pub fn note_sent(&mut self, sent: Sent, bytes: Vec<u8>) {
        if self.sent.len() >= limits::ICE_REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(sent);
        (self.bytes, self.copies) = (bytes, 1);
    }

    /// The check that this answers, which is then forgotten with those before it.
    pub fn answered(&mut self, id: TransactionId) -> Option<Sent> {
        let at = self.sent.iter().position(|sent| sent.id == id)?;
        let sent = self.sent.get(at).copied();
        self.sent.drain(..=at);
        sent
    }

    /// What was heard too long ago is forgotten.
    pub fn expire(&mut self, now: Instant) {
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at + limits::ICE_CONSENT <= now);
        if is_over(self.heard) {
            self.heard = None;
        }
        if is_over(self.consent) {
            self.consent = None;
            self.state = State::Failed;
            self.nomination = Nomination::No;
            self.wanted = None;
            self.next = None;
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        let ends = [self.consent, self.heard].into_iter().flatten();
        ends.map(|at| at + limits::ICE_CONSENT).chain(self.next).min()
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct CheckList {
    pairs: Vec<Pair>,
}

impl CheckList {
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        self.pairs.iter_mut()
    }

    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    pub fn get_mut(&mut self, remote: SocketAddr) -> Option<&mut Pair> {
        self.pairs.iter_mut().find(|pair| pair.remote == remote)
    }

    pub fn get(&self, remote: SocketAddr) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.remote == remote)
    }

    /// Adds one that is not there. Where there are too many already, one of which the least is known makes
    /// room, or the new one is left out.
    pub fn add(&mut self, pair: Pair) {
        if self.get(pair.remote).is_some() {
            return;
        }
        if self.pairs.len() >= limits::ICE_PAIRS {
            let unknown = self.pairs.iter().enumerate();
            let unknown = unknown.filter(|(_, pair)| !pair.is_alive());
            let oldest = unknown.min_by_key(|(_, pair)| (pair.is_source(), pair.heard));
            let Some((at, _)) = oldest else { return };
            self.pairs.remove(at);
        }
        self.pairs.push(pair);
    }

    /// The one that is wanted most of those that `fits`.
    pub fn best(&self, is_controlling: bool, fits: impl Fn(&Pair) -> bool) -> Option<&Pair> {
        let fitting = self.pairs.iter().filter(|pair| fits(pair));
        fitting.max_by_key(|pair| pair.priority(is_controlling))
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.pairs.iter().filter_map(Pair::deadline).min()
    }
}
