//! The SIP core joined with its sockets: what arrives goes into the core, what the core sends goes
//! out, and what is left are the events that a call must know of.
//!
//! Used by the front and by `attendant call` alike. Invariant: after [`SipLine::event`] has
//! returned `None` the core is drained and [`SipLine::deadline`] is its next one.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use tokio_rustls::rustls::pki_types::ServerName;

use super::sip_socket::{Arrival, SipSockets};
use crate::sip::{
    self, AccountId, Flow, FoundBy, LegId, Presence, RegistrationNews, Said, Server, UserAgent,
};
use crate::web::SipFigures;

/// What is new of an account.
#[derive(Clone, Copy, Debug)]
pub enum AccountNews {
    Registration(RegistrationNews),
    Presence(Server, Presence, FoundBy),
}

/// See the module.
pub struct SipLine {
    agent: UserAgent,
    sockets: SipSockets,
    deadline: Option<Instant>,
    news: VecDeque<(AccountId, AccountNews)>,
    said: VecDeque<(AccountId, Said)>,
}

impl std::fmt::Debug for SipLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SipLine({:?})", self.agent.occupancy())
    }
}

impl SipLine {
    pub const fn new(agent: UserAgent, sockets: SipSockets) -> Self {
        let news = VecDeque::new();
        Self { agent, sockets, deadline: None, news, said: VecDeque::new() }
    }

    /// As [`UserAgent::seen_as`].
    pub fn seen_as(&self, flow: Flow) -> Option<SocketAddr> {
        self.agent.seen_as(flow)
    }

    pub fn figures(&self) -> SipFigures {
        SipFigures { counters: self.agent.counters().clone(), held: self.agent.occupancy() }
    }

    /// The id for a call that we make.
    pub fn reserve_leg(&mut self) -> LegId {
        self.agent.reserve_leg()
    }

    /// As [`UserAgent::sip_call_id`].
    pub fn sip_call_id(&self, leg: LegId) -> Option<&str> {
        self.agent.sip_call_id(leg)
    }

    /// The flow with the address that the peer sees, where we listen on all of ours.
    pub fn with_local_address(&mut self, flow: Flow) -> Flow {
        self.sockets.with_local_address(flow)
    }

    /// The way to a peer from where we listen, as the routes are now; `None` where we do not listen
    /// for this transport and kind of address.
    pub fn flow_towards(&mut self, account: Option<AccountId>, server: Server) -> Option<Flow> {
        self.sockets.flow_towards(account, server)
    }

    /// What is new of accounts. Nothing comes after [`Self::event`] has returned `None` until the
    /// next input.
    pub fn account_news(&mut self) -> Option<(AccountId, AccountNews)> {
        self.news.pop_front()
    }

    /// What servers of accounts tell beside calls; the same.
    pub fn said(&mut self) -> Option<(AccountId, Said)> {
        self.said.pop_front()
    }

    /// As [`SipSockets::know`].
    pub fn know(
        &mut self,
        account: Option<AccountId>,
        peer: SocketAddr,
        name: ServerName<'static>,
    ) {
        self.sockets.know(account, peer, name);
    }

    /// Takes something from the network; drain [`Self::event`] afterwards.
    pub fn arrival(&mut self, now: Instant, arrival: Arrival) {
        match arrival {
            Arrival::Datagram { flow, bytes } => {
                let flow = self.sockets.with_local_address(flow);
                self.agent.handle(now, sip::Input::Datagram { flow, bytes: &bytes });
            }
            Arrival::Opened { flow, writer } => {
                if let Some(connection) = flow.connection {
                    self.sockets.adopt(connection, writer);
                }
                self.agent.handle(now, sip::Input::StreamOpened { flow });
            }
            Arrival::Bytes { flow, bytes } => {
                if let Some(connection) = flow.connection {
                    self.agent.handle(now, sip::Input::StreamBytes { connection, bytes: &bytes });
                }
            }
            Arrival::Message { flow, bytes } => {
                if let Some(connection) = flow.connection {
                    self.agent.handle(now, sip::Input::StreamMessage { connection, bytes: &bytes });
                }
            }
            Arrival::Closed { flow } => {
                if let Some(connection) = flow.connection {
                    self.sockets.close(connection);
                    self.agent.handle(now, sip::Input::StreamClosed { connection });
                }
            }
            Arrival::ConnectFailed { connection } => {
                self.agent.handle(now, sip::Input::ConnectFailed { connection });
            }
        }
    }

