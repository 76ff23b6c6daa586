//! Our REGISTER against a scripted registrar: binding sets, credentials, refusals, the way kept open.

use super::*;
use crate::base::Private;
use crate::sip::digest::Credentials;
use crate::sip::{AccountId, Dialect, Register, RegistrationFailure, RegistrationNews};

const ID: AccountId = AccountId(3);
const CONTACT: &str = "Contact: <sip:1001@192.0.2.1:5060>";
const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"example.net\", nonce=\"one\", algorithm=MD5, qop=\"auth\"";

fn registrar() -> SocketAddr {
    "192.0.2.50:5060".parse().unwrap()
}

fn register() -> Register {
    let private = |text: &str| Private::new(text.to_owned());
    Register {
        flow: Flow::udp(us(), registrar()),
        registrar: private("sip:example.net"),
        address_of_record: private("sip:1001@example.net"),
        contact_user: private("1001"),
        contact: None,
        expires_s: 300,
        instance: None,
        credentials: Credentials {
            username: private("1001"),
            password: private("hush"),
            realm: Some("example.net".to_owned()),
            over: None,
        },
        dialect: Dialect::Standard,
    }
}

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.flow = Flow::udp(us(), registrar());
    bench
}

impl Bench {
    fn registers(&mut self, register: Register) -> Sent {
        self.command(Command::Register { id: ID, register: Box::new(register) });
        self.one()
    }

    fn told(&mut self) -> Vec<RegistrationNews> {
        let news = std::mem::take(&mut self.actions).into_iter();
        let of = |action| match action {
            Output::Registration { id: ID, news } => news,
            other => panic!("{other:?}"),
        };
        news.map(of).collect()
    }

    fn fails_with(&mut self) -> RegistrationFailure {
        match self.told()[..] {
            [RegistrationNews::Failed { failure, .. }] => failure,
            ref other => panic!("{other:?}"),
        }
    }
}

fn seq(sent: &Sent) -> u32 {
    sent.header("CSeq").split(' ').next().unwrap().parse().unwrap()
}

/// The value of a field of our credentials.
fn given(sent: &Sent, name: &str) -> String {
    let value = sent.header("Authorization");
    let field = value.split(", ").find_map(|part| part.strip_prefix(&format!("{name}=")));
    field.unwrap_or_default().trim_matches('"').to_owned()
}

const fn registered(expires_s: u32) -> RegistrationNews {
    RegistrationNews::Registered { expires_s, seen: None, outbound: None }
}

#[test]
fn a_binding_set_keeps_its_call_id_and_its_numbers_rise() {
    let mut bench = bench();
    let first = bench.registers(register());
    assert_eq!((first.method(), first.request_uri()), ("REGISTER", "sip:example.net"));
    assert_eq!(first.header("To"), "<sip:1001@example.net>");
    assert!(first.header("From").starts_with("<sip:1001@example.net>;tag="));
    assert_eq!(first.header("Contact"), "<sip:1001@192.0.2.1:5060>;expires=300");
    assert_eq!((first.header("Expires"), first.header("Authorization")), ("300", ""));
    bench.receive(&reply(&first, 401, "r", &[CHALLENGE], ""));
    let second = bench.one();
    assert_eq!(given(&second, "nonce"), "one");
    assert_eq!(given(&second, "uri"), "sip:example.net");
    bench.receive(&reply(&second, 200, "r", &[CONTACT, "Expires: 120"], ""));
    assert_eq!(bench.told(), [registered(120)]);
    let third = bench.registers(register());
    for (before, after) in [(&first, &second), (&second, &third)] {
        assert_eq!(before.header("Call-ID"), after.header("Call-ID"));
        assert_eq!(before.tag("From"), after.tag("From"));
        assert_eq!(seq(before) + 1, seq(after));
        assert_ne!(before.branch(), after.branch());
    }
}

