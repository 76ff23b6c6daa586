//! A telephone line in memory: the product's own sender and receiver with a network between them
//! that loses packets by a seed.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use crate::base::pcm::{FRAME_MS, Frame};
use crate::base::{Entropy, Private, Protection, UtteranceId};
use crate::call::media::{
    Datagram, HeardFrame, Media, MediaEvent, Moment, Path, Plan, Played, Playout, Settings, Sink,
};
use crate::codec::{Codec, EncoderSettings};

/// Names of the two ends; nothing is sent to them (RFC 5737).
const NEAR: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 4_000);
const FAR: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 2), 4_000);
/// What Opus is called here; it has no number of its own.
const DYNAMIC_PAYLOAD_TYPE: u8 = 111;
const NO_TIMEOUT: Settings = Settings { timeout: None, timeout_on_hold: false };

/// Both ends of a call's media.
pub(super) struct Line {
    near: Media,
    far: Media,
    chance: Entropy,
    lost_below: u64,
}

/// Where the near end's next frame lies.
struct Next(Option<Frame>);

/// What one end gives.
#[derive(Default)]
struct Given {
    datagrams: Vec<(Path, Vec<u8>)>,
    heard: Option<HeardFrame>,
}

impl Line {
    /// `loss_percent` of the packets are lost, by a chance that `seed` decides.
    pub(super) fn new(now: Instant, codec: Codec, loss_percent: f32, seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut chance = Entropy::new(bytes);
        let mut near = Media::new(NO_TIMEOUT, chance.fork());
        let mut far = Media::new(NO_TIMEOUT, chance.fork());
        near.start(now, &plan(codec, FAR.into()));
        far.start(now, &plan(codec, NEAR.into()));
        let lost_below = (f64::from(loss_percent) / 100.0 * f64::from(u32::MAX)) as u64;
        Self { near, far, chance, lost_below }
    }

    /// Sends a frame and takes what the far end plays at this moment, which is what was sent some
    /// frames ago.
    pub(super) fn carry(&mut self, now: Instant, frame: &Frame) -> HeardFrame {
        let at = Moment { now, ntp: 0 };
        let (mut sent, mut got) = (Given::default(), Given::default());
        self.near.tick(at, &mut Next(Some(*frame)), &mut sent);
        for (path, bytes) in &sent.datagrams {
            let is_lost = *path == Path::Rtp && u64::from(self.chance.next_u32()) < self.lost_below;
            if !is_lost {
                let datagram = Datagram { path: *path, from: NEAR.into(), arrived: now, bytes };
                self.far.handle_datagram(datagram, &mut got);
            }
        }
        self.far.tick(at, &mut Next(None), &mut got);
        got.heard.expect("a started end gives a frame with each tick")
    }
}

fn plan(codec: Codec, remote: SocketAddr) -> Plan {
    let payload_type = codec.static_payload_type().unwrap_or(DYNAMIC_PAYLOAD_TYPE);
    Plan {
        remote: Private::new(remote),
        remote_rtcp: Private::new(remote),
        rtcp_mux: true,
        codec,
        encoder: EncoderSettings::default(),
        tx_payload_type: payload_type,
        rx: [(payload_type, codec)].into_iter().collect(),
        dtmf: None,
        ptime_ms: FRAME_MS as u32,
        sends: true,
        receives: true,
        protection: Protection::Plain,
    }
}

impl Playout for Next {
    fn next(&mut self, out: &mut Frame) -> Played {
        match self.0.take() {
            Some(frame) => {
                *out = frame;
                Played::Voice(UtteranceId(1))
            }
            None => Played::Nothing,
        }
    }
}

impl Sink for Given {
    fn datagram(&mut self, path: Path, _to: SocketAddr, bytes: &[u8]) {
        self.datagrams.push((path, bytes.to_vec()));
    }

    fn heard(&mut self, frame: &HeardFrame) {
        self.heard = Some(*frame);
    }

    fn event(&mut self, _event: MediaEvent) {}

    fn handshake(&mut self, _datagram: &Datagram<'_>, _is_known: bool) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::media::Origin;
    use std::time::Duration;

    /// What arrives of a tone: its frames' levels, and how many were concealed.
    fn carried(codec: Codec, loss_percent: f32, seed: u64) -> (Vec<Frame>, usize) {
        let mut now = Instant::now();
        let mut line = Line::new(now, codec, loss_percent, seed);
        let tone = |n: usize| ((n as f32 * 0.3).sin() * 8_000.0) as i16;
        let mut at = 0;
        let heard = (0..150).map(|_| {
            let mut frame = Frame::SILENCE;
            frame.0.iter_mut().for_each(|sample| {
                *sample = tone(at);
                at += 1;
            });
            now += Duration::from_millis(FRAME_MS);
            line.carry(now, &frame)
        });
        let heard: Vec<HeardFrame> = heard.collect();
        let lost = heard.iter().filter(|frame| frame.origin == Origin::Concealed).count();
        (heard.iter().map(|heard| heard.frame).collect(), lost)
    }

    #[test]
    fn every_codec_carries_the_sound() {
        for codec in Codec::ALL {
            let (frames, lost) = carried(codec, 0.0, 1);
            assert_eq!(lost, 0, "{codec:?}");
            let loud = frames.iter().filter(|frame| frame.level_dbfs() > -20.0).count();
            assert!(loud > 130, "{codec:?}: {loud}");
        }
    }

    #[test]
    fn the_seed_decides_which_packets_are_lost() {
        let (first, lost) = carried(Codec::Pcmu, 10.0, 7);
        assert!((5..30).contains(&lost), "{lost}");
        assert!(carried(Codec::Pcmu, 10.0, 7).0 == first);
        assert!(carried(Codec::Pcmu, 10.0, 8).0 != first);
        assert!(carried(Codec::Pcmu, 100.0, 7).0.iter().all(|frame| frame.level_dbfs() < -40.0));
    }
}
