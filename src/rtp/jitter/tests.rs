use super::*;
use crate::base::Entropy;

const TICK: Duration = Duration::from_millis(20);

fn arrival(sequence: i64, timestamp: u32, units: u32, arrived: Instant) -> Arrival<'static> {
    Arrival {
        sequence,
        timestamp: RtpTime(timestamp),
        payload_type: 0,
        kind: if units > 0 { Kind::Sound } else { Kind::Event },
        units,
        payload: &[],
        arrived,
    }
}

/// What a poll gave: a packet's number, a loss, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Got {
    Packet(u8),
    /// With the number of the packet after it, if that was there.
    Lost(Option<u8>),
    Silence,
    Waiting,
}

fn got(due: Due<'_>) -> Got {
    let number = |packet: Played<'_>| packet.payload.first().copied().unwrap_or(0);
    match due {
        Due::Packet(packet) => Got::Packet(number(packet)),
        Due::Lost { next, .. } => Got::Lost(next.map(number)),
        Due::Silence => Got::Silence,
        Due::Waiting => Got::Waiting,
    }
}

/// (sequence, timestamp in packets, arrival in ms); the payload is the sequence's last byte.
type Sent = (i64, u32, u64);

/// Polls every 20 ms from 1 ms on, after what came before.
fn played(sent: &[Sent], polls: u64) -> (Vec<Got>, JitterCounts) {
    let start = Instant::now();
    let mut buffer = JitterBuffer::new();
    let mut next = sent.iter().peekable();
    let mut results = vec![];
    for poll in 0..polls {
        let now_ms = poll * 20 + 1;
        while let Some(&&(sequence, packets, at_ms)) = next.peek()
            && at_ms <= now_ms
        {
            next.next();
            let payload = [sequence.to_le_bytes()[0]];
            let timestamp = 4_294_967_000_u32.wrapping_add(packets * 160);
            let arrived = start + Duration::from_millis(at_ms);
            buffer.insert(&Arrival {
                payload: &payload,
                ..arrival(sequence, timestamp, 160, arrived)
            });
        }
        results.push(got(buffer.poll(start + Duration::from_millis(now_ms))));
    }
    (results, buffer.counts())
}

#[test]
fn what_comes_is_played_in_order_and_in_time() {
    use Got::{Lost, Packet as P, Silence, Waiting};
    let counts = |late, duplicate, discarded| JitterCounts { late, duplicate, discarded };
    let cases: [(&str, &[Sent], &[Got], JitterCounts); 9] = [
        ("nothing", &[], &[Waiting, Waiting], counts(0, 0, 0)),
        (
            "in order, over the wrap of the timestamp, held for the first target",
            &[(1, 0, 0), (2, 1, 20), (3, 2, 40), (4, 3, 60)],
            &[Waiting, Waiting, P(1), P(2), P(3), P(4)],
            counts(0, 0, 0),
        ),
        (
            "reordered, the first too",
            &[(2, 1, 0), (1, 0, 3), (4, 3, 41), (3, 2, 42)],
            &[Waiting, P(1), P(2), P(3), P(4)],
            counts(0, 0, 0),
        ),
        (
            "duplicates, of held and of played packets",
            &[(1, 0, 0), (1, 0, 1), (2, 1, 20), (3, 2, 40), (1, 0, 45), (3, 2, 45)],
            &[Waiting, Waiting, P(1), P(2), P(3)],
            counts(0, 3, 0),
        ),
        (
            "a loss, with the packet after it for error correction",
            &[(1, 0, 0), (2, 1, 20), (4, 3, 60), (5, 4, 80)],
            &[Waiting, Waiting, P(1), P(2), Lost(Some(4)), P(4), P(5)],
            counts(0, 0, 0),
        ),
        (
            "a loss of three, and one of them late",
            &[(1, 0, 0), (2, 1, 20), (6, 5, 45), (7, 6, 100), (3, 2, 101)],
            &[Waiting, Waiting, P(1), P(2), Lost(None), Lost(None), Lost(Some(6)), P(6), P(7)],
            counts(1, 0, 0),
        ),
        (
            "a pause of the talker",
            &[(1, 0, 0), (2, 10, 200), (3, 11, 220)],
            &[
                Waiting,
                Waiting,
                P(1),
                Lost(None),
                Lost(None),
                Lost(None),
                Lost(None),
                Lost(None),
                Lost(None),
                Lost(None),
                Silence,
                Silence,
                P(2),
                P(3),
            ],
            counts(0, 0, 0),
        ),
        (
            "a pause that is known before it begins",
            &[(1, 0, 0), (2, 3, 60), (3, 4, 80)],
            &[Waiting, Waiting, P(1), Silence, Silence, P(2), P(3)],
            counts(0, 0, 0),
        ),
        (
            "a timestamp that leaps back",
            &[(1, 9_000, 0), (2, 9_001, 20), (3, 5, 40), (4, 6, 60), (5, 7, 80)],
            &[Waiting, Waiting, P(1), P(2), P(3), P(4), P(5)],
            counts(0, 0, 0),
        ),
    ];
    for (name, sent, expected, expected_counts) in cases {
        let (results, counts) = played(sent, expected.len() as u64);
        assert_eq!(results, expected, "{name}");
        assert_eq!(counts, expected_counts, "{name}");
    }
}

