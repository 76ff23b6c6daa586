//! What the reports of a call's media say of the line, for its record.

use std::net::IpAddr;
use std::time::Instant;

use super::media::{Plan, Report};
use super::one_way::Watch;
use super::quality::Quality;
use super::record::{CallRecord, RtpReport};

/// Follows the line of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// Where the peer's signalling comes from.
    signals_from: IpAddr,
    quality: Quality,
    /// `None` until there is media.
    watch: Option<Watch>,
    last: Report,
}

impl Line {
    pub(super) fn new(signals_from: IpAddr) -> Self {
        Self { signals_from, quality: Quality::default(), watch: None, last: Report::default() }
    }

    /// The peer's place is taken by another one.
    pub(super) fn moved(&mut self, signals_from: IpAddr) {
        self.signals_from = signals_from;
    }

    /// The media begin, or go on otherwise.
    pub(super) fn agreed(&mut self, now: Instant, plan: &Plan) {
        self.watch = Some(Watch::new(now, plan, self.signals_from, &self.last));
    }

    pub(super) fn report(&mut self, now: Instant, report: &Report, record: &mut CallRecord) {
        self.last = *report;
        if let Some(codec) = record.codec {
            self.quality.report(codec, report);
        }
        let is_up = !record.progress.is_ended();
        if let Some(watch) = self.watch.as_mut().filter(|_| is_up)
            && let Some(found) = watch.report(now, report)
        {
            record.one_way = Some(found);
        }
        record.rtp = RtpReport {
            packets_sent: report.sent,
            packets_received: report.received,
            packets_lost: report.lost,
            packets_late: report.late,
            packets_duplicated: report.duplicate,
            jitter_ms: report.jitter_ms,
            concealed_ms: report.concealed_ms,
            peer_loss: report.peer_loss,
            round_trip_ms: report.rtt_ms,
            srtp_failed: report.srtp_failed,
            srtp_replayed: report.srtp_replayed,
            mos_incoming: self.quality.incoming,
            mos_outgoing: self.quality.outgoing,
        };
    }
}
