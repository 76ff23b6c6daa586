use super::*;
use crate::association::ice::{Full, Lite as Ice};
use rtc_stun::attributes::*;
use rtc_stun::error_code::ErrorCodeAttribute;
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, Getter, Message, Setter};
use rtc_stun::xoraddr::XorMappedAddress;

const NAME: &str = "left:right";
const PASSWORD: &str = "left-password-of-22-characters";

/// A check of the peer's with these attributes.
fn check(name: Option<&str>, password: Option<&str>, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let crypto = identity(0).crypto();
    let mut message = Message::new();
    message.set_type(BINDING_REQUEST);
    message.transaction_id.0 = [7; 12];
    message.write_header();
    if let Some(name) = name {
        message.add(ATTR_USERNAME, name.as_bytes());
    }
    for (typ, value) in attributes {
        message.add(AttrType(*typ), value);
    }
    if let Some(password) = password {
        let integrity =
            MessageIntegrity::new_raw_integrity_with_provider(password, crypto.crypto());
        integrity.add_to(&mut message).unwrap();
    }
    FINGERPRINT.add_to(&mut message).unwrap();
    message.raw
}

const PRIORITY: (u16, &[u8]) = (0x0024, &[0, 0, 1, 255]);
const CONTROLLING: (u16, &[u8]) = (0x802A, &[1; 8]);
const CONTROLLED: (u16, &[u8]) = (0x8029, &[1; 8]);
const USE_CANDIDATE: (u16, &[u8]) = (0x0025, &[]);

/// One of many, under whatever password.
pub(super) fn flood_check(password: &str, number: u32) -> Vec<u8> {
    let mut bytes = check(Some(NAME), None, &[PRIORITY, CONTROLLING]);
    let mut message = Message::new();
    bytes.truncate(bytes.len() - 8);
    let length = (bytes.len() - 20) as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    message.unmarshal_binary(&bytes).unwrap();
    message.transaction_id.0[..4].copy_from_slice(&number.to_be_bytes());
    message.write_header();
    let crypto = identity(0).crypto();
    let integrity = MessageIntegrity::new_raw_integrity_with_provider(password, crypto.crypto());
    integrity.add_to(&mut message).unwrap();
    FINGERPRINT.add_to(&mut message).unwrap();
    message.raw
}

fn good(is_nominating: bool) -> Vec<u8> {
    let both = [PRIORITY, CONTROLLING, USE_CANDIDATE];
    check(Some(NAME), Some(PASSWORD), if is_nominating { &both } else { &both[..2] })
}

/// Under our password.
fn is_sealed(answer: &[u8]) -> bool {
    let mut message = Message::new();
    message.unmarshal_binary(answer).unwrap();
    let crypto = identity(0).crypto();
    MessageIntegrity::check(&mut message, PASSWORD.as_bytes(), crypto.crypto()).is_ok()
}

fn full() -> Full {
    Full::new(Instant::now(), ice_terms(0), 1, identity(0).crypto(), Entropy::new([3; 32]))
}

fn ice() -> Ice {
    Ice::new(ice_terms(0), identity(0).crypto())
}

/// The code of an error, 0 for a success.
fn code(answer: &[u8]) -> u16 {
    let mut message = Message::new();
    message.unmarshal_binary(answer).unwrap();
    assert_eq!(message.transaction_id.0, [7; 12]);
    FINGERPRINT.check(&message).unwrap();
    if message.typ == BINDING_SUCCESS {
        return 0;
    }
    assert_eq!(message.typ, BINDING_ERROR);
    let mut error = ErrorCodeAttribute::default();
    error.get_from(&message).unwrap();
    error.code.0
}

#[test]
fn each_check_gets_the_answer_that_the_rfcs_say() {
    let unknown: (u16, &[u8]) = (0x0033, &[1, 2, 3, 4]);
    let optional: (u16, &[u8]) = (0xC057, &[0, 0, 0, 10]);
    let from = address("203.0.113.5:9");
    for (what, request, expected) in [
        ("good", good(false), Some(0)),
        ("nominating", good(true), Some(0)),
        ("optional", check(Some(NAME), Some(PASSWORD), &[optional, CONTROLLING]), Some(0)),
        ("no name", check(None, Some(PASSWORD), &[CONTROLLING]), None),
        ("no integrity", check(Some(NAME), None, &[CONTROLLING]), None),
        ("no role", check(Some(NAME), Some(PASSWORD), &[PRIORITY]), Some(400)),
        ("another name", check(Some("left:wrong"), Some(PASSWORD), &[CONTROLLING]), None),
        ("another password", check(Some(NAME), Some("guessed"), &[CONTROLLING]), None),
        ("unknown", check(Some(NAME), Some(PASSWORD), &[unknown, CONTROLLING]), Some(420)),
        ("both controlled", check(Some(NAME), Some(PASSWORD), &[CONTROLLED]), Some(487)),
        ("trailing", [good(false), vec![0; 4]].concat(), None),
        ("cut", good(false)[..40].to_vec(), None),
    ] {
        let mut ice = ice();
        let answer = ice.receive(Instant::now(), from, &request);
        assert_eq!(answer.as_deref().map(code), expected, "{what}");
        let is_validated = ice.route().to == Some(from);
        assert_eq!(is_validated, expected == Some(0), "{what}");
        let integrity = answer.is_none_or(|answer| is_sealed(&answer));
        assert!(integrity, "{what}: who showed the password sees that it is our answer");
        let mut full = full();
        let answer = full.receive(Instant::now(), from, &request);
        assert_eq!(answer.is_some(), expected.is_some(), "{what}: the full side, too");
    }
    let mut damaged = good(false);
    damaged[30] ^= 1;
    assert_eq!(ice().receive(Instant::now(), from, &damaged), None, "its checksum is wrong");
}

