//! `GET /api/live`: what the page shows, sent by us as it changes, so that it never has to ask.
//!
//! Each part (health, calls, one call) is sent anew when it differs from what was sent before: at once when something
//! happens, and once a second for figures that change all the time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::access::{Caller, Gate, Scope, now};
use super::board::Board;
use super::events::Happened;
use super::problem::{Kind, Problem};
use super::routes::Interface;
use super::view;
use crate::appliance::recent_log;
use crate::base::CallId;

/// Figures are sent this often.
const FIGURES: Duration = Duration::from_secs(1);
/// What happens at nearly the same time is sent together.
const TOGETHER: Duration = Duration::from_millis(40);
/// A line that is sent where nothing changes, so that neither end takes the other for dead.
const ALIVE: Duration = Duration::from_secs(10);

/// What one page is sent.
struct Shown {
    board: Arc<Board>,
    gate: Arc<Gate>,
    caller: Caller,
    /// The call that it shows in full.
    call: Option<CallId>,
    /// Lines of the log that it has; `None`: it shows none.
    log: Option<u64>,
    happens: broadcast::Receiver<Arc<Happened>>,
    figures: Interval,
    /// Each part as it was sent last.
    sent: [String; 3],
    waiting: VecDeque<Event>,
    _place: OwnedSemaphorePermit,
}

/// A stream of what the page shows.
#[utoipa::path(
    get,
    path = "/api/live",
    summary = "What the page shows, as it changes",
    description = "A stream of server-sent events without an end. The data of `health` are those of /health, of `calls` \
        those of /api/calls, of `call` those of /api/calls/{id}; each comes first as it is, then whenever it changes. The data of `log` are a list of lines.",
    params(
        ("call" = Option<String>, Query, description = "The call that is sent in full, as in c7"),
        ("log" = Option<bool>, Query, description = "true: also the log, the last 500 lines first (with the scope settings)"),
    ),
    responses((status = 200, description = "Events", body = String, content_type = "text/event-stream"))
)]
pub(super) async fn live(
    caller: Caller,
    State(interface): State<Interface>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let place = Arc::clone(&interface.listeners)
        .try_acquire_owned()
        .map_err(|_| Problem::new(Kind::Unavailable, "too many pages are open").retry_after(10))?;
    let pairs = || query.as_deref().unwrap_or_default().split('&');
    let call = pairs().find_map(|pair| pair.strip_prefix("call=")).filter(|id| !id.is_empty());
    let log = pairs().any(|pair| pair == "log=true") && caller.may(Scope::Settings);
    let call = call.map(str::parse::<CallId>).transpose();
    let call = call.map_err(|_| Problem::new(Kind::Wrong, "call: as in c7"))?;
    let mut figures = interval(FIGURES);
    figures.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let happens = interface.board.events().listen(None).coming;
    let shown = Shown {
        board: interface.board,
        gate: interface.gate,
        caller,
        call,
        log: log.then_some(0),
        happens,
        figures,
        sent: Default::default(),
        waiting: VecDeque::new(),
        _place: place,
    };
    let alive = KeepAlive::new().interval(ALIVE);
    Ok(Sse::new(sent(shown)).keep_alive(alive).into_response())
}

fn sent(shown: Shown) -> impl Stream<Item = Result<Event, axum::Error>> {
    stream::unfold(shown, |mut shown| async move {
        let event = shown.next().await?;
        Some((Ok(event), shown))
    })
}

impl Shown {
    /// `None` at the end of the program, or once the page is signed out.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if !self.gate.is_still_here(now(), &self.caller) {
                return None;
            }
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let happened = tokio::select! {
                _ = self.figures.tick() => Ok(()),
                happened = self.happens.recv() => happened.map(drop),
            };
            match happened {
                // Everything is looked at anew, whatever was missed.
                Ok(()) | Err(RecvError::Lagged(_)) => (),
                Err(RecvError::Closed) => return None,
            }
            let rest = async { while self.happens.recv().await.is_ok() {} };
            let _ = timeout(TOGETHER, rest).await;
            self.look();
        }
    }

    fn look(&mut self) {
        self.part(0, "health", &view::Health::of(&self.board, true));
        self.part(1, "calls", &view::Calls::of(&self.board));
        let record = self.call.and_then(|id| self.board.call(id));
        if let Some(record) = record {
            self.part(2, "call", &view::Call::of(&record, self.caller.may(Scope::Words)));
        }
        if let Some(after) = self.log {
            let (lines, told) = recent_log::since(after);
            self.log = Some(told);
            if let Ok(text) = serde_json::to_string(&lines)
                && !lines.is_empty()
            {
                self.waiting.push_back(Event::default().event("log").data(text));
            }
        }
    }

    fn part(&mut self, index: usize, name: &str, now: &impl Serialize) {
        let Ok(text) = serde_json::to_string(now) else { return };
        if self.sent[index] != text {
            self.waiting.push_back(Event::default().event(name).data(&text));
            self.sent[index] = text;
        }
    }
}
