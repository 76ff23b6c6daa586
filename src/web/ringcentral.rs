//! What concerns RingCentral: the events that its webhooks bring, and what is done to a party of a
//! telephony session.
//!
//! An event is taken from whoever has the word that we gave the platform with the subscription, and from
//! nobody else: that is looked at before anything of the body is. It is answered once it is in the queue of the
//! account, within the three seconds that the platform waits.

use std::time::Duration;

use axum::Json;
use axum::body::{Bytes, to_bytes};
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::command::{Command, PartyOrder, PartyWish};
use super::dialling::json_body;
use super::problem::{self, Kind, Problem};
use super::routes::Interface;
use crate::base::{Private, limits};
use crate::trunk::ringcentral::{Action, AgentWish, Refusal, Target};

/// The platform gives up after three.
const EVENT_WITHIN: Duration = Duration::from_millis(2_500);
/// A request of ours may wait for its turn.
const CONTROL_WITHIN: Duration = Duration::from_secs(20);
/// The handshake of a subscription: what it brings goes back.
const VALIDATION: HeaderName = HeaderName::from_static("validation-token");
/// The word of the subscription, as one page of the platform's and as another has it.
const WORDS: [&str; 3] = ["verification-token", "validationtoken", "validation-token"];
/// Of a header that goes back.
const WORD_BYTES: usize = 512;
/// Of a number, and of an extension's id.
const TARGET_CHARS: usize = 64;
/// The platform gives extensions no more.
const EXTENSION_DIGITS: usize = 8;
/// The path of [`control`].
pub(super) const CONTROL: &str =
    "/api/ringcentral/{account}/sessions/{session}/parties/{party}/{action}";

/// Taken, or the answer to a handshake.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Heard {}

