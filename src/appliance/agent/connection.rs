//! One connection, from the wish for it to its end.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::address::Place;
use super::control::{Control, Next};
use super::{Connection, Shared, What};
use crate::appliance::stream::{self, Socket};
use crate::base::{CallId, Private, limits};
use crate::converse::agent::{ClientMessage, End, Event, Fault, Initiation, ServerMessage, read};
use crate::store::ledger::Written;

/// What the provider's own clients say when they go.
const GOODBYE: &str = "User ended conversation";
/// Time between two attempts for an address: the second is the last.
const AGAIN: Duration = Duration::from_millis(200);

/// One connection that is wanted.
pub(super) struct Wanted {
    pub(super) call: CallId,
    pub(super) connection: Connection,
    pub(super) agent: String,
    pub(super) control: Arc<Control>,
    /// Why there will be none.
    pub(super) refused: Option<Fault>,
}

/// What a connection may cost.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) seconds: u32,
    /// What has been reached when these are used.
    pub(super) cap: Fault,
    /// By which it is known whether they are on the disk; `None`: they will not be.
    pub(super) written: Option<(u64, watch::Receiver<Written>)>,
}

impl Grant {
    /// Waits until the seconds are on the disk.
    async fn counted(&mut self) -> Result<(), Fault> {
        let (number, written) = self.written.as_mut().ok_or(Fault::Uncounted)?;
        let told = written.wait_for(|written| written.number >= *number).await;
        told.is_ok_and(|written| written.is_kept).then_some(()).ok_or(Fault::Uncounted)
    }
}

/// Lives until the connection is over and its seconds are told.
pub(super) async fn run(shared: Arc<Shared>, wanted: Wanted) {
    let mut opened = None;
    let outcome = converse(&shared, &wanted, &mut opened).await;
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

async fn converse(shared: &Shared, wanted: &Wanted, opened: &mut Option<Instant>) -> End {
    let control = &wanted.control;
    let prepared = tokio::select! {
        prepared = prepare(shared, wanted) => prepared,
        () = control.closing() => return End::Finished,
    };
    let place = match prepared {
        Ok(place) => place,
        Err(fault) => return End::Failed(fault),
    };
    let Some((initiation, grant)) = control.answered().await else {
        // Nobody has been there with it.
        shared.put_back(place);
        return End::Finished;
    };
    let mut grant = match grant {
        Ok(grant) => grant,
        Err(fault) => {
            shared.put_back(place);
            return End::Failed(fault);
        }
    };
    let connecting =
        tokio::time::timeout(shared.patience.connect, connect(shared, &place, &mut grant));
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
    let until = begun + Duration::from_secs(grant.seconds.into());
    let (mut sink, mut stream) = socket.split();
    let end = tokio::select! {
        end = listen(shared, wanted, &mut stream) => end,
        end = speak(shared, control, &mut sink, &initiation) => end,
        () = tokio::time::sleep_until(until.into()) => End::Failed(grant.cap),
    };
    close(sink).await;
    end
}

/// The address, which costs nothing.
async fn prepare(shared: &Shared, wanted: &Wanted) -> Result<Place, Fault> {
    if let Some(fault) = wanted.refused {
        return Err(fault);
    }
    if let Some(place) = shared.take_kept(&wanted.agent) {
        return Ok(place);
    }
    if !shared.admits() {
        return Err(Fault::Resting);
    }
    let first = tokio::time::timeout(shared.patience.connect, shared.place(&wanted.agent));
    match first.await.unwrap_or(Err(Fault::Late)) {
        Err(fault) if fault.may_pass() => {
            tokio::time::sleep(AGAIN).await;
            let second = shared.place(&wanted.agent);
            let second = tokio::time::timeout(shared.patience.connect, second);
            second.await.unwrap_or(Err(Fault::Late))
        }
        other => other,
    }
}

/// The stream is made while the disk writes; the WebSocket, from which on the provider counts, after that.
async fn connect(shared: &Shared, place: &Place, grant: &mut Grant) -> Result<Socket, Fault> {
    let request = stream::request(&place.url).ok_or(Fault::Unreachable)?;
    let tls = place.at.tls.then_some(&shared.tls);
    let stream = async {
        let stream = stream::connect(&place.at.host, place.at.port, tls).await;
        stream.map_err(|_| Fault::Unreachable)
    };
    let (stream, ()) = tokio::try_join!(stream, grant.counted())?;
    match stream::open(request, stream, limits::AGENT_FRAME_BYTES).await {
        Ok(socket) => Ok(socket),
        Err(error) => match *error {
            Error::Http(response) => Err(Fault::of_status(response.status().as_u16())),
            _ => Err(Fault::Unreachable),
        },
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
        let sent = tokio::select! {
            biased;
            sent = tokio::time::timeout(shared.patience.stall, sending) => sent,
            // Who takes nothing keeps nobody here: each second costs.
            () = control.closing() => return End::Finished,
        };
        match sent {
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
