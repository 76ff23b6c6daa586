//! A program that was written to steer baresip steers the box: the same client, the same commands and the same
//! expectations, once with Debian's baresip and once with Attendant.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use serde_json::Value;
use support::appliance::Setup;
use support::baresip::Baresip;
use support::ctrl_tcp::Client;
use support::kamailio::{Kamailio, PASSWORD};
use support::{peers, wait};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SOON: Duration = Duration::from_secs(20);
/// Whom it calls, and who calls it.
const NUMBER: &str = "+49301234567";
const DIAL: &str = "allow = [\"+49\"]\ncountry_code = \"49\"\n";

fn other_end() -> Baresip {
    let parameters = ";answermode=manual";
    Baresip::start_as(NUMBER, LOCAL, ("udp", "PCMU/8000/1"), parameters, "")
}

/// What is the same whoever is steered. `uri`: where it is called; `aor`: how it presents itself.
fn is_steered(mut client: Client, uri: &str, aor: &str, mut other: Baresip) {
    let client = &mut client;
    it_answers_commands(client, aor);
    let (is_done, _) = client.command("answermode", Some("manual"));
    assert!(is_done);
    it_calls(client, &mut other);
    it_is_called(client, uri, &mut other);
    it_is_refused(client, &mut other);
}

fn it_answers_commands(client: &mut Client, aor: &str) {
    assert!(client.command("about", None).0);
    let unknown = client.command("nosuch", Some("x"));
    assert_eq!(unknown, (false, "command not found (nosuch)\n".to_owned()));
    // What is none is not answered, and what follows is.
    for foul in ["5:hello,", "2:{},", "23:{\"params\":\"no command\"},", "0:,"] {
        client.send(foul);
    }
    let (is_done, help) = client.command("help", None);
    assert!(is_done && help.contains("/dial") && help.contains("/listcalls"), "{help}");
    let (is_done, accounts) = client.command("reginfo", None);
    assert!(is_done && accounts.contains("--- User Agents (1) ---"), "{accounts}");
    assert!(accounts.contains(aor), "{accounts}");
    has_calls(client, 0);
}

/// The list as text.
fn has_calls(client: &mut Client, count: usize) -> String {
    let (is_done, list) = client.command("listcalls", None);
    assert!(is_done && list.contains(&format!("--- Active calls ({count}) ---")), "{list}");
    list
}

/// An event of a call with this other end.
fn is_of_call(event: &Value, direction: &str) -> String {
    assert_eq!(event["event"], true, "{event}");
    assert_eq!(
        (&event["class"], &event["direction"]),
        (&"call".into(), &direction.into()),
        "{event}"
    );
    assert!(event["peeruri"].as_str().unwrap().contains(NUMBER), "{event}");
    assert!(event["accountaor"].as_str().unwrap().starts_with("sip:"), "{event}");
    let id = event["id"].as_str().unwrap();
    assert!(!id.is_empty(), "{event}");
    id.to_owned()
}

fn it_calls(client: &mut Client, other: &mut Baresip) {
    let (is_done, told) = client.command("dial", Some(other.uri()));
    assert!(is_done, "{told}");
    let ringing = client.event("CALL_RINGING", SOON);
    let id = is_of_call(&ringing, "outgoing");
    assert!(ringing["param"].as_str().unwrap().contains(NUMBER), "{ringing}");
    other.event("CALL_INCOMING", SOON);
    other.command("accept", "");
    let established = client.event("CALL_ESTABLISHED", SOON);
    assert_eq!(is_of_call(&established, "outgoing"), id);
    other.event("CALL_ESTABLISHED", SOON);
    let list = has_calls(client, 1);
    assert!(list.contains("ESTABLISHED") && list.contains(NUMBER), "{list}");
    for key in ["1", "#"] {
        other.command("sndcode", key);
        let start = client.event("CALL_DTMF_START", SOON);
        assert_eq!((is_of_call(&start, "outgoing"), &start["param"]), (id.clone(), &key.into()));
        assert_eq!(is_of_call(&client.event("CALL_DTMF_END", SOON), "outgoing"), id);
    }
    assert!(client.command("sndcode", Some("42")).0);
    for key in ["4", "2"] {
        assert_eq!(other.event("CALL_DTMF_START", SOON)["param"], key);
    }
    // A re-INVITE each.
    for command in ["hold", "resume"] {
        assert!(client.command(command, None).0, "{command}");
        assert_eq!(other.event("CALL_REMOTE_SDP", SOON)["param"], "offer", "{command}");
    }
    assert!(client.command("mute", None).0);
    let (is_done, status) = client.command("callstat", None);
    assert!(is_done && status.contains("ESTABLISHED") && status.contains(NUMBER), "{status}");
    assert!(client.command("hangup", None).0);
    let closed = client.event("CALL_CLOSED", SOON);
    assert_eq!(is_of_call(&closed, "outgoing"), id);
    assert_eq!(closed["param"], "Connection reset by user");
    assert_eq!(other.event("CALL_CLOSED", SOON)["param"], "Connection reset by peer");
    has_calls(client, 0);
}

