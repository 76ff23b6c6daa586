//! HTTP as a program speaks it that is none of ours: whole answers, and streams that are read line by line.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

/// An answer: its status, its head in small letters, its body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// Sends `METHOD PATH` with these lines of header fields.
pub fn ask(at: SocketAddr, line: &str, fields: &str, body: &str) -> Answer {
    let mut stream = open(at, line, fields, body);
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// The same of whoever may be gone at any moment; `None`: there is no answer.
pub fn try_ask(at: SocketAddr, line: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "{line} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.to_ascii_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length:"));
    // Cut off in the middle it is none.
    let is_all = length.is_none_or(|length| length.trim().parse() == Ok(body.len()));
    is_all.then(|| Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() })
}

fn open(at: SocketAddr, line: &str, fields: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let close = if fields.contains("Upgrade") { "" } else { "Connection: close\r\n" };
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {at}\r\n{close}{fields}Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// A stream of server-sent events.
#[derive(Debug)]
pub struct Stream {
    lines: BufReader<TcpStream>,
}

impl Stream {
    pub fn open(at: SocketAddr, path: &str, fields: &str) -> Self {
        let mut lines = BufReader::new(open(at, &format!("GET {path}"), fields, ""));
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        assert!(first.contains(" 200 "), "{first}");
        Self { lines }
    }

    /// The data of the next event.
    pub fn next(&mut self) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.lines.read_line(&mut line).expect("an event in time") > 0, "it has ended");
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    /// Whether nothing more is to come.
    pub fn is_over(&mut self) -> bool {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        !rest.contains("data: ")
    }

    /// The next event of this type, and those before it.
    pub fn until(&mut self, kind: &str) -> (Value, Vec<Value>) {
        let mut before = Vec::new();
        loop {
            let event = self.next();
            if event["type"] == kind {
                return (event, before);
            }
            before.push(event);
        }
    }
}

/// Takes requests as a system of the owner's would; answers each with the next of these statuses, and then with
/// the last.
#[derive(Debug)]
pub struct Receiving {
    pub address: SocketAddr,
    requests: Receiver<(String, String)>,
}

impl Receiving {
    pub fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (told, requests) = mpsc::channel();
        std::thread::spawn(move || {
            let last = statuses.last().copied().unwrap();
            let mut statuses = statuses.iter().copied().chain(std::iter::repeat(last));
            for stream in listener.incoming() {
                let request = read(&stream.unwrap(), statuses.next().unwrap());
                if told.send(request).is_err() {
                    return;
                }
            }
        });
        Self { address, requests }
    }

    /// Head and body of the next request.
    pub fn next(&self, limit: Duration) -> Option<(String, String)> {
        self.requests.recv_timeout(limit).ok()
    }
}

fn read(mut stream: &TcpStream, status: u16) -> (String, String) {
    let mut lines = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let before = head.len();
        lines.read_line(&mut head).unwrap();
        if head.len() - before <= 2 {
            break;
        }
    }
    let length = head.to_ascii_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.trim().parse().unwrap()];
    lines.read_exact(&mut body).unwrap();
    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).unwrap();
    (head, String::from_utf8(body).unwrap())
}
