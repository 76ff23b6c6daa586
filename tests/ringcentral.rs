//! A box as a telephone of RingCentral's, with a stand-in for the platform that RingCentral's own client
//! registers with and calls through.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

#[path = "ringcentral/calls.rs"]
mod calls;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "support/file_server.rs"]
mod file_server;
#[path = "ringcentral/gateway.rs"]
mod gateway;
#[path = "ringcentral/message.rs"]
mod message;
#[path = "ringcentral/phone.rs"]
mod phone;
#[path = "ringcentral/rest.rs"]
mod rest;
#[path = "ringcentral/stand_in.rs"]
mod stand_in;
mod support;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use file_server::{FileServer, Reply};
use phone::Phone;
use serde_json::{Value, json};
use stand_in::{Delivery, StandIn};
use support::appliance::{Appliance, Setup};
use support::chromium::Chromium;
use support::folder::Folder;
use support::sound::{self, Sound};
use support::{peers, wait};

/// Of a browser that starts on a busy machine, and registers.
const START: Duration = Duration::from_secs(60);
const CALL: Duration = Duration::from_secs(45);
const TALK_MS: u64 = 9_000;
const PAGE: &str = include_str!("ringcentral/page.html");
/// At the rate that a browser records with.
const MICROPHONE_HZ: u32 = 16_000;

/// `None`: the test is left out.
fn web_phone() -> Option<PathBuf> {
    let needed = [("chromium", "chromium"), ("flite", "flite")];
    if !needed.iter().all(|(program, package)| peers::is_installed(program, package)) {
        return None;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ringcentral-web-phone");
    let file = folder.join("dist/index.iife.js");
    if file.is_file() {
        return Some(file);
    }
    let hint = "target/ringcentral-web-phone is not there ('make test-deps' fetches it)";
    assert!(std::env::var_os("CI").is_none(), "{hint}");
    println!("LEFT OUT: {hint}");
    None
}

/// A box that is extension 101.
fn box_of(stand_in: &StandIn, keys: &str) -> Setup {
    let section = format!(
        "name = \"desk\"\nserver = \"{}\"\nclient_id = \"box\"\n{keys}\n",
        stand_in.origin()
    );
    Setup::default()
        .with("[ringcentral]", &section)
        .env("ATTENDANT_RINGCENTRAL_DESK_SECRET", "hush")
        .env("ATTENDANT_RINGCENTRAL_DESK_JWT", "jwt-101")
}

fn registered(stand_in: &StandIn, number: &str) {
    wait::until("it is registered", START, || stand_in.is_registered(number).then_some(()));
}

fn account(appliance: &Appliance) -> Value {
    appliance.get("/health").unwrap().1["accounts"][0].clone()
}

/// A page with RingCentral's own client, as extension 102.
struct Page {
    told: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    _server: FileServer,
    _folder: Folder,
    _chromium: Chromium,
}

impl Page {
    fn open(client: PathBuf, stand_in: &StandIn, mut settings: Value, says: &[i16]) -> Self {
        settings["sipInfo"] = {
            let state = stand_in.lock();
            rest::provisioned(&state, 1, &state.secure_sip)["sipInfo"][0].clone()
        };
        let told: Arc<Mutex<HashMap<String, Vec<u8>>>> = Arc::default();
        let (kept, settings) = (Arc::clone(&told), settings.to_string());
        let server = FileServer::start(move |asked| {
            if let Some(name) = asked.path.strip_prefix("/told/") {
                kept.lock().unwrap().insert(name.to_owned(), asked.body.clone());
                return of_type("text/plain", Vec::new());
            }
            match asked.path.as_str() {
                "/" => of_type("text/html", PAGE.into()),
                "/settings" => of_type("application/json", settings.clone().into()),
                _ => of_type("text/javascript", std::fs::read(&client).unwrap()),
            }
        });
        let folder = Folder::new("microphone");
        sound::write_wav(&folder.at("said.wav"), MICROPHONE_HZ, says, 0);
        let chromium = Chromium::open(&server.url(""), &folder.at("said.wav"));
        Self { told, _server: server, _folder: folder, _chromium: chromium }
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.told.lock().unwrap().get(name).cloned()
    }

    fn within(&self, limit: Duration, name: &str) -> Vec<u8> {
        let found = wait::within(limit, || {
            for bad in ["failed", "refused"] {
                let what = self.get(bad).map(|words| String::from_utf8_lossy(&words).into_owned());
                assert!(what.is_none(), "{bad}: {what:?}");
            }
            self.get(name)
        });
        found.unwrap_or_else(|| panic!("not {name}; told: {:?}", self.told.lock().unwrap().keys()))
    }

    /// Packets of sound that have come.
    fn packets(&self) -> u64 {
        let told = String::from_utf8(self.get("packets").unwrap_or_default()).unwrap();
        told.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or_default()
    }
}

fn of_type(kind: &str, body: Vec<u8>) -> Reply {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}");
    Reply { head, body, ..Reply::default() }
}

