//! The session's telephone: packets to the call's media socket and from it (RFC 3550, RFC 4733).
//!
//! The way is loopback, so packets come in order and whole. Invariant: the timestamp counts each 20 ms that
//! passed, sent or not.

use std::time::{Duration, Instant};

use super::describe::{CODEC, KEYS, SOUND};
use crate::base::Entropy;
use crate::base::pcm::{FRAME_MS, FRAME_SAMPLES, Frame};
use crate::rtp::packet::protocol;
use crate::rtp::telephone_event::Turn;
use crate::rtp::{EventReceiver, EventSender, Header, Packet, Protocol, Sender, Sequence};

/// How long a key is held that the client presses: twice what a receiver must take for one.
const KEY: Duration = Duration::from_millis(100);
const TICK: Duration = Duration::from_millis(FRAME_MS);
/// Of a frame, in timestamp units.
const FRAME_UNITS: u32 = FRAME_SAMPLES as u32;

/// Both directions of one call.
pub struct Line {
    sender: Sender,
    keys: EventSender,
    digits: EventReceiver,
    /// Of the newest packet.
    newest: Option<(u32, Sequence)>,
    /// Sound that does not fill a frame yet: the call's packets may be shorter.
    held: Vec<i16>,
}

impl Line {
    pub fn new(entropy: &mut Entropy) -> Self {
        Self {
            sender: Sender::new(entropy),
            keys: EventSender::new(),
            digits: EventReceiver::new(CODEC.clock_rate_hz()),
            newest: None,
            held: Vec::with_capacity(2 * FRAME_SAMPLES),
        }
    }

    /// 20 ms to the call. While a key is being sent the sound is left out, as telephones do.
    pub fn send(&mut self, frame: &Frame) -> Vec<u8> {
        let turn = self.keys.turn(self.sender.timestamp(), TICK, CODEC.clock_rate_hz());
        match turn {
            Turn::Idle => self.sound(frame),
            Turn::Gap => self.sound(&Frame::SILENCE),
            Turn::Packet(packet) => {
                let payload = packet.payload;
                let (marker, at) = (packet.marker, packet.timestamp);
                let header = self.sender.event(KEYS, marker, at, payload.len());
                self.sender.pause(FRAME_UNITS);
                datagram(&header, payload.into_iter())
            }
        }
    }

    fn sound(&mut self, frame: &Frame) -> Vec<u8> {
        let header = self.sender.sound(SOUND, FRAME_UNITS, 2 * FRAME_SAMPLES);
        datagram(&header, frame.0.iter().flat_map(|sample| sample.to_be_bytes()))
    }

    /// So many frames' time passes without a packet.
    pub fn pause(&mut self, frames: u32) {
        self.sender.pause(frames.saturating_mul(FRAME_UNITS));
    }

    /// False where too many keys wait already.
    pub fn press(&mut self, digit: char) -> bool {
        self.keys.press(digit, KEY)
    }

    /// A datagram of the call's; what is no sound of it is passed over.
    pub fn hear(&mut self, now: Instant, datagram: &[u8], mut take: impl FnMut(Frame)) {
        let is_rtp = protocol(datagram) == Protocol::Rtp;
        let Some(packet) = Packet::parse(datagram).ok().filter(|_| is_rtp) else { return };
        let Header { payload_type, ssrc, sequence, .. } = packet.header;
        if payload_type == KEYS {
            return self.digits.receive(&packet.header, packet.payload, now);
        }
        // What was overtaken is not played after what has overtaken it.
        let is_late =
            |(stream, newest): (u32, Sequence)| stream == ssrc && sequence.since(newest) <= 0;
        if payload_type != SOUND || self.newest.is_some_and(is_late) {
            return;
        }
        self.newest = Some((ssrc, sequence));
        let samples = packet.payload.chunks_exact(2);
        self.held.extend(samples.map(|pair| pair.try_into().map_or(0, i16::from_be_bytes)));
        while let Some((frame, rest)) = self.held.split_first_chunk::<FRAME_SAMPLES>() {
            take(Frame(*frame));
            let rest = rest.len();
            self.held.copy_within(FRAME_SAMPLES.., 0);
            self.held.truncate(rest);
        }
    }

    /// The next key that the call has pressed.
    pub fn poll_digit(&mut self, now: Instant) -> Option<char> {
        self.digits.poll(now).map(|digit| digit.digit)
    }
}

fn datagram(header: &Header, payload: impl Iterator<Item = u8>) -> Vec<u8> {
    header.to_bytes().into_iter().chain(payload).collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests {
    use super::*;

    fn frame(value: i16) -> Frame {
        Frame([value; FRAME_SAMPLES])
    }

    #[test]
    fn two_lines_hear_each_other_and_their_keys() {
        let mut entropy = Entropy::new([5; 32]);
        let (mut a, mut b) = (Line::new(&mut entropy), Line::new(&mut entropy));
        let mut now = Instant::now();
        let (mut heard, mut digits) = (Vec::new(), Vec::new());
        for number in 0..60 {
            if number == 3 {
                assert!("5#".chars().all(|digit| a.press(digit)));
            }
            let sent = a.send(&frame(number));
            now += TICK;
            b.hear(now, &sent, |frame| heard.push(frame.0[0]));
            // Once more, as a network that repeats it: it is no second frame.
            b.hear(now, &sent, |_| panic!("a packet twice"));
            digits.extend(b.poll_digit(now));
        }
        assert_eq!(digits, ['5', '#']);
        assert_eq!(heard[..3], [0, 1, 2]);
        // A key of 100 ms with its end twice more is seven packets, then 60 ms are silent.
        assert_eq!(heard.iter().position(|&value| value > 2), Some(3 + 6));
    }

    #[test]
    fn garbage_is_passed_over() {
        let mut entropy = Entropy::new([6; 32]);
        let mut line = Line::new(&mut entropy);
        let mut other = Line::new(&mut entropy);
        let good = other.send(&frame(1));
        let now = Instant::now();
        let mut none = |_| panic!("no frame");
        for length in 0..good.len() {
            if length != 12 + 2 * FRAME_SAMPLES {
                Line::new(&mut entropy).hear(now, &good[..length], &mut none);
            }
        }
        let mut rtcp = good.clone();
        rtcp[1] = 200;
        line.hear(now, &rtcp, &mut none);
        let mut foreign = good.clone();
        foreign[1] = 0;
        line.hear(now, &foreign, &mut none);
        let mut count = 0;
        line.hear(now, &good, |_| count += 1);
        assert_eq!(count, 1);
    }
}
