use hickory_resolver::proto::rr::RecordType;

use super::super::names::tests::{NameServer, a, naptr, record, srv};
use super::*;

const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

fn place(host: &str, port: Option<u16>) -> Place {
    Place { host: Host::parse(host).unwrap(), port }
}

async fn resolve(server: &NameServer, host: &str, transports: &[Transport]) -> Resolved {
    let (mut resolver, mut answers) = Resolver::new(Entropy::new([1; 32]));
    resolver.names = Some(server.names.clone());
    resolver.ask(3, vec![place(host, None)], transports.to_vec());
    answers.recv().await.unwrap()
}

fn at(transport: Transport, address: &str) -> Server {
    Server { transport, address: address.parse().unwrap() }
}

#[tokio::test]
async fn places_become_addresses_in_their_order_each_once() {
    let (mut resolver, mut answers) = Resolver::new(Entropy::new([1; 32]));
    resolver.names = Some(NameServer::start(|_, _| Vec::new()).await.names);
    let places = vec![
        place("192.0.2.9", Some(5070)),
        place("nobody.invalid", None),
        place("[2001:db8::1]", None),
        place("192.0.2.9", Some(5070)),
    ];
    resolver.ask(3, places, vec![Transport::Tcp]);
    let answer = answers.recv().await.unwrap();
    let expected = [at(Transport::Tcp, "192.0.2.9:5070"), at(Transport::Tcp, "[2001:db8::1]:5060")];
    assert_eq!((answer.account, answer.servers), (3, expected.to_vec()));
    assert_eq!(answer.valid, VALID);
}

#[tokio::test]
async fn this_machine_knows_its_own_names() {
    let (mut resolver, mut answers) = Resolver::new(Entropy::new([1; 32]));
    resolver.ask(0, vec![place("localhost", Some(5060))], vec![Transport::Udp]);
    let servers = answers.recv().await.unwrap().servers;
    assert!(!servers.is_empty());
    assert!(servers.iter().all(|at| at.address.ip().is_loopback() && at.address.port() == 5060));
}

#[tokio::test]
async fn the_names_owner_chooses_the_transport_and_its_machines() {
    let server = NameServer::start(|name, kind| match (name, kind) {
        ("example.net", RecordType::NAPTR) => vec![
            record("example.net.", 90, naptr(20, "SIP+D2U", "_sip._udp.example.net.")),
            record("example.net.", 90, naptr(10, "SIPS+D2T", "_sips._tcp.other.example.")),
        ],
        ("_sips._tcp.other.example", RecordType::SRV) => vec![
            record(name, 40, srv((20, 0), 5071, "b.example.")),
            record(name, 40, srv((10, 0), 5061, "a.example.")),
        ],
        ("_sip._udp.example.net", RecordType::SRV) => {
            vec![record(name, 90, srv((1, 0), 5060, "c.example."))]
        }
        ("a.example", RecordType::A) => vec![record(name, 90, a(1)), record(name, 90, a(2))],
        ("b.example", RecordType::A) => vec![record(name, 90, a(3))],
        ("c.example", RecordType::A) => vec![record(name, 90, a(4))],
        _ => Vec::new(),
    })
    .await;
    let answer = resolve(&server, "example.net", &ALL).await;
    let mut servers = answer.servers.clone();
    servers[..2].sort();
    let expected = ["192.0.2.1:5061", "192.0.2.2:5061", "192.0.2.3:5071"];
    assert_eq!(servers, expected.map(|address| at(Transport::Tls, address)));
    // The certificate is made out to what the owner of the account wrote.
    assert!(answer.names.iter().all(|(_, name)| name == "example.net"));
    assert!(answer.valid <= Duration::from_secs(40) && answer.valid >= VALID_LEAST);
    // Without that transport the next, and the account's own word counts before any record.
    for ours in [&ALL[..2], &ALL[..1]] {
        let servers = resolve(&server, "example.net", ours).await.servers;
        assert_eq!(servers, [at(Transport::Udp, "192.0.2.4:5060")]);
    }
}

#[tokio::test]
async fn after_pointers_to_a_secure_service_nothing_plain_is_tried() {
    let plain = |name: &str, kind| match (name, kind) {
        ("example.net", RecordType::NAPTR) => {
            vec![record(name, 90, naptr(10, "SIPS+D2T", "_sips._tcp.example.net."))]
        }
        ("_sip._udp.example.net" | "_sip._tcp.example.net", RecordType::SRV) => {
            vec![record(name, 90, srv((1, 0), 5060, "a.example."))]
        }
        ("a.example", RecordType::A) => vec![record(name, 90, a(1))],
        _ => Vec::new(),
    };
    // Its service has no records, or its machine none.
    let server = NameServer::start(plain).await;
    assert!(resolve(&server, "example.net", &ALL).await.servers.is_empty());
    let server = NameServer::start(move |name, kind| match (name, kind) {
        ("_sips._tcp.example.net", RecordType::SRV) => {
            vec![record(name, 90, srv((1, 0), 5061, "gone.example."))]
        }
        _ => plain(name, kind),
    })
    .await;
    assert!(resolve(&server, "example.net", &ALL).await.servers.is_empty());
    // By TLS the machine itself may be tried: it must show a certificate of that name.
    let server = NameServer::start(move |name, kind| match (name, kind) {
        ("example.net", RecordType::A) => vec![record(name, 90, a(9))],
        _ => plain(name, kind),
    })
    .await;
    let found = resolve(&server, "example.net", &ALL).await.servers;
    assert_eq!(found, [at(Transport::Tls, "192.0.2.9:5061")]);
}

#[tokio::test]
async fn without_pointers_each_transports_service_is_looked_for_and_then_the_machine() {
    let server = NameServer::start(|name, kind| match (name, kind) {
        ("_sip._tcp.example.net", RecordType::SRV) => {
            vec![record(name, 90, srv((1, 0), 5080, "a.example."))]
        }
        ("_sip._udp.closed.example", RecordType::SRV) => {
            vec![record(name, 90, srv((0, 0), 0, "."))]
        }
        ("a.example", RecordType::A) => vec![record(name, 90, a(1))],
        ("plain.example" | "closed.example", RecordType::A) => vec![record(name, 90, a(5))],
        _ => Vec::new(),
    })
    .await;
    let found = resolve(&server, "example.net", &ALL).await.servers;
    assert_eq!(found, [at(Transport::Tcp, "192.0.2.1:5080")]);
    let found = resolve(&server, "plain.example", &ALL).await.servers;
    assert_eq!(found, [at(Transport::Udp, "192.0.2.5:5060")]);
    let found = resolve(&server, "plain.example", &[Transport::Tls]).await.servers;
    assert_eq!(found, [at(Transport::Tls, "192.0.2.5:5061")]);
    for none in ["nobody.example", "closed.example"] {
        assert!(resolve(&server, none, &ALL).await.servers.is_empty(), "{none}");
    }
}

#[tokio::test]
async fn a_name_with_more_machines_than_anybody_needs_is_bounded() {
    let server = NameServer::start(|name, kind| match kind {
        RecordType::SRV if name.starts_with("_sip._udp") => {
            (0..1_000).map(|n| record(name, 90, srv((n, 0), 5_060 + n, "m.example."))).collect()
        }
        RecordType::A => (0..200).map(|n| record(name, 90, a(n))).collect(),
        _ => Vec::new(),
    })
    .await;
    let found = resolve(&server, "example.net", &[Transport::Udp]).await.servers;
    assert_eq!(found.len(), limits::ACCOUNT_SERVERS);
}
