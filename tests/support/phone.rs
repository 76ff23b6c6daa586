//! A telephone of the test's own: SIP over UDP as far as one call needs it, PCMU, and the time of each packet.
//!
//! Programs that are real telephones do not tell when a packet came; what is measured here is just that.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use attendant::codec::Resampler;
use attendant::codec::g711::Law;

use super::sound::Sound;
use super::wait;

const SOON: Duration = Duration::from_secs(20);
const PACKET_SAMPLES: usize = 160;
/// Loudness from which a packet is sound.
const LOUD: i16 = 300;

/// Milliseconds of the Unix epoch, as other programs of a test write them.
pub fn unix_ms() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64() * 1_000.0
}

/// A packet of the other end.
#[derive(Clone, Debug)]
pub struct Heard {
    pub at_ms: f64,
    pub samples: Vec<i16>,
}

impl Heard {
    pub fn is_loud(&self) -> bool {
        self.samples.iter().any(|sample| sample.unsigned_abs() >= LOUD as u16)
    }
}

/// What it says, as mu-law at 8 kHz, from the front.
type Mouth = Arc<Mutex<Vec<u8>>>;

/// One telephone with one call.
#[derive(Debug)]
pub struct Phone {
    sip: UdpSocket,
    rtp: UdpSocket,
    heard: Arc<Mutex<Vec<Heard>>>,
    mouth: Mouth,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// Of the dialog.
    peer: Option<SocketAddr>,
    call_id: String,
    own: String,
    other: String,
    target: String,
    /// The request that is being answered.
    invite: String,
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    socket
}

/// The value of a header field.
pub fn field<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message.lines().find(|line| {
        line.split_once(':').is_some_and(|(known, _)| known.eq_ignore_ascii_case(name))
    });
    line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
}

impl Phone {
    pub fn new(user: &str) -> Self {
        let (sip, rtp) = (socket(), socket());
        let at = sip.local_addr().unwrap();
        let own = format!("<sip:{user}@{at}>;tag={user}");
        Self {
            sip,
            rtp,
            heard: Arc::default(),
            mouth: Arc::default(),
            is_over: Arc::default(),
            threads: Vec::new(),
            peer: None,
            call_id: format!("{user}-{}", unix_ms()),
            own,
            other: String::new(),
            target: String::new(),
            invite: String::new(),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.sip.local_addr().unwrap()
    }

    fn sdp(&self) -> String {
        let port = self.rtp.local_addr().unwrap().port();
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
        )
    }

    fn send(&self, text: &str) {
        self.sip.send_to(text.as_bytes(), self.peer.unwrap()).unwrap();
    }

    /// The next message that begins like this; what else comes is passed over.
    fn receive(&mut self, beginning: &str) -> String {
        let received = self.receive_one_of(&[beginning], SOON);
        received.unwrap_or_else(|others| panic!("no {beginning}, but {others:?}"))
    }

    /// The next message that begins like one of these, or the first lines of what came in place of it.
    fn receive_one_of(
        &mut self,
        beginnings: &[&str],
        limit: Duration,
    ) -> Result<String, Vec<String>> {
        let deadline = Instant::now() + limit;
        let mut bytes = [0; 8_192];
        let mut others = Vec::new();
        while Instant::now() < deadline {
            let Ok((length, from)) = self.sip.recv_from(&mut bytes) else { continue };
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            self.peer.get_or_insert(from);
            if beginnings.iter().any(|beginning| text.starts_with(beginning)) {
                return Ok(text);
            }
            others.push(text.lines().next().unwrap_or_default().to_owned());
        }
        Err(others)
    }

