use super::*;
use crate::appliance::config::TurnTransport;
use std::net::TcpListener;

fn settings(port: u16) -> Settings {
    let server = TurnServer { host: "127.0.0.1".to_owned(), port, transport: TurnTransport::Tcp };
    Settings {
        servers: vec![server],
        user: Private::new("hush".to_owned()),
        password: Private::new("secret".to_owned()),
        roots: Roots::default(),
    }
}

#[test]
fn a_server_that_is_not_there_is_told_to_the_owner_and_calls_go_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let settings = settings(port);
    let shown = format!("{settings:?}");
    assert!(!shown.contains("hush") && !shown.contains("secret"), "{shown}");
    let (mut relays, mut news) = Relays::start(settings).unwrap();
    assert!(relays.lend(4_000).is_none() && relays.fault().is_none());
    let told = news.blocking_recv().unwrap();
    assert!(relays.note(&told) && !relays.note(&told), "told once");
    let fault = relays.fault().unwrap();
    assert!(fault.starts_with("media.turn: ") && fault.contains("turn:127.0.0.1"), "{fault}");
    assert!(relays.lend(4_000).is_none());
}
