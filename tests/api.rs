//! The HTTP interface as programs and pages use it: tokens, origins, events, keys, webhooks.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::appliance::{Appliance, Setup};
use support::baresip::Baresip;
use support::http::{self, Answer, Receiving, Stream};
use support::sipp::Sipp;
use support::{peers, wait};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SOON: Duration = Duration::from_secs(20);
const DESK: &str = "desk-desk-desk-desk-desk-desk";
const SHOP: &str = "shop-shop-shop-shop-shop-shop";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const JSON: &str = "Content-Type: application/json\r\n";

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// A box with two tokens: one that sees and does all but words, and one of a web page.
fn guarded() -> Setup {
    Setup::default()
        .with(
            "[token]",
            "name = \"desk\"\nscopes = [\"read\", \"dial\", \"calls\", \"metrics\"]\n\
             [[token]]\nname = \"shop\"\nscopes = [\"webrtc\"]\norigins = [\"https://shop.example\"]\n",
        )
        .env("ATTENDANT_TOKEN_DESK", DESK)
        .env("ATTENDANT_TOKEN_SHOP", SHOP)
}

fn get(appliance: &Appliance, path: &str, fields: &str) -> Answer {
    http::ask(appliance.web, &format!("GET {path}"), fields, "")
}

#[test]
fn tokens_say_who_may_do_what_and_whose_page_may_ask() {
    let appliance = guarded().start();
    let health = get(&appliance, "/health", "").json();
    assert_eq!(health, json!({ "state": health["state"], "takes_calls": true }));
    let desk = bearer(DESK);
    assert!(get(&appliance, "/health", &desk).json()["version"].is_string());
    for (fields, status, challenge) in [
        (String::new(), 401, "bearer realm=\"attendant\"\r\n"),
        (bearer("nonsense"), 401, "error=\"invalid_token\""),
        (bearer(SHOP), 403, "error=\"insufficient_scope\", scope=\"read\""),
        (desk.clone(), 200, ""),
    ] {
        let answer = get(&appliance, "/api/calls", &fields);
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.head.contains(challenge), "{challenge}: {answer:?}");
        if status != 200 {
            assert!(answer.head.contains("content-type: application/problem+json"), "{answer:?}");
            let problem = answer.json();
            assert_eq!(problem["status"], status);
            let explained = get(&appliance, problem["type"].as_str().unwrap(), "");
            assert_eq!(explained.status, 200, "{problem}");
        }
    }
    whose_page(&appliance);
    // A ticket in the address is good once, for a stream.
    let ticket = http::ask(appliance.web, "POST /api/tickets", &desk, "");
    assert_eq!(ticket.status, 201);
    let path = format!("/api/events?ticket={}", ticket.json()["ticket"].as_str().unwrap());
    let stream = "Accept: text/event-stream\r\n";
    assert_eq!(get(&appliance, &path, "").status, 401, "it is no stream");
    drop(Stream::open(appliance.web, &path, stream));
    assert_eq!(get(&appliance, &path, stream).status, 401, "it is used up");
    // Who guesses is told to wait; who knows is heard, also through the same proxy.
    let guess = || get(&appliance, "/api/calls", &bearer("guess")).status;
    let statuses: Vec<u16> = (0..12).map(|_| guess()).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(get(&appliance, "/api/calls", &bearer(DESK)).status, 200);
    assert!(!appliance.log().contains(DESK) && !appliance.log().contains("guess"));
}

