//! From the names of servers to their addresses (RFC 3263 section 4), on tasks of their own: a name
//! server that is silent holds nobody up.
//!
//! A name with a port is a machine's. Without one, NAPTR records say which transport its owner likes, where
//! the account leaves that open; SRV records say which machines and ports there are; and without any of them
//! it is the machine of that name. Invariant: each question has one answer, in bounded time.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::names::{Found, Names};
use crate::appliance::config::Place;
use crate::base::{Entropy, limits};
use crate::sip::message::Host;
use crate::sip::{Server, Transport};
use crate::trunk::locating::{self, Lead, Machine};

/// How long one record may take, and after which time no further one is asked for.
const PATIENCE: Duration = Duration::from_secs(5);
const PATIENCE_IN_ALL: Duration = Duration::from_secs(20);
/// How long addresses are taken for right at most, and at least.
const VALID: Duration = Duration::from_secs(300);
const VALID_LEAST: Duration = Duration::from_secs(30);
/// Answers that wait for the net thread: one for each account.
const ANSWERS: usize = limits::ACCOUNTS;

/// The addresses of one account's servers.
#[derive(Debug)]
pub struct Resolved {
    pub account: usize,
    /// In the order in which they are to be tried; empty: none was found.
    pub servers: Vec<Server>,
    /// What the certificate of a server must be made out to: the name that the owner wrote, not one
    /// that a name server gave for it (RFC 5922 section 7.1).
    pub names: Vec<(SocketAddr, String)>,
    /// When to ask again.
    pub valid: Duration,
}

#[derive(Debug)]
pub struct Resolver {
    answers: mpsc::Sender<Resolved>,
    entropy: Entropy,
    /// `None`: nothing was asked yet.
    names: Option<Names>,
}

impl Resolver {
    pub fn new(entropy: Entropy) -> (Self, mpsc::Receiver<Resolved>) {
        let (answers, receiver) = mpsc::channel(ANSWERS);
        (Self { answers, entropy, names: None }, receiver)
    }

    /// Asks, for the one transport or those that the records may choose from, in our order. Must be called
    /// within a tokio runtime.
    pub fn ask(&mut self, account: usize, places: Vec<Place>, transports: Vec<Transport>) {
        let names = self.names.take().map_or_else(Names::of_system, Names::refreshed);
        self.names = Some(names.clone());
        let answers = self.answers.clone();
        let mut search = Search {
            entropy: self.entropy.fork(),
            names,
            transports,
            until: Instant::now() + PATIENCE_IN_ALL,
            servers: Vec::new(),
            certified: Vec::new(),
            valid: VALID,
        };
        tokio::spawn(async move {
            for place in places {
                search.place(&place).await;
            }
            let Search { servers, certified: names, valid, .. } = search;
            // The net loop ends before its queue does, at shutdown only.
            let _ = answers.send(Resolved { account, servers, names, valid }).await;
        });
    }
}

/// One question.
struct Search {
    entropy: Entropy,
    names: Names,
    transports: Vec<Transport>,
    until: Instant,
    servers: Vec<Server>,
    /// The names that certificates are made out to.
    certified: Vec<(SocketAddr, String)>,
    valid: Duration,
}

impl Search {
    async fn place(&mut self, place: &Place) {
        // Where nothing says otherwise (RFC 3263 section 4.1).
        let Some(usual) = self.transports.first().copied() else { return };
        let port = place.port.unwrap_or(usual.default_port());
        let name = match &place.host {
            Host::Ip(address) => return self.found(usual, [*address], port),
            Host::Name(name) => name,
        };
        let before = self.servers.len();
        match place.port {
            Some(_) => self.machine(usual, name, port, false).await,
            None => self.by_records(usual, name).await,
        }
        let found = self.servers.iter().skip(before);
        self.certified.extend(found.map(|server| (server.address, name.clone())));
    }

    async fn by_records(&mut self, usual: Transport, name: &str) {
        let before = self.servers.len();
        let (mut usual, mut transports) = (usual, self.transports.clone());
        if transports.len() > 1 {
            let leads = self.leads(name).await;
            // Whoever keeps a secure service from us must not get the calls unencrypted for that.
            if leads.first().is_some_and(|lead| lead.transport().is_secure()) {
                transports.retain(|transport| transport.is_secure());
                usual = transports.first().copied().unwrap_or(usual);
            }
            for lead in leads {
                match lead {
                    Lead::Service(transport, service) => {
                        self.service(transport, &service).await;
                    }
                    Lead::Machine(transport, target) => {
                        let port = transport.default_port();
                        self.machine(transport, &target, port, true).await;
                    }
                }
            }
        }
        let mut has_service = false;
        for transport in transports {
            if self.servers.len() > before {
                return;
            }
            has_service |= self.service(transport, &locating::service_name(transport, name)).await;
        }
        if !has_service && self.servers.len() == before {
            self.machine(usual, name, usual.default_port(), false).await;
        }
    }

    async fn leads(&mut self, name: &str) -> Vec<Lead> {
        let names = self.names.clone();
        let found = self.within(names.pointers(name)).await;
        found.map(|pointers| locating::leads(pointers, &self.transports)).unwrap_or_default()
    }

    /// Whether there are records of it.
    async fn service(&mut self, transport: Transport, service: &str) -> bool {
        let names = self.names.clone();
        let Some(found) = self.within(names.machines(service)).await else { return false };
        for Machine { target, port, .. } in locating::ordered(found, &mut self.entropy) {
            // A service that is decidedly not there has no target.
            if !target.is_empty() && port != 0 {
                self.machine(transport, &target, port, true).await;
            }
        }
        true
    }

    async fn machine(&mut self, transport: Transport, name: &str, port: u16, is_absolute: bool) {
        let names = self.names.clone();
        if let Some(found) = self.within(names.addresses(name, is_absolute)).await {
            self.found(transport, found, port);
        }
    }

    fn found(
        &mut self,
        transport: Transport,
        addresses: impl IntoIterator<Item = IpAddr>,
        port: u16,
    ) {
        for address in addresses {
            let server = Server { transport, address: SocketAddr::new(address, port) };
            if self.servers.len() < limits::ACCOUNT_SERVERS && !self.servers.contains(&server) {
                self.servers.push(server);
            }
        }
    }

    /// An answer in time; what it is good for counts for all.
    async fn within<T>(&mut self, asked: impl Future<Output = Option<Found<T>>>) -> Option<Vec<T>> {
        if Instant::now() >= self.until || self.servers.len() >= limits::ACCOUNT_SERVERS {
            return None;
        }
        let found = tokio::time::timeout(PATIENCE, asked).await.ok()??;
        let left = found.until.saturating_duration_since(Instant::now().into_std());
        self.valid = self.valid.min(left.max(VALID_LEAST));
        Some(found.all)
    }
}

#[cfg(test)]
mod tests;
