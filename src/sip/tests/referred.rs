//! The peer's REFER in a call, and what it is told of it.

use super::*;
use crate::sip::Referral;
use crate::sip::digest::Credentials;

const ANNA: &str = "Refer-To: <sip:anna@192.0.2.7>";

fn refer(tag: &str, headers: &[&str]) -> Script {
    let refer = Script::new("REFER").number(2).tagged(tag);
    headers.iter().fold(refer, |refer, header| refer.header(header))
}

fn wanted(bench: &mut Bench) -> Referral {
    match bench.take_events().as_slice() {
        [Event::Referred { referral, .. }] => referral.as_ref().clone(),
        other => panic!("{other:?}"),
    }
}

fn notified(sent: &Sent) -> (&str, &str) {
    assert_eq!(sent.method(), "NOTIFY");
    assert_eq!(sent.header("Event"), "refer;id=2");
    assert_eq!(sent.header("Content-Type"), "message/sipfrag;version=2.0");
    (sent.header("Subscription-State"), sent.body().trim_end())
}

#[test]
fn the_peer_is_told_how_far_it_is_and_what_came_of_it() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    let by = "Referred-By: <sip:ann@192.0.2.7>";
    bench.receive(&refer(&tag, &[ANNA, by]).text());
    let referral = wanted(&mut bench);
    assert_eq!(referral.to.reveal(), "sip:anna@192.0.2.7");
    assert_eq!(referral.referred_by.reveal().as_deref(), Some("<sip:ann@192.0.2.7>"));
    assert!(referral.replaces.reveal().is_none());
    assert!(bench.take().is_empty(), "that is for others to decide");
    bench.command(Command::AnswerRefer { leg, status: 202 });
    let sent = bench.take();
    assert_eq!(sent[0].status(), 202);
    assert!(!sent[0].header("Contact").is_empty());
    assert_eq!(notified(&sent[1]), ("active;expires=180", "SIP/2.0 100 Trying"));
    for (status, expected) in [
        (180, ("active;expires=180", "SIP/2.0 180 Ringing")),
        (200, ("terminated;reason=noresource", "SIP/2.0 200 OK")),
    ] {
        bench.command(Command::NotifyRefer { leg, status });
        assert_eq!(notified(&bench.one()), expected);
    }
    bench.command(Command::NotifyRefer { leg, status: 486 });
    assert!(bench.take().is_empty(), "the last word is said");
    bench.receive(&refer(&tag, &[ANNA]).number(3).text());
    wanted(&mut bench);
}

#[test]
fn one_that_names_nobody_or_something_else_is_refused() {
    for (headers, status) in [
        (&[][..], 400),
        (&[ANNA, ANNA], 400),
        (&["Refer-To: <sip:a@192.0.2.7>, <sip:b@192.0.2.7>"], 400),
        (&["Refer-To: anna"], 400),
        (&["Refer-To: <sip:anna@192.0.2.7?Replaces=nothing>"], 400),
        (&["Refer-To: <https://192.0.2.7/anna>"], 416),
        (&["Refer-To: <sip:anna@192.0.2.7;method=BYE>"], 603),
        (&["Refer-To: <sip:anna@192.0.2.7;maddr=192.0.2.99>"], 403),
    ] {
        let mut bench = Bench::new();
        let (_, tag) = bench.up();
        bench.receive(&refer(&tag, headers).text());
        assert_eq!(bench.one().status(), status, "{headers:?}");
        assert!(bench.events.is_empty(), "{headers:?}");
    }
}

#[test]
fn a_call_that_is_to_be_replaced_there_is_named_as_it_was() {
    let mut bench = Bench::new();
    let (_, tag) = bench.up();
    let to = "Refer-To: <sip:anna@192.0.2.99?Replaces=x%40y%3Bto-tag%3D1%3Bfrom-tag%3D2>";
    bench.receive(&refer(&tag, &[to]).text());
    let referral = wanted(&mut bench);
    assert_eq!(referral.to.reveal(), "sip:anna@192.0.2.99");
    assert_eq!(referral.replaces.reveal().as_deref(), Some("x@y;to-tag=1;from-tag=2"));
}

