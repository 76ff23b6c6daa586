//! One session's shell: its WebSocket, its socket on loopback, its clock.

use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink, SinkExt, StreamExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode as Number;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{self, Message};

use super::bridge::Way;
use super::door::{Handed, NoEntry, Visitor};
use super::thread::{LegWish, Wanted, answer};
use crate::appliance::stream::{self, Socket, Stream};
use crate::base::{Private, limits};
use crate::sip::LegId;
use crate::websocket::{CloseCode, Input, News, Opening, Outgoing, Output, Session};

/// What comes for a session.
pub(super) enum Mail {
    News(News),
    Knocks { visitor: Visitor, told: oneshot::Sender<Result<(), NoEntry>> },
    Enters { visitor: Visitor, handed: Handed },
}

/// The client's end.
struct Client {
    sink: SplitSink<Socket, Message>,
    stream: SplitStream<Socket>,
    /// Bytes wait for room.
    is_blocked: bool,
}

/// The way to a bridge, by which a lost connection is made again.
struct Called {
    way: Way,
    call_id: Private<String>,
    /// The next one, while it is being made.
    next: Option<Pin<Box<dyn Future<Output = Socket> + Send>>>,
}

/// See the module.
pub(super) struct Task {
    leg: LegId,
    session: Session,
    inbox: mpsc::Receiver<Mail>,
    wishes: mpsc::Sender<Wanted>,
    media: UdpSocket,
    /// To which `media` is connected.
    media_port: Option<u16>,
    client: Option<Client>,
    /// Of a call by a bridge that we have called.
    called: Option<Called>,
    deadline: Option<Instant>,
    /// The last words are waited for until then.
    leaves: Option<Instant>,
}

/// What has happened.
enum Happened {
    Mail(Option<Mail>),
    Message(Option<Result<Message, tungstenite::Error>>),
    HasRoom(Result<(), tungstenite::Error>),
    Again(Socket),
    Datagram(usize),
    Nothing,
}

impl Task {
    pub(super) fn new(
        leg: LegId,
        opening: Opening,
        media: UdpSocket,
        inbox: mpsc::Receiver<Mail>,
        wishes: mpsc::Sender<Wanted>,
    ) -> Self {
        Self {
            leg,
            session: Session::new(Instant::now(), opening),
            inbox,
            wishes,
            media,
            media_port: None,
            client: None,
            called: None,
            deadline: None,
            leaves: None,
        }
    }

    pub(super) async fn run(mut self) {
        let mut datagram = [0; limits::RTP_DATAGRAM_BYTES];
        while self.drain().await {
            let happened = self.happens(&mut datagram).await;
            let now = Instant::now();
            match happened {
                Happened::Mail(Some(mail)) => self.mail(now, mail),
                // The net thread has forgotten the call, which it tells before; or the program stops.
                Happened::Mail(None) => break,
                Happened::Message(message) => self.message(now, message),
                Happened::HasRoom(outcome) => self.fill(now, outcome),
                Happened::Again(socket) => self.resume(now, socket),
                Happened::Datagram(length) => {
                    let bytes = datagram.get(..length).unwrap_or_default();
                    self.session.handle(now, Input::Datagram(bytes));
                }
                Happened::Nothing => self.session.handle(now, Input::Timeout),
            }
        }
        let figures = self.session.figures();
        tracing::info!(
            lost_in = figures.lost_in,
            lost_out = figures.lost_out,
            resumed = figures.resumed,
            "a session by WebSocket is over"
        );
        self.close(CloseCode::Ended);
    }

