//! Our message types against the crate rsip: where it reads a message, both read the same; and the
//! list of legal messages that it cannot read, which is why it is not what the program stands on.
//!
//! The day that the second test fails, rsip can be used again.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

use attendant::sip::message::{Carriage, Message, parse};
use rsip::headers::UntypedHeader;
use rsip::prelude::HeadersExt;

fn invite(uri: &str, more: &str) -> String {
    format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776\r\n\
         Max-Forwards: 70\r\nTo: Desk <sip:desk@example.net>\r\n\
         From: \"A. Caller\" <sip:caller@example.org>;tag=1928301774\r\n\
         Call-ID: a84b4c76e66710\r\nCSeq: 314159 INVITE\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

#[test]
fn what_rsip_reads_we_read_the_same() {
    for uri in ["sip:desk@example.net", "sip:192.0.2.7:5070", "sip:desk@192.0.2.7;transport=tcp"] {
        let text = invite(uri, "Contact: <sip:caller@192.0.2.1:5060>\r\n");
        let theirs = rsip::Request::try_from(text.as_bytes()).unwrap();
        let Ok(Message::Request(ours)) = parse(text.as_bytes(), Carriage::Datagram) else {
            panic!("{text}")
        };
        // Parameters do not care for case (RFC 3261 section 19.1.4).
        assert_eq!(ours.uri().to_string(), theirs.uri.to_string().replace("TCP", "tcp"));
        assert_eq!(ours.method().to_string(), theirs.method.to_string());
        assert_eq!(ours.call_id(), Some(theirs.call_id_header().unwrap().value()));
        assert_eq!(ours.cseq().unwrap().number, theirs.cseq_header().unwrap().seq().unwrap());
        let tag = theirs.from_header().unwrap().tag().unwrap().unwrap();
        assert_eq!(ours.from().unwrap().tag(), Some(tag.value()));
    }
}

#[test]
fn legal_messages_that_rsip_does_not_read() {
    let is_same = |uri: &str| {
        let text = invite(uri, "");
        let theirs = rsip::Request::try_from(text.as_bytes());
        theirs.is_ok_and(|request| {
            request.uri.host().to_string() == host(&text) && request.uri.to_string() == uri
        })
    };
    assert!(is_same("sip:desk@example.net"), "the comparison itself works");
    for uri in ["sip:[2001:db8::1]", "sip:first.last@example.net", "tel:+15550100"] {
        assert!(!is_same(uri), "rsip reads {uri} now");
    }
    let folded = invite("sip:desk@example.net", "Subject: one\r\n two\r\n");
    let compact = invite("sip:desk@example.net", "").replace("Call-ID:", "i:");
    let foreign = invite("sip:desk@example.net", "").replace("INVITE", "JUMP");
    let read = |text: &str| rsip::Request::try_from(text.as_bytes());
    assert!(read(&folded).is_err() && read(&foreign).is_err());
    assert!(read(&compact).is_ok_and(|request| request.call_id_header().is_err()));
    for text in [folded, compact, foreign] {
        assert!(parse(text.as_bytes(), Carriage::Datagram).is_ok(), "{text}");
    }
}

/// The host that we read in the Request-URI.
fn host(text: &str) -> String {
    match parse(text.as_bytes(), Carriage::Datagram) {
        Ok(Message::Request(request)) => request.uri().host().map(ToString::to_string),
        _ => None,
    }
    .unwrap_or_default()
}
