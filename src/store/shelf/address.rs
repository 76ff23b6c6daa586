//! Where a file may be fetched from: https anywhere, http only where no stranger is on the way. Pure.

use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;

/// An absolute address that a file may be fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    text: String,
    host: String,
    secure: bool,
}

/// Why an address is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("{0} is no address as in https://host/path")]
    Malformed(String),
    #[error("{0} is not https, and its host is neither this machine nor in its own network")]
    Insecure(String),
    #[error("the server sends on from https to {0}, which is not")]
    Downgrade(String),
}

impl Address {
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let malformed = || AddressError::Malformed(shown(text));
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(malformed());
        };
        let host = authority.host().to_ascii_lowercase();
        // A name and a password in an address end in logs and in somebody's history.
        if host.is_empty() || authority.as_str().contains('@') || text.contains('#') {
            return Err(malformed());
        }
        let secure = match scheme {
            "https" => true,
            "http" if is_near(&host) => false,
            "http" => return Err(AddressError::Insecure(shown(text))),
            _ => return Err(malformed()),
        };
        Ok(Self { text: text.to_owned(), host, secure })
    }

    /// Where the server sends on to, with `location` as its answer has it.
    pub fn follow(&self, location: &str) -> Result<Self, AddressError> {
        let whole = if location.contains("://") {
            location.to_owned()
        } else if location.starts_with("//") {
            format!("{}:{location}", self.scheme())
        } else if location.starts_with('/') {
            format!("{}{location}", self.origin())
        } else {
            let path_end = self.text.find('?').unwrap_or(self.text.len());
            let path = self.text.get(..path_end).unwrap_or_default();
            let folder = path.get(self.origin().len()..).and_then(|path| path.rfind('/'));
            let folder = folder.map_or(path.len(), |slash| self.origin().len() + slash);
            format!("{}/{location}", path.get(..folder).unwrap_or(path))
        };
        let next = Self::parse(&whole)?;
        match self.secure && !next.secure {
            true => Err(AddressError::Downgrade(next.to_string())),
            false => Ok(next),
        }
    }

    /// The file of this name in the folder that this address is.
    pub fn file(&self, name: &str) -> Result<Self, AddressError> {
        Self::parse(&format!("{}/{name}", self.text.trim_end_matches('/')))
    }

    /// The last part of the path.
    pub fn file_name(&self) -> Option<&str> {
        let path = self.text.split(['?', '#']).next()?;
        path.get(self.origin().len()..)?.rsplit('/').next().filter(|name| !name.is_empty())
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// In small letters.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn is_this_machine(&self) -> bool {
        is_this_machine(&self.host)
    }

    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    const fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    fn origin(&self) -> &str {
        let after = self.scheme().len() + "://".len();
        let rest = self.text.get(after..).unwrap_or_default();
        let end = rest.find(['/', '?']).map_or(self.text.len(), |end| after + end);
        self.text.get(..end).unwrap_or_default()
    }
}

/// Without what follows a question mark: a hub's signed address is a key for some minutes.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.text))
    }
}

fn shown(text: &str) -> String {
    let text = text.split('?').next().unwrap_or_default();
    let name = text.split_once("://").and_then(|(scheme, rest)| {
        let authority = rest.split('/').next().unwrap_or_default();
        let (_, host) = authority.rsplit_once('@')?;
        Some(format!("{scheme}://{host}{}", rest.get(authority.len()..).unwrap_or_default()))
    });
    name.unwrap_or_else(|| text.to_owned()).chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Whether the host is this machine or in its own network: no stranger is on the way.
fn is_near(host: &str) -> bool {
    let is_in_own_network = match ip_of(host) {
        Some(IpAddr::V4(ip)) => ip.is_private() || ip.is_link_local(),
        Some(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_unicast_link_local(),
        None => false,
    };
    is_in_own_network || is_this_machine(host)
}

fn is_this_machine(host: &str) -> bool {
    ip_of(host).map_or(host == "localhost", |ip| ip.is_loopback())
}

fn ip_of(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_taken_and_http_only_nearby() {
        for (text, secure) in [
            ("https://example.org/a.bin", true),
            ("https://example.org", true),
            ("http://127.0.0.1:8000/a", false),
            ("http://localhost/a", false),
            ("http://192.168.1.5/a", false),
            ("http://10.0.0.1:80", false),
            ("http://[::1]:8000/a", false),
        ] {
            let address = Address::parse(text);
            assert_eq!(address.map(|a| a.is_secure()), Ok(secure), "{text}");
        }
        for text in ["http://example.org/a", "http://8.8.8.8/a", "http://127.0.0.1.example.org/"] {
            assert!(matches!(Address::parse(text), Err(AddressError::Insecure(_))), "{text}");
        }
        for text in
            ["", "a.bin", "/a", "ftp://host/a", "file:///etc/passwd", "https://", "https:///a"]
        {
            assert!(matches!(Address::parse(text), Err(AddressError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn a_name_and_a_password_are_refused_and_not_repeated() {
        let error = Address::parse("https://ann:secret@example.org/a?key=1").unwrap_err();
        let text = error.to_string();
        assert!(!text.contains("secret") && !text.contains("key") && text.contains("example.org"));
    }

    #[test]
    fn a_redirect_is_followed_from_where_it_was_met() {
        let from = Address::parse("https://example.org/models/a.bin?x=/1").unwrap();
        for (location, to) in [
            ("https://cdn.example.net/b?key=1", "https://cdn.example.net/b?key=1"),
            ("//cdn.example.net/b", "https://cdn.example.net/b"),
            ("/b", "https://example.org/b"),
            ("b", "https://example.org/models/b"),
        ] {
            assert_eq!(from.follow(location).unwrap().as_str(), to, "{location}");
        }
        let bare = Address::parse("http://127.0.0.1:9").unwrap();
        assert_eq!(bare.follow("b").unwrap().as_str(), "http://127.0.0.1:9/b");
    }

    #[test]
    fn a_redirect_never_leaves_https() {
        let from = Address::parse("https://example.org/a").unwrap();
        for location in ["http://127.0.0.1/a", "http://192.168.1.1/a"] {
            assert!(matches!(from.follow(location), Err(AddressError::Downgrade(_))), "{location}");
        }
        for location in ["http://example.org/a", "file:///etc/passwd", "gopher://x/"] {
            assert!(from.follow(location).is_err(), "{location}");
        }
        let near = Address::parse("http://127.0.0.1:1/a").unwrap();
        assert!(near.follow("https://example.org/a").unwrap().is_secure());
        assert!(near.follow("http://example.org/a").is_err());
    }

    #[test]
    fn a_file_has_its_place_in_a_mirror_and_its_name() {
        for mirror in ["http://127.0.0.1:8000/m", "http://127.0.0.1:8000/m/"] {
            let file = Address::parse(mirror).unwrap().file("a.bin").unwrap();
            assert_eq!(file.as_str(), "http://127.0.0.1:8000/m/a.bin");
            assert_eq!(file.file_name(), Some("a.bin"));
        }
        for (text, name) in [
            ("https://example.org/m/a.bin?download=1", Some("a.bin")),
            ("https://example.org/m/", None),
            ("https://example.org", None),
        ] {
            assert_eq!(Address::parse(text).unwrap().file_name(), name, "{text}");
        }
    }
}
