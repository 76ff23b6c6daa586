//! The table of paths, and the page's files.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};

use super::access::{Caller, Gate, Needs, Scope, guard};
use super::board::Board;
use super::command::Command;
use super::dialling::PlacedCall;
use super::idempotency::Keys;
use super::paths::Paths;
use super::problem::{self, Kind, Problem};
use super::settings::Settings;
use super::{
    audio, backing_up, campaigns, controlling, dialling, events, handsets, history, live, metrics,
    openapi, operating, page_files, recording, ringcentral, settings, sign_in, tickets, trials,
    updates, view, webphone, webrtc,
};
use crate::appliance::audio_legs::Door;
use crate::appliance::campaigns::Desk;
use crate::appliance::ringcentral::Hooks;
use crate::base::{CallId, limits};

/// What every path may need.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    pub board: Arc<Board>,
    pub commands: mpsc::Sender<Command>,
    pub gate: Arc<Gate>,
    /// Calls that were asked for with a key.
    pub keys: Arc<Mutex<Keys<PlacedCall>>>,
    /// How campaigns are made, and those that were asked for with a key.
    pub campaigns: Desk,
    pub campaign_keys: Arc<Mutex<Keys<view::Campaign>>>,
    /// Places of those who listen to events.
    pub listeners: Arc<Semaphore>,
    /// Pages that follow their own calls.
    pub followers: Arc<webrtc::following::Followers>,
    /// Where the sockets of calls by WebSocket go.
    pub door: Door,
    pub settings: Arc<Settings>,
    /// Who may send events of RingCentral's.
    pub hooks: Hooks,
    pub live: Arc<live::Live>,
    pub trials: Arc<trials::Trials>,
    pub updates: Arc<updates::Updates>,
}

/// Every path, with what it needs.
pub(super) fn paths() -> Paths {
    use Needs::Nothing;
    const READ: Needs = Needs::Scope(Scope::Read);
    const DIAL: Needs = Needs::Scope(Scope::Dial);
    const CHANGE: Needs = Needs::Scope(Scope::History);
    const SETTINGS: Needs = Needs::Scope(Scope::Settings);
    const LISTEN: Needs = Needs::Scope(Scope::Listen);
    Paths::default()
        .get("/", Nothing, page)
        .get("/page/{file}", Nothing, page_files::file)
        .get("/openapi.json", Nothing, openapi::document)
        .get("/health", Nothing, health)
        .get("/problems/{name}", Nothing, explanation)
        .get("/metrics", Needs::Scope(Scope::Metrics), metrics)
        .get("/api/calls", READ, calls)
        .get("/api/calls/{id}", READ, call)
        .post("/api/calls/dial", DIAL, dialling::dial)
        .delete("/api/calls/{id}", Needs::Scope(Scope::Calls), dialling::hang_up)
        .post("/api/calls/{id}/control", Needs::Scope(Scope::Calls), controlling::control)
        .post("/api/calls/{id}/listen", LISTEN, operating::listen)
        .post("/api/listening/{session}", LISTEN, operating::offer_again)
        .patch("/api/listening/{session}", LISTEN, operating::change)
        .delete("/api/listening/{session}", LISTEN, operating::close)
        .post("/api/listening/{session}/control", LISTEN, operating::control)
        .get("/api/campaigns", READ, campaigns::list)
        // Its length is bounded where it is read.
        .post("/api/campaigns", DIAL, campaigns::create)
        .get("/api/campaigns/{id}", READ, campaigns::one)
        .get("/api/campaigns/{id}/export", READ, campaigns::export)
        .post("/api/campaigns/{id}/pause", DIAL, campaigns::pause)
        .post("/api/campaigns/{id}/resume", DIAL, campaigns::resume)
        .post("/api/campaigns/{id}/cancel", DIAL, campaigns::cancel)
        .post("/api/do-not-call", DIAL, campaigns::leave_alone)
        .delete("/api/do-not-call", DIAL, campaigns::allow_again)
        .get("/api/history", READ, history::list)
        .delete("/api/history", CHANGE, history::erase)
        .get("/api/history/totals", READ, history::totals)
        .get("/api/history/export", READ, history::export)
        .get("/api/history/{id}", READ, history::one)
        .get("/api/history/{id}/recording", Needs::Scope(Scope::Words), recording::recording)
        .get("/api/messages", Needs::Scope(Scope::Words), history::messages)
        .patch("/api/messages/{id}", CHANGE, history::mark)
        .get("/api/messages/{id}/sound", Needs::Scope(Scope::Words), recording::message)
        .get("/api/live", READ, live::live)
        .get("/api/events", READ, events::events)
        .get("/api/events/ws", READ, events::socket)
        .post("/api/tickets", Needs::Token, tickets::issue)
        .get("/api/session", Nothing, sign_in::look)
        .post("/api/session", Nothing, sign_in::sign_in)
        .delete("/api/session", Nothing, sign_in::sign_out)
        .post("/api/first-password", Nothing, sign_in::set_first_password)
        .put("/api/passwords/{person}", SETTINGS, sign_in::set_password)
        .delete("/api/passwords/{person}", SETTINGS, sign_in::remove_password)
        .post("/webhooks/ringcentral", Nothing, ringcentral::event)
        .post(ringcentral::CONTROL, Needs::Scope(Scope::Calls), ringcentral::control)
        .get("/api/settings", SETTINGS, settings::look)
        .patch("/api/settings", SETTINGS, settings::change)
        .post("/api/settings/undo", SETTINGS, settings::undo)
        .put("/api/settings/desk", SETTINGS, settings::desk)
        .put("/api/secrets/{name}", SETTINGS, settings::set_secret)
        .get("/api/backup", SETTINGS, backing_up::sizes)
        .post("/api/backup", SETTINGS, backing_up::make)
        // Its length is bounded where it is read.
        .post("/api/restore", SETTINGS, backing_up::put_back)
        .post("/api/restore/undo", SETTINGS, backing_up::undo)
        .post("/api/restart", SETTINGS, settings::start_again)
        .get("/api/trials", SETTINGS, trials::look)
        .post("/api/trials", SETTINGS, trials::begin)
        .post("/api/trials/voice", SETTINGS, trials::voice)
        .get("/api/updates", SETTINGS, updates::look)
        .post("/api/updates", SETTINGS, updates::order)
        .delete("/api/updates", SETTINGS, updates::drop_held)
        .get("/call", Nothing, webrtc::page)
        .get("/call.css", Nothing, webrtc::style)
        .get("/call.js", Nothing, webrtc::script)
        .get("/line.js", Nothing, webrtc::line)
        .post("/webrtc/offer", webrtc::NEEDS, webrtc::offer)
        .post("/webrtc/{session}", webrtc::NEEDS, webrtc::offer_again)
        .patch("/webrtc/{session}", webrtc::NEEDS, webrtc::change)
        .get("/webrtc/{session}", webrtc::NEEDS, webrtc::look)
        .delete("/webrtc/{session}", webrtc::NEEDS, webrtc::close)
        .get("/webrtc/{session}/events", webrtc::NEEDS, webrtc::following::events)
        .post("/api/handle-webphone-call", Needs::Scope(Scope::Audio), webphone::announce)
        .post("/api/handsets/{name}", Needs::Scope(Scope::Calls), handsets::act)
        .post("/api/announcements", Needs::Scope(Scope::Calls), handsets::announce)
        .get("/api/webphone/status", Needs::Scope(Scope::Audio), webphone::status)
        // The call's own token is asked for there.
        .get("/audio/{call_id}", Nothing, audio::open)
}

