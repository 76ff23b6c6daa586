//! Offers inside a call: re-INVITE and UPDATE, both ways, and their collisions.

use super::*;
use crate::sip::{EndCause, OfferBy, Warning};

const HOLD: &str = "v=0\r\nhold\r\n";

#[test]
fn the_peer_holds_and_resumes_by_reinvite() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    for (number, sdp) in [(2, HOLD), (3, SDP)] {
        let invite = Script::new("INVITE").number(number).tagged(&tag).body(sdp);
        bench.receive(&invite.text());
        assert_eq!(bench.words(), ["100"]);
        let events = bench.take_events();
        let [Event::OfferReceived { offer: Some(offer), by: OfferBy::Invite, .. }] =
            events.as_slice()
        else {
            panic!("{events:?}")
        };
        assert_eq!(offer, sdp.as_bytes());
        bench.command(Command::AcceptOffer { leg, sdp: ANSWER.to_vec() });
        let ok = bench.one();
        assert_eq!((ok.status(), ok.body().as_bytes()), (200, ANSWER));
        assert_eq!(ok.tag("To"), tag);
        bench.pass(ms(500));
        assert_eq!(bench.words(), ["200"], "repeated until the ACK");
        let ack = Script::new("ACK").number(number).tagged(&tag).branch("z9hG4bKa");
        bench.receive(&ack.text());
        bench.pass(seconds(10));
        assert!(bench.sent.is_empty());
        assert!(bench.events.is_empty(), "{:?}", bench.events);
    }
}

#[test]
fn the_peer_updates_with_and_without_an_offer() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    let update = Script::new("UPDATE").tagged(&tag);
    let moved = update.clone().number(2).contact(Some("<sip:ann@192.0.2.8:5070>"));
    bench.receive(&moved.text());
    assert_eq!(bench.one().status(), 200);
    bench.receive(&update.number(3).body(HOLD).text());
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::OfferReceived { by: OfferBy::Update, .. }]), "{events:?}");
    bench.command(Command::AcceptOffer { leg, sdp: ANSWER.to_vec() });
    assert_eq!(bench.one().body().as_bytes(), ANSWER);
    bench.pass(seconds(10));
    assert!(bench.sent.is_empty(), "an UPDATE needs no ACK");
    // The UPDATE with an offer named the first Contact again.
    bench.command(Command::Bye { leg, reason: None });
    assert_eq!(bench.one().request_uri(), "sip:ann@192.0.2.7:5060");
}

#[test]
fn a_refresh_moves_the_remote_target_and_a_refused_one_does_not() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    let reinvite = |number, contact| {
        let script = Script::new("INVITE").number(number).tagged(&tag).body(HOLD);
        script.contact(Some(contact)).text()
    };
    bench.receive(&reinvite(2, "<sip:ann@192.0.2.8:5070>"));
    let warning = Some(Warning { code: 304, text: "no".to_owned() });
    bench.command(Command::RefuseOffer { leg, status: 488, warning });
    let refusal = bench.take().pop().unwrap();
    assert_eq!((refusal.status(), refusal.header("Warning")), (488, "304 attendant \"no\""));
    bench.receive(&Script::new("ACK").number(2).tagged(&tag).branch("z9hG4bKINVITE2").text());
    bench.receive(&reinvite(3, "<sip:ann@192.0.2.9:5090>"));
    bench.command(Command::AcceptOffer { leg, sdp: ANSWER.to_vec() });
    bench.receive(&Script::new("ACK").number(3).tagged(&tag).branch("z9hG4bKa").text());
    bench.take();
    bench.command(Command::Bye { leg, reason: None });
    let bye = bench.one();
    assert_eq!(bye.request_uri(), "sip:ann@192.0.2.9:5090");
    assert_eq!(bye.flow.peer, "192.0.2.9:5090".parse::<std::net::SocketAddr>().unwrap());
}

#[test]
fn a_reinvite_without_an_offer_gets_ours() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    bench.receive(&Script::new("INVITE").number(2).tagged(&tag).text());
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::OfferReceived { offer: None, .. }]), "{events:?}");
    bench.command(Command::AcceptOffer { leg, sdp: b"our offer".to_vec() });
    assert_eq!(bench.take().pop().unwrap().body(), "our offer");
    // Until its answer comes no other offer fits in.
    bench.receive(&Script::new("INVITE").number(3).tagged(&tag).body(HOLD).text());
    assert_eq!(bench.one().status(), 491);
    let ack = Script::new("ACK").number(2).tagged(&tag).branch("z9hG4bKa");
    bench.receive(&ack.body("their answer").text());
    let events = bench.take_events();
    let [Event::OfferAnswered { sdp, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(sdp, b"their answer");
}

#[test]
fn a_reinvite_without_an_ack_ends_the_call() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    bench.receive(&Script::new("INVITE").number(2).tagged(&tag).body(HOLD).text());
    bench.command(Command::AcceptOffer { leg, sdp: ANSWER.to_vec() });
    bench.pass(seconds(32));
    assert_eq!(bench.words().last().unwrap(), "BYE");
    bench.pass(seconds(33));
    let ended = bench.take_events().pop().unwrap();
    assert!(matches!(ended, Event::Ended { cause: EndCause::NoAck, .. }), "{ended:?}");
}

