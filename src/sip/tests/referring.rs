//! We pass a call on: REFER and its NOTIFYs, what fails of it, and what ends meanwhile.

use super::*;
use crate::base::Private;
use crate::sip::{EndCause, ReferNews, ReferTo};

const ANNA: &str = "sip:anna@192.0.2.50;transport=tcp";

fn to_anna() -> ReferTo {
    ReferTo::Uri(Private::new(ANNA.to_owned()))
}

/// A call that is up, with a REFER out. Its leg, our tag and the REFER.
fn referring(bench: &mut Bench) -> (LegId, String, Sent) {
    let (leg, tag) = bench.up();
    bench.command(Command::Refer { leg, to: to_anna(), within: seconds(30) });
    (leg, tag, bench.one())
}

fn notify(tag: &str, number: u32, event: &str, state: &str, fragment: &str) -> String {
    let notify = Script::new("NOTIFY").number(number).tagged(tag);
    let notify = notify.header(&format!("Event: {event}"));
    let notify = notify.header(&format!("Subscription-State: {state}"));
    notify.body_of("message/sipfrag;version=2.0", fragment).text()
}

fn news(bench: &mut Bench) -> Vec<ReferNews> {
    let news = |event: &Event| match event {
        Event::Refer { news, .. } => *news,
        other => panic!("{other:?}"),
    };
    bench.take_events().iter().map(news).collect()
}

#[test]
fn somebody_answers_and_the_call_is_ours_to_end() {
    let mut bench = Bench::new();
    let (leg, tag, refer) = referring(&mut bench);
    assert_eq!((refer.method(), refer.request_uri()), ("REFER", "sip:ann@192.0.2.7:5060"));
    assert_eq!(refer.header("Refer-To"), format!("<{ANNA}>"));
    assert_eq!(refer.header("Referred-By"), "<sip:desk@192.0.2.1>");
    assert_eq!(refer.header("Contact"), "<sip:attendant@192.0.2.1:5060>");
    assert!(refer.header("Allow").contains("NOTIFY"));
    bench.receive(&reply(&refer, 202, "caller", &[], ""));
    assert_eq!(news(&mut bench), [ReferNews::Accepted]);
    for (number, fragment) in [(2, "SIP/2.0 100 Trying"), (3, "SIP/2.0 180 Ringing")] {
        bench.receive(&notify(&tag, number, "refer", "active;expires=60", fragment));
        assert_eq!(bench.one().status(), 200);
    }
    assert!(bench.events.is_empty());
    let last = notify(&tag, 4, "refer;id=1", "terminated;reason=noresource", "SIP/2.0 200 OK\r\n");
    bench.receive(&last);
    assert_eq!(bench.one().status(), 200);
    assert_eq!(news(&mut bench), [ReferNews::Done]);
    // Its copy gets the same answer and says nothing new; another is of no subscription.
    bench.receive(&last);
    assert_eq!(bench.one().status(), 200);
    assert!(bench.events.is_empty());
    bench.receive(&notify(&tag, 5, "refer", "active", "SIP/2.0 200 OK"));
    assert_eq!(bench.one().status(), 481);
    bench.pass(seconds(120));
    assert!(bench.events.is_empty() && bench.sent.is_empty());
    bench.command(Command::Bye { leg, reason: None });
    assert_eq!(bench.one().method(), "BYE");
}

#[test]
fn a_peer_that_refuses_or_cannot_reach_anybody_is_told_with_its_status() {
    for status in [400, 403, 405, 420, 486, 501, 503, 603] {
        let mut bench = Bench::new();
        let (_, tag, refer) = referring(&mut bench);
        bench.receive(&reply(&refer, status, "caller", &[], ""));
        assert_eq!(news(&mut bench), [ReferNews::Failed(status)], "REFER {status}");
        bench.receive(&notify(&tag, 2, "refer", "active", "SIP/2.0 200 OK"));
        assert_eq!(bench.one().status(), 481, "there is no subscription");
        bench.pass(seconds(60));
        assert!(bench.events.is_empty(), "{status}: the call stays up");
    }
    for status in [302, 404, 486, 500, 603] {
        let mut bench = Bench::new();
        let (_, tag, refer) = referring(&mut bench);
        bench.receive(&reply(&refer, 202, "caller", &[], ""));
        bench.receive(&notify(&tag, 2, "refer", "active", &format!("SIP/2.0 {status} No")));
        assert_eq!(
            news(&mut bench),
            [ReferNews::Accepted, ReferNews::Failed(status)],
            "sipfrag {status}"
        );
        bench.pass(seconds(60));
        assert!(bench.events.is_empty(), "{status}: the call stays up");
    }
}

