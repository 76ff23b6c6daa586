//! Chromium calls a box through the box's own page, as a user would.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::time::Duration;

use serde_json::Value;
use support::appliance::Setup;
use support::chromium::Chromium;
use support::devtools::Page;
use support::folder::Folder;
use support::sound::{self, Sound};
use support::{peers, wait};

const WITNESS: &str = include_str!("page/witness.js");
/// At the rate that a browser records with.
const MICROPHONE_HZ: u32 = 16_000;
const CALL: Duration = Duration::from_secs(45);
const CALLS: usize = 20;

fn is_possible() -> bool {
    let needed = [("chromium", "chromium"), ("flite", "flite")];
    needed.iter().all(|(program, package)| peers::is_installed(program, package))
}

/// What the page shows at last.
fn until(page: &mut Page, id: &str, wanted: &str) -> String {
    let found = wait::within(CALL, || {
        let text = page.text(id);
        text.contains(wanted).then_some(text)
    });
    found.unwrap_or_else(|| {
        panic!("no {wanted:?} in {id}: {:?} {:?}", page.text("state"), page.text("error"))
    })
}

fn heard(page: &mut Page) -> Sound {
    let samples = page.evaluate("witness.heard");
    let samples = samples.as_array().unwrap().iter().map(|sample| sample.as_i64().unwrap());
    let samples = samples.map(|sample| i16::try_from(sample).unwrap()).collect();
    Sound { rate_hz: MICROPHONE_HZ, samples }
}

#[test]
fn a_caller_is_greeted_and_understood_across_a_restart_of_ice() {
    if !is_possible() {
        return;
    }
    let appliance = Setup::default().start();
    let folder = Folder::new("microphone");
    let said = sound::after_greeting("What are your opening hours?");
    sound::write_wav(&folder.at("said.wav"), MICROPHONE_HZ, &said, 0);
    let browser = Chromium::open("about:blank", &folder.at("said.wav"));
    let mut page = browser.page();
    page.open(&format!("http://{}/call", appliance.web), WITNESS);
    page.evaluate("witness.isRecording = true");
    page.click("call");
    until(&mut page, "state", "In call");
    let is_loud = "witness.until(() => document.getElementById('theirs').value > 0.05)";
    page.evaluate(is_loud);

    let before = (page.evaluate("witness.name()"), page.evaluate("witness.packets()"));
    page.evaluate("dispatchEvent(new Event('online'))");
    page.evaluate(&format!("witness.until(() => witness.name() !== {})", before.0));
    wait::until("sound comes by the new way", CALL, || {
        let packets = page.evaluate("witness.packets()").as_u64()?;
        (packets > before.1.as_u64()? + 100).then_some(())
    });
    let talk = until(&mut page, "talk", "opening hours");
    println!("{talk}");
    let reply = wait::until("a reply that is shown", CALL, || {
        let texts = "[...document.querySelectorAll('#talk .you + .we')].map((one) => one.lastChild.textContent)";
        page.evaluate(texts).as_array()?.last()?.as_str().map(str::to_owned)
    });
    page.evaluate(is_loud);
    let statistics =
        page.evaluate("witness.connections.at(-1).getStats().then((all) => [...all.values()])");
    let inbound = statistics.as_array().unwrap().iter().find(|one| one["type"] == "inbound-rtp");
    println!("replied: {reply}; {:#}", inbound.unwrap());
    page.click("hang-up");
    until(&mut page, "state", "You have hung up");

    let heard = heard(&mut page);
    let greeting = sound::GREETING.map(sound::flite);
    let likeness = sound::likeness_of_phrases(&heard, &greeting.each_ref());
    println!("greeting heard, likeness {likeness:.3}");
    let record = wait::until("it has ended at the box, too", CALL, || {
        appliance.record(|call| call["state"] == "ended")
    });
    assert!(likeness > 0.8, "{likeness}");
    assert_eq!((&record["way"], &record["codec"]), (&"webrtc".into(), &"opus".into()));
    assert_eq!(record["ending"]["cause"], "hung-up");
    assert!(record["srtp"].is_string(), "{record:#}");
    assert_eq!(inbound.unwrap()["packetsLost"], 0);
}

#[test]
fn twenty_calls_in_a_row_are_heard_and_a_box_that_goes_is_noticed() {
    if !is_possible() {
        return;
    }
    let mut appliance = Setup::default().start();
    let folder = Folder::new("microphone");
    sound::write_wav(&folder.at("silence.wav"), MICROPHONE_HZ, &sound::silence_ms(1_000), 0);
    let browser = Chromium::open("about:blank", &folder.at("silence.wav"));
    let mut page = browser.page();
    page.open(&format!("http://{}/call", appliance.web), WITNESS);
    let mut lengths = Vec::new();
    for _ in 0..CALLS {
        let ms = page.evaluate(
            "(async () => {
               const byId = (id) => document.getElementById(id);
               const began = performance.now();
               byId('call').click();
               await witness.until(() => byId('theirs').value > 0.03);
               const heard = performance.now() - began;
               byId('hang-up').click();
               await witness.until(() => !byId('call').hidden && !byId('call').disabled);
               return Math.round(heard);
             })()",
        );
        lengths.push(ms.as_u64().unwrap());
    }
    println!("from the click to the first sound, ms: {lengths:?}");
    wait::until("all have ended at the box", CALL, || {
        let calls = appliance.api("/api/calls")["calls"].take();
        let is_over = |call: &Value| call["ending"]["cause"] == "hung-up";
        let ended = calls.as_array().unwrap().iter().filter(|call| is_over(call)).count();
        (ended == CALLS).then_some(())
    });
    assert_eq!(appliance.live_calls(), 0);

    page.click("call");
    until(&mut page, "state", "In call");
    appliance.stop();
    until(&mut page, "state", "Ended.");
    page.click("call");
    let told = until(&mut page, "error", "does not answer");
    println!("{told}");
}
