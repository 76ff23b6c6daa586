//! The requests of a page that calls: WHIP (RFC 9725) with sound both ways, and JSON for those who like it
//! better.
//!
//! | request | body | what comes back |
//! |---|---|---|
//! | `POST /webrtc/offer` | an offer | 201, the answer, `Location` of the session |
//! | `POST` or `PATCH` of that | another offer | 200, its answer |
//! | `PATCH` | candidates (RFC 8840) | 204 |
//! | `PATCH` with a new `a=ice-ufrag` and `a=ice-pwd` | | 200, the fragment of ours |
//! | `GET` | | how far the call is, and its words |
//! | `GET` of its `/events` | | the same as it changes, until the end |
//! | `DELETE` | | 200, the call ends |
//!
//! The session's id is the right to all of that: nobody else can guess it, and it is told to nobody else.

pub(super) mod following;

use std::sync::Arc;

use axum::body::{self, Body};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{Caller, Needs, Scope, Source};
use super::command::Command;
use super::dialling::{ask, busy, media_type};
use super::problem::{self, Kind, Problem};
use super::routes::{Interface, json_with, no_such_call, page_file};
use crate::base::{CallId, Private, limits};
use crate::call::record::{CallRecord, Turn};
use crate::listen::PartialText;
use crate::webrtc::{
    Crowd, IfMatch, Opening, Refusal, Request, Response as Outcome, SessionId, Visitor,
};

/// What all requests of sessions need.
pub(super) const NEEDS: Needs = Needs::Scope(Scope::Webrtc);

pub(super) const SDP: &str = "application/sdp";
const JSON: &str = "application/json";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// Refused as busy, by the SIP status of that ending.
const BUSY_HERE: u16 = 486;

/// As `RTCPeerConnection.localDescription` writes itself, and whom the page wants.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Offer {
    /// `offer`.
    r#type: String,
    sdp: String,
    /// One of the names under `called` of a language.
    to: Option<String>,
}

/// As `RTCPeerConnection.setRemoteDescription` takes it.
#[derive(Serialize, ToSchema)]
pub(super) struct Answer {
    /// `answer`.
    r#type: &'static str,
    sdp: String,
    /// The secret name of the session, for the paths of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    /// As in `c7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<String>,
}

/// What somebody in a call may know of it.
#[derive(Serialize, ToSchema)]
pub(super) struct OwnCall {
    /// As in `c7`.
    call: String,
    /// `active` or `ended`.
    state: &'static str,
    codec: Option<&'static str>,
    /// There are keys, and sound.
    is_secured: bool,
    language: Option<String>,
    turns: Vec<OwnTurn>,
    turns_left_out: u32,
    partial: Option<OwnPartial>,
    ending: Option<OwnEnding>,
}

/// What was said and what came back. It is told, and does not print.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
struct OwnTurn {
    caller: String,
    reply: String,
    interrupted: bool,
}

/// Words that have settled, and those that may still change.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct OwnPartial {
    settled: String,
    rest: String,
}

/// How the call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct OwnEnding {
    by: &'static str,
    /// One word, stable.
    cause: &'static str,
    /// A sentence.
    text: &'static str,
}

/// The session has ended.
#[derive(Serialize, ToSchema)]
pub(super) struct Closed {
    /// `ended`.
    state: &'static str,
}

/// How a description is written, there and back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Sdp,
    Json,
}

pub(super) type Session = Result<Path<String>, PathRejection>;

/// The page with the button.
#[utoipa::path(
    get,
    path = "/call",
    summary = "A page that calls the box",
    responses((status = 200, description = "The page", body = String, content_type = "text/html"))
)]
pub(super) async fn page() -> Response {
    page_file("text/html; charset=utf-8", include_str!("page/call.html"))
}

/// How it looks.
#[utoipa::path(
    get,
    path = "/call.css",
    summary = "How the page that calls looks",
    responses((status = 200, description = "CSS", body = String, content_type = "text/css"))
)]
pub(super) async fn style() -> Response {
    page_file("text/css", include_str!("page/call.css"))
}

/// What it does.
#[utoipa::path(
    get,
    path = "/call.js",
    summary = "What the page that calls does",
    responses((status = 200, description = "JavaScript", body = String, content_type = "text/javascript"))
)]
pub(super) async fn script() -> Response {
    page_file("text/javascript", include_str!("page/call.js"))
}

