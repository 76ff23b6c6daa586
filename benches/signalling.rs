//! SIP and SDP in memory: what one call's set-up costs without a network.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use attendant::base::Entropy;
use attendant::codec::Codec;
use attendant::sdp::{self, Keys, Local, OfferedKeys, Offering, Srtp};
use attendant::sip::message::{Carriage, parse};
use attendant::sip::{Command, Event, Flow, Input, LegId, Output, Settings, UserAgent};

use crate::stopwatch::{median, nanoseconds};
use crate::table::{Table, Target};

const CALLS: u64 = 2_000;
const OFFER: &str = "v=0\r\n\
    o=- 20518 0 IN IP4 203.0.113.1\r\n\
    s=-\r\n\
    c=IN IP4 203.0.113.1\r\n\
    t=0 0\r\n\
    m=audio 54400 RTP/AVP 96 9 0 8 101\r\n\
    a=rtpmap:96 opus/48000/2\r\n\
    a=fmtp:96 stereo=0;useinbandfec=1\r\n\
    a=rtpmap:9 G722/8000\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\n\
    a=ptime:20\r\n\
    a=sendrecv\r\n";

pub fn measure(table: &mut Table) {
    table.section("signalling in memory");
    let message = invite(1);
    let parse_ns = nanoseconds(|| {
        black_box(parse(message.as_bytes(), Carriage::Datagram).is_ok());
    });
    table.figure("an INVITE read", Some(parse_ns / 1_000.0), "us", Target::None);
    let answer_ns = nanoseconds(|| {
        black_box(answer().len());
    });
    table.figure("an offer answered", Some(answer_ns / 1_000.0), "us", Target::None);
    table.figure("INVITE to 200, the answer included", set_up_us(), "us", Target::None);
}

fn answer() -> Vec<u8> {
    let codecs = vec![Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];
    let offering =
        Offering { codecs, dtmf: true, ptime_ms: 20, srtp: Srtp::Off, keys: OfferedKeys::Sdes };
    let keys = Keys::random(&mut Entropy::new([7; 32]));
    let local =
        Local { address: address("192.0.2.1:0").ip(), port: 16_384, id: 42, keys, handshake: None };
    let answer = sdp::answer(OFFER.as_bytes(), &offering, &local, 1, false);
    answer.expect("an offer with every codec").body
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("a literal")
}

fn invite(number: u64) -> String {
    format!(
        "INVITE sip:desk@192.0.2.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 203.0.113.1:5060;branch=z9hG4bK{number};rport\r\n\
         Max-Forwards: 70\r\n\
         From: \"Caller\" <sip:5550100@203.0.113.1>;tag=a{number}\r\n\
         To: <sip:desk@192.0.2.1>\r\n\
         Call-ID: {number}@203.0.113.1\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <sip:5550100@203.0.113.1:5060>\r\n\
         Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO\r\n\
         Supported: replaces, timer\r\n\
         User-Agent: bench\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{OFFER}",
        OFFER.len()
    )
}

fn in_dialog(method: &str, cseq: u32, number: u64, to_tag: &str) -> String {
    format!(
        "{method} sip:attendant@192.0.2.1:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 203.0.113.1:5060;branch=z9hG4bK{method}{number};rport\r\n\
         Max-Forwards: 70\r\n\
         From: \"Caller\" <sip:5550100@203.0.113.1>;tag=a{number}\r\n\
         To: <sip:desk@192.0.2.1>;tag={to_tag}\r\n\
         Call-ID: {number}@203.0.113.1\r\n\
         CSeq: {cseq} {method}\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// A user agent on a clock of our own.
struct End {
    agent: UserAgent,
    now: Instant,
    flow: Flow,
    /// What was sent last.
    sent: Vec<u8>,
    offered: Option<LegId>,
}

impl End {
    fn give(&mut self, input: Input<'_>) {
        self.agent.handle(self.now, input);
        loop {
            match self.agent.poll_output() {
                Output::Transmit { bytes, .. } => self.sent = bytes,
                Output::Event(Event::Incoming { leg, .. }) => self.offered = Some(leg),
                Output::Timeout(_) => return,
                _ => (),
            }
        }
    }

    fn receive(&mut self, message: &str) {
        self.give(Input::Datagram { flow: self.flow, bytes: message.as_bytes() });
    }

    fn to_tag(&self) -> String {
        let text = String::from_utf8_lossy(&self.sent);
        let to = text.lines().find(|line| line.starts_with("To:")).unwrap_or_default();
        to.split_once(";tag=").map_or(String::new(), |(_, tag)| tag.to_owned())
    }
}

/// Microseconds from an INVITE's bytes to those of its 200; each call is ended before the next.
fn set_up_us() -> Option<f64> {
    let mut end = End {
        agent: UserAgent::new(Settings::default(), Entropy::new([7; 32])),
        now: Instant::now(),
        flow: Flow::udp(address("192.0.2.1:5060"), address("203.0.113.1:5060")),
        sent: Vec::new(),
        offered: None,
    };
    let mut times = Vec::new();
    for number in 0..CALLS {
        let message = invite(number);
        let began = Instant::now();
        end.receive(&message);
        let leg = end.offered.take()?;
        end.give(Input::Command(Command::Answer { leg, sdp: answer() }));
        times.push(began.elapsed().as_secs_f64() * 1_000_000.0);
        let tag = end.to_tag();
        end.receive(&in_dialog("ACK", 1, number, &tag));
        end.receive(&in_dialog("BYE", 2, number, &tag));
        // Transactions die of age meanwhile, so that their number stays that of a busy box.
        end.now += Duration::from_millis(100);
        end.give(Input::Timeout);
    }
    median(times)
}