fn greeting_in(heard: &[u8]) -> f64 {
    let samples: Vec<i16> =
        heard.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let heard = Sound { rate_hz: MICROPHONE_HZ, samples };
    let greeting = sound::GREETING.map(sound::flite);
    sound::likeness_of_phrases(&heard, &greeting.each_ref())
}

#[test]
fn ringcentrals_own_client_calls_the_box_and_is_understood() {
    let Some(client) = web_phone() else { return };
    let stand_in = StandIn::start();
    let appliance = box_of(&stand_in, "").start();
    registered(&stand_in, "101");
    let said = sound::after_greeting("What are your opening hours?");
    let settings = json!({ "calls": "101", "talk_ms": TALK_MS });
    let page = Page::open(client, &stand_in, settings, &said);
    page.within(START, "registered");
    page.within(CALL, "answered");
    let likeness = greeting_in(&page.within(CALL, "heard"));
    page.within(CALL, "ended");
    let record = wait::until("it has ended at the box, too", CALL, || {
        appliance.record(|call| call["state"] == "ended")
    });
    println!("greeting heard, likeness {likeness:.3}; {:#}", record["turns"]);
    assert!(likeness > 0.8, "{likeness}");
    assert_eq!((&record["codec"], &record["ending"]["cause"]), (&json!("opus"), &json!("hung-up")));
    let words = record["turns"].to_string();
    assert!(words.contains("opening hours"), "{words}");
    // It was told that the INVITE has come before it was answered, in the call's own words.
    assert_eq!(stand_in.count("AGENT 17 <Msg><Hdr SID="), 1);
}

#[test]
fn the_box_speaks_once_the_session_says_that_somebody_answers_and_outlives_a_lost_socket() {
    let Some(client) = web_phone() else { return };
    let stand_in = StandIn::start();
    {
        let mut state = stand_in.lock();
        state.faults.holds_answered = true;
        state.faults.delivery = Delivery::Disordered;
    }
    let appliance =
        box_of(&stand_in, "").with("dial", "allow = [\"+1\"]\non_machine = \"talk\"").start();
    registered(&stand_in, "101");
    let page = Page::open(client, &stand_in, json!({ "answer_after_ms": 200 }), &[0; 16_000]);
    page.within(START, "registered");
    wait::until("its events come", START, || (stand_in.count("SUBSCRIBED") > 0).then_some(()));
    let order = json!({ "phone_number": "+17205550102" });
    let dialled = wait::until("it is dialled", CALL, || {
        let (status, told) = appliance.send("POST", "/api/calls/dial", Some(&order))?;
        (status == 202).then_some(told)
    });
    println!("{dialled}");
    page.within(CALL, "answered");
    // Its 200 is there, and sound; the session has not said that anybody answers.
    wait::until("its sound comes", CALL, || (page.packets() > 20).then_some(()));
    let record = appliance.record(|_| true).unwrap();
    assert!(record["state"] != "active" && record["state"] != "ended", "{record:#}");
    stand_in.tell_answered();
    let active = || appliance.record(|call| call["state"] == "active");
    let record = wait::until("it is answered", CALL, active);
    println!("{:#}", record["dialled"]);
    stand_in.cut_off("101");
    wait::until("the call was offered anew", CALL, || {
        (stand_in.count("REANSWERED") > 0).then_some(())
    });
    let before = page.packets();
    wait::until("its sound goes on", CALL, || (page.packets() > before + 50).then_some(()));
    assert!(active().is_some());
    // What was disordered was dropped, and nothing of it has ended the call.
    let id = record["id"].as_str().unwrap();
    let (status, _) = appliance.send("DELETE", &format!("/api/calls/{id}"), None).unwrap();
    assert_eq!(status, 202);
    page.within(CALL, "ended");
}

#[test]
fn faults_of_the_platform_are_outlived_and_told() {
    let stand_in = StandIn::start();
    {
        let mut state = stand_in.lock();
        state.faults.refusals.push_back(("/oauth/token", 429, Some(2)));
        state.faults.denied.insert("WebSocketsSubscription");
        state.faults.full = 1;
    }
    let mut appliance = box_of(&stand_in, "").start();
    // Told to wait, it has asked nothing meanwhile.
    let token = "POST /restapi/oauth/token";
    wait::until("it signs in", START, || (stand_in.count(token) >= 2).then_some(()));
    let times = stand_in.times("POST /restapi/");
    assert!(times[1] - times[0] >= Duration::from_millis(1_900), "{:?}", times[1] - times[0]);
    let told = wait::until("603 is told", CALL, || {
        let reason = account(&appliance)["reason"].as_str()?.to_owned();
        reason.contains("(603)").then_some(reason)
    });
    println!("{told}");
    let told = wait::until("the permission is named", CALL, || {
        let reason = account(&appliance)["reason"].as_str()?.to_owned();
        reason.contains("WebSocketsSubscription").then_some(reason)
    });
    assert!(told.contains("developer console"), "{told}");
    assert_eq!(stand_in.count("POST /restapi/v1.0/client-info/sip-provision"), 1);
    // After a restart it registers with what it was given, and takes that back at its end.
    appliance.crash_and_start_again();
    registered(&stand_in, "101");
    assert_eq!(stand_in.count("POST /restapi/v1.0/client-info/sip-provision"), 1);
    wait::until("it says so", CALL, || {
        (account(&appliance)["state"] == "registered").then_some(())
    });
    appliance.stop();
    assert_eq!(stand_in.count("UNREGISTERED 101"), 1);
    assert_eq!(stand_in.count("BINARY"), 0);
}