    /// Gives the core a command; drain [`Self::event`] afterwards.
    pub fn command(&mut self, now: Instant, command: sip::Command) {
        self.agent.handle(now, sip::Input::Command(command));
    }

    /// Wakes the core if its deadline has come; drain [`Self::event`] afterwards.
    pub fn timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|at| at <= now) {
            self.agent.handle(now, sip::Input::Timeout);
        }
    }

    /// Sends what the core has to send, up to its next event.
    pub fn event(&mut self) -> Option<sip::Event> {
        loop {
            match self.agent.poll_output() {
                sip::Output::Transmit { flow, bytes } => self.sockets.transmit(&flow, bytes),
                sip::Output::Connect { connection, transport, peer, account } => {
                    let server = Server { transport, address: peer };
                    self.sockets.connect(account, server, connection);
                }
                sip::Output::Close { connection } => self.sockets.close(connection),
                sip::Output::Event(event) => return Some(event),
                sip::Output::Registration { id, news } => {
                    self.news.push_back((id, AccountNews::Registration(news)));
                }
                sip::Output::Presence { account, server, presence, by } => {
                    self.news.push_back((account, AccountNews::Presence(server, presence, by)));
                }
                sip::Output::Said { account, said } => self.said.push_back((account, said)),
                sip::Output::Timeout(at) => {
                    self.deadline = at;
                    return None;
                }
            }
        }
    }

    /// When [`Self::timeout`] is due.
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpSocket, TcpStream};
    use tokio::sync::mpsc::Receiver;

    use super::super::sip_socket::{Listen, Tls};
    use super::*;
    use crate::appliance::trust::Roots;
    use crate::base::{Entropy, limits};
    use crate::sip::{Settings, Transport};

    const NOFILE: Resource = Resource::RLIMIT_NOFILE;
    const PATIENCE: Duration = Duration::from_secs(20);

    /// The `n`th peer of those that are as many to an address as one may have.
    async fn connect(n: usize, server: SocketAddr) -> TcpStream {
        let host = n / limits::SIP_CONNECTIONS_PER_SOURCE + 2;
        let socket = TcpSocket::new_v4().unwrap();
        let own = SocketAddr::from(([127, 0, 0, u8::try_from(host).unwrap()], 0));
        socket.bind(own).unwrap();
        socket.connect(server).await.unwrap()
    }

    /// Gives the core what arrives, up to the next new stream.
    async fn open_one(line: &mut SipLine, arrivals: &mut Receiver<Arrival>) {
        loop {
            let arrival = tokio::time::timeout(PATIENCE, arrivals.recv()).await;
            let arrival = arrival.expect("the newcomer waits outside").unwrap();
            let opened = matches!(arrival, Arrival::Opened { .. });
            line.arrival(Instant::now(), arrival);
            assert!(line.event().is_none());
            if opened {
                return;
            }
        }
    }

    #[tokio::test]
    async fn a_newcomer_is_let_in_and_the_longest_idle_stream_goes() {
        // Both ends of each stream are in this process.
        let (_, hard) = getrlimit(NOFILE).unwrap();
        setrlimit(NOFILE, hard, hard).unwrap();
        let listen =
            Listen { transport: Transport::Tcp, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let (sockets, mut arrivals) =
            SipSockets::open(&[listen], Tls::client(Roots::default())).await.unwrap();
        let server = sockets.listening()[0].address;
        let agent = UserAgent::new(Settings::default(), Entropy::new([1; 32]));
        let mut line = SipLine::new(agent, sockets);
        let mut peers = Vec::new();
        for n in 0..limits::SIP_CONNECTIONS {
            peers.push(connect(n, server).await);
            open_one(&mut line, &mut arrivals).await;
        }
        assert_eq!(line.agent.occupancy().connections, limits::SIP_CONNECTIONS);
        // More than the headroom: whoever goes makes room for the next.
        for n in 0..2 * limits::SIP_CONNECTIONS_HEADROOM {
            peers.push(connect(limits::SIP_CONNECTIONS + n, server).await);
            open_one(&mut line, &mut arrivals).await;
            let end = tokio::time::timeout(PATIENCE, peers[n].read(&mut [0; 1])).await;
            assert_eq!(end.expect("the oldest is still there").unwrap(), 0);
        }
        assert_eq!(line.agent.occupancy().connections, limits::SIP_CONNECTIONS);
    }
}
