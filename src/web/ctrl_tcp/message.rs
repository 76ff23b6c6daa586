//! What goes over the connection: commands, responses and events as baresip has them.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Settings;
use crate::call::ending::{By, Cause, Ending};
use crate::call::record::{CallRecord, Direction};
use crate::sip::message::reason_phrase;
use crate::web::board::AccountReport;
use crate::web::events::CallNews;

/// A command as it comes. What has none is not answered, as by baresip.
#[derive(Deserialize)]
pub struct Request {
    pub command: String,
    #[serde(default)]
    pub params: Option<String>,
    #[serde(default)]
    pub token: Option<String>,
}

/// What a command has printed, and whether it did what was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub ok: bool,
    pub data: String,
}

impl Outcome {
    pub fn done(data: impl Into<String>) -> Self {
        Self { ok: true, data: data.into() }
    }

    pub fn failed(data: impl Into<String>) -> Self {
        Self { ok: false, data: data.into() }
    }

    pub fn response(self, token: Option<String>) -> Value {
        let mut response = json!({ "response": true, "ok": self.ok, "data": self.data });
        if let Some(token) = token {
            response["token"] = token.into();
        }
        response
    }
}

/// The events' classes by their types.
fn class(kind: &str, settings: &Settings) -> &'static str {
    match kind {
        "REGISTERING" | "REGISTER_OK" | "REGISTER_FAIL" | "UNREGISTERING" => {
            if settings.legacy_classes { "register" } else { "ua" }
        }
        _ => "call",
    }
}

/// An event of a call.
pub fn of_call(kind: &str, record: &CallRecord, param: &str, settings: &Settings) -> Value {
    let account = record.dialled.as_ref().map(|dialled| dialled.trunk.as_str());
    let mut event = event(kind, settings.aor(account), param, settings);
    let fields = [
        ("direction", direction(record.direction).to_owned()),
        ("peeruri", peer_uri(record, settings)),
        ("id", record.sip_call_id.reveal().clone()),
    ];
    event.extend(fields.map(|(name, text)| (name.to_owned(), text.into())));
    Value::Object(event)
}

fn event(kind: &str, aor: &str, param: &str, settings: &Settings) -> Map<String, Value> {
    let mut event = Map::new();
    event.insert("event".to_owned(), true.into());
    event.insert("type".to_owned(), kind.into());
    event.insert("class".to_owned(), class(kind, settings).into());
    event.insert("accountaor".to_owned(), aor.into());
    if !param.is_empty() {
        event.insert("param".to_owned(), param.into());
    }
    event
}

/// `None`: nothing that baresip knows.
pub fn of_account(report: &AccountReport, settings: &Settings) -> Option<Value> {
    let failure = report.status.map(|status| format!("{status} {}", reason_phrase(status)));
    let (kind, param) = match report.state {
        "registering" => ("REGISTERING", ""),
        "registered" => ("REGISTER_OK", "200 OK"),
        "failing" => ("REGISTER_FAIL", failure.as_deref().unwrap_or("Connection timed out")),
        "ended" => ("UNREGISTERING", ""),
        _ => return None,
    };
    Some(Value::Object(event(kind, settings.aor(Some(&report.name)), param, settings)))
}

/// Type and parameter of what has happened to a call.
pub fn news(
    news: CallNews,
    record: &CallRecord,
    settings: &Settings,
) -> Option<(&'static str, String)> {
    let peer = || peer_uri(record, settings);
    Some(match news {
        CallNews::Incoming => ("CALL_INCOMING", peer()),
        CallNews::Outgoing => ("CALL_OUTGOING", peer()),
        CallNews::Ringing => ("CALL_RINGING", peer()),
        CallNews::Progress => ("CALL_PROGRESS", peer()),
        CallNews::Answered => ("CALL_ANSWERED", peer()),
        CallNews::Established => ("CALL_ESTABLISHED", peer()),
        CallNews::Held => ("CALL_HOLD", String::new()),
        CallNews::Resumed => ("CALL_RESUME", String::new()),
        CallNews::Joined
        | CallNews::Observed
        | CallNews::Unobserved
        | CallNews::TakenOver
        | CallNews::GivenBack => return None,
        // The next attempt is another call by its Call-ID.
        CallNews::Waiting => {
            let last = record.dialled.as_ref().and_then(|dialled| dialled.earlier.last());
            ("CALL_CLOSED", last.map_or_else(String::new, |attempt| reason(attempt.ending)))
        }
        CallNews::Closed => {
            ("CALL_CLOSED", record.progress.ending().map(reason).unwrap_or_default())
        }
    })
}

