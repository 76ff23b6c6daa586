//! The shell of a line to a bridge: its connections, its clock, and what is shown of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};

use super::door::{Guest, Handed, Visitor};
use super::{Announced, Announcer, NotAnnounced, Wanted};
use crate::appliance::stream::{self, Socket};
use crate::appliance::trust::Roots;
use crate::appliance::url::Url;
use crate::base::percent::escape_all;
use crate::base::{Private, limits};
use crate::call::Cause;
use crate::web::{Board, BridgeReport};
use crate::websocket::bridge::{Bridge, Input, Output, Shown};
use crate::websocket::{Order, SUBPROTOCOL};

/// A bridge that the box connects to.
#[derive(Clone, Debug)]
pub struct Settings {
    pub name: String,
    pub url: Private<String>,
    pub at: Url,
    /// Shown to the bridge, as `Authorization: Bearer`.
    pub token: Option<Private<String>>,
}

/// How all of them are, for the owner.
#[derive(Debug)]
pub(super) struct Reports {
    all: Mutex<Vec<BridgeReport>>,
    board: Arc<Board>,
}

impl Reports {
    pub(super) fn new(bridges: &[Settings], board: Arc<Board>) -> Self {
        let all = bridges.iter().map(|bridge| BridgeReport::new(&bridge.name)).collect();
        let reports = Self { all: Mutex::new(all), board };
        reports.set(usize::MAX, Shown::default());
        reports
    }

    fn set(&self, index: usize, Shown { is_open, failures }: Shown) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(report) = all.get_mut(index) {
            (report.is_open, report.failures) = (is_open, failures);
        }
        self.board.set_bridges(all.clone());
    }
}

/// How a bridge is reached, for its line and for a call that has lost its connection.
#[derive(Clone)]
pub(super) struct Way {
    settings: Settings,
    tls: TlsConnector,
}

impl Way {
    pub(super) fn new(settings: Settings, roots: &Roots) -> Self {
        Self { settings, tls: stream::connector(roots.clone()) }
    }

    /// `more`: what is added to the address.
    async fn open(&self, more: &str) -> Option<Socket> {
        let Settings { url, at, token, .. } = &self.settings;
        let separator = if at.query.is_some() { '&' } else { '?' };
        let url = match more {
            "" => url.clone(),
            more => Private::new(format!("{}{separator}{more}", url.reveal())),
        };
        let mut request = stream::request(&url)?;
        let fields = request.headers_mut();
        fields.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
        if let Some(token) = token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.reveal())).ok()?;
            value.set_sensitive(true);
            fields.insert(AUTHORIZATION, value);
        }
        let open = async {
            let tls = at.tls.then_some(&self.tls);
            let stream = stream::connect(&at.host, at.port, tls).await.ok()?;
            stream::open(request, stream, limits::AUDIO_MESSAGE_BYTES).await.ok()
        };
        tokio::time::timeout(limits::BRIDGE_CONNECT, open).await.ok().flatten()
    }

    /// The call that has lost its connection has another one, sooner or later.
    pub(super) async fn again(self, call_id: Private<String>, resume: Private<String>) -> Socket {
        // What may stand in a query as it is (RFC 3986 section 2.3): a form's plus would be a space.
        let [call_id, resume] = [call_id, resume].map(|text| escape_all(text.reveal()));
        let more = format!("callId={call_id}&resume={resume}");
        loop {
            if let Some(socket) = self.open(&more).await {
                return socket;
            }
            tokio::time::sleep(limits::BRIDGE_RESUME).await;
        }
    }
}

/// What happens on a line.
enum Happened {
    Opened(Option<Box<Socket>>),
    Message(Option<Message>),
    Nothing,
}

/// One line, as long as the program runs.
pub(super) struct Task {
    pub(super) index: usize,
    pub(super) way: Way,
    pub(super) reports: Arc<Reports>,
    pub(super) wanted: mpsc::Sender<Wanted>,
    pub(super) guests: mpsc::Sender<Guest>,
}

