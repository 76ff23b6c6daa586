//! Messages out of a byte stream (RFC 3261 section 18.3) and the keep-alive of RFC 5626.
//!
//! Owns the bytes of one connection that are not yet a whole message. Takes what the socket read;
//! gives messages, pings to answer, or one fault after which the connection is to be closed, since
//! nobody knows where the next message would begin. Work is linear in the bytes, however they are
//! split: no byte of a head is searched twice.

use std::time::Instant;

use thiserror::Error;

use crate::base::limits;

/// The answer to a keep-alive ping (RFC 5626 section 4.4.1).
pub const PONG: &[u8] = b"\r\n";
/// Our own keep-alive ping.
pub const PING: &[u8] = b"\r\n\r\n";

/// Bytes between messages that say nothing (RFC 5626 section 4.4): line breaks, zeros, none.
pub fn is_keep_alive(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// What a connection brought.
#[derive(PartialEq, Eq)]
pub enum Framed {
    /// A whole message, ready for `message::parse`.
    Message(Vec<u8>),
    /// A double CRLF: send [`PONG`].
    Ping,
}

impl std::fmt::Debug for Framed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Message(bytes) => write!(f, "Message({} bytes)", bytes.len()),
            Self::Ping => f.write_str("Ping"),
        }
    }
}

/// Why a connection cannot go on. It stays faulty: close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FramingFault {
    /// No Content-Length, a malformed one, or two.
    #[error("a message on a stream needs one valid Content-Length")]
    ContentLength,
    /// Above `limits::SIP_MESSAGE_BYTES`.
    #[error("a message on a stream is too large")]
    TooLarge,
    /// More bytes pushed than taken: `limits::SIP_STREAM_BUFFER_BYTES`.
    #[error("the peer sends faster than messages are taken")]
    Overflow,
    /// The rest of a message did not come in `limits::SIP_STREAM_MESSAGE_TIMEOUT`.
    #[error("the rest of a message did not come in time")]
    TimedOut,
}

/// Splits one connection's bytes into messages. Push what was read, then take until `None`.
#[derive(Default)]
pub struct StreamFramer {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were taken already; they go at the next push.
    taken: usize,
    state: State,
    /// When the incomplete message at the front began.
    began: Option<Instant>,
}

/// Offsets count from the first byte of the message, which is `taken`.
#[derive(Clone, Copy, Default)]
enum State {
    /// Between messages.
    #[default]
    Idle,
    /// In a head: line ends before `searched` were seen, the line at hand begins at `line_start`.
    Head {
        searched: usize,
        line_start: usize,
    },
    /// The whole message has this many bytes.
    Body {
        total: usize,
    },
    Faulty(FramingFault),
}

impl StreamFramer {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what the connection brought at `now`.
    pub fn push(&mut self, bytes: &[u8], now: Instant) {
        if matches!(self.state, State::Faulty(_)) {
            return;
        }
        self.buffer.drain(..self.taken);
        self.taken = 0;
        if self.buffer.len() + bytes.len() > limits::SIP_STREAM_BUFFER_BYTES {
            self.fail(FramingFault::Overflow);
            return;
        }
        self.buffer.extend_from_slice(bytes);
        self.began.get_or_insert(now);
    }

    /// When the connection is to be closed unless the message at hand is complete by then.
    pub fn deadline(&self) -> Option<Instant> {
        self.began.map(|began| began + limits::SIP_STREAM_MESSAGE_TIMEOUT)
    }

    /// The next message, ping or fault; `None` when more bytes are needed. A message that is
    /// incomplete past its deadline is a fault.
    pub fn next_message(&mut self, now: Instant) -> Option<Result<Framed, FramingFault>> {
        loop {
            let step = match self.state {
                State::Idle => self.between_messages(),
                State::Head { searched, line_start } => self.head(searched, line_start),
                State::Body { total } => self.body(total),
                State::Faulty(fault) => return Some(Err(fault)),
            };
            match step {
                Step::Again => {}
                Step::Give(framed) => {
                    self.began = (!self.rest().is_empty()).then_some(now);
                    return Some(Ok(framed));
                }
                // A lone CRLF waits for what follows as long as it likes.
                Step::Starved if matches!(self.state, State::Idle) => {
                    self.began = None;
                    return None;
                }
                Step::Starved if self.deadline().is_some_and(|at| at <= now) => {
                    self.fail(FramingFault::TimedOut);
                }
                Step::Starved => return None,
            }
        }
    }

