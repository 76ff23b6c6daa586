//! An account whose server speaks RingCentral's dialect, and what stays the standard beside it.

use super::*;
use crate::sip::digest::Credentials;
use crate::sip::{AccountId, Admission, Dialect, Register, Said, Telling};

const ID: AccountId = AccountId(3);
const STREAM: ConnectionId = ConnectionId::Dialled(1);
const URN: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";

fn private(text: &str) -> Private<String> {
    Private::new(text.to_owned())
}

fn credentials() -> Credentials {
    Credentials {
        username: private("802404906016"),
        password: private("secret"),
        realm: Some("sip.ringcentral.com".to_owned()),
        over: Some(private("sip:sip.ringcentral.com")),
    }
}

fn register(dialect: Dialect) -> Register {
    let registrar = "192.0.2.50:8083".parse().unwrap();
    Register {
        flow: Flow { transport: Transport::Wss, account: Some(ID), ..Flow::udp(us(), registrar) },
        registrar: private("sip:sip.ringcentral.com"),
        address_of_record: private("sip:17205550100*115@sip.ringcentral.com"),
        contact_user: private("17205550100*115"),
        contact: None,
        expires_s: 60,
        instance: Some(private(URN)),
        credentials: credentials(),
        dialect,
    }
}

impl Bench {
    /// Frames, one a message.
    fn frame(&mut self, text: &str) {
        self.input(Input::StreamMessage { connection: STREAM, bytes: text.as_bytes() });
    }
}

/// Its REGISTER is out.
fn asked(dialect: Dialect) -> (Bench, Sent) {
    let mut bench = Bench::new();
    let register = register(dialect);
    let flow = register.flow;
    bench.command(Command::Register { id: ID, register: Box::new(register) });
    bench.flow = Flow { connection: Some(STREAM), ..flow };
    bench.input(Input::StreamOpened { flow: bench.flow });
    let sent = bench.one();
    bench.actions.clear();
    (bench, sent)
}

/// Registered, and the Contact that it has.
fn registered() -> (Bench, String) {
    let (mut bench, sent) = asked(Dialect::WebPhone);
    let contact = format!("{}>", sent.header("Contact").split('>').next().unwrap());
    let granted = format!("Contact: {contact};expires=50");
    bench.frame(&reply(&sent, 200, "r", &[&granted], ""));
    bench.actions.clear();
    (bench, contact)
}

#[test]
fn a_register_has_a_contact_of_no_machine_with_the_instance_and_its_time() {
    let (mut bench, sent) = asked(Dialect::WebPhone);
    let contact = sent.header("Contact");
    let host = contact.split(['@', ';']).nth(1).unwrap();
    assert!(host.ends_with(".invalid"), "{contact}");
    let end = format!(";transport=wss>;+sip.instance=\"<{URN}>\";expires=60");
    assert!(contact.ends_with(&end) && sent.header("Expires").is_empty(), "{contact}");
    assert!(
        sent.header("Via").starts_with(&format!("SIP/2.0/WSS {host};branch=")),
        "{}",
        sent.text
    );
    assert_eq!(sent.request_uri(), "sip:sip.ringcentral.com");
    let nonce = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4";
    let challenge =
        format!("Www-Authenticate: Digest realm=\"sip.ringcentral.com\", nonce=\"{nonce}\"");
    bench.frame(&reply(&sent, 401, "r", &[&challenge], ""));
    let again = bench.one();
    let answer = again.header("Authorization");
    assert!(answer.starts_with("Digest algorithm=\"MD5\", username=\"802404906016\""), "{answer}");
    assert!(answer.ends_with("response=\"f74afb5f0ebc40b1b7d7dd5ece01fa93\""), "{answer}");
    assert_eq!(again.header("Contact"), contact);
}

#[test]
fn what_the_server_tells_outside_of_calls_is_answered_and_a_message_is_handed_on() {
    let (mut bench, _) = registered();
    for method in ["MESSAGE", "INFO", "NOTIFY", "UPDATE", "BYE"] {
        let asked = Script::new(method).tcp().body_of("x-rc/agent", "<Msg/>");
        let text = asked.text();
        bench.frame(&text.replace("SIP/2.0/TCP", "SIP/2.0/WSS"));
        assert_eq!(bench.one().status(), 200, "{method}");
    }
    let said = std::mem::take(&mut bench.actions);
    let [Output::Said { account: ID, said: Said::Message(body) }] = said.as_slice() else {
        panic!("{said:?}")
    };
    assert_eq!(body.reveal(), "<Msg/>");
    let subscribe = Script::new("SUBSCRIBE").tcp().text().replace("SIP/2.0/TCP", "SIP/2.0/WSS");
    bench.frame(&subscribe);
    assert_eq!(bench.one().status(), 405);
}

