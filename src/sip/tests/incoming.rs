//! A call to us: ringing, the 200 and its ACK, CANCEL and its race, the time limits.

use super::*;
use crate::sip::EndCause;

#[test]
fn a_call_is_answered_and_ended_by_the_caller() {
    let mut bench = Bench::new();
    let invite = Script::new("INVITE")
        .header("P-Asserted-Identity: <sip:+15550100@example.com>")
        .header("Record-Route: <sip:192.0.2.99;lr>")
        .header("Timestamp: 54")
        .body(SDP);
    bench.receive(&invite.text());
    let trying = bench.one();
    assert_eq!((trying.status(), trying.tag("To"), trying.at), (100, "", ms(0)));
    assert_eq!(trying.header("Timestamp"), "54");
    let events = bench.take_events();
    let [Event::Incoming { leg, incoming }] = events.as_slice() else { panic!("{events:?}") };
    let leg = *leg;
    assert_eq!(incoming.from_uri.reveal(), "sip:ann@192.0.2.7");
    assert_eq!(incoming.from_display.reveal().as_deref(), Some("Ann"));
    assert_eq!(incoming.request_uri.reveal(), "sip:desk@192.0.2.1");
    assert_eq!(incoming.offer.as_deref(), Some(SDP.as_bytes()));
    let headers = incoming.headers.reveal();
    assert_eq!(headers[0].0, "P-Asserted-Identity");
    let told = format!("{events:?} {:?}", incoming.from_uri);
    assert!(!told.contains("ann") && !told.contains("192.0.2"), "private: {told}");

    bench.command(Command::Ring { leg, status: 180, sdp: None });
    let ringing = bench.one();
    assert_eq!(ringing.status(), 180);
    assert_eq!(ringing.header("Record-Route"), "<sip:192.0.2.99;lr>");
    bench.command(Command::Ring { leg, status: 183, sdp: Some(ANSWER.to_vec()) });
    let early = bench.one();
    assert_eq!(early.status(), 183);
    assert_eq!(early.body().as_bytes(), ANSWER);

    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    let ok = bench.one();
    assert_eq!(ok.status(), 200);
    assert_eq!(ok.header("Record-Route"), "<sip:192.0.2.99;lr>");
    assert_eq!(ok.header("Contact"), "<sip:attendant@192.0.2.1:5060>");
    assert!(ok.header("Allow").contains("INVITE"));
    assert_eq!(ok.header("Content-Type"), "application/sdp");
    let tag = ok.tag("To").to_owned();
    assert_eq!([ringing.tag("To"), early.tag("To")], [tag.as_str(); 2], "one tag for all");
    assert!(bench.events.is_empty());

    bench.receive(&Script::new("ACK").tagged(&tag).branch("z9hG4bKack").text());
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Established { answer: None, .. }]), "{events:?}");
    bench.pass(seconds(3600));
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);

    let bye = Script::new("BYE").number(2).tagged(&tag);
    bench.receive(&bye.text());
    assert_eq!(bench.one().status(), 200);
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Ended { cause: EndCause::ByPeer, .. }]), "{events:?}");
    // Timer J replays the 200 for 32 s.
    bench.receive(&bye.text());
    assert_eq!(bench.one().status(), 200);
    bench.pass(seconds(33));
    let empty = bench.agent.occupancy();
    assert_eq!((empty.legs, empty.dialogs, empty.transactions), (0, 0, 0));
    bench.receive(&bye.text());
    assert_eq!(bench.one().status(), 481);
}

#[test]
fn we_end_a_call() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    let reason = Some("SIP;cause=200;text=\"done\"\r\nX: y".to_owned());
    bench.command(Command::Bye { leg, reason });
    let bye = bench.one();
    assert_eq!(bye.method(), "BYE");
    assert_eq!(bye.request_uri(), "sip:ann@192.0.2.7:5060");
    assert_eq!(bye.tag("From"), tag);
    assert_eq!(bye.tag("To"), "caller");
    assert_eq!(bye.header("Reason"), "SIP;cause=200;text=\"done\" X: y", "no line is injected");
    assert_eq!(bye.flow.peer, caller());
    assert!(bench.events.is_empty());
    bench.receive(&reply(&bye, 200, "caller", &[], ""));
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Ended { cause: EndCause::ByUs, .. }]), "{events:?}");
    // Timer K.
    bench.pass(ms(4999));
    assert_eq!(bench.agent.occupancy().transactions, 2);
    bench.pass(ms(2));
    assert_eq!(bench.agent.occupancy().transactions, 1, "the INVITE's timer L is left");
    bench.pass(seconds(32));
    assert_eq!(bench.agent.occupancy().transactions, 0);
}