#[test]
fn a_nonce_is_used_again_before_anybody_asks_and_counted() {
    let mut bench = bench();
    let sent = bench.registers(register());
    bench.receive(&reply(&sent, 401, "r", &[CHALLENGE], ""));
    let mut sent = bench.one();
    for count in ["00000001", "00000002", "00000003"] {
        assert_eq!((given(&sent, "nonce").as_str(), given(&sent, "nc").as_str()), ("one", count));
        bench.receive(&reply(&sent, 200, "r", &[CONTACT], ""));
        assert_eq!(bench.told(), [registered(300)]);
        sent = bench.registers(register());
    }
    let next = ["Authentication-Info: nextnonce=\"two\", qop=auth", CONTACT];
    bench.receive(&reply(&sent, 200, "r", &next, ""));
    let sent = bench.registers(register());
    assert_eq!(given(&sent, "nonce"), "two");
    assert_eq!(given(&sent, "nc"), "00000001");
    // Grown old meanwhile.
    let stale = CHALLENGE.replace("\"one\"", "\"three\", stale=true");
    bench.receive(&reply(&sent, 401, "r", &[&stale], ""));
    let again = bench.one();
    assert_eq!(again.at, sent.at, "at once");
    assert_eq!(
        (given(&again, "nonce").as_str(), given(&again, "nc").as_str()),
        ("three", "00000001")
    );
}

#[test]
fn a_registrar_that_forgot_its_nonces_is_answered_once() {
    let mut bench = bench();
    let sent = bench.registers(register());
    bench.receive(&reply(&sent, 401, "r", &[CHALLENGE], ""));
    let sent = bench.one();
    bench.receive(&reply(&sent, 200, "r", &[CONTACT], ""));
    let ahead = bench.registers(register());
    let other = CHALLENGE.replace("\"one\"", "\"two\"");
    bench.receive(&reply(&ahead, 401, "r", &[&other], ""));
    let sent = bench.one();
    assert_eq!(given(&sent, "nonce"), "two");
    bench.told();
    bench.receive(&reply(&sent, 401, "r", &[&CHALLENGE.replace("\"one\"", "\"three\"")], ""));
    assert_eq!(bench.fails_with(), RegistrationFailure::Disbelieved);
    assert!(bench.sent.is_empty());
}

#[test]
fn nothing_makes_us_answer_for_ever() {
    // The same nonce again, in answer to credentials that were asked for.
    let mut bench = bench();
    let sent = bench.registers(register());
    bench.receive(&reply(&sent, 401, "r", &[CHALLENGE], ""));
    let sent = bench.one();
    bench.receive(&reply(&sent, 401, "r", &[&CHALLENGE.replace("qop", "stale=true, qop")], ""));
    assert_eq!(bench.fails_with(), RegistrationFailure::Disbelieved);
    // The same nonce again, in answer to credentials that nobody asked for.
    let sent = bench.registers(register());
    assert_eq!(given(&sent, "nonce"), "one");
    bench.receive(&reply(&sent, 401, "r", &[CHALLENGE], ""));
    assert_eq!(bench.fails_with(), RegistrationFailure::Disbelieved);
    // Always stale.
    let mut sent = bench.registers(register());
    for n in 0..9 {
        let stale = CHALLENGE.replace("\"one\"", &format!("\"s{n}\", stale=true"));
        bench.receive(&reply(&sent, 401, "r", &[&stale], ""));
        let Some(again) = bench.take().pop() else { break };
        sent = again;
    }
    assert_eq!(bench.fails_with(), RegistrationFailure::Disbelieved);
    assert!(bench.sent.is_empty());
}

