//! Header fields in their order, names expanded, lists of addresses split (RFC 3261 section 7.3).
//!
//! Invariant: names are tokens, values hold no control character, so nothing that was put in here
//! can break a line on the wire.

use std::borrow::Cow;
use std::fmt;

use super::address::{CSeq, NameAddr, Via};
use super::text;

/// The header fields of one message, without Content-Length, which writing adds.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Cow<'static, str>, String)>);

/// The full name behind a compact one; other names as they are.
pub fn expand(name: &str) -> Cow<'static, str> {
    let [letter] = name.as_bytes() else { return Cow::Owned(name.to_owned()) };
    Cow::Borrowed(match letter.to_ascii_lowercase() {
        b'a' => "Accept-Contact",
        b'b' => "Referred-By",
        b'c' => "Content-Type",
        b'd' => "Request-Disposition",
        b'e' => "Content-Encoding",
        b'f' => "From",
        b'i' => "Call-ID",
        b'j' => "Reject-Contact",
        b'k' => "Supported",
        b'l' => "Content-Length",
        b'm' => "Contact",
        b'o' => "Event",
        b'r' => "Refer-To",
        b's' => "Subject",
        b't' => "To",
        b'u' => "Allow-Events",
        b'v' => "Via",
        b'x' => "Session-Expires",
        b'y' => "Identity",
        _ => return Cow::Owned(name.to_owned()),
    })
}

/// True for the fields whose comma-separated elements are stored apart.
pub fn is_address_list(name: &str) -> bool {
    ["Via", "Contact", "Route", "Record-Route"].iter().any(|n| n.eq_ignore_ascii_case(name))
}

impl Headers {
    /// The first value of `name` (its full form, in any case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Every value of `name`; one element each for Via, Contact, Route and Record-Route.
    pub fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Names and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_str()))
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Adds a field at the end. Control characters become spaces; a name that is no token and
    /// Content-Length (which writing adds) are refused.
    pub fn push_header(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        if let Some(field) = field(name, value.as_ref()) {
            self.0.push(field);
        }
        self
    }

    /// Adds a field before all others: the top Via, the first Route.
    pub fn prepend_header(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        if let Some(field) = field(name, value.as_ref()) {
            self.0.insert(0, field);
        }
        self
    }

    /// Replaces every `name` by one field, which keeps the place of the first.
    pub fn set_header(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        let Some(field) = field(name, value.as_ref()) else { return self };
        match self.0.iter().position(|(n, _)| n.eq_ignore_ascii_case(&field.0)) {
            Some(first) => {
                self.remove_header(&field.0);
                self.0.insert(first.min(self.0.len()), field);
            }
            None => self.0.push(field),
        }
        self
    }

    pub fn remove_header(&mut self, name: &str) -> &mut Self {
        self.0.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    pub fn vias(&self) -> Vec<Via> {
        self.headers("Via").filter_map(Via::parse).collect()
    }

    pub fn top_via(&self) -> Option<Via> {
        self.header("Via").and_then(Via::parse)
    }

    /// Writes `via` over the first one.
    pub fn set_top_via(&mut self, via: &Via) {
        if let Some((_, value)) = self.0.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case("Via")) {
            *value = text::clean(&via.to_string()).into_owned();
        }
    }

    pub fn from(&self) -> Option<NameAddr> {
        self.header("From").and_then(NameAddr::parse)
    }

    pub fn to(&self) -> Option<NameAddr> {
        self.header("To").and_then(NameAddr::parse)
    }

    pub fn call_id(&self) -> Option<&str> {
        self.header("Call-ID")
    }

    pub fn cseq(&self) -> Option<CSeq> {
        self.header("CSeq").and_then(CSeq::parse)
    }

    pub fn max_forwards(&self) -> Option<u8> {
        self.header("Max-Forwards")?.parse().ok()
    }

    /// The Contact addresses; `Contact: *` is not among them.
    pub fn contacts(&self) -> Vec<NameAddr> {
        self.addresses("Contact")
    }

    pub fn record_routes(&self) -> Vec<NameAddr> {
        self.addresses("Record-Route")
    }

    pub fn routes(&self) -> Vec<NameAddr> {
        self.addresses("Route")
    }

    fn addresses(&self, name: &str) -> Vec<NameAddr> {
        self.headers(name).filter_map(NameAddr::parse).collect()
    }

    /// The elements of a list of tokens such as Require, Supported, Allow or Accept.
    pub fn list<'a>(&'a self, name: &str) -> Vec<&'a str> {
        let split = self.headers(name).filter_map(|value| text::split_outside(value, ','));
        split.flatten().filter(|element| !element.is_empty()).collect()
    }

    pub fn require(&self) -> Vec<&str> {
        self.list("Require")
    }

    pub fn supported(&self) -> Vec<&str> {
        self.list("Supported")
    }

    /// `type/subtype` without parameters, in the case of the sender.
    pub fn content_type(&self) -> Option<&str> {
        self.header("Content-Type")?.split(';').next().map(str::trim)
    }

    /// Seconds; an overflow counts as the largest value (RFC 3261 section 20.19).
    pub fn expires(&self) -> Option<u32> {
        let value = self.header("Expires")?;
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| value.parse().unwrap_or(u32::MAX))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>, body: &[u8]) {
        for (name, value) in &self.0 {
            for part in [name.as_ref(), ": ", value, "\r\n"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        out.extend_from_slice(body);
    }
}

fn field(name: &str, value: &str) -> Option<(Cow<'static, str>, String)> {
    let name = expand(name);
    let refused = !text::is_token(&name) || name.eq_ignore_ascii_case("Content-Length");
    (!refused).then(|| (name, text::clean(value).into_owned()))
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
