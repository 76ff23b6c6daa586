//! Every response that refuses, with the header field that it owes.

use super::*;
use crate::sip::counters::Dropped;
use crate::sip::{Admission, Warning};

/// (what, request, status, header that must be there, what it contains)
fn table() -> Vec<(&'static str, String, u16, &'static str, &'static str)> {
    let new = Script::new;
    vec![
        (
            "method of another RFC",
            new("SUBSCRIBE").text(),
            405,
            "Allow",
            "INVITE, ACK, CANCEL, BYE",
        ),
        ("unknown method", new("BREAKFAST").text(), 501, "Allow", "INVITE"),
        ("lower case", new("invite").text(), 501, "Allow", "INVITE"),
        ("scheme", new("INVITE").uri("nobody:x").text(), 416, "", ""),
        ("extension", new("INVITE").header("Require: 100rel, x").text(), 420, "Unsupported", "x"),
        ("extension, OPTIONS", new("OPTIONS").header("Require: x").text(), 420, "Unsupported", "x"),
        (
            "body",
            new("INVITE").body_of("text/plain", "hi").text(),
            415,
            "Accept",
            "application/sdp",
        ),
        (
            "encoding",
            new("INVITE").header("Content-Encoding: gzip").body(SDP).text(),
            415,
            "Accept-Encoding",
            "identity",
        ),
        ("accept", new("INVITE").header("Accept: text/plain").body(SDP).text(), 406, "", ""),
        ("BYE outside", new("BYE").text(), 481, "", ""),
        ("UPDATE outside", new("UPDATE").text(), 481, "", ""),
        ("INFO outside", new("INFO").text(), 481, "", ""),
        ("BYE in an unknown dialog", new("BYE").tagged("x").text(), 481, "", ""),
        ("INVITE in an unknown dialog", new("INVITE").tagged("x").text(), 481, "", ""),
        ("CANCEL of nothing", new("CANCEL").text(), 481, "", ""),
        ("no Call-ID", new("INVITE").text().replace("Call-ID: call-1\r\n", ""), 400, "", ""),
        ("other CSeq method", new("INVITE").text().replace("1 INVITE", "1 BYE"), 400, "", ""),
        ("version", new("INVITE").text().replacen("SIP/2.0\r\n", "SIP/7.0\r\n", 1), 505, "", ""),
        (
            "too many fields",
            {
                let mut script = new("INVITE");
                script.headers = vec!["X-Y: z".to_owned(); 300];
                script.text()
            },
            513,
            "",
            "",
        ),
        ("too large", new("INVITE").body(&"a=x\r\n".repeat(8_000)).text(), 513, "", ""),
    ]
}

#[test]
fn a_request_that_cannot_be_processed_gets_the_response_that_says_why() {
    for (what, request, status, header, value) in table() {
        let mut bench = Bench::new();
        bench.receive(&request);
        let response = bench.one();
        assert_eq!(response.status(), status, "{what}");
        assert!(response.header(header).contains(value), "{what}: {}", response.text);
        assert!(!response.tag("To").is_empty(), "{what}: no To tag");
        assert!(bench.events.is_empty(), "{what}");
        assert_eq!(bench.agent.occupancy().transactions, 0, "{what}: nothing is kept");
        // The same again, from the same tag: each copy gets the same answer.
        bench.receive(&request);
        assert_eq!(bench.one().text, response.text, "{what}");
        assert_eq!(bench.agent.counters().answered(status), 2, "{what}");
    }
}

#[test]
fn what_cannot_be_answered_is_dropped() {
    for (text, reason) in [
        (Script::new("ACK").tagged("x").text(), Dropped::StrayAck),
        (Script::new("ACK").text().replace("Call-ID: call-1\r\n", ""), Dropped::Malformed),
        ("hello\r\n\r\n".to_owned(), Dropped::Malformed),
        (
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:a@b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"
                .to_owned(),
            Dropped::StrayResponse,
        ),
        (
            Script::new("OPTIONS").header("User-Agent: friendly-scanner").text(),
            Dropped::Scanner,
        ),
        ("x".repeat(70_000), Dropped::TooLarge),
    ] {
        let mut bench = Bench::new();
        bench.receive(&text);
        assert!(bench.sent.is_empty(), "{reason:?}: {:?}", bench.sent);
        assert_eq!(bench.agent.counters().dropped(reason), 1, "{reason:?}");
    }
}

