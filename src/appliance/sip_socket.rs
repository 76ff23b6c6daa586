//! The network under the SIP core: UDP sockets, TCP listeners and connections.
//!
//! Reader tasks put what arrives into one bounded queue; the net loop takes it from there into the
//! core and sends what the core gives out. A full queue leaves datagrams in the kernel, which drops
//! them, and stops reading from streams, which slows their peers down: memory stays bounded.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::Instant;

use crate::base::limits::{SIP_CONNECTIONS, SIP_CONNECTIONS_HEADROOM, SIP_MESSAGE_BYTES};
use crate::sip::{ConnectionId, Flow, Transport};

/// Arrivals waiting for the net loop: 100 ms of a flood at 10,000 datagrams a second.
const ARRIVALS: usize = 1_024;
/// Messages waiting to be written to one stream; a peer that reads slower than this is cut off.
const WRITES: usize = 64;
/// A stream that cannot be opened in this time counts as failed (half of timer B).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(16);
/// Peers whose route is remembered.
const ROUTES: usize = 1_024;
/// Bytes read from a stream at once.
const READ_BYTES: usize = 8_192;
/// A peer that takes nothing for this long is cut off; what is left when its stream is closed must
/// go in this time altogether.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Wait before the next attempt to accept when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The writing side of a stream; dropping it closes the stream once what waits is written.
#[derive(Debug)]
pub struct StreamWriter {
    messages: mpsc::Sender<Vec<u8>>,
    /// Ends the stream at once.
    cut: Arc<Notify>,
}

/// Something that came from the network.
#[derive(Debug)]
pub enum Arrival {
    Datagram { flow: Flow, bytes: Vec<u8> },
    Opened { flow: Flow, writer: StreamWriter },
    Bytes { flow: Flow, bytes: Vec<u8> },
    Closed { flow: Flow },
    ConnectFailed { connection: ConnectionId },
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
    /// Accepted streams that there may be at once, all listeners together. More than the core keeps:
    /// it is the core that chooses which idle one goes for a newcomer.
    accepting: Arc<Semaphore>,
    arrivals: mpsc::Sender<Arrival>,
    routes: Routes,
}

impl SipSockets {
    /// Binds every address and starts reading. Must be called within a tokio runtime.
    pub async fn open(listen: &[Listen]) -> Result<(Self, mpsc::Receiver<Arrival>), ListenError> {
        let (arrivals, receiver) = mpsc::channel(ARRIVALS);
        let mut sockets = Self {
            udp: Vec::new(),
            streams: HashMap::new(),
            listening: Vec::new(),
            accepting: Arc::new(Semaphore::new(SIP_CONNECTIONS + SIP_CONNECTIONS_HEADROOM)),
            arrivals,
            routes: Routes::default(),
        };
        for &wanted in listen {
            let bound = sockets.listen(wanted).await;
            let address = bound.map_err(|source| ListenError { listen: wanted, source })?;
            sockets.listening.push(Listen { address, ..wanted });
        }
        Ok((sockets, receiver))
    }

    /// What is listened on, with the ports that the kernel chose where 0 was asked for.
    pub fn listening(&self) -> &[Listen] {
        &self.listening
    }