#[test]
fn a_bye_that_nobody_answers_ends_after_timer_f() {
    let mut bench = Bench::new();
    let (leg, _) = bench.up();
    bench.command(Command::Bye { leg, reason: None });
    bench.pass(seconds(31));
    assert!(bench.events.is_empty());
    bench.pass(seconds(2));
    let times: Vec<_> = bench.take().iter().map(|sent| sent.at.as_millis()).collect();
    assert_eq!(
        times,
        [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500],
        "timer E doubles to T2"
    );
    assert_eq!(bench.said(), ["Ended"]);
    assert_eq!(bench.agent.occupancy().legs, 0);
}

#[test]
fn byes_that_cross_end_the_call_once() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    bench.command(Command::Bye { leg, reason: None });
    let ours = bench.one();
    bench.receive(&Script::new("BYE").number(2).tagged(&tag).text());
    assert_eq!(bench.one().status(), 200);
    bench.receive(&reply(&ours, 481, "caller", &[], ""));
    assert_eq!(bench.said(), ["Ended"]);
}

/// 2xx retransmission and the end without an ACK, on every transport.
#[test]
fn a_200_is_repeated_until_the_ack_and_then_the_call_is_ended() {
    for mut bench in [Bench::new(), Bench::over_tcp()] {
        let transport = if bench.flow.connection.is_some() { "TCP" } else { "UDP" };
        let mut invite = Script::new("INVITE").body(SDP);
        invite.transport = transport;
        let leg = bench.ringing(&invite);
        bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
        bench.pass(ms(31_999));
        let sent = bench.take();
        assert!(sent.iter().all(|copy| copy.status() == 200 && copy.text == sent[0].text));
        let times: Vec<_> = sent.iter().map(|sent| sent.at.as_millis()).collect();
        assert_eq!(
            times,
            [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500],
            "{transport}"
        );
        bench.pass(ms(1));
        let bye = bench.one();
        assert_eq!((bye.method(), bye.at), ("BYE", seconds(32)), "{transport}");
        bench.receive(&reply(&bye, 200, "caller", &[], ""));
        let events = bench.take_events();
        assert!(matches!(events[..], [Event::Ended { cause: EndCause::NoAck, .. }]), "{events:?}");
        bench.pass(seconds(60));
        let empty = bench.agent.occupancy();
        assert_eq!((empty.legs, empty.dialogs, empty.transactions), (0, 0, 0));
    }
}

#[test]
fn a_repeated_invite_is_absorbed() {
    let mut bench = Bench::new();
    let invite = Script::new("INVITE").body(SDP);
    let leg = bench.ringing(&invite);
    bench.receive(&invite.text());
    assert_eq!(bench.one().status(), 100, "the last provisional response again");
    bench.command(Command::Ring { leg, status: 180, sdp: None });
    bench.take();
    bench.receive(&invite.text());
    assert_eq!(bench.one().status(), 180);
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    bench.take();
    bench.receive(&invite.text());
    assert!(bench.sent.is_empty(), "Accepted absorbs it");
    assert_eq!(bench.agent.counters().retransmissions, 3);
    assert_eq!(bench.agent.occupancy().legs, 1);
    // Timer L: for 64*T1 the copies are absorbed, even when the call is up.
    let tag = "unused";
    bench.receive(&Script::new("ACK").tagged(tag).branch("z9hG4bKack").text());
    assert!(bench.events.is_empty(), "that ACK has another tag");
}

