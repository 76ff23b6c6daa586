//! SIP as text, as RingCentral's servers and telephones write it: one Via, a field a line.

use std::fmt::Write;

/// A request or a response.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub start: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Message {
    pub fn new(start: &str) -> Self {
        Self { start: start.to_owned(), ..Self::default() }
    }

    pub fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
        Self { start, headers: headers.collect(), body: body.to_owned() }
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn with_body(self, kind: &str, body: &str) -> Self {
        let mut message = self.with("Content-Type", kind);
        message.body = body.to_owned();
        message
    }

    /// The answer to it, with what a response copies. A To without tag gets this one.
    pub fn response(&self, status: &str, tag: &str) -> Self {
        let mut response = Self::new(&format!("SIP/2.0 {status}"));
        for name in ["Via", "From", "To", "Call-Id", "CSeq"] {
            let mut value = self.get(name).to_owned();
            if name == "To" && !value.contains(";tag=") && !tag.is_empty() {
                let _ = write!(value, ";tag={tag}");
            }
            response = response.with(name, value);
        }
        response
    }

    /// Empty without such a field.
    pub fn get(&self, name: &str) -> &str {
        let alias = |known: &str| known.eq_ignore_ascii_case(name);
        self.headers.iter().find(|(known, _)| alias(known)).map_or("", |(_, value)| value.as_str())
    }

    pub fn is_response(&self) -> bool {
        self.start.starts_with("SIP/2.0 ")
    }

    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    pub fn uri(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The method in its CSeq.
    pub fn cseq_method(&self) -> &str {
        self.get("CSeq").split(' ').nth(1).unwrap_or_default()
    }

    /// What stands before the @ of its Request-URI.
    pub fn user(&self) -> &str {
        let uri = self.uri().trim_start_matches("sip:");
        uri.split('@').next().unwrap_or_default()
    }

    pub fn text(&self) -> String {
        let mut text = format!("{}\r\n", self.start);
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n{}", self.body.len(), self.body);
        text
    }
}

/// The next whole message of a stream, which it is taken out of; line breaks between messages are no message.
pub fn next_of(received: &mut Vec<u8>) -> Option<Message> {
    let start = received.iter().position(|byte| !b"\r\n".contains(byte))?;
    received.drain(..start);
    let head = received.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let length: usize = {
        let head = String::from_utf8_lossy(&received[..head]);
        Message::parse(&head).get("Content-Length").parse().unwrap_or_default()
    };
    if received.len() < head + length {
        return None;
    }
    let whole: Vec<u8> = received.drain(..head + length).collect();
    Some(Message::parse(&String::from_utf8_lossy(&whole)))
}

/// A parameter of a header's value, without quotes.
pub fn param(value: &str, name: &str) -> Option<String> {
    let start = value.find(&format!("{name}="))? + name.len() + 1;
    let rest = value.get(start..)?.trim_start_matches('"');
    let end = rest.find(['"', ';', ',', '>']).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}
