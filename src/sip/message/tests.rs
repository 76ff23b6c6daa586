//! What the wire allows, what builders refuse, what responses copy.

use super::*;
use crate::base::limits;

const INVITE: &str = "INVITE sip:bob@192.0.2.7 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;rport\r\n\
    Via: SIP/2.0/TCP p.example.com;branch=z9hG4bK2\r\n\
    Max-Forwards: 70\r\nFrom: \"Al\" <sip:al@example.com>;tag=a1\r\nTo: <sip:bob@example.com>\r\n\
    Call-ID: 77@example.com\r\nCSeq: 3 INVITE\r\nTimestamp: 54.2\r\n\
    Record-Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n\
    Contact: <sip:al@192.0.2.1:5070>\r\nContent-Type: Application/SDP; x=y\r\n\
    Content-Length: 4\r\n\r\nbody";

fn request(text: &str) -> Request {
    match parse(text.as_bytes(), Carriage::Datagram) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?} from {text}"),
    }
}

fn fault(text: &str, carriage: Carriage) -> ParseFault {
    parse(text.as_bytes(), carriage).expect_err(text)
}

#[test]
fn every_compact_name_is_understood_in_both_cases() {
    let names = [
        ("a", "Accept-Contact"),
        ("b", "Referred-By"),
        ("c", "Content-Type"),
        ("d", "Request-Disposition"),
        ("e", "Content-Encoding"),
        ("f", "From"),
        ("i", "Call-ID"),
        ("j", "Reject-Contact"),
        ("k", "Supported"),
        ("m", "Contact"),
        ("o", "Event"),
        ("r", "Refer-To"),
        ("s", "Subject"),
        ("t", "To"),
        ("u", "Allow-Events"),
        ("v", "Via"),
        ("x", "Session-Expires"),
        ("y", "Identity"),
    ];
    for (compact, name) in names {
        for compact in [compact.to_owned(), compact.to_uppercase()] {
            assert_eq!(headers::expand(&compact), name);
        }
    }
    assert_eq!(headers::expand("l"), "Content-Length");
    assert_eq!(headers::expand("z"), "z");
}

#[test]
fn a_message_survives_reading_and_writing() {
    let first = request(INVITE);
    assert_eq!(first.body(), b"body");
    assert_eq!(first.vias().len(), 2);
    assert_eq!(first.record_routes().len(), 2);
    assert_eq!(first.content_type(), Some("Application/SDP"));
    let bytes = first.to_bytes();
    assert!(bytes.ends_with(b"\r\nContent-Length: 4\r\n\r\nbody"));
    assert_eq!(parse(&bytes, Carriage::Stream), Ok(Message::Request(first)));
}

#[test]
fn lone_lf_folding_and_leading_line_breaks_are_normalised() {
    let lf = INVITE.replace("\r\n", "\n");
    assert_eq!(request(&lf), request(INVITE));
    assert_eq!(request(&format!("\r\n\r\n\n{INVITE}")), request(INVITE));
    let folded = INVITE.replace("<sip:p1", "\r\n\t <sip:p1").replace(": 70", ":\r\n 70");
    assert_eq!(request(&folded), request(INVITE));
}

#[test]
fn addresses_are_split_at_commas_but_challenges_and_quotes_are_not() {
    let text = INVITE.replace(
        "Contact: <sip:al@192.0.2.1:5070>",
        "Contact: \"a, b\" <sip:a@h;x=1,2>;q=1, <sip:b@h>\r\n\
         WWW-Authenticate: Digest realm=\"a,b\", nonce=\"c\"\r\nSupported: a, b ,c\r\nSupported: d",
    );
    let request = request(&text.replace("x=1,2", "x=1"));
    assert_eq!(request.contacts().len(), 2);
    assert_eq!(request.contacts()[0].display.as_deref(), Some("a, b"));
    assert_eq!(request.headers("WWW-Authenticate").count(), 1);
    assert_eq!(request.supported(), ["a", "b", "c", "d"]);
}

#[test]
fn content_length_is_held_against_what_came() {
    use Carriage::{Datagram, Stream};
    let with = |length: &str| INVITE.replace("Content-Length: 4\r\n", length);
    assert_eq!(request(&with("")).body(), b"body");
    assert_eq!(request(&with("l: 2\r\n")).body(), b"bo");
    assert_eq!(request(&with("l: 0\r\n")).body(), b"");
    for (length, carriage) in [
        ("l: 5\r\n", Datagram),
        ("l: 5\r\n", Stream),
        ("", Stream),
        ("l: x\r\n", Datagram),
        ("l: +4\r\n", Datagram),
        ("l: 4\r\nl: 4\r\n", Datagram),
        ("l: 99999999999999999999999\r\n", Datagram),
    ] {
        assert_eq!(fault(&with(length), carriage).status, 400, "{length}");
    }
}

