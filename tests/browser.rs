//! A page in Chromium calls a box with SIP.js by secure WebSocket through Kamailio, and is answered.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

#[allow(dead_code, reason = "shared with other tests")]
#[path = "support/file_server.rs"]
mod file_server;
mod support;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use file_server::{Asked, FileServer, Reply};
use serde_json::{Value, json};
use support::appliance::Setup;
use support::chromium::Chromium;
use support::folder::Folder;
use support::kamailio::{Kamailio, PASSWORD, REALM};
use support::sound::{self, Sound};
use support::{peers, wait};

/// Of a browser that starts on a busy machine, and registers.
const START: Duration = Duration::from_secs(60);
const CALL: Duration = Duration::from_secs(45);
const TALK_MS: u64 = 12_000;
const PAGE: &str = include_str!("browser/telephone.html");
/// At the rate that a browser records with.
const MICROPHONE_HZ: u32 = 16_000;

/// `None`: the test is left out.
fn sip_js() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sip.js");
    if folder.join("lib/index.js").is_file() {
        return Some(folder);
    }
    let hint = "target/sip.js is not there ('make test-deps' fetches it)";
    assert!(std::env::var_os("CI").is_none(), "{hint}");
    println!("LEFT OUT: {hint}");
    None
}

/// What the page has told so far, by the names it uses.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<HashMap<String, Vec<u8>>>>);

impl Told {
    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.0.lock().unwrap().get(name).cloned()
    }

    fn within(&self, limit: Duration, name: &str) -> Vec<u8> {
        let found = wait::within(limit, || {
            for bad in ["failed", "refused"] {
                let what = self.get(bad).map(|words| String::from_utf8_lossy(&words).into_owned());
                assert!(what.is_none(), "{bad}: {what:?}");
            }
            self.get(name)
        });
        found.unwrap_or_else(|| panic!("not {name}; told: {:?}", self.0.lock().unwrap().keys()))
    }
}

/// Serves the page, what it imports, and takes what it tells.
fn serve(sip_js: PathBuf, settings: &Value) -> (FileServer, Told) {
    let told = Told::default();
    let (kept, settings) = (told.clone(), settings.to_string());
    let server = FileServer::start(move |asked| {
        if let Some(name) = asked.path.strip_prefix("/told/") {
            kept.0.lock().unwrap().insert(name.to_owned(), asked.body.clone());
            return of_type("text/plain", Vec::new());
        }
        match asked.path.as_str() {
            "/" => of_type("text/html", PAGE.into()),
            "/settings" => of_type("application/json", settings.clone().into()),
            _ => library(&sip_js, asked),
        }
    });
    (server, told)
}

fn library(folder: &Path, asked: &Asked) -> Reply {
    let file = asked.path.strip_prefix("/sip.js/").map(|name| folder.join(name));
    match file.and_then(|file| std::fs::read(file).ok()) {
        Some(bytes) => of_type("text/javascript", bytes),
        None => Reply {
            head: "HTTP/1.1 404 Not Found\r\nContent-Length: 0".to_owned(),
            ..Reply::default()
        },
    }
}

fn of_type(kind: &str, body: Vec<u8>) -> Reply {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}");
    Reply { head, body, ..Reply::default() }
}

#[test]
fn a_page_with_sip_js_is_answered_through_kamailio() {
    let needed = [("chromium", "chromium"), ("kamailio", "kamailio"), ("flite", "flite")];
    if !needed.iter().all(|(program, package)| peers::is_installed(program, package)) {
        return;
    }
    let Some(sip_js) = sip_js() else { return };
    let kamailio = Kamailio::start("MD5");
    let account = format!(
        "name = \"office\"\nserver = \"{}\"\nuser = \"1001\"\nrealm = \"{REALM}\"\n",
        kamailio.address
    );
    let appliance = Setup::default()
        .with("[accounts]", &account)
        .env("ATTENDANT_ACCOUNT_OFFICE", PASSWORD)
        .start();
    wait::until("it is registered", CALL, || kamailio.has("1001").then_some(()));
    let (server, told) = serve(
        sip_js,
        &json!({
            "server": format!("wss://{}", kamailio.secure),
            "realm": REALM,
            "user": "browser",
            "password": PASSWORD,
            "calls": "1001",
            "talk_ms": TALK_MS,
        }),
    );
    let folder = Folder::new("microphone");
    let said = sound::after_greeting("What are your opening hours?");
    sound::write_wav(&folder.at("said.wav"), MICROPHONE_HZ, &said, 0);
    let page = Chromium::open(&server.url(""), &folder.at("said.wav"));
    told.within(START, "registered");
    let answer = String::from_utf8(told.within(CALL, "established")).unwrap();
    println!("{answer}");
    let heard = told.within(CALL, "heard");
    let statistics = told.within(CALL, "statistics");
    told.within(CALL, "ended");
    drop(page);
    let samples: Vec<i16> =
        heard.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let heard = Sound { rate_hz: MICROPHONE_HZ, samples };
    let greeting = sound::GREETING.map(sound::flite);
    let likeness = sound::likeness_of_phrases(&heard, &greeting.each_ref());
    let statistics: Vec<Value> = serde_json::from_slice(&statistics).unwrap();
    let inbound = statistics.iter().find(|one| one["type"] == "inbound-rtp").unwrap();
    println!("{inbound:#}");
    let record = wait::until("it has ended at the box, too", CALL, || {
        appliance.record(|call| call["state"] == "ended")
    });
    println!("greeting heard, likeness {likeness:.3}; {:#}", record["turns"]);
    assert!(likeness > 0.8, "{likeness}");
    assert_eq!(inbound["packetsLost"], 0, "{inbound:#}");
    assert_eq!(record["codec"], "opus");
    assert_eq!(record["ending"]["cause"], "hung-up");
    let words = record["turns"].to_string();
    assert!(words.contains("opening hours"), "{words}");
}
