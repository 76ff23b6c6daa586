//! Session timers (RFC 4028) in both roles, through calls of 35 minutes.

use super::*;
use crate::base::Private;
use crate::sip::digest::Credentials;
use crate::sip::{EndCause, Invite};

const MINUTES_35: Duration = seconds(35 * 60);
const UPDATES: &str = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE";
const CONTACT: &str = "Contact: <sip:ann@192.0.2.7:5060>";

fn with_timer() -> Bench {
    Bench::with(Settings { session_expires_s: Some(1800), ..Settings::default() })
}

/// An INVITE with these fields, answered and acknowledged; our 200.
fn up_with(bench: &mut Bench, fields: &[&str]) -> (LegId, Sent) {
    let mut invite = Script::new("INVITE").body(SDP);
    for field in fields {
        invite = invite.header(field);
    }
    let leg = bench.ringing(&invite);
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    let ok = bench.one();
    let ack = Script::new("ACK").tagged(ok.tag("To")).branch("z9hG4bKack");
    bench.receive(&ack.text());
    bench.take_events();
    (leg, ok)
}

/// Lets the time pass and answers each of our requests of this method with 200; how many there were
/// and when.
fn refreshed(bench: &mut Bench, time: Duration, method: &str, fields: &[&str]) -> Vec<Duration> {
    let until = bench.now + time;
    let mut times = Vec::new();
    while bench.now < until {
        bench.pass_until_sent(until - bench.now);
        let sent = bench.take();
        if sent.is_empty() {
            break;
        }
        for request in sent.iter().filter(|sent| sent.method() != "ACK") {
            assert_eq!(request.method(), method, "{request:?}");
            times.push(request.at);
            let body = if method == "INVITE" { SDP } else { "" };
            bench.receive(&reply(request, 200, "caller", fields, body));
        }
    }
    times
}

#[test]
fn a_caller_that_refreshes_keeps_its_call_for_35_minutes_and_loses_it_when_it_stops() {
    let mut bench = Bench::new();
    let fields = ["Supported: timer", "Session-Expires: 600;refresher=uac"];
    let (_, ok) = up_with(&mut bench, &fields);
    assert_eq!(ok.header("Session-Expires"), "600;refresher=uac");
    assert_eq!(ok.header("Require"), "timer");
    for minute in (5..=35).step_by(5) {
        bench.pass(seconds(300));
        let number = minute + 1;
        let mut update = Script::new("UPDATE").number(number).tagged(ok.tag("To"));
        for field in fields {
            update = update.header(field);
        }
        bench.receive(&update.text());
        let answer = bench.one();
        assert_eq!((answer.status(), answer.header("Session-Expires")), (200, "600;refresher=uac"));
    }
    assert!(bench.events.is_empty(), "{:?}", bench.events);
    bench.pass(ms(567_999));
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
    bench.pass(ms(2));
    let bye = bench.one();
    assert_eq!(bye.method(), "BYE", "600 s less 32 s after the last refresh");
    bench.receive(&reply(&bye, 200, "caller", &[], ""));
    let events = bench.take_events();
    assert!(matches!(events[..], [Event::Ended { cause: EndCause::Timeout, .. }]), "{events:?}");
}

#[test]
fn we_refresh_by_update_where_the_caller_knows_it() {
    let mut bench = Bench::new();
    let fields = ["Supported: timer", "Session-Expires: 600", UPDATES];
    let (_, ok) = up_with(&mut bench, &fields);
    assert_eq!((ok.header("Session-Expires"), ok.header("Require")), ("600;refresher=uas", ""));
    let answer = [CONTACT, "Session-Expires: 600;refresher=uac"];
    let times = refreshed(&mut bench, MINUTES_35, "UPDATE", &answer);
    let seconds: Vec<_> = times.iter().map(Duration::as_secs).collect();
    assert_eq!(seconds, [300, 600, 900, 1200, 1500, 1800, 2100]);
    assert!(bench.events.is_empty(), "{:?}", bench.events);
}

#[test]
fn we_refresh_by_reinvite_where_it_does_not_with_the_description_that_stands() {
    let mut bench = Bench::new();
    let (_, _) = up_with(&mut bench, &["Session-Expires: 1800"]);
    bench.pass(seconds(900));
    let invite = bench.one();
    assert_eq!((invite.method(), invite.body().as_bytes()), ("INVITE", ANSWER));
    assert_eq!(invite.header("Session-Expires"), "1800;refresher=uac");
    bench.receive(&reply(&invite, 200, "caller", &[CONTACT], SDP));
    assert_eq!(bench.one().method(), "ACK");
    assert!(bench.events.is_empty(), "a refresh negotiates nothing: {:?}", bench.events);
    // The peer said nothing of the timer, so it stays ours.
    bench.pass(seconds(899));
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
    bench.pass(ms(1_400));
    assert_eq!(bench.words(), ["INVITE"]);
}