#[test]
fn a_second_wish_waits_for_the_end_of_the_first_and_a_refused_one_leaves_nothing() {
    let mut bench = Bench::new();
    let (leg, tag) = bench.up();
    bench.receive(&refer(&tag, &[ANNA]).text());
    wanted(&mut bench);
    bench.receive(&refer(&tag, &[ANNA]).number(3).text());
    assert_eq!(bench.one().status(), 491);
    bench.command(Command::AnswerRefer { leg, status: 603 });
    assert_eq!(bench.one().status(), 603);
    bench.command(Command::NotifyRefer { leg, status: 200 });
    assert!(bench.take().is_empty());
    bench.receive(&refer(&tag, &[ANNA]).number(4).text());
    wanted(&mut bench);
}

#[test]
fn a_peer_that_wants_to_hear_nothing_hears_nothing() {
    for silenced in ["by-header", "by-481"] {
        let mut bench = Bench::new();
        let (leg, tag) = bench.up();
        let header = ["Refer-Sub: false"].into_iter().filter(|_| silenced == "by-header");
        let headers: Vec<&str> = [ANNA].into_iter().chain(header).collect();
        bench.receive(&refer(&tag, &headers).text());
        wanted(&mut bench);
        bench.command(Command::AnswerRefer { leg, status: 202 });
        let sent = bench.take();
        if silenced == "by-header" {
            assert_eq!((sent.len(), sent[0].header("Refer-Sub")), (1, "false"));
        } else {
            bench.receive(&reply(&sent[1], 481, "", &[], ""));
        }
        bench.command(Command::NotifyRefer { leg, status: 180 });
        assert!(bench.take().is_empty(), "{silenced}");
        bench.pass(seconds(40));
        assert!(bench.events.is_empty(), "{silenced}: the call goes on");
    }
}

#[test]
fn outside_of_a_call_nobody_is_called() {
    let mut bench = Bench::new();
    bench.receive(&Script::new("REFER").header(ANNA).text());
    assert_eq!(bench.one().status(), 403);
    bench.receive(&refer("unknown", &[ANNA]).text());
    assert_eq!(bench.one().status(), 481);
    assert!(bench.events.is_empty());
}

#[test]
fn what_the_peer_is_told_is_told_again_with_credentials() {
    let mut bench = Bench::new();
    let private = |text: &str| Private::new(text.to_owned());
    let credentials = Credentials {
        username: private("desk"),
        password: private("hush"),
        realm: None,
        over: None,
    };
    let proxy = SocketAddr::new("192.0.2.50".parse().unwrap(), 5060);
    let credentials = Some(credentials);
    let (leg, invite) = bench.invites(Invite { credentials, ..to_bob(proxy) });
    let ok = ["Contact: <sip:bob@192.0.2.60:5062>", "Record-Route: <sip:192.0.2.50;lr>"];
    bench.receive(&reply(&invite, 200, "bob", &ok, "answer"));
    bench.take();
    bench.take_events();
    let refer = refer(invite.tag("From"), &[ANNA]).call_id(invite.header("Call-ID"));
    bench.receive(&refer.sender_tag("bob").text());
    wanted(&mut bench);
    bench.command(Command::AnswerRefer { leg, status: 202 });
    let notify = bench.take().pop().unwrap();
    let challenge = "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\"";
    bench.receive(&reply(&notify, 407, "bob", &[challenge], ""));
    let again = bench.one();
    assert!(again.header("Proxy-Authorization").contains("username=\"desk\""));
    assert_eq!(again.header("Event"), notify.header("Event"));
    assert_eq!(again.header("Subscription-State"), notify.header("Subscription-State"));
    assert_eq!(again.body(), notify.body());
}
