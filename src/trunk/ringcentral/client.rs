//! The requests of one account: in order, one at a time, with a token, and again where that may help.
//!
//! ```text
//!  ask ─▶ queue ─▶ token? ─ none ─▶ sign-in ─┐
//!                     └─ good ─▶ request ◀───┘   401: once more with another token
//!                                                429: nothing is sent until Retry-After is over
//!                                                408, 5xx, silence: three times
//! ```
//!
//! Invariants: at most one request is out; between a 429 and the end of its penalty none is, for each would
//! begin it anew; each ticket has one outcome.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::refusal::Refusal;
use super::request::{Answer, Request};
use super::tokens::{Application, Tokens};
use crate::base::limits;

/// How often a request is sent that is not answered, or by a server that is out of order.
const TRIES: u8 = 3;
/// The wait between two of them.
const AGAIN: Duration = Duration::from_secs(10);
/// The penalty where a 429 has no Retry-After, and the longest that is obeyed.
const PENALTY: Duration = Duration::from_secs(30);
const PENALTY_MOST: Duration = Duration::from_secs(3_600);
/// Penalties in a row after which a request is given up.
const PENALTIES: u8 = 5;
/// After a sign-in that was refused nothing is asked for so long: the credentials must change first.
const SHUT: Duration = Duration::from_secs(300);

#[derive(Debug)]
struct Job<T> {
    ticket: T,
    request: Request,
    tries: u8,
    penalties: u8,
    /// A 401 has had the token renewed.
    has_renewed: bool,
    /// Nobody waits for it beyond this.
    until: Option<Instant>,
}

#[derive(Debug)]
enum Flight<T> {
    Grant,
    Job(Job<T>),
}

/// What a client wants.
#[derive(Debug)]
pub enum Output<T> {
    Send(Request),
    Done { ticket: T, outcome: Result<Vec<u8>, Refusal> },
    Timeout(Option<Instant>),
}

/// See the module. `T` tells what a request was for.
#[derive(Debug)]
pub struct Client<T> {
    tokens: Tokens,
    queue: VecDeque<Job<T>>,
    flight: Option<Flight<T>>,
    /// Nothing is sent before.
    not_before: Option<Instant>,
    grant_tries: u8,
    grant_penalties: u8,
    shut: Option<(Refusal, Instant)>,
    outputs: VecDeque<Output<T>>,
}

impl<T> Client<T> {
    pub fn new(application: Application) -> Self {
        Self {
            tokens: Tokens::new(application),
            queue: VecDeque::new(),
            flight: None,
            not_before: None,
            grant_tries: 0,
            grant_penalties: 0,
            shut: None,
            outputs: VecDeque::new(),
        }
    }

    /// Asks, once it is its turn. `within`: for a caller who does not wait longer, and comes before those
    /// that wait as long as it takes.
    pub fn ask(&mut self, now: Instant, ticket: T, request: Request, within: Option<Duration>) {
        if self.queue.len() >= limits::RINGCENTRAL_REQUESTS {
            return self.done(ticket, Err(Refusal::Busy));
        }
        let until = within.map(|within| now + within);
        let job = Job { ticket, request, tries: 0, penalties: 0, has_renewed: false, until };
        let place = match until {
            Some(_) => self.queue.iter().take_while(|job| job.until.is_some()).count(),
            None => self.queue.len(),
        };
        self.queue.insert(place, job);
        self.go_on(now);
    }

    /// The answer to the request that is out; `None`: there was none.
    pub fn answered(&mut self, now: Instant, answer: Option<Answer>) {
        match self.flight.take() {
            Some(Flight::Grant) => self.granted(now, answer),
            Some(Flight::Job(job)) => self.told(now, job, answer),
            None => {}
        }
        self.go_on(now);
    }

    pub fn timeout(&mut self, now: Instant) {
        self.go_on(now);
    }

    /// The end: the session is given back, if there is one and nothing is out.
    pub fn leave(&mut self) {
        self.queue.clear();
        if self.flight.is_none()
            && let Some(revoke) = self.tokens.revoke()
        {
            self.outputs.push_back(Output::Send(revoke));
        }
    }

