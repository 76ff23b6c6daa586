//! What is kept of calls, through the real program: its interface, a killed one, a disk that is full or read-only, a damaged database.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::http::{self, Answer};
use support::{peers, sound, wait};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SOON: Duration = Duration::from_secs(20);
const HEARD: Duration = Duration::from_secs(60);
const KEEPER: &str = "keep-keep-keep-keep-keep-keep";
const READER: &str = "read-read-read-read-read-read";

fn call(appliance: &Appliance, user: &str) -> Baresip {
    let mut caller = Baresip::start(user, LOCAL, "udp", "PCMU/8000/1");
    caller.command("dial", &appliance.uri());
    caller.event("CALL_ESTABLISHED", SOON);
    caller
}

fn hang_up(mut caller: Baresip) {
    caller.command("hangup", "");
    caller.event("CALL_CLOSED", SOON);
}

/// The history, once `is_it` says so of it.
fn until(appliance: &Appliance, is_it: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    wait::until("the history shows it", SOON, || {
        let (status, page) = appliance.get("/api/history")?;
        let calls = page["calls"].as_array().filter(|_| status == 200)?;
        is_it(calls).then(|| calls.clone())
    })
}

fn peers_of(calls: &[Value]) -> Vec<&str> {
    let users = calls.iter().map(|call| call["peer"].as_str().unwrap());
    users.map(|peer| peer.split([':', '@']).nth(1).unwrap_or(peer)).collect()
}

fn ask(appliance: &Appliance, line: &str, token: &str, body: &str) -> Answer {
    let json = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    http::ask(appliance.web, line, &format!("Authorization: Bearer {token}\r\n{json}"), body)
}

#[test]
fn a_call_is_kept_with_its_words_and_found_shown_exported_and_deleted() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    let appliance = Setup::default()
        .with(
            "[token]",
            "name = \"keeper\"\nscopes = [\"read\", \"words\", \"history\"]\n\
             [[token]]\nname = \"reader\"\nscopes = [\"read\"]\n",
        )
        .env("ATTENDANT_TOKEN_KEEPER", KEEPER)
        .env("ATTENDANT_TOKEN_READER", READER)
        .start();
    let mut words = sound::silence_ms(4_500);
    words.extend(sound::speak("what are your opening hours"));
    words.extend(sound::silence_ms(4_500));
    let mut caller = call(&appliance, "5550142");
    caller.play(&words);
    let get = |path: &str, token: &str| ask(&appliance, &format!("GET {path}"), token, "");
    wait::until("the sentence is answered", HEARD, || {
        let calls = get("/api/calls", KEEPER).json();
        let id = calls["calls"][0]["id"].as_str()?.to_owned();
        let call = get(&format!("/api/calls/{id}"), KEEPER).json();
        let turns = call["turns"].as_array()?;
        turns
            .iter()
            .any(|turn| turn["caller"].as_str().is_some_and(|w| w.contains("hours")))
            .then_some(())
    });
    hang_up(caller);
    let found = wait::until("it is kept", SOON, || {
        let page = get("/api/history?query=opening%20hours&limit=5", KEEPER).json();
        page["calls"].get(0).cloned()
    });
    assert_eq!((&found["state"], &found["cause"]), (&json!("ended"), &json!("hung-up")));
    let id = found["id"].as_i64().unwrap();
    // Words are for those who may read them, also as an answer to a search.
    let searched = get("/api/history?query=hours", READER).json();
    assert_eq!(searched, json!({ "calls": [], "before": null }));
    assert_eq!(get("/api/history?query=5550142", READER).json()["calls"][0]["id"], id);
    let whole = get(&format!("/api/history/{id}"), KEEPER).json();
    let turns = whole["turns"].as_array().unwrap();
    let is_asked = |turn: &&Value| turn["caller"].as_str().unwrap().contains("hours");
    let turn = turns.iter().find(is_asked).unwrap();
    assert!(turn["latency"]["endpoint_ms"].is_u64() && turn["gap_ms"].is_u64(), "{turn}");
    assert!(whole["figures"]["packets_received"].as_u64().unwrap() > 100, "{whole}");
    let hidden = get(&format!("/api/history/{id}"), READER).json();
    assert!(hidden["turns"][0]["reply"].is_null() && hidden["messages"].is_null(), "{hidden}");
    let csv = get("/api/history/export?format=csv", READER).body;
    // The lengths of its parts stand between them (RFC 9112, section 7.1).
    let rows: Vec<&str> = csv.lines().filter(|line| line.contains(',')).collect();
    assert_eq!(rows.len(), 2, "a head and the call: {csv}");
    assert!(rows[0].starts_with("id,started_at_ms,"), "{csv}");
    assert!(rows[1].starts_with(&format!("{id},")) && rows[1].contains("5550142"), "{csv}");
    let all = get("/api/history/export?format=json", KEEPER);
    assert!(all.body.contains("opening hours"), "{all:?}");
    assert_eq!(get("/api/history/totals", READER).json()["totals"]["calls.answered"], 1);
    assert_eq!(get("/api/history/99999", READER).status, 404);
    let erase = "DELETE /api/history?number=5550142";
    assert_eq!(ask(&appliance, erase, READER, "").status, 403);
    let erased = ask(&appliance, erase, KEEPER, "").json();
    assert_eq!(erased["calls"], 1, "{erased}");
    assert_eq!(ask(&appliance, erase, KEEPER, "").json()["calls"], 0);
    assert_eq!(get(&format!("/api/history/{id}"), KEEPER).status, 404);
    let live = get("/api/calls", KEEPER).json();
    assert_eq!(live["calls"], json!([]), "nor does the page show it");
    assert!(!appliance.log().contains("5550142"));
}

