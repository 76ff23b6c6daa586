//! Registrations whose stream the registrar keeps as the way to us (RFC 5626).

use super::*;
use crate::sip::digest::Credentials;
use crate::sip::{AccountId, Dialect, Outbound, Register, RegistrationFailure, RegistrationNews};

const ID: AccountId = AccountId(3);
const STREAM: ConnectionId = ConnectionId::Dialled(1);
const URN: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";

fn flow(transport: Transport) -> Flow {
    let registrar = "192.0.2.50:5060".parse().unwrap();
    Flow { transport, account: Some(ID), ..Flow::udp(us(), registrar) }
}

fn register(transport: Transport) -> Register {
    let private = |text: &str| Private::new(text.to_owned());
    Register {
        flow: flow(transport),
        registrar: private("sip:example.net"),
        address_of_record: private("sip:1001@example.net"),
        contact_user: private("1001"),
        contact: None,
        expires_s: 300,
        instance: Some(private(URN)),
        credentials: Credentials {
            username: private("1001"),
            password: private("hush"),
            realm: None,
            over: None,
        },
        dialect: Dialect::Standard,
    }
}

impl Bench {
    fn wants(&mut self, register: Register) {
        self.command(Command::Register { id: ID, register: Box::new(register) });
    }

    fn news(&mut self) -> Vec<RegistrationNews> {
        let of = |action| match action {
            Output::Registration { id: ID, news } => Some(news),
            Output::Connect { .. } | Output::Close { .. } => None,
            other => panic!("{other:?}"),
        };
        std::mem::take(&mut self.actions).into_iter().filter_map(of).collect()
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.input(Input::StreamBytes { connection: STREAM, bytes });
    }
}

/// Its REGISTER is out over a stream.
fn asked(transport: Transport) -> (Bench, Sent) {
    asked_with(register(transport))
}

fn asked_with(register: Register) -> (Bench, Sent) {
    let mut bench = Bench::new();
    let flow = register.flow;
    bench.wants(register);
    bench.flow = Flow { connection: Some(STREAM), ..flow };
    bench.input(Input::StreamOpened { flow: bench.flow });
    let sent = bench.one();
    bench.actions.clear();
    (bench, sent)
}

const OUTBOUND: [&str; 2] = ["Require: outbound", "Flow-Timer: 40"];

/// The registrar keeps the stream.
fn kept() -> Bench {
    let (mut bench, sent) = asked(Transport::Tcp);
    bench.receive(&reply(&sent, 200, "r", &OUTBOUND, ""));
    let outbound = Some(Outbound { flow_timer_s: Some(40) });
    let registered = RegistrationNews::Registered { expires_s: 300, seen: None, outbound };
    assert_eq!(bench.news(), [registered]);
    bench
}

#[test]
fn a_stream_is_offered_with_the_name_of_the_box() {
    let seen = Some(SocketAddr::new(us().ip(), 40_001));
    for (transport, contact) in [(Transport::Tcp, None), (Transport::Tls, seen)] {
        let (_, sent) = asked_with(Register { contact, ..register(transport) });
        let expected = format!(";reg-id=1;+sip.instance=\"<{URN}>\";expires=300");
        assert!(sent.header("Contact").ends_with(&expected), "{}", sent.header("Contact"));
        assert_eq!(sent.header("Supported"), "outbound, path");
    }
    // Over TLS its port is not known yet.
    let (_, sent) = asked(Transport::Tls);
    assert!(!sent.text.contains("reg-id"), "{}", sent.text);
    // Over UDP there is no stream.
    let mut bench = Bench::new();
    bench.wants(register(Transport::Udp));
    let sent = bench.one();
    assert!(!sent.text.contains("reg-id") && !sent.text.contains("outbound"), "{}", sent.text);
}

#[test]
fn a_registrar_that_keeps_no_stream_is_asked_by_options_as_ever() {
    let (mut bench, sent) = asked(Transport::Tcp);
    bench.receive(&reply(&sent, 200, "r", &["Supported: outbound"], ""));
    let plain = RegistrationNews::Registered { expires_s: 300, seen: None, outbound: None };
    assert_eq!(bench.news(), [plain]);
    bench.command(Command::Ping { id: ID });
    assert_eq!(bench.words(), ["OPTIONS"]);
}