    /// Takes the answer to a ping of ours; without one a line break may be half of the peer's ping.
    pub fn take_pong(&mut self) -> bool {
        let is_pong = matches!(self.state, State::Idle) && self.rest().starts_with(PONG);
        if is_pong {
            self.taken += PONG.len();
        }
        is_pong
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    fn fail(&mut self, fault: FramingFault) {
        self.state = State::Faulty(fault);
        self.buffer = Vec::new();
        self.taken = 0;
        self.began = None;
    }

    /// A lone CRLF is a pong and is swallowed, and so are line breaks before a message.
    fn between_messages(&mut self) -> Step {
        let rest = self.rest();
        let (bytes, step) = match rest {
            [b'\r', b'\n', b'\r', b'\n', ..] => (4, Step::Give(Framed::Ping)),
            // The other half of a ping may still be on its way.
            b"\r" | b"\r\n" | b"\r\n\r" | [] => return Step::Starved,
            [b'\r', b'\n', ..] => (2, Step::Again),
            [b'\r' | b'\n', ..] => (1, Step::Again),
            _ => {
                self.state = State::Head { searched: 0, line_start: 0 };
                return Step::Again;
            }
        };
        self.taken += bytes;
        step
    }

    fn head(&mut self, mut searched: usize, mut line_start: usize) -> Step {
        let rest = self.rest();
        while let Some(found) =
            rest.get(searched..).and_then(|r| r.iter().position(|b| *b == b'\n'))
        {
            let at = searched + found;
            searched = at + 1;
            if matches!(rest.get(line_start..at), Some(b"" | b"\r")) {
                let head = rest.get(..line_start).unwrap_or_default();
                match content_length(head) {
                    Some(length)
                        if searched.saturating_add(length) <= limits::SIP_MESSAGE_BYTES =>
                    {
                        self.state = State::Body { total: searched + length };
                    }
                    Some(_) => self.fail(FramingFault::TooLarge),
                    None => self.fail(FramingFault::ContentLength),
                }
                return Step::Again;
            }
            line_start = searched;
        }
        let size = rest.len();
        if size > limits::SIP_MESSAGE_BYTES {
            self.fail(FramingFault::TooLarge);
            return Step::Again;
        }
        self.state = State::Head { searched: size, line_start };
        Step::Starved
    }

    fn body(&mut self, total: usize) -> Step {
        let Some(message) = self.rest().get(..total) else { return Step::Starved };
        let message = message.to_vec();
        self.taken += total;
        self.state = State::Idle;
        Step::Give(Framed::Message(message))
    }
}

enum Step {
    Again,
    Give(Framed),
    Starved,
}

/// The one Content-Length (or `l`) of a head; `None` if there is none, a malformed one or two.
fn content_length(head: &[u8]) -> Option<usize> {
    let mut length = None;
    for line in head.split(|b| *b == b'\n') {
        let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
        let (name, value) = line.split_at_checked(colon)?;
        let name = name.trim_ascii_end();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            continue;
        }
        let value = std::str::from_utf8(value.get(1..)?).ok()?.trim();
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        let value = digits.then(|| value.parse().ok()).flatten()?;
        if length.replace(value).is_some() {
            return None;
        }
    }
    length
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs an instant to start from")]
mod tests {
    use super::*;
    use std::time::Duration;

    const MESSAGE: &str = "OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 4\r\n\r\nbody";

    fn drain(framer: &mut StreamFramer, now: Instant) -> Vec<Result<Framed, FramingFault>> {
        let mut all = Vec::new();
        while let Some(one) = framer.next_message(now) {
            let stop = one.is_err();
            all.push(one);
            if stop {
                break;
            }
        }
        all
    }

    fn message() -> Result<Framed, FramingFault> {
        Ok(Framed::Message(MESSAGE.as_bytes().to_vec()))
    }

