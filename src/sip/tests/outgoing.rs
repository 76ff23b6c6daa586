//! A call that we make: its responses, forks, CANCEL, credentials, a callee that is not there.

use super::*;
use crate::base::Private;
use crate::sip::digest::Credentials;
use crate::sip::{EndCause, Invite};

fn proxy() -> SocketAddr {
    "192.0.2.50:5060".parse().unwrap()
}

fn invite() -> Invite {
    Invite {
        from: Some(Private::new("sip:desk@example.com".to_owned())),
        display: Some(Private::new("The \"Desk\"".to_owned())),
        headers: vec![("X-Trial".to_owned(), "1\r\nEvil: 2".to_owned())],
        ..to_bob(proxy())
    }
}

/// A bench with our INVITE out.
fn calling(invite: Invite) -> (Bench, LegId, Sent) {
    let mut bench = Bench::new();
    let (leg, sent) = bench.invites(invite);
    (bench, leg, sent)
}

const CONTACT: &str = "Contact: <sip:bob@192.0.2.60:5062>";

#[test]
fn a_call_is_made_and_ended_by_us() {
    let (mut bench, leg, invite) = calling(invite());
    assert_eq!(invite.request_uri(), "sip:bob@example.com");
    assert_eq!(invite.header("To"), "<sip:bob@example.com>");
    assert!(invite.header("From").starts_with("\"The \\\"Desk\\\"\" <sip:desk@example.com>;tag="));
    assert_eq!(invite.header("CSeq"), "1 INVITE");
    assert!(invite.header("Via").starts_with("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"));
    assert!(invite.header("Via").ends_with(";rport"));
    assert_eq!(invite.header("User-Agent"), "Attendant");
    assert_eq!(invite.header("X-Trial"), "1 Evil: 2", "no line is injected");
    assert_eq!(invite.header("Max-Forwards"), "70");
    assert!(invite.header("Allow").contains("UPDATE"));
    assert_eq!(invite.body(), SDP);

    bench.receive(&reply(&invite, 100, "", &[], ""));
    bench.receive(&reply(&invite, 180, "bob", &[CONTACT], ""));
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Progress { status: 180, sdp: None, .. }]), "{events:?}");
    let routes = ["Record-Route: <sip:192.0.2.51;lr>, <sip:192.0.2.50;lr>", CONTACT];
    bench.receive(&reply(&invite, 200, "bob", &routes, "answer"));
    let ack = bench.one();
    assert_eq!(ack.method(), "ACK");
    assert_eq!(ack.request_uri(), "sip:bob@192.0.2.60:5062");
    assert_eq!(ack.headers("Route"), ["<sip:192.0.2.50;lr>", "<sip:192.0.2.51;lr>"], "reversed");
    assert_eq!(ack.flow.peer, proxy(), "the first Route");
    assert_ne!(ack.branch(), invite.branch());
    let events = bench.take_events();
    let [Event::Answered { sdp: Some(sdp), .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(sdp, b"answer");

    bench.pass(seconds(100));
    assert!(bench.sent.is_empty());
    bench.command(Command::Bye { leg, reason: None });
    let bye = bench.one();
    assert_eq!((bye.method(), bye.header("CSeq")), ("BYE", "2 BYE"));
    bench.receive(&reply(&bye, 200, "bob", &[], ""));
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Ended { cause: EndCause::ByUs, .. }]), "{events:?}");
    bench.pass(seconds(40));
    let empty = bench.agent.occupancy();
    assert_eq!((empty.legs, empty.dialogs, empty.transactions), (0, 0, 0));
}

#[test]
fn the_callee_ends_a_call() {
    let (mut bench, _, invite) = calling(invite());
    bench.receive(&reply(&invite, 200, "bob", &[CONTACT], "answer"));
    bench.take();
    bench.take_events();
    let bye = Script::new("BYE")
        .call_id(invite.header("Call-ID"))
        .sender_tag("bob")
        .tagged(invite.tag("From"))
        .number(7);
    // The callee speaks from its Contact's address, without any proxy.
    bench.receive_over(Flow::udp(us(), "192.0.2.60:5062".parse().unwrap()), &bye.text());
    assert_eq!(bench.one().status(), 200);
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Ended { cause: EndCause::ByPeer, .. }]), "{events:?}");
}