#[test]
fn a_killed_program_loses_no_call_and_shows_the_one_that_it_cut_off() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    let mut appliance = Setup::default().start();
    hang_up(call(&appliance, "first"));
    until(&appliance, |calls| {
        calls.iter().all(|call| call["state"] == "ended") && calls.len() == 1
    });
    let _second = call(&appliance, "second");
    until(&appliance, |calls| calls.len() == 2);
    appliance.crash_and_start_again();
    let calls = until(&appliance, |calls| calls.len() == 2);
    assert_eq!(peers_of(&calls), ["second", "first"]);
    assert_eq!((&calls[0]["state"], &calls[1]["state"]), (&json!("cut-off"), &json!("ended")));
    hang_up(call(&appliance, "third"));
    let calls = until(&appliance, |calls| calls.len() == 3 && calls[0]["state"] == "ended");
    assert_eq!((&calls[0]["run"], &calls[1]["run"]), (&json!(2), &json!(1)));
}

#[test]
fn a_damaged_database_is_set_aside_said_and_calls_go_on() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    let mut appliance = Setup::default().start();
    hang_up(call(&appliance, "before"));
    until(&appliance, |calls| calls.len() == 1 && calls[0]["state"] == "ended");
    appliance.stop();
    let database = appliance.state().join("history.db");
    // Whoever closes it last brings what stands in its log into it.
    let whole = rusqlite::Connection::open(&database).unwrap();
    whole.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0)).unwrap();
    drop(whole);
    let mut bytes = std::fs::read(&database).unwrap();
    let length = bytes.len();
    bytes[4_096..length.min(40_960)].fill(0x5A);
    std::fs::write(&database, &bytes).unwrap();
    appliance.crash_and_start_again();
    hang_up(call(&appliance, "after"));
    let calls = until(&appliance, |calls| calls.len() == 1 && calls[0]["state"] == "ended");
    assert_eq!(peers_of(&calls), ["after"]);
    let health = appliance.api("/health");
    let name = health["history"]["set_aside"].as_str().unwrap();
    assert!(health["reasons"].to_string().contains(name), "{health:#}");
    assert_eq!(std::fs::read(appliance.state().join(name)).unwrap(), bytes);
    appliance.crash_and_start_again();
    let health = appliance.api("/health");
    assert!(health["history"]["set_aside"].is_null(), "it is said once: {health:#}");
    assert_eq!(appliance.log().matches("the database was damaged").count(), 1);
}

/// The state folder as the program sees it, on a disk of its own.
fn seen_by(appliance: &Appliance) -> PathBuf {
    let state = appliance.state();
    PathBuf::from(format!("/proc/{}/root{}", appliance.pid(), state.display()))
}