pub(super) fn router(interface: Interface) -> Router {
    let gate = Arc::clone(&interface.gate);
    paths()
        .into_router()
        .fallback(|| async { Problem::new(Kind::NotFound, "no such path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Kind::Method, "this path does not take this method")
        })
        .with_state(interface)
        .layer(DefaultBodyLimit::max(limits::API_BODY_BYTES))
        .layer(middleware::from_fn_with_state(gate, guard))
}

/// The status page.
#[utoipa::path(
    get,
    path = "/",
    summary = "The status page",
    responses((status = 200, description = "The page", body = String, content_type = "text/html"))
)]
pub(super) async fn page() -> Response {
    page_file("text/html; charset=utf-8", include_str!("page/status/page.html"))
}

pub(super) fn page_file(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}

/// What a problem's type means.
#[utoipa::path(
    get,
    path = "/problems/{name}",
    summary = "What the type of a problem means",
    params(("name" = String, Path, description = "The end of the type")),
    responses(
        (status = 200, description = "Status and title", body = String, content_type = "text/plain"),
        (status = 404, description = "There is no such problem", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn explanation(
    name: Result<Path<String>, PathRejection>,
) -> Result<String, Problem> {
    let text = name.ok().and_then(|Path(name)| problem::explanation(&name));
    text.ok_or_else(|| Problem::new(Kind::NotFound, "no such problem"))
}

/// 200 while calls are taken, also with a fault that the reasons name; else 503. Whoever may not read gets the
/// state alone.
#[utoipa::path(
    get,
    path = "/health",
    summary = "Whether the box takes calls, and what is wrong",
    responses(
        (status = 200, description = "Calls are taken, perhaps with less than the usual", body = view::Health),
        (status = 503, description = "Calls are refused", body = view::Health),
    )
)]
pub(super) async fn health(
    caller: Caller,
    State(Interface { board, .. }): State<Interface>,
) -> Response {
    let status = match board.health().takes_calls() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    json_with(status, &view::Health::of(&board, caller.may(Scope::Read)))
}

/// Figures for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    summary = "Figures for Prometheus",
    responses((status = 200, description = "Its text format", body = String, content_type = "text/plain"))
)]
pub(super) async fn metrics(State(Interface { board, .. }): State<Interface>) -> Response {
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    ([(CONTENT_TYPE, kind)], metrics::text(&board)).into_response()
}

/// The calls that are up, and those that have ended lately.
#[utoipa::path(
    get,
    path = "/api/calls",
    summary = "The calls that are up, and those that have ended lately",
    responses((status = 200, description = "Newest first", body = view::Calls))
)]
pub(super) async fn calls(State(Interface { board, .. }): State<Interface>) -> Response {
    json_with(StatusCode::OK, &view::Calls::of(&board))
}

/// One call.
#[utoipa::path(
    get,
    path = "/api/calls/{id}",
    summary = "One call, with its turns",
    params(("id" = String, Path, description = "As in c7")),
    responses(
        (status = 200, description = "The call; words are null without the scope words", body = view::Call),
        (status = 404, description = "There is no such call", body = problem::Written, content_type = "application/problem+json"),
    )
)]
pub(super) async fn call(
    caller: Caller,
    State(Interface { board, .. }): State<Interface>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id = id.ok().and_then(|Path(id)| id.parse::<CallId>().ok());
    let record = id.and_then(|id| board.call(id)).ok_or_else(no_such_call)?;
    Ok(json_with(StatusCode::OK, &view::Call::of(&record, caller.may(Scope::Words))))
}

pub(super) fn no_such_call() -> Problem {
    Problem::new(Kind::NotFound, "no such call")
}

pub(super) fn json_with(status: StatusCode, value: &impl Serialize) -> Response {
    (status, axum::Json(value)).into_response()
}
