//! `GET /webrtc/{session}/events`: the session's own call, told as it changes (server-sent events).
//!
//! | event | data |
//! |---|---|
//! | `state` | how far the call is; at its end how it ended |
//! | `turn` | a turn that is new, or that has changed, by its number |
//! | `partial` | what the caller seems to be saying just now, or `null` |
//!
//! Each is what has changed since the last one, and the first ones are all that is known: who has lost the connection
//! comes back and misses nothing. The stream ends with the call. A call has one follower, the newest, so that a page
//! which comes back takes the place of its connection before, however dead that is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::HeaderName;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, oneshot};
use utoipa::ToSchema;

use super::{OwnEnding, OwnPartial, OwnTurn, Session, no_such, own_call};
use crate::base::{CallId, limits};
use crate::call::record::CallRecord;
use crate::web::board::Board;
use crate::web::events::stream::ALIVE_EVERY;
use crate::web::problem::{self, Kind, Problem};
use crate::web::routes::Interface;

/// Proxies that collect a stream before they pass it on are asked not to.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// How far a call is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::web) struct OwnState {
    /// As in `c7`.
    call: String,
    /// `active` or `ended`.
    state: &'static str,
    codec: Option<&'static str>,
    /// There are keys, and sound.
    is_secured: bool,
    language: Option<String>,
    turns_left_out: u32,
    ending: Option<OwnEnding>,
}

/// A turn of a call, numbered from 0.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::web) struct NumberedTurn {
    number: u32,
    #[serde(flatten)]
    turn: OwnTurn,
}

/// Who follows which call.
#[derive(Debug)]
pub(in crate::web) struct Followers {
    places: Arc<Semaphore>,
    all: Mutex<All>,
}

/// The newest of each call.
#[derive(Debug, Default)]
struct All {
    /// Of whoever comes next. It only grows, also where nobody follows: a number that came again would have one that is
    /// dead for long end the place of another.
    next: u64,
    newest: HashMap<CallId, (u64, oneshot::Sender<()>)>,
}

impl Default for Followers {
    fn default() -> Self {
        let places = Arc::new(Semaphore::new(limits::WEBRTC_FOLLOWERS));
        Self { places, all: Mutex::default() }
    }
}

/// A place among the followers, until it is dropped or taken by a newer one.
#[derive(Debug)]
struct Follower {
    followers: Arc<Followers>,
    call: CallId,
    number: u64,
    replaced: oneshot::Receiver<()>,
    _place: OwnedSemaphorePermit,
}

impl Followers {
    /// `None`: too many follow their calls.
    fn follow(self: &Arc<Self>, call: CallId) -> Option<Follower> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let number = all.next;
        all.next += 1;
        let (newest, replaced) = oneshot::channel();
        // The one before sees its sender go.
        all.newest.insert(call, (number, newest));
        Some(Follower { followers: Arc::clone(self), call, number, replaced, _place: place })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut all = self.followers.all.lock().unwrap_or_else(PoisonError::into_inner);
        if all.newest.get(&self.call).is_some_and(|(number, _)| *number == self.number) {
            all.newest.remove(&self.call);
        }
    }
}

/// What one follower has been told.
#[derive(Default)]
struct Known {
    state: Option<OwnState>,
    turns: Vec<OwnTurn>,
    partial: Option<OwnPartial>,
}

/// Something that has changed.
#[derive(Clone, PartialEq, Eq)]
enum Change {
    State(OwnState),
    Turn(NumberedTurn),
    Partial(Option<OwnPartial>),
}

impl Known {
    /// What is new since the last time. The end of a call comes last.
    fn changes(&mut self, record: &CallRecord) -> Vec<Change> {
        let mut changes = Vec::new();
        let state = OwnState::of(record);
        for (number, turn) in (0..).zip(record.turns()) {
            let known = self.turns.get_mut(number as usize);
            if known.as_ref().is_some_and(|known| known.is_of(turn)) {
                continue;
            }
            let turn = OwnTurn::of(turn);
            match known {
                Some(known) => known.clone_from(&turn),
                None => self.turns.push(turn.clone()),
            }
            changes.push(Change::Turn(NumberedTurn { number, turn }));
        }
        let partial = record.partial.as_ref().map(OwnPartial::of);
        if self.partial != partial {
            self.partial.clone_from(&partial);
            changes.push(Change::Partial(partial));
        }
        if self.state.as_ref() != Some(&state) {
            self.state = Some(state.clone());
            let at = if record.progress.is_ended() { changes.len() } else { 0 };
            changes.insert(at, Change::State(state));
        }
        changes
    }
}

