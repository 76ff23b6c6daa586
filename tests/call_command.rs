//! `attendant call` holds conversations with a box: what it prints, measures, records, and how it
//! ends. The pure parts, script and talk, have their tests beside them.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::folder::Folder;
use support::{peers, wait};

/// Longer than any of these calls takes on a busy machine.
const CALL: &str = "90";
const ANSWERED: Duration = Duration::from_secs(30);

fn is_installed() -> bool {
    peers::is_installed("espeak-ng", "espeak-ng")
}

fn start(target: &str, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", target, "--max-seconds", CALL])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The exit code and what was printed.
fn ended(child: Child) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = [stdout, stderr].concat();
    (status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// The report of a call that asks the box for the words.
fn report(appliance: &Appliance, target: &str, arguments: &[&str]) -> (Option<i32>, Value) {
    let api = format!("http://{}", appliance.web);
    let all = [arguments, &["--api", &api, "--json"]].concat();
    let (code, text) = ended(start(target, &all));
    (code, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

/// The loudest sample of each tenth of a second, left and right.
fn loudness(wav: &Path) -> Vec<[u16; 2]> {
    let bytes = std::fs::read(wav).unwrap();
    assert_eq!((&bytes[..4], &bytes[22..28]), (&b"RIFF"[..], &[2, 0, 0x80, 0x3e, 0, 0][..]));
    let samples: Vec<u16> = bytes[44..]
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs())
        .collect();
    let loudest = |part: &[u16], side: usize| part.iter().skip(side).step_by(2).max().copied();
    samples
        .chunks(3_200)
        .map(|part| [loudest(part, 0).unwrap_or(0), loudest(part, 1).unwrap_or(0)])
        .collect()
}

#[test]
fn an_encrypted_call_is_held_and_one_that_is_not_is_refused_where_it_must_be() {
    let suite = Some("AES_CM_128_HMAC_SHA1_80");
    for (srtp, calls) in [
        ("optional", [("required", Some(suite)), ("off", Some(None))]),
        ("required", [("optional", Some(suite)), ("off", None)]),
        ("off", [("optional", Some(None)), ("required", None)]),
    ] {
        let appliance = Setup::default().with("media", &format!("srtp = \"{srtp}\"")).start();
        for (call, expected) in calls {
            let Some(suite) = expected else {
                let (code, text) = ended(start(&appliance.uri(), &["--srtp", call]));
                assert_eq!(code, Some(3), "{srtp} {call}: {text}");
                assert!(text.contains("488"), "{text}");
                continue;
            };
            let keys = ["--dtmf", "2", "--expect", "harbour road", "--srtp", call];
            let (code, report) = report(&appliance, &appliance.uri(), &keys);
            assert_eq!(code, Some(0), "{srtp} {call}: {report}");
            assert_eq!(report["srtp"].as_str(), suite, "{report}");
            assert_eq!(report["rtp"]["srtp_failed"], 0, "{report}");
            let is_ours = |record: &Value| record["sip_call_id"] == report["sip_call_id"];
            let record = appliance.record(is_ours).unwrap();
            assert_eq!(record["srtp"].as_str(), suite, "{record}");
        }
    }
}

#[test]
fn a_conversation_is_held_measured_recorded_and_judged() {
    if !is_installed() {
        return;
    }
    let appliance = Setup::default().start();
    let folder = Folder::new("call");
    let wav = folder.at("call.wav");
    let (code, call) = report(
        &appliance,
        &appliance.uri(),
        &[
            "--codec",
            "PCMU",
            "--record",
            wav.to_str().unwrap(),
            "--expect",
            "how can i help",
            "--dtmf",
            "2",
            "--expect",
            "harbour road",
            "--say",
            "what are your opening hours",
            "--expect",
            "monday to friday",
            "--say",
            "thank you goodbye",
            "--expect",
            "goodbye",
        ],
    );
    assert_eq!((code, &call["as_expected"]), (Some(0), &true.into()), "{call}");
    assert_eq!(text(&call, "codec"), "PCMU");
    assert_eq!(
        (text(&call["ending"], "by"), text(&call["ending"], "cause")),
        ("far-end", "hung-up")
    );
    let turns = call["turns"].as_array().unwrap();
    assert_eq!(turns.len(), 3);
    assert!(text(&turns[1], "heard").to_lowercase().contains("hours"), "{call}");
    assert!(turns[1]["gap_ms"].is_i64() && turns[2]["gap_ms"].is_i64(), "{call}");
    assert!(turns[0]["gap_ms"].is_null(), "keys have no speech: {call}");
    for delay in ["answer_delay_ms", "greeting_delay_ms", "gap_median_ms"] {
        assert!(call[delay].is_i64(), "{delay}: {call}");
    }
    let rtp = &call["rtp"];
    assert!(rtp["packets_sent"].as_u64() > Some(300), "{rtp}");
    assert!(rtp["packets_received"].as_u64() > Some(300), "{rtp}");
    // Ours on the left, theirs on the right, and the first word is theirs.
    let heard = loudness(&wav);
    let first = |side: usize| heard.iter().position(|part| part[side] > 2_000).unwrap();
    assert!(first(1) < 15 && first(0) > first(1) + 20, "{} {}", first(0), first(1));
    // The box agrees on who called.
    let own = text(&call, "sip_call_id");
    assert!(appliance.record(|record| record["sip_call_id"] == own).is_some());
}

#[test]
fn over_tcp_and_ipv6_an_unmet_expectation_is_exit_4_and_is_named() {
    if !is_installed() {
        return;
    }
    let appliance = Setup::default().on(std::net::Ipv6Addr::LOCALHOST.into()).start();
    let target = format!("{};transport=tcp", appliance.uri());
    let api = format!("http://{}", appliance.web);
    let arguments = ["--say", "thank you goodbye", "--expect", "zebra", "--api", &api];
    let (code, text) = ended(start(&target, &arguments));
    assert_eq!(code, Some(4), "{text}");
    for words in ["caller  thank you goodbye", "desk    ", "missed  --expect \"zebra\"", "gap "] {
        assert!(text.contains(words), "{words} in {text}");
    }
}

#[test]
fn five_calls_at_once_have_only_their_own_words_and_the_sixth_is_refused() {
    if !is_installed() {
        return;
    }
    let appliance = Setup::default().calls_max(5).start();
    let api = format!("http://{}", appliance.web);
    let topics = [
        ("what are your opening hours", "hours", "monday"),
        ("what is your address", "address", "harbour"),
        ("i want to leave a message", "message", "your name"),
        ("i want to cancel my order", "cancel", "which order"),
        ("thank you goodbye", "goodbye", "thank you for calling"),
    ];
    let calls: Vec<Child> = topics
        .iter()
        .map(|(say, ..)| start(&appliance.uri(), &["--say", say, "--api", &api, "--json"]))
        .collect();
    let all_up = || (appliance.live_calls() == 5).then_some(());
    wait::until("five calls are up", ANSWERED, all_up);
    let (code, refusal) = ended(start(&appliance.uri(), &[]));
    assert_eq!(code, Some(3), "{refusal}");
    assert!(refusal.contains("486"), "{refusal}");
    let ends: Vec<_> = calls.into_iter().map(ended).collect();
    for (own, (code, text)) in ends.iter().enumerate() {
        assert_eq!(*code, Some(0), "{text}");
        let call: Value = serde_json::from_str(text).unwrap();
        let turn = &call["turns"][0];
        let (heard, reply) = (&turn["heard"], &turn["reply"]);
        let words = format!("{heard} {reply}").to_lowercase();
        for (other, (_, heard_word, reply_word)) in topics.iter().enumerate() {
            let has = words.contains(heard_word) && words.contains(reply_word);
            assert_eq!(has, own == other, "{heard_word} in call {own}: {words}");
        }
    }
}

#[test]
fn a_box_that_dies_in_the_call_is_exit_3() {
    for transport in ["", ";transport=tcp"] {
        let appliance = Setup::default().start();
        let target = format!("{}{transport}", appliance.uri());
        // Nothing is expected of the other end, so that its silence alone is no fault.
        let call = start(&target, &["--dtmf", "2"]);
        wait::until("the call is up", ANSWERED, || (appliance.live_calls() == 1).then_some(()));
        let pid = nix::unistd::Pid::from_raw(i32::try_from(appliance.pid()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        let (code, text) = ended(call);
        assert_eq!(code, Some(3), "{transport}: {text}");
    }
}

#[test]
fn nobody_there_is_exit_3_and_a_wrong_command_line_exit_2() {
    let nobody = peers::free_port(std::net::Ipv4Addr::LOCALHOST.into());
    let target = format!("sip:desk@127.0.0.1:{nobody};transport=tcp");
    let (code, text) = ended(start(&target, &[]));
    assert_eq!(code, Some(3), "{text}");
    for wrong in [&["--say", "hi", "--expect", "x"][..], &["--dtmf", "hello"]] {
        let (code, text) = ended(start("sip:desk@127.0.0.1", wrong));
        assert_eq!(code, Some(2), "{text}");
    }
    let (code, text) = ended(start("sip:desk@127.0.0.1", &["--play", "/nonexistent.wav"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("/nonexistent.wav"), "{text}");
}
