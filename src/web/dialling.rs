//! The requests that change something: a call is made, a call is ended.
//!
//! `access` says who may ask. A body must be JSON by its type, which a page of another site cannot send without
//! asking first.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, OneOfBuilder, Schema, Type};

use super::access::Caller;
use super::command::{Command, DialOrder, HungUp, NotPlaced, Placed};
use super::idempotency::{self, Keys, Known};
use super::problem::{self, Kind, Problem};
use super::routes::{Interface, json_with, no_such_call};
use crate::base::{CallId, Private, limits};
use crate::converse::Variables;
use crate::listen::answered::OnMachine;

/// The net thread answers within the time that a disk takes for a few bytes.
const PATIENCE: Duration = Duration::from_secs(10);
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Characters of a number, of an account's name and of a playbook's.
pub(super) const TEXT_CHARS: usize = 64;

/// A call that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Dial)]
pub(super) struct DialBody {
    /// As people write it; `[dial]` says what it means and whether it may be called.
    #[schema(max_length = 64)]
    phone_number: String,
    /// An account. Without it: the first.
    #[schema(max_length = 64)]
    trunk: Option<String>,
    /// The language of a playbook. Without it: by the number.
    #[schema(max_length = 64)]
    playbook: Option<String>,
    /// Values for what is said first: texts, or numbers.
    #[serde(default)]
    #[schema(schema_with = variables_shape)]
    variables: Map<String, Value>,
    /// Where a machine answers: `talk`, `leave-message` or `hang-up`. Without it: as configured.
    #[schema(value_type = Option<Machine>)]
    on_machine: Option<OnMachine>,
    /// Whether the remote agent holds the call. Without it: as configured.
    agent: Option<bool>,
}

/// What becomes of a call that a machine takes.
#[derive(ToSchema)]
#[schema(as = OnMachine, rename_all = "kebab-case")]
#[expect(dead_code, reason = "the shape of OnMachine for the document")]
pub(super) enum Machine {
    Talk,
    LeaveMessage,
    HangUp,
}

/// The shape of what may be said first: names, each with a text that is not blank, or a number.
pub(super) fn variables_shape() -> Object {
    let name = format!("^[a-z0-9_]{{1,{}}}$", limits::DIAL_VARIABLE_NAME_CHARS);
    let text = Object::builder()
        .schema_type(Type::String)
        .max_length(Some(limits::DIAL_VARIABLE_CHARS))
        .pattern(Some(r"^(?=.*\S)[^\u0000-\u001f\u007f-\u009f]+$"));
    let value = OneOfBuilder::new().item(text).item(Object::with_type(Type::Number));
    Object::builder()
        .schema_type(Type::Object)
        .property_names(Some(
            Object::builder().schema_type(Type::String).pattern(Some(name)).build(),
        ))
        .additional_properties(Some(Schema::from(value.build())))
        .max_properties(Some(limits::DIAL_VARIABLES))
        .build()
}

/// A call that is on its way.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct PlacedCall {
    id: String,
    /// As it is called.
    phone_number: String,
}

impl std::fmt::Debug for PlacedCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PlacedCall({})", self.id)
    }
}

/// The call that something was asked of.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Asked {
    id: String,
}

impl Asked {
    pub(super) fn of(call: CallId) -> Self {
        Self { id: call.to_string() }
    }
}

