//! Callers whom the box puts through itself: who takes the call, and whom the person passes it on to.
//! Telephones by baresip, and by linphone where one call is to take the place of another.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::folder::Folder;
use support::linphone::Linphone;
use support::sound::{self, Sound};
use support::{keyed, peers, wait};

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
    // The sentence and three seconds more have gone to the person: baresip may be late with a file.
    let enough = packets("anna").unwrap() + packets_said + 150;
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

/// A caller who presses the key for a person once the greeting has begun.
fn pressing(appliance: &Appliance, user: &str) -> Baresip {
    let mut caller = telephone(user);
    caller.command("dial", &appliance.uri());
    caller.event("CALL_ESTABLISHED", ANSWER);
    becomes(appliance, user, "greeted", |call| call["greeting_delay_ms"].is_u64());
    caller.command("sndcode", keyed::PERSON);
    caller
}

/// A caller who is joined with Anna, and Ben, to whom she may pass the call on.
fn joined_with_anna(user: &str) -> (Folder, Appliance, [Baresip; 3]) {
    let folder = Folder::new("playbook");
    let (mut anna, ben) = (telephone("anna"), telephone("ben"));
    let person = |name, uri| format!("name = \"{name}\"\naddress = \"{uri}\"\nby = \"bridge\"");
    let appliance = Setup::default()
        .with("[person]", &person("Anna", anna.uri()))
        .with("[person]", &format!("[[person]]\n{}", person("Ben", ben.uri())))
        .with("inbound", "refer = \"people\"")
        .with("converse", &keyed::playbook(&folder))
        .start();
    let caller = pressing(&appliance, user);
    anna.event("CALL_INCOMING", TURN);
    anna.command("accept", "");
    anna.event("CALL_ESTABLISHED", ANSWER);
    anna.command("sndcode", "1");
    becomes(&appliance, "anna", "joined", |call| call["is_joined"] == true);
    (folder, appliance, [caller, anna, ben])
}

#[test]
fn a_person_passes_the_caller_on_and_leaves() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    let (_folder, appliance, [mut caller, mut anna, mut ben]) =
        joined_with_anna("caller-passed-on");
    anna.command("hold", "");
    anna.command("transfer", ben.uri());
    ben.event("CALL_INCOMING", ANSWER);
    ben.command("accept", "");
    ben.event("CALL_ESTABLISHED", ANSWER);
    anna.event("CALL_CLOSED", ANSWER);
    assert!(!caller.has_seen("CALL_CLOSED"), "the caller is with Ben");
    assert_eq!(appliance.live_calls(), 2);
    ben.play(&sound::speak(PERSON_SAYS));
    let packets = |user| appliance.record_of(user)?["rtp"]["packets_sent"].as_u64();
    let enough =
        packets("caller-passed-on").unwrap() + sound::speak(PERSON_SAYS).len() as u64 / 320;
    let spoken = || (packets("caller-passed-on")? >= enough + 50).then_some(());
    wait::until("Ben has spoken", TURN, spoken);
    ben.command("hangup", "");
    caller.event("CALL_CLOSED", ANSWER);
    let heard = likeness(&caller, PERSON_SAYS);
    println!("likeness: {heard:.3}");
    assert!(heard > 0.7, "{heard}");
    let record = becomes(&appliance, "caller-passed-on", "over", |call| call["state"] == "ended");
    assert_eq!(record["ending"]["cause"], "transferred", "{record:#}");
}

#[test]
fn a_caller_who_was_passed_on_to_nobody_is_taken_back() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    let (_folder, appliance, [mut caller, mut anna, mut ben]) =
        joined_with_anna("caller-left-behind");
    anna.command("transfer", ben.uri());
    ben.event("CALL_INCOMING", ANSWER);
    anna.command("hangup", "");
    anna.event("CALL_CLOSED", ANSWER);
    ben.command("hangup", "");
    becomes(&appliance, "caller-left-behind", "offered a message", |call| {
        let turns = call["turns"].as_array();
        let said = turns.and_then(|turns| turns.last()).and_then(|turn| turn["reply"].as_str());
        call["state"] == "active" && said.is_some_and(|said| said.contains("cannot reach Anna"))
    });
    assert!(!caller.has_seen("CALL_CLOSED"));
    let record = appliance.record_of("anna").expect("it is on the board");
    assert_eq!(record["ending"]["cause"], "left-in-transfer", "{record:#}");
}

/// One telephone that asks for a person, and the person's, which answers by itself.
fn handed_over(linphone: bool, user: &str) -> Option<(Appliance, Value)> {
    let folder = Folder::new("playbook");
    let anna = linphone.then(|| Linphone::start("anna", true));
    let mut other = (!linphone).then(|| telephone("anna"));
    let uri = anna.as_ref().map(Linphone::uri);
    let uri = uri.unwrap_or_else(|| other.as_ref().unwrap().uri().to_owned());
    let person = format!("name = \"Anna\"\naddress = \"{uri}\"\nby = \"attended\"");
    let appliance = Setup::default()
        .with("[person]", &person)
        .with("converse", &keyed::playbook(&folder))
        .start();
    let mut caller = Linphone::start(user, false);
    caller.types(&format!("call {}", appliance.uri()));
    becomes(&appliance, user, "greeted", |call| call["greeting_delay_ms"].is_u64());
    caller.types(keyed::PERSON);
    if let Some(anna) = &mut other {
        anna.event("CALL_INCOMING", TURN);
        anna.command("accept", "");
    }
    becomes(&appliance, "anna", "talking", |call| call["state"] == "active");
    match (anna, other) {
        (Some(mut anna), _) => {
            anna.types("1");
            let record = becomes(&appliance, user, "over", |call| call["state"] == "ended");
            becomes(&appliance, "anna", "over", |call| call["state"] == "ended");
            wait::until("no call is ours", ANSWER, || (appliance.live_calls() == 0).then_some(()));
            // The second call of each is with the other.
            wait::until("the two have a call", ANSWER, || {
                (anna.says("connected") >= 2 && caller.says("connected") >= 2).then_some(())
            });
            Some((appliance, record))
        }
        (None, Some(mut anna)) => {
            anna.command("sndcode", "1");
            let record = becomes(&appliance, user, "joined", |call| call["is_joined"] == true);
            anna.command("hangup", "");
            Some((appliance, record))
        }
        (None, None) => None,
    }
}

#[test]
fn a_telephone_that_knows_how_calls_the_person_in_our_place() {
    if !peers::is_installed("linphonec", "linphone-cli") {
        return;
    }
    let (appliance, record) = handed_over(true, "caller-handed-over").unwrap();
    assert_eq!(record["ending"]["cause"], "transferred", "{record:#}");
    assert_eq!(record["is_joined"], false, "it did not go through us: {record:#}");
    assert!(!appliance.log().contains("anna@"), "no address stands in the log");
}

#[test]
fn a_person_whose_telephone_does_not_know_how_is_joined_with_the_caller() {
    if !peers::is_installed("linphonec", "linphone-cli")
        || !peers::is_installed("baresip", "baresip-core")
    {
        return;
    }
    let (_appliance, record) = handed_over(false, "caller-joined").unwrap();
    assert_eq!(record["is_joined"], true);
}
