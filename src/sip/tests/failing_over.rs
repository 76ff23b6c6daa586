//! A call by a trunk with several servers, of which some do not serve.

use super::*;
use crate::sip::digest::Credentials;
use crate::sip::{AccountId, Presence, Probe, Server};

const ACCOUNT: AccountId = AccountId(2);

fn server(n: u8) -> Flow {
    let flow = Flow::udp(us(), SocketAddr::from(([192, 0, 2, n], 5060)));
    Flow { account: Some(ACCOUNT), ..flow }
}

/// Our INVITE is out to the first of three.
fn calling() -> (Bench, LegId, Sent) {
    let mut bench = Bench::new();
    let credentials = Credentials {
        username: Private::new("1001".to_owned()),
        password: Private::new("hush".to_owned()),
        realm: None,
    };
    let invite = Invite {
        flow: server(51),
        others: vec![server(52), server(53)],
        credentials: Some(credentials),
        ..to_bob(server(51).peer)
    };
    let (leg, sent) = bench.invites(invite);
    (bench, leg, sent)
}

impl Bench {
    /// What was found of servers since the last time.
    fn found(&mut self) -> Vec<(Server, Presence)> {
        let of = |action| match action {
            Output::Presence { account: ACCOUNT, server, presence } => (server, presence),
            other => panic!("{other:?}"),
        };
        std::mem::take(&mut self.actions).into_iter().map(of).collect()
    }

    fn from(&mut self, n: u8, text: &str) {
        self.receive_over(server(n), text);
    }
}

fn is_same_call(one: &Sent, other: &Sent) {
    for name in ["Call-ID", "From", "CSeq"] {
        assert_eq!(one.header(name), other.header(name));
    }
    assert_ne!(one.branch(), other.branch());
    assert_eq!(one.body(), other.body());
}

#[test]
fn a_silent_server_is_passed_over_after_three_seconds_and_what_it_says_late_is_called_off() {
    let (mut bench, _, first) = calling();
    bench.pass(ms(2_999));
    assert_eq!(bench.words(), ["INVITE"; 2], "sent again");
    bench.pass(ms(1));
    let second = bench.one();
    assert_eq!(second.flow.peer, server(52).peer);
    is_same_call(&first, &second);
    assert_eq!(bench.found(), [(server(51).server(), Presence::Silent)]);
    bench.from(52, &reply(&second, 100, "", &[], ""));
    // The first is not asked again, and not waited for.
    bench.pass(seconds(20));
    assert!(bench.take().is_empty());
    bench.from(51, &reply(&first, 180, "late", &[], ""));
    let cancel = bench.one();
    assert_eq!((cancel.method(), cancel.flow.peer), ("CANCEL", server(51).peer));
    assert_eq!(cancel.branch(), first.branch());
    assert!(bench.said().is_empty(), "the call does not hear of it");
    bench.from(51, &reply(&first, 200, "late", &["Contact: <sip:bob@192.0.2.51>"], SDP));
    assert_eq!(bench.words(), ["ACK", "BYE"]);
    bench.from(52, &reply(&second, 200, "b", &["Contact: <sip:bob@192.0.2.52>"], SDP));
    let ack = bench.one();
    assert_eq!((ack.method(), ack.flow.peer), ("ACK", server(52).peer));
    assert_eq!(bench.said(), ["Answered"]);
}

#[test]
fn a_503_goes_on_at_once_and_the_last_server_decides() {
    let (mut bench, _, first) = calling();
    bench.from(51, &reply(&first, 503, "x", &["Retry-After: 30"], ""));
    let sent = bench.take();
    let [ack, second] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((ack.method(), second.method()), ("ACK", "INVITE"));
    let refused = Presence::Answered { status: 503, retry_after_s: Some(30) };
    assert_eq!(bench.found(), [(server(51).server(), refused)]);
    bench.from(52, &reply(second, 100, "", &[], ""));
    bench.from(52, &reply(second, 503, "y", &[], ""));
    let third = bench.take().remove(1);
    assert_eq!(third.flow.peer, server(53).peer);
    bench.from(53, &reply(&third, 503, "z", &[], ""));
    assert_eq!(bench.said(), ["Refused"]);
    assert_eq!(bench.words(), ["ACK"]);
    // Nothing of the three is left in the end.
    bench.pass(seconds(60));
    assert_eq!(bench.agent.occupancy().transactions, 0);
}

