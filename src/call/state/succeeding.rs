//! Another leg takes the place of the one that a call has, while the call goes on: an INVITE that
//! replaces it has come (RFC 3891), or the other end wants somebody else called in its place (RFC 3515).
//!
//! ```text
//! INVITE with Replaces ─▶ the new leg is answered, the old one gets BYE
//! REFER ─▶ Calling ─ 2xx ─▶ Leaving ─ its BYE, or ours ─▶ None
//!            └ fails ─▶ None: the peer is told, and all is as before
//! ```
//!
//! Invariants: sound goes to one leg only; what is offered to the new leg has keys of its own. A peer that
//! hangs up while somebody is called in its place is waited for no more, and the call goes on if they answer.

use std::time::{Duration, Instant};

use super::{Call, Output, State, Timer, warning};
use crate::call::agreement::{Agreement, Towards};
use crate::call::ending::Cause;
use crate::call::handover::Handover;
use crate::call::incoming::Incoming;
use crate::call::media::Plan;
use crate::call::record::Direction;
use crate::sip::{self, LegId, ReferNews};

/// Who has passed the call on hangs up by itself, as soon as it knows of it.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

/// Who is to take the place of the leg.
#[derive(Debug)]
pub(super) enum Succession {
    None,
    Calling(Box<Successor>),
    /// That was the leg before, which has yet to end.
    Leaving(LegId),
}

#[derive(Debug)]
pub(super) struct Successor {
    leg: LegId,
    agreement: Agreement,
    /// The peer was told that it rings there.
    has_rung: bool,
    /// The peer has hung up meanwhile.
    is_alone: bool,
}

impl Call {
    /// An INVITE has come that takes the place of our leg.
    pub(super) fn replaced(
        &mut self,
        now: Instant,
        leg: LegId,
        incoming: &Incoming,
        towards: &Towards,
    ) {
        let reject =
            |status, warning| sip::Command::Reject { leg, status, retry_after_s: None, warning };
        if !matches!(self.state, State::Active) {
            return self.command(reject(491, None));
        }
        let mut agreement = self.agreement.with_another(towards);
        let (sdp, plan) = match incoming.offer.as_deref().map(|offer| agreement.answer(offer)) {
            Some(Ok((sdp, plan))) => (sdp, Some(plan)),
            Some(Err(refusal)) => {
                return self.command(reject(refusal.status, Some(warning(&refusal))));
            }
            None => (agreement.offer(), None),
        };
        self.drop_succession();
        self.agreement = agreement;
        self.command(sip::Command::Answer { leg, sdp });
        let before = std::mem::replace(&mut self.leg, leg);
        self.command(sip::Command::Bye { leg: before, reason: None });
        self.line.moved(incoming.signals_from);
        self.record.sip_call_id = incoming.sip_call_id.clone();
        // Whom we have called is who was meant, by whatever telephone.
        if self.record.direction == Direction::Inbound {
            self.record.peer = incoming.peer.clone();
        }
        self.awaits_answer = plan.is_none();
        match plan {
            Some(plan) => self.apply_media(now, plan),
            None => self.mute(now),
        }
        self.out.push_back(Output::Recorded);
        // What was asked of the leg before comes to nothing.
        if matches!(self.handover, Handover::Asked | Handover::Accepted | Handover::Handing { .. })
        {
            self.referred(now, ReferNews::Failed(487));
        }
    }

    /// The ACK of a leg that has replaced another one, with the answer to our offer.
    pub(super) fn described(&mut self, now: Instant, answer: Option<&[u8]>) {
        if !std::mem::take(&mut self.awaits_answer) {
            return;
        }
        match answer.and_then(|answer| self.agreement.accept(answer).ok()) {
            Some(plan) => self.apply_media(now, plan),
            None => self.end(now, Cause::NoCommonCodec.into()),
        }
    }

    /// The peer's wish to have somebody else in its place is granted: they are called by this leg.
    pub(super) fn succeed(
        &mut self,
        now: Instant,
        leg: LegId,
        within: Duration,
        towards: &Towards,
    ) {
        let is_free = matches!(self.state, State::Active)
            && matches!(self.succession, Succession::None)
            && matches!(self.handover, Handover::None | Handover::Joined);
        if !is_free {
            return self.command(sip::Command::AnswerRefer { leg: self.leg, status: 491 });
        }
        self.command(sip::Command::AnswerRefer { leg: self.leg, status: 202 });
        let mut agreement = self.agreement.with_another(towards);
        let sdp = agreement.offer();
        let successor = Successor { leg, agreement, has_rung: false, is_alone: false };
        self.succession = Succession::Calling(Box::new(successor));
        self.timers.set(Timer::Successor, now + within);
        self.out.push_back(Output::Invite { leg, sdp });
    }

