//! An event as JSON: the same to streams and to webhooks.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Event, Events, Happened};
use crate::base::{CallId, Private};
use crate::web::view;

/// Something that has happened.
#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub struct Written {
    /// Names the event; to be given as `Last-Event-ID` to have what came after it.
    pub id: String,
    /// As in `call.established`.
    pub r#type: &'static str,
    /// RFC 3339, in UTC.
    timestamp: String,
    data: Data,
}

/// What it is about; which of these, says the type.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Data {
    /// `call.*`: the call as it is then.
    Call { call: Box<view::Summary> },
    /// `transcript.partial`: words that have settled, and those that may still change.
    Partial {
        call_id: String,
        #[schema(required = true)]
        settled: Option<String>,
        #[schema(required = true)]
        rest: Option<String>,
    },
    /// `transcript.final` and `reply`: the turn, counted from 0.
    Text {
        call_id: String,
        turn: usize,
        #[schema(required = true)]
        text: Option<String>,
    },
    /// `dtmf`.
    Key {
        call_id: String,
        #[schema(required = true)]
        digit: Option<char>,
    },
    /// `transfer.*`.
    Transfer {
        call_id: String,
        #[schema(required = true)]
        to: Option<String>,
    },
    /// `message.left`.
    Message {
        call_id: String,
        #[schema(required = true)]
        message: Option<view::Message>,
    },
    /// `voicemail.left`: the message as /api/messages has it.
    Voicemail {
        call_id: String,
        /// When the call began, Unix milliseconds.
        started_at_ms: u64,
        /// Which of the call's messages after the tone, from 0.
        ordinal: u16,
        #[schema(required = true)]
        message: Option<view::Kept>,
    },
    /// `account`.
    Account { account: view::Account },
    /// `health`.
    Health { state: &'static str, takes_calls: bool, reasons: Vec<String> },
    /// `gap`: so many events were missed; null: not known.
    Gap {
        #[schema(required = true)]
        missed: Option<u64>,
    },
}

impl Written {
    /// Words are null for whoever may not read them.
    pub fn of(events: &Events, happened: &Happened, shows_words: bool) -> Self {
        Self {
            id: events.id(happened.number),
            r#type: happened.event.name(),
            timestamp: timestamp(happened.at_ms),
            data: Data::of(&happened.event, shows_words),
        }
    }
}

impl Data {
    fn of(event: &Event, shows_words: bool) -> Self {
        let shown = |text: &Private<String>| shows_words.then(|| text.reveal().clone());
        let call_id = |call: &CallId| call.to_string();
        match event {
            Event::Call { record, .. } => Self::Call { call: Box::new(view::Summary::of(record)) },
            Event::Partial { call, text } => Self::Partial {
                call_id: call_id(call),
                settled: shown(&text.settled),
                rest: shown(&text.rest),
            },
            Event::Heard { call, turn, text } | Event::Replied { call, turn, text } => {
                Self::Text { call_id: call_id(call), turn: *turn, text: shown(text) }
            }
            Event::Key { call, key } => {
                Self::Key { call_id: call_id(call), digit: shows_words.then(|| *key.reveal()) }
            }
            Event::Transfer { call, to, .. } => Self::Transfer {
                call_id: call_id(call),
                to: to.as_ref().map(|to| to.reveal().clone()),
            },
            Event::Message { call, message } => Self::Message {
                call_id: call_id(call),
                message: shows_words.then(|| view::Message::of(message)),
            },
            Event::Voicemail { call, started_at_ms, ordinal, message } => Self::Voicemail {
                call_id: call_id(call),
                started_at_ms: *started_at_ms,
                ordinal: *ordinal,
                message: shows_words.then(|| view::Kept::from((**message).clone())),
            },
            Event::Account(report) => Self::Account { account: report.clone().into() },
            Event::Health(health) => Self::Health {
                state: health.name(),
                takes_calls: health.takes_calls(),
                reasons: health.reasons().to_vec(),
            },
            Event::Gap { missed } => Self::Gap { missed: *missed },
        }
    }
}

fn timestamp(ms: u64) -> String {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    jiff::Timestamp::from_millisecond(ms).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::events::CallNews;

    #[test]
    fn words_are_for_those_who_may_read_them() {
        let events = Events::new(7);
        let text = Private::new("my card is four".to_owned());
        let event = Event::Heard { call: CallId(3), turn: 0, text };
        let happened = Happened { number: 4, at_ms: 1_000, event };
        let json = |shows| serde_json::to_value(Written::of(&events, &happened, shows)).unwrap();
        let shown = serde_json::json!({
            "id": "7-4",
            "type": "transcript.final",
            "timestamp": "1970-01-01T00:00:01Z",
            "data": { "call_id": "c3", "turn": 0, "text": "my card is four" },
        });
        assert_eq!(json(true), shown);
        assert_eq!(json(false)["data"]["text"], serde_json::Value::Null);
    }

    #[test]
    fn every_type_is_listed_once() {
        let names = Event::names();
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(names.len(), distinct.len());
        assert!(CallNews::ALL.iter().all(|news| names.contains(&news.name())));
    }
}
