//! What happens, told at the moment at which it does to whoever listens: pages, programs, webhooks.
//!
//! ```text
//!  net thread ─ Board::update_call ─ changes ─▶ Events ─▶ the last of them, to resume from
//!                                                  └────▶ a bounded broadcast ─▶ SSE, WebSocket, ctrl_tcp, webhooks
//! ```
//!
//! Nobody waits: who does not read for as long as the broadcast remembers is told how many it has missed. An event
//! has a number of this run, so that a number of another run is known as one. Words are in an event as private
//! values, and are written only for those who may read them.

pub(super) mod changes;
pub(super) mod stream;
mod written;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use crate::base::{CallId, Private, limits};
use crate::call::record::CallRecord;
use crate::converse::Message;
use crate::listen::PartialText;
use crate::store::history;

use super::board::{AccountReport, Health};

pub(super) use stream::{events, socket};
pub(super) use written::Written;

/// What has happened to a call as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallNews {
    /// An INVITE has come.
    Incoming,
    /// Ours has left.
    Outgoing,
    /// It rings at the other end.
    Ringing,
    /// The other end sends sound and has not answered.
    Progress,
    /// Somebody has answered: we, or by the trunk's word the other end.
    Answered,
    /// The answer is confirmed.
    Established,
    /// The other end holds us, or does not any more.
    Held,
    Resumed,
    /// The caller and a person talk through us.
    Joined,
    /// Somebody of the firm's listens to it, or one of them does not any more.
    Observed,
    Unobserved,
    /// One of them speaks in the assistant's place, or does not any more.
    TakenOver,
    GivenBack,
    /// Nobody was reached, and it is tried again.
    Waiting,
    Closed,
}

impl CallNews {
    pub const ALL: [Self; 15] = [
        Self::Incoming,
        Self::Outgoing,
        Self::Ringing,
        Self::Progress,
        Self::Answered,
        Self::Established,
        Self::Held,
        Self::Resumed,
        Self::Joined,
        Self::Observed,
        Self::Unobserved,
        Self::TakenOver,
        Self::GivenBack,
        Self::Waiting,
        Self::Closed,
    ];

    /// The type of the event, part of the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Incoming => "call.incoming",
            Self::Outgoing => "call.outgoing",
            Self::Ringing => "call.ringing",
            Self::Progress => "call.progress",
            Self::Answered => "call.answered",
            Self::Established => "call.established",
            Self::Held => "call.held",
            Self::Resumed => "call.resumed",
            Self::Joined => "call.joined",
            Self::Observed => "call.observed",
            Self::Unobserved => "call.unobserved",
            Self::TakenOver => "call.taken-over",
            Self::GivenBack => "call.given-back",
            Self::Waiting => "call.waiting",
            Self::Closed => "call.closed",
        }
    }
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferStep {
    /// The other end is asked to call somebody else, or we call somebody for it.
    Begun,
    /// Nobody was reached, and the caller is back.
    Failed,
    /// The other end wants us to call somebody else.
    Asked,
}

impl TransferStep {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Begun => "transfer.begun",
            Self::Failed => "transfer.failed",
            Self::Asked => "transfer.asked",
        }
    }
}

/// What has happened.
#[derive(Clone, Debug)]
pub enum Event {
    Call {
        news: CallNews,
        record: Arc<CallRecord>,
    },
    /// What the other end seems to be saying.
    Partial {
        call: CallId,
        text: PartialText,
    },
    /// The other end's turn, as recognised.
    Heard {
        call: CallId,
        turn: usize,
        text: Private<String>,
    },
    /// What we reply, as far as it is known.
    Replied {
        call: CallId,
        turn: usize,
        text: Private<String>,
    },
    /// The other end has pressed a key.
    Key {
        call: CallId,
        key: Private<char>,
    },
    Transfer {
        call: CallId,
        step: TransferStep,
        to: Option<Private<String>>,
    },
    Message {
        call: CallId,
        message: Message,
    },
    /// A caller has left a message after the tone, and its words are known, or cannot be had for now.
    Voicemail {
        call: CallId,
        /// When the call began: with it the sound is named.
        started_at_ms: u64,
        /// Which of the call's messages after the tone.
        ordinal: u16,
        message: Box<history::Message>,
    },
    Account(AccountReport),
    Health(Health),
    /// Events that this listener has missed; without a number nobody knows how many.
    Gap {
        missed: Option<u64>,
    },
}

impl Event {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Call { news, .. } => news.name(),
            Self::Partial { .. } => "transcript.partial",
            Self::Heard { .. } => "transcript.final",
            Self::Replied { .. } => "reply",
            Self::Key { .. } => "dtmf",
            Self::Transfer { step, .. } => step.name(),
            Self::Message { .. } => "message.left",
            Self::Voicemail { .. } => "voicemail.left",
            Self::Account(_) => "account",
            Self::Health(_) => "health",
            Self::Gap { .. } => "gap",
        }
    }

    /// Every type that there is.
    pub fn names() -> Vec<&'static str> {
        let calls = CallNews::ALL.map(CallNews::name);
        let others = [
            "transcript.partial",
            "transcript.final",
            "reply",
            "dtmf",
            "transfer.begun",
            "transfer.failed",
            "transfer.asked",
            "message.left",
            "voicemail.left",
            "account",
            "health",
            "gap",
        ];
        calls.into_iter().chain(others).collect()
    }
}

/// An event with its number and its time.
#[derive(Clone, Debug)]
pub struct Happened {
    pub number: u64,
    /// Unix milliseconds.
    pub at_ms: u64,
    pub event: Event,
}

