//! A turn model in the real program: it is loaded and shown, the model inside the program is not
//! overruled by it, and without it the box answers all the same.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::path::Path;
use std::process::Command;

use support::appliance::{Appliance, Setup};
use support::folder::Folder;
use support::peers;
use support::turn::graph;
use support::vits::onnxruntime;

/// A model that finds every voice complete, or none.
fn says(folder: &Folder, complete: bool) -> std::path::PathBuf {
    let threshold = if complete { -20.0 } else { 20.0 };
    folder.write("turns.onnx", graph("input_features", 0.0, threshold))
}

fn with(model: &Path, library: &Path) -> Setup {
    let (model, library) = (model.display(), library.display());
    let keys = format!("turn_model = \"{model}\"\nonnxruntime = \"{library}\"");
    Setup::default().calls_max(1).with("speech", &keys)
}

fn told(appliance: &Appliance) -> Vec<String> {
    let health = appliance.api("/health");
    let reasons = health["reasons"].as_array().unwrap().iter().map(|reason| reason.to_string());
    reasons.filter(|reason| reason.contains("turn_model")).collect()
}

/// How long the box waited for the end of a sentence that is whole by its words.
fn waited_ms(appliance: &Appliance) -> u64 {
    let ended = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", &appliance.uri(), "--max-seconds", "40"])
        .args(["--say", "what are your opening hours", "--say", "goodbye"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(0), "{text}");
    let record = appliance.record(|_| true).unwrap();
    let turns = record["turns"].as_array().unwrap();
    let hours = turns.iter().find(|turn| turn["caller"].to_string().contains("opening"));
    hours.unwrap_or_else(|| panic!("{record}"))["latency"]["endpoint_ms"].as_u64().unwrap()
}

#[test]
fn one_that_finds_no_voice_complete_is_not_asked_beside_a_model_that_hears_the_end() {
    if !peers::is_installed("espeak-ng", "espeak-ng") {
        return;
    }
    let Some(library) = onnxruntime() else { return };
    let folder = Folder::new("turns");
    let appliance = with(&says(&folder, false), &library).start();
    let model = &appliance.api("/health")["engine"]["turn_model"];
    assert!(model["name"].as_str().unwrap().ends_with("turns.onnx"), "{model}");
    assert_eq!(model["fault"], serde_json::Value::Null, "{model}");
    assert_eq!(told(&appliance), Vec::<String>::new());
    assert!(waited_ms(&appliance) < 500);
}

#[test]
fn without_its_library_the_words_tell_alone_and_the_owner_is_told() {
    let folder = Folder::new("turns");
    let appliance = with(&says(&folder, true), &folder.at("none.so")).start();
    let told = told(&appliance);
    assert!(told.len() == 1 && told[0].contains("none.so"), "{told:?}");
    assert!(waited_ms(&appliance) < 500);
    let checked = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["check", "--config"])
        .arg(appliance.config())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(78), "{text}");
    assert!(text.contains("speech.turn_model") && text.contains("none.so"), "{text}");
}
