//! A telephone bridge's requests: a call is announced, and how things stand.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{HOST, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{Caller, Scope};
use super::command::{AudioStatus, Command};
use super::dialling::{ask, json_body};
use super::problem::{self, Kind, Problem};
use super::routes::{Interface, json_with};
use super::view::{Account, Bridge};
use crate::appliance::audio_legs::{Announced, Announcer, NotAnnounced};
use crate::base::limits;
use crate::websocket::Order;

/// When a bridge may try again that finds every line in use.
const RETRY_AFTER_S: u32 = 10;
/// By which a proxy with TLS says so.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The body of `POST /api/handle-webphone-call`. Bridges send more than is needed, in either spelling.
#[derive(Deserialize, ToSchema)]
pub(super) struct CallBody {
    /// The bridge's own name of the call; `call_id` is understood, too.
    #[serde(alias = "call_id", rename = "callId")]
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9][-A-Za-z0-9._~@:+=]*$")]
    call_id: String,
    /// Who calls; `from_number` and `fromNumber` are understood, too.
    #[serde(default, alias = "from_number", alias = "fromNumber")]
    #[schema(max_length = 128, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    from: String,
    /// Whom they have called; `to_number` and `toNumber` are understood, too.
    #[serde(default, alias = "to_number", alias = "toNumber")]
    #[schema(max_length = 128, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    to: String,
}

/// A call that is expected.
#[derive(Serialize, ToSchema)]
pub(super) struct Expected {
    /// `ready`.
    status: &'static str,
    #[serde(rename = "callId")]
    call_id: String,
    #[serde(rename = "call_id")]
    same_call_id: String,
    /// Of its WebSocket, with the token that opens it once.
    audio_url: String,
    /// The same.
    websocket: String,
    expires_in_s: u64,
    /// What may be sent.
    formats: [SoundFormat; 3],
}

/// As `start` names it.
#[derive(Serialize, ToSchema)]
struct SoundFormat {
    /// `pcm16` or `mulaw`.
    format: &'static str,
    /// Samples a second.
    rate: u32,
}

/// Whether calls can be brought, and how many there are.
#[derive(Serialize, ToSchema)]
pub(super) struct WebphoneStatus {
    /// As `state` of `/health`.
    status: &'static str,
    /// One more call would be taken.
    ready: bool,
    /// What is waited for, or what is wrong, as sentences. This and what follows it here only for a token that may
    /// `read`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Vec<Account>>,
    /// Bridges that the box connects to.
    #[serde(skip_serializing_if = "Option::is_none")]
    bridges: Option<Vec<Bridge>>,
    active_calls: usize,
    /// Announced, and nobody has come.
    expected_calls: usize,
    /// By whatever way.
    live_calls: usize,
    max_calls: usize,
    max_call_s: u64,
    resume_within_s: u64,
}

