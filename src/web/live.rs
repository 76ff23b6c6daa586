//! `GET /api/live`: what the page shows, sent by us as it changes, so that it never has to ask.
//!
//! ```text
//!  board ─ what happens, once a second figures ─▶ one look: each part as text ─▶ every page what it has not got
//! ```
//!
//! What all pages show is written once for all of them ([`Live`]), by a task that runs while there is a page; the one call
//! that a page shows in full, and the log, are its own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::access::{Caller, Gate, Scope, now};
use super::board::Board;
use super::problem::{Kind, Problem};
use super::routes::Interface;
use super::trials::Trials;
use super::updates::Updates;
use super::view;
use crate::appliance::recent_log;
use crate::base::CallId;

/// Figures are sent this often.
const FIGURES: Duration = Duration::from_secs(1);
/// What happens at nearly the same time is sent together.
const TOGETHER: Duration = Duration::from_millis(40);
/// A line that is sent where nothing changes, so that neither end takes the other for dead.
const ALIVE: Duration = Duration::from_secs(10);

/// Parts that are the same for all pages, in their order, and whether only the owner has them.
const PARTS: [(&str, bool); 4] =
    [("health", false), ("calls", false), ("updates", true), ("trials", true)];

/// The parts as they are now. One that has not changed is the same text.
type Look = [Arc<str>; PARTS.len()];

/// What all pages are sent, while there are any.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// `None`: no page is open.
    looks: Mutex<Option<watch::Sender<Look>>>,
}

impl Live {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<watch::Sender<Look>>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The looks from now on, beginning with one.
    fn open(this: &Arc<Self>, of: Looker) -> watch::Receiver<Look> {
        let mut looks = this.lock();
        if let Some(running) = &*looks {
            let mut receiver = running.subscribe();
            receiver.mark_changed();
            return receiver;
        }
        let (sender, mut receiver) = watch::channel(of.look(&Look::default()));
        receiver.mark_changed();
        *looks = Some(sender);
        tokio::spawn(of.run(Arc::clone(this)));
        receiver
    }
}

/// Looks at the board for all pages.
struct Looker {
    board: Arc<Board>,
    updates: Arc<Updates>,
    trials: Arc<Trials>,
}

impl Looker {
    async fn run(self, live: Arc<Live>) {
        let mut happens = self.board.events().listen(None).coming;
        let mut figures = interval(FIGURES);
        figures.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let happened = tokio::select! {
                _ = figures.tick() => Ok(()),
                happened = happens.recv() => happened.map(drop),
            };
            // Everything is looked at anew, whatever was missed.
            if matches!(happened, Err(RecvError::Closed)) {
                *live.lock() = None;
                return;
            }
            let rest = async { while happens.recv().await.is_ok() {} };
            let _ = timeout(TOGETHER, rest).await;
            let mut looks = live.lock();
            match looks.as_ref().filter(|sender| sender.receiver_count() > 0) {
                // Told also where nothing has changed: pages look at what is their own then.
                Some(sender) => {
                    let now = self.look(&sender.borrow());
                    sender.send_replace(now);
                }
                None => {
                    *looks = None;
                    return;
                }
            }
        }
    }

    fn look(&self, before: &Look) -> Look {
        let now = [
            json(&view::Health::of(&self.board, true)),
            json(&view::Calls::of(&self.board)),
            json(&self.updates.shown()),
            json(&self.trials.shown()),
        ];
        let mut look = Look::default();
        for ((place, now), before) in look.iter_mut().zip(now).zip(before) {
            *place = if *now == **before { Arc::clone(before) } else { now.into() };
        }
        look
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// What one page is sent.
struct Shown {
    board: Arc<Board>,
    gate: Arc<Gate>,
    caller: Caller,
    looks: watch::Receiver<Look>,
    /// The call that it shows in full.
    call: Option<CallId>,
    /// Lines of the log that it has; `None`: it shows none.
    log: Option<u64>,
    /// What it has got.
    sent: Look,
    sent_call: String,
    waiting: VecDeque<Event>,
    _place: OwnedSemaphorePermit,
}

/// A stream of what the page shows.
#[utoipa::path(
    get,
    path = "/api/live",
    summary = "What the page shows, as it changes",
    description = "A stream of server-sent events without an end. The data of `health` are those of /health, of `calls` \
        those of /api/calls, of `call` those of /api/calls/{id}, and with the scope settings of `updates` and `trials` those \
        of the paths of these names; each comes first as it is, then whenever it changes. The data of `log` are a list of lines.",
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
    let log =
        pairs().any(|pair| pair == "log=true") && caller.may(Scope::Settings) && caller.is_proven();
    let call = call.map(str::parse::<CallId>).transpose();
    let call = call.map_err(|_| Problem::new(Kind::Wrong, "call: as in c7"))?;
    let Interface { board, updates, trials, .. } = &interface;
    let looker = Looker {
        board: Arc::clone(board),
        updates: Arc::clone(updates),
        trials: Arc::clone(trials),
    };
    let looks = Live::open(&interface.live, looker);
    let shown = Shown {
        board: interface.board,
        gate: interface.gate,
        caller,
        call,
        log: log.then_some(0),
        looks,
        sent: Look::default(),
        sent_call: String::new(),
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
            if self.looks.changed().await.is_err() {
                return None;
            }
            self.look();
        }
    }

    fn look(&mut self) {
        let now = self.looks.borrow_and_update().clone();
        for ((name, is_owners), (sent, now)) in PARTS.into_iter().zip(self.sent.iter_mut().zip(now))
        {
            let may_see = !is_owners || self.caller.may(Scope::Settings);
            if may_see && *sent != now {
                self.waiting.push_back(Event::default().event(name).data(&*now));
                *sent = now;
            }
        }
        let record = self.call.and_then(|id| self.board.call(id));
        if let Some(record) = record {
            let text = json(&view::Call::of(&record, self.caller.may(Scope::Words)));
            if self.sent_call != text {
                self.waiting.push_back(Event::default().event("call").data(&text));
                self.sent_call = text;
            }
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
}
