//! A model's server for tests, on loopback: it says what the test scripts, at the pace that the test
//! scripts, and knows when its client has gone.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What one request gets.
#[derive(Clone, Debug)]
pub enum Reply {
    Status(u16),
    /// A status with this body.
    Refusal(u16, String),
    /// Parts of a body, each after a pause, and then the end of the connection.
    Parts(Vec<(Duration, String)>),
    /// Parts, and then nothing while the client stays.
    Stalls(Vec<(Duration, String)>),
    /// The connection ends before a byte is sent.
    Closed,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub head: String,
    pub body: String,
}

type Script = dyn Fn(&Asked, usize) -> Reply + Send + Sync;

pub struct StandIn {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Whether the model is said to be in memory.
    pub is_loaded: Arc<AtomicBool>,
    /// Clients that closed a connection before the end of its answer.
    pub gone: watch::Receiver<usize>,
}

impl StandIn {
    /// `script` gets each request for a chat with its number from 0; what a client asks besides is
    /// answered as Ollama does.
    pub async fn start(script: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (leave, gone) = watch::channel(0);
        let (script, log): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&asked));
        let is_loaded = Arc::new(AtomicBool::new(true));
        let loaded = Arc::clone(&is_loaded);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log, leave) = (Arc::clone(&script), Arc::clone(&log), leave.clone());
                let loaded = Arc::clone(&loaded);
                tokio::spawn(async move {
                    if serve(stream, &*script, &log, &loaded).await.is_err() {
                        leave.send_modify(|count| *count += 1);
                    }
                });
            }
        });
        Self { address, asked, is_loaded, gone }
    }

    /// The requests for chats so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: &Script,
    log: &Mutex<Vec<Asked>>,
    is_loaded: &AtomicBool,
) -> std::io::Result<()> {
    let asked = request(&mut stream).await?;
    let reply = match asked.path.as_str() {
        "/api/show" => parts([r#"{"capabilities":["completion","tools"]}"#]),
        "/api/ps" if is_loaded.load(Ordering::Relaxed) => {
            parts([r#"{"models":[{"name":"stand-in:latest"}]}"#])
        }
        "/api/ps" => parts([r#"{"models":[]}"#]),
        _ => {
            let number = {
                let mut log = log.lock().unwrap();
                log.push(asked.clone());
                log.len() - 1
            };
            script(&asked, number)
        }
    };
    let (parts, stalls) = match reply {
        Reply::Closed => return Ok(()),
        Reply::Status(status) => return refuse(&mut stream, status, "{\"error\":\"x\"}").await,
        Reply::Refusal(status, body) => return refuse(&mut stream, status, &body).await,
        Reply::Parts(parts) => (parts, false),
        Reply::Stalls(parts) => (parts, true),
    };
    let mut has_head = false;
    for (pause, text) in parts {
        wait(&mut stream, pause).await?;
        // As Ollama: no header before the first token.
        if !std::mem::replace(&mut has_head, true) {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await?;
        }
        stream.write_all(text.as_bytes()).await?;
    }
    if stalls {
        wait(&mut stream, Duration::from_secs(3_600)).await?;
    }
    stream.shutdown().await
}

async fn refuse(stream: &mut TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    stream.shutdown().await
}

/// Lets time pass; an error if the client leaves meanwhile.
async fn wait(stream: &mut TcpStream, pause: Duration) -> std::io::Result<()> {
    let mut byte = [0];
    match tokio::time::timeout(pause, stream.read(&mut byte)).await {
        Ok(_) => Err(std::io::ErrorKind::ConnectionReset.into()),
        Err(_) => Ok(()),
    }
}

async fn request(stream: &mut TcpStream) -> std::io::Result<Asked> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length: ").and_then(|n| n.trim().parse().ok())
            });
            if body.len() >= length.unwrap_or(0) {
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                return Ok(Asked { path, head: head.to_owned(), body: body.to_owned() });
            }
        }
        match stream.read(&mut chunk).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            length => bytes.extend_from_slice(&chunk[..length]),
        }
    }
}

pub fn parts<const N: usize>(texts: [&str; N]) -> Reply {
    Reply::Parts(texts.map(|text| (Duration::ZERO, text.to_owned())).to_vec())
}

/// A line of Ollama's.
pub fn says(text: &str) -> String {
    format!("{}\n", serde_json::json!({"message": {"content": text}, "done": false}))
}

pub const DONE: &str = "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n";

/// What a warm-up gets.
pub fn warmed() -> Reply {
    parts([DONE])
}