#[test]
fn by_the_standard_nothing_of_that_is_so() {
    let (mut bench, sent) = asked(Dialect::Standard);
    assert!(!sent.text.contains(".invalid") && sent.header("Expires") == "60", "{}", sent.text);
    bench.frame(&reply(&sent, 200, "r", &[], ""));
    bench.take();
    let message = Script::new("MESSAGE").tcp().body_of("x-rc/agent", "<Msg/>").text();
    bench.frame(&message.replace("SIP/2.0/TCP", "SIP/2.0/WSS"));
    assert_eq!(bench.one().status(), 405);
    assert!(!bench.actions.iter().any(|action| matches!(action, Output::Said { .. })));
}

#[test]
fn a_call_is_named_by_its_responses_and_goes_over_the_one_connection() {
    let (mut bench, contact) = registered();
    let flow = Flow { connection: None, ..bench.flow };
    let target = private("sip:+16505550111@sip.ringcentral.com");
    let invite = Invite { flow, target, credentials: Some(credentials()), ..to_bob(flow.peer) };
    let leg = bench.agent.reserve_leg();
    bench.command(Command::Invite { leg, invite: Box::new(invite) });
    let sent = bench.one();
    assert_eq!(sent.flow.connection, Some(STREAM));
    assert_eq!(sent.header("Contact"), contact);
    let ids = "p-rc-api-ids: party-id=p-1-1;session-id=s-1";
    // Its Contact is a machine in the platform's own network.
    let elsewhere = "Contact: <sip:+16505550111@10.1.2.3:8083;transport=wss>";
    bench.frame(&reply(&sent, 183, "b", &[ids, elsewhere], SDP));
    let named = bench.actions.pop();
    let Some(Output::Said { said: Said::CallNamed { leg: of, ids }, .. }) = named else {
        panic!("{named:?}")
    };
    assert_eq!((of, ids.reveal().as_str()), (leg, "party-id=p-1-1;session-id=s-1"));
    bench.frame(&reply(&sent, 200, "b", &[elsewhere], SDP));
    let ack = bench.one();
    assert_eq!((ack.method(), ack.flow.connection), ("ACK", Some(STREAM)));
}

#[test]
fn a_message_of_ours_goes_over_the_way_of_the_registration() {
    let (mut bench, _) = registered();
    let telling = Telling {
        target: private("sip:%23996016@sip.ringcentral.com:5060"),
        call_id: Some(private("0f3c")),
        content_type: "x-rc/agent".to_owned(),
        body: private("<Msg/>"),
    };
    bench.command(Command::Tell { id: ID, telling: Box::new(telling) });
    let sent = bench.one();
    assert_eq!(sent.request_uri(), "sip:%23996016@sip.ringcentral.com:5060");
    assert_eq!((sent.header("Call-ID"), sent.body()), ("0f3c", "<Msg/>"));
    let from = "<sip:17205550100*115@sip.ringcentral.com>;tag=";
    assert!(sent.header("From").starts_with(from), "{}", sent.text);
    bench.frame(&reply(&sent, 200, "m", &[], ""));
    assert!(bench.take().is_empty() && bench.take_events().is_empty());
}

#[test]
fn a_silent_connection_is_closed_and_told() {
    let (mut bench, _) = registered();
    bench.command(Command::DropFlow { id: ID });
    bench.pass(ms(1));
    let actions = std::mem::take(&mut bench.actions);
    assert!(
        actions.iter().any(|a| matches!(a, Output::Close { connection: STREAM })),
        "{actions:?}"
    );
    let is_lost = |action: &Output| {
        let lost = crate::sip::RegistrationNews::FlowLost;
        matches!(action, Output::Registration { id: ID, news } if *news == lost)
    };
    assert!(actions.iter().any(is_lost), "{actions:?}");
}

/// What a telephone by TLS says of itself, with the flow of its registration.
fn softphone() -> Register {
    let registrar = "192.0.2.50:5096".parse().unwrap();
    let flow = Flow { transport: Transport::Tls, ..register(Dialect::Softphone).flow };
    let local = SocketAddr::new(flow.local.ip(), 0);
    Register {
        flow: Flow { local, peer: registrar, ..flow },
        expires_s: 3_600,
        ..register(Dialect::Softphone)
    }
}

