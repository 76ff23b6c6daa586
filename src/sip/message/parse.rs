//! Bytes to [`Message`]: line normalisation, then the checks that earn a 400, 505 or 513.

use super::address::{CSeq, NameAddr, Via};
use super::headers::{Headers, expand, is_address_list};
use super::method::Method;
use super::text;
use super::uri::Uri;
use super::{Message, Request, Response, reason_phrase};
use crate::base::limits;

/// How the bytes came: it decides what Content-Length means (RFC 3261 section 18.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carriage {
    /// One datagram: without Content-Length the body is the rest.
    Datagram,
    /// Framed from a stream: Content-Length is required.
    Stream,
}

/// Why a message cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseFault {
    /// 400, 505 or 513: what a request is answered with.
    pub status: u16,
    /// What is wrong, for the log.
    pub reason: &'static str,
    /// What an answer copies; `None` means drop: a response, an ACK, or no usable Via.
    pub echo: Option<Box<Echo>>,
}

/// The fields that a response to a bad request copies, as they were written.
#[derive(Clone, PartialEq, Eq)]
pub struct Echo {
    headers: Headers,
}

impl std::fmt::Debug for Echo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Echo(private)")
    }
}

impl ParseFault {
    /// The answer to the bad request, if it can have one. Its top Via is well-formed.
    pub fn response(&self) -> Option<Response> {
        let echo = self.echo.as_ref()?;
        let mut response = Response::new(self.status, reason_phrase(self.status));
        response.headers = echo.headers.clone();
        response.headers.push_header("Warning", format!("399 attendant \"{}\"", self.reason));
        Some(response)
    }

    fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason, echo: None }
    }
}

const fn bad(reason: &'static str) -> ParseFault {
    ParseFault { status: 400, reason, echo: None }
}

enum Start {
    Request(Method, Uri),
    Response(u16, String),
}

/// Reads one message. Time is linear in its length.
///
/// # Errors
/// A [`ParseFault`] that says how to answer, for a request, or to drop.
pub fn parse(bytes: &[u8], carriage: Carriage) -> Result<Message, ParseFault> {
    let bytes = bytes.trim_ascii_start_crlf();
    let (head, body) = split_head(bytes)?;
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let start_line = lines.next().unwrap_or_default();
    let is_response = start_line.get(..8).is_some_and(|s| s.eq_ignore_ascii_case("SIP/2.0 "));
    let mut draft = Draft::default();
    let outcome = draft.read(start_line, lines, bytes.len(), body, carriage);
    match outcome {
        Ok((Start::Request(method, uri), body)) => {
            Ok(Message::Request(Request { method, uri, headers: draft.headers, body }))
        }
        Ok((Start::Response(status, reason), body)) => {
            Ok(Message::Response(Response { status, reason, headers: draft.headers, body }))
        }
        Err(fault) if is_response || start_line.starts_with("ACK ") => Err(fault),
        Err(fault) => Err(ParseFault { echo: draft.echo(), ..fault }),
    }
}

trait TrimCrlf {
    fn trim_ascii_start_crlf(&self) -> &[u8];
}

impl TrimCrlf for [u8] {
    /// Without leading line breaks: keep-alives may precede a message (RFC 3261 section 7.5).
    fn trim_ascii_start_crlf(&self) -> &[u8] {
        let start = self.iter().position(|b| !matches!(b, b'\r' | b'\n')).unwrap_or(self.len());
        self.get(start..).unwrap_or_default()
    }
}

/// Head without its empty line, and what follows it.
fn split_head(bytes: &[u8]) -> Result<(&[u8], &[u8]), ParseFault> {
    match head_end(bytes) {
        Some((head, body)) => {
            Ok((bytes.get(..head).unwrap_or_default(), bytes.get(body..).unwrap_or_default()))
        }
        None if bytes.is_empty() => Err(bad("no message")),
        // A datagram whose empty line was lost has no body.
        None => Ok((bytes.trim_ascii_end(), &[])),
    }
}

