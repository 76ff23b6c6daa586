use super::*;
use crate::rtp::sequence::Sequence;

const TICK: Duration = Duration::from_millis(20);

fn header(timestamp: u32, marker: bool) -> Header {
    let sequence = Sequence(0);
    Header { marker, payload_type: 101, sequence, timestamp: RtpTime(timestamp), ssrc: 1 }
}

/// (milliseconds, timestamp, marker, event, end, duration)
type Sent = (u64, u32, bool, u8, bool, u16);

fn heard(packets: &[Sent]) -> Vec<(char, u64)> {
    let start = Instant::now();
    let mut receiver = EventReceiver::new(8_000);
    let mut digits = vec![];
    let mut drain = |receiver: &mut EventReceiver, now| {
        while let Some(Digit { digit, duration }) = receiver.poll(now) {
            digits.push((digit, duration.as_millis() as u64));
        }
    };
    let mut now = start;
    for &(at_ms, timestamp, marker, event, end, duration) in packets {
        now = start + Duration::from_millis(at_ms);
        let [high, low] = duration.to_be_bytes();
        let payload = [event, if end { 0x8A } else { 0x0A }, high, low];
        receiver.receive(&header(timestamp, marker), &payload, now);
        drain(&mut receiver, now);
    }
    drain(&mut receiver, now + LOST_END);
    digits
}

#[test]
fn each_event_is_one_digit_whatever_of_it_is_lost() {
    let whole: [Sent; 6] = [
        (0, 1_000, true, 5, false, 160),
        (20, 1_000, false, 5, false, 320),
        (40, 1_000, false, 5, false, 480),
        (60, 1_000, false, 5, true, 640),
        (80, 1_000, false, 5, true, 640),
        (100, 1_000, false, 5, true, 640),
    ];
    assert_eq!(heard(&whole), [('5', 80)]);
    assert_eq!(heard(&whole[2..]), [('5', 80)], "the start is lost");
    assert_eq!(heard(&whole[5..]), [('5', 80)], "only the last packet comes");
    assert_eq!(heard(&whole[..3]), [('5', 60)], "the end is lost");
    assert_eq!(heard(&whole[..1]), [('5', 20)], "only the first packet comes");
    for lost in 0_u32..63 {
        let came: Vec<Sent> = (0..6).filter(|n| lost >> n & 1 == 0).map(|n| whole[n]).collect();
        assert_eq!(heard(&came).len(), 1, "{lost:b}");
    }
}

