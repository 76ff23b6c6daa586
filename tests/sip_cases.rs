//! Every odd case of SIP that is named in `tests/sip`, each played by SIPp to a box.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use support::appliance::{Appliance, Setup};
use support::peers;
use support::sip_case::Case;
use support::sipp::{Crowd, Outcome, Sipp};

/// Cases at once.
const PLAYERS: usize = 8;
/// Of one case: the longest waits for a timer of 45 s.
const LIMIT: Duration = Duration::from_secs(100);

/// All cases, by the names of their files.
fn cases() -> Vec<(String, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sip");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sip"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, Case::read(&std::fs::read_to_string(&path).unwrap()))
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// Plays one; false if it did not go as the case says.
fn play(appliance: &Appliance, case: &Case) -> bool {
    let crowd = Crowd { scenario: &case.scenario, calls: 1, per_second: 1, transport: "u1" };
    Sipp::start(&crowd, appliance.sip, &[]).finish(LIMIT) == Outcome { successful: 1, failed: 0 }
}

#[test]
fn every_case_goes_as_it_says() {
    if !peers::is_installed("sipp", "sip-tester") {
        return;
    }
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    let prompt = Setup::default().calls_max(20).start();
    let ringing = Setup::default().calls_max(20).with("calls", "answer_after_ms = 2000").start();
    let waiting = Mutex::new(cases.iter());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some((name, case)) = next else { return };
                    let appliance = if case.is_for_ringing { &ringing } else { &prompt };
                    if !play(appliance, case) {
                        failed.lock().unwrap().push(format!("{name}: {}", case.title));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} of {} failed: {failed:#?}", failed.len(), cases.len());
    println!("{} cases", cases.len());
    for appliance in [&prompt, &ringing] {
        assert_eq!(appliance.api("/health")["state"], "ready");
    }
}
