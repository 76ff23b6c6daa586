//! Calls that a remote agent holds: real calls over loopback, with a stand-in for ElevenLabs Agents that the
//! provider's own client has talked to.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::appliance::{Appliance, Setup};
use support::elevenlabs::{ANSWER, KEY, StandIn, VOICE, python, script};
use support::phone::Phone;
use support::sound::{self, Sound};
use support::{peers, wait};

const SOON: Duration = Duration::from_secs(20);
/// Most of the pause, in packets of 20 ms.
const PAUSE_PACKETS: usize = 40;
const KEY_VARIABLE: &str = "ATTENDANT_ELEVENLABS_KEY";
/// The local chain's first words, and those where it takes over.
const GREETING: &str = "Northgate Logistics";
const TAKES_OVER: &str = "One moment, please. What can I do for you?";

/// A box whose calls the stand-in's agent holds.
fn setup(stand_in: &StandIn, keys: &str) -> Setup {
    Setup::default().with("agent", &format!("{}{keys}", stand_in.keys())).env(KEY_VARIABLE, KEY)
}

fn at(line: &Value) -> f64 {
    line["at"].as_f64().unwrap()
}

fn becomes(appliance: &Appliance, user: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let found = wait::within(SOON, || appliance.record_of(user).filter(|call| is_so(call)));
    found.unwrap_or_else(|| panic!("{what}: {:#?}", appliance.record_of(user)))
}

/// Some turn of the record has this in its reply.
fn says(call: &Value, words: &str) -> bool {
    let turns = call["turns"].as_array().unwrap();
    turns.iter().any(|turn| turn["reply"].as_str().unwrap().contains(words))
}

fn spoken(words: &str) -> Sound {
    let samples = sound::trimmed(&sound::speak(words)).to_vec();
    Sound { rate_hz: sound::SAMPLE_RATE_HZ, samples }
}

fn likeness(heard: &Sound, words: &str) -> f64 {
    sound::likeness_of_phrases(heard, &[&spoken(words)])
}

/// A caller whose call has been answered.
fn calling(appliance: &Appliance, user: &str) -> Phone {
    let mut phone = Phone::new(user);
    phone.call(&appliance.uri(), appliance.sip);
    phone
}

fn hang_up(appliance: &Appliance, phone: &mut Phone, user: &str) -> Value {
    phone.hangs_up();
    becomes(appliance, user, "over", |call| call["state"] == "ended")
}