#[test]
fn a_telephone_by_tls_says_that_its_one_connection_is_the_way_to_it() {
    let mut bench = Bench::new();
    let register = softphone();
    let flow = register.flow;
    bench.command(Command::Register { id: ID, register: Box::new(register) });
    bench.flow = Flow { connection: Some(STREAM), ..flow };
    bench.input(Input::StreamOpened { flow: bench.flow });
    let sent = bench.one();
    bench.actions.clear();
    let contact = sent.header("Contact").to_owned();
    let end = format!(";transport=tls;ob>;reg-id=1;+sip.instance=\"<{URN}>\"");
    assert!(contact.ends_with(&end) && sent.header("Expires") == "3600", "{contact}");
    let via = sent.header("Via");
    assert!(via.contains(";rport") && via.contains(";alias"), "{via}");
    let ok = reply(&sent, 200, "r", &[&format!("Contact: {contact};expires=3600")], "");
    bench.input(Input::StreamBytes { connection: STREAM, bytes: ok.as_bytes() });
    bench.actions.clear();
    // A call's Contact is the same, and everything of it goes over that connection, wherever the other
    // end says that it is.
    let target = private("sip:+16505550111@sip.ringcentral.com");
    let invite = Invite { flow, target, credentials: Some(credentials()), ..to_bob(flow.peer) };
    let leg = bench.agent.reserve_leg();
    bench.command(Command::Invite { leg, invite: Box::new(invite) });
    let sent = bench.one();
    assert!(sent.header("Contact").contains(";ob>"), "{}", sent.text);
    let elsewhere = "Contact: <sip:+16505550111@203.0.113.9:5061;transport=tls>";
    let ok = reply(&sent, 200, "b", &[elsewhere], SDP);
    bench.input(Input::StreamBytes { connection: STREAM, bytes: ok.as_bytes() });
    let ack = bench.one();
    assert_eq!((ack.method(), ack.flow.connection), ("ACK", Some(STREAM)));
}

#[test]
fn calls_go_over_the_server_that_is_registered_with_now() {
    let (mut bench, _) = registered();
    let before = bench.flow;
    let target = private("sip:+16505550111@sip.ringcentral.com");
    let flow = Flow { connection: None, ..before };
    let invite = Invite { flow, target, credentials: Some(credentials()), ..to_bob(flow.peer) };
    let leg = bench.agent.reserve_leg();
    bench.command(Command::Invite { leg, invite: Box::new(invite) });
    let sent = bench.one();
    bench.frame(&reply(&sent, 200, "b", &["Contact: <sip:b@10.1.2.3:8083;transport=wss>"], SDP));
    bench.take();
    // The server dies, and another one is registered with.
    bench.input(Input::StreamClosed { connection: STREAM });
    let again = Register {
        flow: Flow { peer: "192.0.2.51:8083".parse().unwrap(), ..register(Dialect::WebPhone).flow },
        ..register(Dialect::WebPhone)
    };
    let flow = again.flow;
    bench.actions.clear();
    bench.command(Command::Register { id: ID, register: Box::new(again) });
    let other = ConnectionId::Dialled(2);
    bench.flow = Flow { connection: Some(other), ..flow };
    bench.input(Input::StreamOpened { flow: bench.flow });
    let sent = bench.one();
    let ok = reply(&sent, 200, "r", &["Contact: <sip:x@y.invalid>;expires=50"], "");
    bench.input(Input::StreamMessage { connection: other, bytes: ok.as_bytes() });
    bench.take();
    bench.command(Command::Reoffer { leg, sdp: SDP.as_bytes().to_vec() });
    let offered = bench.one();
    assert_eq!((offered.method(), offered.flow.connection), ("INVITE", Some(other)));
    assert_eq!(offered.flow.peer, flow.peer);
}

#[test]
fn a_full_house_hears_of_calls_whose_server_can_be_told_what_becomes_of_them() {
    for (dialect, is_heard) in [(Dialect::WebPhone, true), (Dialect::Standard, false)] {
        let (mut bench, sent) = asked(dialect);
        bench.frame(&reply(&sent, 200, "r", &[], ""));
        bench.command(Command::Admit(Admission::Closed { status: 486, retry_after_s: None }));
        bench.take();
        bench.take_events();
        let invite = Script::new("INVITE").tcp().text();
        bench.frame(&invite.replace("SIP/2.0/TCP", "SIP/2.0/WSS"));
        let statuses: Vec<u16> = bench.take().iter().map(Sent::status).collect();
        let heard = bench.take_events();
        let is_incoming = matches!(heard.as_slice(), [Event::Incoming { .. }]);
        assert_eq!((is_incoming, statuses.contains(&486)), (is_heard, !is_heard), "{dialect:?}");
    }
}
