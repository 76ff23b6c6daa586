//! The Debian package in systems that are new, under systemd: installed, called, updated, removed, purged. `make deb-test`,
//! also a part of `make nightly`. Needs root.
//!
//! `PACKAGED_PROGRAM` names the program that is packed, as that of `make build`; else it is the one that was built for tests.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::folder::Folder;
use support::machine::{Machine, READY, report};
use support::{package, wait};

/// What the package leaves behind: nothing, at these places.
const PLACES: [&str; 9] = [
    "/etc/attendant",
    "/var/lib/attendant",
    "/var/cache/attendant-speech",
    "/usr/bin/attendant",
    "/usr/share/doc/attendant",
    "/usr/lib/tmpfiles.d/attendant.conf",
    "/usr/lib/sysusers.d/attendant.conf",
    "/run/attendant",
    "/etc/systemd/system/multi-user.target.wants/attendant.target",
];

#[test]
#[ignore = "boots a container: make deb-test"]
fn it_lives_and_goes_on_debian_12() {
    lives_and_goes("bookworm");
}

#[test]
#[ignore = "boots a container: make deb-test"]
fn it_lives_and_goes_on_debian_13() {
    lives_and_goes("trixie");
}

fn lives_and_goes(suite: &str) {
    if !package::can_be_made() {
        return;
    }
    let packages = Folder::new("packages");
    let first = package::make("0.1.0", packages.path());
    let next = package::make("0.1.1", packages.path());
    let inside = |package: &std::path::Path| {
        format!("/srv/{}", package.file_name().unwrap().to_str().unwrap())
    };
    let Some(machine) = Machine::boot_tree(suite, packages.path()) else { return };
    installs_and_answers(&machine, &inside(&first), suite);
    let page = Page::first(&machine);
    let version = change_at_the_page(&page);
    updates_in_a_call(&machine, &inside(&next), &page);
    // The page's change is there, and can be followed by another.
    assert_eq!(Page::again(&machine).settings()["version"], version);
    assert!(read(&machine, "/etc/attendant/attendant.toml").contains("max = 2"));
    removes_and_purges(&machine);
}

/// apt without a question or a network, as a system does that updates itself.
fn apt(machine: &Machine, words: &[&str]) -> String {
    let apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes"];
    let offline = ["--no-install-recommends"];
    let (is_well, said) = machine.run(&[&apt[..], &offline, words].concat());
    assert!(is_well, "apt-get {words:?}: {said}");
    said
}

fn read(machine: &Machine, path: &str) -> String {
    machine.run(&["cat", path]).1
}

fn installs_and_answers(machine: &Machine, package: &str, suite: &str) {
    let began = Instant::now();
    apt(machine, &["install", package]);
    // Nothing else is asked of whoever installs it.
    machine.becomes_active("attendant.service", READY);
    machine.becomes_active("attendant-speech.service", READY);
    println!("{suite}: takes calls {:.1} s after apt-get install", began.elapsed().as_secs_f32());
    for unit in ["attendant.target", "attendant.service", "attendant-speech.socket"] {
        assert!(machine.run(&["systemctl", "is-enabled", unit]).0, "{unit}");
    }
    assert!(machine.is_active("attendant.target"));
    let about = ["stat", "-c", "%a %U %G", "/etc/attendant/attendant.toml"];
    assert_eq!(machine.run(&about).1.trim(), "660 root attendant");
    assert!(machine.run(&["attendant", "check"]).0);
    let call = report(machine.call(&["--say", "what are your opening hours"]));
    assert!(call["turns"][0]["gap_ms"].is_i64(), "{call:#}");
    println!("{suite}: {}", call["turns"]);
}

const PASSWORD: &str = "correct horse battery";

/// The page with its owner at it, from inside: these systems have no curl.
struct Page<'a> {
    machine: &'a Machine,
    /// Lines of header fields that show who asks.
    fields: String,
}

impl<'a> Page<'a> {
    /// With the code of the box, as long as it has no password.
    fn first(machine: &'a Machine) -> Self {
        let code = read(machine, "/var/lib/attendant/setup-code");
        let body = json!({"code": code.trim(), "password": PASSWORD});
        Self::signed_in(machine, "/api/first-password", &body)
    }

    /// With the password.
    fn again(machine: &'a Machine) -> Self {
        Self::signed_in(machine, "/api/session", &json!({"person": "owner", "password": PASSWORD}))
    }