#[test]
fn a_starved_buffer_gives_up_and_takes_a_late_packet_before_that() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut buffer = JitterBuffer::new();
    buffer.insert(&arrival(1, 0, 160, at(0)));
    assert_eq!(got(buffer.poll(at(40))), Got::Packet(0));
    for step in 0..10 {
        assert_eq!(got(buffer.poll(at(60 + step * 10))), Got::Lost(None), "{step}");
    }
    assert_eq!(got(buffer.poll(at(160))), Got::Silence);
    let mut buffer = JitterBuffer::new();
    buffer.insert(&arrival(1, 0, 160, at(0)));
    buffer.poll(at(40));
    assert_eq!(got(buffer.poll(at(60))), Got::Lost(None));
    buffer.insert(&arrival(2, 160, 160, at(65)));
    assert_eq!(got(buffer.poll(at(70))), Got::Packet(0), "late, and yet it was waited for");
}

#[test]
fn events_fill_their_place_and_comfort_noise_begins_a_pause() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut buffer = JitterBuffer::new();
    buffer.insert(&arrival(1, 0, 160, at(0)));
    assert_eq!(got(buffer.poll(at(40))), Got::Packet(0));
    for n in 2..10 {
        buffer.insert(&arrival(n, 160, 0, at(n as u64 * 20)));
        assert_eq!(got(buffer.poll(at(n as u64 * 20 + 20))), Got::Silence, "event {n}");
    }
    buffer.insert(&arrival(10, 160 * 10, 160, at(200)));
    assert_eq!(got(buffer.poll(at(240))), Got::Packet(0));
    let noise = Arrival { kind: Kind::ComfortNoise, ..arrival(11, 160 * 11, 0, at(220)) };
    buffer.insert(&noise);
    assert!(matches!(buffer.poll(at(260)), Due::Packet(p) if p.kind == Kind::ComfortNoise));
    assert_eq!(got(buffer.poll(at(280))), Got::Silence);
    assert_eq!(buffer.counts(), JitterCounts::default());
}

#[test]
fn a_flood_keeps_the_newest_and_a_stall_is_caught_up() {
    let start = Instant::now();
    let mut buffer = JitterBuffer::new();
    for n in 0..1_000 {
        buffer.insert(&arrival(n, n as u32 * 160, 160, start));
    }
    let mut held = 0;
    for _ in 0..200 {
        held += i32::from(matches!(buffer.poll(start + TICK * 20), Due::Packet(_)));
    }
    assert!((1..=64).contains(&held), "{held}");
    assert!(buffer.counts().discarded >= 1_000 - 64);
}

