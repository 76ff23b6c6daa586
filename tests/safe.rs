//! Safe mode: with a configuration that is broken a recorded sentence answers, and page, `/health` and
//! `attendant status` say why.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::folder::Folder;
use support::{peers, wait};

/// On a machine that is busy with much else.
const PACKETS_A_SECOND: u64 = 50;
const SOON: Duration = Duration::from_secs(60);

struct Safe {
    child: Child,
    /// Removed with it.
    _folder: Folder,
    sip: SocketAddr,
    web: SocketAddr,
}

impl Safe {
    /// With `faults` in its configuration and the owner's `recording` beside it; `ended` is how systemd says that the
    /// front has ended.
    fn start(faults: &str, recording: Option<&str>, ended: &[(&str, &str)]) -> Self {
        let loopback: IpAddr = Ipv4Addr::LOCALHOST.into();
        let folder = Folder::new("safe");
        let [sip, web] = [0, 1].map(|_| SocketAddr::new(loopback, peers::free_port(loopback)));
        let text = format!(
            "[sip]\nlisten = [\"udp:{sip}\", \"tcp:{sip}\"]\n[web]\nlisten = \"{web}\"\n\
             [media]\nports = \"31000-31999\"\n{faults}"
        );
        let config = folder.write("attendant.toml", text);
        if let Some(recording) = recording {
            std::fs::copy(recording, folder.at("safe.wav")).unwrap();
        }
        let child = Command::new(env!("CARGO_BIN_EXE_attendant"))
            .args(["safe", "--config", config.to_str().unwrap()])
            .env("STATE_DIRECTORY", folder.at("state"))
            .envs(ended.iter().copied())
            .spawn()
            .unwrap();
        Self { child, _folder: folder, sip, web }
    }

    fn status(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_attendant"))
            .args(["status", "--api", &format!("http://{}", self.web)])
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8([stdout, stderr].concat()).unwrap();
        (status.code(), text)
    }

    fn health(&self) -> Value {
        wait::until("the page is up", SOON, || {
            let (code, text) = self.status(&["--json"]);
            (code == Some(12)).then(|| serde_json::from_str(&text).unwrap())
        })
    }

    fn call(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_attendant"))
            .args(["call", &format!("sip:desk@{}", self.sip), "--json", "--max-seconds", "60"])
            // Whoever has something to say later listens to all of it.
            .args(["--pause", "50000", "--say", "hello"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn stop(&mut self) -> ExitStatus {
        let _ = kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM);
        wait::until("it ends", SOON, || self.child.try_wait().unwrap())
    }
}

impl Drop for Safe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of sound, by what came of it and not by a clock.
fn packets(call: &Value) -> u64 {
    call["rtp"]["packets_received"].as_u64().unwrap()
}

fn report(call: Child) -> Value {
    let output = call.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_recorded_sentence_answers_and_what_is_wrong_is_told_everywhere() {
    let mut safe = Safe::start("[calls]\nmaximum = 3\n", None, &[]);
    let health = safe.health();
    assert_eq!(health["state"], "safe");
    assert_eq!(health["takes_calls"], false);
    let reasons = health["reasons"].to_string();
    assert!(reasons.contains("calls.maximum"), "{reasons}");
    let by_udp = safe.call(&[]);
    let by_tcp = safe.call(&["--srtp", "required"]);
    wait::until("both calls are up", SOON, || (safe.health()["live_calls"] == 2).then_some(()));
    for call in [report(by_udp), report(by_tcp)] {
        assert_eq!(call["ending"]["by"], "far-end", "{call:#}");
        // The sentence, twice.
        assert!(packets(&call) > 15 * PACKETS_A_SECOND, "{call:#}");
        assert!(call["greeting_ms"].as_u64().unwrap() > 4_000, "{call:#}");
    }
    let (code, page) = safe.status(&[]);
    assert_eq!(code, Some(12));
    assert!(page.starts_with("state    safe mode") && page.contains("calls.maximum"), "{page}");
    assert!(page.contains("c1    inbound ended, goodbye"), "{page}");
    assert_eq!(safe.stop().code(), Some(0));
    let (code, text) = safe.status(&[]);
    assert_eq!(code, Some(11), "{text}");
    assert!(text.contains("the box is down"), "{text}");
}

#[test]
fn the_owners_own_recording_is_heard_and_how_the_front_ended_is_told() {
    let ended = [
        ("MONITOR_SERVICE_RESULT", "start-limit-hit"),
        ("MONITOR_EXIT_CODE", "killed"),
        ("MONITOR_EXIT_STATUS", "ABRT"),
    ];
    let recording = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/audio/no.wav");
    let mut safe = Safe::start("", Some(recording), &ended);
    let reasons = safe.health()["reasons"].to_string();
    assert!(reasons.contains("again and again; last by the signal ABRT"), "{reasons}");
    // One word, twice, with its pauses: the sentence inside the program is much longer.
    let call = report(safe.call(&[]));
    assert!(packets(&call) < 10 * PACKETS_A_SECOND, "{call:#}");
    assert_eq!(call["ending"]["by"], "far-end", "{call:#}");
    assert_eq!(safe.stop().code(), Some(0));
}

#[test]
fn what_is_to_be_started_again_ends_with_a_code_of_its_own() {
    let mut safe = Safe::start("", None, &[]);
    safe.health();
    let mut page = std::net::TcpStream::connect(safe.web).unwrap();
    let asked =
        format!("POST /api/restart HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", safe.web);
    page.write_all(asked.as_bytes()).unwrap();
    let ended = wait::until("it ends", SOON, || safe.child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(13));
    let mut stopped = Safe::start("", None, &[]);
    stopped.health();
    assert_eq!(stopped.stop().code(), Some(0));
}

/// Voices differ a little between their versions, so that no byte is compared.
#[test]
fn the_sentences_are_what_their_tool_makes_of_their_texts() {
    if !peers::is_installed("flite", "flite") || !peers::is_installed("espeak-ng", "espeak-ng") {
        return;
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Folder::new("sentences");
    let made = Command::new(root.join("tools/safe-sentence")).arg(folder.at("")).status().unwrap();
    assert!(made.success());
    for language in ["en", "ru"] {
        let name = format!("sentence.{language}.wav");
        let length = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().len();
        let kept = length(root.join("src/appliance/front/safe").join(&name));
        let made = length(folder.at(&name));
        assert!(made.abs_diff(kept) < kept / 10, "{language}: {made} bytes, not {kept}");
    }
}

#[test]
fn of_a_configuration_that_is_no_toml_what_can_be_read_holds_and_the_lines_are_named() {
    let safe = Safe::start("[calls]\nmax = = 3\nwhen_full = \"busy\n", None, &[]);
    let reasons = safe.health()["reasons"].to_string();
    assert!(reasons.contains("not TOML"), "{reasons}");
    assert!(reasons.contains("the rest holds: 8, 9"), "{reasons}");
    let call = report(safe.call(&[]));
    assert_eq!(call["ending"]["by"], "far-end", "{call:#}");
}