#[test]
fn credentials_go_to_the_server_and_realm_that_they_are_for() {
    let other_realm = CHALLENGE.replace("example.net", "elsewhere.net");
    let basic = "WWW-Authenticate: Basic realm=\"example.net\"".to_owned();
    for challenge in [other_realm, basic] {
        let mut bench = bench();
        let sent = bench.registers(register());
        bench.receive(&reply(&sent, 401, "r", &[&challenge], ""));
        assert_eq!(bench.fails_with(), RegistrationFailure::NotForUs);
        assert!(bench.sent.is_empty());
    }
    // Somebody else answers who has seen our branch.
    let mut bench = bench();
    let sent = bench.registers(register());
    let elsewhere = Flow::udp(us(), caller());
    bench.receive_over(elsewhere, &reply(&sent, 401, "r", &[CHALLENGE], ""));
    assert_eq!(bench.fails_with(), RegistrationFailure::NotForUs);
    assert!(bench.sent.is_empty());
    // A 401 for a request that is none of ours.
    let mut stray = sent.clone();
    stray.text = stray.text.replace(sent.branch(), "z9hG4bKother");
    bench.receive(&reply(&stray, 401, "r", &[CHALLENGE], ""));
    assert!(bench.sent.is_empty() && bench.told().is_empty());
    // A redirection is no reason to ask there, nor to tell who we are.
    let sent = bench.registers(register());
    let moved = ["Contact: <sip:203.0.113.66>", CHALLENGE];
    bench.receive(&reply(&sent, 302, "r", &moved, ""));
    assert_eq!(bench.fails_with(), RegistrationFailure::Refused(302));
    assert!(bench.sent.is_empty());
}

#[test]
fn another_server_gets_nothing_that_this_one_asked_for() {
    let mut bench = bench();
    let sent = bench.registers(register());
    bench.receive(&reply(&sent, 401, "r", &[CHALLENGE], ""));
    let sent = bench.one();
    bench.receive(&reply(&sent, 200, "r", &[CONTACT], ""));
    let peer = "192.0.2.51:5060".parse().unwrap();
    let next = bench.registers(Register { flow: Flow::udp(us(), peer), ..register() });
    assert_eq!(next.header("Authorization"), "");
    assert_eq!(next.header("Call-ID"), sent.header("Call-ID"));
}

#[test]
fn a_proxy_is_answered_in_its_own_header() {
    let mut bench = bench();
    let sent = bench.registers(register());
    let asked = CHALLENGE.replace("WWW-", "Proxy-");
    bench.receive(&reply(&sent, 407, "r", &[&asked], ""));
    let sent = bench.one();
    assert!(sent.header("Proxy-Authorization").contains("nonce=\"one\""));
    assert_eq!(sent.header("Authorization"), "");
    bench.receive(&reply(&sent, 401, "r", &[CHALLENGE], ""));
    let sent = bench.one();
    assert!(!sent.header("Proxy-Authorization").is_empty());
    assert_eq!(given(&sent, "nonce"), "one");
}

#[test]
fn a_longer_time_is_taken_once_and_within_bounds() {
    let mut bench = bench();
    let sent = bench.registers(register());
    bench.receive(&reply(&sent, 423, "r", &["Min-Expires: 3600"], ""));
    let longer = bench.one();
    assert_eq!(longer.header("Contact"), "<sip:1001@192.0.2.1:5060>;expires=3600");
    assert_eq!((longer.header("Expires"), seq(&longer)), ("3600", seq(&sent) + 1));
    bench.receive(&reply(&longer, 423, "r", &["Min-Expires: 7200"], ""));
    assert_eq!(bench.fails_with(), RegistrationFailure::Refused(423));
    for wanted in ["Min-Expires: 100000", "Min-Expires: 300", "Min-Expires: soon"] {
        let sent = bench.registers(register());
        bench.receive(&reply(&sent, 423, "r", &[wanted], ""));
        assert_eq!(bench.fails_with(), RegistrationFailure::Refused(423), "{wanted}");
        assert!(bench.sent.is_empty());
    }
}

