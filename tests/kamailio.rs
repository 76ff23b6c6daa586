//! A box registers with Kamailio and is called through it, held, and left for a person.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::folder::Folder;
use support::kamailio::{Kamailio, PASSWORD, REALM, options};
use support::linphone::Linphone;
use support::{keyed, peers, wait};

/// Of a REGISTER with credentials, on a busy machine.
const SOON: Duration = Duration::from_secs(15);
/// A ping, its patience, the registration after it, and the wait that follows.
const NOTICED: Duration = Duration::from_secs(10 + 8 + 32 + 10);
const VARIABLE: &str = "ATTENDANT_ACCOUNT_OFFICE";

fn is_installed() -> bool {
    peers::is_installed("kamailio", "kamailio") && peers::is_installed("espeak-ng", "espeak-ng")
}

fn with_account(server: &Kamailio, transport: &str, password: &'static str) -> Appliance {
    with_proxies(server, transport, password, "")
}

fn with_proxies(
    server: &Kamailio,
    transport: &str,
    password: &'static str,
    proxies: &str,
) -> Appliance {
    setup(server, transport, password, proxies).start()
}

fn setup(server: &Kamailio, transport: &str, password: &'static str, proxies: &str) -> Setup {
    let is_secure = ["tls", "wss"].contains(&transport);
    let address = if is_secure { server.secure } else { server.address };
    // By TLS it is believed by its key, by secure WebSocket by who vouches for it.
    let pin = match transport {
        "tls" => format!("tls_pin = \"{}\"\n", server.pin),
        _ => String::new(),
    };
    let account = format!(
        "name = \"office\"\nserver = \"{address}\"\ntransport = \"{transport}\"\nuser = \"1001\"\n\
         realm = \"{REALM}\"\nkeep_alive_s = 10\n{pin}{proxies}"
    );
    let authorities = match transport {
        "wss" => format!("authorities = \"{}\"", server.certificate().display()),
        _ => String::new(),
    };
    Setup::default()
        .with("sip.tls", &authorities)
        .with("[accounts]", &account)
        .with("inbound", "from = [\"accounts\"]")
        .env(VARIABLE, password)
}

fn account(appliance: &Appliance) -> Value {
    appliance.api("/health")["accounts"][0].clone()
}

fn becomes(appliance: &Appliance, state: &str, within: Duration) -> Value {
    wait::until(state, within, || Some(account(appliance)).filter(|one| one["state"] == state))
}

#[test]
fn it_registers_and_is_called_through_the_registrar() {
    if !is_installed() {
        return;
    }
    for (transport, algorithm) in
        [("udp", "MD5"), ("tcp", "SHA-256"), ("tls", "SHA-256"), ("ws", "MD5"), ("wss", "SHA-256")]
    {
        let server = Kamailio::start(algorithm);
        let mut appliance = with_account(&server, transport, PASSWORD);
        let shown = becomes(&appliance, "registered", SOON);
        assert!(shown["registered_until_ms"].is_u64(), "{shown}");
        assert!(server.has("1001"), "{transport}");
        // Over a stream it keeps that as the way to us (RFC 5626).
        let is_kept = appliance.log().contains("keeps_stream=true");
        assert_eq!(is_kept, transport != "udp", "{transport}: {}", appliance.log());
        let called = Command::new(env!("CARGO_BIN_EXE_attendant"))
            .args(["call", &format!("sip:1001@{}", server.address), "--max-seconds", "60"])
            .args(["--api", &format!("http://{}", appliance.web), "--json"])
            .args(["--expect", "how can i help"])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&[called.stdout, called.stderr].concat()).into_owned();
        let call: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}"));
        assert_eq!(call["as_expected"], true, "{transport}: {call}");
        assert!(call["greeting_delay_ms"].is_i64(), "the greeting was heard: {call}");
        // Who calls from elsewhere than the account's server hears nothing.
        assert_eq!(options(Ipv4Addr::new(127, 0, 0, 2), appliance.sip, "1001"), None);
        assert_eq!(options(Ipv4Addr::LOCALHOST, appliance.sip, "1001"), Some(200));
        assert!(appliance.stop().success());
        assert!(!server.has("1001"), "{transport}: the registration is taken away");
        // Each line begins with a time, in whose digits any number may be.
        let log = appliance.log();
        let mut told = log.lines().filter_map(|line| line.split_once(' '));
        assert!(
            !told.any(|(_, words)| words.contains("1001")),
            "no number stands in the log: {log}"
        );
    }
}

