//! Reliable provisional responses (RFC 3262) on both sides of a call.

use super::*;
use crate::sip::Invite;

fn requiring() -> Script {
    Script::new("INVITE").header("Require: 100rel").body(SDP)
}

fn prack(ringing: &Sent, number: u32) -> Script {
    let rack = format!("RAck: {} 1 INVITE", ringing.header("RSeq"));
    Script::new("PRACK").number(number).tagged(ringing.tag("To")).header(&rack)
}

#[test]
fn a_caller_that_requires_it_acknowledges_our_ringing() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&requiring());
    bench.command(Command::Ring { leg, status: 180, sdp: None });
    let ringing = bench.one();
    assert_eq!((ringing.status(), ringing.header("Require")), (180, "100rel"));
    let rseq: u32 = ringing.header("RSeq").parse().unwrap();
    assert!((1..0x8000_0000).contains(&rseq));
    bench.pass(ms(3_600));
    let copies = bench.take();
    let times: Vec<_> = copies.iter().map(|sent| sent.at.as_millis()).collect();
    assert_eq!(times, [500, 1_500, 3_500], "T1 doubles");
    assert!(copies.iter().all(|copy| copy.text == ringing.text));
    bench.receive(&prack(&ringing, 2).text());
    assert_eq!(bench.one().status(), 200);
    bench.pass(seconds(50));
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    assert_eq!(bench.one().status(), 200);
}

#[test]
fn a_second_ringing_has_the_next_number_and_waits_for_the_first() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&requiring());
    bench.command(Command::Ring { leg, status: 180, sdp: None });
    let first = bench.one();
    bench.command(Command::Ring { leg, status: 180, sdp: None });
    assert!(bench.sent.is_empty(), "one at a time");
    bench.receive(&prack(&first, 2).text());
    bench.take();
    bench.pass(seconds(60));
    let second = bench.one();
    let number = |sent: &Sent| sent.header("RSeq").parse::<u32>().unwrap();
    assert_eq!(number(&second), number(&first) + 1);
}

#[test]
fn an_answer_waits_for_the_acknowledgement_of_a_description_only() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&requiring());
    bench.command(Command::Ring { leg, status: 183, sdp: Some(ANSWER.to_vec()) });
    let early = bench.one();
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    assert!(bench.sent.is_empty());
    bench.receive(&prack(&early, 2).text());
    assert_eq!(bench.words(), ["200", "200"], "to the PRACK, then to the INVITE");

    let mut bench = Bench::new();
    let leg = bench.ringing(&requiring());
    bench.command(Command::Ring { leg, status: 180, sdp: None });
    let ringing = bench.one();
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    assert_eq!(bench.one().status(), 200);
    bench.receive(&prack(&ringing, 2).text());
    assert_eq!(bench.one().status(), 200, "a PRACK that crossed the answer");
    bench.pass(ms(400));
    assert!(bench.sent.is_empty(), "no ringing after the answer");
}

#[test]
fn a_caller_that_never_acknowledges_is_given_up() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&requiring());
    bench.command(Command::Ring { leg, status: 180, sdp: None });
    bench.pass(seconds(33));
    assert_eq!(bench.words().last().unwrap(), "504");
    assert_eq!(bench.said(), ["Cancelled"]);
}

#[test]
fn acknowledgements_of_something_else_are_refused() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&requiring());
    bench.command(Command::Ring { leg, status: 180, sdp: None });
    let ringing = bench.one();
    let tag = ringing.tag("To");
    for (number, rack, status) in
        [(2, "RAck: 1 1 INVITE", 481), (3, "RAck: x", 400), (4, "RAck: 1 1 BYE", 400)]
    {
        let prack = Script::new("PRACK").number(number).tagged(tag).header(rack);
        bench.receive(&prack.text());
        assert_eq!(bench.one().status(), status, "{rack}");
    }
    bench.receive(&prack(&ringing, 5).body(SDP).text());
    assert_eq!(bench.one().status(), 488, "no new offer before the answer");
    bench.pass(ms(500));
    assert_eq!(bench.words(), ["180"], "it is still waited for");
    bench.receive(&Script::new("PRACK").header("RAck: 1 1 INVITE").text());
    assert_eq!(bench.one().status(), 481, "outside a dialog");
}

#[test]
fn a_caller_that_only_knows_it_is_spared() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").header("Supported: 100rel").body(SDP));
    bench.command(Command::Ring { leg, status: 180, sdp: None });
    let ringing = bench.one();
    assert_eq!((ringing.header("RSeq"), ringing.header("Require")), ("", ""));
    bench.pass(seconds(50));
    assert!(bench.sent.is_empty());
}

const CONTACT: &str = "Contact: <sip:bob@192.0.2.60:5062>";

fn calling(sdp: Option<&str>) -> (Bench, LegId, Sent) {
    let mut bench = Bench::new();
    let sdp = sdp.map(|sdp| sdp.as_bytes().to_vec());
    let (leg, sent) = bench.invites(Invite { sdp, ..to_bob(caller()) });
    (bench, leg, sent)
}

fn reliable(invite: &Sent, tag: &str, rseq: u32, body: &str) -> String {
    let rseq = format!("RSeq: {rseq}");
    reply(invite, 183, tag, &[CONTACT, "Require: 100rel", &rseq], body)
}

#[test]
fn we_acknowledge_what_a_callee_says_reliably_once_and_in_order() {
    let (mut bench, _, invite) = calling(Some(SDP));
    assert!(invite.header("Supported").contains("100rel"));
    bench.receive(&reliable(&invite, "bob", 776, "early"));
    let prack = bench.one();
    assert_eq!((prack.method(), prack.header("RAck")), ("PRACK", "776 1 INVITE"));
    assert_eq!((prack.tag("To"), prack.header("CSeq")), ("bob", "2 PRACK"));
    assert_eq!(prack.request_uri(), "sip:bob@192.0.2.60:5062");
    assert_eq!(bench.said(), ["Progress"]);
    bench.receive(&reply(&prack, 200, "bob", &[], ""));
    bench.receive(&reliable(&invite, "bob", 776, "early"));
    bench.receive(&reliable(&invite, "bob", 779, "early"));
    assert!(bench.sent.is_empty() && bench.events.is_empty(), "a copy, and one out of order");
    bench.receive(&reliable(&invite, "bob", 777, "early"));
    assert_eq!(bench.one().header("CSeq"), "3 PRACK");
    // Another fork counts for itself.
    bench.receive(&reliable(&invite, "carl", 5, "early"));
    let prack = bench.one();
    assert_eq!((prack.tag("To"), prack.header("RAck")), ("carl", "5 1 INVITE"));
    bench.take_events();
    bench.receive(&reply(&invite, 200, "bob", &[CONTACT], "answer"));
    assert_eq!(bench.words(), ["ACK"]);
    assert_eq!(bench.said(), ["Answered"]);
}

#[test]
fn without_an_offer_of_ours_no_reliable_response_is_asked_for() {
    let (_, _, invite) = calling(None);
    assert!(!invite.header("Supported").contains("100rel"), "{}", invite.header("Supported"));
}
