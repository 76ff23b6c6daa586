//! The calls of safe mode: answered, told the sentence twice, ended.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::appliance::accounts::{Accounts, Resolved};
use crate::appliance::audio::at;
use crate::appliance::clock::unix_ms;
use crate::appliance::media_address::MediaAddress;
use crate::appliance::realtime;
use crate::appliance::rtp_socket::{PortRange, ReceiveBuffer, RtpSockets};
use crate::appliance::sip_line::SipLine;
use crate::appliance::sip_socket::Arrival;
use crate::base::pcm::Frame;
use crate::base::{CallId, Entropy, Private, UtteranceId, limits};
use crate::call::media::{
    Datagram, HeardFrame, Media, MediaEvent, Path, Plan, Played, Playout, Settings, Sink,
};
use crate::call::record::{CallRecord, Direction, Progress};
use crate::call::{Agreement, Cause, LocalMedia};
use crate::sdp::Offering;
use crate::sip::{self, LegId};
use crate::trunk::Input as AccountInput;
use crate::web::Board;

/// As many calls at once take no noticeable part of a core.
const MOST: usize = 32;
/// Longer than the sentence, whatever it is: no call stays.
const LONGEST: Duration = Duration::from_secs(180);
/// What who comes beyond that is told.
const FULL: u16 = 503;
const RETRY_AFTER_S: u32 = 30;
const NOT_ACCEPTABLE: u16 = 488;
/// RFC 3891: the call to be replaced is not there.
const NO_DIALOG: u16 = 481;

/// What it is made from.
pub(super) struct Parts {
    pub sip: SipLine,
    pub accounts: Accounts,
    pub ports: PortRange,
    pub address: MediaAddress,
    pub offering: Offering,
    pub most: usize,
    pub sentence: Arc<[Frame]>,
    pub board: Arc<Board>,
    pub entropy: Entropy,
}

/// See the module.
pub(super) struct Desk {
    parts: Parts,
    calls: HashMap<LegId, SafeCall>,
    next: u64,
    buffer: ReceiveBuffer,
}

struct SafeCall {
    agreement: Agreement,
    media: Box<Media>,
    sockets: RtpSockets,
    /// Agreed on; heard once the ACK is there.
    plan: Option<Plan>,
    is_established: bool,
    /// Frames that were said.
    said: usize,
    since: Instant,
    record: CallRecord,
}

