//! Two ends of our own, and peers that misbehave.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::streams::{HANDSHAKE_TIMEOUT, WRITE_TIMEOUT, WRITES, write_stream};
use super::tls::tests::Files;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::*;
use crate::appliance::config::AccountTls;
use crate::appliance::trust::Roots;

/// Without a certificate of our own.
async fn open(listen: &[Listen]) -> Result<(SipSockets, mpsc::Receiver<Arrival>), ListenError> {
    SipSockets::open(listen, Tls::client(Roots::default())).await
}

fn local(transport: Transport) -> Listen {
    Listen { transport, address: SocketAddr::from(([127, 0, 0, 1], 0)) }
}

#[tokio::test]
async fn a_datagram_comes_with_the_flow_to_answer_on() {
    let (mut sockets, mut arrivals) = open(&[local(Transport::Udp)]).await.unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    peer.send_to(b"ping", sockets.listening()[0].address).await.unwrap();
    let Some(Arrival::Datagram { flow, bytes }) = arrivals.recv().await else { panic!() };
    assert_eq!((bytes.as_slice(), flow.peer), (&b"ping"[..], peer.local_addr().unwrap()));
    sockets.transmit(&flow, b"pong".to_vec());
    let mut buffer = [0; 16];
    let (length, from) = peer.recv_from(&mut buffer).await.unwrap();
    assert_eq!((&buffer[..length], from), (&b"pong"[..], sockets.listening()[0].address));
}

#[tokio::test]
async fn the_first_datagram_of_a_fresh_socket_leaves() {
    let (server, mut arrivals) = open(&[local(Transport::Udp)]).await.unwrap();
    let (mut client, _keep) = open(&[local(Transport::Udp)]).await.unwrap();
    let flow = Flow::udp(client.listening()[0].address, server.listening()[0].address);
    client.transmit(&flow, b"first".to_vec());
    let arrival = tokio::time::timeout(Duration::from_secs(5), arrivals.recv()).await;
    let Ok(Some(Arrival::Datagram { bytes, .. })) = arrival else { panic!("it was lost") };
    assert_eq!(bytes, b"first");
}

#[tokio::test]
async fn a_stream_opens_carries_both_ways_and_closes() {
    let (mut server, mut at_server) = open(&[local(Transport::Tcp)]).await.unwrap();
    let (mut client, mut at_client) = open(&[]).await.unwrap();
    let id = ConnectionId::Dialled(7);
    client.connect(
        None,
        Server { transport: Transport::Tcp, address: server.listening()[0].address },
        id,
    );
    let Some(Arrival::Opened { flow: ours, writer }) = at_client.recv().await else { panic!() };
    client.adopt(id, writer);
    let Some(Arrival::Opened { flow: theirs, writer }) = at_server.recv().await else { panic!() };
    server.adopt(theirs.connection.unwrap(), writer);
    client.transmit(&ours, b"hello".to_vec());
    let Some(Arrival::Bytes { bytes, .. }) = at_server.recv().await else { panic!() };
    assert_eq!(bytes, b"hello");
    server.close(theirs.connection.unwrap());
    let Some(Arrival::Closed { flow }) = at_client.recv().await else { panic!() };
    assert_eq!(flow.connection, Some(id));
}

#[tokio::test]
async fn a_peer_that_does_not_read_loses_its_stream_and_not_a_message() {
    let (mut server, mut arrivals) = open(&[local(Transport::Tcp)]).await.unwrap();
    let _deaf = TcpStream::connect(server.listening()[0].address).await.unwrap();
    let Some(Arrival::Opened { flow, writer }) = arrivals.recv().await else { panic!() };
    let connection = flow.connection.unwrap();
    server.adopt(connection, writer);
    // One message fills the kernel's buffers, the others the queue.
    server.transmit(&flow, vec![b'x'; 16 << 20]);
    for _ in 0..WRITES {
        server.transmit(&flow, b"x".to_vec());
    }
    assert!(!server.streams.contains_key(&connection));
    let told = tokio::time::timeout(WRITE_TIMEOUT / 2, arrivals.recv()).await;
    assert!(
        matches!(told, Ok(Some(Arrival::Closed { flow })) if flow.connection == Some(connection))
    );
}

