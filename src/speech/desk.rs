//! What the engine has been asked for and by whom: waiting, being worked on, cancelled. Pure.
//!
//! Requests of one kind are begun in the order in which they came, but a lane has one decode at a
//! time: its state is one. Partial texts share a lane of their own, so that there is one at a time
//! and no call's turn waits for it: it is begun when no turn could be and a worker stays free, and
//! given up when a turn finds none. Invariant: a request leaves by exactly one of `take` and then `finish`,
//! or `cancel` while it waited, or with its connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::protocol::{Failure, Phrase, RequestId};
use crate::base::{Private, limits};
use crate::listen::{DecodeWish, Urgency};

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skill {
    Whisper,
    Flite,
    Espeak,
    /// A phrase that was rendered before is read from the disk.
    Kept,
    /// A neural voice, by its place among those that are configured.
    Vits(u8),
}

#[derive(Debug, PartialEq)]
pub enum Work {
    Transcribe { lane: u16, wish: DecodeWish, audio: Private<Vec<i16>> },
    Speak { skill: Skill, phrase: Phrase },
}

/// Where partial texts are decoded.
const PARTIAL_LANE: u16 = u16::MAX;

impl Work {
    const fn skill(&self) -> Skill {
        match self {
            Self::Transcribe { .. } => Skill::Whisper,
            Self::Speak { skill, .. } => *skill,
        }
    }

    fn lane(&self) -> Option<u16> {
        match self {
            Self::Transcribe { .. } if self.is_partial() => Some(PARTIAL_LANE),
            Self::Transcribe { lane, .. } => Some(*lane),
            Self::Speak { .. } => None,
        }
    }

    pub fn is_partial(&self) -> bool {
        matches!(self, Self::Transcribe { wish, .. } if wish.urgency == Urgency::Partial)
    }
}

/// Whose request it is; `cancelled` is read by the worker while it works.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub connection: u64,
    pub request: RequestId,
    pub cancelled: Arc<AtomicBool>,
}

impl Ticket {
    pub fn new(connection: u64, request: RequestId) -> Self {
        Self { connection, request, cancelled: Arc::default() }
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn is(&self, other: &Self) -> bool {
        (self.connection, self.request) == (other.connection, other.request)
    }
}

#[derive(Debug)]
pub struct Job {
    pub ticket: Ticket,
    pub work: Work,
}

/// What a cancellation met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelling {
    /// It had not begun; it is gone.
    Waiting,
    /// Its worker has been told and answers.
    Working,
    /// It has ended before, or never was.
    Unknown,
}

/// All requests of the engine.
#[derive(Debug)]
pub struct Desk {
    /// Workers that decode.
    hearers: usize,
    waiting: VecDeque<Job>,
    working: Vec<(Ticket, Option<u16>)>,
    /// Begun and ended work, counted.
    moves: u64,
}

impl Desk {
    pub fn new(hearers: usize) -> Self {
        Self { hearers, waiting: VecDeque::new(), working: Vec::new(), moves: 0 }
    }

    /// Takes a request in. A partial text is refused where a turn waits.
    pub fn put(&mut self, job: Job) -> Result<(), Failure> {
        let is_full = self.waiting.len() >= limits::ENGINE_REQUESTS;
        if is_full || (job.work.is_partial() && self.waiting.iter().any(is_turn)) {
            return Err(Failure::Overloaded);
        }
        if is_turn(&job) {
            self.make_way();
        }
        self.waiting.push_back(job);
        Ok(())
    }

    /// The oldest request for `skill` whose lane is free; partial texts come last.
    pub fn take(&mut self, skill: Skill) -> Option<Job> {
        let can_begin = |job: &Job| job.work.skill() == skill && !self.is_busy(job.work.lane());
        let leaves_one_free = self.hearers < 2 || self.hearing() + 1 < self.hearers;
        let other = |job: &Job| can_begin(job) && (!job.work.is_partial() || leaves_one_free);
        let turn = self.waiting.iter().position(|job| is_turn(job) && can_begin(job));
        let index = turn.or_else(|| self.waiting.iter().position(other))?;
        let job = self.waiting.remove(index)?;
        self.working.push((job.ticket.clone(), job.work.lane()));
        self.moves += 1;
        Some(job)
    }

    /// The work of `ticket` has ended; its lane is free.
    pub fn finish(&mut self, ticket: &Ticket) {
        self.working.retain(|(working, _)| !working.is(ticket));
        self.moves += 1;
    }

    pub fn cancel(&mut self, connection: u64, request: RequestId) -> Cancelling {
        let ticket = Ticket::new(connection, request);
        if let Some(index) = self.waiting.iter().position(|job| job.ticket.is(&ticket)) {
            self.waiting.remove(index);
            return Cancelling::Waiting;
        }
        match self.working.iter().find(|(working, _)| working.is(&ticket)) {
            Some((working, _)) => {
                working.cancelled.store(true, Ordering::Relaxed);
                Cancelling::Working
            }
            None => Cancelling::Unknown,
        }
    }

    /// Nobody waits for the answers of this connection any more.
    pub fn forget(&mut self, connection: u64) {
        self.waiting.retain(|job| job.ticket.connection != connection);
        for (working, _) in &self.working {
            if working.connection == connection {
                working.cancelled.store(true, Ordering::Relaxed);
            }
        }
    }

    /// How much work was begun and ended so far; `None` while nothing is at work or waits.
    pub fn moves(&self) -> Option<u64> {
        (!self.working.is_empty() || !self.waiting.is_empty()).then_some(self.moves)
    }

    /// Requests that have not been begun.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Decodes that are under way.
    fn hearing(&self) -> usize {
        self.working.iter().filter(|(_, lane)| lane.is_some()).count()
    }