/// The call itself.
#[utoipa::path(
    get,
    path = "/line.js",
    summary = "A call from a browser, as a module",
    responses((status = 200, description = "JavaScript", body = String, content_type = "text/javascript"))
)]
pub(super) async fn line() -> Response {
    page_file("text/javascript", include_str!("page/line.js"))
}

/// 201 with the answer, and where the session is from then on.
#[utoipa::path(
    post,
    path = "/webrtc/offer",
    summary = "Call the box",
    description = "By WHIP (RFC 9725), as application/sdp, or as JSON.",
    request_body(content((Offer = "application/json"), (String = "application/sdp"))),
    responses(
        (status = 201, description = "The call is taken: the answer, in the form of the offer", body = Answer,
            headers(("Location" = String), ("ETag" = String))),
        (status = 400, description = "It is no offer", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is neither by its type", body = problem::Written, content_type = "application/problem+json"),
        (status = 422, description = "Nothing in it fits", body = problem::Written, content_type = "application/problem+json"),
        (status = 429, description = "Pages of this token, or of this address, call too often or too many at once", body = problem::Written, content_type = "application/problem+json"),
        (status = 503, description = "Every line is in use, or no calls are taken now", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn offer(
    State(interface): State<Interface>,
    caller: Caller,
    source: Source,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (form, offer, called) = described(&headers, body).await?;
    interface.gate.may_call(&caller, source)?;
    let token = caller.token().map(|token| Private::new(token.to_owned()));
    let visitor = Visitor { token, source: Private::new(Some(source.network())) };
    let opening = Opening { visitor, offer, called: Private::new(called), observes: None };
    match request(&interface, Request::Open(opening)).await? {
        Outcome::Opened { session, call, answer, tag } => {
            let location = format!("/webrtc/{}", session.reveal());
            let answer = Answer {
                session: Some(session.reveal().to_owned()),
                call: call.map(|call| call.to_string()),
                ..Answer::of(answer.reveal())
            };
            let headers = [(LOCATION, location), (ETAG, tag)].map(header);
            Ok((headers, answer.written(form, StatusCode::CREATED)).into_response())
        }
        _ => Err(busy()),
    }
}

/// Another offer.
#[utoipa::path(
    post,
    path = "/webrtc/{session}",
    summary = "Offer anew within a session, as for another way by ICE",
    params(("session" = String, Path, description = "As the first answer has it")),
    request_body(content((Offer = "application/json"), (String = "application/sdp"))),
    responses(
        (status = 200, description = "The answer, in the form of the offer", body = Answer, headers(("ETag" = String))),
        (status = 400, description = "It is no offer", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no such session, or it has ended", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "Another offer is not answered yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is of another type", body = problem::Written, content_type = "application/problem+json"),
        (status = 422, description = "Nothing in it fits; the call goes on as before", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn offer_again(
    State(interface): State<Interface>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let session = named(session)?;
    let (form, offer, _) = described(&headers, body).await?;
    match request(&interface, Request::Reoffer { session, offer }).await? {
        Outcome::Answered { answer, tag } => {
            let answer = Answer::of(answer.reveal()).written(form, StatusCode::OK);
            Ok(([header((ETAG, tag))], answer).into_response())
        }
        _ => Err(busy()),
    }
}

/// Another offer, candidates, or a restart of ICE.
#[utoipa::path(
    patch,
    path = "/webrtc/{session}",
    summary = "Tell of candidates, restart ICE, or offer anew",
    description = "A fragment (RFC 8840) with candidates gives 204. With a new a=ice-ufrag and a=ice-pwd, or If-Match: *, it \
        restarts ICE, and the fragment of the box comes back. An offer is answered as by POST.",
    params(
        ("session" = String, Path, description = "As the first answer has it"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the ICE session that it is for"),
    ),
    request_body(content(
        (String = "application/trickle-ice-sdpfrag"), (Offer = "application/json"), (String = "application/sdp")
    )),
    responses(
        (status = 200, description = "The answer, or the fragment of ours", body = Answer, headers(("ETag" = String))),
        (status = 204, description = "The candidates are taken"),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no such session, or it has ended", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "Another offer is not answered yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 412, description = "It is for another ICE session", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is of another type", body = problem::Written, content_type = "application/problem+json"),
        (status = 422, description = "Nothing in it fits; the call goes on as before", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change(
    State(interface): State<Interface>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    if !media_type(&headers).eq_ignore_ascii_case(FRAGMENT) {
        return offer_again(State(interface), session, headers, body).await;
    }
    let session = named(session)?;
    let body = Private::new(read(body).await?);
    let if_match = match headers.get(IF_MATCH).map(HeaderValue::to_str) {
        None => IfMatch::Unsaid,
        Some(Ok("*")) => IfMatch::Any,
        Some(tag) => IfMatch::Tag(tag.unwrap_or_default().to_owned()),
    };
    match request(&interface, Request::Fragment { session, if_match, body }).await? {
        Outcome::Taken => Ok(StatusCode::NO_CONTENT.into_response()),
        Outcome::Restarted { fragment, tag } => {
            let headers = [(CONTENT_TYPE, FRAGMENT.to_owned()), (ETAG, tag)].map(header);
            Ok((headers, fragment.into_revealed()).into_response())
        }
        _ => Err(busy()),
    }
}

/// The page has hung up.
#[utoipa::path(
    delete,
    path = "/webrtc/{session}",
    summary = "Hang up",
    params(("session" = String, Path, description = "As the first answer has it")),
    responses(
        (status = 200, description = "The call has ended", body = Closed),
        (status = 404, description = "There is no such session, or it has ended", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn close(
    State(interface): State<Interface>,
    session: Session,
) -> Result<Response, Problem> {
    let session = named(session)?;
    request(&interface, Request::Close { session }).await?;
    Ok(json_with(StatusCode::OK, &Closed { state: "ended" }))
}

/// The words of the session's own call; also for a while after its end.
#[utoipa::path(
    get,
    path = "/webrtc/{session}",
    summary = "How far the session's call is, and what is said in it",
    params(("session" = String, Path, description = "As the first answer has it")),
    responses(
        (status = 200, description = "Its own call", body = OwnCall),
        (status = 404, description = "There is no such session, or it is forgotten", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn look(
    State(interface): State<Interface>,
    session: Session,
) -> Result<Response, Problem> {
    let (call, record) = own_call(&interface, session).await?;
    Ok(json_with(StatusCode::OK, &OwnCall::of(call, &record)))
}

/// The call of a session.
async fn own_call(
    interface: &Interface,
    session: Session,
) -> Result<(CallId, Arc<CallRecord>), Problem> {
    let session = named(session)?;
    match request(interface, Request::Look { session }).await? {
        Outcome::Call { call } => {
            let record = interface.board.call(call).ok_or_else(no_such)?;
            Ok((call, record))
        }
        _ => Err(busy()),
    }
}

impl OwnTurn {
    fn of(turn: &Turn) -> Self {
        Self {
            caller: turn.caller_text.reveal().clone(),
            reply: turn.reply_text.reveal().clone(),
            interrupted: turn.interrupted,
        }
    }

    fn is_of(&self, turn: &Turn) -> bool {
        self.caller == *turn.caller_text.reveal()
            && self.reply == *turn.reply_text.reveal()
            && self.interrupted == turn.interrupted
    }
}

impl OwnPartial {
    fn of(partial: &PartialText) -> Self {
        Self { settled: partial.settled.reveal().clone(), rest: partial.rest.reveal().clone() }
    }
}

impl OwnEnding {
    /// `None`: it has not ended.
    fn of(record: &CallRecord) -> Option<Self> {
        record.progress.ending().map(|ending| {
            let wording = ending.cause.wording();
            Self { by: ending.by.name(), cause: wording.name, text: wording.page }
        })
    }
}

impl OwnCall {
    fn of(id: CallId, record: &CallRecord) -> Self {
        Self {
            call: id.to_string(),
            state: record.progress.name(),
            codec: record.codec.map(|codec| codec.name()),
            is_secured: record.srtp.is_some(),
            language: record.language.map(|language| language.to_string()),
            turns: record.turns().iter().map(OwnTurn::of).collect(),
            turns_left_out: record.turns_left_out(),
            partial: record.partial.as_ref().map(OwnPartial::of),
            ending: OwnEnding::of(record),
        }
    }
}

impl Answer {
    fn of(sdp: &[u8]) -> Self {
        let sdp = String::from_utf8_lossy(sdp).into_owned();
        Self { r#type: "answer", sdp, session: None, call: None }
    }

    fn written(self, form: Form, status: StatusCode) -> Response {
        match form {
            Form::Json => json_with(status, &self),
            Form::Sdp => {
                let kind = [(CONTENT_TYPE, HeaderValue::from_static(SDP))];
                (status, kind, self.sdp).into_response()
            }
        }
    }
}

pub(super) async fn request(interface: &Interface, request: Request) -> Result<Outcome, Problem> {
    match ask(interface, |told| Command::WebRtc { request, told }).await? {
        Outcome::Refused(refusal) => Err(refused(refusal)),
        outcome => Ok(outcome),
    }
}

type Described = (Form, Private<Vec<u8>>, Option<String>);

pub(super) async fn described(headers: &HeaderMap, body: Body) -> Result<Described, Problem> {
    let kind = media_type(headers);
    let form = match () {
        () if kind.eq_ignore_ascii_case(SDP) => Form::Sdp,
        () if kind.eq_ignore_ascii_case(JSON) => Form::Json,
        () => {
            let text = "the body must have the Content-Type application/sdp or application/json";
            return Err(Problem::new(Kind::MediaType, text));
        }
    };
    let body = read(body).await?;
    if form == Form::Sdp {
        return Ok((form, Private::new(body), None));
    }
    let wrong = || {
        let text = "an object with type, which is offer, with sdp and, if wanted, to";
        Problem::new(Kind::Wrong, text)
    };
    let offer: Offer = serde_json::from_slice(&body).map_err(|_| wrong())?;
    let is_short = offer.to.as_ref().is_none_or(|to| to.chars().count() <= limits::WEBRTC_TO_CHARS);
    if offer.r#type != "offer" || !is_short {
        return Err(wrong());
    }
    Ok((form, Private::new(offer.sdp.into_bytes()), offer.to))
}

/// A browser's description is longer than what other paths take.
async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    let read = body::to_bytes(body, limits::WEBRTC_BODY_BYTES).await;
    let too_long = |_| Problem::new(Kind::TooLong, "the body is too long, or was cut off");
    read.map(|bytes| bytes.to_vec()).map_err(too_long)
}

/// Ours are hexadecimal, quoted numbers and media types.
pub(super) fn header((name, value): (HeaderName, String)) -> (HeaderName, HeaderValue) {
    (name, HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("")))
}

pub(super) fn named(session: Session) -> Result<SessionId, Problem> {
    session.map(|Path(session)| SessionId::new(&session)).map_err(|_| no_such())
}

pub(super) fn no_such() -> Problem {
    Problem::new(Kind::NotFound, "no such session, or it has ended")
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NoSuchSession => no_such(),
        Refusal::Malformed(text) => Problem::new(Kind::Wrong, text),
        Refusal::Unacceptable(text) => Problem::new(Kind::Description, text),
        Refusal::Pending => {
            Problem::new(Kind::Conflict, "another offer of this session is not answered yet")
        }
        Refusal::TooManyOffers => {
            let problem = Problem::new(Kind::TooOften, "too many offers within this session");
            problem.retry_after(limits::WEBRTC_RETRY_AFTER_S)
        }
        Refusal::OtherSession => Problem::new(Kind::Precondition, "it is for another ICE session"),
        Refusal::Crowded(crowd) => {
            let (kind, text) = match crowd {
                Crowd::All => (Kind::Unavailable, "every line for pages is in use"),
                Crowd::Token => (Kind::TooOften, "too many calls with this token at once"),
                Crowd::Address => (Kind::TooOften, "too many calls from this address at once"),
                Crowd::Operators => (Kind::Unavailable, "as many listen to calls as may at once"),
            };
            Problem::new(kind, text).retry_after(limits::WEBRTC_RETRY_AFTER_S)
        }
        Refusal::Forbidden => {
            Problem::new(Kind::Forbidden, "calls may not be listened to here: see [operators]")
        }
        Refusal::NoSuchCall => no_such_call(),
        Refusal::NotNow(text) => Problem::new(Kind::Conflict, text),
        Refusal::Busy { status, retry_after_s } => {
            let text = match status {
                BUSY_HERE => "every line is in use",
                _ => "no calls are taken now",
            };
            let problem = Problem::new(Kind::Unavailable, text);
            problem.retry_after(retry_after_s.unwrap_or(limits::WEBRTC_RETRY_AFTER_S))
        }
    }
}
