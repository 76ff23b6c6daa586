//! A telephone bridge's requests: a call is announced, and how things stand.

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{HOST, HeaderName};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::command::{AudioStatus, Command};
use super::dialling::{ask, json_body};
use super::problem::{self, Kind, Problem};
use super::routes::{Interface, json_with};
use super::view;
use crate::appliance::audio_legs::{Announced, NotAnnounced};
use crate::base::limits;
use crate::websocket::Order;

/// When a bridge may try again that finds every line in use.
const RETRY_AFTER_S: u32 = 10;
/// By which a proxy with TLS says so.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The body of `POST /api/handle-webphone-call`. Bridges send more than is needed, in either spelling.
#[derive(Deserialize, ToSchema)]
#[schema(as = AnnouncedCall)]
pub(super) struct CallBody {
    /// As the bridge names the call.
    #[serde(alias = "call_id", rename = "callId")]
    call_id: String,
    #[serde(default, alias = "from_number", alias = "fromNumber")]
    from: String,
    #[serde(default, alias = "to_number", alias = "toNumber")]
    to: String,
}

/// Where the sound of an announced call is brought.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AudioAddress)]
pub(super) struct Ready {
    /// Always `ready`.
    status: &'static str,
    #[serde(rename = "callId")]
    call_id: String,
    #[serde(rename = "call_id")]
    call_id_again: String,
    /// `ws:` or `wss:`, with the call's own token.
    audio_url: String,
    /// The same.
    websocket: String,
    /// For so long the address is good where nobody comes.
    expires_in_s: u64,
    formats: [SoundFormat; 3],
}

/// A format of sound that `start` may name.
#[derive(Debug, Serialize, ToSchema)]
struct SoundFormat {
    /// `pcm16` (little endian) or `mulaw`.
    format: &'static str,
    /// Samples a second.
    rate: u32,
}

/// How calls by WebSocket stand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebphoneStatus)]
pub(super) struct Status {
    /// As of `/health`.
    status: &'static str,
    /// Whether a call that is announced now would be taken.
    ready: bool,
    /// What is wrong.
    reasons: Vec<String>,
    active_calls: usize,
    /// Announced, and not there yet.
    expected_calls: usize,
    /// By whatever way.
    live_calls: usize,
    max_calls: usize,
    max_call_s: u64,
    /// A socket that was lost may come back for so long.
    resume_within_s: u64,
    accounts: Vec<view::Account>,
}

/// 200 with the address of the call's WebSocket, which is good for `limits::AUDIO_START`.
#[utoipa::path(
    post,
    path = "/api/handle-webphone-call",
    summary = "Announce a call whose sound comes by WebSocket",
    request_body = CallBody,
    responses(
        (status = 200, description = "Its sound is expected", body = Ready),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "A call of this name is up", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON by its type", body = problem::Written, content_type = "application/problem+json"),
        (status = 503, description = "Every line is in use or expected", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn announce(
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let order = order(&json_body(&headers, body)?)?;
    let call_id = order.call_id().to_owned();
    let announced = ask(&interface, |told| Command::Announce { order, told }).await?;
    let Announced { secret } = announced.map_err(refused)?;
    let address = address(&headers, &call_id, secret.reveal());
    let formats = [("pcm16", 16_000), ("pcm16", 8_000), ("mulaw", 8_000)];
    let ready = Ready {
        status: "ready",
        call_id: call_id.clone(),
        call_id_again: call_id,
        audio_url: address.clone(),
        websocket: address,
        expires_in_s: limits::AUDIO_START.as_secs(),
        formats: formats.map(|(format, rate)| SoundFormat { format, rate }),
    };
    Ok(json_with(StatusCode::OK, &ready))
}

/// Whether calls can be brought, and how many there are.
#[utoipa::path(
    get,
    path = "/api/webphone/status",
    summary = "Whether calls can be brought by WebSocket, and how many there are",
    responses((status = 200, description = "How things stand", body = Status))
)]
pub(super) async fn status(State(interface): State<Interface>) -> Result<Response, Problem> {
    let AudioStatus { figures, most, free, longest } =
        ask(&interface, |told| Command::AudioStatus { told }).await?;
    let board = &interface.board;
    let health = board.health();
    let status = Status {
        status: health.name(),
        ready: health.takes_calls() && free > figures.expected,
        reasons: health.reasons().to_vec(),
        active_calls: figures.active,
        expected_calls: figures.expected,
        live_calls: board.live_calls(),
        max_calls: most,
        max_call_s: longest.as_secs(),
        resume_within_s: limits::AUDIO_RESUME.as_secs(),
        accounts: board.accounts().into_iter().map(view::Account::from).collect(),
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
        NotAnnounced::InUse => Problem::new(Kind::Conflict, "a call of this callId is up"),
        NotAnnounced::Full => Problem::new(Kind::Unavailable, "every line is in use or expected")
            .retry_after(RETRY_AFTER_S),
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
