//! One leg: the state of one INVITE usage, from the INVITE to the end of its BYE.
//!
//! ```text
//! Offered ──answer──▶ Up(AwaitingAck) ──ACK──▶ Up(Idle) ⇄ Up(Asked | Offering | …)
//! Calling ──2xx─────▶ Up(Idle | AnswerDue)         │ our BYE      │ their BYE
//!    └─refused, cancelled─▶ Over ◀──answered── Ending             └─▶ Over
//! ```
//!
//! The files beside this one hold what a leg does in each state: `offered`, `calling`, `exchange`,
//! `ending`. Invariant: a leg that is `Over` has said so by its one last event.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::api::{Event, OfferBy};
use super::authentication::Authentication;
use super::compose::REPLACES;
use super::failing_over::Passed;
use super::referred::Referred;
use super::referring::Refer;
use super::reliable::Reliable;
use super::session::Session;
use super::stack::Stack;
use crate::base::{TimerTable, limits};
use crate::sip::LegId;
use crate::sip::admission::{Rate, TokenBucket};
use crate::sip::dialog::{Dialog, DialogId};
use crate::sip::message::{Headers, Method, Request, Response};
use crate::sip::transaction::TransactionId;
use crate::sip::transport::{ConnectionId, Flow};

/// Requests of the peer in its dialog.
const REQUESTS: Rate =
    Rate { per_second: limits::SIP_IN_DIALOG_PER_SECOND, burst: limits::SIP_IN_DIALOG_BURST };
/// Digits that come in them.
const KEYS: Rate = Rate { per_second: limits::DTMF_PER_SECOND, burst: limits::DTMF_PER_SECOND };

/// The deadlines of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LegTimer {
    /// Our 2xx goes out again (RFC 3261 section 13.3.1.4).
    ResendOk,
    /// 64*T1 without the ACK.
    NoAck,
    /// The caller's Expires.
    Expires,
    /// Nobody told us what to answer, or nobody answers us.
    Undecided,
    /// A provisional response each minute keeps proxies waiting.
    RingAgain,
    /// A reliable provisional response goes out again (RFC 3262 section 3).
    ResendRing,
    /// 64*T1 without its PRACK.
    NoPrack,
    /// Our turn to refresh the session (RFC 4028).
    Refresh,
    /// The session has not been refreshed.
    SessionExpired,
    /// Our re-INVITE has no final response, though perhaps a provisional one.
    OfferUnanswered,
    /// The wait after a 491.
    Glare,
    /// The server that our INVITE went to says nothing, and there is another.
    NextServer,
    /// 64*T1 after our CANCEL.
    CancelIgnored,
    /// Our REFER has no response.
    ReferUnanswered,
    /// Nobody has told us what came of our REFER.
    ReferUnfinished,
}

pub(super) enum State {
    Offered(Box<Offered>),
    Calling(Box<Calling>),
    Up(Box<Up>),
    Ending(Box<Ending>),
    Over,
}

/// An incoming INVITE without a final response.
pub(super) struct Offered {
    pub dialog: Dialog,
    /// What responses copy of the INVITE.
    pub invite: Request,
    pub has_offer: bool,
    /// The `o=` line of the offer.
    pub origin: Option<Vec<u8>>,
    pub transaction: TransactionId,
    pub ring: Option<Response>,
    /// The caller wants what we say before the answer acknowledged (RFC 3262).
    pub reliable: Option<Reliable>,
}

/// An outgoing INVITE without a final response.
pub(super) struct Calling {
    pub invite: Request,
    pub transaction: TransactionId,
    pub flow: Flow,
    /// The server as the account has it: `flow` may be a stream to it instead.
    pub watched: Flow,
    /// Where to go when the stream that a large INVITE prefers cannot be made.
    pub udp_flow: Option<Flow>,
    /// Where to go next, in this order; nowhere once something has rung.
    pub others: VecDeque<Flow>,
    /// Those that have said nothing; each may have the INVITE all the same.
    pub passed: Vec<Passed>,
    pub early: Vec<Early>,
    /// The session interval that we ask for; `None` once a 422 was obeyed.
    pub session_expires_s: Option<u32>,
    pub cancelling: Cancelling,
}

