//! A page of a browser, driven by the Chrome DevTools Protocol: what a user would do, by script.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use super::wait;

/// Of a browser that starts on a busy machine.
const START: Duration = Duration::from_secs(60);
/// The longest that a script may wait within the page.
const ANSWER: Duration = Duration::from_secs(120);

/// The one page of a browser.
#[derive(Debug)]
pub struct Page {
    socket: WebSocket<TcpStream>,
    asked: u64,
}

impl Page {
    /// The page of the browser with this profile, which has been started with a port for debugging.
    pub fn of(profile: &Path) -> Self {
        let url = wait::until("the browser's page", START, || {
            let told = std::fs::read_to_string(profile.join("DevToolsActivePort")).ok()?;
            let port: u16 = told.lines().next()?.parse().ok()?;
            let pages: Value = serde_json::from_str(&get(port, "/json/list")?).ok()?;
            let page = pages.as_array()?.iter().find(|page| page["type"] == "page")?;
            Some(page["webSocketDebuggerUrl"].as_str()?.to_owned())
        });
        let address = url.trim_start_matches("ws://").split('/').next().unwrap().to_owned();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(ANSWER)).unwrap();
        let (socket, _) = client(url, stream).unwrap();
        Self { socket, asked: 0 }
    }

    /// Runs `before` ahead of each page's own scripts, and goes there.
    pub fn open(&mut self, url: &str, before: &str) {
        self.ask("Page.enable", &json!({}));
        self.ask("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": before }));
        self.ask("Page.navigate", &json!({ "url": url }));
        wait::until("the page is loaded", START, || {
            let is_there = self.evaluate("document.readyState === 'complete' && location.href");
            (is_there == url).then_some(())
        });
    }

    /// The value of an expression, a promise's once it is there.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let told = self.ask(
            "Runtime.evaluate",
            &json!({
                "expression": expression,
                "awaitPromise": true,
                "returnByValue": true,
                "userGesture": true,
            }),
        );
        assert!(told.get("exceptionDetails").is_none(), "{expression}: {told:#}");
        told["result"]["value"].clone()
    }

    /// The text of an element.
    pub fn text(&mut self, id: &str) -> String {
        let text = self.evaluate(&format!("document.getElementById('{id}').innerText"));
        text.as_str().unwrap_or_default().to_owned()
    }

    pub fn click(&mut self, id: &str) {
        self.evaluate(&format!("document.getElementById('{id}').click()"));
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let request = json!({ "id": self.asked, "method": method, "params": params });
        self.socket.send(Message::text(request.to_string())).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().unwrap() else { continue };
            let mut told: Value = serde_json::from_str(&text).unwrap();
            if told["id"] == self.asked {
                assert!(told.get("error").is_none(), "{method}: {told:#}");
                return told["result"].take();
            }
        }
    }
}

/// The body of a response, whose connection may stay open.
fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        answer.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(told) = line.strip_prefix("content-length:") {
            length = told.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    answer.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}
