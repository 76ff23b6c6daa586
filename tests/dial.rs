//! The box calls: SIPp as whom it calls, baresip that hears the greeting, Kamailio between two boxes.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::kamailio::{Kamailio, PASSWORD, REALM};
use support::sipp::{Outcome, Sipp};
use support::{peers, sound, wait};

const SOON: Duration = Duration::from_secs(20);
/// A call with its attempts.
const LONG: Duration = Duration::from_secs(60);
const NUMBER: &str = "030 1234567";
const E164: &str = "+49301234567";
const ONE: Outcome = Outcome { successful: 1, failed: 0 };
/// Number plan and permission; more keys of `[dial]` follow.
const DIAL: &str = "allow = [\"+49\"]\ncountry_code = \"49\"\n";

/// A box that calls through this server, which it does not register with. SIPp would take a question for a
/// call.
fn calling(server: SocketAddr, dial: &str) -> Appliance {
    calling_with(server, dial, "")
}

/// The same with more keys of the account.
fn calling_with(server: SocketAddr, dial: &str, keys: &str) -> Appliance {
    calling_by(&format!("server = \"{server}\"\nkeep_alive_s = 0\n{keys}"), dial)
}

fn calling_by(servers: &str, dial: &str) -> Appliance {
    let account = format!("name = \"office\"\nuser = \"1001\"\nregisters = false\n{servers}");
    let appliance = Setup::default()
        .with("[accounts]", &account)
        .with("dial", &format!("{DIAL}{dial}"))
        .start();
    wait::until("the account is open", SOON, || {
        (appliance.api("/health")["accounts"][0]["state"] == "open").then_some(())
    });
    appliance
}

/// `attendant dial`, under way.
fn dial(appliance: &Appliance, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["dial", NUMBER, "--api", &format!("http://{}", appliance.web)])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Its exit code, and what it has printed.
fn outcome(dial: Child) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = dial.wait_with_output().unwrap();
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

fn call(appliance: &Appliance) -> Option<Value> {
    appliance.record(|call| call["direction"] == "outbound")
}

fn becomes(appliance: &Appliance, state: &str) -> Value {
    let found = wait::within(LONG, || call(appliance).filter(|call| call["state"] == state));
    found.unwrap_or_else(|| panic!("not {state}: {:#?}", call(appliance)))
}

/// Nothing was said, and nobody was understood.
fn was_never_connected(record: &Value) {
    assert_eq!(record["answered_at_ms"], Value::Null, "{record:#}");
    assert_eq!(record["turn_count"], 0, "{record:#}");
    assert_eq!(record["greeting_delay_ms"], Value::Null, "{record:#}");
}

fn is_installed() -> bool {
    peers::is_installed("sipp", "sip-tester")
}

#[test]
fn early_media_that_ends_busy_is_heard_and_connects_nothing() {
    if !is_installed() {
        return;
    }
    let (callee, at) = Sipp::answering(include_str!("sipp/callee-early-busy.xml"), 1);
    let appliance = calling(at, "");
    let dialled = dial(&appliance, &[]);
    let early = becomes(&appliance, "early-media");
    assert_eq!((&early["peer"], &early["dialled"]["trunk"]), (&E164.into(), &"office".into()));
    assert_eq!(callee.finish(LONG), ONE);
    let (code, told) = outcome(dialled);
    assert_eq!(code, Some(8), "{told}");
    assert!(told.contains("early media") && told.contains("The other end was busy."), "{told}");
    let record = becomes(&appliance, "ended");
    was_never_connected(&record);
    assert_eq!(record["ending"]["cause"], "callee-busy");
    assert!(record["rtp"]["packets_sent"].as_u64().unwrap() > 20, "the way was open: {record:#}");
    assert!(!appliance.log().contains("1234567"), "no number stands in the log");
}

