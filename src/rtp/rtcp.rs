//! RTCP: compound reports to the peer and from it (RFC 3550 section 6), and the round trip.
//!
//! The wall clock is given where a sender report needs it; the round trip is measured on the
//! monotonic clock, so that a step of the wall clock cannot spoil it.

use std::time::{Duration, Instant};

use super::sequence::RtpTime;
use crate::base::Entropy;

/// Bytes that one of our compound packets may need: sender report with one block, CNAME, BYE.
pub const COMPOUND_BYTES: usize = 96;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;
const SDES_CNAME: u8 = 1;
/// RFC 7022 section 4.2 wants 96 random bits in a per-call CNAME; that many characters of base 16.
const CNAME_BYTES: usize = 24;
/// RFC 3550 section 6.2: the least mean interval.
const INTERVAL_MS: u64 = 5_000;
/// Our sender reports that a peer may still refer to.
const REMEMBERED_REPORTS: usize = 4;
/// A longer round trip is a peer's miscalculation.
const MAX_RTT: Duration = Duration::from_secs(10);

/// What a receiver tells of one stream (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    pub ssrc: u32,
    /// In 1/256.
    pub fraction_lost: u8,
    /// 24 bits, signed.
    pub cumulative_lost: i32,
    pub highest_sequence: u32,
    /// Timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time in the last sender report; 0 for none.
    pub last_sr: u32,
    /// Since it came, in 1/65536 s.
    pub delay_since_last_sr: u32,
}

/// What a sender tells of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// Seconds since 1900 in the upper half, fraction in the lower.
    pub ntp: u64,
    pub timestamp: RtpTime,
    pub packets: u32,
    pub octets: u32,
}

/// Why a datagram is no RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    #[error("shorter than its header says")]
    Truncated,
    #[error("not RTP version 2")]
    Version,
}

/// What we take from a compound packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// The last sender report in it, and whose it is.
    pub sender: Option<(u32, SenderInfo)>,
    /// What is said about the SSRC that was asked for.
    pub about_us: Option<ReportBlock>,
    /// There is a sender's or a receiver's report in it.
    pub is_report: bool,
    /// The first source that says BYE.
    pub bye: Option<u32>,
}

/// Reads a compound packet for what it says about `ours`. Linear in its length; also takes
/// reduced-size packets (RFC 5506). Unknown packet types are skipped.
pub fn parse(datagram: &[u8], ours: u32) -> Result<Received, RtcpError> {
    let mut received = Received::default();
    let mut rest = datagram;
    loop {
        let (head, after) = rest.split_first_chunk::<4>().ok_or(RtcpError::Truncated)?;
        let [first, packet_type, high, low] = *head;
        if first >> 6 != 2 {
            return Err(RtcpError::Version);
        }
        let length = usize::from(u16::from_be_bytes([high, low])) * 4;
        let (body, following) = after.split_at_checked(length).ok_or(RtcpError::Truncated)?;
        let count = first & 0x1F;
        received.is_report |= matches!(packet_type, SENDER_REPORT | RECEIVER_REPORT);
        match packet_type {
            SENDER_REPORT => read_sender_report(body, count, ours, &mut received)?,
            RECEIVER_REPORT => {
                let (_, blocks) = body.split_first_chunk::<4>().ok_or(RtcpError::Truncated)?;
                read_blocks(blocks, count, ours, &mut received)?;
            }
            BYE if count > 0 && received.bye.is_none() => {
                received.bye = Some(Reader(body).u32()?);
            }
            _ => {}
        }
        if following.is_empty() {
            return Ok(received);
        }
        rest = following;
    }
}

fn read_sender_report(
    body: &[u8],
    count: u8,
    ours: u32,
    received: &mut Received,
) -> Result<(), RtcpError> {
    let mut reader = Reader(body);
    let ssrc = reader.u32()?;
    let ntp = u64::from(reader.u32()?) << 32 | u64::from(reader.u32()?);
    let info = SenderInfo {
        ntp,
        timestamp: RtpTime(reader.u32()?),
        packets: reader.u32()?,
        octets: reader.u32()?,
    };
    received.sender = Some((ssrc, info));
    read_blocks(reader.0, count, ours, received)
}

fn read_blocks(
    bytes: &[u8],
    count: u8,
    ours: u32,
    received: &mut Received,
) -> Result<(), RtcpError> {
    let mut reader = Reader(bytes);
    for _ in 0..count {
        let ssrc = reader.u32()?;
        let loss = reader.u32()?;
        let block = ReportBlock {
            ssrc,
            fraction_lost: (loss >> 24) as u8,
            // Carries the sign of the 24-bit number over.
            cumulative_lost: ((loss << 8) as i32) >> 8,
            highest_sequence: reader.u32()?,
            jitter: reader.u32()?,
            last_sr: reader.u32()?,
            delay_since_last_sr: reader.u32()?,
        };
        if ssrc == ours {
            received.about_us = Some(block);
        }
    }
    Ok(())
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn u32(&mut self) -> Result<u32, RtcpError> {
        let (head, rest) = self.0.split_first_chunk::<4>().ok_or(RtcpError::Truncated)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*head))
    }
}

