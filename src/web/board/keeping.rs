//! Where what the board shows is kept for good, and how that goes.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{broadcast, oneshot};

use super::Board;
use crate::appliance::{recorder, voicemail, webhooks};
use crate::base::{CallId, Private};
use crate::call::record::CallRecord;
use crate::store::history::{self, History};
use crate::store::recordings::Shelf;
use crate::web::events::Event;

/// A number of which nothing is to be kept.
#[derive(Debug)]
pub struct Erasure {
    key: Private<String>,
    /// What the names of this run's events begin with.
    run: String,
    /// Its calls of this run.
    calls: Vec<CallId>,
}

impl Erasure {
    /// Whether an event of this name, as JSON, is of the number. One that makes no sense is.
    pub fn covers(&self, id: &str, body: &Private<String>) -> bool {
        let Ok(body) = serde_json::from_str::<Value>(body.reveal()) else { return true };
        let is_call = |text: &str| self.calls.iter().any(|call| call.to_string() == text);
        let is_its = |text: &str| history::number_key(text) == *self.key.reveal();
        any_text(&body, &|text| is_its(text) || (id.starts_with(&self.run) && is_call(text)))
    }
}

fn any_text(value: &Value, is_it: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is_it(text),
        Value::Array(all) => all.iter().any(|one| any_text(one, is_it)),
        Value::Object(all) => all.values().any(|one| any_text(one, is_it)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl Board {
    /// By which the receivers of webhooks and e-mail are tried; kept once.
    pub fn keep_doors(&self, doors: Vec<webhooks::Door>) {
        let _ = self.doors.set(doors);
    }

    /// Sends something to a receiver now; what is wrong is told. `None`: there is none of this name, or it is busy.
    pub fn try_receiver(&self, name: &str) -> Option<oneshot::Receiver<Option<String>>> {
        let (_, door) = self.doors.get()?.iter().find(|(known, _)| known == name)?;
        let (told, answer) = oneshot::channel();
        door.try_send(told).ok().map(|()| answer)
    }

    /// From here on calls are kept there.
    pub fn keep_in(&self, history: History) {
        // It is given once, at the start.
        let _ = self.history.set(history);
    }

    /// The calls of before; without a database one of which nothing can be read.
    pub fn past(&self) -> History {
        self.history.get().cloned().unwrap_or_else(History::closed)
    }

    /// What is wrong with the database is a reason of the health, too.
    pub fn set_history(&self, report: history::Report) {
        self.change_health(|shown| shown.history = report);
    }

    /// Recordings of before are heard from there.
    pub fn keep_recordings(&self, shelf: Shelf) {
        // It is given once, at the start.
        let _ = self.recordings.set(shelf);
    }

    pub fn recordings_shelf(&self) -> Option<Shelf> {
        self.recordings.get().cloned()
    }

    /// What is wrong with recording is a reason of the health, too.
    pub fn set_recordings(&self, report: recorder::Report) {
        self.change_health(|shown| shown.recordings = Some(report));
    }

    pub fn recordings(&self) -> Option<recorder::Report> {
        self.lock().recordings.clone()
    }

    /// Messages after the tone are heard from there.
    pub fn keep_voicemail(&self, shelf: Shelf) {
        // It is given once, at the start.
        let _ = self.voicemail.set(shelf);
    }

    pub fn voicemail_shelf(&self) -> Option<Shelf> {
        self.voicemail.get().cloned()
    }

    /// What is wrong with them is a reason of the health, too.
    pub fn set_voicemail(&self, report: voicemail::Report) {
        self.change_health(|shown| shown.voicemail = report);
    }

    pub fn voicemail(&self) -> voicemail::Report {
        self.lock().voicemail.clone()
    }

    pub fn history(&self) -> history::Report {
        self.lock().history.clone()
    }

    /// Of the ended calls none of this number is shown any more, of the others no message that wants it called back, and
    /// nothing of it is told to who comes back to listen.
    pub fn forget_number(&self, number: &Private<String>) {
        let key = history::number_key(number.reveal());
        if key.is_empty() {
            return;
        }
        let is_its = |number: &Private<String>| history::number_key(number.reveal()) == key;
        let mut gone = Vec::new();
        {
            let mut shown = self.lock();
            shown.ended.retain(|record| {
                let goes = is_its(&record.peer);
                gone.extend(goes.then_some(record.id));
                !goes
            });
            // Those that are up stay as they are.
            shown.ended.iter_mut().for_each(|record| forget_messages(record, &is_its));
        }
        self.events.forget(|event| forget_event(event, &gone, &is_its));
        let run = self.events.id(0).trim_end_matches('0').to_owned();
        let erasure = Erasure { key: Private::new(key), run, calls: gone };
        // Nobody may have anything of it.
        let _ = self.erased.send(Arc::new(erasure));
    }

    /// What is to be forgotten from here on, by who keeps events for others.
    pub fn erasures(&self) -> broadcast::Receiver<Arc<Erasure>> {
        self.erased.subscribe()
    }
}

/// Messages of this call that want a number called back.
fn forget_messages(record: &mut Arc<CallRecord>, is_its: &impl Fn(&Private<String>) -> bool) {
    let wants = |message: &crate::converse::Message| message.number.as_ref().is_some_and(is_its);
    if record.messages().iter().any(wants) {
        Arc::make_mut(record).forget_messages(wants);
    }
}

/// True: it goes whole.
fn forget_event(
    event: &mut Event,
    gone: &[CallId],
    is_its: &impl Fn(&Private<String>) -> bool,
) -> bool {
    match event {
        Event::Call { record, .. } => {
            forget_messages(record, is_its);
            gone.contains(&record.id) || is_its(&record.peer)
        }
        Event::Message { call, message } => {
            gone.contains(call) || message.number.as_ref().is_some_and(is_its)
        }
        Event::Voicemail { call, message, .. } => {
            gone.contains(call) || message.number.as_ref().is_some_and(is_its)
        }
        Event::Transfer { call, to, .. } => gone.contains(call) || to.as_ref().is_some_and(is_its),
        Event::Partial { call, .. }
        | Event::Heard { call, .. }
        | Event::Replied { call, .. }
        | Event::Key { call, .. } => gone.contains(call),
        Event::Account(_) | Event::Health(_) | Event::Gap { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ending::Cause;
    use crate::call::record::{Direction, Progress};
    use crate::converse::Message;

    fn ended(id: u64, peer: &str, number: &str) -> CallRecord {
        let mut record = CallRecord::new(CallId(id), Direction::Inbound, peer.into(), id);
        record.push_message(Message {
            topic: "order".to_owned(),
            name: None,
            number: Some(Private::new(number.to_owned())),
            text: None,
            fields: Default::default(),
        });
        let ending = Cause::Cancelled.into();
        record.progress = Progress::Ended { answered_at_ms: None, ended_at_ms: id, ending };
        record
    }

    #[test]
    fn nothing_of_a_number_is_left_in_memory() {
        let board = Board::default();
        let mut erasures = board.erasures();
        board.update_call(ended(1, "sip:+49301@gw", "7"));
        board.update_call(ended(2, "sip:8@gw", "0049 301"));
        board.update_call(ended(3, "sip:8@gw", "9"));
        board.forget_number(&Private::new("+49 301".to_owned()));
        assert!(board.call(CallId(1)).is_none());
        assert!(board.call(CallId(2)).unwrap().messages().is_empty());
        assert_eq!(board.call(CallId(3)).unwrap().messages().len(), 1);
        let kept = board.events().listen(Some("none")).missed;
        let texts: Vec<String> = kept.iter().map(|h| board.events().json(h, true)).collect();
        assert!(texts.iter().any(|text| text.contains("\"c3\"")), "{texts:?}");
        let has = |part: &str| texts.iter().any(|text| text.contains(part));
        assert!(!has("49301") && !has("0049 301") && !has("\"c1\""), "{texts:?}");
        let erasure = erasures.try_recv().unwrap();
        let body = |text: &str| Private::new(text.to_owned());
        let (ours, other) = (board.events().id(4), "1-4");
        assert!(erasure.covers(other, &body("{\"data\":{\"peer\":\"sip:+49301@gw\"}}")));
        assert!(erasure.covers(&ours, &body("{\"call\":\"c1\"}")));
        assert!(!erasure.covers(other, &body("{\"call\":\"c1\"}")), "a call of another run");
        assert!(!erasure.covers(&ours, &body("{\"call\":\"c2\",\"number\":\"8\"}")));
    }
}
