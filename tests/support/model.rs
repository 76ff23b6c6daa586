//! A stand-in for Ollama on loopback, in threads of its own: at the pace of a real one, or with one
//! fault in the answer to a caller's first question.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

use super::folder::Folder;

/// The name of its model.
pub const MODEL: &str = "stand-in:latest";
/// What it answers, one after the other.
pub const ANSWERS: [&str; 7] = [
    "We are open from eight to six. On Sundays we are closed.",
    "Yes, of course. It is the second door on the left.",
    "That is free. You pay nothing at all for it.",
    "On working days we open at eight, and on Saturdays at nine.",
    "We are by the harbour. You can park in front of the house.",
    "I am glad to help. Our people are there until six.",
    "Certainly. The ferry leaves from the north quay at dawn.",
];

/// How it answers the first question of a caller; all others are answered well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Well,
    /// A sentence and a half, and then nothing.
    Stalls,
    /// Not one byte.
    Hangs,
    Status500,
    Empty,
    InvalidJson,
    /// It wants a tool that nobody has, again and again.
    UnknownTool,
    /// 10,000 tokens, as fast as they are taken.
    Runaway,
}

/// Stopped with its owner.
#[derive(Debug)]
pub struct StandIn {
    pub address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    manner: Mutex<Manner>,
    bodies: Mutex<Vec<String>>,
    heads: Mutex<Vec<String>>,
    first_token: Duration,
    between_tokens: Duration,
    /// Answers whose client left before their end.
    left: AtomicUsize,
    /// Tokens of the longest answer that were sent.
    most_tokens: AtomicUsize,
    is_over: AtomicBool,
}

