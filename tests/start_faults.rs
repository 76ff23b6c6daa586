//! What prevents the start ends the program with a code of its own and one line that names key,
//! file or address.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Longer than any start takes; a program that is still there by then has started.
const STARTED: Duration = Duration::from_secs(60);

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("attendant-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// One entry of the configuration that prevents the start; everything else is harmless.
fn start_with(name: &str, section: &str, entry: &str) -> (Option<i32>, String) {
    let folder = Folder::new(name);
    let mut text = String::new();
    for (harmless_section, harmless) in [
        ("sip", "listen = [\"udp:127.0.0.1:0\"]\n"),
        ("web", "listen = \"127.0.0.1:0\"\n"),
        ("calls", "max = 1\n"),
        ("media", "ports = \"41200-41299\"\n"),
        ("speech", "device = \"cpu\"\n"),
    ] {
        let entry = if harmless_section == section { entry } else { harmless };
        text += &format!("[{harmless_section}]\n{entry}");
    }
    let config = folder.file("attendant.toml", text);
    let child = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["run", "--config", config.to_str().unwrap()])
        .env("RUNTIME_DIRECTORY", &folder.0)
        .env("STATE_DIRECTORY", &folder.0)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    ended(child)
}

fn ended(child: Child) -> (Option<i32>, String) {
    let id = child.id().to_string();
    let (done, is_done) = mpsc::channel();
    let guard = thread::spawn(move || {
        if is_done.recv_timeout(STARTED).is_err() {
            let _ = Command::new("kill").arg(&id).status();
        }
    });
    let output = child.wait_with_output().unwrap();
    done.send(()).unwrap();
    guard.join().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn assert_fault(outcome: &(Option<i32>, String), code: i32, words: &[&str]) {
    let (ended_with, text) = outcome;
    assert_eq!(*ended_with, Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "{word} in: {text}");
    }
}

fn model_entry(path: &Path) -> String {
    format!("whisper_model = \"{}\"\ndevice = \"cpu\"\n", path.display())
}

#[test]
fn a_missing_model_is_66() {
    let path = Path::new("/nonexistent/model.bin");
    let outcome = start_with("missing-model", "speech", &model_entry(path));
    assert_fault(&outcome, 66, &["speech.whisper_model", "/nonexistent/model.bin"]);
}

#[test]
fn a_damaged_model_is_65() {
    let folder = Folder::new("models");
    let starter =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("models/starter-en/ggml-starter-en-q8_0.bin");
    let mut half = fs::read(starter).unwrap();
    half.truncate(half.len() / 2);
    for (name, bytes) in [("text.bin", b"not a model".to_vec()), ("half.bin", half)] {
        let path = folder.file(name, bytes);
        let outcome = start_with("damaged-model", "speech", &model_entry(&path));
        assert_fault(&outcome, 65, &["speech.whisper_model", name]);
    }
}

#[test]
fn a_busy_port_is_69() {
    let taken_tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp_port = taken_tcp.local_addr().unwrap();
    let udp_port = taken_udp.local_addr().unwrap();
    for (section, entry, address) in [
        ("sip", format!("listen = [\"tcp:{tcp_port}\"]\n"), tcp_port),
        ("sip", format!("listen = [\"udp:{udp_port}\"]\n"), udp_port),
        ("web", format!("listen = \"{tcp_port}\"\n"), tcp_port),
    ] {
        let outcome = start_with("busy-port", section, &entry);
        let key = format!("{section}.listen");
        assert_fault(&outcome, 69, &[&key, &address.to_string()]);
    }
}

#[test]
fn an_exhausted_port_range_is_75() {
    let taken = loop {
        let taken = UdpSocket::bind("0.0.0.0:0").unwrap();
        if taken.local_addr().unwrap().port().is_multiple_of(2) {
            break taken;
        }
    };
    let port = taken.local_addr().unwrap().port();
    let entry = format!("ports = \"{port}-{}\"\n", port + 1);
    let outcome = start_with("no-ports", "media", &entry);
    assert_fault(&outcome, 75, &["media.ports", &format!("{port}-{}", port + 1)]);
}

#[test]
fn a_certificate_of_an_account_that_is_not_there_is_named() {
    let account = "device = \"cpu\"\n[[accounts]]\nname = \"office\"\nserver = \"192.0.2.1\"\n\
        user = \"1\"\nregisters = false\ntransport = \"tls\"\n\
        tls_certificate = \"/nonexistent/a.crt\"\ntls_key = \"/nonexistent/a.key\"\n";
    let outcome = start_with("no-certificate", "speech", account);
    assert_fault(&outcome, 78, &["accounts.tls_certificate", "office", "/nonexistent/a.crt"]);
}

#[test]
fn a_bad_configuration_is_78() {
    let outcome = start_with("bad-value", "calls", "max = 0\n");
    assert_fault(&outcome, 78, &["calls.max", "0"]);
    let outcome = start_with("unknown-key", "media", "codec = \"opus\"\n");
    assert_fault(&outcome, 78, &["media.codec"]);
}