#[test]
fn our_own_binding_says_how_long_it_is_kept() {
    let other = "Contact: <sip:1001@192.0.2.99:5060>;expires=3500";
    for (headers, expected) in [
        (vec![other, "Contact: <sip:1001@192.0.2.1>;expires=90", "Expires: 600"], 90),
        (vec!["Contact: <SIP:1001@192.0.2.1:5060;transport=UDP;ob>;q=1;expires=91"], 91),
        (vec![CONTACT, "Expires: 92"], 92),
        (vec![other, "Expires: 93"], 93),
        (vec![], 300),
        (vec!["Contact: <sip:1001@192.0.2.1>;expires=999999"], 86_400),
        // As a registrar writes it that mends addresses; the second with another telephone beside it.
        (vec!["Contact: <sip:1001@203.0.113.9:4711>;expires=60"], 60),
        (
            vec![
                "Contact: <sip:1001@203.0.113.9:4711>;expires=90, <sip:1001@203.0.113.8>;expires=2",
            ],
            60,
        ),
    ] {
        let mut bench = bench();
        let sent = bench.registers(register());
        bench.receive(&reply(&sent, 200, "r", &headers, ""));
        assert_eq!(bench.told(), [registered(expected)], "{headers:?}");
    }
    let mut bench = bench();
    let sent = bench.registers(register());
    let none = "Contact: <sip:1001@192.0.2.1:5060>;expires=0";
    bench.receive(&reply(&sent, 200, "r", &[none], ""));
    assert_eq!(bench.fails_with(), RegistrationFailure::NotKept);
}

#[test]
fn a_registrar_that_takes_one_contact_only_is_given_one() {
    let mut bench = bench();
    let sent = bench.registers(register());
    bench.receive(&reply(&sent, 200, "r", &[CONTACT], ""));
    bench.told();
    let public = Some("203.0.113.9:40001".parse().unwrap());
    let sent = bench.registers(Register { contact: public, ..register() });
    assert_eq!(sent.headers("Contact").len(), 2);
    bench.receive(&reply(&sent, 400, "r", &[], ""));
    let again = bench.one();
    assert_eq!(again.headers("Contact"), ["<sip:1001@203.0.113.9:40001>;expires=300"]);
    bench.receive(&reply(&again, 400, "r", &[], ""));
    assert_eq!(bench.fails_with(), RegistrationFailure::Refused(400));
}

#[test]
fn where_we_are_seen_is_told_and_the_binding_before_is_taken_away() {
    let mut bench = bench();
    let sent = bench.registers(register());
    let nat = |sent: &Sent| {
        reply(sent, 200, "r", &[], "").replace(";rport", ";rport=40001;received=203.0.113.9")
    };
    bench.receive(&nat(&sent));
    let public: SocketAddr = "203.0.113.9:40001".parse().unwrap();
    let seen = Some(public);
    assert_eq!(
        bench.told(),
        [RegistrationNews::Registered { expires_s: 300, seen, outbound: None }]
    );
    let sent = bench.registers(Register { contact: Some(public), ..register() });
    let contacts = sent.headers("Contact");
    let before = "<sip:1001@192.0.2.1:5060>;expires=0";
    assert_eq!(contacts, ["<sip:1001@203.0.113.9:40001>;expires=300", before]);
    bench.receive(&nat(&sent));
    assert_eq!(bench.told(), [registered(300)]);
    let sent = bench.registers(Register { contact: Some(public), ..register() });
    assert_eq!(sent.headers("Contact").len(), 1);
}

#[test]
fn refusals_silence_and_retry_after_are_told() {
    let mut bench = bench();
    for (status, headers) in [(403, vec![]), (404, vec![]), (500, vec![]), (600, vec![])] {
        let sent = bench.registers(register());
        bench.receive(&reply(&sent, status, "r", &headers, ""));
        assert_eq!(bench.fails_with(), RegistrationFailure::Refused(status));
    }
    let sent = bench.registers(register());
    bench.receive(&reply(&sent, 503, "r", &["Retry-After: 77 (busy)"], ""));
    let failure = RegistrationFailure::Refused(503);
    assert_eq!(bench.told(), [RegistrationNews::Failed { failure, retry_after_s: Some(77) }]);
    bench.registers(register());
    bench.pass(seconds(32));
    assert_eq!(bench.fails_with(), RegistrationFailure::Unanswered);
    let mut foul = register();
    foul.registrar = Private::new("no uri".to_owned());
    bench.take();
    bench.command(Command::Register { id: ID, register: Box::new(foul) });
    assert_eq!(bench.fails_with(), RegistrationFailure::Refused(400));
}

