//! Whether a request can be processed at all, in the order of RFC 3261 section 8.2.

use super::compose::{ALLOW, Body, DTMF, DTMF_RELAY, SDP, body_of, is_allowed, is_supported};
use crate::sip::message::{Method, Request};

/// A response that refuses, and the header field that says what would have been right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    pub header: Option<(&'static str, String)>,
}

impl Refusal {
    pub fn new(status: u16) -> Self {
        Self { status, header: None }
    }

    pub fn with(status: u16, name: &'static str, value: impl Into<String>) -> Self {
        Self { status, header: Some((name, value.into())) }
    }
}

/// Section 8.2.1, for requests outside a dialog: 405 for a method that we know and do not process,
/// 501 for one that we do not know.
pub(super) fn method(request: &Request) -> Result<(), Refusal> {
    match request.method() {
        method if is_allowed(method) => Ok(()),
        Method::Other(_) => Err(Refusal::with(501, "Allow", ALLOW)),
        _ => Err(Refusal::with(405, "Allow", ALLOW)),
    }
}

/// In a dialog every method that we do not process gets 405.
pub(super) fn method_in_dialog(request: &Request) -> Result<(), Refusal> {
    match is_allowed(request.method()) {
        true => Ok(()),
        false => Err(Refusal::with(405, "Allow", ALLOW)),
    }
}

/// Section 8.2.2.1. `tel:` names a subscriber and is taken: every call is ours.
pub(super) fn scheme(request: &Request) -> Result<(), Refusal> {
    match request.uri().scheme() {
        "sip" | "sips" | "tel" => Ok(()),
        _ => Err(Refusal::new(416)),
    }
}

/// Section 8.2.2.3: no extension that must be understood is.
pub(super) fn require(request: &Request) -> Result<(), Refusal> {
    let mut required = request.require();
    required.retain(|option| !is_supported(option));
    if required.is_empty() {
        return Ok(());
    }
    Err(Refusal::with(420, "Unsupported", required.join(", ")))
}

/// Section 8.2.3: the body, and whether our own would be accepted (406).
pub(super) fn content(request: &Request) -> Result<(), Refusal> {
    let encoding = request.header("Content-Encoding").unwrap_or("identity").trim();
    if !request.body().is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        return Err(Refusal::with(415, "Accept-Encoding", "identity"));
    }
    match request.method() {
        Method::Invite | Method::Update | Method::Prack => {
            if body_of(request, request.body()) == Body::Foreign {
                return Err(Refusal::with(415, "Accept", SDP));
            }
            if *request.method() != Method::Prack && !accepts_sdp(request) {
                return Err(Refusal::new(406));
            }
            Ok(())
        }
        Method::Info => info(request),
        _ => Ok(()),
    }
}

/// An INFO's body is a key press or nothing; a package of RFC 6086 has not been agreed on (469).
fn info(request: &Request) -> Result<(), Refusal> {
    if request.header("Info-Package").is_some() {
        return Err(Refusal::with(469, "Recv-Info", ""));
    }
    let kind = request.content_type().unwrap_or_default();
    let is_key = [DTMF_RELAY, DTMF].iter().any(|known| kind.eq_ignore_ascii_case(known));
    if request.body().is_empty() || is_key {
        return Ok(());
    }
    Err(Refusal::with(415, "Accept", format!("{DTMF_RELAY}, {DTMF}")))
}

/// Whether unread bytes are an INVITE without a To tag. A guess, made without allocating: it only
/// decides what a full house looks at.
pub(super) fn begins_a_call(bytes: &[u8]) -> bool {
    let names_to = |line: &&[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
        name.eq_ignore_ascii_case(b"To") || name.eq_ignore_ascii_case(b"t")
    };
    let is_tagged = |line: &[u8]| line.windows(5).any(|five| five.eq_ignore_ascii_case(b";tag="));
    bytes.trim_ascii_start().starts_with(b"INVITE ")
        && !bytes.split(|byte| *byte == b'\n').find(names_to).is_some_and(is_tagged)
}

fn accepts_sdp(request: &Request) -> bool {
    let accepted = request.list("Accept");
    let fits = |range: &&str| {
        let kind = range.split(';').next().unwrap_or_default().trim();
        ["*/*", "application/*", SDP].iter().any(|ours| kind.eq_ignore_ascii_case(ours))
    };
    request.header("Accept").is_none() || accepted.iter().any(fits)
}
