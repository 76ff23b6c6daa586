//! Every request by curl that stands in the manual, and those of programs that the box takes the place of, by real curl
//! against a running box: each has an answer that tells its reader what it did.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::phone::Phone;
use support::{peers, wait};

/// What the manual has for the box.
const ADDRESS: &str = "127.0.0.1:8080";
const STATUS: &str = "\n%{http_code}\n";

/// The commands of a text that begin with `curl`, each as one line.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| line.starts_with("curl "));
    lines.map(str::to_owned).collect()
}

/// Status and body of a command, as a shell carries it out.
fn answer(appliance: &Appliance, command: &str) -> (u16, String) {
    let command = command.replace(ADDRESS, &appliance.web.to_string());
    let command =
        command.replacen("curl ", "curl --silent --max-time 3 --write-out \"$STATUS\" ", 1);
    let output = Command::new("sh")
        .args(["-c", &command])
        // Some of them write a file.
        .current_dir(appliance.state())
        .env("STATUS", STATUS)
        .env("TOKEN", "nobody-asks-for-one")
        .env("ATTENDANT_TOKEN_DESK", "nobody-asks-for-one")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim()));
    (status.parse().unwrap_or_else(|_| panic!("{command}: {output:?}")), body.to_owned())
}

fn json(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

#[test]
fn each_request_of_the_manual_has_an_answer_that_tells_what_it_did() {
    if !peers::is_installed("curl", "curl") {
        return;
    }
    let phone = Phone::new("trunk");
    let account = format!(
        "name = \"office\"\nuser = \"1001\"\nregisters = false\nserver = \"{0}\"\nproxies = [\"{0}\"]\n\
         keep_alive_s = 0\n",
        phone.address()
    );
    let appliance = Setup::default()
        .with("[accounts]", &account)
        .with("dial", "allow = [\"+49\", \"+1650\"]\ncountry_code = \"49\"\n")
        .start();
    wait::until("the account is open", Duration::from_secs(20), || {
        (appliance.api("/health")["accounts"][0]["state"] == "open").then_some(())
    });
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let texts = ["README.md", "docs/websocket.md"].map(|name| {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        commands(&text)
    });
    let [readme, websocket] = texts;
    assert!(readme.len() >= 7 && !websocket.is_empty(), "{readme:?}");
    for command in readme.iter().chain(&websocket) {
        let (status, body) = answer(&appliance, command);
        println!("{status} {command}");
        let (expected, member) = match command {
            // There is none of this name.
            c if c.contains("/api/ringcentral/") => (404, "detail"),
            c if c.contains("/api/calls/dial") => (202, "id"),
            // The file is the reader's.
            c if c.contains("/api/campaigns?name=") => (400, "detail"),
            c if c.contains("/api/campaigns/1/export") => (404, ""),
            c if c.contains("/api/campaigns/1") => (404, "detail"),
            c if c.contains("/control") => (404, "detail"),
            c if c.contains("handle-webphone-call") => (200, "audio_url"),
            c if c.contains("/health") => (200, "state"),
            // No call was made yet.
            c if c.contains("/api/history/42") => (404, "detail"),
            c if c.contains("/api/history/export") => (200, ""),
            c if c.contains("/api/history?") => (200, "calls"),
            // Nobody has left one.
            c if c.contains("/api/messages/1/sound") => (404, ""),
            c if c.contains("/api/messages") => (200, "messages"),
            c if c.contains("/api/calls") => (200, "calls"),
            // It goes on until its time is over, and begins with what it is.
            c if c.contains("/api/events") => (200, ""),
            other => panic!("nothing is expected of {other}"),
        };
        assert_eq!(status, expected, "{command}: {body}");
        if !member.is_empty() {
            assert!(!json(&body)[member].is_null(), "{command}: {body}");
        }
    }
}

#[test]
fn programs_that_knew_another_system_are_understood_or_told_what_to_do() {
    if !peers::is_installed("curl", "curl") {
        return;
    }
    let appliance = Setup::default().start();
    let json_type = "-H 'Content-Type: application/json'";
    let at = format!("http://{ADDRESS}");
    for (command, expected, member, value) in [
        (format!("curl {at}/health"), 200, "takes_calls", "true"),
        (format!("curl {at}/api/webphone/status"), 200, "ready", "true"),
        (
            format!(
                "curl -X POST {at}/api/handle-webphone-call {json_type} -d '{{\"callId\":\"test-1\",\"from\":\"+15550100\",\"to\":\"+15550123\"}}'"
            ),
            200,
            "status",
            "\"ready\"",
        ),
        (
            format!(
                "curl -X POST {at}/api/handle-webphone-call {json_type} -d '{{\"call_id\":\"test-2\",\"from_number\":\"+15550100\",\"to_number\":\"+15550123\"}}'"
            ),
            200,
            "callId",
            "\"test-2\"",
        ),
        // Without the type a page of any site could send it.
        (
            format!("curl -X POST {at}/api/handle-webphone-call -d '{{\"callId\":\"test-3\"}}'"),
            415,
            "type",
            "",
        ),
        (
            format!("curl -X POST {at}/api/handle-webphone-call {json_type} -d '{{}}'"),
            400,
            "detail",
            "",
        ),
        (format!("curl {at}/api/handle-webphone-call"), 405, "", ""),
        // Nobody may be called until the owner says who.
        (
            format!(
                "curl -X POST {at}/api/calls/dial {json_type} -d '{{\"phone_number\":\"+15550123\"}}'"
            ),
            403,
            "detail",
            "",
        ),
        (format!("curl -X POST {at}/api/calls/dial {json_type} -d 'nonsense'"), 400, "detail", ""),
        (format!("curl -X DELETE {at}/api/calls/c999"), 404, "detail", ""),
        (format!("curl {at}/api/calls"), 200, "calls", "[]"),
        (format!("curl {at}/openapi.json"), 200, "openapi", ""),
        (format!("curl {at}/nothing"), 404, "", ""),
    ] {
        let (status, body) = answer(&appliance, &command);
        println!("{status} {command}");
        assert_eq!(status, expected, "{command}: {body}");
        if !member.is_empty() {
            let found = json(&body)[member].to_string();
            assert!(found != "null" && (value.is_empty() || found == value), "{command}: {body}");
        }
    }
}
