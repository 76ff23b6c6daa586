//! One connection, from the wish for it to its end.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::address::Place;
use super::control::{Control, Next};
use super::{Connection, Shared, What};
use crate::base::{CallId, Private, limits};
use crate::converse::agent::{ClientMessage, End, Event, Fault, Initiation, ServerMessage, read};
use crate::store::ledger::Written;

/// What the provider's own clients say when they go.
const GOODBYE: &str = "User ended conversation";
/// Time between two attempts for an address: the second is the last.
const AGAIN: Duration = Duration::from_millis(200);

/// What a WebSocket runs over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

type Socket = WebSocketStream<Box<dyn Stream>>;

/// One connection that is wanted.
pub(super) struct Wanted {
    pub(super) call: CallId,
    pub(super) connection: Connection,
    pub(super) agent: Option<String>,
    pub(super) control: Arc<Control>,
    /// Seconds that are set aside for it.
    pub(super) granted: Result<u32, Fault>,
    /// What has been reached when these are used.
    pub(super) cap: Fault,
    /// By which it is known whether that is on the disk; `None`: it will not be.
    pub(super) written: Option<(u64, watch::Receiver<Written>)>,
}

/// Lives until the connection is over and its seconds are told.
pub(super) async fn run(shared: Arc<Shared>, mut wanted: Wanted) {
    let mut opened = None;
    let outcome = converse(&shared, &mut wanted, &mut opened).await;
    let used = opened.map_or(Duration::ZERO, |at: Instant| at.elapsed());
    let Wanted { call, connection, control, .. } = wanted;
    if let End::Failed(fault) = outcome {
        shared.failed(fault);
        tracing::warn!(%call, %fault, "no agent");
    }
    let dropped_ms = control.dropped_ms();
    if dropped_ms > 0 {
        tracing::warn!(%call, dropped_ms, "the agent did not take all of the caller's sound");
    }
    if opened.is_some() {
        let ms = u64::try_from(used.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(%call, ms, "the agent's connection is closed");
    }
    shared.give(connection, What::Over { end: outcome, used }).await;
}

async fn converse(shared: &Shared, wanted: &mut Wanted, opened: &mut Option<Instant>) -> End {
    let control = Arc::clone(&wanted.control);
    let prepared = tokio::select! {
        prepared = prepare(shared, wanted) => prepared,
        () = control.closing() => return End::Finished,
    };
    let (place, granted) = match prepared {
        Ok(prepared) => prepared,
        Err(fault) => return End::Failed(fault),
    };
    let Some(initiation) = control.answered().await else { return End::Finished };
    let connecting = tokio::time::timeout(shared.patience.connect, connect(shared, &place));
    let socket = tokio::select! {
        socket = connecting => socket.unwrap_or(Err(Fault::Late)),
        () = control.closing() => return End::Finished,
    };
    let socket = match socket {
        Ok(socket) => socket,
        Err(fault) => return End::Failed(fault),
    };
    let begun = *opened.insert(Instant::now());
    tracing::info!(call_id = %wanted.call, "the agent's connection is open");
    shared.give(wanted.connection, What::Event(Event::Connected)).await;
    let until = begun + Duration::from_secs(granted.into());
    let (mut sink, mut stream) = socket.split();
    let end = tokio::select! {
        end = listen(shared, wanted, &mut stream) => end,
        end = speak(shared, &control, &mut sink, &initiation) => end,
        () = tokio::time::sleep_until(until.into()) => End::Failed(wanted.cap),
    };
    close(sink).await;
    end
}

/// The seconds on the disk, and the address.
async fn prepare(shared: &Shared, wanted: &mut Wanted) -> Result<(Place, u32), Fault> {
    let granted = wanted.granted?;
    let agent = wanted.agent.clone().unwrap_or_else(|| shared.agent.clone());
    let (number, mut written) = wanted.written.take().ok_or(Fault::Uncounted)?;
    if !shared.admits() {
        return Err(Fault::Resting);
    }
    let counted = async {
        let told = written.wait_for(|written| written.number >= number).await;
        told.is_ok_and(|written| written.is_kept).then_some(()).ok_or(Fault::Uncounted)
    };
    let place = async {
        let first = shared.place(&agent);
        let first = tokio::time::timeout(shared.patience.connect, first).await;
        match first.unwrap_or(Err(Fault::Late)) {
            Err(fault) if fault.may_pass() => {
                tokio::time::sleep(AGAIN).await;
                let second = tokio::time::timeout(shared.patience.connect, shared.place(&agent));
                second.await.unwrap_or(Err(Fault::Late))
            }
            other => other,
        }
    };
    let ((), place) = tokio::try_join!(counted, place)?;
    Ok((place, granted))
}

async fn connect(shared: &Shared, place: &Place) -> Result<Socket, Fault> {
    let request = place.url.reveal().as_str().into_client_request();
    let mut request = request.map_err(|_| Fault::Unreachable)?;
    let name = tokio_tungstenite::tungstenite::http::HeaderValue::from_static("attendant");
    request.headers_mut().insert("User-Agent", name);
    let stream = TcpStream::connect((place.host.as_str(), place.port)).await;
    let stream = stream.map_err(|_| Fault::Unreachable)?;
    // Each message is small and late if it waits for the next.
    let _ = stream.set_nodelay(true);
    let stream: Box<dyn Stream> = match place.tls {
        false => Box::new(stream),
        true => {
            let roots = shared.roots.clone().store();
            let config = ClientConfig::builder().with_root_certificates(roots);
            let tls = TlsConnector::from(Arc::new(config.with_no_client_auth()));
            let name = ServerName::try_from(place.host.clone()).map_err(|_| Fault::Unreachable)?;
            Box::new(tls.connect(name, stream).await.map_err(|_| Fault::Unreachable)?)
        }
    };
    let most = Some(limits::AGENT_FRAME_BYTES);
    let config = WebSocketConfig::default().max_message_size(most).max_frame_size(most);
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(Fault::of_status(response.status().as_u16())),
        Err(_) => Err(Fault::Unreachable),
    }
}