#[test]
fn a_second_offer_waits_for_the_first_and_a_cancelled_one_is_withdrawn() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    bench.receive(&Script::new("INVITE").number(2).tagged(&tag).body(HOLD).text());
    bench.take();
    bench.take_events();
    for (number, method) in [(3, "INVITE"), (4, "UPDATE")] {
        bench.receive(&Script::new(method).number(number).tagged(&tag).body(HOLD).text());
        let wait = bench.one();
        assert_eq!(wait.status(), 500, "{method}");
        assert!(wait.header("Retry-After").parse::<u32>().unwrap() <= 10);
    }
    let mut cancel = Script::new("CANCEL").number(2).tagged(&tag);
    cancel.branch = "z9hG4bKINVITE2".to_owned();
    bench.receive(&cancel.text());
    assert_eq!(bench.words(), ["200", "487"]);
    assert_eq!(bench.said(), ["OfferWithdrawn"]);
    bench.command(Command::AcceptOffer { leg, sdp: ANSWER.to_vec() });
    assert!(bench.sent.is_empty(), "too late");
    bench.command(Command::Bye { leg, reason: None });
    assert_eq!(bench.words(), ["BYE"], "the call went on");
}

#[test]
fn an_offer_that_nobody_decides_on_is_refused() {
    let mut bench = Bench::new();
    let (_, tag) = bench.up();
    bench.receive(&Script::new("UPDATE").number(2).tagged(&tag).body(HOLD).text());
    bench.take_events();
    bench.pass(seconds(20));
    assert_eq!(bench.words(), ["500"]);
    assert_eq!(bench.said(), ["OfferWithdrawn"]);
}

#[test]
fn a_new_invite_shows_that_our_200_arrived() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    let tag = bench.one().tag("To").to_owned();
    // Its ACK was lost.
    bench.receive(&Script::new("UPDATE").number(2).tagged(&tag).body(HOLD).text());
    assert_eq!(bench.one().status(), 500, "an UPDATE may have crossed the 200");
    bench.receive(&Script::new("INVITE").number(3).tagged(&tag).body(HOLD).text());
    assert_eq!(bench.said(), ["Established", "OfferReceived"]);
    assert_eq!(bench.words(), ["100"]);
}

#[test]
fn a_pending_offer_is_refused_when_the_call_ends() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    let reinvite = Script::new("INVITE").number(2).tagged(&tag).body(HOLD);
    bench.receive(&reinvite.text());
    bench.take();
    bench.command(Command::Bye { leg, reason: None });
    assert_eq!(bench.words(), ["487", "BYE"]);

    let mut bench = Bench::new();
    let (_, tag) = bench.up();
    bench.receive(&Script::new("INVITE").number(2).tagged(&tag).body(HOLD).text());
    bench.take();
    bench.receive(&Script::new("BYE").number(3).tagged(&tag).text());
    assert_eq!(bench.words(), ["200", "487"]);
}

/// Our re-INVITE is out: gives it.
fn offering(bench: &mut Bench, leg: LegId) -> Sent {
    bench.command(Command::Reoffer { leg, sdp: HOLD.as_bytes().to_vec() });
    let invite = bench.one();
    assert_eq!((invite.method(), invite.body()), ("INVITE", HOLD));
    invite
}

#[test]
fn our_hold_is_answered_and_acknowledged_again_when_asked() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    let invite = offering(&mut bench, leg);
    assert_eq!((invite.tag("From"), invite.tag("To")), (tag.as_str(), "caller"));
    assert_eq!(invite.header("CSeq"), "1 INVITE");
    bench.receive(&reply(&invite, 100, "caller", &[], ""));
    let ok = reply(&invite, 200, "caller", &["Contact: <sip:ann@192.0.2.7:5099>"], "answer");
    bench.receive(&ok);
    let ack = bench.one();
    assert_eq!((ack.method(), ack.header("CSeq")), ("ACK", "1 ACK"));
    assert_ne!(ack.branch(), invite.branch());
    assert_eq!(ack.request_uri(), "sip:ann@192.0.2.7:5099");
    let events = bench.take_events();
    let [Event::OfferAnswered { sdp, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(sdp, b"answer");
    bench.receive(&ok);
    assert_eq!(bench.one().text, ack.text, "timer M: the ACK again");
    assert!(bench.events.is_empty());
    bench.command(Command::Bye { leg, reason: None });
    assert_eq!(bench.one().header("CSeq"), "2 BYE");
}

#[test]
fn a_refused_hold_leaves_the_call_as_it_was() {
    let mut bench = Bench::new();
    let (leg, _) = bench.up();
    let invite = offering(&mut bench, leg);
    bench.receive(&reply(&invite, 488, "caller", &[], ""));
    let ack = bench.one();
    assert_eq!((ack.method(), ack.branch()), ("ACK", invite.branch()));
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::OfferFailed { status: 488, .. }]), "{events:?}");
    offering(&mut bench, leg);
}

