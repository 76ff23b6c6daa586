//! Handsets of this machine: what is done there, and what is said on them.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::command::{Command, HandsetWish, NotHandled, NotSpoken};
use super::dialling::{ask, json_body, refused};
use super::problem::{self, Kind, Problem};
use super::routes::{Interface, json_with};
use crate::appliance::handset::NotDone;
use crate::base::{Private, limits};

/// What is done at a handset.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "kebab-case")]
#[schema(as = HandsetAction)]
pub(super) enum Action {
    /// The call that rings there is taken.
    Answer {},
    /// The call is ended, or refused.
    HangUp {},
    /// A call is wanted: with the box itself, or with a number that `[dial]` allows, a SIP URI, or another handset.
    Call {
        #[schema(min_length = 1, max_length = 256)]
        to: Option<String>,
    },
}

/// It is being done.
#[derive(Serialize, ToSchema)]
pub(super) struct Taken {
    handset: String,
}

/// What is to be said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Announcement {
    #[schema(min_length = 1, max_length = 500)]
    text: String,
    /// Where; without it on all that are in no call.
    handset: Option<String>,
    /// A language of calls; without it the default one.
    language: Option<String>,
}

/// It is being spoken.
#[derive(Serialize, ToSchema)]
pub(super) struct Spoken {
    announced: bool,
}

/// 202: it is being done; events and calls show what comes of it.
#[utoipa::path(
    post,
    path = "/api/handsets/{name}",
    summary = "Take, end or begin a call at a handset of this machine",
    params(("name" = String, Path, description = "Of its section [[handset]]")),
    request_body = Action,
    responses(
        (status = 202, description = "It is being done", body = Taken),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 403, description = "The number may not be called", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no such handset", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "The handset is not at a point at which it can be done", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON by its type", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn act(
    State(interface): State<Interface>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = json_body(&headers, body)?;
    let wrong = |text: &str| Problem::new(Kind::Wrong, text);
    let action: Action = serde_json::from_slice(&body)
        .map_err(|_| wrong("an object with action: answer, hang-up or call (perhaps with to)"))?;
    let wish = match action {
        Action::Answer {} => HandsetWish::Answer,
        Action::HangUp {} => HandsetWish::HangUp,
        Action::Call { to: None } => HandsetWish::Call(None),
        Action::Call { to: Some(to) } => match to.chars().count() {
            1..=limits::TRANSFER_CHARS => HandsetWish::Call(Some(Private::new(to))),
            _ => return Err(wrong("to: a number, a SIP URI, or local: and a handset")),
        },
    };
    let Ok(Path(name)) = name else { return Err(not_done(NotDone::Unknown)) };
    let handset = name.clone();
    let done = ask(&interface, |told| Command::Handset { name, wish, told }).await?;
    match done {
        Ok(()) => Ok(json_with(StatusCode::ACCEPTED, &Taken { handset })),
        Err(NotHandled::Handset(why)) => Err(not_done(why)),
        Err(NotHandled::NotPlaced(why)) => Err(refused(why)),
    }
}

/// 202: it is being spoken.
#[utoipa::path(
    post,
    path = "/api/announcements",
    summary = "Say something on the loudspeakers of handsets",
    request_body = Announcement,
    responses(
        (status = 202, description = "It is being spoken", body = Spoken),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no such handset", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "It cannot be heard there now", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON by its type", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn announce(
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = json_body(&headers, body)?;
    let wrong = |text: &str| Problem::new(Kind::Wrong, text);
    let announcement: Announcement = serde_json::from_slice(&body)
        .map_err(|_| wrong("an object with text, and perhaps handset and language"))?;
    let Announcement { text, handset, language } = announcement;
    if !(1..=limits::ANNOUNCEMENT_CHARS).contains(&text.chars().count()) {
        return Err(wrong("text: 1 to 500 characters"));
    }
    let text = Private::new(text);
    let said = ask(&interface, |told| Command::Speak { text, handset, language, told }).await?;
    match said {
        Ok(()) => Ok(json_with(StatusCode::ACCEPTED, &Spoken { announced: true })),
        Err(NotSpoken::Handset(why)) => Err(not_done(why)),
        Err(NotSpoken::NoLanguage) => Err(wrong("language: no calls are held in it")),
        Err(NotSpoken::Full) => Err(Problem::new(Kind::Conflict, "too much is to be said already")),
    }
}

fn not_done(why: NotDone) -> Problem {
    let kind = match why {
        NotDone::Unknown => Kind::NotFound,
        NotDone::NotRinging | NotDone::NoCall | NotDone::Busy | NotDone::NotThere => Kind::Conflict,
    };
    Problem::new(kind, &why.to_string())
}
