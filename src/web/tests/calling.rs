//! What a page that calls is told, with the net thread played by the test.

use tokio::sync::oneshot;

use super::*;
use crate::base::limits;
use crate::webrtc::{Crowd, IfMatch, Opening, Refusal, Request, Response, SessionId};

const OFFER: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";

/// Sends a request with a body, and answers what reaches the net thread.
pub(super) fn asks(page: &mut Page, head: &str, body: &[u8], response: Option<Response>) -> Told {
    let host = page.web.address();
    let (method, head) = head.split_once(' ').unwrap();
    let (path, kinds) = head.split_once('\n').unwrap_or((head, ""));
    let kinds: String = kinds.lines().map(|line| format!("{line}\r\n")).collect();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{kinds}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut connection = TcpStream::connect(page.web.address()).unwrap();
    connection.write_all(text.as_bytes()).unwrap();
    connection.write_all(body).unwrap();
    let request = response.map(|response| {
        let Some(Command::WebRtc { request, told }) = page.commands.blocking_recv() else {
            panic!("another command")
        };
        let told: oneshot::Sender<Response> = told;
        told.send(response).unwrap();
        request
    });
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Told {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
        request,
    }
}

pub(super) struct Told {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
    pub(super) request: Option<Request>,
}

impl Told {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(super) fn opened() -> Response {
    Response::Opened {
        session: SessionId::new("abc"),
        call: Some(CallId(7)),
        answer: Private::new(b"v=0\r\n".to_vec()),
        tag: "\"1\"".to_owned(),
    }
}

fn refused(refusal: Refusal) -> Option<Response> {
    Some(Response::Refused(refusal))
}

#[test]
fn an_offer_is_answered_in_its_own_form_with_the_place_of_the_session() {
    let mut page = Page::open();
    let head = "POST /webrtc/offer\nContent-Type: application/sdp";
    let told = asks(&mut page, head, OFFER.as_bytes(), Some(opened()));
    assert_eq!((told.status, told.body.as_str()), (201, "v=0\r\n"));
    for line in ["location: /webrtc/abc", "etag: \"1\"", "content-type: application/sdp"] {
        assert!(told.head.contains(line), "{}", told.head);
    }
    let Some(Request::Open(Opening { offer, called, .. })) = told.request else { panic!() };
    assert_eq!(offer.reveal(), OFFER.as_bytes());
    assert_eq!(called.reveal(), &None);

    let head = "POST /webrtc/offer\nContent-Type: application/json; charset=utf-8";
    let body = serde_json::json!({ "type": "offer", "sdp": OFFER, "to": "sales" }).to_string();
    let told = asks(&mut page, head, body.as_bytes(), Some(opened()));
    assert!(told.status == 201 && told.head.contains("location: /webrtc/abc"), "{}", told.head);
    let expected =
        serde_json::json!({ "type": "answer", "sdp": "v=0\r\n", "session": "abc", "call": "c7" });
    assert_eq!(told.json(), expected);
    let Some(Request::Open(Opening { called, .. })) = told.request else { panic!() };
    assert_eq!(called.reveal().as_deref(), Some("sales"));
}

#[test]
fn what_is_no_offer_does_not_reach_the_calls() {
    let mut page = Page::open();
    let too_long = vec![b'a'; limits::WEBRTC_BODY_BYTES + 1];
    let json = "Content-Type: application/json";
    for (kind, body, status) in [
        ("Content-Type: text/plain", OFFER.as_bytes(), 415),
        ("X-Nothing: x", OFFER.as_bytes(), 415),
        ("Content-Type: application/sdp", &too_long, 413),
        (json, b"{", 400),
        (json, b"{\"sdp\":\"v=0\"}", 400),
        (json, b"{\"type\":\"answer\",\"sdp\":\"v=0\"}", 400),
        (json, b"{\"type\":\"offer\",\"sdp\":7}", 400),
        (json, b"{\"type\":\"offer\",\"sdp\":\"v=0\",\"more\":1}", 400),
        ("Content-Type: application/sdp\nOrigin: http://elsewhere.example", OFFER.as_bytes(), 403),
    ] {
        let told = asks(&mut page, &format!("POST /webrtc/offer\n{kind}"), body, None);
        assert_eq!(told.status, status, "{kind}: {}", told.body);
        assert!(told.json()["detail"].is_string());
    }
}

#[test]
fn a_refusal_says_what_it_is_and_when_to_come_again() {
    let mut page = Page::open();
    let head = "POST /webrtc/offer\nContent-Type: application/sdp";
    for (refusal, status, words, again) in [
        (Refusal::Busy { status: 486, retry_after_s: None }, 503, "every line", Some(10)),
        (Refusal::Busy { status: 503, retry_after_s: Some(30) }, 503, "no calls", Some(30)),
        (Refusal::Malformed("malformed".to_owned()), 400, "malformed", None),
        (Refusal::Unacceptable("no codec in common".to_owned()), 422, "no codec", None),
    ] {
        let told = asks(&mut page, head, OFFER.as_bytes(), refused(refusal));
        assert_eq!(told.status, status);
        assert!(told.json()["detail"].as_str().unwrap().contains(words), "{}", told.body);
        let retry = again.map(|seconds: u32| format!("retry-after: {seconds}\r\n"));
        assert_eq!(told.head.contains("retry-after"), retry.is_some());
        assert!(retry.is_none_or(|line| told.head.contains(&line)), "{}", told.head);
    }
}

#[test]
fn a_session_is_changed_with_candidates_restarts_and_offers() {
    let mut page = Page::open();
    let fragment = "PATCH /webrtc/abc\nContent-Type: application/trickle-ice-sdpfrag";
    let told = asks(&mut page, fragment, b"a=end-of-candidates\r\n", Some(Response::Taken));
    assert_eq!((told.status, told.body.as_str()), (204, ""));
    assert!(matches!(
        told.request,
        Some(Request::Fragment { session, if_match: IfMatch::Unsaid, .. }) if session.reveal() == "abc"
    ));

    let restarted = Response::Restarted {
        fragment: Private::new(b"a=ice-ufrag:x\r\n".to_vec()),
        tag: "\"2\"".to_owned(),
    };
    let told = asks(&mut page, &format!("{fragment}\nIf-Match: *"), b"", Some(restarted));
    assert_eq!((told.status, told.body.as_str()), (200, "a=ice-ufrag:x\r\n"));
    assert!(told.head.contains("content-type: application/trickle-ice-sdpfrag"));
    assert!(told.head.contains("etag: \"2\""), "{}", told.head);
    assert!(matches!(told.request, Some(Request::Fragment { if_match: IfMatch::Any, .. })));

    let answered = || Response::Answered {
        answer: Private::new(b"v=0\r\n".to_vec()),
        tag: "\"2\"".to_owned(),
    };
    for method in ["PATCH", "POST"] {
        let head = format!("{method} /webrtc/abc\nContent-Type: application/sdp");
        let told = asks(&mut page, &head, OFFER.as_bytes(), Some(answered()));
        assert_eq!((told.status, told.body.as_str()), (200, "v=0\r\n"));
        assert!(matches!(told.request, Some(Request::Reoffer { .. })));
    }
    for (refusal, status) in [
        (Refusal::Pending, 409),
        (Refusal::TooManyOffers, 429),
        (Refusal::OtherSession, 412),
        (Refusal::NoSuchSession, 404),
        (Refusal::Malformed("no".to_owned()), 400),
    ] {
        assert_eq!(asks(&mut page, fragment, b"", refused(refusal)).status, status);
    }
}

#[test]
fn a_session_is_deleted_once() {
    let mut page = Page::open();
    let head = "DELETE /webrtc/abc";
    assert_eq!(asks(&mut page, head, b"", Some(Response::Closed)).status, 200);
    assert_eq!(asks(&mut page, head, b"", refused(Refusal::NoSuchSession)).status, 404);
}

#[test]
fn a_page_reads_the_words_of_its_own_call_alone() {
    let mut page = Page::open();
    page.board.update_call(call_with_a_turn());
    let there = Some(Response::Call { call: CallId(7) });
    let told = asks(&mut page, "GET /webrtc/abc", b"", there);
    let known = told.json();
    assert_eq!((told.status, known["state"].as_str()), (200, Some("ended")));
    assert_eq!(known["turns"][0]["caller"], "are you <b>open</b> today");
    assert_eq!(known["ending"]["cause"], "hung-up");
    assert!(known.get("peer").is_none() && known.get("messages").is_none());
    let elsewhere = Some(Response::Call { call: CallId(8) });
    assert_eq!(asks(&mut page, "GET /webrtc/abd", b"", elsewhere).status, 404);
    assert_eq!(asks(&mut page, "GET /webrtc/x", b"", refused(Refusal::NoSuchSession)).status, 404);
}

#[test]
fn the_page_with_the_button_has_no_inline_script() {
    let page = Page::open();
    for (path, kind) in [
        ("/call", "text/html"),
        ("/call.js", "text/javascript"),
        ("/line.js", "text/javascript"),
        ("/call.css", "text/css"),
    ] {
        let host = page.web.address();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let (status, head, body) = page.send(&request);
        assert!(status == 200 && head.contains(kind), "{path}: {head}");
        let is_markup = kind == "text/html";
        assert!(!is_markup || !(body.contains("onclick") || body.contains("style=")));
        let scripts = body.matches("<script").count();
        assert_eq!(body.matches("<script type=\"module\" src=").count(), scripts, "{path}");
    }
}

#[test]
fn a_session_is_followed_until_its_call_ends() {
    let mut page = Page::open();
    page.board.update_call(call_with_a_turn());
    let there = || Some(Response::Call { call: CallId(7) });
    let told = asks(&mut page, "GET /webrtc/abc/events", b"", there());
    assert_eq!(told.status, 200, "{}", told.body);
    assert!(told.head.contains("content-type: text/event-stream"), "{}", told.head);
    let at = |text: &str| told.body.find(text).unwrap_or_else(|| panic!("{text}: {}", told.body));
    assert!(at("event: turn") < at("event: state"), "the end comes last");
    assert!(at("are you <b>open</b> today") < at("\"state\":\"ended\""));
    let elsewhere = Some(Response::Call { call: CallId(8) });
    assert_eq!(asks(&mut page, "GET /webrtc/abd/events", b"", elsewhere).status, 404);
    let unknown = refused(Refusal::NoSuchSession);
    assert_eq!(asks(&mut page, "GET /webrtc/x/events", b"", unknown).status, 404);
}

const SECRET: &str = "a-token-in-a-page";

/// With a token of a shop's page.
fn shop() -> Page {
    Page::with(Access::new(vec![Token {
        name: "shop".to_owned(),
        secret: Private::new(SECRET.to_owned()),
        scopes: Scopes::from_iter([crate::web::access::Scope::Webrtc]),
        origins: vec!["https://shop.example".to_owned()],
    }]))
}

#[test]
fn only_a_page_whose_site_a_token_names_may_offer_and_read_the_answer() {
    let preflight = |origin: &str| {
        format!(
            "OPTIONS /webrtc/offer\nOrigin: {origin}\nAccess-Control-Request-Method: POST\n\
             Access-Control-Request-Headers: authorization,content-type"
        )
    };
    let offer = |origin: &str| {
        format!(
            "POST /webrtc/offer\nOrigin: {origin}\nAuthorization: Bearer {SECRET}\n\
             Content-Type: application/sdp"
        )
    };
    let allowed = "access-control-allow-origin: https://shop.example\r\n";
    let mut page = shop();
    let told = asks(&mut page, &preflight("https://shop.example"), b"", None);
    assert_eq!(told.status, 204);
    assert!(told.head.contains(allowed), "{}", told.head);
    let methods = told.head.lines().find(|line| line.starts_with("access-control-allow-methods"));
    assert_eq!(methods, Some("access-control-allow-methods: get, post, put, patch, delete"));
    let head = offer("https://shop.example");
    let told = asks(&mut page, &head, OFFER.as_bytes(), Some(opened()));
    assert_eq!(told.status, 201);
    assert!(
        told.head.contains(allowed) && told.head.contains("access-control-expose-headers: etag")
    );
    let Some(Request::Open(Opening { visitor, .. })) = told.request else { panic!() };
    assert_eq!(visitor.token.as_ref().map(|token| token.reveal().as_str()), Some("shop"));
    for (page, origin) in [
        (&mut page, "https://shop.example.evil.example"),
        (&mut shop(), "https://elsewhere.example"),
        // Where there are no tokens no other site may do anything.
        (&mut Page::open(), "https://shop.example"),
    ] {
        let told = asks(page, &preflight(origin), b"", None);
        assert!(!told.head.contains("access-control"), "{origin}: {}", told.head);
        let told = asks(page, &offer(origin), OFFER.as_bytes(), None);
        assert_eq!(told.status, 403, "{origin}");
        assert!(!told.head.contains("access-control-allow-origin"), "{origin}: {}", told.head);
    }
}

#[test]
fn pages_that_call_too_often_or_too_many_at_once_are_told_when_to_come_again() {
    let mut page = shop();
    let from = |address: &str| {
        format!(
            "POST /webrtc/offer\nX-Forwarded-For: {address}\nAuthorization: Bearer {SECRET}\n\
             Content-Type: application/sdp"
        )
    };
    let mut calls =
        |address: &str, response| asks(&mut page, &from(address), OFFER.as_bytes(), response);
    for (crowd, status, words) in [
        (Crowd::All, 503, "every line for pages"),
        (Crowd::Token, 429, "with this token"),
        (Crowd::Address, 429, "from this address"),
    ] {
        let told = calls("203.0.113.1", refused(Refusal::Crowded(crowd)));
        assert_eq!(told.status, status);
        assert!(told.json()["detail"].as_str().unwrap().contains(words), "{}", told.body);
        assert!(told.head.contains("retry-after: 10\r\n"), "{}", told.head);
    }
    for _ in 3..limits::WEBRTC_OFFERS_BURST {
        assert_eq!(calls("203.0.113.1", Some(opened())).status, 201);
    }
    let told = calls("203.0.113.1", None);
    assert_eq!(
        (told.status, told.json()["type"].as_str()),
        (429, Some("/problems/too-many-requests"))
    );
    assert!(told.head.contains("retry-after: 1\r\n"), "{}", told.head);
    // Another visitor of the same page, by the same proxy.
    assert_eq!(calls("203.0.113.2", Some(opened())).status, 201);
}
