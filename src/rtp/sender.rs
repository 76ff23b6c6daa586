//! What we send: sequence numbers, timestamps and markers of one stream, and packets of the
//! agreed length (RFC 3550 section 5.1, RFC 3551 section 4.1).
//!
//! Invariant: the timestamp counts every sample that passed, sent or not; each packet takes the
//! next sequence number; a packet after a break carries the marker.

use super::packet::Header;
use super::rtcp::SenderInfo;
use super::sequence::{RtpTime, Sequence};
use crate::base::Entropy;

/// The numbers of one stream of ours, sound and telephone-events together.
#[derive(Clone, Debug)]
pub struct Sender {
    ssrc: u32,
    sequence: Sequence,
    timestamp: RtpTime,
    starts_talkspurt: bool,
    packets: u64,
    octets: u64,
}

impl Sender {
    /// A stream with random SSRC, sequence number and timestamp (RFC 3550 section 5.1).
    pub fn new(entropy: &mut Entropy) -> Self {
        Self {
            ssrc: entropy.next_u32(),
            // Below 2^15, so that an SRTP receiver who misses the first packets cannot take the counter of
            // the rollovers for another (RFC 3711 section 3.3.1).
            sequence: Sequence(entropy.next_u16() >> 1),
            timestamp: RtpTime(entropy.next_u32()),
            starts_talkspurt: true,
            packets: 0,
            octets: 0,
        }
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The timestamp of the next sample.
    pub fn timestamp(&self) -> RtpTime {
        self.timestamp
    }

    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// The header of a packet with `units` of sound in `bytes` of payload.
    pub fn sound(&mut self, payload_type: u8, units: u32, bytes: usize) -> Header {
        let marker = std::mem::take(&mut self.starts_talkspurt);
        let header = self.header(payload_type, marker, self.timestamp, bytes);
        self.timestamp = self.timestamp.plus(units);
        header
    }

    /// The header of a telephone-event, which has the timestamp of the event's start. Time is
    /// told to pass by [`Sender::pause`].
    pub fn event(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: RtpTime,
        bytes: usize,
    ) -> Header {
        self.header(payload_type, marker, timestamp, bytes)
    }

    /// Time passes without a packet of sound: the next one begins a talkspurt.
    pub fn pause(&mut self, units: u32) {
        self.timestamp = self.timestamp.plus(units);
        self.starts_talkspurt = true;
    }

    /// The next packet is heard after a break or in another codec.
    pub fn begin_talkspurt(&mut self) {
        self.starts_talkspurt = true;
    }

    /// For a sender report at `ntp`.
    pub fn info(&self, ntp: u64) -> SenderInfo {
        SenderInfo {
            ntp,
            timestamp: self.timestamp,
            // 32-bit counters that wrap, as RFC 3550 has them.
            packets: (self.packets & 0xFFFF_FFFF) as u32,
            octets: (self.octets & 0xFFFF_FFFF) as u32,
        }
    }

    fn header(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: RtpTime,
        bytes: usize,
    ) -> Header {
        let sequence = self.sequence;
        self.sequence = sequence.next();
        self.packets += 1;
        self.octets += bytes as u64;
        Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc }
    }
}

/// Samples in a packet of 60 ms and in the tick that may be waiting beside it, at 16 kHz.
const HELD_SAMPLES: usize = 960 + 320;

/// Cuts sound that comes tick by tick into packets. A packet leaves when its last sample is there,
/// so that no tick owes more than it was given.
#[derive(Clone, Debug)]
pub struct Packetizer {
    held: [i16; HELD_SAMPLES],
    count: usize,
    packet_samples: usize,
}

impl Packetizer {
    /// `packet_samples` is at most 960 and is taken so.
    pub fn new(packet_samples: usize) -> Self {
        Self { held: [0; HELD_SAMPLES], count: 0, packet_samples: packet_samples.clamp(1, 960) }
    }

    /// Adds a tick's sound, at most 20 ms; what does not fit is dropped, which cannot be if packets
    /// are taken after each tick.
    pub fn push(&mut self, samples: &[i16]) {
        for &sample in samples {
            if let Some(place) = self.held.get_mut(self.count) {
                *place = sample;
                self.count += 1;
            }
        }
    }

    /// Gives the next whole packet to `use_packet`; false if there is none.
    pub fn take(&mut self, use_packet: impl FnOnce(&[i16])) -> bool {
        if self.count < self.packet_samples {
            return false;
        }
        let Some(packet) = self.held.get(..self.packet_samples) else { return false };
        use_packet(packet);
        self.held.copy_within(self.packet_samples..self.count, 0);
        self.count -= self.packet_samples;
        true
    }

    /// Throws away what is held and returns how many samples that was.
    pub fn clear(&mut self) -> usize {
        std::mem::take(&mut self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_run_on_over_pauses_and_events() {
        let mut sender = Sender::new(&mut Entropy::new([1; 32]));
        sender.sequence = Sequence(65_535);
        sender.timestamp = RtpTime(u32::MAX - 159);
        let mut seen = vec![];
        let mut note =
            |h: Header| seen.push((h.marker, h.payload_type, h.sequence.0, h.timestamp.0));
        note(sender.sound(0, 160, 160));
        note(sender.sound(0, 160, 160));
        sender.pause(320);
        note(sender.sound(0, 160, 160));
        let start = sender.timestamp();
        note(sender.event(101, true, start, 4));
        sender.pause(160);
        note(sender.event(101, false, start, 4));
        sender.pause(160);
        note(sender.sound(0, 160, 160));
        note(sender.sound(0, 160, 160));
        assert_eq!(
            seen,
            [
                (true, 0, 65_535, u32::MAX - 159),
                (false, 0, 0, 0),
                (true, 0, 1, 480),
                (true, 101, 2, 640),
                (false, 101, 3, 640),
                (true, 0, 4, 960),
                (false, 0, 5, 1_120),
            ]
        );
        let info = sender.info(1);
        assert_eq!((info.packets, info.octets), (7, 5 * 160 + 8));
    }

    #[test]
    fn every_packet_length_comes_out_whole_and_in_order() {
        for (ptime_ms, per_tick) in [
            (10, [2, 2, 2, 2, 2, 2]),
            (20, [1, 1, 1, 1, 1, 1]),
            (30, [0, 1, 1, 0, 1, 1]),
            (40, [0, 1, 0, 1, 0, 1]),
            (50, [0, 0, 1, 0, 1, 0]),
            (60, [0, 0, 1, 0, 0, 1]),
        ] {
            let mut packetizer = Packetizer::new(ptime_ms * 8);
            let (mut next_in, mut next_out) = (0_i16, 0_i16);
            for (tick, expected) in per_tick.into_iter().enumerate() {
                let sound: Vec<i16> = (next_in..next_in + 160).collect();
                next_in += 160;
                packetizer.push(&sound);
                let mut packets = 0;
                while packetizer.take(|packet| {
                    assert_eq!(packet.len(), ptime_ms * 8);
                    for &sample in packet {
                        assert_eq!(sample, next_out);
                        next_out += 1;
                    }
                }) {
                    packets += 1;
                }
                assert_eq!(packets, expected, "{ptime_ms} ms, tick {tick}");
            }
        }
    }
}
