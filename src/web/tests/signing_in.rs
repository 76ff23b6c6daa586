//! Passwords, cookies, and what every path refuses.

use super::*;
use crate::base::limits;
use crate::web::access::{self, Gate, Needs, Person, Scope};
use crate::web::routes;

const PASSWORD: &str = "correct horse battery";

/// An answer to `METHOD PATH` with these header fields.
fn told(page: &Page, line: &str, fields: &str, body: &str) -> (u16, String, Value) {
    let host = page.web.address();
    let host = if fields.contains("Host:") { String::new() } else { format!("Host: {host}\r\n") };
    let length = body.len();
    let (status, head, body) = page.send(&format!(
        "{line} HTTP/1.1\r\n{host}{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ));
    (status, head, serde_json::from_str(&body).unwrap_or(Value::Null))
}

fn set_password(page: &Page, person: &str, fields: &str, body: &Value) -> (u16, String, Value) {
    let line = format!("PUT /api/passwords/{person}");
    told(page, &line, &format!("{JSON}{fields}"), &body.to_string())
}

fn sign_in(page: &Page, person: &str, password: &str) -> (u16, String, Value) {
    let body = serde_json::json!({ "person": person, "password": password }).to_string();
    told(page, "POST /api/session", JSON, &body)
}

/// The header fields of who is signed in: to look, and to change.
fn fields(head: &str, session: &Value) -> (String, String) {
    let secret = head.split("set-cookie: attendant=").nth(1).unwrap().split(';').next().unwrap();
    let cookie = format!("Cookie: other=1; attendant={secret}\r\n");
    let csrf = session["csrf"].as_str().unwrap();
    (cookie.clone(), format!("{cookie}X-CSRF-Token: {csrf}\r\n"))
}

/// The first password, as who reads the code on the box.
fn first_password(page: &Page, fields: &str, password: &str) -> (u16, String, Value) {
    let code = access::first_code(&page.folder).map(Private::into_revealed).unwrap_or_default();
    let body = serde_json::json!({ "code": code, "password": password }).to_string();
    told(page, "POST /api/first-password", &format!("{JSON}{fields}"), &body)
}

fn page_with_password() -> (Page, String, String) {
    let page = Page::open();
    let (status, head, session) = first_password(&page, "", PASSWORD);
    assert_eq!(status, 200, "{session}");
    let (look, change) = fields(&head, &session);
    (page, look, change)
}

#[test]
fn the_first_password_closes_the_interface_and_signs_in_who_sets_it() {
    let page = Page::open();
    let session = page.ask("/api/session").1;
    assert_eq!((&session["is_open"], &session["has_password"]), (&true.into(), &false.into()));
    assert_eq!(page.ask("/api/calls").0, 200);
    assert_eq!(first_password(&page, "", "short").0, 400);
    let without = serde_json::json!({ "password": PASSWORD });
    for person in ["reader", "owner"] {
        let told = set_password(&page, person, "", &without);
        assert_eq!(told.0, 409, "the owner's comes first, and with the code of the box");
    }
    let (status, head, session) = first_password(&page, "", PASSWORD);
    assert!(access::first_code(&page.folder).is_none(), "it is used up");
    assert_eq!(first_password(&page, "", PASSWORD).0, 409);
    assert_eq!((status, &session["person"]), (200, &"owner".into()));
    assert!(head.contains("; path=/; httponly; samesite=strict; max-age="), "{head}");
    let (look, change) = fields(&head, &session);
    assert_eq!(page.ask("/api/calls").0, 401);
    assert_eq!(page.ask("/api/session").1["is_open"], false);
    assert_eq!(told(&page, "GET /api/calls", &look, "").0, 200);
    assert_eq!(
        told(&page, "GET /api/calls", &look.replace("attendant=", "attendant=0"), "").0,
        401
    );
    // What changes something wants the second secret, which no other page can read.
    assert_eq!(told(&page, "DELETE /api/calls/c7", &look, "").0, 403);
    let wrong = format!("{look}X-CSRF-Token: 0\r\n");
    assert_eq!(told(&page, "DELETE /api/calls/c7", &wrong, "").0, 403);
    // With it the net thread is asked, which is not there.
    assert_eq!(told(&page, "DELETE /api/calls/x", &change, "").0, 404);
    assert_eq!(told(&page, "DELETE /api/session", &change, "").0, 204);
    assert_eq!(told(&page, "GET /api/calls", &look, "").0, 401);
    let (status, head, session) = sign_in(&page, "owner", PASSWORD);
    assert_eq!(status, 200, "{session}");
    assert_eq!(told(&page, "GET /api/calls", &fields(&head, &session).0, "").0, 200);
}

#[test]
fn who_does_not_know_the_code_of_the_box_sets_no_password_and_who_does_may_come_by_a_proxy() {
    let page = Page::open();
    let code = access::first_code(&page.folder).unwrap();
    let body = serde_json::json!({ "code": "2222-2222", "password": PASSWORD }).to_string();
    let tried: Vec<u16> =
        (0..6).map(|_| told(&page, "POST /api/first-password", JSON, &body).0).collect();
    assert_eq!(tried, [403, 403, 403, 403, 403, 429]);
    assert_eq!(access::first_code(&page.folder).unwrap().reveal(), code.reveal());
    // By a proxy comes who is not on the box: only this is answered, and nobody is the owner there.
    let proxy = "X-Forwarded-For: 192.0.2.7\r\n";
    let session = told(&page, "GET /api/session", proxy, "").2;
    assert_eq!((&session["is_known"], &session["is_open"]), (&false.into(), &true.into()));
    for line in ["GET /", "GET /page/main.js"] {
        assert_eq!(told(&page, line, proxy, "").0, 200, "{line}");
    }
    for line in ["GET /api/calls", "GET /health", "GET /api/settings", "GET /call"] {
        assert_eq!(told(&page, line, proxy, "").0, 403, "{line}");
    }
    // And who seems to be on the box comes by no other way to the password, or to the code in the log.
    let changes = [
        ("PATCH /api/settings", "{}"),
        ("POST /api/settings/undo", "{}"),
        ("PUT /api/settings/desk", "{}"),
        ("PUT /api/secrets/token_x", "{}"),
        ("POST /api/backup", "{}"),
        ("POST /api/restore/undo", ""),
    ];
    for (line, body) in changes {
        assert_eq!(told(&page, line, JSON, body).0, 403, "{line}");
    }
    let bytes = "Content-Type: application/octet-stream\r\n";
    assert_eq!(told(&page, "POST /api/restore", bytes, "x").0, 403);
    let (status, head, session) = first_password(&page, proxy, PASSWORD);
    assert_eq!((status, &session["person"]), (200, &"owner".into()));
    assert_eq!(told(&page, "GET /api/calls", &fields(&head, &session).0, "").0, 200);
}

#[test]
fn wrong_passwords_are_few() {
    let (page, _, _) = page_with_password();
    assert_eq!(sign_in(&page, "nobody", PASSWORD).0, 400);
    let tried: Vec<u16> = (0..6).map(|_| sign_in(&page, "owner", "wrong wrong").0).collect();
    // The first password was an attempt, too.
    assert_eq!(tried, [401, 401, 401, 401, 429, 429]);
    let (status, head, _) = sign_in(&page, "owner", PASSWORD);
    assert_eq!(status, 429, "also with the right one");
    assert!(head.contains("retry-after: "), "{head}");
}

#[test]
fn who_only_looks_can_change_nothing_and_a_new_password_signs_the_others_out() {
    let (page, _, owner) = page_with_password();
    let reader = serde_json::json!({ "password": "only looking", "current": PASSWORD });
    let without = serde_json::json!({ "password": "only looking" });
    assert_eq!(set_password(&page, "reader", &owner, &without).0, 403);
    assert_eq!(set_password(&page, "reader", &owner, &reader).0, 200);
    let (_, head, session) = sign_in(&page, "reader", "only looking");
    assert_eq!(session["scopes"], serde_json::json!(["read", "words", "metrics"]));
    let (look, change) = fields(&head, &session);
    assert_eq!(told(&page, "GET /api/calls", &look, "").0, 200);
    for entry in routes::paths().entries() {
        let needs = [Needs::Nothing, Needs::Token].contains(&entry.needs);
        let reads = [Scope::Read, Scope::Words, Scope::Metrics].map(Needs::Scope);
        if needs || reads.contains(&entry.needs) {
            continue;
        }
        let line = line(entry.method, entry.path);
        assert_eq!(told(&page, &line, &format!("{JSON}{change}"), "{}").0, 403, "{line}");
    }
    assert_eq!(told(&page, "DELETE /api/passwords/owner", &owner, "").0, 409);
    assert_eq!(told(&page, "DELETE /api/passwords/reader", &owner, "").0, 200);
    assert_eq!(told(&page, "GET /api/calls", &look, "").0, 401);
}

#[test]
fn a_password_that_another_program_writes_closes_the_interface_and_ends_sessions() {
    let (page, look, _) = page_with_password();
    assert_eq!(told(&page, "GET /api/calls", &look, "").0, 200);
    let other = Passwords::open(&page.folder).unwrap();
    other.set(Person::Owner, &Private::new("another password".to_owned()), [9; 16]).unwrap();
    let began = std::time::Instant::now();
    while told(&page, "GET /api/calls", &look, "").0 == 200 {
        assert!(began.elapsed() < std::time::Duration::from_secs(20));
        // Seldom enough for the limit of requests.
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(sign_in(&page, "owner", "another password").0, 200);
}

/// The stream of events as it goes to who has these fields, from its head on.
fn events(page: &Page, look: &str) -> TcpStream {
    let host = page.web.address();
    let mut stream = TcpStream::connect(host).unwrap();
    let request =
        format!("GET /api/events HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{look}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut got = [0; 4096];
    let count = stream.read(&mut got).unwrap();
    assert!(String::from_utf8_lossy(&got[..count]).starts_with("HTTP/1.1 200"));
    stream
}

#[test]
fn a_stream_of_events_ends_with_its_session() {
    let (page, look, change) = page_with_password();
    let mut stream = events(&page, &look);
    assert_eq!(told(&page, "DELETE /api/session", &change, "").0, 204);
    page.board.set_health(Health::Ready);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("health"), "{rest}");
}

#[test]
fn a_quiet_stream_ends_with_a_password_that_another_program_writes() {
    let (page, look, _) = page_with_password();
    let (mut stream, mut got) = (events(&page, &look), [0; 4096]);
    let other = Passwords::open(&page.folder).unwrap();
    other.set(Person::Owner, &Private::new("another password".to_owned()), [9; 16]).unwrap();
    let mut rest = String::new();
    while !rest.contains(":\n") {
        match stream.read(&mut got).unwrap() {
            0 => return,
            count => rest.push_str(&String::from_utf8_lossy(&got[..count])),
        }
    }
    panic!("it goes on: {rest}");
}

#[test]
fn what_is_told_ends_by_age_and_by_another_password() {
    let folder = folder();
    let passwords = Passwords::open(&folder).unwrap();
    let gate = Gate::new(Access::default(), passwords, Vec::new(), Entropy::new([3; 32]));
    let password = Private::new(PASSWORD.to_owned());
    gate.set_password(Person::Owner, &password, None).unwrap();
    let (_, caller) = gate.begin_session(Person::Owner);
    let begun = access::now();
    assert!(gate.is_still_here(begun, &caller));
    assert!(!gate.is_still_here(begun + limits::WEB_SESSION_LONGEST, &caller));
    gate.set_password(Person::Owner, &password, None).unwrap();
    assert!(!gate.is_still_here(begun, &caller));
    std::fs::remove_dir_all(&folder).unwrap();
}

fn line(method: &str, path: &str) -> String {
    let path: Vec<&str> =
        path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
    format!("{} {}", method.to_ascii_uppercase(), path.join("/"))
}

/// Every path times what must be refused, so that no path can be added without it.
#[test]
fn every_path_refuses_a_wrong_host_another_sites_page_strangers_and_forms() {
    let paths = routes::paths();
    assert!(paths.entries().len() > 30);
    // One asks only so often.
    for entries in paths.entries().chunks(30) {
        let (page, _, change) = page_with_password();
        entries.iter().for_each(|entry| refuses(&page, &change, entry));
    }
}

fn refuses(page: &Page, change: &str, entry: &crate::web::paths::Entry) {
    let host = page.web.address();
    let line = line(entry.method, entry.path);
    let changes = entry.method != "get";
    let (host_status, ..) = told(page, &line, &format!("Host: evil.example\r\n{change}"), "");
    assert_eq!(host_status, 421, "wrong Host: {line}");
    let foreign = [
        "Origin: http://evil.example\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        format!("Origin: http://{host}\r\nSec-Fetch-Site: cross-site\r\n"),
    ];
    for origin in foreign.iter().filter(|_| changes) {
        let (status, ..) = told(page, &line, &format!("{change}{JSON}{origin}"), "{}");
        assert_eq!(status, 403, "cross Origin: {line} {origin}");
    }
    if entry.needs != Needs::Nothing {
        let body = if changes { "{}" } else { "" };
        let (status, ..) = told(page, &line, JSON, body);
        assert_eq!(status, 401, "no session: {line}");
        if changes {
            let cookie = change.lines().next().unwrap();
            let (status, ..) = told(page, &line, &format!("{JSON}{cookie}\r\n"), body);
            assert_eq!(status, 403, "no X-CSRF-Token: {line}");
        }
    }
    let forms = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", ""];
    for form in forms.iter().filter(|_| changes) {
        let kind = format!("{change}Content-Type: {form}\r\n");
        // Where no platform is to post there is nothing.
        let status = if entry.path.starts_with("/webhooks/") { 404 } else { 415 };
        assert_eq!(told(page, &line, &kind, "a=b").0, status, "{form}: {line}");
    }
}