#[test]
fn a_notify_may_come_before_the_202() {
    let mut bench = Bench::new();
    let (_, tag, refer) = referring(&mut bench);
    bench.receive(&notify(&tag, 2, "refer", "active", "SIP/2.0 100 Trying"));
    assert_eq!(bench.one().status(), 200);
    assert_eq!(news(&mut bench), [ReferNews::Accepted]);
    bench.receive(&reply(&refer, 202, "caller", &[], ""));
    bench.receive(&notify(&tag, 3, "refer", "terminated", "SIP/2.0 200 OK"));
    assert_eq!(news(&mut bench), [ReferNews::Done]);
}

#[test]
fn a_subscription_that_ends_without_a_word_has_failed() {
    for (kind, body) in [("message/sipfrag", "SIP/2.0 180 Ringing"), ("text/plain", "gone")] {
        let mut bench = Bench::new();
        let (_, tag, refer) = referring(&mut bench);
        bench.receive(&reply(&refer, 202, "caller", &[], ""));
        let script = Script::new("NOTIFY").number(2).tagged(&tag).header("Event: refer");
        let script = script.header("Subscription-State: terminated;reason=timeout");
        bench.receive(&script.body_of(kind, body).text());
        assert_eq!(bench.one().status(), 200);
        assert_eq!(news(&mut bench), [ReferNews::Accepted, ReferNews::Failed(408)], "{kind}");
    }
}

#[test]
fn a_peer_that_says_nothing_is_given_up_in_time() {
    // No response at all.
    let mut bench = Bench::new();
    referring(&mut bench);
    bench.pass(ms(7_999));
    assert!(bench.events.is_empty());
    bench.pass(ms(1));
    assert_eq!(news(&mut bench), [ReferNews::Failed(408)]);
    bench.pass(seconds(60));
    assert!(bench.events.is_empty(), "the end of the transaction is no second failure");
    // A response, and then no NOTIFY; a ringing telephone does not lengthen it.
    let mut bench = Bench::new();
    let (_, tag, refer) = referring(&mut bench);
    bench.receive(&reply(&refer, 202, "caller", &[], ""));
    bench.pass(seconds(20));
    bench.receive(&notify(&tag, 2, "refer", "active", "SIP/2.0 180 Ringing"));
    assert_eq!(news(&mut bench), [ReferNews::Accepted]);
    bench.pass(ms(9_999));
    assert!(bench.events.is_empty());
    bench.pass(ms(1));
    assert_eq!(news(&mut bench), [ReferNews::Failed(408)]);
    // What fails after that is no news; that somebody answers is.
    bench.take();
    bench.receive(&notify(&tag, 3, "refer", "active", "SIP/2.0 183 Progress"));
    assert!(bench.events.is_empty());
    bench.receive(&notify(&tag, 4, "refer", "terminated", "SIP/2.0 200 OK"));
    assert_eq!(news(&mut bench), [ReferNews::Done]);
}

#[test]
fn what_fails_after_it_was_given_up_is_no_news_and_the_next_may_begin() {
    let mut bench = Bench::new();
    let (leg, tag, refer) = referring(&mut bench);
    bench.receive(&reply(&refer, 202, "caller", &[], ""));
    bench.pass(seconds(30));
    assert_eq!(news(&mut bench), [ReferNews::Accepted, ReferNews::Failed(408)]);
    bench.command(Command::Refer { leg, to: to_anna(), within: seconds(30) });
    let second = bench.one();
    assert_eq!(second.header("CSeq"), "2 REFER");
    // The first one's subscription is another.
    bench.receive(&notify(&tag, 2, "refer;id=1", "terminated", "SIP/2.0 408 Late"));
    assert_eq!(bench.one().status(), 481);
    assert!(bench.events.is_empty());
    bench.receive(&reply(&second, 202, "caller", &[], ""));
    bench.receive(&notify(&tag, 3, "refer;id=2", "terminated", "SIP/2.0 200 OK"));
    assert_eq!(news(&mut bench), [ReferNews::Accepted, ReferNews::Done]);
}

#[test]
fn one_at_a_time() {
    let mut bench = Bench::new();
    let (leg, _, _) = referring(&mut bench);
    bench.command(Command::Refer { leg, to: to_anna(), within: seconds(30) });
    assert!(bench.sent.is_empty());
    assert_eq!(news(&mut bench), [ReferNews::Failed(491)]);
}

#[test]
fn a_number_is_of_the_peers_domain() {
    for (from, domain) in
        [("sip:ann@example.com", "example.com"), ("sip:anonymous@Anonymous.Invalid", "192.0.2.7")]
    {
        let mut bench = Bench::new();
        let from = |text: String| text.replace("Ann <sip:ann@192.0.2.7>", &format!("<{from}>"));
        bench.receive(&from(Script::new("INVITE").body(SDP).text()));
        let Some(Event::Incoming { leg, .. }) = bench.take_events().pop() else { panic!() };
        bench.take();
        bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
        let tag = bench.one().tag("To").to_owned();
        bench.receive(&from(Script::new("ACK").tagged(&tag).branch("z9hG4bKack").text()));
        let to = ReferTo::Number(Private::new("+4930123456".to_owned()));
        bench.command(Command::Refer { leg, to, within: seconds(30) });
        let refer = bench.one();
        assert_eq!(refer.header("Refer-To"), format!("<sip:+4930123456@{domain};user=phone>"));
    }
}

