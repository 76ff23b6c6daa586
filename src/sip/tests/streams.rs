//! TCP: split input, lost connections, keep-alive, IPv6, and where responses go.

use super::*;
use crate::base::{Private, limits};
use crate::sip::{Invite, counters::Dropped};

#[test]
fn a_call_over_tcp_in_pieces_of_every_size() {
    let invite = Script::new("INVITE").tcp().body(SDP).text();
    for size in [1, 2, 3, 7, 50, 400] {
        let mut bench = Bench::over_tcp();
        for piece in invite.as_bytes().chunks(size) {
            bench.input(Input::StreamBytes { connection: ConnectionId::Accepted(1), bytes: piece });
        }
        assert_eq!(bench.words(), ["100"], "{size}");
        let Some(Event::Incoming { leg, .. }) = bench.take_events().pop() else { panic!() };
        bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
        let ok = bench.one();
        assert_eq!(ok.flow.connection, Some(ConnectionId::Accepted(1)));
        assert_eq!(ok.header("Contact"), "<sip:attendant@192.0.2.1:5060;transport=tcp>");
        // ACK and BYE arrive together.
        let ack = Script::new("ACK").tcp().tagged(ok.tag("To")).branch("z9hG4bKack").text();
        let bye = Script::new("BYE").tcp().tagged(ok.tag("To")).number(2).text();
        bench.receive(&format!("{ack}\r\n\r\n{bye}"));
        assert_eq!(bench.said(), ["Established", "Ended"]);
        let last = bench.take();
        assert_eq!(last[0].text, "\r\n", "a pong in between");
        assert_eq!(last[1].status(), 200);
        bench.pass(seconds(33));
        assert_eq!(bench.agent.occupancy().transactions, 0);
    }
}

#[test]
fn our_bye_finds_a_new_connection_when_the_old_one_is_gone() {
    let mut bench = Bench::over_tcp();
    let leg = {
        let mut invite = Script::new("INVITE").tcp().body(SDP);
        invite.contact = Some("<sip:ann@192.0.2.7:5066;transport=tcp>".to_owned());
        let leg = bench.ringing(&invite);
        bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
        let tag = bench.one().tag("To").to_owned();
        bench.receive(&Script::new("ACK").tcp().tagged(&tag).branch("z9hG4bKack").text());
        leg
    };
    bench.input(Input::StreamClosed { connection: ConnectionId::Accepted(1) });
    bench.command(Command::Bye { leg, reason: None });
    assert!(bench.sent.is_empty());
    let [Output::Connect { connection, transport: Transport::Tcp, peer, .. }] = bench.actions[..]
    else {
        panic!("{:?}", bench.actions)
    };
    assert_eq!(peer, "192.0.2.7:5066".parse::<std::net::SocketAddr>().unwrap());
    let flow = Flow::stream(Transport::Tcp, us(), peer, connection);
    bench.input(Input::StreamOpened { flow });
    let bye = bench.one();
    assert_eq!((bye.method(), bye.flow.connection), ("BYE", Some(connection)));
    bench.receive_over(flow, &reply(&bye, 200, "caller", &[], ""));
    assert_eq!(bench.said(), ["Established", "Ended"]);
}

#[test]
fn a_peer_that_cannot_be_reached_again_ends_the_call() {
    let mut bench = Bench::over_tcp();
    let leg = bench.ringing(&Script::new("INVITE").tcp().body(SDP));
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    let tag = bench.one().tag("To").to_owned();
    bench.receive(&Script::new("ACK").tcp().tagged(&tag).branch("z9hG4bKack").text());
    bench.input(Input::StreamClosed { connection: ConnectionId::Accepted(1) });
    bench.command(Command::Bye { leg, reason: None });
    let [Output::Connect { connection, .. }] = bench.actions[..] else { panic!() };
    bench.input(Input::ConnectFailed { connection });
    assert_eq!(bench.said(), ["Established", "Ended"]);
    bench.pass(seconds(40));
    assert_eq!(bench.agent.occupancy().transactions, 0);
}

#[test]
fn a_response_to_a_lost_connection_is_sent_to_the_sent_by_port() {
    let mut bench = Bench::over_tcp();
    let leg = bench.ringing(&Script::new("INVITE").tcp().sent_by("192.0.2.7:5077").body(SDP));
    bench.input(Input::StreamClosed { connection: ConnectionId::Accepted(1) });
    bench.command(Command::Reject { leg, status: 486, retry_after_s: None, warning: None });
    let [Output::Connect { peer, .. }] = bench.actions[..] else { panic!("{:?}", bench.actions) };
    assert_eq!(peer, "192.0.2.7:5077".parse::<std::net::SocketAddr>().unwrap());
}