#[test]
fn a_newer_wish_replaces_the_request_that_is_out() {
    let mut bench = bench();
    let first = bench.registers(register());
    let second = bench.registers(register());
    assert_eq!(seq(&second), seq(&first) + 1);
    bench.pass(seconds(4));
    assert!(bench.take().iter().all(|sent| sent.branch() == second.branch()), "one is out");
    bench.receive(&reply(&first, 200, "r", &[CONTACT], ""));
    assert!(bench.told().is_empty());
    bench.receive(&reply(&second, 200, "r", &[CONTACT], ""));
    assert_eq!(bench.told(), [registered(300)]);
    bench.command(Command::Unregister { id: ID });
    let gone = bench.one();
    assert_eq!(gone.header("Contact"), "<sip:1001@192.0.2.1:5060>;expires=0");
    assert_eq!((gone.header("Expires"), seq(&gone)), ("0", seq(&second) + 1));
    bench.receive(&reply(&gone, 401, "r", &[CHALLENGE], ""));
    let gone = bench.one();
    assert!(!gone.header("Authorization").is_empty());
    bench.receive(&reply(&gone, 200, "r", &[], ""));
    assert_eq!(bench.told(), [RegistrationNews::Unregistered]);
    bench.command(Command::Unregister { id: ID });
    assert_eq!(bench.told(), [RegistrationNews::Unregistered], "it is not there any more");
    bench.pass(seconds(40));
    assert_eq!(bench.agent.occupancy().transactions, 0);
    assert_eq!(bench.agent.occupancy().remembered, 0);
}

#[test]
fn any_answer_to_a_ping_is_a_sign_of_life() {
    let mut bench = bench();
    let sent = bench.registers(register());
    bench.receive(&reply(&sent, 200, "r", &[CONTACT], ""));
    bench.told();
    bench.command(Command::Ping { id: ID });
    let ping = bench.one();
    assert_eq!((ping.method(), ping.request_uri()), ("OPTIONS", "sip:example.net"));
    assert_eq!(ping.flow.peer, registrar());
    bench.receive(&reply(&ping, 404, "r", &[CHALLENGE], ""));
    assert_eq!(bench.told(), [RegistrationNews::Alive { seen: None }]);
    bench.command(Command::Ping { id: ID });
    bench.take();
    bench.command(Command::Ping { id: ID });
    assert!(bench.sent.is_empty(), "one at a time");
    bench.pass(seconds(32));
    assert_eq!(bench.told(), [RegistrationNews::Silent]);
    // A REGISTER asks the same, and is the one that is answered for.
    bench.take();
    bench.command(Command::Ping { id: ID });
    bench.take();
    let sent = bench.registers(register());
    bench.receive(&reply(&sent, 200, "r", &[CONTACT], ""));
    assert_eq!(bench.told(), [registered(300)]);
    bench.pass(seconds(40));
    assert!(bench.told().is_empty() && bench.sent.is_empty());
}

#[test]
fn by_tls_the_port_of_our_connection_is_ours_and_calls_come_over_it() {
    let mut bench = bench();
    let flow = Flow { transport: Transport::Tls, ..Flow::udp(us(), registrar()) };
    bench
        .command(Command::Register { id: ID, register: Box::new(Register { flow, ..register() }) });
    bench.actions.clear();
    let connection = Some(ConnectionId::Dialled(1));
    let flow = Flow { connection, local: SocketAddr::new(us().ip(), 40_001), ..flow };
    bench.input(Input::StreamOpened { flow });
    let sent = bench.one();
    bench.receive_over(flow, &reply(&sent, 200, "r", &[], "").replace("rport", "rport=40001"));
    let seen = Some(SocketAddr::new(us().ip(), 40_001));
    assert_eq!(
        bench.told(),
        [RegistrationNews::Registered { expires_s: 300, seen, outbound: None }]
    );
    let invite = Script::new("INVITE").tcp().body(SDP);
    bench.receive_over(flow, &invite.text());
    assert_eq!(bench.said(), ["Incoming"]);
    bench.take();
    bench.command(Command::Answer { leg: LegId(1), sdp: SDP.into() });
    let answer = bench.one();
    assert!(
        answer.header("Contact").contains(":40001;transport=tls"),
        "{}",
        answer.header("Contact")
    );
}