#[tokio::test]
async fn a_slow_reader_cannot_keep_a_closed_stream() {
    let limit = Duration::from_millis(100);
    let (ours, mut theirs) = tokio::io::duplex(1);
    let (sender, writes) = mpsc::channel(WRITES);
    for _ in 0..WRITES {
        sender.try_send(b"xx".to_vec()).unwrap();
    }
    drop(sender);
    let slow = async {
        while theirs.read_u8().await.is_ok() {
            tokio::time::sleep(limit / 4).await;
        }
    };
    let begun = Instant::now();
    tokio::join!(slow, write_stream(ours, writes, limit));
    assert!(begun.elapsed() < limit * 10, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_busy_port_is_an_error_that_names_the_key() {
    let (first, _keep) = open(&[local(Transport::Udp)]).await.unwrap();
    let error = open(first.listening()).await.unwrap_err().to_string();
    assert!(error.starts_with("sip.listen udp:127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn a_stream_that_cannot_be_opened_is_told() {
    let (client, mut arrivals) = open(&[]).await.unwrap();
    let id = ConnectionId::Dialled(1);
    client.connect(
        None,
        Server { transport: Transport::Tcp, address: SocketAddr::from(([127, 0, 0, 1], 1)) },
        id,
    );
    let Some(Arrival::ConnectFailed { connection }) = arrivals.recv().await else { panic!() };
    assert_eq!(connection, id);
}

/// A server whose certificate is made out to desk.example.
async fn server(files: &Files) -> (SipSockets, mpsc::Receiver<Arrival>) {
    server_of(Transport::Tls, files).await
}

async fn server_of(transport: Transport, files: &Files) -> (SipSockets, mpsc::Receiver<Arrival>) {
    let tls = Tls::client(Roots::default()).with_certificate(files.0.clone(), None).unwrap();
    SipSockets::open(&[local(transport)], tls).await.unwrap()
}

/// Believes that certificate.
fn client_tls(files: &Files) -> Tls {
    Tls::client(Roots::of_file(&files.0.certificate).unwrap())
}

#[tokio::test]
async fn a_stream_by_tls_is_made_to_whom_the_certificate_names_and_to_nobody_else() {
    let files = Files::new("sip-tls");
    let (mut server, mut at_server) = server(&files).await;
    let address = server.listening()[0].address;
    let id = ConnectionId::Dialled(1);
    for (name, tls, is_made) in [
        ("desk.example", client_tls(&files), true),
        ("other.example", client_tls(&files), false),
        ("desk.example", Tls::client(Roots::default()), false),
    ] {
        let (mut client, mut at_client) = SipSockets::open(&[], tls).await.unwrap();
        client.know(None, address, ServerName::try_from(name).unwrap());
        client.connect(None, Server { transport: Transport::Tls, address }, id);
        let arrival = at_client.recv().await.unwrap();
        if !is_made {
            assert!(matches!(arrival, Arrival::ConnectFailed { .. }), "{name}: {arrival:?}");
            continue;
        }
        let Arrival::Opened { flow: ours, writer } = arrival else { panic!("{arrival:?}") };
        client.adopt(id, writer);
        let Some(Arrival::Opened { flow: theirs, writer }) = at_server.recv().await else {
            panic!()
        };
        assert_eq!((ours.transport, theirs.transport), (Transport::Tls, Transport::Tls));
        server.adopt(theirs.connection.unwrap(), writer);
        client.transmit(&ours, b"hello".to_vec());
        let Some(Arrival::Bytes { bytes, .. }) = at_server.recv().await else { panic!() };
        assert_eq!(bytes, b"hello");
        server.transmit(&theirs, b"goodbye".to_vec());
        server.close(theirs.connection.unwrap());
        let Some(Arrival::Bytes { bytes, .. }) = at_client.recv().await else { panic!() };
        assert_eq!(bytes, b"goodbye");
        assert!(matches!(at_client.recv().await, Some(Arrival::Closed { .. })));
    }
}

#[tokio::test]
async fn each_account_believes_its_own_servers_and_shows_its_own_certificate() {
    let [files, other, ours] = ["sip-tls-pin", "sip-tls-pin-b", "sip-tls-pin-c"].map(Files::new);
    let pin = |files: &Files| {
        let certificate = CertificateDer::from_pem_file(&files.0.certificate).unwrap();
        Some(Pin::of(&certificate).unwrap())
    };
    // The server wants certificates of ours.
    let vouched = Roots::of_file(&ours.0.certificate).unwrap();
    let tls = Tls::client(Roots::default()).with_certificate(files.0.clone(), Some(vouched));
    let (server, mut at_server) =
        SipSockets::open(&[local(Transport::Tls)], tls.unwrap()).await.unwrap();
    let address = server.listening()[0].address;
    let accounts = [
        // The right key, whatever the name; the wrong key, though the name is right and vouched for.
        (AccountTls { pin: pin(&files), own: Some(ours.0.clone()) }, "any.example", true),
        (AccountTls { pin: pin(&other), own: Some(ours.0.clone()) }, "desk.example", false),
        (AccountTls { pin: None, own: Some(ours.0.clone()) }, "desk.example", true),
        (AccountTls { pin: None, own: Some(ours.0.clone()) }, "other.example", false),
        // Nobody has vouched for what it shows; it shows nothing.
        (AccountTls { pin: pin(&files), own: Some(other.0.clone()) }, "desk.example", false),
        (AccountTls { pin: pin(&files), own: None }, "desk.example", false),
    ];
    for (number, (tls, name, is_made)) in (0..).zip(accounts) {
        let account = Some(AccountId(number));
        let tls = client_tls(&files).with_account(AccountId(number), tls).unwrap();
        let (mut client, mut at_client) = SipSockets::open(&[], tls).await.unwrap();
        // Another account at the same address has another name for it.
        client.know(Some(AccountId(99)), address, ServerName::try_from("third.example").unwrap());
        client.know(account, address, ServerName::try_from(name).unwrap());
        let to = Server { transport: Transport::Tls, address };
        client.connect(account, to, ConnectionId::Dialled(1));
        if is_made {
            let Some(Arrival::Opened { .. }) = at_server.recv().await else { panic!("{number}") };
            let Some(Arrival::Opened { flow, .. }) = at_client.recv().await else { panic!() };
            assert_eq!(flow.account, account);
            drop((client, at_client));
            assert!(matches!(at_server.recv().await, Some(Arrival::Closed { .. })));
            continue;
        }
        // By TLS 1.3 a client hears afterwards that what it has shown is not believed.
        loop {
            match at_client.recv().await.unwrap() {
                Arrival::ConnectFailed { .. } | Arrival::Closed { .. } => break,
                Arrival::Opened { writer, .. } => client.adopt(ConnectionId::Dialled(1), writer),
                other => panic!("{number}: {other:?}"),
            }
        }
        assert!(at_server.try_recv().is_err(), "{number}");
    }
}

#[tokio::test]
async fn who_does_not_shake_hands_holds_up_nobody_and_is_sent_away() {
    let files = Files::new("sip-tls-slow");
    let (server, mut at_server) = server(&files).await;
    let address = server.listening()[0].address;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let (mut client, mut at_client) = SipSockets::open(&[], client_tls(&files)).await.unwrap();
    client.know(None, address, ServerName::try_from("desk.example").unwrap());
    client.connect(None, Server { transport: Transport::Tls, address }, ConnectionId::Dialled(1));
    assert!(matches!(at_client.recv().await, Some(Arrival::Opened { .. })));
    assert!(matches!(at_server.recv().await, Some(Arrival::Opened { .. })));
    let gone = tokio::time::timeout(2 * HANDSHAKE_TIMEOUT, silent.read(&mut [0; 1])).await;
    assert_eq!(gone.expect("it is sent away").unwrap_or(0), 0);
}

#[tokio::test]
async fn streams_of_two_listeners_are_two() {
    let listen = [local(Transport::Tcp), local(Transport::Tcp)];
    let (sockets, mut arrivals) = open(&listen).await.unwrap();
    let mut ids = Vec::new();
    let (mut peers, mut writers) = (Vec::new(), Vec::new());
    for listening in sockets.listening() {
        peers.push(TcpStream::connect(listening.address).await.unwrap());
        let Some(Arrival::Opened { flow, writer }) = arrivals.recv().await else { panic!() };
        ids.push(flow.connection.unwrap());
        // Without its writer a stream is closed.
        writers.push(writer);
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn tls_without_a_certificate_is_an_error_that_names_the_key() {
    let error = open(&[local(Transport::Tls)]).await.unwrap_err().to_string();
    assert!(error.contains("sip.tls.certificate"), "{error}");
}

#[tokio::test]
async fn a_websocket_carries_a_message_a_frame_both_ways() {
    let files = Files::new("sip-websocket");
    for transport in [Transport::Ws, Transport::Wss] {
        let (mut server, mut at_server) = server_of(transport, &files).await;
        let address = server.listening()[0].address;
        let (mut client, mut at_client) = SipSockets::open(&[], client_tls(&files)).await.unwrap();
        client.know(None, address, ServerName::try_from("desk.example").unwrap());
        let id = ConnectionId::Dialled(1);
        client.connect(None, Server { transport, address }, id);
        let Some(Arrival::Opened { flow: ours, writer }) = at_client.recv().await else { panic!() };
        client.adopt(id, writer);
        let Some(Arrival::Opened { flow: theirs, writer }) = at_server.recv().await else {
            panic!()
        };
        server.adopt(theirs.connection.unwrap(), writer);
        assert_eq!((ours.transport, theirs.transport), (transport, transport));
        for text in [&b"one"[..], b"two", &[0xff, 0, 1]] {
            client.transmit(&ours, text.to_vec());
            let Some(Arrival::Message { bytes, .. }) = at_server.recv().await else { panic!() };
            assert_eq!(bytes, text, "each by itself");
        }
        server.transmit(&theirs, b"goodbye".to_vec());
        server.close(theirs.connection.unwrap());
        let Some(Arrival::Message { bytes, .. }) = at_client.recv().await else { panic!() };
        assert_eq!(bytes, b"goodbye");
        assert!(matches!(at_client.recv().await, Some(Arrival::Closed { .. })));
    }
}

#[tokio::test]
async fn a_websocket_for_another_subprotocol_is_refused() {
    let names = ["desk".to_owned()].into();
    let tls = Tls::client(Roots::default());
    let opened = SipSockets::open_named(&[local(Transport::Ws)], tls, &names).await;
    let (server, mut arrivals) = opened.unwrap();
    for (host, protocol, status) in [
        ("desk", "", "400"),
        ("desk", "Sec-WebSocket-Protocol: chat, mqtt\r\n", "400"),
        ("desk", "Sec-WebSocket-Protocol: sip\r\nOrigin: https://elsewhere.example\r\n", "403"),
        ("desk", "Sec-WebSocket-Protocol: sip\r\nOrigin: http://desk\r\n", "101"),
        ("Desk:8080", "Sec-WebSocket-Protocol: sip\r\nOrigin: https://desk:8080\r\n", "101"),
        ("[::1]:80", "Sec-WebSocket-Protocol: sip\r\nOrigin: http://[::1]:80\r\n", "101"),
        ("192.0.2.1", "Sec-WebSocket-Protocol: sip\r\nOrigin: http://192.0.2.1\r\n", "101"),
        // A name of somebody's that leads here now.
        ("evil.example", "Sec-WebSocket-Protocol: sip\r\nOrigin: http://evil.example\r\n", "403"),
        ("desk.evil", "Sec-WebSocket-Protocol: sip\r\nOrigin: http://desk.evil\r\n", "403"),
        // Telephones say no origin.
        ("evil.example", "Sec-WebSocket-Protocol: chat, SIP\r\n", "101"),
    ] {
        let mut browser = TcpStream::connect(server.listening()[0].address).await.unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{protocol}\r\n"
        );
        browser.write_all(request.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        browser.read_exact(&mut head).await.unwrap();
        assert_eq!(std::str::from_utf8(&head[9..]).unwrap(), status, "{host} {protocol}");
    }
    assert!(matches!(arrivals.recv().await, Some(Arrival::Opened { .. })), "those alone");
}

#[tokio::test]
async fn a_frame_larger_than_any_message_ends_its_stream() {
    let (mut server, mut at_server) = open(&[local(Transport::Ws)]).await.unwrap();
    let (mut client, mut at_client) = open(&[]).await.unwrap();
    let id = ConnectionId::Dialled(1);
    client.connect(
        None,
        Server { transport: Transport::Ws, address: server.listening()[0].address },
        id,
    );
    let Some(Arrival::Opened { flow: ours, writer }) = at_client.recv().await else { panic!() };
    client.adopt(id, writer);
    let Some(Arrival::Opened { flow: theirs, writer }) = at_server.recv().await else { panic!() };
    server.adopt(theirs.connection.unwrap(), writer);
    client.transmit(&ours, vec![b'x'; SIP_MESSAGE_BYTES + 1]);
    assert!(matches!(at_server.recv().await, Some(Arrival::Closed { .. })));
}
