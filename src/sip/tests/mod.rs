//! The user agent against a script: one end is ours, the other is text.

mod dialect;
mod failing_over;
mod flood;
mod incoming;
mod network;
mod offers;
mod outbound;
mod outgoing;
mod referred;
mod referring;
mod refusals;
mod registering;
mod reliable;
mod replacing;
mod sessions;
mod streams;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::user_agent::{Command, Event, Input, Invite, Output, Settings, UserAgent};
use super::{ConnectionId, Flow, LegId, Transport};
use crate::base::{Entropy, Private};

pub const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\n";
pub const ANSWER: &[u8] = b"v=0\r\nanswer\r\n";

pub fn us() -> SocketAddr {
    "192.0.2.1:5060".parse().unwrap()
}

pub fn caller() -> SocketAddr {
    "192.0.2.7:5060".parse().unwrap()
}

pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub const fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// A user agent on a bench: what it sends and says is kept for the test to look at.
pub struct Bench {
    pub agent: UserAgent,
    pub start: Instant,
    pub now: Instant,
    pub sent: Vec<Sent>,
    pub events: Vec<Event>,
    pub actions: Vec<Output>,
    deadline: Option<Instant>,
    pub flow: Flow,
}

/// One message that the user agent sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Duration,
    pub flow: Flow,
    pub text: String,
}