/// A dialog of an INVITE of ours that is not answered yet.
pub(super) struct Early {
    pub dialog: Dialog,
    /// The last reliable provisional response that we have acknowledged (RFC 3262).
    pub rseq: Option<u32>,
    /// The last description that it has brought.
    pub sdp: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancelling {
    No,
    /// No provisional response yet: the CANCEL waits for one (section 9.1).
    Wanted,
    Sent,
}

/// A confirmed dialog.
pub(super) struct Up {
    pub dialog: Dialog,
    pub exchange: Exchange,
    /// An offer of ours that waits for its turn.
    pub deferred: Option<OurOffer>,
    pub refer: Option<Refer>,
    /// The peer's, to us.
    pub referred: Option<Referred>,
    /// Our description as the peer has it.
    pub local_sdp: Vec<u8>,
    /// The `o=` line of the peer's description that counts.
    pub remote_origin: Option<Vec<u8>>,
    pub session: Option<Session>,
    /// A 422 was obeyed since the last refresh.
    pub is_longer: bool,
    /// The interval that a 422 of this call has wanted at least.
    pub least_s: Option<u32>,
    /// Our UPDATE that refreshes the session is out.
    pub refreshing: Option<TransactionId>,
    /// The peer says that it knows UPDATE.
    pub peer_updates: bool,
    /// It says that it knows Replaces (RFC 3891).
    pub peer_replaces: bool,
}

impl Up {
    /// Our BYE only waits for the ACK.
    pub fn is_leaving(&self) -> bool {
        let Exchange::AwaitingAck(awaiting) = &self.exchange else { return false };
        matches!(awaiting.then, AfterAck::Bye { .. })
    }

    pub fn new(dialog: Dialog, exchange: Exchange, peer: &Headers) -> Self {
        Self {
            dialog,
            exchange,
            deferred: None,
            refer: None,
            referred: None,
            local_sdp: Vec::new(),
            remote_origin: None,
            session: None,
            is_longer: false,
            least_s: None,
            refreshing: None,
            peer_updates: peer.list("Allow").contains(&Method::Update.as_str()),
            peer_replaces: peer
                .supported()
                .iter()
                .any(|option| option.eq_ignore_ascii_case(REPLACES)),
        }
    }
}

#[derive(Clone)]
pub(super) struct OurOffer {
    /// `None`: the description that stands, to refresh the session. An answer that stands, too, changes
    /// nothing.
    pub sdp: Option<Vec<u8>>,
    /// How often it met a glare.
    pub glares: u8,
}

/// Where the one offer/answer exchange of a confirmed dialog stands.
pub(super) enum Exchange {
    Idle,
    AwaitingAck(AwaitingAck),
    /// The 2xx to our INVITE had the offer: the ACK waits for our answer.
    AnswerDue {
        transaction: TransactionId,
    },
    /// The peer asks; the answer is to come by command.
    Asked(Asked),
    /// Our re-INVITE is out.
    Offering {
        transaction: TransactionId,
        offer: OurOffer,
    },
}

/// Our 2xx is out and is sent again until the ACK comes.
pub(super) struct AwaitingAck {
    pub transaction: TransactionId,
    pub invite_seq: u32,
    pub ok: Response,
    pub interval: Duration,
    pub occasion: Occasion,
    /// The 2xx had the offer, so the ACK has the answer.
    pub is_late_offer: bool,
    pub then: AfterAck,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    Call,
    Reinvite,
}

/// A callee may not send BYE before its 2xx is acknowledged (section 15).
pub(super) enum AfterAck {
    GoOn,
    Bye { reason: Option<String> },
}

pub(super) struct Asked {
    pub request: Request,
    pub transaction: TransactionId,
    pub flow: Flow,
    pub by: OfferBy,
    pub has_offer: bool,
}

/// Our BYE is out.
pub(super) struct Ending {
    pub dialog: Dialog,
    pub transaction: TransactionId,
    pub bye: Request,
    /// Reported when the BYE is done with.
    pub event: Event,
}

pub(super) struct Leg {
    pub id: LegId,
    pub state: State,
    pub timers: TimerTable<LegTimer>,
    pub authentication: Option<Authentication>,
    /// The connection that is kept open for this leg.
    pub retained: Option<ConnectionId>,
    pub requests: TokenBucket,
    pub keys: TokenBucket,
}

impl Leg {
    pub fn new(id: LegId, state: State, authentication: Option<Authentication>) -> Self {
        Self {
            id,
            state,
            timers: TimerTable::default(),
            authentication,
            retained: None,
            requests: TokenBucket::new(REQUESTS),
            keys: TokenBucket::new(KEYS),
        }
    }

    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The dialog with this id.
    pub fn dialog_mut(&mut self, id: &DialogId) -> Option<&mut Dialog> {
        match &mut self.state {
            State::Offered(offered) => Some(&mut offered.dialog),
            State::Up(up) => Some(&mut up.dialog),
            State::Ending(ending) => Some(&mut ending.dialog),
            State::Calling(calling) => {
                let mut early = calling.early.iter_mut().map(|early| &mut early.dialog);
                early.find(|dialog| dialog.id() == id)
            }
            State::Over => None,
        }
    }