#[test]
fn either_side_may_hang_up_in_between() {
    let mut bench = Bench::new();
    let (_, tag, refer) = referring(&mut bench);
    bench.receive(&reply(&refer, 202, "caller", &[], ""));
    assert_eq!(news(&mut bench), [ReferNews::Accepted]);
    bench.receive(&Script::new("BYE").number(2).tagged(&tag).text());
    assert_eq!(bench.one().status(), 200);
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Ended { cause: EndCause::ByPeer, .. }]), "{events:?}");
    bench.pass(seconds(120));
    assert!(bench.events.is_empty());

    let mut bench = Bench::new();
    let (leg, tag, _) = referring(&mut bench);
    bench.command(Command::Bye { leg, reason: None });
    let bye = bench.one();
    bench.receive(&notify(&tag, 2, "refer", "active", "SIP/2.0 100 Trying"));
    assert_eq!(bench.one().status(), 200, "taken while our BYE is out");
    bench.receive(&reply(&bye, 200, "caller", &[], ""));
    assert_eq!(bench.said(), ["Ended"]);
    bench.pass(seconds(120));
    let empty = bench.agent.occupancy();
    assert_eq!((empty.legs, empty.dialogs, empty.transactions), (0, 0, 0));
}

#[test]
fn a_peer_without_the_dialog_ends_the_call() {
    let mut bench = Bench::new();
    let (_, _, refer) = referring(&mut bench);
    bench.receive(&reply(&refer, 481, "caller", &[], ""));
    let bye = bench.one();
    assert_eq!(bye.method(), "BYE");
    bench.receive(&reply(&bye, 481, "caller", &[], ""));
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Ended { cause: EndCause::Gone, .. }]), "{events:?}");
}

#[test]
fn other_notifies_are_of_no_subscription() {
    let mut bench = Bench::new();
    let (_, tag) = bench.up();
    bench.receive(&notify(&tag, 2, "refer", "active", "SIP/2.0 200 OK"));
    assert_eq!(bench.one().status(), 481);
    bench.receive(&notify(&tag, 3, "presence", "active", ""));
    let bad = bench.one();
    assert_eq!((bad.status(), bad.header("Allow-Events")), (489, "refer"));
    bench.receive(&Script::new("NOTIFY").call_id("other").header("Event: refer").text());
    assert_eq!(bench.one().status(), 481);
    assert!(bench.events.is_empty());
}

/// Somebody whom we have called has answered, with these header fields in the 200.
fn called(bench: &mut Bench, extra: &[&str]) -> (LegId, Sent) {
    let (leg, invite) = bench.invites(to_bob(caller()));
    bench.receive(&reply(&invite, 200, "bob", extra, SDP));
    bench.take();
    assert_eq!(bench.said(), ["Answered"]);
    (leg, invite)
}

#[test]
fn the_peer_takes_our_place_in_another_call_by_its_tags_and_its_call_id() {
    let contact = "Contact: <sip:bob@192.0.2.7:5080;transport=udp>";
    let routed = "Record-Route: <sip:192.0.2.7;lr>";
    let knows = "Supported: timer, Replaces";
    for (extra, address) in [
        (&[contact, knows][..], "sip:bob@192.0.2.7:5080;transport=udp"),
        // Past a proxy only the address leads there, which it routes.
        (&[contact, knows, routed], "sip:bob@example.com"),
    ] {
        let mut bench = Bench::new();
        let (bob, invite) = called(&mut bench, extra);
        let (leg, _) = bench.up();
        bench.command(Command::Refer { leg, to: ReferTo::Leg(bob), within: seconds(10) });
        let refer = bench.one();
        let (id, tag) = (invite.header("Call-ID"), invite.tag("From"));
        let replaces = format!("?Replaces={id}%3Bto-tag%3Dbob%3Bfrom-tag%3D{tag}");
        assert_eq!(refer.header("Refer-To"), format!("<{address}{replaces}>"));
        assert_eq!(refer.header("Referred-By"), "<sip:desk@192.0.2.1>");
    }
}

#[test]
fn nobody_is_sent_to_whom_does_not_know_how_to_be_taken_over() {
    let mut bench = Bench::new();
    let (bob, _) = called(&mut bench, &["Contact: <sip:bob@192.0.2.7>", "Supported: timer"]);
    let (leg, _) = bench.up();
    for to in [bob, LegId(99)] {
        bench.command(Command::Refer { leg, to: ReferTo::Leg(to), within: seconds(10) });
        assert_eq!(news(&mut bench), [ReferNews::Failed(400)]);
        assert!(bench.take().is_empty(), "no REFER leaves");
    }
}
