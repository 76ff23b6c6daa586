//! Seeded mutations of real-looking messages: nothing panics, and what parses is written so that it
//! parses to the same.

use super::*;
use crate::base::{Entropy, limits};

const SEEDS: [&str; 4] = [
    "INVITE sip:bob@[2001:db8::1]:5070;transport=tcp;lr SIP/2.0\r\n\
     Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport,SIP/2.0/TCP x.example;branch=z9hG4bK2\r\n\
     f: \"Al \\\"x\\\"\" <sip:al:pw@h.example;user=phone?Subject=x>;tag=9\r\n\
     t: Bob <sip:bob@h.example>\r\ni: a@b\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\
     m: <sip:al@192.0.2.1>;q=0.5, sip:x@y;expires=3\r\nRoute: <sip:p1;lr>,\r\n <sip:p2;lr>\r\n\
     Record-Route: <sip:r1;lr>\r\nk: 100rel, timer\r\nc: application/sdp\r\nl: 4\r\n\r\nv=0\n",
    "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;received=192.0.2.9;rport=5\r\n\
     From: <sip:a@b>;tag=1\r\nTo: <tel:+1555;phone-context=x>;tag=2\r\nCall-ID: c\r\n\
     CSeq: 4294967295 INVITE\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n\
     Expires: 99999999999\r\nContent-Length: 0\r\n\r\n",
    "\r\n\r\nACK sips:x%40y@host SIP/2.0\nVia: SIP / 2.0 / TLS h : 1;branch = z\nTo: sip:a@b;x=\"y;z\"\n\
     From: <sip:a@b>\nCall-ID: 1\nCSeq: 0 ACK\n\n",
    "OPTIONS isbn:1 SIP/2.0\r\nv:SIP/2.0/WS [::ffff:1.2.3.4];branch=z9hG4bKq\r\nFrom:\"\"<a:b>;tag=\"q\"\r\n\
     To:\u{e9} <sip:\u{e9}@h>\r\nCall-ID:x\r\nCSeq:7 OPTIONS\r\nAccept: a/b;q=\"1,2\", c/d\r\n\r\n",
];

const SPICE: [&[u8]; 20] = [
    b"\r",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"\"",
    b"\\",
    b"<",
    b">",
    b"=",
    b"@",
    b"[",
    b"]",
    b"\0",
    b"\xff",
    b"%0",
    b"999999999999999999999",
];

fn mutate(seed: &[u8], entropy: &mut Entropy) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=entropy.next_u16() % 3 {
        let at = entropy.next_u32() as usize % (bytes.len() + 1);
        let end = (at + usize::from(entropy.next_u16() % 6)).min(bytes.len());
        let spice = SPICE[usize::from(entropy.next_u16()) % SPICE.len()];
        match entropy.next_u16() % 5 {
            0 => bytes.splice(at..at, spice.iter().copied()).for_each(drop),
            1 => bytes.splice(at..end, spice.iter().copied()).for_each(drop),
            2 => bytes.drain(at..end).for_each(drop),
            3 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy).for_each(drop);
            }
            _ if end > at => bytes[at] ^= 1 << (entropy.next_u16() % 8),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

/// Calls every getter: none may panic on what passed the parser.
fn touch(headers: &Headers) {
    for address in [headers.from(), headers.to()].into_iter().flatten().chain(headers.contacts()) {
        let again = NameAddr::parse(&address.to_string());
        assert_eq!(again.as_ref(), Some(&address), "{address}");
    }
    for via in headers.vias() {
        assert_eq!(Via::parse(&via.to_string()).as_ref(), Some(&via), "{via}");
        let _ = (via.received(), via.rport(), via.has_unique_branch());
    }
    let _ = (headers.routes(), headers.record_routes(), headers.list("Accept"), headers.expires());
    let _ = (headers.content_type(), headers.max_forwards(), headers.supported());
}

#[test]
fn the_seeds_are_messages() {
    for seed in SEEDS {
        parse(seed.as_bytes(), Carriage::Datagram).expect(seed);
    }
}

#[test]
fn a_hundred_thousand_mutated_messages_do_no_harm() {
    let mut entropy = Entropy::new([5; 32]);
    let mut understood = 0;
    for round in 0..100_000 {
        let bytes = mutate(SEEDS[round % SEEDS.len()].as_bytes(), &mut entropy);
        let carriage = if round % 8 < 4 { Carriage::Datagram } else { Carriage::Stream };
        match parse(&bytes, carriage) {
            Ok(message) => {
                understood += 1;
                match &message {
                    Message::Request(request) => {
                        touch(request);
                        let answer = response_to(request, 200, Some("t")).to_bytes();
                        assert!(parse(&answer, Carriage::Stream).is_ok());
                    }
                    Message::Response(response) => touch(response),
                }
                let written = message.to_bytes();
                assert_eq!(parse(&written, Carriage::Stream).as_ref(), Ok(&message));
            }
            Err(fault) => {
                let answer = fault.response().map(|answer| answer.to_bytes());
                assert!(answer.is_none_or(|answer| answer.ends_with(b"\r\n\r\n")));
            }
        }
    }
    assert!((10_000..90_000).contains(&understood), "{understood} of 100000 parsed");
}

#[test]
fn the_largest_hostile_messages_are_read_in_one_pass() {
    let head = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n";
    for unit in [
        ",", ";", "\"", "<", ">", "\\", "\r\n ", "\r\nA:", "a;", "a,", "\r\nVia:", "\u{e9}", "(",
        "\0",
    ] {
        for name in ["Contact", "From", "Via", "Subject"] {
            let filler = unit.repeat((limits::SIP_MESSAGE_BYTES - 200) / unit.len());
            let text = format!("{head}{name}: <sip:a@b>{filler}\r\n\r\n");
            let _ = parse(text.as_bytes(), Carriage::Datagram).map(|message| message.to_bytes());
        }
    }
}
