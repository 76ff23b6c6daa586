//! What an attacker on the way can do: nothing but be counted.

use super::{Fault, SSRC, ends, protect, protect_rtcp, rtp, unprotect, unprotect_rtcp};
use crate::base::{Entropy, SrtpKey, SrtpSuite, limits};
use crate::rtp::srtp::{Protector, Unprotector};

const REPORT: [u8; 32] = [
    0x81, 201, 0, 7, 0xCA, 0xFE, 0xBA, 0xBE, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
    17, 18, 19, 20, 21, 22, 23, 24,
];

#[test]
fn every_flipped_bit_is_refused_and_changes_nothing() {
    for suite in SrtpSuite::ALL {
        let (mut protector, mut unprotector) = ends(suite);
        let plain = rtp(10, b"what is said on the telephone");
        let first = protect(&mut protector, &rtp(9, b"before"));
        unprotect(&mut unprotector, &first).unwrap();
        let packet = protect(&mut protector, &plain);
        let report = protect_rtcp(&mut protector, &REPORT);
        for bit in 0..packet.len() * 8 {
            let mut forged = packet.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(unprotect(&mut unprotector, &forged).is_err(), "{suite:?} bit {bit}");
        }
        for bit in 0..report.len() * 8 {
            let mut forged = report.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(unprotect_rtcp(&mut unprotector, &forged).is_err(), "{suite:?} bit {bit}");
        }
        for length in 0..packet.len() {
            assert!(unprotect(&mut unprotector, &packet[..length]).is_err());
        }
        for length in 0..report.len() {
            assert!(unprotect_rtcp(&mut unprotector, &report[..length]).is_err());
        }
        // Neither the window nor the rollover counter has moved.
        assert_eq!(unprotect(&mut unprotector, &packet), Ok(plain));
        assert_eq!(unprotect_rtcp(&mut unprotector, &report), Ok(REPORT.to_vec()));
    }
}

#[test]
fn forged_numbers_do_not_move_the_stream() {
    for suite in SrtpSuite::ALL {
        let (mut protector, mut unprotector) = ends(suite);
        let first = protect(&mut protector, &rtp(100, b"first"));
        unprotect(&mut unprotector, &first).unwrap();
        for number in (0..=65_535_u16).step_by(331) {
            let mut forged = first.clone();
            forged[2..4].copy_from_slice(&number.to_be_bytes());
            assert!(unprotect(&mut unprotector, &forged).is_err());
        }
        let next = protect(&mut protector, &rtp(101, b"next"));
        assert!(unprotect(&mut unprotector, &next).is_ok());
    }
}

#[test]
fn what_was_recorded_cannot_be_played_again() {
    for suite in SrtpSuite::ALL {
        let (mut protector, mut unprotector) = ends(suite);
        let recorded: Vec<_> =
            (0..300_u16).map(|number| protect(&mut protector, &rtp(number, b"word"))).collect();
        let reports: Vec<_> = (0..5).map(|_| protect_rtcp(&mut protector, &REPORT)).collect();
        for packet in &recorded {
            unprotect(&mut unprotector, packet).unwrap();
        }
        for report in &reports {
            unprotect_rtcp(&mut unprotector, report).unwrap();
        }
        for packet in &recorded {
            assert_eq!(unprotect(&mut unprotector, packet), Err(Fault::Replayed));
        }
        for report in &reports {
            assert_eq!(unprotect_rtcp(&mut unprotector, report), Err(Fault::Replayed));
        }
    }
}

#[test]
fn noise_of_every_length_is_refused() {
    let mut entropy = Entropy::new([4; 32]);
    for suite in SrtpSuite::ALL {
        let (_, mut unprotector) = ends(suite);
        for length in (0..80).chain([1_499, 1_500]) {
            for first in [0x80, 0x9F, 0xBF, 0x00] {
                let mut noise: Vec<u8> = (0..length).map(|_| entropy.next_u16() as u8).collect();
                if let Some(byte) = noise.first_mut() {
                    *byte = first;
                }
                assert!(unprotect(&mut unprotector, &noise).is_err());
                assert!(unprotect_rtcp(&mut unprotector, &noise).is_err());
            }
        }
    }
}

#[test]
fn another_key_and_another_protocol_are_refused() {
    let mut entropy = Entropy::new([6; 32]);
    for suite in SrtpSuite::ALL {
        let (mut protector, mut unprotector) = ends(suite);
        let packet = protect(&mut protector, &rtp(1, b"under our key"));
        let other = SrtpKey::random(suite, &mut entropy);
        assert_eq!(unprotect(&mut Unprotector::new(suite, &other), &packet), Err(Fault::Forged));
        // A report that is taken for sound, and the other way round.
        let report = protect_rtcp(&mut protector, &REPORT);
        assert!(unprotect(&mut unprotector, &report).is_err());
        assert!(unprotect_rtcp(&mut unprotector, &packet).is_err());
        assert!(unprotect(&mut unprotector, &packet).is_ok());
    }
}

#[test]
fn a_report_that_says_it_is_clear_is_refused() {
    for suite in SrtpSuite::ALL {
        let (mut protector, mut unprotector) = ends(suite);
        let mut report = protect_rtcp(&mut protector, &REPORT);
        let at = match suite {
            SrtpSuite::AeadAes128Gcm => report.len() - 4,
            _ => report.len() - 14,
        };
        assert_eq!(report[at], 0x80);
        report[at] = 0;
        assert_eq!(unprotect_rtcp(&mut unprotector, &report), Err(Fault::Malformed));
    }
}

#[test]
fn streams_are_told_apart_and_are_not_without_number() {
    let suite = SrtpSuite::AesCm128HmacSha1_80;
    let (_, mut unprotector) = ends(suite);
    let streams = limits::SRTP_STREAMS as u32 + 3;
    let mut protectors: Vec<_> =
        (0..streams).map(|_| Protector::new(suite, &super::master(suite))).collect();
    let mut packet = |stream: u32, number| {
        let mut plain = rtp(number, b"one of many");
        plain[8..12].copy_from_slice(&(SSRC + stream).to_be_bytes());
        protect(&mut protectors[stream as usize], &plain)
    };
    let first: Vec<_> = (0..streams).map(|stream| packet(stream, 5)).collect();
    for datagram in &first {
        assert!(unprotect(&mut unprotector, datagram).is_ok());
    }
    // The newest are known, and go on.
    for stream in 3..streams {
        let old = &first[stream as usize];
        assert_eq!(unprotect(&mut unprotector, old), Err(Fault::Replayed), "{stream}");
        assert!(unprotect(&mut unprotector, &packet(stream, 6)).is_ok());
    }
    assert!(format!("{unprotector:?}").contains(&format!("{} streams", limits::SRTP_STREAMS)));
}
