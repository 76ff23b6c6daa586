//! Chromium calls a box through the box's own page, as a user would, and from pages of other sites.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use support::appliance::{Appliance, Setup};
use support::file_server::{FileServer, Reply};
use support::folder::Folder;
use support::playwright::Playwright;
use support::sound::{self, Sound};
use support::{http, peers, wait};

/// At the rate that a browser records with.
const MICROPHONE_HZ: u32 = 16_000;
const QUESTION: &str = "What are your opening hours?";
const UNDERSTOOD: &str = "opening hours";
/// Of a script that makes one call, and of one that makes many.
const SCRIPT: Duration = Duration::from_secs(120);
const SCRIPTS: Duration = Duration::from_secs(400);
const CALL: Duration = Duration::from_secs(45);
const CALLS: usize = 20;
/// A browser beside the box and its recogniser takes a core by itself.
const AT_ONCE: usize = 3;
/// How like the greeting what was heard is: without it, and with a second missing of it, it is below that...
const HEARD: f64 = 0.6;
/// ...and where nothing is missing it is above this, as in most of many calls. A page that records what it hears
/// loses pieces where others have the machine.
const HEARD_WHOLE: f64 = 0.8;
/// Requests by which a page tells its addresses, which come within moments of the offer, and that of a restart.
const MOST_PATCHES: usize = 6;
/// A secret of a token for pages.
const TOKEN: &str = "a-token-that-stands-in-a-page";

fn playwright() -> Option<Playwright> {
    Playwright::find().filter(|_| peers::is_installed("flite", "flite"))
}

fn microphone(folder: &Folder, samples: &[i16]) -> String {
    let path = folder.at("said.wav");
    sound::write_wav(&path, MICROPHONE_HZ, samples, 0);
    path.to_str().unwrap().to_owned()
}

fn box_url(appliance: &Appliance) -> String {
    format!("http://{}", appliance.web)
}

/// How much of what was heard is the greeting.
fn greeting_in(path: &Path) -> f64 {
    let bytes = std::fs::read(path).unwrap();
    let samples =
        bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let heard = Sound { rate_hz: MICROPHONE_HZ, samples };
    let greeting = sound::GREETING.map(sound::flite);
    sound::likeness_of_phrases(&heard, &greeting.each_ref())
}

fn lines(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
}

/// Of a call: what asks the box for anything more than once asks in turns.
fn asked(requests: &Value, what: &str) -> usize {
    lines(requests).into_iter().filter(|line| line.starts_with(what)).count()
}

#[test]
fn a_caller_is_greeted_and_understood_across_a_restart_of_ice() {
    let Some(playwright) = playwright() else { return };
    let appliance = Setup::default().start();
    let folder = Folder::new("page");
    let settings = json!({
        "box": box_url(&appliance),
        "microphone": microphone(&folder, &sound::after_greeting(QUESTION)),
        "folder": folder.path(),
    });
    let told = playwright.start("talk.mjs", settings).result(SCRIPT);
    println!("{told:#}");
    let likeness = greeting_in(&folder.at("heard.raw"));
    println!("greeting heard, likeness {likeness:.3}");
    keep_pictures(&folder);
    let record = wait::until("it has ended at the box, too", CALL, || {
        appliance.record(|call| call["state"] == "ended")
    });
    assert!(likeness > HEARD_WHOLE, "{likeness}");
    assert_eq!((&record["way"], &record["codec"]), (&"webrtc".into(), &"opus".into()));
    assert_eq!(record["ending"]["cause"], "hung-up");
    assert!(record["srtp"].is_string(), "{record:#}");
    assert_eq!(told["lost"], 0, "{told:#}");
    let requests = &told["requests"];
    assert!((1..=MOST_PATCHES).contains(&asked(requests, "PATCH")), "the restart, and candidates");
    assert_eq!(asked(requests, "GET /webrtc/SESSION/events"), 1, "nothing is asked for in turns");
}

/// For whoever wants to look at them: where `PAGE_PICTURES` says.
fn keep_pictures(folder: &Folder) {
    let Some(to) = std::env::var_os("PAGE_PICTURES") else { return };
    for name in ["desktop.png", "phone.png"] {
        std::fs::copy(folder.at(name), Path::new(&to).join(name)).unwrap();
    }
}