/// 202 with the call's id once it is on its way; what becomes of it stands in its record.
#[utoipa::path(
    post,
    path = "/api/calls/dial",
    summary = "Have the box call a number",
    description = "202 once the call is on its way; what becomes of it stands in its record and in events. With an \
        Idempotency-Key the same request within a day is answered as the first time, and nobody is called twice.",
    params(("Idempotency-Key" = Option<String>, Header, pattern = "^[!#-~]{1,255}$", description = "1 to 255 printable characters of ASCII, as a UUID")),
    request_body = DialBody,
    responses(
        (status = 202, description = "The call is on its way", body = PlacedCall),
        (status = 400, description = "It makes no sense here", body = problem::Written, content_type = "application/problem+json"),
        (status = 403, description = "The owner does not allow it, or the token", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "The request with this key is not answered yet", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON by its type", body = problem::Written, content_type = "application/problem+json"),
        (status = 422, description = "The key came before with another request", body = problem::Written, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests, or a limit of the owner's", body = problem::Written, content_type = "application/problem+json"),
        (status = 503, description = "It may be possible later", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn dial(
    caller: Caller,
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = json_body(&headers, body)?;
    let wrong = |text: String| Problem::new(Kind::Wrong, text);
    let order = order(&body).map_err(wrong)?;
    let placed = match headers.get(IDEMPOTENCY_KEY) {
        None => place(&interface, order).await?,
        Some(value) => {
            let name = (caller.name().to_owned(), key(value)?);
            let keys = Arc::clone(&interface.keys);
            let work = async move { place(&interface, order).await };
            once(keys, name, &body, work).await?
        }
    };
    Ok(json_with(StatusCode::ACCEPTED, &placed))
}

async fn place(interface: &Interface, order: DialOrder) -> Result<PlacedCall, Problem> {
    let Placed { call, number } =
        ask(interface, |told| Command::Dial { order, told }).await?.map_err(refused)?;
    Ok(PlacedCall { id: call.to_string(), phone_number: number.into_revealed() })
}

/// # Errors
/// It is none.
pub(super) fn key(value: &HeaderValue) -> Result<String, Problem> {
    let key = value.to_str().ok().and_then(idempotency::key).map(str::to_owned);
    let text = "Idempotency-Key: 1 to 255 printable characters of ASCII";
    key.ok_or_else(|| Problem::new(Kind::Wrong, text))
}

/// What came before with this key is not done again, and what is begun is told to whoever comes back: it does
/// not end with the connection on which it was asked for.
pub(super) async fn once<A: Clone + Send + 'static>(
    keys: Arc<Mutex<Keys<A>>>,
    (whose, key): (String, String),
    body: &[u8],
    work: impl Future<Output = Result<A, Problem>> + Send + 'static,
) -> Result<A, Problem> {
    // A writer that panicked left whole values behind.
    let begun = keys.lock().unwrap_or_else(PoisonError::into_inner).begin(
        Instant::now(),
        &whose,
        &key,
        body,
    );
    match begun {
        Known::Done(answer) => Ok(answer),
        Known::Other => {
            let text = "this Idempotency-Key came before with another request";
            Err(Problem::new(Kind::KeyReused, text))
        }
        Known::InProgress => {
            let text = "the request with this Idempotency-Key is not answered yet";
            Err(Problem::new(Kind::InProgress, text).retry_after(1))
        }
        Known::New => {
            let working = tokio::spawn(async move {
                let answer = work.await;
                let mut keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
                match &answer {
                    Ok(answer) => keys.finish(&whose, &key, answer.clone()),
                    Err(_) => keys.forget(&whose, &key),
                }
                answer
            });
            working.await.unwrap_or_else(|_| Err(busy()))
        }
    }
}

/// 202: the call ends; its record tells when it has.
#[utoipa::path(
    delete,
    path = "/api/calls/{id}",
    summary = "End a call, or give up one that waits to be tried again",
    params(("id" = String, Path, description = "As in c7")),
    responses(
        (status = 202, description = "It is being ended", body = Asked),
        (status = 404, description = "There is no such call", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "It has ended already", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn hang_up(
    State(interface): State<Interface>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let call = id.ok().and_then(|Path(id)| id.parse::<CallId>().ok()).ok_or_else(no_such_call)?;
    match ask(&interface, |told| Command::HangUp { call, told }).await? {
        HungUp::Ending => Ok(json_with(StatusCode::ACCEPTED, &Asked::of(call))),
        HungUp::NotUp if interface.board.call(call).is_some() => {
            Err(Problem::new(Kind::Conflict, "the call has ended already"))
        }
        HungUp::NotUp => Err(no_such_call()),
    }
}

/// Fails where the net thread has too much to do, or is gone.
pub(super) async fn ask<T>(
    interface: &Interface,
    command: impl FnOnce(oneshot::Sender<T>) -> Command,
) -> Result<T, Problem> {
    let (told, answer) = oneshot::channel();
    interface.commands.try_send(command(told)).map_err(|_| busy())?;
    let answer = tokio::time::timeout(PATIENCE, answer).await;
    answer.ok().and_then(Result::ok).ok_or_else(busy)
}

/// A body that says that it is JSON and is not too long.
pub(super) fn json_body(
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Bytes, Problem> {
    if !is_json(headers) {
        let text = "the body must have the Content-Type application/json";
        return Err(Problem::new(Kind::MediaType, text));
    }
    body.map_err(|_| Problem::new(Kind::TooLong, "the body is too long, or was cut off"))
}

fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).eq_ignore_ascii_case("application/json")
}

/// What the body is, without parameters.
pub(super) fn media_type(headers: &HeaderMap) -> &str {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim()
}

/// What is wrong is told without what was sent: serde names keys and places only where we let it.
fn order(body: &[u8]) -> Result<DialOrder, String> {
    let body: DialBody = serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            "an object with phone_number and, if wanted, trunk, playbook, variables, on_machine (talk, leave-message or hang-up) and agent (true or false)".to_owned()
        }
        _ => "the body is no JSON".to_owned(),
    })?;
    let short = |name: &str, text: &str| match text.chars().count() {
        0..=TEXT_CHARS => Ok(()),
        _ => Err(format!("{name}: at most {TEXT_CHARS} characters")),
    };
    short("phone_number", &body.phone_number)?;
    for (name, text) in [("trunk", &body.trunk), ("playbook", &body.playbook)] {
        short(name, text.as_deref().unwrap_or_default())?;
    }
    Ok(DialOrder {
        phone_number: Private::new(body.phone_number),
        on_machine: body.on_machine,
        agent: body.agent,
        trunk: body.trunk,
        playbook: body.playbook,
        variables: variables(body.variables)?,
        campaign_number: None,
    })
}

/// Texts and numbers that can be said: they come from wherever a program has them, and go to a voice.
pub(super) fn variables(given: Map<String, Value>) -> Result<Variables, String> {
    if given.len() > limits::DIAL_VARIABLES {
        return Err(format!("variables: at most {}", limits::DIAL_VARIABLES));
    }
    let value = |value: Value| match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let is_name = |name: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        (1..=limits::DIAL_VARIABLE_NAME_CHARS).contains(&name.len()) && name.chars().all(fits)
    };
    let fits = |text: &String| {
        text.chars().count() <= limits::DIAL_VARIABLE_CHARS && !text.chars().any(char::is_control)
    };
    let one = |(name, given): (String, Value)| {
        if !is_name(&name) {
            return Err(format!(
                "variables: a name has at most {} small letters, digits and underscores",
                limits::DIAL_VARIABLE_NAME_CHARS
            ));
        }
        match value(given).filter(fits).filter(|text| !text.trim().is_empty()) {
            Some(text) => Ok((name, Private::new(text))),
            None => Err(format!(
                "variables.{name}: a number, or a text of at most {} characters without control \
                 characters",
                limits::DIAL_VARIABLE_CHARS
            )),
        }
    };
    given.into_iter().map(one).collect()
}

pub(super) fn refused(why: NotPlaced) -> Problem {
    match why {
        NotPlaced::Wrong(text) => Problem::new(Kind::Wrong, text),
        NotPlaced::Forbidden(text) => Problem::new(Kind::Forbidden, text),
        NotPlaced::Unavailable(text) => Problem::new(Kind::Unavailable, text),
        NotPlaced::Limited(text, again_in_s) => {
            let problem = Problem::new(Kind::Limit, text);
            again_in_s.into_iter().fold(problem, Problem::retry_after)
        }
    }
}

pub(super) fn busy() -> Problem {
    Problem::new(Kind::Unavailable, "the program has too much to do, or is being stopped")
}
