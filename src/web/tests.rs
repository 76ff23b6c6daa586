mod calling;
mod hooks;
mod operating;
mod signing_in;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use tokio::sync::mpsc;

use super::{
    Access, AccountReport, AudioFigures, Board, Command, Health, Hearing, HungUp, NotPlaced, Parts,
    Passwords, Placed, Scopes, Token, WebThread, bind, start,
};
use crate::appliance::campaigns::Desk;
use crate::appliance::ringcentral::Hooks;
use crate::base::{CallId, Entropy, Private};
use crate::call::Mos;
use crate::call::ending::Cause;
use crate::call::latency::Latency;
use crate::call::one_way::{OneWay, Side, Why};
use crate::call::record::{Attempt, CallRecord, Dialled, Direction, Progress, Turn};
use crate::converse::Message;
use crate::listen::{Guard, PartialText};
use crate::store::knowledge::{LeftOut, Report};

struct Page {
    board: Arc<Board>,
    web: WebThread,
    commands: mpsc::Receiver<Command>,
    folder: std::path::PathBuf,
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A state folder of its own.
fn folder() -> std::path::PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("web-{}-{count}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

impl Page {
    fn open() -> Self {
        Self::with(Access::default())
    }

    fn with(access: Access) -> Self {
        Self::with_hooks(access, Hooks::default())
    }

    fn with_hooks(access: Access, hooks: Hooks) -> Self {
        Self::with_all(access, hooks, true)
    }

    /// `listens`: calls may be listened to.
    fn with_all(access: Access, hooks: Hooks, listens: bool) -> Self {
        let (board, folder) = (Arc::new(Board::default()), folder());
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (commander, commands) = mpsc::channel(1);
        let web = start(Parts {
            listener,
            board: Arc::clone(&board),
            commands: commander,
            access,
            passwords: Passwords::open(&folder).unwrap(),
            hosts: vec!["desk.example.net".to_owned()],
            entropy: Entropy::new([7; 32]),
            ctrl_tcp: None,
            door: crate::appliance::audio_legs::Door::closed(),
            settings: super::Settings::new(
                None,
                &crate::appliance::paths::Paths::in_folder(&folder),
            ),
            hooks,
            listens,
            own: None,
            campaigns: Desk::of(&crate::appliance::config::Config::default()),
            updates: crate::appliance::config::Config::default().updates,
        });
        Self { board, web: web.unwrap(), commands, folder }
    }

    fn send(&self, request: &str) -> (u16, String, String) {
        let mut connection = TcpStream::connect(self.web.address()).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_ascii_lowercase(), body.to_owned())
    }

    fn ask(&self, path: &str) -> (u16, Value) {
        let host = self.web.address();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let (status, _, body) = self.send(&request);
        (status, serde_json::from_str(&body).unwrap())
    }
}

fn call_with_a_turn() -> CallRecord {
    let mut record =
        CallRecord::new(CallId(7), Direction::Inbound, "sip:5550100@example.net".into(), 1_000);
    record.progress = Progress::Ended {
        answered_at_ms: Some(1_100),
        ended_at_ms: 9_000,
        ending: Cause::HungUp.into(),
    };
    record.push_turn(Turn {
        caller_text: Private::new("are you <b>open</b> today".into()),
        reply_text: Private::new("We are.".into()),
        gap_ms: Some(180),
        wire_gap_ms: Some(181),
        latency: Some(Latency { jitter_ms: 40, endpoint_ms: 140, ..Latency::default() }),
        voice_ms: Some(12),
        ..Turn::default()
    });
    record.rtp.mos_incoming = Some(Mos { last: 4.409, worst: 3.6 });
    record.one_way = Some(OneWay { side: Side::Incoming, why: Why::Muted });
    record.push_message(Message {
        topic: "call back".into(),
        number: Some(Private::new("5550142".into())),
        fields: vec![("order".into(), Private::new("4729".into()))],
        ..Message::default()
    });
    record
}

#[test]
fn health_is_200_only_while_calls_are_taken() {
    let page = Page::open();
    let degraded = Health::Degraded { reasons: vec!["no GPU".into()] };
    for (health, status, state) in [
        (None, 503, "starting"),
        (Some(Health::Ready), 200, "ready"),
        (Some(degraded), 200, "degraded"),
        (Some(Health::Stopping), 503, "stopping"),
    ] {
        if let Some(health) = health {
            page.board.set_health(health);
        }
        let (answered, body) = page.ask("/health");
        assert_eq!((answered, body["state"].as_str()), (status, Some(state)), "{body}");
        assert_eq!(body["takes_calls"], status == 200);
    }
}

#[test]
fn health_shows_how_the_audio_thread_keeps_time() {
    let page = Page::open();
    assert_eq!(page.ask("/health").1["audio"]["ticks"], 0);
    let late_counts = [90, 0, 9, 0, 0, 0, 0, 0, 0, 1];
    page.board.set_audio(AudioFigures {
        late_counts,
        late_sum_us: 6_900,
        late_p50_us: Some(50),
        late_p999_us: None,
        dropped: 3,
        unobserved: 2,
    });
    let audio = page.ask("/health").1["audio"].take();
    assert_eq!((&audio["ticks"], &audio["dropped"]), (&100.into(), &3.into()));
    assert_eq!((&audio["late_p50_us"], &audio["late_p999_us"]), (&50.into(), &Value::Null));
    assert_eq!(audio["late_bounds_us"][2], 250);
    assert_eq!(audio["late_counts"][2], 9);
}

#[test]
fn health_shows_where_the_engine_hears_while_there_is_one() {
    let page = Page::open();
    assert_eq!(page.ask("/health").1["engine"], Value::Null);
    let (device, model) = ("cpu (no GPU)".to_owned(), "starter-en".to_owned());
    page.board.set_hearing(Some(Hearing { device, model, voices: Vec::new(), turn: None }));
    let engine = page.ask("/health").1["engine"].take();
    assert_eq!(
        (&engine["device"], &engine["model"]),
        (&"cpu (no GPU)".into(), &"starter-en".into())
    );
    page.board.set_hearing(None);
    assert_eq!(page.ask("/health").1["engine"], Value::Null);
}

#[test]
fn health_shows_how_each_account_is() {
    let page = Page::open();
    assert_eq!(page.ask("/health").1["accounts"], serde_json::json!([]));
    page.board.set_accounts(vec![AccountReport {
        name: "office".to_owned(),
        state: "failing",
        since_ms: Some(7),
        until_ms: None,
        status: None,
        reason: Some("its server does not answer".to_owned()),
    }]);
    let shown = serde_json::json!([{
        "name": "office",
        "state": "failing",
        "failing_since_ms": 7,
        "registered_until_ms": null,
        "reason": "its server does not answer",
    }]);
    assert_eq!(page.ask("/health").1["accounts"], shown);
}

#[test]
fn health_counts_the_files_of_knowledge_that_are_left_out() {
    let page = Page::open();
    assert_eq!(page.ask("/health").1["knowledge"], Value::Null);
    let left_out = [(LeftOut::TooLong, 1), (LeftOut::NotText, 2)].into();
    page.board.set_knowledge(Report { files: 3, passages: 12, left_out });
    let shown = serde_json::json!({
        "files": 3,
        "passages": 12,
        "left_out": [
            { "reason": "longer than 256 KiB", "files": 1 },
            { "reason": "no text in UTF-8", "files": 2 },
        ],
    });
    assert_eq!(page.ask("/health").1["knowledge"], shown);
}

#[test]
fn calls_are_listed_and_shown_with_turns_gaps_and_messages() {
    let page = Page::open();
    page.board.update_call(call_with_a_turn());
    let (status, list) = page.ask("/api/calls");
    assert_eq!(status, 200);
    assert_eq!(list["calls"][0]["id"], "c7");
    assert_eq!(list["calls"][0]["turns"], Value::Null);
    let (status, call) = page.ask("/api/calls/c7");
    assert_eq!(status, 200);
    assert_eq!(call["turns"][0]["caller"], "are you <b>open</b> today");
    let turn = &call["turns"][0];
    assert_eq!((&turn["gap_ms"], &turn["wire_gap_ms"]), (&180.into(), &181.into()));
    assert_eq!((&turn["voice_ms"], &turn["model_ms"]), (&12.into(), &Value::Null));
    let parts = turn["latency"].as_object().unwrap();
    assert_eq!(parts.values().filter_map(Value::as_u64).sum::<u64>(), 180);
    for name in ["jitter", "endpoint", "decode", "think", "voice", "pacing"] {
        assert!(parts.contains_key(&format!("{name}_ms")), "{name}");
    }
    let message = &call["messages"][0];
    assert_eq!((&message["number"], &message["name"]), (&"5550142".into(), &Value::Null));
    assert_eq!(message["fields"]["order"], "4729");
    assert_eq!(call["ending"]["by"], "caller");
    assert_eq!(call["rtp"]["packets_lost"], 0);
    let mos = serde_json::json!({ "incoming": { "last": 4.41, "worst": 3.6 }, "outgoing": null });
    assert_eq!((&call["mos"], &list["calls"][0]["mos"]), (&mos, &mos));
    assert_eq!(
        (&call["one_way"]["side"], &call["one_way"]["why"]),
        (&"incoming".into(), &"muted".into())
    );
}

#[test]
fn metrics_are_plain_text_of_the_version_that_prometheus_reads() {
    let page = Page::open();
    page.board.update_call(call_with_a_turn());
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let (status, head, body) = page.send(request);
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("attendant_calls_ended_total"), "{body}");
}