#[test]
fn a_body_that_need_not_be_understood_is_not() {
    let mut bench = Bench::new();
    let script = Script::new("INVITE")
        .header("Content-Disposition: render;handling=optional")
        .body_of("text/plain", "hi");
    bench.ringing(&script);
}

#[test]
fn the_same_call_by_another_path_is_merged() {
    let mut bench = Bench::new();
    let invite = Script::new("INVITE").body(SDP);
    bench.ringing(&invite);
    bench.receive(&invite.clone().branch("z9hG4bKother").text());
    assert_eq!(bench.one().status(), 482);
    bench.receive(&invite.clone().branch("z9hG4bKnew").call_id("call-2").text());
    assert_eq!(bench.words(), ["100"], "another Call-ID is another call");
}

#[test]
fn a_full_house_says_busy_and_options_says_so_too() {
    for (status, retry_after_s) in [(486, None), (503, Some(17))] {
        let mut bench = Bench::new();
        bench.command(Command::Admit(Admission::Closed { status, retry_after_s }));
        bench.receive(&Script::new("INVITE").body(SDP).text());
        let sent = bench.take();
        assert_eq!(sent[0].status(), 100);
        assert_eq!(sent[1].status(), status);
        let expected = retry_after_s.map(|s: u32| s.to_string()).unwrap_or_default();
        assert_eq!(sent[1].header("Retry-After"), expected);
        assert!(bench.events.is_empty());
        // Timer G repeats it, the ACK ends that, timer I forgets it.
        bench.pass(ms(1500));
        assert_eq!(bench.take().len(), 2);
        let tag = sent[1].tag("To").to_owned();
        let ack = Script::new("ACK").tagged(&tag).branch("z9hG4bKINVITE1");
        bench.receive(&ack.text());
        bench.pass(seconds(4));
        assert_eq!(bench.agent.occupancy().transactions, 1);
        bench.pass(seconds(2));
        assert_eq!(bench.agent.occupancy().transactions, 0);
        assert!(bench.sent.is_empty());
        bench.receive(&Script::new("OPTIONS").text());
        let options = bench.one();
        assert_eq!(options.status(), status);
        assert_eq!(options.header("Retry-After"), expected);
        bench.command(Command::Admit(Admission::Open));
        bench.receive(&Script::new("OPTIONS").number(2).text());
        assert_eq!(bench.one().status(), 200);
    }
}

#[test]
fn options_says_what_we_can_do() {
    let mut bench = Bench::new();
    bench.receive(
        &Script::new("OPTIONS")
            .header("Max-Forwards: 0")
            .text()
            .replace("Max-Forwards: 70\r\n", ""),
    );
    let ok = bench.one();
    assert_eq!(ok.status(), 200);
    assert!(ok.header("Allow").contains("UPDATE"));
    assert_eq!(ok.header("Accept"), "application/sdp");
    assert_eq!(ok.header("Accept-Encoding"), "identity");
    assert_eq!(ok.header("Accept-Language"), "en");
    assert_eq!(ok.header("Contact"), "<sip:attendant@192.0.2.1:5060>");
    assert_eq!(ok.header("Server"), "", "a scanner learns no product");
    assert!(ok.text.contains("\r\nSupported:"), "RFC 3261 section 11.2, though we need none");
}

#[test]
fn a_refusal_by_command_carries_its_warning_and_its_wait() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    let warning = Some(Warning { code: 305, text: "no \"codec\"".to_owned() });
    bench.command(Command::Reject { leg, status: 488, retry_after_s: None, warning });
    let refusal = bench.one();
    assert_eq!(refusal.status(), 488);
    assert_eq!(refusal.header("Warning"), "305 attendant \"no \\\"codec\\\"\"");
    assert!(bench.events.is_empty());
    assert_eq!(bench.agent.occupancy().legs, 0);
    assert_eq!(bench.agent.occupancy().dialogs, 0);

    let leg = bench.ringing(&Script::new("INVITE").call_id("call-2").number(2).body(SDP));
    let retry_after_s = Some(30);
    bench.command(Command::Reject { leg, status: 503, retry_after_s, warning: None });
    assert_eq!(bench.one().header("Retry-After"), "30");
}

