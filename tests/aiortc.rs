//! A WebRTC peer that shares nothing with a browser calls a box by HTTP, and is understood.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::folder::Folder;
use support::{peers, sound, wait};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/aiortc_call.py");
const CALL: Duration = Duration::from_secs(30);

/// The Python that has aiortc; `None`: the test is left out.
fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/aiortc/bin/python");
    if python.is_file() {
        return Some(python);
    }
    let hint = "target/aiortc is not there ('make test-deps' makes it)";
    assert!(std::env::var_os("CI").is_none(), "{hint}");
    println!("LEFT OUT: {hint}");
    None
}

/// What the peer tells, and what it has heard.
fn call(
    python: &Path,
    appliance: &Appliance,
    seconds: u32,
    codec: Option<&str>,
) -> (Value, sound::Sound) {
    let folder = Folder::new("aiortc");
    let (said, heard) = (folder.at("said.wav"), folder.at("heard.wav"));
    let words = sound::after_greeting("What are your opening hours?");
    sound::write_wav(&said, sound::SAMPLE_RATE_HZ, &words, 0);
    let mut command = Command::new(python);
    command.arg(SCRIPT).arg(format!("http://{}", appliance.web)).arg(&said).arg(&heard);
    let run = command.arg(seconds.to_string()).args(codec).output().unwrap();
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{errors}");
    let told: Value = serde_json::from_slice(&run.stdout).unwrap();
    println!("{codec:?}: {told:#}\n{errors}");
    (told, sound::read_wav(&heard).unwrap())
}

#[test]
fn a_peer_that_is_no_browser_is_greeted_and_understood() {
    let Some(python) = python() else { return };
    if !peers::is_installed("flite", "flite") {
        return;
    }
    let appliance = Setup::default().start();
    let (told, heard) = call(&python, &appliance, 9, None);
    assert_eq!((&told["opened"], &told["tag"]), (&201.into(), &"\"1\"".into()));
    assert_eq!((&told["trickled"], &told["garbage"]), (&204.into(), &400.into()));
    assert_eq!(told["deleted"], serde_json::json!([200, 404]));
    let words = told["words"]["turns"].to_string();
    assert!(words.contains("opening hours"), "{words}");
    assert_eq!(told["words"]["is_secured"], true);
    let greeting = sound::GREETING.map(sound::flite);
    let likeness = sound::likeness_of_phrases(&heard, &greeting.each_ref());
    println!("greeting heard, likeness {likeness:.3}");
    assert!(likeness > 0.8, "{likeness}");

    let (told, heard) = call(&python, &appliance, 3, Some("PCMU"));
    assert_eq!((&told["opened"], &told["words"]["codec"]), (&201.into(), &"PCMU".into()));
    assert!(heard.speech_level_dbfs() > -40.0, "{}", heard.speech_level_dbfs());
    let ended = wait::until("both have ended at the box", CALL, || {
        let calls = appliance.api("/api/calls")["calls"].take();
        let all = calls.as_array().unwrap().clone();
        (all.len() == 2 && all.iter().all(|call| call["state"] == "ended")).then_some(all)
    });
    for call in ended {
        assert_eq!((&call["way"], &call["peer"]), (&"webrtc".into(), &"browser".into()));
        assert_eq!(call["ending"]["cause"], "hung-up");
    }
}