#[test]
fn twenty_calls_in_a_row_are_greeted_understood_and_hung_up_on() {
    let Some(playwright) = playwright() else { return };
    let appliance = Setup::default().start();
    let folder = Folder::new("page");
    let settings = json!({
        "box": box_url(&appliance),
        "microphone": microphone(&folder, &sound::after_greeting(QUESTION)),
        "folder": folder.path(),
        "calls": CALLS,
        "at_once": AT_ONCE,
        "words": UNDERSTOOD,
    });
    let told = playwright.start("many.mjs", settings).result(SCRIPTS);
    let calls = told.as_array().unwrap();
    assert_eq!(calls.len(), CALLS);
    let mut whole = 0;
    for call in calls {
        let likeness = greeting_in(&folder.at(&format!("heard-{}.raw", call["number"])));
        println!("{}: sound after {} ms, likeness {likeness:.3}", call["number"], call["sound_ms"]);
        assert!(likeness > HEARD, "{call:#}");
        whole += usize::from(likeness > HEARD_WHOLE);
        assert!(lines(&call["shown"]).iter().any(|line| line.starts_with("we: ")), "{call:#}");
        // One offer, one stream of what is said, one end: nothing asks in turns.
        let expected =
            ["POST /webrtc/offer", "GET /webrtc/SESSION/events", "DELETE /webrtc/SESSION"];
        let requests = lines(&call["requests"]);
        let candidates = requests.iter().filter(|line| line.starts_with("PATCH")).count();
        let others: Vec<&str> =
            requests.into_iter().filter(|line| !line.starts_with("PATCH")).collect();
        assert!(candidates <= MOST_PATCHES && others == expected, "{call:#}");
    }
    let ended = wait::until("all have ended at the box", CALL, || {
        let calls = appliance.api("/api/calls")["calls"].take();
        let is_over = |call: &&Value| call["ending"]["cause"] == "hung-up";
        let ended = calls.as_array().unwrap().iter().filter(is_over).count();
        (ended == CALLS).then_some(ended)
    });
    println!("{ended} of {CALLS} ended, {whole} heard without a gap");
    assert!(whole > CALLS / 2);
    assert_eq!(appliance.live_calls(), 0);
}

#[test]
fn who_is_muted_is_not_heard_and_a_key_reaches_the_playbook() {
    let Some(playwright) = playwright() else { return };
    let appliance = Setup::default().start();
    let folder = Folder::new("page");
    let mut said = sound::after_greeting(QUESTION);
    let spoken_ms = Sound { rate_hz: MICROPHONE_HZ, samples: said.clone() }.length_ms();
    said.extend(sound::silence_ms(4_500));
    said.extend(sound::speak(QUESTION));
    let settings = json!({
        "box": box_url(&appliance),
        "microphone": microphone(&folder, &said),
        "spoken_ms": spoken_ms + 1_500,
        "words": UNDERSTOOD,
        "key": "3",
        "reply": "order number",
    });
    let told = playwright.start("keys.mjs", settings).result(SCRIPT);
    println!("{told:#}");
    assert_eq!(told["isMuted"], "true");
    let of_caller = |lines: &[&str]| lines.iter().filter(|line| line.starts_with("you: ")).count();
    assert_eq!(of_caller(&lines(&told["muted"])), 0, "nothing was heard");
    assert_eq!(of_caller(&lines(&told["unmuted"])), 1);
    let record =
        wait::until("it has ended", CALL, || appliance.record(|call| call["state"] == "ended"));
    let turns = record["turns"].as_array().unwrap();
    let heard = turns.iter().filter(|turn| turn["caller"].to_string().contains(UNDERSTOOD));
    assert_eq!(heard.count(), 1, "{record:#}");
}

#[test]
fn a_page_that_goes_and_a_box_that_goes_are_noticed() {
    let Some(playwright) = playwright() else { return };
    let mut appliance = Setup::default().start();
    let folder = Folder::new("page");
    let settings = json!({
        "box": box_url(&appliance),
        "microphone": microphone(&folder, &sound::silence_ms(1_000)),
        "up": folder.at("up"),
    });
    let script = playwright.start("gone.mjs", settings);
    wait::until("a call is up", CALL, || folder.at("up").is_file().then_some(()));
    appliance.stop();
    let told = script.result(SCRIPT);
    println!("{told:#}");
    let begun = [&[][..], &["POST /webrtc/offer", "DELETE /webrtc/SESSION"]];
    for (broken, requests) in told["broken"].as_array().unwrap().iter().zip(begun) {
        assert_eq!(broken["connection"], "closed", "{broken:#}");
        assert_eq!(lines(&broken["microphone"]), ["ended"], "{broken:#}");
        assert_eq!(broken["canCall"], true, "{broken:#}");
        let mut made = lines(&broken["requests"]);
        made.retain(|line| !line.starts_with("PATCH"));
        assert_eq!(made, requests, "{broken:#}");
    }
    assert_eq!(told["broken"].as_array().unwrap().len(), 2);
    // No reason but that the connection had ended: nobody had hung up, and sound was not waited for.
    let closed = told["closed"]["text"].as_str().unwrap();
    assert!(closed.starts_with("Ended.") && !closed.contains("does not answer"), "{told:#}");
}

