//! `POST /api/calls/{id}/control`: what is wanted of a call that is up.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::command::{Command, Control, Controlled};
use super::dialling::{Asked, ask, json_body, refused};
use super::problem::{self, Kind, Problem};
use super::routes::{Interface, json_with, no_such_call};
use crate::base::{CallId, Private, limits};
use crate::call::Wish;

/// What is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub(super) enum Action {
    /// A call that rings is answered.
    Answer {},
    /// The other end is held: neither hears the other, and nothing goes on.
    Hold {},
    Resume {},
    /// Nothing is said any more.
    Mute {},
    Unmute {},
    /// Keys are pressed: digits, `*`, `#` and A to D.
    Dtmf {
        #[schema(pattern = "^[0-9*#A-D]{1,32}$", min_length = 1, max_length = 32)]
        digits: String,
    },
    /// The other end is asked (by a REFER) to call a number that `[dial]` allows, or a SIP URI.
    Transfer {
        #[schema(min_length = 1, max_length = 256)]
        to: String,
    },
}

impl Action {
    pub(super) fn into_control(self) -> Result<Control, &'static str> {
        Ok(match self {
            Self::Answer {} => Control::Wish(Wish::Answer),
            Self::Hold {} => Control::Wish(Wish::Hold(true)),
            Self::Resume {} => Control::Wish(Wish::Hold(false)),
            Self::Mute {} => Control::Wish(Wish::Mute(true)),
            Self::Unmute {} => Control::Wish(Wish::Mute(false)),
            Self::Dtmf { digits } => Control::Wish(Wish::Press(keys(&digits)?)),
            Self::Transfer { to } => match to.chars().count() {
                1..=limits::TRANSFER_CHARS => Control::Transfer(Private::new(to)),
                _ => return Err("to: a number, or a SIP URI"),
            },
        })
    }
}

/// Keys as the other end can be sent them.
pub(super) fn keys(text: &str) -> Result<Private<String>, &'static str> {
    let is_key = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#' | 'A'..='D');
    match text.chars().count() {
        1..=limits::PRESSED_KEYS if text.chars().all(is_key) => Ok(Private::new(text.to_owned())),
        _ => Err("digits: 1 to 32 of 0 to 9, *, # and A to D"),
    }
}

/// 202: it is being done; events and the call's record show what comes of it.
#[utoipa::path(
    post,
    path = "/api/calls/{id}/control",
    summary = "Answer, hold, mute or transfer a call, or press keys in it",
    params(("id" = String, Path, description = "As in c7")),
    request_body = Action,
    responses(
        (status = 202, description = "It is being done", body = Asked),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON by its type", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no such call", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "The call is not at a point at which it can be done", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn control(
    State(interface): State<Interface>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = json_body(&headers, body)?;
    let wrong = |text: &str| Problem::new(Kind::Wrong, text);
    let action: Action = serde_json::from_slice(&body).map_err(|_| {
        wrong("an object with action: answer, hold, resume, mute, unmute, dtmf (with digits) or transfer (with to)")
    })?;
    let wish = action.into_control().map_err(wrong)?;
    let call = id.ok().and_then(|Path(id)| id.parse::<CallId>().ok()).ok_or_else(no_such_call)?;
    match ask(&interface, |told| Command::Control { call, wish, told }).await? {
        Controlled::Done => Ok(json_with(StatusCode::ACCEPTED, &Asked::of(call))),
        Controlled::NotUp if interface.board.call(call).is_some() => {
            Err(Problem::new(Kind::Conflict, "the call has ended already"))
        }
        Controlled::NotUp => Err(no_such_call()),
        Controlled::NotNow => Err(Problem::new(
            Kind::Conflict,
            "the call is not at a point at which that can be done",
        )),
        Controlled::NotThere(why) => Err(refused(why)),
    }
}
