//! The incoming half of a call's media: datagrams of the peer to 20 ms frames.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::fade::fade;
use super::plan::Plan;
use super::report::{HeardFrame, MediaEvent, Origin};
use super::stretch::{ENOUGH_TO_SHORTEN, InHand};
use super::{Datagram, Sink};
use crate::base::handshake::Route;
use crate::base::pcm::{FRAME_MS, FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ};
use crate::codec::{Codec, CodecSet, ComfortNoise, MAX_PACKET_SAMPLES, Resampler, rtp_time_in};
use crate::listen::{EchoDetector, KeyTone, Keypad, Ours, Vad, Voices};
use crate::rtp::jitter::{Arrival, Correction, Due, Kind, Played};
use crate::rtp::{Admission, EventReceiver, JitterBuffer, Latch, Packet, Reception, Verdict};

/// RFC 3389's static payload type; it needs no agreement to be understood.
const COMFORT_NOISE_TYPE: u8 = 13;
/// Our own voice that comes back is lowered to this share, -30 dB, so that the recogniser does not
/// read it before or after the caller's words.
const ECHO_GAIN: f32 = 0.03;
/// What is received is silence up to this level: a muted telephone sends zeros or a little noise, and
/// a room is louder.
const SILENT_DBFS: f32 = -66.0;
/// Polls of the jitter buffer in one tick: the shortest step of sound is 2.5 ms.
const POLLS: usize = 16;

/// Receives one peer.
pub(super) struct Rx {
    latch: Latch,
    reception: Reception,
    jitter: JitterBuffer,
    digits: EventReceiver,
    /// Keys as sound, where no events were agreed.
    keypad: Keypad,
    sound: Sound,
    vad: Vad,
    echo: Box<EchoDetector>,
    /// Gain at the end of the last frame.
    gain: f32,
    malformed: u64,
    concealed_samples: u64,
    /// Stretches of concealed sound, and whether the newest goes on.
    gaps: u64,
    is_in_gap: bool,
    sounding_frames: u64,
    peer_spoke: Option<Instant>,
}

/// Payloads to sound.
struct Sound {
    codecs: Heard,
    noise: ComfortNoise,
    in_hand: InHand,
    /// Of the newest sound in hand.
    newest: Source,
    decoded: [i16; MAX_PACKET_SAMPLES],
}

/// What the payloads of this stream are.
struct Heard {
    current: Codec,
    to_16_khz: Resampler,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    origin: Origin,
    arrived: Option<Instant>,
}

impl Source {
    const NOTHING: Self = Self { origin: Origin::Nothing, arrived: None };

    /// Of a frame made from both: received sound counts before made-up sound, and that before none.
    fn with(self, later: Self) -> Self {
        let rank = |origin| match origin {
            Origin::Received => 3,
            Origin::Concealed => 2,
            Origin::Pause => 1,
            Origin::Nothing => 0,
        };
        if rank(later.origin) >= rank(self.origin) { later } else { self }
    }
}

/// What a datagram was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// A packet of the peer's.
    Packet { is_first: bool },
    /// Nobody's, or nothing.
    Nothing,
}

impl Rx {
    pub(super) fn new() -> Self {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        Self {
            latch: Latch::new(nowhere),
            reception: Reception::default(),
            jitter: JitterBuffer::new(),
            digits: EventReceiver::new(8_000),
            keypad: Keypad::default(),
            sound: Sound {
                codecs: Heard {
                    current: Codec::Pcmu,
                    to_16_khz: Resampler::new(Codec::Pcmu.sample_rate_hz(), SAMPLE_RATE_HZ),
                },
                noise: ComfortNoise::new(),
                in_hand: InHand::new(),
                newest: Source::NOTHING,
                decoded: [0; MAX_PACKET_SAMPLES],
            },
            vad: Vad::new(),
            echo: Box::default(),
            gain: 1.0,
            malformed: 0,
            concealed_samples: 0,
            gaps: 0,
            is_in_gap: false,
            sounding_frames: 0,
            peer_spoke: None,
        }
    }

    pub(super) fn start(&mut self, plan: &Plan) {
        self.latch = Latch::new(*plan.remote.reveal());
        if plan.has_ice() {
            self.latch.steer(Route::default());
        }
        self.reception = Reception::default();
        self.jitter.reset();
        self.jitter.restart(plan.codec.clock_rate_hz());
        self.digits = EventReceiver::new(digit_clock_hz(plan));
        self.keypad.reset();
        self.sound.reset(plan.codec);
        self.vad.reset();
        self.echo.reset();
        self.gain = 1.0;
        self.malformed = 0;
        self.concealed_samples = 0;
        self.gaps = 0;
        self.is_in_gap = false;
        self.sounding_frames = 0;
        self.peer_spoke = None;
    }

