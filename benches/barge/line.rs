//! A call on a simulated clock: our media and the caller's telephone, each the real one, with a
//! line between that brings our voice back.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use attendant::base::pcm::{FRAME_MS, FRAME_SAMPLES, Frame};
use attendant::base::{Entropy, Private, Protection, UtteranceId};
use attendant::call::media::{
    Datagram, HeardFrame, Media, MediaEvent, Moment, Path, Plan, Played, Playout, Settings, Sink,
    fade,
};
use attendant::call::{Input, Shelf};
use attendant::codec::Codec;
use attendant::converse::Playbook;
use attendant::speak::PlayoutFrame;

use super::payload_dbfs;
use super::side::{Order, Side};
use crate::pauses::recogniser::Ears;

const TICK: Duration = Duration::from_millis(FRAME_MS);
/// As the audio thread fades.
const FADE_FRAMES: u32 = 2;
/// A packet of ours louder than this has sound.
const AUDIBLE_DBFS: f32 = -50.0;

/// What the line does.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// From the telephone's loudspeaker to its microphone and network, jitter buffers apart.
    pub delay_ms: usize,
    /// `None` brings nothing back.
    pub echo_db: Option<f32>,
    pub noise_dbfs: f32,
}

/// What came of a call. Times are from the caller's first packet with speech.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Times that we were silenced.
    pub stops: usize,
    pub decodes: usize,
    pub turns: usize,
    /// Until the call decided that the caller has the floor.
    pub decided_ms: Option<f64>,
    /// Until the last packet with our sound, of those before a silence of 200 ms.
    pub silent_ms: Option<f64>,
    /// We were saying the greeting again at the end.
    pub goes_on: bool,
}

/// The playout ring with its silencing, as the audio thread plays it.
#[derive(Default)]
struct Ring {
    frames: VecDeque<PlayoutFrame>,
    silenced: UtteranceId,
    speaking: Option<(UtteranceId, u32)>,
    faded: u32,
    ended: Vec<End>,
}

enum End {
    Finished(UtteranceId),
    Silenced(UtteranceId, (UtteranceId, u32)),
}

impl Playout for Ring {
    fn next(&mut self, out: &mut Frame) -> Played {
        let is_fading = self.speaking.is_some_and(|(utterance, _)| utterance <= self.silenced);
        if is_fading && self.faded >= FADE_FRAMES {
            let played = self.speaking.take().unwrap_or_default();
            self.ended.push(End::Silenced(self.silenced, played));
        }
        while self.speaking.is_none()
            && self.frames.front().is_some_and(|frame| frame.utterance <= self.silenced)
        {
            self.frames.pop_front();
        }
        let Some(frame) = self.frames.pop_front() else { return Played::Nothing };
        *out = frame.frame;
        let frames = match self.speaking {
            Some((utterance, frames)) if utterance == frame.utterance => frames + 1,
            _ => 1,
        };
        self.speaking = Some((frame.utterance, frames));
        if is_fading {
            let level = |done: u32| 1.0 - done as f32 / FADE_FRAMES as f32;
            fade(out, level(self.faded), level(self.faded + 1));
            self.faded += 1;
        } else {
            self.faded = 0;
        }
        if frame.last {
            self.speaking = None;
            self.ended.push(End::Finished(frame.utterance));
        }
        Played::Voice(frame.utterance)
    }
}

/// The caller's end: what it hears comes back into what it says.
struct Mouth<'a> {
    frame: &'a Frame,
}

impl Playout for Mouth<'_> {
    fn next(&mut self, out: &mut Frame) -> Played {
        *out = *self.frame;
        Played::Voice(UtteranceId(1))
    }
}

#[derive(Default)]
struct Kept {
    out: Vec<(Path, Vec<u8>)>,
    heard: Option<HeardFrame>,
    events: Vec<MediaEvent>,
}

impl Sink for Kept {
    fn handshake(&mut self, _: &Datagram<'_>, _: bool) {}

    fn datagram(&mut self, path: Path, _: SocketAddr, bytes: &[u8]) {
        self.out.push((path, bytes.to_vec()));
    }
    fn heard(&mut self, frame: &HeardFrame) {
        self.heard = Some(*frame);
    }
    fn event(&mut self, event: MediaEvent) {
        self.events.push(event);
    }
}

fn plan(to: SocketAddr) -> Plan {
    Plan {
        remote: Private::new(to),
        remote_rtcp: Private::new(SocketAddr::new(to.ip(), to.port() + 1)),
        rtcp_mux: false,
        codec: Codec::Pcmu,
        encoder: Default::default(),
        tx_payload_type: 0,
        rx: std::iter::once((0, Codec::Pcmu)).collect(),
        dtmf: None,
        ptime_ms: 20,
        sends: true,
        receives: true,
        protection: Protection::Plain,
    }
}

struct Noise(u64);

impl Noise {
    /// Uniform, of this level.
    fn next(&mut self, dbfs: f32) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let uniform = (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0;
        uniform * 1.732 * 32_768.0 * 10.0_f32.powf(dbfs / 20.0)
    }
}

/// The way back: what the telephone played, so long ago, through a short room.
struct Echo {
    played: VecDeque<f32>,
    delay: usize,
    gain: f32,
}

/// Samples at 16 kHz between the reflections, and their strength.
const ROOM: [(usize, f32); 4] = [(0, 1.0), (13, -0.45), (37, 0.3), (90, -0.15)];

impl Echo {
    fn new(conditions: &Conditions) -> Self {
        let gain = conditions.echo_db.map_or(0.0, |db| 10.0_f32.powf(db / 20.0));
        let norm = ROOM.iter().map(|(_, share)| share * share).sum::<f32>().sqrt();
        let delay = conditions.delay_ms * 16;
        let played = VecDeque::from(vec![0.0; delay + 100]);
        Self { played, delay, gain: gain / norm }
    }