#[test]
fn a_refusal_is_acknowledged_on_the_same_branch() {
    let (mut bench, _, invite) = calling(invite());
    let busy = reply(&invite, 486, "bob", &["Retry-After: 20 (in a call)"], "");
    bench.receive(&busy);
    let ack = bench.one();
    assert_eq!((ack.method(), ack.branch(), ack.tag("To")), ("ACK", invite.branch(), "bob"));
    assert_eq!(ack.request_uri(), "sip:bob@example.com");
    let events = bench.take_events();
    assert!(
        matches!(events[..], [Event::Refused { status: 486, retry_after_s: Some(20), .. }]),
        "{events:?}"
    );
    // Timer D: copies are acknowledged again for 32 s.
    bench.pass(seconds(31));
    bench.receive(&busy);
    assert_eq!(bench.one().text, ack.text);
    bench.pass(seconds(2));
    bench.receive(&busy);
    assert!(bench.sent.is_empty());
}

#[test]
fn nobody_there_is_a_408_after_timer_b() {
    let (mut bench, _, _) = calling(invite());
    bench.pass(ms(31_999));
    let times: Vec<_> = bench.take().iter().map(|sent| sent.at.as_millis()).collect();
    assert_eq!(times, [500, 1500, 3500, 7500, 15_500, 31_500], "timer A doubles without end");
    assert!(bench.events.is_empty());
    bench.pass(ms(1));
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Refused { status: 408, .. }]), "{events:?}");
    assert_eq!(bench.agent.occupancy().transactions, 0);
}

#[test]
fn a_callee_that_rings_for_ever_is_cancelled() {
    let (mut bench, _, invite) = calling(invite());
    bench.receive(&reply(&invite, 180, "bob", &[], ""));
    bench.pass(ms(179_999));
    assert!(bench.sent.is_empty());
    bench.pass(seconds(40));
    assert_eq!(bench.words()[0], "CANCEL");
    let last = bench.take_events().pop().unwrap();
    assert!(matches!(last, Event::Refused { status: 487, .. }), "{last:?}");
    assert_eq!(bench.agent.occupancy().transactions, 0);
}

#[test]
fn ringing_stops_the_retransmissions() {
    let (mut bench, _, invite) = calling(invite());
    bench.receive(&reply(&invite, 183, "bob", &[], "early"));
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Progress { status: 183, sdp: Some(_), .. }]));
    bench.pass(seconds(179));
    assert!(bench.sent.is_empty() && bench.events.is_empty());
}

#[test]
fn every_fork_that_answers_but_the_first_is_ended() {
    let (mut bench, leg, invite) = calling(invite());
    bench.receive(&reply(&invite, 180, "bob", &[CONTACT], ""));
    bench.receive(&reply(&invite, 180, "eve", &["Contact: <sip:eve@192.0.2.61>"], ""));
    assert_eq!(bench.said(), ["Progress", "Progress"]);
    assert_eq!(bench.agent.occupancy().dialogs, 2);
    let second = reply(&invite, 200, "eve", &["Contact: <sip:eve@192.0.2.61>"], "answer");
    bench.receive(&second);
    assert_eq!(bench.words(), ["ACK"]);
    assert_eq!(bench.agent.occupancy().dialogs, 1);
    let first = reply(&invite, 200, "bob", &[CONTACT], "answer");
    bench.receive(&first);
    let sent = bench.take();
    assert_eq!([sent[0].method(), sent[1].method()], ["ACK", "BYE"]);
    assert_eq!([sent[0].tag("To"), sent[1].tag("To")], ["bob"; 2]);
    assert_eq!(sent[1].request_uri(), "sip:bob@192.0.2.60:5062");
    assert_eq!(bench.said(), ["Answered"]);
    bench.receive(&reply(&sent[1], 200, "bob", &[], ""));
    // Copies of either: just their ACK.
    bench.receive(&first);
    bench.receive(&second);
    assert_eq!(bench.words(), ["ACK", "ACK"]);
    bench.command(Command::Bye { leg, reason: None });
    let bye = bench.one();
    assert_eq!(bye.tag("To"), "eve");
    // Even when the call is over, a late fork is ended.
    bench.receive(&reply(&bye, 200, "eve", &[], ""));
    bench.receive(&reply(&invite, 200, "mia", &[CONTACT], "answer"));
    assert_eq!(bench.words(), ["ACK", "BYE"]);
}

