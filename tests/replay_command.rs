//! `attendant replay` on the records of real calls to a real box: whole ones, one of a box that was
//! killed, and harmed ones.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::folder::Folder;
use support::{peers, wait};

const LIMIT: Duration = Duration::from_secs(60);

fn replay(arguments: &[&str]) -> (Option<i32>, Output) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_attendant"));
    let output = command.arg("replay").args(arguments).output().unwrap();
    (output.status.code(), output)
}

fn records(appliance: &Appliance) -> Vec<PathBuf> {
    let folder = fs::read_dir(appliance.state().join("flights")).into_iter().flatten();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn call(appliance: &Appliance) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_attendant"));
    command.args(["call", &appliance.uri(), "--max-seconds", "40"]);
    command.args(["--say", "what are your opening hours", "--say", "where are you located"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn a_recorded_call_decides_the_same_again_and_other_settings_are_shown_beside_it() {
    if !peers::is_installed("espeak-ng", "espeak-ng") {
        return;
    }
    let mut appliance = Setup::default().with("calls", "flight_record = true").start();
    assert!(call(&appliance).status().unwrap().success());
    let record = appliance.record(|call| call["state"] == "ended").expect("the call's record");
    appliance.stop();
    let files = records(&appliance);
    let [file] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let path = file.to_str().unwrap();

    let (code, output) = replay(&[path, "--json"]);
    assert_eq!(code, Some(0), "{output:?}");
    let replayed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&replayed["difference"], &replayed["whole"]), (&Value::Null, &true.into()));
    let (turns, then) =
        (replayed["turns"].as_array().unwrap(), record["turns"].as_array().unwrap());
    assert_eq!(turns.len(), then.len());
    for (turn, then) in turns.iter().zip(then) {
        for key in ["caller", "reply", "heard_at_ms", "gap_ms", "latency"] {
            assert_eq!(turn[key], then[key], "{key}");
        }
    }

    let (code, output) = replay(&[path, "--json", "--set", "listen.speculate_after_ms=100"]);
    assert_eq!(code, Some(0), "{output:?}");
    let same: Value = serde_json::from_slice(&output.stdout).unwrap();
    for pair in same["turns"].as_array().unwrap() {
        let gap = |when: &str| pair[when]["gap_ms"].as_i64().unwrap_or(-1_000);
        println!(
            "gap {} ms recorded, {} ms made anew, {}",
            gap("before"),
            gap("now"),
            pair["certainty"]
        );
        assert_eq!(pair["before"]["caller"], pair["now"]["caller"]);
    }

    let (code, output) = replay(&[path, "--set", "listen.close_everything_ms=5"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(code, Some(2));
    assert!(told.contains("listen.close_complete_ms"), "{told}");

    let folder = Folder::new("replay");
    let whole = fs::read(file).unwrap();
    let mut harmed = whole.clone();
    harmed[whole.len() / 2] ^= 1;
    for (name, bytes, exit) in [
        ("cut", &whole[..whole.len() / 2], 0),
        ("harmed", &harmed, 6),
        ("empty", &[], 6),
        ("text", b"this is no flight record", 6),
    ] {
        let path = folder.write(name, bytes);
        let (code, output) = replay(&[path.to_str().unwrap()]);
        assert_eq!(code, Some(exit), "{name}: {output:?}");
    }
    assert_eq!(replay(&["/nowhere/at/all"]).0, Some(6));
}

#[test]
fn the_record_of_a_box_that_was_killed_is_replayed_up_to_its_last_block() {
    if !peers::is_installed("espeak-ng", "espeak-ng") {
        return;
    }
    let appliance = Setup::default().with("calls", "flight_record = true").start();
    let mut caller = call(&appliance).spawn().unwrap();
    wait::until("a turn that is answered", LIMIT, || {
        let record = appliance.record(|_| true)?;
        let turns = record["turns"].as_array()?;
        turns.iter().any(|turn| turn["gap_ms"].is_u64()).then_some(())
    });
    kill(Pid::from_raw(appliance.pid().try_into().unwrap()), Signal::SIGKILL).unwrap();
    let _ = caller.kill();
    let _ = caller.wait();
    let files = records(&appliance);
    let (code, output) = replay(&[files[0].to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("every decision is the recorded one"), "{text}");
    assert!(!text.contains("the record is whole"), "{text}");
}

#[test]
fn nothing_is_recorded_unless_the_owner_wants_it() {
    if !peers::is_installed("espeak-ng", "espeak-ng") {
        return;
    }
    let mut appliance = Setup::default().start();
    assert!(call(&appliance).status().unwrap().success());
    appliance.stop();
    assert!(records(&appliance).is_empty());
}
