//! From the names of servers to their addresses (RFC 3263 section 4), on tasks of their own: a name
//! server that is silent holds nobody up.
//!
//! A name without a port is looked for by SRV at the name servers of the system; names of machines go
//! to the system's resolver, which knows A, AAAA and the hosts file. Invariant: each question has one
//! answer, in bounded time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::appliance::config::Place;
use crate::base::{Entropy, limits};
use crate::sip::Transport;
use crate::sip::message::Host;
use crate::store::bounded;
use crate::trunk::srv::{self, Answer, Record};

/// Where the system's name servers stand, and how much of it is read.
const RESOLV_CONF: &str = "/etc/resolv.conf";
const RESOLV_CONF_BYTES: u64 = 64 * 1024;
/// Name servers that are asked, as the system's resolver does it, and how often.
const NAME_SERVERS: usize = 3;
const ROUNDS: usize = 2;
const NAME_SERVER_PATIENCE: Duration = Duration::from_millis(1_500);
/// How long one name of a machine may take, and after which time no further one is asked for.
const PATIENCE: Duration = Duration::from_secs(5);
const PATIENCE_IN_ALL: Duration = Duration::from_secs(20);
/// How long addresses are taken for right where nothing says so, and the bounds where a record does.
const VALID: Duration = Duration::from_secs(300);
const VALID_S: std::ops::RangeInclusive<u32> = 30..=3_600;
/// Answers that wait for the net thread: one for each account.
const ANSWERS: usize = limits::ACCOUNTS;

/// The addresses of one account's servers.
#[derive(Debug)]
pub struct Resolved {
    pub account: usize,
    /// In the order in which they are to be tried; empty: none was found.
    pub servers: Vec<SocketAddr>,
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
    /// `None`: the system's, as they are when something is asked.
    name_servers: Option<Vec<SocketAddr>>,
}

impl Resolver {
    pub fn new(entropy: Entropy) -> (Self, mpsc::Receiver<Resolved>) {
        let (answers, receiver) = mpsc::channel(ANSWERS);
        (Self { answers, entropy, name_servers: None }, receiver)
    }

    /// Asks. Must be called within a tokio runtime.
    pub fn ask(&mut self, account: usize, places: Vec<Place>, transport: Transport) {
        let answers = self.answers.clone();
        let mut search = Search {
            entropy: self.entropy.fork(),
            name_servers: self.name_servers.clone(),
            transport,
            until: Instant::now() + PATIENCE_IN_ALL,
            servers: Vec::new(),
            names: Vec::new(),
            valid: VALID,
        };
        tokio::spawn(async move {
            for place in places {
                search.place(&place).await;
            }
            let Search { servers, names, valid, .. } = search;
            // The net loop ends before its queue does, at shutdown only.
            let _ = answers.send(Resolved { account, servers, names, valid }).await;
        });
    }
}

/// One question.
struct Search {
    entropy: Entropy,
    name_servers: Option<Vec<SocketAddr>>,
    transport: Transport,
    until: Instant,
    servers: Vec<SocketAddr>,
    names: Vec<(SocketAddr, String)>,
    valid: Duration,
}

impl Search {
    async fn place(&mut self, place: &Place) {
        let before = self.servers.len();
        self.addresses(place).await;
        if let Host::Name(name) = &place.host {
            let found = self.servers.iter().skip(before);
            self.names.extend(found.map(|server| (*server, name.clone())));
        }
    }

    async fn addresses(&mut self, place: &Place) {
        let port = place.port.unwrap_or(self.transport.default_port());
        let name = match &place.host {
            Host::Ip(address) => return self.found([SocketAddr::new(*address, port)].into_iter()),
            Host::Name(name) => name,
        };
        let service = match place.port {
            Some(_) => None,
            None => self.service(name).await,
        };
        let Some(Answer { records, ttl_s }) = service else {
            return self.machine(name, port).await;
        };
        let ttl_s = ttl_s.clamp(*VALID_S.start(), *VALID_S.end());
        self.valid = self.valid.min(Duration::from_secs(ttl_s.into()));
        for Record { target, port, .. } in srv::ordered(records, &mut self.entropy) {
            // A service that is decidedly not there has no target.
            if !target.is_empty() {
                self.machine(&target, port).await;
            }
        }
    }

    fn found(&mut self, servers: impl Iterator<Item = SocketAddr>) {
        for server in servers {
            if self.servers.len() < limits::ACCOUNT_SERVERS && !self.servers.contains(&server) {
                self.servers.push(server);
            }
        }
    }

    async fn machine(&mut self, name: &str, port: u16) {
        if Instant::now() >= self.until {
            return;
        }
        let asked = tokio::net::lookup_host((name, port));
        if let Ok(Ok(found)) = tokio::time::timeout(PATIENCE, asked).await {
            self.found(found);
        }
    }