/// A compound packet of ours.
#[derive(Clone, Copy, Debug)]
pub struct Compound {
    bytes: [u8; COMPOUND_BYTES],
    length: usize,
}

impl Compound {
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    fn empty() -> Self {
        Self { bytes: [0; COMPOUND_BYTES], length: 0 }
    }

    fn put(&mut self, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            place.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    fn put_head(&mut self, count: u8, packet_type: u8, words_after: u16) {
        let [high, low] = words_after.to_be_bytes();
        self.put(&[0x80 | count, packet_type, high, low]);
    }

    fn put_report(&mut self, ssrc: u32, sender: Option<&SenderInfo>, block: Option<&ReportBlock>) {
        let block_words = if block.is_some() { 6 } else { 0 };
        let count = u8::from(block.is_some());
        match sender {
            Some(info) => {
                self.put_head(count, SENDER_REPORT, 6 + block_words);
                self.put_u32(ssrc);
                self.put(&info.ntp.to_be_bytes());
                self.put_u32(info.timestamp.0);
                self.put_u32(info.packets);
                self.put_u32(info.octets);
            }
            None => {
                self.put_head(count, RECEIVER_REPORT, 1 + block_words);
                self.put_u32(ssrc);
            }
        }
        if let Some(block) = block {
            self.put_u32(block.ssrc);
            let lost = (block.cumulative_lost as u32) & 0xFF_FFFF;
            self.put_u32(u32::from(block.fraction_lost) << 24 | lost);
            self.put_u32(block.highest_sequence);
            self.put_u32(block.jitter);
            self.put_u32(block.last_sr);
            self.put_u32(block.delay_since_last_sr);
        }
    }

    fn put_cname(&mut self, ssrc: u32, cname: &[u8; CNAME_BYTES]) {
        // Item head, text, and the zeros that end the chunk on a word: 2 + 24 + 2 bytes.
        self.put_head(1, SOURCE_DESCRIPTION, 8);
        self.put_u32(ssrc);
        self.put(&[SDES_CNAME, CNAME_BYTES as u8]);
        self.put(cname);
        self.put(&[0, 0]);
    }
}

/// The RTCP of one call.
#[derive(Debug)]
pub struct Rtcp {
    entropy: Entropy,
    ssrc: u32,
    cname: [u8; CNAME_BYTES],
    due: Option<Instant>,
    /// Middle bits of the peer's last sender report, and when it came.
    heard: Option<(u32, Instant)>,
    /// Middle bits of our last sender reports, newest first, and when they went.
    said: [Option<(u32, Instant)>; REMEMBERED_REPORTS],
    rtt: Option<Duration>,
    peer_loss: Option<f32>,
    deaf_reports: u32,
}

impl Rtcp {
    pub fn new(entropy: Entropy) -> Self {
        Self {
            entropy,
            ssrc: 0,
            cname: [b'0'; CNAME_BYTES],
            due: None,
            heard: None,
            said: [None; REMEMBERED_REPORTS],
            rtt: None,
            peer_loss: None,
            deaf_reports: 0,
        }
    }

    /// Begins a call under our `ssrc`; the first report is due after half an interval.
    pub fn start(&mut self, now: Instant, ssrc: u32) {
        self.ssrc = ssrc;
        self.heard = None;
        self.said = [None; REMEMBERED_REPORTS];
        self.rtt = None;
        self.peer_loss = None;
        self.deaf_reports = 0;
        self.fill_cname();
        self.due = Some(now + self.interval() / 2);
    }

    /// The round trip of the newest report that allowed to measure it.
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// The share of our packets that the peer lost of late, 0 to 1.
    pub fn peer_loss(&self) -> Option<f32> {
        self.peer_loss
    }

    /// The peer's reports in a row that have counted no packet of ours: none of its blocks is about us, or
    /// all since its last report was lost.
    pub fn deaf_reports(&self) -> u32 {
        self.deaf_reports
    }