#[test]
fn a_late_offer_is_ours_and_the_answer_is_in_the_ack() {
    let mut bench = Bench::new();
    bench.receive(&Script::new("INVITE").text());
    let events = bench.take_events();
    let [Event::Incoming { leg, incoming }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(incoming.offer, None);
    bench.command(Command::Answer { leg: *leg, sdp: b"v=0\r\noffer\r\n".to_vec() });
    let ok = bench.take().pop().unwrap();
    assert_eq!(ok.body(), "v=0\r\noffer\r\n");
    let ack = Script::new("ACK").tagged(ok.tag("To")).branch("z9hG4bKack").body(SDP);
    bench.receive(&ack.text());
    let events = bench.take_events();
    let [Event::Established { answer: Some(answer), .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(answer, SDP.as_bytes());
    bench.receive(&ack.text());
    assert!(bench.events.is_empty(), "the ACK again says nothing new");
}

#[test]
fn a_cancel_before_the_answer_ends_the_call() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Ring { leg, status: 180, sdp: None });
    let tag = bench.one().tag("To").to_owned();
    let cancel = Script::new("CANCEL").branch("z9hG4bKINVITE1");
    bench.receive(&cancel.text());
    let sent = bench.take();
    assert_eq!((sent[0].status(), sent[0].header("CSeq")), (200, "1 CANCEL"));
    assert_eq!((sent[1].status(), sent[1].header("CSeq")), (487, "1 INVITE"));
    assert_eq!([sent[0].tag("To"), sent[1].tag("To")], [tag.as_str(); 2]);
    assert_eq!(bench.said(), ["Cancelled"]);
    // What the call layer says too late is ignored.
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    assert!(bench.sent.is_empty());
    // 487 is repeated by G until the ACK.
    bench.pass(ms(500));
    assert_eq!(bench.one().status(), 487);
    bench.receive(&Script::new("ACK").tagged(&tag).branch("z9hG4bKINVITE1").text());
    bench.pass(seconds(40));
    assert!(bench.sent.is_empty());
    assert_eq!(bench.agent.occupancy().transactions, 0);
}

#[test]
fn a_cancel_after_the_answer_has_no_effect() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    let tag = bench.one().tag("To").to_owned();
    bench.receive(&Script::new("CANCEL").branch("z9hG4bKINVITE1").text());
    let sent = bench.one();
    assert_eq!((sent.status(), sent.header("CSeq")), (200, "1 CANCEL"));
    assert_eq!(sent.tag("To"), tag);
    assert!(bench.events.is_empty());
    bench.receive(&Script::new("ACK").tagged(&tag).branch("z9hG4bKack").text());
    assert_eq!(bench.said(), ["Established"]);
}

#[test]
fn a_refusal_without_an_ack_is_forgotten_after_timer_h() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Reject { leg, status: 486, retry_after_s: None, warning: None });
    bench.pass(ms(31_999));
    let times: Vec<_> = bench.take().iter().map(|sent| sent.at.as_millis()).collect();
    assert_eq!(
        times,
        [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500],
        "timer G doubles to T2"
    );
    assert_eq!(bench.agent.occupancy().transactions, 1);
    bench.pass(ms(1));
    assert_eq!(bench.agent.occupancy().transactions, 0);
}

#[test]
fn a_bye_before_the_answer_ends_the_call_too() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Ring { leg, status: 180, sdp: None });
    let tag = bench.one().tag("To").to_owned();
    bench.receive(&Script::new("BYE").number(2).tagged(&tag).text());
    assert_eq!(bench.words(), ["200", "487"]);
    assert_eq!(bench.said(), ["Cancelled"]);
}

#[test]
fn our_bye_waits_for_the_ack_of_our_200() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    let tag = bench.one().tag("To").to_owned();
    bench.command(Command::Bye { leg, reason: None });
    assert!(bench.sent.is_empty(), "RFC 3261 section 15");
    bench.receive(&Script::new("ACK").tagged(&tag).branch("z9hG4bKack").text());
    assert_eq!(bench.words(), ["BYE"]);
    assert_eq!(bench.said(), ["Established"]);
}

#[test]
fn a_bye_by_the_peer_before_its_ack_stops_the_200() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    let tag = bench.one().tag("To").to_owned();
    bench.receive(&Script::new("BYE").number(2).tagged(&tag).text());
    assert_eq!(bench.words(), ["200"]);
    assert_eq!(bench.said(), ["Ended"]);
    bench.pass(seconds(60));
    assert!(bench.sent.is_empty());
}

