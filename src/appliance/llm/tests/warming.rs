//! Warm-ups, what a server is told besides, and whom it may be vouched for by.

use std::io::Write;
use std::path::PathBuf;

use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

/// Clients that have left, as soon as there are so many.
async fn left(stand_in: &mut StandIn, clients: usize) {
    let gone = stand_in.gone.wait_for(|gone| *gone >= clients);
    assert!(tokio::time::timeout(LONGEST, gone).await.is_ok_and(|gone| gone.is_ok()));
}

#[tokio::test]
async fn a_model_that_the_owner_wants_unloaded_after_a_while_is_not_loaded_by_every_look() {
    for (keep_alive_s, looked, asked) in
        [(-1, warm::Looked::Answered, 2), (600, warm::Looked::Idle, 1)]
    {
        let change = move |settings: &mut Settings| settings.model.keep_alive_s = keep_alive_s;
        let desk = Desk::with(change, |_, _| warmed()).await;
        desk.knows(None).await;
        desk.stand_in.is_loaded.store(false, Ordering::Relaxed);
        assert_eq!(desk.llm.shared.warm(&chat(), true).await, Ok(looked));
        assert_eq!(desk.stand_in.asked().len(), asked, "{keep_alive_s}");
    }
}

#[tokio::test]
async fn a_model_that_was_unloaded_is_loaded_again_once_a_call_had_to_do_without() {
    let change = |settings: &mut Settings| {
        settings.model.keep_alive_s = 600;
        settings.patience.first_token = SHORT;
    };
    let mut desk = Desk::with(change, |_, number| match number {
        0 => Reply::Stalls(Vec::new()),
        _ => warmed(),
    })
    .await;
    desk.knows(None).await;
    desk.stand_in.is_loaded.store(false, Ordering::Relaxed);
    assert_eq!(desk.asks(1).await, failed(Fault::Late));
    desk.until(|desk| desk.stand_in.asked().len() == 3).await;
    desk.knows(None).await;
}

