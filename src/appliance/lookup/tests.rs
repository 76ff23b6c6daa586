//! The owner's system as a small server of the test's: what is asked of it, what its answers become.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::converse::lookup::{Lookup, LookupId, Lookups, Parameter, ParameterKind};

/// Gives every request the same answer; what came is kept.
struct Shop {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

async fn shop(answer: String, delay: Duration) -> Shop {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answer, kept) = (answer.clone(), Arc::clone(&kept));
            tokio::spawn(async move {
                let mut bytes = vec![0; 8_192];
                let count = stream.read(&mut bytes).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                kept.lock().unwrap().push(text);
                tokio::time::sleep(delay).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    Shop { address, requests }
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn question(shop: SocketAddr, method: Method, target: &str) -> Question {
    Question {
        name: "order_status".to_owned(),
        address: Address {
            tls: false,
            host: shop.ip().to_string(),
            port: shop.port(),
            prefix: String::new(),
        },
        method,
        target: Template::parse(target).unwrap(),
        headers: vec![("X-Key".to_owned(), Private::new("s3cret".to_owned()))],
        fields: [("status", "/status"), ("eta", "/delivery/eta")]
            .map(|(name, pointer)| (name.to_owned(), pointer.to_owned()))
            .to_vec(),
        timeout: Duration::from_millis(600),
    }
}

fn asked(order: &'static str, place: &'static str) -> LookUp {
    let parameter = |name: &str, kind| Parameter { name: name.to_owned(), kind };
    let lookups = Lookups::new(vec![Lookup {
        name: "order_status".to_owned(),
        description: String::new(),
        parameters: vec![
            parameter("order", ParameterKind::Digits { min: 1, max: 12 }),
            parameter("place", ParameterKind::Text),
        ],
        fields: Vec::new(),
        changes: false,
    }]);
    lookups.ask(LookupId(0), |name| Some(if name == "order" { order } else { place })).unwrap()
}

async fn outcome(question: Question, asked: LookUp) -> LookedUp {
    let (mut look_ups, mut answers) = LookUps::new(vec![question], &Roots::default(), None);
    look_ups.ask(CallId(1), WorkId(7), asked);
    let answer = answers.recv().await.unwrap();
    assert_eq!((answer.call, answer.work), (CallId(1), WorkId(7)));
    assert!(look_ups.takes(&answer));
    answer.outcome
}

fn found(fields: &[(&str, &str)]) -> LookedUp {
    let field =
        |(name, value): &(&str, &str)| ((*name).to_owned(), Private::new((*value).to_owned()));
    LookedUp::Found(fields.iter().map(field).collect())
}

#[tokio::test]
async fn values_stand_where_the_template_has_them_and_nowhere_else() {
    let shop = shop(http("200 OK", r#"{"status":"shipped"}"#), Duration::ZERO).await;
    let get = question(shop.address, Method::Get, "/o/{order}/at/{place}?q={place}&full=1");
    let outcome_of = outcome(get, asked("4729", "St. Gallen & Co, d'Or"));
    assert_eq!(outcome_of.await, found(&[("status", "shipped")]));
    let post = question(shop.address, Method::Post, "/o/{order}");
    outcome(post, asked("4729", "Zürich")).await;
    let requests = shop.requests.lock().unwrap();
    let place = "St.%20Gallen%20%26%20Co%2C%20d%27Or";
    let first = format!("GET /o/4729/at/{place}?q={place}&full=1 HTTP/1.1\r\n");
    assert!(requests[0].starts_with(&first), "{}", requests[0]);
    assert!(requests[0].contains("x-key: s3cret"), "{}", requests[0]);
    assert!(requests[1].starts_with("POST /o/4729 HTTP/1.1\r\n"), "{}", requests[1]);
    assert!(requests[1].ends_with("\r\n\r\n{\"place\":\"Zürich\"}"), "{}", requests[1]);
}

#[tokio::test]
async fn an_answer_is_fields_nothing_or_a_failure() {
    let long = format!("{{\"status\":\"{}\"}}", "x".repeat(limits::LOOK_UP_BYTES));
    for (answer, expected) in [
        (
            http("200 OK", r#"{"status":"on\nits way","delivery":{"eta":3}}"#),
            found(&[("status", "on its way"), ("eta", "3")]),
        ),
        (http("200 OK", r#"{"other":1,"status":null,"delivery":[]}"#), LookedUp::NotFound),
        (http("404 Not Found", "no"), LookedUp::NotFound),
        (http("200 OK", "<html>"), LookedUp::Failed),
        (http("200 OK", &long), LookedUp::Failed),
        (http("500 Oh", r#"{"status":"shipped"}"#), LookedUp::Failed),
        (http("401 No", ""), LookedUp::Failed),
        // Followed, it would be asked of whoever the answer names.
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
                .into(),
            LookedUp::Failed,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned(), LookedUp::Failed),
        ("nonsense".to_owned(), LookedUp::Failed),
        (String::new(), LookedUp::Failed),
    ] {
        let shop = shop(answer.clone(), Duration::ZERO).await;
        let question = question(shop.address, Method::Get, "/{order}/{place}");
        let shown = answer.chars().take(60).collect::<String>();
        assert_eq!(outcome(question, asked("1", "x")).await, expected, "{shown}");
    }
}

#[tokio::test]
async fn a_system_that_is_slow_or_away_fails_in_time_and_a_cancelled_question_is_nobodys() {
    let slow = shop(http("200 OK", r#"{"status":"x"}"#), Duration::from_secs(60)).await;
    let question_of = question(slow.address, Method::Get, "/{order}");
    assert_eq!(outcome(question_of.clone(), asked("1", "x")).await, LookedUp::Failed);
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = question(away, Method::Get, "/{order}");
    assert_eq!(outcome(nobody, asked("1", "x")).await, LookedUp::Failed);
    let (mut look_ups, mut answers) = LookUps::new(vec![question_of], &Roots::default(), None);
    look_ups.ask(CallId(1), WorkId(1), asked("1", "x"));
    look_ups.ask(CallId(2), WorkId(1), asked("1", "x"));
    assert!(look_ups.cancel(CallId(1), WorkId(1)) && !look_ups.cancel(CallId(1), WorkId(1)));
    look_ups.cancel_all(CallId(2));
    drop(look_ups);
    assert!(answers.recv().await.is_none(), "no task is left that could answer");
}

#[tokio::test]
async fn no_more_are_asked_at_once_than_allowed_and_the_others_wait_within_their_time() {
    let slow = shop(http("200 OK", r#"{"status":"x"}"#), Duration::from_secs(60)).await;
    let (mut look_ups, mut answers) = LookUps::new(
        vec![question(slow.address, Method::Get, "/{order}")],
        &Roots::default(),
        None,
    );
    for call in 0..20 {
        look_ups.ask(CallId(call), WorkId(1), asked("1", "x"));
    }
    for _ in 0..20 {
        assert_eq!(answers.recv().await.unwrap().outcome, LookedUp::Failed);
    }
    // One more of each may begin in the moment in which its time and that of those before it end.
    let begun = slow.requests.lock().unwrap().len();
    assert!((limits::LOOK_UPS_AT_ONCE..=2 * limits::LOOK_UPS_AT_ONCE).contains(&begun), "{begun}");
}
