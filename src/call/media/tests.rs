mod gap;
mod line;
mod secure;

use super::*;
use crate::base::limits;
use crate::base::pcm::FRAME_SAMPLES;
use crate::codec::Codec;
use crate::rtp::packet::Header;
use crate::rtp::{Packet, RtpTime, Sequence, rtcp};
use line::*;

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

#[test]
fn tones_arrive_whole_with_every_codec_and_packet_length() {
    for codec in Codec::ALL {
        for ptime_ms in [10, 20, 30, 40, 60] {
            let mut line = Line::new(codec, ptime_ms, CALM);
            line.run(seconds(1));
            line.forget();
            line.run(seconds(6));
            for end in [0, 1] {
                let share = line.heard_tone(end);
                let report = line.ends[end].media.report();
                assert!(share > 0.99, "{codec:?} {ptime_ms} ms to {end}: {share} {report:?}");
                assert_eq!((report.lost, report.late, report.concealed_ms), (0, 0, 0));
                assert_eq!((report.gaps, report.deaf_reports), (0, 0));
                assert!((5_000..=7_000).contains(&report.sound_ms), "{report:?}");
                assert!(report.delay_ms < 70.0, "{codec:?} {ptime_ms} ms: {report:?}");
            }
        }
    }
}

#[test]
fn tones_survive_a_rough_network() {
    for codec in Codec::ALL {
        for ptime_ms in [20, 60] {
            let mut line = Line::new(codec, ptime_ms, ROUGH);
            line.run(seconds(3));
            line.forget();
            line.run(seconds(20));
            for end in [0, 1] {
                let share = line.heard_tone(end);
                let report = line.ends[end].media.report();
                // After a loss the state of Opus' decoder needs some packets to be right again.
                let expected = if codec == Codec::Opus { 0.7 } else { 0.85 };
                assert!(share > expected, "{codec:?} {ptime_ms} ms to {end}: {share} {report:?}");
                let packets = 23_000 / crate::codec::packet_ms(codec, u64::from(ptime_ms));
                assert!((packets / 100..packets / 15).contains(&report.lost), "{report:?}");
                assert!(report.duplicate > 0 && report.concealed_ms > 0, "{report:?}");
                assert!(report.gaps > 0, "{report:?}");
                assert!((50.0..200.0).contains(&report.delay_ms), "{codec:?}: {report:?}");
                let rtt_ms = report.rtt_ms.unwrap();
                assert!((60.0..160.0).contains(&rtt_ms), "{rtt_ms}");
                assert!(report.peer_loss.is_some() && report.jitter_ms > 5.0, "{report:?}");
            }
        }
    }
}

#[test]
fn clocks_that_drift_apart_cost_no_sound() {
    let mut line = Line::new(Codec::Pcmu, 20, CALM);
    // 500 ppm.
    line.ends[1].period = Duration::from_micros(20_010);
    line.run(seconds(2));
    line.forget();
    line.run(seconds(120));
    for end in [0, 1] {
        let report = line.ends[end].media.report();
        assert!(line.heard_tone(end) > 0.99, "{end}: {}", line.heard_tone(end));
        assert!(report.concealed_ms <= 20 && report.late == 0, "{end}: {report:?}");
        assert!(report.delay_ms < 70.0, "{end}: {report:?}");
    }
}

/// The RTP headers among what an end sent.
fn headers(kept: &Kept) -> Vec<Header> {
    let rtp = kept.out.iter().filter(|(path, ..)| *path == Path::Rtp);
    rtp.map(|(_, _, bytes)| Packet::parse(bytes).unwrap().header).collect()
}

fn ticks(media: &mut Media, tone: &mut Tone, start: Instant, range: std::ops::Range<u32>) -> Kept {
    let mut kept = Kept::default();
    for n in range {
        media.tick(Moment { now: start + TICK * n, ntp: 1 << 32 }, tone, &mut kept);
    }
    kept
}

fn started(codec: Codec, ptime_ms: u32) -> (Media, Instant) {
    let start = Instant::now();
    let mut media = Media::new(SETTINGS, Entropy::new([4; 32]));
    media.start(start, &plan(codec, ptime_ms, A));
    (media, start)
}

