//! What this end can do, in header fields, and what it reads out of bodies.

use crate::sip::message::{Headers, Method, Request};

/// The content type of a session description.
pub(super) const SDP: &str = "application/sdp";
pub(super) const DTMF_RELAY: &str = "application/dtmf-relay";
pub(super) const DTMF: &str = "application/dtmf";

/// The methods that we process.
pub(super) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO, NOTIFY, REFER";
/// The extension by which a call takes the place of another one (RFC 3891).
pub(super) const REPLACES: &str = "replaces";
/// The extensions that we know.
pub(super) const SUPPORTED: &str = "timer, 100rel, replaces, norefersub";

/// Whether a peer may require this extension of us.
pub(super) fn is_supported(option: &str) -> bool {
    SUPPORTED.split(", ").any(|known| known.eq_ignore_ascii_case(option))
}

pub(super) const fn is_allowed(method: &Method) -> bool {
    matches!(
        method,
        Method::Invite
            | Method::Ack
            | Method::Cancel
            | Method::Bye
            | Method::Options
            | Method::Update
            | Method::Prack
            | Method::Info
            | Method::Notify
            | Method::Refer
    )
}

/// What a body says about the session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Sdp(Vec<u8>),
    /// Something else that the sender wants understood.
    Foreign,
}

/// Reads a body that may hold a session description, alone or in a multipart (RFC 5621).
pub(super) fn body_of(headers: &Headers, body: &[u8]) -> Body {
    if body.is_empty() {
        return Body::None;
    }
    let content_type = headers.header("Content-Type").unwrap_or_default();
    let kind = headers.content_type().unwrap_or_default();
    if kind.eq_ignore_ascii_case(SDP) || kind.is_empty() && body.starts_with(b"v=0") {
        return Body::Sdp(body.to_vec());
    }
    let is_multipart = kind.get(..10).is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/"));
    if is_multipart && let Some(sdp) = sdp_part(content_type, body) {
        return Body::Sdp(sdp);
    }
    let disposition = headers.header("Content-Disposition").unwrap_or_default();
    if disposition.to_ascii_lowercase().contains("handling=optional") {
        return Body::None;
    }
    Body::Foreign
}

/// The first part of a multipart body that is a session description.
fn sdp_part(content_type: &str, body: &[u8]) -> Option<Vec<u8>> {
    let boundary = content_type.split(';').find_map(|param| {
        let (name, value) = param.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    let body = std::str::from_utf8(body).ok()?;
    let delimiter = format!("--{boundary}");
    body.split(delimiter.as_str()).find_map(|part| {
        let (head, content) = part.split_once("\r\n\r\n")?;
        let is_sdp = head.lines().any(|line| {
            line.split_once(':').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("Content-Type")
                    && value.trim().to_ascii_lowercase().starts_with(SDP)
            })
        });
        let content = content.strip_suffix("\r\n").unwrap_or(content);
        is_sdp.then(|| content.as_bytes().to_vec())
    })
}

/// The `o=` line of a description, which tells a changed one from the same (RFC 3264 section 8).
pub(super) fn origin_of(sdp: &[u8]) -> Option<Vec<u8>> {
    let mut lines = sdp.split(|byte| *byte == b'\n');
    lines.find(|line| line.starts_with(b"o=")).map(|line| line.trim_ascii_end().to_vec())
}

/// A key in an INFO body: `Signal=5` and `Duration=160`, or the key alone. Milliseconds.
pub(super) fn key_of(request: &Request) -> Option<(char, u32)> {
    const USUAL_MS: u32 = 250;
    const LONGEST_MS: u32 = 10_000;
    let text = std::str::from_utf8(request.body()).ok()?;
    let kind = request.content_type()?;
    if kind.eq_ignore_ascii_case(DTMF) {
        return Some((key(text)?, USUAL_MS));
    }
    let field = |wanted: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let duration_ms = field("Duration").and_then(|ms| ms.parse().ok()).unwrap_or(USUAL_MS);
    Some((key(field("Signal")?)?, duration_ms.min(LONGEST_MS)))
}

fn key(text: &str) -> Option<char> {
    // Some senders number the star and the hash as the telephone-event does.
    match text.trim() {
        "10" => Some('*'),
        "11" => Some('#'),
        other => {
            let mut chars = other.chars();
            let key = chars.next()?.to_ascii_uppercase();
            let is_key = matches!(key, '0'..='9' | '*' | '#' | 'A'..='D');
            (is_key && chars.next().is_none()).then_some(key)
        }
    }
}

/// Seconds in a Retry-After header, whatever follows them.
pub(super) fn retry_after_s(headers: &Headers) -> Option<u32> {
    let value = headers.header("Retry-After")?;
    let digits = value.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Uri;

    fn info(kind: &str, body: &str) -> Request {
        let mut info = Request::new(Method::Info, Uri::parse("sip:a@192.0.2.1").unwrap());
        info.set_body(kind, body);
        info
    }

    #[test]
    fn keys_are_read_from_both_kinds_of_info() {
        for (kind, body, expected) in [
            (DTMF_RELAY, "Signal=5\r\nDuration=160\r\n", Some(('5', 160))),
            (DTMF_RELAY, "Signal= #\nDuration= 99999999", Some(('#', 10_000))),
            (DTMF_RELAY, "Signal=11", Some(('#', 250))),
            (DTMF_RELAY, "Duration=160", None),
            (DTMF_RELAY, "Signal=55", None),
            (DTMF, "*", Some(('*', 250))),
            (DTMF, "x", None),
        ] {
            assert_eq!(key_of(&info(kind, body)), expected, "{kind} {body}");
        }
    }

    #[test]
    fn a_session_description_is_found_alone_and_in_a_multipart() {
        let multipart = "--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\n\
                         Content-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n";
        for (kind, body, expected) in [
            (SDP, "v=0\r\n", Body::Sdp(b"v=0\r\n".to_vec())),
            ("multipart/mixed;boundary=b", multipart, Body::Sdp(b"v=0\r\n".to_vec())),
            ("text/plain", "hello", Body::Foreign),
            ("text/plain", "", Body::None),
        ] {
            let info = info(kind, body);
            assert_eq!(body_of(&info, info.body()), expected, "{kind}");
        }
        let mut optional = info("text/plain", "hello");
        optional.push_header("Content-Disposition", "render;handling=optional");
        assert_eq!(body_of(&optional, optional.body()), Body::None);
    }
}
