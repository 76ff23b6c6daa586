//! The requests of a page that calls: WHIP (RFC 9725) with sound both ways, and JSON for those who like it
//! better.
//!
//! | request | body | what comes back |
//! |---|---|---|
//! | `POST /webrtc/offer` | an offer | 201, the answer, `Location` of the session |
//! | `PATCH` or `POST` of that | another offer | 200, its answer |
//! | `PATCH` | candidates (RFC 8840) | 204 |
//! | `PATCH` with a new `a=ice-ufrag` and `a=ice-pwd` | | 200, the fragment of ours |
//! | `GET` | | how far the call is, and its words |
//! | `DELETE` | | 200, the call ends |
//!
//! The session's id is the right to all of that: nobody else can guess it, and it is told to nobody else.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::{
    CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, LOCATION, RETRY_AFTER,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::command::Command;
use super::dialling::{ask, busy, media_type};
use super::routes::{Interface, error, json_with, page_file};
use super::view;
use crate::base::{CallId, Private, limits};
use crate::call::record::CallRecord;
use crate::webrtc::{IfMatch, Opening, Refusal, Request, Response as Outcome, SessionId};

const SDP: &str = "application/sdp";
const JSON: &str = "application/json";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// Characters of whom a page wants.
const TO_CHARS: usize = 64;
/// Every line is in use: a call of some minutes may end at any time.
const BUSY_RETRY_AFTER_S: u32 = 10;
/// Refused as busy, by the SIP status of that ending.
const BUSY_HERE: u16 = 486;

/// The page with the button, and what it asks.
pub(super) fn routes() -> Router<Interface> {
    let session = get(look).patch(change).post(change).delete(close);
    Router::new()
        .route("/webrtc/offer", post(offer))
        .route("/webrtc/{session}", session)
        .layer(DefaultBodyLimit::max(limits::WEBRTC_BODY_BYTES))
        .route(
            "/call",
            get(|| page_file("text/html; charset=utf-8", include_str!("page/call.html"))),
        )
        .route("/call.css", get(|| page_file("text/css", include_str!("page/call.css"))))
        .route("/call.js", get(|| page_file("text/javascript", include_str!("page/call.js"))))
        .route("/line.js", get(|| page_file("text/javascript", include_str!("page/line.js"))))
}

/// As `RTCPeerConnection.localDescription` writes itself, and whom the page wants.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    #[serde(rename = "type")]
    kind: String,
    sdp: String,
    to: Option<String>,
}

/// How a description is written, there and back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Sdp,
    Json,
}

/// A body, or what is told of it.
type Body = Result<Bytes, BytesRejection>;
type Session = Result<Path<String>, PathRejection>;

async fn offer(State(interface): State<Interface>, headers: HeaderMap, body: Body) -> Response {
    let (form, offer, called) = match described(&headers, body) {
        Ok(described) => described,
        Err(refusal) => return *refusal,
    };
    let called = Private::new(called);
    match request(&interface, Request::Open(Opening { offer, called })).await {
        Ok(Outcome::Opened { session, call, answer, tag }) => {
            let location = format!("/webrtc/{}", session.reveal());
            let more = json!({
                "session": session.reveal(),
                "call": call.map(|call| call.to_string()),
            });
            let headers = [(LOCATION, location), (ETAG, tag)];
            description(form, (StatusCode::CREATED, headers), answer.reveal(), more)
        }
        Ok(_) => busy(),
        Err(refusal) => *refusal,
    }
}

/// Another offer, candidates, or a restart of ICE.
async fn change(
    State(interface): State<Interface>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(session) = named(session) else { return no_such() };
    if media_type(&headers).eq_ignore_ascii_case(FRAGMENT) {
        return fragment(&interface, session, &headers, body).await;
    }
    let (form, offer, _) = match described(&headers, body) {
        Ok(described) => described,
        Err(refusal) => return *refusal,
    };
    match request(&interface, Request::Reoffer { session, offer }).await {
        Ok(Outcome::Answered { answer, tag }) => {
            description(form, (StatusCode::OK, [(ETAG, tag)]), answer.reveal(), json!({}))
        }
        Ok(_) => busy(),
        Err(refusal) => *refusal,
    }
}

async fn fragment(
    interface: &Interface,
    session: SessionId,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let Ok(body) = body else { return too_long() };
    let body = Private::new(body.to_vec());
    let if_match = match headers.get(IF_MATCH).map(HeaderValue::to_str) {
        None => IfMatch::Unsaid,
        Some(Ok("*")) => IfMatch::Any,
        Some(tag) => IfMatch::Tag(tag.unwrap_or_default().to_owned()),
    };
    match request(interface, Request::Fragment { session, if_match, body }).await {
        Ok(Outcome::Taken) => StatusCode::NO_CONTENT.into_response(),
        Ok(Outcome::Restarted { fragment, tag }) => {
            let kind = (CONTENT_TYPE, FRAGMENT.to_owned());
            (StatusCode::OK, [kind, (ETAG, tag)].map(header), fragment.into_revealed())
                .into_response()
        }
        Ok(_) => busy(),
        Err(refusal) => *refusal,
    }
}