#[test]
fn silence_is_sent_too_and_the_marker_only_begins() {
    for (codec, units, bytes) in [
        (Codec::Pcmu, 160, 160),
        (Codec::Pcma, 160, 160),
        (Codec::G722, 160, 160),
        (Codec::Opus, 960, 0),
    ] {
        let (mut media, start) = started(codec, 20);
        let kept = ticks(&mut media, &mut Tone::new(0.0), start, 0..50);
        let sent = headers(&kept);
        assert_eq!(sent.len(), 50);
        for (n, pair) in sent.windows(2).enumerate() {
            assert_eq!(pair[1].sequence.since(pair[0].sequence), 1);
            assert_eq!(pair[1].timestamp.since(pair[0].timestamp), units);
            assert_eq!((pair[0].marker, pair[1].marker), (n == 0, false));
        }
        let sizes = kept.out.iter().filter(|(path, ..)| *path == Path::Rtp).map(|(.., b)| b.len());
        assert!(bytes == 0 || sizes.into_iter().all(|size| size == bytes + 12), "{codec:?}");
        assert!(kept.out.iter().all(|(_, to, _)| to.ip() == address(A).ip()));
    }
}

#[test]
fn on_hold_nothing_goes_and_time_counts_on() {
    let (mut media, start) = started(Codec::Pcmu, 20);
    let mut tone = Tone::new(400.0);
    let before = headers(&ticks(&mut media, &mut tone, start, 0..10));
    media.apply(start, &Plan { sends: false, receives: false, ..plan(Codec::Pcmu, 20, A) });
    let asked = tone.asked;
    let held = ticks(&mut media, &mut tone, start, 10..2_000);
    assert!(headers(&held).is_empty());
    assert!(held.out.iter().all(|(path, ..)| *path == Path::Rtcp), "reports go on");
    assert_eq!(tone.asked, asked, "what is to be said waits");
    assert!(!held.events.contains(&MediaEvent::MediaTimeout));
    media.apply(start + TICK * 2_000, &plan(Codec::Pcmu, 20, A));
    let after = headers(&ticks(&mut media, &mut tone, start, 2_000..2_010));
    assert_eq!(after[0].sequence.since(before[9].sequence), 1);
    assert_eq!(after[0].timestamp.since(before[9].timestamp), 160 * 1_991);
    assert_eq!((after[0].marker, after[1].marker), (true, false));
    assert_eq!(after[0].ssrc, before[0].ssrc);
}

#[test]
fn another_codec_in_the_middle_of_a_call_keeps_the_stream() {
    let mut line = Line::new(Codec::Pcmu, 20, CALM);
    line.run(seconds(1));
    let changes = [(Codec::Opus, 60), (Codec::G722, 30), (Codec::Pcma, 20), (Codec::Opus, 20)];
    for (codec, ptime_ms) in changes {
        let now = line.now;
        line.ends[0].media.apply(now, &plan(codec, ptime_ms, B));
        line.ends[1].media.apply(now, &plan(codec, ptime_ms, A));
        line.run(seconds(1));
        line.forget();
        line.run(seconds(3));
        for end in [0, 1] {
            assert!(line.heard_tone(end) > 0.99, "{codec:?} {}", line.heard_tone(end));
            let report = line.ends[end].media.report();
            assert_eq!((report.lost, report.malformed, report.foreign), (0, 0, 0), "{codec:?}");
        }
        assert!(!line.ends[0].kept.events.contains(&MediaEvent::SsrcChanged));
    }
}

#[test]
fn digits_go_through_a_lossy_network_and_speech_waits_for_them() {
    for (codec, ptime_ms) in [(Codec::Pcmu, 20), (Codec::Opus, 60)] {
        let mut line = Line::new(codec, ptime_ms, Network { lost_per_mille: 100, ..CALM });
        line.run(seconds(1));
        let dialled = "0123456789*#ABCD0055";
        for digit in dialled.chars() {
            assert!(line.ends[0].media.press(digit, Duration::from_millis(100)));
        }
        assert!(!line.ends[0].media.press('x', Duration::from_millis(100)));
        let asked = line.ends[0].tone.asked;
        line.run(seconds(4));
        assert!(line.ends[0].tone.asked < asked + 20);
        line.run(seconds(1));
        assert!(line.ends[0].tone.asked > asked + 20);
        let told = line.ends[1].kept.events.iter().filter_map(|event| match event {
            MediaEvent::Digit { digit, duration } => Some((*digit, duration.as_millis())),
            _ => None,
        });
        let told: Vec<_> = told.collect();
        assert_eq!(told.iter().map(|(digit, _)| *digit).collect::<String>(), dialled);
        assert!(told.iter().all(|(_, ms)| (20..=100).contains(ms)), "{told:?}");
        let done = line.ends[0].kept.events.iter().filter(|&&e| e == MediaEvent::DigitsSent);
        assert_eq!(done.count(), 1);
    }
}

