//! `GET /api/events` (server-sent events) and the same over a WebSocket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio::time::timeout;

use super::{Event, Events, Happened, Listening, Written};
use crate::base::limits;
use crate::web::access::{Caller, Gate, Scope, now};
use crate::web::problem::{Kind, Problem};
use crate::web::routes::Interface;

/// A stream on which nothing happens says so, so that neither end takes it for dead.
pub(in crate::web) const ALIVE_EVERY: Duration = Duration::from_secs(10);
/// Whether who listens is still signed in is looked at this often where nothing happens.
const LOOK: Duration = Duration::from_secs(1);
/// A WebSocket that takes nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one listener gets.
struct Reader {
    events: Arc<Events>,
    missed: std::vec::IntoIter<Arc<Happened>>,
    coming: broadcast::Receiver<Arc<Happened>>,
    gate: Arc<Gate>,
    caller: Caller,
    /// The types that are wanted; empty: all.
    wanted: Vec<String>,
    /// The number of the last event that was told, or passed over; at first of the one before all that comes.
    last: u64,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    fn open(
        interface: &Interface,
        caller: &Caller,
        headers: &HeaderMap,
        query: Option<&str>,
    ) -> Result<Self, Problem> {
        let place = Arc::clone(&interface.listeners).try_acquire_owned().map_err(|_| {
            Problem::new(Kind::Unavailable, "too many listen to events already").retry_after(10)
        })?;
        let asked = |name: &str| {
            let mut pairs = query.unwrap_or_default().split('&').filter_map(|p| p.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
        };
        // EventSource sends the header when it comes back by itself, and has no other way to say it at first.
        let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
        let after = header.map(str::to_owned).or_else(|| asked("last_event_id"));
        let wanted: Vec<String> = asked("types")
            .map(|types| types.split(',').map(str::to_owned).filter(|t| !t.is_empty()).collect())
            .unwrap_or_default();
        if let Some(wrong) = wanted.iter().find(|name| !is_type(name)) {
            // Whatever it is, it is not said back.
            let known = Event::names().join(", ");
            let text = format!("types: one of {} characters is none of {known}", wrong.len());
            return Err(Problem::new(Kind::Wrong, text));
        }
        let events = Arc::clone(interface.board.events());
        let Listening { missed, coming, known } = events.listen(after.as_deref());
        Ok(Self {
            events,
            missed: missed.into_iter(),
            coming,
            gate: Arc::clone(&interface.gate),
            caller: caller.clone(),
            wanted,
            last: known,
            _place: place,
        })
    }

    /// The next event that is wanted; `None` at the end of the program, or once who listens is signed out.
    async fn next(&mut self) -> Option<Written> {
        loop {
            let happened = match self.missed.next() {
                Some(happened) => Some(happened),
                None => match timeout(LOOK, self.coming.recv()).await {
                    Ok(Ok(happened)) => Some(happened),
                    Ok(Err(RecvError::Lagged(missed))) => Some(self.gap(missed)),
                    Ok(Err(RecvError::Closed)) => return None,
                    Err(_) => None,
                },
            };
            if !self.gate.is_still_here(now(), &self.caller) {
                return None;
            }
            let Some(happened) = happened else { continue };
            self.last = happened.number;
            let name = happened.event.name();
            let is_wanted = self.wanted.is_empty()
                || name == "gap"
                || self.wanted.iter().any(|wanted| covers(wanted, name));
            if is_wanted {
                return Some(Written::of(&self.events, &happened, self.caller.may(Scope::Words)));
            }
        }
    }

    /// It has not read for too long.
    fn gap(&self, missed: u64) -> Arc<Happened> {
        let number = self.last + missed;
        let event = Event::Gap { missed: Some(missed) };
        Arc::new(Happened { number, at_ms: crate::web::unix_ms(), event })
    }
}

/// A type, or all that begin with a word, as in `call`.
pub fn covers(wanted: &str, name: &str) -> bool {
    name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether it stands for any type.
pub fn is_type(wanted: &str) -> bool {
    Event::names().into_iter().any(|name| covers(wanted, name))
}

/// Server-sent events (WHATWG HTML, section 9.2).
#[utoipa::path(
    get,
    path = "/api/events",
    summary = "What happens, as it happens",
    description = "A stream of server-sent events. After a lost connection `Last-Event-ID` has it go on after that \
        event; what is not kept any more is told by an event of type `gap`.",
    params(
        ("types" = Option<String>, Query, description = "Types that are wanted, with commas, as in call,message.left"),
        ("last_event_id" = Option<String>, Query, description = "As the header field, for who can set none"),
        ("ticket" = Option<String>, Query, description = "Of POST /api/tickets, for who can set no header field"),
        ("Last-Event-ID" = Option<String>, Header, description = "The last event that was known"),
    ),
    responses(
        (status = 200, description = "Events without an end; the data of each is an Event", body = String, content_type = "text/event-stream"),
    )
)]
pub async fn events(
    caller: Caller,
    State(interface): State<Interface>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let reader = Reader::open(&interface, &caller, &headers, query.as_deref())?;
    let alive = KeepAlive::new().interval(ALIVE_EVERY);
    Ok(Sse::new(sent(reader)).keep_alive(alive).into_response())
}

