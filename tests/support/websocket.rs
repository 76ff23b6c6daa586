//! A client of `WS /audio`, in real time: sends sound every 20 ms, keeps what it gets.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use attendant::base::pcm::level_dbfs;
use attendant::codec::Resampler;
use attendant::codec::g711::Law;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async, client_async};

use super::wait;

/// What can be heard, as both ends of a call take it.
const LOUD_DBFS: f32 = -45.0;

/// What the client sends and gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Pcm16k,
    Pcm8k,
    MuLaw,
}

impl Format {
    pub const fn rate_hz(self) -> u32 {
        match self {
            Self::Pcm16k => 16_000,
            Self::Pcm8k | Self::MuLaw => 8_000,
        }
    }

    pub fn start(self) -> Value {
        let format = if self == Self::MuLaw { "mulaw" } else { "pcm16" };
        json!({ "type": "start", "format": format, "rate": self.rate_hz() })
    }

    fn bytes(self, samples: &[i16]) -> Vec<u8> {
        match self {
            Self::MuLaw => samples.iter().map(|sample| Law::Mu.encode(*sample)).collect(),
            _ => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
        }
    }

    fn samples(self, bytes: &[u8]) -> Vec<i16> {
        match self {
            Self::MuLaw => bytes.iter().map(|code| Law::Mu.decode(*code)).collect(),
            _ => bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect(),
        }
    }
}

/// What a connection to us was opened with.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub target: String,
    pub authorization: String,
    pub subprotocol: String,
}

enum Order {
    Text(Value),
    Say(Vec<i16>),
    /// The connection breaks without a word.
    Cut,
}

#[derive(Debug, Default)]
struct Heard {
    texts: Vec<Value>,
    sound: Vec<i16>,
    /// When each frame came, and whether it can be heard.
    frames: Vec<(Instant, bool)>,
    /// When what could be heard left last.
    said: Option<Instant>,
    /// Why it is over.
    closed: Option<String>,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    format: Format,
    orders: mpsc::Sender<Order>,
    heard: Arc<Mutex<Heard>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Connects; the error is the status of a refusal.
    pub fn open(url: &str, format: Format) -> Result<Self, u16> {
        let (orders, wanted) = mpsc::channel();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (opened, outcome) = mpsc::channel();
        let (url, kept) = (url.to_owned(), Arc::clone(&heard));
        let thread = std::thread::spawn(move || {
            runtime().block_on(run(&url, format, &wanted, &kept, &opened));
        });
        outcome.recv().unwrap()?;
        Ok(Self { format, orders, heard, thread: Some(thread) })
    }