#[test]
fn digits_need_a_peer_that_takes_them() {
    let start = Instant::now();
    let mut media = Media::new(SETTINGS, Entropy::new([4; 32]));
    assert!(!media.press('1', TICK), "no call");
    media.start(start, &Plan { dtmf: None, ..plan(Codec::Pcmu, 20, A) });
    assert!(!media.press('1', TICK));
}

fn packet(ssrc: u32, sequence: u16, payload_type: u8, sample: u8) -> Vec<u8> {
    let header = Header {
        marker: false,
        payload_type,
        // Each stream has its own numbers; a later stream's are behind those of the one before.
        sequence: Sequence(sequence.wrapping_sub(ssrc as u16 * 1_000)),
        timestamp: RtpTime(u32::from(sequence) * 160),
        ssrc,
    };
    let mut bytes = header.to_bytes().to_vec();
    bytes.extend_from_slice(&[sample; 160]);
    bytes
}

/// Gives `media` a packet of the source (address, SSRC, sample) before each tick.
fn feed(
    media: &mut Media,
    kept: &mut Kept,
    start: Instant,
    range: std::ops::Range<u16>,
    (source, ssrc, sample): (&str, u32, u8),
) {
    for n in range {
        let now = start + TICK * u32::from(n);
        let bytes = packet(ssrc, n, 0, sample);
        let datagram =
            Datagram { path: Path::Rtp, from: address(source), arrived: now, bytes: &bytes };
        media.handle_datagram(datagram, kept);
        media.tick(Moment { now, ntp: 0 }, &mut Tone::new(0.0), kept);
    }
}

const LOUD: u8 = 0x00;

fn is_loud(heard: &HeardFrame) -> bool {
    heard.frame.level_dbfs() > -20.0
}

#[test]
fn a_stranger_is_neither_heard_nor_answered() {
    let (mut media, start) = started(Codec::Pcmu, 20);
    let mut kept = Kept::default();
    feed(&mut media, &mut kept, start, 0..10, (A, 7, 0xFF));
    feed(&mut media, &mut kept, start, 10..60, ("203.0.113.66:9", 7, LOUD));
    assert!(!kept.heard.iter().any(is_loud));
    assert!(kept.out.iter().all(|(_, to, _)| to.ip() == address(A).ip()));
    let report = media.report();
    assert_eq!((report.foreign, report.received), (50, 10));
    assert!(!kept.events.contains(&MediaEvent::RemoteLearnt));
}

#[test]
fn a_peer_behind_a_nat_is_learnt_and_only_a_new_description_moves_it() {
    let nat = "198.51.100.7:61000";
    let (mut media, start) = started(Codec::Pcmu, 20);
    let mut kept = Kept::default();
    feed(&mut media, &mut kept, start, 0..30, (nat, 7, LOUD));
    assert_eq!(kept.events.iter().filter(|&&e| e == MediaEvent::RemoteLearnt).count(), 1);
    assert!(kept.heard.iter().any(is_loud));
    assert_eq!(kept.out.last().unwrap().1, address(nat));
    let elsewhere = "192.0.2.200:7000";
    media.apply(start, &plan(Codec::Pcmu, 20, A));
    feed(&mut media, &mut kept, start, 30..31, (nat, 7, LOUD));
    assert_eq!(kept.out.last().unwrap().1, address(nat), "the same description changes nothing");
    media.apply(start, &plan(Codec::Pcmu, 20, "0.0.0.0:4000"));
    feed(&mut media, &mut kept, start, 31..32, (nat, 7, LOUD));
    assert_eq!(kept.out.last().unwrap().1, address(nat), "nor does hold of the old kind");
    media.apply(start, &plan(Codec::Pcmu, 20, elsewhere));
    kept = Kept::default();
    feed(&mut media, &mut kept, start, 32..34, (elsewhere, 7, LOUD));
    assert!(kept.out.iter().all(|(_, to, _)| *to == address(elsewhere)));
}

#[test]
fn a_new_stream_takes_over_with_its_second_packet() {
    let (mut media, start) = started(Codec::Pcmu, 20);
    let mut kept = Kept::default();
    feed(&mut media, &mut kept, start, 0..20, (A, 7, 0xFF));
    feed(&mut media, &mut kept, start, 20..40, (A, 8, LOUD));
    assert_eq!(kept.events.iter().filter(|&&e| e == MediaEvent::SsrcChanged).count(), 1);
    assert!(kept.heard.iter().skip(26).all(is_loud));
}