impl OwnState {
    fn of(record: &CallRecord) -> Self {
        Self {
            call: record.id.to_string(),
            state: record.progress.name(),
            codec: record.codec.map(|codec| codec.name()),
            is_secured: record.srtp.is_some(),
            language: record.language.map(|language| language.to_string()),
            turns_left_out: record.turns_left_out(),
            ending: OwnEnding::of(record),
        }
    }
}

impl Change {
    fn written(&self) -> Result<sse::Event, axum::Error> {
        let event = |name| sse::Event::default().event(name);
        match self {
            Self::State(state) => event("state").json_data(state),
            Self::Turn(turn) => event("turn").json_data(turn),
            Self::Partial(partial) => event("partial").json_data(partial),
        }
    }
}

/// One follower's stream.
struct Reader {
    board: Arc<Board>,
    changes: broadcast::Receiver<CallId>,
    follower: Follower,
    known: Known,
    out: VecDeque<Change>,
    is_over: bool,
}

impl Reader {
    fn look(&mut self) {
        match self.board.call(self.follower.call) {
            Some(record) => {
                self.out.extend(self.known.changes(&record));
                self.is_over = record.progress.is_ended();
            }
            None => self.is_over = true,
        }
    }

    async fn next(&mut self) -> Option<Change> {
        loop {
            if let Some(change) = self.out.pop_front() {
                return Some(change);
            }
            if self.is_over {
                return None;
            }
            tokio::select! {
                changed = self.changes.recv() => match changed {
                    Ok(call) if call != self.follower.call => (),
                    // Whatever was missed is seen now.
                    Ok(_) | Err(RecvError::Lagged(_)) => self.look(),
                    Err(RecvError::Closed) => return None,
                },
                _ = &mut self.follower.replaced => return None,
            }
        }
    }
}