    /// Whether something of this call may come from this address.
    pub fn may_come_from(&self, source: IpAddr) -> bool {
        match &self.state {
            State::Offered(offered) => offered.dialog.may_come_from(source),
            State::Up(up) => up.dialog.may_come_from(source),
            State::Ending(ending) => ending.dialog.may_come_from(source),
            State::Calling(calling) => {
                let mut early = calling.early.iter();
                calling.flow.peer.ip() == source || early.any(|e| e.dialog.may_come_from(source))
            }
            State::Over => false,
        }
    }

    /// Our tag in an incoming call.
    pub fn local_tag(&self) -> Option<&str> {
        match &self.state {
            State::Offered(offered) => Some(offered.dialog.local_tag()),
            State::Up(up) => Some(up.dialog.local_tag()),
            State::Ending(ending) => Some(ending.dialog.local_tag()),
            State::Calling(_) | State::Over => None,
        }
    }

    /// The stream that this leg's messages go over, for its connection to be kept.
    pub fn connection(&self) -> Option<ConnectionId> {
        match &self.state {
            State::Offered(offered) => offered.dialog.flow().connection,
            State::Up(up) => up.dialog.flow().connection,
            State::Ending(ending) => ending.dialog.flow().connection,
            State::Calling(calling) => calling.flow.connection,
            State::Over => None,
        }
    }

    /// The last word of this leg: it and its dialogs are gone.
    pub fn finish(&mut self, stack: &mut Stack, event: Option<Event>) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Offered(offered) => stack.dialogs.remove(offered.dialog.id()),
            State::Up(up) => stack.dialogs.remove(up.dialog.id()),
            State::Ending(ending) => stack.dialogs.remove(ending.dialog.id()),
            State::Calling(calling) => {
                for early in &calling.early {
                    stack.dialogs.remove(early.dialog.id());
                }
            }
            State::Over => return,
        }
        self.timers.clear();
        if let Some(event) = event {
            stack.event(event);
        }
    }

    /// Runs the timers that are due.
    pub fn run_due(&mut self, now: Instant, stack: &mut Stack) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                LegTimer::ResendOk => self.resend_ok(now, stack),
                LegTimer::NoAck => self.give_up_ack(now, stack),
                LegTimer::Expires => self.withdraw(now, stack, 487),
                LegTimer::Undecided => self.decide_ourselves(now, stack),
                LegTimer::RingAgain => self.ring_again(now, stack),
                LegTimer::ResendRing => self.resend_ring(now, stack),
                LegTimer::NoPrack => self.give_up_prack(now, stack),
                LegTimer::Refresh => self.refresh(now, stack),
                LegTimer::SessionExpired => self.session_expired(now, stack),
                LegTimer::OfferUnanswered => self.give_up_offer(now, stack),
                LegTimer::Glare => self.next_offer(now, stack),
                LegTimer::NextServer => self.server_silent(now, stack),
                LegTimer::CancelIgnored => self.give_up_cancel(stack),
                LegTimer::ReferUnanswered | LegTimer::ReferUnfinished => {
                    self.give_up_refer(stack, timer);
                }
            }
        }
    }
}