/// Where the head ends and the body begins: at the first empty line, CRLF or LF.
pub fn head_end(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut line_start = 0;
    for (at, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b'\n') {
        let line = bytes.get(line_start..at)?;
        if line.is_empty() || line == b"\r" {
            return Some((line_start.saturating_sub(1), at + 1));
        }
        line_start = at + 1;
    }
    None
}

/// What has been read so far; it outlives a fault, so that the fault can be answered.
#[derive(Default)]
struct Draft {
    headers: Headers,
    content_length: Option<usize>,
}

impl Draft {
    fn read<'a>(
        &mut self,
        start_line: &str,
        lines: impl Iterator<Item = &'a str>,
        size: usize,
        body: &[u8],
        carriage: Carriage,
    ) -> Result<(Start, Vec<u8>), ParseFault> {
        // Fields first: a faulty start line is answered along their Via.
        self.read_fields(lines)?;
        if size > limits::SIP_MESSAGE_BYTES {
            return Err(ParseFault::new(513, "message too large"));
        }
        let start = start(start_line)?;
        self.check_presence()?;
        self.check_values()?;
        if let Start::Request(method, _) = &start
            && self.headers.cseq().is_none_or(|cseq| cseq.method != *method)
        {
            return Err(bad("CSeq method differs"));
        }
        let body = match (self.content_length, carriage) {
            (Some(length), _) => body.get(..length).ok_or(bad("Content-Length above the body"))?,
            (None, Carriage::Datagram) => body,
            (None, Carriage::Stream) => return Err(bad("Content-Length missing")),
        };
        Ok((start, body.to_vec()))
    }

    /// Stores every field; the first fault is kept until all were seen.
    fn read_fields<'a>(&mut self, lines: impl Iterator<Item = &'a str>) -> Result<(), ParseFault> {
        let mut verdict = Ok(());
        let mut unfolded = String::new();
        for line in lines {
            if line.starts_with([' ', '\t']) {
                unfolded.push(' ');
                unfolded.push_str(line.trim());
            } else {
                verdict = verdict.and(self.read_field(&unfolded));
                unfolded.clear();
                unfolded.push_str(line);
            }
        }
        verdict.and(self.read_field(&unfolded))
    }

    fn read_field(&mut self, line: &str) -> Result<(), ParseFault> {
        if line.is_empty() {
            return Ok(());
        }
        let (name, value) = line.split_once(':').ok_or(bad("line without a colon"))?;
        let name = expand(name.trim_end());
        if !text::is_token(&name) {
            return Err(bad("malformed header name"));
        }
        let value = without_escaped_controls(value).ok_or(bad("control character"))?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("Content-Length") {
            return self.read_content_length(value);
        }
        if !is_address_list(&name) {
            return self.push(&name, value);
        }
        let elements = text::split_outside(value, ',').ok_or(bad("unbalanced quotes"))?;
        elements.into_iter().try_for_each(|element| self.push(&name, element))
    }

    fn push(&mut self, name: &str, value: &str) -> Result<(), ParseFault> {
        if self.headers.count() >= limits::SIP_HEADERS {
            return Err(ParseFault::new(513, "too many header fields"));
        }
        self.headers.push_header(name, value);
        Ok(())
    }

    fn read_content_length(&mut self, value: &str) -> Result<(), ParseFault> {
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        let length = digits.then(|| value.parse().ok()).flatten();
        let length = length.ok_or(bad("malformed Content-Length"))?;
        match self.content_length.replace(length) {
            None => Ok(()),
            Some(_) => Err(bad("two Content-Length")),
        }
    }

    /// Mandatory fields are there, single ones once (RFC 3261 section 8.1.1, RFC 4475 3.3.8).
    fn check_presence(&self) -> Result<(), ParseFault> {
        const MANDATORY: [&str; 5] = ["Via", "From", "To", "Call-ID", "CSeq"];
        const SINGLE: [&str; 6] = ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Type"];
        if MANDATORY.iter().any(|name| self.headers.header(name).is_none_or(str::is_empty)) {
            return Err(bad("mandatory header field missing"));
        }
        if SINGLE.iter().any(|name| self.headers.headers(name).count() > 1) {
            return Err(bad("single header field repeated"));
        }
        Ok(())
    }

    fn check_values(&self) -> Result<(), ParseFault> {
        if self.headers.headers("Via").count() > limits::SIP_VIAS {
            return Err(ParseFault::new(513, "too many Via"));
        }
        for (name, value) in self.headers.iter() {
            let fits = match name.to_ascii_lowercase().as_str() {
                "via" => Via::parse(value).is_some(),
                "from" | "to" => NameAddr::parse(value).is_some(),
                "contact" => value == "*" || NameAddr::parse(value).is_some(),
                "route" | "record-route" => NameAddr::parse(value).is_some(),
                "cseq" => CSeq::parse(value).is_some(),
                "call-id" => !value.contains(' '),
                "max-forwards" => value.parse::<u8>().is_ok(),
                _ => true,
            };
            if !fits {
                return Err(bad("malformed header value"));
            }
        }
        Ok(())
    }

    /// What an answer copies, if there is a Via to send it along.
    fn echo(&self) -> Option<Box<Echo>> {
        let mut vias = self.headers.headers("Via");
        let top = vias.next()?;
        let mut headers = Headers::default();
        match Via::parse(top) {
            Some(_) => headers.push_header("Via", top),
            None => headers.push_header("Via", Via::parse_repaired(top)?.to_string()),
        };
        for via in vias.filter(|value| Via::parse(value).is_some()) {
            headers.push_header("Via", via);
        }
        if headers.count() > limits::SIP_VIAS {
            return None;
        }
        for name in ["From", "To", "Call-ID", "CSeq"] {
            if let Some(value) = self.headers.header(name) {
                headers.push_header(name, value);
            }
        }
        Some(Box::new(Echo { headers }))
    }
}

