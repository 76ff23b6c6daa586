//! The network under the SIP core: UDP sockets, listeners and connections by TCP, TLS and WebSocket.
//!
//! | file | what |
//! |---|---|
//! | `streams` | accepting, making, reading, writing and closing one stream |
//! | `websocket` | the handshake of RFC 7118, and a message a frame |
//! | `tls` | our certificate and whom we believe |
//! | `routes` | which of our addresses a peer sees |
//!
//! Reader tasks put what arrives into one bounded queue; the net loop takes it from there into the
//! core and sends what the core gives out. A full queue leaves datagrams in the kernel, which drops
//! them, and stops reading from streams, which slows their peers down: memory stays bounded.

mod routes;
mod streams;
pub mod tls;
mod websocket;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::appliance::listener;
use crate::base::limits::{SIP_CONNECTIONS, SIP_CONNECTIONS_HEADROOM, SIP_MESSAGE_BYTES};
use crate::sip::{AccountId, ConnectionId, Flow, Server, Transport};
use routes::Routes;
pub use streams::StreamWriter;
use streams::{Door, Hall, Wanted};
pub use tls::{Pin, Tls};

/// Peers whose names are known.
const NAMES: usize = 256;

/// Arrivals waiting for the net loop: 100 ms of a flood at 10,000 datagrams a second.
const ARRIVALS: usize = 1_024;

/// Something that came from the network.
#[derive(Debug)]
pub enum Arrival {
    Datagram {
        flow: Flow,
        bytes: Vec<u8>,
    },
    Opened {
        flow: Flow,
        writer: StreamWriter,
    },
    Bytes {
        flow: Flow,
        bytes: Vec<u8>,
    },
    /// One message whole, from a stream that keeps them apart.
    Message {
        flow: Flow,
        bytes: Vec<u8>,
    },
    Closed {
        flow: Flow,
    },
    ConnectFailed {
        connection: ConnectionId,
    },
}

/// One address to listen on, as in `[sip] listen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    pub transport: Transport,
    pub address: SocketAddr,
}

/// An address of `[sip] listen` that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("sip.listen {}:{}: {source}", .listen.transport.uri_token(), .listen.address)]
pub struct ListenError {
    pub listen: Listen,
    pub source: io::Error,
}

/// All SIP sockets of the process.
#[derive(Debug)]
pub struct SipSockets {
    udp: Vec<Arc<UdpSocket>>,
    streams: HashMap<ConnectionId, StreamWriter>,
    listening: Vec<Listen>,
    hall: Hall,
    arrivals: mpsc::Sender<Arrival>,
    routes: Routes,
    tls: Tls,
    /// What the certificate of whoever is at an address must be made out to, for each account.
    names: HashMap<(Option<AccountId>, SocketAddr), ServerName<'static>>,
}

impl SipSockets {
    /// Binds every address and starts reading. Must be called within a tokio runtime.
    pub async fn open(
        listen: &[Listen],
        tls: Tls,
    ) -> Result<(Self, mpsc::Receiver<Arrival>), ListenError> {
        Self::open_named(listen, tls, &Arc::default()).await
    }

    /// The same, with the names by which pages of browsers may come in by WebSocket.
    pub async fn open_named(
        listen: &[Listen],
        tls: Tls,
        names: &Arc<[String]>,
    ) -> Result<(Self, mpsc::Receiver<Arrival>), ListenError> {
        let (arrivals, receiver) = mpsc::channel(ARRIVALS);
        let mut sockets = Self {
            udp: Vec::new(),
            streams: HashMap::new(),
            listening: Vec::new(),
            hall: Hall::new(SIP_CONNECTIONS + SIP_CONNECTIONS_HEADROOM),
            arrivals,
            routes: Routes::default(),
            tls,
            names: HashMap::new(),
        };
        for &wanted in listen {
            let bound = sockets.listen(wanted, names).await;
            let address = bound.map_err(|source| ListenError { listen: wanted, source })?;
            sockets.listening.push(Listen { address, ..wanted });
        }
        Ok((sockets, receiver))
    }

    /// What is listened on, with the ports that the kernel chose where 0 was asked for.
    pub fn listening(&self) -> &[Listen] {
        &self.listening
    }

    async fn listen(&mut self, listen: Listen, names: &Arc<[String]>) -> io::Result<SocketAddr> {
        match listen.transport {
            Transport::Udp => {
                let socket = Arc::new(UdpSocket::from_std(listener::udp(listen.address)?)?);
                // A socket that tokio has not yet seen ready refuses its first message.
                socket.writable().await?;
                let address = socket.local_addr()?;
                tokio::spawn(read_datagrams(Arc::clone(&socket), self.arrivals.clone()));
                self.udp.push(socket);
                Ok(address)
            }
            Transport::Tcp => self.listen_for_streams(listen, Door::plain()).await,
            Transport::Ws => {
                self.listen_for_streams(listen, Door::plain().with_websocket(names)).await
            }
            Transport::Tls => self.listen_for_streams(listen, self.secure_door()?).await,
            Transport::Wss => {
                self.listen_for_streams(listen, self.secure_door()?.with_websocket(names)).await
            }
        }
    }

    fn secure_door(&self) -> io::Result<Door> {
        let missing =
            || io::Error::new(io::ErrorKind::InvalidInput, "it needs sip.tls.certificate");
        self.tls.acceptor().map(Door::tls).ok_or_else(missing)
    }

