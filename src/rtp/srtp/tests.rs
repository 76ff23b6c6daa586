//! Against the examples of the RFCs, a second implementation, a bad network and an attacker.

mod hostile;

use super::{Fault, Protector, TRAILER_BYTES, Unprotector};
use crate::base::{Entropy, SrtpKey, SrtpSuite};

/// From hexadecimal digits.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The master key of RFC 3711 appendix B.3; of its salt as much as the suite has.
fn master(suite: SrtpSuite) -> SrtpKey {
    let all = bytes("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6");
    SrtpKey::new(suite, &all[..suite.key_and_salt_bytes()]).unwrap()
}

fn ends(suite: SrtpSuite) -> (Protector, Unprotector) {
    let key = master(suite);
    (Protector::new(suite, &key), Unprotector::new(suite, &key))
}

const SSRC: u32 = 0xCAFE_BABE;

fn rtp(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let [high, low] = sequence.to_be_bytes();
    let mut packet = vec![0x80, 0, high, low, 0, 0, 3, 232];
    packet.extend_from_slice(&SSRC.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

fn protect(protector: &mut Protector, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + TRAILER_BYTES, 0);
    let length = protector.protect_rtp(&mut buffer, packet.len()).unwrap();
    buffer.truncate(length);
    buffer
}

fn protect_rtcp(protector: &mut Protector, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + TRAILER_BYTES, 0);
    let length = protector.protect_rtcp(&mut buffer, packet.len()).unwrap();
    buffer.truncate(length);
    buffer
}

fn unprotect(unprotector: &mut Unprotector, protected: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut datagram = protected.to_vec();
    let length = unprotector.unprotect_rtp(&mut datagram);
    if length.is_err() {
        assert_eq!(datagram, protected, "what is refused is left as it came");
    }
    length.map(|length| datagram[..length].to_vec())
}

fn unprotect_rtcp(unprotector: &mut Unprotector, protected: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut datagram = protected.to_vec();
    let length = unprotector.unprotect_rtcp(&mut datagram)?;
    Ok(datagram[..length].to_vec())
}

/// What a second implementation makes of a packet with a contributing source, an extension and the
/// rollover counter 2, and of the sixth report.
const PLAIN: &str = "9180ff01000003e8cafebabe01020304bede000101020304\
                     000102030405060708090a0b0c0d0e0f10111213";
const PLAIN_RTCP: &str = "81c90007cafebabe6465666768696a6b6c6d6e6f707172737475767778797a7b";
const HEAD: &str = "9180ff01000003e8cafebabe01020304bede000101020304";
const EXPECTED: [(SrtpSuite, &str, &str); 3] = [
    (
        SrtpSuite::AesCm128HmacSha1_80,
        "f42097fe96c00d4a60b9d69e57b2f44fa12277f1f49b52de41726c1ae0c9",
        "338058c856e3315e172ea1deb613ee8275f1a12c1e0703cf800000058219d5ae769a6fc430e3",
    ),
    (
        SrtpSuite::AesCm128HmacSha1_32,
        "f42097fe96c00d4a60b9d69e57b2f44fa12277f1f49b52de",
        "338058c856e3315e172ea1deb613ee8275f1a12c1e0703cf800000058219d5ae769a6fc430e3",
    ),
    (
        SrtpSuite::AeadAes128Gcm,
        "feef52d59fc116c4c8265ff33e7248a8b48c9f9740e376e9d605b2df0cb38de0192fd9e2",
        "9a6efe7aee01e98f6aee02652b5351edb0caeaeccb93220ff5957aefb020999ab4a15bc5ab29711380000005",
    ),
];

#[test]
fn packets_are_protected_as_another_implementation_protects_them() {
    for (suite, expected, expected_rtcp) in EXPECTED {
        let (mut protector, mut unprotector) = ends(suite);
        for step in [0_u16, 30_000, 60_000, 24_000, 54_000, 18_000, 48_000] {
            let packet = protect(&mut protector, &rtp(step, b"on the way to the third round"));
            unprotect(&mut unprotector, &packet).unwrap();
        }
        let packet = protect(&mut protector, &bytes(PLAIN));
        assert_eq!(packet, bytes(&format!("{HEAD}{expected}")), "{suite:?}");
        assert_eq!(unprotect(&mut unprotector, &packet), Ok(bytes(PLAIN)));
        for _ in 0..5 {
            protect_rtcp(&mut protector, &bytes(PLAIN_RTCP));
        }
        let report = protect_rtcp(&mut protector, &bytes(PLAIN_RTCP));
        assert_eq!(report, bytes(&format!("81c90007cafebabe{expected_rtcp}")), "{suite:?}");
        assert_eq!(unprotect_rtcp(&mut unprotector, &report), Ok(bytes(PLAIN_RTCP)));
    }
}