#[test]
fn on_a_full_disk_calls_go_on_and_what_waits_is_written_when_there_is_room() {
    if !peers::is_installed("baresip", "baresip-core") || !Setup::can_have_its_own_disk() {
        return;
    }
    let appliance =
        Setup::default().on_disk("mount -t tmpfs -o size=4m tmpfs \"$STATE_DIRECTORY\"").start();
    hang_up(call(&appliance, "first"));
    until(&appliance, |calls| calls.len() == 1 && calls[0]["state"] == "ended");
    let filler = seen_by(&appliance).join("filler");
    let mut bytes = 4 * 1024 * 1024;
    // As much as there is room for.
    while bytes > 0 {
        let mut file = std::fs::File::options().create(true).append(true).open(&filler).unwrap();
        if std::io::Write::write_all(&mut file, &vec![0; bytes]).is_err() {
            bytes /= 2;
        }
    }
    hang_up(call(&appliance, "second"));
    let full = wait::until("the full disk shows", SOON, || {
        let health = appliance.api("/health");
        health["history"]["fault"].is_string().then_some(health)
    });
    assert_eq!(full["state"], "degraded");
    assert!(full["reasons"].to_string().contains("not written to the disk"), "{full:#}");
    std::fs::remove_file(&filler).unwrap();
    let calls = until(&appliance, |calls| {
        calls.first().is_some_and(|call| {
            call["peer"].as_str().unwrap().contains("second") && call["state"] == "ended"
        })
    });
    assert_eq!(calls.len(), 2);
    let health = appliance.api("/health");
    assert_eq!((&health["history"]["waiting"], &health["history"]["lost"]), (&json!(0), &json!(0)));
    assert!(health["history"]["fault"].is_null(), "{health:#}");
}

#[test]
fn on_a_read_only_disk_calls_go_on_and_it_is_said() {
    if !peers::is_installed("baresip", "baresip-core") || !Setup::can_have_its_own_disk() {
        return;
    }
    let disk =
        "mount -t tmpfs tmpfs \"$STATE_DIRECTORY\" && mount -o remount,ro \"$STATE_DIRECTORY\"";
    let appliance = Setup::default().on_disk(disk).start();
    hang_up(call(&appliance, "caller"));
    let health = wait::until("it is said", SOON, || {
        let health = appliance.api("/health");
        (health["history"]["waiting"].as_u64()? > 0).then_some(health)
    });
    assert!(health["takes_calls"] == true && health["history"]["fault"].is_string(), "{health:#}");
    let refused = appliance.get("/api/history").unwrap();
    assert_eq!((refused.0, &refused.1["type"]), (503, &json!("/problems/unavailable")));
}