#[test]
fn extreme_numbers_do_no_harm() {
    let start = Instant::now();
    let mut entropy = Entropy::new([3; 32]);
    let mut buffer = JitterBuffer::new();
    let bytes = [7; 2_000];
    for n in 0..200_000_u64 {
        let random = entropy.next_u64();
        let arrived = start + Duration::from_micros(n * 500);
        let sequence = match random % 4 {
            0 => i64::from(entropy.next_u32()),
            _ => n as i64 / 30 + (random >> 8 & 7) as i64,
        };
        let kind = [Kind::Sound, Kind::Sound, Kind::ComfortNoise, Kind::Event];
        buffer.insert(&Arrival {
            sequence: if n % 50_000 < 49_000 { n as i64 / 30 } else { sequence },
            timestamp: RtpTime(entropy.next_u32()),
            payload_type: 0,
            kind: kind[(random >> 16 & 3) as usize],
            units: (random >> 20 & 0x3FF) as u32,
            payload: &bytes[..(random >> 32 & 0x7FF).min(2_000) as usize],
            arrived,
        });
        buffer.poll(arrived);
        if random % 5_000 == 1 {
            buffer.restart((random >> 40 & 0xFFFF) as u32);
        }
    }
}

/// Plays for a long time against a peer and counts what is heard of the path's faults.
#[derive(Debug, Default)]
struct Trip {
    packets: u64,
    lost_ms: u64,
    silences: u64,
    delay_ms: f32,
    largest_delay_ms: f32,
    corrections: u64,
}

struct Path {
    ptime_ms: u64,
    /// Of the sender's clock.
    drift_ppm: i64,
    jitter_us: u64,
    lost_per_mille: u64,
    swapped_per_mille: u64,
    seconds: u64,
}

const CALM: Path = Path {
    ptime_ms: 20,
    drift_ppm: 0,
    jitter_us: 2_000,
    lost_per_mille: 0,
    swapped_per_mille: 0,
    seconds: 120,
};

/// (arrival in µs, sequence) in the order of arrival, for a chunk of time.
fn travel(path: &Path, entropy: &mut Entropy) -> Vec<(u64, i64)> {
    let period_us = path.ptime_ms * 1_000;
    // Some more, for a sender whose clock is fast.
    let count = (path.seconds + 5) * 1_000_000 / period_us;
    let mut arrivals = vec![];
    for n in 0..count {
        if entropy.next_u64() % 1_000 < path.lost_per_mille {
            continue;
        }
        let sent_us = n * period_us;
        let drift_us = sent_us as i64 * path.drift_ppm / 1_000_000;
        let mut at_us = (sent_us as i64 - drift_us) as u64 + 40_000;
        at_us += entropy.next_u64() % (path.jitter_us + 1);
        if entropy.next_u64() % 1_000 < path.swapped_per_mille {
            at_us += period_us + period_us / 2;
        }
        arrivals.push((at_us, n as i64));
    }
    arrivals.sort_unstable();
    arrivals
}