    pub fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// The report that is due, and the time of the next. `sender` is ours if we sent sound of
    /// late; `block` is from [`super::reception::Reception::report_block`].
    pub fn report(
        &mut self,
        now: Instant,
        sender: Option<SenderInfo>,
        block: Option<ReportBlock>,
    ) -> Compound {
        self.due = Some(now + self.interval());
        let block = block.map(|block| self.with_echo(now, block));
        if let Some(info) = &sender {
            self.said.rotate_right(1);
            if let Some(newest) = self.said.first_mut() {
                *newest = Some((middle(info.ntp), now));
            }
        }
        let mut compound = Compound::empty();
        compound.put_report(self.ssrc, sender.as_ref(), block.as_ref());
        compound.put_cname(self.ssrc, &self.cname);
        compound
    }

    /// The last report, with BYE; none is due after it.
    pub fn bye(&mut self, now: Instant, sender: Option<SenderInfo>) -> Compound {
        let mut compound = self.report(now, sender, None);
        compound.put_head(1, BYE, 1);
        compound.put_u32(self.ssrc);
        self.due = None;
        compound
    }

    /// Takes a datagram of the peer's.
    pub fn receive(&mut self, arrived: Instant, datagram: &[u8]) -> Result<Received, RtcpError> {
        let received = parse(datagram, self.ssrc)?;
        if let Some((_, info)) = received.sender {
            self.heard = Some((middle(info.ntp), arrived));
        }
        let hears = received.about_us.is_some_and(|block| block.fraction_lost < u8::MAX);
        if hears {
            self.deaf_reports = 0;
        } else if received.is_report {
            self.deaf_reports = self.deaf_reports.saturating_add(1);
        }
        if let Some(block) = received.about_us {
            self.peer_loss = Some(f32::from(block.fraction_lost) / 256.0);
            if let Some(rtt) = self.round_trip(arrived, &block) {
                self.rtt = Some(rtt);
            }
        }
        Ok(received)
    }

    fn round_trip(&self, arrived: Instant, block: &ReportBlock) -> Option<Duration> {
        if block.last_sr == 0 {
            return None;
        }
        let (_, said_at) =
            self.said.iter().flatten().find(|(name, _)| *name == block.last_sr).copied()?;
        let held_us = u64::from(block.delay_since_last_sr) * 1_000_000 / 65_536;
        let there_and_back = arrived.saturating_duration_since(said_at);
        let rtt = there_and_back.saturating_sub(Duration::from_micros(held_us));
        (rtt <= MAX_RTT).then_some(rtt)
    }

    fn with_echo(&self, now: Instant, block: ReportBlock) -> ReportBlock {
        let Some((last_sr, heard_at)) = self.heard else { return block };
        let held_us = now.saturating_duration_since(heard_at).as_micros();
        let delay = u32::try_from(held_us * 65_536 / 1_000_000).unwrap_or(u32::MAX);
        ReportBlock { last_sr, delay_since_last_sr: delay, ..block }
    }

    /// 0.5 to 1.5 intervals (RFC 3550 section 6.3.1), so that peers do not fall into step.
    fn interval(&mut self) -> Duration {
        let spread_ms = u64::from(self.entropy.next_u16()) * INTERVAL_MS / 65_536;
        Duration::from_millis(INTERVAL_MS / 2 + spread_ms)
    }

