//! A call with itself before the first real one, so that no tick of a call is the first to need a page of memory: code,
//! tables, buffers and states of every codec.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{
    Datagram, DtmfPlan, HeardFrame, Media, MediaEvent, Moment, Path, Plan, Played, Playout, Sink,
};
use crate::base::limits::RTP_DATAGRAM_BYTES;
use crate::base::pcm::{FRAME_MS, Frame};
use crate::base::{Keying, Private, Protection, SrtpKey, SrtpSuite, UtteranceId};
use crate::codec::{Codec, EncoderSettings};

/// Packets of each codec: the first is played from the third tick on.
const TICKS: u32 = 6;
/// Nobody's: nothing is sent there, as the packets come back at once.
const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// Keeps the packet that was sent last.
struct Echo {
    bytes: [u8; RTP_DATAGRAM_BYTES],
    length: usize,
    path: Path,
}

impl Sink for Echo {
    fn datagram(&mut self, path: Path, _: SocketAddr, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(..bytes.len()) {
            place.copy_from_slice(bytes);
            (self.length, self.path) = (bytes.len(), path);
        }
    }
    fn heard(&mut self, _: &HeardFrame) {}
    fn event(&mut self, _: MediaEvent) {}
    fn handshake(&mut self, _: &Datagram<'_>, _: bool) {}
}

/// Something that is not silence.
struct Noise(u32);

impl Playout for Noise {
    fn next(&mut self, out: &mut Frame) -> Played {
        for sample in &mut out.0 {
            // Knuth's linear congruential generator: any noise will do.
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = (self.0 >> 19) as i16;
        }
        Played::Voice(UtteranceId(1))
    }
}

impl Media {
    /// To be called before the place has its first call; it is as new afterwards.
    pub fn touch(&mut self, at: Moment) {
        let mut echo = Echo { bytes: [0; RTP_DATAGRAM_BYTES], length: 0, path: Path::Rtp };
        let mut noise = Noise(1);
        let mut at = at;
        for codec in Codec::ALL {
            for suite in [None, SrtpSuite::ALL.first().copied()] {
                self.start(at.now, &plan(codec, suite));
                for _ in 0..TICKS {
                    at.now += Duration::from_millis(FRAME_MS);
                    self.tick(at, &mut noise, &mut echo);
                    let (bytes, length, path) = (echo.bytes, echo.length, echo.path);
                    let bytes = bytes.get(..length).unwrap_or_default();
                    let datagram = Datagram { path, from: HERE, arrived: at.now, bytes };
                    self.handle_datagram(datagram, &mut echo);
                }
                self.stop(at, &mut echo);
            }
        }
    }
}

/// What is sent is what comes.
fn plan(codec: Codec, suite: Option<SrtpSuite>) -> Plan {
    let number = codec.static_payload_type().unwrap_or(111);
    let key = |suite| SrtpKey::random(suite, &mut crate::base::Entropy::new([0; 32]));
    let keys = |suite| Keying { suite, tx: key(suite), rx: key(suite) };
    Plan {
        remote: Private::new(HERE),
        remote_rtcp: Private::new(HERE),
        rtcp_mux: true,
        codec,
        encoder: EncoderSettings::default(),
        tx_payload_type: number,
        rx: [(number, codec)].into_iter().collect(),
        dtmf: Some(DtmfPlan {
            tx_payload_type: 101,
            rx_payload_type: 101,
            clock_hz: codec.clock_rate_hz(),
        }),
        ptime_ms: 20,
        sends: true,
        receives: true,
        protection: suite.map_or(Protection::Plain, |suite| Protection::Keys(keys(suite))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::{Report, Settings};
    use super::*;
    use crate::base::Entropy;

    #[test]
    fn a_place_hears_itself_and_is_as_new_at_the_next_start() {
        let settings = Settings { timeout: None, timeout_on_hold: false };
        let mut media = Media::new(settings, Entropy::new([1; 32]));
        let at = Moment { now: Instant::now(), ntp: 0 };
        media.touch(at);
        let report = media.report();
        assert!(report.received > 0 && report.sent > 0 && report.srtp_failed == 0, "{report:?}");
        media.start(at.now, &plan(Codec::Pcmu, None));
        assert_eq!(media.report(), Report::default());
    }
}