    #[test]
    fn messages_come_out_the_same_at_any_split() {
        let now = Instant::now();
        let lf = MESSAGE.replace("\r\n", "\n");
        let bytes = format!("\r\n{MESSAGE}{MESSAGE}\r\n\r\n{lf}");
        let expected =
            vec![message(), message(), Ok(Framed::Ping), Ok(Framed::Message(lf.into_bytes()))];
        for size in 1..bytes.len() {
            let mut framer = StreamFramer::new();
            let mut got = Vec::new();
            for chunk in bytes.as_bytes().chunks(size) {
                framer.push(chunk, now);
                got.extend(drain(&mut framer, now));
            }
            assert_eq!(got, expected, "chunks of {size}");
            assert_eq!(framer.deadline(), None);
        }
    }

    #[test]
    fn a_pong_is_swallowed_and_a_ping_is_reported() {
        let now = Instant::now();
        let mut framer = StreamFramer::new();
        framer.push(b"\r\n", now);
        assert_eq!(framer.next_message(now), None);
        framer.push(MESSAGE.as_bytes(), now);
        assert_eq!(drain(&mut framer, now), [message()]);
        framer.push(PING, now);
        assert_eq!(drain(&mut framer, now), [Ok(Framed::Ping)]);
    }

    #[test]
    fn a_pong_alone_never_times_the_connection_out() {
        let now = Instant::now();
        let mut framer = StreamFramer::new();
        framer.push(PONG, now);
        assert_eq!(framer.next_message(now), None);
        assert_eq!(framer.deadline(), None);
        assert_eq!(framer.next_message(now + Duration::from_secs(60)), None);
    }

    #[test]
    fn faults_are_named_and_stay() {
        let now = Instant::now();
        let head = "OPTIONS sip:a@b SIP/2.0\r\n";
        let long = format!("{head}X: {}\r\n", "x".repeat(limits::SIP_MESSAGE_BYTES));
        let flood = "x".repeat(limits::SIP_STREAM_BUFFER_BYTES + 1);
        let cases = [
            (format!("{head}\r\n"), FramingFault::ContentLength),
            (format!("{head}l: -1\r\n\r\n"), FramingFault::ContentLength),
            (format!("{head}l: 1\r\nContent-Length: 1\r\n\r\nx"), FramingFault::ContentLength),
            (format!("{head}l: 99999999999999999999\r\n\r\n"), FramingFault::ContentLength),
            (format!("{head}l: 70000\r\n\r\n"), FramingFault::TooLarge),
            (long, FramingFault::TooLarge),
            (flood, FramingFault::Overflow),
        ];
        for (bytes, fault) in cases {
            let mut framer = StreamFramer::new();
            framer.push(bytes.as_bytes(), now);
            assert_eq!(framer.next_message(now), Some(Err(fault)));
            framer.push(MESSAGE.as_bytes(), now);
            assert_eq!(framer.next_message(now), Some(Err(fault)));
        }
    }

    #[test]
    fn a_slow_peer_is_cut_off_after_the_time_limit() {
        let start = Instant::now();
        let mut framer = StreamFramer::new();
        framer.push(b"OPTIONS", start);
        assert_eq!(framer.next_message(start), None);
        let deadline = start + limits::SIP_STREAM_MESSAGE_TIMEOUT;
        let early = deadline - Duration::from_millis(1);
        framer.push(b" sip:a", early);
        assert_eq!(framer.next_message(early), None);
        assert_eq!(framer.deadline(), Some(deadline));
        assert_eq!(framer.next_message(deadline), Some(Err(FramingFault::TimedOut)));
    }

    #[test]
    fn a_large_message_byte_by_byte_is_cheap() {
        let now = Instant::now();
        let filler = "x".repeat(60_000);
        let bytes = format!("OPTIONS sip:a@b SIP/2.0\r\nX: {filler}\r\nl: 0\r\n\r\n");
        let mut framer = StreamFramer::new();
        for byte in bytes.as_bytes().chunks(1) {
            assert_eq!(framer.next_message(now), None);
            framer.push(byte, now);
        }
        assert!(
            matches!(framer.next_message(now), Some(Ok(Framed::Message(m))) if m.len() == bytes.len())
        );
    }
}