    fn request(&self, method: &str, number: u32, body: &str) -> String {
        let at = self.address();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bK{method}{number}{}\r\n\
             From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n\
             Contact: <sip:phone@{at}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            self.target,
            self.call_id,
            self.own,
            self.other,
            self.call_id,
            body.len()
        )
    }

    fn response(&self, status: &str, body: &str) -> String {
        let at = self.address();
        let invite = &self.invite;
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        format!(
            "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
             Contact: <sip:phone@{at}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            field(invite, "Via"),
            field(invite, "From"),
            self.own,
            field(invite, "Call-ID"),
            field(invite, "CSeq"),
            body.len()
        )
    }

    /// Calls the box and talks; gives when it was answered.
    pub fn call(&mut self, uri: &str, at: SocketAddr) -> f64 {
        self.peer = Some(at);
        uri.clone_into(&mut self.target);
        self.other = format!("<{uri}>");
        self.send(&self.request("INVITE", 1, &self.sdp()));
        let ok = self.receive("SIP/2.0 200");
        let answered = unix_ms();
        self.is_answered(&ok);
        answered
    }

    fn is_answered(&mut self, ok: &str) {
        self.other = field(ok, "To").to_owned();
        self.target = field(ok, "Contact").trim_matches(['<', '>']).to_owned();
        self.send(&self.request("ACK", 1, ""));
        self.talk(ok);
    }

    /// A whole call of so long with a box that may go at any moment; whether its end was acknowledged.
    pub fn completes(
        &mut self,
        uri: &str,
        at: SocketAddr,
        lasts: Duration,
        limit: Duration,
    ) -> bool {
        self.peer = Some(at);
        uri.clone_into(&mut self.target);
        self.other = format!("<{uri}>");
        self.send(&self.request("INVITE", 1, &self.sdp()));
        let finals = ["SIP/2.0 2", "SIP/2.0 4", "SIP/2.0 5", "SIP/2.0 6"];
        let Ok(answer) = self.receive_one_of(&finals, limit) else { return false };
        if !answer.starts_with("SIP/2.0 200") {
            self.other = field(&answer, "To").to_owned();
            self.send(&self.request("ACK", 1, "").replace("z9hG4bKACK1", "z9hG4bKINVITE1"));
            return false;
        }
        self.is_answered(&answer);
        std::thread::sleep(lasts);
        self.send(&self.request("BYE", 7, ""));
        self.receive_one_of(&["SIP/2.0 200"], limit)
            .is_ok_and(|ok| field(&ok, "CSeq").ends_with("BYE"))
    }

    /// Calls the box, which rings and does not answer yet.
    pub fn lets_ring(&mut self, uri: &str, at: SocketAddr) {
        self.peer = Some(at);
        uri.clone_into(&mut self.target);
        self.other = format!("<{uri}>");
        self.send(&self.request("INVITE", 1, &self.sdp()));
        self.receive("SIP/2.0 180");
    }

    /// Gives such a call up.
    pub fn cancels(&mut self) {
        let cancel = self.request("CANCEL", 1, "").replace("z9hG4bKCANCEL", "z9hG4bKINVITE");
        self.send(&cancel);
        let refused = self.receive("SIP/2.0 487");
        field(&refused, "To").clone_into(&mut self.other);
        let ack = self.request("ACK", 1, "").replace("z9hG4bKACK", "z9hG4bKINVITE");
        self.send(&ack);
    }

    /// Calls the box and is refused; gives the first line of its answer.
    pub fn is_refused(&mut self, uri: &str, at: SocketAddr) -> String {
        self.peer = Some(at);
        uri.clone_into(&mut self.target);
        self.other = format!("<{uri}>");
        self.send(&self.request("INVITE", 1, &self.sdp()));
        let refused = self.receive("SIP/2.0 4");
        self.other = field(&refused, "To").to_owned();
        // The ACK of a refusal is a part of its transaction (RFC 3261 section 17.1.1.3).
        let ack = self.request("ACK", 1, "").replace("z9hG4bKACK1", "z9hG4bKINVITE1");
        self.send(&ack);
        refused.lines().next().unwrap().to_owned()
    }

    /// Waits to be called.
    pub fn rings(&mut self) {
        self.invite = self.receive("INVITE ");
    }

    /// Sound before the answer.
    pub fn early(&mut self) {
        self.send(&self.response("183 Session Progress", &self.sdp()));
    }

    /// Refuses, and waits until that is acknowledged.
    pub fn is_busy(&mut self) {
        self.send(&self.response("486 Busy Here", ""));
        self.receive("ACK ");
    }

    /// Answers; gives when.
    pub fn answers(&mut self) -> f64 {
        let answered = unix_ms();
        self.send(&self.response("200 OK", &self.sdp()));
        self.receive("ACK ");
        let invite = self.invite.clone();
        self.call_id = field(&invite, "Call-ID").to_owned();
        field(&invite, "From").clone_into(&mut self.other);
        self.target = field(&invite, "Contact").trim_matches(['<', '>']).to_owned();
        self.talk(&invite);
        answered
    }

    /// Hangs up; gives when.
    pub fn hangs_up(&mut self) -> f64 {
        let at = unix_ms();
        self.send(&self.request("BYE", 7, ""));
        self.receive("SIP/2.0 200");
        at
    }

    /// Waits until the other end hangs up, and acknowledges it.
    pub fn is_hung_up(&mut self) -> f64 {
        self.invite = self.receive("BYE ");
        let at = unix_ms();
        let from = std::mem::replace(&mut self.own, field(&self.invite, "To").to_owned());
        self.send(&self.response("200 OK", ""));
        self.own = from;
        at
    }

    /// What it says from now on, at 16 kHz; then silence.
    pub fn says(&self, samples: &[i16]) {
        let mut resampler = Resampler::new(16_000, 8_000);
        let mut out = vec![0; samples.len()];
        let count = resampler.process(samples, &mut out);
        let codes = out[..count].iter().map(|sample| Law::Mu.encode(*sample));
        self.mouth.lock().unwrap().extend(codes);
    }

    /// Whether all that it was to say is said.
    pub fn has_said(&self) -> bool {
        self.mouth.lock().unwrap().is_empty()
    }

    /// All that it has heard so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// The same as one sound.
    pub fn recording(&self) -> Sound {
        let samples = self.heard().into_iter().flat_map(|heard| heard.samples).collect();
        Sound { rate_hz: 8_000, samples }
    }

    /// Waits until something loud is heard after this time; gives when.
    pub fn hears_after(&self, at_ms: f64, limit: Duration) -> Option<f64> {
        wait::within(limit, || {
            let heard = self.heard.lock().unwrap();
            heard.iter().find(|heard| heard.at_ms > at_ms && heard.is_loud()).map(|h| h.at_ms)
        })
    }

    fn talk(&mut self, description: &str) {
        let port = description.lines().find_map(|line| line.strip_prefix("m=audio "));
        let port: u16 = port.unwrap().split(' ').next().unwrap().parse().unwrap();
        let to = SocketAddr::from(([127, 0, 0, 1], port));
        let (rtp, heard, is_over) =
            (self.rtp.try_clone().unwrap(), Arc::clone(&self.heard), Arc::clone(&self.is_over));
        self.threads.push(std::thread::spawn(move || listen(&rtp, &heard, &is_over)));
        let (rtp, mouth, is_over) =
            (self.rtp.try_clone().unwrap(), Arc::clone(&self.mouth), Arc::clone(&self.is_over));
        self.threads.push(std::thread::spawn(move || speak(&rtp, to, &mouth, &is_over)));
    }
}

