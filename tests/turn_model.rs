//! A turn model in the real program: it is loaded and shown, the model inside the program is not
//! overruled by it, and without it the box answers all the same.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::appliance::{Appliance, Setup};
use support::folder::Folder;
use support::peers;
use support::turn::failing_above;
use support::vits::onnxruntime;

/// A model that can be loaded and fails whenever it is asked about a sound: after three times it is
/// left alone, and that is told.
fn failing(folder: &Folder) -> PathBuf {
    folder.write("turns.onnx", failing_above(-1.0))
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

/// A call with three turns, each of which is answered.
fn three_turns(appliance: &Appliance) {
    let ended = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", &appliance.uri(), "--max-seconds", "60"])
        .args(["--say", "what are your opening hours", "--expect", "open Monday"])
        .args(["--say", "where are you located", "--expect", "Harbour Road"])
        .args(["--say", "goodbye", "--expect", "Goodbye"])
        .args(["--api", &format!("http://{}", appliance.web)])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(0), "{text}");
}

#[test]
fn it_is_loaded_and_not_asked_beside_a_model_that_hears_the_end() {
    if !peers::is_installed("espeak-ng", "espeak-ng") {
        return;
    }
    let Some(library) = onnxruntime() else { return };
    let folder = Folder::new("turns");
    let appliance = with(&failing(&folder), &library).start();
    three_turns(&appliance);
    let model = &appliance.api("/health")["engine"]["turn_model"];
    assert!(model["name"].as_str().unwrap().ends_with("turns.onnx"), "{model}");
    assert_eq!(model["fault"], serde_json::Value::Null, "{model}");
    assert_eq!(told(&appliance), Vec::<String>::new());
}

#[test]
fn without_its_library_the_words_tell_alone_and_the_owner_is_told() {
    let folder = Folder::new("turns");
    let appliance = with(&failing(&folder), &folder.at("none.so")).start();
    let told = told(&appliance);
    assert!(told.len() == 1 && told[0].contains("none.so"), "{told:?}");
    three_turns(&appliance);
    let (code, text) = appliance.check();
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("speech.turn_model") && text.contains("none.so"), "{text}");
}