#[test]
fn the_callers_expires_ends_the_ringing() {
    let mut bench = Bench::new();
    bench.ringing(&Script::new("INVITE").header("Expires: 30").body(SDP));
    bench.pass(ms(29_999));
    assert!(bench.sent.is_empty());
    bench.pass(ms(1));
    assert_eq!(bench.one().status(), 487);
    assert_eq!(bench.said(), ["Cancelled"]);
}

#[test]
fn a_call_that_nobody_decides_on_is_unavailable_and_kept_alive_until_then() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Ring { leg, status: 180, sdp: None });
    bench.pass(ms(179_999));
    assert_eq!(bench.words(), ["180", "180", "180"], "each minute");
    bench.pass(ms(1));
    assert_eq!(bench.one().status(), 480);
    assert_eq!(bench.said(), ["Cancelled"]);
}

#[test]
fn a_second_invite_before_the_first_final_waits() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Ring { leg, status: 180, sdp: None });
    let tag = bench.one().tag("To").to_owned();
    bench.receive(&Script::new("INVITE").number(2).tagged(&tag).body(SDP).text());
    let wait = bench.one();
    assert_eq!(wait.status(), 500);
    assert!(wait.header("Retry-After").parse::<u32>().unwrap() <= 10);
    bench.receive(&Script::new("UPDATE").number(3).tagged(&tag).body(SDP).text());
    assert_eq!(bench.one().status(), 500, "RFC 3311 section 5.2");
    bench.receive(&Script::new("UPDATE").number(4).tagged(&tag).text());
    assert_eq!(bench.one().status(), 200);
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    assert_eq!(bench.one().status(), 200);
}

#[test]
fn everything_ends_at_once_on_command() {
    let mut bench = Bench::new();
    bench.up();
    bench.ringing(&Script::new("INVITE").call_id("call-2").number(2).body(SDP));
    bench.command(Command::EndAll { retry_after_s: Some(60) });
    let sent = bench.take();
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().any(|sent| sent.method() == "BYE"));
    let refusal = sent.iter().find(|sent| sent.status() == 503).unwrap();
    assert_eq!(refusal.header("Retry-After"), "60");
    assert_eq!(bench.said(), ["Cancelled"]);
}

#[test]
fn keys_come_by_info() {
    let mut bench = Bench::new();
    let (_, tag) = bench.up();
    let info = Script::new("INFO").number(2).tagged(&tag);
    bench.receive(&info.body_of("application/dtmf-relay", "Signal=7\r\nDuration=90\r\n").text());
    assert_eq!(bench.one().status(), 200);
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Dtmf { digit: '7', duration_ms: 90, .. }]), "{events:?}");
}

#[test]
fn an_invite_of_rfc_2543_is_answered_and_its_ack_found() {
    let mut bench = Bench::new();
    // No cookie, no From tag, no Contact.
    let old = |method: &'static str, to_tag: Option<&str>| {
        let mut script = Script::new(method).branch("1").contact(None);
        script.to_tag = to_tag.map(str::to_owned);
        script.text().replace(";tag=caller", "")
    };
    bench.receive(&old("INVITE", None));
    let Some(Event::Incoming { leg, .. }) = bench.take_events().pop() else { panic!() };
    bench.receive(&old("INVITE", None));
    assert_eq!(bench.words(), ["100", "100"], "a retransmission without a branch is found");
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    let tag = bench.one().tag("To").to_owned();
    bench.receive(&old("ACK", Some(&tag)));
    assert_eq!(bench.said(), ["Established"]);

    bench.receive(&old("INVITE", None).replace("call-1", "call-2"));
    let Some(Event::Incoming { leg, .. }) = bench.take_events().pop() else { panic!() };
    bench.command(Command::Reject { leg, status: 486, retry_after_s: None, warning: None });
    let tag = bench.take().pop().unwrap().tag("To").to_owned();
    bench.receive(&old("ACK", Some(&tag)).replace("call-1", "call-2"));
    bench.pass(seconds(20));
    assert!(bench.sent.is_empty(), "the ACK was matched: no more 486");
}
