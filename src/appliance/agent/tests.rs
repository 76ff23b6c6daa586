//! Connections with a server of the test's own, over sockets of this machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Receiver;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::*;
use crate::converse::agent::ClientMessage;

const CALL: CallId = CallId(1);
const METADATA: &str = r#"{"type":"conversation_initiation_metadata",
    "conversation_initiation_metadata_event":{"conversation_id":"c"}}"#;
/// Nothing here takes that long.
const LONG: Duration = Duration::from_secs(60);

struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let name = format!("attendant-agent-{name}-{}.json", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a test has of a server that does `script` with each connection, and counts them.
async fn server<F: Future<Output = ()> + Send + 'static>(
    script: impl Fn(WebSocketStream<TcpStream>) -> F + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            script(accept_async(stream).await.unwrap()).await;
        }
    });
    (address, count)
}

/// An agent that is open to everybody.
fn agents(
    file: &File,
    address: SocketAddr,
    limits: Limits,
    patience: Patience,
) -> (Agents, Receiver<AgentEvent>) {
    let server = Address {
        tls: false,
        host: address.ip().to_string(),
        port: address.port(),
        prefix: String::new(),
    };
    let (agent, key, roots) = ("agent_1".to_owned(), None, Roots::default());
    let settings = Settings { server, agent, key, roots, limits, patience };
    Agents::new(settings, LedgerFile::open(&file.0).unwrap(), || TODAY)
}

const TODAY: Clock = Clock { day: 5, up: Duration::from_secs(5), start: 1 };
const LIMITS: Limits = Limits { per_call: 600, per_day: 3_600 };

async fn next(agents: &mut Agents, events: &mut Receiver<AgentEvent>) -> Option<Event> {
    let event = tokio::time::timeout(LONG, events.recv()).await.unwrap().unwrap();
    agents.event(event).map(|(_, _, event)| event)
}

fn begin(agents: &mut Agents, work: u32) {
    agents.ask(CALL, WorkId(work), Command::Prepare { agent: None });
    agents.ask(CALL, WorkId(work), Command::Connect(Box::default()));
}

#[tokio::test]
async fn nothing_is_connected_before_the_answer_and_a_call_without_one_uses_nothing() {
    let (address, count) = server(|_| async {}).await;
    let file = File::new("unanswered");
    let (mut agents, mut events) = agents(&file, address, LIMITS, Patience::default());
    agents.ask(CALL, WorkId(1), Command::Prepare { agent: None });
    // It gets so far as to wait for the answer.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(agents.cancel(CALL, WorkId(1)));
    assert_eq!(next(&mut agents, &mut events).await, None, "nobody wants to know");
    assert_eq!((count.load(Ordering::Relaxed), agents.figures().used_today_s), (0, 0));
    assert!(!agents.cancel(CALL, WorkId(1)), "it is over");
}

#[tokio::test]
async fn a_connection_is_closed_with_its_call_and_its_seconds_count() {
    let (told, mut heard) = mpsc::channel(64);
    let script = move |mut socket: WebSocketStream<TcpStream>| {
        let told = told.clone();
        async move {
            let _ = socket.send(Message::Text(METADATA.into())).await;
            let ping = r#"{"type":"ping","ping_event":{"event_id":9}}"#;
            let _ = socket.send(Message::Text(ping.into())).await;
            while let Some(Ok(message)) = socket.next().await {
                told.send(message).await.unwrap();
            }
        }
    };
    let (address, _) = server(script).await;
    let file = File::new("closed");
    let (mut agents, mut events) = agents(&file, address, LIMITS, Patience::default());
    begin(&mut agents, 1);
    assert_eq!(next(&mut agents, &mut events).await, Some(Event::Connected));
    assert!(matches!(next(&mut agents, &mut events).await, Some(Event::Opened(_))));
    let first = heard.recv().await.unwrap().into_text().unwrap();
    assert!(first.contains("conversation_initiation_client_data"), "{first}");
    let pong = heard.recv().await.unwrap().into_text().unwrap();
    assert!(pong.contains("pong") && pong.contains('9'), "{pong}");
    agents.cancel_all(CALL);
    let Some(Message::Close(Some(frame))) = heard.recv().await else { panic!() };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1000, "User ended conversation"));
    assert_eq!(next(&mut agents, &mut events).await, None);
    assert_eq!(agents.figures().used_today_s, 1, "a second that was begun");
    assert!(agents.used.is_empty() && agents.open.is_empty(), "nothing is kept of the call");
}