#[test]
fn the_connection_of_a_registration_is_kept_and_its_loss_is_told() {
    let mut bench = bench();
    let flow = Flow { transport: Transport::Tcp, ..Flow::udp(us(), registrar()) };
    bench
        .command(Command::Register { id: ID, register: Box::new(Register { flow, ..register() }) });
    let connection = ConnectionId::Dialled(1);
    assert!(matches!(bench.actions[..], [Output::Connect { .. }]), "{:?}", bench.actions);
    bench.actions.clear();
    let flow = Flow { connection: Some(connection), ..flow };
    bench.input(Input::StreamOpened { flow });
    let sent = bench.one();
    assert_eq!(sent.header("Contact"), "<sip:1001@192.0.2.1:5060;transport=tcp>;expires=300");
    bench.receive_over(flow, &reply(&sent, 200, "r", &[], "").replace("rport", "rport=40001"));
    assert_eq!(bench.told(), [registered(300)], "the port of one connection is not ours");
    bench.pass(seconds(1_000));
    assert!(bench.actions.is_empty(), "kept open: {:?}", bench.actions);
    // A call comes over it.
    let invite = Script::new("INVITE").tcp().body(SDP);
    bench.receive_over(flow, &invite.text());
    assert_eq!(bench.said(), ["Incoming"]);
    bench.take();
    // Another server is reached by a connection of its own.
    let peer = "192.0.2.51:5060".parse().unwrap();
    let elsewhere = Flow { peer, connection: None, ..flow };
    let register_there = Register { flow: elsewhere, ..register() };
    bench.command(Command::Register { id: ID, register: Box::new(register_there) });
    let asked = matches!(bench.actions[..], [Output::Connect { peer: there, .. }] if there == peer);
    assert!(asked && bench.sent.is_empty(), "{:?}", bench.actions);
    bench.actions.clear();
    bench.input(Input::ConnectFailed { connection: ConnectionId::Dialled(2) });
    assert_eq!(bench.fails_with(), RegistrationFailure::Unreachable);
    let back = Register { flow: Flow { connection: None, ..flow }, ..register() };
    let sent = bench.registers(back);
    bench.receive_over(flow, &reply(&sent, 200, "r", &[], ""));
    assert_eq!(bench.told(), [registered(300)]);
    bench.input(Input::StreamClosed { connection });
    assert_eq!(bench.told(), [RegistrationNews::FlowLost]);
    // With a request out the loss is told by that.
    bench.take();
    bench.command(Command::Register {
        id: ID,
        register: Box::new(Register { flow: Flow { connection: None, ..flow }, ..register() }),
    });
    bench.actions.clear();
    bench.input(Input::ConnectFailed { connection: ConnectionId::Dialled(3) });
    assert_eq!(bench.fails_with(), RegistrationFailure::Unreachable);
}

#[test]
fn strangers_begin_nothing_and_hear_nothing() {
    let mut bench = Bench::new();
    let network = crate::sip::Network::parse("192.0.2.50").unwrap();
    bench.command(Command::LetIn(crate::sip::Sources::Of(vec![network])));
    let before = bench.agent.occupancy();
    for script in [
        Script::new("INVITE").body(SDP),
        Script::new("OPTIONS"),
        Script::new("REGISTER"),
        Script::new("BYE").tagged("nobody"),
    ] {
        bench.receive(&script.text());
    }
    bench.receive("INVITE sip:x SIP/2.0\r\nrubbish\r\n\r\n");
    bench.receive(&Script::new("CANCEL").text());
    assert!(bench.sent.is_empty(), "{:?}", bench.sent);
    assert!(bench.events.is_empty());
    assert_eq!(bench.agent.occupancy(), before);
    let strangers = bench.agent.counters().dropped(crate::sip::counters::Dropped::Stranger);
    assert_eq!(strangers, 6);
    bench.flow = Flow::udp(us(), registrar());
    bench.ringing(&Script::new("INVITE").body(SDP));
}

