//! The outgoing half of a call's media: 20 ms frames to datagrams to the peer.
//!
//! Packets go out without a break, silence too: a NAT on the way and the peer's jitter buffer want
//! it so. They stop only while the peer holds us; the timestamp counts on.

use std::net::SocketAddr;
use std::time::Duration;

use super::loudness::will_sound;
use super::plan::Plan;
use super::report::MediaEvent;
use super::{Path, Played, Playout, Sink};
use crate::base::address::is_nowhere;
use crate::base::pcm::{FRAME_MS, FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};
use crate::base::{Entropy, UtteranceId};
use crate::codec::{Codec, CodecSet, MAX_PACKET_BYTES, Resampler, packet_ms};
use crate::rtp::packet::{HEADER_BYTES, Header};
use crate::rtp::telephone_event::{EventPacket, Turn};
use crate::rtp::{EventSender, Packetizer, Sender};

const TICK: Duration = Duration::from_millis(FRAME_MS);

/// Sends to one peer.
pub(super) struct Tx {
    sender: Sender,
    packetizer: Packetizer,
    digits: EventSender,
    from_16_khz: Resampler,
    datagram: [u8; HEADER_BYTES + MAX_PACKET_BYTES],
    /// The utterance whose sound was sent last.
    audible: Option<UtteranceId>,
    /// What left in the last tick.
    played: Frame,
    /// An utterance whose first sound waits for its packet to fill.
    beginning: Option<UtteranceId>,
}

impl Tx {
    pub(super) fn new(entropy: &mut Entropy) -> Self {
        Self {
            sender: Sender::new(entropy),
            packetizer: Packetizer::new(1),
            digits: EventSender::new(),
            from_16_khz: Resampler::new(SAMPLE_RATE_HZ, Codec::Pcmu.sample_rate_hz()),
            datagram: [0; HEADER_BYTES + MAX_PACKET_BYTES],
            audible: None,
            played: Frame::SILENCE,
            beginning: None,
        }
    }

    pub(super) fn start(&mut self, plan: &Plan, entropy: &mut Entropy) {
        self.sender = Sender::new(entropy);
        self.packetizer = Packetizer::new(packet_samples(plan));
        self.digits.clear();
        self.from_16_khz.reset();
        self.audible = None;
        self.beginning = None;
    }

    pub(super) fn apply(&mut self, before: &Plan, plan: &Plan, codecs: &mut CodecSet) {
        if before.codec != plan.codec || packet_samples(before) != packet_samples(plan) {
            self.drop_held(before.codec);
            self.packetizer = Packetizer::new(packet_samples(plan));
            self.sender.begin_talkspurt();
        }
        if before.codec != plan.codec {
            codecs.encoder(plan.codec).reset();
            self.from_16_khz.reset();
        }
        configure(plan, codecs);
        if plan.dtmf.is_none() {
            self.digits.clear();
        }
    }

    pub(super) fn sender(&self) -> &Sender {
        &self.sender
    }

    /// What left in the last tick.
    pub(super) fn played(&self) -> &Frame {
        &self.played
    }

    pub(super) fn press(&mut self, digit: char, duration: Duration) -> bool {
        self.digits.press(digit, duration)
    }

    /// Sends what this tick owes.
    pub(super) fn send(
        &mut self,
        plan: &Plan,
        codecs: &mut CodecSet,
        to: SocketAddr,
        playout: &mut impl Playout,
        sink: &mut impl Sink,
    ) -> Option<UtteranceId> {
        let before = std::mem::replace(&mut self.played, Frame::SILENCE);
        let tick_units = plan.codec.clock_rate_hz() / 50;
        if !plan.sends || is_nowhere(to) {
            self.drop_held(plan.codec);
            self.sender.pause(tick_units);
            return None;
        }
        match self.digit_turn(plan, tick_units) {
            Turn::Packet(packet) => {
                self.send_digit(plan, &packet, to, sink);
                self.sender.pause(tick_units);
                None
            }
            Turn::Gap => {
                if !self.digits.is_busy() {
                    sink.event(MediaEvent::DigitsSent);
                }
                self.send_frame(plan, codecs, to, &Frame::SILENCE, sink)
            }
            Turn::Idle => {
                let mut frame = Frame::SILENCE;
                if let Played::Voice(utterance) = playout.next(&mut frame)
                    && self.audible != Some(utterance)
                    && will_sound(plan.codec, &before, &frame)
                {
                    self.audible = Some(utterance);
                    self.beginning = Some(utterance);
                }
                self.played = frame;
                self.send_frame(plan, codecs, to, &frame, sink)
            }
        }
    }

