//! An INVITE with Replaces (RFC 3891): which call it takes the place of, and what it gets where it does not.

use super::*;
use crate::sip::{Admission, EndCause};

/// An INVITE of somebody else with these Replaces.
fn taking(replaces: &str) -> Script {
    let invite = Script::new("INVITE").call_id("call-2").sender_tag("ben").body(SDP);
    invite.branch("z9hG4bKben").header(&format!("Replaces: {replaces}"))
}

/// The status of the one answer to it.
fn refused(bench: &mut Bench, invite: &Script) -> u16 {
    bench.receive(&invite.text());
    assert!(bench.take_events().is_empty(), "nobody is shown it");
    bench.one().status()
}

#[test]
fn a_call_is_taken_over_by_its_tags_and_its_call_id() {
    let mut bench = Bench::new();
    let (before, tag) = bench.up();
    bench.receive(&taking(&format!("call-1;from-tag=caller;to-tag={tag}")).text());
    let events = bench.take_events();
    let [Event::Incoming { leg, incoming }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(incoming.replaces, Some(before));
    assert_eq!(bench.words(), ["100"]);
    bench.command(Command::Answer { leg: *leg, sdp: ANSWER.to_vec() });
    bench.command(Command::Bye { leg: before, reason: None });
    let sent = bench.take();
    let [ok, bye] = sent.as_slice() else { panic!("{sent:#?}") };
    assert_eq!((ok.status(), bye.method()), (200, "BYE"));
    assert!(ok.header("Supported").contains("replaces"));
    assert_eq!(bye.header("Call-ID"), "call-1");
    let ack = Script::new("ACK").call_id("call-2").sender_tag("ben").tagged(ok.tag("To"));
    bench.receive(&ack.branch("z9hG4bKback").text());
    assert_eq!(bench.said(), ["Established"]);
    bench.receive(&reply(bye, 200, "", &[], ""));
    let events = bench.take_events();
    assert!(
        matches!(events.as_slice(), [Event::Ended { leg, cause: EndCause::ByUs }] if *leg == before)
    );
}

#[test]
fn a_call_is_taken_over_in_a_full_house_and_one_that_takes_over_nothing_is_not_let_in() {
    let mut bench = Bench::new();
    let (before, tag) = bench.up();
    let full = Admission::Closed { status: 486, retry_after_s: None };
    bench.command(Command::Admit(full));
    bench.receive(&taking(&format!("call-1;to-tag={tag};from-tag=caller")).text());
    let events = bench.take_events();
    assert!(matches!(events.as_slice(), [Event::Incoming { incoming, .. }]
        if incoming.replaces == Some(before)));
    bench.take();
    let other = taking("other;to-tag=a;from-tag=b").call_id("call-3").branch("z9hG4bKother");
    assert_eq!(refused(&mut bench, &other), 481);
}

#[test]
fn a_call_that_only_waits_for_its_ack_to_end_is_not_taken_over() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    let tag = bench.one().tag("To").to_owned();
    bench.command(Command::Bye { leg, reason: None });
    let invite = taking(&format!("call-1;from-tag=caller;to-tag={tag}"));
    bench.receive(&invite.text());
    assert_eq!(bench.one().status(), 603);
}

#[test]
fn what_replaces_nothing_is_told_why() {
    for (value, status) in [
        ("call-1;to-tag=TAG;from-tag=other", 481),
        ("call-1;to-tag=other;from-tag=caller", 481),
        // The tags the wrong way round.
        ("call-1;to-tag=caller;from-tag=TAG", 481),
        ("call-2;to-tag=TAG;from-tag=caller", 481),
        ("call-1;to-tag=TAG;from-tag=caller;early-only", 486),
        ("call-1;to-tag=TAG", 400),
        ("call-1;to-tag=TAG;from-tag=caller, call-1;to-tag=TAG;from-tag=caller", 400),
        ("", 400),
    ] {
        let mut bench = Bench::new();
        let (_, tag) = bench.up();
        let invite = taking(&value.replace("TAG", &tag));
        assert_eq!(refused(&mut bench, &invite), status, "{value}");
        bench.pass(seconds(1));
        assert!(bench.events.is_empty(), "{value}: the call goes on");
    }
}

#[test]
fn two_of_it_or_one_beside_a_join_are_malformed() {
    for other in
        ["Replaces: call-1;to-tag=TAG;from-tag=caller", "Join: call-1;to-tag=TAG;from-tag=x"]
    {
        let mut bench = Bench::new();
        let (_, tag) = bench.up();
        let invite = taking(&format!("call-1;to-tag={tag};from-tag=caller"));
        assert_eq!(refused(&mut bench, &invite.header(&other.replace("TAG", &tag))), 400);
    }
}

#[test]
fn a_call_that_rings_is_not_taken_over_and_one_that_ends_is_declined() {
    let mut bench = Bench::new();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Ring { leg, status: 180, sdp: None });
    let tag = bench.one().tag("To").to_owned();
    let value = format!("call-1;to-tag={tag};from-tag=caller");
    assert_eq!(refused(&mut bench, &taking(&value)), 481);

    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    bench.command(Command::Bye { leg, reason: None });
    assert_eq!(bench.one().method(), "BYE");
    let value = format!("call-1;to-tag={tag};from-tag=caller");
    assert_eq!(refused(&mut bench, &taking(&value)), 603);
}

#[test]
fn zero_stands_for_the_tag_that_an_old_peer_has_not_given() {
    let mut bench = Bench::new();
    let untagged = Script::new("INVITE").body(SDP).text().replace(";tag=caller", "");
    bench.receive(&untagged);
    let events = bench.take_events();
    let [Event::Incoming { leg, .. }] = events.as_slice() else { panic!("{events:?}") };
    let before = *leg;
    bench.take();
    bench.command(Command::Answer { leg: before, sdp: ANSWER.to_vec() });
    let tag = bench.one().tag("To").to_owned();
    bench.receive(&taking(&format!("call-1;to-tag={tag};from-tag=0")).text());
    let events = bench.take_events();
    assert!(matches!(events.as_slice(), [Event::Incoming { incoming, .. }]
        if incoming.replaces == Some(before)));
}
