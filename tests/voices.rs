//! Each kind of voice that can be configured speaks in the real program, or ends its start.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::folder::Folder;
use support::vits::{Shape, graph, onnxruntime, piper_config};
use support::wait;

/// Ready means that every phrase has been rendered.
#[test]
fn a_voice_of_espeak_renders_every_phrase() {
    let appliance = Setup::default().with("speech", "voice = \"espeak:de\"").start();
    let health = appliance.api("/health");
    // The kernel may have refused real-time scheduling; that is not the voice's.
    let reasons = health["reasons"].as_array().unwrap();
    let of_the_voice = |reason: &&serde_json::Value| reason.to_string().contains("speech.voice");
    assert_eq!(reasons.iter().find(of_the_voice), None, "{health}");
    assert_eq!(health["engine"]["model"], "starter-en", "{health}");
    assert!(health["engine"]["device"].as_str().unwrap().starts_with("cpu"), "{health}");
}

#[test]
fn a_voice_that_can_say_nothing_is_70() {
    let folder = Folder::new("mute");
    let config = folder.write(
        "attendant.toml",
        "[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n[web]\nlisten = \"127.0.0.1:0\"\n\
         [calls]\nmax = 1\n[media]\nports = \"41300-41399\"\n\
         [speech]\ndevice = \"cpu\"\nvoice = \"espeak:xx-none\"\n",
    );
    let ended = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .arg("run")
        .arg("--config")
        .arg(config)
        .env("STATE_DIRECTORY", folder.at("state"))
        .env("RUNTIME_DIRECTORY", folder.at("run"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(70), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.contains("speech.voice: nothing can be spoken in the language xx-none"), "{text}");
}

/// The files of a stand-in voice with two speakers; its graph.
fn stand_in(folder: &Folder) -> PathBuf {
    let shape = Shape { speakers: true, ..Shape::default() };
    folder.write("firm.onnx.json", piper_config(22_050, &[("anna", 4), ("bert", 1)]));
    folder.write("firm.onnx", graph(shape))
}

/// A box with this voice and this library.
fn with(voice: &Path, speaker: &str, library: &Path) -> Setup {
    let (voice, library) = (voice.display(), library.display());
    let keys = format!("voice = \"{voice}:{speaker}\"\nonnxruntime = \"{library}\"");
    Setup::default().calls_max(1).with("speech", &keys)
}

/// What the box says of its voice: where it runs, or why it does not speak.
fn report(appliance: &Appliance) -> (Value, Vec<String>) {
    let health = appliance.api("/health");
    let told = health["reasons"].as_array().unwrap().iter().map(|reason| reason.to_string());
    let told = told.filter(|reason| reason.contains("voice")).collect();
    (health["engine"]["voices"][0].clone(), told)
}

#[test]
fn a_neural_voice_renders_every_phrase_and_keeps_them() {
    let Some(library) = onnxruntime() else { return };
    let folder = Folder::new("firm");
    let setup = with(&stand_in(&folder), "anna", &library);
    let appliance = setup.start();
    let (voice, told) = report(&appliance);
    assert_eq!((&voice["device"], &voice["fault"]), (&Value::from("cpu"), &Value::Null));
    assert!(told.is_empty(), "{told:?}");
    let kept = appliance.state().join("phrases");
    let phrases = || {
        let files = std::fs::read_dir(&kept).unwrap().filter_map(Result::ok);
        files.filter(|file| file.path().extension().is_some_and(|end| end == "phrase")).count()
    };
    wait::until("phrases on the disk", Duration::from_secs(20), || (phrases() > 20).then_some(()));
}

#[test]
fn a_wrong_speaker_is_found_by_the_check_and_a_box_answers_with_a_plain_voice() {
    let Some(library) = onnxruntime() else { return };
    let folder = Folder::new("wrong");
    let voice = stand_in(&folder);
    let setup = with(&voice, "carl", &library);
    let appliance = setup.start();
    let (voice, told) = report(&appliance);
    assert!(voice["fault"].as_str().unwrap().contains("carl"), "{voice}");
    assert!(told.len() == 1 && told[0].contains("anna, bert"), "{told:?}");
    let (code, text) = appliance.check();
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("speech.voice") && text.contains("carl"), "{text}");
}

/// C++ that ends the process, as a graph may make ONNX Runtime do.
#[test]
fn a_runtime_that_kills_the_engine_is_left_alone_and_calls_are_taken() {
    let folder = Folder::new("deadly");
    let source = folder.write(
        "deadly.c",
        "#include <stdlib.h>\n__attribute__((constructor)) static void end(void) { abort(); }\n",
    );
    let library = folder.at("libonnxruntime.so");
    let compiled = Command::new("gcc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status()
        .unwrap();
    assert!(compiled.success());
    let appliance = with(&stand_in(&folder), "anna", &library).start();
    let (voice, told) = report(&appliance);
    assert!(voice["fault"].as_str().unwrap().contains("two that failed in a row"), "{voice}");
    assert_eq!(told.len(), 1, "{told:?}");
}