#[test]
fn the_providers_own_client_takes_the_stand_in_for_an_agent() {
    let (Some(python), Some(stand_in)) = (python(), StandIn::start()) else { return };
    let talk = |agent: &str| {
        let output = Command::new(&python)
            .arg(script("sdk.py"))
            .args([&stand_in.url(), agent, "4"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_str::<Value>(&text).unwrap_or_else(|_| panic!("{text} {error}"))
    };
    let (told, tools) = std::thread::scope(|scope| {
        let tools = scope.spawn(|| talk("tools"));
        (talk("interrupts"), tools.join().unwrap())
    });
    let voice = spoken(VOICE).samples.len() * 2;
    let answer = spoken(ANSWER).samples.len() * 2;
    assert_eq!(told["audio"], voice * 3 + answer, "stale sound was left out: {told}");
    assert_eq!(told["interrupts"], 1);
    assert_eq!(told["transcripts"], json!(["stop it please"]));
    assert_eq!(told["corrections"][0][1], "This is a long story...");
    assert_eq!(told["responses"][1], "I have stopped.");
    assert_eq!(tools["tools"].as_array().unwrap().len(), 2, "{tools}");
    let results = stand_in.seen("result");
    assert_eq!(results[0]["is_error"], true, "a tool that the client has not: {results:?}");
    assert_eq!(results[3]["is_error"], false, "{results:?}");
    assert!(stand_in.seen("pong").len() > 4 && stand_in.seen("bad-pong").is_empty());
    let closed = stand_in.sees("closed", 2, SOON);
    assert_eq!((&closed["code"], &closed["by_client"]), (&json!(1000), &json!(true)));
}

#[test]
fn a_call_that_we_make_is_connected_after_its_answer_and_never_before() {
    let Some(stand_in) = StandIn::secure() else { return };
    stand_in.is("plain");
    let mut busy = Phone::new("callee-busy");
    let mut callee = Phone::new("callee-talks");
    let account = |name: &str, phone: &Phone| {
        format!(
            "name = \"{name}\"\nuser = \"1001\"\nregisters = false\nserver = \"{}\"\n\
             proxies = [\"{}\"]\nkeep_alive_s = 0\n",
            phone.address(),
            phone.address()
        )
    };
    let accounts = format!("{}[[accounts]]\n{}", account("busy", &busy), account("talks", &callee));
    let appliance = setup(&stand_in, "")
        .env("SSL_CERT_FILE", stand_in.certificate().to_str().unwrap())
        .with("[accounts]", &accounts)
        .with("dial", "allow = [\"+49\"]\ncountry_code = \"49\"\n")
        .start();
    wait::until("the accounts are open", SOON, || {
        let health = appliance.api("/health");
        health["accounts"].as_array()?.iter().all(|a| a["state"] == "open").then_some(())
    });
    let dial = |trunk: &str| {
        let body = json!({ "phone_number": "030 1234567", "trunk": trunk });
        let (status, answer) = appliance.send("POST", "/api/calls/dial", Some(&body)).unwrap();
        assert_eq!(status, 202, "{answer}");
    };
    let call = |trunk: &str| appliance.record(|call| call["dialled"]["trunk"] == trunk);
    dial("busy");
    busy.rings();
    busy.early();
    std::thread::sleep(Duration::from_secs(10));
    busy.is_busy();
    wait::until("it is over", SOON, || {
        call("busy").filter(|call| call["state"] == "ended").map(drop)
    });
    assert_eq!(stand_in.seen("signed").len(), 1, "the address costs nothing");
    assert!(stand_in.seen("handshake").is_empty(), "{}", stand_in.log());
    assert_eq!(call("busy").unwrap()["agent"]["used_ms"], 0);

    dial("talks");
    callee.rings();
    callee.early();
    assert_eq!(stand_in.seen("signed").len(), 1, "that of a call which nobody took is kept");
    assert!(stand_in.seen("handshake").is_empty(), "{}", stand_in.log());
    let answered = callee.answers();
    let open = at(&stand_in.sees("open", 1, SOON));
    println!("connected {:.1} ms after the 200 was sent", open - answered);
    assert!(open > answered, "{}", open - answered);
    callee.hears_after(answered, SOON).expect("the agent is heard");
    wait::until("all of it is heard", SOON, || {
        (likeness(&callee.recording(), VOICE) > 0.9).then_some(())
    });
    assert!(stand_in.seen("closed").is_empty());
    let over = callee.hangs_up();
    let closed = stand_in.sees("closed", 1, SOON);
    println!("closed {:.1} ms after the BYE was sent", at(&closed) - over);
    assert!(at(&closed) > over, "{closed}");
    assert_eq!((&closed["code"], &closed["by_client"]), (&json!(1000), &json!(true)));
    let record = wait::until("it is over", SOON, || {
        call("talks").filter(|call| call["agent"]["state"] == "over")
    });
    assert!(record["agent"]["used_ms"].as_u64().unwrap() > 1_000, "{record:#}");
    assert!(says(&record, "this is the agent") && !says(&record, GREETING), "{record:#}");
    assert!(!appliance.log().contains("conversation_signature"), "no address stands in the log");
    assert!(!appliance.log().contains(KEY), "nor the key");
}

#[test]
fn an_agent_for_whom_nobody_vouches_is_told_nothing() {
    let Some(stand_in) = StandIn::secure() else { return };
    let appliance = setup(&stand_in, "").start();
    stand_in.is("plain");
    let mut phone = calling(&appliance, "unvouched");
    let record = becomes(&appliance, "unvouched", "greeted", |call| says(call, GREETING));
    assert_eq!(record["agent"]["fault"], "unreachable", "{record:#}");
    assert!(stand_in.seen("signed").is_empty() && stand_in.seen("handshake").is_empty());
    phone.hangs_up();
}

#[test]
fn callers_who_let_it_ring_cost_neither_seconds_nor_requests() {
    let Some(stand_in) = StandIn::start() else { return };
    stand_in.is("plain");
    // Seconds for one call only.
    let keys = "max_seconds_per_call = 60\nmax_seconds_per_day = 60\n";
    let appliance = setup(&stand_in, keys).with("calls", "answer_after_ms = 3000").start();
    for number in 0..6 {
        let user = format!("ringing-{number}");
        let mut phone = Phone::new(&user);
        phone.lets_ring(&appliance.uri(), appliance.sip);
        becomes(&appliance, &user, "ringing", |call| call["state"] == "ringing");
        phone.cancels();
        becomes(&appliance, &user, "over", |call| call["state"] == "ended");
    }
    assert!(stand_in.seen("signed").len() <= 2, "{}", stand_in.log());
    assert!(stand_in.seen("handshake").is_empty());
    assert_eq!(appliance.api("/health")["agent"]["seconds_today"], 0);
    let mut phone = calling(&appliance, "answered");
    stand_in.sees("open", 1, SOON);
    phone.hangs_up();
}

#[test]
fn an_agent_hears_the_caller_and_is_heard_in_every_format_until_it_is_interrupted() {
    let Some(stand_in) = StandIn::start() else { return };
    let appliance = setup(&stand_in, "").start();
    for (number, agent) in (1..).zip(["plain", "mixed", "cd"]) {
        stand_in.is(agent);
        let mut phone = Phone::new(agent);
        let answered = phone.call(&appliance.uri(), appliance.sip);
        let open = at(&stand_in.sees("open", number, SOON));
        let first = phone.hears_after(answered, SOON).expect("the agent is heard");
        println!(
            "{agent}: open {:.1} ms, heard {:.1} ms after the 200",
            open - answered,
            first - answered
        );
        phone.says(&sound::speak("where is my order from last week"));
        let likeness_to = |words: &str, heard: &Sound| likeness(heard, words);
        wait::until(agent, SOON, || (likeness_to(VOICE, &phone.recording()) > 0.9).then_some(()));
        wait::until("all is said", SOON, || phone.has_said().then_some(()));
        let record = hang_up(&appliance, &mut phone, agent);
        assert!(says(&record, "this is the agent") && !says(&record, GREETING), "{record:#}");
        let heard = stand_in.heard(number as u64);
        let like = likeness(&heard, "where is my order from last week");
        println!("{agent}: likeness to the agent {like:.3}");
        assert!(like > 0.9, "{agent}: {like}");
    }
    interrupted(&stand_in, &appliance);
    assert!(stand_in.seen("bad-pong").is_empty(), "{}", stand_in.log());
    let metrics = appliance.text("/metrics");
    for name in ["attendant_agent_seconds_total", "attendant_agent_day_limit_seconds 3600"] {
        assert!(metrics.contains(name), "{metrics}");
    }
}

fn interrupted(stand_in: &StandIn, appliance: &Appliance) {
    stand_in.is("interrupts");
    let mut phone = calling(appliance, "interrupting");
    phone.hears_after(0.0, SOON).expect("the agent is heard");
    phone.says(&sound::speak("please stop it now, I want to say something"));
    let interruption = at(&stand_in.sees("interruption", 1, SOON));
    wait::until("its answer is heard", SOON, || {
        (likeness(&phone.recording(), ANSWER) > 0.9).then_some(())
    });
    // The pause in which nothing is said lasts 1.5 s; a story that went on has no such one.
    let mut heard = phone.heard();
    heard.retain(|heard| heard.at_ms > interruption);
    let stops = heard.chunk_by(|a, b| a.is_loud() == b.is_loud());
    let silent = stops.filter(|run| !run[0].is_loud()).map(<[_]>::len).max().unwrap_or(0);
    let pause = heard.windows(PAUSE_PACKETS).find(|run| !run.iter().any(|one| one.is_loud()));
    let began = pause.map(|run| run[0].at_ms - interruption);
    println!("silent {began:?} ms after the interruption, for {silent} packets at most");
    assert!(began.is_some(), "the story goes on");
    let record = hang_up(appliance, &mut phone, "interrupting");
    let turns = record["turns"].as_array().unwrap();
    assert_eq!(turns[0]["reply"], "This is a long story...", "as it was heard: {record:#}");
    assert_eq!(turns[1]["caller"], "stop it please");
    assert_eq!(turns[1]["reply"], "I have stopped.");
    assert!(turns[1]["gap_ms"].is_u64(), "{record:#}");
}

#[test]
fn tools_are_the_playbooks_and_an_agent_that_says_goodbye_ends_the_call() {
    let Some(stand_in) = StandIn::start() else { return };
    let folder = support::folder::Folder::new("playbook");
    let shipped = include_str!("../src/converse/playbook/logistics.toml");
    let agent = "\n[agent]\ntopic = \"a call with the agent\"\n[agent.variables]\ncity = \"Bern\"\n\
                 [[agent.tool]]\nname = \"take_message\"\nmost = 2\n";
    let path = folder.write("playbook.toml", format!("{shipped}{agent}"));
    let appliance = setup(&stand_in, "")
        .with("converse", &format!("playbook = \"{}\"", path.display()))
        .start();
    stand_in.is("tools");
    let mut phone = calling(&appliance, "with-tools");
    stand_in.sees("result", 4, SOON);
    let results: Vec<(Value, Value)> = stand_in
        .seen("result")
        .iter()
        .map(|line| (line["tool"].clone(), line["is_error"].clone()))
        .collect();
    let expected = [
        ("open_the_door", true),
        ("hang_up", true),
        ("take_message", true),
        ("take_message", false),
    ];
    assert_eq!(results, expected.map(|(tool, is_error)| (json!(tool), json!(is_error))));
    let initiation = &stand_in.seen("initiation")[0]["data"];
    assert_eq!(initiation["dynamic_variables"], json!({ "city": "Bern" }), "{initiation}");
    let record = hang_up(&appliance, &mut phone, "with-tools");
    let message = &record["messages"][0];
    assert_eq!(message["text"], "Please call back.", "{record:#}");
    assert_eq!(
        (&message["number"], &message["topic"]),
        (&json!("5550100"), &json!("a call with the agent"))
    );

    stand_in.is("leaves");
    let mut phone = calling(&appliance, "left");
    phone.is_hung_up();
    let record = becomes(&appliance, "left", "over", |call| call["state"] == "ended");
    assert_eq!(record["ending"]["cause"], "goodbye", "{record:#}");
    assert!(likeness(&phone.recording(), ANSWER) > 0.9, "its goodbye was heard to its end");

    stand_in.is("noisy");
    let mut phone = calling(&appliance, "noisy");
    wait::until("the large frame is heard", SOON, || {
        (likeness(&phone.recording(), VOICE) > 0.9).then_some(())
    });
    let record = hang_up(&appliance, &mut phone, "noisy");
    assert!(record["agent"]["fault"].is_null(), "{record:#}");
    let metrics = appliance.text("/metrics");
    let ignored = "attendant_agent_messages_ignored_total{reason=\"malformed\"} 5";
    assert!(metrics.contains(ignored), "{metrics}");
}

/// The local chain holds the call of this user.
fn is_taken_over(appliance: &Appliance, phone: &mut Phone, user: &str, words: &str, fault: &str) {
    let record = becomes(appliance, user, words, |call| says(call, words));
    assert_eq!(record["agent"]["fault"], fault, "{record:#}");
    let heard = phone.recording().samples.len();
    // The playbook goes on: it answers.
    phone.says(&sound::speak("when are you open"));
    let record = becomes(appliance, user, "answered", |call| says(call, "Monday to Friday"));
    assert!(phone.recording().samples.len() > heard, "{record:#}");
    phone.hangs_up();
}

#[test]
fn where_the_agent_fails_the_playbook_goes_on() {
    let Some(stand_in) = StandIn::start() else { return };
    if !peers::is_installed("espeak-ng", "espeak-ng") {
        return;
    }
    let appliance = setup(&stand_in, "").start();
    // One attempt more each, then the playbook.
    for (agent, fault) in [("breaks", "closed"), ("resets", "lost")] {
        stand_in.is(agent);
        let before = stand_in.seen("open").len();
        let mut phone = calling(&appliance, agent);
        is_taken_over(&appliance, &mut phone, agent, TAKES_OVER, fault);
        assert_eq!(stand_in.seen("open").len(), before + 2, "{}", stand_in.log());
    }
    // A connection that never becomes one does not hold up the greeting.
    for (agent, fault) in [("late", "late"), ("strange-format", "unknown-format")] {
        stand_in.is(agent);
        let mut phone = Phone::new(agent);
        let answered = phone.call(&appliance.uri(), appliance.sip);
        let first = phone.hears_after(answered, SOON).expect("the greeting is heard");
        println!("{agent}: the greeting is heard {:.0} ms after the answer", first - answered);
        is_taken_over(&appliance, &mut phone, agent, GREETING, fault);
    }
}

#[test]
fn an_agent_that_cannot_be_had_costs_no_greeting_and_the_owner_is_told() {
    let Some(stand_in) = StandIn::start() else { return };
    let appliance = setup(&stand_in, "").start();
    for (status, fault, asked) in
        [(503, "refused", 4), (429, "busy", 4), (422, "refused", 1), (401, "resting", 0)]
    {
        let (user, before) = (format!("caller-{status}"), stand_in.seen("signed").len());
        stand_in.is(&format!("refused-{status}"));
        let mut phone = Phone::new(&user);
        let answered = phone.call(&appliance.uri(), appliance.sip);
        let first = phone.hears_after(answered, SOON).expect("the greeting is heard");
        println!("{status}: the greeting is heard {:.0} ms after the answer", first - answered);
        let record = becomes(&appliance, &user, "greeted", |call| says(call, GREETING));
        assert_eq!(record["agent"]["fault"], fault, "{status}: {record:#}");
        let asked_now = stand_in.seen("signed").len() - before;
        assert!(asked_now <= asked, "{status}: {asked_now} times");
        phone.hangs_up();
    }
    assert!(stand_in.seen("handshake").is_empty());
    let health = appliance.api("/health");
    let reasons = health["reasons"].to_string();
    assert!(reasons.contains("agent.server: it refuses with status 422"), "{reasons}");
}

#[test]
fn seconds_are_capped_for_a_call_and_for_a_day_also_over_a_restart() {
    let Some(stand_in) = StandIn::start() else { return };
    let keys = "max_seconds_per_call = 2\nmax_seconds_per_day = 3\n";
    let mut appliance = setup(&stand_in, keys).start();
    stand_in.is("endless");
    for (user, fault) in [("first", "call-seconds"), ("second", "day-seconds")] {
        let mut phone = calling(&appliance, user);
        let record = becomes(&appliance, user, "taken over", |call| says(call, TAKES_OVER));
        assert_eq!(record["agent"]["fault"], fault, "{record:#}");
        let used = record["agent"]["used_ms"].as_u64().unwrap();
        println!("{fault} after {used} ms");
        hang_up(&appliance, &mut phone, user);
    }
    let is_told = |appliance: &Appliance| {
        let health = appliance.api("/health");
        assert!(health["agent"]["seconds_today"].as_u64() >= Some(3), "{health:#}");
        assert!(health["reasons"].to_string().contains("agent.max_seconds_per_day"), "{health:#}");
    };
    is_told(&appliance);
    appliance.crash_and_start_again();
    let opened = stand_in.seen("open").len();
    let mut phone = calling(&appliance, "third");
    let record = becomes(&appliance, "third", "greeted", |call| says(call, GREETING));
    assert_eq!(record["agent"]["fault"], "day-seconds", "{record:#}");
    phone.hangs_up();
    assert_eq!(stand_in.seen("open").len(), opened);
    is_told(&appliance);
}