/// RFC 5769 section 2.1 and 2.2.
#[test]
fn the_examples_of_rfc_5769_are_read_and_written() {
    let hex = |text: &str| -> Vec<u8> {
        let digits: Vec<u8> =
            text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    };
    let password = b"VOkJxbRl1RmTxUk/WvJxBt";
    let crypto = identity(0).crypto();
    let request =
        hex("000100582112a442b7e7a701bc34d686fa87dfae 802200105354554e207465737420636c69656e74 \
         002400046e0001ff 80290008932ff9b151263b36 000600096576746a3a68367659202020 \
         000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004e57a3bcf");
    let response =
        hex("0101003c2112a442b7e7a701bc34d686fa87dfae 8022000b7465737420766563746f7220 \
         002000080001a147e112a643 000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7 \
         80280004c07d4c96");
    for bytes in [&request, &response] {
        let mut message = Message::new();
        message.unmarshal_binary(bytes).unwrap();
        FINGERPRINT.check(&message).unwrap();
        MessageIntegrity::check(&mut message, password, crypto.crypto()).unwrap();
        assert!(MessageIntegrity::check(&mut message, b"other", crypto.crypto()).is_err());
    }
    let mut message = Message::new();
    message.unmarshal_binary(&response).unwrap();
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(&message).unwrap();
    assert_eq!(SocketAddr::new(mapped.ip, mapped.port), address("192.0.2.1:32853"));
    // The request is a check of a peer that does not control, with our name and password: it is known.
    let terms = IceTerms {
        ours: IceCredentials {
            fragment: "evtj".to_owned(),
            password: Private::new(String::from_utf8(password.to_vec()).unwrap()),
        },
        theirs: IceCredentials { fragment: "h6vY".to_owned(), password: Private::default() },
        full: None,
    };
    let mut ice = Ice::new(terms, crypto);
    let mut answer = Message::new();
    let bytes = ice.receive(Instant::now(), address("192.0.2.1:32853"), &request).unwrap();
    answer.unmarshal_binary(&bytes).unwrap();
    assert_eq!(answer.typ, BINDING_ERROR);
    let mut error = ErrorCodeAttribute::default();
    error.get_from(&answer).unwrap();
    assert_eq!(error.code.0, 487);
}

#[test]
fn nomination_is_followed_and_silence_is_no_consent() {
    let (mut ice, start) = (ice(), Instant::now());
    let [a, b] = ["203.0.113.5:9", "203.0.113.6:9"].map(address);
    ice.receive(start, a, &good(false));
    ice.receive(start + Duration::from_secs(1), b, &good(false));
    assert_eq!(ice.route().to, Some(a), "the first is as good as any");
    ice.receive(start + Duration::from_secs(2), b, &good(true));
    assert!(ice.route().to == Some(b) && ice.route().has_source(a));
    assert_eq!(ice.deadline(), Some(start + limits::ICE_CONSENT));
    ice.timeout(start + limits::ICE_CONSENT);
    assert!(ice.route().to == Some(b) && !ice.route().has_source(a));
    ice.timeout(start + Duration::from_secs(2) + limits::ICE_CONSENT);
    assert_eq!((ice.route(), ice.deadline()), (Route::default(), None));
}

#[test]
fn a_flood_of_sources_keeps_its_bound_and_the_nominated_one() {
    let (mut ice, start) = (ice(), Instant::now());
    let chosen = address("203.0.113.5:9");
    ice.receive(start, chosen, &good(true));
    for port in 1..=500 {
        ice.receive(
            start + MS * u32::from(port),
            SocketAddr::new(chosen.ip(), 1_000 + port),
            &good(false),
        );
    }
    let route = ice.route();
    assert!(route.to == Some(chosen) && route.has_source(chosen));
    assert!(route.has_source(SocketAddr::new(chosen.ip(), 1_500)), "the newest is heard");
}

