//! A mailbox's server as far as one message needs it, in the clear, by STARTTLS and by TLS.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::appliance::trust::Roots;
use crate::appliance::webhooks::{Receiver, Settings as Webhook, start};
use crate::base::CallId;
use crate::converse;
use crate::web::{Board, Event};

type Seen = Arc<Mutex<Vec<String>>>;

/// Speaks SMTP; true: the client wants TLS now. Refuses messages for a while as long as `refusals` lasts.
async fn speak<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    (seen, refusals): (&Seen, &Arc<Mutex<u32>>),
    (greets, has_starttls): (bool, bool),
) -> bool {
    let mut lines = BufReader::new(stream);
    if greets {
        lines.get_mut().write_all(b"220 box\r\n").await.unwrap();
    }
    let mut is_data = false;
    let mut text = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await.unwrap_or(0) == 0 {
            return false;
        }
        let answer: &str = match line.trim_end() {
            "." if is_data => {
                is_data = false;
                let mut left = refusals.lock().unwrap();
                if *left > 0 {
                    *left -= 1;
                    text.clear();
                    "451 later\r\n"
                } else {
                    seen.lock().unwrap().push(std::mem::take(&mut text));
                    "250 taken\r\n"
                }
            }
            _ if is_data => {
                text += &line;
                continue;
            }
            "STARTTLS" => {
                lines.get_mut().write_all(b"220 go\r\n").await.unwrap();
                return true;
            }
            "DATA" => {
                is_data = true;
                "354 go\r\n"
            }
            "QUIT" => "221 bye\r\n",
            hello if hello.starts_with("EHLO") => match has_starttls {
                true => "250-box\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n",
                false => "250-box\r\n250 AUTH PLAIN LOGIN\r\n",
            },
            login if login.starts_with("AUTH PLAIN") => {
                text = format!("{login}\n");
                "235 in\r\n"
            }
            _ => "250 ok\r\n",
        };
        lines.get_mut().write_all(answer.as_bytes()).await.unwrap();
    }
}

struct Mailbox {
    port: u16,
    pem: Vec<u8>,
    seen: Seen,
}

async fn mailbox(security: Security, refusals: u32) -> Mailbox {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let chain = vec![made.cert.der().clone()];
    let config = ServerConfig::builder_with_provider(Arc::new(
        tokio_rustls::rustls::crypto::ring::default_provider(),
    ));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let seen = Seen::default();
    let (told, left) = (Arc::clone(&seen), Arc::new(Mutex::new(refusals)));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (told, left, acceptor) = (Arc::clone(&told), Arc::clone(&left), acceptor.clone());
            tokio::spawn(async move {
                let to = (&told, &left);
                let is_plain = security != Security::Tls;
                let has_starttls = security == Security::StartTls;
                let greets = if is_plain {
                    if !speak(&mut stream, to, (true, has_starttls)).await {
                        return;
                    }
                    false
                } else {
                    true
                };
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    speak(&mut stream, to, (greets, false)).await;
                }
            });
        }
    });
    Mailbox { port, pem: made.cert.pem().into_bytes(), seen }
}

fn settings(mailbox: &Mailbox, security: Security, roots: Option<Vec<u8>>) -> Settings {
    Settings {
        host: "localhost".into(),
        port: mailbox.port,
        security,
        login: (security != Security::None).then(|| ("desk".into(), Private::new("secret".into()))),
        from: Private::new("box@firm.example".into()),
        to: vec![Private::new("desk@firm.example".into())],
        roots,
    }
}

fn delivery() -> Delivery {
    Delivery {
        id: "7-1".into(),
        body: r#"{"id":"7-1","type":"message.left","data":{"call_id":"c1","message":{"topic":"call back\r\nBcc: x@y","name":"Müller","number":"5550142","text":null,"fields":{"order":"4729"}}}}"#.to_owned().into(),
        is_kept: true,
        attempts: 0,
        due_ms: 0,
    }
}

#[tokio::test]
async fn a_message_is_mailed_in_the_clear_on_the_box_by_starttls_and_by_tls() {
    for security in [Security::None, Security::StartTls, Security::Tls] {
        let mailbox = mailbox(security, 0).await;
        let roots = Some(mailbox.pem.clone());
        let mailer = Mailer::new(&settings(&mailbox, security, roots)).unwrap();
        mailer.send(&delivery(), None).await.unwrap();
        let text = mailbox.seen.lock().unwrap().remove(0);
        let encoded = "AGRlc2sAc2VjcmV0";
        assert_eq!(text.contains(encoded), security != Security::None, "{security:?}: {text}");
        for part in
            ["Message-ID: <7-1@firm.example>", "To: desk@firm.example", "5550142", "order: 4729"]
        {
            assert!(text.contains(part), "{security:?}: {part} in {text}");
        }
        let head = text.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{text}");
    }
}