/// What comes, until the end.
async fn listen(shared: &Shared, wanted: &Wanted, stream: &mut SplitStream<Socket>) -> End {
    let control = &wanted.control;
    let give = |event| shared.give(wanted.connection, What::Event(event));
    let mut is_there = false;
    let mut told = None;
    loop {
        control.readable().await;
        let patience = if is_there { shared.patience.silence } else { shared.patience.connect };
        let message = match tokio::time::timeout(patience, stream.next()).await {
            Err(_) if is_there => return End::Failed(Fault::Silent),
            Err(_) => return End::Failed(Fault::Late),
            Ok(None) => return End::Failed(Fault::Lost),
            Ok(Some(Err(Error::Capacity(_)))) => return End::Failed(Fault::Unreadable),
            Ok(Some(Err(_))) => return End::Failed(Fault::Lost),
            Ok(Some(Ok(message))) => message,
        };
        let text = match message {
            Message::Text(text) => text,
            Message::Close(frame) => {
                // A close without a code comes after an error that has one.
                let code = frame.map(|frame| u16::from(frame.code)).or(told);
                return match code {
                    Some(1000) => End::Finished,
                    Some(code) => End::Failed(Fault::Closed(code)),
                    None => End::Failed(Fault::Lost),
                };
            }
            Message::Binary(_) => {
                shared.count(false);
                continue;
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        let event = match read(&text) {
            ServerMessage::Metadata(opened) => {
                is_there = true;
                control.takes(opened.input);
                shared.succeeded();
                Event::Opened(opened)
            }
            ServerMessage::NoFormat => return End::Failed(Fault::Format),
            ServerMessage::Ping { event_id } => {
                control.send(ClientMessage::Pong { event_id });
                continue;
            }
            ServerMessage::Audio { event_id, sound } => {
                hand_on(event_id, sound.reveal(), &give).await;
                continue;
            }
            ServerMessage::Interruption { event_id } => Event::Interrupted { event_id },
            ServerMessage::UserTranscript(text) => Event::Heard { text },
            ServerMessage::AgentResponse(text) => Event::Said { text },
            ServerMessage::AgentResponseCorrection(text) => Event::Corrected { text },
            ServerMessage::ToolCall(request) => Event::Called(request),
            ServerMessage::SystemTool { ends_call: true } => Event::Leaving,
            ServerMessage::SystemTool { ends_call: false } => continue,
            ServerMessage::Error { code } => {
                told = Some(code);
                continue;
            }
            known @ (ServerMessage::Unknown | ServerMessage::Malformed) => {
                shared.count(known == ServerMessage::Malformed);
                continue;
            }
        };
        give(event).await;
    }
}

/// A message of any length in pieces of a second, so that what waits is bounded.
async fn hand_on<F: Future<Output = ()>>(event_id: i64, sound: &[u8], give: impl Fn(Event) -> F) {
    /// A second at 16 kHz; an even number, as samples of 16 bits want it.
    const PIECE: usize = 32_000;
    for piece in sound.chunks(PIECE) {
        give(Event::Audio { event_id, sound: Private::new(piece.to_vec()) }).await;
    }
}

/// Sends what is to be sent, until the call is over.
async fn speak(
    shared: &Shared,
    control: &Control,
    sink: &mut SplitSink<Socket, Message>,
    initiation: &Initiation,
) -> End {
    let mut text = initiation.to_text();
    loop {
        let sending = pin!(sink.send(Message::Text(Utf8Bytes::from(text))));
        match tokio::time::timeout(shared.patience.stall, sending).await {
            Ok(Ok(())) => (),
            // The reader may know more of it, such as a close frame.
            Ok(Err(_)) => {
                tokio::time::sleep(AGAIN).await;
                return End::Failed(Fault::Lost);
            }
            Err(_) => return End::Failed(Fault::Stalled),
        }
        match control.next().await {
            Next::Send(message) => text = message.to_text(),
            Next::Close => return End::Finished,
            Next::Full => return End::Failed(Fault::Stalled),
        }
    }
}

/// Says goodbye and leaves. The other end's own close frame is not waited for.
async fn close(mut sink: SplitSink<Socket, Message>) {
    let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::from_static(GOODBYE) };
    let goodbye = async {
        let _ = sink.send(Message::Close(Some(frame))).await;
        let _ = sink.close().await;
    };
    let _ = tokio::time::timeout(limits::AGENT_CLOSE, goodbye).await;
}