#[test]
fn a_cancel_goes_out_after_a_provisional_response_only() {
    let (mut bench, leg, invite) = calling(invite());
    bench.command(Command::Cancel { leg });
    assert!(bench.sent.is_empty());
    bench.receive(&reply(&invite, 100, "", &[], ""));
    let cancel = bench.one();
    assert_eq!(cancel.method(), "CANCEL");
    for name in ["Via", "From", "To", "Call-ID"] {
        assert_eq!(cancel.header(name), invite.header(name), "{name}");
    }
    assert_eq!(cancel.header("CSeq"), "1 CANCEL");
    assert_eq!(cancel.request_uri(), invite.request_uri());
    assert!(cancel.tag("To").is_empty());
    bench.receive(&reply(&cancel, 200, "bob", &[], ""));
    bench.receive(&reply(&invite, 487, "bob", &[], ""));
    assert_eq!(bench.words(), ["ACK"]);
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Refused { status: 487, .. }]), "{events:?}");
}

#[test]
fn an_answer_that_crosses_our_cancel_is_ended() {
    let (mut bench, leg, invite) = calling(invite());
    bench.receive(&reply(&invite, 180, "bob", &[], ""));
    bench.command(Command::Cancel { leg });
    assert_eq!(bench.words(), ["CANCEL"]);
    bench.receive(&reply(&invite, 200, "bob", &[CONTACT], "answer"));
    let sent = bench.take();
    assert_eq!([sent[0].method(), sent[1].method()], ["ACK", "BYE"]);
    bench.receive(&reply(&sent[1], 200, "bob", &[], ""));
    let events = bench.take_events();
    assert!(
        matches!(events[..], [Event::Progress { .. }, Event::Refused { status: 487, .. }]),
        "{events:?}"
    );
}

#[test]
fn a_cancel_before_any_response_and_an_answer_at_once() {
    let (mut bench, leg, invite) = calling(invite());
    bench.command(Command::Bye { leg, reason: None });
    bench.receive(&reply(&invite, 200, "bob", &[CONTACT], "answer"));
    assert_eq!(bench.words(), ["ACK", "BYE"], "without CANCEL");
}

#[test]
fn a_cancel_that_is_ignored_gives_up() {
    let (mut bench, leg, invite) = calling(invite());
    bench.receive(&reply(&invite, 180, "bob", &[], ""));
    bench.command(Command::Cancel { leg });
    bench.pass(seconds(32));
    let last = bench.take_events().pop().unwrap();
    assert!(matches!(last, Event::Refused { status: 487, .. }), "{last:?}");
    assert_eq!(bench.agent.occupancy().legs, 0);
    assert_eq!(bench.agent.occupancy().transactions, 0);
}