#[test]
fn a_connection_with_a_call_stays_and_an_idle_one_goes() {
    let mut bench = Bench::over_tcp();
    let leg = bench.ringing(&Script::new("INVITE").tcp().body(SDP));
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    let tag = bench.one().tag("To").to_owned();
    bench.receive(&Script::new("ACK").tcp().tagged(&tag).branch("z9hG4bKack").text());
    bench.pass(seconds(3600));
    assert_eq!(bench.agent.occupancy().connections, 1);
    bench.receive(&Script::new("BYE").tcp().tagged(&tag).number(2).text());
    bench.pass(limits::SIP_CONNECTION_IDLE);
    assert_eq!(bench.agent.occupancy().connections, 0);
    assert!(matches!(bench.actions[..], [Output::Close { .. }]));
}

#[test]
fn nonsense_on_a_stream_closes_it() {
    let mut bench = Bench::over_tcp();
    bench.receive("INVITE sip:x SIP/2.0\r\n\r\n");
    assert!(matches!(bench.actions[..], [Output::Close { .. }]), "{:?}", bench.actions);
    assert_eq!(bench.agent.occupancy().connections, 0);
    // Late bytes of a closed connection change nothing.
    bench.receive(&Script::new("OPTIONS").tcp().text());
    assert!(bench.sent.is_empty());
}

#[test]
fn one_address_gets_a_few_connections() {
    let mut bench = Bench::new();
    for n in 0..100_u64 {
        let peer = SocketAddr::from(([192, 0, 2, 7], 40_000 + n as u16));
        let flow = Flow::stream(Transport::Tcp, us(), peer, ConnectionId::Accepted(n));
        bench.input(Input::StreamOpened { flow });
    }
    assert_eq!(bench.agent.occupancy().connections, limits::SIP_CONNECTIONS_PER_SOURCE);
    assert_eq!(bench.agent.counters().dropped(Dropped::ConnectionRefused), 0, "idle ones gave way");
}

#[test]
fn a_response_goes_to_the_source_or_to_the_sent_by_port() {
    let source: SocketAddr = "192.0.2.7:40123".parse().unwrap();
    for (via_port, rport, expected) in [
        ("192.0.2.7:5077", true, 40_123),
        ("192.0.2.7:5077", false, 5077),
        ("example.com", false, 5060),
    ] {
        let mut bench = Bench::new();
        let text = Script::new("OPTIONS").sent_by(via_port).text();
        let text = if rport { text } else { text.replace(";rport", "") };
        bench.receive_over(Flow::udp(us(), source), &text);
        let ok = bench.one();
        assert_eq!(ok.flow.peer, SocketAddr::new(source.ip(), expected), "never another address");
        if rport {
            assert!(ok.header("Via").contains("rport=40123"));
        }
        assert_eq!(
            ok.header("Via").contains("received=192.0.2.7"),
            rport || via_port == "example.com",
            "{}",
            ok.header("Via")
        );
    }
}

#[test]
fn a_fault_is_answered_to_its_source() {
    let mut bench = Bench::new();
    bench.flow = Flow::udp(us(), "192.0.2.7:40123".parse().unwrap());
    bench.receive(&Script::new("INVITE").text().replace("CSeq: 1 INVITE", "CSeq: x INVITE"));
    let bad = bench.one();
    assert_eq!((bad.status(), bad.flow.peer.port()), (400, 40_123));
    assert!(bad.header("Via").contains("rport=40123"));
    assert!(!bad.tag("To").is_empty());
}

#[test]
fn ipv6_is_no_different() {
    let mut bench = Bench::new();
    let (us, peer) = ("[2001:db8::1]:5060".parse().unwrap(), "[2001:db8::7]:5060".parse().unwrap());
    bench.flow = Flow::udp(us, peer);
    let mut invite = Script::new("INVITE").uri("sip:desk@[2001:db8::1]").body(SDP);
    invite.sent_by = "[2001:db8::7]:5060".to_owned();
    invite.contact = Some("<sip:ann@[2001:db8::7]:5062>".to_owned());
    let leg = bench.ringing(&invite);
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    let ok = bench.one();
    assert_eq!(ok.header("Contact"), "<sip:attendant@[2001:db8::1]:5060>");
    bench.receive(&Script::new("ACK").tagged(ok.tag("To")).branch("z9hG4bKack").text());
    bench.command(Command::Bye { leg, reason: None });
    let bye = bench.one();
    assert_eq!(bye.request_uri(), "sip:ann@[2001:db8::7]:5062");
    assert_eq!(bye.flow.peer, "[2001:db8::7]:5062".parse::<std::net::SocketAddr>().unwrap());
    assert!(bye.header("Via").starts_with("SIP/2.0/UDP [2001:db8::1]:5060;"));
}

fn large_call(bench: &mut Bench) -> LegId {
    let leg = bench.agent.reserve_leg();
    let invite = Invite {
        flow: Flow::udp(us(), caller()),
        target: Private::new("sip:bob@example.com".to_owned()),
        from: None,
        display: None,
        sdp: Some(vec![b'x'; 1_300]),
        credentials: None,
        headers: Vec::new(),
        others: Vec::new(),
    };
    bench.command(Command::Invite { leg, invite: Box::new(invite) });
    leg
}