    pub(super) fn apply(&mut self, before: &Plan, plan: &Plan) {
        let remote = *plan.remote.reveal();
        match (before.has_ice(), plan.has_ice()) {
            // What ICE says comes beside the description.
            (true, true) => {}
            (false, true) => self.latch.steer(Route::default()),
            (true, false) => self.latch = Latch::new(remote),
            // The old way to say hold names no address; the peer stays who it was.
            (false, false) if remote.ip().is_unspecified() => {}
            (false, false) => self.latch.describe(remote),
        }
        if before.dtmf.is_some() != plan.dtmf.is_some() {
            self.keypad.reset();
        }
        if digit_clock_hz(before) != digit_clock_hz(plan) {
            self.digits = EventReceiver::new(digit_clock_hz(plan));
        }
    }

    pub(super) fn latch(&self) -> &Latch {
        &self.latch
    }

    pub(super) fn latch_mut(&mut self) -> &mut Latch {
        &mut self.latch
    }

    pub(super) fn reception(&self) -> &Reception {
        &self.reception
    }

    pub(super) fn reception_mut(&mut self) -> &mut Reception {
        &mut self.reception
    }

    pub(super) fn jitter(&self) -> &JitterBuffer {
        &self.jitter
    }

    pub(super) fn malformed(&self) -> u64 {
        self.malformed
    }

    pub(super) fn count_malformed(&mut self) {
        self.malformed += 1;
    }

    pub(super) fn concealed_ms(&self) -> u64 {
        self.concealed_samples * 1_000 / u64::from(SAMPLE_RATE_HZ)
    }

    pub(super) fn gaps(&self) -> u64 {
        self.gaps
    }

    pub(super) fn sound_ms(&self) -> u64 {
        self.sounding_frames * FRAME_MS
    }

    pub(super) fn peer_spoke(&self) -> Option<Instant> {
        self.peer_spoke
    }

    pub(super) fn handle_rtp(
        &mut self,
        plan: &Plan,
        codecs: &mut CodecSet,
        datagram: Datagram<'_>,
        sink: &mut impl Sink,
    ) -> Taken {
        let parsed = Packet::parse(datagram.bytes).ok();
        let Some((packet, meaning)) = parsed.and_then(|p| Some((p, meaning(plan, &p)?))) else {
            self.malformed += 1;
            return Taken::Nothing;
        };
        match self.latch.receive(datagram.arrived, datagram.from, &packet.header) {
            Verdict::Ignore => return Taken::Nothing,
            Verdict::Accept => {}
            Verdict::Learnt => sink.event(MediaEvent::RemoteLearnt),
        }
        let admission = self.reception.receive(&packet.header);
        let sequence = match admission {
            Admission::Ignored => return Taken::Packet { is_first: false },
            Admission::First(sequence) | Admission::Known(sequence) => sequence,
            Admission::NewStream(sequence) => {
                self.jitter.restart(self.jitter.clock_hz());
                codecs.decoder(self.sound.codecs.current).reset();
                sink.event(MediaEvent::SsrcChanged);
                sequence
            }
        };
        self.insert(&packet, meaning, sequence, datagram.arrived);
        Taken::Packet { is_first: matches!(admission, Admission::First(_)) }
    }

    fn insert(&mut self, packet: &Packet<'_>, meaning: Meaning, sequence: i64, arrived: Instant) {
        let header = &packet.header;
        let (kind, units) = match meaning {
            Meaning::Digit => {
                self.digits.receive(header, packet.payload, arrived);
                (Kind::Event, 0)
            }
            Meaning::ComfortNoise => (Kind::ComfortNoise, 0),
            Meaning::Sound(codec) => {
                let clock_hz = codec.clock_rate_hz();
                if clock_hz != self.jitter.clock_hz() {
                    self.jitter.restart(clock_hz);
                }
                self.reception.measure(header.timestamp, clock_hz, arrived);
                match rtp_time_in(codec, packet.payload) {
                    Some(units) => (Kind::Sound, units),
                    // An empty packet keeps a path open; it still has its place in the sequence.
                    None => (Kind::Event, 0),
                }
            }
        };
        self.jitter.insert(&Arrival {
            sequence,
            timestamp: header.timestamp,
            payload_type: header.payload_type,
            kind,
            units,
            payload: packet.payload,
            arrived,
        });
    }