    /// What happens to a leg that is not the call's own, or not any more.
    pub(super) fn other_leg(&mut self, now: Instant, event: &sip::Event) {
        use sip::Event as E;
        let leg = event.leg();
        match &mut self.succession {
            Succession::Calling(successor) if successor.leg == leg => match event {
                E::Progress { status, .. } if *status >= 180 && !successor.has_rung => {
                    successor.has_rung = true;
                    self.command(sip::Command::NotifyRefer { leg: self.leg, status: 180 });
                }
                E::Answered { sdp, .. } => self.succeeded(now, sdp.as_deref()),
                E::Refused { status, .. } => self.not_succeeded(now, *status),
                E::Redirected { .. } => self.not_succeeded(now, super::MOVED),
                E::Ended { .. } => self.not_succeeded(now, 480),
                _ => (),
            },
            Succession::Leaving(before) if *before == leg => {
                if matches!(event, E::Ended { .. }) {
                    self.timers.cancel(Timer::Leaving);
                    self.succession = Succession::None;
                }
            }
            Succession::None | Succession::Calling(_) | Succession::Leaving(_) => (),
        }
    }

    fn succeeded(&mut self, now: Instant, answer: Option<&[u8]>) {
        let Succession::Calling(successor) = &mut self.succession else { return };
        let leg = successor.leg;
        let Some(plan) = answer.and_then(|answer| successor.agreement.accept(answer).ok()) else {
            self.command(sip::Command::Bye { leg, reason: None });
            return self.not_succeeded(now, 488);
        };
        let Succession::Calling(successor) =
            std::mem::replace(&mut self.succession, Succession::None)
        else {
            return;
        };
        self.timers.cancel(Timer::Successor);
        let Successor { agreement, is_alone, .. } = *successor;
        self.agreement = agreement;
        let before = std::mem::replace(&mut self.leg, leg);
        if !is_alone {
            self.command(sip::Command::NotifyRefer { leg: before, status: 200 });
            self.succession = Succession::Leaving(before);
            self.timers.set(Timer::Leaving, now + LEAVES_WITHIN);
        }
        self.line.moved(plan.remote.reveal().ip());
        self.apply_media(now, plan);
    }

    fn not_succeeded(&mut self, now: Instant, status: u16) {
        let Succession::Calling(successor) =
            std::mem::replace(&mut self.succession, Succession::None)
        else {
            return;
        };
        self.timers.cancel(Timer::Successor);
        match successor.is_alone {
            true => self.finish(now, Cause::LeftInTransfer.into()),
            false => self.command(sip::Command::NotifyRefer { leg: self.leg, status }),
        }
    }

    /// The peer has somebody else called in its place.
    pub(super) fn is_passed_on(&self) -> bool {
        matches!(self.succession, Succession::Calling(_))
    }

    /// It has rung for long enough; what comes of the CANCEL says the rest.
    pub(super) fn give_up_successor(&mut self) {
        if let Succession::Calling(successor) = &self.succession {
            let leg = successor.leg;
            self.command(sip::Command::Cancel { leg });
        }
    }

    /// The leg before has not hung up by itself.
    pub(super) fn send_off(&mut self) {
        if let Succession::Leaving(leg) = self.succession {
            self.succession = Succession::None;
            self.command(sip::Command::Bye { leg, reason: None });
        }
    }

    /// Whether the call goes on though its leg has ended: somebody is being called in its place.
    pub(super) fn outlives_leg(&mut self, now: Instant) -> bool {
        let Succession::Calling(successor) = &mut self.succession else { return false };
        if !matches!(self.state, State::Active) || successor.is_alone {
            return false;
        }
        successor.is_alone = true;
        self.mute(now);
        true
    }

    /// The call ends: so do the other legs. True: it has none of its own any more.
    pub(super) fn drop_succession(&mut self) -> bool {
        self.timers.cancel(Timer::Successor);
        self.timers.cancel(Timer::Leaving);
        match std::mem::replace(&mut self.succession, Succession::None) {
            Succession::None => false,
            Succession::Leaving(leg) => {
                self.command(sip::Command::Bye { leg, reason: None });
                false
            }
            Succession::Calling(successor) => {
                self.command(sip::Command::Cancel { leg: successor.leg });
                if !successor.is_alone {
                    self.command(sip::Command::NotifyRefer { leg: self.leg, status: 487 });
                }
                successor.is_alone
            }
        }
    }

    /// Nobody is there to hear anything.
    pub(super) fn mute(&mut self, now: Instant) {
        if let Some(plan) = self.plan.clone() {
            self.apply_media(now, Plan { sends: false, ..plan });
        }
    }
}
