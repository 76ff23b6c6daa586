//! One connection to the WebSocket gateway. Dropping its [`Line`] closes it.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::appliance::stream::{self, Socket};
use crate::appliance::url::Url;
use crate::base::{Private, limits};

/// For the connection with its handshakes.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// What happens on it.
#[derive(Debug)]
pub(super) enum Happening {
    Opened,
    Frame(Private<String>),
    /// Or it could not be made. `retry_after_s`: the server wants to be left alone for so long.
    Closed {
        retry_after_s: Option<u32>,
    },
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
        let (frames, to_send) = mpsc::channel(limits::RINGCENTRAL_FRAMES);
        let (happen, happenings) = mpsc::channel(limits::RINGCENTRAL_FRAMES);
        tokio::spawn(async move {
            let run = run(&url, &tls, may_be_plain, to_send, &happen);
            // Any other reason is nobody's concern: it is made again.
            let retry_after_s = run.await.err().and_then(|Gone(asked)| asked);
            let _ = happen.send(Happening::Closed { retry_after_s }).await;
        });
        Self { frames, happenings }
    }

    pub fn send(&self, frame: String) {
        // What does not take frames is silent, and found out by that.
        let _ = self.frames.try_send(frame);
    }

    pub async fn next(&mut self) -> Happening {
        self.happenings.recv().await.unwrap_or(Happening::Closed { retry_after_s: None })
    }
}

/// The connection is no more; with the Retry-After of a server that did not want it.
struct Gone(Option<u32>);

async fn run(
    url: &Private<String>,
    tls: &TlsConnector,
    may_be_plain: bool,
    mut frames: mpsc::Receiver<String>,
    happen: &mpsc::Sender<Happening>,
) -> Result<(), Gone> {
    let connected = tokio::time::timeout(CONNECT_WITHIN, connect(url, tls, may_be_plain)).await;
    let mut socket = connected.map_err(|_| Gone(None))??;
    happen.send(Happening::Opened).await.map_err(|_| Gone(None))?;
    loop {
        tokio::select! {
            frame = frames.recv() => match frame {
                Some(frame) => socket.send(Message::text(frame)).await.map_err(|_| Gone(None))?,
                None => return socket.close(None).await.map_err(|_| Gone(None)),
            },
            message = socket.next() => match message.and_then(Result::ok).ok_or(Gone(None))? {
                Message::Text(text) => {
                    let frame = Happening::Frame(Private::new(text.as_str().to_owned()));
                    happen.send(frame).await.map_err(|_| Gone(None))?;
                }
                // Pings are answered by the library as it goes on.
                Message::Ping(_) => socket.flush().await.map_err(|_| Gone(None))?,
                Message::Close(_) => return Err(Gone(None)),
                Message::Binary(_) | Message::Pong(_) | Message::Frame(_) => {}
            },
        }
    }
}

fn retry_after_s(error: &Error) -> Option<u32> {
    let Error::Http(answer) = error else { return None };
    stream::retry_after_s(answer.headers())?.try_into().ok()
}

async fn connect(
    url: &Private<String>,
    tls: &TlsConnector,
    may_be_plain: bool,
) -> Result<Socket, Gone> {
    let address = Url::read(url.reveal(), ["ws", "wss"]);
    let address = address.filter(|address| address.tls || may_be_plain).ok_or(Gone(None))?;
    let tls = address.tls.then_some(tls);
    let stream = stream::connect(&address.host, address.port, tls).await.map_err(|_| Gone(None))?;
    let request = stream::request(url).ok_or(Gone(None))?;
    let opened = stream::open(request, stream, limits::RINGCENTRAL_BODY_BYTES).await;
    opened.map_err(|error| Gone(retry_after_s(&error)))
}