/// The session's own call as it changes.
#[utoipa::path(
    get,
    path = "/webrtc/{session}/events",
    summary = "The session's call as it changes",
    description = "A stream of server-sent events: `state` (OwnState), `turn` (NumberedTurn) and `partial` (OwnPartial or \
        null). The first ones are all that is known, the others what has changed. It ends with the call, or when \
        another one of the same session begins.",
    params(("session" = String, Path, description = "As the first answer has it")),
    responses(
        (status = 200, description = "Events until the call's end", body = String, content_type = "text/event-stream"),
        (status = 404, description = "There is no such session, or it is forgotten", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(in crate::web) async fn events(
    State(interface): State<Interface>,
    session: Session,
) -> Result<Response, Problem> {
    let (call, _) = own_call(&interface, session).await?;
    let follower = interface.followers.follow(call).ok_or_else(|| {
        let problem = Problem::new(Kind::Unavailable, "too many follow their calls already");
        problem.retry_after(limits::WEBRTC_RETRY_AFTER_S)
    })?;
    let board = Arc::clone(&interface.board);
    let changes = board.changes();
    let (known, out) = (Known::default(), VecDeque::new());
    let mut reader = Reader { board, changes, follower, known, out, is_over: false };
    reader.look();
    if reader.out.is_empty() {
        return Err(no_such());
    }
    let alive = KeepAlive::new().interval(ALIVE_EVERY);
    Ok(([UNBUFFERED], Sse::new(sent(reader)).keep_alive(alive)).into_response())
}

fn sent(reader: Reader) -> impl Stream<Item = Result<sse::Event, axum::Error>> {
    stream::unfold(reader, |mut reader| async move {
        let change = reader.next().await?;
        Some((change.written(), reader))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Private;
    use crate::call::ending::Cause;
    use crate::call::record::{Direction, Progress, Turn};
    use crate::listen::PartialText;

    fn record() -> CallRecord {
        CallRecord::new(CallId(7), Direction::Inbound, "browser".into(), 1_000)
    }

    fn turn(caller: &str, reply: &str) -> Turn {
        let text = |text: &str| Private::new(text.to_owned());
        Turn { caller_text: text(caller), reply_text: text(reply), ..Turn::default() }
    }

    fn names(changes: &[Change]) -> Vec<&'static str> {
        let name = |change: &Change| match change {
            Change::State(state) => state.state,
            Change::Turn(_) => "turn",
            Change::Partial(Some(_)) => "partial",
            Change::Partial(None) => "no partial",
        };
        changes.iter().map(name).collect()
    }

    #[test]
    fn what_has_changed_is_told_and_nothing_else() {
        let (mut record, mut known) = (record(), Known::default());
        record.push_turn(turn("", "Hello."));
        let active = record.progress.name();
        assert_eq!(names(&known.changes(&record)), [active, "turn"]);
        assert!(known.changes(&record).is_empty());
        record.rtp.packets_received = 50;
        assert!(known.changes(&record).is_empty(), "figures are nobody's words");
        let words = |settled: &str| PartialText {
            settled: Private::new(settled.to_owned()),
            rest: Private::default(),
        };
        record.partial = Some(words("are"));
        assert_eq!(names(&known.changes(&record)), ["partial"]);
        record.partial = None;
        record.push_turn(turn("are you open", ""));
        let changes = known.changes(&record);
        assert_eq!(names(&changes), ["turn", "no partial"]);
        assert!(matches!(&changes[0], Change::Turn(NumberedTurn { number: 1, .. })));
        let ending = Cause::HungUp.into();
        record.progress = Progress::Ended { answered_at_ms: Some(1), ended_at_ms: 2, ending };
        record.partial = Some(words("x"));
        assert_eq!(names(&known.changes(&record)), ["partial", "ended"], "the end is the last");
    }

    #[test]
    fn who_comes_back_is_told_all_and_a_turn_that_has_changed_is_told_again() {
        let mut record = record();
        (0..3).for_each(|_| record.push_turn(turn("a", "b")));
        let mut known = Known::default();
        let now = record.progress.name();
        assert_eq!(names(&known.changes(&record)), [now, "turn", "turn", "turn"]);
        assert_eq!(names(&Known::default().changes(&record)).len(), 4);
        record.turn_mut(1).unwrap().interrupted = true;
        let changes = known.changes(&record);
        assert!(
            matches!(&changes[..], [Change::Turn(NumberedTurn { number: 1, .. })]),
            "{:?}",
            names(&changes)
        );
        (0..limits::TURNS_PER_CALL).for_each(|_| record.push_turn(turn("c", "d")));
        assert_eq!(known.changes(&record).len(), limits::TURNS_PER_CALL - 3 + 1);
        record.push_turn(turn("e", "f"));
        assert_eq!(names(&known.changes(&record)), [now], "one more is left out");
    }

    #[test]
    fn one_that_is_dead_for_long_ends_no_newer_one() {
        let followers = Arc::new(Followers::default());
        let hangs = followers.follow(CallId(1)).unwrap();
        drop(followers.follow(CallId(1)).unwrap());
        let mut third = followers.follow(CallId(1)).unwrap();
        drop(hangs);
        assert_eq!(third.replaced.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        assert_eq!(followers.all.lock().unwrap().newest.len(), 1);
    }

    #[test]
    fn a_call_has_one_follower_and_all_of_them_a_bound() {
        let followers = Arc::new(Followers::default());
        let mut first = followers.follow(CallId(1)).unwrap();
        assert!(first.replaced.try_recv().is_err());
        let second = followers.follow(CallId(1)).unwrap();
        assert_eq!(first.replaced.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        drop(first);
        assert_eq!(followers.all.lock().unwrap().newest.len(), 1, "the newer one stays");
        drop(second);
        assert!(followers.all.lock().unwrap().newest.is_empty());
        let most = limits::WEBRTC_FOLLOWERS as u64;
        let all: Vec<_> = (0..most).map(|call| followers.follow(CallId(call)).unwrap()).collect();
        assert!(followers.follow(CallId(most)).is_none());
        drop(all);
        assert!(followers.follow(CallId(most)).is_some());
    }
}