/// Behind a router a server that trusts Contacts would send ACK and BYE to an address that leads
/// nowhere.
#[test]
fn calls_of_the_registrar_get_the_contact_that_we_are_registered_with() {
    let mut bench = bench();
    let seen = "198.51.100.9:40222".parse().unwrap();
    let sent = bench.registers(Register { contact: Some(seen), ..register() });
    assert!(sent.header("Contact").contains("1001@198.51.100.9:40222"));
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    assert_eq!(bench.one().header("Contact"), "<sip:attendant@198.51.100.9:40222>");
    // Whoever else calls reaches us at our own.
    let mut other = Script::new("INVITE").call_id("other").body(SDP);
    other.branch = "z9hG4bKother".to_owned();
    bench.receive_over(Flow::udp(us(), caller()), &other.text());
    let events = bench.take_events();
    let [Event::Incoming { leg, .. }] = events.as_slice() else { panic!("{events:?}") };
    bench.command(Command::Answer { leg: *leg, sdp: ANSWER.to_vec() });
    let ok = bench.take().pop().unwrap();
    assert_eq!(ok.header("Contact"), "<sip:attendant@192.0.2.1:5060>");
}

/// The caller's Via shows a router before it, so that our BYE goes back by the registrar's address.
#[test]
fn the_registrar_may_ask_for_our_credentials_within_a_call_of_its_own_and_nobody_else() {
    let challenge = CHALLENGE.replace("WWW-Authenticate", "Proxy-Authenticate");
    for (is_registrar, credentials) in [(true, 1), (false, 0)] {
        let mut bench = bench();
        bench.registers(register());
        if !is_registrar {
            bench.flow = Flow::udp(us(), caller());
        }
        let (leg, _) = bench.up();
        bench.command(Command::Bye { leg, reason: None });
        let bye = bench.one();
        assert_eq!(bye.flow.peer.ip(), bench.flow.peer.ip());
        bench.receive(&reply(&bye, 407, "caller", &[&challenge], ""));
        let given: Vec<_> = bench
            .take()
            .iter()
            .map(|sent| sent.header("Proxy-Authorization").contains("username=\"1001\""))
            .collect();
        assert_eq!(given, vec![true; credentials], "{is_registrar}");
    }
}

#[test]
fn a_stranger_that_connects_is_sent_away_unless_we_talk_to_it() {
    let mut bench = Bench::new();
    bench.up();
    let network = crate::sip::Network::parse("192.0.2.50").unwrap();
    bench.command(Command::LetIn(crate::sip::Sources::Of(vec![network])));
    let connected = |bench: &mut Bench, peer: SocketAddr, n| {
        let connection = ConnectionId::Accepted(n);
        bench.input(Input::StreamOpened {
            flow: Flow::stream(Transport::Tcp, us(), peer, connection),
        });
        let closed = std::mem::take(&mut bench.actions);
        matches!(closed[..], [Output::Close { connection: id }] if id == connection)
    };
    assert!(connected(&mut bench, "192.0.2.99:4000".parse().unwrap(), 1));
    assert!(!connected(&mut bench, registrar(), 2));
    assert!(!connected(&mut bench, caller(), 3), "the other end of our call");
    assert_eq!(bench.agent.occupancy().connections, 2);
}

/// Two accounts with one provider: what becomes of one takes nothing from the other.
#[test]
fn another_account_there_leaves_our_contact_alone() {
    let mut bench = bench();
    let seen = "198.51.100.9:40222".parse().unwrap();
    bench.registers(Register { contact: Some(seen), ..register() });
    let other = AccountId(4);
    bench.command(Command::Register { id: other, register: Box::new(register()) });
    bench.command(Command::Unregister { id: other });
    bench.take();
    let leg = bench.ringing(&Script::new("INVITE").body(SDP));
    bench.command(Command::Answer { leg, sdp: ANSWER.to_vec() });
    assert_eq!(bench.one().header("Contact"), "<sip:attendant@198.51.100.9:40222>");
}
