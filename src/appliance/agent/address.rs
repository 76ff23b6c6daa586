//! Where an agent is: the signed address, and what it is taken apart into.

use std::time::Instant;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HOST, HeaderValue, USER_AGENT};
use serde::Deserialize;

use super::{Shared, lock};
use crate::appliance::url::{Url, bracketed};
use crate::base::{Private, limits};
use crate::converse::agent::Fault;

const SIGNED: &str = "/v1/convai/conversation/get-signed-url";
const CONVERSATION: &str = "/v1/convai/conversation";
const KEY: &str = "xi-api-key";
const SCHEMES: [&str; 2] = ["ws", "wss"];

/// A WebSocket's address. Whoever has it can talk to the agent: it does not print.
#[derive(Clone)]
pub(super) struct Place {
    agent: String,
    pub(super) at: Url,
    pub(super) url: Private<String>,
    /// When it was signed.
    since: Instant,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Place({:?})", self.at)
    }
}

#[derive(Deserialize)]
struct Signed {
    signed_url: String,
}

impl Place {
    /// What leads over a network unencrypted is none.
    fn parse(agent: &str, url: &str) -> Option<Self> {
        let at = Url::read(url, SCHEMES).filter(Url::is_safe)?;
        let url = Private::new(url.to_owned());
        Some(Self { agent: agent.to_owned(), at, url, since: Instant::now() })
    }
}

impl Shared {
    /// An address that was signed for a call that nobody answered: so however often it rings, few are asked for.
    pub(super) fn take_kept(&self, agent: &str) -> Option<Place> {
        let mut kept = lock(&self.kept);
        kept.retain(|place| place.since.elapsed() < limits::AGENT_ADDRESS_AGE);
        let at = kept.iter().position(|place| place.agent == agent)?;
        Some(kept.swap_remove(at))
    }

    /// Nothing was connected to it.
    pub(super) fn put_back(&self, place: Place) {
        let mut kept = lock(&self.kept);
        if kept.len() < limits::AGENT_ADDRESSES {
            kept.push(place);
        }
    }

    /// The agent's address: signed where there is a key.
    pub(super) async fn place(&self, agent: &str) -> Result<Place, Fault> {
        let Some(key) = &self.key else { return self.open_place(agent) };
        let prefix = &self.address.prefix;
        let host = self.server.host();
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
        Place::parse(agent, &signed.signed_url).ok_or(Fault::Unreadable)
    }

    fn open_place(&self, agent: &str) -> Result<Place, Fault> {
        let scheme = if self.address.tls { "wss" } else { "ws" };
        let (host, port, prefix) =
            (bracketed(&self.address.host), self.address.port, &self.address.prefix);
        let url = format!("{scheme}://{host}:{port}{prefix}{CONVERSATION}?agent_id={agent}");
        Place::parse(agent, &url).ok_or(Fault::Unreachable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_connected_to_in_the_clear_and_no_address_prints() {
        let place = Place::parse("a", "wss://api.example.net/x?token=secret").unwrap();
        assert!(!format!("{place:?}").contains("secret"));
        assert!(Place::parse("a", "ws://127.0.0.1:8080/x?y").is_some());
        for url in ["ws://api.example.net/x", "http://127.0.0.1/x", ""] {
            assert!(Place::parse("a", url).is_none(), "{url}");
        }
    }
}