#[test]
fn each_mandatory_field_is_missed_and_answered_if_there_is_a_via() {
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        let kept = INVITE.split("\r\n").filter(|line| !line.starts_with(&format!("{name}:")));
        let text = kept.collect::<Vec<_>>().join("\r\n");
        let fault = fault(&text, Carriage::Datagram);
        assert_eq!(fault.status, 400);
        assert_eq!(fault.response().is_some(), name != "Via", "{name}");
    }
    let without = INVITE.replace("Max-Forwards: 70\r\n", "");
    assert_eq!(request(&without).max_forwards(), None);
}

#[test]
fn a_fault_is_answered_with_what_was_sent() {
    let text = INVITE.replace("CSeq: 3 INVITE", "CSeq: 3 BYE");
    let response = fault(&text, Carriage::Datagram).response().unwrap();
    assert_eq!(response.status(), 400);
    assert_eq!(response.vias().len(), 2);
    assert_eq!(response.header("From"), Some("\"Al\" <sip:al@example.com>;tag=a1"));
    assert_eq!(response.call_id(), Some("77@example.com"));
    assert_eq!(response.header("CSeq"), Some("3 BYE"));
    let ack = text.replace("INVITE sip", "ACK sip");
    assert_eq!(fault(&ack, Carriage::Datagram).response(), None);
}

#[test]
fn sizes_are_limited() {
    let long = format!("X: {}\r\n", "x".repeat(limits::SIP_MESSAGE_BYTES));
    let many = "X: y\r\n".repeat(limits::SIP_HEADERS);
    let vias = "Via: SIP/2.0/UDP h;branch=z9hG4bK\r\n".repeat(limits::SIP_VIAS);
    for extra in [long, many, vias] {
        let text = INVITE.replacen("Via:", &format!("{extra}Via:"), 1);
        assert_eq!(fault(&text, Carriage::Datagram).status, 513);
    }
}

#[test]
fn control_characters_are_refused_from_peers_unless_escaped() {
    for c in ["\0", "\r", "\x07", "\x7f", "\u{85}"] {
        let text = INVITE.replace("77@", &format!("7{c}7@"));
        assert_eq!(fault(&text, Carriage::Datagram).status, 400, "{c:?}");
        let escaped = INVITE.replace("\"Al\"", &format!("\"A\\{c}l\""));
        assert_eq!(request(&escaped).from().unwrap().display.as_deref(), Some("Al"), "{c:?}");
    }
}

#[test]
fn nothing_that_is_built_can_break_a_line() {
    let evil = "a\r\nEvil: 1\n\tx\0y";
    let uri = Uri::sip(Some(evil), Host::Name("h".into()), None).with_param("p", Some(evil));
    assert_eq!(uri.clone().with_param("a b\r\n", None), uri);
    let name = NameAddr { display: Some(evil.into()), uri: uri.clone(), params: Params::default() };
    let mut request = Request::new(Method::Options, uri)
        .with_header("Subject", evil)
        .with_header("To", name.with_tag(evil).to_string())
        .with_header("Bad Name", "x")
        .with_header("Evil\r\nName", "x")
        .with_header("Content-Length", "9");
    request.set_header("Via", Via::new("udp", Host::Name(evil.into()), None, evil).to_string());
    request.set_body(evil, evil);
    let mut response = Response::new(200, evil);
    response.prepend_header("Warning", evil);
    for bytes in [request.to_bytes(), response.to_bytes()] {
        let text = String::from_utf8(bytes).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            !head.split("\r\n").any(|line| line.starts_with("Evil") || line.starts_with("Bad"))
        );
        assert!(!head.replace("\r\n", "").contains(char::is_control), "{head:?}");
        assert_eq!(text.matches("Content-Length").count(), 1);
    }
}

#[test]
fn a_response_copies_what_it_must() {
    let request = request(INVITE);
    // (status, To tag, Timestamp, Record-Route)
    let cases = [
        (100, None, true, 0),
        (180, Some("us"), false, 2),
        (200, Some("us"), false, 2),
        (486, Some("us"), false, 0),
    ];
    for (status, tag, has_timestamp, routes) in cases {
        let response = response_to(&request, status, Some("us"));
        assert_eq!(response.reason(), reason_phrase(status));
        assert_eq!(response.vias(), request.vias());
        assert_eq!(response.header("From"), request.header("From"));
        assert_eq!(response.to().unwrap().tag(), tag, "{status}");
        assert_eq!(response.header("Timestamp").is_some(), has_timestamp);
        assert_eq!(response.record_routes().len(), routes);
        assert_eq!((response.call_id(), response.cseq()), (request.call_id(), request.cseq()));
    }
    let tagged = self::request(&INVITE.replace("bob@example.com>", "bob@example.com>;tag=old"));
    assert_eq!(response_to(&tagged, 200, Some("us")).to().unwrap().tag(), Some("old"));
    assert_eq!(response_to(&tagged, 100, None).to().unwrap().tag(), Some("old"));
}