#[test]
fn a_restart_keeps_the_old_way_until_there_is_a_new_one() {
    let (mut ice, start) = (ice(), Instant::now());
    let [a, b] = ["203.0.113.5:9", "203.0.113.6:9"].map(address);
    ice.receive(start, a, &good(true));
    let mut again = ice_terms(0);
    ice.agree(start, &again);
    assert_eq!(ice.route().to, Some(a));
    again.theirs.fragment = "elsewhere".to_owned();
    ice.agree(start, &again);
    assert_eq!(ice.route().to, Some(a));
    assert_eq!(ice.receive(start, b, &good(true)), None, "nobody's any more");
    let new = check(Some("left:elsewhere"), Some(PASSWORD), &[CONTROLLING]);
    assert_eq!(ice.receive(start, b, &new).as_deref().map(code), Some(0));
    assert!(ice.route().to == Some(b) && !ice.route().has_source(a));
}

/// DTLS only from whoever has shown that it knows the password, and to nobody else.
#[test]
fn the_handshake_waits_for_the_way_and_listens_to_nobody_else() {
    let now = Instant::now();
    let with_ice = Terms { ice: Some(ice_terms(0)), ..terms(0, Setup::Active, 1) };
    let mut end = End::new(now, 0, with_ice);
    assert!(end.drain().is_empty(), "nobody is there yet");
    let stranger = address("203.0.113.66:6");
    let mut other = End::new(now, 2, terms(0, Setup::Active, 1));
    let hello = other.drain().remove(0).1;
    end.association.receive(now, stranger, &hello);
    assert!(end.drain().is_empty());
    let peer = address("203.0.113.5:9");
    end.association.receive(now, peer, &good(false));
    let sent = end.drain();
    assert!(sent.len() == 2 && sent.iter().all(|(to, _)| *to == peer));
    assert_eq!(code(&sent[0].1), 0);
    assert_eq!(sent[1].1[0], 22, "a ClientHello");
    assert!(end.route.has_source(peer) && !end.route.has_source(stranger));
}

/// Telephones without RFC 7675 check once, and keep their path open by other means (RFC 8445 section 11).
#[test]
fn sound_and_indications_of_a_known_source_keep_it_and_find_no_other() {
    let (mut ice, start) = (ice(), Instant::now());
    let [peer, stranger] = ["203.0.113.5:9", "203.0.113.66:6"].map(address);
    ice.receive(start, peer, &good(true));
    let mut indication = Message::new();
    indication.set_type(rtc_stun::message::MessageType {
        method: rtc_stun::message::METHOD_BINDING,
        class: rtc_stun::message::CLASS_INDICATION,
    });
    indication.transaction_id.0 = [8; 12];
    indication.write_header();
    for n in 1..=20 {
        let now = start + limits::ICE_CONSENT / 2 * n;
        for from in [peer, stranger] {
            match n % 2 {
                0 => assert_eq!(ice.receive(now, from, &indication.raw), None),
                _ => ice.hear(now, from),
            }
        }
        ice.timeout(now);
        assert!(ice.route().to == Some(peer) && !ice.route().has_source(stranger), "{n}");
    }
    ice.timeout(start + limits::ICE_CONSENT * 11);
    assert_eq!(ice.route(), Route::default(), "silence ends it");
}

#[test]
fn the_way_of_before_has_an_end_unless_it_is_heard() {
    let (mut ice, start) = (ice(), Instant::now());
    let peer = address("203.0.113.5:9");
    ice.receive(start, peer, &good(true));
    let mut again = ice_terms(0);
    again.theirs.fragment = "elsewhere".to_owned();
    ice.agree(start, &again);
    ice.hear(start + limits::ICE_CONSENT / 2, peer);
    ice.timeout(start + limits::ICE_CONSENT);
    assert_eq!(ice.route().to, Some(peer));
    ice.timeout(start + limits::ICE_CONSENT * 2);
    assert_eq!((ice.route(), ice.deadline()), (Route::default(), None));
}

/// Somebody takes the peer's place: neither sound nor a handshake of the one before counts any more.
#[test]
fn another_peer_has_nothing_of_the_way_of_the_one_before() {
    let now = Instant::now();
    let with_ice = Terms { ice: Some(ice_terms(0)), ..terms(0, Setup::Active, 1) };
    let mut end = End::new(now, 0, with_ice.clone());
    let before = address("203.0.113.5:9");
    end.association.receive(now, before, &good(true));
    end.drain();
    assert!(end.route.has_source(before));
    let mut successor = with_ice;
    successor.ice.iter_mut().for_each(|ice| ice.theirs.fragment = "other".to_owned());
    successor.fingerprints = Fingerprints::new([identity(2).fingerprint().clone()]);
    end.association.agree(now, successor, true);
    assert!(end.drain().is_empty(), "nobody is there yet");
    assert_eq!(end.route, Route::default());
}