#[test]
fn a_large_invite_goes_over_tcp_and_falls_back_to_udp() {
    let mut bench = Bench::with(Settings { tcp_local: Some(us()), ..Settings::default() });
    large_call(&mut bench);
    let [Output::Connect { connection, peer, .. }] = bench.actions[..] else { panic!() };
    assert_eq!(peer, caller());
    let flow = Flow::stream(Transport::Tcp, "192.0.2.1:50000".parse().unwrap(), peer, connection);
    bench.input(Input::StreamOpened { flow });
    let invite = bench.one();
    assert!(invite.header("Via").starts_with("SIP/2.0/TCP 192.0.2.1:5060;"));
    assert!(invite.header("Contact").contains(";transport=tcp"));
    bench.receive_over(flow, &reply(&invite, 200, "bob", &["Contact: <sip:bob@192.0.2.7>"], "v"));
    assert_eq!(bench.one().flow.connection, Some(connection), "the ACK takes the same stream");

    let mut bench = Bench::with(Settings { tcp_local: Some(us()), ..Settings::default() });
    large_call(&mut bench);
    let [Output::Connect { connection, .. }] = bench.actions[..] else { panic!() };
    bench.input(Input::ConnectFailed { connection });
    let invite = bench.one();
    assert!(invite.header("Via").starts_with("SIP/2.0/UDP "));
    assert!(!invite.header("Contact").contains("tcp"));
    assert!(bench.events.is_empty());

    let mut bench = Bench::new();
    large_call(&mut bench);
    assert!(bench.one().header("Via").starts_with("SIP/2.0/UDP "), "without a TCP listener");
}

#[test]
fn a_lost_connection_fails_what_waits_on_it() {
    let mut bench = Bench::with(Settings { tcp_local: Some(us()), ..Settings::default() });
    let leg = bench.agent.reserve_leg();
    let flow = Flow { transport: Transport::Tcp, connection: None, ..Flow::udp(us(), caller()) };
    let invite = Invite {
        flow,
        target: Private::new("sip:bob@example.com".to_owned()),
        from: None,
        display: None,
        sdp: None,
        credentials: None,
        headers: Vec::new(),
        others: Vec::new(),
    };
    bench.command(Command::Invite { leg, invite: Box::new(invite) });
    let [Output::Connect { connection, peer, .. }] = bench.actions[..] else { panic!() };
    bench.input(Input::StreamOpened { flow: Flow::stream(Transport::Tcp, us(), peer, connection) });
    assert_eq!(bench.words(), ["INVITE"]);
    bench.input(Input::StreamClosed { connection });
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Refused { status: 503, .. }]), "{events:?}");
}

#[test]
fn keep_alives_are_counted_and_cost_nothing() {
    let mut bench = Bench::new();
    for bytes in ["\r\n\r\n", "\r\n", "\0", ""] {
        bench.receive(bytes);
    }
    assert_eq!(bench.agent.counters().keep_alives, 4);
    assert!(bench.sent.is_empty());
}

/// RFC 7118: a frame is a message and needs no Content-Length; the answer goes back over the same
/// connection, though nobody could connect to the caller's address.
#[test]
fn a_browser_calls_by_websocket() {
    let mut bench = Bench::new();
    let connection = ConnectionId::Accepted(1);
    bench.flow = Flow::stream(Transport::Wss, us(), caller(), connection);
    bench.input(Input::StreamOpened { flow: bench.flow });
    let contact = "<sip:q7@k2.invalid;transport=ws>";
    let mut invite = Script::new("INVITE").contact(Some(contact)).sent_by("k2.invalid").body(SDP);
    invite.transport = "WSS";
    let frame = |text: &str| {
        let kept: Vec<_> =
            text.split("\r\n").filter(|l| !l.starts_with("Content-Length")).collect();
        kept.join("\r\n")
    };
    let text = frame(&invite.text());
    bench.input(Input::StreamMessage { connection, bytes: text.as_bytes() });
    assert_eq!(bench.words(), ["100"]);
    let events = bench.take_events();
    let [Event::Incoming { leg, incoming }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(incoming.offer.as_deref(), Some(SDP.as_bytes()));
    bench.command(Command::Answer { leg: *leg, sdp: ANSWER.to_vec() });
    let ok = bench.one();
    assert_eq!(ok.flow.connection, Some(connection));
    assert!(ok.header("Contact").contains(";transport=ws>"), "{}", ok.header("Contact"));
    let mut ack = Script::new("ACK").tagged(ok.tag("To")).branch("z9hG4bKack");
    (ack.transport, ack.sent_by) = ("WSS", "k2.invalid".to_owned());
    bench.input(Input::StreamMessage { connection, bytes: ack.text().as_bytes() });
    bench.input(Input::StreamMessage { connection, bytes: b"\r\n\r\n" });
    assert_eq!(bench.one().text, "\r\n", "a keep-alive is answered");
    assert_eq!(bench.said(), ["Established"]);
    bench.command(Command::Bye { leg: *leg, reason: None });
    let bye = bench.one();
    assert_eq!((bye.method(), bye.flow.connection), ("BYE", Some(connection)));
    assert_eq!(bye.request_uri(), "sip:q7@k2.invalid;transport=ws");
    assert!(bye.header("Via").starts_with("SIP/2.0/WSS "));
}
