//! Two ends and a seeded network between them, in memory, on a clock that the test moves.

use super::super::*;
use crate::base::pcm::FRAME_SAMPLES;
use crate::base::{Private, Protection};
use crate::codec::{Codec, EncoderSettings};

pub const TICK: Duration = Duration::from_millis(20);
pub const SETTINGS: Settings =
    Settings { timeout: Some(Duration::from_secs(30)), timeout_on_hold: false };

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The payload type that both ends give it.
fn number(codec: Codec) -> u8 {
    let dynamic = if codec == Codec::L16 { 112 } else { 111 };
    codec.static_payload_type().unwrap_or(dynamic)
}

/// What `to` looks like to the other end.
pub fn plan(codec: Codec, ptime_ms: u32, to: &str) -> Plan {
    let remote = address(to);
    let payload_type = number(codec);
    Plan {
        remote: Private::new(remote),
        remote_rtcp: Private::new(SocketAddr::new(remote.ip(), remote.port() + 1)),
        rtcp_mux: false,
        codec,
        encoder: EncoderSettings::default(),
        tx_payload_type: payload_type,
        rx: Codec::ALL.into_iter().map(|c| (number(c), c)).collect(),
        dtmf: Some(DtmfPlan {
            tx_payload_type: 101,
            rx_payload_type: 101,
            clock_hz: codec.clock_rate_hz(),
        }),
        ptime_ms,
        sends: true,
        receives: true,
        protection: Protection::Plain,
    }
}

/// A tone as one utterance, or nothing.
#[derive(Clone, Copy, Debug)]
pub struct Tone {
    pub hz: f64,
    pub phase: f64,
    pub utterance: UtteranceId,
    /// Frames that were asked for.
    pub asked: u64,
}

impl Tone {
    pub fn new(hz: f64) -> Self {
        Self { hz, phase: 0.0, utterance: UtteranceId(1), asked: 0 }
    }
}

impl Playout for Tone {
    fn next(&mut self, out: &mut Frame) -> Played {
        self.asked += 1;
        if self.hz == 0.0 {
            return Played::Nothing;
        }
        for sample in &mut out.0 {
            *sample = (self.phase.sin() * 8_000.0) as i16;
            self.phase += self.hz * std::f64::consts::TAU / 16_000.0;
        }
        Played::Voice(self.utterance)
    }
}

/// The share of the frame's power that is at `hz`, 0 to 1; 0 for silence.
pub fn share_at(hz: f64, frame: &Frame) -> f64 {
    let (mut sine, mut cosine, mut power) = (0.0, 0.0, 0.0);
    for (n, &sample) in frame.0.iter().enumerate() {
        let angle = n as f64 * hz * std::f64::consts::TAU / 16_000.0;
        sine += f64::from(sample) * angle.sin();
        cosine += f64::from(sample) * angle.cos();
        power += f64::from(sample) * f64::from(sample);
    }
    if power < 1_000.0 * FRAME_SAMPLES as f64 {
        return 0.0;
    }
    (sine * sine + cosine * cosine) * 2.0 / (power * FRAME_SAMPLES as f64)
}

#[derive(Default)]
pub struct Kept {
    pub out: Vec<(Path, SocketAddr, Vec<u8>)>,
    pub heard: Vec<HeardFrame>,
    pub events: Vec<MediaEvent>,
    pub handshakes: usize,
}

impl Sink for Kept {
    fn handshake(&mut self, _: &Datagram<'_>, _: bool) {
        self.handshakes += 1;
    }

    fn datagram(&mut self, path: Path, to: SocketAddr, bytes: &[u8]) {
        self.out.push((path, to, bytes.to_vec()));
    }
    fn heard(&mut self, frame: &HeardFrame) {
        self.heard.push(*frame);
    }
    fn event(&mut self, event: MediaEvent) {
        self.events.push(event);
    }
}

/// What the network does to datagrams.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    pub jitter_ms: u64,
    pub lost_per_mille: u64,
    pub reordered_per_mille: u64,
    pub duplicated_per_mille: u64,
}

pub const CALM: Network =
    Network { jitter_ms: 1, lost_per_mille: 0, reordered_per_mille: 0, duplicated_per_mille: 0 };
pub const ROUGH: Network = Network {
    jitter_ms: 40,
    lost_per_mille: 30,
    reordered_per_mille: 50,
    duplicated_per_mille: 20,
};

