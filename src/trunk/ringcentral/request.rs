//! A request to the REST interface, and its answer.

use std::fmt;

use serde_json::Value;

use crate::base::Private;
use crate::base::percent::escape_all;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Delete,
}

impl Verb {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    None,
    Json(Private<String>),
    /// `application/x-www-form-urlencoded`.
    Form(Private<String>),
}

impl Body {
    pub fn json(value: &Value) -> Self {
        Self::Json(Private::new(value.to_string()))
    }
}

/// One request. `Debug` shows method and path.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    pub verb: Verb,
    /// From `/restapi` on.
    pub path: String,
    pub body: Body,
    /// The value of Authorization.
    pub authorization: Option<Private<String>>,
}

impl Request {
    pub fn get(path: impl Into<String>) -> Self {
        Self { verb: Verb::Get, path: path.into(), body: Body::None, authorization: None }
    }

    pub fn post(path: impl Into<String>, body: Body) -> Self {
        Self { verb: Verb::Post, body, ..Self::get(path) }
    }

    pub fn delete(path: impl Into<String>) -> Self {
        Self { verb: Verb::Delete, ..Self::get(path) }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb.name(), self.path)
    }
}

/// What came back. `Debug` shows the status.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub retry_after_s: Option<u32>,
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {:?})", self.status, self.retry_after_s)
    }
}

/// An answer is not of the form that it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its answer lacks {0}")]
pub struct Lacking(pub &'static str);

/// One value of a form.
pub(super) fn form(fields: &[(&str, &str)]) -> Body {
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", escape_all(value)));
    Body::Form(Private::new(pairs.collect::<Vec<_>>().join("&")))
}

/// The text of a field that may not be absent.
pub(super) fn text(value: &Value, name: &'static str) -> Result<String, Lacking> {
    let text = value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or(Lacking(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_carries_any_value_and_prints_none() {
        let body = form(&[("grant_type", "urn:ietf:x"), ("assertion", "a b&c=ü")]);
        let Body::Form(text) = &body else { panic!() };
        assert_eq!(text.reveal(), "grant_type=urn%3Aietf%3Ax&assertion=a%20b%26c%3D%C3%BC");
        let request = Request::post("/restapi/oauth/token", body);
        assert_eq!(format!("{request:?}"), "POST /restapi/oauth/token");
    }
}