#[test]
fn an_offer_in_the_200_is_answered_in_the_ack() {
    let (mut bench, leg, invite) = calling(Invite { sdp: None, ..invite() });
    let ok = reply(&invite, 200, "bob", &[CONTACT], "their offer");
    bench.receive(&ok);
    bench.receive(&ok);
    assert!(bench.sent.is_empty(), "the ACK waits for our answer");
    let events = bench.take_events();
    let [Event::Answered { sdp: Some(sdp), .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(sdp, b"their offer");
    bench.command(Command::AcceptOffer { leg, sdp: ANSWER.to_vec() });
    let ack = bench.one();
    assert_eq!((ack.method(), ack.body().as_bytes()), ("ACK", ANSWER));
    bench.receive(&ok);
    assert_eq!(bench.one().text, ack.text);
}

#[test]
fn an_offer_in_the_200_that_does_not_fit_ends_the_call() {
    let (mut bench, leg, invite) = calling(Invite { sdp: None, ..invite() });
    bench.receive(&reply(&invite, 200, "bob", &[CONTACT], "their offer"));
    bench.command(Command::RefuseOffer { leg, status: 488, warning: None });
    assert_eq!(bench.words(), ["ACK", "BYE"]);
}

fn credentials() -> Option<Credentials> {
    Some(Credentials {
        username: Private::new("desk".to_owned()),
        password: Private::new("secret".to_owned()),
        realm: None,
        over: None,
    })
}

const CHALLENGE: &str = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"";

#[test]
fn a_challenge_is_answered_once() {
    let (mut bench, _, first) = calling(Invite { credentials: credentials(), ..invite() });
    bench.receive(&reply(&first, 407, "x", &[CHALLENGE], ""));
    let sent = bench.take();
    assert_eq!([sent[0].method(), sent[1].method()], ["ACK", "INVITE"]);
    let second = &sent[1];
    assert!(second.header("Proxy-Authorization").contains("nonce=\"n1\""));
    assert!(second.header("Proxy-Authorization").contains("nc=00000001"));
    assert!(!second.text.contains("secret"));
    assert_eq!(second.header("CSeq"), "2 INVITE");
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    assert_eq!(second.tag("From"), first.tag("From"));
    assert_ne!(second.branch(), first.branch());
    // Stale: once more with the new nonce.
    let stale = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n2\", qop=\"auth\", stale=true";
    bench.receive(&reply(second, 407, "x", &[stale], ""));
    let third = bench.take().pop().unwrap();
    assert!(third.header("Proxy-Authorization").contains("nonce=\"n2\""));
    assert_eq!(third.headers("Proxy-Authorization").len(), 1);
    // The callee's own server asks too: both credentials then.
    let by_server = "WWW-Authenticate: Digest realm=\"s\", nonce=\"m1\"";
    bench.receive(&reply(&third, 401, "x", &[by_server], ""));
    let fourth = bench.take().pop().unwrap();
    assert!(fourth.header("Authorization").contains("nonce=\"m1\""));
    assert!(fourth.header("Proxy-Authorization").contains("nonce=\"n2\""));
    // Not stale: the password is wrong.
    let again = "WWW-Authenticate: Digest realm=\"s\", nonce=\"m2\"";
    bench.receive(&reply(&fourth, 401, "x", &[again], ""));
    assert_eq!(bench.words(), ["ACK"]);
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Refused { status: 401, .. }]), "{events:?}");
}

#[test]
fn credentials_go_with_the_ack_and_a_challenged_bye_is_sent_again() {
    let (mut bench, leg, first) = calling(Invite { credentials: credentials(), ..invite() });
    bench.receive(&reply(&first, 407, "x", &[CHALLENGE], ""));
    let second = bench.take().pop().unwrap();
    let routed = ["Record-Route: <sip:192.0.2.50;lr>", CONTACT];
    bench.receive(&reply(&second, 200, "bob", &routed, "answer"));
    let ack = bench.one();
    assert_eq!(ack.header("Proxy-Authorization"), second.header("Proxy-Authorization"));
    assert_eq!(ack.header("CSeq"), "2 ACK");
    bench.command(Command::Bye { leg, reason: Some("Q.850;cause=16".to_owned()) });
    let bye = bench.one();
    bench.receive(&reply(&bye, 407, "bob", &[CHALLENGE], ""));
    let again = bench.one();
    assert_eq!((again.method(), again.header("CSeq")), ("BYE", "4 BYE"));
    assert_eq!(again.header("Reason"), "Q.850;cause=16");
    assert!(again.header("Proxy-Authorization").contains("nc=00000002"), "the nonce's second use");
    bench.receive(&reply(&again, 407, "bob", &[CHALLENGE], ""));
    let events = bench.take_events();
    assert!(
        matches!(events[..], [Event::Answered { .. }, Event::Ended { .. }]),
        "no loop: {events:?}"
    );
}

