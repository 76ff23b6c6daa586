//! What the audio thread does for one call, in this process: no socket, a clock of our own.

use std::fs;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use attendant::base::pcm::{FRAME_SAMPLES, Frame};
use attendant::base::{Entropy, Private, Protection, SrtpKey, SrtpSuite, UtteranceId};
use attendant::call::media::{
    Datagram, HeardFrame, Media, MediaEvent, Moment, Path, Plan, Played, Playout, Settings, Sink,
};
use attendant::codec::Codec;
use attendant::listen::{Ours, Vad};
use attendant::rtp::jitter::{Arrival, JitterBuffer, Kind};
use attendant::rtp::sequence::RtpTime;
use attendant::rtp::srtp::{Protector, TRAILER_BYTES, Unprotector};

use crate::stopwatch::{median, nanoseconds};
use crate::support::sound;
use crate::table::{Table, Target};

const TICK: Duration = Duration::from_millis(20);
const TICK_US: f64 = 20_000.0;
/// A minute of sound.
const TICKS: usize = 3_000;
const TICKS_PER_BATCH: usize = 50;
const PLACES: usize = 32;
const SPEECH: &str = "I am calling about my order. It has not arrived, and I would like to know \
                      where it is and when it will come to us.";

pub fn measure(table: &mut Table) {
    table.section("sound of one call, each 20 ms");
    let speech = speech();
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let us = tick_us(codec, &speech);
        table.figure(&format!("tick, {}", codec.name()), Some(us), "us", Target::None);
        if codec == Codec::Pcmu {
            let percent = us / TICK_US * 100.0;
            let name = "its share of a core, sockets apart";
            table.figure(name, Some(percent), "%", Target::AtMost(0.2));
        }
    }
    let mut vad = Vad::new();
    let mut frames = speech.iter().cycle();
    let vad_ns = nanoseconds(|| {
        black_box(frames.next().map(|frame| vad.score(frame, Ours::NONE)));
    });
    table.figure("of which voice detection", Some(vad_ns / 1_000.0), "us", Target::None);
    table.figure("jitter buffer, insert and poll", Some(jitter_ns()), "ns", Target::None);
    for suite in SrtpSuite::ALL {
        let name = format!("SRTP, protect and unprotect a packet, {}", suite.name());
        table.figure(&name, Some(srtp_ns(suite)), "ns", Target::None);
    }
    let mib = place_mib();
    table.figure("memory of a call's media", Some(mib), "MiB", Target::AtMost(0.5));
}

/// Speech of a synthetic voice, cut into frames.
fn speech() -> Vec<Frame> {
    let samples = sound::speak(SPEECH);
    let whole = samples.chunks_exact(FRAME_SAMPLES);
    whole.map(|chunk| Frame(chunk.try_into().expect("a whole frame"))).collect()
}

/// Says the same again and again.
struct Tape<'a> {
    frames: &'a [Frame],
    at: usize,
}

impl Playout for Tape<'_> {
    fn next(&mut self, out: &mut Frame) -> Played {
        *out = self.frames[self.at % self.frames.len()];
        self.at += 1;
        Played::Voice(UtteranceId(1))
    }
}

/// Keeps what is to be sent, in the tick in which it was given.
#[derive(Default)]
struct Sent(Vec<(Path, Vec<u8>)>);

