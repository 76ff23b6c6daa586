//! The table of paths, and the page's files.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::mpsc;

use super::access::{Caller, Gate, Needs, Scope, guard};
use super::board::Board;
use super::command::Command;
use super::paths::Paths;
use super::problem::{self, Kind, Problem};
use super::{audio, dialling, metrics, tickets, view, webphone};
use crate::appliance::audio_legs::Door;
use crate::base::{CallId, limits};

/// What every path may need.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    pub board: Arc<Board>,
    pub commands: mpsc::Sender<Command>,
    pub gate: Arc<Gate>,
    pub door: Door,
}

/// Every path, with what it needs.
pub(super) fn paths() -> Paths {
    use Needs::Nothing;
    const READ: Needs = Needs::Scope(Scope::Read);
    Paths::default()
        .get("/", Nothing, || page_file("text/html; charset=utf-8", include_str!("page/page.html")))
        .get("/page.css", Nothing, || page_file("text/css", include_str!("page/page.css")))
        .get("/page.js", Nothing, || page_file("text/javascript", include_str!("page/page.js")))
        .get("/health", Nothing, health)
        .get("/problems/{name}", Nothing, explanation)
        .get("/metrics", Needs::Scope(Scope::Metrics), metrics)
        .get("/api/calls", READ, calls)
        .get("/api/calls/{id}", READ, call)
        .post("/api/calls/dial", Needs::Scope(Scope::Dial), dialling::dial)
        .delete("/api/calls/{id}", Needs::Scope(Scope::Calls), dialling::hang_up)
        .post("/api/tickets", Nothing, tickets::issue)
        .post("/api/handle-webphone-call", Needs::Scope(Scope::Audio), webphone::announce)
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

async fn page_file(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}

async fn explanation(name: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let text = name.ok().and_then(|Path(name)| problem::explanation(&name));
    text.ok_or_else(|| Problem::new(Kind::NotFound, "no such problem"))
}

/// 200 while calls are taken, also with a fault that the reasons name; else 503. Whoever may not read gets the
/// state alone.
async fn health(caller: Caller, State(Interface { board, .. }): State<Interface>) -> Response {
    let status = match board.health().takes_calls() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    json_with(status, &view::health(&board, caller.may(Scope::Read)))
}

async fn metrics(State(Interface { board, .. }): State<Interface>) -> Response {
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    ([(CONTENT_TYPE, kind)], metrics::text(&board)).into_response()
}

async fn calls(State(Interface { board, .. }): State<Interface>) -> Response {
    json_with(StatusCode::OK, &view::calls(&board))
}

async fn call(
    caller: Caller,
    State(Interface { board, .. }): State<Interface>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let id = id.ok().and_then(|Path(id)| id.parse::<CallId>().ok());
    let record = id.and_then(|id| board.call(id)).ok_or_else(no_such_call)?;
    Ok(json_with(StatusCode::OK, &view::call(&record, caller.may(Scope::Words))))
}

pub(super) fn no_such_call() -> Problem {
    Problem::new(Kind::NotFound, "no such call")
}

pub(super) fn json_with(status: StatusCode, value: &impl Serialize) -> Response {
    (status, axum::Json(value)).into_response()
}
