//! A page in Chromium calls a box with SIP.js by secure WebSocket through Kamailio, and is answered.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::appliance::Setup;
use support::kamailio::{Kamailio, PASSWORD, REALM};
use support::web_telephone::{START, WebTelephone, greeting_in, library};
use support::{peers, sound, wait};

const CALL: Duration = Duration::from_secs(45);
const TALK_MS: u64 = 12_000;

#[test]
fn a_page_with_sip_js_is_answered_through_kamailio() {
    let Some(sip_js) = library("sip.js", "lib/index.js") else { return };
    if !peers::is_installed("kamailio", "kamailio") {
        return;
    }
    let kamailio = Kamailio::start("MD5");
    let account = format!(
        "name = \"office\"\nserver = \"{}\"\nuser = \"1001\"\nrealm = \"{REALM}\"\n",
        kamailio.address
    );
    let appliance = Setup::default()
        .with("[accounts]", &account)
        .env("ATTENDANT_ACCOUNT_OFFICE", PASSWORD)
        .start();
    wait::until("it is registered", CALL, || kamailio.has("1001").then_some(()));
    let said = sound::after_greeting("What are your opening hours?");
    let page = WebTelephone::open(
        include_str!("browser/telephone.html"),
        sip_js,
        json!({
            "server": format!("wss://{}", kamailio.secure),
            "realm": REALM,
            "user": "browser",
            "password": PASSWORD,
            "calls": "1001",
            "talk_ms": TALK_MS,
        }),
        &said,
    );
    page.within(START, "registered");
    let answer = String::from_utf8(page.within(CALL, "established")).unwrap();
    println!("{answer}");
    let heard = page.within(CALL, "heard");
    let statistics = page.within(CALL, "statistics");
    page.within(CALL, "ended");
    drop(page);
    let likeness = greeting_in(&heard);
    let statistics: Vec<Value> = serde_json::from_slice(&statistics).unwrap();
    let inbound = statistics.iter().find(|one| one["type"] == "inbound-rtp").unwrap();
    println!("{inbound:#}");
    let record = wait::until("it has ended at the box, too", CALL, || {
        appliance.record(|call| call["state"] == "ended")
    });
    println!("greeting heard, likeness {likeness:.3}; {:#}", record["turns"]);
    assert!(likeness > 0.8, "{likeness}");
    assert_eq!(inbound["packetsLost"], 0, "{inbound:#}");
    assert_eq!(record["codec"], "opus");
    assert_eq!(record["ending"]["cause"], "hung-up");
    let words = record["turns"].to_string();
    assert!(words.contains("opening hours"), "{words}");
}
