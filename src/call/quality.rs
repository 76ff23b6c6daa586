//! How both directions of a call sound, interval by interval: the last figure and the worst.
//!
//! Ours to hear is measured by our own reception; what the other end hears of us it tells by RTCP, and where
//! it does not, nothing is known.

use crate::codec::Codec;
use crate::rtp::quality::{Delays, Path, mos, rating};

use super::media::Report;

/// Reports in an interval: they come each second, and in five seconds there are packets enough for
/// a share of lost ones, and a report of the peer's.
const REPORTS: u32 = 5;
/// Sound in a packet, which both ends nearly always have; a jitter buffer as long as two of them is what most
/// telephones begin with. The peer tells neither.
const PACKET_MS: f32 = 20.0;
const PEER_BUFFER_MS: f32 = 40.0;

/// Mean opinion scores of one direction (ITU-T G.107), 1 to 4.5.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mos {
    /// Of the last 5 s.
    pub last: f32,
    /// Of the worst 5 s.
    pub worst: f32,
}

impl Mos {
    fn next(before: Option<Self>, last: f32) -> Option<Self> {
        Some(Self { last, worst: before.map_or(last, |before| before.worst.min(last)) })
    }
}

/// Follows one call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Quality {
    /// The report that this interval began with, and those since.
    before: Report,
    reports: u32,
    pub incoming: Option<Mos>,
    pub outgoing: Option<Mos>,
}

impl Quality {
    /// Takes the next report of the call's media.
    pub(super) fn report(&mut self, codec: Codec, report: &Report) {
        self.reports += 1;
        if self.reports < REPORTS {
            return;
        }
        self.reports = 0;
        let before = std::mem::replace(&mut self.before, *report);
        let round_trip_ms = report.rtt_ms.unwrap_or(0.0);
        if let Some((loss, burst)) = losses(&before, report) {
            let buffer_ms = report.delay_ms.max(0.0);
            let delays = Delays { round_trip_ms, packet_ms: PACKET_MS, buffer_ms };
            let path = Path { codec, one_way_ms: delays.one_way_ms(codec), loss, burst };
            self.incoming = Mos::next(self.incoming, mos(rating(&path)));
        }
        if let Some(loss) = report.peer_loss {
            let delays = Delays { round_trip_ms, packet_ms: PACKET_MS, buffer_ms: PEER_BUFFER_MS };
            // A report tells how many are lost, not how they lie.
            let path = Path { codec, one_way_ms: delays.one_way_ms(codec), loss, burst: 1.0 };
            self.outgoing = Mos::next(self.outgoing, mos(rating(&path)));
        }
    }
}

/// The share of the packets since `before` that were not played, and their burst ratio; `None` where
/// none was expected.
fn losses(before: &Report, now: &Report) -> Option<(f32, f32)> {
    let since = |count: fn(&Report) -> u64| count(now).saturating_sub(count(before));
    let lost = since(|report| report.lost);
    let unplayed = lost + since(|report| report.late);
    let expected = since(|report| report.received) + lost;
    if expected == 0 {
        return None;
    }
    let loss = (unplayed as f32 / expected as f32).min(1.0);
    let gaps = since(|report| report.gaps);
    // G.107 section 7.5: the mean length of a gap over that of random loss, 1 / (1 - loss).
    let burst = match gaps {
        0 => 1.0,
        gaps => (unplayed as f32 / gaps as f32 * (1.0 - loss)).max(1.0),
    };
    Some((loss, burst))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports of 50 packets a second, of which so many are lost in so many gaps.
    fn after(seconds: &[(u64, u64)], peer_loss: Option<f32>) -> Quality {
        let (mut quality, mut report) = (Quality::default(), Report::default());
        report.delay_ms = 40.0;
        for (lost, gaps) in seconds {
            report.received += 50 - lost;
            report.lost += lost;
            report.gaps += gaps;
            report.rtt_ms = Some(40.0);
            report.peer_loss = peer_loss;
            quality.report(Codec::Pcmu, &report);
        }
        quality
    }

    #[test]
    fn five_seconds_make_a_figure_and_the_worst_stays() {
        assert_eq!(after(&[(0, 0); 4], Some(0.0)).incoming, None);
        let good = after(&[(0, 0); 5], None).incoming.unwrap();
        assert!(good.last > 4.3 && good.last == good.worst, "{good:?}");
        let seconds = [[(0, 0); 5], [(5, 5); 5], [(0, 0); 5]].concat();
        let bad = after(&seconds, None).incoming.unwrap();
        assert!(bad.worst < 3.8 && (bad.last - good.last).abs() < 1e-6, "{bad:?}");
    }

    #[test]
    fn loss_in_bursts_is_worse() {
        let single = after(&[(5, 5); 5], None).incoming.unwrap();
        let burst = after(&[(5, 1); 5], None).incoming.unwrap();
        assert!(burst.last < single.last - 0.1, "{single:?} {burst:?}");
    }

    #[test]
    fn the_other_way_is_known_where_the_peer_reports() {
        assert_eq!(after(&[(0, 0); 5], None).outgoing, None);
        let clean = after(&[(0, 0); 5], Some(0.0)).outgoing.unwrap();
        let lossy = after(&[(0, 0); 5], Some(0.1)).outgoing.unwrap();
        assert!(clean.last > 4.3 && lossy.last < 3.6, "{clean:?} {lossy:?}");
    }

    #[test]
    fn nothing_expected_says_nothing_and_late_packets_count() {
        assert_eq!(losses(&Report::default(), &Report::default()), None);
        let late = Report { received: 100, late: 10, ..Report::default() };
        assert_eq!(losses(&Report::default(), &late), Some((0.1, 1.0)));
        // A duplicate that came between hides a loss that was counted before.
        let (before, now) = (Report { lost: 5, ..late }, Report { received: 150, ..late });
        assert_eq!(losses(&before, &now), Some((0.0, 1.0)));
    }
}
