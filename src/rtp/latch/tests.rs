use super::*;
use crate::rtp::sequence::RtpTime;
use Verdict::{Accept, Ignore, Learnt};
use std::time::Duration;

const PEER: &str = "192.0.2.1:4000";
const NAT: &str = "198.51.100.7:61000";
const STRANGER: &str = "203.0.113.66:5004";

fn header(ssrc: u32, sequence: u16) -> Header {
    let sequence = Sequence(sequence);
    Header { marker: false, payload_type: 0, sequence, timestamp: RtpTime(0), ssrc }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// (milliseconds, source, ssrc, sequence, verdict)
type Step = (u64, &'static str, u32, u16, Verdict);

fn follow(latch: &mut Latch, steps: &[Step]) {
    let start = Instant::now();
    for (index, &(at_ms, source, ssrc, sequence, expected)) in steps.iter().enumerate() {
        let now = start + Duration::from_millis(at_ms);
        let verdict = latch.receive(now, address(source), &header(ssrc, sequence));
        assert_eq!(verdict, expected, "packet {index}");
    }
}

#[test]
fn the_rule_case_by_case() {
    let cases: [(&str, &[Step], &str); 10] = [
        ("nothing came", &[], PEER),
        (
            "the described address is taken at once and for good",
            &[
                (0, PEER, 1, 10, Accept),
                (5, STRANGER, 1, 11, Ignore),
                (6, STRANGER, 1, 12, Ignore),
                (7, STRANGER, 1, 13, Ignore),
                (20, PEER, 1, 11, Accept),
            ],
            PEER,
        ),
        (
            "a peer behind a NAT is learnt with its third packet",
            &[
                (0, NAT, 1, 65_534, Ignore),
                (20, NAT, 1, 65_535, Ignore),
                (40, NAT, 1, 0, Learnt),
                (60, NAT, 1, 1, Accept),
                (80, STRANGER, 1, 2, Ignore),
            ],
            NAT,
        ),
        (
            "random packets are nobody's",
            &[
                (0, STRANGER, 1, 10, Ignore),
                (1, STRANGER, 2, 11, Ignore),
                (2, STRANGER, 3, 900, Ignore),
                (3, STRANGER, 3, 800, Ignore),
                (4, STRANGER, 3, 800, Ignore),
                (5, STRANGER, 3, 805, Ignore),
            ],
            PEER,
        ),
        (
            "the window closes by time once five packets have come",
            &[
                (0, STRANGER, 1, 10, Ignore),
                (1, STRANGER, 9, 10, Ignore),
                (2, STRANGER, 8, 10, Ignore),
                (490, NAT, 1, 10, Ignore),
                (495, NAT, 1, 11, Ignore),
                (501, NAT, 1, 12, Ignore),
                (502, NAT, 1, 13, Ignore),
            ],
            PEER,
        ),
        (
            "a peer that begins haltingly is learnt within the first five packets",
            &[(0, NAT, 1, 10, Ignore), (2_000, NAT, 1, 11, Ignore), (2_020, NAT, 1, 12, Learnt)],
            NAT,
        ),
        (
            "the peer wins against a spray from many ports",
            &[
                (0, "203.0.113.66:1", 1, 1, Ignore),
                (0, "203.0.113.66:2", 1, 2, Ignore),
                (0, "203.0.113.66:3", 1, 3, Ignore),
                (0, "203.0.113.66:4", 1, 4, Ignore),
                (0, "203.0.113.66:5", 1, 5, Ignore),
                (0, "203.0.113.66:6", 1, 6, Ignore),
                (9, PEER, 7, 1, Accept),
                (10, "203.0.113.66:1", 1, 2, Ignore),
                (11, "203.0.113.66:1", 1, 3, Ignore),
            ],
            PEER,
        ),
        (
            "a stranger that was faster is put out by the peer",
            &[
                (0, STRANGER, 1, 1, Ignore),
                (1, STRANGER, 1, 2, Ignore),
                (2, STRANGER, 1, 3, Learnt),
                (5_000, PEER, 7, 100, Ignore),
                (5_020, PEER, 7, 101, Ignore),
                (5_040, PEER, 7, 102, Learnt),
                (5_041, STRANGER, 1, 4, Ignore),
            ],
            PEER,
        ),
        (
            "one loss does not make a stranger",
            &[(0, NAT, 1, 10, Ignore), (40, NAT, 1, 12, Ignore), (60, NAT, 1, 13, Learnt)],
            NAT,
        ),
        (
            "a mapped address is the same address",
            &[(0, "[::ffff:192.0.2.1]:4000", 1, 10, Accept)],
            PEER,
        ),
    ];
    for (name, steps, destination) in cases {
        let mut latch = Latch::new(address(PEER));
        follow(&mut latch, steps);
        assert_eq!(latch.destination(), address(destination), "{name}");
        let ignored = steps.iter().filter(|step| step.4 == Ignore).count();
        assert_eq!(latch.foreign(), ignored as u64, "{name}");
        assert!(latch.other_port() <= latch.foreign(), "{name}");
    }
}

#[test]
fn only_another_described_address_opens_the_window_again() {
    let mut latch = Latch::new(address(PEER));
    follow(&mut latch, &[(0, PEER, 1, 1, Accept)]);
    latch.describe(address(PEER));
    let attack = [(1, STRANGER, 1, 2, Ignore), (2, STRANGER, 1, 3, Ignore)];
    follow(&mut latch, &attack);
    follow(&mut latch, &[(3, STRANGER, 1, 4, Ignore)]);
    latch.describe(address("192.0.2.9:6000"));
    assert_eq!(latch.destination(), address("192.0.2.9:6000"));
    follow(&mut latch, &attack);
    follow(&mut latch, &[(3, STRANGER, 1, 4, Learnt)]);
    assert!(latch.is_peer(address(STRANGER).ip()));
    assert!(!latch.is_peer(address(PEER).ip()));
}

#[test]
fn a_spray_on_a_locked_call_changes_nothing() {
    for locked_to in [PEER, NAT] {
        let mut latch = Latch::new(address(PEER));
        let start = Instant::now();
        for n in 0..3 {
            latch.receive(start, address(locked_to), &header(1, n));
        }
        for n in 0..100_000_u32 {
            let port = 1_024 + (n % 60_000) as u16;
            let source = SocketAddr::new("203.0.113.66".parse().unwrap(), port);
            let verdict = latch.receive(start, source, &header(n % 3, (n / 3) as u16));
            assert_eq!(verdict, Ignore);
        }
        assert_eq!(latch.destination(), address(locked_to));
    }
}

#[test]
fn another_port_of_the_peer_is_counted_apart() {
    let mut latch = Latch::new(address(PEER));
    let own = SocketAddr::new(address(PEER).ip(), 9);
    let begin = Instant::now();
    for (source, counts) in [
        (address(PEER), (0, 0)),
        (own, (1, 1)),
        ("203.0.113.66:9".parse().unwrap(), (2, 1)),
        (own, (3, 2)),
    ] {
        latch.receive(begin, source, &header(1, 10));
        assert_eq!((latch.foreign(), latch.other_port()), counts);
    }
}
