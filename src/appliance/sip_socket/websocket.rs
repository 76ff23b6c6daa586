//! WebSocket under SIP (RFC 7118): the handshake with its subprotocol, and a message a frame.
//!
//! Both ways run over a plain stream or over TLS. A peer that does not speak `sip` is refused before
//! anything of it reaches the core.

use std::io;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};
use tokio_tungstenite::{accept_hdr_async_with_config, client_async_with_config};

use super::Arrival;
use super::streams::{self, WRITE_TIMEOUT};
use crate::appliance::stream::{Socket, Stream};
use crate::base::limits::SIP_MESSAGE_BYTES;
use crate::sip::Flow;
use crate::sip::message::{Host, host_and_port};

const SUBPROTOCOL: &str = "sip";
const FIELD: &str = "Sec-WebSocket-Protocol";

fn limits() -> WebSocketConfig {
    let most = Some(SIP_MESSAGE_BYTES);
    WebSocketConfig::default()
        .max_message_size(most)
        .max_frame_size(most)
        .read_buffer_size(8_192)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * SIP_MESSAGE_BYTES)
}

/// The server's side of the handshake.
#[expect(clippy::result_large_err, reason = "the library's own type")]
pub(super) async fn accept(stream: Box<dyn Stream>, names: &[String]) -> io::Result<Socket> {
    let chosen = |request: &Request, response: Response| choose(request, response, names);
    accept_hdr_async_with_config(stream, chosen, Some(limits())).await.map_err(io::Error::other)
}

/// Section 4.2: the client must offer `sip`, and is told that it was chosen.
#[expect(clippy::result_large_err, reason = "the library's own type")]
fn choose(
    request: &Request,
    mut response: Response,
    names: &[String],
) -> Result<Response, ErrorResponse> {
    let refused = |status, text: &str| {
        let mut refusal = ErrorResponse::new(Some(text.to_owned()));
        *refusal.status_mut() = status;
        Err(refusal)
    };
    if !speaks_sip(request.headers()) {
        return refused(StatusCode::BAD_REQUEST, "the subprotocol is sip");
    }
    if !is_own_page(request.headers(), names) {
        return refused(StatusCode::FORBIDDEN, "a page of another site may not call");
    }
    response.headers_mut().insert(FIELD, HeaderValue::from_static(SUBPROTOCOL));
    Ok(response)
}

/// Browsers say whose page it is, and would let any page call (RFC 6455 section 10.2); telephones and
/// servers say nothing. The page must be that of a host that is us, too: whoever owns a name can have it lead
/// to our address once his page is loaded.
fn is_own_page(headers: &HeaderMap, names: &[String]) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("Origin"), text("Host")) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            let site = origin.split_once("://").map(|(_, site)| site);
            site.is_some_and(|site| site.eq_ignore_ascii_case(host)) && is_ours(host, names)
        }
        (Some(_), None) => false,
    }
}

/// An address is nobody's name, and what localhost is no stranger decides.
fn is_ours(host: &str, names: &[String]) -> bool {
    match host_and_port(host) {
        Some((Host::Ip(_), _)) => true,
        Some((Host::Name(name), _)) => {
            let own = names.iter().map(String::as_str).chain(["localhost"]);
            own.into_iter().any(|own| own.eq_ignore_ascii_case(&name))
        }
        None => false,
    }
}

fn speaks_sip(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(FIELD).iter().filter_map(|value| value.to_str().ok());
    offers
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case(SUBPROTOCOL))
}

/// The client's side of the handshake, with the host as the server is called. A server that chooses no
/// subprotocol, or another one, does not speak SIP here.
pub(super) async fn connect(
    stream: Box<dyn Stream>,
    host: &str,
    is_secure: bool,
) -> io::Result<Socket> {
    let scheme = if is_secure { "wss" } else { "ws" };
    let mut request =
        format!("{scheme}://{host}/").into_client_request().map_err(io::Error::other)?;
    request.headers_mut().insert(FIELD, HeaderValue::from_static(SUBPROTOCOL));
    let shaken = client_async_with_config(request, stream, Some(limits())).await;
    let (socket, response) = shaken.map_err(io::Error::other)?;
    match speaks_sip(response.headers()) {
        true => Ok(socket),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "the server speaks no SIP")),
    }
}

/// Lives as long as the socket.
pub(super) async fn run(socket: Socket, flow: Flow, arrivals: mpsc::Sender<Arrival>) {
    let (sink, stream) = socket.split();
    let read = read(stream, flow, &arrivals);
    streams::live(flow, &arrivals, read, |writes| write(sink, writes)).await;
}

async fn read(mut stream: SplitStream<Socket>, flow: Flow, arrivals: &mpsc::Sender<Arrival>) {
    // A ping is answered by the library with the next thing that it does.
    while let Some(Ok(message)) = stream.next().await {
        let bytes = match message {
            Message::Text(text) => Bytes::from(text).to_vec(),
            Message::Binary(bytes) => bytes.to_vec(),
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        if arrivals.send(Arrival::Message { flow, bytes }).await.is_err() {
            return;
        }
    }
}

/// Each message within the limit; once the socket is being closed, all that is left within it.
async fn write(mut sink: SplitSink<Socket, Message>, mut writes: mpsc::Receiver<Vec<u8>>) {
    let mut close_by = None;
    while let Some(bytes) = writes.recv().await {
        let end = Instant::now() + WRITE_TIMEOUT;
        let end = if writes.is_closed() { *close_by.get_or_insert(end) } else { end };
        let bytes = Bytes::from(bytes);
        // Browsers' libraries expect text; a body that is none must go as it is.
        let message = match Utf8Bytes::try_from(bytes.clone()) {
            Ok(text) => Message::Text(text),
            Err(_) => Message::Binary(bytes),
        };
        if !matches!(tokio::time::timeout_at(end, sink.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
    let _ = tokio::time::timeout(WRITE_TIMEOUT, sink.close()).await;
}
