//! One connection to the WebSocket gateway. Dropping its [`Line`] closes it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;

use crate::appliance::stream::{self, Socket};
use crate::appliance::url::Url;
use crate::base::{Private, limits};

/// For the connection with its handshakes.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Frames that wait to be written, and to be read.
const FRAMES: usize = 64;

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

impl Line {
    /// `may_be_plain`: the platform is a stand-in on this machine.
    pub fn open(url: Private<String>, tls: TlsConnector, may_be_plain: bool) -> Self {
        let (frames, to_send) = mpsc::channel(FRAMES);
        let (happen, happenings) = mpsc::channel(FRAMES);
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
    let mut socket = tokio::time::timeout(CONNECT_WITHIN, connect(url, tls, may_be_plain))
        .await
        .ok()
        .flatten()?;
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

async fn connect(url: &Private<String>, tls: &TlsConnector, may_be_plain: bool) -> Option<Socket> {
    let Url { tls: is_secure, host, port, .. } = Url::read(url.reveal(), ["ws", "wss"])?;
    if !is_secure && !may_be_plain {
        return None;
    }
    let stream = stream::connect(&host, port, is_secure.then_some(tls)).await.ok()?;
    stream::open(stream::request(url)?, stream, limits::RINGCENTRAL_BODY_BYTES).await.ok()
}