pub struct End {
    pub media: Media,
    pub tone: Tone,
    pub kept: Kept,
    pub address: SocketAddr,
    /// Of this end's sound card.
    pub period: Duration,
    next_tick: Instant,
}

pub struct Line {
    pub start: Instant,
    pub now: Instant,
    pub ends: [End; 2],
    network: Network,
    entropy: Entropy,
    /// Arrival, receiving end, datagram.
    flying: Vec<(Instant, usize, Path, Vec<u8>)>,
}

pub const A: &str = "192.0.2.1:4000";
pub const B: &str = "192.0.2.2:5000";

impl Line {
    pub fn new(codec: Codec, ptime_ms: u32, network: Network) -> Self {
        let start = Instant::now();
        let end = |seed: u8, own: &str, other: &str, hz| {
            let mut media = Media::new(SETTINGS, Entropy::new([seed; 32]));
            media.start(start, &plan(codec, ptime_ms, other));
            let next_tick = start + Duration::from_millis(u64::from(seed) * 7);
            let (address, period) = (address(own), TICK);
            let tone = Tone::new(hz);
            End { media, tone, kept: Kept::default(), address, period, next_tick }
        };
        Self {
            start,
            now: start,
            ends: [end(1, A, B, 400.0), end(2, B, A, 1_000.0)],
            network,
            entropy: Entropy::new([9; 32]),
            flying: vec![],
        }
    }

    pub fn moment(&self) -> Moment {
        let ntp = (self.now - self.start).as_millis() as u64 * (1 << 32) / 1_000;
        Moment { now: self.now, ntp: ntp + (3_900_000_000 << 32) }
    }

    pub fn run(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            let [a, b] = [self.ends[0].next_tick, self.ends[1].next_tick];
            let (index, at) = if a <= b { (0, a) } else { (1, b) };
            if at > until {
                self.now = until;
                return;
            }
            self.now = at;
            self.deliver();
            let moment = self.moment();
            let end = &mut self.ends[index];
            end.media.tick(moment, &mut end.tone, &mut end.kept);
            end.next_tick += end.period;
            self.send(index);
        }
    }

    /// Takes what an end has given for the network.
    pub fn send(&mut self, from: usize) {
        for (path, _, bytes) in std::mem::take(&mut self.ends[from].kept.out) {
            let chance = |entropy: &mut Entropy, per_mille| entropy.next_u64() % 1_000 < per_mille;
            if chance(&mut self.entropy, self.network.lost_per_mille) {
                continue;
            }
            let mut delay_us = 30_000 + self.entropy.next_u64() % (self.network.jitter_ms * 1_000);
            if chance(&mut self.entropy, self.network.reordered_per_mille) {
                delay_us += 35_000;
            }
            let arrives = self.now + Duration::from_micros(delay_us);
            if chance(&mut self.entropy, self.network.duplicated_per_mille) {
                let twice = arrives + Duration::from_millis(3);
                self.flying.push((twice, 1 - from, path, bytes.clone()));
            }
            self.flying.push((arrives, 1 - from, path, bytes));
        }
    }

    pub fn deliver(&mut self) {
        self.flying.sort_by_key(|flying| flying.0);
        let arrived = self.flying.iter().take_while(|flying| flying.0 <= self.now).count();
        for (arrived, to, path, bytes) in self.flying.drain(..arrived).collect::<Vec<_>>() {
            let mut from = self.ends[1 - to].address;
            if path == Path::Rtcp {
                from.set_port(from.port() + 1);
            }
            let end = &mut self.ends[to];
            let datagram = Datagram { path, from, arrived, bytes: &bytes };
            end.media.handle_datagram(datagram, &mut end.kept);
        }
    }

    /// The share of the frames heard by `end` that hold the other end's tone.
    pub fn heard_tone(&self, end: usize) -> f64 {
        let hz = self.ends[1 - end].tone.hz;
        let heard = &self.ends[end].kept.heard;
        let with_tone = heard.iter().filter(|h| share_at(hz, &h.frame) > 0.9).count();
        with_tone as f64 / heard.len() as f64
    }

    pub fn forget(&mut self) {
        for end in &mut self.ends {
            end.kept.heard.clear();
            end.kept.events.clear();
        }
    }
}