    async fn happens(&mut self, datagram: &mut [u8]) -> Happened {
        let Self { session, inbox, media, media_port, client, called, deadline, leaves, .. } = self;
        let wants_room = session.has_message();
        let (mut sink, mut stream) = (None, None);
        if let Some(client) = client {
            if wants_room || client.is_blocked {
                sink = Some(&mut client.sink);
            }
            stream = Some(&mut client.stream);
        }
        tokio::select! {
            mail = inbox.recv(), if leaves.is_none() => Happened::Mail(mail),
            message = next(stream) => Happened::Message(message),
            outcome = room(sink) => Happened::HasRoom(outcome),
            socket = again(called.as_mut()) => Happened::Again(socket),
            received = media.recv(datagram), if media_port.is_some() => match received {
                Ok(length) => Happened::Datagram(length),
                // What could not be delivered before: the call is gone, and will say so.
                Err(_) => Happened::Nothing,
            },
            () = sleep_until(deadline.iter().chain(leaves.iter()).min().copied()) => Happened::Nothing,
        }
    }

    /// Carries out what the session wants; false once nothing more comes of it.
    async fn drain(&mut self) -> bool {
        loop {
            match self.session.poll_output() {
                Output::Datagram(port, bytes) => self.send(port, &bytes).await,
                Output::Wish(wish) => {
                    let wish = LegWish { leg: self.leg, wish };
                    if self.wishes.send(Wanted::Leg(wish)).await.is_err() {
                        return false;
                    }
                }
                Output::Close(code) => self.close(code),
                Output::Timeout(at) => {
                    self.deadline = at;
                    break;
                }
            }
        }
        if !self.session.has_ended() {
            return true;
        }
        let leaves = *self.leaves.get_or_insert_with(|| Instant::now() + limits::AUDIO_FAREWELL);
        self.client.is_some() && Instant::now() < leaves
    }

    async fn send(&mut self, port: u16, bytes: &[u8]) {
        if self.media_port != Some(port) {
            let connected = self.media.connect((Ipv4Addr::LOCALHOST, port)).await;
            self.media_port = connected.ok().map(|()| port);
        }
        // What is not sent is lost, as on any network; an error may be about a packet before.
        let _ = self.media.send(bytes).await;
    }

    fn mail(&mut self, now: Instant, mail: Mail) {
        match mail {
            Mail::News(news) => self.session.handle(now, Input::News(news)),
            Mail::Knocks { visitor, told } => answer(told, self.admits(&visitor)),
            Mail::Enters { visitor, handed } => {
                if self.admits(&visitor).is_ok() {
                    self.enters(now, visitor, handed);
                }
            }
        }
    }

    fn enters(&mut self, now: Instant, visitor: Visitor, handed: Handed) {
        let (socket, start) = match handed {
            Handed::Came { tcp, read } => (came(tcp, read), None),
            Handed::Called { socket, start, way } => {
                self.called = Some(Called { way, call_id: visitor.call_id, next: None });
                (Some(*socket), start)
            }
        };
        let Some(socket) = socket else { return };
        self.close(CloseCode::Replaced);
        self.client = Some(Client::of(socket));
        self.session.attach(now);
        if let Some(start) = start {
            self.session.handle(now, Input::Text(start.reveal()));
        }
    }

    /// The bridge has the call again.
    fn resume(&mut self, now: Instant, socket: Socket) {
        if let Some(called) = &mut self.called {
            called.next = None;
        }
        self.client = Some(Client::of(socket));
        self.session.attach(now);
    }

    fn admits(&self, visitor: &Visitor) -> Result<(), NoEntry> {
        let resume = visitor.resume.as_ref().map(|resume| resume.reveal().as_str());
        let allowed = self.session.may_attach(visitor.token.reveal(), resume);
        allowed.map_err(NoEntry::Refused)
    }

    fn message(&mut self, now: Instant, message: Option<Result<Message, tungstenite::Error>>) {
        let input = match &message {
            Some(Ok(Message::Text(text))) => Input::Text(text.as_str()),
            Some(Ok(Message::Binary(bytes))) => Input::Binary(bytes),
            Some(Ok(Message::Pong(payload))) => Input::Pong(payload),
            // The library answers them.
            Some(Ok(Message::Ping(_) | Message::Frame(_))) => Input::Sign,
            Some(Ok(Message::Close(frame))) => {
                if frame.as_ref().is_some_and(|frame| frame.code == Number::Normal) {
                    self.session.handle(now, Input::Done);
                }
                return self.lose(now);
            }
            Some(Err(_)) | None => return self.lose(now),
        };
        self.session.handle(now, input);
    }