    fn pass(&mut self, sample: i16) -> f32 {
        self.played.push_back(f32::from(sample));
        self.played.pop_front();
        let newest = self.played.len() - 1;
        let at = |back: usize| self.played.get(newest - back).copied().unwrap_or(0.0);
        let delay = self.delay;
        self.gain * ROOM.iter().map(|(after, share)| share * at(delay + after)).sum::<f32>()
    }
}

/// Runs a call for `ticks`; the caller begins to speak in the tick `from`.
pub fn run(
    desk: (Playbook, Arc<Shelf>),
    conditions: &Conditions,
    (theirs, from): (&[i16], usize),
    ticks: usize,
    ears: &mut Ears,
) -> Heard {
    let start = Instant::now();
    let [own, peer] = [4_000, 5_000].map(|port| SocketAddr::from(([192, 0, 2, 1], port)));
    let media = |seed: u8, to: SocketAddr| {
        let settings = Settings { timeout: None, timeout_on_hold: false };
        let mut media = Media::new(settings, Entropy::new([seed; 32]));
        media.start(start, &plan(to));
        media
    };
    let (mut ours, mut phone) = (media(1, peer), media(2, own));
    let mut side = Side::connected(start, desk, (own.port(), peer), ears);
    let mut ring = Ring::default();
    let (mut echo, mut noise) = (Echo::new(conditions), Noise(from as u64 + 7));
    let mut played = [0_i16; FRAME_SAMPLES];
    let (mut heard, mut quiet_since, mut last_audible) = (Heard::default(), None, 0);
    for tick in 0..ticks {
        let now = start + TICK * u32::try_from(tick).unwrap_or(0);
        let moment = Moment { now, ntp: 3_900_000_000 << 32 };
        let mut kept = Kept::default();
        ours.tick(moment, &mut ring, &mut kept);
        let since_ms = (tick as f64 - from as f64) * FRAME_MS as f64;
        let is_audible = pass(&kept.out, &mut phone, own, now, &mut Kept::default());
        if tick >= from && heard.silent_ms.is_none() {
            match (is_audible, quiet_since) {
                (true, _) => quiet_since = Some((tick, since_ms)),
                (false, Some((last, at_ms))) if tick - last >= 10 => heard.silent_ms = Some(at_ms),
                (false, _) => (),
            }
        }
        // The telephone.
        let at = tick.checked_sub(from).map(|since| since * FRAME_SAMPLES);
        let mut frame = Frame::SILENCE;
        for (index, sample) in frame.0.iter_mut().enumerate() {
            let own = at.and_then(|at| theirs.get(at + index)).map_or(0.0, |s| f32::from(*s));
            let sum = own + echo.pass(played[index]) + noise.next(conditions.noise_dbfs);
            *sample = sum.clamp(-32_768.0, 32_767.0) as i16;
        }
        let mut spoken = Kept::default();
        phone.tick(moment, &mut Mouth { frame: &frame }, &mut spoken);
        played = spoken.heard.map_or([0; FRAME_SAMPLES], |heard| heard.frame.0);
        pass(&spoken.out, &mut ours, peer, now, &mut Kept::default());
        // The net thread.
        for end in std::mem::take(&mut ring.ended) {
            let input = match end {
                End::Finished(utterance) => Input::Finished(utterance),
                End::Silenced(through, (utterance, frames)) => {
                    Input::Silenced { through, utterance, frames }
                }
            };
            side.handle(now, input, ears);
        }
        for event in kept.events {
            side.handle(now, Input::Media(event), ears);
        }
        if let Some(frame) = kept.heard {
            side.handle(now, Input::Heard(&frame), ears);
        }
        side.advance(now, ears);
        for order in std::mem::take(&mut side.orders) {
            if let Order::Silence(through) = order {
                ring.silenced = ring.silenced.max(through);
                heard.stops += 1;
                if tick >= from {
                    heard.decided_ms = heard.decided_ms.or(Some(since_ms));
                }
            }
        }
        while ring.frames.len() < 25
            && let Some(frame) = side.call().next_frame(now)
        {
            ring.frames.push_back(frame);
        }
        last_audible = if is_audible { tick } else { last_audible };
        heard.goes_on = tick - last_audible < 30;
    }
    Heard { decodes: side.decodes, turns: side.turns(), ..heard }
}

/// Gives one end's datagrams to the other; whether there is sound in them.
fn pass(
    out: &[(Path, Vec<u8>)],
    to: &mut Media,
    from: SocketAddr,
    arrived: Instant,
    sink: &mut Kept,
) -> bool {
    let mut is_audible = false;
    for (path, bytes) in out {
        let port = from.port() + u16::from(*path == Path::Rtcp);
        let from = SocketAddr::new(from.ip(), port);
        is_audible |= *path == Path::Rtp && payload_dbfs(&bytes[12..]) > AUDIBLE_DBFS;
        to.handle_datagram(Datagram { path: *path, from, arrived, bytes }, sink);
    }
    is_audible
}
