//! One call of twenty minutes in real time: `make nightly`.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::process::Command;

use serde_json::Value;
use support::appliance::Setup;
use support::folder::Folder;
use support::{counters, peers};

const MINUTES: usize = 20;
/// A caller asks and then listens, so often in a minute.
const ASKED: usize = 3;
/// The shortest that RFC 4028 allows: refreshed every 45 s.
const SESSION_S: u32 = 90;
const REFRESHES: f64 = 24.0;
/// Records of turns, and the room that allocators keep.
const GROWTH_KIB: u64 = 24 * 1_024;

#[test]
#[ignore = "one call of twenty minutes: make nightly"]
fn a_call_of_twenty_minutes_is_as_good_at_its_end_as_at_its_beginning() {
    if !peers::is_installed("espeak-ng", "espeak-ng") {
        return;
    }
    let appliance = Setup::default()
        .with("sip", &format!("session_expires_s = {SESSION_S}"))
        .with("calls", "max_duration_s = 3600")
        .start();
    let folder = Folder::new("caller");
    let turn = "[[turn]]\nsay = \"what are your opening hours\"\n[[turn]]\nwait_s = 12\n";
    let script = folder.write("caller.toml", turn.repeat(MINUTES * ASKED));
    let before = counters::resident_kib(appliance.pid());
    let called = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", &appliance.uri(), "--json", "--max-seconds", "3000", "--script"])
        .arg(script)
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&called.stdout).unwrap();
    let record = appliance.record(|call| call["state"] == "ended").unwrap();
    let after = counters::resident_kib(appliance.pid());
    let gaps: Vec<i64> = report["turns"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|turn| turn["gap_ms"].as_i64())
        .collect();
    let (first, last) = gaps.split_at(gaps.len() / 2);
    let refreshed = metric(&appliance.text("/metrics"), "attendant_sip_responses_total");
    println!(
        "{} s, {} gaps, mean {} ms in the first half and {} ms in the second; {refreshed} responses; \
         KiB {before} before and {after} after; {}",
        report["lasted_ms"].as_u64().unwrap() / 1_000,
        gaps.len(),
        mean(first),
        mean(last),
        report["rtp"]
    );
    assert!(report["lasted_ms"].as_u64().unwrap() >= MINUTES as u64 * 60_000, "{report:#}");
    assert_eq!(record["ending"]["cause"], "hung-up", "{record:#}");
    assert_eq!(report["rtp"]["packets_lost"], 0);
    assert_eq!(record["rtp"]["packets_lost"], 0);
    // Each refresh of ours is answered.
    assert!(refreshed >= REFRESHES, "{refreshed}");
    let asked = MINUTES * ASKED;
    assert!(gaps.len() > asked * 9 / 10, "answered {} of {asked} times", gaps.len());
    assert!(after < before + GROWTH_KIB, "KiB {before} before, {after} after");
}

fn mean(gaps: &[i64]) -> i64 {
    gaps.iter().sum::<i64>() / i64::try_from(gaps.len().max(1)).unwrap()
}

fn metric(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().parse().unwrap()
}