#[test]
fn a_peer_that_does_not_know_update_after_all_is_invited_again() {
    let mut bench = Bench::new();
    up_with(&mut bench, &["Supported: timer", "Session-Expires: 600", UPDATES]);
    bench.pass(seconds(300));
    let update = bench.one();
    bench.receive(&reply(&update, 405, "caller", &[], ""));
    assert_eq!(bench.words(), ["INVITE"]);
}

#[test]
fn a_refresh_that_nobody_answers_ends_the_call() {
    let mut bench = Bench::new();
    up_with(&mut bench, &["Supported: timer", "Session-Expires: 600", UPDATES]);
    bench.pass(seconds(300 + 33));
    assert_eq!(bench.words().last().unwrap(), "BYE");
}

#[test]
fn a_refresh_that_is_refused_for_now_is_tried_again_until_the_session_is_over() {
    let mut bench = Bench::new();
    up_with(&mut bench, &["Supported: timer", "Session-Expires: 90", UPDATES]);
    let mut tries = 0;
    for _ in 0..20 {
        bench.pass_until_sent(seconds(60));
        let sent = bench.one();
        match sent.method() {
            "UPDATE" => bench.receive(&reply(&sent, 500, "caller", &[], "")),
            other => {
                assert_eq!((other, sent.at.as_secs()), ("BYE", 90));
                break;
            }
        }
        tries += 1;
    }
    assert_eq!(tries, 5, "at 45, 55, 65, 75 and 85 s");
}

#[test]
fn an_interval_that_is_too_short_gets_422() {
    let mut bench = Bench::new();
    let invite = Script::new("INVITE").header("Supported: timer").header("Session-Expires: 60");
    bench.receive(&invite.body(SDP).text());
    let refusal = bench.one();
    assert_eq!((refusal.status(), refusal.header("Min-SE")), (422, "90"));
    assert!(bench.events.is_empty());
}

#[test]
fn a_422_to_a_refresh_makes_the_interval_longer() {
    let mut bench = Bench::new();
    up_with(&mut bench, &["Supported: timer", "Session-Expires: 600", UPDATES]);
    bench.pass(seconds(300));
    let update = bench.one();
    bench.receive(&reply(&update, 422, "caller", &["Min-SE: 1200"], ""));
    let again = bench.one();
    assert_eq!(again.header("Session-Expires"), "1200;refresher=uac");
    assert_eq!((update.header("Min-SE"), again.header("Min-SE")), ("", "1200"));
    bench.receive(&reply(&again, 200, "caller", &["Session-Expires: 1200;refresher=uac"], ""));
    bench.pass(seconds(599));
    assert!(bench.sent.is_empty());
    bench.pass(ms(1_400));
    assert_eq!(bench.words(), ["UPDATE"]);
}

#[test]
fn a_caller_that_knows_the_timer_gets_one_if_the_owner_wants_it() {
    let mut bench = with_timer();
    let (_, ok) = up_with(&mut bench, &["Supported: timer", UPDATES]);
    assert_eq!(ok.header("Session-Expires"), "1800;refresher=uas");
    let mut bench = with_timer();
    let (_, ok) = up_with(&mut bench, &[]);
    assert_eq!(ok.header("Session-Expires"), "", "who does not know it is left alone");
    bench.pass(MINUTES_35);
    assert!(bench.sent.is_empty() && bench.events.is_empty());
}

fn proxy() -> SocketAddr {
    "192.0.2.50:5060".parse().unwrap()
}

fn calling(bench: &mut Bench, credentials: Option<Credentials>) -> (LegId, Sent) {
    bench.invites(Invite { credentials, ..to_bob(proxy()) })
}

#[test]
fn as_caller_we_ask_for_it_obey_a_422_and_refresh_when_told() {
    let mut bench = with_timer();
    let (_, invite) = calling(&mut bench, None);
    assert_eq!(invite.header("Session-Expires"), "1800");
    assert!(invite.header("Supported").contains("timer"));
    bench.receive(&reply(&invite, 422, "proxy", &["Min-SE: 2400"], ""));
    let sent = bench.take();
    let again = sent.iter().find(|sent| sent.method() == "INVITE").unwrap();
    assert_eq!((again.header("Session-Expires"), again.header("Min-SE")), ("2400", "2400"));
    assert_eq!(again.header("CSeq"), "2 INVITE");
    let ok = [CONTACT, UPDATES, "Require: timer", "Session-Expires: 2400;refresher=uac"];
    bench.receive(&reply(again, 200, "bob", &ok, "answer"));
    bench.take();
    bench.take_events();
    bench.pass(seconds(1200));
    let update = bench.one();
    assert_eq!(update.header("Min-SE"), "2400", "what was wanted once is said on");
    assert_eq!(
        (update.method(), update.header("Session-Expires")),
        ("UPDATE", "2400;refresher=uac")
    );
}