/// Of two machines of a trunk the first has ended: over UDP a call finds out, since nobody says so, and over
/// TCP it is known before the first call.
#[test]
fn a_call_goes_to_the_second_server_where_the_first_is_gone() {
    if !is_installed() || !peers::is_installed("kamailio", "kamailio") {
        return;
    }
    let busy = include_str!("sipp/callee-early-busy.xml");
    let ((first, gone), (callee, at)) = (Sipp::answering(busy, 1), Sipp::answering(busy, 1));
    drop(first);
    let second = Kamailio::start("MD5");
    let appliance = calling_by(
        &format!(
            "server = \"{gone}\"\nproxies = [\"{gone}\", \"{at}\"]\nkeep_alive_s = 0\n\
         [[accounts]]\nname = \"watched\"\nuser = \"1001\"\nregisters = false\n\
         server = \"{0}\"\nproxies = [\"{gone}\", \"{0}\"]\ntransport = \"tcp\"\n",
            second.address
        ),
        "",
    );
    let expected = "its server 2 of 2 is used, 1 does not answer";
    wait::until("the second is used", SOON, || {
        (appliance.api("/health")["accounts"][1]["reason"] == expected).then_some(())
    });
    let dialled = dial(&appliance, &[]);
    // Nobody is registered there.
    outcome(dial(&appliance, &["--trunk", "watched"]));
    let (code, told) = outcome(dialled);
    assert_eq!(code, Some(8), "{told}");
    assert_eq!(callee.finish(LONG), ONE);
    let cause = |trunk: &str| {
        let of = |call: &Value| call["dialled"]["trunk"] == trunk;
        appliance.record(of).map(|call| call["ending"]["cause"].clone())
    };
    assert_eq!(cause("office").unwrap(), "callee-busy");
    assert_eq!(cause("watched").unwrap(), "refused");
    assert!(!appliance.log().contains(&gone.to_string()), "no address stands in the log");
}

#[test]
fn of_forked_early_media_the_branch_that_answers_is_greeted_where_its_200_says() {
    if !is_installed() {
        return;
    }
    let (callee, at) = Sipp::answering(include_str!("sipp/callee-early-answer.xml"), 1);
    let appliance = calling(at, "");
    let dialled = dial(&appliance, &["--var", "subject=your delivery"]);
    let early = becomes(&appliance, "early-media");
    was_never_connected(&early);
    let talking = becomes(&appliance, "active");
    assert_eq!(talking["direction"], "outbound");
    assert_eq!(callee.finish(LONG), ONE);
    let (code, told) = outcome(dialled);
    assert_eq!(code, Some(0), "{told}");
    let record = becomes(&appliance, "ended");
    assert_eq!(record["ending"]["cause"], "hung-up");
    let said = record["turns"][0]["reply"].as_str().unwrap();
    assert!(said.contains("automatic assistant of Northgate Logistics."), "{said}");
    assert!(said.contains("I am calling about your delivery."), "{said}");
    println!("greeting after {} ms", record["greeting_delay_ms"]);
    assert!(record["greeting_delay_ms"].is_u64(), "{record:#}");
}

#[test]
fn a_call_that_is_talking_or_ringing_is_ended_by_the_interface() {
    if !is_installed() {
        return;
    }
    for (scenario, state, code) in [
        (include_str!("sipp/callee-answer.xml"), "active", 0),
        (include_str!("sipp/callee-silent.xml"), "ringing", 3),
    ] {
        let (callee, at) = Sipp::answering(scenario, 1);
        let appliance = calling(at, "");
        let dialled = dial(&appliance, &[]);
        let id = becomes(&appliance, state)["id"].as_str().unwrap().to_owned();
        let path = format!("/api/calls/{id}");
        let (status, _) = appliance.send("DELETE", &path, None).unwrap();
        assert_eq!(status, 202);
        assert_eq!(callee.finish(LONG), ONE, "{state}");
        let (exit, told) = outcome(dialled);
        assert_eq!(exit, Some(code), "{state}: {told}");
        let record = becomes(&appliance, "ended");
        assert_eq!(record["ending"]["cause"], "ended-by-owner", "{record:#}");
        let (status, _) = appliance.send("DELETE", &path, None).unwrap();
        assert_eq!(status, 409, "it has ended");
        let (status, _) = appliance.send("DELETE", "/api/calls/c99", None).unwrap();
        assert_eq!(status, 404);
    }
}

