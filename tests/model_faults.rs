//! The whole program beside a model's server that fails in every way: the caller hears something each
//! time, and the call ends well. How soon is measured by the bench `model`.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::folder::Folder;
use support::model::{Manner, StandIn, open_playbook};
use support::{peers, wait};

const TOKEN: Duration = Duration::from_millis(20);
const SEEN: Duration = Duration::from_secs(20);

/// A call with two questions and a goodbye; the second waits until the first is answered for good.
fn call(appliance: &Appliance, first: &str, pause_ms: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["call", &appliance.uri(), "--json", "--max-seconds", "150"])
        .args(["--api", &format!("http://{}", appliance.web)])
        .args(["--say", first, "--pause", pause_ms, "--say", "what is your address"])
        .args(["--say", "thank you goodbye"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Boxes side by side, each with a server of its own.
#[test]
fn whatever_the_server_does_something_is_heard_and_the_call_ends_well() {
    if !peers::is_installed("espeak-ng", "espeak-ng") {
        return;
    }
    std::thread::scope(|scope| {
        // What opens the circuit breaker at once comes last.
        for manners in [
            &[Manner::Well, Manner::Hangs, Manner::UnknownTool][..],
            &[Manner::Stalls, Manner::Status500, Manner::Empty],
            &[Manner::Runaway, Manner::InvalidJson],
        ] {
            scope.spawn(move || one_after_the_other(manners));
        }
    });
}

fn one_after_the_other(manners: &[Manner]) {
    let model = StandIn::start(TOKEN, TOKEN);
    let folder = Folder::new("faults");
    let appliance = Setup::default()
        .with("llm", &model.keys())
        .with("converse", &format!("playbook = \"{}\"", open_playbook(&folder)))
        .start();
    for manner in manners.iter().copied() {
        model.behave(manner);
        let asked = model.chats().len();
        let call = call(&appliance, "what are your opening hours", "5000");
        assert!(model.chats().len() > asked, "{manner:?}: {call}");
        let turns = call["turns"].as_array().unwrap();
        assert_eq!(turns.len(), 3, "{manner:?}: {call}");
        for turn in turns {
            assert!(turn["gap_ms"].is_i64(), "{manner:?}: nothing was heard: {call}");
            let reply = turn["reply"].as_str().unwrap_or_default();
            assert!(!reply.is_empty(), "{manner:?}: {call}");
        }
        let ending = (&call["ending"]["by"], &call["ending"]["cause"]);
        assert_eq!(ending, (&"far-end".into(), &"hung-up".into()), "{manner:?}: {call}");
        let left = || match manner {
            Manner::Stalls | Manner::Hangs | Manner::Runaway => (model.left() > 0).then_some(()),
            _ => Some(()),
        };
        wait::until("the server sees the client leave", SEEN, left);
    }
    assert!(model.most_tokens() < 10_000, "a runaway is stopped");
    let health = appliance.api("/health");
    assert_eq!(health["live_calls"], 0, "{health}");
}