fn whose_page(appliance: &Appliance) {
    let preflight = |origin: &str| {
        let fields = format!("Origin: {origin}\r\nAccess-Control-Request-Method: POST\r\n");
        http::ask(appliance.web, "OPTIONS /api/calls/dial", &fields, "")
    };
    let allowed = preflight("https://shop.example");
    assert_eq!(allowed.status, 204, "{allowed:?}");
    assert!(allowed.head.contains("access-control-allow-origin: https://shop.example"));
    assert!(allowed.head.contains("authorization"), "{allowed:?}");
    let refused = preflight("https://evil.example");
    assert!(refused.status >= 400 && !refused.head.contains("access-control"), "{refused:?}");
    // Another token's page gets nothing by it.
    let fields = format!("{}Origin: https://shop.example\r\n{JSON}", bearer(DESK));
    let foreign = http::ask(appliance.web, "POST /api/calls/dial", &fields, "{}");
    assert_eq!(foreign.status, 403);
    assert!(foreign.body.contains("/problems/foreign-page"), "{foreign:?}");
    let fields = format!("{}Origin: https://shop.example\r\n{JSON}", bearer(SHOP));
    let own = http::ask(appliance.web, "POST /api/calls/dial", &fields, "{}");
    assert!(own.body.contains("/problems/scope-needed"), "{own:?}");
    assert!(own.head.contains("access-control-allow-origin: https://shop.example"), "{own:?}");
}

/// What a call tells, from its INVITE to its end, in this order; others may stand between.
const TOLD: [&str; 5] =
    ["call.incoming", "call.answered", "call.established", "dtmf", "call.closed"];

#[test]
fn what_happens_is_told_as_it_does_and_again_to_who_comes_back() {
    if !peers::is_installed("baresip", "baresip-core") {
        return;
    }
    let receiving = Receiving::start(&[500, 204]);
    let hook = format!(
        "name = \"desk\"\nurl = \"http://{}/hook?a=b\"\nevents = [\"call.closed\"]\n",
        receiving.address
    );
    let mut appliance =
        Setup::default().with("[webhook]", &hook).env("ATTENDANT_WEBHOOK_DESK", SECRET).start();
    let accept = "Accept: text/event-stream\r\n";
    let mut stream = Stream::open(appliance.web, "/api/events", accept);
    let mut only = Stream::open(appliance.web, "/api/events?types=call.closed,message", accept);
    let mut caller = Baresip::start("maria", LOCAL, "udp", "PCMU/8000/1");
    caller.command("dial", &appliance.uri());
    caller.event("CALL_ESTABLISHED", SOON);
    let mut events = stream.until("call.established").1;
    let incoming = events.iter().find(|event| event["type"] == "call.incoming").unwrap().clone();
    assert!(incoming["data"]["call"]["peer"].as_str().unwrap().contains("maria"), "{incoming}");
    caller.command("sndcode", "7");
    let (key, before) = stream.until("dtmf");
    assert_eq!(key["data"], json!({ "call_id": incoming["data"]["call"]["id"], "digit": "7" }));
    caller.command("hangup", "");
    let (closed, _) = stream.until("call.closed");
    assert_eq!(closed["data"]["call"]["ending"]["cause"], "hung-up");
    events.extend(before);
    assert_eq!(only.next(), closed, "nothing else was wanted");
    // Who comes back has everything after the last that was known.
    let back = format!("{accept}Last-Event-ID: {}\r\n", incoming["id"].as_str().unwrap());
    let mut again = Stream::open(appliance.web, "/api/events", &back);
    let (same, missed) = again.until("call.closed");
    assert_eq!(same, closed);
    let mut told = [&[incoming][..], &missed, &[same]].concat().into_iter();
    for kind in TOLD {
        assert!(told.any(|event| event["type"] == kind), "{kind}");
    }
    is_delivered_signed(&receiving, &closed, &mut appliance);
}