    fn digit_turn(&mut self, plan: &Plan, tick_units: u32) -> Turn {
        if plan.dtmf.is_none() || !self.digits.is_busy() {
            return Turn::Idle;
        }
        // The event begins now, not after sound that waits for its packet to fill.
        self.drop_held(plan.codec);
        self.digits.turn(self.sender.timestamp(), TICK, tick_units * 50)
    }

    fn send_digit(
        &mut self,
        plan: &Plan,
        packet: &EventPacket,
        to: SocketAddr,
        sink: &mut impl Sink,
    ) {
        let Some(dtmf) = plan.dtmf else { return };
        let (payload_type, bytes) = (dtmf.tx_payload_type, packet.payload.len());
        let header = self.sender.event(payload_type, packet.marker, packet.timestamp, bytes);
        let mut datagram = [0; HEADER_BYTES + 4];
        let (head, payload) = datagram.split_at_mut(HEADER_BYTES);
        head.copy_from_slice(&header.to_bytes());
        payload.copy_from_slice(&packet.payload);
        sink.datagram(Path::Rtp, to, &datagram);
    }

    /// Sends the packets that `frame` completes; tells the utterance that is first heard in them.
    fn send_frame(
        &mut self,
        plan: &Plan,
        codecs: &mut CodecSet,
        to: SocketAddr,
        frame: &Frame,
        sink: &mut impl Sink,
    ) -> Option<UtteranceId> {
        let mut narrow = [0; FRAME_SAMPLES];
        if plan.codec.sample_rate_hz() == SAMPLE_RATE_HZ {
            self.packetizer.push(&frame.0);
        } else {
            let count = self.from_16_khz.process(&frame.0, &mut narrow);
            self.packetizer.push(narrow.get(..count).unwrap_or(&[]));
        }
        let mut has_sent = false;
        let Self { sender, packetizer, datagram, .. } = self;
        while packetizer.take(|pcm| {
            let (head, payload) = datagram.split_at_mut(HEADER_BYTES);
            let bytes = codecs.encoder(plan.codec).encode(pcm, payload);
            let units = units(plan.codec, pcm.len());
            if bytes == 0 {
                sender.pause(units);
                return;
            }
            let header: Header = sender.sound(plan.tx_payload_type, units, bytes);
            head.copy_from_slice(&header.to_bytes());
            if let Some(whole) = datagram.get(..HEADER_BYTES + bytes) {
                sink.datagram(Path::Rtp, to, whole);
                has_sent = true;
            }
        }) {}
        if has_sent { self.beginning.take() } else { None }
    }

    /// Sound that waits for its packet to fill is not sent; its time passes.
    fn drop_held(&mut self, codec: Codec) {
        let samples = self.packetizer.clear();
        if samples > 0 {
            self.sender.pause(units(codec, samples));
        }
        if self.beginning.take().is_some() {
            self.audible = None;
        }
    }
}

/// Gives the encoder the peer's wishes. RT safe.
pub(super) fn configure(plan: &Plan, codecs: &mut CodecSet) {
    // Every value is clamped to what libopus takes; an encoder that refuses keeps its defaults.
    let _ = codecs.encoder(plan.codec).configure(plan.encoder);
}

fn packet_samples(plan: &Plan) -> usize {
    let ms = packet_ms(plan.codec, u64::from(plan.ptime_ms));
    let samples = ms * u64::from(plan.codec.sample_rate_hz()) / 1_000;
    usize::try_from(samples).unwrap_or(1)
}

/// Timestamp units of so many samples.
fn units(codec: Codec, samples: usize) -> u32 {
    let samples = u32::try_from(samples).unwrap_or(0);
    samples * (codec.clock_rate_hz() / 1_000) / (codec.sample_rate_hz() / 1_000)
}