    /// Has the partial text given up, if nobody else is free for the turn that comes.
    fn make_way(&self) {
        let turns = self.waiting.iter().filter(|job| is_turn(job)).count();
        if self.hearing() + turns < self.hearers {
            return;
        }
        for (ticket, lane) in &self.working {
            if *lane == Some(PARTIAL_LANE) {
                ticket.cancelled.store(true, Ordering::Relaxed);
            }
        }
    }

    fn is_busy(&self, lane: Option<u16>) -> bool {
        lane.is_some() && self.working.iter().any(|(_, busy)| *busy == lane)
    }
}

fn is_turn(job: &Job) -> bool {
    job.work.skill() == Skill::Whisper && !job.work.is_partial()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(connection: u64, request: u64, lane: u16) -> Job {
        let (wish, audio) = (DecodeWish::default(), Private::new(Vec::new()));
        let ticket = Ticket::new(connection, RequestId(request));
        Job { ticket, work: Work::Transcribe { lane, wish, audio } }
    }

    fn partial(request: u64, lane: u16) -> Job {
        let wish = DecodeWish { urgency: Urgency::Partial, ..DecodeWish::default() };
        let (ticket, audio) = (Ticket::new(1, RequestId(request)), Private::new(Vec::new()));
        Job { ticket, work: Work::Transcribe { lane, wish, audio } }
    }

    fn taken(desk: &mut Desk) -> Option<(u64, Ticket)> {
        let ticket = desk.take(Skill::Whisper)?.ticket;
        Some((ticket.request.0, ticket))
    }

    #[test]
    fn a_lane_has_one_decode_at_a_time_and_others_pass_it() {
        let mut desk = Desk::new(2);
        for (request, lane) in [(1, 0), (2, 0), (3, 1)] {
            desk.put(hear(1, request, lane)).unwrap();
        }
        assert!(desk.take(Skill::Flite).is_none());
        let (first, first_ticket) = taken(&mut desk).unwrap();
        let (second, _) = taken(&mut desk).unwrap();
        assert_eq!((first, second), (1, 3));
        assert!(taken(&mut desk).is_none());
        desk.finish(&first_ticket);
        assert_eq!(taken(&mut desk).unwrap().0, 2);
    }

    #[test]
    fn a_cancellation_meets_what_waits_or_works_of_its_own_connection() {
        let mut desk = Desk::new(2);
        desk.put(hear(1, 1, 0)).unwrap();
        desk.put(hear(1, 2, 0)).unwrap();
        let (_, ticket) = taken(&mut desk).unwrap();
        assert_eq!(desk.cancel(2, RequestId(1)), Cancelling::Unknown);
        assert!(!ticket.is_cancelled());
        assert_eq!(desk.cancel(1, RequestId(1)), Cancelling::Working);
        assert!(ticket.is_cancelled());
        assert_eq!(desk.cancel(1, RequestId(2)), Cancelling::Waiting);
        assert_eq!(desk.cancel(1, RequestId(2)), Cancelling::Unknown);
    }

    #[test]
    fn a_connection_that_ends_takes_its_requests_with_it() {
        let mut desk = Desk::new(2);
        desk.put(hear(1, 1, 0)).unwrap();
        let (_, ticket) = taken(&mut desk).unwrap();
        desk.put(hear(1, 2, 0)).unwrap();
        desk.put(hear(2, 1, 0)).unwrap();
        desk.forget(1);
        assert!(ticket.is_cancelled());
        assert_eq!(desk.waiting(), 1);
    }

    #[test]
    fn more_than_can_be_done_is_refused() {
        let mut desk = Desk::new(2);
        for request in 0..limits::ENGINE_REQUESTS as u64 {
            desk.put(hear(1, request, 0)).unwrap();
        }
        assert_eq!(desk.put(hear(1, 999, 0)), Err(Failure::Overloaded));
    }

    #[test]
    fn a_partial_text_waits_for_turns_and_takes_nobodys_lane() {
        let mut desk = Desk::new(2);
        desk.put(partial(1, 0)).unwrap();
        desk.put(partial(2, 1)).unwrap();
        desk.put(hear(1, 3, 0)).unwrap();
        // What came while a turn waits is refused.
        assert_eq!(desk.put(partial(4, 2)), Err(Failure::Overloaded));
        let (first, turn) = taken(&mut desk).unwrap();
        assert_eq!(first, 3);
        // With one at a turn the other stays free.
        assert!(taken(&mut desk).is_none());
        desk.finish(&turn);
        assert_eq!(taken(&mut desk).unwrap().0, 1);
        // One at a time.
        assert!(taken(&mut desk).is_none());
        // The turn of the very call whose words are looked at begins beside it.
        desk.put(hear(1, 5, 0)).unwrap();
        assert_eq!(taken(&mut desk).unwrap().0, 5);
    }

    #[test]
    fn a_partial_text_makes_way_for_a_turn_that_finds_nobody_free() {
        for (hearers, turns_beside) in [(1, 0), (2, 1)] {
            let mut desk = Desk::new(hearers);
            desk.put(partial(1, 0)).unwrap();
            let (_, ticket) = taken(&mut desk).unwrap();
            for request in 0..turns_beside {
                desk.put(hear(1, 10 + request, 5 + request as u16)).unwrap();
                assert!(!ticket.is_cancelled(), "{hearers}");
                taken(&mut desk).unwrap();
            }
            desk.put(hear(1, 2, 0)).unwrap();
            assert!(ticket.is_cancelled(), "{hearers}");
        }
    }

    #[test]
    fn a_partial_text_alone_has_the_only_worker() {
        let mut desk = Desk::new(1);
        desk.put(partial(1, 0)).unwrap();
        assert_eq!(taken(&mut desk).unwrap().0, 1);
    }
}
