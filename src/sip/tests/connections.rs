use super::*;

fn address(n: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], port))
}

fn accepted(n: u64, peer: SocketAddr) -> Flow {
    Flow::stream(Transport::Tcp, address(1, 5060), peer, ConnectionId::Accepted(n))
}

fn actions(connections: &mut Connections) -> Vec<Action> {
    std::iter::from_fn(|| connections.poll()).collect()
}

fn towards(peer: SocketAddr) -> Way {
    let flow = Flow {
        transport: Transport::Tcp,
        local: address(1, 5060),
        peer,
        connection: None,
        account: None,
    };
    Way::to_peer(flow)
}

#[test]
fn a_message_takes_the_connection_that_is_open() {
    let now = Instant::now();
    let mut connections = Connections::default();
    let flow = accepted(1, address(7, 40_000));
    assert!(connections.opened(now, flow));
    connections.send(now, Way::to_peer(flow), b"x".to_vec()).unwrap();
    connections.send(now, towards(flow.peer), b"y".to_vec()).unwrap();
    let sent = |bytes: &[u8]| Action::Transmit { flow, bytes: bytes.to_vec() };
    assert_eq!(actions(&mut connections), [sent(b"x"), sent(b"y")]);
}

#[test]
fn by_tls_what_is_for_a_server_does_not_go_to_who_came_from_its_address() {
    let now = Instant::now();
    let mut connections = Connections::default();
    let peer = address(7, 5061);
    let stranger = Flow { transport: Transport::Tls, ..accepted(1, peer) };
    assert!(connections.opened(now, stranger));
    let way = Way::to_peer(Flow { connection: None, ..stranger });
    connections.send(now, way, b"secret".to_vec()).unwrap();
    let connection = ConnectionId::Dialled(1);
    let connect = Action::Connect { connection, transport: Transport::Tls, peer, account: None };
    assert_eq!(actions(&mut connections), [connect]);
    // An answer goes back the way that its request came.
    connections.send(now, Way::to_peer(stranger), b"200".to_vec()).unwrap();
    let answer = Action::Transmit { flow: stranger, bytes: b"200".to_vec() };
    assert_eq!(actions(&mut connections), [answer]);
}

#[test]
fn a_new_connection_is_made_once_and_what_waits_is_sent_in_order() {
    let now = Instant::now();
    let mut connections = Connections::default();
    let peer = address(7, 5060);
    connections.send(now, towards(peer), b"x".to_vec()).unwrap();
    connections.send(now, towards(peer), b"y".to_vec()).unwrap();
    let connection = ConnectionId::Dialled(1);
    let connect = Action::Connect { connection, transport: Transport::Tcp, peer, account: None };
    assert_eq!(actions(&mut connections), [connect]);
    let from_ephemeral_port = Flow::stream(Transport::Tcp, address(1, 51_000), peer, connection);
    assert!(connections.opened(now, from_ephemeral_port));
    let flow = Flow { local: address(1, 5060), ..from_ephemeral_port };
    let sent = |bytes: &[u8]| Action::Transmit { flow, bytes: bytes.to_vec() };
    assert_eq!(actions(&mut connections), [sent(b"x"), sent(b"y")]);
}

#[test]
fn a_reply_to_a_lost_connection_goes_to_where_it_may_be_made_again() {
    let now = Instant::now();
    let mut connections = Connections::default();
    let flow = accepted(1, address(7, 40_000));
    connections.opened(now, flow);
    connections.closed(ConnectionId::Accepted(1));
    let way = Way { flow, reconnect: address(7, 5070) };
    connections.send(now, way, b"x".to_vec()).unwrap();
    let connection = ConnectionId::Dialled(1);
    let peer = address(7, 5070);
    let connect = Action::Connect { connection, transport: Transport::Tcp, peer, account: None };
    assert_eq!(actions(&mut connections), [connect]);
}

