//! Where an agent is: the signed address, and what it is taken apart into.

use http_body_util::Full;
use hyper::Request;
use hyper::Uri;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HOST, HeaderValue, USER_AGENT};
use serde::Deserialize;

use super::Shared;
use crate::base::address::is_loopback;
use crate::base::{Private, limits};
use crate::converse::agent::Fault;

const SIGNED: &str = "/v1/convai/conversation/get-signed-url";
const CONVERSATION: &str = "/v1/convai/conversation";
const KEY: &str = "xi-api-key";

/// A WebSocket's address. Whoever has it can talk to the agent: it does not print.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) tls: bool,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) url: Private<String>,
}

#[derive(Deserialize)]
struct Signed {
    signed_url: String,
}

impl Place {
    /// What leads over a network unencrypted is none.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "wss" => true,
            "ws" => false,
            _ => return None,
        };
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let is_fine = !host.is_empty() && (tls || is_loopback(&host));
        is_fine.then(|| Self { tls, host, port, url: Private::new(url.to_owned()) })
    }
}

/// The host of an address as it stands in a URL.
fn written(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl Shared {
    /// The agent's address: signed where there is a key.
    pub(super) async fn place(&self, agent: &str) -> Result<Place, Fault> {
        let Some(key) = &self.key else { return self.open_place(agent) };
        let prefix = &self.address.prefix;
        let host = format!("{}:{}", written(&self.address.host), self.address.port);
        let mut value = HeaderValue::try_from(key.reveal()).map_err(|_| Fault::Key(401))?;
        value.set_sensitive(true);
        let request = Request::builder()
            .method("GET")
            .uri(format!("{prefix}{SIGNED}?agent_id={agent}"))
            .header(HOST, host)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, "attendant")
            .header(KEY, value)
            .body(Full::new(Bytes::new()))
            .map_err(|_| Fault::Unreachable)?;
        let connection =
            self.server.connect(self.patience.connect).await.map_err(|_| Fault::Unreachable)?;
        let mut answer = connection.exchange(request).await.map_err(|_| Fault::Lost)?;
        if answer.status() != 200 {
            return Err(Fault::of_status(answer.status()));
        }
        let mut body = Vec::new();
        while let Some(part) = answer.next().await {
            body.extend_from_slice(&part.map_err(|_| Fault::Lost)?);
            if body.len() > limits::AGENT_ADDRESS_BYTES {
                return Err(Fault::Unreadable);
            }
        }
        let signed: Signed = serde_json::from_slice(&body).map_err(|_| Fault::Unreadable)?;
        Place::parse(&signed.signed_url).ok_or(Fault::Unreadable)
    }

    fn open_place(&self, agent: &str) -> Result<Place, Fault> {
        let scheme = if self.address.tls { "wss" } else { "ws" };
        let (host, port, prefix) =
            (written(&self.address.host), self.address.port, &self.address.prefix);
        let url = format!("{scheme}://{host}:{port}{prefix}{CONVERSATION}?agent_id={agent}");
        Place::parse(&url).ok_or(Fault::Unreachable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_connected_to_in_the_clear() {
        for (url, is_fine) in [
            ("wss://api.example.net/v1/convai/conversation?agent_id=a&token=b", true),
            ("wss://api.example.net:8443/x", true),
            ("ws://127.0.0.1:8080/x?y", true),
            ("ws://[::1]:8080/x", true),
            ("ws://localhost/x", true),
            ("ws://api.example.net/x", false),
            ("ws://127.0.0.1.example.net/x", false),
            ("http://127.0.0.1/x", false),
            ("wss:///x", false),
            ("", false),
        ] {
            assert_eq!(Place::parse(url).is_some(), is_fine, "{url}");
        }
        let place = Place::parse("wss://[fd00::1]/x").unwrap();
        assert_eq!((place.host.as_str(), place.port), ("fd00::1", 443));
    }
}
