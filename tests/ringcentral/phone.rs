//! A telephone of one extension that does what a test says, without sound.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use md5::{Digest, Md5};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocket;
use tokio_tungstenite::tungstenite::{Message as Frame, client};

use super::message::{Message, param};
use super::stand_in::{DOMAIN, StandIn};

const PATIENCE: Duration = Duration::from_secs(20);

/// Of a browser, as far as a box reads it; nobody is there.
const OFFER: &str = "v=0\r\no=- 1723 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
    a=ice-options:ice2 trickle\r\na=ice-ufrag:aaaa\r\na=ice-pwd:0123456789012345678901\r\n\
    a=fingerprint:sha-256 AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:\
    AA:AA:AA:AA:AA:AA:AA:AA\r\n\
    m=audio 40010 UDP/TLS/RTP/SAVPF 111 0 101\r\na=rtpmap:111 OPUS/48000/2\r\n\
    a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=mid:0\r\na=sendrecv\r\n\
    a=rtcp-mux\r\na=setup:actpass\r\na=candidate:1 1 UDP 2130706431 127.0.0.1 40010 typ host\r\n";

pub struct Phone {
    socket: WebSocket<TcpStream>,
    username: String,
    authorization_id: String,
    password: String,
    instance: String,
    cseq: u32,
}

impl Phone {
    /// Registered as one more telephone of an extension, by the backup proxy.
    pub fn register(stand_in: &StandIn, number: &str, instance: &str) -> Self {
        let (sip, who) = {
            let state = stand_in.lock();
            let who = state.extensions.iter().find(|e| e.number == number).unwrap().clone();
            (state.proxies[1].clone(), who)
        };
        let stream = TcpStream::connect(sip.trim_start_matches("ws://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut request = format!("{sip}/").into_client_request().unwrap();
        let protocol = HeaderValue::from_static("sip");
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        // The handshake may wait longer than one reading.
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut socket, _) = client(request, stream).unwrap();
        socket.get_mut().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut phone = Self {
            socket,
            username: who.username,
            authorization_id: who.authorization_id,
            password: who.password,
            instance: instance.to_owned(),
            cseq: 100,
        };
        phone.register_for(60);
        phone
    }

    fn register_for(&mut self, expires: u64) {
        let register = self.request(&format!("REGISTER sip:{DOMAIN} SIP/2.0"), "register");
        let contact = format!(
            "<sip:{0}@{0}.invalid;transport=wss>;+sip.instance=\"<urn:uuid:{0}>\";expires={expires}",
            self.instance
        );
        let register = register.with("Contact", contact);
        let answer = self.authorized(register, 401, "Www-Authenticate", "Authorization");
        assert_eq!(answer.status(), 200, "{answer:?}");
    }

    pub fn unregister(&mut self) {
        self.register_for(0);
    }

    /// Calls; the first answer that is neither 100 nor the challenge.
    pub fn call(&mut self, user: &str) -> Message {
        let invite = self.request(&format!("INVITE sip:{user}@{DOMAIN} SIP/2.0"), "call");
        let contact = format!("<sip:{0}@{0}.invalid;transport=wss>", self.instance);
        let invite = invite.with("Contact", contact).with_body("application/sdp", OFFER);
        self.authorized(invite, 407, "Proxy-Authenticate", "Proxy-Authorization")
    }

    /// Calls, and waits for nothing but that it rings there.
    pub fn begin_call(&mut self, stand_in: &StandIn, user: &str, rings: usize) {
        let before = stand_in.count("RINGS ");
        let invite = self.request(&format!("INVITE sip:{user}@{DOMAIN} SIP/2.0"), "call");
        let contact = format!("<sip:{0}@{0}.invalid;transport=wss>", self.instance);
        let invite = invite.with("Contact", contact).with_body("application/sdp", OFFER);
        let challenge = self.challenged(&invite);
        self.send_again(invite, &challenge, "Proxy-Authenticate", "Proxy-Authorization");
        self.wait_until("it rings there", || stand_in.count("RINGS ") >= before + rings);
    }

    /// The INVITE of a call that comes.
    pub fn ringing(&mut self) -> Message {
        let is_call = |message: &Message| {
            message.method() == "INVITE" && !message.get("To").contains(";tag=")
        };
        let invite = self.wait("a call", is_call);
        self.send(&invite.response("180 Ringing", &self.tag()));
        invite
    }

    pub fn answer(&mut self, invite: &Message) {
        let ok = invite.response("200 OK", &self.tag()).with_body("application/sdp", &answer());
        self.send(&ok);
        self.wait("it is confirmed", |message| message.method() == "ACK");
    }

    pub fn decline(&mut self, invite: &Message) {
        self.send(&invite.response("603 Decline", &self.tag()));
        self.wait("it is confirmed", |message| message.method() == "ACK");
    }

    fn tag(&self) -> String {
        format!("phone-{}", self.instance)
    }

    /// Answers what comes until something is so.
    pub fn wait_until(&mut self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
            self.next();
        }
    }

