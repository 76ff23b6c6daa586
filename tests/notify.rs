//! What systemd is told, by a socket of the test's own: ready, status, alive, read anew, stopping; and that a call
//! which is up then is told goodbye. `tests/systemd.rs` has the same with systemd itself.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::folder::Folder;
use support::frozen::Frozen;
use support::{counters, wait};

/// `WatchdogSec=` of these tests.
const WATCHDOG: Duration = Duration::from_secs(2);
/// On a machine that is busy with much else.
const SOON: Duration = Duration::from_secs(90);

/// systemd's end of the socket.
struct Manager {
    _folder: Folder,
    path: &'static str,
    socket: UnixDatagram,
}

impl Manager {
    fn new() -> Self {
        let folder = Folder::new("notify");
        let path = folder.at("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        // The setup keeps names as long as the test lives.
        let path = Box::leak(path.to_str().unwrap().to_owned().into_boxed_str());
        Self { _folder: folder, path, socket }
    }

    fn setup(&self) -> Setup {
        Setup::default().env("NOTIFY_SOCKET", self.path).env("WATCHDOG_USEC", "2000000")
    }

    /// The next message with this in one of its lines, and what came before it.
    fn told(&self, within: Duration, line: &str) -> Option<Vec<String>> {
        let end = Instant::now() + within;
        let mut messages = Vec::new();
        let mut bytes = [0; 4_096];
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.socket.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
            let Ok(length) = self.socket.recv(&mut bytes) else { continue };
            let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
            let is_it = message.lines().any(|one| one.starts_with(line));
            messages.push(message);
            if is_it {
                return Some(messages);
            }
        }
        None
    }

    fn last(&self, line: &str) -> String {
        let told = self.told(SOON, line).unwrap_or_else(|| panic!("{line} was not told"));
        told.last().unwrap().clone()
    }

    /// Forgets what has come.
    fn empty(&self) {
        self.socket.set_nonblocking(true).unwrap();
        while self.socket.recv(&mut [0; 4_096]).is_ok() {}
        self.socket.set_nonblocking(false).unwrap();
    }
}

fn hang_up(appliance: &Appliance) {
    kill(Pid::from_raw(appliance.pid().try_into().unwrap()), Signal::SIGHUP).unwrap();
}

#[test]
fn ready_with_a_status_and_alive_only_while_every_thread_is() {
    let manager = Manager::new();
    let appliance = manager.setup().start();
    let ready = manager.last("READY=1");
    assert!(ready.contains("STATUS=Answers calls"), "{ready}");
    for thread in ["audio", "net", "web", "websocket", "speech link"] {
        assert!(manager.told(SOON, "WATCHDOG=1").is_some(), "{thread}");
        let frozen = Frozen::new(counters::thread(appliance.pid(), thread).unwrap());
        let status = manager.last(&format!("STATUS=The thread {thread}"));
        assert!(status.ends_with("does nothing any more\n"), "{status}");
        manager.empty();
        assert!(manager.told(WATCHDOG * 2, "WATCHDOG=1").is_none(), "{thread} is not missed");
        // Long before systemd would miss those that may be silent for long.
        assert!(manager.told(SOON, "WATCHDOG=trigger").is_some(), "{thread} is waited for");
        drop(frozen);
        assert!(manager.told(SOON, "WATCHDOG=1").is_some(), "{thread} is back");
    }
    assert!(appliance.log().contains("it has done nothing for too long"));
}

#[test]
fn a_playbook_is_read_anew_for_the_calls_after_it_and_ports_are_not() {
    let manager = Manager::new();
    let folder = Folder::new("playbook");
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/src/converse/playbook/logistics.toml");
    let shipped = std::fs::read_to_string(shipped).unwrap();
    let playbook = folder.write("desk.toml", &shipped);
    let entry = format!("playbook = \"{}\"", playbook.display());
    let appliance = manager.setup().with("converse", &entry).start();
    manager.last("READY=1");

    let before = shipped.lines().find(|line| line.starts_with("greeting = ")).unwrap();
    folder.write("desk.toml", shipped.replace(before, "greeting = \"Here is the new desk.\""));
    hang_up(&appliance);
    let reloading = manager.last("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    let ready = manager.last("READY=1");
    assert!(ready.contains("STATUS=Read anew"), "{ready}");
    let call = ended(call(&appliance, &[]));
    assert!(call.contains("Here is the new desk."), "{call}");

    let config = std::fs::read_to_string(appliance.config()).unwrap();
    std::fs::write(appliance.config(), config.replace("max = 5", "max = 6")).unwrap();
    hang_up(&appliance);
    let ready = manager.last("READY=1");
    assert!(ready.contains("calls.max is taken by a restart only"), "{ready}");
    std::fs::write(appliance.config(), "[calls]\nmaximum = 3\n").unwrap();
    hang_up(&appliance);
    let ready = manager.last("READY=1");
    assert!(ready.contains("not read anew") && ready.contains("calls.maximum"), "{ready}");
    assert_eq!(appliance.api("/health")["takes_calls"], true);
}

#[test]
fn a_call_that_is_up_is_told_goodbye_and_the_program_ends_well() {
    let manager = Manager::new();
    let mut appliance = manager.setup().start();
    let caller = call(&appliance, &["--pause", "50000", "--say", "where are you"]);
    wait::until("the greeting", SOON, || {
        let record = appliance.record(|_| true)?;
        (record["state"] == "active" && !record["turns"].as_array()?.is_empty()).then_some(())
    });
    kill(Pid::from_raw(appliance.pid().try_into().unwrap()), Signal::SIGTERM).unwrap();
    let stopping = manager.last("STOPPING=1");
    assert!(stopping.contains("goodbye is said in 1 calls"), "{stopping}");
    let said = wait::within(SOON, || {
        let (_, health) = appliance.get("/health")?;
        assert_eq!(health["state"], "stopping");
        let text = appliance.record(|_| true)?.to_string();
        text.contains("this line has to close").then_some(())
    });
    assert!(said.is_some(), "goodbye was not said");
    let status = appliance.ended(SOON).expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", appliance.log());
    let report: Value = serde_json::from_str(&ended(caller)).unwrap();
    assert_eq!(report["ending"]["by"], "far-end", "{report:#}");
}

fn call(appliance: &Appliance, arguments: &[&str]) -> Child {
    let api = format!("http://{}", appliance.web);
    Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", &appliance.uri(), "--json", "--api", &api, "--max-seconds", "60"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

fn ended(child: Child) -> String {
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}