async fn close(State(interface): State<Interface>, session: Session) -> Response {
    let Ok(session) = named(session) else { return no_such() };
    match request(&interface, Request::Close { session }).await {
        Ok(_) => json_with(StatusCode::OK, &json!({ "state": "ended" })),
        Err(refusal) => *refusal,
    }
}

/// The words of the session's own call; also for a while after its end.
async fn look(State(interface): State<Interface>, session: Session) -> Response {
    let Ok(session) = named(session) else { return no_such() };
    match request(&interface, Request::Look { session }).await {
        Ok(Outcome::Call { call }) => match interface.board.call(call) {
            Some(record) => json_with(StatusCode::OK, &own_call(call, &record)),
            None => no_such(),
        },
        Ok(_) => busy(),
        Err(refusal) => *refusal,
    }
}

/// What somebody in a call may know of it.
fn own_call(id: CallId, record: &CallRecord) -> Value {
    let ending = record.progress.ending().map(|ending| {
        let wording = ending.cause.wording();
        json!({ "by": ending.by.name(), "cause": wording.name, "text": wording.page })
    });
    let turns = record.turns().iter().map(|turn| {
        json!({
            "caller": turn.caller_text.reveal(),
            "reply": turn.reply_text.reveal(),
            "interrupted": turn.interrupted,
        })
    });
    json!({
        "call": id.to_string(),
        "state": record.progress.name(),
        "codec": record.codec.map(|codec| codec.name()),
        "is_secured": record.srtp.is_some(),
        "language": record.language.map(|language| language.to_string()),
        "turns": turns.collect::<Vec<_>>(),
        "turns_left_out": record.turns_left_out(),
        "partial": record.partial.as_ref().map(view::partial),
        "ending": ending,
    })
}

/// `Err`: what whoever asked is told instead.
async fn request(interface: &Interface, request: Request) -> Result<Outcome, Box<Response>> {
    match ask(interface, |told| Command::WebRtc { request, told }).await {
        Some(Outcome::Refused(refusal)) => Err(Box::new(refused(refusal))),
        Some(outcome) => Ok(outcome),
        None => Err(Box::new(busy())),
    }
}

type Offer = (Form, Private<Vec<u8>>, Option<String>);

fn described(headers: &HeaderMap, body: Body) -> Result<Offer, Box<Response>> {
    let kind = media_type(headers);
    let form = match () {
        () if kind.eq_ignore_ascii_case(SDP) => Form::Sdp,
        () if kind.eq_ignore_ascii_case(JSON) => Form::Json,
        () => {
            let text = "the body must have the Content-Type application/sdp or application/json";
            return Err(Box::new(error(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)));
        }
    };
    let body = body.map_err(|_| Box::new(too_long()))?;
    if form == Form::Sdp {
        return Ok((form, Private::new(body.to_vec()), None));
    }
    let wrong = || {
        let text = "an object with type, which is offer, with sdp and, if wanted, to";
        Box::new(error(StatusCode::BAD_REQUEST, text))
    };
    let described: Described = serde_json::from_slice(&body).map_err(|_| wrong())?;
    let is_short = described.to.as_ref().is_none_or(|to| to.chars().count() <= TO_CHARS);
    if described.kind != "offer" || !is_short {
        return Err(wrong());
    }
    Ok((form, Private::new(described.sdp.into_bytes()), described.to))
}

/// An answer in the form of its offer, with `more` in JSON.
fn description<const N: usize>(
    form: Form,
    (status, headers): (StatusCode, [(HeaderName, String); N]),
    answer: &[u8],
    mut more: Value,
) -> Response {
    let headers = headers.map(header);
    if form == Form::Sdp {
        let kind = [(CONTENT_TYPE, HeaderValue::from_static(SDP))];
        return (status, headers, kind, answer.to_vec()).into_response();
    }
    more["type"] = "answer".into();
    more["sdp"] = String::from_utf8_lossy(answer).into();
    (headers, json_with(status, &more)).into_response()
}

/// Ours are hexadecimal, quoted numbers and media types.
fn header((name, value): (HeaderName, String)) -> (HeaderName, HeaderValue) {
    (name, HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("")))
}

fn named(session: Session) -> Result<SessionId, PathRejection> {
    session.map(|Path(session)| SessionId::new(&session))
}

fn no_such() -> Response {
    error(StatusCode::NOT_FOUND, "no such session, or it has ended")
}

fn too_long() -> Response {
    error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long")
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::NoSuchSession => no_such(),
        Refusal::Malformed(text) => error(StatusCode::BAD_REQUEST, &text),
        Refusal::Unacceptable(text) => error(StatusCode::UNPROCESSABLE_ENTITY, &text),
        Refusal::Pending => {
            error(StatusCode::CONFLICT, "another offer of this session is not answered yet")
        }
        Refusal::OtherSession => {
            error(StatusCode::PRECONDITION_FAILED, "it is for another ICE session")
        }
        Refusal::Busy { status, retry_after_s } => {
            let text = match status {
                BUSY_HERE => "every line is in use",
                _ => "no calls are taken now",
            };
            let seconds = HeaderValue::from(retry_after_s.unwrap_or(BUSY_RETRY_AFTER_S));
            ([(RETRY_AFTER, seconds)], error(StatusCode::SERVICE_UNAVAILABLE, text)).into_response()
        }
    }
}