    fn fill_cname(&mut self) {
        for byte in &mut self.cname {
            let nibble = (self.entropy.next_u32() & 0xF) as u8;
            *byte = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
    }
}

fn middle(ntp: u64) -> u32 {
    ((ntp >> 16) & 0xFFFF_FFFF) as u32
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests {
    use super::*;

    fn info(ntp: u64) -> SenderInfo {
        SenderInfo { ntp, timestamp: RtpTime(16_000), packets: 100, octets: 16_000 }
    }

    fn block(ssrc: u32) -> ReportBlock {
        ReportBlock {
            ssrc,
            fraction_lost: 64,
            cumulative_lost: -3,
            highest_sequence: 0x1_0002,
            jitter: 80,
            ..ReportBlock::default()
        }
    }

    fn rtcp(ssrc: u32, now: Instant) -> Rtcp {
        let mut rtcp = Rtcp::new(Entropy::new([ssrc as u8; 32]));
        rtcp.start(now, ssrc);
        rtcp
    }

    #[test]
    fn two_ends_measure_the_round_trip_and_tell_their_loss() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let (mut a, mut b) = (rtcp(1, start), rtcp(2, start));
        let report = a.report(at(0), Some(info(0xAAAA_1234_5678_BBBB)), None);
        let received = b.receive(at(30), report.as_bytes()).unwrap();
        assert_eq!(received.sender, Some((1, info(0xAAAA_1234_5678_BBBB))));
        let report = b.report(at(1_030), Some(info(5)), Some(block(1)));
        assert_eq!(report.as_bytes().len() % 4, 0);
        let received = a.receive(at(1_070), report.as_bytes()).unwrap();
        let about_us = received.about_us.unwrap();
        assert_eq!((about_us.last_sr, about_us.delay_since_last_sr), (0x1234_5678, 65_536));
        assert_eq!((about_us.cumulative_lost, about_us.jitter), (-3, 80));
        assert_eq!(a.rtt(), Some(Duration::from_millis(70)));
        assert_eq!(a.peer_loss(), Some(0.25));
        assert_eq!(a.deaf_reports(), 0);
        // A report about a sender report that we never sent measures nothing.
        let mut c = rtcp(1, start);
        c.receive(at(1_070), report.as_bytes()).unwrap();
        assert_eq!(c.rtt(), None);
    }

    #[test]
    fn a_peer_that_hears_nothing_says_so() {
        let now = Instant::now();
        let (mut a, mut b) = (rtcp(1, now), rtcp(2, now));
        let none = b.report(now, Some(info(1)), None);
        let all_lost = b.report(now, None, Some(ReportBlock { fraction_lost: 255, ..block(1) }));
        let of_another = b.report(now, None, Some(block(9)));
        let hears = b.report(now, None, Some(block(1)));
        for (report, deaf) in
            [(&none, 1), (&all_lost, 2), (&of_another, 3), (&hears, 0), (&of_another, 1)]
        {
            a.receive(now, report.as_bytes()).unwrap();
            assert_eq!(a.deaf_reports(), deaf);
        }
        // What is no report says nothing.
        a.receive(now, &[0x81, 203, 0, 1, 0, 0, 0, 2]).unwrap();
        assert_eq!(a.deaf_reports(), 1);
    }

    #[test]
    fn reports_come_every_five_seconds_or_so_and_end_with_bye() {
        let start = Instant::now();
        let mut rtcp = rtcp(9, start);
        let (mut now, mut times) = (start, vec![]);
        while times.len() < 1_000 {
            if rtcp.is_due(now) {
                rtcp.report(now, None, None);
                times.push(now);
            }
            now += Duration::from_millis(20);
        }
        let gaps: Vec<_> = times.windows(2).map(|w| (w[1] - w[0]).as_millis()).collect();
        assert!(gaps.iter().all(|gap| (2_500..=7_520).contains(gap)), "{gaps:?}");
        let mean = gaps.iter().sum::<u128>() / gaps.len() as u128;
        assert!((4_800..=5_200).contains(&mean), "{mean}");
        let bye = rtcp.bye(now, Some(info(1)));
        assert_eq!(parse(bye.as_bytes(), 9).unwrap().bye, Some(9));
        assert!(!rtcp.is_due(now + Duration::from_secs(60)));
        let full = rtcp.report(now, Some(info(1)), Some(block(3)));
        assert!(full.as_bytes().len() + 8 <= COMPOUND_BYTES, "room for BYE");
    }

    #[test]
    fn the_cname_is_well_formed_and_differs_from_call_to_call() {
        let now = Instant::now();
        let mut rtcp = rtcp(9, now);
        let first = rtcp.report(now, None, None);
        let bytes = first.as_bytes();
        // Receiver report of 8 bytes, SDES head, SSRC, item.
        assert_eq!(&bytes[..4], &[0x80, 201, 0, 1]);
        assert_eq!(&bytes[8..12], &[0x81, 202, 0, 8]);
        assert_eq!(&bytes[16..18], &[1, 24]);
        assert!(bytes[18..42].iter().all(u8::is_ascii_hexdigit));
        assert_eq!(&bytes[42..], &[0, 0]);
        rtcp.start(now, 9);
        assert_ne!(rtcp.report(now, None, None).as_bytes(), bytes);
    }

    #[test]
    fn lies_about_lengths_and_counts_are_refused() {
        let cases: [(&[u8], RtcpError); 7] = [
            (&[], RtcpError::Truncated),
            (&[0x80, 200, 0], RtcpError::Truncated),
            (&[0x80, 200, 0, 6, 0, 0, 0, 1], RtcpError::Truncated),
            (&[0x81, 201, 0, 1, 0, 0, 0, 1], RtcpError::Truncated),
            (&[0x80, 201, 0, 0], RtcpError::Truncated),
            (&[0x81, 203, 0, 0], RtcpError::Truncated),
            (&[0x40, 201, 0, 1, 0, 0, 0, 1], RtcpError::Version),
        ];
        for (datagram, expected) in cases {
            assert_eq!(parse(datagram, 1), Err(expected), "{datagram:?}");
        }
        // Unknown types and an empty BYE are skipped.
        let odd = [0x80, 207, 0, 1, 1, 2, 3, 4, 0x80, 203, 0, 0];
        assert_eq!(parse(&odd, 1), Ok(Received::default()));
    }
}
