//! What RFC 3550 wants known of a received stream: which SSRC it is, its extended sequence
//! numbers, loss and jitter (appendices A.1, A.3, A.8).
//!
//! A stream is taken from its first packet on. Another SSRC, or a leap in the sequence, replaces it
//! when two packets in a row agree: a single stray or forged packet does not.

use std::time::Instant;

use super::packet::Header;
use super::rtcp::ReportBlock;
use super::sequence::{Extended, RtpTime, Sequence};

/// A leap forward beyond this is a new stream (RFC 3550 A.1, MAX_DROPOUT).
const MAX_LEAP: i16 = 3_000;
/// So is one backward beyond this (RFC 3550 A.1, MAX_MISORDER).
const MAX_MISORDER: i16 = 100;
/// Differences of transit beyond this are leaps of the sender's clock, not jitter.
const MAX_TRANSIT_STEP_S: f64 = 2.0;

/// What a packet is to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The first of all. The number is the packet's extended sequence number, here and below.
    First(i64),
    /// Of the stream that is known.
    Known(i64),
    /// It begins another stream; nothing of the old one counts on.
    NewStream(i64),
    /// A stray, or the first sign of a new stream.
    Ignored,
}

/// One peer's stream, and the sums over all streams of a call.
#[derive(Clone, Debug, Default)]
pub struct Reception {
    current: Option<Current>,
    /// What would make a new stream: its SSRC and next sequence number.
    candidate: Option<(u32, Sequence)>,
    expected_before: u64,
    received_before: u64,
}

#[derive(Clone, Debug)]
struct Current {
    ssrc: u32,
    first: i64,
    highest: Extended<Sequence>,
    received: u64,
    expected_at_report: u64,
    received_at_report: u64,
    transit: Option<Transit>,
    jitter_s: f64,
}

#[derive(Clone, Copy, Debug)]
struct Transit {
    timestamp: RtpTime,
    arrived: Instant,
    clock_hz: u32,
}

impl Current {
    fn new(header: &Header, jitter_s: f64) -> Self {
        let first = i64::from(header.sequence.0);
        Self {
            ssrc: header.ssrc,
            first,
            highest: Extended::new(header.sequence, first),
            received: 1,
            expected_at_report: 0,
            received_at_report: 0,
            transit: None,
            jitter_s,
        }
    }

    fn expected(&self) -> u64 {
        u64::try_from(self.highest.value() - self.first + 1).unwrap_or(0)
    }

    fn lost(&self) -> i64 {
        let to_i64 = |count| i64::try_from(count).unwrap_or(i64::MAX);
        to_i64(self.expected()) - to_i64(self.received)
    }
}

impl Reception {
    /// Takes a packet's header into account.
    pub fn receive(&mut self, header: &Header) -> Admission {
        let Some(current) = &mut self.current else {
            self.current = Some(Current::new(header, 0.0));
            return Admission::First(i64::from(header.sequence.0));
        };
        let leap = header.sequence.since(current.highest_wire());
        if header.ssrc == current.ssrc && (-MAX_MISORDER..MAX_LEAP).contains(&leap) {
            self.candidate = None;
            current.received += 1;
            let value = current.highest.extend(header.sequence);
            if leap > 0 {
                current.highest.follow(header.sequence);
            }
            current.first = current.first.min(value);
            return Admission::Known(value);
        }
        if self.candidate != Some((header.ssrc, header.sequence)) {
            self.candidate = Some((header.ssrc, header.sequence.next()));
            return Admission::Ignored;
        }
        self.candidate = None;
        self.expected_before += current.expected();
        self.received_before += current.received;
        *current = Current::new(header, current.jitter_s);
        Admission::NewStream(i64::from(header.sequence.0))
    }

    /// Measures the jitter with an admitted packet whose timestamp is the time of its sound, which
    /// excludes telephone-events.
    pub fn measure(&mut self, timestamp: RtpTime, clock_hz: u32, arrived: Instant) {
        let Some(current) = &mut self.current else { return };
        let now = Transit { timestamp, arrived, clock_hz };
        let Some(before) = current.transit.replace(now) else { return };
        if before.clock_hz != clock_hz || clock_hz == 0 {
            return;
        }
        let media_s = f64::from(timestamp.since(before.timestamp)) / f64::from(clock_hz);
        let step_s = (seconds_between(before.arrived, arrived) - media_s).abs();
        if step_s < MAX_TRANSIT_STEP_S {
            current.jitter_s += (step_s - current.jitter_s) / 16.0;
        }
    }

    pub fn ssrc(&self) -> Option<u32> {
        self.current.as_ref().map(|current| current.ssrc)
    }

    /// Packets over all streams.
    pub fn received(&self) -> u64 {
        self.received_before + self.current.as_ref().map_or(0, |current| current.received)
    }

    /// Packets that never came, over all streams, if so many of those received were duplicates;
    /// RFC 3550 lets each duplicate hide a loss.
    pub fn lost(&self, duplicates: u64) -> u64 {
        let expected = self.current.as_ref().map_or(0, Current::expected);
        (self.expected_before + expected + duplicates).saturating_sub(self.received())
    }

    pub fn jitter_ms(&self) -> f32 {
        self.current.as_ref().map_or(0.0, |current| (current.jitter_s * 1_000.0) as f32)
    }

