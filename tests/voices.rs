//! Each kind of voice that can be configured speaks in the real program, or ends its start.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::process::{Command, Stdio};

use support::appliance::Setup;
use support::folder::Folder;

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
