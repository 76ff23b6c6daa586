//! SIP and session descriptions.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Script, beginning};
use crate::base::{Entropy, Private, limits};
use crate::codec::Codec;
use crate::sdp::{self, Keys, Local, OfferedKeys, Offering, Srtp};
use crate::sip::digest::{Asker, Attempt, Challenge, Credentials, answer, next_nonce};
use crate::sip::framing::{Framed, StreamFramer};
use crate::sip::message::{
    Carriage, Headers, Message, Method, NameAddr, Replaces, Uri, Via, host_and_port, parse,
    response_to,
};
use crate::sip::{
    Command, ConnectionId, Event, Flow, Input, Invite, LegId, Output, ReferTo, Settings, Transport,
    UserAgent,
};

/// What is read is written so that it reads the same; what is not is answered by a whole message or not at all.
pub fn datagram(bytes: &[u8]) {
    for carriage in [Carriage::Datagram, Carriage::Stream] {
        match parse(bytes, carriage) {
            Ok(message) => understood(&message),
            Err(fault) => {
                let answer = fault.response().map(|answer| answer.to_bytes());
                assert!(answer.is_none_or(|answer| answer.ends_with(b"\r\n\r\n")));
            }
        }
    }
}

fn understood(message: &Message) {
    match message {
        Message::Request(request) => {
            touch(request);
            let answer = response_to(request, 200, Some("t")).to_bytes();
            assert!(parse(&answer, Carriage::Stream).is_ok(), "our answer is no message");
        }
        Message::Response(response) => {
            touch(response);
            for asker in [Asker::Server, Asker::Proxy] {
                let _ = next_nonce(response, asker);
            }
        }
    }
    let written = message.to_bytes();
    assert!(
        parse(&written, Carriage::Stream).as_ref() == Ok(message),
        "written otherwise than read"
    );
}

/// What has passed the parser is read by every getter.
fn touch(headers: &Headers) {
    for address in [headers.from(), headers.to()].into_iter().flatten().chain(headers.contacts()) {
        let again = NameAddr::parse(&address.to_string());
        assert!(again.as_ref() == Some(&address), "an address is written otherwise than read");
    }
    for via in headers.vias() {
        let again = Via::parse(&via.to_string());
        assert!(again.as_ref() == Some(&via), "a Via is written otherwise than read");
        let _ = (via.received(), via.rport(), via.has_unique_branch());
    }
    let _ = (headers.routes(), headers.record_routes(), headers.list("Accept"), headers.expires());
    let _ = (headers.content_type(), headers.max_forwards(), headers.supported());
    let _ = headers.header("Replaces").and_then(Replaces::parse);
}

/// However a stream is cut, the same messages come out of it. The first bytes say where it is cut.
pub fn stream(bytes: &[u8]) {
    let mut script = Script(bytes);
    let cuts = script.array::<6>();
    let rest = script.take(usize::MAX);
    let rest = rest.get(..limits::SIP_STREAM_BUFFER_BYTES).unwrap_or(rest);
    let whole = framed([rest].into_iter());
    let mut left = rest;
    let pieces = cuts.into_iter().chain(std::iter::repeat(u8::MAX)).map_while(|cut| {
        let (piece, after) = left.split_at(left.len().min(usize::from(cut) + 1));
        left = after;
        (!piece.is_empty()).then_some(piece)
    });
    assert!(framed(pieces) == whole, "the cuts of a stream change what is in it");
}

/// The messages, pings and the fault of a stream.
fn framed<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Option<Framed>> {
    let now = beginning();
    let (mut framer, mut all) = (StreamFramer::new(), Vec::new());
    for piece in pieces {
        framer.push(piece, now);
        while let Some(step) = framer.next_message(now) {
            let is_fault = step.is_err();
            all.push(step.ok());
            if is_fault {
                return all;
            }
        }
    }
    all
}