impl StandIn {
    /// `between_tokens`: a token is a word here.
    pub fn start(first_token: Duration, between_tokens: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            manner: Mutex::new(Manner::Well),
            bodies: Mutex::default(),
            heads: Mutex::default(),
            first_token,
            between_tokens,
            left: AtomicUsize::new(0),
            most_tokens: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), state) = (stream, Arc::clone(&shared)) else { continue };
                thread::spawn(move || {
                    if serve(stream, &state).is_err() {
                        state.left.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Self { address, state, thread: Some(thread) }
    }

    /// Keys for the section `[llm]`.
    pub fn keys(&self) -> String {
        format!("server = \"http://{}\"\nmodel = \"{MODEL}\"", self.address)
    }

    pub fn behave(&self, manner: Manner) {
        *self.state.manner.lock().unwrap() = manner;
    }

    /// The bodies of all chats so far, warm-ups left out.
    pub fn chats(&self) -> Vec<String> {
        let bodies = self.state.bodies.lock().unwrap();
        bodies.iter().filter(|body| !is_warm_up(body)).cloned().collect()
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.state.heads.lock().unwrap().clone()
    }

    pub fn left(&self) -> usize {
        self.state.left.load(Ordering::Relaxed)
    }

    pub fn most_tokens(&self) -> usize {
        self.state.most_tokens.load(Ordering::Relaxed)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The playbook inside the program, with a model that also answers what it knows: the small ear hears
/// little else.
pub fn open_playbook(folder: &Folder) -> String {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/src/converse/playbook/logistics.toml");
    let text = std::fs::read_to_string(shipped).unwrap();
    let open = text.replace("answers = \"missed\"", "answers = \"open\"");
    assert_ne!(text, open);
    folder.write("playbook.toml", open).to_str().unwrap().to_owned()
}

fn is_warm_up(body: &str) -> bool {
    body.contains("\"num_predict\":1,")
}

fn serve(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let Some((head, body)) = request(&stream)? else { return Ok(()) };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    state.heads.lock().unwrap().push(head);
    match path.as_str() {
        "/api/show" => whole(&mut stream, &json!({"capabilities": ["completion", "tools"]})),
        "/api/ps" => {
            let model = json!({"name": MODEL, "model": MODEL, "size": 1, "size_vram": 1});
            whole(&mut stream, &json!({"models": [model]}))
        }
        "/api/chat" => {
            let number = {
                let mut bodies = state.bodies.lock().unwrap();
                let chats = bodies.iter().filter(|body| !is_warm_up(body)).count();
                bodies.push(body.clone());
                chats
            };
            chat(&mut stream, state, &body, number)
        }
        _ => stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
    }
}

fn chat(stream: &mut TcpStream, state: &State, body: &str, number: usize) -> std::io::Result<()> {
    if is_warm_up(body) {
        head(stream)?;
        return stream.write_all(end("load").as_bytes());
    }
    let asked: Value = serde_json::from_str(body).unwrap_or_default();
    let messages = asked["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let turns = messages.iter().filter(|message| message["role"] == "user").count();
    let manner = if turns == 1 { *state.manner.lock().unwrap() } else { Manner::Well };
    let answer = ANSWERS[number % ANSWERS.len()];
    if manner == Manner::Status500 {
        let error = "{\"error\":\"llama runner process has terminated\"}";
        let length = error.len();
        let head =
            format!("HTTP/1.1 500 Internal Server Error\r\ncontent-length: {length}\r\n\r\n");
        return stream.write_all(format!("{head}{error}").as_bytes());
    }
    pass(stream, if manner == Manner::Hangs { HOUR } else { state.first_token })?;
    head(stream)?;
    match manner {
        Manner::Well | Manner::Hangs | Manner::Status500 => {
            says(stream, answer, state)?;
            stream.write_all(end("stop").as_bytes())
        }
        Manner::Stalls => {
            says(stream, "We are open every day. On Sundays", state)?;
            pass(stream, HOUR)
        }
        Manner::Empty => stream.write_all(end("stop").as_bytes()),
        Manner::InvalidJson => stream.write_all(b"{\"message\":{\"content\":oops\n"),
        Manner::UnknownTool => {
            let call = json!({"function": {"name": "format_disk", "arguments": {"disk": 1}}});
            let message = json!({"role": "assistant", "content": "", "tool_calls": [call]});
            let line = json!({"model": MODEL, "message": message, "done": false});
            stream.write_all(format!("{line}\n{}", end("stop")).as_bytes())
        }
        Manner::Runaway => {
            for sent in 1..=10_000 {
                stream
                    .write_all(delta(if sent % 5 == 0 { "more. " } else { "Word " }).as_bytes())?;
                state.most_tokens.fetch_max(sent, Ordering::Relaxed);
                pass(stream, Duration::ZERO)?;
            }
            stream.write_all(end("length").as_bytes())
        }
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

fn says(stream: &mut TcpStream, text: &str, state: &State) -> std::io::Result<()> {
    for (nth, token) in text.split_inclusive(' ').enumerate() {
        if nth > 0 {
            pass(stream, state.between_tokens)?;
        }
        stream.write_all(delta(token).as_bytes())?;
    }
    Ok(())
}

fn delta(text: &str) -> String {
    let message = json!({"role": "assistant", "content": text});
    let created = "2026-01-01T00:00:00.000000000Z";
    format!(
        "{}\n",
        json!({"model": MODEL, "created_at": created, "message": message, "done": false})
    )
}

fn end(reason: &str) -> String {
    let message = json!({"role": "assistant", "content": ""});
    let created = "2026-01-01T00:00:00.000000000Z";
    let line = json!({
        "model": MODEL, "created_at": created, "message": message, "done": true,
        "done_reason": reason, "total_duration": 1_000_000, "eval_count": 7,
    });
    format!("{line}\n")
}

/// Lets time pass; an error if the client leaves meanwhile.
fn pass(stream: &mut TcpStream, time: Duration) -> std::io::Result<()> {
    stream.set_read_timeout(Some(time.max(Duration::from_millis(1))))?;
    let mut byte = [0];
    match stream.read(&mut byte) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(()),
        _ => Err(ErrorKind::ConnectionReset.into()),
    }
}

fn head(stream: &mut TcpStream) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes())
}

fn whole(stream: &mut TcpStream, value: &Value) -> std::io::Result<()> {
    let text = value.to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len());
    stream.write_all(format!("{head}{text}").as_bytes())
}

/// Head and body; `None`: nobody asked anything.
fn request(stream: &TcpStream) -> std::io::Result<Option<(String, String)>> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    let length = head.to_lowercase().lines().find_map(|line| {
        line.strip_prefix("content-length: ").and_then(|n| n.trim().parse::<usize>().ok())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    Ok(Some((head, String::from_utf8_lossy(&body).into_owned())))
}