#[test]
fn nobody_answers_and_a_200_that_crosses_the_cancel_is_ended_unheard() {
    if !is_installed() {
        return;
    }
    for (scenario, rings) in
        [(include_str!("sipp/callee-silent.xml"), 0), (include_str!("sipp/callee-late.xml"), 1)]
    {
        let (mut callee, at) = Sipp::answering(scenario, 1);
        let appliance = calling(at, "ring_s = 5\n");
        let (code, told) = outcome(dial(&appliance, &[]));
        assert_eq!(code, Some(9), "{told}");
        assert_eq!(callee.ended(LONG), ONE, "{}", callee.messages());
        let record = becomes(&appliance, "ended");
        was_never_connected(&record);
        assert_eq!(record["ending"]["cause"], "no-answer");
        assert_eq!(callee.messages().contains("BYE sip:"), rings == 1);
    }
}

#[test]
fn a_busy_number_is_called_again_on_schedule_until_it_answers() {
    if !is_installed() {
        return;
    }
    let (callee, at) = Sipp::answering(include_str!("sipp/callee-busy-twice.xml"), 3);
    let appliance = calling(at, "busy_retry_s = [2, 3]\n");
    let dialled = dial(&appliance, &[]);
    let waiting = becomes(&appliance, "waiting");
    assert!(waiting["dialled"]["again_at_ms"].is_u64(), "{waiting:#}");
    assert_eq!(callee.finish(LONG), Outcome { successful: 3, failed: 0 });
    let (code, told) = outcome(dialled);
    assert_eq!(code, Some(0), "{told}");
    let record = becomes(&appliance, "ended");
    let earlier = record["dialled"]["earlier"].as_array().unwrap();
    assert_eq!(earlier.len(), 2, "{record:#}");
    assert!(earlier.iter().all(|attempt| attempt["cause"] == "callee-busy"));
    let waits: Vec<u64> = [&earlier[1]["began_at_ms"], &record["started_at_ms"]]
        .iter()
        .zip(earlier)
        .map(|(began, before)| began.as_u64().unwrap() - before["ended_at_ms"].as_u64().unwrap())
        .collect();
    assert!(waits[0] >= 1_900 && waits[1] >= 2_900, "{waits:?}");
    assert_eq!(appliance.api("/api/calls")["calls"].as_array().unwrap().len(), 1, "it is one call");
}

#[test]
fn a_number_that_waits_to_be_called_again_can_be_given_up() {
    if !is_installed() {
        return;
    }
    let (callee, at) = Sipp::answering(include_str!("sipp/callee-early-busy.xml"), 1);
    let appliance = calling(at, "busy_retry_s = [3600]\n");
    let dialled = dial(&appliance, &[]);
    let id = becomes(&appliance, "waiting")["id"].as_str().unwrap().to_owned();
    assert_eq!(callee.finish(LONG), ONE);
    assert_eq!(appliance.send("DELETE", &format!("/api/calls/{id}"), None).unwrap().0, 202);
    assert_eq!(outcome(dialled).0, Some(3));
    assert_eq!(becomes(&appliance, "ended")["ending"]["cause"], "ended-by-owner");
    assert_eq!(appliance.live_calls(), 0);
}