    async fn listen(&mut self, listen: Listen) -> io::Result<SocketAddr> {
        match listen.transport {
            Transport::Udp => {
                let socket = Arc::new(UdpSocket::bind(listen.address).await?);
                // A socket that tokio has not yet seen ready refuses its first message.
                socket.writable().await?;
                let address = socket.local_addr()?;
                tokio::spawn(read_datagrams(Arc::clone(&socket), self.arrivals.clone()));
                self.udp.push(socket);
                Ok(address)
            }
            Transport::Tcp => {
                let listener = TcpListener::bind(listen.address).await?;
                let address = listener.local_addr()?;
                let accepting = Arc::clone(&self.accepting);
                tokio::spawn(accept(listener, accepting, self.arrivals.clone()));
                Ok(address)
            }
            Transport::Tls | Transport::Ws | Transport::Wss => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "only udp and tcp are spoken"))
            }
        }
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
    pub fn connect(&self, transport: Transport, peer: SocketAddr, connection: ConnectionId) {
        let arrivals = self.arrivals.clone();
        tokio::spawn(async move {
            let attempt = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(peer)).await;
            let opened = attempt.map_err(io::Error::from).and_then(|stream| stream);
            match opened.and_then(|stream| Ok((stream.local_addr()?, stream))) {
                Ok((local, stream)) => {
                    let flow = Flow::stream(transport, local, peer, connection);
                    run_stream(stream, flow, arrivals).await;
                }
                Err(_) => {
                    // The net loop ends before its queue does, at shutdown only.
                    let _ = arrivals.send(Arrival::ConnectFailed { connection }).await;
                }
            }
        });
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

    /// The way to a peer from an address that is listened on. The route is asked for anew: it changes
    /// when a network comes or goes.
    pub fn flow_towards(&mut self, transport: Transport, peer: SocketAddr) -> Option<Flow> {
        let fits = |listen: &&Listen| {
            listen.transport == transport && listen.address.is_ipv4() == peer.is_ipv4()
        };
        let local = self.listening.iter().find(fits)?.address;
        self.routes.forget(peer);
        Some(self.with_local_address(Flow { transport, local, peer, connection: None }))
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

async fn accept(listener: TcpListener, accepting: Arc<Semaphore>, arrivals: mpsc::Sender<Arrival>) {
    for number in 1.. {
        let Ok(permit) = Arc::clone(&accepting).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of descriptors: waiting for one to come free beats spinning.
            Err(_) => {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(local) = stream.local_addr() else { continue };
        let flow = Flow::stream(Transport::Tcp, local, peer, ConnectionId::Accepted(number));
        let arrivals = arrivals.clone();
        tokio::spawn(async move {
            run_stream(stream, flow, arrivals).await;
            drop(permit);
        });
    }
}

/// Lives as long as the stream: announces it, reads it, writes what the net loop gives, and says
/// that it is closed.
async fn run_stream(stream: TcpStream, flow: Flow, arrivals: mpsc::Sender<Arrival>) {
    // Small messages must not wait for more to come.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (messages, writes) = mpsc::channel(WRITES);
    let cut = Arc::new(Notify::new());
    let sender = StreamWriter { messages, cut: Arc::clone(&cut) };
    if arrivals.send(Arrival::Opened { flow, writer: sender }).await.is_err() {
        return;
    }
    tokio::select! {
        () = read_stream(reader, flow, &arrivals) => (),
        () = write_stream(writer, writes, WRITE_TIMEOUT) => (),
        () = cut.notified() => (),
    }
    let _ = arrivals.send(Arrival::Closed { flow }).await;
}

async fn read_stream(mut reader: OwnedReadHalf, flow: Flow, arrivals: &mpsc::Sender<Arrival>) {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let Ok(length @ 1..) = reader.read(&mut buffer).await else { return };
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        if arrivals.send(Arrival::Bytes { flow, bytes }).await.is_err() {
            return;
        }
    }
}

/// Each message within `limit`; once the stream is being closed, all that is left within `limit`.
async fn write_stream(
    mut writer: impl AsyncWrite + Unpin,
    mut writes: mpsc::Receiver<Vec<u8>>,
    limit: Duration,
) {
    let mut close_by = None;
    while let Some(bytes) = writes.recv().await {
        let end = Instant::now() + limit;
        let end = if writes.is_closed() { *close_by.get_or_insert(end) } else { end };
        let written = tokio::time::timeout_at(end, writer.write_all(&bytes)).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

/// Which of our addresses the route to a peer starts from.
#[derive(Debug, Default)]
struct Routes(HashMap<IpAddr, IpAddr>);

impl Routes {
    fn forget(&mut self, peer: SocketAddr) {
        self.0.remove(&peer.ip());
    }

    fn local_towards(&mut self, peer: SocketAddr) -> IpAddr {
        if let Some(local) = self.0.get(&peer.ip()) {
            return *local;
        }
        if self.0.len() >= ROUTES {
            self.0.clear();
        }
        let local = route(peer).unwrap_or(match peer {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
        self.0.insert(peer.ip(), local);
        local
    }
}

/// Connecting a UDP socket sends nothing; the kernel only chooses the route.
fn route(peer: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = StdUdpSocket::bind((any, 0))?;
    socket.connect(peer)?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(transport: Transport) -> Listen {
        Listen { transport, address: SocketAddr::from(([127, 0, 0, 1], 0)) }
    }

    #[tokio::test]
    async fn a_datagram_comes_with_the_flow_to_answer_on() {
        let (mut sockets, mut arrivals) = SipSockets::open(&[local(Transport::Udp)]).await.unwrap();
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        peer.send_to(b"ping", sockets.listening()[0].address).await.unwrap();
        let Some(Arrival::Datagram { flow, bytes }) = arrivals.recv().await else { panic!() };
        assert_eq!((bytes.as_slice(), flow.peer), (&b"ping"[..], peer.local_addr().unwrap()));
        sockets.transmit(&flow, b"pong".to_vec());
        let mut buffer = [0; 16];
        let (length, from) = peer.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..length], from), (&b"pong"[..], sockets.listening()[0].address));
    }

    #[tokio::test]
    async fn the_first_datagram_of_a_fresh_socket_leaves() {
        let (server, mut arrivals) = SipSockets::open(&[local(Transport::Udp)]).await.unwrap();
        let (mut client, _keep) = SipSockets::open(&[local(Transport::Udp)]).await.unwrap();
        let flow = Flow::udp(client.listening()[0].address, server.listening()[0].address);
        client.transmit(&flow, b"first".to_vec());
        let arrival = tokio::time::timeout(Duration::from_secs(5), arrivals.recv()).await;
        let Ok(Some(Arrival::Datagram { bytes, .. })) = arrival else { panic!("it was lost") };
        assert_eq!(bytes, b"first");
    }

    #[tokio::test]
    async fn a_stream_opens_carries_both_ways_and_closes() {
        let (mut server, mut at_server) = SipSockets::open(&[local(Transport::Tcp)]).await.unwrap();
        let (mut client, mut at_client) = SipSockets::open(&[]).await.unwrap();
        let id = ConnectionId::Dialled(7);
        client.connect(Transport::Tcp, server.listening()[0].address, id);
        let Some(Arrival::Opened { flow: ours, writer }) = at_client.recv().await else { panic!() };
        client.adopt(id, writer);
        let Some(Arrival::Opened { flow: theirs, writer }) = at_server.recv().await else {
            panic!()
        };
        server.adopt(theirs.connection.unwrap(), writer);
        client.transmit(&ours, b"hello".to_vec());
        let Some(Arrival::Bytes { bytes, .. }) = at_server.recv().await else { panic!() };
        assert_eq!(bytes, b"hello");
        server.close(theirs.connection.unwrap());
        let Some(Arrival::Closed { flow }) = at_client.recv().await else { panic!() };
        assert_eq!(flow.connection, Some(id));
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_loses_its_stream_and_not_a_message() {
        let (mut server, mut arrivals) = SipSockets::open(&[local(Transport::Tcp)]).await.unwrap();
        let _deaf = TcpStream::connect(server.listening()[0].address).await.unwrap();
        let Some(Arrival::Opened { flow, writer }) = arrivals.recv().await else { panic!() };
        let connection = flow.connection.unwrap();
        server.adopt(connection, writer);
        // One message fills the kernel's buffers, the others the queue.
        server.transmit(&flow, vec![b'x'; 16 << 20]);
        for _ in 0..WRITES {
            server.transmit(&flow, b"x".to_vec());
        }
        assert!(!server.streams.contains_key(&connection));
        let told = tokio::time::timeout(WRITE_TIMEOUT / 2, arrivals.recv()).await;
        assert!(
            matches!(told, Ok(Some(Arrival::Closed { flow })) if flow.connection == Some(connection))
        );
    }

    #[tokio::test]
    async fn a_slow_reader_cannot_keep_a_closed_stream() {
        let limit = Duration::from_millis(100);
        let (ours, mut theirs) = tokio::io::duplex(1);
        let (sender, writes) = mpsc::channel(WRITES);
        for _ in 0..WRITES {
            sender.try_send(b"xx".to_vec()).unwrap();
        }
        drop(sender);
        let slow = async {
            while theirs.read_u8().await.is_ok() {
                tokio::time::sleep(limit / 4).await;
            }
        };
        let begun = Instant::now();
        tokio::join!(slow, write_stream(ours, writes, limit));
        assert!(begun.elapsed() < limit * 10, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_busy_port_is_an_error_that_names_the_key() {
        let (first, _keep) = SipSockets::open(&[local(Transport::Udp)]).await.unwrap();
        let error = SipSockets::open(first.listening()).await.unwrap_err().to_string();
        assert!(error.starts_with("sip.listen udp:127.0.0.1:"), "{error}");
    }

    #[tokio::test]
    async fn a_stream_that_cannot_be_opened_is_told() {
        let (client, mut arrivals) = SipSockets::open(&[]).await.unwrap();
        let id = ConnectionId::Dialled(1);
        client.connect(Transport::Tcp, SocketAddr::from(([127, 0, 0, 1], 1)), id);
        let Some(Arrival::ConnectFailed { connection }) = arrivals.recv().await else { panic!() };
        assert_eq!(connection, id);
    }
}
