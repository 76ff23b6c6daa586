//! The value of a Replaces header field (RFC 3891 section 6.1), and how it stands in a URI (RFC 3261
//! section 19.1.1).

use std::fmt;

use crate::base::percent::{escape, unescape};

/// A dialog as its other end knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Replaces {
    pub call_id: String,
    /// The tag that whoever reads this has given.
    pub to_tag: String,
    /// The tag of the other end of its dialog.
    pub from_tag: String,
    /// Only as long as it is not answered.
    pub is_early_only: bool,
}

impl Replaces {
    /// `None` if malformed: without a Call-ID, or without exactly one tag of each kind.
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let call_id = parts.next().filter(|id| is_call_id(id))?.to_owned();
        let (mut to_tag, mut from_tag, mut is_early_only) = (None, None, false);
        for part in parts {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), value.trim()),
                None => (part, ""),
            };
            let slot = match name.to_ascii_lowercase().as_str() {
                "to-tag" => &mut to_tag,
                "from-tag" => &mut from_tag,
                "early-only" => {
                    is_early_only = true;
                    continue;
                }
                _ => continue,
            };
            if value.is_empty() || slot.replace(value.to_owned()).is_some() {
                return None;
            }
        }
        Some(Self { call_id, to_tag: to_tag?, from_tag: from_tag?, is_early_only })
    }

    /// As a header of a URI: `Replaces=` and the value, escaped.
    pub fn in_uri(&self) -> String {
        format!("Replaces={}", escape(&self.to_string(), KEPT))
    }

    /// What the headers of a URI say of it; `None` if there is no such thing, or more than one.
    pub fn of_uri_headers(headers: &str) -> Option<Self> {
        let mut found = headers.split('&').filter_map(|header| {
            let (name, value) = header.split_once('=')?;
            name.eq_ignore_ascii_case("Replaces").then_some(value)
        });
        let value = found.next()?;
        if found.next().is_some() {
            return None;
        }
        Self::parse(&unescape(value)?)
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call_id, to_tag, from_tag, is_early_only } = self;
        write!(f, "{call_id};to-tag={to_tag};from-tag={from_tag}")?;
        f.write_str(if *is_early_only { ";early-only" } else { "" })
    }
}

impl fmt::Debug for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Replaces(private)")
    }
}

fn is_call_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != ',')
}

/// What a header of a URI may hold as it is: `unreserved` and `hnv-unreserved`.
const KEPT: &[u8] = b"-_.!~*'()[]/?:+$";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_read_and_written() {
        for (text, expected) in [
            ("a@b;to-tag=1;from-tag=2", Some(("a@b", "1", "2", false))),
            (" a ; from-tag = 2 ; To-Tag=1;early-only ;x=y", Some(("a", "1", "2", true))),
            ("a;to-tag=0;from-tag=0", Some(("a", "0", "0", false))),
            ("a;to-tag=1", None),
            ("a;from-tag=2", None),
            (";to-tag=1;from-tag=2", None),
            ("a;to-tag=1;to-tag=1;from-tag=2", None),
            ("a;to-tag=;from-tag=2", None),
            ("a b;to-tag=1;from-tag=2", None),
            ("", None),
        ] {
            let read = Replaces::parse(text);
            let fields = read.as_ref().map(|r| {
                (r.call_id.as_str(), r.to_tag.as_str(), r.from_tag.as_str(), r.is_early_only)
            });
            assert_eq!(fields, expected, "{text:?}");
            if let Some(read) = read {
                assert_eq!(Replaces::parse(&read.to_string()), Some(read), "{text:?}");
            }
        }
    }

    #[test]
    fn it_stands_in_a_uri_with_nothing_that_would_end_it() {
        let replaces = Replaces::parse("a%&=?@b;to-tag=1;from-tag=2").unwrap();
        let in_uri = replaces.in_uri();
        assert_eq!(in_uri, "Replaces=a%25%26%3D?%40b%3Bto-tag%3D1%3Bfrom-tag%3D2");
        assert_eq!(Replaces::of_uri_headers(&format!("X=1&{in_uri}")), Some(replaces));
        for headers in ["", "X=1", "Replaces=a", "Replaces=a%3", "Replaces=%zz", "Replaces=%+1"] {
            assert_eq!(Replaces::of_uri_headers(headers), None, "{headers}");
        }
        let twice = format!("{in_uri}&{in_uri}");
        assert_eq!(Replaces::of_uri_headers(&twice), None);
    }
}