    /// Tells the digits that have begun and those that have ended.
    pub(super) fn tell_digits(&mut self, now: Instant, sink: &mut impl Sink) {
        if self.digits.poll_begun() {
            sink.event(MediaEvent::DigitBegun);
        }
        while let Some(digit) = self.digits.poll(now) {
            sink.event(MediaEvent::Digit { digit: digit.digit, duration: digit.duration });
        }
    }

    /// What left in this tick, after [`Self::play`]: it may come back.
    pub(super) fn played(&mut self, frame: &Frame) {
        self.echo.played(frame);
    }

    /// The next 20 ms of the peer.
    pub(super) fn play(
        &mut self,
        plan: &Plan,
        codecs: &mut CodecSet,
        now: Instant,
        sink: &mut impl Sink,
    ) -> HeardFrame {
        // Of the packet before, whose sound is in hand.
        let (carried, older) = match self.sound.in_hand.len() {
            0 => (0, Source::NOTHING),
            carried => (carried, self.sound.newest),
        };
        let mut source = older;
        for _ in 0..POLLS {
            if self.sound.in_hand.len() >= FRAME_SAMPLES {
                break;
            }
            source = source.with(self.pull(plan, codecs, now));
        }
        self.correct(plan, codecs, now);
        let mut frame = self.sound.in_hand.take();
        if plan.dtmf.is_none() {
            self.keypad.hear(&frame, |tone| sink.event(key_event(tone)));
        }
        let voices = self.echo.judge(&frame);
        let ours = Ours { voices, is_about: self.echo.is_about(), share: self.echo.share() };
        let score = self.vad.score(&frame, ours);
        let gain = if voices == Voices::Ours { ECHO_GAIN } else { 1.0 };
        let before = std::mem::replace(&mut self.gain, gain);
        if before < 1.0 || gain < 1.0 {
            fade(&mut frame, before, gain);
        }
        let arrived = louder(&frame, carried, older, source).arrived.unwrap_or(now);
        let heard = HeardFrame { frame, score, origin: source.origin, arrived, at: now };
        let is_sound = source.origin == Origin::Received && frame.level_dbfs() > SILENT_DBFS;
        self.sounding_frames += u64::from(is_sound);
        if heard.is_speech() {
            self.peer_spoke = Some(arrived);
        }
        heard
    }

    /// Fetches the next piece of sound.
    fn pull(&mut self, plan: &Plan, codecs: &mut CodecSet, now: Instant) -> Source {
        let clock_hz = self.jitter.clock_hz();
        let source = match self.jitter.poll(now) {
            Due::Packet(packet) => self.sound.play(plan, codecs, &packet),
            Due::Lost { units, next } => {
                let next = next.filter(|next| {
                    plan.rx.codec(next.payload_type) == Some(self.sound.codecs.current)
                });
                let span = Duration::from_micros(
                    u64::from(units) * 1_000_000 / u64::from(clock_hz.max(1)),
                );
                self.sound.conceal(codecs, span, next.map(|next| next.payload))
            }
            Due::Silence => self.sound.rest(Origin::Pause),
            Due::Waiting => self.sound.rest(Origin::Nothing),
        };
        self.sound.newest = source.0;
        let is_concealed = source.0.origin == Origin::Concealed;
        if is_concealed {
            self.concealed_samples += source.1 as u64;
        }
        self.gaps += u64::from(is_concealed && !self.is_in_gap);
        self.is_in_gap = is_concealed;
        source.0
    }

    /// Brings the delay nearer to its target.
    fn correct(&mut self, plan: &Plan, codecs: &mut CodecSet, now: Instant) {
        let by_us = match self.jitter.correction() {
            Correction::Keep => return,
            Correction::Shorten { urgent, .. } => {
                if self.sound.in_hand.len() < ENOUGH_TO_SHORTEN {
                    self.pull(plan, codecs, now);
                }
                -self.sound.in_hand.shorten(urgent)
            }
            Correction::Lengthen { urgent, .. } => self.sound.in_hand.lengthen(urgent),
        };
        self.jitter.corrected(by_us);
    }
}

/// Which of the two a frame's sound is from, of which the older has the first samples.
fn louder(frame: &Frame, carried: usize, older: Source, newer: Source) -> Source {
    let energy = |samples: &[i16]| -> i64 {
        samples.iter().map(|sample| i64::from(*sample) * i64::from(*sample)).sum()
    };
    let (first, rest) = frame.0.split_at(carried.min(FRAME_SAMPLES));
    if older.arrived.is_some() && energy(first) > energy(rest) { older } else { newer }
}