#[test]
fn events_are_told_apart_by_their_timestamps() {
    /// Name, packets, digits with their milliseconds.
    type Case = (&'static str, &'static [Sent], &'static [(char, u64)]);
    let cases: [Case; 8] = [
        (
            "the same digit twice",
            &[(0, 0, true, 1, true, 800), (150, 1_200, true, 1, true, 800)],
            &[('1', 100), ('1', 100)],
        ),
        (
            "an end lost before the next digit, of which only the end comes",
            &[(0, 0, true, 1, false, 800), (250, 2_000, false, 2, true, 640)],
            &[('1', 100), ('2', 80)],
        ),
        (
            "a straggler of the digit before",
            &[
                (0, 0, true, 1, true, 800),
                (150, 1_200, true, 2, false, 160),
                (160, 0, false, 1, true, 800),
                (170, 1_200, false, 2, true, 320),
            ],
            &[('1', 100), ('2', 40)],
        ),
        (
            "reordered packets of one digit",
            &[
                (0, 0, false, 9, false, 480),
                (5, 0, true, 9, false, 160),
                (40, 0, false, 9, true, 640),
                (45, 0, false, 9, false, 480),
            ],
            &[('9', 80)],
        ),
        (
            "a key held for longer than the duration field",
            &[
                (0, 100, true, 3, false, 65_000),
                (8_000, 65_635, false, 3, false, 160),
                (8_100, 65_635, false, 3, true, 8_000),
            ],
            &[('3', 9_191)],
        ),
        ("flash and tones", &[(0, 0, true, 16, true, 800), (0, 1, true, 66, true, 1)], &[]),
        (
            "a timestamp that wraps",
            &[(0, u32::MAX - 99, true, 10, true, 800), (150, 900, true, 11, true, 800)],
            &[('*', 100), ('#', 100)],
        ),
        (
            "a sender that begins its timestamps anew",
            &[(0, 2_000_000_000, true, 1, true, 800), (900, 5, true, 15, true, 800)],
            &[('1', 100), ('D', 100)],
        ),
    ];
    for (name, packets, expected) in cases {
        assert_eq!(heard(packets), expected, "{name}");
    }
}

#[test]
fn a_storm_of_digits_is_cut_to_what_a_person_can_press() {
    let storm: Vec<Sent> =
        (0..10_000).map(|n| (u64::from(n), n * 160, true, 1, true, 80)).collect();
    let told = heard(&storm).len();
    assert!((180..=220).contains(&told), "{told} digits in 10 s");
    let mut receiver = EventReceiver::new(8_000);
    for length in 0..EVENT_BYTES {
        receiver.receive(&header(0, true), &[1, 0x80, 0, 80][..length], Instant::now());
    }
    assert_eq!(receiver.poll(Instant::now()), None, "short payloads");
}

fn sent(sender: &mut EventSender, clock_hz: u32, ticks: u32) -> Vec<Turn> {
    let per_tick = clock_hz / 50;
    (0..ticks).map(|n| sender.turn(RtpTime(n * per_tick), TICK, clock_hz)).collect()
}

#[test]
fn a_digit_grows_ends_three_times_and_is_followed_by_a_gap() {
    let mut sender = EventSender::new();
    assert!(sender.press('7', Duration::from_millis(80)));
    assert!(sender.press('#', Duration::from_millis(40)));
    assert!(!sender.press('x', TICK));
    let turns = sent(&mut sender, 8_000, 17);
    let packet = |marker, timestamp, payload| {
        Turn::Packet(EventPacket { marker, timestamp: RtpTime(timestamp), payload })
    };
    assert_eq!(
        turns,
        [
            packet(true, 0, [7, 10, 0, 160]),
            packet(false, 0, [7, 10, 1, 64]),
            packet(false, 0, [7, 10, 1, 224]),
            packet(false, 0, [7, 0x8A, 2, 128]),
            packet(false, 0, [7, 0x8A, 2, 128]),
            packet(false, 0, [7, 0x8A, 2, 128]),
            Turn::Gap,
            Turn::Gap,
            Turn::Gap,
            packet(true, 1_440, [11, 10, 0, 160]),
            packet(false, 1_440, [11, 0x8A, 1, 64]),
            packet(false, 1_440, [11, 0x8A, 1, 64]),
            packet(false, 1_440, [11, 0x8A, 1, 64]),
            Turn::Gap,
            Turn::Gap,
            Turn::Gap,
            Turn::Idle,
        ]
    );
    assert!(!sender.is_busy());
    for n in 0..=QUEUED_DIGITS {
        assert_eq!(sender.press('1', TICK), n < QUEUED_DIGITS, "{n}");
    }
}

#[test]
fn what_is_sent_is_heard_as_it_was_pressed_even_beyond_the_duration_field() {
    for (clock_hz, held_ms) in [(8_000, 40), (8_000, 500), (8_000, 20_000), (48_000, 3_000)] {
        let mut sender = EventSender::new();
        for digit in ['0', '0', 'D'] {
            assert!(sender.press(digit, Duration::from_millis(held_ms)));
        }
        let start = Instant::now();
        let mut receiver = EventReceiver::new(clock_hz);
        let mut digits = vec![];
        for (n, turn) in sent(&mut sender, clock_hz, 4_000).into_iter().enumerate() {
            let now = start + TICK * n as u32;
            if let Turn::Packet(packet) = turn {
                receiver.receive(&header(packet.timestamp.0, packet.marker), &packet.payload, now);
            }
            digits.extend(receiver.poll(now));
        }
        let expected =
            ['0', '0', 'D'].map(|digit| Digit { digit, duration: Duration::from_millis(held_ms) });
        assert_eq!(digits, expected, "{clock_hz} Hz, {held_ms} ms");
    }
}

#[test]
fn the_begin_of_each_digit_is_told_once() {
    let mut receiver = EventReceiver::new(8_000);
    let start = Instant::now();
    let mut begun = Vec::new();
    for (at_ms, timestamp, end) in
        [(0, 0, false), (20, 0, false), (40, 0, true), (60, 0, true), (200, 1_600, true)]
    {
        let payload = [5, if end { 0x8A } else { 0x0A }, 0, 160];
        receiver.receive(
            &header(timestamp, at_ms == 0),
            &payload,
            start + Duration::from_millis(at_ms),
        );
        begun.push(receiver.poll_begun());
    }
    assert_eq!(begun, [true, false, false, false, true]);
}