#[test]
fn a_lost_dialog_is_ended() {
    for (status, cause) in [(481, EndCause::Gone), (408, EndCause::Timeout)] {
        let mut bench = Bench::new();
        let (leg, _) = bench.up();
        let invite = offering(&mut bench, leg);
        bench.receive(&reply(&invite, status, "caller", &[], ""));
        let sent = bench.take();
        assert_eq!([sent[0].method(), sent[1].method()], ["ACK", "BYE"]);
        bench.receive(&reply(&sent[1], 481, "caller", &[], ""));
        let events = bench.take_events();
        let [Event::Ended { cause: seen, .. }] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(*seen, cause);
    }
    let mut bench = Bench::new();
    let (leg, _) = bench.up();
    offering(&mut bench, leg);
    bench.pass(seconds(32));
    let words = bench.words();
    assert_eq!(words.last().unwrap(), "BYE", "timer B: {words:?}");
    bench.pass(seconds(32));
    let ended = bench.take_events().pop().unwrap();
    assert!(matches!(ended, Event::Ended { cause: EndCause::Timeout, .. }), "{ended:?}");
}

#[test]
fn an_offer_that_is_tried_for_ever_is_a_lost_dialog() {
    let mut bench = Bench::new();
    let (leg, _) = bench.up();
    let invite = offering(&mut bench, leg);
    bench.receive(&reply(&invite, 100, "caller", &[], ""));
    bench.pass(ms(63_999));
    assert!(bench.sent.is_empty());
    bench.pass(seconds(100));
    assert_eq!(bench.words()[0], "BYE");
    let ended = bench.take_events().pop().unwrap();
    assert!(matches!(ended, Event::Ended { cause: EndCause::Timeout, .. }), "{ended:?}");
    assert_eq!(bench.agent.occupancy().transactions, 0);
}

#[test]
fn an_offer_under_way_does_not_outlive_its_call() {
    for is_ours in [true, false] {
        let mut bench = Bench::new();
        let (leg, tag) = bench.up();
        let invite = offering(&mut bench, leg);
        bench.receive(&reply(&invite, 100, "caller", &[], ""));
        if is_ours {
            bench.command(Command::Bye { leg, reason: None });
        } else {
            bench.receive(&Script::new("BYE").number(2).tagged(&tag).text());
        }
        bench.pass(seconds(40));
        assert_eq!(bench.said(), ["Ended"]);
        assert_eq!(bench.agent.occupancy().transactions, 0, "ours: {is_ours}");
    }
}

#[test]
fn while_our_offer_is_out_theirs_meets_a_glare() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    offering(&mut bench, leg);
    for (number, method) in [(2, "INVITE"), (3, "UPDATE")] {
        bench.receive(&Script::new(method).number(number).tagged(&tag).body(HOLD).text());
        assert_eq!(bench.one().status(), 491, "{method}");
    }
    assert!(bench.events.is_empty());
}

#[test]
fn after_a_glare_our_offer_waits_its_time_and_goes_out_again() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    let mut invite = offering(&mut bench, leg);
    for round in 0..5 {
        bench.receive(&reply(&invite, 491, "caller", &[], ""));
        assert_eq!(bench.words(), ["ACK"]);
        let asked_at = bench.now;
        if round == 1 {
            // Meanwhile the peer's own offer has its turn, and ours does not cut in.
            bench.receive(&Script::new("UPDATE").number(9).tagged(&tag).body(HOLD).text());
            bench.pass(seconds(3));
            bench.command(Command::AcceptOffer { leg, sdp: ANSWER.to_vec() });
            let sent = bench.take();
            assert_eq!(sent[0].status(), 200);
            invite = sent[1].clone();
            continue;
        }
        bench.pass_until_sent(seconds(2));
        invite = bench.one();
        let waited = invite.at - (asked_at - bench.start);
        assert_eq!(waited.as_millis() % 10, 0, "steps of 10 ms");
    }
    bench.receive(&reply(&invite, 491, "caller", &[], ""));
    assert_eq!(bench.words(), ["ACK"]);
    let failed = bench.take_events().pop().unwrap();
    assert!(matches!(failed, Event::OfferFailed { status: 491, .. }), "given up: {failed:?}");
}

#[test]
fn an_offer_of_ours_waits_for_the_exchange_at_hand() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    let tag = bench.one().tag("To").to_owned();
    bench.command(Command::Reoffer { leg, sdp: HOLD.as_bytes().to_vec() });
    assert!(bench.sent.is_empty());
    bench.receive(&Script::new("ACK").tagged(&tag).branch("z9hG4bKa").text());
    assert_eq!(bench.words(), ["INVITE"]);
}

#[test]
fn a_200_that_crosses_our_bye_is_acknowledged() {
    let mut bench = Bench::new();
    let (leg, _) = bench.up();
    let invite = offering(&mut bench, leg);
    bench.command(Command::Bye { leg, reason: None });
    assert_eq!(bench.words(), ["BYE"]);
    bench.receive(&reply(&invite, 200, "caller", &[], "answer"));
    assert_eq!(bench.words(), ["ACK"]);
}