#[test]
fn a_call_comes_over_three_proxies_that_stay_on_its_way() {
    if !is_installed() {
        return;
    }
    let registrar = Kamailio::start("SHA-256");
    let middle = Kamailio::start_before("SHA-256", Some(&registrar));
    let edge = Kamailio::start_before("SHA-256", Some(&middle));
    let appliance = with_account(&registrar, "tcp", PASSWORD);
    becomes(&appliance, "registered", SOON);
    let called = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", &format!("sip:1001@{}", edge.address), "--max-seconds", "40", "--json"])
        .args(["--expect", "how can i help", "--api", &format!("http://{}", appliance.web)])
        .output()
        .unwrap();
    let call: Value = serde_json::from_slice(&called.stdout).unwrap();
    assert_eq!(call["as_expected"], true, "{call}");
    let record = wait::until("the caller's BYE has come over all of them", SOON, || {
        appliance.record(|call| call["state"] == "ended")
    });
    assert_eq!(record["ending"]["cause"], "hung-up", "{record:#}");
}

#[test]
fn a_wrong_password_is_told_and_not_tried_again_and_again() {
    if !is_installed() {
        return;
    }
    let server = Kamailio::start("MD5");
    let appliance = with_account(&server, "udp", "wrong");
    let shown = becomes(&appliance, "failing", SOON);
    assert!(shown["failing_since_ms"].is_u64(), "{shown}");
    let health = appliance.api("/health");
    assert_eq!(health["state"], "degraded");
    let expected =
        "account office: it is not registered: its server does not accept the user or the password";
    let reasons = health["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|reason| reason == expected), "{health}");
    assert!(!server.has("1001"));
    std::thread::sleep(Duration::from_secs(5));
    let refused = appliance.log().matches("not registered").count();
    assert_eq!(refused, 1, "{}", appliance.log());
    assert!(!appliance.log().contains("wrong"), "no password stands in the log");
}

#[test]
fn a_registrar_that_is_restarted_is_registered_with_again() {
    if !is_installed() {
        return;
    }
    for transport in ["udp", "tcp", "tls", "wss"] {
        let mut server = Kamailio::start("MD5");
        let appliance = with_account(&server, transport, PASSWORD);
        becomes(&appliance, "registered", SOON);
        server.stop();
        let shown = becomes(&appliance, "failing", NOTICED);
        println!("{transport}: noticed, {shown}");
        assert_eq!(appliance.api("/health")["state"], "degraded");
        server.start_again();
        becomes(&appliance, "registered", NOTICED);
        wait::until("the registrar has it again", SOON, || server.has("1001").then_some(()));
    }
}

/// One machine of two dies: calls come by the other within seconds, since the lost connection tells.
#[test]
fn the_second_proxy_is_registered_with_as_soon_as_the_first_is_gone() {
    if !is_installed() {
        return;
    }
    for transport in ["tcp", "ws"] {
        let (mut first, second) = (Kamailio::start("MD5"), Kamailio::start("MD5"));
        let proxies = format!("proxies = [\"{}\", \"{}\"]\n", first.address, second.address);
        let appliance = with_proxies(&first, transport, PASSWORD, &proxies);
        becomes(&appliance, "registered", SOON);
        assert!(first.has("1001") && !second.has("1001"), "{transport}: the first is taken first");
        let killed = Instant::now();
        first.stop();
        let took =
            wait::until("the second has it", SOON, || second.has("1001").then(|| killed.elapsed()));
        println!(
            "{transport}: registered with the second {took:?} after the first was told to end"
        );
        assert_eq!(account(&appliance)["state"], "registered");
    }
}

/// A registered box with one person, whom a key asks for.
fn desk_of(server: &Kamailio, folder: &Folder, person: &str) -> Appliance {
    let appliance = setup(server, "udp", PASSWORD, "")
        .with("[person]", person)
        .with("converse", &keyed::playbook(folder))
        .start();
    becomes(&appliance, "registered", SOON);
    appliance
}

fn of_caller(
    appliance: &Appliance,
    user: &str,
    what: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let found = wait::within(SOON, || appliance.record_of(user).filter(|call| is_so(call)));
    found.unwrap_or_else(|| panic!("{what}: {:#?}", appliance.record_of(user)))
}

/// What is said in a dialog goes by the proxy that has put itself into it.
#[test]
fn a_caller_holds_and_resumes_and_is_passed_on_through_the_proxy() {
    if !is_installed() || !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    let server = Kamailio::start("MD5");
    let telephone = |user| Baresip::start(user, Ipv4Addr::LOCALHOST.into(), "udp", "PCMU/8000/1");
    let (mut caller, mut anna) = (telephone("caller-proxied"), telephone("anna"));
    let folder = Folder::new("playbook");
    let person = format!("name = \"Anna\"\naddress = \"{}\"", anna.uri());
    let appliance = desk_of(&server, &folder, &person);
    caller.command("dial", &format!("sip:1001@{}", server.address));
    caller.event("CALL_ESTABLISHED", SOON);
    of_caller(&appliance, "caller-proxied", "greeted", |call| call["greeting_delay_ms"].is_u64());
    let sent = || {
        let record = appliance.record_of("caller-proxied").unwrap();
        record["rtp"]["packets_sent"].as_u64().unwrap()
    };
    caller.command("hold", "");
    // A report comes once a second: two that say the same.
    let mut last = (sent(), Instant::now());
    wait::until("the box has fallen silent", SOON, || {
        let now = sent();
        if now != last.0 {
            last = (now, Instant::now());
        }
        (last.1.elapsed() > Duration::from_millis(2_500)).then_some(())
    });
    caller.command("resume", "");
    wait::until("the box speaks again", SOON, || (sent() > last.0 + 25).then_some(()));
    caller.command("sndcode", keyed::PERSON);
    anna.event("CALL_INCOMING", SOON);
    anna.command("accept", "");
    anna.event("CALL_ESTABLISHED", SOON);
    let is_over = |call: &Value| call["state"] == "ended";
    let record = of_caller(&appliance, "caller-proxied", "over", is_over);
    assert_eq!(record["ending"]["cause"], "transferred", "{record:#}");
    assert!(!anna.has_seen("CALL_CLOSED"), "the two talk to each other");
}

/// The box calls the person by its account, so the dialog that is replaced goes by the proxy, too.
#[test]
fn a_caller_is_handed_over_to_a_person_through_the_proxy() {
    if !is_installed() || !peers::is_installed("linphonec", "linphone-cli") {
        return;
    }
    let server = Kamailio::start("MD5");
    let (mut caller, mut anna) =
        (Linphone::start("caller-handed", false), Linphone::start("anna", true));
    let folder = Folder::new("playbook");
    let person = format!("name = \"Anna\"\naddress = \"{}\"\nby = \"attended\"", anna.uri());
    let appliance = desk_of(&server, &folder, &person);
    caller.types(&format!("call sip:1001@{}", server.address));
    of_caller(&appliance, "caller-handed", "greeted", |call| call["greeting_delay_ms"].is_u64());
    caller.types(keyed::PERSON);
    of_caller(&appliance, "anna", "talking", |call| call["state"] == "active");
    anna.types("1");
    let is_over = |call: &Value| call["state"] == "ended";
    let record = of_caller(&appliance, "caller-handed", "over", is_over);
    assert_eq!(record["ending"]["cause"], "transferred", "{record:#}");
    assert_eq!(record["is_joined"], false, "{record:#}");
    of_caller(&appliance, "anna", "over", is_over);
    wait::until("the two have a call", SOON, || {
        (anna.says("connected") >= 2 && caller.says("connected") >= 2).then_some(())
    });
}