#[test]
fn as_caller_we_hang_up_on_a_callee_that_forgets_its_refresh() {
    let mut bench = with_timer();
    let (_, invite) = calling(&mut bench, None);
    let ok = [CONTACT, "Session-Expires: 1800;refresher=uas"];
    bench.receive(&reply(&invite, 200, "bob", &ok, "answer"));
    bench.take();
    bench.pass(seconds(1767));
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
    bench.pass(ms(1_400));
    assert_eq!(bench.words(), ["BYE"]);
}

#[test]
fn a_refresh_is_made_again_with_credentials() {
    let mut bench = with_timer();
    let private = |text: &str| Private::new(text.to_owned());
    let credentials = Credentials {
        username: private("desk"),
        password: private("hush"),
        realm: None,
        over: None,
    };
    let (_, invite) = calling(&mut bench, Some(credentials));
    let ok = [CONTACT, UPDATES, "Session-Expires: 1800;refresher=uac"];
    let routed = ["Record-Route: <sip:192.0.2.50;lr>"];
    bench.receive(&reply(&invite, 200, "bob", &[&ok[..], &routed[..]].concat(), "answer"));
    bench.take();
    bench.pass(seconds(900));
    let update = bench.one();
    let challenge = "Proxy-Authenticate: Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\"";
    bench.receive(&reply(&update, 407, "bob", &[challenge], ""));
    let again = bench.one();
    assert_eq!(again.method(), "UPDATE");
    assert!(again.header("Proxy-Authorization").contains("username=\"desk\""));
    assert_eq!(again.header("Session-Expires"), "1800;refresher=uac");
}

#[test]
fn who_wants_a_little_more_each_time_is_not_asked_for_ever() {
    let mut bench = with_timer();
    let (_, invite) = calling(&mut bench, None);
    bench.receive(&reply(&invite, 422, "proxy", &["Min-SE: 2400"], ""));
    let again = bench.take().into_iter().find(|sent| sent.method() == "INVITE").unwrap();
    bench.receive(&reply(&again, 422, "proxy", &["Min-SE: 2401"], ""));
    assert!(!bench.words().contains(&"INVITE".to_owned()));
    assert_eq!(bench.said(), ["Refused"]);
}

/// The peer changes the description while our refresh waits after a glare.
#[test]
fn a_refresh_that_waits_has_the_description_of_its_time() {
    let mut bench = Bench::new();
    let (leg, ok) = up_with(&mut bench, &["Session-Expires: 600"]);
    bench.pass(seconds(300));
    let refresh = bench.one();
    bench.receive(&reply(&refresh, 491, "caller", &[], ""));
    bench.take();
    let hold = Script::new("INVITE").number(2).tagged(ok.tag("To")).body("v=0\r\nhold\r\n");
    bench.receive(&hold.text());
    bench.command(Command::AcceptOffer { leg, sdp: b"v=0\r\nheld\r\n".to_vec() });
    bench.receive(&Script::new("ACK").number(2).tagged(ok.tag("To")).branch("z9hG4bKa").text());
    bench.take();
    bench.pass_until_sent(seconds(11));
    let again = bench.take().pop().unwrap();
    assert_eq!((again.method(), again.body()), ("INVITE", "v=0\r\nheld\r\n"));
}

/// The callee has moved: its answer to our refresh says where.
#[test]
fn a_refresh_whose_answer_is_new_is_told_and_one_whose_answer_stands_is_not() {
    for (origin, told) in [("o=- 1 1 IN IP4 192.0.2.7", false), ("o=- 1 2 IN IP4 192.0.2.7", true)]
    {
        let mut bench = Bench::new();
        let (_, _) = up_with(&mut bench, &["Session-Expires: 600"]);
        bench.pass(seconds(300));
        let refresh = bench.one();
        let answer = format!("v=0\r\n{origin}\r\n");
        bench.receive(&reply(&refresh, 200, "caller", &[CONTACT], &answer));
        assert_eq!(bench.said() == ["OfferAnswered"], told, "{origin}");
    }
}