#[tokio::test]
async fn who_cannot_show_a_certificate_or_no_starttls_gets_nothing() {
    let mailbox = mailbox(Security::Tls, 0).await;
    let mailer = Mailer::new(&settings(&mailbox, Security::Tls, None)).unwrap();
    assert!(mailer.send(&delivery(), None).await.is_err());
    let plain = self::mailbox(Security::None, 0).await;
    let roots = Some(plain.pem.clone());
    let mailer = Mailer::new(&settings(&plain, Security::StartTls, roots)).unwrap();
    let fault = mailer.send(&delivery(), None).await.unwrap_err();
    assert!(!fault.contains("firm"), "{fault}");
    assert!(mailbox.seen.lock().unwrap().is_empty() && plain.seen.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mailbox_refuses_for_now_outlives_a_restart_and_is_mailed_then() {
    let mailbox = mailbox(Security::None, 1).await;
    let folder = std::env::temp_dir().join(format!("attendant-mail-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let all = || {
        let settings = settings(&mailbox, Security::None, None);
        vec![Webhook {
            name: "e-mail".into(),
            receiver: Receiver::Mail(Box::new(settings)),
            events: vec!["message.left".into()],
            words: true,
        }]
    };
    let board = Arc::new(Board::default());
    let sending = start(all(), &Roots::default(), &folder, &board).unwrap();
    let message = converse::Message { topic: "call back".into(), ..converse::Message::default() };
    board.tell(Event::Message { call: CallId(1), message });
    let fault = || board.webhooks()[0].fault.clone();
    while fault().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(fault().unwrap(), "it answered with 451");
    drop(sending);
    assert!(mailbox.seen.lock().unwrap().is_empty());
    let _sending = start(all(), &Roots::default(), &folder, &board).unwrap();
    // The second attempt is due 5 s after the first.
    while mailbox.seen.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(mailbox.seen.lock().unwrap()[0].contains("Subject: Message: call back"));
    std::fs::remove_dir_all(&folder).unwrap();
}

fn left(ms: u64) -> Delivery {
    let body = format!(
        r#"{{"id":"7-2","type":"voicemail.left","data":{{"call_id":"c4","started_at_ms":77,"message":{{"topic":"leave a voice message","name":null,"number":"+49301","text":"please call me","fields":{{}},"sound":{{"duration_ms":{ms},"transcript":"done","url":"/api/messages/1/sound"}}}}}}}}"#
    );
    Delivery { id: "7-2".into(), body: body.into(), ..delivery() }
}

fn kept(folder: &std::path::Path, bytes: usize) -> Shelf {
    use crate::store::recordings::{Recordings, Settings, WhenFull};
    let _ = std::fs::remove_dir_all(folder);
    let (bytes_allowed, when_full) = (100_000_000, WhenFull::Refuse);
    let folder = folder.to_owned();
    let settings =
        Settings { folder: folder.clone(), days: None, bytes: bytes_allowed, key: None, when_full };
    let mut recordings = Recordings::open(settings).unwrap();
    let mut writing = recordings.begin(Name::of(77, CallId(4))).unwrap();
    recordings.append(&mut writing, &vec![7; bytes]).unwrap();
    recordings.end(writing).unwrap();
    Shelf { folder, key: None }
}

#[tokio::test]
async fn what_was_said_after_the_tone_is_attached_unless_it_is_too_long_or_gone() {
    let folder = std::env::temp_dir().join(format!("attendant-attached-{}", std::process::id()));
    let mailbox = mailbox(Security::None, 0).await;
    let mailer = Mailer::new(&settings(&mailbox, Security::None, None)).unwrap();
    mailer.send(&left(4_200), Some(kept(&folder, 3_000))).await.unwrap();
    let text = mailbox.seen.lock().unwrap().remove(0);
    for part in [
        "Subject: Voice message: leave a voice message",
        "Content-Type: audio/ogg",
        "filename=\"message.opus\"",
        "please call me",
        "Length: 5 s",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let encoded = text.split("filename=\"message.opus\"").nth(1).unwrap();
    let encoded = encoded.split("\r\n\r\n").nth(1).unwrap().split("--").next().unwrap();
    let encoded: String = encoded.split_whitespace().collect();
    use base64::Engine as _;
    let sound = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    assert_eq!(sound, vec![7; 3_000]);
    let most = usize::try_from(limits::MAIL_SOUND_BYTES).unwrap();
    mailer.send(&left(1), Some(kept(&folder, most + 1))).await.unwrap();
    let text = mailbox.seen.lock().unwrap().remove(0);
    assert!(text.contains("too long to be attached") && !text.contains("audio/ogg"), "{text}");
    std::fs::remove_dir_all(&folder).unwrap();
    mailer.send(&left(1), Some(Shelf { folder, key: None })).await.unwrap();
    let text = mailbox.seen.lock().unwrap().remove(0);
    assert!(!text.contains("audio/ogg") && text.contains("please call me"), "{text}");
}
