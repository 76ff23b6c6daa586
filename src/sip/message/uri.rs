//! URIs (RFC 3261 section 19.1, RFC 3966) and hosts, IPv6 everywhere (RFC 5118).
//!
//! Addresses of people are private: neither type prints its user part in `Debug`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::text::{Params, has_control};
use crate::base::percent::{escape, unescape};

/// What a user part may hold as it is, escapes included.
const OF_USER: &[u8] = b"-_.!~*'()&=+$,;?/%";

/// A host name or address, without brackets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Host {
    Name(String),
    Ip(IpAddr),
}

impl Host {
    /// Reads a name, an IPv4 address or an IPv6 address in brackets. The three colons that the
    /// grammar of RFC 2543's successors produced are taken as two (RFC 5118 section 4.10).
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']')?;
            let address = inner.parse().or_else(|_| inner.replacen(":::", "::", 1).parse()).ok()?;
            return Some(Self::Ip(IpAddr::V6(address)));
        }
        if let Ok(address) = text.parse() {
            return Some(Self::Ip(IpAddr::V4(address)));
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let named = !text.is_empty() && text.len() <= 255 && text.chars().all(fits);
        named.then(|| Self::Name(text.to_owned()))
    }

    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Name(_) => None,
        }
    }

    /// RFC 3261 section 19.1.4: host names compare without case.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            _ => self == other,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(host)")
    }
}

/// `host[:port]`; `None` if malformed.
pub fn host_and_port(text: &str) -> Option<(Host, Option<u16>)> {
    let end_of_host = if text.starts_with('[') {
        text.find(']').map(|at| at + 1)
    } else {
        text.find(':').or(Some(text.len()))
    }?;
    let (host, rest) = text.split_at_checked(end_of_host)?;
    let host = Host::parse(host.trim())?;
    let rest = rest.trim();
    if rest.is_empty() {
        return Some((host, None));
    }
    let port = rest.strip_prefix(':')?.trim();
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    Some((host, Some(digits.then(|| port.parse().ok()).flatten()?)))
}

/// A user part with an escape that is none, or that hides what is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadEscape;

/// A `sip:`, `sips:`, `tel:` or foreign URI.
#[derive(Clone, PartialEq, Eq)]
pub struct Uri(Form);

#[derive(Clone, PartialEq, Eq)]
enum Form {
    Sip(SipForm),
    Other { scheme: String, rest: String },
}

#[derive(Clone, PartialEq, Eq)]
struct SipForm {
    is_secure: bool,
    userinfo: Option<String>,
    host: Host,
    port: Option<u16>,
    params: Params,
    headers: Option<String>,
}

impl Uri {
    /// A `sip:` URI. Characters that a user part may not hold are escaped.
    pub fn sip(user: Option<&str>, host: Host, port: Option<u16>) -> Self {
        let userinfo = user.map(|user| escape(user, OF_USER));
        let params = Params::default();
        Self(Form::Sip(SipForm { is_secure: false, userinfo, host, port, params, headers: None }))
    }