    /// The SRV records of the name; `None` if there are none or nobody says.
    async fn service(&mut self, name: &str) -> Option<Answer> {
        let name = match self.transport {
            Transport::Tls => format!("_sips._tcp.{name}"),
            Transport::Wss => format!("_sips._ws.{name}"),
            other => format!("_sip._{}.{name}", other.uri_token()),
        };
        let servers = self.name_servers.clone().unwrap_or_else(system_name_servers);
        for server in servers.iter().cycle().take(servers.len() * ROUNDS) {
            let id = self.entropy.next_u16();
            let asked = tokio::time::timeout(NAME_SERVER_PATIENCE, ask(*server, id, &name)).await;
            if let Ok(Some(answer)) = asked {
                return Some(answer).filter(|answer| !answer.records.is_empty());
            }
        }
        None
    }
}

/// Asks one name server from a port of the system's choice; nobody else's answer is taken.
async fn ask(server: SocketAddr, id: u16, name: &str) -> Option<Answer> {
    let question = srv::question(id, name)?;
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await.ok()?;
    socket.connect(server).await.ok()?;
    socket.send(&question).await.ok()?;
    let mut bytes = [0; srv::DATAGRAM_BYTES as usize];
    loop {
        let length = socket.recv(&mut bytes).await.ok()?;
        let bytes = bytes.get(..length)?;
        if bytes.starts_with(&id.to_be_bytes()) {
            return srv::answer(id, name, bytes);
        }
    }
}

fn system_name_servers() -> Vec<SocketAddr> {
    let text = bounded::text(Path::new(RESOLV_CONF), RESOLV_CONF_BYTES).unwrap_or_default();
    name_servers(&text)
}

/// The name servers of a resolv.conf; without any, this machine's.
fn name_servers(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and(words.next())?;
        Some(SocketAddr::new(address.parse().ok()?, 53))
    });
    let named: Vec<SocketAddr> = named.take(NAME_SERVERS).collect();
    match named.is_empty() {
        true => vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 53))],
        false => named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str, port: Option<u16>) -> Place {
        Place { host: Host::parse(host).unwrap(), port }
    }

    fn resolver(name_servers: Vec<SocketAddr>) -> (Resolver, mpsc::Receiver<Resolved>) {
        let (mut resolver, answers) = Resolver::new(Entropy::new([1; 32]));
        resolver.name_servers = Some(name_servers);
        (resolver, answers)
    }

    #[tokio::test]
    async fn places_become_addresses_in_their_order_each_once() {
        let (mut resolver, mut answers) = resolver(Vec::new());
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
        assert_eq!(answer.valid, VALID);
        resolver.ask(0, vec![place("nobody.invalid", None)], Transport::Udp);
        assert!(answers.recv().await.unwrap().servers.is_empty());
        resolver.ask(0, vec![place("localhost", None)], Transport::Udp);
        let servers = answers.recv().await.unwrap().servers;
        assert!(!servers.is_empty());
        assert!(servers.iter().all(|at| at.ip().is_loopback() && at.port() == 5060));
    }

    #[tokio::test]
    async fn a_service_names_its_machines_and_ports() {
        let name_server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = name_server.local_addr().unwrap();
        let (mut resolver, mut answers) = resolver(vec![address]);
        resolver.ask(0, vec![place("example.net", None)], Transport::Tcp);
        let mut bytes = [0; 512];
        let (length, from) = name_server.recv_from(&mut bytes).await.unwrap();
        let mut answer = bytes[..length - 11].to_vec();
        assert!(answer[12..].starts_with(b"\x04_sip\x04_tcp\x07example\x03net\0"));
        // One record: 90 s, priority 1, weight 0, port 5070, 127.0.0.1 for the name of a machine.
        answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        answer.extend_from_slice(b"\xC0\x0C\0\x21\0\x01\0\0\0\x5A\0\x11\0\x01\0\0\x13\xCE");
        answer.extend_from_slice(b"\x09localhost\0");
        // Another one's answer before it is passed over.
        let mut stray = answer.clone();
        stray[0] ^= 1;
        name_server.send_to(&stray, from).await.unwrap();
        name_server.send_to(&answer, from).await.unwrap();
        let answer = answers.recv().await.unwrap();
        assert!(!answer.servers.is_empty());
        assert!(answer.servers.iter().all(|at| at.ip().is_loopback() && at.port() == 5070));
        assert_eq!(answer.valid, Duration::from_secs(90));
    }

    #[test]
    fn the_systems_name_servers_are_read() {
        let text = "# nameserver 192.0.2.9\nsearch example.net\nnameserver 192.0.2.1\n\
            nameserver\t2001:db8::1\nnameserver fe80::1%eth0\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n";
        let expected = ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.2:53"];
        assert_eq!(name_servers(text), expected.map(|text| text.parse::<SocketAddr>().unwrap()));
        assert_eq!(name_servers(""), ["127.0.0.1:53".parse::<SocketAddr>().unwrap()]);
    }
}
