//! The appliance under systemd itself, in a container of its own: `make nightly`. Needs root.
//!
//! `tests/systemd/boot` boots this machine's system with `make install`'s files in it; what is asked of systemd is asked
//! inside.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde_json::Value;
use support::frozen::Frozen;
use support::machine::{Machine, READY, report};
use support::{counters, wait};

/// What is promised.
const LISTENING_AGAIN: Duration = Duration::from_secs(3);
const WATCHDOG_RESTART: Duration = Duration::from_secs(15);
const GOODBYE: Duration = Duration::from_secs(30);

/// The line of a process's users.
fn user(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find(|line| line.starts_with("Uid:")).unwrap().to_owned()
}

const CONFIG: &str =
    "[calls]\nmax = 3\n[speech]\ndevice = \"cpu\"\n[media]\nports = \"20000-20099\"\n";

#[test]
#[ignore = "boots a container: make nightly"]
fn it_starts_talks_reads_anew_and_says_goodbye() {
    let Some(machine) = Machine::boot(CONFIG) else { return };
    machine.becomes_active("attendant.service", READY);
    machine.becomes_active("attendant-speech.service", READY);
    let status = machine.property("attendant.service", "StatusText");
    assert!(status.starts_with("Answers calls"), "{status}");
    println!("systemctl status: {status}");
    // The engine has neither a network nor the front's user.
    let engine = machine.main_pid("attendant-speech.service");
    let front = machine.main_pid("attendant.service");
    assert_ne!(user(engine), user(front));
    let devices = fs::read_to_string(format!("/proc/{engine}/net/dev")).unwrap();
    assert_eq!(devices.lines().skip(2).count(), 1, "{devices}");
    // Hears and speaks through both units.
    let talk = report(machine.call(&["--say", "what are your opening hours"]));
    println!("{}", talk["turns"]);
    assert!(talk["turns"][0]["gap_ms"].is_i64(), "{talk:#}");
    machine.systemctl(&["reload", "attendant.service"]);
    assert!(machine.is_active("attendant.service"));
    wait::until("it is read anew", READY, || {
        let (_, log) = machine.run(&["journalctl", "-b", "-u", "attendant.service", "-o", "cat"]);
        log.contains("read anew").then_some(())
    });
    // The journal has fields of ours.
    let (_, log) = machine.run(&["journalctl", "-b", "CALL_ID=c1", "-o", "cat"]);
    assert!(log.contains("call taken") && log.contains("call ended"), "{log}");
    let call = machine.call(&["--max-seconds", "60", "--pause", "50000", "--say", "thank you"]);
    wait::until("the call is up", READY, || {
        let health = machine.health()?;
        (health["live_calls"] == 1).then_some(())
    });
    let stopping = Instant::now();
    machine.systemctl(&["stop", "attendant.service"]);
    let took = stopping.elapsed();
    let report = report(call);
    assert_eq!(report["ending"]["by"], "far-end", "{report:#}");
    assert!(took < GOODBYE, "{took:?}");
    println!("stopped with a call up after {} ms", took.as_millis());
    assert_eq!(machine.property("attendant.service", "Result"), "success");
    assert_eq!(machine.property("attendant.service", "ExecMainStatus"), "0");
    assert!(!machine.is_active("attendant-safe.service"));
}

#[test]
#[ignore = "boots a container: make nightly"]
fn what_hangs_or_is_killed_is_started_again_in_time() {
    let Some(machine) = Machine::boot(CONFIG) else { return };
    machine.becomes_active("attendant.service", READY);
    let front = machine.main_pid("attendant.service");
    kill(Pid::from_raw(front.try_into().unwrap()), Signal::SIGKILL).unwrap();
    let killed = Instant::now();
    let again = wait::until("another front", READY, || {
        (machine.has_other(front) && machine.listens()).then(|| killed.elapsed())
    });
    println!("killed: listens again after {} ms", again.as_millis());
    assert!(again <= LISTENING_AGAIN, "{again:?}");
    machine.becomes_active("attendant.service", READY);

    // The one with the least patience, and one with the most.
    for thread in ["audio", "speech link"] {
        let front = machine.main_pid("attendant.service");
        let held = Frozen::new(counters::thread(front, thread).unwrap());
        let frozen = Instant::now();
        // Whoever holds a thread is told of its end before its process can go.
        let pid = held.0;
        let told = std::thread::spawn(move || waitpid(pid, Some(WaitPidFlag::__WALL)));
        let again = wait::until("another front after the hang", READY, || {
            machine.has_other(front).then(|| frozen.elapsed())
        });
        println!("the thread {thread} frozen: started again after {} ms", again.as_millis());
        assert!(again <= WATCHDOG_RESTART, "{again:?}");
        told.join().unwrap().unwrap();
        machine.becomes_active("attendant.service", READY);
    }

    let front = machine.main_pid("attendant.service");
    kill(Pid::from_raw(front.try_into().unwrap()), Signal::SIGSTOP).unwrap();
    let stopped = Instant::now();
    let again = wait::until("another front after the stop", READY, || {
        machine.has_other(front).then(|| stopped.elapsed())
    });
    println!("all of it stopped: started again after {} ms", again.as_millis());
    assert!(again <= WATCHDOG_RESTART, "{again:?}");
}

