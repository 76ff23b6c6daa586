//! How people come in: by a password, then by a cookie; and how passwords are set.
//!
//! Argon2id takes time and memory on purpose, so that one attempt at a time is looked at, on a thread of its own.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, Request, State};
use axum::http::header::{HeaderValue, ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{Caller, Gate, NotSet, Person, SESSION_COOKIE, SignIn, Source};
use super::dialling::{busy, json_body};
use super::problem::{self, Kind, Problem};
use super::routes::{Interface, json_with};
use crate::base::{Private, limits};

/// Who comes.
#[derive(Deserialize, ToSchema)]
#[schema(as = SignIn)]
#[serde(deny_unknown_fields)]
pub(super) struct Attempt {
    person: Who,
    #[schema(min_length = 1, max_length = 128)]
    password: String,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Person)]
enum Who {
    Owner,
    Reader,
}

impl From<Who> for Person {
    fn from(who: Who) -> Self {
        match who {
            Who::Owner => Self::Owner,
            Who::Reader => Self::Reader,
        }
    }
}

/// A password, and whoever changes it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    #[schema(min_length = 8, max_length = 128)]
    password: String,
    /// The owner's present password, where there is one.
    current: Option<String>,
}

/// The first password, by whoever has the box.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FirstPassword {
    /// As `attendant status` shows it, in any case and with or without the dash.
    #[schema(max_length = 64)]
    code: String,
    #[schema(min_length = 8, max_length = 128)]
    password: String,
}

/// What whoever asks is here.
#[derive(Serialize, ToSchema)]
pub(super) struct Session {
    /// `owner` or `reader` for who is signed in; null for a program, and where nobody needs to.
    person: Option<&'static str>,
    /// It may ask for something.
    is_known: bool,
    /// What for.
    scopes: Vec<String>,
    /// To be sent as `X-CSRF-Token` with what changes something, by who is signed in.
    csrf: Option<String>,
    /// Nobody needs a password or a token yet: only the box itself is answered.
    is_open: bool,
    /// The owner has a password.
    has_password: bool,
    /// Whoever may only look has one.
    has_reader: bool,
}

impl Session {
    fn of(gate: &Gate, caller: &Caller) -> Self {
        let session = caller.session();
        let scopes = caller.scopes().text();
        Self {
            person: session.map(|session| session.person.name()),
            is_known: caller.is_known(),
            scopes: scopes.split_whitespace().map(str::to_owned).collect(),
            csrf: session.map(|session| session.csrf().reveal().clone()),
            is_open: gate.is_open(),
            has_password: gate.passwords().has(Person::Owner),
            has_reader: caller.is_known() && gate.passwords().has(Person::Reader),
        }
    }
}

/// Who asks, and what for they may.
#[utoipa::path(
    get,
    path = "/api/session",
    summary = "Who asks, and what they may",
    responses((status = 200, description = "Also for who is not signed in", body = Session))
)]
pub(super) async fn look(
    caller: Caller,
    State(Interface { gate, .. }): State<Interface>,
) -> Response {
    json_with(StatusCode::OK, &Session::of(&gate, &caller))
}