fn reason(ending: Ending) -> String {
    let text = match (ending.cause, ending.by) {
        (Cause::Refused(status), _) => return format!("{status} {}", reason_phrase(status)),
        (Cause::CalleeBusy, _) => "486 Busy Here",
        (Cause::NoAnswer, _) => "408 Request Timeout",
        (Cause::HungUp | Cause::Cancelled, _) => "Connection reset by peer",
        (Cause::EndedByOwner, _) => "Connection reset by user",
        (_, By::Us) => "Connection reset by user",
        (cause, _) => cause.wording().page,
    };
    text.to_owned()
}

const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "incoming",
        Direction::Outbound => "outgoing",
    }
}

/// A number that we call is a user at the account's domain.
pub fn peer_uri(record: &CallRecord, settings: &Settings) -> String {
    let peer = record.peer.reveal();
    if peer.contains(':') {
        return peer.clone();
    }
    let account = record.dialled.as_ref().map(|dialled| dialled.trunk.as_str());
    let aor = settings.aor(account);
    let domain = aor.rsplit_once('@').map_or(aor, |(_, domain)| domain);
    format!("sip:{peer}@{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CallId, Private};
    use crate::call::record::{Dialled, Progress};

    fn settings(legacy_classes: bool) -> Settings {
        Settings {
            legacy_classes,
            own: Private::new("sip:attendant@192.0.2.1".to_owned()),
            accounts: vec![(
                "office".to_owned(),
                Private::new("sip:1001@sip.example.net".to_owned()),
            )],
        }
    }

    fn record() -> CallRecord {
        let mut record = CallRecord::new(CallId(7), Direction::Outbound, "+4930123456".into(), 1);
        record.dialled = Some(Dialled { trunk: "office".into(), ..Dialled::default() });
        record.sip_call_id = Private::new("a84b4c76e66710".to_owned());
        record
    }

    #[test]
    fn an_event_of_a_call_has_the_fields_of_baresip() {
        let (record, settings) = (record(), settings(false));
        let (kind, param) = news(CallNews::Ringing, &record, &settings).unwrap();
        let uri = "sip:+4930123456@sip.example.net";
        let event = json!({
            "event": true,
            "type": "CALL_RINGING",
            "class": "call",
            "accountaor": "sip:1001@sip.example.net",
            "direction": "outgoing",
            "peeruri": uri,
            "id": "a84b4c76e66710",
            "param": uri,
        });
        assert_eq!(of_call(kind, &record, &param, &settings), event);
    }

    #[test]
    fn the_end_is_told_as_baresip_tells_it() {
        let settings = settings(false);
        for (cause, param) in [
            (Cause::HungUp, "Connection reset by peer"),
            (Cause::EndedByOwner, "Connection reset by user"),
            (Cause::Goodbye, "Connection reset by user"),
            (Cause::CalleeBusy, "486 Busy Here"),
            (Cause::Refused(603), "603 Decline"),
        ] {
            let mut record = record();
            let ending = cause.into();
            record.progress = Progress::Ended { answered_at_ms: None, ended_at_ms: 2, ending };
            assert_eq!(
                news(CallNews::Closed, &record, &settings),
                Some(("CALL_CLOSED", param.into()))
            );
        }
    }

    #[test]
    fn registrations_have_the_class_that_the_client_knows() {
        let report = |state| AccountReport {
            name: "office".into(),
            state,
            since_ms: None,
            until_ms: None,
            status: Some(403),
            reason: Some("its server has closed the account to us (403)".into()),
        };
        let event = of_account(&report("failing"), &settings(false)).unwrap();
        assert_eq!((&event["type"], &event["class"]), (&json!("REGISTER_FAIL"), &json!("ua")));
        assert_eq!(event["param"], "403 Forbidden");
        let event = of_account(&report("registered"), &settings(true)).unwrap();
        assert_eq!((&event["type"], &event["class"]), (&json!("REGISTER_OK"), &json!("register")));
        assert!(of_account(&report("open"), &settings(true)).is_none());
    }

    #[test]
    fn a_token_comes_back_and_what_has_no_command_is_none() {
        let read = |text: &str| serde_json::from_str::<Request>(text);
        let request = read(r#"{"command":"dial","params":"1","token":"abc","more":1}"#).unwrap();
        let response = Outcome::done("").response(request.token);
        assert_eq!(response, json!({ "response": true, "ok": true, "data": "", "token": "abc" }));
        assert!(Outcome::failed("x").response(None).get("token").is_none());
        assert!(read("{}").is_err() && read("hello").is_err() && read(r#"{"command":1}"#).is_err());
    }
}