impl Desk {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, calls: HashMap::new(), next: 1, buffer: ReceiveBuffer::default() }
    }

    pub(super) fn start(&mut self, now: Instant) {
        let open = self.parts.accounts.open();
        self.parts.sip.command(now, open);
        let admit = sip::Command::Admit(sip::Admission::Open);
        self.parts.sip.command(now, admit);
        self.parts.accounts.all(now, &AccountInput::Start, &mut self.parts.sip);
        self.drain(now);
    }

    pub(super) fn stop(&mut self, now: Instant) {
        self.parts.accounts.all(now, &AccountInput::Stop, &mut self.parts.sip);
        let end = sip::Command::EndAll { retry_after_s: Some(RETRY_AFTER_S) };
        self.parts.sip.command(now, end);
        self.drain(now);
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.calls.is_empty() || self.parts.accounts.are_leaving()
    }

    pub(super) fn arrival(&mut self, now: Instant, arrival: Arrival) {
        self.parts.sip.arrival(now, arrival);
        self.drain(now);
    }

    pub(super) fn resolved(&mut self, now: Instant, answer: Resolved) {
        self.parts.accounts.resolved(now, answer, &mut self.parts.sip);
        self.drain(now);
    }

    pub(super) fn show_accounts(&mut self, now: Instant) {
        if let Some(accounts) = self.parts.accounts.take_change() {
            let reports = accounts.iter().map(|shown| shown.report(now, unix_ms())).collect();
            self.parts.board.set_accounts(reports);
        }
    }

    /// 20 ms of every call, and what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        self.parts.sip.timeout(now);
        self.parts.accounts.timeout(now, &mut self.parts.sip);
        let moment = realtime::Moment::read();
        let mut over = Vec::new();
        for (leg, call) in &mut self.calls {
            if call.tick(&moment, &self.parts.sentence, &mut self.buffer) {
                over.push(*leg);
            }
        }
        for leg in over {
            self.parts.sip.command(now, sip::Command::Bye { leg, reason: None });
            self.end(leg, Cause::Goodbye);
        }
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        loop {
            while let Some(event) = self.parts.sip.event() {
                self.event(now, event);
            }
            while self.parts.sip.said().is_some() {}
            let Some((id, news)) = self.parts.sip.account_news() else { return };
            self.parts.accounts.news(now, id, news, &mut self.parts.sip);
        }
    }

    fn event(&mut self, now: Instant, event: sip::Event) {
        use sip::Event as E;
        match event {
            E::Incoming { leg, incoming } => {
                if let Err(status) = self.take(now, leg, &incoming) {
                    let retry_after_s = (status == FULL).then_some(RETRY_AFTER_S);
                    let refused =
                        sip::Command::Reject { leg, status, retry_after_s, warning: None };
                    self.parts.sip.command(now, refused);
                }
            }
            E::Established { leg, answer } => self.established(now, leg, answer.as_deref()),
            E::OfferReceived { leg, offer, .. } => self.reoffered(now, leg, offer.as_deref()),
            E::Cancelled { leg } => self.end(leg, Cause::Cancelled),
            E::Ended { leg, cause } => {
                let cause = match cause {
                    sip::EndCause::ByPeer => Cause::HungUp,
                    sip::EndCause::ByUs => Cause::Goodbye,
                    sip::EndCause::NoAck => Cause::NoAck,
                    sip::EndCause::Timeout | sip::EndCause::Gone | sip::EndCause::Unreachable => {
                        Cause::SignallingLost
                    }
                };
                self.end(leg, cause);
            }
            E::Referred { leg, .. } => {
                let refused = sip::Command::AnswerRefer { leg, status: 603 };
                self.parts.sip.command(now, refused);
            }
            // Nothing is asked of the other end, and nobody is called.
            E::OfferWithdrawn { .. }
            | E::OfferAnswered { .. }
            | E::OfferFailed { .. }
            | E::Progress { .. }
            | E::Answered { .. }
            | E::Refused { .. }
            | E::Redirected { .. }
            | E::Dtmf { .. }
            | E::Refer { .. } => (),
        }
    }

    /// Answers at once, or gives the status of a refusal.
    fn take(&mut self, now: Instant, leg: LegId, incoming: &sip::Incoming) -> Result<(), u16> {
        if incoming.replaces.is_some() {
            return Err(NO_DIALOG);
        }
        if self.calls.len() >= self.parts.most.min(MOST) {
            return Err(FULL);
        }
        let flow = self.parts.sip.with_local_address(incoming.flow);
        let any: IpAddr = match flow.local.ip() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let sockets = self.parts.ports.bind(any).map_err(|_| FULL)?;
        let entropy = &mut self.parts.entropy;
        let peer = flow.peer.ip();
        let media = LocalMedia {
            address: self.parts.address.of(flow, self.parts.sip.seen_as(flow)),
            port: sockets.port(),
            id: entropy.next_u32().into(),
            srtp: self.parts.accounts.srtp_of(peer),
            keys: self.parts.accounts.keys_of(peer),
            fingerprint: None,
            ice: Default::default(),
            seed: Private::new(entropy.seed()),
        };
        let mut agreement = Agreement::new(self.parts.offering.clone(), &media);
        let (sdp, plan) = match &incoming.offer {
            Some(offer) => {
                let agreed = agreement.answer(offer).map_err(|refusal| refusal.status)?;
                (agreed.0, Some(agreed.1))
            }
            None => (agreement.offer(), None),
        };
        let id = CallId(self.next);
        self.next += 1;
        tracing::info!(call_id = %id, "call taken, in safe mode");
        let from = incoming.from_uri.reveal().clone();
        let mut record = CallRecord::new(id, Direction::Inbound, from, unix_ms());
        record.progress = Progress::Active { answered_at_ms: unix_ms() };
        self.parts.board.update_call(record.clone());
        let settings = Settings { timeout: Some(limits::MEDIA_TIMEOUT), timeout_on_hold: false };
        let media = Box::new(Media::new(settings, entropy.fork()));
        let call = SafeCall {
            agreement,
            media,
            sockets,
            plan,
            is_established: false,
            said: 0,
            since: now,
            record,
        };
        self.calls.insert(leg, call);
        self.parts.sip.command(now, sip::Command::Answer { leg, sdp });
        Ok(())
    }

    fn established(&mut self, now: Instant, leg: LegId, answer: Option<&[u8]>) {
        let Some(call) = self.calls.get_mut(&leg) else { return };
        if call.plan.is_none() {
            call.plan = answer.and_then(|answer| call.agreement.accept(answer).ok());
        }
        match &call.plan {
            Some(plan) if !call.is_established => {
                call.media.start(now, plan);
                call.is_established = true;
            }
            Some(_) => (),
            None => {
                self.parts.sip.command(now, sip::Command::Bye { leg, reason: None });
                self.end(leg, Cause::NoCommonCodec);
            }
        }
    }

    /// A changed description of the peer's.
    fn reoffered(&mut self, now: Instant, leg: LegId, offer: Option<&[u8]>) {
        let Some(call) = self.calls.get_mut(&leg) else { return };
        let agreed = offer.and_then(|offer| call.agreement.answer(offer).ok());
        let command = match agreed {
            Some((sdp, plan)) => {
                call.media.apply(now, &plan);
                call.plan = Some(plan);
                sip::Command::AcceptOffer { leg, sdp }
            }
            None => sip::Command::RefuseOffer { leg, status: NOT_ACCEPTABLE, warning: None },
        };
        self.parts.sip.command(now, command);
    }

    fn end(&mut self, leg: LegId, cause: Cause) {
        let Some(call) = self.calls.remove(&leg) else { return };
        let SafeCall { mut record, .. } = call;
        tracing::info!(call_id = %record.id, cause = cause.wording().name, "call ended");
        record.progress = Progress::Ended {
            answered_at_ms: record.progress.answered_at_ms(),
            ended_at_ms: unix_ms(),
            ending: cause.into(),
        };
        self.parts.board.update_call(record);
    }
}

