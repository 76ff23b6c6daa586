//! Simulated callers against the real box: every script in `tests/scenarios` comes out as it says,
//! and does not when the box is broken.
//!
//! The ears of the box decide what a caller has to say again, so the scripts judge what comes of a
//! call and leave room for how long it takes.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use support::appliance::{Appliance, Setup};
use support::folder::Folder;
use support::peers;

/// Calls side by side: what two cores hear in time in a debug build.
const AT_ONCE: usize = 6;
/// Scenarios that may fail beside the others, for want of processor time.
const AGAIN: usize = 3;
/// No caller is on the line for longer, whatever the box does.
const LONGEST_S: &str = "150";
/// The desk inside the program.
const PLAYBOOK: &str = include_str!("../src/converse/playbook/logistics.toml");

fn is_installed() -> bool {
    peers::is_installed("espeak-ng", "espeak-ng")
}

fn library() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut scripts: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|name| name == "toml")).collect();
    scripts.sort();
    scripts
}

fn script(name: &str) -> String {
    let path = format!("{}/tests/scenarios/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// What became of one script: the exit code, the conversation, how long it took.
struct Played {
    name: String,
    code: Option<i32>,
    text: String,
    took: Duration,
}

fn play(appliance: &Appliance, script: &Path) -> Played {
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", &appliance.uri(), "--max-seconds", LONGEST_S])
        .args(["--api", &format!("http://{}", appliance.web)])
        .arg("--script")
        .arg(script)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    Played {
        name: script.file_stem().unwrap().to_string_lossy().into_owned(),
        code: output.status.code(),
        text: String::from_utf8_lossy(&text).into_owned(),
        took: began.elapsed(),
    }
}

/// Plays all of them, some at a time.
fn play_all(appliance: &Appliance, scripts: &[PathBuf]) -> Vec<Played> {
    let waiting = Mutex::new(scripts.iter().rev().collect::<Vec<_>>());
    let played = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(script) = { waiting.lock().unwrap().pop() } {
                    let one = play(appliance, script);
                    played.lock().unwrap().push(one);
                }
            });
        }
    });
    played.into_inner().unwrap()
}

#[test]
fn every_caller_of_the_library_comes_out_as_their_script_says() {
    if !is_installed() {
        return;
    }
    let scripts = library();
    assert!(scripts.len() >= 20, "{scripts:?}");
    let appliance = Setup::default().calls_max(8).start();
    let mut played = play_all(&appliance, &scripts);
    // What fails beside five others may have failed for want of processor time: once more, alone.
    let mut again = 0;
    for (one, script) in played.iter_mut().filter_map(|one| {
        let script = scripts.iter().find(|s| s.file_stem().is_some_and(|n| *n == *one.name))?;
        (one.code != Some(0)).then_some((one, script))
    }) {
        again += 1;
        println!("again, alone: {} ({:?})\n{}", one.name, one.code, one.text);
        *one = play(&appliance, script);
    }
    for Played { name, code, took, .. } in &played {
        println!("{name}: {code:?} after {:.0} s", took.as_secs_f64());
    }
    // More than that is a fault of calls that are held at once.
    assert!(again <= AGAIN, "{again} of {} only came out alone", scripts.len());
    let failed: Vec<String> = played
        .iter()
        .filter(|one| one.code != Some(0))
        .map(|one| format!("{} ({:?})\n{}", one.name, one.code, one.text))
        .collect();
    assert!(failed.is_empty(), "{} scenarios:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(appliance.live_calls(), 0);
}

#[test]
fn a_scenario_fails_when_the_box_answers_wrong_or_the_message_is_not_right() {
    if !is_installed() {
        return;
    }
    let folder = Folder::new("broken");
    let wrong = PLAYBOOK.replace("Monday to Friday", "Tuesday to Thursday");
    assert_ne!(wrong, PLAYBOOK);
    let playbook = folder.write("wrong.toml", wrong);
    let keys = format!("playbook = {:?}", playbook.display().to_string());
    let broken = Setup::default().with("converse", &keys).start();
    // The same callers, of whom one wants a number that they did not give, and one believes that
    // somebody stops for a word.
    let number = script("person").replace("^5550142$", "^5550143$");
    let word = r#"
        [[turn]]
        keys = "2"
        expect = "harbour road"

        [[turn]]
        over_s = 0
        sound = "beep"
        seconds = 2
        stops_within_s = 1.3
    "#;
    let scripts = [
        (folder.write("hours.toml", script("keys-only")), "monday"),
        (folder.write("number.toml", number), "5550142"),
        (folder.write("word.toml", word), "stops the other end"),
    ];
    let paths: Vec<PathBuf> = scripts.iter().map(|(path, _)| path.clone()).collect();
    for one in play_all(&broken, &paths) {
        let (_, why) =
            scripts.iter().find(|(path, _)| path.ends_with(format!("{}.toml", one.name))).unwrap();
        assert_eq!(one.code, Some(4), "{}: {}", one.name, one.text);
        let missed: Vec<&str> =
            one.text.lines().skip_while(|line| !line.starts_with("missed")).collect();
        assert!(missed.join(" ").contains(why), "{why} in {}: {}", one.name, one.text);
    }
}