    pub fn poll_output(&mut self) -> Output<T> {
        self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.deadline()))
    }

    fn deadline(&self) -> Option<Instant> {
        if self.flight.is_some() {
            return None;
        }
        let renew = self.tokens.renew_at().filter(|_| self.shut.is_none());
        let next = match (self.queue.is_empty(), self.not_before) {
            (true, Some(not_before)) => renew.map(|at| at.max(not_before)),
            (true, None) => renew,
            (false, not_before) => not_before,
        };
        let ends = self.queue.iter().filter_map(|job| job.until).min();
        [next, ends].into_iter().flatten().min()
    }

    fn done(&mut self, ticket: T, outcome: Result<Vec<u8>, Refusal>) {
        self.outputs.push_back(Output::Done { ticket, outcome });
    }

    /// Sends what is next, if it may be sent.
    fn go_on(&mut self, now: Instant) {
        self.drop_late(now);
        if self.flight.is_some() || self.not_before.is_some_and(|at| now < at) {
            return;
        }
        self.not_before = None;
        if let Some((refusal, until)) = &self.shut {
            if now < *until {
                let refusal = refusal.clone();
                return self.fail_all(&refusal);
            }
            self.shut = None;
        }
        let is_due = self.tokens.renew_at().is_some_and(|at| at <= now);
        match (self.queue.is_empty(), self.tokens.bearer(now)) {
            (true, _) if !is_due => {}
            (_, Some(bearer)) if !is_due => {
                let Some(mut job) = self.queue.pop_front() else { return };
                job.tries += 1;
                job.request.authorization = Some(bearer);
                self.outputs.push_back(Output::Send(job.request.clone()));
                self.flight = Some(Flight::Job(job));
            }
            _ => {
                let asked = self.tokens.ask(now);
                self.outputs.push_back(Output::Send(asked));
                self.flight = Some(Flight::Grant);
            }
        }
    }

    fn drop_late(&mut self, now: Instant) {
        let is_late = |job: &Job<T>| job.until.is_some_and(|until| until <= now);
        while let Some(at) = self.queue.iter().position(is_late) {
            if let Some(job) = self.queue.remove(at) {
                self.done(job.ticket, Err(Refusal::Silent));
            }
        }
    }

    fn fail_all(&mut self, refusal: &Refusal) {
        while let Some(job) = self.queue.pop_front() {
            self.done(job.ticket, Err(refusal.clone()));
        }
    }

    fn granted(&mut self, now: Instant, answer: Option<Answer>) {
        let refusal = match answer {
            Some(Answer { status: 200..=299, body, .. }) => match self.tokens.granted(now, &body) {
                Ok(()) => {
                    (self.grant_tries, self.grant_penalties) = (0, 0);
                    return;
                }
                Err(lacking) => Refusal::Unreadable(lacking.0),
            },
            Some(answer) if is_penalty(&answer) => {
                self.penalty(now, &answer);
                self.grant_penalties += 1;
                if self.grant_penalties < PENALTIES {
                    return;
                }
                self.grant_penalties = 0;
                return self.fail_all(&Refusal::Busy);
            }
            Some(answer) if !is_passing(answer.status) => Refusal::of_sign_in(&answer),
            Some(_) | None => {
                self.grant_tries += 1;
                self.not_before = Some(now + AGAIN);
                if self.grant_tries >= TRIES {
                    self.grant_tries = 0;
                    self.fail_all(&Refusal::Silent);
                }
                return;
            }
        };
        // One that was good is used up: the next attempt is with the JWT.
        self.tokens.disbelieved();
        self.shut = Some((refusal, now + SHUT));
    }

    fn told(&mut self, now: Instant, mut job: Job<T>, answer: Option<Answer>) {
        let outcome = match answer {
            Some(Answer { status: 200..=299, body, .. }) => Ok(body),
            Some(Answer { status: 401, .. }) if !job.has_renewed => {
                job.has_renewed = true;
                job.tries = 0;
                self.tokens.disbelieved();
                return self.queue.push_front(job);
            }
            Some(answer) if is_penalty(&answer) => {
                self.penalty(now, &answer);
                job.penalties += 1;
                if job.penalties < PENALTIES {
                    return self.queue.push_front(job);
                }
                Err(Refusal::Busy)
            }
            Some(answer) if !is_passing(answer.status) => Err(Refusal::of(&answer)),
            Some(_) | None if job.tries < TRIES => {
                self.not_before = Some(now + AGAIN);
                return self.queue.push_front(job);
            }
            Some(_) | None => Err(Refusal::Silent),
        };
        self.done(job.ticket, outcome);
    }

    fn penalty(&mut self, now: Instant, answer: &Answer) {
        let asked = answer.retry_after_s.map(|s| Duration::from_secs(s.max(1).into()));
        self.not_before = Some(now + asked.unwrap_or(PENALTY).min(PENALTY_MOST));
    }
}

/// The platform says how long it is to be left alone.
const fn is_penalty(answer: &Answer) -> bool {
    answer.status == 429 || answer.status == 503 && answer.retry_after_s.is_some()
}

const fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 500..=599)
}

#[cfg(test)]
mod tests;
