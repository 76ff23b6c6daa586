//! Linphone calls a box, and is called by one.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::process::{Child, Command};
use std::time::Duration;

use serde_json::Value;
use support::appliance::{Appliance, Setup};
use support::folder::Folder;
use support::linphone::Linphone;
use support::{peers, sound, wait};

const LONG: Duration = Duration::from_secs(45);
const HZ: u32 = 16_000;
/// The exit code of `attendant dial` where a machine took the call.
const NO_PERSON: i32 = 10;

fn is_installed() -> bool {
    peers::is_installed("linphonec", "linphone-cli") && peers::is_installed("flite", "flite")
}

fn record(appliance: &Appliance, state: &str) -> Value {
    wait::until(state, LONG, || appliance.record(|call| call["state"] == state))
}

/// A caller who waits for the end of the greeting, asks, and listens.
fn microphone(folder: &Folder, said: &[i16]) -> std::path::PathBuf {
    let path = folder.at("said.wav");
    sound::write_wav(&path, HZ, said, 10_000);
    path
}

#[test]
fn it_calls_and_is_answered() {
    if !is_installed() {
        return;
    }
    let appliance = Setup::default().start();
    let folder = Folder::new("microphone");
    let said = sound::after_greeting("What are your opening hours?");
    let mut telephone = Linphone::start("caller", false);
    telephone.listens_and_plays(&microphone(&folder, &said));
    telephone.types(&format!("call {}", appliance.uri()));
    let record = wait::until("it is understood and answered", LONG, || {
        let call = appliance.record(|call| call["state"] == "active")?;
        let turns = call["turns"].as_array()?.clone();
        turns.iter().any(|turn| turn["gap_ms"].is_u64()).then_some(call)
    });
    println!("{}: {}", record["codec"], record["turns"]);
    assert!(record["turns"].to_string().contains("opening hours"), "{record:#}");
    telephone.types("terminate");
    let ended = self::record(&appliance, "ended");
    assert_eq!(ended["ending"]["cause"], "hung-up", "{ended:#}");
    assert_eq!(ended["rtp"]["packets_lost"], 0, "{ended:#}");
    let greeting = sound::GREETING.map(sound::flite);
    let likeness = sound::likeness_of_phrases(&telephone.heard(), &greeting.each_ref());
    println!("greeting heard, likeness {likeness:.3}");
    assert!(likeness > 0.8, "{likeness}");
}

/// A box that has called this telephone, with more keys of `[dial]`.
fn dialled(telephone: &Linphone, dial: &str) -> (Appliance, Child) {
    let account = format!(
        "name = \"office\"\nserver = \"{}\"\nuser = \"1001\"\nregisters = false\n",
        telephone.address
    );
    let appliance = Setup::default()
        .with("[accounts]", &account)
        .with("dial", &format!("allow = [\"+49\"]\ncountry_code = \"49\"\n{dial}"))
        .start();
    wait::until("the account is open", LONG, || {
        (appliance.api("/health")["accounts"][0]["state"] == "open").then_some(())
    });
    let dialled = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["dial", "030 1234567", "--api", &format!("http://{}", appliance.web)])
        .spawn()
        .unwrap();
    (appliance, dialled)
}

#[test]
fn a_machine_is_known_by_its_words() {
    if !is_installed() {
        return;
    }
    // Short enough to be a person's by its length.
    let said = sound::flite_voice("rms", "Please leave a message after the tone.");
    let folder = Folder::new("microphone");
    let mut telephone = Linphone::start("machine", true);
    telephone.listens_and_plays(&microphone(&folder, &said.samples));
    let (appliance, dialled) = dialled(&telephone, "on_machine = \"hang-up\"\n");
    let ended = record(&appliance, "ended");
    assert_eq!(ended["answered_by"], "machine", "{ended:#}");
    assert_eq!(ended["ending"]["cause"], "no-person", "{ended:#}");
    assert_eq!(ended["turn_count"], 0, "nothing was said to it: {ended:#}");
    assert_eq!(dialled.wait_with_output().unwrap().status.code(), Some(NO_PERSON));
}

#[test]
fn it_is_called_and_hears_who_calls() {
    if !is_installed() {
        return;
    }
    let folder = Folder::new("microphone");
    let mut telephone = Linphone::start("called", true);
    telephone.listens_and_plays(&microphone(&folder, &sound::silence_ms(2_000)));
    let (appliance, dialled) = dialled(&telephone, "");
    let call = record(&appliance, "active");
    wait::until("7 s of ours have gone out", LONG, || {
        let sent = appliance.record(|call| call["state"] == "active")?;
        (sent["rtp"]["packets_sent"].as_u64() > Some(7 * 50)).then_some(())
    });
    let id = call["id"].as_str().unwrap();
    assert_eq!(appliance.send("DELETE", &format!("/api/calls/{id}"), None).unwrap().0, 202);
    let ended = record(&appliance, "ended");
    assert_eq!(dialled.wait_with_output().unwrap().status.code(), Some(0));
    assert!(ended["greeting_delay_ms"].is_u64(), "{ended:#}");
    let greeting = "Hello, this is the automatic assistant of Northgate Logistics.";
    let heard = telephone.heard();
    let likeness = sound::likeness_of_phrases(&heard, &[&sound::flite(greeting)]);
    println!("greeting heard, likeness {likeness:.3}, after {} ms", ended["greeting_delay_ms"]);
    assert!(likeness > 0.8, "{likeness}");
}