#[test]
fn what_a_caller_is_saying_is_shown_while_he_says_it_and_in_no_list() {
    let page = Page::open();
    let mut record = call_with_a_turn();
    record.progress = Progress::Active { answered_at_ms: 1_100 };
    record.guards.note(Guard::Caption);
    page.board.update_call(record.clone());
    let call = page.ask("/api/calls/c7").1;
    assert_eq!((&call["partial"], &call["guards"]["caption"]), (&Value::Null, &1.into()));
    let (settled, rest) = (Private::new("my <i>number</i>".into()), Private::new("is for".into()));
    record.partial = Some(PartialText { settled, rest });
    page.board.update_call(record);
    let partial = page.ask("/api/calls/c7").1["partial"].take();
    assert_eq!(partial["settled"], "my <i>number</i>");
    assert_eq!(partial["rest"], "is for");
    assert_eq!(page.ask("/api/calls").1["calls"][0]["partial"], Value::Null);
}

#[test]
fn errors_are_json() {
    let page = Page::open();
    for (path, status) in
        [("/api/calls/c8", 404), ("/api/calls/seven", 404), ("/api/calls/%ff", 404), ("/x", 404)]
    {
        let (answered, body) = page.ask(path);
        assert_eq!(answered, status, "{path}");
        assert!(body["detail"].is_string(), "{path}: {body}");
    }
    let host = page.web.address();
    let (status, _, body) = page.send(&format!(
        "POST /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    ));
    assert_eq!(status, 405);
    assert!(body.contains("/problems/method-not-allowed"), "{body}");
}

#[test]
fn a_name_that_was_rebound_to_us_is_refused() {
    let page = Page::open();
    let port = page.web.address().port();
    for (hosts, status) in [
        (format!("Host: 127.0.0.1:{port}\r\n"), 200),
        (format!("Host: [::1]:{port}\r\n"), 200),
        ("Host: LOCALHOST\r\n".to_owned(), 200),
        ("Host: 192.0.2.7\r\n".to_owned(), 200),
        ("Host: desk.example.net\r\n".to_owned(), 200),
        (format!("Host: evil.example:{port}\r\n"), 421),
        ("Host: localhost.evil.example\r\n".to_owned(), 421),
        ("Host: localhost\r\nHost: evil.example\r\n".to_owned(), 421),
    ] {
        let (answered, _, _) =
            page.send(&format!("GET / HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n"));
        assert_eq!(answered, status, "{hosts}");
    }
}

#[test]
fn the_page_may_load_nothing_from_elsewhere() {
    let page = Page::open();
    for path in ["/", "/page/main.js", "/page/style.css"] {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let (status, head, body) = page.send(&request);
        assert_eq!(status, 200, "{path}");
        assert!(head.contains("content-security-policy: default-src 'none'"), "{head}");
        assert!(head.contains("x-content-type-options: nosniff"), "{head}");
        assert!(!body.contains("http://") && !body.contains("https://"), "{path}");
        assert!(!body.contains("innerHTML"), "{path}");
    }
}

#[test]
fn a_taken_port_is_an_error_before_anything_starts() {
    let page = Page::open();
    let error = bind(page.web.address()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

/// A request, answered by the net thread's stand-in; gives what was asked of it.
fn commanded(
    request: &str,
    answer: impl FnOnce(Command) + Send + 'static,
) -> (u16, String, String) {
    let mut page = Page::open();
    let mut commands = std::mem::replace(&mut page.commands, mpsc::channel(1).1);
    let stand_in = std::thread::spawn(move || answer(commands.blocking_recv().unwrap()));
    let host = page.web.address();
    let answered = page.send(&request.replace("HOST", &host.to_string()));
    stand_in.join().unwrap();
    answered
}

fn post(headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /api/calls/dial HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn a_call_is_asked_for_with_all_that_was_given() {
    let body = r#"{"phone_number": "030 123456", "trunk": "office", "playbook": "en",
        "variables": {"order": 4729, "day": "Monday"}}"#;
    let (status, _, answer) = commanded(&post(JSON, body), |command| {
        let Command::Dial { order, told } = command else { panic!() };
        assert_eq!(order.phone_number.reveal(), "030 123456");
        assert_eq!(
            (order.trunk.as_deref(), order.playbook.as_deref()),
            (Some("office"), Some("en"))
        );
        let values: Vec<_> =
            order.variables.iter().map(|(n, v)| (n.as_str(), v.reveal())).collect();
        assert_eq!(values, [("day", &"Monday".to_owned()), ("order", &"4729".to_owned())]);
        let number = Private::new("+4930123456".to_owned());
        told.send(Ok(Placed { call: CallId(7), number })).unwrap();
    });
    assert_eq!(status, 202);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer, serde_json::json!({ "id": "c7", "phone_number": "+4930123456" }));
}

#[test]
fn why_no_call_is_made_is_told_with_a_status() {
    let text = || "so it is".to_owned();
    for (why, expected, header) in [
        (NotPlaced::Wrong(text()), 400, None),
        (NotPlaced::Forbidden(text()), 403, None),
        (NotPlaced::Limited(text(), Some(17)), 429, Some("retry-after: 17")),
        (NotPlaced::Limited(text(), None), 429, None),
        (NotPlaced::Unavailable(text()), 503, None),
    ] {
        let request = post(JSON, r#"{"phone_number": "030 123456"}"#);
        let (status, head, body) = commanded(&request, move |command| {
            let Command::Dial { told, .. } = command else { panic!() };
            told.send(Err(why)).unwrap();
        });
        assert_eq!(status, expected);
        assert!(body.contains("so it is"), "{body}");
        assert_eq!(head.contains("retry-after"), header.is_some(), "{head}");
        assert!(header.is_none_or(|header| head.contains(header)), "{head}");
    }
}

#[test]
fn a_body_that_makes_no_sense_is_refused_before_anybody_is_asked() {
    let page = Page::open();
    let host = page.web.address().to_string();
    let many = (0..17).map(|n| format!("\"v{n}\": 1")).collect::<Vec<_>>().join(",");
    let (long, huge) = ("x".repeat(201), "x".repeat(20_000));
    for (headers, body, expected) in [
        ("", r#"{"phone_number": "1"}"#.to_owned(), 415),
        ("Content-Type: text/plain\r\n", r#"{"phone_number": "1"}"#.to_owned(), 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n", "phone_number=1".to_owned(), 415),
        (JSON, String::new(), 400),
        (JSON, "[".to_owned(), 400),
        (JSON, "[]".to_owned(), 400),
        (JSON, "{}".to_owned(), 400),
        (JSON, r#"{"phone_number": 1}"#.to_owned(), 400),
        (JSON, r#"{"phone_number": "1", "more": 1}"#.to_owned(), 400),
        (JSON, format!(r#"{{"phone_number": "{long}"}}"#), 400),
        (JSON, format!(r#"{{"phone_number": "1", "trunk": "{long}"}}"#), 400),
        (JSON, format!(r#"{{"phone_number": "1", "variables": {{{many}}}}}"#), 400),
        (JSON, format!(r#"{{"phone_number": "1", "variables": {{"a": "{long}"}}}}"#), 400),
        (JSON, r#"{"phone_number": "1", "variables": {"a": "b\u0000"}}"#.to_owned(), 400),
        (JSON, r#"{"phone_number": "1", "variables": {"a": " "}}"#.to_owned(), 400),
        (JSON, r#"{"phone_number": "1", "variables": {"a": []}}"#.to_owned(), 400),
        (JSON, r#"{"phone_number": "1", "variables": {"A b": "c"}}"#.to_owned(), 400),
        (JSON, format!(r#"{{"phone_number": "{huge}"}}"#), 413),
    ] {
        let (status, _, answer) = page.send(&post(headers, &body).replace("HOST", &host));
        assert_eq!(status, expected, "{headers}{body:.80}: {answer}");
        assert!(answer.contains("/problems/"), "{answer}");
        assert!(!answer.contains("xxx"), "what was sent is not told: {answer}");
    }
}

#[test]
fn the_page_of_another_site_can_neither_dial_nor_hang_up() {
    let page = Page::open();
    let host = page.web.address().to_string();
    for (headers, expected) in [
        ("Origin: http://evil.example\r\n".to_owned(), 403),
        ("Origin: null\r\n".to_owned(), 403),
        (format!("Origin: https://{host}\r\n"), 403),
        ("Origin: http://127.0.0.1:1\r\n".to_owned(), 403),
        (format!("Origin: http://{host}\r\nOrigin: http://evil.example\r\n"), 403),
        ("Sec-Fetch-Site: cross-site\r\n".to_owned(), 403),
        ("Sec-Fetch-Site: same-site\r\n".to_owned(), 403),
        // Ours, and what is no browser: the body is what is wrong with them.
        (format!("Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n"), 400),
        (String::new(), 400),
    ] {
        let request = post(&format!("{JSON}{headers}"), "{}").replace("HOST", &host);
        assert_eq!(page.send(&request).0, expected, "{headers}");
        let request = format!(
            "DELETE /api/calls/x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
        );
        let expected = if expected == 400 { 404 } else { expected };
        assert_eq!(page.send(&request).0, expected, "{headers}");
    }
    let rebound = post(JSON, "{}").replace("HOST", "evil.example");
    assert_eq!(page.send(&rebound).0, 421);
    // What a browser asks before it sends JSON for another site gets no permission.
    let (status, head, _) = page.send(&format!(
        "OPTIONS /api/calls/dial HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n"
    ));
    assert!(status >= 400 && !head.contains("access-control-allow"), "{head}");
}

#[test]
fn a_call_is_ended_once() {
    let delete = "DELETE /api/calls/c7 HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n";
    for (outcome, expected) in [(HungUp::Ending, 202), (HungUp::NotUp, 404)] {
        let (status, _, _) = commanded(delete, move |command| {
            let Command::HangUp { call, told } = command else { panic!() };
            assert_eq!(call, CallId(7));
            told.send(outcome).unwrap();
        });
        assert_eq!(status, expected);
    }
}

#[test]
fn a_call_that_we_make_is_shown_with_its_account_and_its_attempts() {
    let page = Page::open();
    let mut record = CallRecord::new(CallId(7), Direction::Outbound, "+4930123456".into(), 9_000);
    let (ending, began_at_ms, ended_at_ms) = (Cause::CalleeBusy.into(), 1_000, 2_000);
    let earlier = vec![Attempt { began_at_ms, ended_at_ms, ending }];
    record.dialled = Some(Dialled { trunk: "office".into(), earlier, ..Dialled::default() });
    for (progress, state, again) in [
        (Progress::Dialling, "dialling", Value::Null),
        (Progress::Ringing, "ringing", Value::Null),
        (Progress::EarlyMedia, "early-media", Value::Null),
        (Progress::Waiting { until_ms: 77 }, "waiting", 77.into()),
    ] {
        record.progress = progress;
        page.board.update_call(record.clone());
        let call = page.ask("/api/calls").1["calls"][0].take();
        assert_eq!((&call["direction"], &call["state"]), (&"outbound".into(), &state.into()));
        let dialled = serde_json::json!({
            "trunk": "office",
            "again_at_ms": again,
            "earlier": [{ "began_at_ms": 1_000, "ended_at_ms": 2_000, "cause": "callee-busy" }],
        });
        assert_eq!(call["dialled"], dialled);
    }
}

#[test]
fn events_come_over_a_websocket_and_to_no_page_of_another_site() {
    let page = Page::open();
    let host = page.web.address();
    let request = |fields: &str| {
        format!(
            "GET /api/events/ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
        )
    };
    let status = |fields: &str| {
        let mut connection = TcpStream::connect(host).unwrap();
        connection.write_all(request(fields).as_bytes()).unwrap();
        let mut head = [0; 12];
        connection.read_exact(&mut head).unwrap();
        (String::from_utf8_lossy(&head).into_owned(), connection)
    };
    for foreign in ["Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        assert_eq!(status(foreign).0, "HTTP/1.1 403", "{foreign}");
    }
    let (head, mut connection) = status(&format!("Origin: http://{host}\r\n"));
    assert_eq!(head, "HTTP/1.1 101");
    page.board.set_health(Health::Ready);
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).contains("\"type\":\"health\"") {
        let mut bytes = [0; 512];
        let count = connection.read(&mut bytes).unwrap();
        assert!(count > 0, "closed: {}", String::from_utf8_lossy(&got));
        got.extend_from_slice(&bytes[..count]);
    }
}

#[test]
fn what_comes_through_a_proxy_is_refused_where_there_are_no_tokens() {
    let page = Page::open();
    let get = |fields: &str| {
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n")
    };
    for field in [
        "X-Forwarded-For: 192.0.2.7\r\n",
        "Forwarded: for=192.0.2.7\r\n",
        "Via: 1.1 proxy\r\n",
        "X-Real-IP: 192.0.2.7\r\n",
        "X-Forwarded-Proto: https\r\n",
        "X-Forwarded-Host: desk.example\r\n",
    ] {
        assert_eq!(page.send(&get(field)).0, 403, "{field}");
    }
    assert_eq!(page.send(&get("")).0, 503);
    let token = Token {
        name: "desk".to_owned(),
        secret: Private::new("secret".to_owned()),
        scopes: Scopes::all(),
        origins: Vec::new(),
    };
    let page = Page::with(Access::new(vec![token]));
    assert_eq!(page.send(&get("X-Forwarded-For: 192.0.2.7\r\n")).0, 503);
}