#[test]
fn a_kept_stream_is_pinged_by_line_breaks_and_their_answer_is_a_sign_of_life() {
    let mut bench = kept();
    for _ in 0..3 {
        bench.command(Command::Ping { id: ID });
        assert_eq!(bench.one().text, "\r\n\r\n");
        bench.pass(seconds(9));
        bench.bytes(b"\r\n");
        assert_eq!(bench.news(), [RegistrationNews::Alive { seen: None }]);
        bench.pass(seconds(20));
        assert!(bench.actions.is_empty(), "kept: {:?}", bench.actions);
    }
    // A message before the answer, and the answer in pieces with the next message.
    bench.command(Command::Ping { id: ID });
    bench.take();
    let options = Script::new("OPTIONS").tcp().text();
    bench.bytes(format!("{options}\r\n{}", options.replace("call-1", "call-2")).as_bytes());
    assert_eq!(bench.words(), ["200", "200"]);
    assert_eq!(bench.news(), [RegistrationNews::Alive { seen: None }]);
}

#[test]
fn a_stream_without_an_answer_in_ten_seconds_is_closed_and_told_lost() {
    let mut bench = kept();
    bench.command(Command::Ping { id: ID });
    bench.pass(ms(9_999));
    assert!(bench.actions.is_empty());
    bench.pass(ms(1));
    let is_closed = bench.actions.iter().any(|a| matches!(a, Output::Close { connection: STREAM }));
    assert!(is_closed);
    assert_eq!(bench.news(), [RegistrationNews::FlowLost]);
    // The next is asked over a stream of its own.
    bench.take();
    bench.wants(register(Transport::Tcp));
    assert!(matches!(bench.actions[..], [Output::Connect { account: Some(ID), .. }]));
}

#[test]
fn a_first_hop_that_does_not_know_it_is_asked_without_once_and_for_all() {
    let (mut bench, sent) = asked(Transport::Tcp);
    bench.receive(&reply(&sent, 439, "r", &[], ""));
    let again = bench.one();
    assert!(!again.text.contains("reg-id") && !again.text.contains("outbound"), "{}", again.text);
    bench.receive(&reply(&again, 200, "r", &[], ""));
    assert_eq!(bench.news().len(), 1);
    bench.wants(register(Transport::Tcp));
    let next = bench.one();
    assert!(!next.text.contains("reg-id"));
    // Without an offer of ours it is a refusal like any other.
    bench.receive(&reply(&next, 439, "r", &[], ""));
    let failure = RegistrationFailure::Refused(439);
    assert_eq!(bench.news(), [RegistrationNews::Failed { failure, retry_after_s: None }]);
}

#[test]
fn a_stream_that_the_registrar_has_lost_is_given_up() {
    let mut bench = kept();
    bench.wants(register(Transport::Tcp));
    let sent = bench.one();
    bench.receive(&reply(&sent, 430, "r", &[], ""));
    bench.pass(ms(1));
    let failure = RegistrationFailure::Refused(430);
    let is_closed = bench.actions.iter().any(|a| matches!(a, Output::Close { connection: STREAM }));
    assert!(is_closed);
    let failed = RegistrationNews::Failed { failure, retry_after_s: None };
    assert_eq!(bench.news(), [failed, RegistrationNews::FlowLost]);
}

#[test]
fn two_accounts_at_one_server_have_a_stream_and_a_contact_each() {
    let mut bench = Bench::new();
    let mut streams = Vec::new();
    for (number, port) in [(1, 40_001), (2, 40_002)] {
        let id = AccountId(number);
        let asked = Flow { account: Some(id), ..flow(Transport::Tls) };
        let register = Register { flow: asked, instance: None, ..register(Transport::Tls) };
        bench.command(Command::Register { id, register: Box::new(register.clone()) });
        let [Output::Connect { connection, account, .. }] = bench.actions[..] else { panic!() };
        assert_eq!(account, Some(id));
        bench.actions.clear();
        let local = SocketAddr::new(us().ip(), port);
        let open = Flow { connection: Some(connection), local, ..asked };
        bench.input(Input::StreamOpened { flow: open });
        let sent = bench.one();
        let seen = format!("rport={port}");
        bench.receive_over(open, &reply(&sent, 200, "r", &[], "").replace("rport", &seen));
        bench.actions.clear();
        let register = Register { contact: Some(local), ..register };
        bench.command(Command::Register { id, register: Box::new(register) });
        let sent = bench.one();
        bench.receive_over(open, &reply(&sent, 200, "r", &[], "").replace("rport", &seen));
        bench.actions.clear();
        streams.push((asked, open, port));
    }
    for (asked, open, port) in streams {
        let invite = Invite { flow: asked, ..to_bob(asked.peer) };
        let (_, sent) = bench.invites(invite);
        assert_eq!(sent.flow.connection, open.connection);
        let contact = sent.header("Contact");
        assert!(contact.contains(&format!(":{port};transport=tls")), "{contact}");
    }
}