    /// Gives the client what there is, as long as it takes it.
    fn fill(&mut self, now: Instant, outcome: Result<(), tungstenite::Error>) {
        let Some(client) = &mut self.client else { return };
        let mut outcome = outcome;
        client.is_blocked = false;
        while outcome.is_ok() && !client.is_blocked {
            let Some(message) = self.session.next_message() else { break };
            let message = match message {
                Outgoing::Text(text) => Message::text(text),
                Outgoing::Binary(bytes) => Message::binary(bytes),
                Outgoing::Ping(payload) => Message::Ping(payload.into()),
            };
            outcome = client.sink.start_send_unpin(message);
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            match Pin::new(&mut client.sink).poll_flush(&mut context) {
                Poll::Ready(flushed) => outcome = outcome.and(flushed),
                Poll::Pending => client.is_blocked = true,
            }
        }
        if outcome.is_err() {
            self.lose(now);
        }
    }

    fn lose(&mut self, now: Instant) {
        self.client = None;
        self.session.handle(now, Input::Detached);
        self.call_again();
    }

    /// A bridge that we have called is called again: it could not find us.
    fn call_again(&mut self) {
        let (Some(called), Some(resume)) = (&mut self.called, self.session.resume_token()) else {
            return;
        };
        let resume = Private::new(resume.reveal().to_owned());
        let next = called.way.clone().again(called.call_id.clone(), resume);
        called.next = Some(Box::pin(next));
    }

    /// The client's socket is closed in its own time.
    fn close(&mut self, code: CloseCode) {
        let Some(Client { mut sink, mut stream, .. }) = self.client.take() else { return };
        let reason = code.reason().into();
        let frame = CloseFrame { code: Number::from(code.number()), reason };
        tokio::spawn(async move {
            let said = async {
                sink.send(Message::Close(Some(frame))).await?;
                while stream.next().await.transpose()?.is_some() {}
                Ok::<(), tungstenite::Error>(())
            };
            // Whoever does not answer is not waited for.
            let _ = tokio::time::timeout(limits::AUDIO_FAREWELL, said).await;
        });
        if code != CloseCode::Replaced {
            self.session.handle(Instant::now(), Input::Detached);
            self.call_again();
        }
    }
}

impl Client {
    fn of(socket: Socket) -> Self {
        let (sink, stream) = socket.split();
        Self { sink, stream, is_blocked: false }
    }
}

/// The socket of a client that has come.
fn came(tcp: std::net::TcpStream, read: Vec<u8>) -> Option<Socket> {
    let tcp = TcpStream::from_std(tcp).ok()?;
    // Sound is small and in a hurry.
    tcp.set_nodelay(true).ok()?;
    let tcp: Box<dyn Stream> = Box::new(tcp);
    let config = Some(stream::most(limits::AUDIO_MESSAGE_BYTES));
    let opened = WebSocketStream::from_partially_read(tcp, read, Role::Server, config);
    // It waits for nothing: the handshake is over.
    futures_util::FutureExt::now_or_never(opened)
}

async fn again(called: Option<&mut Called>) -> Socket {
    match called.and_then(|called| called.next.as_mut()) {
        Some(next) => next.await,
        None => std::future::pending().await,
    }
}

async fn next(
    stream: Option<&mut SplitStream<Socket>>,
) -> Option<Result<Message, tungstenite::Error>> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

/// Everything that was given to it has left.
async fn room(sink: Option<&mut SplitSink<Socket, Message>>) -> Result<(), tungstenite::Error> {
    match sink {
        Some(sink) => std::future::poll_fn(|cx| Pin::new(&mut *sink).poll_flush(cx)).await,
        None => std::future::pending().await,
    }
}

pub(super) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