    fn signed_in(machine: &'a Machine, path: &str, body: &Value) -> Self {
        let stranger = Self { machine, fields: String::new() };
        let (head, body) = stranger.ask("POST", path, &body.to_string());
        let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.unwrap_or_else(|| panic!("{head}: {body}"));
        let cookie = cookie.split(';').next().unwrap();
        let session: Value = serde_json::from_str(&body).unwrap();
        let csrf = session["csrf"].as_str().unwrap();
        let fields = format!("Cookie: {cookie}\\r\\nX-CSRF-Token: {csrf}\\r\\n");
        Self { machine, fields }
    }

    /// Head and body of the answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> (String, String) {
        let request = format!(
            "{method} {path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\
             Content-Type: application/json\\r\\n{}Content-Length: {}\\r\\n\\r\\n{body}",
            self.fields,
            body.len()
        );
        let script =
            format!("exec 3<>/dev/tcp/127.0.0.1/8080 && printf '{request}' >&3 && cat <&3");
        let (_, said) = self.machine.run(&["bash", "-c", &script]);
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{said}"));
        (head.to_owned(), body.to_owned())
    }

    fn settings(&self) -> Value {
        let (head, body) = self.ask("GET", "/api/settings", "");
        serde_json::from_str(&body).unwrap_or_else(|_| panic!("{head}"))
    }
}

/// A setting that the page changes; the version that the settings have then.
fn change_at_the_page(page: &Page<'_>) -> Value {
    let before = page.settings();
    let change = json!({"version": before["version"], "changes": {"calls.max": 2}});
    let (_, changed) = page.ask("PATCH", "/api/settings", &change.to_string());
    assert!(changed.contains("\"needs_restart\":true"), "{changed}");
    let after = page.settings();
    assert_ne!(before["version"], after["version"]);
    after["version"].clone()
}

/// An update while somebody is on the line: they hear goodbye, and the next one is answered by the new program.
fn updates_in_a_call(machine: &Machine, package: &str, page: &Page<'_>) {
    let front = machine.main_pid("attendant.service");
    // Longer than any update: they ask again and again.
    let mut words = vec!["--max-seconds", "180"];
    words.extend(["--say", "what are your opening hours"].repeat(8));
    let call = machine.call(&words);
    wait::until("the call is up", READY, || {
        // With a password nobody else is told of calls.
        let health: Value = serde_json::from_str(&page.ask("GET", "/health", "").1).ok()?;
        (health["live_calls"] == 1).then_some(())
    });
    let began = Instant::now();
    apt(machine, &["install", package]);
    let call = report(call);
    assert_eq!(call["ending"]["by"], "far-end", "{call:#}");
    assert!(machine.has_other(front), "{}", machine.journal());
    machine.becomes_active("attendant.service", READY);
    println!("updated with a call up in {:.1} s", began.elapsed().as_secs_f32());
    let (_, version) =
        machine.run(&["dpkg-query", "-Wf", "${Version} ${db:Status-Status}", "attendant"]);
    assert_eq!(version, "0.1.1 installed");
    let call = report(machine.call(&["--say", "what are your opening hours"]));
    assert!(call["turns"][0]["gap_ms"].is_i64(), "{call:#}");
}

fn removes_and_purges(machine: &Machine) {
    assert!(machine.run(&["sh", "-c", "echo secret >/etc/attendant/credentials/account/office"]).0);
    apt(machine, &["remove", "attendant"]);
    let gone = wait::within(Duration::from_secs(5), || {
        let (_, active) =
            machine.run(&["systemctl", "list-units", "--plain", "--no-legend", "attendant*"]);
        active.lines().all(|line| !line.contains(" active ")).then_some(())
    });
    assert!(gone.is_some(), "{}", machine.journal());
    assert!(!machine.listens());
    // What is the owner's stays until they want all of it gone.
    let text = read(machine, "/etc/attendant/attendant.toml");
    assert!(text.contains("max = 2"), "{text}");
    assert!(machine.run(&["test", "-e", "/var/lib/attendant"]).0);
    assert!(!machine.run(&["test", "-e", "/usr/bin/attendant"]).0);
    apt(machine, &["purge", "attendant"]);
    for place in PLACES {
        assert!(!machine.run(&["test", "-e", place]).0, "{place}");
    }
    let (_, left) = machine.run(&[
        "sh",
        "-c",
        "find / -xdev -name '*attendant*' -not -path '/srv/*' -not -path '/proc/*'",
    ]);
    assert_eq!(left.trim(), "", "left behind");
    // Two users without a password, so that nobody gets their numbers.
    assert!(read(machine, "/etc/passwd").contains("attendant-speech"));
}