    /// `None` if `text` is not a URI. A scheme that we do not speak is not a fault here (416).
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let mut letters = scheme.chars();
        let starts = letters.next().is_some_and(|c| c.is_ascii_alphabetic());
        if !starts || !letters.all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
            return None;
        }
        let foul = |c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c);
        if rest.is_empty() || rest.contains(foul) {
            return None;
        }
        let is_secure = scheme.eq_ignore_ascii_case("sips");
        if is_secure || scheme.eq_ignore_ascii_case("sip") {
            return sip_form(rest, is_secure).map(|form| Self(Form::Sip(form)));
        }
        Some(Self(Form::Other { scheme: scheme.to_ascii_lowercase(), rest: rest.to_owned() }))
    }

    /// In lower case.
    pub fn scheme(&self) -> &str {
        match &self.0 {
            Form::Sip(form) if form.is_secure => "sips",
            Form::Sip(_) => "sip",
            Form::Other { scheme, .. } => scheme,
        }
    }

    /// True for `sip:` and `sips:`.
    pub fn is_sip(&self) -> bool {
        matches!(self.0, Form::Sip(_))
    }

    /// The user part as it was written (escapes kept), without a password; the number of a `tel:`.
    pub fn user(&self) -> Option<&str> {
        match &self.0 {
            Form::Sip(form) => form.userinfo.as_deref()?.split(':').next(),
            Form::Other { scheme, rest } if scheme == "tel" => rest.split(';').next(),
            Form::Other { .. } => None,
        }
    }

    /// The user part as whoever gets it reads it, its escapes resolved (section 19.1.4): what is decided about a
    /// user is decided by this.
    ///
    /// # Errors
    /// Nobody can say how it is read.
    pub fn user_as_read(&self) -> Result<Option<String>, BadEscape> {
        let read = |user| unescape(user).filter(|user| !has_control(user)).ok_or(BadEscape);
        self.user().map(read).transpose()
    }

    pub fn host(&self) -> Option<&Host> {
        match &self.0 {
            Form::Sip(form) => Some(&form.host),
            Form::Other { .. } => None,
        }
    }

    pub fn port(&self) -> Option<u16> {
        match &self.0 {
            Form::Sip(form) => form.port,
            Form::Other { .. } => None,
        }
    }

    /// The value of a URI parameter, `""` for a flag such as `lr`.
    pub fn param(&self, name: &str) -> Option<&str> {
        match &self.0 {
            Form::Sip(form) => form.params.value(name),
            Form::Other { .. } => None,
        }
    }

    /// `transport=`, in the case of the sender.
    pub fn transport(&self) -> Option<&str> {
        self.param("transport")
    }

    /// True for the URI of a loose router (RFC 3261 section 16.12).
    pub fn is_loose_router(&self) -> bool {
        self.param("lr").is_some()
    }

    /// The text after `?`.
    pub fn headers(&self) -> Option<&str> {
        match &self.0 {
            Form::Sip(form) => form.headers.as_deref(),
            Form::Other { .. } => None,
        }
    }

    /// The URI with a parameter set; no effect on a foreign scheme.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> Self {
        if let Form::Sip(form) = &mut self.0 {
            form.params.set(name, value);
        }
        self
    }

    /// What may stand in a Request-URI: no `?headers`, no `method` parameter (section 19.1.1).
    #[must_use]
    pub fn for_request(mut self) -> Self {
        if let Form::Sip(form) = &mut self.0 {
            form.headers = None;
            form.params.remove("method");
        }
        self
    }
}

fn sip_form(rest: &str, is_secure: bool) -> Option<SipForm> {
    let (userinfo, rest) = match rest.split_once('@') {
        Some(("", _)) => return None,
        Some((userinfo, rest)) => (Some(userinfo.to_owned()), rest),
        None => (None, rest),
    };
    let (rest, headers) = match rest.split_once('?') {
        Some((rest, headers)) => (rest, Some(headers.to_owned())),
        None => (rest, None),
    };
    let (host, params) = match rest.split_once(';') {
        Some((host, params)) => (host, Params::parse(params)?),
        None => (rest, Params::default()),
    };
    let (host, port) = host_and_port(host)?;
    Some(SipForm { is_secure, userinfo, host, port, params, headers })
}

impl FromStr for Uri {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::parse(text).ok_or(())
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match &self.0 {
            Form::Other { scheme, rest } => return write!(f, "{scheme}:{rest}"),
            Form::Sip(form) => form,
        };
        write!(f, "{}:", self.scheme())?;
        if let Some(userinfo) = &form.userinfo {
            write!(f, "{userinfo}@")?;
        }
        write!(f, "{}", form.host)?;
        if let Some(port) = form.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", form.params)?;
        match &form.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:(private)", self.scheme())
    }
}
