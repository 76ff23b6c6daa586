//! The box calls the numbers of campaigns: SIPp is whom it calls, and the box is killed in the middle.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use support::appliance::{Appliance, Setup};
use support::sipp::Sipp;
use support::{peers, wait};

const SOON: Duration = Duration::from_secs(30);
/// A restart, the wait after it, and calls.
const LONG: Duration = Duration::from_secs(120);
const ANSWERS: &str = "+49301000001";
const BUSY_ONCE: &str = "+49302000002";
const DECLINES: &str = "+49303000003";
const ALWAYS: &str = "hours = \"Mon-Sun 00:00-24:00\"\n";

fn box_with(server: std::net::SocketAddr, campaigns: &str) -> Appliance {
    let account = format!(
        "name = \"office\"\nuser = \"1001\"\nregisters = false\nserver = \"{server}\"\nkeep_alive_s = 0\n"
    );
    let appliance = Setup::default()
        .calls_max(4)
        .with("[accounts]", &account)
        .with("dial", "allow = [\"+49\"]\ncountry_code = \"49\"\ncalls_per_minute = 60\n")
        .with("campaigns", campaigns)
        .start();
    is_open(&appliance);
    appliance
}

fn is_open(appliance: &Appliance) {
    wait::until("the account is open", SOON, || {
        (appliance.api("/health")["accounts"][0]["state"] == "open").then_some(())
    });
}

fn make(appliance: &Appliance, name: &str, numbers: &[&str]) -> i64 {
    let body = json!({ "name": name, "numbers": numbers });
    let (status, made) = appliance.send("POST", "/api/campaigns", Some(&body)).unwrap();
    assert_eq!(status, 201, "{made:#}");
    made["id"].as_i64().unwrap()
}

fn campaign(appliance: &Appliance, id: i64) -> Value {
    appliance.api(&format!("/api/campaigns/{id}"))
}

/// Of one number: its state and its calls so far.
fn number(appliance: &Appliance, id: i64, number: &str) -> (String, u64) {
    let shown = campaign(appliance, id);
    let numbers = shown["numbers"].as_array().unwrap();
    let found = numbers.iter().find(|shown| shown["phone_number"] == number);
    let found = found.unwrap_or_else(|| panic!("no {number}: {shown:#}"));
    (found["state"].as_str().unwrap().to_owned(), found["attempts"].as_u64().unwrap())
}

fn becomes(appliance: &Appliance, id: i64, (whose, state, attempts): (&str, &str, u64)) {
    let wanted = (state.to_owned(), attempts);
    let is_so = || (number(appliance, id, whose) == wanted).then_some(());
    if wait::within(LONG, is_so).is_none() {
        panic!("{whose} is not {wanted:?}: {:#}\n{}", campaign(appliance, id), appliance.log());
    }
}

/// Calls of this number that SIPp has got: an INVITE that was sent again is the same call.
fn rung(callee: &Sipp, number: &str) -> usize {
    let messages = callee.messages();
    let invite = format!("INVITE sip:{number}@");
    let invites = messages.split("INVITE sip:").skip(1).map(|rest| format!("INVITE sip:{rest}"));
    let ids: HashSet<String> = invites
        .filter(|message| message.starts_with(&invite))
        .filter_map(|message| {
            let line = message.lines().find(|line| line.starts_with("Call-ID:"))?;
            Some(line.to_owned())
        })
        .collect();
    ids.len()
}

