//! The RTCP of a call's media, and whether the peer is still there.

use std::net::SocketAddr;
use std::time::Instant;

use super::plan::Plan;
use super::rx::Rx;
use super::{Datagram, MediaEvent, Moment, Path, Settings, Sink};
use crate::base::Entropy;
use crate::base::address::is_nowhere;
use crate::rtp::rtcp::SenderInfo;
use crate::rtp::{Rtcp, Sender};

pub(super) struct Control {
    rtcp: Rtcp,
    /// Where the peer's reports are from, which answers go to.
    source: Option<SocketAddr>,
    /// Packets we had sent at the report before the last and at the last.
    sent_at: [u64; 2],
    presence: Presence,
}

/// Whether the peer is still there.
#[derive(Clone, Copy, Debug)]
enum Presence {
    NotStarted,
    Heard(Instant),
    TimedOut,
}

impl Control {
    pub(super) fn new(entropy: Entropy) -> Self {
        Self {
            rtcp: Rtcp::new(entropy),
            source: None,
            sent_at: [0; 2],
            presence: Presence::NotStarted,
        }
    }

    pub(super) fn start(&mut self, now: Instant, ssrc: u32) {
        self.rtcp.start(now, ssrc);
        self.source = None;
        self.sent_at = [0; 2];
        self.presence = Presence::Heard(now);
    }

    pub(super) fn apply(&mut self, now: Instant, before: &Plan, plan: &Plan) {
        if before.remote != plan.remote || before.remote_rtcp != plan.remote_rtcp {
            self.source = None;
        }
        // A peer that was on hold, or has only now answered, has the whole time to begin.
        self.note_peer(now);
    }

    pub(super) fn rtcp(&self) -> &Rtcp {
        &self.rtcp
    }

    /// Something came from the peer.
    pub(super) fn note_peer(&mut self, now: Instant) {
        self.presence = Presence::Heard(now);
    }

    pub(super) fn handle(&mut self, rx: &mut Rx, datagram: Datagram<'_>, sink: &mut impl Sink) {
        if !rx.latch().is_peer(datagram.from.ip()) {
            rx.latch_mut().count_foreign();
            return;
        }
        match self.rtcp.receive(datagram.arrived, datagram.bytes) {
            Err(_) => rx.count_malformed(),
            Ok(received) => {
                self.note_peer(datagram.arrived);
                self.source = Some(datagram.from);
                if received.bye.is_some() && received.bye == rx.reception().ssrc() {
                    sink.event(MediaEvent::PeerLeft);
                }
            }
        }
    }

    /// Sends the report that is due.
    pub(super) fn tick(
        &mut self,
        plan: &Plan,
        at: Moment,
        rx: &mut Rx,
        sender: &Sender,
        sink: &mut impl Sink,
    ) {
        if !self.rtcp.is_due(at.now) {
            return;
        }
        let clock_hz = rx.jitter().clock_hz();
        let block = rx.reception_mut().report_block(clock_hz);
        let info = self.sender_info(sender, at.ntp);
        let compound = self.rtcp.report(at.now, info, block);
        self.send(plan, rx, compound.as_bytes(), sink);
    }

    pub(super) fn stop(
        &mut self,
        plan: &Plan,
        at: Moment,
        rx: &Rx,
        sender: &Sender,
        sink: &mut impl Sink,
    ) {
        let info = self.sender_info(sender, at.ntp);
        let compound = self.rtcp.bye(at.now, info);
        self.send(plan, rx, compound.as_bytes(), sink);
        self.presence = Presence::NotStarted;
    }

    /// Tells once when the peer has been silent for too long.
    pub(super) fn watch(
        &mut self,
        settings: Settings,
        plan: &Plan,
        now: Instant,
        sink: &mut impl Sink,
    ) {
        let (Presence::Heard(heard), Some(timeout)) = (self.presence, settings.timeout) else {
            return;
        };
        let counts = plan.receives || settings.timeout_on_hold;
        if counts && now.saturating_duration_since(heard) >= timeout {
            self.presence = Presence::TimedOut;
            sink.event(MediaEvent::MediaTimeout);
        }
    }

    /// `None` makes a receiver report: nothing was sent since the report before the last.
    fn sender_info(&mut self, sender: &Sender, ntp: u64) -> Option<SenderInfo> {
        let sent = sender.packets();
        let [before_last, last] = self.sent_at;
        self.sent_at = [last, sent];
        (sent > before_last).then(|| sender.info(ntp))
    }

    fn send(&self, plan: &Plan, rx: &Rx, compound: &[u8], sink: &mut impl Sink) {
        let sound_goes_to = rx.latch().destination();
        let described = *plan.remote.reveal();
        let (path, to) = match (plan.rtcp_mux, self.source) {
            (true, _) => (Path::Rtp, sound_goes_to),
            (false, Some(source)) => (Path::Rtcp, source),
            (false, None) if sound_goes_to.ip() == described.ip().to_canonical() => {
                (Path::Rtcp, *plan.remote_rtcp.reveal())
            }
            (false, None) => {
                let port = sound_goes_to.port().saturating_add(1);
                (Path::Rtcp, SocketAddr::new(sound_goes_to.ip(), port))
            }
        };
        if !is_nowhere(to) {
            sink.datagram(path, to, compound);
        }
    }
}