/// What is to be told first, and what comes.
#[derive(Debug)]
pub struct Listening {
    /// Events since the last one that was known, the oldest first.
    pub missed: Vec<Arc<Happened>>,
    pub coming: broadcast::Receiver<Arc<Happened>>,
    /// The number of the event before the first of these.
    pub known: u64,
}

/// Everything that happens.
#[derive(Debug)]
pub struct Events {
    /// Names this run of the program: when it began, Unix milliseconds.
    run: u64,
    told: Mutex<Told>,
    coming: broadcast::Sender<Arc<Happened>>,
}

#[derive(Debug, Default)]
struct Told {
    last: u64,
    kept: VecDeque<Arc<Happened>>,
}

impl Events {
    pub fn new(run: u64) -> Self {
        let (coming, _) = broadcast::channel(limits::EVENTS_COMING);
        Self { run, told: Mutex::default(), coming }
    }

    /// Tells everybody, and waits for nobody.
    pub fn tell(&self, at_ms: u64, event: Event) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.last += 1;
        let happened = Arc::new(Happened { number: told.last, at_ms, event });
        if told.kept.len() == limits::EVENTS_KEPT {
            told.kept.pop_front();
        }
        told.kept.push_back(Arc::clone(&happened));
        // Under the lock, so that they come in the order of their numbers. Nobody may be listening.
        let _ = self.coming.send(happened);
    }

    /// Takes what is kept through `forget`, which says what goes; a number without an event is one that tells nothing.
    pub fn forget(&self, forget: impl Fn(&mut Event) -> bool) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.kept.retain_mut(|happened| {
            let mut event = happened.event.clone();
            if forget(&mut event) {
                return false;
            }
            *happened = Arc::new(Happened { event, ..Happened::clone(happened) });
            true
        });
    }

    /// Everything from now on; with the name of an event everything after that one.
    pub fn listen(&self, after: Option<&str>) -> Listening {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let coming = self.coming.subscribe();
        let Some(after) = after else {
            return Listening { missed: Vec::new(), coming, known: told.last };
        };
        let first = told.kept.front().map_or(told.last + 1, |happened| happened.number);
        let gap = |missed| {
            let event = Event::Gap { missed };
            let at_ms = told.kept.back().map_or(self.run, |happened| happened.at_ms);
            Arc::new(Happened { number: first.saturating_sub(1), at_ms, event })
        };
        let (after, gap) = match self.number(after) {
            Some(number) if number.saturating_add(1) >= first => (number, None),
            Some(number) => (number, Some(gap(Some(first - number - 1)))),
            // Of another run, or of no event.
            None => (0, Some(gap(None))),
        };
        let kept = told.kept.iter().filter(|happened| happened.number > after).cloned();
        let missed: Vec<_> = gap.into_iter().chain(kept).collect();
        let known = missed.first().map_or(told.last, |happened| happened.number.saturating_sub(1));
        Listening { missed, coming, known }
    }

    /// The event's name: this run and its number.
    pub fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }

    /// The event as it is sent to a webhook.
    pub fn json(&self, happened: &Happened, shows_words: bool) -> String {
        serde_json::to_string(&Written::of(self, happened, shows_words)).unwrap_or_default()
    }

    fn number(&self, id: &str) -> Option<u64> {
        let (run, number) = id.split_once('-')?;
        (run.parse() == Ok(self.run)).then_some(())?;
        number.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(call: u64) -> Event {
        Event::Key { call: CallId(call), key: Private::new('1') }
    }

    fn numbers(listening: &Listening) -> Vec<(u64, &'static str)> {
        listening.missed.iter().map(|h| (h.number, h.event.name())).collect()
    }

    #[test]
    fn who_comes_back_gets_what_it_missed_and_each_once() {
        let events = Events::new(7);
        (0..3).for_each(|n| events.tell(n, key(n)));
        assert_eq!(numbers(&events.listen(None)), []);
        let mut listening = events.listen(Some("7-1"));
        assert_eq!(numbers(&listening), [(2, "dtmf"), (3, "dtmf")]);
        events.tell(4, key(4));
        assert_eq!(listening.coming.try_recv().unwrap().number, 4);
        assert!(listening.coming.try_recv().is_err());
        assert_eq!(events.id(4), "7-4");
    }

    #[test]
    fn what_is_not_kept_any_more_is_told_as_a_gap() {
        let events = Events::new(7);
        let count = limits::EVENTS_KEPT as u64 + 5;
        (0..count).for_each(|n| events.tell(n, key(n)));
        let listening = events.listen(Some("7-2"));
        assert_eq!(listening.missed.len(), limits::EVENTS_KEPT + 1);
        assert!(matches!(listening.missed[0].event, Event::Gap { missed: Some(3) }));
        assert_eq!(listening.missed[1].number, 6);
        for other in ["6-2", "nonsense", "7-x", ""] {
            let listening = events.listen(Some(other));
            assert!(matches!(listening.missed[0].event, Event::Gap { missed: None }), "{other}");
            assert_eq!(listening.missed.len(), limits::EVENTS_KEPT + 1);
        }
    }

    #[test]
    fn who_does_not_read_holds_up_nobody_and_takes_bounded_room() {
        let events = Events::new(7);
        let mut slow = events.listen(None);
        (0..limits::EVENTS_COMING as u64 + 10).for_each(|n| events.tell(n, key(n)));
        let error = slow.coming.try_recv().unwrap_err();
        assert!(matches!(error, broadcast::error::TryRecvError::Lagged(10..)), "{error}");
        assert!(slow.coming.try_recv().is_ok());
    }
}