fn trip(path: &Path) -> Trip {
    let start = Instant::now();
    let mut entropy = Entropy::new([5; 32]);
    let mut arrivals = travel(path, &mut entropy).into_iter().peekable();
    let mut buffer = JitterBuffer::new();
    let mut trip = Trip::default();
    let units = (path.ptime_ms * 8) as u32;
    // Sound in hand, in ms.
    let mut in_hand = 0_i64;
    for tick in 0..path.seconds * 50 - 10 {
        let now_us = tick * 20_000;
        let now = start + Duration::from_micros(now_us);
        while let Some((at_us, n)) = arrivals.next_if(|(at_us, _)| *at_us <= now_us) {
            let arrived = start + Duration::from_micros(at_us);
            buffer.insert(&arrival(n, n as u32 * units, units, arrived));
        }
        while in_hand < 20 {
            let settled = trip.packets > 250;
            match buffer.poll(now) {
                Due::Packet(packet) => {
                    in_hand += i64::from(packet.units) / 8;
                    trip.packets += 1;
                    if settled {
                        trip.largest_delay_ms = trip.largest_delay_ms.max(buffer.delay_ms());
                    }
                }
                Due::Lost { units, .. } => {
                    in_hand += i64::from(units) / 8;
                    trip.lost_ms += if settled { u64::from(units) / 8 } else { 0 };
                }
                Due::Silence | Due::Waiting => {
                    in_hand = 20;
                    trip.silences += u64::from(settled);
                }
            }
        }
        let (by_us, is_wanted) = match buffer.correction() {
            Correction::Keep => (0, false),
            Correction::Shorten { .. } => (-8_000, true),
            Correction::Lengthen { .. } => (8_000, true),
        };
        let can = by_us > 0 || in_hand >= 28;
        if is_wanted && (can || fetch_one(&mut buffer, &mut in_hand, now)) {
            in_hand += by_us / 1_000;
            buffer.corrected(by_us);
            trip.corrections += 1;
        }
        in_hand -= 20;
    }
    trip.delay_ms = buffer.delay_ms();
    trip
}

/// Fetches one more packet so that there is something to shorten.
fn fetch_one(buffer: &mut JitterBuffer, in_hand: &mut i64, now: Instant) -> bool {
    match buffer.poll(now) {
        Due::Packet(packet) => {
            *in_hand += i64::from(packet.units) / 8;
            true
        }
        Due::Lost { units, .. } => {
            *in_hand += i64::from(units) / 8;
            false
        }
        Due::Silence | Due::Waiting => {
            *in_hand += 20;
            false
        }
    }
}

#[test]
fn an_hour_of_drift_is_corrected_without_a_gap() {
    for drift_ppm in [-500, 500] {
        let trip = trip(&Path { drift_ppm, seconds: 3_600, ..CALM });
        assert_eq!((trip.lost_ms, trip.silences), (0, 0), "{drift_ppm} ppm: {trip:?}");
        assert!(trip.largest_delay_ms < 60.0, "{drift_ppm} ppm: {trip:?}");
        // 1.8 s of drift in steps of 8 ms.
        assert!((180..=300).contains(&trip.corrections), "{drift_ppm} ppm: {trip:?}");
    }
}

#[test]
fn jitter_costs_delay_and_hardly_any_sound() {
    let trip_of = |jitter_us| trip(&Path { jitter_us, ..CALM });
    let calm = trip_of(2_000);
    assert!(calm.delay_ms < 35.0, "{calm:?}");
    let rough = trip_of(80_000);
    let share = rough.lost_ms as f64 / (rough.packets * 20) as f64;
    assert!(share < 0.04, "{rough:?}");
    assert!((50.0..=130.0).contains(&rough.delay_ms), "{rough:?}");
}

#[test]
fn reordering_is_undone_and_losses_are_told_once_each() {
    let swapped = trip(&Path { swapped_per_mille: 50, ..CALM });
    assert!(swapped.lost_ms * 100 < swapped.packets * 20, "{swapped:?}");
    let lossy = trip(&Path { lost_per_mille: 100, ..CALM });
    let share = lossy.lost_ms as f64 / (lossy.lost_ms + lossy.packets * 20) as f64;
    assert!((0.08..=0.13).contains(&share), "{lossy:?}");
    assert!(lossy.largest_delay_ms < 60.0, "{lossy:?}");
}

#[test]
fn every_packet_length_is_played_without_a_gap() {
    for ptime_ms in [10, 20, 30, 40, 60] {
        let trip = trip(&Path { ptime_ms, ..CALM });
        assert_eq!((trip.lost_ms, trip.silences), (0, 0), "{ptime_ms} ms: {trip:?}");
        assert!(trip.delay_ms < 60.0, "{ptime_ms} ms: {trip:?}");
    }
}