    /// The same for some time.
    pub fn pass(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.next();
        }
    }

    pub fn hang_up(&mut self, answered: &Message) {
        let mut bye = Message::new(&format!("BYE sip:{DOMAIN} SIP/2.0"));
        for name in ["Via", "From", "To", "Call-Id"] {
            bye = bye.with(name, answered.get(name));
        }
        self.cseq += 1;
        let bye = bye.with("CSeq", format!("{} BYE", self.cseq));
        self.send(&bye);
        self.wait("the end is answered", |message| message.cseq_method() == "BYE");
    }

    fn request(&mut self, start: &str, what: &str) -> Message {
        self.cseq += 1;
        let method = start.split(' ').next().unwrap();
        let (user, instance) = (&self.username, &self.instance);
        let to = match method {
            "REGISTER" => format!("<sip:{user}@{DOMAIN}>"),
            _ => format!("<{}>", start.split(' ').nth(1).unwrap()),
        };
        Message::new(start)
            .with("Call-Id", format!("{what}-{instance}-{}", self.cseq))
            .with("From", format!("<sip:{user}@{DOMAIN}>;tag=phone-{instance}"))
            .with("To", to)
            .with("Via", format!("SIP/2.0/WSS {instance}.invalid;branch=z9hG4bK-{}", self.cseq))
            .with("Max-Forwards", "70")
            .with("User-Agent", "script")
            .with("CSeq", format!("{} {method}", self.cseq))
    }

    fn authorized(&mut self, request: Message, status: u16, asks: &str, answers: &str) -> Message {
        let challenge = self.challenged(&request);
        if challenge.status() != status {
            return challenge;
        }
        self.send_again(request, &challenge, asks, answers);
        self.wait("an answer", is_final)
    }

    fn challenged(&mut self, request: &Message) -> Message {
        self.send(request);
        self.wait("a challenge", is_final)
    }

    /// With credentials.
    fn send_again(&mut self, request: Message, challenge: &Message, asks: &str, answers: &str) {
        let method = request.method().to_owned();
        let nonce = param(challenge.get(asks), "nonce").unwrap();
        let hex = |text: String| -> String {
            Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let ha1 = hex(format!("{}:{DOMAIN}:{}", self.authorization_id, self.password));
        let ha2 = hex(format!("{method}:sip:{DOMAIN}"));
        let response = hex(format!("{ha1}:{nonce}:{ha2}"));
        self.cseq += 1;
        let mut again = request;
        again.headers.retain(|(name, _)| name != "CSeq");
        let again = again.with("CSeq", format!("{} {method}", self.cseq)).with(
            answers,
            format!(
                "Digest algorithm=\"MD5\", username=\"{}\", realm=\"{DOMAIN}\", nonce=\"{nonce}\", \
                 uri=\"sip:{DOMAIN}\", response=\"{response}\"",
                self.authorization_id
            ),
        );
        self.send(&again);
    }

    fn send(&mut self, message: &Message) {
        self.socket.send(Frame::text(message.text())).unwrap();
    }

    /// The next message that is wanted; others are answered as a telephone does, or left alone.
    pub fn wait(&mut self, what: &str, is_it: impl Fn(&Message) -> bool) -> Message {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(message) = self.next().filter(&is_it) {
                return message;
            }
        }
        panic!("not within {PATIENCE:?}: {what}");
    }

    /// What comes within a moment, answered as a telephone does.
    fn next(&mut self) -> Option<Message> {
        let Ok(Frame::Text(text)) = self.socket.read() else { return None };
        let message = Message::parse(text.as_str());
        match message.method() {
            "MESSAGE" | "BYE" | "CANCEL" => self.send(&message.response("200 OK", "s")),
            // Its other end is offered anew.
            "INVITE" if message.get("To").contains(";tag=") => {
                let ok = message.response("200 OK", "").with_body("application/sdp", &answer());
                self.send(&ok);
            }
            _ => {}
        }
        Some(message)
    }
}

fn is_final(message: &Message) -> bool {
    message.is_response() && message.status() > 100
}

/// What answers any offer of everything.
fn answer() -> String {
    OFFER.replace("a=setup:actpass", "a=setup:active")
}
