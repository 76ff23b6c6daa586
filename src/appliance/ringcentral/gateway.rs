//! One connection to the WebSocket gateway. Dropping its [`Line`] closes it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::Uri;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::base::{Private, limits};

/// For the connection with its handshakes.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// What happens on it.
#[derive(Debug)]
pub(super) enum Happening {
    Opened,
    Frame(String),
    Closed,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    frames: mpsc::Sender<String>,
    happenings: mpsc::Receiver<Happening>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Line {
    /// `may_be_plain`: the platform is a stand-in on this machine.
    pub fn open(url: Private<String>, tls: TlsConnector, may_be_plain: bool) -> Self {
        let (frames, to_send) = mpsc::channel(limits::RINGCENTRAL_FRAMES);
        let (happen, happenings) = mpsc::channel(limits::RINGCENTRAL_FRAMES);
        tokio::spawn(async move {
            let run = run(&url, &tls, may_be_plain, to_send, &happen);
            // Why is nobody's concern: it is made again.
            let _ = run.await;
            let _ = happen.send(Happening::Closed).await;
        });
        Self { frames, happenings }
    }

    pub fn send(&self, frame: String) {
        // What does not take frames is silent, and found out by that.
        let _ = self.frames.try_send(frame);
    }

    pub async fn next(&mut self) -> Happening {
        self.happenings.recv().await.unwrap_or(Happening::Closed)
    }
}

async fn run(
    url: &Private<String>,
    tls: &TlsConnector,
    may_be_plain: bool,
    mut frames: mpsc::Receiver<String>,
    happen: &mpsc::Sender<Happening>,
) -> Option<()> {
    let stream = tokio::time::timeout(CONNECT_WITHIN, connect(url, tls, may_be_plain));
    let stream = stream.await.ok().flatten()?;
    let most = Some(limits::RINGCENTRAL_BODY_BYTES);
    let config = WebSocketConfig::default().max_message_size(most).max_frame_size(most);
    let shaken = client_async_with_config(url.reveal().as_str(), stream, Some(config));
    let shaken = tokio::time::timeout(CONNECT_WITHIN, shaken).await.ok()?;
    let (mut socket, _) = shaken.ok()?;
    happen.send(Happening::Opened).await.ok()?;
    loop {
        tokio::select! {
            frame = frames.recv() => match frame {
                Some(frame) => socket.send(Message::text(frame)).await.ok()?,
                None => return socket.close(None).await.ok(),
            },
            message = socket.next() => match message?.ok()? {
                Message::Text(text) => {
                    happen.send(Happening::Frame(text.as_str().to_owned())).await.ok()?;
                }
                // Pings are answered by the library as it goes on.
                Message::Ping(_) => socket.flush().await.ok()?,
                Message::Close(_) => return None,
                Message::Binary(_) | Message::Pong(_) | Message::Frame(_) => {}
            },
        }
    }
}

async fn connect(
    url: &Private<String>,
    tls: &TlsConnector,
    may_be_plain: bool,
) -> Option<Box<dyn Stream>> {
    let uri: Uri = url.reveal().parse().ok()?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let is_secure = match uri.scheme_str()? {
        "wss" => true,
        "ws" if may_be_plain => false,
        _ => return None,
    };
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await.ok()?;
    stream.set_nodelay(true).ok()?;
    if !is_secure {
        return Some(Box::new(stream));
    }
    let name = ServerName::try_from(host).ok()?;
    Some(Box::new(tls.connect(name, stream).await.ok()?))
}