#[test]
fn what_is_not_allowed_is_not_called_and_limits_hold_over_a_crash() {
    if !is_installed() {
        return;
    }
    let (callee, at) = Sipp::answering(include_str!("sipp/callee-answer.xml"), 2);
    // Room for one call of eight begun minutes: five, until it is known who answers, and the farewell.
    let keys = "deny = [\"+49900\"]\ncalls_per_day = 2\ncost_per_minute = 1\nbudget_per_day = 10\n";
    let mut appliance = calling(at, keys);
    let ask = |appliance: &Appliance, body: Value| {
        let (status, answer) = appliance.send("POST", "/api/calls/dial", Some(&body)).unwrap();
        (status, answer["detail"].as_str().unwrap_or_default().to_owned())
    };
    let number = |number: &str| json!({ "phone_number": number });
    for (body, status, words) in [
        (number("anna"), 400, "phone_number"),
        (number("112"), 400, "neither a national nor"),
        (number("0900 1234567"), 403, "dial.deny"),
        (number("+1 212 555 0100"), 403, "dial.allow"),
        (json!({ "phone_number": NUMBER, "trunk": "home" }), 400, "there are: office"),
        (json!({ "phone_number": NUMBER, "playbook": "fr" }), 400, "there are: en"),
        (json!({ "phone_number": NUMBER, "variables": { "x": 1 } }), 400, "subject"),
    ] {
        let (answered, error) = ask(&appliance, body);
        assert_eq!(answered, status, "{error}");
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(ask(&appliance, number(NUMBER)).0, 202);
    becomes(&appliance, "active");
    let (status, error) = ask(&appliance, number(NUMBER));
    assert!(status == 429 && error.contains("budget"), "{status} {error}");
    // What became of that call is not known after this: it has cost all that was set aside.
    appliance.crash_and_start_again();
    wait::until("the account is open", SOON, || {
        (appliance.api("/health")["accounts"][0]["state"] == "open").then_some(())
    });
    let (status, error) = ask(&appliance, number(NUMBER));
    assert!(status == 429 && error.contains("budget"), "{status} {error}");
    assert_eq!(callee.messages().matches("INVITE sip:").count(), 1, "nobody else was called");
    let kept = std::fs::read_to_string(appliance.state().join("dialled.json")).unwrap();
    assert!(!kept.contains("1234567"), "no number is kept: {kept}");

    // A file that cannot be read allows nothing, and says so; calls are taken.
    std::fs::write(appliance.state().join("dialled.json"), "{").unwrap();
    appliance.crash_and_start_again();
    assert_eq!(ask(&appliance, number(NUMBER)).0, 503);
    let health = appliance.api("/health");
    let reasons = health["reasons"].to_string();
    assert!(health["takes_calls"] == true && reasons.contains("nobody is called"), "{health}");
}

#[test]
fn a_call_that_is_sent_on_goes_where_the_owner_lets_it() {
    if !is_installed() {
        return;
    }
    let (callee, at) = Sipp::answering(include_str!("sipp/callee-redirect.xml"), 2);
    let appliance = calling(at, "");
    let dialled = dial(&appliance, &[]);
    let talking = becomes(&appliance, "active");
    assert_eq!(talking["turn_count"], 1, "{talking:#}");
    let messages = callee.messages();
    assert_eq!(callee.finish(LONG), Outcome { successful: 2, failed: 0 });
    assert!(messages.contains("INVITE sip:+49307654321@"), "the number that may be called");
    assert!(!messages.contains("INVITE sip:+12125550100@"), "not the one that may not");
    assert_eq!(outcome(dialled).0, Some(0));
}

#[test]
fn a_telephone_that_is_picked_up_hears_who_calls_at_once() {
    if !peers::is_installed("baresip", "baresip-core") || !peers::is_installed("flite", "flite") {
        return;
    }
    picked_up(("", ""), "", false);
}

#[test]
fn a_telephone_with_keys_by_dtls_hears_who_calls_once_they_are_there() {
    if !peers::is_installed("baresip", "baresip-core") || !peers::is_installed("flite", "flite") {
        return;
    }
    let phone = (";mediaenc=dtls_srtp", "module dtls_srtp.so\n");
    picked_up(phone, "srtp = \"required\"\nkeys = \"dtls\"\n", true);
}

/// A telephone with these parameters and modules, called through an account with these keys.
fn picked_up((parameters, module): (&str, &str), keys: &str, is_encrypted: bool) {
    let way = ("udp", "PCMU/8000/1");
    let mut phone = Baresip::start_as(E164, [127, 0, 0, 1].into(), way, parameters, module);
    let (_, at) = phone.uri().split_once('@').unwrap();
    let at: SocketAddr = at.split(';').next().unwrap().parse().unwrap();
    let appliance = calling_with(at, "", keys);
    let dialled = dial(&appliance, &[]);
    phone.event("CALL_INCOMING", SOON);
    becomes(&appliance, "ringing");
    phone.command("accept", "");
    phone.event("CALL_ESTABLISHED", SOON);
    wait::until("the greeting is heard", SOON, || {
        let record = call(&appliance)?;
        record["greeting_delay_ms"].as_u64().filter(|_| record["state"] == "active")
    });
    std::thread::sleep(Duration::from_secs(5));
    phone.command("hangup", "");
    let (code, told) = outcome(dialled);
    assert_eq!(code, Some(0), "{told}");
    let record = becomes(&appliance, "ended");
    println!("greeting after {} ms of the answer", record["greeting_delay_ms"]);
    assert_eq!(record["srtp"].is_string(), is_encrypted, "{record:#}");
    let heard = phone.recording().expect("baresip has recorded");
    let greeting = "Hello, this is the automatic assistant of Northgate Logistics.";
    let likeness = sound::likeness_of_phrases(&heard, &[&sound::flite(greeting)]);
    println!("greeting heard, likeness {likeness:.3}");
    assert!(likeness > 0.8, "{likeness}");
}

#[test]
fn two_boxes_talk_through_a_registrar() {
    if !peers::is_installed("kamailio", "kamailio") {
        return;
    }
    let server = Kamailio::start("SHA-256");
    let boxed = |user: &str| {
        let account = format!(
            "name = \"office\"\nserver = \"{}\"\nuser = \"{user}\"\nrealm = \"{REALM}\"\n\
             keep_alive_s = 10\n",
            server.address
        );
        let appliance = Setup::default()
            .with("[accounts]", &account)
            .with("dial", DIAL)
            .env("ATTENDANT_ACCOUNT_OFFICE", PASSWORD)
            .start();
        wait::until("it is registered", SOON, || {
            (appliance.api("/health")["accounts"][0]["state"] == "registered").then_some(())
        });
        appliance
    };
    let (ours, theirs) = (boxed("1001"), boxed(E164));
    let dialled = dial(&ours, &["--var", "subject=your delivery"]);
    becomes(&ours, "active");
    // What two machines make of each other's words is chance, and one of them may say goodbye on its own.
    let inbound = || theirs.record(|call| call["direction"] == "inbound");
    let second = 50;
    wait::until("sound has gone both ways", LONG, || {
        let sides = [call(&ours)?, inbound()?];
        sides
            .iter()
            .all(|side| side["rtp"]["packets_received"].as_u64() > Some(second))
            .then_some(())
    });
    let id = call(&ours).unwrap()["id"].as_str().unwrap().to_owned();
    let (status, answer) = ours.send("DELETE", &format!("/api/calls/{id}"), None).unwrap();
    assert!(status == 202 || call(&ours).unwrap()["state"] == "ended", "{status} {answer}");
    assert_eq!(outcome(dialled).0, Some(0));
    let record = wait::until("it has ended there, too", SOON, || {
        theirs.record(|call| call["direction"] == "inbound" && call["state"] == "ended")
    });
    assert_eq!(record["ending"]["cause"], "hung-up");
    assert!(record["peer"].as_str().unwrap().contains("1001"), "{record:#}");
}