#[test]
fn once_something_rings_nobody_else_is_called() {
    let (mut bench, _, first) = calling();
    bench.from(51, &reply(&first, 180, "x", &[], ""));
    bench.pass(seconds(10));
    bench.from(51, &reply(&first, 503, "x", &[], ""));
    assert_eq!(bench.words(), ["ACK"]);
    assert_eq!(bench.said(), ["Progress", "Refused"]);
    assert!(bench.found().is_empty());
    for status in [486, 404, 600] {
        let (mut bench, _, first) = calling();
        bench.from(51, &reply(&first, status, "x", &[], ""));
        assert_eq!(bench.words(), ["ACK"], "{status}");
    }
}

#[test]
fn each_server_is_answered_with_credentials_for_itself() {
    let (mut bench, _, first) = calling();
    let challenge = |nonce: &str| {
        format!("WWW-Authenticate: Digest realm=\"example.net\", nonce=\"{nonce}\", qop=\"auth\"")
    };
    bench.from(51, &reply(&first, 401, "x", &[&challenge("one")], ""));
    let again = bench.take().remove(1);
    assert!(again.header("Authorization").contains("nonce=\"one\""));
    bench.from(51, &reply(&again, 503, "x", &[], ""));
    let second = bench.take().remove(1);
    assert_eq!((second.flow.peer, second.header("Authorization")), (server(52).peer, ""));
    bench.from(52, &reply(&second, 401, "y", &[&challenge("two")], ""));
    let again = bench.take().remove(1);
    assert_eq!(again.flow.peer, server(52).peer);
    assert!(again.header("Authorization").contains("nonce=\"two\""));
    // The first one's challenge now is a stranger's.
    bench.from(51, &reply(&first, 401, "x", &[&challenge("three")], ""));
    assert!(bench.words().iter().all(|word| word == "ACK"));
}

#[test]
fn a_call_that_is_given_up_goes_to_nobody_else() {
    let (mut bench, leg, first) = calling();
    bench.command(Command::Cancel { leg });
    bench.pass(seconds(10));
    assert!(bench.take().iter().all(|sent| sent.flow.peer == server(51).peer));
    bench.from(51, &reply(&first, 100, "", &[], ""));
    assert_eq!(bench.words(), ["CANCEL"]);
}

#[test]
fn a_server_is_asked_and_any_answer_tells() {
    let mut bench = Bench::new();
    let probe = |n| {
        let private = |text: &str| Private::new(text.to_owned());
        let (target, from) = (private("sip:example.net"), private("sip:1001@example.net"));
        Command::Probe {
            probe: Box::new(Probe { account: ACCOUNT, flow: server(n), target, from }),
        }
    };
    bench.command(probe(51));
    let asked = bench.one();
    assert_eq!((asked.method(), asked.request_uri()), ("OPTIONS", "sip:example.net"));
    bench.from(51, &reply(&asked, 404, "x", &[], ""));
    let answered = Presence::Answered { status: 404, retry_after_s: None };
    assert_eq!(bench.found(), [(server(51).server(), answered)]);
    // One question for each server is out at most.
    bench.command(probe(52));
    bench.pass(seconds(10));
    bench.take();
    bench.command(probe(52));
    bench.pass(seconds(31));
    assert!(bench.found().is_empty());
    bench.pass(seconds(2));
    assert_eq!(bench.found(), [(server(52).server(), Presence::Silent)]);
    bench.pass(seconds(60));
    assert_eq!(bench.agent.occupancy().transactions, 0);
}