fn sent(reader: Reader) -> impl Stream<Item = Result<sse::Event, axum::Error>> {
    stream::unfold(reader, |mut reader| async move {
        let written = reader.next().await?;
        let event = sse::Event::default().id(written.id.clone()).event(written.r#type);
        Some((event.json_data(&written), reader))
    })
}

/// The same over a WebSocket (RFC 6455): each message an event as JSON. What is sent to us is not read.
#[utoipa::path(
    get,
    path = "/api/events/ws",
    summary = "The same over a WebSocket",
    description = "Each message is an Event as JSON. What is sent to it is not read.",
    params(
        ("types" = Option<String>, Query, description = "As for /api/events"),
        ("last_event_id" = Option<String>, Query, description = "The last event that was known"),
        ("ticket" = Option<String>, Query, description = "Of POST /api/tickets"),
    ),
    responses(
        (status = 101, description = "A WebSocket"),
        (status = 400, description = "No WebSocket was asked for", body = crate::web::problem::Written, content_type = "application/problem+json"),
    )
)]
pub async fn socket(
    caller: Caller,
    State(interface): State<Interface>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade
        .map_err(|_| Problem::new(Kind::Wrong, "a WebSocket is to be asked for (RFC 6455)"))?;
    let reader = Reader::open(&interface, &caller, &headers, query.as_deref())?;
    // Nothing long is to come.
    let upgrade = upgrade.max_message_size(limits::EVENTS_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |socket| send(reader, socket)))
}

async fn send(mut reader: Reader, mut socket: WebSocket) {
    loop {
        let message = tokio::select! {
            written = reader.next() => match written.map(|w| serde_json::to_string(&w)) {
                Some(Ok(text)) => Message::Text(text.into()),
                Some(Err(_)) => continue,
                None => return,
            },
            came = socket.recv() => match came {
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
            () = tokio::time::sleep(ALIVE_EVERY) => Message::Ping(Vec::new().into()),
        };
        match tokio::time::timeout(PATIENCE, socket.send(message)).await {
            Ok(Ok(())) => (),
            // It is gone, or takes nothing.
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, Entropy, Private};
    use crate::web::{Access, Passwords};

    fn gate() -> Gate {
        let own = std::env::temp_dir().join(format!("attendant-{}-events", std::process::id()));
        let passwords = Passwords::open(&own).unwrap();
        Gate::new(Access::default(), passwords, Vec::new(), Entropy::new([7; 32]))
    }

    fn reader(events: &Arc<Events>) -> Reader {
        let Listening { missed, coming, known } = events.listen(None);
        let place = Arc::new(tokio::sync::Semaphore::new(1)).try_acquire_owned().unwrap();
        Reader {
            events: Arc::clone(events),
            missed: missed.into_iter(),
            coming,
            gate: Arc::new(gate()),
            caller: Caller::owner(),
            wanted: Vec::new(),
            last: known,
            _place: place,
        }
    }

    /// Who reads nothing at first is told a gap first, and comes back behind it.
    #[tokio::test]
    async fn a_gap_before_the_first_event_is_numbered_as_those_around_it() {
        let events = Arc::new(Events::new(7));
        let tell = |count: usize| {
            let key = || Event::Key { call: CallId(1), key: Private::new('1') };
            (0..count).for_each(|_| events.tell(1, key()));
        };
        tell(50);
        let mut reader = reader(&events);
        tell(limits::EVENTS_COMING + 10);
        let (gap, first) = (reader.next().await.unwrap(), reader.next().await.unwrap());
        assert_eq!((gap.r#type, &*gap.id, &*first.id), ("gap", "7-60", "7-61"));
    }

    #[test]
    fn a_word_stands_for_all_types_that_begin_with_it() {
        assert!(covers("call", "call.closed") && covers("call.closed", "call.closed"));
        assert!(!covers("cal", "call.closed") && !covers("call.closed", "call"));
        assert!(is_type("transcript") && is_type("health") && !is_type("weather"));
    }
}
