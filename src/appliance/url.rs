//! Where a URL leads: the one reader of those that we connect to.

use hyper::Uri;

use crate::base::address::is_loopback;

/// A URL taken apart. Its path and query may hold a secret: they do not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    pub tls: bool,
    /// Without brackets.
    pub host: String,
    pub port: u16,
    pub path: String,
    pub query: Option<String>,
}

impl Url {
    /// `None` for another scheme than these two, of which the second is that with TLS; without a host; with a user.
    pub fn read(text: &str, schemes: [&str; 2]) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let tls = schemes.iter().position(|scheme| uri.scheme_str() == Some(*scheme))? == 1;
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let (path, query) = (uri.path().to_owned(), uri.query().map(str::to_owned));
        (!host.is_empty() && !has_user).then_some(Self { tls, host, port, path, query })
    }

    /// Nobody on the way reads what is sent there.
    pub fn is_safe(&self) -> bool {
        self.tls || is_loopback(&self.host)
    }

    /// Path and query, as they are asked for.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }

    /// The value of Host.
    pub fn authority(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port)
    }
}

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Url({})", self.authority())
    }
}

/// A host as it stands in a URL.
pub fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEBSOCKET: [&str; 2] = ["ws", "wss"];

    #[test]
    fn a_url_is_taken_apart_and_prints_no_secret() {
        let url = Url::read("wss://api.example.net/x/y?token=b", WEBSOCKET).unwrap();
        assert_eq!((url.tls, url.host.as_str(), url.port), (true, "api.example.net", 443));
        assert_eq!((url.path.as_str(), url.target().as_str()), ("/x/y", "/x/y?token=b"));
        assert_eq!(format!("{url:?}"), "Url(api.example.net:443)");
        let url = Url::read("ws://[::1]:8080", WEBSOCKET).unwrap();
        assert_eq!((url.host.as_str(), url.target().as_str()), ("::1", "/"));
        assert_eq!(url.authority(), "[::1]:8080");
        for wrong in ["", "x", "ws://", "wss:///x", "http://x/", "ws://me:secret@x/", "ws://a b/"] {
            assert!(Url::read(wrong, WEBSOCKET).is_none(), "{wrong}");
        }
    }

    #[test]
    fn only_on_this_machine_it_is_safe_in_the_clear() {
        for (text, is_safe) in [
            ("wss://api.example.net/x", true),
            ("ws://127.0.0.1:8080/x?y", true),
            ("ws://[::1]:8080/x", true),
            ("ws://localhost/x", true),
            ("ws://api.example.net/x", false),
            ("ws://127.0.0.1.example.net/x", false),
        ] {
            assert_eq!(Url::read(text, WEBSOCKET).unwrap().is_safe(), is_safe, "{text}");
        }
    }
}