#[tokio::test]
async fn a_warm_up_takes_a_slot_and_ends_with_the_first_word() {
    let mut desk = Desk::new(|_, number| match number {
        0 => Reply::Stalls(vec![(Duration::ZERO, says("One."))]),
        // It counts no tokens.
        _ => Reply::Stalls(vec![(Duration::ZERO, says("Two."))]),
    })
    .await;
    desk.llm.ask(CALL, WorkId(1), chat());
    assert_eq!(desk.next().await, text("One."));
    let shared = Arc::clone(&desk.llm.shared);
    let warm_up = tokio::spawn(async move { shared.warm(&chat(), false).await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(desk.stand_in.asked().len(), 2, "it waits for the slot");
    desk.llm.cancel(CALL, WorkId(1));
    let outcome = tokio::time::timeout(LONGEST, warm_up).await.unwrap().unwrap();
    assert_eq!(outcome, Ok(warm::Looked::Answered));
    left(&mut desk.stand_in, 2).await;
}

#[tokio::test]
async fn a_warm_up_has_an_end_whatever_the_server_sends() {
    let thought = "{\"message\":{\"content\":\"\",\"thinking\":\"hm\"},\"done\":false}\n";
    let drips = vec![(SHORT / 4, thought.to_owned()); 1_000];
    let stand_in = StandIn::start(move |_, _| Reply::Parts(drips.clone())).await;
    let mut settings = settings(&stand_in, Protocol::Ollama);
    settings.patience.cold = SHORT;
    let (llm, events) = Llm::start(settings, chat());
    let mut desk = Desk { llm, events, stand_in };
    desk.knows(Some(Fault::Late)).await;
    left(&mut desk.stand_in, 1).await;
}

#[tokio::test]
async fn a_model_that_is_slow_even_when_it_is_loaded_is_not_well() {
    let stand_in = StandIn::start(|_, _| warmed()).await;
    let mut settings = settings(&stand_in, Protocol::Ollama);
    settings.patience.warm = Duration::ZERO;
    let (llm, events) = Llm::start(settings, chat());
    let desk = Desk { llm, events, stand_in };
    desk.knows(Some(Fault::Late)).await;
    assert_eq!(desk.stand_in.asked().len(), 2, "the first was the loading");
}

#[tokio::test]
async fn while_the_model_is_being_loaded_no_call_waits_for_it() {
    let stand_in = StandIn::start(|_, number| match number {
        0 => Reply::Stalls(Vec::new()),
        _ => warmed(),
    })
    .await;
    stand_in.is_loaded.store(false, Ordering::Relaxed);
    let (llm, events) = Llm::start(settings(&stand_in, Protocol::Ollama), chat());
    let mut desk = Desk { llm, events, stand_in };
    desk.until(|desk| desk.stand_in.asked().len() == 1).await;
    assert_eq!(desk.asks(1).await, failed(Fault::Loading));
    assert_eq!(*desk.llm.health().borrow(), None, "it speaks against nobody");
}

#[tokio::test]
async fn a_server_that_refuses_one_switch_for_thinking_is_told_by_another() {
    let refuses = |refused: &'static [&'static str]| {
        move |asked: &Asked, _: usize| {
            if refused.iter().any(|field| asked.body.contains(field)) {
                return Reply::Status(400);
            }
            parts(["data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"])
        }
    };
    let both = ["reasoning_effort", "chat_template_kwargs"];
    for (refused, switch, requests) in [
        (&both[..0], Switch::Both, 1),
        (&both[..1], Switch::Template, 2),
        (&both[1..], Switch::Effort, 3),
        (&both[..], Switch::Unknown, 4),
    ] {
        let stand_in = StandIn::start(refuses(refused.to_vec().leak())).await;
        let (llm, events) = Llm::start(settings(&stand_in, Protocol::OpenAi), chat());
        let mut desk = Desk { llm, events, stand_in };
        desk.until(|desk| desk.stand_in.asked().len() == requests).await;
        desk.until(|desk| lock(&desk.llm.shared.model).switch == switch).await;
        desk.knows(None).await;
    }
    let stand_in = StandIn::start(|_, _| Reply::Status(400)).await;
    let (llm, events) = Llm::start(settings(&stand_in, Protocol::OpenAi), chat());
    let desk = Desk { llm, events, stand_in };
    desk.knows(Some(Fault::Refused(400))).await;
    assert_eq!(lock(&desk.llm.shared.model).switch, Switch::Both);
}

const OPENAI_DONE: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

/// A server that names the field that it does not take, as OpenAI's and others do.
fn takes_new_fields_only(asked: &Asked) -> Reply {
    if asked.body.contains("\"max_tokens\"") {
        let told = r#"{"error":{"message":"Use 'max_completion_tokens'.","param":"max_tokens"}}"#;
        return Reply::Refusal(400, told.to_owned());
    }
    if asked.body.contains("\"temperature\"") {
        let told = r#"{"error":{"message":"temperature: only 1 is supported"}}"#;
        return Reply::Refusal(400, told.to_owned());
    }
    parts([OPENAI_DONE])
}

const NEW: Fields = Fields { has_new_limit: true, has_own_temperature: true };

#[tokio::test]
async fn a_field_that_a_server_refuses_by_name_is_sent_otherwise_from_then_on() {
    let stand_in = StandIn::start(|asked, _| takes_new_fields_only(asked)).await;
    let (llm, events) = Llm::start(settings(&stand_in, Protocol::OpenAi), chat());
    let mut desk = Desk { llm, events, stand_in };
    desk.until(|desk| desk.stand_in.asked().len() == 3).await;
    desk.until(|desk| desk.llm.shared.slots.available_permits() > 0).await;
    assert_eq!(desk.asks(1).await, [Event::Done(Finish::Stop)]);
    assert_eq!(lock(&desk.llm.shared.model).fields, NEW);
    assert_eq!(lock(&desk.llm.shared.model).switch, Switch::Both, "it was none of the others");
    let asked = desk.stand_in.asked();
    assert_eq!(asked.len(), 4, "it is not tried again");
    assert!(asked[3].body.contains("\"max_completion_tokens\":20"), "{}", asked[3].body);
    desk.knows(None).await;
    // A server that changes while calls are made.
    let stand_in = StandIn::start(|asked, number| match number {
        0 => parts([OPENAI_DONE]),
        _ => takes_new_fields_only(asked),
    })
    .await;
    let (llm, events) = Llm::start(settings(&stand_in, Protocol::OpenAi), chat());
    let mut desk = Desk { llm, events, stand_in };
    desk.is_warmed().await;
    for work in 1..3 {
        assert_eq!(desk.asks(work).await, [Event::Done(Finish::Stop)]);
    }
    assert_eq!(desk.stand_in.asked().len(), 1 + 3 + 1);
}

#[tokio::test]
async fn a_field_whose_change_does_not_help_is_sent_as_before() {
    let stand_in = StandIn::start(|_, number| match number {
        0 => parts([OPENAI_DONE]),
        _ => Reply::Refusal(400, r#"{"error":"max_tokens, temperature"}"#.to_owned()),
    })
    .await;
    let (llm, events) = Llm::start(settings(&stand_in, Protocol::OpenAi), chat());
    let mut desk = Desk { llm, events, stand_in };
    desk.is_warmed().await;
    assert_eq!(desk.asks(1).await, failed(Fault::Refused(400)));
    assert_eq!(desk.stand_in.asked().len(), 1 + 3);
    assert_eq!(lock(&desk.llm.shared.model).fields, Fields::default());
}

// Made for these tests: `openssl req -x509` for the authority, `openssl x509 -req` for a server that
// is 127.0.0.1, valid for a hundred years.
const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBiTCCAS+gAwIBAgIUNlsOpnrz/oVdqnn9cWzOrgdy9+owCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOdGVzdCBhdXRob3JpdHkwIBcNMjYxMTI4MjI0NjUyWhgPMjEy
NjExMDQyMjQ2NTJaMBkxFzAVBgNVBAMMDnRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAETg9LYXEBKy/VbDy3SMD1qe6k9bVmHxsd6G3qOEfL
P20M0ZO6FDna9CuxV/JXJkBGKt5EA+IzkTLxs5OJVLqYmaNTMFEwHQYDVR0OBBYE
FL8BVBxFX0VU2IhL6mNI0MgHRasdMB8GA1UdIwQYMBaAFL8BVBxFX0VU2IhL6mNI
0MgHRasdMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAKUXu8eR
1AbK6qlPaOOXbEwGgDpJFGD97EBEdochkQeYAiAstkLuSoCFnHeROfdu6tD5h2EF
aoLASSU/mny66ue1tw==
-----END CERTIFICATE-----
";
const SERVER: &str = "\
-----BEGIN CERTIFICATE-----
MIIBjzCCATWgAwIBAgIUX7QVkmJRu+L2rJTxG1f71IwkFAkwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOdGVzdCBhdXRob3JpdHkwIBcNMjYxMTI4MjI0NjUyWhgPMjEy
NjExMDQyMjQ2NTJaMBQxEjAQBgNVBAMMCTEyNy4wLjAuMTBZMBMGByqGSM49AgEG
CCqGSM49AwEHA0IABHKIpJxCokQvuDTJ2wN3GL+TlCgGHPTwnPxFCeLs3ke8o8ZA
DkLG3Pn62RVwCvweVfkvo/mul7b2xpvGDsNa94CjXjBcMA8GA1UdEQQIMAaHBH8A
AAEwCQYDVR0TBAIwADAdBgNVHQ4EFgQUmf0A6vQs/sVgdoOm7G2DcV7GFDwwHwYD
VR0jBBgwFoAUvwFUHEVfRVTYiEvqY0jQyAdFqx0wCgYIKoZIzj0EAwIDSAAwRQIg
eysSyYeQ8JPNlz/q8GaOWccrl1fGo7cvdwNhGV7YKJ4CIQDBU5eors4AwsF8zDm3
soj5cqAYWB7Az1S3BIDR3Ixsgg==
-----END CERTIFICATE-----
";
const SERVER_KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNmmaqXJKIsZA86zf
9//wIVAWrUCVQANQQHpPf/NvvXahRANCAARyiKScQqJEL7g0ydsDdxi/k5QoBhz0
8Jz8RQni7N5HvKPGQA5Cxtz5+tkVcAr8HlX5L6P5rpe29sabxg7DWveA
-----END PRIVATE KEY-----
";

/// A server that speaks TLS and says one line.
async fn secure_server() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(SERVER.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(format!("{head}{}{DONE}", says("Yes.")).as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

/// A file of this test's own.
fn file(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("attendant-{name}-{}", std::process::id()));
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    path
}

#[tokio::test]
async fn an_authority_of_the_owners_vouches_for_the_server_in_place_of_the_programs() {
    let address = secure_server().await;
    let path = file("authority", &format!("a list\n{AUTHORITY}"));
    let own = Roots::of_file(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    for (roots, is_believed) in [(own, true), (Roots::default(), false)] {
        let host = address.ip().to_string();
        let place = Address { tls: true, host, port: address.port(), prefix: String::new() };
        let server = Server::new(place, None, roots);
        let connection = server.connect(LONGEST).await;
        assert_eq!(connection.is_ok(), is_believed);
        if let Ok(connection) = connection {
            let answer = connection.post("/api/chat", b"{}".to_vec()).await.unwrap();
            let whole = String::from_utf8(answer.whole().await.unwrap()).unwrap();
            assert!(whole.starts_with(&says("Yes.")), "{whole}");
        }
    }
    let empty = file("nothing", "no certificate");
    assert!(matches!(Roots::of_file(&empty), Err(crate::appliance::trust::NoCertificates::None)));
    std::fs::remove_file(empty).unwrap();
    assert!(Roots::of_file(std::path::Path::new("/nonexistent")).is_err());
}