    async fn listen_for_streams(&self, listen: Listen, door: Door) -> io::Result<SocketAddr> {
        let listener = TcpListener::from_std(listener::tcp(listen.address)?)?;
        let address = listener.local_addr()?;
        tokio::spawn(streams::accept(listener, door, self.hall.clone(), self.arrivals.clone()));
        Ok(address)
    }

    /// Who is at `peer`: a TLS connection to it is one only if its certificate says so. Of a peer that
    /// nobody named the certificate must name the address.
    pub fn know(
        &mut self,
        account: Option<AccountId>,
        peer: SocketAddr,
        name: ServerName<'static>,
    ) {
        if self.names.len() >= NAMES && !self.names.contains_key(&(account, peer)) {
            self.names.clear();
        }
        self.names.insert((account, peer), name);
    }

    /// Sends a message on a flow. Loss is the transport's business: the core retransmits or learns
    /// of the closed stream. A stream whose peer does not read fast enough is cut off, for it may not
    /// lose one message and go on.
    pub fn transmit(&mut self, flow: &Flow, bytes: Vec<u8>) {
        match flow.connection {
            Some(connection) => {
                let Some(writer) = self.streams.get(&connection) else { return };
                if writer.messages.try_send(bytes).is_err() {
                    writer.cut.notify_one();
                    self.streams.remove(&connection);
                }
            }
            None => {
                if let Some(socket) = self.udp_towards(flow) {
                    let _ = socket.try_send_to(&bytes, flow.peer);
                }
            }
        }
    }

    fn udp_towards(&self, flow: &Flow) -> Option<&Arc<UdpSocket>> {
        let sends_from = |socket: &&Arc<UdpSocket>| {
            socket.local_addr().is_ok_and(|own| {
                own.port() == flow.local.port()
                    && own.is_ipv4() == flow.peer.is_ipv4()
                    && (own.ip() == flow.local.ip() || own.ip().is_unspecified())
            })
        };
        self.udp.iter().find(sends_from)
    }

    /// Opens a stream under the name that the core gave it.
    pub fn connect(
        &self,
        account: Option<AccountId>,
        Server { transport, address: peer }: Server,
        connection: ConnectionId,
    ) {
        let by_address = || ServerName::IpAddress(peer.ip().into());
        let name = self.names.get(&(account, peer)).cloned().unwrap_or_else(by_address);
        let tls = transport.is_secure().then(|| self.tls.connector(account));
        let is_websocket = transport.is_websocket();
        let wanted = Wanted { peer, tls, name, is_websocket };
        let flow = move |local| {
            let flow = Flow::stream(transport, local, peer, connection);
            Flow { account, ..flow }
        };
        tokio::spawn(streams::connect(wanted, connection, flow, self.arrivals.clone()));
    }

    /// Takes over the writing side of a stream that [`Arrival::Opened`] brought.
    pub fn adopt(&mut self, connection: ConnectionId, writer: StreamWriter) {
        self.streams.insert(connection, writer);
    }

    /// Closes a stream once what is waiting for it is written.
    pub fn close(&mut self, connection: ConnectionId) {
        self.streams.remove(&connection);
    }

    /// Fills in the address that the peer sees where we listen on all of them.
    pub fn with_local_address(&mut self, flow: Flow) -> Flow {
        if !flow.local.ip().is_unspecified() {
            return flow;
        }
        let ip = self.routes.local_towards(flow.peer);
        Flow { local: SocketAddr::new(ip, flow.local.port()), ..flow }
    }

    /// The way to a server from an address that is listened on; by TLS and WebSocket from any, since what
    /// comes back takes our own connection. The route is asked for anew: it changes when a network comes or goes.
    pub fn flow_towards(&mut self, account: Option<AccountId>, server: Server) -> Option<Flow> {
        let Server { transport, address: peer } = server;
        let ip = self.routes.ask_again(peer)?;
        let is_same_kind = |listen: &&Listen| listen.address.is_ipv4() == peer.is_ipv4();
        let all: Vec<Listen> = self.listening.iter().filter(is_same_kind).copied().collect();
        // On the way to the peer, or on all ways; else where the peer may be reached at all.
        let best = |fits: &dyn Fn(&Listen) -> bool| {
            let of = |on: &dyn Fn(IpAddr) -> bool| {
                all.iter().find(|listen| fits(listen) && on(listen.address.ip()))
            };
            of(&|own| own == ip)
                .or_else(|| of(&|own| own.is_unspecified()))
                .or_else(|| of(&|own| own.is_loopback() == peer.ip().is_loopback()))
        };
        let own = best(&|listen| listen.transport == transport);
        let local = own.or_else(|| best(&|_| transport.comes_back()))?.address;
        Some(self.with_local_address(Flow { transport, local, peer, connection: None, account }))
    }
}

async fn read_datagrams(socket: Arc<UdpSocket>, arrivals: mpsc::Sender<Arrival>) {
    let mut buffer = vec![0; SIP_MESSAGE_BYTES];
    let Ok(local) = socket.local_addr() else { return };
    loop {
        // An error here is an ICMP answer to something that we sent: the next datagram may be fine.
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else { continue };
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        let flow = Flow::udp(local, peer);
        if arrivals.send(Arrival::Datagram { flow, bytes }).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