#[test]
#[ignore = "boots a container: make nightly"]
fn eight_crashes_lead_to_safe_mode_which_answers() {
    let Some(machine) = Machine::boot(CONFIG) else { return };
    machine.becomes_active("attendant.service", READY);
    let mut crashes = 0;
    while !machine.is_active("attendant-safe.service") {
        assert!(crashes < 10, "{}", machine.journal());
        let pid = wait::within(Duration::from_secs(10), || machine.pid("attendant.service"));
        if let Some(pid) = pid {
            let _ = kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL);
            crashes += 1;
            let gone = || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(());
            wait::until("it is gone", READY, gone);
        }
        wait::within(Duration::from_secs(3), || {
            (machine.pid("attendant.service").is_some()
                || machine.is_active("attendant-safe.service"))
            .then_some(())
        });
    }
    assert_eq!(crashes, 8, "{}", machine.journal());
    answers_safely(&machine, "again and again");
    // The owner has mended it, and says so at the page.
    machine.restarts_by_the_page();
    machine.becomes_active("attendant.service", READY);
    assert!(!machine.is_active("attendant-safe.service"));
}

#[test]
#[ignore = "boots a container: make nightly"]
fn the_page_starts_it_again_as_often_as_is_wanted() {
    let Some(machine) = Machine::boot(CONFIG) else { return };
    for _ in 0..10 {
        machine.becomes_active("attendant.service", READY);
        let front = machine.main_pid("attendant.service");
        machine.restarts_by_the_page();
        wait::until("another front", READY, || machine.has_other(front).then_some(()));
    }
    machine.becomes_active("attendant.service", READY);
    assert!(!machine.is_active("attendant-safe.service"));
    // The page writes the configuration, which stays the group's.
    let about = ["/usr/bin/stat", "-c", "%a %G", "/etc/attendant/attendant.toml"];
    assert_eq!(machine.run(&about).1.trim(), "660 attendant");
    let (_, code) = machine.run(&["cat", "/var/lib/attendant/setup-code"]);
    let first = serde_json::json!({"code": code.trim(), "password": "correct horse"});
    let jar = "/tmp/cookies";
    let (_, session) = machine.run(&[
        "curl",
        "-s",
        "-c",
        jar,
        "-H",
        "Content-Type: application/json",
        "-d",
        &first.to_string(),
        "http://127.0.0.1:8080/api/first-password",
    ]);
    let session: Value = serde_json::from_str(&session).unwrap();
    let csrf = format!("X-CSRF-Token: {}", session["csrf"].as_str().unwrap());
    let (_, settings) =
        machine.run(&["curl", "-s", "-b", jar, "http://127.0.0.1:8080/api/settings"]);
    let settings: Value = serde_json::from_str(&settings).unwrap();
    let change = serde_json::json!({"version": settings["version"], "changes": {"calls.max": 2}});
    let (_, changed) = machine.run(&[
        "curl",
        "-s",
        "-X",
        "PATCH",
        "-b",
        jar,
        "-H",
        &csrf,
        "-H",
        "Content-Type: application/json",
        "-d",
        &change.to_string(),
        "http://127.0.0.1:8080/api/settings",
    ]);
    assert!(changed.contains("\"needs_restart\":true"), "{changed}");
    assert_eq!(machine.run(&about).1.trim(), "660 attendant");
    // Set by root, it is read by the front.
    let set = "echo 'battery staple' | attendant password";
    assert!(machine.run(&["sh", "-c", set]).0);
    machine.systemctl(&["restart", "attendant.service"]);
    machine.becomes_active("attendant.service", READY);
    let session = [
        "-d",
        "{\"person\": \"owner\", \"password\": \"battery staple\"}",
        "http://127.0.0.1:8080/api/session",
    ];
    let json = ["curl", "-s", "-H", "Content-Type: application/json"];
    wait::until("the owner is let in", READY, || {
        machine.run(&[&json[..], &session].concat()).1.contains("csrf").then_some(())
    });
}

/// A secret that nothing else holds.
const SECRET: &str = "correct-horse-battery-staple-31";

#[test]
#[ignore = "boots a container: make nightly"]
fn a_secret_that_only_this_machine_can_read_reaches_the_program_and_no_disk() {
    let config = format!("{CONFIG}[[token]]\nname = \"keeper\"\nscopes = [\"read\"]\n");
    let Some(machine) = Machine::boot(&config) else { return };
    // Without its token the program does not start.
    machine.becomes_active("attendant-safe.service", READY);
    let encrypt = format!(
        "set -e; systemd-creds setup; printf %s {SECRET} | systemd-creds encrypt --with-key=host \
         --name=token_keeper - /etc/attendant/credentials/token/keeper; cd /etc/systemd/system; \
         for unit in attendant attendant-safe; do mkdir -p $unit.service.d; cp \
         /usr/share/doc/attendant/attendant.service.d/encrypted-credentials.conf $unit.service.d; done; \
         systemctl daemon-reload; systemctl stop attendant-safe; systemctl restart attendant"
    );
    let (is_well, said) = machine.run(&["sh", "-c", &encrypt]);
    assert!(is_well, "{said}");
    machine.becomes_active("attendant.service", READY);
    let status = |token: &str| {
        let bearer = format!("Authorization: Bearer {token}");
        let page = "http://127.0.0.1:8080/api/calls";
        machine.run(&["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", &bearer, page]).1
    };
    wait::until("the page is up", READY, || (status(SECRET) == "200").then_some(()));
    assert_eq!(status("another-token-of-the-same-length"), "401");
    let kept = ["grep", "-r", "-l", SECRET, "/etc/attendant", "/var/lib/attendant", "/var/log"];
    assert!(!machine.run(&kept).0, "it is in a file: {}", machine.run(&kept).1);
}