impl Task {
    pub(super) async fn run(self) {
        let mut bridge = Bridge::new();
        let mut socket: Option<Socket> = None;
        let mut last = None;
        loop {
            let mut wants_connection = false;
            let deadline = loop {
                match bridge.poll_output() {
                    Output::Connect => {
                        socket = None;
                        wants_connection = true;
                    }
                    Output::Ping => say(&mut socket, Message::Ping(Vec::new().into())).await,
                    Output::Say(text) => {
                        say(&mut socket, Message::text(text.into_revealed())).await
                    }
                    Output::Close => say(&mut socket, Message::Close(None)).await,
                    Output::Shows(shown) => self.shows(shown),
                    Output::Announce(order) => {
                        let outcome = self.announce(order, socket.take(), last.take()).await;
                        let now = Instant::now();
                        match outcome {
                            Ok(()) => bridge.handle(now, Input::Taken),
                            Err((back, cause)) => {
                                socket = back;
                                bridge.handle(now, Input::Refused(cause));
                            }
                        }
                    }
                    Output::Timeout(at) => break at,
                }
            };
            let happened = match wants_connection {
                true => Happened::Opened(self.way.open("").await.map(Box::new)),
                false => happens(&mut socket, deadline).await,
            };
            let now = Instant::now();
            let input = match &happened {
                Happened::Opened(Some(_)) => Input::Opened,
                Happened::Message(Some(Message::Text(text))) => Input::Text(text.as_str()),
                Happened::Message(Some(Message::Close(_)) | None) | Happened::Opened(None) => {
                    socket = None;
                    Input::Lost
                }
                Happened::Message(Some(_)) => Input::Sign,
                Happened::Nothing => Input::Timeout,
            };
            bridge.handle(now, input);
            match happened {
                Happened::Opened(opened) => socket = opened.map(|opened| *opened),
                Happened::Message(Some(Message::Text(text))) => last = Some(text.to_string()),
                Happened::Message(_) | Happened::Nothing => (),
            }
        }
    }

    fn shows(&self, shown: Shown) {
        let (name, failures) = (&self.way.settings.name, shown.failures);
        match (shown.is_open, failures) {
            (true, _) => tracing::info!(bridge = name, "the line to the bridge is open"),
            (false, 0) => (),
            (false, _) => tracing::warn!(bridge = name, failures, "no line to the bridge"),
        }
        self.reports.set(self.index, shown);
    }

    /// Hands the connection to the session of the call that has come; gives it back where there is none.
    async fn announce(
        &self,
        order: Order,
        socket: Option<Socket>,
        start: Option<String>,
    ) -> Result<(), (Option<Socket>, Cause)> {
        let Some(socket) = socket else { return Err((None, Cause::SignallingLost)) };
        let call_id = Private::new(order.call_id().to_owned());
        let (told, answer) = oneshot::channel();
        let by = Announcer::Bridge(self.index);
        if self.wanted.send(Wanted::Announce { by, order, told }).await.is_err() {
            return Err((Some(socket), Cause::ShuttingDown));
        }
        let announced = answer.await.unwrap_or(Err(NotAnnounced::Unavailable));
        let token = match announced {
            Ok(Announced { secret }) => Private::new(secret.reveal().to_owned()),
            Err(NotAnnounced::InUse | NotAnnounced::Full) => {
                return Err((Some(socket), Cause::Busy));
            }
            Err(NotAnnounced::Unavailable) => return Err((Some(socket), Cause::Overloaded)),
        };
        let visitor = Visitor { call_id, token, resume: None };
        let start = start.map(Private::new);
        let handed = Handed::Called { socket: Box::new(socket), start, way: self.way.clone() };
        // The thread is this one.
        let _ = self.guests.send(Guest::Enters { visitor, handed }).await;
        Ok(())
    }
}

/// Who does not take it is found out by silence.
async fn say(socket: &mut Option<Socket>, message: Message) {
    if let Some(socket) = socket {
        let _ = tokio::time::timeout(limits::AUDIO_FAREWELL, socket.send(message)).await;
    }
}

async fn happens(socket: &mut Option<Socket>, deadline: Option<Instant>) -> Happened {
    let next = async {
        match socket {
            Some(socket) => socket.next().await.and_then(Result::ok),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        message = next => Happened::Message(message),
        () = super::session::sleep_until(deadline) => Happened::Nothing,
    }
}