/// An event, or the handshake of a subscription, which has no body.
#[utoipa::path(
    post,
    path = "/webhooks/ringcentral",
    summary = "Events of RingCentral's webhooks",
    request_body(content = Object, description = "As the platform sends it"),
    responses(
        (status = 200, description = "It is taken", body = Heard),
        (status = 400, description = "It is neither an event nor a handshake", body = problem::Written, content_type = "application/problem+json"),
        (status = 401, description = "Who sends it does not know the word of a subscription", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "No section [[ringcentral]] has a webhook", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn event(
    State(interface): State<Interface>,
    request: Request,
) -> Result<Response, Problem> {
    if interface.hooks.is_empty() {
        return Err(Problem::new(Kind::NotFound, "no such path"));
    }
    let headers = request.headers();
    let words = WORDS.iter().flat_map(|name| headers.get_all(*name)).take(WORDS.len());
    let mut words = words.filter_map(|value| value.to_str().ok());
    let section = words.find_map(|word| interface.hooks.section(word));
    let validation = headers.get(&VALIDATION).filter(|value| value.len() <= WORD_BYTES).cloned();
    let Some(section) = section else {
        // Of a subscription that is being made; whatever body there is goes unread.
        let unknown = || Problem::new(Kind::Token, "the word is not known");
        return validation.map(|token| answered(Some(&token))).ok_or_else(unknown);
    };
    let body = to_bytes(request.into_body(), limits::RINGCENTRAL_EVENT_BYTES).await;
    let body = body.map_err(|_| Problem::new(Kind::TooLong, "the body is too long"))?;
    let event: Option<Value> = serde_json::from_slice(&body).ok();
    let Some(event) = event.filter(|event| event.get("body").is_some()) else {
        let neither = || Problem::new(Kind::Wrong, "it is neither an event nor a handshake");
        return validation.map(|token| answered(Some(&token))).ok_or_else(neither);
    };
    let (told, answer) = oneshot::channel();
    let command = Command::PlatformEvent { section, event: Private::new(Box::new(event)), told };
    let busy = || Problem::new(Kind::Unavailable, "too many events at once");
    interface.commands.try_send(command).map_err(|_| busy())?;
    match tokio::time::timeout(EVENT_WITHIN, answer).await {
        Ok(Ok(true)) => Ok(answered(validation.as_ref())),
        Ok(_) | Err(_) => Err(busy()),
    }
}

fn answered(validation: Option<&HeaderValue>) -> Response {
    let mut response = Json(Heard {}).into_response();
    if let Some(token) = validation {
        response.headers_mut().insert(VALIDATION, token.clone());
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Where a call is to go, for `forward` and `transfer`, or what its caller is told, for `reply`: one of them.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TargetBody {
    #[schema(min_length = 1, max_length = 64)]
    phone_number: Option<String>,
    /// Of the same account: nothing that would be a telephone number.
    #[schema(pattern = "^[0-9]{1,8}$")]
    extension: Option<String>,
    /// The id of the extension whose mailbox gets it.
    #[schema(min_length = 1, max_length = 64)]
    voicemail: Option<String>,
    #[schema(max_length = 160)]
    text: Option<String>,
    /// The caller is told that somebody calls back then.
    #[schema(minimum = 1, maximum = 1440)]
    call_back_minutes: Option<u16>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Done {
    action: String,
}

/// 200 once the platform has done it.
#[utoipa::path(
    post,
    path = "/api/ringcentral/{account}/sessions/{session}/parties/{party}/{action}",
    summary = "Do something to a party of a telephony session of RingCentral's",
    params(
        ("account" = String, Path, description = "The name of a section [[ringcentral]]"),
        ("session" = String, Path, description = "As in s-a0d1"),
        ("party" = String, Path, description = "As in p-a0d1-2"),
        ("action" = String, Path, description = "By Call Control: answer, reject, forward, transfer, hold, unhold or drop. Of a call that rings at the box, without that: voicemail, start-reply or reply"),
    ),
    request_body = TargetBody,
    responses(
        (status = 200, description = "It is done", body = Done),
        (status = 400, description = "It makes no sense", body = problem::Written, content_type = "application/problem+json"),
        (status = 403, description = "The platform does not allow it, and which permission is missing", body = problem::Written, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account, session, party or action", body = problem::Written, content_type = "application/problem+json"),
        (status = 409, description = "The call is not in a state for that", body = problem::Written, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long", body = problem::Written, content_type = "application/problem+json"),
        (status = 415, description = "The body is no JSON by its type", body = problem::Written, content_type = "application/problem+json"),
        (status = 429, description = "A limit of [dial] is reached, or too many requests", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn control(
    State(interface): State<Interface>,
    path: Result<Path<(String, String, String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Done>, Problem> {
    let body = json_body(&headers, body)?;
    let no_path = |_| Problem::new(Kind::NotFound, "no such path");
    let Path((account, session, party, name)) = path.map_err(no_path)?;
    let wish = wish(&name, &body).map_err(|(kind, text)| Problem::new(kind, text))?;
    let (told, answer) = oneshot::channel();
    let order = PartyOrder { account, session, party, wish };
    let busy = || Problem::new(Kind::Unavailable, "too many requests at once");
    let command = Command::PlatformControl { order, told };
    interface.commands.try_send(command).map_err(|_| busy())?;
    match tokio::time::timeout(CONTROL_WITHIN, answer).await {
        Ok(Ok(Ok(()))) => Ok(Json(Done { action: name })),
        Ok(Ok(Err(refusal))) => Err(Problem::new(kind_of(&refusal), refusal.to_string())),
        Ok(Err(_)) | Err(_) => Err(busy()),
    }
}

fn wish(name: &str, body: &[u8]) -> Result<PartyWish, (Kind, &'static str)> {
    const WANTED: &str = "one of phone_number, extension and voicemail is wanted";
    const LENGTH: &str = "phone_number and voicemail have 1 to 64 characters";
    const EXTENSION: &str = "an extension has 1 to 8 digits";
    const TOLD: &str = "text of 160 characters or call_back_minutes of 1 to 1440 is wanted";
    let wrong = (Kind::Wrong, WANTED);
    let body: TargetBody = serde_json::from_slice(body).map_err(|_| wrong)?;
    let named = |to: &str| match to.chars().count() {
        1..=TARGET_CHARS => Ok(Private::new(to.to_owned())),
        _ => Err((Kind::Wrong, LENGTH)),
    };
    let target = || match (&body.phone_number, &body.extension, &body.voicemail) {
        (Some(to), None, None) => named(to).map(Target::PhoneNumber),
        (None, Some(to), None) if is_extension(to) => named(to).map(Target::Extension),
        (None, Some(_), None) => Err((Kind::Wrong, EXTENSION)),
        (None, None, Some(to)) => named(to).map(Target::Voicemail),
        _ => Err(wrong),
    };
    let reply = || match (body.text.as_deref().map(str::trim), body.call_back_minutes) {
        (Some(text), None)
            if (1..=limits::RINGCENTRAL_REPLY_CHARS).contains(&text.chars().count()) =>
        {
            Ok(AgentWish::Reply(Private::new(text.to_owned())))
        }
        (None, Some(minutes)) if (1..=limits::RINGCENTRAL_CALL_BACK_MINUTES).contains(&minutes) => {
            Ok(AgentWish::CallBackIn { minutes })
        }
        _ => Err((Kind::Wrong, TOLD)),
    };
    let by_control = match name {
        "answer" => return Ok(PartyWish::Answer),
        "voicemail" => return Ok(PartyWish::Tell(AgentWish::Voicemail)),
        "start-reply" => return Ok(PartyWish::Tell(AgentWish::StartReply)),
        "reply" => return reply().map(PartyWish::Tell),
        "reject" => Action::Reject,
        "hold" => Action::Hold,
        "unhold" => Action::Unhold,
        "drop" => Action::Drop,
        "forward" => Action::Forward(target()?),
        "transfer" => Action::Transfer(target()?),
        _ => return Err((Kind::NotFound, "no such action")),
    };
    Ok(PartyWish::Control(by_control))
}

/// A telephone number, which costs something, is none.
fn is_extension(text: &str) -> bool {
    (1..=EXTENSION_DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

const fn kind_of(refusal: &Refusal) -> Kind {
    match refusal {
        Refusal::Unknown => Kind::NotFound,
        Refusal::Conflict => Kind::Conflict,
        Refusal::Number | Refusal::Application(_) | Refusal::User(_) | Refusal::SignIn(_) => {
            Kind::Forbidden
        }
        Refusal::Limit(_) => Kind::Limit,
        _ => Kind::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_known_by_its_name_and_has_one_target() {
        use PartyWish::{Control, Tell};
        assert!(matches!(wish("answer", b"{}"), Ok(PartyWish::Answer)));
        assert!(matches!(wish("drop", b"{}"), Ok(Control(Action::Drop))));
        let number = br#"{"phone_number":"+16505550100"}"#;
        assert!(matches!(wish("transfer", number), Ok(Control(Action::Transfer(_)))));
        assert!(matches!(wish("voicemail", b"{}"), Ok(Tell(AgentWish::Voicemail))));
        let text = br#"{"text":" In a meeting. "}"#;
        let Ok(Tell(AgentWish::Reply(told))) = wish("reply", text) else { panic!() };
        assert_eq!(told.reveal(), "In a meeting.");
        let back = br#"{"call_back_minutes":5}"#;
        assert!(matches!(wish("reply", back), Ok(Tell(AgentWish::CallBackIn { minutes: 5 }))));
        let extension = br#"{"extension":"12345678"}"#;
        assert!(matches!(wish("forward", extension), Ok(Control(Action::Forward(_)))));
        let long = "1".repeat(65);
        let long_number = format!(r#"{{"phone_number":"{long}"}}"#);
        let long_mailbox = format!(r#"{{"voicemail":"{long}"}}"#);
        for (name, body, kind) in [
            ("play", "{}", Kind::NotFound),
            ("forward", "{}", Kind::Wrong),
            ("forward", "", Kind::Wrong),
            ("transfer", r#"{"phone_number":"1","extension":"2"}"#, Kind::Wrong),
            ("forward", r#"{"extension":"19005550100"}"#, Kind::Wrong),
            ("forward", r#"{"extension":"+1900555"}"#, Kind::Wrong),
            ("transfer", r#"{"extension":""}"#, Kind::Wrong),
            ("transfer", r#"{"phone_number":""}"#, Kind::Wrong),
            ("transfer", long_number.as_str(), Kind::Wrong),
            ("forward", long_mailbox.as_str(), Kind::Wrong),
            ("reply", "{}", Kind::Wrong),
            ("reply", r#"{"text":" "}"#, Kind::Wrong),
            ("reply", r#"{"text":"a","call_back_minutes":5}"#, Kind::Wrong),
            ("reply", r#"{"call_back_minutes":0}"#, Kind::Wrong),
        ] {
            assert_eq!(wish(name, body.as_bytes()).unwrap_err().0, kind, "{name} {body}");
        }
    }
}