impl Sound {
    fn reset(&mut self, codec: Codec) {
        self.codecs.current = codec;
        self.codecs.to_16_khz.reset();
        self.noise.reset();
        self.in_hand.clear();
        self.newest = Source::NOTHING;
    }

    /// Plays a packet; tells the source and the samples of its sound.
    fn play(&mut self, plan: &Plan, codecs: &mut CodecSet, packet: &Played<'_>) -> (Source, usize) {
        if packet.kind == Kind::ComfortNoise {
            self.noise.update(packet.payload);
            return (Source { origin: Origin::Pause, arrived: None }, 0);
        }
        let Some(codec) = plan.rx.codec(packet.payload_type) else {
            return self.rest(Origin::Pause);
        };
        if codec != self.codecs.current {
            self.codecs.current = codec;
            codecs.decoder(codec).reset();
            self.codecs.to_16_khz.reset();
        }
        match codecs.decoder(codec).decode(packet.payload, &mut self.decoded) {
            Ok(samples) => {
                let written = self.hold(samples);
                (Source { origin: Origin::Received, arrived: Some(packet.arrived) }, written)
            }
            Err(_) => {
                let units = u64::from(packet.units) * 1_000_000;
                let span = Duration::from_micros(units / u64::from(codec.clock_rate_hz()));
                self.conceal(codecs, span, None)
            }
        }
    }

    /// Makes up `span` of sound, from the packet after it where that has a copy.
    fn conceal(
        &mut self,
        codecs: &mut CodecSet,
        span: Duration,
        next: Option<&[u8]>,
    ) -> (Source, usize) {
        let rate_hz = u128::from(self.codecs.current.sample_rate_hz());
        let samples = usize::try_from(span.as_micros() * rate_hz / 1_000_000).unwrap_or(0);
        let samples = samples.clamp(1, MAX_PACKET_SAMPLES);
        if let Some(out) = self.decoded.get_mut(..samples) {
            let decoder = codecs.decoder(self.codecs.current);
            match next {
                Some(next) => {
                    decoder.decode_fec(next, out);
                }
                None => decoder.conceal(out),
            }
        }
        let written = self.hold(samples);
        (Source { origin: Origin::Concealed, arrived: None }, written)
    }

    /// Fills the frame with comfort noise.
    fn rest(&mut self, origin: Origin) -> (Source, usize) {
        let missing = FRAME_SAMPLES.saturating_sub(self.in_hand.len());
        let noise = &mut self.noise;
        let written = self.in_hand.append(|out| match out.get_mut(..missing) {
            Some(out) => {
                noise.fill(out);
                missing
            }
            None => 0,
        });
        (Source { origin, arrived: None }, written)
    }

    /// Takes decoded samples into hand, at 16 kHz; returns how many that are there.
    fn hold(&mut self, samples: usize) -> usize {
        let decoded = self.decoded.get(..samples).unwrap_or(&[]);
        let resampler = &mut self.codecs.to_16_khz;
        let needs_resampling = self.codecs.current.sample_rate_hz() != SAMPLE_RATE_HZ;
        self.in_hand.append(|out| {
            if needs_resampling {
                return resampler.process(decoded, out);
            }
            for (place, &sample) in out.iter_mut().zip(decoded) {
                *place = sample;
            }
            decoded.len()
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Sound(Codec),
    ComfortNoise,
    Digit,
}

fn meaning(plan: &Plan, packet: &Packet<'_>) -> Option<Meaning> {
    let payload_type = packet.header.payload_type;
    if plan.dtmf.is_some_and(|dtmf| dtmf.rx_payload_type == payload_type) {
        return Some(Meaning::Digit);
    }
    match plan.rx.codec(payload_type) {
        Some(codec) => Some(Meaning::Sound(codec)),
        None if payload_type == COMFORT_NOISE_TYPE => Some(Meaning::ComfortNoise),
        None => None,
    }
}

fn key_event(tone: KeyTone) -> MediaEvent {
    match tone {
        KeyTone::Pressed => MediaEvent::DigitBegun,
        KeyTone::Released { key, duration } => MediaEvent::Digit { digit: key, duration },
    }
}

fn digit_clock_hz(plan: &Plan) -> u32 {
    plan.dtmf.map_or_else(|| plan.codec.clock_rate_hz(), |dtmf| dtmf.clock_hz)
}