#[test]
#[ignore = "boots a container: make nightly"]
fn a_program_that_was_taken_over_gets_nothing_of_roots_by_its_folders() {
    let Some(machine) = Machine::boot(CONFIG) else { return };
    machine.becomes_active("attendant.service", READY);
    let front = machine.main_pid("attendant.service");
    // As whoever has taken the program over: its user, its groups, and the files that it sees.
    let as_front = |script: &str| {
        let front = front.to_string();
        let user = ["setpriv", "--reuid", "attendant", "--regid", "attendant", "--init-groups"];
        let mut command = Command::new("nsenter");
        command.args(["--target", &front, "--mount", "--root", "--"]).args(user);
        let output = command.args(["sh", "-c", script]).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    };
    // The folder of secrets can neither be read nor exchanged for one of its own.
    for script in [
        "ls /etc/attendant/credentials/account",
        "mv /etc/attendant/credentials /etc/attendant/other",
        "rmdir /etc/attendant/credentials",
        "ln -s /etc/shadow /etc/attendant/credentials/account/office",
        "echo x > /etc/shadow",
    ] {
        let (is_done, said) = as_front(script);
        assert!(!is_done, "{script}: {said}");
    }
    // Nor does the next boot give it a file of root's that it points at in place of its configuration.
    let about = ["stat", "-c", "%U %G %a", "/etc/shadow"];
    let before = machine.run(&about).1;
    let (is_done, said) = as_front(
        "cd /etc/attendant && mv attendant.toml kept.toml && ln -s /etc/shadow attendant.toml",
    );
    assert!(is_done, "its own folder is its own: {said}");
    let _ = machine.run(&["systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/attendant.conf"]);
    assert_eq!(machine.run(&about).1, before, "a link was followed");
    let (is_done, said) =
        as_front("cd /etc/attendant && rm attendant.toml && ln /etc/passwd attendant.toml");
    let before = machine.run(&["stat", "-c", "%U %G %a", "/etc/passwd"]).1;
    let _ = machine.run(&["systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/attendant.conf"]);
    assert_eq!(
        machine.run(&["stat", "-c", "%U %G %a", "/etc/passwd"]).1,
        before,
        "{is_done} {said}"
    );
    // The owner's file comes back with the rights that page and engine need.
    let back = "cd /etc/attendant && rm -f attendant.toml && mv kept.toml attendant.toml && chown root:root attendant.toml";
    assert!(machine.run(&["sh", "-c", back]).0);
    assert!(machine.run(&["systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/attendant.conf"]).0);
    let about = ["stat", "-c", "%a %G", "/etc/attendant/attendant.toml"];
    assert_eq!(machine.run(&about).1.trim(), "660 attendant");
    assert!(as_front("cat /etc/attendant/attendant.toml && touch /etc/attendant/attendant.toml").0);
}

#[test]
#[ignore = "boots a container: make nightly"]
fn a_configuration_with_faults_leads_to_safe_mode_at_once_with_what_can_be_read() {
    let config = CONFIG.replace("max = 3", "maximum = 3");
    let Some(machine) = Machine::boot(&config) else { return };
    machine.becomes_active("attendant-safe.service", READY);
    answers_safely(&machine, "calls.maximum");
    // Who stops it wants nothing else.
    let starts = machine.property("attendant.service", "InvocationID");
    machine.systemctl(&["stop", "attendant-safe.service"]);
    assert_eq!(machine.property("attendant.service", "InvocationID"), starts);
    assert!(machine.pid("attendant.service").is_none());
}

fn answers_safely(machine: &Machine, reason: &str) {
    let health = wait::until("the page is up", READY, || machine.health());
    assert_eq!(health["state"], "safe", "{health:#}");
    assert!(health["reasons"].to_string().contains(reason), "{health:#}");
    println!("safe mode: {}", health["reasons"]);
    // Whoever has something to say later listens to all of it.
    let later = ["--max-seconds", "90", "--pause", "60000", "--say", "hello"];
    let report = report(machine.call(&later));
    assert_eq!(report["ending"]["by"], "far-end", "{report:#}");
    println!("safe mode: called, heard for {} ms", report["lasted_ms"]);
    assert!(report["lasted_ms"].as_u64().unwrap() > 10_000, "{report:#}");
}