    /// The next connection that somebody makes to us, with the request that opened it.
    #[allow(clippy::result_large_err, reason = "the library's own type")]
    pub fn accepted(listener: &TcpListener, format: Format) -> (Self, Asked) {
        let (orders, wanted) = mpsc::channel();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let kept = Arc::clone(&heard);
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let (opened, outcome) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                let asked = Arc::new(Mutex::new(Asked::default()));
                let told = Arc::clone(&asked);
                #[allow(clippy::result_large_err, reason = "the library says what it returns")]
                let look = move |request: &Request, mut response: Response| {
                    let field = |name: &str| {
                        let value = request.headers().get(name).and_then(|v| v.to_str().ok());
                        value.unwrap_or_default().to_owned()
                    };
                    *told.lock().unwrap() = Asked {
                        target: request.uri().to_string(),
                        authorization: field("authorization"),
                        subprotocol: field("sec-websocket-protocol"),
                    };
                    // Who has wanted one may leave where it is not confirmed (RFC 6455, section 4.1).
                    let wanted = request.headers().get(SEC_WEBSOCKET_PROTOCOL);
                    wanted.map(|name| {
                        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, name.clone())
                    });
                    Ok(response)
                };
                let stream = tokio::net::TcpStream::from_std(stream).unwrap();
                let socket = accept_hdr_async(stream, look).await.unwrap();
                opened.send(asked.lock().unwrap().clone()).unwrap();
                converse(socket, format, &wanted, &kept).await;
            });
        });
        let asked = outcome.recv().unwrap();
        (Self { format, orders, heard, thread: Some(thread) }, asked)
    }

    /// The same, with its `start`, until the call is up.
    pub fn talk(url: &str, format: Format) -> Self {
        let client = Self::open(url, format).unwrap_or_else(|status| panic!("refused: {status}"));
        client.text(&format.start());
        client.wait("started", |_| true);
        client
    }

    pub fn text(&self, text: &Value) {
        let _ = self.orders.send(Order::Text(text.clone()));
    }

    /// Says what is at 16 kHz, after what waits already.
    pub fn say(&self, samples: &[i16]) {
        let mut samples = samples.to_vec();
        if self.format.rate_hz() != 16_000 {
            let mut narrow = vec![0; samples.len()];
            let mut resampler = Resampler::new(16_000, self.format.rate_hz());
            let count = resampler.process(&samples, &mut narrow);
            narrow.truncate(count);
            samples = narrow;
        }
        let _ = self.orders.send(Order::Say(samples));
    }

    pub fn cut(&mut self) {
        let _ = self.orders.send(Order::Cut);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// All messages of a kind so far.
    pub fn told(&self, kind: &str) -> Vec<Value> {
        let heard = self.heard.lock().unwrap();
        heard.texts.iter().filter(|text| text["type"] == kind).cloned().collect()
    }

    /// The first message of a kind that `is_it` takes.
    pub fn wait(&self, kind: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let found = wait::within(Duration::from_secs(45), || {
            self.told(kind).into_iter().find(|text| is_it(text))
        });
        found.unwrap_or_else(|| panic!("no such {kind} in {:#?}", self.heard.lock().unwrap().texts))
    }

    /// Waits for words of the box.
    pub fn wait_for(&self, who: &str, words: &str) -> Value {
        let wanted = words.to_lowercase();
        self.wait("transcript", |said| {
            let text = said["text"].as_str().unwrap().to_lowercase();
            said["who"] == who && said["final"] == true && text.contains(&wanted)
        })
    }

    /// Why it was closed, once it is.
    pub fn closed(&self) -> String {
        wait::until("it is closed", Duration::from_secs(20), || {
            self.heard.lock().unwrap().closed.clone()
        })
    }

    pub fn sound(&self) -> Vec<i16> {
        self.heard.lock().unwrap().sound.clone()
    }

    /// All that was to be said has been, a second ago.
    pub fn has_said(&self) -> bool {
        let said = self.heard.lock().unwrap().said;
        said.is_some_and(|said| said.elapsed() > Duration::from_secs(1))
    }

    /// From the last of our sound that can be heard to the first of the box's after it.
    pub fn gap(&self) -> Option<Duration> {
        let heard = self.heard.lock().unwrap();
        let said = heard.said?;
        let first = heard.frames.iter().find(|(at, is_loud)| *is_loud && *at > said)?;
        Some(first.0 - said)
    }

    /// How long nothing that can be heard has come.
    pub fn silent_for(&self) -> Duration {
        let heard = self.heard.lock().unwrap();
        let last = heard.frames.iter().rev().find(|(_, is_loud)| *is_loud);
        last.map_or(Duration::ZERO, |(at, _)| at.elapsed())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.cut();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn run(
    url: &str,
    format: Format,
    orders: &mpsc::Receiver<Order>,
    heard: &Mutex<Heard>,
    opened: &mpsc::Sender<Result<(), u16>>,
) {
    let address: SocketAddr = url.split('/').nth(2).unwrap().parse().unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let socket = match client_async(url, tcp).await {
        Ok((socket, _)) => socket,
        Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
            return opened.send(Err(response.status().as_u16())).unwrap();
        }
        Err(error) => panic!("{error}"),
    };
    opened.send(Ok(())).unwrap();
    converse(socket, format, orders, heard).await;
}

async fn converse(
    mut socket: WebSocketStream<TcpStream>,
    format: Format,
    orders: &mpsc::Receiver<Order>,
    heard: &Mutex<Heard>,
) {
    let step = format.rate_hz() as usize / 50;
    let mut waiting = VecDeque::new();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(message)) => keep(format, &message, heard),
                Some(Err(error)) => return close(heard, error.to_string()),
                None => return close(heard, "gone".to_owned()),
            },
            _ = tick.tick() => {
                while let Ok(order) = orders.try_recv() {
                    match order {
                        Order::Cut => return,
                        Order::Say(samples) => waiting.extend(samples),
                        Order::Text(text) => {
                            let _ = socket.send(Message::text(text.to_string())).await;
                        }
                    }
                }
                if heard.lock().unwrap().texts.iter().all(|text| text["type"] != "started") {
                    continue;
                }
                let count = step.min(waiting.len());
                let mut frame: Vec<i16> = waiting.drain(..count).collect();
                frame.resize(step, 0);
                let _ = socket.send(Message::binary(format.bytes(&frame))).await;
                if level_dbfs(&frame) > LOUD_DBFS {
                    heard.lock().unwrap().said = Some(Instant::now());
                }
            }
        }
    }
}

/// The first reason is the one.
fn close(heard: &Mutex<Heard>, reason: String) {
    heard.lock().unwrap().closed.get_or_insert(reason);
}

fn keep(format: Format, message: &Message, heard: &Mutex<Heard>) {
    let mut heard = heard.lock().unwrap();
    match message {
        Message::Text(text) => heard.texts.push(serde_json::from_str(text).unwrap()),
        Message::Binary(bytes) => {
            let samples = format.samples(bytes);
            heard.frames.push((Instant::now(), level_dbfs(&samples) > LOUD_DBFS));
            heard.sound.extend(samples);
        }
        Message::Close(Some(frame)) => {
            heard.closed = Some(format!("{} {}", u16::from(frame.code), frame.reason));
        }
        _ => (),
    }
}
