//! Handsets of the box: a sound card that is two files, by ALSA's own plugins `file` and `null`, which do not pace.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![cfg(feature = "alsa")]

mod support;

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Value, json};
use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::folder::Folder;
use support::handset::Card;
use support::phone::Phone;
use support::sound::{self, Sound};
use support::{keyed, peers, wait};

const SOON: Duration = Duration::from_secs(20);
/// A phrase is rendered and played on a busy machine.
const SPOKEN: Duration = Duration::from_secs(60);
const CALLER_SAYS: &str = "My order has been lying in your depot since Tuesday morning.";
const DESK_SAYS: &str = "I will have it delivered to you this afternoon.";

fn section(more: &str) -> String {
    format!("name = \"desk\"\ndevice = \"handset\"\nring_volume = 20\n{more}")
}

fn box_with(card: &Card, more: &str) -> Setup {
    Setup::default()
        .with("[handset]", &section(more))
        .env("ALSA_CONFIG_PATH", card.config().display().to_string())
}

fn said(words: &str) -> Sound {
    Sound { rate_hz: sound::SAMPLE_RATE_HZ, samples: sound::speak(words) }
}

fn likeness(heard: &Sound, words: &str) -> f64 {
    sound::likeness_of_phrases(heard, &[&said(words)])
}

fn state(appliance: &Appliance) -> Value {
    appliance.api("/health")["handsets"][0].clone()
}

fn is(appliance: &Appliance, wanted: &str) {
    wait::within(SOON, || (state(appliance)["state"] == wanted).then_some(()))
        .unwrap_or_else(|| panic!("never {wanted}: {:#}\n{}", state(appliance), appliance.log()));
}

fn act(appliance: &Appliance, body: &Value) -> u16 {
    appliance.send("POST", "/api/handsets/desk", Some(body)).expect("it answers").0
}

fn ends(appliance: &Appliance, user: &str) -> Value {
    wait::until("the call is over", SOON, || {
        appliance.record_of(user).filter(|call| call["state"] == "ended")
    })
}

#[test]
fn a_caller_is_put_through_to_the_handset_and_both_hear_each_other() {
    let card = Card::new(&sound::speak(DESK_SAYS), 1_000);
    card.plug();
    let appliance = box_with(&card, "").start();
    is(&appliance, "idle");
    let mut caller = Phone::new("caller");
    caller.call(&appliance.uri(), appliance.sip);
    let call = appliance.record_of("caller").unwrap()["id"].as_str().unwrap().to_owned();
    let control = format!("/api/calls/{call}/control");
    let to = |to: &str| json!({ "action": "transfer", "to": to });
    let unknown = appliance.send("POST", &control, Some(&to("local:shed"))).unwrap();
    assert_eq!(unknown.0, 400, "{}", unknown.1);
    assert_eq!(act(&appliance, &json!({ "action": "answer" })), 409, "nothing rings");
    assert_eq!(appliance.send("POST", &control, Some(&to("local:desk"))).unwrap().0, 202);
    is(&appliance, "ringing");
    // The bell, and who calls: as loud as it was said to be, and for long enough to be heard.
    wait::until("it rings", SPOKEN, || {
        let played = card.played();
        (played.loudness().iter().filter(|rms| **rms > 300.0).count() > 40).then_some(())
    });
    assert_eq!(act(&appliance, &json!({ "action": "answer" })), 202);
    is(&appliance, "talking");
    wait::until("the two are joined", SOON, || {
        appliance.record_of("caller").filter(|call| call["is_joined"] == true)
    });
    caller.says(&sound::speak(CALLER_SAYS));
    wait::until("both have spoken", SPOKEN, || {
        let has_heard = caller.heard().len() > 400;
        (caller.has_said() && has_heard).then_some(())
    });
    // The file is written a buffer at a time.
    let (to_desk, to_caller) = wait::until("both were heard", SPOKEN, || {
        let heard =
            (likeness(&card.played(), CALLER_SAYS), likeness(&caller.recording(), DESK_SAYS));
        (heard.0 > 0.8 && heard.1 > 0.8).then_some(heard)
    });
    println!("likeness: {to_desk:.3} at the handset, {to_caller:.3} at the caller's");
    assert_eq!(act(&appliance, &json!({ "action": "hang-up" })), 202);
    caller.is_hung_up();
    let record = ends(&appliance, "caller");
    assert_eq!(record["ending"]["cause"], "transferred", "{record:#}");
    is(&appliance, "idle");
    let metrics = appliance.text("/metrics");
    assert!(metrics.contains("attendant_handsets{state=\"idle\"} 1"), "{metrics}");
    assert!(metrics.contains("attendant_handset_xruns_total{side=\"microphone\"} 0"), "{metrics}");
    assert!(!appliance.log().contains("caller@"), "no address stands in the log");
}