#[test]
fn what_is_unknown_in_a_dialog_is_refused_there() {
    let mut bench = Bench::new();
    let (_, tag) = bench.up();
    for (n, (request, status, header, value)) in [
        (Script::new("BREAKFAST"), 405, "Allow", "INVITE"),
        (Script::new("SUBSCRIBE"), 405, "Allow", "BYE"),
        (Script::new("INVITE").header("Require: x"), 420, "Unsupported", "x"),
        (Script::new("UPDATE").body_of("text/plain", "hi"), 415, "Accept", "application/sdp"),
        (Script::new("INFO").body_of("text/plain", "hi"), 415, "Accept", "application/dtmf-relay"),
        (Script::new("INFO").body_of("application/dtmf", "x"), 400, "", ""),
        (Script::new("INFO").header("Info-Package: x"), 469, "", ""),
        (Script::new("INFO"), 200, "", ""),
        (Script::new("OPTIONS"), 200, "Accept", "application/sdp"),
    ]
    .into_iter()
    .enumerate()
    {
        bench.receive(&request.number(10 + n as u32).tagged(&tag).text());
        let response = bench.one();
        assert_eq!(response.status(), status, "{n}");
        assert!(response.header(header).contains(value), "{}", response.text);
    }
    // Still up.
    bench.receive(&Script::new("BYE").number(100).tagged(&tag).text());
    assert_eq!(bench.one().status(), 200);
    assert_eq!(bench.said(), ["Ended"]);
}

#[test]
fn a_request_out_of_order_gets_500_and_gaps_are_fine() {
    let mut bench = Bench::new();
    let (_, tag) = bench.up();
    for (number, branch, status) in
        [(5, "z9hG4bKa", 200), (5, "z9hG4bKb", 500), (4, "z9hG4bKc", 500), (9, "z9hG4bKd", 200)]
    {
        let info = Script::new("INFO").number(number).branch(branch).tagged(&tag);
        bench.receive(&info.text());
        assert_eq!(bench.one().status(), status, "{number}");
    }
}

#[test]
fn a_dialog_listens_to_its_own_addresses_only() {
    let mut bench = Bench::new();
    let (_, tag) = bench.up();
    let stranger = Flow::udp(us(), "198.51.100.66:5060".parse().unwrap());
    for method in ["BYE", "INVITE", "UPDATE", "INFO"] {
        let script = Script::new(method).number(7).tagged(&tag).body(SDP);
        bench.receive_over(stranger, &script.text());
        assert_eq!(bench.one().status(), 481, "{method}");
    }
    assert_eq!(bench.agent.counters().dropped(Dropped::Spoofed), 4);
    // From the same address and another port it is the peer behind its NAT.
    let rebound = Flow::udp(us(), "192.0.2.7:61234".parse().unwrap());
    bench.receive_over(rebound, &Script::new("BYE").number(7).tagged(&tag).text());
    assert_eq!(bench.one().status(), 200);
    assert_eq!(bench.said(), ["Ended"]);
}

#[test]
fn wrong_tags_are_another_dialog() {
    let mut bench = Bench::new();
    let (_, tag) = bench.up();
    for script in [
        Script::new("BYE").number(2).tagged("wrong"),
        Script::new("BYE").number(3).tagged(&tag).sender_tag("wrong"),
        Script::new("BYE").number(4).tagged(&tag).call_id("wrong"),
    ] {
        bench.receive(&script.text());
        assert_eq!(bench.one().status(), 481);
    }
    assert!(bench.events.is_empty());
}

#[test]
fn a_spoofed_cancel_has_no_effect() {
    let mut bench = Bench::new();
    bench.ringing(&Script::new("INVITE").body(SDP));
    let cancel = Script::new("CANCEL").branch("z9hG4bKINVITE1");
    let stranger = Flow::udp(us(), "198.51.100.66:5060".parse().unwrap());
    bench.receive_over(stranger, &cancel.text());
    assert_eq!(bench.one().status(), 481);
    assert!(bench.events.is_empty());
}