#[test]
fn the_top_via_takes_the_source_address() {
    let mut request = request(INVITE);
    let mut via = request.top_via().unwrap();
    assert!(via.wants_rport() && via.rport().is_none());
    via.set_received("2001:db8::9".parse().unwrap());
    via.set_rport(6000);
    request.set_top_via(&via);
    let expected = "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;rport=6000;received=2001:db8::9";
    assert_eq!(request.header("Via"), Some(expected));
    let read = request.top_via().unwrap();
    assert_eq!((read.rport(), read.received()), (Some(6000), via.received()));
    assert_eq!(request.vias().len(), 2);
}

#[test]
fn uris_are_read_part_by_part() {
    // (text, scheme, user, host, port)
    let cases = [
        ("sip:bob@example.com", "sip", Some("bob"), "example.com", None),
        ("SIPS:b.o_b:secret@h:5061;transport=tls?a=b", "sips", Some("b.o_b"), "h", Some(5061)),
        ("sip:[::1]:5060", "sip", None, "[::1]", Some(5060)),
        ("sip:192.0.2.1;lr", "sip", None, "192.0.2.1", None),
    ];
    for (text, scheme, user, host, port) in cases {
        let uri = Uri::parse(text).unwrap();
        assert_eq!((uri.scheme(), uri.user(), uri.port()), (scheme, user, port));
        assert_eq!(uri.host().unwrap().to_string(), host);
        assert!(uri.to_string().eq_ignore_ascii_case(text));
    }
    let tel = Uri::parse("tel:+1-555;phone-context=x").unwrap();
    assert_eq!((tel.user(), tel.host(), tel.is_sip()), (Some("+1-555"), None, false));
    for bad in [
        "",
        "sip",
        "sip:",
        "sip:@h",
        "sip:a@b@c",
        "sip:h:x",
        "sip:h:70000",
        "sip:h:",
        "sip:a b",
        "1sip:h",
        "sip:[::1",
        "sip:h;",
        "sip:h\r\n",
    ] {
        assert!(Uri::parse(bad).is_none(), "{bad:?}");
    }
    let built = Uri::sip(Some("a b@c"), Host::Ip("::1".parse().unwrap()), Some(5070));
    assert_eq!(built.to_string(), "sip:a%20b%40c@[::1]:5070");
    let request = Uri::parse("sip:h;method=BYE;lr?x=y").unwrap().for_request();
    assert_eq!(request.to_string(), "sip:h;lr");
}

#[test]
fn parameters_without_brackets_belong_to_the_header() {
    let bare = NameAddr::parse("sip:a@h;tag=1").unwrap();
    assert_eq!((bare.tag(), bare.uri.param("tag")), (Some("1"), None));
    let bracketed = NameAddr::parse("<sip:a@h;tag=1>").unwrap();
    assert_eq!((bracketed.tag(), bracketed.uri.param("tag")), (None, Some("1")));
    let quoted = NameAddr::parse("\"<x>;tag=9\" <sip:a@h>;tag=2").unwrap();
    assert_eq!((quoted.tag(), quoted.display.as_deref()), (Some("2"), Some("<x>;tag=9")));
}

#[test]
fn nothing_private_is_printed() {
    let request = request(INVITE);
    let response = response_to(&request, 180, Some("us"));
    let bad = fault(&INVITE.replace("CSeq: 3", "CSeq: x"), Carriage::Datagram);
    let parts = (request.from(), request.vias(), request.uri().clone(), Headers::clone(&request));
    let printed = format!("{request:?} {response:?} {bad:?} {parts:?}");
    for private in ["al@", "bob", "Al", "192.0.2", "example"] {
        assert!(!printed.contains(private), "{private} in {printed}");
    }
}

#[test]
fn setting_a_header_keeps_its_place_and_overflowing_expires_is_clamped() {
    let mut request = request(INVITE);
    request.set_header("max-forwards", "69").push_header("Expires", "99999999999");
    assert_eq!(request.max_forwards(), Some(69));
    assert_eq!(request.headers("Max-Forwards").count(), 1);
    assert_eq!(request.expires(), Some(u32::MAX));
    let order: Vec<&str> = request.iter().map(|(name, _)| name).take(3).collect();
    assert_eq!(order, ["Via", "Via", "max-forwards"]);
    request.prepend_header("Via", "SIP/2.0/UDP us;branch=z9hG4bK0");
    assert_eq!(request.top_via().unwrap().branch(), Some("z9hG4bK0"));
    request.remove_header("Expires");
    assert_eq!(request.expires(), None);
}
