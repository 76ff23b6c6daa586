use super::*;
use crate::association::records::{Client, Cookie, Records, asks_for_cookie, beginning};

const COOKIE: Cookie = [5; 20];

/// Of the client of [`hello`].
fn server() -> Records {
    Records::new(Some(Client { random: [7; 32], cookie: COOKIE }))
}

/// All datagrams of a handshake, by who sends them.
fn datagrams(seed: u8) -> Vec<(usize, Vec<u8>)> {
    let mut net = Net::new(
        [terms(0, Setup::Active, 1), terms(1, Setup::Passive, 0)],
        Weather::default(),
        seed,
    );
    let mut all = Vec::new();
    while !net.is_secure() {
        all.extend(net.flying.iter().map(|(_, to, _, bytes)| (1 - to, bytes.clone())));
        net.run(MS * 10);
    }
    all
}

#[test]
fn noise_and_damaged_records_change_nothing_and_cost_nothing() {
    let mut chance = Entropy::new([9; 32]);
    let samples = datagrams(9);
    for round in 0..20 {
        let client = round % 2;
        let setup = |end| if end == client { Setup::Active } else { Setup::Passive };
        let both = [terms(0, setup(0), 1), terms(1, setup(1), 0)];
        let mut net = Net::new(both, Weather::default(), round as u8);
        let now = net.now;
        // From elsewhere, before and in the midst of it.
        for step in 0..4 {
            for n in 0..60_usize {
                let (_, mut bytes) = samples[chance.next_u16() as usize % samples.len()].clone();
                for _ in 0..=n % 4 {
                    let at = chance.next_u32() as usize % bytes.len();
                    bytes[at] = (chance.next_u16() >> 8) as u8;
                }
                bytes[0] = if n % 7 == 0 { 20 + (n % 44) as u8 } else { bytes[0] };
                bytes.truncate(1 + chance.next_u16() as usize % bytes.len().max(1) * (n % 3 + 1));
                let from = SocketAddr::from(([203, 0, 113, 9], 1 + (n + 60 * step) as u16));
                net.ends.iter_mut().for_each(|end| end.association.receive(now, from, &bytes));
            }
            net.collect();
            net.run(MS * 10);
        }
        net.run(Duration::from_secs(5));
        assert!(net.is_secure(), "{round}");
    }
}

/// Damaged datagrams from the peer's own address: whatever they do to one handshake, nobody panics, and
/// nothing is kept without a bound.
#[test]
fn a_peer_that_sends_rubbish_ends_nothing_but_its_own_handshake() {
    let mut chance = Entropy::new([10; 32]);
    for round in 0..60_u8 {
        let client = usize::from(round) % 2;
        let setup = |end| if end == client { Setup::Active } else { Setup::Passive };
        let both = [terms(0, setup(0), 1), terms(1, setup(1), 0)];
        let mut net = Net::new(both, Weather::default(), round);
        for _ in 0..30 {
            for (_, _, _, bytes) in &mut net.flying {
                if chance.next_u16().is_multiple_of(3) {
                    let at = chance.next_u32() as usize % bytes.len();
                    bytes[at] ^= 1 << (chance.next_u16() % 8);
                }
            }
            net.run(MS * 200);
        }
        net.run(Duration::from_secs(30));
        let told = net.ends.each_ref().map(|end| end.keys.is_some() || end.fault.is_some());
        assert_eq!(told, [true; 2]);
        let both = net.ends.each_ref().map(|end| end.keys.is_some());
        assert!(both != [true; 2] || net.is_secure(), "keys are the same on both sides, or none");
    }
}

#[test]
fn what_the_library_gets_is_bounded_and_in_order() {
    let samples = datagrams(11);
    let of_client: Vec<&[u8]> =
        samples.iter().filter(|(from, _)| *from == 0).map(|(_, bytes)| bytes.as_slice()).collect();
    assert!(samples.iter().any(|(_, bytes)| asks_for_cookie(bytes)));
    let second = beginning(of_client[1]).unwrap();
    let cookie = second.cookie.try_into().unwrap();
    let client = Client { random: *second.random, cookie };
    let mut records = Records::new(Some(client));
    let in_order: Vec<Vec<u8>> = of_client.iter().map(|bytes| records.take(bytes)).collect();
    let first = in_order.iter().map(Vec::len).sum::<usize>();
    assert!(first > 0 && of_client.len() == 3);
    // Said again they bring nothing but what is encrypted.
    for bytes in &of_client {
        let again = records.take(bytes);
        assert!(again.is_empty() || again.len() < 100, "{}", again.len());
    }
    // The last flight before the hello that it follows waits for it.
    let mut records = Records::new(Some(client));
    assert!(records.take(of_client[2]).is_empty());
    assert!(records.take(of_client[0]).is_empty(), "it was answered without a memory");
    let both = records.take(of_client[1]);
    assert!(both.len() > of_client[2].len(), "hello and all that waited: {}", both.len());
}

