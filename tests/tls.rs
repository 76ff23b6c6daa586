//! Calls by TLS and secure WebSocket: our own caller and baresip, to a box whose certificate they believe, and to one that they
//! do not.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::{peers, wait};

const ANSWER: Duration = Duration::from_secs(20);

/// `attendant call`, believing what `certificates` vouches for: its exit code and report.
fn call(appliance: &Appliance, uri: &str, certificates: &Path) -> (Option<i32>, Value) {
    let made = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", uri, "--json", "--expect", "how can i help"])
        .args(["--dtmf", "2", "--expect", "harbour road", "--max-seconds", "30"])
        .args(["--api", &format!("http://{}", appliance.web)])
        .env("SSL_CERT_FILE", certificates)
        .output()
        .unwrap();
    let report = serde_json::from_slice(&made.stdout).unwrap_or_default();
    (made.status.code(), report)
}

#[test]
fn our_own_caller_is_answered_where_it_believes_the_certificate_and_calls_nobody_else() {
    let appliance = Setup::default().secure().start();
    let other = Setup::default().secure().start();
    for (number, uri) in (1..).zip([appliance.secure_uri(), appliance.websocket_uri()]) {
        let (code, report) = call(&appliance, &uri, &appliance.certificate());
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(report["turns"].as_array().map(Vec::len), Some(1), "{report}");
        // Another authority, which has not vouched for it.
        let (code, report) = call(&appliance, &uri, &other.certificate());
        assert_ne!(code, Some(0), "{report}");
        assert_eq!(calls(&appliance), number);
    }
}

#[test]
fn baresip_is_answered_by_tls_and_hears_us_say_goodbye_by_it() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    let mut appliance = Setup::default().secure().start();
    let believed = format!("sip_cafile {}\n", appliance.certificate().display());
    let address = appliance.sip.ip();
    let mut caller = Baresip::start_with("secure", address, ("tls", "PCMU/8000/1"), &believed);
    caller.command("dial", &appliance.secure_uri());
    caller.event("CALL_ESTABLISHED", ANSWER);
    wait::until("the box talks to it", ANSWER, || (appliance.live_calls() == 1).then_some(()));
    // It says goodbye on the way that the INVITE came.
    appliance.stop();
    caller.event("CALL_CLOSED", ANSWER);
}

fn calls(appliance: &Appliance) -> usize {
    appliance.api("/api/calls")["calls"].as_array().map_or(0, Vec::len)
}