#[test]
fn a_webhooks_event_has_the_call_answered_by_call_control() {
    let stand_in = StandIn::start();
    stand_in.lock().faults.delivery = Delivery::Disordered;
    let web = peers::free_port(std::net::Ipv4Addr::LOCALHOST.into());
    let keys = format!(
        "events = \"webhook\"\nanswer = \"call-control\"\n\
         webhook_address = \"http://127.0.0.1:{web}/webhooks/ringcentral\"\n"
    );
    let allowed = "allow = [\"+1720\"]\n";
    let mut appliance = box_of(&stand_in, &keys).with("dial", allowed).web_at(web).start();
    registered(&stand_in, "101");
    wait::until("the hook is there", START, || {
        (!stand_in.lock().subscriptions.is_empty()).then_some(())
    });
    assert_eq!(stand_in.count("HANDSHAKE true"), 1);
    // Nobody but the platform has the word.
    let event = json!({ "body": { "telephonySessionId": "s-1", "sequence": 1, "parties": [] } });
    let (status, _) = appliance.send("POST", "/webhooks/ringcentral", Some(&event)).unwrap();
    assert_eq!(status, 401);
    // A token that ran out is renewed by the first 401.
    stand_in.expire_tokens();
    let mut phone = Phone::register(&stand_in, "102", "caller");
    let answer = phone.call("101");
    assert_eq!(answer.status(), 183, "{answer:?}");
    let ok = phone.wait("it is answered", |message| message.status() == 200);
    assert_eq!(stand_in.count("CONTROL answer {\"deviceId\":\"8047101\"}"), 1);
    assert_eq!(stand_in.count("RINGS 101 Auto Answer"), 1);
    assert_eq!(stand_in.count("RINGS 101"), 2);
    wait::until("the call is up", CALL, || appliance.record(|call| call["state"] == "active"));
    phone.hang_up(&ok);
    wait::until("it has ended", CALL, || appliance.record(|call| call["state"] == "ended"));
    // What the platform refuses is shown, and the next call is answered by SIP all the same.
    stand_in.lock().faults.denied.insert("CallControl");
    let answer = phone.call("101");
    assert_eq!(answer.status(), 183, "{answer:?}");
    let ok = phone.wait("it is answered", |message| message.status() == 200);
    assert_eq!(stand_in.count("RINGS 101 Auto Answer"), 1);
    let reason = account(&appliance)["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("CallControl"), "{reason}");
    // Who has the call is named by its INVITE: it is controlled over the interface.
    stand_in.lock().faults.denied.clear();
    let session = stand_in.lock().calls.last().unwrap().session();
    let party = stand_in.lock().calls.last().unwrap().party(false);
    let call = appliance.record(|call| call["state"] == "active").unwrap();
    let ids = json!({ "session": session, "party": party });
    assert_eq!(call["ringcentral"], ids, "{call:#}");
    let path =
        |action: &str| format!("/api/ringcentral/desk/sessions/{session}/parties/{party}/{action}");
    let to = |number: &str| json!({ "phone_number": number });
    for (action, body, status) in [
        ("hold", json!({}), 200),
        ("unhold", json!({}), 200),
        // At the owner's cost, and not one of those that are allowed.
        ("transfer", to("+19005550199"), 403),
        ("transfer", to("+17205550199"), 200),
    ] {
        let told = appliance.send("POST", &path(action), Some(&body)).unwrap();
        assert_eq!(told.0, status, "{action}: {}", told.1);
    }
    let told = appliance.send("POST", &path("drop"), Some(&json!({}))).unwrap();
    assert_eq!(told.0, 200, "{}", told.1);
    phone.wait("it is dropped", |message| message.method() == "BYE");
    drop(ok);
    // An INVITE without a description gets an offer, and the ACK brings the answer.
    stand_in.lock().faults.is_bodyless = true;
    assert_eq!(phone.call("101").status(), 183);
    let ok = phone.wait("it is answered", |message| message.status() == 200);
    assert!(ok.body.contains("UDP/TLS/RTP/SAVP") && ok.body.contains("a=setup:actpass"));
    wait::until("the call is up", CALL, || appliance.record(|call| call["state"] == "active"));
    phone.hang_up(&ok);
    // A hook that the platform has given up is deleted and made anew.
    stand_in.lock().subscriptions.iter_mut().for_each(|one| one.is_blacklisted = true);
    appliance.crash_and_start_again();
    wait::until("there is another hook", START, || {
        let state = stand_in.lock();
        let [one] = state.subscriptions.as_slice() else { return None };
        (!one.is_blacklisted).then_some(())
    });
}
