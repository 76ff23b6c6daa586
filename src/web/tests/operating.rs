//! What somebody is told who listens to a call, with the net thread played by the test.

use super::calling::{asks, opened};
use super::*;
use crate::web::access::Scope;
use crate::web::{Operated, Operating, Person};
use crate::webrtc::{Crowd, Opening, Refusal, Request, Response};

const OFFER: &[u8] = b"v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
const LISTEN: &str = "POST /api/calls/c3/listen\nContent-Type: application/json";
const CONTROL: &str = "POST /api/listening/abc/control\nContent-Type: application/json";

fn offer() -> Vec<u8> {
    let sdp = String::from_utf8_lossy(OFFER);
    serde_json::json!({ "type": "offer", "sdp": sdp }).to_string().into_bytes()
}

fn page_of(scopes: &[Scope]) -> Page {
    let token = Token {
        name: "desk".to_owned(),
        secret: Private::new("secret".to_owned()),
        scopes: scopes.iter().copied().collect(),
        origins: Vec::new(),
    };
    Page::with(Access::new(vec![token]))
}

fn with_token(head: &str) -> String {
    format!("{head}\nAuthorization: Bearer secret")
}

#[test]
fn an_offer_to_listen_names_the_call_and_who_asks() {
    let mut page = page_of(&[Scope::Listen]);
    let told = asks(&mut page, &with_token(LISTEN), &offer(), Some(opened()));
    assert!(
        told.status == 201 && told.head.contains("location: /api/listening/abc"),
        "{}",
        told.head
    );
    let expected = serde_json::json!({ "type": "answer", "sdp": "v=0\r\n", "session": "abc", "operator": "c7" });
    assert_eq!(told.json(), expected);
    let Some(Request::Open(Opening { observes: Some(observes), .. })) = told.request else {
        panic!("it is no call")
    };
    assert_eq!((observes.call, observes.by.reveal().as_str()), (CallId(3), "desk"));
    let head = "POST /api/calls/c3/listen\nContent-Type: application/sdp";
    let told = asks(&mut page, &with_token(head), OFFER, Some(opened()));
    assert_eq!((told.status, told.body.as_str()), (201, "v=0\r\n"));
}

#[test]
fn without_the_scope_and_where_it_is_switched_off_nobody_listens() {
    let others: Vec<Scope> = Scope::ALL.into_iter().filter(|s| *s != Scope::Listen).collect();
    let close = "DELETE /api/listening/abc\nContent-Type: application/json";
    let paths = [LISTEN, CONTROL, close];
    for path in paths {
        let mut page = page_of(&others);
        let told = asks(&mut page, &with_token(path), &offer(), None);
        assert!(told.status == 403 && told.body.contains("scope listen"), "{path}: {}", told.body);
        assert!(told.head.contains("scope=\"listen\""), "{}", told.head);
        let mut page = Page::with_all(Access::default(), Hooks::default(), false);
        let told = asks(&mut page, path, &offer(), None);
        assert_eq!(told.status, 403, "{path}: {}", told.body);
    }
    assert!(!Person::Reader.scopes().has(Scope::Listen), "who only looks does not listen");
    let page = Page::with_all(Access::default(), Hooks::default(), false);
    let (_, session) = page.ask("/api/session");
    let scopes = session["scopes"].as_array().unwrap();
    assert_eq!(scopes.len(), Scope::ALL.len() - 1);
    assert!(!scopes.contains(&"listen".into()), "{session}");
    let (_, session) = Page::open().ask("/api/session");
    assert_eq!(session["scopes"].as_array().unwrap().len(), Scope::ALL.len());
    assert!(Scopes::all().has(Scope::Listen));
}

#[test]
fn why_nobody_can_listen_is_told_in_words() {
    for (refusal, status, text) in [
        (Refusal::Forbidden, 403, "[operators]"),
        (Refusal::NoSuchCall, 404, "no such call"),
        (Refusal::NotNow("it is not answered".to_owned()), 409, "it is not answered"),
        (Refusal::Crowded(Crowd::Operators), 503, "as many"),
    ] {
        let mut page = Page::open();
        let told = asks(&mut page, LISTEN, &offer(), Some(Response::Refused(refusal)));
        assert!(told.status == status && told.body.contains(text), "{status}: {}", told.body);
    }
    let mut page = Page::open();
    let head = "POST /api/calls/nothing/listen\nContent-Type: application/json";
    assert_eq!(asks(&mut page, head, &offer(), None).status, 404);
}

#[test]
fn who_listens_takes_the_call_over_and_gives_it_back() {
    for (action, wish, outcome, status) in [
        ("take-over", Operating::TakeOver, Operated::Done, 202),
        ("give-back", Operating::GiveBack, Operated::Done, 202),
        ("take-over", Operating::TakeOver, Operated::NotNow("not now"), 409),
        ("give-back", Operating::GiveBack, Operated::NoSuchSession, 404),
    ] {
        let mut page = Page::open();
        let mut commands = std::mem::replace(&mut page.commands, mpsc::channel(1).1);
        let net = std::thread::spawn(move || {
            let Some(Command::Operate { session, wish, told }) = commands.blocking_recv() else {
                panic!("another command")
            };
            assert_eq!(session.reveal(), "abc");
            told.send(outcome).unwrap();
            wish
        });
        let body = serde_json::json!({ "action": action }).to_string();
        let (host, length) = (page.web.address(), body.len());
        let request = format!(
            "POST /api/listening/abc/control HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let mut connection = TcpStream::connect(host).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert_eq!(net.join().unwrap(), wish);
    }
    let mut page = Page::open();
    for body in [&b"{}"[..], b"{\"action\":\"listen\"}", b"[]"] {
        assert_eq!(asks(&mut page, CONTROL, body, None).status, 400);
    }
}
