//! The speech engine is killed in the middle of a caller's sentence: the call goes on.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::{peers, sound, wait};

const ANSWER: Duration = Duration::from_secs(20);
/// A new engine, its models, and a sentence of ours.
const BACK: Duration = Duration::from_secs(90);
const LOST: &str = "One moment, please.";
const BACK_AGAIN: &str = "Thank you for waiting. Please say that again.";
/// After the greeting.
const LEAD_MS: u32 = 5_000;
/// Into the sentence.
const MIDDLE_MS: u32 = 600;
/// The sentence that was cut short may still be answered, once there is an engine for it.
const REPLY_MS: u32 = 10_000;

fn record(appliance: &Appliance) -> Value {
    appliance.record(|_| true).expect("there is one call")
}

/// When a reply with these words has appeared.
fn said(appliance: &Appliance, words: &str, limit: Duration) -> Instant {
    let found = wait::within(limit, || {
        let record = record(appliance);
        let turns = record["turns"].as_array().unwrap();
        turns.iter().any(|turn| turn["reply"].as_str().unwrap().contains(words)).then(Instant::now)
    });
    found.unwrap_or_else(|| panic!("no {words:?} in {:#}", record(appliance)))
}

fn after(silence_ms: u32, text: &str) -> Vec<i16> {
    let mut samples = sound::silence_ms(silence_ms);
    samples.extend(sound::speak(text));
    samples
}

#[test]
fn the_caller_is_told_and_the_next_sentence_is_answered() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    let question = after(LEAD_MS, "what are your opening hours");
    let next = after(REPLY_MS, "where are you located");
    let appliance = Setup::default().start();
    let engine = appliance.engine_pid().expect("the engine runs");
    let mut caller = Baresip::start("caller", appliance.sip.ip(), "udp", "PCMU/8000/1");
    caller.command("dial", &appliance.uri());
    caller.event("CALL_ESTABLISHED", ANSWER);

    caller.play(&question);
    let middle = Instant::now() + Duration::from_millis((LEAD_MS + MIDDLE_MS).into());
    wait::until("the middle of the sentence", ANSWER, || (Instant::now() >= middle).then_some(()));
    kill(Pid::from_raw(engine.try_into().unwrap()), Signal::SIGKILL).unwrap();
    let killed = Instant::now();
    let told = said(&appliance, LOST, ANSWER);
    let back = said(&appliance, BACK_AGAIN, BACK);
    let new = appliance.engine_pid().expect("a new engine runs");
    assert_ne!(new, engine);
    caller.play(&next);
    said(&appliance, "You find us at 12 Harbour Road", BACK);
    assert_eq!(record(&appliance)["state"], "active");
    println!(
        "from the kill: told after {} ms, ready again and said so after {} ms",
        (told - killed).as_millis(),
        (back - killed).as_millis(),
    );
    assert!(told - killed < Duration::from_secs(5));
    assert!(!caller.has_seen("CALL_CLOSED"));
    assert_eq!(appliance.api("/health")["state"], "ready");
}