pub fn uri(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = host_and_port(text);
    if let Some(uri) = Uri::parse(text) {
        let again = Uri::parse(&uri.to_string());
        assert!(again.as_ref() == Some(&uri), "a URI is written otherwise than read");
        let _ = uri.user_as_read();
    }
    // As what stands in a header field: one line.
    if let Some(address) = NameAddr::parse(text).filter(|_| !text.contains(char::is_control)) {
        let again = NameAddr::parse(&address.to_string());
        assert!(again.as_ref() == Some(&address), "an address is written otherwise than read");
    }
}

/// A challenge that is answered gets one header line, with nothing of its own making in it.
pub fn digest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(challenge) = Challenge::parse(text) else { return };
    let credentials = Credentials {
        username: Private::new("desk".to_owned()),
        password: Private::new("secret".to_owned()),
        realm: None,
        over: None,
    };
    let method = Method::Register;
    let attempt = Attempt { method: &method, uri: "sip:example.net", nonce_count: 1 };
    let written = answer(&challenge, &credentials, attempt, &mut Entropy::new([3; 32]));
    assert!(!written.contains("secret") || text.contains("secret"));
    let is_one_line = |text: &str| !text.contains(['\r', '\n']);
    assert!(is_one_line(&written) || !is_one_line(text), "a line is broken");
}

pub fn description(bytes: &[u8]) {
    let offering = Offering {
        codecs: vec![Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma],
        dtmf: true,
        ptime_ms: 20,
        srtp: Srtp::Optional,
        keys: OfferedKeys::Sdes,
    };
    let local = Local {
        address: IpAddr::from([198, 51, 100, 7]),
        port: 16_384,
        id: 42,
        keys: Keys::random(&mut Entropy::new([8; 32])),
        handshake: None,
    };
    for is_held in [false, true] {
        if let Ok(answer) = sdp::answer(bytes, &offering, &local, 1, is_held) {
            let lines = |body: &[u8]| {
                body.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"m=")).count()
            };
            assert_eq!(
                lines(&answer.body),
                lines(bytes),
                "an answer has as many lines as its offer"
            );
            assert!(answer.body.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' '..)));
        }
    }
    let _ = sdp::accept(&offering, &local, bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = sdp::candidate(text);
    }
}

/// The whole user agent: messages of strangers, commands and the time, in any order.
pub fn user_agent(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut bench = Bench {
        agent: UserAgent::new(Settings::default(), Entropy::new([1; 32])),
        legs: Vec::new(),
        connections: Vec::new(),
        now: beginning(),
        due: None,
        sent: Vec::new(),
    };
    let mut steps = 0;
    while !script.is_over() && steps < 64 {
        bench.step(&mut script);
        steps += 1;
    }
    // All of it goes away by itself.
    for _ in 0..2_000 {
        let Some(due) = bench.due else { break };
        bench.now = bench.now.max(due);
        bench.agent.handle(bench.now, Input::Timeout);
        bench.drain();
    }
    let used = bench.agent.occupancy();
    assert!(used.transactions <= limits::SIP_TRANSACTIONS && used.legs <= limits::SIP_DIALOGS);
}

struct Bench {
    agent: UserAgent,
    legs: Vec<LegId>,
    connections: Vec<ConnectionId>,
    now: std::time::Instant,
    due: Option<std::time::Instant>,
    /// What it has sent last, for answers that fit.
    sent: Vec<u8>,
}

