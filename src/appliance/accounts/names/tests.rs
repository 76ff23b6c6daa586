//! A tiny name server of the test's own, and what is made of its answers.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::Record;
use hickory_resolver::proto::rr::rdata::{A, CNAME};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::*;
use crate::base::Entropy;

/// What it knows of a name and a kind of record.
type Zone = dyn Fn(&str, RecordType) -> Vec<Record> + Send + Sync;
/// What it makes of its answer's bytes before they leave.
type Wrong = dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync;

pub(in crate::appliance::accounts) fn record(name: &str, ttl_s: u32, data: RData) -> Record {
    Record::from_rdata(Name::from_ascii(name).unwrap(), ttl_s, data)
}

pub(in crate::appliance::accounts) fn srv(rank: (u16, u16), port: u16, target: &str) -> RData {
    RData::SRV(SRV::new(rank.0, rank.1, port, Name::from_ascii(target).unwrap()))
}

pub(in crate::appliance::accounts) fn naptr(order: u16, service: &str, to: &str) -> RData {
    let bytes = |text: &str| text.as_bytes().to_vec().into_boxed_slice();
    let to = Name::from_ascii(to).unwrap();
    RData::NAPTR(NAPTR::new(order, 1, bytes("s"), bytes(service), bytes(""), to))
}

pub(in crate::appliance::accounts) fn a(last: u8) -> RData {
    RData::A(A(Ipv4Addr::new(192, 0, 2, last)))
}

/// By UDP, where too much is cut, and by TCP at the same address. It counts its questions.
pub(in crate::appliance::accounts) struct NameServer {
    pub names: Names,
    pub asked: Arc<AtomicUsize>,
}

impl NameServer {
    pub async fn start(
        zone: impl Fn(&str, RecordType) -> Vec<Record> + Send + Sync + 'static,
    ) -> Self {
        Self::start_wrong(zone, |bytes| bytes).await
    }

    pub async fn start_wrong(
        zone: impl Fn(&str, RecordType) -> Vec<Record> + Send + Sync + 'static,
        wrong: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let (zone, wrong): (Arc<Zone>, Arc<Wrong>) = (Arc::new(zone), Arc::new(wrong));
        let asked = Arc::new(AtomicUsize::new(0));
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = udp.local_addr().unwrap();
        let tcp = TcpListener::bind(address).await.unwrap();
        tokio::spawn(by_datagrams(udp, Arc::clone(&zone), wrong, Arc::clone(&asked)));
        tokio::spawn(by_streams(tcp, zone));
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut way| {
            way.port = address.port();
            way
        });
        let server = NameServerConfig::new(address.ip(), true, connections.to_vec());
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        limit(builder.options_mut());
        builder.options_mut().timeout = Duration::from_millis(200);
        let resolver = builder.build().ok();
        assert!(resolver.is_some());
        Self { names: Names { resolver, made_of: [None; 2], is_fixed: true }, asked }
    }
}

fn answer(zone: &Zone, question: &[u8]) -> Option<Message> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let name = plain(query.name()).to_ascii_lowercase();
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    let kind = query.query_type();
    answer.add_query(query);
    answer.add_answers(zone(&name, kind));
    if answer.answers.is_empty() {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    Some(answer)
}

async fn by_datagrams(
    socket: UdpSocket,
    zone: Arc<Zone>,
    wrong: Arc<Wrong>,
    asked: Arc<AtomicUsize>,
) {
    let mut bytes = [0; 2_048];
    while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
        asked.fetch_add(1, Ordering::Relaxed);
        let Some(mut whole) = answer(zone.as_ref(), &bytes[..length]) else { continue };
        let mut sent = whole.to_vec().unwrap();
        if sent.len() > 1_232 {
            whole = whole.truncate();
            sent = whole.to_vec().unwrap();
        }
        let _ = socket.send_to(&wrong(sent), from).await;
    }
}

async fn by_streams(listener: TcpListener, zone: Arc<Zone>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let zone = Arc::clone(&zone);
        tokio::spawn(async move {
            while let Ok(length) = stream.read_u16().await {
                let mut question = vec![0; usize::from(length)];
                stream.read_exact(&mut question).await.ok()?;
                let bytes = answer(zone.as_ref(), &question)?.to_vec().ok()?;
                stream.write_u16(u16::try_from(bytes.len()).ok()?).await.ok()?;
                stream.write_all(&bytes).await.ok()?;
            }
            Some(())
        });
    }
}

const SERVICE: &str = "_sip._udp.example.net";