/// Request-Line or Status-Line, single spaces only (RFC 3261 section 7.1, RFC 4475 3.1.2.9).
fn start(line: &str) -> Result<Start, ParseFault> {
    if text::has_control(line) {
        return Err(bad("control character"));
    }
    let mut parts = line.splitn(3, ' ');
    let (first, second, rest) = (parts.next(), parts.next(), parts.next());
    let (Some(first), Some(second)) = (first, second) else {
        return Err(bad("malformed start line"));
    };
    if first.eq_ignore_ascii_case("SIP/2.0") {
        let digits = second.len() == 3 && second.bytes().all(|b| b.is_ascii_digit());
        let status = digits.then(|| second.parse().ok()).flatten();
        let status = status.filter(|status| (100..700).contains(status));
        let reason = rest.unwrap_or_default().trim().to_owned();
        return Ok(Start::Response(status.ok_or(bad("malformed status"))?, reason));
    }
    let version = rest.unwrap_or_default();
    match version.split_at_checked(4) {
        Some((sip, "2.0")) if sip.eq_ignore_ascii_case("SIP/") => {}
        Some((sip, number)) if sip.eq_ignore_ascii_case("SIP/") && is_version(number) => {
            return Err(ParseFault::new(505, "unknown SIP version"));
        }
        _ => return Err(bad("malformed start line")),
    }
    let method = Method::parse(first).ok_or(bad("malformed method"))?;
    let uri = Uri::parse(second).ok_or(bad("malformed Request-URI"))?;
    if uri.headers().is_some() {
        return Err(bad("header fields in the Request-URI"));
    }
    Ok(Start::Request(method, uri))
}

fn is_version(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.').is_some_and(|(major, minor)| digits(major) && digits(minor))
}

/// `value` with tabs as spaces and escaped control characters, which a quoted string may hold,
/// taken out. `None` if a control character stands alone.
fn without_escaped_controls(value: &str) -> Option<std::borrow::Cow<'_, str>> {
    if !text::has_control(value) {
        return Some(value.into());
    }
    let mut clean = String::with_capacity(value.len());
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\t' => clean.push(' '),
            _ if c.is_control() => return None,
            '\\' => match chars.next() {
                Some(escaped) if escaped.is_control() => {}
                escaped => {
                    clean.push(c);
                    clean.extend(escaped);
                }
            },
            _ => clean.push(c),
        }
    }
    Some(clean.into())
}
