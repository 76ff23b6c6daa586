//! The requests of somebody of the firm's who listens to a call, and may speak in it in the assistant's place.
//!
//! | request | body | what comes back |
//! |---|---|---|
//! | `POST /api/calls/{id}/listen` | an offer, as to `/webrtc/offer` | 201, the answer, `Location` of the session |
//! | `POST` or `PATCH` of that | another offer, or candidates | as of `/webrtc/{session}` |
//! | `POST` of its `/control` | `take-over` or `give-back` | 202 |
//! | `DELETE` | | 200: the call goes on, by the assistant |
//!
//! The session's id is a secret, as that of a page that calls. What becomes of it stands in the call's record.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderValue, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{Caller, Source, now};
use super::command::{Command, Operated, Operating};
use super::dialling::{ask, busy, json_body};
use super::problem::{self, Kind, Problem};
use super::routes::{Interface, json_with, no_such_call};
use super::webrtc::{self, Closed, Form, Offer, Session, described, header, named, request};
use crate::base::{CallId, Private};
use crate::webrtc::{Observes, Opening, Request, Response as Outcome, SessionId, Visitor};

/// Whether whoever listens is still signed in is looked at this often.
const LOOK: Duration = Duration::from_secs(1);

/// As `RTCPeerConnection.setRemoteDescription` takes it.
#[derive(Serialize, ToSchema)]
pub(super) struct Listening {
    /// `answer`.
    r#type: &'static str,
    sdp: String,
    /// The secret name of the session, for the paths of it.
    session: String,
    /// By which the call's record names who listens.
    operator: String,
}

/// What is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "kebab-case")]
#[schema(as = OperatorAction)]
pub(super) enum Action {
    /// To speak to the caller; the assistant falls silent as soon as the microphone is heard.
    TakeOver {},
    /// The assistant goes on.
    GiveBack {},
}

/// It is being done.
#[derive(Serialize, ToSchema)]
pub(super) struct Asked {
    /// `asked`.
    state: &'static str,
}

