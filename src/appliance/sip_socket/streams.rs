//! One stream: accepted or made, read, written and closed.
//!
//! Each has a task of its own, so that a slow one holds up no other. A handshake is bounded in time, and
//! those from one network in number: they come before the core has a say.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{Arrival, websocket};
use crate::appliance::stream::Socket;
use crate::base::limits::SIP_CONNECTIONS_PER_SOURCE;
use crate::sip::admission::network_of;
use crate::sip::{ConnectionId, Flow, Transport};

/// Messages waiting to be written to one stream; a peer that reads slower than this is cut off.
pub(super) const WRITES: usize = 64;
/// A stream that cannot be opened in this time counts as failed (half of timer B).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(16);
/// A peer that has not shaken hands in this time is sent away.
pub(super) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes read from a stream at once.
const READ_BYTES: usize = 8_192;
/// A peer that takes nothing for this long is cut off; what is left when its stream is closed must
/// go in this time altogether.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Wait before the next attempt to accept when descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The writing side of a stream; dropping it closes the stream once what waits is written.
#[derive(Debug)]
pub struct StreamWriter {
    pub(super) messages: mpsc::Sender<Vec<u8>>,
    /// Ends the stream at once.
    pub(super) cut: Arc<Notify>,
}

/// How a newcomer at one listener comes in.
#[derive(Clone)]
pub(super) struct Door {
    tls: Option<TlsAcceptor>,
    is_websocket: bool,
    /// Names of ours, for pages of browsers.
    names: Arc<[String]>,
    /// By source as [`network_of`] counts them.
    shaking: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Door {
    pub(super) fn plain() -> Self {
        Self { tls: None, is_websocket: false, names: Arc::default(), shaking: Arc::default() }
    }

    pub(super) fn tls(acceptor: TlsAcceptor) -> Self {
        Self { tls: Some(acceptor), ..Self::plain() }
    }

    pub(super) fn with_websocket(self, names: &Arc<[String]>) -> Self {
        Self { is_websocket: true, names: Arc::clone(names), ..self }
    }

    const fn transport(&self) -> Transport {
        match (&self.tls, self.is_websocket) {
            (Some(_), true) => Transport::Wss,
            (Some(_), false) => Transport::Tls,
            (None, true) => Transport::Ws,
            (None, false) => Transport::Tcp,
        }
    }

    /// A place among the handshakes of this peer's network; `None` if there are too many.
    fn place(&self, peer: IpAddr) -> Option<Shaking> {
        let source = network_of(peer);
        let mut shaking = self.shaking.lock().unwrap_or_else(PoisonError::into_inner);
        let count = shaking.entry(source).or_default();
        if *count >= SIP_CONNECTIONS_PER_SOURCE {
            return None;
        }
        *count += 1;
        Some(Shaking { all: Arc::clone(&self.shaking), source })
    }

    async fn let_in(self, stream: TcpStream, flow: Flow, arrivals: mpsc::Sender<Arrival>) {
        let Some(place) = self.place(flow.peer.ip()) else { return };
        let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, self.shake_hands(stream)).await;
        drop(place);
        if let Ok(Ok(opened)) = shaken {
            opened.run(flow, arrivals).await;
        }
    }

    async fn shake_hands(&self, stream: TcpStream) -> io::Result<Opened> {
        Ok(match (&self.tls, self.is_websocket) {
            (None, false) => Opened::Plain(stream),
            (Some(tls), false) => Opened::Tls(Box::new(tls.accept(stream).await?.into())),
            (None, true) => {
                Opened::WebSocket(Box::new(websocket::accept(Box::new(stream), &self.names).await?))
            }
            (Some(tls), true) => {
                let stream = tls.accept(stream).await?;
                Opened::WebSocket(Box::new(websocket::accept(Box::new(stream), &self.names).await?))
            }
        })
    }
}

/// A handshake that goes on.
struct Shaking {
    all: Arc<Mutex<HashMap<IpAddr, usize>>>,
    source: IpAddr,
}

impl Drop for Shaking {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.source);
            }
        }
    }
}

/// What all listeners have in common.
#[derive(Clone, Debug)]
pub(super) struct Hall {
    /// Accepted streams that there may be at once. More than the core keeps: it is the core that chooses
    /// which idle one goes for a newcomer.
    room: Arc<Semaphore>,
    /// The number of the next one.
    next: Arc<AtomicU64>,
}

impl Hall {
    pub(super) fn new(room: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(room)), next: Arc::new(AtomicU64::new(1)) }
    }
}

