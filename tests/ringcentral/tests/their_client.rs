//! RingCentral's own client in a page of Chromium.

use std::time::Duration;

use serde_json::{Value, json};

use crate::boxes::{CALL, START, box_of, dial, registered};
use crate::rest;
use crate::stand_in::{Delivery, StandIn};
use crate::support::web_telephone::{WebTelephone, greeting_in, library};
use crate::support::{sound, wait};

const TALK_MS: u64 = 9_000;

/// A page with the client, as extension 102; `None`: the test is left out.
fn page(stand_in: &StandIn, mut settings: Value, says: &[i16]) -> Option<WebTelephone> {
    let client = library("ringcentral-web-phone", "dist/index.iife.js")?;
    settings["sipInfo"] = {
        let state = stand_in.lock();
        let proxy = state.secure_sip.as_str();
        rest::provisioned(&state, 1, (proxy, proxy))["sipInfo"][0].clone()
    };
    Some(WebTelephone::open(include_str!("../page.html"), client, settings, says))
}

/// Packets of sound that have come.
fn packets(page: &WebTelephone) -> u64 {
    let told = String::from_utf8(page.get("packets").unwrap_or_default()).unwrap();
    told.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or_default()
}

#[test]
fn ringcentrals_own_client_calls_the_box_and_is_understood() {
    let stand_in = StandIn::start();
    let said = sound::after_greeting("What are your opening hours?");
    let settings = json!({ "calls": "101", "talk_ms": TALK_MS });
    let appliance = box_of(&stand_in, "").start();
    registered(&stand_in, "101");
    let Some(page) = page(&stand_in, settings, &said) else { return };
    page.within(START, "registered");
    page.within(CALL, "answered");
    let likeness = greeting_in(&page.within(CALL, "heard"));
    page.within(CALL, "ended");
    let record = wait::until("it has ended at the box, too", CALL, || {
        appliance.record(|call| call["state"] == "ended")
    });
    println!("greeting heard, likeness {likeness:.3}; {:#}", record["turns"]);
    assert!(likeness > 0.8, "{likeness}");
    assert_eq!((&record["codec"], &record["ending"]["cause"]), (&json!("opus"), &json!("hung-up")));
    let words = record["turns"].to_string();
    assert!(words.contains("opening hours"), "{words}");
    // It was told that the INVITE has come before it was answered, in the call's own words.
    assert_eq!(stand_in.count("AGENT 17 <Msg><Hdr SID="), 1);
}

#[test]
fn the_box_speaks_once_the_session_says_that_somebody_answers_and_outlives_a_lost_socket() {
    let stand_in = StandIn::start();
    {
        let mut state = stand_in.lock();
        state.faults.holds_answered = true;
        state.faults.delivery = Delivery::Disordered;
    }
    let appliance =
        box_of(&stand_in, "").with("dial", "allow = [\"+1\"]\non_machine = \"talk\"").start();
    registered(&stand_in, "101");
    let settings = json!({ "answer_after_ms": 200 });
    let Some(page) = page(&stand_in, settings, &[0; 16_000]) else { return };
    page.within(START, "registered");
    wait::until("its events come", START, || (stand_in.count("SUBSCRIBED") > 0).then_some(()));
    let dialled = wait::until("it is dialled", CALL, || {
        let (status, told) = dial(&appliance, "+17205550102", None);
        (status == 202).then_some(told)
    });
    println!("{dialled}");
    page.within(CALL, "answered");
    // Its 200 is there, and sound; the session has not said that anybody answers.
    wait::until("its sound comes", CALL, || (packets(&page) > 20).then_some(()));
    let record = appliance.record(|_| true).unwrap();
    assert!(record["state"] != "active" && record["state"] != "ended", "{record:#}");
    stand_in.tell_answered();
    let active = || appliance.record(|call| call["state"] == "active");
    let record = wait::until("it is answered", CALL, active);
    println!("{:#}", record["dialled"]);
    stand_in.cut_off("101");
    wait::until("the call was offered anew", CALL, || {
        (stand_in.count("REANSWERED") > 0).then_some(())
    });
    let before = packets(&page);
    wait::until("its sound goes on", CALL, || (packets(&page) > before + 50).then_some(()));
    assert!(active().is_some());
    // The server that it was registered with is gone for good: the same by the other one.
    stand_in.kill_proxy(0);
    wait::until("the call was offered anew by the backup", CALL, || {
        (stand_in.count("REANSWERED") > 1).then_some(())
    });
    assert!(stand_in.last("REGISTERED 101").unwrap().ends_with("by 1"));
    let before = packets(&page);
    wait::until("its sound goes on", CALL, || (packets(&page) > before + 50).then_some(()));
    assert!(active().is_some());
    let id = record["id"].as_str().unwrap();
    let (status, _) = appliance.send("DELETE", &format!("/api/calls/{id}"), None).unwrap();
    assert_eq!(status, 202);
    page.within(CALL + Duration::from_secs(1), "ended");
}
