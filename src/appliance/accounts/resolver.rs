//! From the names of servers to their addresses, on tasks of their own: a name server that is silent
//! holds nobody up.
//!
//! The names go to the system's resolver, which asks for A and AAAA. Invariant: each question has
//! one answer, in bounded time.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::appliance::config::Place;
use crate::base::limits;
use crate::sip::Transport;
use crate::sip::message::Host;

/// How long one name may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an answer is taken for right: the system's resolver does not say.
const VALID: Duration = Duration::from_secs(300);
/// Answers that wait for the net thread: one for each account.
const ANSWERS: usize = limits::ACCOUNTS;

/// The addresses of one account's servers.
#[derive(Debug)]
pub struct Resolved {
    pub account: usize,
    /// In the order in which they are to be tried; empty: none was found.
    pub servers: Vec<SocketAddr>,
    /// When to ask again.
    pub valid: Duration,
}

#[derive(Debug)]
pub struct Resolver {
    answers: mpsc::Sender<Resolved>,
}

impl Resolver {
    pub fn new() -> (Self, mpsc::Receiver<Resolved>) {
        let (answers, receiver) = mpsc::channel(ANSWERS);
        (Self { answers }, receiver)
    }

    /// Asks. Must be called within a tokio runtime.
    pub fn ask(&self, account: usize, places: Vec<Place>, transport: Transport) {
        let answers = self.answers.clone();
        tokio::spawn(async move {
            let mut servers = Vec::new();
            for place in places {
                for server in addresses(&place, transport).await {
                    if servers.len() < limits::ACCOUNT_SERVERS && !servers.contains(&server) {
                        servers.push(server);
                    }
                }
            }
            // The net loop ends before its queue does, at shutdown only.
            let _ = answers.send(Resolved { account, servers, valid: VALID }).await;
        });
    }
}

async fn addresses(place: &Place, transport: Transport) -> Vec<SocketAddr> {
    let port = place.port.unwrap_or(transport.default_port());
    match &place.host {
        Host::Ip(address) => vec![SocketAddr::new(*address, port)],
        Host::Name(name) => {
            let asked = tokio::net::lookup_host((name.as_str(), port));
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(found)) => found.collect(),
                Ok(Err(_)) | Err(_) => Vec::new(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str, port: Option<u16>) -> Place {
        Place { host: Host::parse(host).unwrap(), port }
    }

    #[tokio::test]
    async fn places_become_addresses_in_their_order_each_once() {
        let (resolver, mut answers) = Resolver::new();
        let places = vec![
            place("192.0.2.9", Some(5070)),
            place("nobody.invalid", None),
            place("[2001:db8::1]", None),
            place("192.0.2.9", Some(5070)),
        ];
        resolver.ask(3, places, Transport::Tcp);
        let answer = answers.recv().await.unwrap();
        let expected = ["192.0.2.9:5070", "[2001:db8::1]:5060"].map(|text| text.parse().unwrap());
        assert_eq!((answer.account, answer.servers), (3, expected.to_vec()));
        resolver.ask(0, vec![place("nobody.invalid", None)], Transport::Udp);
        assert!(answers.recv().await.unwrap().servers.is_empty());
        resolver.ask(0, vec![place("localhost", Some(7))], Transport::Udp);
        assert!(answers.recv().await.unwrap().servers.iter().all(|at| at.ip().is_loopback()));
    }
}
