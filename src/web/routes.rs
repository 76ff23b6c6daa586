//! The paths, the page's files, and the rules for every request: whose name it came to, whose page a
//! browser sends it for, and what the browser may do with the answer.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::board::Board;
use super::command::Command;
use super::{dialling, metrics, view, webrtc};
use crate::base::{CallId, limits};

/// The page loads its own two files, asks its own API, and nothing else.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What a browser says of the page that a request is for.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What every path may need.
#[derive(Clone)]
pub(super) struct Interface {
    pub board: Arc<Board>,
    pub commands: mpsc::Sender<Command>,
}

/// `own_name` is the machine's host name: with it, `localhost` and any IP address the page may be
/// asked for; any other name is a web site's that points here (DNS rebinding).
pub(super) fn router(interface: Interface, own_name: Option<String>) -> Router {
    let own_name: Arc<Option<String>> = Arc::new(own_name);
    Router::new()
        .route("/", get(|| page_file("text/html; charset=utf-8", include_str!("page/page.html"))))
        .route("/page.css", get(|| page_file("text/css", include_str!("page/page.css"))))
        .route("/page.js", get(|| page_file("text/javascript", include_str!("page/page.js"))))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/api/calls", get(calls))
        .route("/api/calls/{id}", get(call).delete(dialling::hang_up))
        .route("/api/calls/dial", post(dialling::dial))
        .merge(webrtc::routes())
        .fallback(|| async { error(StatusCode::NOT_FOUND, "no such path") })
        .method_not_allowed_fallback(|| async {
            error(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
        })
        .with_state(interface)
        .layer(DefaultBodyLimit::max(limits::API_BODY_BYTES))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let own_name = Arc::clone(&own_name);
            async move { with_rules(own_name.as_deref(), request, next).await }
        }))
}

pub(super) async fn page_file(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}

/// 200 while calls are taken, also with a fault that the reasons name; else 503.
async fn health(State(Interface { board, .. }): State<Interface>) -> Response {
    let status = match board.health().takes_calls() {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    json_with(status, &view::health(&board))
}

async fn metrics(State(Interface { board, .. }): State<Interface>) -> Response {
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    ([(CONTENT_TYPE, kind)], metrics::text(&board)).into_response()
}

async fn calls(State(Interface { board, .. }): State<Interface>) -> Response {
    json_with(StatusCode::OK, &view::calls(&board))
}

async fn call(
    State(Interface { board, .. }): State<Interface>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let id = id.ok().and_then(|Path(id)| id.parse::<CallId>().ok());
    match id.and_then(|id| board.call(id)) {
        Some(record) => json_with(StatusCode::OK, &view::call(&record)),
        None => error(StatusCode::NOT_FOUND, "no such call"),
    }
}

pub(super) fn json_with(status: StatusCode, value: &Value) -> Response {
    (status, axum::Json(value)).into_response()
}

pub(super) fn error(status: StatusCode, text: &str) -> Response {
    json_with(status, &json!({ "error": text }))
}

async fn with_rules(own_name: Option<&str>, request: Request, next: Next) -> Response {
    let is_ours = is_our_name(request.uri(), request.headers(), own_name);
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = match (is_ours, changes && is_foreign(request.headers())) {
        (true, false) => next.run(request).await,
        (true, true) => error(StatusCode::FORBIDDEN, "not for the page of another site"),
        (false, _) => error(StatusCode::MISDIRECTED_REQUEST, "this host name is not served here"),
    };
    let rules: [(HeaderName, &'static str); 4] = [
        (CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in rules {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// An IP address cannot be rebound, so a request that names one came here on purpose.
fn is_our_name(uri: &Uri, headers: &HeaderMap, own_name: Option<&str>) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let Some(host) = host.to_str().ok().and_then(|text| text.parse::<Uri>().ok()) else {
        return false;
    };
    let ours = |name: &str| {
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || own_name.is_some_and(|own| name.eq_ignore_ascii_case(own))
    };
    host.host().is_some_and(ours) && uri.host().is_none_or(ours)
}

/// Whether a browser sends this for a page that is not ours. Its Origin is that of our own page only
/// if it is `http://` and the very name and port that the request came to; what is no browser sends
/// none.
fn is_foreign(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_own = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host))
    };
    let is_from_here = |site: &HeaderValue| site == "same-origin" || site == "none";
    !headers.get_all(ORIGIN).iter().all(is_own)
        || !headers.get_all(FETCH_SITE).iter().all(is_from_here)
}