/// 201 with the answer, and where the session is from then on.
#[utoipa::path(
    post,
    path = "/api/calls/{id}/listen",
    summary = "Listen to a call",
    description = "Both sides of it come as sound. Nothing of whoever listens is heard in the call until they take it over. The \
        offer is to have one audio line with sound both ways, which may be silent until then.",
    params(("id" = String, Path, description = "As in c7")),
    request_body(content((Offer = "application/json"), (String = "application/sdp"))),
    responses(
        (status = 201, description = "The answer, in the form of the offer", body = Listening,
            headers(("Location" = String), ("ETag" = String))),
        (status = 400, description = "It is no offer", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no such call, or it has ended", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be listened to now, or by one more", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is neither by its type", body = problem::Written, content_type = "application/problem+json"),
        (status = 422, description = "Nothing in it fits", body = problem::Written, content_type = "application/problem+json"),
        (status = 429, description = "This token, or this address, asks too often", body = problem::Written, content_type = "application/problem+json"),
        (status = 503, description = "As many listen as may at once", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn listen(
    State(interface): State<Interface>,
    caller: Caller,
    source: Source,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let call = id.ok().and_then(|Path(id)| id.parse::<CallId>().ok()).ok_or_else(no_such_call)?;
    let (form, offer, _) = described(&headers, body).await?;
    interface.gate.may_call(&caller, source)?;
    let token = caller.token().map(|token| Private::new(token.to_owned()));
    let visitor = Visitor { token, source: Private::new(Some(source.network())) };
    let by = Private::new(caller.known_as().to_owned());
    let observes = Some(Observes { call, by });
    let opening = Opening { visitor, offer, called: Private::default(), observes };
    let Outcome::Opened { session, call: Some(operator), answer, tag } =
        request(&interface, Request::Open(opening)).await?
    else {
        return Err(busy());
    };
    if caller.session().is_some() {
        tokio::spawn(ends_with_its_session(interface.clone(), caller, call, session.clone()));
    }
    let location = format!("/api/listening/{}", session.reveal());
    let headers = [(LOCATION, location), (ETAG, tag)].map(header);
    let sdp = String::from_utf8_lossy(answer.reveal()).into_owned();
    Ok(match form {
        Form::Json => {
            let (session, operator) = (session.reveal().to_owned(), operator.to_string());
            let listening = Listening { r#type: "answer", sdp, session, operator };
            (headers, json_with(StatusCode::CREATED, &listening)).into_response()
        }
        Form::Sdp => {
            let kind = [(CONTENT_TYPE, HeaderValue::from_static(webrtc::SDP))];
            (StatusCode::CREATED, headers, kind, sdp).into_response()
        }
    })
}

/// Whoever is signed out, by whatever, hears nothing more.
async fn ends_with_its_session(
    interface: Interface,
    caller: Caller,
    call: CallId,
    session: SessionId,
) {
    let is_up = || interface.board.call(call).is_some_and(|call| !call.progress.is_ended());
    while is_up() {
        tokio::time::sleep(LOOK).await;
        if !interface.gate.is_still_here(now(), &caller) {
            // Where there is too much to do it is asked again.
            if request(&interface, Request::Close { session: session.clone() }).await.is_ok() {
                return;
            }
        }
    }
}

/// Another offer.
#[utoipa::path(
    post,
    path = "/api/listening/{session}",
    summary = "Offer anew while listening, as for another way by ICE",
    params(("session" = String, Path, description = "As the first answer has it")),
    request_body(content((Offer = "application/json"), (String = "application/sdp"))),
    responses(
        (status = 200, description = "The answer, in the form of the offer", body = webrtc::Answer, headers(("ETag" = String))),
        (status = 400, description = "It is no offer", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no such session, or it has ended", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "Another offer is not answered yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is of another type", body = problem::Written, content_type = "application/problem+json"),
        (status = 422, description = "Nothing in it fits; it goes on as before", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn offer_again(
    interface: State<Interface>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    webrtc::offer_again(interface, session, headers, body).await
}

/// Another offer, candidates, or a restart of ICE.
#[utoipa::path(
    patch,
    path = "/api/listening/{session}",
    summary = "Tell of candidates, restart ICE, or offer anew, while listening",
    description = "As PATCH of /webrtc/{session}.",
    params(
        ("session" = String, Path, description = "As the first answer has it"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the ICE session that it is for"),
    ),
    request_body(content(
        (String = "application/trickle-ice-sdpfrag"), (Offer = "application/json"), (String = "application/sdp")
    )),
    responses(
        (status = 200, description = "The answer, or the fragment of ours", body = webrtc::Answer, headers(("ETag" = String))),
        (status = 204, description = "The candidates are taken"),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no such session, or it has ended", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "Another offer is not answered yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 412, description = "It is for another ICE session", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is of another type", body = problem::Written, content_type = "application/problem+json"),
        (status = 422, description = "Nothing in it fits; it goes on as before", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn change(
    interface: State<Interface>,
    session: Session,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    webrtc::change(interface, session, headers, body).await
}

/// Nobody listens there any more.
#[utoipa::path(
    delete,
    path = "/api/listening/{session}",
    summary = "Stop listening",
    description = "A call that was taken over goes on with the assistant.",
    params(("session" = String, Path, description = "As the first answer has it")),
    responses(
        (status = 200, description = "It has ended", body = Closed),
        (status = 404, description = "There is no such session, or it has ended", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn close(
    interface: State<Interface>,
    session: Session,
) -> Result<Response, Problem> {
    webrtc::close(interface, session).await
}

/// 202: it is being done; events and the call's record show what comes of it.
#[utoipa::path(
    post,
    path = "/api/listening/{session}/control",
    summary = "Take the call over from the assistant, or give it back",
    params(("session" = String, Path, description = "As the first answer has it")),
    request_body = Action,
    responses(
        (status = 202, description = "It is being done", body = Asked),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no such session, or it has ended", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "The call is not at a point at which it can be done", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON by its type", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn control(
    State(interface): State<Interface>,
    session: Session,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = json_body(&headers, body)?;
    let action: Action = serde_json::from_slice(&body)
        .map_err(|_| Problem::new(Kind::Wrong, "an object with action: take-over or give-back"))?;
    let wish = match action {
        Action::TakeOver {} => Operating::TakeOver,
        Action::GiveBack {} => Operating::GiveBack,
    };
    let session = named(session)?;
    match ask(&interface, |told| Command::Operate { session, wish, told }).await? {
        Operated::Done => Ok(json_with(StatusCode::ACCEPTED, &Asked { state: "asked" })),
        Operated::NoSuchSession => Err(webrtc::no_such()),
        Operated::NotNow(text) => Err(Problem::new(Kind::Conflict, text)),
    }
}