/// A cookie for the right password.
#[utoipa::path(
    post,
    path = "/api/session",
    summary = "Sign in",
    description = "The cookie is for this host alone and no script sees it. Five attempts at once, then five a minute.",
    request_body = Attempt,
    responses(
        (status = 200, description = "Signed in", body = Session),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 401, description = "Not with this password", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn sign_in(
    State(Interface { gate, .. }): State<Interface>,
    source: Source,
    request: Request,
) -> Result<Response, Problem> {
    let (headers, body) = read(request).await;
    let body = json_body(&headers, body)?;
    let attempt: Attempt = serde_json::from_slice(&body).map_err(|_| {
        Problem::new(Kind::Wrong, "an object with person, owner or reader, and password")
    })?;
    let person = attempt.person.into();
    let password = Private::new(attempt.password);
    let at = Arc::clone(&gate);
    match slowly(move || at.sign_in(source, person, &password)).await?? {
        SignIn::Done(secret, caller) => Ok(signed_in(&gate, &headers, secret, &caller)),
        SignIn::Wrong => Err(Problem::new(Kind::Token, "not with this password")),
    }
}

/// The cookie is good for nothing any more.
#[utoipa::path(
    delete,
    path = "/api/session",
    summary = "Sign out",
    responses((status = 204, description = "Signed out, whoever it was"))
)]
pub(super) async fn sign_out(
    caller: Caller,
    State(Interface { gate, .. }): State<Interface>,
) -> Response {
    if let Some(session) = caller.session() {
        gate.sign_out(session);
    }
    let cookie = format!("{SESSION_COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&mut response, &cookie);
    response
}

/// It closes the interface to whoever has none.
#[utoipa::path(
    post,
    path = "/api/first-password",
    summary = "Set the owner's first password",
    description = "Whoever has the box knows its code: it is in the log of the start and printed by `attendant status`. It \
        closes the interface to whoever has no password, and signs in who sets it. Ten wrong codes, and there is another.",
    request_body = FirstPassword,
    responses(
        (status = 200, description = "It is set", body = Session),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "The owner has a password", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn set_first_password(
    State(Interface { gate, .. }): State<Interface>,
    source: Source,
    request: Request,
) -> Result<Response, Problem> {
    let (headers, body) = read(request).await;
    let body = json_body(&headers, body)?;
    let wanted: FirstPassword = serde_json::from_slice(&body)
        .map_err(|_| Problem::new(Kind::Wrong, "an object with code and password"))?;
    let FirstPassword { code, password } = wanted;
    let (at, password) = (Arc::clone(&gate), Private::new(password));
    let (secret, caller) = slowly(move || at.first_password(source, &code, &password)).await??;
    tracing::info!("the first password was set at the page");
    Ok(signed_in(&gate, &headers, secret, &caller))
}

/// The first one is the owner's, and wants the code of the box.
#[utoipa::path(
    put,
    path = "/api/passwords/{person}",
    summary = "Set a password",
    description = "Whoever was signed in with the old one is not any more. The first one is set by `/api/first-password`, but \
        for a program with a token.",
    params(("person" = String, Path, description = "owner or reader")),
    request_body = NewPassword,
    responses(
        (status = 200, description = "It is set", body = Session),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no such person", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "The owner's comes first, by /api/first-password", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn set_password(
    caller: Caller,
    State(Interface { gate, .. }): State<Interface>,
    source: Source,
    person: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let person = named(person)?;
    let (headers, body) = read(request).await;
    let body = json_body(&headers, body)?;
    let wanted: NewPassword = serde_json::from_slice(&body).map_err(|_| {
        Problem::new(Kind::Wrong, "an object with password and, where there is one, current")
    })?;
    let (password, current) = (Private::new(wanted.password), wanted.current.map(Private::new));
    if !gate.passwords().has(Person::Owner) && caller.token().is_none() {
        let text = "the owner's first password comes first: POST /api/first-password";
        return Err(Problem::new(Kind::Conflict, text));
    }
    let (at, by) = (Arc::clone(&gate), caller.session().map(Arc::clone));
    slowly(move || {
        if at.passwords().has(Person::Owner) {
            at.try_password(source, by.is_some())?;
            let is_right =
                current.is_some_and(|current| at.passwords().is_right(Person::Owner, &current));
            if !is_right {
                let text = "current is not the owner's present password";
                return Err(Problem::new(Kind::Forbidden, text));
            }
        }
        at.set_password(person, &password, by.as_ref()).map_err(Problem::from)
    })
    .await??;
    tracing::info!(person = person.name(), "a password was set at the page");
    Ok(json_with(StatusCode::OK, &Session::of(&gate, &caller)))
}

/// Only the reader's can be taken away.
#[utoipa::path(
    delete,
    path = "/api/passwords/{person}",
    summary = "Take the reader's password away",
    params(("person" = String, Path, description = "reader")),
    responses(
        (status = 200, description = "There is none", body = Session),
        (status = 404, description = "There is no such person", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "The owner keeps one", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn remove_password(
    caller: Caller,
    State(Interface { gate, .. }): State<Interface>,
    person: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    if named(person)? == Person::Owner {
        return Err(Problem::new(Kind::Conflict, "the owner keeps a password"));
    }
    gate.remove_reader().map_err(|error| Problem::from(NotSet::Unwritten(error)))?;
    Ok(json_with(StatusCode::OK, &Session::of(&gate, &caller)))
}

fn named(person: Result<Path<String>, PathRejection>) -> Result<Person, Problem> {
    let person = person.ok().and_then(|Path(name)| Person::from_name(&name));
    person.ok_or_else(|| Problem::new(Kind::NotFound, "owner or reader"))
}

impl From<NotSet> for Problem {
    fn from(why: NotSet) -> Self {
        let kind = match &why {
            NotSet::Length => Kind::Wrong,
            NotSet::OwnerFirst => Kind::Conflict,
            NotSet::Unwritten(error) => {
                tracing::error!(%error, "the file of passwords");
                Kind::Unavailable
            }
        };
        Self::new(kind, why.to_string())
    }
}

async fn read(request: Request) -> (HeaderMap, Result<Bytes, BytesRejection>) {
    use axum::extract::FromRequest;
    let headers = request.headers().clone();
    (headers, Bytes::from_request(request, &()).await)
}

/// Away from the requests of others, one at a time.
async fn slowly<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    static ONE: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(1);
    let one = ONE.acquire().await.map_err(|_| busy())?;
    let done = tokio::task::spawn_blocking(work).await;
    drop(one);
    done.map_err(|_| busy())
}

fn signed_in(
    gate: &Gate,
    headers: &HeaderMap,
    secret: Private<String>,
    caller: &Caller,
) -> Response {
    let is_secure =
        headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
    let secure = if is_secure { "; Secure" } else { "" };
    let age = limits::WEB_SESSION_LONGEST.as_secs();
    let cookie = format!(
        "{SESSION_COOKIE}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}",
        secret.into_revealed()
    );
    let mut response = json_with(StatusCode::OK, &Session::of(gate, caller));
    set_cookie(&mut response, &cookie);
    response
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
}