    /// The block of the next report about this stream, without LSR and DLSR, which RTCP knows.
    /// Loss is since the last call (RFC 3550 A.3).
    pub fn report_block(&mut self, clock_hz: u32) -> Option<ReportBlock> {
        let current = self.current.as_mut()?;
        let expected = current.expected();
        let newly_expected = expected.saturating_sub(current.expected_at_report);
        let newly_received = current.received.saturating_sub(current.received_at_report);
        current.expected_at_report = expected;
        current.received_at_report = current.received;
        let newly_lost = newly_expected.saturating_sub(newly_received);
        let fraction_lost = match newly_expected {
            0 => 0,
            _ => u8::try_from((newly_lost << 8) / newly_expected).unwrap_or(u8::MAX),
        };
        let cumulative = current.lost().clamp(-0x80_0000, 0x7F_FFFF);
        Some(ReportBlock {
            ssrc: current.ssrc,
            fraction_lost,
            cumulative_lost: i32::try_from(cumulative).unwrap_or(0),
            highest_sequence: (current.highest.value() & 0xFFFF_FFFF) as u32,
            jitter: (current.jitter_s * f64::from(clock_hz)).round() as u32,
            last_sr: 0,
            delay_since_last_sr: 0,
        })
    }
}

impl Current {
    fn highest_wire(&self) -> Sequence {
        Sequence((self.highest.value() & 0xFFFF) as u16)
    }
}

/// Negative when `to` is before `from`, as with two sockets read in turn.
fn seconds_between(from: Instant, to: Instant) -> f64 {
    match to.checked_duration_since(from) {
        Some(later) => later.as_secs_f64(),
        None => -from.duration_since(to).as_secs_f64(),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests {
    use super::*;
    use std::time::Duration;

    fn header(ssrc: u32, sequence: u16) -> Header {
        Header {
            marker: false,
            payload_type: 0,
            sequence: Sequence(sequence),
            timestamp: RtpTime(u32::from(sequence) * 160),
            ssrc,
        }
    }

    #[test]
    fn streams_follow_each_other_only_when_two_packets_agree() {
        let mut reception = Reception::default();
        let cases = [
            (1, 65_534, Admission::First(65_534)),
            (1, 65_535, Admission::Known(65_535)),
            (1, 1, Admission::Known(65_537)),
            (1, 0, Admission::Known(65_536)),
            (2, 500, Admission::Ignored),
            (1, 2, Admission::Known(65_538)),
            (2, 501, Admission::Ignored),
            (2, 502, Admission::NewStream(502)),
            (2, 503, Admission::Known(503)),
            (2, 40_000, Admission::Ignored),
            (2, 504, Admission::Known(504)),
            (2, 40_000, Admission::Ignored),
            (2, 40_001, Admission::NewStream(40_001)),
            (2, 42_000, Admission::Known(42_000)),
        ];
        for (index, (ssrc, sequence, expected)) in cases.into_iter().enumerate() {
            assert_eq!(reception.receive(&header(ssrc, sequence)), expected, "packet {index}");
        }
        assert_eq!(reception.received(), 5 + 3 + 2);
        assert_eq!((reception.lost(0), reception.lost(2)), (1_998, 2_000));
    }

    #[test]
    fn a_report_block_tells_the_loss_since_the_one_before() {
        let mut reception = Reception::default();
        assert_eq!(reception.report_block(8_000), None);
        for sequence in (0..100).filter(|n| n % 4 != 1) {
            reception.receive(&header(7, sequence));
        }
        let block = reception.report_block(8_000).unwrap();
        assert_eq!((block.ssrc, block.fraction_lost, block.cumulative_lost), (7, 64, 25));
        assert_eq!(block.highest_sequence, 99);
        for sequence in 100..200 {
            reception.receive(&header(7, sequence));
        }
        let block = reception.report_block(8_000).unwrap();
        assert_eq!((block.fraction_lost, block.cumulative_lost), (0, 25));
        for _ in 0..30 {
            reception.receive(&header(7, 199));
        }
        assert_eq!(reception.report_block(8_000).unwrap().cumulative_lost, -5);
        assert_eq!((reception.lost(0), reception.lost(30)), (0, 25));
    }

    #[test]
    fn jitter_settles_at_the_mean_step_of_transit() {
        let start = Instant::now();
        let mut reception = Reception::default();
        for n in 0..500_u16 {
            let late_ms = if n % 2 == 0 { 0 } else { 10 };
            let arrived = start + Duration::from_millis(u64::from(n) * 20 + late_ms);
            reception.receive(&header(1, n));
            reception.measure(RtpTime(u32::from(n) * 160), 8_000, arrived);
        }
        assert!((reception.jitter_ms() - 10.0).abs() < 0.1, "{}", reception.jitter_ms());
        // A leap of the sender's clock is not jitter.
        let arrived = start + Duration::from_secs(10);
        reception.measure(RtpTime(3_000_000_000), 8_000, arrived);
        assert!((reception.jitter_ms() - 10.0).abs() < 0.1, "{}", reception.jitter_ms());
        assert_eq!(reception.report_block(8_000).unwrap().jitter, 80);
    }
}