fn listen(rtp: &UdpSocket, heard: &Mutex<Vec<Heard>>, is_over: &AtomicBool) {
    let mut bytes = [0; 2_048];
    while !is_over.load(Ordering::Relaxed) {
        let Ok((length, _)) = rtp.recv_from(&mut bytes) else { continue };
        let at_ms = unix_ms();
        // RTP with PCMU, without a list of sources.
        if length > 12 && bytes[1] & 0x7F == 0 {
            let samples = bytes[12..length].iter().map(|code| Law::Mu.decode(*code)).collect();
            heard.lock().unwrap().push(Heard { at_ms, samples });
        }
    }
}

fn speak(rtp: &UdpSocket, to: SocketAddr, mouth: &Mutex<Vec<u8>>, is_over: &AtomicBool) {
    let begun = Instant::now();
    for number in 0_u32.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let due = begun + Duration::from_millis(20) * number;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut payload = [Law::Mu.silence(); PACKET_SAMPLES];
        {
            let mut mouth = mouth.lock().unwrap();
            let count = mouth.len().min(PACKET_SAMPLES);
            payload[..count].copy_from_slice(&mouth[..count]);
            mouth.drain(..count);
        }
        let mut packet = vec![0x80, 0];
        packet.extend((number as u16).to_be_bytes());
        packet.extend((number * PACKET_SAMPLES as u32).to_be_bytes());
        packet.extend(7_u32.to_be_bytes());
        packet.extend(payload);
        // A socket that is closed is the end of the call.
        let _ = rtp.send_to(&packet, to);
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
