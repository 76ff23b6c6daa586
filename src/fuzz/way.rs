//! Ways to a peer, a client by WebSocket, and the engine's socket.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::{Script, beginning};
use crate::association::{Association, Component, Identity, Output};
use crate::base::handshake::{Fingerprints, FullIce, IceCredentials, IceTerms, Setup, Terms};
use crate::base::{CallId, Entropy, Private};
use crate::speech::protocol::{FromEngine, Inbox, Message, ToEngine};
use crate::websocket::{self, News, Opening, Secret, Session};

/// Checks of strangers, of the lite side and of the full one.
pub fn stun(bytes: &[u8]) {
    let mut script = Script(bytes);
    let full =
        FullIce { is_controlling: script.byte() % 2 == 0, local: Vec::new(), remote: Vec::new() };
    for full in [None, Some(full)] {
        let named = |name: &str| IceCredentials {
            fragment: name.to_owned(),
            password: Private::new(format!("{name}-password-of-22-characters")),
        };
        let ice = IceTerms { ours: named("left"), theirs: named("right"), full };
        associate(Script(script.0), Some(ice), Setup::Passive);
    }
}

/// Records of strangers, to a server and to a client.
pub fn dtls(bytes: &[u8]) {
    for setup in [Setup::Passive, Setup::Active] {
        associate(Script(bytes), None, setup);
    }
}

fn identity() -> Arc<Identity> {
    static OURS: OnceLock<Arc<Identity>> = OnceLock::new();
    let made = || Arc::new(Identity::new().expect("a key can be made"));
    Arc::clone(OURS.get_or_init(made))
}

/// No stranger has keys, for it has no certificate that was told.
fn associate(mut script: Script<'_>, ice: Option<IceTerms>, setup: Setup) {
    let remote = Private::new(SocketAddr::from(([192, 0, 2, 2], 5_000)));
    let terms = Terms {
        setup,
        fingerprints: Fingerprints::new([identity().fingerprint().clone()]),
        tls_id: None,
        ice,
        remote: remote.clone(),
        remote_rtcp: remote,
        rtcp_mux: true,
    };
    let mut now = beginning();
    let entropy = Entropy::new([4; 32]);
    let mut ours = Association::new(now, identity(), Component::Rtp, terms, entropy);
    drain(&mut ours);
    let mut steps = 0;
    while !script.is_over() && steps < 32 {
        steps += 1;
        let from = SocketAddr::from(([192, 0, 2, 2 + script.byte() % 3], 5_000));
        match script.byte() % 8 {
            0 => {
                now += Duration::from_millis(u64::from(script.u16()));
                ours.timeout(now);
            }
            1 => ours.hear(now, from),
            _ => ours.receive(now, from, script.piece()),
        }
        drain(&mut ours);
    }
}

fn drain(ours: &mut Association) {
    for _ in 0..10_000 {
        match ours.poll_output() {
            Output::Keys(_) => panic!("keys without the certificate"),
            Output::Timeout(_) => return,
            _ => (),
        }
    }
    panic!("one input has no end of outputs");
}

/// What a client sends, and what its call says meanwhile.
pub fn websocket(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut now = beginning();
    let mut entropy = Entropy::new([9; 32]);
    let opening = Opening {
        leg: 7,
        call_id: Private::new("s-1".to_owned()),
        secret: Secret::random(&mut entropy),
        entropy: entropy.fork(),
        port: 4_000,
    };
    let mut session = Session::new(now, opening);
    session.attach(now);
    let mut description = Vec::new();
    while !script.is_over() {
        let step = script.byte();
        handle(&mut session, now, step, &mut script, &description);
        now += Duration::from_millis(u64::from(step));
        for _ in 0..10_000 {
            match session.poll_output() {
                websocket::Output::Timeout(_) => break,
                websocket::Output::Wish(websocket::Wish::Begin(offer)) => description = offer,
                _ => (),
            }
        }
        for _ in 0..8 {
            if session.has_message() {
                let _ = session.next_message();
            }
        }
    }
    let figures = session.figures();
    assert!(figures.resumed <= u32::from(u16::MAX));
}

fn handle(
    session: &mut Session,
    now: Instant,
    step: u8,
    script: &mut Script<'_>,
    description: &[u8],
) {
    use websocket::Input;
    match step % 8 {
        0 | 1 => {
            if let Ok(text) = std::str::from_utf8(script.piece()) {
                session.handle(now, Input::Text(text));
            }
        }
        2 => session.handle(now, Input::Binary(script.piece())),
        3 => session.handle(now, Input::Datagram(script.piece())),
        4 => session.handle(now, Input::Timeout),
        5 => session.handle(now, Input::Pong(script.take(8))),
        6 => {
            session.handle(now, Input::Detached);
            session.attach(now);
        }
        _ => {
            let news = News::Answered { call: CallId(7), description: description.to_vec() };
            session.handle(now, Input::News(news));
        }
    }
}

/// Both directions; what is read is written so that it reads the same, however it is cut.
pub fn engine(bytes: &[u8]) {
    let (cut, rest) = bytes.split_first().unwrap_or((&0, &[]));
    messages::<ToEngine>(*cut, rest);
    messages::<FromEngine>(*cut, rest);
}

fn messages<M: Message>(cut: u8, bytes: &[u8]) {
    let mut inbox = Inbox::default();
    for piece in bytes.chunks(usize::from(cut) + 1) {
        inbox.push(piece);
        loop {
            match inbox.take::<M>() {
                Ok(Some(message)) => {
                    let mut written = Vec::new();
                    message.encode(&mut written);
                    let mut again = Inbox::default();
                    again.push(&written);
                    let read =
                        again.take::<M>().ok().flatten().expect("what is written is a message");
                    let mut twice = Vec::new();
                    read.encode(&mut twice);
                    assert!(written == twice, "a message is written otherwise than read");
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}