#[test]
fn a_campaign_goes_on_after_the_box_was_killed_and_rings_nobody_twice_at_once() {
    if !peers::is_installed("sipp", "sip-tester") {
        return;
    }
    let (callee, at) = Sipp::answering(include_str!("sipp/callee-campaign.xml"), 20);
    let keys = format!("{ALWAYS}at_once = 2\nbusy_retry_s = 2\n");
    let mut appliance = box_with(at, &keys);
    // The first number stands there twice, and the last is nobody's whom the box may call.
    let numbers = [ANSWERS, "0301000001", BUSY_ONCE, "+12125550100"];
    let first = make(&appliance, "spring", &numbers);
    assert_eq!(campaign(&appliance, first)["number_count"], 3);
    assert_eq!(number(&appliance, first, "+12125550100"), ("refused".to_owned(), 0));
    wait::until("the first hears the playbook", SOON, || {
        let is_it = |call: &Value| call["peer"] == ANSWERS && call["state"] == "active";
        let said = appliance.record(is_it)?["turns"][0]["reply"].as_str()?.to_owned();
        said.contains("automatic assistant").then_some(())
    });
    // Another campaign has the number that is being called, and passes it over for the one behind it.
    let second = make(&appliance, "summer", &[ANSWERS, DECLINES]);
    becomes(&appliance, second, (DECLINES, "refused", 1));
    assert_eq!(number(&appliance, second, ANSWERS), ("waiting".to_owned(), 0));
    assert_eq!(number(&appliance, first, ANSWERS), ("calling".to_owned(), 1));
    appliance.crash();
    assert_eq!(rung(&callee, ANSWERS), 1);
    appliance.begin_again();
    appliance.is_ready_again();
    is_open(&appliance);

    becomes(&appliance, first, (BUSY_ONCE, "reached", 2));
    becomes(&appliance, first, (ANSWERS, "reached", 2));
    becomes(&appliance, second, (ANSWERS, "reached", 1));
    for id in [first, second] {
        wait::until("it is done", SOON, || {
            (campaign(&appliance, id)["state"] == "done").then_some(())
        });
    }
    assert_eq!((rung(&callee, ANSWERS), rung(&callee, BUSY_ONCE)), (3, 2));
    assert_eq!(rung(&callee, DECLINES), 1);
    assert!(!callee.messages().contains("12125550100"), "nobody outside the list is called");
    let calls = appliance.api("/api/history")["calls"].as_array().unwrap().clone();
    let mut times: Vec<(u64, u64)> = calls
        .iter()
        .filter(|call| call["peer"] == ANSWERS && call["state"] == "ended")
        .map(|call| {
            (call["started_at_ms"].as_u64().unwrap(), call["ended_at_ms"].as_u64().unwrap())
        })
        .collect();
    times.sort_unstable();
    assert!(times.len() == 2 && times[0].1 <= times[1].0, "one after the other: {times:?}");
    let text = appliance.text(&format!("/api/campaigns/{first}/export"));
    assert!(text.contains("+49301000001,reached,2,reached,"), "{text}");
    let log = appliance.log();
    assert!(!log.contains("1000001") && !log.contains("2000002"), "no number stands in the log");
}

#[test]
fn while_one_is_called_no_other_campaign_calls_it_and_the_owner_has_the_last_word() {
    if !peers::is_installed("sipp", "sip-tester") {
        return;
    }
    let (callee, at) = Sipp::answering(include_str!("sipp/callee-answer.xml"), 20);
    let appliance = box_with(at, &format!("{ALWAYS}at_once = 3\n"));
    let first = make(&appliance, "spring", &[ANSWERS]);
    wait::until("it talks", SOON, || {
        appliance.record(|call| call["peer"] == ANSWERS && call["state"] == "active").map(drop)
    });
    let second = make(&appliance, "summer", &[ANSWERS, DECLINES]);
    // What stands behind it has had its turn.
    becomes(&appliance, second, (DECLINES, "calling", 1));
    assert_eq!(number(&appliance, second, ANSWERS), ("waiting".to_owned(), 0));
    assert_eq!(rung(&callee, ANSWERS), 1);
    let post = |path: String| appliance.send("POST", &path, None).unwrap();
    assert_eq!(post(format!("/api/campaigns/{second}/pause")).1["state"], "paused");
    let unwanted = json!({ "phone_number": "030 1000001" });
    assert_eq!(appliance.send("POST", "/api/do-not-call", Some(&unwanted)).unwrap().0, 200);
    assert_eq!(number(&appliance, second, ANSWERS).0, "withdrawn");
    assert_eq!(number(&appliance, first, ANSWERS).0, "calling", "who talks goes on");
    assert_eq!(post(format!("/api/campaigns/{second}/cancel")).1["state"], "cancelled");
    assert_eq!(post(format!("/api/campaigns/{second}/resume")).0, 409);
    assert_eq!(post("/api/campaigns/99/pause".to_owned()).0, 404);
    let third = make(&appliance, "autumn", &[ANSWERS]);
    assert_eq!(campaign(&appliance, third)["state"], "done");
    assert_eq!(number(&appliance, third, ANSWERS), ("withdrawn".to_owned(), 0));
    // What would be wrong with every number is told before the first.
    for (body, words) in [
        (json!({ "name": "x", "numbers": [ANSWERS], "trunk": "home" }), "there are: office"),
        (json!({ "name": "x", "numbers": [ANSWERS], "playbook": "fr" }), "there are: en"),
        (json!({ "name": "x", "numbers": [ANSWERS], "variables": { "x": 1 } }), "subject"),
        (json!({ "name": "x", "numbers": [] }), "at least one"),
    ] {
        let (status, told) = appliance.send("POST", "/api/campaigns", Some(&body)).unwrap();
        assert!(status == 400 && told["detail"].as_str().unwrap().contains(words), "{told:#}");
    }
}
