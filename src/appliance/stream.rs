//! Connections that we make: a stream to a host, with TLS or without, and a WebSocket over it.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, http};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::trust::Roots;
use crate::base::Private;

/// What a protocol runs over, whatever is below.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A WebSocket, whatever is below.
pub type Socket = WebSocketStream<Box<dyn Stream>>;

/// TLS towards servers for whom these vouch.
pub fn connector(roots: Roots) -> TlsConnector {
    let config = ClientConfig::builder().with_root_certificates(roots.store());
    TlsConnector::from(Arc::new(config.with_no_client_auth()))
}

/// `tls`: the host must show that it is the one.
pub async fn connect(
    host: &str,
    port: u16,
    tls: Option<&TlsConnector>,
) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect((host, port)).await?;
    // Each message is small, and late if it waits for the next.
    stream.set_nodelay(true)?;
    match tls {
        Some(tls) => secure(tls, host, stream).await,
        None => Ok(Box::new(stream)),
    }
}

/// TLS over a stream to this host.
pub async fn secure(
    tls: &TlsConnector,
    host: &str,
    stream: TcpStream,
) -> io::Result<Box<dyn Stream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    Ok(Box::new(tls.connect(name, stream).await?))
}

/// The seconds that an answer wants us to wait (RFC 9110 section 10.2.3); a date is passed over.
pub fn retry_after_s(headers: &http::HeaderMap) -> Option<u64> {
    headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// The request that opens a WebSocket at this address; `None` where it is none.
pub fn request(url: &Private<String>) -> Option<Request<()>> {
    let mut request = url.reveal().as_str().into_client_request().ok()?;
    request.headers_mut().insert(http::header::USER_AGENT, HeaderValue::from_static("attendant"));
    Some(request)
}

/// A WebSocket's messages and frames have at most so many bytes, and what is written leaves at once.
pub fn most(bytes: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(bytes))
        .max_frame_size(Some(bytes))
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * bytes)
}

/// Opens a WebSocket over a stream, with messages and frames of at most so many bytes.
///
/// # Errors
/// The library's: `Http` with the response of a server that refuses.
pub async fn open(
    request: Request<()>,
    stream: Box<dyn Stream>,
    most: usize,
) -> Result<Socket, Box<tungstenite::Error>> {
    let opened = client_async_with_config(request, stream, Some(self::most(most))).await;
    opened.map(|(socket, _)| socket).map_err(Box::new)
}
