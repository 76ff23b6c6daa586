//! SIP messages: bytes to typed requests and responses and back (RFC 3261 section 7).
//!
//! Owns the one parser and the one writer of SIP text. `parse` normalises what the wire allows
//! (compact names, folding, lone LF, any order, lists of addresses) and refuses what RFC 4475 wants
//! refused; typed getters read a field when asked. Invariant: no value that is stored here holds a
//! control character, so a message is written line by line as it was meant.
//!
//! The types are ours and not those of rsip 0.4, which cannot read `sip:[2001:db8::1]`, takes
//! `first.last@host` for a host and `tel:+1555` for a host with a port, and knows `invite` as INVITE
//! but no foreign method (405, 501).

mod address;
mod headers;
mod method;
mod parse;
mod replaces;
mod status;
mod text;
mod uri;

#[cfg(test)]
mod mutation;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod torture;

use std::fmt;
use std::ops::{Deref, DerefMut};

pub use address::{CSeq, NameAddr, Via};
pub use headers::Headers;
pub use method::{Method, Token};
pub use parse::{Carriage, Echo, ParseFault, parse};
pub use replaces::Replaces;
pub use status::reason_phrase;
pub use text::{Params, quote, split_outside, unquote};
pub use uri::{BadEscape, Host, Uri, host_and_port};

/// What a peer sent, or what we send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

impl Message {
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}

/// A request. The header getters and setters are those of [`Headers`].
///
/// After `parse` these are present and well-formed: Via (all), From, To, Call-ID, CSeq with the
/// request's own method, and Max-Forwards, Contact, Route, Record-Route where they stand at all.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    method: Method,
    uri: Uri,
    headers: Headers,
    body: Vec<u8>,
}

impl Request {
    pub fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: Headers::default(), body: Vec::new() }
    }

    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The Request-URI.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    pub fn set_uri(&mut self, uri: Uri) {
        self.uri = uri;
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Replaces body and Content-Type.
    pub fn set_body(&mut self, content_type: &str, body: impl Into<Vec<u8>>) -> &mut Self {
        self.headers.set_header("Content-Type", content_type);
        self.body = body.into();
        self
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.push_header(name, value);
        self
    }

    /// The message for the wire, Content-Length added.
    pub fn to_bytes(&self) -> Vec<u8> {
        let uri = self.uri.to_string();
        let mut out = format!("{} {} SIP/2.0\r\n", self.method, text::clean(&uri)).into_bytes();
        self.headers.write(&mut out, &self.body);
        out
    }
}

/// A response. The header getters and setters are those of [`Headers`].
///
/// After `parse` these are present and well-formed: Via (all), From, To, Call-ID and CSeq.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    reason: String,
    headers: Headers,
    body: Vec<u8>,
}

impl Response {
    /// `status` is clamped to 100..=699.
    pub fn new(status: u16, reason: &str) -> Self {
        let reason = text::clean(reason).into_owned();
        let status = status.clamp(100, 699);
        Self { status, reason, headers: Headers::default(), body: Vec::new() }
    }

    /// 100 to 699.
    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn reason(&self) -> &str {
        &self.reason
    }

    pub fn is_provisional(&self) -> bool {
        self.status < 200
    }

    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn is_final(&self) -> bool {
        self.status >= 200
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Replaces body and Content-Type.
    pub fn set_body(&mut self, content_type: &str, body: impl Into<Vec<u8>>) -> &mut Self {
        self.headers.set_header("Content-Type", content_type);
        self.body = body.into();
        self
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.push_header(name, value);
        self
    }

    /// The message for the wire, Content-Length added.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("SIP/2.0 {} {}\r\n", self.status, self.reason).into_bytes();
        self.headers.write(&mut out, &self.body);
        out
    }
}

/// The response to `request`, with what RFC 3261 section 8.2.6 copies: every Via, From, To (with
/// `to_tag` unless it has a tag or the status is 100), Call-ID, CSeq; Timestamp on 100; Record-Route
/// where a dialog may begin (section 12.1.1).
pub fn response_to(request: &Request, status: u16, to_tag: Option<&str>) -> Response {
    let mut response = Response::new(status, reason_phrase(status));
    let copy = |response: &mut Response, name: &str| {
        for value in request.headers(name) {
            response.headers.push_header(name, value);
        }
    };
    copy(&mut response, "Via");
    if request.method == Method::Invite && (101..300).contains(&status) {
        copy(&mut response, "Record-Route");
    }
    copy(&mut response, "From");
    let to = request.header("To").unwrap_or_default();
    match to_tag {
        Some(tag) if status != 100 && request.to().is_none_or(|to| to.tag().is_none()) => {
            response.headers.push_header("To", format!("{to};tag={tag}"));
        }
        _ => copy(&mut response, "To"),
    }
    copy(&mut response, "Call-ID");
    copy(&mut response, "CSeq");
    if status == 100 {
        copy(&mut response, "Timestamp");
    }
    response
}

impl Deref for Request {
    type Target = Headers;

    fn deref(&self) -> &Headers {
        &self.headers
    }
}

impl DerefMut for Request {
    fn deref_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }
}

impl Deref for Response {
    type Target = Headers;

    fn deref(&self) -> &Headers {
        &self.headers
    }
}

impl DerefMut for Response {
    fn deref_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} fields, {} bytes)", self.method, self.headers.count(), self.body.len())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} fields, {} bytes)", self.status, self.headers.count(), self.body.len())
    }
}