/// 200 with the address of the call's WebSocket, which is good for `limits::AUDIO_START`.
#[utoipa::path(
    post,
    path = "/api/handle-webphone-call",
    summary = "Announce a call whose sound comes by WebSocket",
    description = "The answer has the address of its WebSocket, which begins the call. Announced again before that, \
        by the same one and in the same words, it has the same address.",
    request_body = CallBody,
    responses(
        (status = 200, description = "It is expected", body = Expected),
        (status = 400, description = "It makes no sense here", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "A call of this name is up, or expected of somebody else or with other parties", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON by its type", body = problem::Written, content_type = "application/problem+json"),
        (status = 429, description = "Every line is in use or expected, or too many requests", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn announce(
    caller: Caller,
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let order = order(&json_body(&headers, body)?)?;
    let call_id = order.call_id().to_owned();
    let by = Announcer::Caller(caller.name().to_owned().into());
    let announced = ask(&interface, |told| Command::Announce { by, order, told }).await?;
    let Announced { secret } = announced.map_err(refused)?;
    let address = address(&headers, &call_id, secret.reveal());
    let format = |format, rate| SoundFormat { format, rate };
    let expected = Expected {
        status: "ready",
        call_id: call_id.clone(),
        same_call_id: call_id,
        audio_url: address.clone(),
        websocket: address,
        expires_in_s: limits::AUDIO_START.as_secs(),
        formats: [format("pcm16", 16_000), format("pcm16", 8_000), format("mulaw", 8_000)],
    };
    Ok(json_with(StatusCode::OK, &expected))
}

/// How a bridge finds the box.
#[utoipa::path(
    get,
    path = "/api/webphone/status",
    summary = "Whether calls can be brought by WebSocket",
    responses((status = 200, description = "How things stand", body = WebphoneStatus))
)]
pub(super) async fn status(
    caller: Caller,
    State(interface): State<Interface>,
) -> Result<Response, Problem> {
    let AudioStatus { figures, most, free, longest } =
        ask(&interface, |told| Command::AudioStatus { told }).await?;
    let board = &interface.board;
    let health = board.health();
    let may_read = caller.may(Scope::Read);
    let status = WebphoneStatus {
        status: health.name(),
        ready: health.takes_calls() && free > figures.expected,
        reasons: may_read.then(|| health.reasons().to_vec()),
        accounts: may_read.then(|| board.accounts().into_iter().map(Account::from).collect()),
        bridges: may_read.then(|| board.bridges().into_iter().map(Bridge::from).collect()),
        active_calls: figures.active,
        expected_calls: figures.expected,
        live_calls: board.live_calls(),
        max_calls: most,
        max_call_s: longest.as_secs(),
        resume_within_s: limits::AUDIO_RESUME.as_secs(),
    };
    Ok(json_with(StatusCode::OK, &status))
}

/// What is wrong is told without what was sent.
fn order(body: &[u8]) -> Result<Order, Problem> {
    let wrong = |text: &str| Problem::new(Kind::Wrong, text.to_owned());
    let CallBody { call_id, from, to } = serde_json::from_slice(body)
        .map_err(|_| wrong("a JSON object with callId and, if known, from and to, all texts"))?;
    Order::new(call_id, from, to).map_err(|error| wrong(&error.to_string()))
}

/// By the name that the request came to, for whoever asked has found us there. An announced name has nothing in it
/// that a path must escape.
fn address(headers: &HeaderMap, call_id: &str, token: &str) -> String {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(&HOST).unwrap_or("localhost");
    let scheme = match text(&FORWARDED_PROTO) {
        Some(proto) if proto.eq_ignore_ascii_case("https") => "wss",
        _ => "ws",
    };
    format!("{scheme}://{host}/audio/{call_id}?token={token}")
}

fn refused(why: NotAnnounced) -> Problem {
    match why {
        NotAnnounced::InUse => {
            Problem::new(Kind::Conflict, "a call of this callId is up or expected")
        }
        NotAnnounced::Full => {
            Problem::new(Kind::Limit, "every line is in use or expected").retry_after(RETRY_AFTER_S)
        }
        NotAnnounced::Unavailable => {
            Problem::new(Kind::Unavailable, "no calls are taken now").retry_after(RETRY_AFTER_S)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn an_order_is_read_in_either_spelling() {
        for body in [
            r#"{"callId":"s-1","from":"+15550100","to":"+15550123"}"#,
            r#"{"call_id":"s-1","from_number":"+15550100","to_number":"+15550123","more":[]}"#,
            r#"{"callId":"s-1","fromNumber":"+15550100"}"#,
        ] {
            let order = order(body.as_bytes()).ok().unwrap();
            assert_eq!((order.call_id(), order.from.reveal().as_str()), ("s-1", "+15550100"));
        }
        for body in ["", "{}", "[]", r#"{"callId":7}"#, r#"{"callId":""}"#, r#"{"callId":"a/b"}"#] {
            assert!(order(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn the_address_is_by_the_name_that_was_asked() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("box.example:8080"));
        assert_eq!(address(&headers, "a@b", "12"), "ws://box.example:8080/audio/a@b?token=12");
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
        assert!(address(&headers, "a", "12").starts_with("wss://box.example:8080/"));
    }
}
