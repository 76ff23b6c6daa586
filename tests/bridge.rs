//! Callers whom the box puts through itself: two telephones by baresip, and who takes the call.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::sound::{self, Sound};
use support::{peers, wait};

const ANSWER: Duration = Duration::from_secs(20);
/// A sentence, its decoding on a busy machine, and the reply.
const TURN: Duration = Duration::from_secs(60);
const CALLER_SAYS: &str = "My order has been lying in your depot since Tuesday morning.";
const PERSON_SAYS: &str = "I will have it delivered to you this afternoon.";

fn telephone(user: &str) -> Baresip {
    Baresip::start(user, Ipv4Addr::LOCALHOST.into(), "udp", "PCMU/8000/1")
}

/// A caller who asks for a person once the greeting is over.
fn asking(appliance: &Appliance, user: &str) -> Baresip {
    let mut caller = telephone(user);
    caller.command("dial", &appliance.uri());
    caller.event("CALL_ESTABLISHED", ANSWER);
    caller.play(&sound::after_greeting("i want to speak to a person"));
    caller
}

fn becomes(appliance: &Appliance, user: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let found = wait::within(TURN, || appliance.record_of(user).filter(|call| is_so(call)));
    found.unwrap_or_else(|| panic!("{what}: {:#?}", appliance.record_of(user)))
}

fn likeness(heard: &Baresip, words: &str) -> f64 {
    let recorded = heard.recording().expect("baresip has recorded");
    let said = Sound { rate_hz: sound::SAMPLE_RATE_HZ, samples: sound::speak(words) };
    sound::likeness_of_phrases(&recorded, &[&said])
}

#[test]
fn the_two_talk_through_the_box_once_the_person_has_pressed_1() {
    if !peers::is_installed("baresip", "baresip-core") || !peers::is_installed("flite", "flite") {
        return;
    }
    let mut anna = telephone("anna");
    let person = format!("name = \"Anna\"\naddress = \"{}\"\nby = \"bridge\"", anna.uri());
    let appliance = Setup::default().with("[person]", &person).start();
    let mut caller = asking(&appliance, "caller-bridged");
    anna.event("CALL_INCOMING", TURN);
    anna.command("accept", "");
    anna.event("CALL_ESTABLISHED", ANSWER);
    let waiting = appliance.record_of("caller-bridged").unwrap();
    assert_eq!(waiting["is_joined"], false, "an answer alone takes nobody: {waiting:#}");
    anna.command("sndcode", "1");
    for user in ["caller-bridged", "anna"] {
        becomes(&appliance, user, "joined", |call| call["is_joined"] == true);
    }
    let turns = appliance.record_of("caller-bridged").unwrap()["turn_count"].clone();
    caller.play(&sound::speak(CALLER_SAYS));
    anna.play(&sound::speak(PERSON_SAYS));
    let longest =
        [CALLER_SAYS, PERSON_SAYS].map(|words| sound::speak(words).len()).into_iter().max();
    let packets_said = longest.unwrap() as u64 / 320;
    let packets = |user| appliance.record_of(user)?["rtp"]["packets_sent"].as_u64();
    // The sentence and a second more have gone to the person.
    let enough = packets("anna").unwrap() + packets_said + 50;
    wait::until("both have spoken", TURN, || (packets("anna")? >= enough).then_some(()));
    anna.command("hangup", "");
    caller.event("CALL_CLOSED", ANSWER);
    let record = becomes(&appliance, "caller-bridged", "over", |call| call["state"] == "ended");
    assert_eq!(record["ending"]["cause"], "transferred", "{record:#}");
    assert_eq!(record["turn_count"], turns, "what they said is not ours");
    let (to_anna, to_caller) = (likeness(&anna, CALLER_SAYS), likeness(&caller, PERSON_SAYS));
    println!("likeness: {to_anna:.3} to the person, {to_caller:.3} to the caller");
    assert!(to_anna > 0.7 && to_caller > 0.7, "{to_anna} {to_caller}");
    assert!(!appliance.log().contains("anna@"), "no address stands in the log");
}

#[test]
fn who_refuses_is_followed_by_the_next_and_a_caller_who_leaves_stops_the_ringing() {
    if !peers::is_installed("baresip", "baresip-core") || !peers::is_installed("flite", "flite") {
        return;
    }
    let (mut anna, mut ben) = (telephone("anna"), telephone("ben"));
    let person = |name: &str, telephone: &Baresip, rest: &str| {
        let uri = telephone.uri();
        format!("name = \"{name}\"\naddress = \"{uri}\"\nby = \"bridge\"\n{rest}")
    };
    let both = format!(
        "{}\n[[person]]\n{}",
        person("Anna", &anna, "then = \"Ben\""),
        person("Ben", &ben, "")
    );
    let appliance = Setup::default().with("[person]", &both).start();
    let mut caller = asking(&appliance, "caller-hunting");
    anna.event("CALL_INCOMING", TURN);
    anna.command("hangup", "");
    // Sooner than the time for which it may ring at the first.
    ben.event("CALL_INCOMING", ANSWER);
    caller.command("hangup", "");
    ben.event("CALL_CLOSED", ANSWER);
    let record = becomes(&appliance, "caller-hunting", "over", |call| call["state"] == "ended");
    assert_eq!(record["ending"]["cause"], "hung-up", "{record:#}");
    wait::until("no call is left", ANSWER, || (appliance.live_calls() == 0).then_some(()));
}