impl SafeCall {
    /// 20 ms; true when it is over.
    fn tick(
        &mut self,
        moment: &realtime::Moment,
        sentence: &[Frame],
        buffer: &mut ReceiveBuffer,
    ) -> bool {
        if moment.now.saturating_duration_since(self.since) >= LONGEST {
            return true;
        }
        if !self.is_established {
            return false;
        }
        let mut out = Outlet { sockets: &self.sockets, is_lost: false };
        for path in [Path::Rtp, Path::Rtcp] {
            for _ in 0..limits::RTP_DATAGRAMS_PER_TICK {
                let Some(received) = self.sockets.receive(path.into(), moment, buffer) else {
                    break;
                };
                let (from, arrived, bytes) = (received.from, received.arrived, received.bytes);
                self.media.handle_datagram(Datagram { path, from, arrived, bytes }, &mut out);
            }
        }
        let mut source = Source { sentence, said: &mut self.said };
        self.media.tick(at(moment), &mut source, &mut out);
        out.is_lost || self.said >= sentence.len()
    }
}

struct Source<'a> {
    sentence: &'a [Frame],
    said: &'a mut usize,
}

impl Playout for Source<'_> {
    fn next(&mut self, out: &mut Frame) -> Played {
        let Some(frame) = self.sentence.get(*self.said) else { return Played::Nothing };
        *out = *frame;
        *self.said += 1;
        Played::Voice(UtteranceId(1))
    }
}

struct Outlet<'a> {
    sockets: &'a RtpSockets,
    is_lost: bool,
}

impl Sink for Outlet<'_> {
    fn datagram(&mut self, path: Path, to: SocketAddr, bytes: &[u8]) {
        // What cannot be sent is lost, as on any network.
        let _ = self.sockets.send(path.into(), to, bytes);
    }

    fn heard(&mut self, _frame: &HeardFrame) {}

    fn event(&mut self, event: MediaEvent) {
        self.is_lost |= matches!(event, MediaEvent::MediaTimeout);
    }

    fn handshake(&mut self, _datagram: &Datagram<'_>, _is_known: bool) {}
}