#[test]
fn a_peer_that_falls_silent_is_told_once_and_reports_keep_it() {
    let (mut media, start) = started(Codec::Pcmu, 20);
    let mut kept = Kept::default();
    feed(&mut media, &mut kept, start, 0..10, (A, 7, 0xFF));
    assert_eq!(kept.events, [MediaEvent::FirstPacket { at: start }]);
    let mut peer = rtcp::Rtcp::new(Entropy::new([1; 32]));
    peer.start(start, 7);
    let from = SocketAddr::new(address(A).ip(), 4_001);
    for n in 10..4_000_u32 {
        let now = start + TICK * n;
        if peer.is_due(now) && n < 2_000 {
            let report = peer.report(now, None, None);
            let datagram =
                Datagram { path: Path::Rtcp, from, arrived: now, bytes: report.as_bytes() };
            media.handle_datagram(datagram, &mut kept);
        }
        media.tick(Moment { now, ntp: 0 }, &mut Tone::new(0.0), &mut kept);
        let told = kept.events.contains(&MediaEvent::MediaTimeout);
        assert!(!told || n >= 2_000 + 1_500 - 400, "tick {n}");
    }
    assert_eq!(kept.events.iter().filter(|&&e| e == MediaEvent::MediaTimeout).count(), 1);
}

#[test]
fn the_end_of_a_call_is_said_and_heard() {
    let mut line = Line::new(Codec::Pcmu, 20, CALM);
    line.run(seconds(1));
    let moment = line.moment();
    let End { media, kept, .. } = &mut line.ends[0];
    media.stop(moment, kept);
    line.send(0);
    line.run(seconds(1));
    assert!(line.ends[1].kept.events.contains(&MediaEvent::PeerLeft));
    let received = line.ends[0].media.report().received;
    assert!(received > 40, "the report outlives the call");
    let before = line.ends[0].kept.heard.len();
    line.run(seconds(1));
    assert_eq!(line.ends[0].kept.heard.len(), before, "no frames without a call");
}

#[test]
fn the_place_is_new_for_the_next_call() {
    let (mut media, start) = started(Codec::Pcmu, 20);
    let mut kept = Kept::default();
    feed(&mut media, &mut kept, start, 0..30, (A, 7, LOUD));
    let ssrc = headers(&kept)[0].ssrc;
    media.stop(Moment { now: start, ntp: 0 }, &mut kept);
    media.start(start, &plan(Codec::G722, 20, B));
    assert_eq!(media.report(), Report::default());
    let kept = ticks(&mut media, &mut Tone::new(0.0), start, 0..10);
    assert!(!kept.heard.iter().any(is_loud), "nothing of the last call is heard");
    assert_ne!(headers(&kept)[0].ssrc, ssrc);
    assert!(kept.out.iter().all(|(_, to, _)| to.ip() == address(B).ip()));
}

/// Silence for some frames, then sound.
struct LateSpeaker(u32);

impl Playout for LateSpeaker {
    fn next(&mut self, out: &mut Frame) -> Played {
        self.0 = self.0.saturating_sub(1);
        if self.0 == 0 {
            *out = Frame([4_000; FRAME_SAMPLES]);
        }
        Played::Voice(UtteranceId(3))
    }
}

#[test]
fn an_utterance_is_audible_when_the_packet_with_its_first_sound_leaves() {
    for (ptime_ms, tick) in [(20, 7), (60, 8)] {
        let (mut media, start) = started(Codec::Pcmu, ptime_ms);
        let mut kept = Kept::default();
        let mut speaker = LateSpeaker(8);
        for n in 0..40 {
            media.tick(Moment { now: start + TICK * n, ntp: 0 }, &mut speaker, &mut kept);
        }
        let at = start + TICK * tick;
        let audible =
            MediaEvent::UtteranceAudible { utterance: UtteranceId(3), at, peer_spoke: None };
        assert_eq!(kept.events, [audible], "{ptime_ms} ms");
    }
}

#[test]
fn a_peer_without_an_address_is_awaited() {
    let start = Instant::now();
    let mut media = Media::new(SETTINGS, Entropy::new([4; 32]));
    media.start(start, &plan(Codec::Pcmu, 20, "0.0.0.0:9"));
    let mut kept = Kept::default();
    feed(&mut media, &mut kept, start, 0..2, (A, 7, LOUD));
    assert!(kept.out.is_empty());
    feed(&mut media, &mut kept, start, 2..5, (A, 7, LOUD));
    assert_eq!(kept.out[0].1, address(A));
}

