//! What comes on a media port, and files of sound.

use std::time::Duration;

use super::{Script, beginning};
use crate::base::{Entropy, SrtpKey, SrtpSuite, limits};
use crate::rtp::jitter::{Arrival, Due, JitterBuffer, Kind};
use crate::rtp::packet::{self, Header, Packet};
use crate::rtp::srtp::{Protector, TRAILER_BYTES, Unprotector};
use crate::rtp::{EventReceiver, Reception, Rtcp, RtpTime, Sequence, rtcp as control};
use crate::store::wav as file;

/// Datagrams one after another, as the audio thread takes them in.
pub fn rtp(bytes: &[u8]) {
    let mut script = Script(bytes);
    let (mut reception, mut events) = (Reception::default(), EventReceiver::new(8_000));
    let mut now = beginning();
    while !script.is_over() {
        now += Duration::from_millis(script.byte().into());
        let datagram = script.piece();
        let _ = packet::protocol(datagram);
        let Ok(packet) = Packet::parse(datagram) else { continue };
        assert!(packet.payload.len() + packet::HEADER_BYTES <= datagram.len());
        let _ = reception.receive(&packet.header);
        reception.measure(packet.header.timestamp, 8_000, now);
        events.receive(&packet.header, packet.payload, now);
        let _ = (events.poll_begun(), events.poll(now));
        assert!(reception.received() > 0);
    }
}

pub fn rtcp(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut rtcp = Rtcp::new(Entropy::new([2; 32]));
    let mut now = beginning();
    rtcp.start(now, 0x0102_0304);
    while !script.is_over() {
        now += Duration::from_millis(script.u16().into());
        let datagram = script.piece();
        let read = rtcp.receive(now, datagram);
        assert_eq!(read.is_ok(), control::parse(datagram, 0x0102_0304).is_ok());
        if rtcp.is_due(now) {
            let ours = rtcp.report(now, None, None);
            assert!(control::parse(ours.as_bytes(), 1).is_ok(), "our report is none");
        }
        assert!(rtcp.peer_loss().is_none_or(|loss| (0.0..=1.0).contains(&loss)));
    }
}

/// Nothing is taken but what was protected, each of it once.
pub fn srtp(bytes: &[u8]) {
    let mut script = Script(bytes);
    let suite = SrtpSuite::ALL[usize::from(script.byte()) % SrtpSuite::ALL.len()];
    let key = SrtpKey::random(suite, &mut Entropy::new([5; 32]));
    let (mut protector, mut unprotector) =
        (Protector::new(suite, &key), Unprotector::new(suite, &key));
    let mut taken: Vec<Vec<u8>> = Vec::new();
    let mut made: Vec<Vec<u8>> = Vec::new();
    let mut sequence = Sequence(script.u16());
    let mut steps = 0;
    while !script.is_over() && steps < 64 {
        steps += 1;
        let wish = script.byte();
        let datagram = match wish % 4 {
            0 => {
                sequence = sequence.next();
                protected(&mut protector, sequence, script.take(160))
            }
            1 => made
                .get(usize::from(script.byte()) % made.len().max(1))
                .cloned()
                .unwrap_or_default(),
            2 => {
                let chosen = made.get(usize::from(script.byte()) % made.len().max(1));
                let mut changed = chosen.cloned().unwrap_or_default();
                let at = usize::from(script.u16()) % changed.len().max(1);
                let by = script.byte();
                changed.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= by);
                changed
            }
            _ => script.piece().to_vec(),
        };
        if wish % 4 == 0 {
            made.push(datagram.clone());
        }
        let mut opened = datagram.clone();
        if unprotector.unprotect_rtp(&mut opened).is_ok() {
            assert!(made.contains(&datagram), "what was not protected is taken");
            assert!(!taken.contains(&datagram), "a packet is taken twice");
            taken.push(datagram);
        } else {
            assert!(opened == datagram, "what is refused is changed");
            let _ = unprotector.unprotect_rtcp(&mut opened);
        }
    }
}

fn protected(protector: &mut Protector, sequence: Sequence, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        marker: false,
        payload_type: 0,
        sequence,
        timestamp: RtpTime(u32::from(sequence.0) * 160),
        ssrc: 7,
    };
    let mut buffer = [header.to_bytes().as_slice(), payload].concat();
    let length = buffer.len();
    buffer.resize(length + TRAILER_BYTES, 0);
    let length = protector.protect_rtp(&mut buffer, length).unwrap_or_default();
    buffer.truncate(length);
    buffer
}

/// Packets in any order and at any time: what is played came, and never goes back.
pub fn jitter(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut buffer = JitterBuffer::new();
    let mut now = beginning();
    let mut base = 0_i64;
    while !script.is_over() {
        match script.byte() % 8 {
            0..=3 => {
                let step = i64::from(script.byte().cast_signed());
                base = (base + step).max(0);
                let kind = match script.byte() % 8 {
                    0 => Kind::ComfortNoise,
                    1 => Kind::Event,
                    _ => Kind::Sound,
                };
                let units = if kind == Kind::Sound { 160 } else { 0 };
                let timestamp = RtpTime(script.u32());
                let payload = script.take(8);
                let arrival = Arrival {
                    sequence: base,
                    timestamp,
                    payload_type: 0,
                    kind,
                    units,
                    payload,
                    arrived: now,
                };
                buffer.insert(&arrival);
            }
            4 => now += Duration::from_millis(script.byte().into()),
            5 => {
                let correction = i64::from(script.u16());
                buffer.corrected(correction - 32_768);
                let _ = buffer.correction();
            }
            _ => {
                now += Duration::from_millis(20);
                if let Due::Packet(played) = buffer.poll(now) {
                    assert!(
                        played.payload.len() <= limits::RTP_DATAGRAM_BYTES && played.arrived <= now
                    );
                }
            }
        }
        assert!(buffer.delay_ms().is_finite() && buffer.target_ms().is_finite());
    }
}

pub fn wav(bytes: &[u8]) {
    if let Ok(sound) = file::read(bytes) {
        assert!(sound.samples.len() <= bytes.len());
    }
}