#[test]
#[ignore = "has not passed yet: on demand"]
fn a_handset_that_answers_by_itself_is_a_person_like_any_other() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    let card = Card::new(&sound::speak(DESK_SAYS), 1_000);
    card.plug();
    let folder = Folder::new("playbook");
    let appliance = box_with(&card, "answer = \"itself\"\nhands_free = true")
        .with("[person]", "name = \"Anna\"\naddress = \"local:desk\"")
        .with("converse", &keyed::playbook(&folder))
        .start();
    is(&appliance, "idle");
    let mut caller = Baresip::start("keys", Ipv4Addr::LOCALHOST.into(), "udp", "PCMU/8000/1");
    caller.command("dial", &appliance.uri());
    caller.event("CALL_ESTABLISHED", SOON);
    wait::until("it is greeted", SPOKEN, || {
        appliance.record_of("keys").filter(|call| call["greeting_delay_ms"].is_u64())
    });
    caller.command("sndcode", keyed::PERSON);
    is(&appliance, "talking");
    wait::until("the two are joined", SOON, || {
        appliance.record_of("keys").filter(|call| call["is_joined"] == true)
    });
    wait::until("the handset is heard", SPOKEN, || {
        (likeness(&caller.recording()?, DESK_SAYS) > 0.7).then_some(())
    });
    // Somebody else who calls meanwhile finds it busy, and is told so by the box.
    let mut other = Phone::new("other");
    other.call(&appliance.uri(), appliance.sip);
    let call = appliance.record_of("other").unwrap()["id"].as_str().unwrap().to_owned();
    let control = format!("/api/calls/{call}/control");
    let to = json!({ "action": "transfer", "to": "local:desk" });
    assert_eq!(appliance.send("POST", &control, Some(&to)).unwrap().0, 202);
    wait::until("it goes on with us", SOON, || {
        let is_busy =
            |call: &Value| call["state"] == "ended" && call["ending"]["cause"] == "callee-busy";
        appliance.record(|call| call["peer"] == "local:desk" && is_busy(call))
    });
    assert_eq!(appliance.record_of("other").unwrap()["state"], "active");
    other.hangs_up();
    caller.command("hangup", "");
    ends(&appliance, "keys");
    is(&appliance, "idle");
}

#[test]
fn somebody_at_the_handset_calls_a_telephone() {
    let card = Card::new(&sound::speak(DESK_SAYS), 1_000);
    card.plug();
    let appliance = box_with(&card, "").start();
    is(&appliance, "idle");
    let mut telephone = Phone::new("anna");
    let to = format!("sip:anna@{}", telephone.address());
    assert_eq!(act(&appliance, &json!({ "action": "call", "to": to })), 202);
    telephone.rings();
    telephone.answers();
    wait::until("the handset is heard", SPOKEN, || {
        (likeness(&telephone.recording(), DESK_SAYS) > 0.8).then_some(())
    });
    telephone.says(&sound::speak(CALLER_SAYS));
    wait::until("and hears", SPOKEN, || {
        (likeness(&card.played(), CALLER_SAYS) > 0.8).then_some(())
    });
    telephone.hangs_up();
    is(&appliance, "idle");
    let refused = json!({ "action": "call", "to": "+491234567890" });
    assert_eq!(act(&appliance, &refused), 403, "[dial] allows nobody");
    assert_eq!(act(&appliance, &json!({ "action": "dance" })), 400);
}

#[test]
fn what_is_announced_is_heard_in_its_words() {
    let card = Card::new(&[], 1_000);
    card.plug();
    let appliance = box_with(&card, "").start();
    is(&appliance, "idle");
    let text = "The shop closes in ten minutes.";
    let announce =
        |body: &Value| appliance.send("POST", "/api/announcements", Some(body)).unwrap().0;
    assert_eq!(announce(&json!({ "text": text, "handset": "shed" })), 404);
    assert_eq!(announce(&json!({ "text": "" })), 400);
    assert_eq!(announce(&json!({ "text": text, "language": "xx" })), 400);
    assert_eq!(announce(&json!({ "text": text })), 202);
    let wanted = sound::flite(text);
    let heard = wait::until("it is heard", SPOKEN, || {
        let heard = sound::likeness_of_phrases(&card.played(), &[&wanted]);
        (heard > 0.9).then_some(heard)
    });
    println!("likeness: {heard:.3}");
}

#[test]
fn a_card_that_comes_later_is_found_and_told_until_then() {
    let card = Card::new(&[], 1_000);
    card.unplug();
    let appliance = box_with(&card, "").start();
    is(&appliance, "away");
    let health = appliance.api("/health");
    assert_eq!(health["state"], "degraded", "{health:#}");
    let reasons = health["reasons"].to_string();
    assert!(reasons.contains("handset desk: microphone: "), "{reasons}");
    assert_eq!(act(&appliance, &json!({ "action": "call" })), 409);
    card.plug();
    is(&appliance, "idle");
    let metrics = appliance.text("/metrics");
    assert!(metrics.contains("attendant_handset_lost_total{side=\"microphone\"} 1"), "{metrics}");
}

/// With a card of the kernel's own that hears what it plays (`modprobe snd-aloop`): paced, unlike files.
#[test]
#[ignore = "needs snd-aloop"]
fn a_card_with_a_clock_of_its_own_keeps_step_for_a_minute() {
    if !std::path::Path::new("/proc/asound/Loopback").exists() {
        println!("LEFT OUT: no snd-aloop on this machine");
        return;
    }
    let keys = "name = \"desk\"\ndevice = \"hw:CARD=Loopback,DEV=0\"\nmicrophone = \"hw:CARD=Loopback,DEV=1\"";
    let appliance = Setup::default().with("[handset]", keys).start();
    is(&appliance, "idle");
    let mut telephone = Phone::new("anna");
    let to = format!("sip:anna@{}", telephone.address());
    assert_eq!(act(&appliance, &json!({ "action": "call", "to": to })), 202);
    telephone.rings();
    telephone.answers();
    telephone.says(&sound::speak(CALLER_SAYS));
    // What it says comes back by the loop.
    wait::until("it hears itself", SPOKEN, || {
        (likeness(&telephone.recording(), CALLER_SAYS) > 0.8).then_some(())
    });
    wait::until("a minute has passed", Duration::from_secs(90), || {
        (telephone.heard().len() > 3_000).then_some(())
    });
    let shown = state(&appliance);
    assert!(shown["xruns"].as_u64().unwrap() < 3, "{shown:#}");
    telephone.hangs_up();
}
