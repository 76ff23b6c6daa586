//! The requests that change something: a call is made, a call is ended.
//!
//! No password protects them yet, so they are for this machine alone: the socket is on a loopback
//! address, and `routes` refuses what a browser sends for another site. A body must be JSON by its
//! type, which a page of another site cannot send without asking first.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::command::{Command, DialOrder, HungUp, NotPlaced, Placed};
use super::routes::{Interface, error, json_with};
use crate::base::{CallId, Private, limits};
use crate::converse::Variables;
use crate::listen::answered::OnMachine;

/// The net thread answers within the time that a disk takes for a few bytes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters of a number, of an account's name and of a playbook's.
const TEXT_CHARS: usize = 64;

/// The body of `POST /api/calls/dial`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DialBody {
    phone_number: String,
    trunk: Option<String>,
    playbook: Option<String>,
    #[serde(default)]
    variables: Map<String, Value>,
    on_machine: Option<OnMachine>,
    agent: Option<bool>,
}

/// 202 with the call's id once it is on its way; what becomes of it stands in its record.
pub(super) async fn dial(
    State(interface): State<Interface>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if !is_json(&headers) {
        let text = "the body must have the Content-Type application/json";
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    }
    let Ok(body) = body else {
        return error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long");
    };
    let order = match order(&body) {
        Ok(order) => order,
        Err(text) => return error(StatusCode::BAD_REQUEST, &text),
    };
    match ask(&interface, |told| Command::Dial { order, told }).await {
        Some(Ok(Placed { call, number })) => {
            let value = json!({ "id": call.to_string(), "phone_number": number.reveal() });
            json_with(StatusCode::ACCEPTED, &value)
        }
        Some(Err(why)) => refused(why),
        None => busy(),
    }
}

/// 202: the call ends; its record tells when it has.
pub(super) async fn hang_up(
    State(interface): State<Interface>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let no_such = || error(StatusCode::NOT_FOUND, "no such call");
    let Some(call) = id.ok().and_then(|Path(id)| id.parse::<CallId>().ok()) else {
        return no_such();
    };
    match ask(&interface, |told| Command::HangUp { call, told }).await {
        Some(HungUp::Ending) => json_with(StatusCode::ACCEPTED, &json!({ "id": call.to_string() })),
        Some(HungUp::NotUp) if interface.board.call(call).is_some() => {
            error(StatusCode::CONFLICT, "the call has ended already")
        }
        Some(HungUp::NotUp) => no_such(),
        None => busy(),
    }
}

/// `None`: the net thread has too much to do, or is gone.
async fn ask<T>(
    interface: &Interface,
    command: impl FnOnce(oneshot::Sender<T>) -> Command,
) -> Option<T> {
    let (told, answer) = oneshot::channel();
    interface.commands.try_send(command(told)).ok()?;
    tokio::time::timeout(PATIENCE, answer).await.ok()?.ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
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
    })
}

/// Texts and numbers that can be said: they come from wherever a program has them, and go to a voice.
fn variables(given: Map<String, Value>) -> Result<Variables, String> {
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

fn refused(why: NotPlaced) -> Response {
    match why {
        NotPlaced::Wrong(text) => error(StatusCode::BAD_REQUEST, &text),
        NotPlaced::Forbidden(text) => error(StatusCode::FORBIDDEN, &text),
        NotPlaced::Unavailable(text) => error(StatusCode::SERVICE_UNAVAILABLE, &text),
        NotPlaced::Limited(text, again_in_s) => {
            let response = error(StatusCode::TOO_MANY_REQUESTS, &text);
            match again_in_s {
                Some(seconds) => {
                    ([(RETRY_AFTER, HeaderValue::from(seconds))], response).into_response()
                }
                None => response,
            }
        }
    }
}

fn busy() -> Response {
    error(StatusCode::SERVICE_UNAVAILABLE, "the program has too much to do, or is being stopped")
}
