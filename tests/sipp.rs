//! SIPp calls: a crowd with sound, and callers who do not do as expected.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::time::{Duration, Instant};

use support::appliance::{Appliance, Setup};
use support::counters::{self, Held};
use support::sipp::{Crowd, Outcome, Sipp};
use support::{peers, wait};

const CALL: &str = include_str!("sipp/call.xml");
/// The crowd of the test, and the smaller one before it that fills every pool of memory.
const CROWD: Crowd<'_> = Crowd { scenario: CALL, calls: 1_000, per_second: 50, transport: "u1" };
const FIRST_CROWD: Crowd<'_> = Crowd { calls: 200, ..CROWD };
const CROWD_TIME: Duration = Duration::from_secs(90);
/// Requests that are done, sockets that are closed, transactions that wait for late copies.
const SETTLE: Duration = Duration::from_secs(60);
const MEMORY_KIB: u64 = 16 * 1_024;

fn is_installed() -> bool {
    peers::is_installed("sipp", "sip-tester")
}

/// A second of noise as loud as speech, in mu-law: it is repeated.
fn voice() -> Vec<u8> {
    let mut random = 1_u32;
    let mut byte = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Both signs, segments 4 to 5 of 7.
        0xA0 | (random >> 24) as u8 & 0x9F
    };
    (0..8_000).map(|_| byte()).collect()
}

fn all_are_gone(appliance: &Appliance) {
    wait::until("no call is left", SETTLE, || (appliance.live_calls() == 0).then_some(()));
}

/// Waits until the box holds what it held before, and says what it holds if it does not.
fn settled(appliance: &Appliance, before: &Held) -> Held {
    let same =
        wait::within(SETTLE, || Some(counters::held(appliance.pid())).filter(|now| now == before));
    same.unwrap_or_else(|| counters::held(appliance.pid()))
}

#[test]
fn a_thousand_calls_leave_nothing_behind() {
    if !is_installed() {
        return;
    }
    let appliance = Setup::default().calls_max(100).start();
    let before = counters::held_at_rest(appliance.pid());
    let voice = voice();
    let files = [("voice.ulaw", voice.as_slice())];
    let first = Sipp::start(&FIRST_CROWD, appliance.sip, &files).finish(CROWD_TIME);
    assert_eq!(first, Outcome { successful: 200, failed: 0 });
    all_are_gone(&appliance);
    assert_eq!(settled(&appliance, &before), before);
    let engine = appliance.engine_pid().unwrap();
    let resident = || [appliance.pid(), engine].map(counters::resident_kib);
    let resident_before = resident();

    let begun = Instant::now();
    let processor_before_s = counters::processor_s(appliance.pid());
    let outcome = Sipp::start(&CROWD, appliance.sip, &files).finish(CROWD_TIME);
    let took = begun.elapsed();
    let processor_s = counters::processor_s(appliance.pid()) - processor_before_s;
    assert_eq!(outcome, Outcome { successful: 1_000, failed: 0 });
    all_are_gone(&appliance);
    assert_eq!(settled(&appliance, &before), before);
    let resident_after = resident();
    println!(
        "1000 calls in {:.1} s, {:.1} calls/s, 0 failed; front and engine KiB before \
         {resident_before:?}, after {resident_after:?}; processor {processor_s:.1} s",
        took.as_secs_f64(),
        1_000.0 / took.as_secs_f64(),
    );
    for (before, after) in resident_before.iter().zip(resident_after) {
        assert!(after <= before + MEMORY_KIB, "{before} KiB before, {after} KiB after");
    }
    assert_eq!(appliance.engine_pid(), Some(engine), "the engine was not restarted");
}

/// One caller of this scenario, over UDP or (`t1`) TCP.
fn one(appliance: &Appliance, scenario: &str, transport: &str) -> Outcome {
    let crowd = Crowd { scenario, calls: 1, per_second: 1, transport };
    Sipp::start(&crowd, appliance.sip, &[]).finish(CROWD_TIME)
}

const ONE: Outcome = Outcome { successful: 1, failed: 0 };

#[test]
fn it_answers_a_ping_and_a_caller_who_gives_up() {
    if !is_installed() {
        return;
    }
    let appliance = Setup::default().with("calls", "answer_after_ms = 20000").start();
    for transport in ["u1", "t1"] {
        assert_eq!(one(&appliance, include_str!("sipp/options.xml"), transport), ONE);
        assert_eq!(one(&appliance, include_str!("sipp/cancel.xml"), transport), ONE);
    }
    all_are_gone(&appliance);
    let calls = appliance.api("/api/calls");
    let causes: Vec<&str> = calls["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["ending"]["cause"].as_str().unwrap())
        .collect();
    assert_eq!(causes, ["cancelled", "cancelled"], "{calls:#}");
}

#[test]
fn one_call_too_many_is_refused_as_configured() {
    if !is_installed() {
        return;
    }
    let long = CALL.replace("milliseconds=\"500\"", "milliseconds=\"8000\"");
    let crowd = Crowd { scenario: &long, calls: 1, per_second: 1, transport: "u1" };
    let voice = voice();
    for (when_full, status, header, value) in
        [("busy", "486", "To", "tag="), ("unavailable", "503", "Retry-After", "17")]
    {
        let keys = format!("when_full = \"{when_full}\"\nretry_after_s = 17");
        let appliance = Setup::default().calls_max(1).with("calls", &keys).start();
        let first = Sipp::start(&crowd, appliance.sip, &[("voice.ulaw", &voice)]);
        wait::until("the first call is up", CROWD_TIME, || {
            (appliance.live_calls() == 1).then_some(())
        });
        let scenario = include_str!("sipp/refused.xml")
            .replace("STATUS", status)
            .replace("HEADER_NAME", header)
            .replace("HEADER_VALUE", value);
        assert_eq!(one(&appliance, &scenario, "u1"), ONE, "{when_full}");
        assert_eq!(first.finish(CROWD_TIME), ONE);
        all_are_gone(&appliance);
    }
}