#[test]
fn an_ack_to_another_host_than_the_server_has_no_credentials() {
    let (mut bench, _, first) = calling(Invite { credentials: credentials(), ..invite() });
    bench.receive(&reply(&first, 407, "x", &[CHALLENGE], ""));
    let second = bench.take().pop().unwrap();
    assert!(second.text.contains("Proxy-Authorization: "));
    bench.receive(&reply(&second, 200, "bob", &[CONTACT], "answer"));
    let ack = bench.one();
    assert_eq!((ack.method(), ack.flow.peer), ("ACK", "192.0.2.60:5062".parse().unwrap()));
    assert!(!ack.text.contains("Authorization"));
}

#[test]
fn a_stranger_gets_no_credentials() {
    let (mut bench, leg, first) = calling(Invite { credentials: credentials(), ..invite() });
    // The callee's own address takes the call, and then wants to see a hash.
    bench.receive(&reply(&first, 200, "bob", &[CONTACT], "answer"));
    bench.take();
    bench.command(Command::Bye { leg, reason: None });
    let bye = bench.one();
    assert_eq!(bye.flow.peer, "192.0.2.60:5062".parse::<std::net::SocketAddr>().unwrap());
    bench.receive(&reply(&bye, 407, "bob", &[CHALLENGE], ""));
    assert!(bench.sent.is_empty());
    assert_eq!(bench.said(), ["Answered", "Ended"]);
}

#[test]
fn a_challenged_hold_is_sent_again() {
    let (mut bench, leg, first) = calling(Invite { credentials: credentials(), ..invite() });
    let routed = ["Record-Route: <sip:192.0.2.50;lr>", CONTACT];
    bench.receive(&reply(&first, 200, "bob", &routed, "answer"));
    bench.take();
    bench.take_events();
    bench.command(Command::Reoffer { leg, sdp: b"hold".to_vec() });
    let hold = bench.one();
    bench.receive(&reply(&hold, 407, "bob", &[CHALLENGE], ""));
    let again = bench.take().pop().unwrap();
    assert_eq!((again.body(), again.header("CSeq")), ("hold", "3 INVITE"));
    assert!(again.header("Proxy-Authorization").contains("n1"));
    bench.receive(&reply(&again, 200, "bob", &[], "held"));
    assert_eq!(bench.said(), ["OfferAnswered"]);
}

#[test]
fn a_malformed_target_is_refused_at_once() {
    let mut bench = Bench::new();
    let leg = bench.agent.reserve_leg();
    let invite = Invite { target: Private::new("bob".to_owned()), ..invite() };
    bench.command(Command::Invite { leg, invite: Box::new(invite) });
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Refused { status: 400, .. }]), "{events:?}");
    assert!(bench.sent.is_empty());
}

#[test]
fn the_one_who_began_waits_longer_after_a_glare() {
    let (mut bench, leg, first) = calling(invite());
    bench.receive(&reply(&first, 200, "bob", &[CONTACT], "answer"));
    bench.take();
    bench.command(Command::Reoffer { leg, sdp: b"hold".to_vec() });
    let mut invite = bench.one();
    for _ in 0..5 {
        bench.receive(&reply(&invite, 491, "bob", &[], ""));
        let since = bench.now;
        bench.take();
        bench.pass_until_sent(seconds(5));
        invite = bench.one();
        let waited = invite.at - (since - bench.start);
        assert!((ms(2_100)..=ms(4_000)).contains(&waited), "{waited:?}");
    }
}