#[test]
fn a_full_table_gives_up_the_longest_idle_without_a_dialog_and_then_refuses() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut connections = Connections::new(3, 2);
    for (n, ms) in [(1, 0), (2, 1), (3, 2)] {
        assert!(connections.opened(at(ms), accepted(n, address(n as u8, 40_000))));
    }
    connections.retain(ConnectionId::Accepted(1));
    assert!(connections.opened(at(3), accepted(4, address(4, 40_000))));
    assert_eq!(
        actions(&mut connections),
        [Action::Close { connection: ConnectionId::Accepted(2) }]
    );
    for n in [3, 4] {
        connections.retain(ConnectionId::Accepted(n));
    }
    assert!(!connections.opened(at(4), accepted(5, address(5, 40_000))));
    assert_eq!(
        actions(&mut connections),
        [Action::Close { connection: ConnectionId::Accepted(5) }]
    );
    assert!(connections.send(at(4), towards(address(9, 5060)), vec![]).is_err());
    assert_eq!(connections.len(), 3);
}

#[test]
fn one_source_cannot_take_every_connection() {
    let now = Instant::now();
    let mut connections = Connections::new(100, 2);
    for n in 1..=10 {
        connections.opened(now, accepted(n, address(7, 40_000 + n as u16)));
        connections.retain(ConnectionId::Accepted(n));
    }
    assert_eq!(connections.len(), 2);
    assert!(connections.opened(now, accepted(11, address(8, 40_000))));
}

#[test]
fn one_ipv6_network_is_one_source_of_connections() {
    let now = Instant::now();
    let mut connections = Connections::new(100, 2);
    let peer = |n: u64| format!("[2001:db8::{n}]:40000").parse().unwrap();
    for n in 1..=3 {
        connections.opened(now + Duration::from_millis(n), accepted(n, peer(n)));
    }
    assert_eq!(connections.len(), 2, "the oldest of the network gave way");
    connections.closed(ConnectionId::Accepted(2));
    connections.closed(ConnectionId::Accepted(3));
    assert!(connections.accepted_from.is_empty());
    let elsewhere = "[2001:db8:0:1::1]:40000".parse().unwrap();
    for (n, peer) in [(4, peer(4)), (5, peer(5)), (6, elsewhere)] {
        connections.opened(now, accepted(n, peer));
    }
    assert_eq!(connections.len(), 3);
}

#[test]
fn idle_connections_are_closed_and_those_with_a_dialog_are_not() {
    let start = Instant::now();
    let mut connections = Connections::default();
    connections.opened(start, accepted(1, address(7, 40_000)));
    connections.opened(start, accepted(2, address(8, 40_000)));
    connections.retain(ConnectionId::Accepted(2));
    let idle_at = start + limits::SIP_CONNECTION_IDLE;
    assert_eq!(connections.next_deadline(), Some(idle_at));
    assert_eq!(connections.run_due(idle_at), [ConnectionId::Accepted(1)]);
    assert_eq!(connections.next_deadline(), None);
    connections.release(idle_at, ConnectionId::Accepted(2));
    assert_eq!(connections.next_deadline(), Some(idle_at + limits::SIP_CONNECTION_IDLE));
}

#[test]
fn a_ping_gets_a_pong_and_a_slow_or_senseless_peer_is_cut_off() {
    let start = Instant::now();
    let mut connections = Connections::default();
    for n in 1..=3 {
        connections.opened(start, accepted(n, address(n as u8, 40_000)));
    }
    let id = ConnectionId::Accepted;
    connections.received(start, id(1), b"\r\n\r\n");
    assert_eq!(connections.next_brought(start, id(1)), Some(Brought::KeepAlive));
    connections.received(start, id(2), b"OPTIONS sip:a@b SIP/2.0\r\n");
    assert_eq!(connections.next_brought(start, id(2)), None);
    connections.received(start, id(3), b"OPTIONS sip:a@b SIP/2.0\r\n\r\n");
    assert_eq!(connections.next_brought(start, id(3)), None);
    let pong = Action::Transmit { flow: accepted(1, address(1, 40_000)), bytes: PONG.to_vec() };
    assert_eq!(actions(&mut connections), [pong, Action::Close { connection: id(3) }]);
    let late = start + limits::SIP_STREAM_MESSAGE_TIMEOUT;
    assert_eq!(connections.next_deadline(), Some(late));
    assert_eq!(connections.run_due(late), [id(2)]);
}

#[test]
fn a_connection_that_cannot_be_made_is_given_up() {
    let start = Instant::now();
    let mut connections = Connections::default();
    connections.send(start, towards(address(9, 5060)), b"x".to_vec()).unwrap();
    assert_eq!(connections.run_due(start + CONNECT_WITHIN), [ConnectionId::Dialled(1)]);
    assert!(connections.is_empty());
}
