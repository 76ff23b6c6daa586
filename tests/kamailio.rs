//! A box registers with Kamailio and is called through it.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::kamailio::{Kamailio, PASSWORD, REALM, options};
use support::{peers, wait};

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
        .start()
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
        assert!(!appliance.log().contains("1001"), "no number stands in the log");
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
