//! A call by a trunk with several servers, of which some do not serve.

use super::*;
use crate::base::limits;
use crate::sip::digest::Credentials;
use crate::sip::{AccountId, FoundBy, Presence, Probe, Server, Transport};

const ACCOUNT: AccountId = AccountId(2);
/// After this a silent server is passed over.
const SILENT: Duration = seconds(3);

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
        over: None,
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
            Output::Presence { account: ACCOUNT, server, presence, .. } => (server, presence),
            other => panic!("{other:?}"),
        };
        std::mem::take(&mut self.actions).into_iter().map(of).collect()
    }

    /// The same of one server, with streams that are asked for left where they are.
    fn found_of(&mut self, n: u8) -> Vec<Presence> {
        let of = |action: &Output| match action {
            Output::Presence { account: ACCOUNT, server: at, presence, by: FoundBy::Call } => {
                (*at == server(n).server()).then_some(*presence)
            }
            _ => None,
        };
        self.actions.iter().filter_map(of).collect()
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
    bench.pass(seconds(10));
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

/// A call whose INVITE is too large for a datagram, by the first of `others` more than one.
fn large_call(others: Vec<Flow>) -> (Bench, LegId) {
    let mut bench = Bench::with(Settings { tcp_local: Some(us()), ..Settings::default() });
    let leg = bench.agent.reserve_leg();
    let sdp = Some(vec![b'x'; 1_300]);
    let invite = Invite { flow: server(51), others, sdp, ..to_bob(server(51).peer) };
    bench.command(Command::Invite { leg, invite: Box::new(invite) });
    (bench, leg)
}

/// The stream that was asked for.
fn dialled(bench: &mut Bench) -> Flow {
    let at = bench.actions.iter().position(|action| matches!(action, Output::Connect { .. }));
    let Output::Connect { connection, peer, .. } = bench.actions.remove(at.unwrap()) else {
        unreachable!()
    };
    Flow { account: Some(ACCOUNT), ..Flow::stream(Transport::Tcp, us(), peer, connection) }
}

#[test]
fn a_server_whose_stream_cannot_be_made_is_called_by_datagrams_before_the_next() {
    let (mut bench, _) = large_call(vec![server(52)]);
    let stream = dialled(&mut bench);
    bench.pass(SILENT);
    let invite = bench.one();
    assert_eq!((invite.flow.peer, invite.flow.transport), (server(51).peer, Transport::Udp));
    assert!(!invite.header("Contact").contains("tcp"));
    assert!(bench.found().is_empty(), "it may be there");
    // The stream is made after all: the call is not made twice.
    bench.input(Input::StreamOpened { flow: stream });
    assert!(bench.take().is_empty());
    bench.pass(SILENT - ms(1));
    bench.take();
    bench.pass(ms(1));
    assert_eq!(bench.found_of(51), [Presence::Silent], "told as the watch knows it");
    let next = dialled(&mut bench);
    bench.input(Input::StreamOpened { flow: next });
    assert_eq!(bench.one().flow.peer, server(52).peer);
    // Where there is no other the same.
    let (mut bench, _) = large_call(Vec::new());
    let stream = dialled(&mut bench);
    bench.pass(SILENT);
    assert_eq!(bench.one().flow.transport, Transport::Udp);
    bench.input(Input::StreamOpened { flow: stream });
    assert!(bench.take().is_empty());
}

#[test]
fn one_that_has_the_invite_by_a_stream_and_says_nothing_is_not_asked_by_datagrams() {
    let (mut bench, _) = large_call(vec![server(52)]);
    let stream = dialled(&mut bench);
    bench.input(Input::StreamOpened { flow: stream });
    assert_eq!(bench.words(), ["INVITE"]);
    bench.pass(SILENT);
    assert_eq!(dialled(&mut bench).peer, server(52).peer);
    assert_eq!(bench.found_of(51), [Presence::Silent]);
    let (mut bench, _) = large_call(Vec::new());
    let stream = dialled(&mut bench);
    bench.input(Input::StreamOpened { flow: stream });
    bench.take();
    bench.pass(seconds(10));
    assert!(bench.take().is_empty());
}

#[test]
fn a_server_that_was_given_up_over_a_stream_never_gets_the_invite() {
    let mut bench = Bench::new();
    let over = |n| Flow { transport: Transport::Tcp, ..server(n) };
    let leg = bench.agent.reserve_leg();
    let invite = Invite { flow: over(51), others: vec![over(52)], ..to_bob(over(51).peer) };
    bench.command(Command::Invite { leg, invite: Box::new(invite) });
    let first = dialled(&mut bench);
    bench.pass(SILENT);
    let second = dialled(&mut bench);
    assert_eq!(second.peer, server(52).peer);
    bench.input(Input::StreamOpened { flow: second });
    assert_eq!(bench.words(), ["INVITE"]);
    bench.input(Input::StreamOpened { flow: first });
    assert!(bench.take().is_empty());
}

#[test]
fn after_a_482_the_server_that_has_the_call_is_waited_for() {
    let (mut bench, leg, first) = calling();
    bench.pass(SILENT);
    let second = bench.take().pop().unwrap();
    bench.from(52, &reply(&second, 100, "", &[], ""));
    bench.from(52, &reply(&second, 482, "core", &[], ""));
    assert_eq!(bench.words(), ["ACK"]);
    assert!(bench.said().is_empty());
    bench.from(51, &reply(&first, 180, "b", &[], ""));
    assert_eq!(bench.said(), ["Progress"]);
    assert!(bench.take().is_empty());
    bench.from(51, &reply(&first, 200, "b", &["Contact: <sip:bob@192.0.2.51>"], SDP));
    assert_eq!(bench.words(), ["ACK"]);
    assert_eq!(bench.said(), ["Answered"]);
    bench.command(Command::Bye { leg, reason: None });
    assert_eq!(bench.words(), ["BYE"]);
    // Without anybody to wait for it is a refusal, and the wait has an end.
    let (mut bench, _, first) = calling();
    bench.from(51, &reply(&first, 482, "core", &[], ""));
    assert_eq!(bench.said(), ["Refused"]);
    let (mut bench, _, _) = calling();
    bench.pass(SILENT);
    let second = bench.take().pop().unwrap();
    bench.from(52, &reply(&second, 482, "core", &[], ""));
    bench.pass(seconds(29));
    assert_eq!(bench.said(), ["Refused"]);
    bench.pass(seconds(60));
    assert_eq!(bench.agent.occupancy().transactions, 0);
}

#[test]
fn a_server_that_answers_late_has_the_call_if_the_next_has_said_nothing() {
    let (mut bench, _, first) = calling();
    bench.pass(SILENT);
    let second = bench.take().pop().unwrap();
    bench.from(51, &reply(&first, 180, "b", &[], ""));
    assert_eq!(bench.said(), ["Progress"]);
    assert!(bench.take().is_empty());
    // The second had it from the first, or rings another telephone.
    bench.from(52, &reply(&second, 180, "other", &[], ""));
    let cancel = bench.one();
    assert_eq!((cancel.method(), cancel.flow.peer), ("CANCEL", server(52).peer));
    bench.from(52, &reply(&second, 482, "core", &[], ""));
    assert_eq!(bench.words(), ["ACK"]);
    bench.from(51, &reply(&first, 200, "b", &["Contact: <sip:bob@192.0.2.51>"], SDP));
    assert_eq!(bench.words(), ["ACK"]);
    assert_eq!(bench.said(), ["Answered"]);
}

#[test]
fn a_server_that_dies_after_its_100_is_called_off_and_the_next_is_asked() {
    let (mut bench, _, first) = calling();
    bench.from(51, &reply(&first, 100, "", &[], ""));
    bench.pass(limits::SIP_TRYING_TIME - ms(1));
    assert!(bench.take().is_empty());
    bench.pass(ms(1));
    let sent = bench.take();
    let [second, cancel] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((cancel.method(), cancel.flow.peer), ("CANCEL", server(51).peer));
    assert_eq!((second.method(), second.flow.peer), ("INVITE", server(52).peer));
    // Whoever has the first one already does not take this one for it.
    assert_eq!(second.header("CSeq"), "2 INVITE");
    assert_eq!(bench.found(), [(server(51).server(), Presence::Silent)]);
    bench.from(52, &reply(second, 100, "", &[], ""));
    bench.from(52, &reply(second, 183, "b", &[], ""));
    bench.pass(seconds(25));
    assert!(bench.take().iter().all(|sent| sent.method() == "CANCEL"), "once it rings it waits");
    // The last one, too, has all the time.
    let (mut bench, _, first) = calling();
    bench.from(51, &reply(&first, 503, "x", &[], ""));
    let second = bench.take().remove(1);
    bench.from(52, &reply(&second, 503, "x", &[], ""));
    let third = bench.take().remove(1);
    bench.from(53, &reply(&third, 100, "", &[], ""));
    bench.pass(seconds(25));
    assert!(bench.take().is_empty());
}

#[test]
fn the_wait_begins_anew_with_each_request() {
    let (mut bench, _, first) = calling();
    bench.from(51, &reply(&first, 100, "", &[], ""));
    let challenge = "WWW-Authenticate: Digest realm=\"example.net\", nonce=\"n\", qop=\"auth\"";
    bench.from(51, &reply(&first, 401, "x", &[challenge], ""));
    bench.take();
    bench.pass(SILENT);
    assert_eq!(bench.take().pop().unwrap().flow.peer, server(52).peer);
}
