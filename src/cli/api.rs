//! The HTTP interface of a running box, asked by other subcommands.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value;

use crate::appliance::credentials;

/// Each step of a request. Dialling is answered when the count of calls is on the disk.
const PATIENCE: Duration = Duration::from_secs(15);
const ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// Where the interface is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Api {
    /// `HOST:PORT`.
    authority: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Method {
    Get,
    Post,
    Delete,
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "{authority}: no program answers there; --api names another address (web.listen of the program)"
)]
pub(in crate::cli) struct Unreachable {
    authority: String,
    source: std::io::Error,
}

impl Api {
    pub(in crate::cli) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "an address such as http://127.0.0.1:8080".to_owned();
        let rest = text.strip_prefix("http://").ok_or_else(wrong)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let foul = |c: char| c.is_whitespace() || c.is_control() || "/?#@".contains(c);
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        match has_port && !authority.contains(foul) {
            true => Ok(Self { authority: authority.to_owned() }),
            false => Err(wrong()),
        }
    }

    pub(in crate::cli) fn at(address: std::net::SocketAddr) -> Self {
        Self { authority: address.to_string() }
    }

    /// Status and JSON of the answer; `None` for an answer that has none.
    pub(in crate::cli) fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Option<(u16, Value)>, Unreachable> {
        let answer = self
            .send(method, path, body)
            .map_err(|source| Unreachable { authority: self.authority.clone(), source })?;
        Ok(parse(&answer))
    }

    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> std::io::Result<Vec<u8>> {
        let mut addresses = self.authority.to_socket_addrs()?;
        let address = addresses.next().ok_or(std::io::ErrorKind::NotFound)?;
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let (name, host) = (method.name(), &self.authority);
        // Version 1.0 asks for a body that ends with the connection, in one piece.
        let mut request = format!("{name} {path} HTTP/1.0\r\nHost: {host}\r\n");
        if let Some(token) = credentials::secret("token")? {
            let token: String = token.into_revealed();
            if token.chars().any(char::is_control) {
                return Err(std::io::ErrorKind::InvalidInput.into());
            }
            request += &format!("Authorization: Bearer {token}\r\n");
        }
        if let Some(body) = body.map(Value::to_string) {
            request += &format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        } else {
            request += "\r\n";
        }
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES).read_to_end(&mut answer)?;
        Ok(answer)
    }
}

fn parse(answer: &[u8]) -> Option<(u16, Value)> {
    let status = answer.split(|byte| *byte == b' ').nth(1)?;
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let body = answer.get(head + 4..)?;
    let status = std::str::from_utf8(status).ok()?.parse().ok()?;
    Some((status, serde_json::from_slice(body).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_with_json_is_an_answer() {
        let (status, value) = parse(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\"a\":1}").unwrap();
        assert_eq!((status, &value["a"]), (200, &1.into()));
        for answer in
            [&b"HTTP/1.1 200 OK\r\n\r\n<html>"[..], b"HTTP/1.1 200 OK", b"x\r\n\r\n{}", b""]
        {
            assert_eq!(parse(answer), None);
        }
    }

    #[test]
    fn an_address_is_http_with_a_port() {
        assert!(Api::parse("http://127.0.0.1:8080/").is_ok());
        for wrong in ["127.0.0.1:8080", "http://127.0.0.1", "http://a:1/x", "https://a:1"] {
            assert!(Api::parse(wrong).is_err(), "{wrong}");
        }
    }
}
