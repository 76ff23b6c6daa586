//! The description of the HTTP interface says what the interface does: schemathesis asks it whatever the description
//! allows, and what it does not, and compares.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::appliance::Setup;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const EXAMPLES: &str = "40";
/// No schema says what an SDP offer is, an event of a platform's, the right password, or which of a body's parts an action
/// wants: what fits theirs may still make no sense.
/// That every route refuses whom it does not know is tried from the router itself; here the many wrong tokens of one address
/// are told to come later.
const SETTINGS: &str = r#"
[checks]
ignored_auth.enabled = false

[[operations]]
include-path-regex = "^/(webrtc/|webhooks/ringcentral|api/ringcentral/|api/session|api/first-password)"
checks.positive_data_acceptance.enabled = false
"#;

/// As `tools/deps test` installs it.
fn schemathesis() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/schemathesis/bin/schemathesis");
    let hint = "target/schemathesis is missing ('make test-deps' makes it)";
    assert!(path.is_file() || std::env::var_os("CI").is_none(), "{hint}");
    if !path.is_file() {
        println!("LEFT OUT: {hint}");
    }
    path.is_file().then_some(path)
}

#[test]
fn the_interface_keeps_to_its_description() {
    let Some(schemathesis) = schemathesis() else { return };
    let appliance = Setup::default()
        .with("[token]", "name = \"test\"\nscopes = [\"read\", \"words\", \"dial\", \"calls\", \"metrics\", \"webrtc\", \"audio\", \"history\"]\n")
        .env("ATTENDANT_TOKEN_TEST", TOKEN)
        .start();
    std::fs::write(appliance.state().join("schemathesis.toml"), SETTINGS).unwrap();
    let output = Command::new(schemathesis)
        .arg("run")
        .arg(format!("http://{}/openapi.json", appliance.web))
        .args(["--header", &format!("Authorization: Bearer {TOKEN}")])
        // A stream has no end.
        .args(["--exclude-path", "/api/events", "--exclude-path", "/api/events/ws"])
        .args(["--exclude-path", "/api/live"])
        // It opens nothing but a WebSocket.
        .args(["--exclude-path", "/audio/{call_id}"])
        .args(["--max-examples", EXAMPLES, "--seed", "1", "--phases", "examples,coverage,fuzzing"])
        .args(["--max-time", "30", "--request-timeout", "20", "--no-color"])
        .env("HYPOTHESIS_STORAGE_DIRECTORY", appliance.state().join("hypothesis"))
        .current_dir(appliance.state())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{told}");
    assert_eq!(appliance.get("/health").unwrap().0, 200, "it is as well as before");
}
