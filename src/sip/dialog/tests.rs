use super::*;
use crate::sip::message::{Carriage, Message, parse, response_to};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn flow(peer: &str) -> Flow {
    Flow::udp(address("192.0.2.1:5060"), address(peer))
}

fn invite(via: &str, contact: &str, routes: &[&str]) -> Request {
    let mut text = format!(
        "INVITE sip:desk@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK1\r\n\
         From: <sip:ann@example.com>;tag=theirs\r\nTo: <sip:desk@example.com>\r\nCall-ID: c\r\n\
         CSeq: 5 INVITE\r\nContact: {contact}\r\n"
    );
    for route in routes {
        text += &format!("Record-Route: {route}\r\n");
    }
    match parse(format!("{text}\r\n").as_bytes(), Carriage::Datagram).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => unreachable!(),
    }
}

fn callee(via: &str, contact: &str, routes: &[&str], peer: &str) -> Dialog {
    Dialog::of_callee(&invite(via, contact, routes), "ours", flow(peer)).unwrap()
}

#[test]
fn requests_take_the_route_set_of_each_side() {
    let routes = ["<sip:192.0.2.51;lr>", "<sip:192.0.2.50;lr>"];
    let mut dialog = callee("192.0.2.7", "<sip:ann@192.0.2.7>", &routes, "192.0.2.51:5060");
    let bye = dialog.request(Method::Bye);
    assert_eq!(bye.uri().to_string(), "sip:ann@192.0.2.7");
    let hops: Vec<_> = bye.headers("Route").map(str::to_owned).collect();
    assert_eq!(hops, routes, "the callee's: as recorded");
    assert_eq!(dialog.way().flow.peer, address("192.0.2.51:5060"));
    assert_eq!(bye.cseq().unwrap().number, 1);
    assert_eq!(dialog.request(Method::Bye).cseq().unwrap().number, 2);

    let invite = invite("192.0.2.1", "<sip:desk@192.0.2.1>", &routes);
    let ok = response_to(&invite, 200, Some("remote"));
    let ok = ok.with_header("Contact", "<sip:bob@192.0.2.60:5070>");
    let mut dialog = Dialog::of_caller(&invite, &ok, flow("192.0.2.50:5060")).unwrap();
    let hops: Vec<_> = dialog.request(Method::Bye).routes();
    assert_eq!(hops[0].uri.to_string(), "sip:192.0.2.50;lr", "the caller's: reversed");
    assert_eq!(dialog.ack(5).cseq().unwrap().number, 5);
    assert_eq!(dialog.request(Method::Info).cseq().unwrap().number, 7);
}

#[test]
fn a_strict_router_gets_its_own_uri() {
    let routes = ["<sip:192.0.2.51>", "<sip:192.0.2.50;lr>"];
    let mut dialog = callee("192.0.2.7", "<sip:ann@192.0.2.7>", &routes, "192.0.2.51:5060");
    let bye = dialog.request(Method::Bye);
    assert_eq!(bye.uri().to_string(), "sip:192.0.2.51");
    let hops: Vec<_> = bye.headers("Route").collect();
    assert_eq!(hops, ["<sip:192.0.2.50;lr>", "<sip:ann@192.0.2.7>"]);
}