/// The first attempt was answered with 500; the second is the same delivery, though the box was killed meanwhile.
fn is_delivered_signed(receiving: &Receiving, closed: &Value, appliance: &mut Appliance) {
    let (first, body) = receiving.next(SOON).unwrap();
    assert!(first.starts_with("POST /hook?a=b HTTP/1.1"), "{first}");
    assert_eq!(&serde_json::from_str::<Value>(&body).unwrap(), closed);
    let failing = wait::until("the failure is shown", SOON, || {
        let health = appliance.api("/health");
        (health["webhooks"][0]["fault"].is_string()).then_some(health)
    });
    assert!(failing["reasons"].to_string().contains("webhook desk"), "{failing:#}");
    appliance.crash_and_start_again();
    let (second, same) = receiving.next(SOON).unwrap();
    assert_eq!(same, body);
    let id = |head: &str| field(head, "webhook-id").to_owned();
    assert_eq!(id(&first), id(&second));
    wait::until("it is shown as delivered", SOON, || {
        let hook = appliance.api("/health")["webhooks"][0].take();
        (hook["delivered"] == 1 && hook["fault"].is_null() && hook["waiting"] == 0).then_some(())
    });
    assert_eq!(std::fs::read_dir(appliance.state().join("webhooks/desk")).unwrap().count(), 0);
    is_believed(&second, &body);
}

fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    let found = fields.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.unwrap_or_else(|| panic!("no {name} in {head}")).1.trim()
}

/// By the reference reader of Standard Webhooks.
fn is_believed(head: &str, body: &str) {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/schemathesis/bin/python");
    if !python.is_file() {
        assert!(std::env::var_os("CI").is_none(), "{} is missing", python.display());
        return println!("LEFT OUT: {} is missing ('make test-deps' makes it)", python.display());
    }
    let read = "import json,sys\nfrom standardwebhooks.webhooks import Webhook\n\
                given = json.load(sys.stdin)\n\
                Webhook(given['secret']).verify(given['body'], given['headers'])\n";
    let verify = |body: &str| {
        let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
        let headers: serde_json::Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), field(head, name).into())).collect();
        let given = json!({ "secret": SECRET, "body": body, "headers": headers }).to_string();
        let mut child = Command::new(&python)
            .args(["-c", read])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
        child.wait().unwrap().success()
    };
    assert!(verify(body), "{head}");
    assert!(!verify(&body.replace("hung-up", "goodbye")), "what was changed is not believed");
}

#[test]
fn a_call_that_is_asked_for_twice_with_one_key_is_made_once() {
    if !peers::is_installed("sipp", "sip-tester") {
        return;
    }
    let (callee, at) = Sipp::answering(include_str!("sipp/callee-early-busy.xml"), 1);
    let account = format!(
        "name = \"office\"\nuser = \"1001\"\nregisters = false\nserver = \"{at}\"\nkeep_alive_s = 0\n"
    );
    let appliance = guarded()
        .with("[accounts]", &account)
        .with("dial", "allow = [\"+49\"]\ncountry_code = \"49\"\n")
        .start();
    let desk = bearer(DESK);
    wait::until("the account is open", SOON, || {
        let health = get(&appliance, "/health", &desk).json();
        (health["accounts"][0]["state"] == "open").then_some(())
    });
    let dial = |key: &str, body: &str| {
        let fields = format!("{desk}{JSON}Idempotency-Key: {key}\r\n");
        http::ask(appliance.web, "POST /api/calls/dial", &fields, body)
    };
    let body = r#"{"phone_number": "030 1234567"}"#;
    let first = dial("\"8e03978e-40d5\"", body);
    assert_eq!(first.status, 202, "{first:?}");
    for _ in 0..2 {
        let again = dial("8e03978e-40d5", body);
        assert_eq!((again.status, again.json()), (202, first.json()));
    }
    let other = dial("8e03978e-40d5", r#"{"phone_number": "030 7654321"}"#);
    assert_eq!((other.status, &other.json()["type"]), (422, &"/problems/key-reused".into()));
    assert_eq!(dial("", body).status, 400);
    let outcome = callee.finish(Duration::from_secs(60));
    assert_eq!((outcome.successful, outcome.failed), (1, 0));
    let calls = get(&appliance, "/api/calls", &desk).json();
    assert_eq!(calls["calls"].as_array().unwrap().len(), 1, "{calls:#}");
    // Words are for those who may read them.
    let path = format!("/api/calls/{}", first.json()["id"].as_str().unwrap());
    assert_eq!(get(&appliance, &path, &desk).json()["messages"], Value::Null);
}
