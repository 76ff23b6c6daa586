//! What goes wrong, as `application/problem+json` (RFC 9457).
//!
//! `type` is stable and a path of this interface that says more; `detail` is for people and may change.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

const MEDIA_TYPE: &str = "application/problem+json";
/// The explanations stand below this path.
pub(super) const FOLDER: &str = "/problems";

/// What a program can tell apart. Names are part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No such path, call, or whatever else is named.
    NotFound,
    Method,
    /// The body or the address makes no sense.
    Wrong,
    MediaType,
    TooLong,
    /// It needs a token, and none that is known came.
    Token,
    /// The token is not good for it.
    Scope,
    /// The owner does not allow it.
    Forbidden,
    ForeignPage,
    WrongHost,
    /// It does not go with the state of what is named.
    Conflict,
    /// A session description with nothing that fits.
    Description,
    /// A configuration with values that are not allowed.
    Settings,
    /// It is for another state than the present one.
    Precondition,
    /// The range of bytes begins behind the end.
    Range,
    /// The key came before, with another request.
    KeyReused,
    /// The request with this key is not answered yet.
    InProgress,
    TooOften,
    /// A limit of the owner's is reached.
    Limit,
    /// It may be possible later.
    Unavailable,
    TooSlow,
}

impl Kind {
    pub const ALL: [Self; 21] = [
        Self::NotFound,
        Self::Method,
        Self::Wrong,
        Self::MediaType,
        Self::TooLong,
        Self::Token,
        Self::Scope,
        Self::Forbidden,
        Self::ForeignPage,
        Self::WrongHost,
        Self::Conflict,
        Self::Description,
        Self::Settings,
        Self::Precondition,
        Self::Range,
        Self::KeyReused,
        Self::InProgress,
        Self::TooOften,
        Self::Limit,
        Self::Unavailable,
        Self::TooSlow,
    ];

    /// The table: status, name, title.
    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "There is no such thing."),
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "This path does not take this method.",
            ),
            Self::Wrong => (StatusCode::BAD_REQUEST, "bad-request", "The request makes no sense."),
            Self::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                "The body is not of a type that is read here.",
            ),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "too-long", "The body is too long."),
            Self::Token => (StatusCode::UNAUTHORIZED, "token-needed", "A token is needed."),
            Self::Scope => {
                (StatusCode::FORBIDDEN, "scope-needed", "The token is not good for this.")
            }
            Self::Forbidden => {
                (StatusCode::FORBIDDEN, "forbidden", "The owner does not allow this.")
            }
            Self::ForeignPage => (
                StatusCode::FORBIDDEN,
                "foreign-page",
                "A web page of another site may not ask for this.",
            ),
            Self::WrongHost => (
                StatusCode::MISDIRECTED_REQUEST,
                "wrong-host",
                "This host name is not served here.",
            ),
            Self::Conflict => {
                (StatusCode::CONFLICT, "conflict", "This does not go with the present state.")
            }
            Self::Description => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "session-description",
                "The session description has nothing that fits.",
            ),
            Self::Settings => {
                (StatusCode::UNPROCESSABLE_ENTITY, "settings", "These settings are not allowed.")
            }
            Self::Precondition => (
                StatusCode::PRECONDITION_FAILED,
                "precondition-failed",
                "This is for another state than the present one.",
            ),
            Self::Range => {
                (StatusCode::RANGE_NOT_SATISFIABLE, "range", "The range begins behind the end.")
            }
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "key-reused",
                "This Idempotency-Key was used for another request.",
            ),
            Self::InProgress => (
                StatusCode::CONFLICT,
                "in-progress",
                "The request with this Idempotency-Key is not answered yet.",
            ),
            Self::TooOften => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests.")
            }
            Self::Limit => (
                StatusCode::TOO_MANY_REQUESTS,
                "limit-reached",
                "A limit of the owner's is reached.",
            ),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "This is not possible now.")
            }
            Self::TooSlow => (StatusCode::SERVICE_UNAVAILABLE, "too-slow", "This took too long."),
        }
    }

    pub const fn status(self) -> StatusCode {
        self.row().0
    }

    pub const fn name(self) -> &'static str {
        self.row().1
    }

    pub const fn title(self) -> &'static str {
        self.row().2
    }
}

/// One thing that went wrong.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: Kind,
    detail: String,
    retry_after_s: Option<u32>,
    faults: Vec<FaultWritten>,
}

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), retry_after_s: None, faults: Vec::new() }
    }

    /// What is wrong with which keys.
    pub fn faults(self, faults: Vec<FaultWritten>) -> Self {
        Self { faults, ..self }
    }

    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

/// A wrong value among settings.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Fault)]
pub struct FaultWritten {
    /// Dotted, as in `calls.max`.
    pub key: String,
    /// What its value may be; empty where its value is not what is wrong.
    pub allowed: String,
    /// What is wrong, where nothing would be allowed: there is no such key, or what it names is not as it must be.
    pub wrong: Option<String>,
}

/// As it is sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemWritten, title = "Problem")]
pub struct Written {
    /// A stable name of what went wrong: a path of this interface that says more.
    pub r#type: String,
    /// The same in words.
    pub title: &'static str,
    pub status: u16,
    /// What exactly, for people.
    pub detail: String,
    /// Every wrong value among settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub faults: Vec<FaultWritten>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { kind, detail, retry_after_s, faults } = self;
        let written = Written {
            r#type: format!("{FOLDER}/{}", kind.name()),
            title: kind.title(),
            status: kind.status().as_u16(),
            detail,
            faults,
        };
        let mut response = (kind.status(), axum::Json(written)).into_response();
        let media_type = HeaderValue::from_static(MEDIA_TYPE);
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What the path of a problem says.
pub fn explanation(name: &str) -> Option<String> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name)?;
    Some(format!("{} {}\n", kind.status(), kind.title()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_an_explanation() {
        let names: HashSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert!(explanation(kind.name()).is_some_and(|text| text.contains(kind.title())));
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
        }
        assert_eq!(explanation("whatever"), None);
    }
}