impl Sink for Sent {
    fn handshake(&mut self, _: &Datagram<'_>, _: bool) {}

    fn datagram(&mut self, path: Path, _: SocketAddr, bytes: &[u8]) {
        self.0.push((path, bytes.to_vec()));
    }
    fn heard(&mut self, _: &HeardFrame) {}
    fn event(&mut self, _: MediaEvent) {}
}

/// Looks at everything and keeps nothing.
struct Gone;

impl Sink for Gone {
    fn handshake(&mut self, _: &Datagram<'_>, _: bool) {}

    fn datagram(&mut self, _: Path, _: SocketAddr, bytes: &[u8]) {
        black_box(bytes);
    }
    fn heard(&mut self, frame: &HeardFrame) {
        black_box(frame);
    }
    fn event(&mut self, event: MediaEvent) {
        black_box(event);
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("a literal")
}

fn plan(codec: Codec, to: SocketAddr) -> Plan {
    let payload_type = codec.static_payload_type().unwrap_or(111);
    Plan {
        remote: Private::new(to),
        remote_rtcp: Private::new(SocketAddr::new(to.ip(), to.port() + 1)),
        rtcp_mux: false,
        codec,
        encoder: Default::default(),
        tx_payload_type: payload_type,
        rx: std::iter::once((payload_type, codec)).collect(),
        dtmf: None,
        ptime_ms: 20,
        sends: true,
        receives: true,
        protection: Protection::Plain,
    }
}

fn media(seed: u8) -> Media {
    Media::new(Settings { timeout: None, timeout_on_hold: false }, Entropy::new([seed; 32]))
}

/// Microseconds of one tick that receives, hears, speaks and sends.
fn tick_us(codec: Codec, speech: &[Frame]) -> f64 {
    let start = Instant::now();
    let (far, near) = (address("192.0.2.1:4000"), address("192.0.2.2:4000"));
    let moment = |tick: usize| {
        let now = start + TICK * u32::try_from(tick).unwrap_or(0);
        Moment { now, ntp: 3_900_000_000 << 32 }
    };
    let mut peer = media(1);
    peer.start(start, &plan(codec, near));
    let mut tape = Tape { frames: speech, at: 0 };
    let sent: Vec<Sent> = (0..TICKS)
        .map(|tick| {
            let mut sent = Sent::default();
            peer.tick(moment(tick), &mut tape, &mut sent);
            sent
        })
        .collect();
    let mut ours = media(2);
    ours.start(start, &plan(codec, far));
    let mut reply = Tape { frames: speech, at: speech.len() / 2 };
    let batches = sent.chunks(TICKS_PER_BATCH).enumerate().map(|(batch, sent)| {
        let began = Instant::now();
        for (at, sent) in sent.iter().enumerate() {
            let at = moment(batch * TICKS_PER_BATCH + at);
            for (path, bytes) in &sent.0 {
                let port = far.port() + u16::from(*path == Path::Rtcp);
                let from = SocketAddr::new(far.ip(), port);
                let datagram = Datagram { path: *path, from, arrived: at.now, bytes };
                ours.handle_datagram(datagram, &mut Gone);
            }
            ours.tick(at, &mut reply, &mut Gone);
        }
        began.elapsed().as_secs_f64() * 1_000_000.0 / sent.len() as f64
    });
    median(batches.collect()).unwrap_or(0.0)
}

fn jitter_ns() -> f64 {
    let mut buffer = JitterBuffer::new();
    buffer.restart(8_000);
    let payload = [0xd5; 160];
    let mut now = Instant::now();
    let (mut sequence, mut timestamp) = (0_i64, 0_u32);
    nanoseconds(|| {
        buffer.insert(&Arrival {
            sequence,
            timestamp: RtpTime(timestamp),
            payload_type: 0,
            kind: Kind::Sound,
            units: 160,
            payload: &payload,
            arrived: now,
        });
        black_box(buffer.poll(now));
        sequence += 1;
        timestamp = timestamp.wrapping_add(160);
        now += TICK;
    })
}

/// Both ways of a packet of 20 ms of G.711, with what they cost a call: it does each once in a tick.
fn srtp_ns(suite: SrtpSuite) -> f64 {
    let key = SrtpKey::random(suite, &mut Entropy::new([4; 32]));
    let (mut ours, mut theirs) = (Protector::new(suite, &key), Unprotector::new(suite, &key));
    let (mut packet, mut sequence) = ([0; 172 + TRAILER_BYTES], 0_u16);
    nanoseconds(|| {
        packet.fill(0xd5);
        packet[..2].copy_from_slice(&[0x80, 0]);
        packet[2..4].copy_from_slice(&sequence.to_be_bytes());
        sequence = sequence.wrapping_add(1);
        let length = ours.protect_rtp(&mut packet, 172).expect("it has room");
        black_box(theirs.unprotect_rtp(&mut packet[..length])).expect("it is ours");
    })
}

/// MiB that a call's place adds to the resident memory once it has been used.
fn place_mib() -> f64 {
    let before = resident_mib();
    let start = Instant::now();
    let places: Vec<Media> = (0..PLACES)
        .map(|_| {
            let mut media = media(3);
            media.start(start, &plan(Codec::Pcmu, address("192.0.2.1:4000")));
            media
        })
        .collect();
    let after = resident_mib();
    black_box(&places);
    (after - before) / PLACES as f64
}

fn resident_mib() -> f64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("Rss:")).unwrap_or_default();
    let kib: f64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0.0);
    kib / 1_024.0
}