/// Serves an empty page: another site.
fn site() -> FileServer {
    FileServer::start(|_| {
        let body = b"<!doctype html><title>A shop</title>".to_vec();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}", body.len());
        Reply { head, body, ..Reply::default() }
    })
}

#[test]
fn a_page_of_another_site_calls_with_a_token_that_names_it_and_no_other_does() {
    let Some(playwright) = playwright() else { return };
    let (shop, stranger) = (site(), site());
    let tokens = format!(
        "name = \"shop\"\nscopes = [\"webrtc\"]\norigins = [\"http://{}\"]\n\
         [[token]]\nname = \"desk\"\nscopes = [\"read\", \"words\"]\n",
        shop.address
    );
    let appliance = Setup::default()
        .with("[token]", &tokens)
        .env("ATTENDANT_TOKEN_SHOP", TOKEN)
        .env("ATTENDANT_TOKEN_DESK", "the-owner's-own-and-long-enough")
        .start();
    let folder = Folder::new("page");
    let settings = json!({
        "box": box_url(&appliance),
        "microphone": microphone(&folder, &sound::after_greeting(QUESTION)),
        "sites": {
            "shop": { "url": shop.url(""), "token": TOKEN },
            "without": { "url": shop.url(""), "token": null },
            "stranger": { "url": stranger.url(""), "token": TOKEN },
        },
    });
    let told = playwright.start("embedded.mjs", settings).result(SCRIPT);
    println!("{told:#}");
    let shop = &told["shop"];
    assert_eq!(shop["over"], "You have hung up.", "{shop:#}");
    assert!(shop["words"]["turns"].to_string().contains(UNDERSTOOD));
    assert_eq!(
        (&shop["words"]["state"], &shop["words"]["codec"]),
        (&"active".into(), &"opus".into())
    );
    assert_eq!(told["without"]["status"], 403, "a foreign page without a token");
    assert_eq!(told["stranger"]["imported"], false, "{:#}", told["stranger"]);
    assert_eq!(asked(&told["stranger"]["requests"], "POST"), 0);
    // The browser has asked its own question; a program that claims that origin is refused, too.
    let fields = format!(
        "Authorization: Bearer {TOKEN}\r\nOrigin: http://{}\r\nContent-Type: application/sdp\r\n",
        stranger.address
    );
    assert_eq!(http::ask(appliance.web, "POST /webrtc/offer", &fields, "v=0\r\n").status, 403);
    let read = "Authorization: Bearer the-owner's-own-and-long-enough\r\n";
    let calls = http::ask(appliance.web, "GET /api/calls", read, "").json();
    let calls = calls["calls"].as_array().unwrap();
    let causes: Vec<&Value> = calls.iter().map(|call| &call["ending"]["cause"]).collect();
    assert_eq!(causes, ["hung-up"]);
}

#[test]
fn candidates_trickle_restarts_come_by_fragments_ipv6_is_enough_and_a_picture_may_come_first() {
    let Some(playwright) = playwright() else { return };
    let appliance = Setup::default().start();
    let folder = Folder::new("page");
    let settings = json!({
        "box": box_url(&appliance),
        "microphone": microphone(&folder, &sound::silence_ms(1_000)),
    });
    let told = playwright.start("whip.mjs", settings).result(SCRIPT);
    println!("{told:#}");
    let trickled = &told["trickled"];
    assert_eq!(
        (&trickled["told"]["status"], &trickled["stale"]["status"]),
        (&204.into(), &412.into())
    );
    assert!(trickled["told"]["candidates"].as_u64() > Some(0), "{trickled:#}");
    let restart = &trickled["restart"];
    assert_eq!((&restart["status"], &restart["tag"]), (&200.into(), &"\"2\"".into()));
    for name in ["ours", "theirs"] {
        assert_ne!(trickled["first"][name], trickled["second"][name], "{name}");
    }
    assert_eq!(trickled["closed"], 200);
    if told["ipv6"].is_null() {
        println!("LEFT OUT: this machine has no IPv6");
    } else {
        assert!(
            told["ipv6"]["pair"]["address"].as_str().unwrap().contains(':'),
            "{:#}",
            told["ipv6"]
        );
        assert_eq!(told["ipv6"]["closed"], 200);
    }
    for policy in ["max-bundle", "balanced"] {
        let bundled = &told["bundled"][policy];
        assert_eq!(lines(&bundled["lines"]), ["m=video", "m=audio"], "{bundled:#}");
        let answer = lines(&bundled["answer"]);
        // Chromium has one name in ICE for all lines of a bundle, whatever its policy.
        assert!(answer.contains(&"a=group:BUNDLE 0 1"), "{answer:?}");
        assert!(answer.contains(&"a=inactive"), "{answer:?}");
        assert_eq!(bundled["closed"], 200);
    }
}
