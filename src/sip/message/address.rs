//! Values with an inner structure: name-addr, Via, CSeq (RFC 3261 sections 20.7 to 20.42).

use std::fmt;
use std::net::IpAddr;

use super::method::Method;
use super::text::{self, Params};
use super::uri::{Host, Uri, host_and_port};

/// `"Name" <uri>;params` of From, To, Contact, Route and Record-Route.
#[derive(Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// Without quotes and escapes.
    pub display: Option<String>,
    pub uri: Uri,
    /// Header parameters: those behind the `>`, or all of them when there are no brackets.
    pub params: Params,
}

impl NameAddr {
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::default() }
    }

    /// `None` if malformed. Without brackets the parameters are the header's (RFC 3261 section 20).
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        let (before, uri, after) = match bracket_at(value)? {
            Some(open) => {
                let (before, rest) = value.split_at_checked(open)?;
                let (uri, after) = rest.strip_prefix('<')?.split_once('>')?;
                (before.trim(), uri.trim(), after.trim())
            }
            None => {
                let (uri, after) =
                    value.split_at_checked(value.find(';').unwrap_or(value.len()))?;
                // A comma, a question mark or a space here would be ambiguous (section 20.10).
                if uri.trim().contains(['?', ',']) {
                    return None;
                }
                ("", uri.trim(), after)
            }
        };
        let params = match after.strip_prefix(';') {
            Some(params) => Params::parse(params)?,
            None if after.is_empty() => Params::default(),
            None => return None,
        };
        Some(Self { display: display_name(before)?, uri: Uri::parse(uri)?, params })
    }

    /// The `tag` parameter (RFC 3261 section 19.3).
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag").filter(|tag| !tag.is_empty())
    }

    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag));
        self
    }
}

/// Where the `<` outside quotes is: `Some(None)` if nowhere, `None` if a quote stays open.
fn bracket_at(value: &str) -> Option<Option<usize>> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => return Some(Some(at)),
            _ => {}
        }
    }
    (!quoted).then_some(None)
}

/// The display name: a quoted string or tokens. `None` if neither.
fn display_name(text: &str) -> Option<Option<String>> {
    if text.is_empty() {
        return Some(None);
    }
    if text.starts_with('"') {
        let closed = text.len() >= 2 && text.ends_with('"');
        return closed.then(|| Some(text::unquote(text).into_owned()));
    }
    let fits = |c: char| text::is_token_char(c) || c == ' ' || !c.is_ascii();
    text.chars().all(fits).then(|| Some(text.to_owned()))
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", text::quote(display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

impl fmt::Debug for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NameAddr({:?}, {:?})", self.uri, self.params)
    }
}

/// One hop of a message's way back (RFC 3261 section 20.42).
#[derive(Clone, PartialEq, Eq)]
pub struct Via {
    /// `UDP`, `TCP`, `TLS`, `WS`, `WSS` or a foreign one, in upper case.
    pub transport: String,
    /// The sent-by host.
    pub host: Host,
    /// The sent-by port; `None` is the transport's default.
    pub port: Option<u16>,
    pub params: Params,
}

impl Via {
    pub fn new(transport: &str, host: Host, port: Option<u16>, branch: &str) -> Self {
        let mut params = Params::default();
        params.set("branch", Some(branch));
        let transport = transport.to_ascii_uppercase();
        Self { transport, host, port, params }
    }

    /// Reads one Via value, white space around its tokens allowed. `None` if malformed.
    pub fn parse(value: &str) -> Option<Self> {
        let (sent, params) = match value.split_once(';') {
            Some((sent, params)) => (sent, Params::parse(params)?),
            None => (value, Params::default()),
        };
        let mut parts = sent.splitn(3, '/').map(str::trim);
        let (name, version, rest) = (parts.next()?, parts.next()?, parts.next()?);
        // A foreign version passes: a 505 has to find its way back (RFC 4475 section 3.1.2.16).
        let fits = |c: char| c.is_ascii_digit() || c == '.';
        if !name.eq_ignore_ascii_case("SIP") || version.is_empty() || !version.chars().all(fits) {
            return None;
        }
        let (transport, sent_by) = rest.split_once([' ', '\t'])?;
        if !text::is_token(transport) {
            return None;
        }
        let (host, port) = host_and_port(sent_by.trim())?;
        Some(Self { transport: transport.to_ascii_uppercase(), host, port, params })
    }

    /// As `parse`, but empty parameters are passed over: enough to answer a malformed request.
    pub(super) fn parse_repaired(value: &str) -> Option<Self> {
        let parts = text::split_outside(value, ';')?;
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        Self::parse(&parts.join(";"))
    }

    pub fn branch(&self) -> Option<&str> {
        self.params.value("branch")
    }

    /// True if the branch is globally unique: it has the cookie and something behind it (RFC 3261
    /// section 8.1.1.7, RFC 4475 section 3.2.1). Otherwise RFC 2543 matching applies.
    pub fn has_unique_branch(&self) -> bool {
        let cookie = self.branch().and_then(|b| b.split_at_checked(7));
        cookie.is_some_and(|(cookie, rest)| {
            cookie.eq_ignore_ascii_case("z9hG4bK") && !rest.is_empty()
        })
    }

    /// The `received` address, with or without brackets (RFC 5118 section 4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let value = self.params.value("received")?;
        let bare = value.strip_prefix('[').and_then(|v| v.strip_suffix(']')).unwrap_or(value);
        bare.parse().ok()
    }

    /// True if the sender asked for `rport` (RFC 3581), filled or not.
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// The filled-in `rport`.
    pub fn rport(&self) -> Option<u16> {
        self.params.value("rport")?.parse().ok()
    }

    pub fn set_received(&mut self, address: IpAddr) {
        self.params.set("received", Some(&address.to_string()));
    }

    pub fn set_rport(&mut self, port: u16) {
        self.params.set("rport", Some(&port.to_string()));
    }

    /// Adds the empty `rport` that asks for an answer to the source port (RFC 3581 section 3).
    pub fn ask_rport(&mut self) {
        self.params.set("rport", None);
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

impl fmt::Debug for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Via({}, {:?})", self.transport, self.branch())
    }
}

/// Sequence number and method (RFC 3261 section 20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    pub number: u32,
    pub method: Method,
}

impl CSeq {
    /// `None` if malformed or above 32 bits.
    pub fn parse(value: &str) -> Option<Self> {
        let (number, method) = value.trim().split_once([' ', '\t'])?;
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        let number = digits.then(|| number.parse().ok()).flatten()?;
        Some(Self { number, method: Method::parse(method.trim())? })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}