#[test]
fn requests_go_where_the_peer_can_be_reached() {
    for (what, via, contact, routes, source, expected) in [
        (
            "Contact",
            "192.0.2.7",
            "<sip:a@192.0.2.8:5070>",
            vec![],
            "192.0.2.7:5060",
            "192.0.2.8:5070",
        ),
        (
            "Route",
            "192.0.2.7",
            "<sip:a@192.0.2.8>",
            vec!["<sip:192.0.2.50:5080;lr>"],
            "192.0.2.50:5060",
            "192.0.2.50:5080",
        ),
        (
            "a name is not resolved",
            "192.0.2.7",
            "<sip:a@example.com>",
            vec![],
            "192.0.2.7:6000",
            "192.0.2.7:6000",
        ),
        (
            "maddr",
            "192.0.2.7",
            "<sip:a@example.com;maddr=192.0.2.9>",
            vec![],
            "192.0.2.7:6000",
            "192.0.2.9:5060",
        ),
        (
            "NAT seen by Via",
            "10.0.0.7",
            "<sip:a@192.0.2.8>",
            vec![],
            "192.0.2.7:6000",
            "192.0.2.7:6000",
        ),
        (
            "NAT seen by Contact",
            "192.0.2.7",
            "<sip:a@10.0.0.7:5060>",
            vec![],
            "192.0.2.7:6000",
            "192.0.2.7:6000",
        ),
        (
            "all private",
            "10.0.0.7",
            "<sip:a@10.0.0.7:5070>",
            vec![],
            "10.0.0.7:6000",
            "10.0.0.7:5070",
        ),
        (
            "other transport",
            "192.0.2.7",
            "<sip:a@192.0.2.8;transport=tcp>",
            vec![],
            "192.0.2.7:6000",
            "192.0.2.7:6000",
        ),
        (
            "other family",
            "192.0.2.7",
            "<sip:a@[2001:db8::7]>",
            vec![],
            "192.0.2.7:6000",
            "192.0.2.7:6000",
        ),
    ] {
        let dialog = callee(via, contact, &routes, source);
        assert_eq!(dialog.way().flow.peer, address(expected), "{what}");
    }
}

#[test]
fn only_addresses_with_a_part_in_the_dialog_may_speak() {
    let routes = ["<sip:192.0.2.51;lr>"];
    let dialog = callee("192.0.2.50", "<sip:ann@192.0.2.7>", &routes, "192.0.2.50:5060");
    for (source, expected) in [
        ("192.0.2.50", true),
        ("192.0.2.51", true),
        ("192.0.2.7", true),
        ("::ffff:192.0.2.7", true),
        ("192.0.2.8", false),
        ("::1", false),
    ] {
        assert_eq!(dialog.may_come_from(source.parse().unwrap()), expected, "{source}");
    }
}

#[test]
fn the_order_of_the_peers_requests_is_kept() {
    let mut dialog = callee("192.0.2.7", "<sip:a@192.0.2.7>", &[], "192.0.2.7:5060");
    for (number, in_order) in
        [(5, false), (4, false), (6, true), (6, false), (90, true), (7, false)]
    {
        assert_eq!(dialog.take_remote_seq(number).is_ok(), in_order, "{number}");
    }
}

#[test]
fn the_table_has_a_limit_and_one_leg_for_each_dialog() {
    let mut table = DialogTable::new(2);
    let id = |tag: &str| DialogId {
        call_id: "c".to_owned(),
        local_tag: tag.to_owned(),
        remote_tag: String::new(),
    };
    assert!(table.insert(id("a"), 1));
    assert!(!table.insert(id("a"), 2), "taken");
    assert!(table.insert(id("b"), 2));
    assert!(!table.insert(id("c"), 3), "full");
    table.remove(&id("a"));
    assert!(table.insert(id("c"), 3));
    assert_eq!((table.leg(&id("a")), table.leg(&id("c"))), (None, Some(3)));
}

#[test]
fn we_are_named_by_the_flow() {
    let mut flow = flow("192.0.2.7:5060");
    assert_eq!(contact_for(flow, "desk").to_string(), "<sip:desk@192.0.2.1:5060>");
    assert_eq!(
        via(flow, "z9hG4bK1").to_string(),
        "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport"
    );
    flow.transport = Transport::Tcp;
    flow.local.set_port(0);
    assert_eq!(contact_for(flow, "desk").to_string(), "<sip:desk@192.0.2.1;transport=tcp>");
    assert_eq!(via(flow, "z9hG4bK1").to_string(), "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1;rport");
}
