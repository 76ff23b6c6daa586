//! A web server of the test's own on loopback: it serves files by ranges, slowly, and lies as asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    /// Of a CONNECT the host and port.
    pub path: String,
    /// The first byte of the range, if one is asked for.
    pub from: Option<u64>,
    pub if_range: Option<String>,
    pub body: Vec<u8>,
}

/// What is sent.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Status line and header fields, without the last empty line.
    pub head: String,
    pub body: Vec<u8>,
    /// Waits this long after each 32 KiB.
    pub pace: Duration,
    /// The connection is reset in place of the end of the body.
    pub reset: bool,
}

type Script = dyn Fn(&Asked) -> Reply + Send + Sync;

pub struct FileServer {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FileServer {
    /// Serves until the test's process ends.
    pub fn start(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (script, log): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                // A peer that was killed is what is tested here.
                thread::spawn(move || drop(serve(&stream.unwrap(), &*script, &log)));
            }
        });
        Self { address, asked }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, script: &Script, log: &Mutex<Vec<Asked>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut asked = Asked {
        method: words.next().unwrap_or_default(),
        path: words.next().unwrap_or_default(),
        ..Asked::default()
    };
    let mut length = 0;
    loop {
        let mut field = String::new();
        reader.read_line(&mut field)?;
        let Some((name, value)) = field.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => {
                let from = value.trim_start_matches("bytes=").trim_end_matches('-');
                asked.from = Some(from.parse().unwrap());
            }
            "content-length" => length = value.parse().unwrap(),
            "if-range" => asked.if_range = Some(value.to_owned()),
            _ => (),
        }
    }
    asked.body = vec![0; length];
    reader.read_exact(&mut asked.body)?;
    log.lock().unwrap().push(asked.clone());
    let reply = script(&asked);
    let mut stream = stream;
    stream.write_all(format!("{}\r\nConnection: close\r\n\r\n", reply.head).as_bytes())?;
    for part in reply.body.chunks(32 * 1024) {
        stream.write_all(part)?;
        thread::sleep(reply.pace);
    }
    if reply.reset {
        // Unread input would make it a reset on any system; here the length does.
        return stream.shutdown(Shutdown::Both);
    }
    stream.flush()
}

/// What an honest server sends of `file`: the part that was asked for if it is still this version.
pub fn honest(file: &[u8], etag: &str, asked: &Asked) -> Reply {
    let length = file.len();
    let same = asked.if_range.as_ref().is_none_or(|mark| mark == etag);
    let (head, body) = match asked.from.map(|from| usize::try_from(from).unwrap()) {
        Some(from) if same && from >= length => {
            return Reply {
                head: "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0".to_owned(),
                ..Reply::default()
            };
        }
        Some(from) if same => {
            let range = format!("Content-Range: bytes {from}-{}/{length}", length - 1);
            (format!("HTTP/1.1 206 Partial Content\r\n{range}"), &file[from..])
        }
        _ => ("HTTP/1.1 200 OK".to_owned(), file),
    };
    let head = format!("{head}\r\nETag: {etag}\r\nContent-Length: {}", body.len());
    Reply { head, body: body.to_vec(), ..Reply::default() }
}