#[test]
fn alerts_in_the_clear_and_records_of_another_kind_are_nobodys_word() {
    let mut records = Records::new(None);
    let record = |kind: u8, epoch: u8, content: &[u8]| {
        let head = [kind, 0xFE, 0xFD, 0, epoch, 0, 0, 0, 0, 0, 0, 0, content.len() as u8];
        [&head, content].concat()
    };
    for datagram in [
        record(21, 0, &[2, 40]),
        record(23, 0, &[0; 8]),
        record(24, 0, &[0; 8]),
        record(22, 2, &[0; 40]),
        record(20, 0, &[2]),
        // A ClientHello to a client, an empty fragment, one that says more than there is.
        record(22, 0, &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 9]),
        record(22, 0, &[2, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0]),
        record(22, 0, &[2, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 9, 1]),
        vec![22, 0xFE, 0xFD],
        vec![22; 40],
    ] {
        assert!(records.take(&datagram).is_empty(), "{datagram:?}");
    }
}

/// A ClientHello in one record, with so many extensions of so many bytes.
fn hello(number: u8, cookie: &[u8], extensions: usize, bytes: usize) -> Vec<u8> {
    let extension = [&[0x7A, 0x7A][..], &(bytes as u16).to_be_bytes(), &vec![0; bytes]].concat();
    let extensions = extension.repeat(extensions);
    let body = [
        &[0xFE, 0xFD][..],
        &[7; 32],
        &[0, cookie.len() as u8],
        cookie,
        &[0, 2, 0xC0, 0x2B, 1, 0],
        &(extensions.len() as u16).to_be_bytes(),
        &extensions,
    ]
    .concat();
    let [_, length @ ..] = (body.len() as u32).to_be_bytes();
    let content = [&[1][..], &length, &[0, number, 0, 0, 0], &length, &body].concat();
    let head = [22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, number];
    [&head[..], &(content.len() as u16).to_be_bytes(), &content].concat()
}

#[test]
fn a_hello_has_a_bound_and_counts_with_its_cookie_alone() {
    let most = limits::HANDSHAKE_EXTENSIONS;
    assert!(!server().take(&hello(1, &COOKIE, most, 4)).is_empty());
    assert!(server().take(&hello(1, &COOKIE, most + 1, 4)).is_empty());
    let large = limits::HANDSHAKE_HELLO_BYTES / 2;
    assert!(server().take(&hello(1, &COOKIE, 2, large)).is_empty());
    let mut records = server();
    for wrong in [&[][..], &[4; 20]] {
        assert!(records.take(&hello(1, wrong, 3, 4)).is_empty());
    }
    // The library is told of a first one, too, and of both only once.
    let right = hello(1, &COOKIE, 3, 4);
    assert!(!records.take(&right).is_empty());
    assert_eq!(records.first_hello(), hello(0, &[], 3, 4));
    assert!(records.take(&right.repeat(20)).is_empty() && records.first_hello().is_empty());
}

/// Each repetition is answered with the cookie of the first time, and with fewer bytes than it had.
#[test]
fn a_hello_that_is_said_again_gets_the_same_cookie() {
    let now = Instant::now();
    let mut end = End::new(now, 0, terms(0, Setup::Passive, 1));
    let from = address(ADDRESSES[1]);
    let first = End::new(now, 1, terms(1, Setup::Active, 0)).drain().remove(0).1;
    let mut answers = Vec::new();
    for _ in 0..200 {
        end.association.receive(now, from, &first);
        answers.extend(end.drain());
    }
    assert_eq!(answers.len(), 200);
    assert!(answers.iter().all(|(_, bytes)| bytes.len() < first.len()));
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert!(end.association.attempts.is_empty(), "nothing is kept");
}
