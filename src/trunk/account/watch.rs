//! The servers of an account that does not register: which of them answer, and where calls go.
//!
//! ```text
//! Unasked ─▶ asked ─ an answer ─▶ Answers ─ silence, no way, 500, 502 to 504 ─▶ Gone ─ an answer ─▶ …
//! ```
//!
//! Each is asked by OPTIONS at once and then again and again, in its own time; one that a call was passed on
//! from is gone, and asked at once, or after the few minutes at most that its refusal of that call wants. Invariant: calls go to the first that is not gone, in the owner's order,
//! so the preferred one has them again as soon as it answers; where all are gone, to all in turn, for one that
//! answers no OPTIONS may take calls all the same.

use std::time::{Duration, Instant};

use super::{ALIVE_WITHIN, RETRY_AFTER_MOST, jittered};
use crate::base::{Entropy, limits};
use crate::sip::{FoundBy, Presence, RegistrationFailure, Server};
use crate::trunk::reason::Reason;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unasked,
    Answers,
    Gone(Reason),
}

#[derive(Clone, Copy, Debug)]
struct Watched {
    server: Server,
    state: State,
    /// When it is asked again; `None`: never.
    ask_at: Option<Instant>,
    /// It has been asked, and is silent for good at this moment.
    silent_at: Option<Instant>,
}

/// How the servers are, as the owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// From 1, in the owner's order: the one that calls go to.
    pub used: usize,
    pub of: usize,
    /// Servers that do not answer.
    pub gone: usize,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Watch {
    all: Vec<Watched>,
    /// Between two questions; `None`: nothing is asked.
    every: Option<Duration>,
}

impl Watch {
    pub fn new(every: Duration) -> Self {
        Self { all: Vec::new(), every: Some(every).filter(|every| !every.is_zero()) }
    }

    /// The servers as they are named now. What is known of one stays known.
    pub fn take(&mut self, now: Instant, servers: &[Server]) {
        let ask_at = self.every.map(|_| now);
        let new = |server: &Server| {
            let known = self.all.iter().find(|watched| watched.server == *server).copied();
            let (state, silent_at) = (State::Unasked, None);
            known.unwrap_or(Watched { server: *server, state, ask_at, silent_at })
        };
        self.all = servers.iter().map(new).collect();
    }

    /// Those that a call may go to, the first to be tried first.
    pub fn usable(&self) -> Vec<Server> {
        let is_gone = |watched: &&Watched| matches!(watched.state, State::Gone(_));
        let all_are_gone = self.all.iter().all(|watched| is_gone(&watched));
        let usable = self.all.iter().filter(|watched| all_are_gone || !is_gone(watched));
        usable.map(|watched| watched.server).collect()
    }

    /// How they are; or why none of them serves.
    pub fn standing(&self) -> Result<Standing, Reason> {
        let reason = |watched: &Watched| match watched.state {
            State::Gone(reason) => Some(reason),
            State::Unasked | State::Answers => None,
        };
        let Some(used) = self.all.iter().position(|watched| reason(watched).is_none()) else {
            return Err(self.all.first().and_then(reason).unwrap_or(Reason::NoAddress));
        };
        let gone = self.all.iter().filter(|watched| reason(watched).is_some()).count();
        Ok(Standing { used: used + 1, of: self.all.len(), gone })
    }

    /// A server was asked, or a call was passed on from it.
    pub fn found(&mut self, now: Instant, server: Server, presence: Presence, by: FoundBy) {
        let Some(watched) = self.all.iter_mut().find(|watched| watched.server == server) else {
            return;
        };
        if self.every.is_none() {
            // Nobody would find out that it is there again: each call tries for itself.
            return;
        }
        watched.state = match presence {
            Presence::Answered { status, .. } if is_out_of_order(status) => {
                State::Gone(Reason::Failed(RegistrationFailure::Refused(status)))
            }
            Presence::Answered { .. } => State::Answers,
            Presence::Silent => State::Gone(Reason::Failed(RegistrationFailure::Unanswered)),
            Presence::Unreachable => State::Gone(Reason::Failed(RegistrationFailure::Unreachable)),
        };
        // RFC 3261 section 21.5.4: it wants to be left alone for so long.
        let alone = match presence {
            Presence::Answered { retry_after_s: Some(seconds), .. } => {
                Some(Duration::from_secs(seconds.into()))
            }
            _ => None,
        };
        let is_gone = matches!(watched.state, State::Gone(_));
        let is_asked = watched.silent_at.is_some();
        watched.ask_at = match (by, alone) {
            _ if !is_gone => watched.ask_at,
            (FoundBy::Probe, Some(alone)) => {
                watched.ask_at.map(|at| at.max(now + alone.min(RETRY_AFTER_MOST)))
            }
            // It may have meant that call alone, and answers OPTIONS all the while.
            (FoundBy::Call, Some(alone)) => {
                watched.ask_at.map(|_| now + alone.min(limits::CALL_RETRY_AFTER))
            }
            (FoundBy::Call, None) if !is_asked => watched.ask_at.map(|_| now),
            (FoundBy::Probe | FoundBy::Call, None) => watched.ask_at,
        };
        if by == FoundBy::Probe {
            watched.silent_at = None;
        }
    }

    /// All that are asked at all are asked next.
    pub fn ask_all(&mut self, now: Instant) {
        for watched in &mut self.all {
            watched.ask_at = watched.ask_at.map(|at| at.min(now));
        }
    }

    /// The servers to be asked now.
    pub fn due(&mut self, now: Instant, entropy: &mut Entropy) -> Vec<Server> {
        let Some(every) = self.every else { return Vec::new() };
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let mut asked = Vec::new();
        for watched in &mut self.all {
            if is_due(watched.silent_at) {
                watched.silent_at = None;
                watched.state = State::Gone(Reason::Failed(RegistrationFailure::Unanswered));
            }
            if is_due(watched.ask_at) {
                watched.silent_at = Some(now + ALIVE_WITHIN);
                watched.ask_at = Some(now + jittered(entropy, every, 0.8).max(ALIVE_WITHIN));
                asked.push(watched.server);
            }
        }
        asked
    }

    /// When [`Self::due`] is to be asked again.
    pub fn next(&self) -> Option<Instant> {
        self.all.iter().flat_map(|watched| [watched.ask_at, watched.silent_at]).flatten().min()
    }
}

/// Whether a server says by this status that it serves nobody (RFC 3261 section 21.5). Others, also those
/// that do not know OPTIONS or us (404, 405, 501), say that it is there.
const fn is_out_of_order(status: u16) -> bool {
    matches!(status, 500 | 502..=504)
}