impl Bench {
    fn step(&mut self, script: &mut Script<'_>) {
        let leg = |legs: &[LegId], at: u8| legs.get(usize::from(at) % legs.len().max(1)).copied();
        match script.byte() % 12 {
            0..=3 => {
                let flow = flow(script.byte());
                let bytes = script.piece();
                self.agent.handle(self.now, Input::Datagram { flow, bytes });
            }
            4 => {
                let bytes = self.answer(script.byte());
                let flow = flow(script.byte());
                self.agent.handle(self.now, Input::Datagram { flow, bytes: &bytes });
            }
            5 => {
                let connection = ConnectionId::Accepted(script.byte().into());
                let peer = SocketAddr::from(([192, 0, 2, script.byte()], 5060));
                let local = SocketAddr::from(([192, 0, 2, 1], 5060));
                let flow = Flow::stream(Transport::Tcp, local, peer, connection);
                self.connections.push(connection);
                self.agent.handle(self.now, Input::StreamOpened { flow });
            }
            6 => {
                let at = usize::from(script.byte()) % self.connections.len().max(1);
                let bytes = script.piece();
                if let Some(connection) = self.connections.get(at).copied() {
                    self.agent.handle(self.now, Input::StreamBytes { connection, bytes });
                }
            }
            7 => {
                if let Some(connection) = self.connections.pop() {
                    self.agent.handle(self.now, Input::StreamClosed { connection });
                }
            }
            8 => {
                self.now += Duration::from_millis(script.u16().into());
                self.agent.handle(self.now, Input::Timeout);
            }
            _ => {
                let known = leg(&self.legs, script.byte());
                if let Some(command) = self.command(script, known) {
                    self.agent.handle(self.now, Input::Command(command));
                }
            }
        }
        self.drain();
    }

    /// The last request of ours, answered; else a byte.
    fn answer(&self, choice: u8) -> Vec<u8> {
        let status = STATUSES.get(usize::from(choice) % STATUSES.len()).copied();
        match parse(&self.sent, Carriage::Datagram) {
            Ok(Message::Request(request)) => {
                response_to(&request, status.unwrap_or(200), Some("theirs")).to_bytes()
            }
            _ => vec![choice],
        }
    }

    fn command(&mut self, script: &mut Script<'_>, known: Option<LegId>) -> Option<Command> {
        let sdp = || b"v=0\r\n".to_vec();
        Some(match script.byte() % 12 {
            0 => Command::Ring { leg: known?, status: 180, sdp: None },
            1 | 2 => Command::Answer { leg: known?, sdp: sdp() },
            3 => {
                Command::Reject { leg: known?, status: 486, retry_after_s: Some(3), warning: None }
            }
            4 => Command::AcceptOffer { leg: known?, sdp: sdp() },
            5 => Command::Reoffer { leg: known?, sdp: sdp() },
            6 => Command::Refer {
                leg: known?,
                to: ReferTo::Uri(Private::new("sip:desk@example.net".to_owned())),
                within: Duration::from_secs(30),
            },
            7 => Command::Bye { leg: known?, reason: None },
            8 => Command::Cancel { leg: known? },
            9 => Command::AnswerRefer { leg: known?, status: 202 },
            10 => Command::EndAll { retry_after_s: None },
            _ => {
                let leg = LegId(1_000 + self.legs.len() as u64);
                self.legs.push(leg);
                let target = String::from_utf8_lossy(script.piece()).into_owned();
                let invite = Invite {
                    flow: flow(script.byte()),
                    others: Vec::new(),
                    target: Private::new(target),
                    from: None,
                    display: None,
                    sdp: Some(sdp()),
                    credentials: None,
                    headers: Vec::new(),
                };
                Command::Invite { leg, invite: Box::new(invite) }
            }
        })
    }

    fn drain(&mut self) {
        for _ in 0..MOST_OUTPUTS {
            match self.agent.poll_output() {
                Output::Timeout(due) => {
                    self.due = due;
                    return;
                }
                Output::Event(Event::Incoming { leg, .. }) => self.legs.push(leg),
                Output::Connect { connection, .. } => self.connections.push(connection),
                Output::Transmit { bytes, .. } => self.sent = bytes,
                _ => (),
            }
        }
        panic!("one input has no end of outputs");
    }
}

/// What one input may lead to; a call has a few dozen retransmissions and events at the most.
const MOST_OUTPUTS: usize = 10_000;
const STATUSES: [u16; 10] = [100, 180, 183, 200, 302, 401, 422, 481, 486, 503];

fn flow(peer: u8) -> Flow {
    let local = SocketAddr::from(([192, 0, 2, 1], 5060));
    Flow::udp(local, SocketAddr::from(([192, 0, 2, peer % 4 + 2], 5060)))
}
