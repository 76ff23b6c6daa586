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
    /// Registered as one more telephone of an extension.
    pub fn register(stand_in: &StandIn, number: &str, instance: &str) -> Self {
        let (sip, who) = {
            let state = stand_in.lock();
            let who = state.extensions.iter().find(|e| e.number == number).unwrap().clone();
            (state.sip.clone(), who)
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
        let register = phone.request(&format!("REGISTER sip:{DOMAIN} SIP/2.0"), "register");
        let contact = format!(
            "<sip:{instance}@{instance}.invalid;transport=wss>;+sip.instance=\"<urn:uuid:{instance}>\";expires=60"
        );
        let register = register.with("Contact", contact);
        let answer = phone.authorized(register, 401, "Www-Authenticate", "Authorization");
        assert_eq!(answer.status(), 200, "{answer:?}");
        phone
    }

    /// Calls; the first answer that is neither 100 nor the challenge.
    pub fn call(&mut self, user: &str) -> Message {
        let invite = self.request(&format!("INVITE sip:{user}@{DOMAIN} SIP/2.0"), "call");
        let contact = format!("<sip:{0}@{0}.invalid;transport=wss>", self.instance);
        let invite = invite.with("Contact", contact).with_body("application/sdp", OFFER);
        self.authorized(invite, 407, "Proxy-Authenticate", "Proxy-Authorization")
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
        self.send(&request);
        let method = request.method().to_owned();
        let is_final = |message: &Message| message.is_response() && message.status() > 100;
        let challenge = self.wait("a challenge", is_final);
        if challenge.status() != status {
            return challenge;
        }
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
        self.wait("an answer", is_final)
    }

    fn send(&mut self, message: &Message) {
        self.socket.send(Frame::text(message.text())).unwrap();
    }

    /// The next message that is wanted; others are answered as a telephone does, or left alone.
    pub fn wait(&mut self, what: &str, is_it: impl Fn(&Message) -> bool) -> Message {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let Ok(Frame::Text(text)) = self.socket.read() else { continue };
            let message = Message::parse(text.as_str());
            let is_known = ["MESSAGE", "BYE", "CANCEL"].contains(&message.method());
            if is_known {
                self.send(&message.response("200 OK", "s"));
            }
            if is_it(&message) {
                return message;
            }
        }
        panic!("not within {PATIENCE:?}: {what}");
    }
}