fn it_is_called(client: &mut Client, uri: &str, other: &mut Baresip) {
    other.command("dial", uri);
    let incoming = client.event("CALL_INCOMING", SOON);
    let id = is_of_call(&incoming, "incoming");
    other.event("CALL_RINGING", SOON);
    let list = has_calls(client, 1);
    assert!(list.contains("INCOMING"), "{list}");
    let (is_done, told) = client.command("accept", None);
    assert!(is_done && told.contains("Answering incoming call"), "{told}");
    assert_eq!(is_of_call(&client.event("CALL_ESTABLISHED", SOON), "incoming"), id);
    other.event("CALL_ESTABLISHED", SOON);
    other.command("hangup", "");
    let closed = client.event("CALL_CLOSED", SOON);
    assert_eq!(is_of_call(&closed, "incoming"), id);
    assert_eq!(closed["param"], "Connection reset by peer");
    has_calls(client, 0);
}

fn it_is_refused(client: &mut Client, other: &mut Baresip) {
    assert!(client.command("dial", Some(other.uri())).0);
    let id = is_of_call(&client.event("CALL_RINGING", SOON), "outgoing");
    other.event("CALL_INCOMING", SOON);
    other.command("hangup", "");
    let closed = client.event("CALL_CLOSED", SOON);
    assert_eq!(is_of_call(&closed, "outgoing"), id);
    assert!(closed["param"].as_str().unwrap().starts_with("486"), "{closed}");
}

#[test]
fn baresip_and_the_box_are_steered_by_the_same_client() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let parameters = ";answermode=manual";
            let subject = Baresip::start_as("1001", LOCAL, ("udp", "PCMU/8000/1"), parameters, "");
            let (uri, _) = subject.uri().split_once(';').unwrap();
            is_steered(Client::connect(subject.control_at()), subject.uri(), uri, other_end());
        });
        scope.spawn(|| {
            let other = other_end();
            let server = other.uri().split(['@', ';']).nth(1).unwrap().to_owned();
            let control = SocketAddr::new(LOCAL, peers::free_port(LOCAL));
            let account = format!(
                "name = \"office\"\nuser = \"1001\"\nregisters = false\nserver = \"{server}\"\n\
                 keep_alive_s = 0\n"
            );
            let appliance = Setup::default()
                .with("[accounts]", &account)
                .with("dial", DIAL)
                .with("baresip", &format!("listen = \"{control}\""))
                .start();
            wait::until("the account is open", SOON, || {
                (appliance.api("/health")["accounts"][0]["state"] == "open").then_some(())
            });
            let aor = format!("sip:1001@{server}");
            is_steered(Client::connect(control), &appliance.uri(), &aor, other);
            it_tells_more(&appliance, control);
        });
    });
}

/// What baresip of this version does not have.
fn it_tells_more(appliance: &support::appliance::Appliance, control: SocketAddr) {
    let mut clients = [Client::connect(control), Client::connect(control)];
    for client in &mut clients {
        let (is_done, told) = client.command("dial", Some("+43123456"));
        assert!(!is_done && told.contains("allow"), "{told}");
        assert!(!client.command("callfind", Some("nobody")).0);
        assert!(!client.command("hold", None).0);
    }
    assert!(!appliance.log().contains("1234567"), "no number stands in the log");
}

/// What comes of a registration is told alike, whoever registers.
fn tells_of_registering(client: &mut Client, aor: &str, is_right: bool) {
    let (kind, param) = match is_right {
        true => ("REGISTER_OK", "200 OK"),
        false => ("REGISTER_FAIL", "401 Unauthorized"),
    };
    let event = client.event(kind, Duration::from_secs(40));
    assert_eq!((&event["event"], &event["class"]), (&true.into(), &"register".into()), "{event}");
    assert_eq!((&event["accountaor"], &event["param"]), (&aor.into(), &param.into()), "{event}");
    let (_, told) = client.command("reginfo", None);
    assert!(told.contains(aor) && told.contains(if is_right { "OK" } else { "ERR" }), "{told}");
}

/// A registrar that says nothing until its clients have somebody who listens to them.
fn registers(is_right: bool, subject: impl Fn(SocketAddr, &str) -> (Client, Box<dyn Send>)) {
    let mut kamailio = Kamailio::start("MD5");
    kamailio.stop();
    // Its children may end after it.
    let bound = || UdpSocket::bind(kamailio.address).ok();
    let silent = wait::until("the registrar's port is free", SOON, bound);
    let password = if is_right { PASSWORD } else { "another-one" };
    let (mut client, _subject) = subject(kamailio.address, password);
    drop(silent);
    kamailio.start_again();
    tells_of_registering(&mut client, &format!("sip:1001@{}", kamailio.address), is_right);
}

#[test]
fn baresip_and_the_box_tell_alike_what_comes_of_a_registration() {
    let are_there = peers::is_installed("baresip", "baresip-core")
        && peers::is_installed("kamailio", "kamailio");
    if !are_there {
        return;
    }
    let baresip = |registrar: SocketAddr, password: &str| {
        let subject = Baresip::registering("1001", registrar, password);
        let client = Client::connect(subject.control_at());
        (client, Box::new(subject) as Box<dyn Send>)
    };
    let attendant = |registrar: SocketAddr, password: &str| {
        let control = SocketAddr::new(LOCAL, peers::free_port(LOCAL));
        let account = format!("name = \"office\"\nuser = \"1001\"\nserver = \"{registrar}\"\n");
        let appliance = Setup::default()
            .with("[accounts]", &account)
            .with("baresip", &format!("listen = \"{control}\"\nlegacy_classes = true"))
            .env("ATTENDANT_ACCOUNT_OFFICE", password)
            .start();
        (Client::connect(control), Box::new(appliance) as Box<dyn Send>)
    };
    std::thread::scope(|scope| {
        for is_right in [true, false] {
            scope.spawn(move || registers(is_right, baresip));
            scope.spawn(move || registers(is_right, attendant));
        }
    });
}