pub(super) async fn accept(
    listener: TcpListener,
    door: Door,
    hall: Hall,
    arrivals: mpsc::Sender<Arrival>,
) {
    loop {
        let Ok(permit) = Arc::clone(&hall.room).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of descriptors: waiting for one to come free beats spinning.
            Err(_) => {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(local) = stream.local_addr() else { continue };
        // Small messages must not wait for more to come.
        let _ = stream.set_nodelay(true);
        let connection = ConnectionId::Accepted(hall.next.fetch_add(1, Ordering::Relaxed));
        let flow = Flow::stream(door.transport(), local, peer, connection);
        let come_in = door.clone().let_in(stream, flow, arrivals.clone());
        tokio::spawn(async move {
            come_in.await;
            drop(permit);
        });
    }
}

/// What is to be made over a connection to a peer.
pub(super) struct Wanted {
    pub peer: SocketAddr,
    /// With TLS if its certificate is made out to the name.
    pub tls: Option<TlsConnector>,
    pub name: ServerName<'static>,
    pub is_websocket: bool,
}

pub(super) async fn connect(
    wanted: Wanted,
    connection: ConnectionId,
    flow: impl FnOnce(SocketAddr) -> Flow,
    arrivals: mpsc::Sender<Arrival>,
) {
    let opened = tokio::time::timeout(CONNECT_TIMEOUT, open(wanted)).await;
    match opened.map_err(io::Error::from).and_then(|opened| opened) {
        Ok((local, opened)) => opened.run(flow(local), arrivals).await,
        Err(error) => {
            tracing::debug!(kind = ?error.kind(), "a stream could not be opened");
            // The net loop ends before its queue does, at shutdown only.
            let _ = arrivals.send(Arrival::ConnectFailed { connection }).await;
        }
    }
}

enum Opened {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::TlsStream<TcpStream>>),
    WebSocket(Box<Socket>),
}

impl Opened {
    async fn run(self, flow: Flow, arrivals: mpsc::Sender<Arrival>) {
        match self {
            Self::Plain(stream) => {
                let (reader, writer) = stream.into_split();
                run_stream(reader, writer, flow, arrivals).await;
            }
            Self::Tls(stream) => {
                let (reader, writer) = tokio::io::split(*stream);
                run_stream(reader, writer, flow, arrivals).await;
            }
            Self::WebSocket(socket) => websocket::run(*socket, flow, arrivals).await,
        }
    }
}

async fn open(wanted: Wanted) -> io::Result<(SocketAddr, Opened)> {
    let Wanted { peer, tls, name, is_websocket } = wanted;
    let host = match &name {
        ServerName::IpAddress(_) => peer.to_string(),
        name => format!("{}:{}", name.to_str(), peer.port()),
    };
    let stream = TcpStream::connect(peer).await?;
    let local = stream.local_addr()?;
    // Small messages must not wait for more to come.
    let _ = stream.set_nodelay(true);
    let opened = match (tls, is_websocket) {
        (None, false) => Opened::Plain(stream),
        (Some(tls), false) => Opened::Tls(Box::new(tls.connect(name, stream).await?.into())),
        (None, true) => {
            let socket = websocket::connect(Box::new(stream), &host, false).await?;
            Opened::WebSocket(Box::new(socket))
        }
        (Some(tls), true) => {
            let stream = tls.connect(name, stream).await?;
            let socket = websocket::connect(Box::new(stream), &host, true).await?;
            Opened::WebSocket(Box::new(socket))
        }
    };
    Ok((local, opened))
}

async fn run_stream(
    reader: impl AsyncRead + Unpin,
    writer: impl AsyncWrite + Unpin,
    flow: Flow,
    arrivals: mpsc::Sender<Arrival>,
) {
    let read = read_stream(reader, flow, &arrivals);
    live(flow, &arrivals, read, |writes| write_stream(writer, writes, WRITE_TIMEOUT)).await;
}

/// Lives as long as the stream: announces it, reads it, writes what the net loop gives, and says
/// that it is closed.
pub(super) async fn live<W: Future<Output = ()>>(
    flow: Flow,
    arrivals: &mpsc::Sender<Arrival>,
    read: impl Future<Output = ()>,
    write: impl FnOnce(mpsc::Receiver<Vec<u8>>) -> W,
) {
    let (messages, writes) = mpsc::channel(WRITES);
    let cut = Arc::new(Notify::new());
    let sender = StreamWriter { messages, cut: Arc::clone(&cut) };
    if arrivals.send(Arrival::Opened { flow, writer: sender }).await.is_err() {
        return;
    }
    tokio::select! {
        () = read => (),
        () = write(writes) => (),
        () = cut.notified() => (),
    }
    let _ = arrivals.send(Arrival::Closed { flow }).await;
}

async fn read_stream(
    mut reader: impl AsyncRead + Unpin,
    flow: Flow,
    arrivals: &mpsc::Sender<Arrival>,
) {
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
pub(super) async fn write_stream(
    mut writer: impl AsyncWrite + Unpin,
    mut writes: mpsc::Receiver<Vec<u8>>,
    limit: Duration,
) {
    let mut close_by = None;
    while let Some(bytes) = writes.recv().await {
        let end = Instant::now() + limit;
        let end = if writes.is_closed() { *close_by.get_or_insert(end) } else { end };
        // What TLS has taken is not on the wire yet.
        let written = tokio::time::timeout_at(end, async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        });
        if !matches!(written.await, Ok(Ok(()))) {
            return;
        }
    }
    let _ = tokio::time::timeout(limit, writer.shutdown()).await;
}
