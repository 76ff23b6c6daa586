//! A client of baresip's ctrl_tcp protocol, which knows nothing of who is at the other end.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const ANSWER: Duration = Duration::from_secs(10);

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
    responses: Vec<Value>,
    /// Events not yet asked for.
    events: Vec<Value>,
    token: u32,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        Self { stream, received: Vec::new(), responses: Vec::new(), events: Vec::new(), token: 0 }
    }

    /// Gives a command and waits for what is answered, which has its token.
    pub fn command(&mut self, name: &str, params: Option<&str>) -> (bool, String) {
        self.token += 1;
        let token = format!("token-{}", self.token);
        let mut command = json!({ "command": name, "token": token });
        if let Some(params) = params {
            command["params"] = params.into();
        }
        let text = command.to_string();
        self.send(&format!("{}:{text},", text.len()));
        let deadline = Instant::now() + ANSWER;
        while self.responses.is_empty() {
            assert!(Instant::now() < deadline, "no answer to {name}");
            self.receive();
        }
        let response = self.responses.remove(0);
        assert_eq!(response["response"], true, "{response}");
        assert_eq!(response["token"], token.as_str(), "{name}: {response}");
        (response["ok"].as_bool().unwrap(), response["data"].as_str().unwrap().to_owned())
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Waits for the next event of this type; those before it are forgotten.
    pub fn event(&mut self, kind: &str, limit: Duration) -> Value {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(at) = self.events.iter().position(|event| event["type"] == kind) {
                return self.events.drain(..=at).next_back().unwrap();
            }
            assert!(Instant::now() < deadline, "no {kind} within {limit:?}: {:#?}", self.events);
            self.receive();
        }
    }

    fn receive(&mut self) {
        let mut bytes = [0; 4_096];
        match self.stream.read(&mut bytes) {
            Ok(0) => panic!("the connection was closed"),
            Ok(count) => self.received.extend_from_slice(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => (),
            Err(error) => panic!("{error}"),
        }
        while let Some(colon) = self.received.iter().position(|&byte| byte == b':') {
            let length = std::str::from_utf8(&self.received[..colon]).unwrap();
            let end = colon + 1 + length.parse::<usize>().unwrap();
            if self.received.len() <= end {
                return;
            }
            assert_eq!(self.received[end], b',');
            let message: Value = serde_json::from_slice(&self.received[colon + 1..end]).unwrap();
            self.received.drain(..=end);
            match message["event"] == true {
                true => self.events.push(message),
                false => self.responses.push(message),
            }
        }
    }
}