#[test]
fn random_datagrams_are_survived() {
    let (mut media, start) = started(Codec::Opus, 20);
    let mut entropy = Entropy::new([6; 32]);
    let mut kept = Kept::default();
    let types = [0, 8, 9, 13, 101, 111, 200, 201];
    for n in 0..200_000_u32 {
        let now = start + Duration::from_micros(u64::from(n) * 700);
        let shape = entropy.next_u64();
        let length = (shape % 1_500).min(shape >> 20 & 0xFF) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| entropy.next_u16() as u8).collect();
        if shape >> 32 & 3 != 0 {
            // Near enough to the real thing to come through the first checks.
            let mut head = packet(7, (n / 3) as u16, types[(shape >> 40 & 7) as usize], 0);
            head.truncate(12);
            head[0] ^= if shape >> 44 & 7 == 0 { (shape >> 48) as u8 & 0x3F } else { 0 };
            head.append(&mut bytes);
            bytes = head;
        }
        let path = if shape >> 60 & 1 == 0 { Path::Rtp } else { Path::Rtcp };
        let datagram = Datagram { path, from: address(A), arrived: now, bytes: &bytes };
        media.handle_datagram(datagram, &mut kept);
        if n % 28 == 0 {
            media.tick(Moment { now, ntp: 0 }, &mut Tone::new(400.0), &mut kept);
            kept.out.clear();
        }
    }
    assert!(media.report().received > 100_000, "{:?}", media.report());
    let digits = kept.events.iter().filter(|e| matches!(e, MediaEvent::Digit { .. })).count();
    assert!(digits <= (limits::DTMF_PER_SECOND * 141) as usize, "{digits}");
}

#[test]
fn addresses_and_digits_do_not_print() {
    let (mut media, start) = started(Codec::Pcmu, 20);
    let mut kept = Kept::default();
    feed(&mut media, &mut kept, start, 0..5, (A, 7, LOUD));
    let digit = MediaEvent::Digit { digit: '9', duration: Duration::from_millis(80) };
    let printed = format!("{media:?} {:?}", media.rx.latch());
    assert!(!printed.contains("192.0.2"), "{printed}");
    assert_eq!(format!("{digit:?}"), "Digit(80ms)");
}

/// Presses 4 and 7 as tones.
struct Tones {
    ticks: u32,
}

impl Playout for Tones {
    fn next(&mut self, out: &mut Frame) -> Played {
        self.ticks += 1;
        let (low, high) = match self.ticks {
            50..=54 => (770.0, 1_209.0),
            80..=86 => (852.0, 1_209.0),
            _ => return Played::Nothing,
        };
        for (n, sample) in out.0.iter_mut().enumerate() {
            let at = (self.ticks as usize * FRAME_SAMPLES + n) as f64;
            let wave = |hz: f64| (at * hz * std::f64::consts::TAU / 16_000.0).sin();
            *sample = (5_000.0 * (wave(low) + wave(high))) as i16;
        }
        Played::Voice(UtteranceId(1))
    }
}

#[test]
fn keys_as_sound_count_where_no_events_were_agreed_and_only_there() {
    for has_events in [false, true] {
        let start = Instant::now();
        let [mut ours, mut peer] = [4, 5].map(|n| Media::new(SETTINGS, Entropy::new([n; 32])));
        let agreed = |to| {
            let plan = plan(Codec::Pcmu, 20, to);
            Plan { dtmf: plan.dtmf.filter(|_| has_events), ..plan }
        };
        ours.start(start, &agreed(B));
        peer.start(start, &agreed(A));
        let (mut tones, mut kept) = (Tones { ticks: 0 }, Kept::default());
        for n in 0..150 {
            let at = Moment { now: start + TICK * n, ntp: 1 << 32 };
            let mut sent = Kept::default();
            peer.tick(at, &mut tones, &mut sent);
            for (path, _, bytes) in &sent.out {
                let datagram = Datagram { path: *path, from: address(B), arrived: at.now, bytes };
                ours.handle_datagram(datagram, &mut kept);
            }
            ours.tick(at, &mut Tone::new(0.0), &mut kept);
        }
        let keys: String = kept
            .events
            .iter()
            .filter_map(|event| match event {
                MediaEvent::Digit { digit, .. } => Some(*digit),
                _ => None,
            })
            .collect();
        let begun = kept.events.iter().filter(|event| **event == MediaEvent::DigitBegun).count();
        assert_eq!((keys.as_str(), begun), if has_events { ("", 0) } else { ("47", 2) });
    }
}