#[test]
fn a_stream_goes_on_over_a_hundred_wraps_with_loss_and_disorder_around_each() {
    for suite in SrtpSuite::ALL {
        let (mut protector, mut unprotector) = ends(suite);
        let mut entropy = Entropy::new([9; 32]);
        for wrap in 0..100_u32 {
            for jump in [12_000, 40_000] {
                let packet = protect(&mut protector, &rtp(jump, b"far from the wrap"));
                assert!(unprotect(&mut unprotector, &packet).is_ok(), "{suite:?} {wrap}");
            }
            let numbers = (65_516..=65_535_u16).chain(0..20);
            let sent: Vec<_> = numbers
                .map(|number| {
                    let plain = rtp(number, &[number as u8; 40]);
                    (plain.clone(), protect(&mut protector, &plain))
                })
                .collect();
            let mut order: Vec<usize> = (0..sent.len()).collect();
            for at in 0..order.len() {
                let with = (at + entropy.next_u16() as usize % 12).min(order.len() - 1);
                order.swap(at, with);
            }
            for at in order.into_iter().filter(|_| entropy.next_u16() > 8_192) {
                let (plain, protected) = &sent[at];
                assert_eq!(unprotect(&mut unprotector, protected).as_ref(), Ok(plain));
                assert_eq!(unprotect(&mut unprotector, protected), Err(Fault::Replayed));
            }
        }
    }
}

#[test]
fn every_length_comes_back_and_what_does_not_fit_is_not_begun() {
    let mut entropy = Entropy::new([2; 32]);
    for suite in SrtpSuite::ALL {
        let (mut protector, mut unprotector) = ends(suite);
        for length in 0..200_u16 {
            let payload: Vec<u8> = (0..length).map(|_| entropy.next_u16() as u8).collect();
            let plain = rtp(length, &payload);
            let protected = protect(&mut protector, &plain);
            if length > 8 {
                assert!(!protected.windows(8).any(|eight| eight == &payload[..8]));
            }
            assert_eq!(unprotect(&mut unprotector, &protected), Ok(plain));
        }
        let mut tight = rtp(300, &[1; 20]);
        let length = tight.len();
        assert_eq!(protector.protect_rtp(&mut tight, length), None);
        assert_eq!(protector.protect_rtp(&mut tight, length + 1), None);
        assert_eq!(protector.protect_rtp(&mut [0; 4], 4), None);
        assert_eq!(protector.protect_rtcp(&mut [0; 40], 7), None);
        // Nothing of that has taken the number.
        protect(&mut protector, &rtp(300, &[1; 20]));
    }
}

#[test]
fn no_number_is_used_twice() {
    for suite in SrtpSuite::ALL {
        let (mut protector, _) = ends(suite);
        protect(&mut protector, &rtp(65_535, b"a"));
        protect(&mut protector, &rtp(0, b"b"));
        for used in [0, 65_535] {
            let mut buffer = rtp(used, &[0; 60]);
            let before = buffer.clone();
            assert_eq!(protector.protect_rtp(&mut buffer, 30), None);
            assert_eq!(buffer, before);
        }
    }
}

#[test]
fn who_comes_late_assumes_the_first_round_and_who_missed_the_wrap_the_second() {
    for suite in SrtpSuite::ALL {
        let (mut protector, mut late) = ends(suite);
        let (_, mut missed) = ends(suite);
        protect(&mut protector, &rtp(65_000, b"not heard"));
        let later = protect(&mut protector, &rtp(65_500, b"heard"));
        assert!(unprotect(&mut late, &later).is_ok());
        let after = protect(&mut protector, &rtp(3, b"after the wrap"));
        assert!(unprotect(&mut missed, &after).is_ok());
        assert!(unprotect(&mut missed, &later).is_ok(), "it was before the wrap");
        assert_eq!(unprotect(&mut missed, &after), Err(Fault::Replayed));
    }
}