#[tokio::test]
async fn records_come_with_their_time_and_are_kept_for_it() {
    let server = NameServer::start(|name, kind| match (name, kind) {
        (SERVICE, RecordType::SRV) => vec![
            record(SERVICE, 90, srv((10, 60), 5060, "big.example.net.")),
            record(SERVICE, 70, srv((20, 0), 5070, ".")),
        ],
        ("example.net", RecordType::NAPTR) => {
            vec![record("example.net.", 50, naptr(1, "SIPS+D2T", "_sips._tcp.example.net."))]
        }
        _ => Vec::new(),
    })
    .await;
    let before = Instant::now();
    let found = server.names.machines(SERVICE).await.unwrap();
    let machine = |(priority, weight), port, target: &str| Machine {
        priority,
        weight,
        port,
        target: target.to_owned(),
    };
    assert_eq!(found.all, [machine((10, 60), 5060, "big.example.net"), machine((20, 0), 5070, "")]);
    let good_for = found.until - before;
    assert!((Duration::from_secs(69)..Duration::from_secs(72)).contains(&good_for), "{good_for:?}");
    let pointers = server.names.pointers("example.net").await.unwrap().all;
    let [pointer] = pointers.as_slice() else { panic!("{pointers:?}") };
    assert_eq!((pointer.service.as_str(), pointer.flags.as_str()), ("SIPS+D2T", "s"));
    assert_eq!(pointer.replacement, "_sips._tcp.example.net");
    // Also that there is nothing is remembered.
    assert!(server.names.machines("_sip._tcp.example.net").await.is_none());
    let asked = server.asked.load(Ordering::Relaxed);
    assert_eq!(server.names.machines(SERVICE).await.unwrap().all.len(), 2);
    assert_eq!(server.asked.load(Ordering::Relaxed), asked, "it was kept");
}

#[tokio::test]
async fn a_thousand_records_come_by_tcp_and_are_bounded_in_the_end() {
    let server = NameServer::start(|name, kind| match kind {
        RecordType::SRV => (0..1_000)
            .map(|n| record(name, 90, srv((n, 0), 5_060, &format!("m{n}.example.net."))))
            .collect(),
        _ => Vec::new(),
    })
    .await;
    let found = server.names.machines(SERVICE).await.unwrap();
    assert_eq!(found.all.len(), 1_000);
    let first = crate::trunk::locating::ordered(found.all, &mut Entropy::new([1; 32]));
    assert_eq!((first.len(), first[0].target.as_str()), (16, "m0.example.net"));
}

#[tokio::test]
async fn an_alias_is_followed_and_circles_end() {
    let alias =
        |name: &str, to: &str| record(name, 60, RData::CNAME(CNAME(Name::from_ascii(to).unwrap())));
    let server = NameServer::start(move |name, kind| match (name, kind) {
        ("alias.example.net", RecordType::A) => {
            vec![alias("alias.example.net.", "m.example.net."), record("m.example.net.", 60, a(7))]
        }
        ("one.example.net", _) => vec![alias("one.example.net.", "two.example.net.")],
        ("two.example.net", _) => vec![alias("two.example.net.", "one.example.net.")],
        ("self.example.net", _) => vec![alias("self.example.net.", "self.example.net.")],
        _ => Vec::new(),
    })
    .await;
    let found = server.names.addresses("alias.example.net", true).await.unwrap().all;
    assert_eq!(found, [IpAddr::from([192, 0, 2, 7])]);
    for name in ["one.example.net", "self.example.net"] {
        assert!(server.names.addresses(name, true).await.is_none(), "{name}");
        assert!(server.names.machines(name).await.is_none(), "{name}");
    }
    assert!(server.asked.load(Ordering::Relaxed) < 100);
}

#[tokio::test]
async fn answers_that_are_cut_made_up_or_another_ones_bring_nothing() {
    let wrongs: [fn(Vec<u8>) -> Vec<u8>; 5] = [
        |bytes| bytes[..bytes.len() - 5].to_vec(),
        |_| vec![0xFF; 600],
        |_| Vec::new(),
        // Not our question's number.
        |mut bytes| {
            bytes[0] ^= 1;
            bytes
        },
        // A name that points at itself.
        |mut bytes| {
            bytes[12..14].copy_from_slice(&[0xC0, 12]);
            bytes
        },
    ];
    for wrong in wrongs {
        let zone = |name: &str, _| vec![record(name, 90, srv((1, 1), 5060, "m.example.net."))];
        let server = NameServer::start_wrong(zone, wrong).await;
        assert!(server.names.machines(SERVICE).await.is_none());
    }
}

#[test]
fn nothing_received_panics() {
    let mut sound = Message::response(7, hickory_resolver::proto::op::OpCode::Query);
    sound.add_answers([
        record(SERVICE, 90, srv((1, 1), 5060, "m.example.net.")),
        record("example.net.", 90, naptr(1, "SIP+D2U", SERVICE)),
        record("m.example.net.", 90, a(7)),
    ]);
    let sound = sound.to_vec().unwrap();
    let mut entropy = Entropy::new([3; 32]);
    for turn in 0..20_000 {
        let mut bytes = sound.clone();
        for _ in 0..1 + entropy.next_u32() % 6 {
            let at = entropy.next_u32() as usize % bytes.len();
            bytes[at] = entropy.next_u16() as u8;
        }
        bytes.truncate(if turn % 3 == 0 { turn % bytes.len() } else { bytes.len() });
        let Ok(message) = Message::from_vec(&bytes) else { continue };
        for record in &message.answers {
            match &record.data {
                RData::SRV(record) => assert!(machine(record).target.len() < 1_100),
                RData::NAPTR(record) => assert!(pointer(record).replacement.len() < 1_100),
                _ => {}
            }
        }
    }
}

#[test]
fn a_name_that_is_none_is_no_question() {
    let long = "a".repeat(64);
    for wrong in ["a..b", long.as_str(), &"a.".repeat(128)] {
        assert!(absolute(wrong).is_none(), "{wrong}");
    }
    assert!(absolute("_sip._udp.example.net").unwrap().is_fqdn());
}