#[test]
fn requests_in_an_early_dialog_are_heard() {
    let (mut bench, _, invite) = calling(invite());
    bench.receive(&reply(&invite, 183, "bob", &[CONTACT], ""));
    bench.take_events();
    let script = |method| {
        Script::new(method)
            .call_id(invite.header("Call-ID"))
            .sender_tag("bob")
            .tagged(invite.tag("From"))
    };
    bench.receive(&script("UPDATE").number(1).body(SDP).text());
    assert_eq!(bench.one().status(), 491, "our offer is not answered yet");
    bench.receive(&script("OPTIONS").number(2).text());
    assert_eq!(bench.one().status(), 200);
    bench.receive(&script("INFO").number(2).branch("z9hG4bKz").text());
    assert_eq!(bench.one().status(), 500, "CSeq");
    bench.receive(&reply(&invite, 200, "bob", &[CONTACT], "answer"));
    bench.take();
    bench.receive(&script("INFO").number(2).branch("z9hG4bKy").text());
    assert_eq!(bench.one().status(), 500, "and it counts on in the confirmed dialog");
}

#[test]
fn a_200_without_a_description_has_that_of_its_own_early_dialog() {
    let eve = "Contact: <sip:eve@192.0.2.61>";
    for (answering, description) in
        [("bob", Some(&b"of bob again"[..])), ("eve", Some(b"of eve")), ("mia", None)]
    {
        let (mut bench, _, invite) = calling(invite());
        bench.receive(&reply(&invite, 183, "bob", &[CONTACT], "of bob"));
        bench.receive(&reply(&invite, 183, "eve", &[eve], "of eve"));
        bench.receive(&reply(&invite, 180, "bob", &[CONTACT], ""));
        bench.receive(&reply(&invite, 183, "bob", &[CONTACT], "of bob again"));
        bench.take_events();
        bench.receive(&reply(&invite, 200, answering, &[CONTACT], ""));
        let events = bench.take_events();
        let [Event::Answered { sdp, .. }] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(sdp.as_deref(), description, "{answering}");
    }
}

#[test]
fn a_call_that_is_sent_on_tells_where_to_the_most_wanted_first() {
    let contacts = "Contact: <sip:c@192.0.2.3>;q=0.2, <mailto:a@example.com>, \
        <sip:a@192.0.2.1;method=BYE?Subject=x>;q=0.7, <sip:b@192.0.2.2>, <sip:d@192.0.2.4>;q=2";
    for status in [300, 301, 302] {
        let mut bench = Bench::new();
        let (_, invite) = bench.invites(to_bob(caller()));
        bench.receive(&reply(&invite, status, "bob", &[contacts], ""));
        assert_eq!(bench.words(), ["ACK"]);
        let events = bench.take_events();
        let [Event::Redirected { to, .. }] = events.as_slice() else { panic!("{events:?}") };
        let all = ["sip:b@192.0.2.2", "sip:d@192.0.2.4", "sip:a@192.0.2.1", "sip:c@192.0.2.3"];
        assert_eq!(*to.reveal(), all, "{status}");
    }
}

#[test]
fn a_proxy_or_another_service_is_not_followed_and_a_long_list_is_cut() {
    for status in [303, 305, 380] {
        let mut bench = Bench::new();
        let (_, invite) = bench.invites(to_bob(caller()));
        let contact = ["Contact: <sip:a@192.0.2.1>"];
        bench.receive(&reply(&invite, status, "bob", &contact, ""));
        let events = bench.take_events();
        assert!(matches!(events.as_slice(), [Event::Refused { status: s, .. }] if *s == status));
    }
    let mut bench = Bench::new();
    let (_, invite) = bench.invites(to_bob(caller()));
    let many: Vec<String> = (0..50).map(|n| format!("<sip:{n}@192.0.2.1>")).collect();
    let many = format!("Contact: {}", many.join(", "));
    bench.receive(&reply(&invite, 302, "bob", &[&many], ""));
    let events = bench.take_events();
    let [Event::Redirected { to, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(to.reveal().len(), crate::base::limits::REDIRECTS_PER_CALL);
}