#[tokio::test]
async fn a_call_has_its_seconds_over_all_its_connections_and_a_day_its_own_also_after_a_crash() {
    let script = |mut socket: WebSocketStream<TcpStream>| async move {
        let _ = socket.send(Message::Text(METADATA.into())).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    let (address, count) = server(script).await;
    let file = File::new("seconds");
    let limits = Limits { per_call: 1, per_day: 2 };
    {
        let (mut agents, mut events) = agents(&file, address, limits, Patience::default());
        begin(&mut agents, 1);
        let mut event = None;
        while !matches!(event, Some(Event::Ended(_))) {
            event = next(&mut agents, &mut events).await;
        }
        assert_eq!(event, Some(Event::Ended(End::Failed(Fault::CallSeconds))));
        begin(&mut agents, 2);
        let ended = Some(Event::Ended(End::Failed(Fault::CallSeconds)));
        assert_eq!(next(&mut agents, &mut events).await, ended, "it is the same call");
        assert_eq!(agents.figures().fault, None, "a limit is no fault of the agent's");
        // Another call is connected when the program is killed.
        agents.ask(CallId(2), WorkId(1), Command::Prepare { agent: None });
        assert_eq!(agents.allowance.left(TODAY, limits), 1, "one that rings costs nothing");
        agents.ask(CallId(2), WorkId(1), Command::Connect(Box::default()));
        while event != Some(Event::Connected) {
            event = next(&mut agents, &mut events).await;
        }
    }
    let (mut agents, mut events) = agents(&file, address, limits, Patience::default());
    assert_eq!(agents.figures().used_today_s, 2, "what was set aside counts");
    begin(&mut agents, 1);
    let ended = Some(Event::Ended(End::Failed(Fault::DaySeconds)));
    assert_eq!(next(&mut agents, &mut events).await, ended);
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let script = |mut socket: WebSocketStream<TcpStream>| async move {
        let _ = socket.send(Message::Text(METADATA.into())).await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    let (address, _) = server(script).await;
    let file = File::new("silent");
    let patience = Patience { silence: Duration::from_millis(50), ..Patience::default() };
    let (mut agents, mut events) = agents(&file, address, LIMITS, patience);
    begin(&mut agents, 1);
    let mut event = None;
    while !matches!(event, Some(Event::Ended(_))) {
        event = next(&mut agents, &mut events).await;
    }
    assert_eq!(event, Some(Event::Ended(End::Failed(Fault::Silent))));
    assert_eq!(agents.figures().fault, Some(Fault::Silent));
}

#[tokio::test]
async fn a_server_that_takes_nothing_is_given_up_and_costs_no_memory() {
    let script = |mut socket: WebSocketStream<TcpStream>| async move {
        let _ = socket.send(Message::Text(METADATA.into())).await;
        std::future::pending::<()>().await;
    };
    let (address, _) = server(script).await;
    let file = File::new("stalled");
    let patience = Patience { stall: Duration::from_millis(200), ..Patience::default() };
    let (mut agents, mut events) = agents(&file, address, LIMITS, patience);
    begin(&mut agents, 1);
    let second = ClientMessage::Audio(Private::new(vec![0; 32_000]));
    let mut event = None;
    while !matches!(event, Some(Event::Opened(_))) {
        event = next(&mut agents, &mut events).await;
    }
    let control = Arc::clone(&agents.wanted(CALL, WorkId(1)).unwrap().control);
    let ended = loop {
        (0..20).for_each(|_| agents.ask(CALL, WorkId(1), Command::Send(second.clone())));
        match events.try_recv() {
            Ok(event) => break agents.event(event).map(|(_, _, event)| event),
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert_eq!(ended, Some(Event::Ended(End::Failed(Fault::Stalled))));
    assert!(control.dropped_ms() > 10_000, "{}", control.dropped_ms());
}

#[tokio::test]
async fn a_connection_is_closed_with_its_call_although_the_server_takes_nothing() {
    let script = |mut socket: WebSocketStream<TcpStream>| async move {
        let _ = socket.send(Message::Text(METADATA.into())).await;
        std::future::pending::<()>().await;
    };
    let (address, _) = server(script).await;
    let file = File::new("deaf");
    // Longer than anything is waited for here.
    let never = 10 * LONG;
    let patience = Patience { stall: never, silence: never, ..Patience::default() };
    let (mut agents, mut events) = agents(&file, address, LIMITS, patience);
    begin(&mut agents, 1);
    let mut event = None;
    while !matches!(event, Some(Event::Opened(_))) {
        event = next(&mut agents, &mut events).await;
    }
    let control = Arc::clone(&agents.wanted(CALL, WorkId(1)).unwrap().control);
    let second = ClientMessage::Audio(Private::new(vec![0; 32_000]));
    // More than the sockets hold: the writer is in the middle of a message.
    while control.dropped_ms() < 10_000 {
        (0..20).for_each(|_| agents.ask(CALL, WorkId(1), Command::Send(second.clone())));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    agents.cancel_all(CALL);
    assert_eq!(next(&mut agents, &mut events).await, None, "it is over");
    assert!(agents.open.is_empty());
}
