//! What concerns RingCentral: the events that its webhooks bring, and what is done to a party of a
//! telephony session.
//!
//! An event is taken from whoever has the word that we gave the platform with the subscription, and from
//! nobody else. It is answered once it is in the queue of the account, within the three seconds that the
//! platform waits.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::command::{Command, ControlOrder};
use super::routes::{Interface, error, json_with};
use crate::appliance::ringcentral::Received;
use crate::base::{Private, limits};
use crate::trunk::ringcentral::{Action, Refusal, Target};

/// The platform gives up after three.
const EVENT_WITHIN: Duration = Duration::from_millis(2_500);
/// A request of ours may wait for its turn.
const CONTROL_WITHIN: Duration = Duration::from_secs(20);
/// The handshake of a subscription: what it brings goes back.
const VALIDATION: HeaderName = HeaderName::from_static("validation-token");
/// The word of the subscription, as one page of the platform's and as another has it.
const WORDS: [&str; 3] = ["verification-token", "validationtoken", "validation-token"];
/// Of a header that goes back, and of a name in a path.
const WORD_BYTES: usize = 512;

/// `POST /webhooks/ringcentral`: an event may be longer than what is asked of us.
pub(super) fn hook() -> MethodRouter<Interface> {
    post(event).layer(DefaultBodyLimit::max(limits::RINGCENTRAL_BODY_BYTES))
}

async fn event(
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let validation = headers.get(&VALIDATION).filter(|value| value.len() <= WORD_BYTES);
    let Ok(body) = body else {
        return error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long");
    };
    let words = WORDS.iter().flat_map(|name| headers.get_all(*name));
    let words = words.filter_map(|value| value.to_str().ok());
    let words: Vec<_> = words.map(|text| Private::new(text.to_owned())).collect();
    let event: Option<Value> = serde_json::from_slice(&body).ok();
    let Some(event) = event.filter(|event| event.get("body").is_some()) else {
        return match validation {
            Some(token) => validated(token),
            None => error(StatusCode::BAD_REQUEST, "it is neither an event nor a handshake"),
        };
    };
    let (told, answer) = oneshot::channel();
    let command = Command::PlatformEvent { words, event: Box::new(event), told };
    if interface.commands.try_send(command).is_err() {
        return error(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once");
    }
    match tokio::time::timeout(EVENT_WITHIN, answer).await {
        Ok(Ok(Received::Taken)) => match validation {
            Some(token) => validated(token),
            None => json_with(StatusCode::OK, &json!({})),
        },
        Ok(Ok(Received::Unknown)) => error(StatusCode::UNAUTHORIZED, "the token is not known"),
        Ok(Ok(Received::Full) | Err(_)) | Err(_) => {
            error(StatusCode::SERVICE_UNAVAILABLE, "too many events at once")
        }
    }
}

fn validated(token: &HeaderValue) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(VALIDATION, token.clone()), (CONTENT_TYPE, kind)], "{}").into_response()
}

/// Where a call is to go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetBody {
    phone_number: Option<String>,
    extension: Option<String>,
    voicemail: Option<String>,
}

/// `POST /api/ringcentral/{account}/sessions/{session}/parties/{party}/{action}`, as JSON.
pub(super) async fn control(
    State(interface): State<Interface>,
    path: Result<Path<(String, String, String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/json") {
        let text = "the body must have the Content-Type application/json";
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    }
    let Ok(Path((account, session, party, name))) = path else {
        return error(StatusCode::NOT_FOUND, "no such path");
    };
    let Ok(body) = body else {
        return error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long");
    };
    let action = match action(&name, &body) {
        Ok(action) => action,
        Err((status, text)) => return error(status, text),
    };
    let (told, answer) = oneshot::channel();
    let order = ControlOrder { account, session, party, action };
    if interface.commands.try_send(Command::Control { order, told }).is_err() {
        return error(StatusCode::SERVICE_UNAVAILABLE, "too many requests at once");
    }
    match tokio::time::timeout(CONTROL_WITHIN, answer).await {
        Ok(Ok(Ok(()))) => json_with(StatusCode::OK, &json!({ "action": name })),
        Ok(Ok(Err(refusal))) => error(status_of(&refusal), &refusal.to_string()),
        Ok(Err(_)) | Err(_) => {
            error(StatusCode::SERVICE_UNAVAILABLE, "RingCentral does not answer in time")
        }
    }
}

/// `None`: the call is to be answered here.
fn action(name: &str, body: &[u8]) -> Result<Option<Action>, (StatusCode, &'static str)> {
    let bad = |text| (StatusCode::BAD_REQUEST, text);
    let target = || {
        let body: TargetBody = serde_json::from_slice(body)
            .map_err(|_| bad("one of phone_number, extension and voicemail is wanted"))?;
        match (body.phone_number, body.extension, body.voicemail) {
            (Some(to), None, None) => Ok(Target::PhoneNumber(Private::new(to))),
            (None, Some(to), None) => Ok(Target::Extension(Private::new(to))),
            (None, None, Some(to)) => Ok(Target::Voicemail(Private::new(to))),
            _ => Err(bad("one of phone_number, extension and voicemail is wanted")),
        }
    };
    Ok(match name {
        "answer" => None,
        "reject" => Some(Action::Reject),
        "hold" => Some(Action::Hold),
        "unhold" => Some(Action::Unhold),
        "drop" => Some(Action::Drop),
        "forward" => Some(Action::Forward(target()?)),
        "transfer" => Some(Action::Transfer(target()?)),
        _ => {
            let text = "answer, reject, forward, transfer, hold, unhold or drop";
            return Err((StatusCode::NOT_FOUND, text));
        }
    })
}

const fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Unknown => StatusCode::NOT_FOUND,
        Refusal::Conflict => StatusCode::CONFLICT,
        Refusal::Busy | Refusal::Silent => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_GATEWAY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_known_by_its_name_and_has_one_target() {
        assert!(matches!(action("answer", b"{}"), Ok(None)));
        assert!(matches!(action("drop", b""), Ok(Some(Action::Drop))));
        let number = br#"{"phone_number":"+16505550100"}"#;
        assert!(matches!(action("transfer", number), Ok(Some(Action::Transfer(_)))));
        for (name, body, status) in [
            ("play", "{}", 404),
            ("forward", "{}", 400),
            ("forward", "", 400),
            ("transfer", r#"{"phone_number":"1","extension":"2"}"#, 400),
        ] {
            assert_eq!(action(name, body.as_bytes()).unwrap_err().0.as_u16(), status, "{name}");
        }
    }
}