#[test]
fn what_waited_while_the_disk_was_read_only_is_written_once_it_is_not() {
    if !peers::is_installed("baresip", "baresip-core") || !Setup::can_have_its_own_disk() {
        return;
    }
    let disk =
        "mount -t tmpfs tmpfs \"$STATE_DIRECTORY\" && mount -o remount,ro \"$STATE_DIRECTORY\"";
    let appliance = Setup::default().on_disk(disk).start();
    hang_up(call(&appliance, "first"));
    hang_up(call(&appliance, "second"));
    wait::until("it is said", SOON, || {
        let health = appliance.api("/health");
        let waits = health["history"]["waiting"].as_u64()? > 0;
        let told = health["reasons"].to_string().contains("not written to the disk");
        (waits && told && health["state"] == "degraded").then_some(())
    });
    let state = appliance.state();
    let remounted = std::process::Command::new("nsenter")
        .args(["--target", &appliance.pid().to_string(), "--mount", "--"])
        .args(["mount", "-o", "remount,rw", state.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(remounted.status.success(), "{remounted:?}");
    let calls = wait::until("what waited is written", HEARD, || {
        let (status, page) = appliance.get("/api/history")?;
        let calls = page["calls"].as_array().filter(|calls| status == 200 && calls.len() == 2)?;
        calls.iter().all(|call| call["state"] == "ended").then(|| calls.clone())
    });
    assert_eq!(peers_of(&calls), ["second", "first"]);
    let health = appliance.api("/health");
    assert_eq!((&health["history"]["waiting"], &health["history"]["lost"]), (&json!(0), &json!(0)));
    assert!(health["history"]["fault"].is_null(), "{health:#}");
}

#[test]
fn a_database_that_is_damaged_while_it_is_used_is_set_aside_and_calls_go_on() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    let appliance = Setup::default().start();
    hang_up(call(&appliance, "before"));
    until(&appliance, |calls| calls.len() == 1 && calls[0]["state"] == "ended");
    let during = call(&appliance, "during");
    until(&appliance, |calls| calls.len() == 2);
    // As a dying disk: whatever is read of it from now on makes no sense.
    for name in ["history.db", "history.db-wal"] {
        let path = appliance.state().join(name);
        let length = std::fs::metadata(&path).unwrap().len();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let garbage = vec![0x5A; usize::try_from(length.saturating_sub(100)).unwrap()];
        std::os::unix::fs::FileExt::write_all_at(&file, &garbage, 100).unwrap();
    }
    let health = wait::until("it is said", HEARD, || {
        let _ = appliance.get("/api/history");
        let health = appliance.api("/health");
        health["history"]["set_aside"].is_string().then_some(health)
    });
    let name = health["history"]["set_aside"].as_str().unwrap();
    assert!(health["reasons"].to_string().contains(name), "{health:#}");
    assert!(health["takes_calls"] == true && health["live_calls"] == 1, "{health:#}");
    assert!(appliance.state().join(name).exists());
    // The call that was up is kept with its end, in the new one.
    hang_up(during);
    hang_up(call(&appliance, "after"));
    let calls = until(&appliance, |calls| {
        calls.len() == 2 && calls.iter().all(|call| call["state"] == "ended")
    });
    assert_eq!(peers_of(&calls), ["after", "during"]);
    assert_eq!(appliance.api("/health")["history"]["lost"], 0);
}

const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

#[test]
#[ignore = "has not passed yet: on demand"]
fn a_clock_that_jumps_ends_no_call_loses_nothing_and_is_said() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    if !std::path::Path::new(FAKETIME).exists() {
        assert!(std::env::var_os("CI").is_none(), "libfaketime is missing");
        println!("LEFT OUT: libfaketime is missing");
        return;
    }
    let folder = support::folder::Folder::new("clock");
    let offset = folder.write("offset", "+0");
    let appliance = Setup::default()
        .with("history", "days = 30")
        // The caller says nothing for as long as it takes.
        .with("converse", "silence_s = [100, 200, 280]")
        .env("LD_PRELOAD", FAKETIME)
        .env("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap())
        // Each reading of a clock would read the file: the engine is too slow then.
        .env("FAKETIME_CACHE_DURATION", "1")
        // Only the wall's clock is set; others go on.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1")
        .start();
    let is_told = |appliance: &Appliance| {
        let reasons = appliance.api("/health")["reasons"].to_string();
        reasons.contains("the clock of the box was set")
    };
    hang_up(call(&appliance, "before"));
    until(&appliance, |calls| calls.len() == 1 && calls[0]["state"] == "ended");
    assert!(!is_told(&appliance));
    let mut caller = call(&appliance, "during");
    for step in ["+3h", "-3h", "+1000d", "-1000d", "+0"] {
        let next = folder.write("next", step);
        std::fs::rename(next, &offset).unwrap();
        wait::until("it is said", SOON, || is_told(&appliance).then_some(()));
        let packets = |appliance: &Appliance| {
            let call = appliance.record_of("during")?;
            call["rtp"]["packets_received"].as_u64()
        };
        let before = packets(&appliance).unwrap();
        wait::until("sound goes on", SOON, || {
            (packets(&appliance)? > before + 100 && appliance.live_calls() == 1).then_some(())
        });
    }
    // What is asked now is heard and answered.
    let mut words = sound::silence_ms(500);
    words.extend(sound::speak("what are your opening hours"));
    words.extend(sound::silence_ms(4_500));
    caller.play(&words);
    wait::until("the sentence is answered", HEARD, || {
        let call = appliance.record_of("during")?;
        let turns = call["turns"].as_array()?;
        let is_it = |turn: &Value| turn["caller"].as_str().is_some_and(|w| w.contains("hours"));
        turns.iter().any(|turn| is_it(turn) && turn["gap_ms"].is_u64()).then_some(())
    });
    hang_up(caller);
    let calls = until(&appliance, |calls| {
        calls.len() == 2 && calls.iter().all(|call| call["state"] == "ended")
    });
    assert_eq!(peers_of(&calls), ["during", "before"]);
    let health = appliance.api("/health");
    assert_eq!(health["history"]["lost"], 0, "{health:#}");
    assert!(health["takes_calls"] == true && is_told(&appliance), "{health:#}");
}