impl Sent {
    pub fn status(&self) -> u16 {
        let status = self.text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3));
        status.and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub fn method(&self) -> &str {
        self.text.split(' ').next().unwrap()
    }

    /// The first value of a header field.
    pub fn header(&self, name: &str) -> &str {
        self.headers(name).into_iter().next().unwrap_or_default()
    }

    pub fn headers(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    pub fn tag(&self, name: &str) -> &str {
        self.header(name).split_once(";tag=").map_or("", |(_, tag)| tag)
    }

    pub fn branch(&self) -> &str {
        let via = self.header("Via");
        via.split_once("branch=").map_or("", |(_, rest)| rest.split(';').next().unwrap())
    }

    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub fn request_uri(&self) -> &str {
        self.text.split(' ').nth(1).unwrap()
    }
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Self {
        let now = Instant::now();
        Self {
            agent: UserAgent::new(settings, Entropy::new([1; 32])),
            start: now,
            now,
            sent: Vec::new(),
            events: Vec::new(),
            actions: Vec::new(),
            deadline: None,
            flow: Flow::udp(us(), caller()),
        }
    }

    /// The same peer over TCP.
    pub fn over_tcp() -> Self {
        let mut bench = Self::new();
        bench.flow = Flow::stream(Transport::Tcp, us(), caller(), ConnectionId::Accepted(1));
        bench.input(Input::StreamOpened { flow: bench.flow });
        bench
    }

    pub fn input(&mut self, input: Input<'_>) {
        self.agent.handle(self.now, input);
        self.drain();
    }

    pub fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    fn drain(&mut self) {
        loop {
            match self.agent.poll_output() {
                Output::Transmit { flow, bytes } => {
                    let text = String::from_utf8(bytes).unwrap();
                    self.sent.push(Sent { at: self.now - self.start, flow, text });
                }
                Output::Event(event) => self.events.push(event),
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
                action => self.actions.push(action),
            }
        }
    }

    /// A message from the peer, over the bench's flow.
    pub fn receive(&mut self, text: &str) {
        self.receive_over(self.flow, text);
    }

    pub fn receive_over(&mut self, flow: Flow, text: &str) {
        match flow.connection {
            Some(connection) => {
                self.input(Input::StreamBytes { connection, bytes: text.as_bytes() });
            }
            None => self.input(Input::Datagram { flow, bytes: text.as_bytes() }),
        }
    }

    /// Lets time pass, deadline by deadline.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.deadline.filter(|at| *at <= until) {
            assert!(at >= self.now, "a deadline in the past");
            self.now = at;
            self.input(Input::Timeout);
        }
        self.now = until;
    }

    /// Lets time pass until something is sent; `limit` at most.
    pub fn pass_until_sent(&mut self, limit: Duration) {
        let until = self.now + limit;
        while self.sent.is_empty() && self.deadline.is_some_and(|at| at <= until) {
            self.now = self.deadline.unwrap();
            self.input(Input::Timeout);
        }
    }

    /// What was sent since the last time.
    pub fn take(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// The one message sent since the last time.
    pub fn one(&mut self) -> Sent {
        let mut all = self.take();
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    /// Statuses and methods sent since the last time.
    pub fn words(&mut self) -> Vec<String> {
        let word = |sent: &Sent| match sent.status() {
            0 => sent.method().to_owned(),
            status => status.to_string(),
        };
        self.take().iter().map(word).collect()
    }

    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The names of the events since the last time.
    pub fn said(&mut self) -> Vec<String> {
        let name = |event: &Event| {
            let text = format!("{event:?}");
            text.split([' ', '{']).next().unwrap().to_owned()
        };
        self.take_events().iter().map(name).collect()
    }

    /// Receives an INVITE and gives its leg; 100 is taken from `sent`.
    pub fn ringing(&mut self, request: &Script) -> LegId {
        self.receive(&request.text());
        match self.take_events().as_slice() {
            [Event::Incoming { leg, .. }] => {
                assert_eq!(self.words(), ["100"]);
                *leg
            }
            other => panic!("{other:?}, sent {:?}", self.sent),
        }
    }

    /// Our INVITE is out, to the bench's peer.
    pub fn invites(&mut self, invite: Invite) -> (LegId, Sent) {
        let leg = self.agent.reserve_leg();
        self.flow = invite.flow;
        self.command(Command::Invite { leg, invite: Box::new(invite) });
        let sent = self.one();
        assert_eq!(sent.method(), "INVITE");
        (leg, sent)
    }

    /// An INVITE, answered and acknowledged. The leg and our tag.
    pub fn up(&mut self) -> (LegId, String) {
        let invite = Script::new("INVITE").body(SDP);
        let leg = self.ringing(&invite);
        self.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
        let tag = self.one().tag("To").to_owned();
        self.receive(&Script::new("ACK").tagged(&tag).branch("z9hG4bKack").text());
        assert_eq!(self.said(), ["Established"]);
        (leg, tag)
    }
}

/// A call to bob by way of a proxy, or of whoever is there.
pub fn to_bob(proxy: SocketAddr) -> Invite {
    Invite {
        flow: Flow::udp(us(), proxy),
        target: Private::new("sip:bob@example.com".to_owned()),
        from: None,
        display: None,
        sdp: Some(SDP.as_bytes().to_vec()),
        credentials: None,
        headers: Vec::new(),
        others: Vec::new(),
    }
}

/// A request of the scripted peer.
#[derive(Clone)]
pub struct Script {
    pub method: &'static str,
    pub uri: String,
    pub branch: String,
    pub from_tag: String,
    pub to_tag: Option<String>,
    pub call_id: String,
    pub number: u32,
    pub cseq_method: &'static str,
    pub contact: Option<String>,
    pub headers: Vec<String>,
    pub body: String,
    pub transport: &'static str,
    pub sent_by: String,
}

impl Script {
    pub fn new(method: &'static str) -> Self {
        Self {
            method,
            uri: "sip:desk@192.0.2.1".to_owned(),
            branch: format!("z9hG4bK{method}1"),
            from_tag: "caller".to_owned(),
            to_tag: None,
            call_id: "call-1".to_owned(),
            number: 1,
            cseq_method: method,
            contact: Some("<sip:ann@192.0.2.7:5060>".to_owned()),
            headers: Vec::new(),
            body: String::new(),
            transport: "UDP",
            sent_by: "192.0.2.7:5060".to_owned(),
        }
    }

    pub fn uri(mut self, uri: &str) -> Self {
        self.uri = uri.to_owned();
        self
    }

    pub fn branch(mut self, branch: &str) -> Self {
        self.branch = branch.to_owned();
        self
    }

    pub fn tagged(mut self, tag: &str) -> Self {
        self.to_tag = Some(tag.to_owned());
        self
    }

    pub fn sender_tag(mut self, tag: &str) -> Self {
        self.from_tag = tag.to_owned();
        self
    }

    pub fn call_id(mut self, call_id: &str) -> Self {
        self.call_id = call_id.to_owned();
        self
    }

    /// CSeq number, with a branch of its own.
    pub fn number(mut self, number: u32) -> Self {
        self.number = number;
        self.branch = format!("z9hG4bK{}{number}", self.method);
        self
    }

    pub fn header(mut self, header: &str) -> Self {
        self.headers.push(header.to_owned());
        self
    }

    pub fn contact(mut self, contact: Option<&str>) -> Self {
        self.contact = contact.map(str::to_owned);
        self
    }

    pub fn sent_by(mut self, sent_by: &str) -> Self {
        self.sent_by = sent_by.to_owned();
        self
    }

    pub fn tcp(mut self) -> Self {
        self.transport = "TCP";
        self
    }

    pub fn body(mut self, sdp: &str) -> Self {
        self.headers.push("Content-Type: application/sdp".to_owned());
        self.body = sdp.to_owned();
        self
    }

    pub fn body_of(mut self, kind: &str, body: &str) -> Self {
        self.headers.push(format!("Content-Type: {kind}"));
        self.body = body.to_owned();
        self
    }

    pub fn text(&self) -> String {
        let Self { method, uri, branch, from_tag, call_id, number, cseq_method, .. } = self;
        let to_tag = self.to_tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let mut text = format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/{} {};branch={branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: Ann <sip:ann@192.0.2.7>;tag={from_tag}\r\n\
             To: <sip:desk@192.0.2.1>{to_tag}\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {number} {cseq_method}\r\n",
            self.transport, self.sent_by
        );
        if let Some(contact) = &self.contact {
            text += &format!("Contact: {contact}\r\n");
        }
        for header in &self.headers {
            text += &format!("{header}\r\n");
        }
        text + &format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body)
    }
}

/// A response of the scripted peer to a request of ours.
pub fn reply(request: &Sent, status: u16, to_tag: &str, extra: &[&str], body: &str) -> String {
    let mut text = format!("SIP/2.0 {status} Whatever\r\n");
    for name in ["Via", "From", "Call-ID", "CSeq"] {
        for value in request.headers(name) {
            text += &format!("{name}: {value}\r\n");
        }
    }
    let to = request.header("To");
    let to = to.split(";tag=").next().unwrap();
    let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    text += &format!("To: {to}{tag}\r\n");
    for header in extra {
        text += &format!("{header}\r\n");
    }
    if !body.is_empty() {
        text += "Content-Type: application/sdp\r\n";
    }
    text + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
}
