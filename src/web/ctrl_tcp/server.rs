//! The socket: clients come and go, each with its commands and all events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, mpsc};

use super::Settings;
use super::commands::Commands;
use super::message::{self, Request};
use super::netstring::{self, Reader};
use crate::base::limits;
use crate::web::board::Board;
use crate::web::command::Command;
use crate::web::events::{CallNews, Event, TransferStep};

/// A client that takes nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(10);
/// After an error of the listening socket, as where there are no descriptors.
const AGAIN: Duration = Duration::from_secs(1);
/// Calls of which it is remembered that their end was told.
const CLOSED: usize = 64;

/// Serves until the program ends.
pub async fn serve(
    listener: TcpListener,
    board: Arc<Board>,
    commands: mpsc::Sender<Command>,
    settings: Settings,
) {
    let settings = Arc::new(settings);
    let places = Arc::new(Semaphore::new(limits::CTRL_TCP_CLIENTS));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!("baresip.listen: one client too many");
            continue;
        };
        let commands = Commands::new(Arc::clone(&board), commands.clone(), Arc::clone(&settings));
        let client = Client {
            stream,
            board: Arc::clone(&board),
            settings: Arc::clone(&settings),
            commands,
            closed: VecDeque::new(),
        };
        tokio::spawn(async move {
            client.run().await;
            drop(place);
        });
    }
}

struct Client {
    stream: TcpStream,
    board: Arc<Board>,
    settings: Arc<Settings>,
    commands: Commands,
    /// Call-IDs whose end was told: it is told once.
    closed: VecDeque<String>,
}

impl Client {
    /// Until the client is gone, or takes nothing any more.
    async fn run(mut self) -> Option<()> {
        self.stream.set_nodelay(true).ok()?;
        let mut events = self.board.events().listen(None).coming;
        let mut reader = Reader::default();
        let mut bytes = [0; 4_096];
        let mut has_begun = false;
        loop {
            tokio::select! {
                read = self.stream.read(&mut bytes) => {
                    let count = read.ok().filter(|count| *count > 0)?;
                    // A page of a web site has the browser send HTTP here, with commands in its body.
                    if !has_begun && !bytes.first()?.is_ascii_digit() {
                        tracing::warn!("baresip.listen: somebody speaks another protocol");
                        return None;
                    }
                    has_begun = true;
                    reader.push(bytes.get(..count)?);
                    while let Some(came) = reader.next() {
                        // What makes no sense is not answered.
                        let Ok(text) = came else { continue };
                        let Ok(request) = serde_json::from_slice::<Request>(&text) else { continue };
                        let outcome = self.commands.run(&request).await;
                        self.send(&outcome.response(request.token)).await?;
                    }
                }
                event = events.recv() => match event {
                    Ok(happened) => {
                        for event in self.written(&happened.event) {
                            self.send(&event).await?;
                        }
                    }
                    Err(RecvError::Lagged(missed)) => {
                        // It would wait for ever for the end of a call that it missed: who connects again asks
                        // for the calls that there are.
                        tracing::warn!(missed, "a client of baresip.listen is too slow for events");
                        return None;
                    }
                    Err(RecvError::Closed) => return None,
                }
            }
        }
    }

    async fn send(&mut self, message: &Value) -> Option<()> {
        let bytes = netstring::written(&message.to_string());
        let sent = tokio::time::timeout(PATIENCE, self.stream.write_all(&bytes)).await;
        sent.ok()?.ok()
    }

    /// The event in baresip's words; none where it has none.
    fn written(&mut self, event: &Event) -> Vec<Value> {
        let settings = Arc::clone(&self.settings);
        let of_call = |call, kind: &str, param: &str| {
            let record = self.board.call(call)?;
            Some(message::of_call(kind, &record, param, &settings))
        };
        match event {
            Event::Call { news, record } => {
                let id = record.sip_call_id.reveal();
                let is_end = matches!(news, CallNews::Closed | CallNews::Waiting);
                // One without a Call-ID never left.
                if id.is_empty() || is_end && !self.closes(id) {
                    return Vec::new();
                }
                let told = message::news(*news, record, &settings);
                told.map(|(kind, param)| message::of_call(kind, record, &param, &settings))
                    .into_iter()
                    .collect()
            }
            Event::Key { call, key } => {
                let param = key.reveal().to_string();
                let began = of_call(*call, "CALL_DTMF_START", &param);
                began.into_iter().chain(of_call(*call, "CALL_DTMF_END", "")).collect()
            }
            Event::Transfer { call, step: TransferStep::Asked, to } => {
                let to = to.as_ref().map(|to| to.reveal().as_str());
                of_call(*call, "TRANSFER", to.unwrap_or_default()).into_iter().collect()
            }
            Event::Transfer { call, step: TransferStep::Failed, .. } => {
                of_call(*call, "TRANSFER_FAILED", "").into_iter().collect()
            }
            Event::Account(report) => message::of_account(report, &settings).into_iter().collect(),
            Event::Transfer { step: TransferStep::Begun, .. }
            | Event::Partial { .. }
            | Event::Heard { .. }
            | Event::Replied { .. }
            | Event::Message { .. }
            | Event::Voicemail { .. }
            | Event::Health(_)
            | Event::Gap { .. } => Vec::new(),
        }
    }

    /// Whether its end is news.
    fn closes(&mut self, id: &str) -> bool {
        if self.closed.iter().any(|known| known == id) {
            return false;
        }
        if self.closed.len() == CLOSED {
            self.closed.pop_front();
        }
        self.closed.push_back(id.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Private;
    use crate::web::board::Health;

    #[tokio::test]
    async fn who_has_missed_events_is_let_go_and_asks_for_the_calls_that_there_are() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let board = Arc::new(Board::default());
        let own = Private::new("sip:box@127.0.0.1".to_owned());
        let settings = Settings { legacy_classes: false, own, accounts: Vec::new() };
        let (commands, _taken) = mpsc::channel(1);
        tokio::spawn(serve(listener, Arc::clone(&board), commands, settings));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&netstring::written(r#"{"command":"listcalls"}"#)).await.unwrap();
        let mut bytes = [0; 4_096];
        assert!(stream.read(&mut bytes).await.unwrap() > 0, "it is served, so it listens");
        // No other task runs meanwhile: these are more than may wait.
        for _ in 0..=limits::EVENTS_COMING {
            board.tell(Event::Health(Health::Ready));
        }
        assert_eq!(stream.read(&mut bytes).await.unwrap(), 0, "the connection is closed");
    }
}
