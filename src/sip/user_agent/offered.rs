//! A leg that was offered to us: ringing, answering, refusing, and the ACK of our answer
//! (RFC 3261 sections 13.3 and 9.2).

use std::time::{Duration, Instant};

use super::api::{EndCause, Event, Warning};
use super::compose::{Body, SDP, body_of, origin_of};
use super::leg::{AfterAck, AwaitingAck, Exchange, Leg, LegTimer, Occasion, Offered, State, Up};
use super::session;
use super::stack::Stack;
use crate::sip::message::{Request, Response, quote, response_to};
use crate::sip::transaction::{GIVE_UP, T1, T2, TransactionId};

/// A provisional response is repeated this often, so that no proxy's timer C ends the call.
const RING_EVERY: Duration = Duration::from_secs(60);

impl Leg {
    /// Sends 180 or 183.
    pub fn ring(&mut self, now: Instant, stack: &mut Stack, status: u16, sdp: Option<Vec<u8>>) {
        let State::Offered(offered) = &mut self.state else { return };
        let status = if status == 183 { 183 } else { 180 };
        let mut ringing = offered.response(status);
        stack.introduce(&mut ringing, offered.dialog.flow());
        if let Some(sdp) = sdp {
            ringing.set_body(SDP, sdp);
        }
        offered.ring = Some(ringing);
        self.ring_again(now, stack);
    }

    pub fn ring_again(&mut self, now: Instant, stack: &mut Stack) {
        let State::Offered(offered) = &mut self.state else { return };
        let Some(mut ringing) = offered.ring.clone() else { return };
        self.timers.set(LegTimer::RingAgain, now + RING_EVERY);
        stack.name(&mut ringing);
        if let Some(reliable) = &mut offered.reliable {
            if !reliable.take(&mut ringing) {
                return;
            }
            self.timers.set(LegTimer::ResendRing, now + T1);
            self.timers.set(LegTimer::NoPrack, now + GIVE_UP);
        }
        stack.respond(now, offered.transaction, ringing);
    }

    /// Sends 200, again and again until the ACK.
    pub fn answer(&mut self, now: Instant, stack: &mut Stack, sdp: Vec<u8>) {
        let sdp = match &mut self.state {
            State::Offered(offered) => match &mut offered.reliable {
                Some(reliable) => reliable.hold(sdp),
                None => Some(sdp),
            },
            _ => None,
        };
        let Some(sdp) = sdp else { return };
        match std::mem::replace(&mut self.state, State::Over) {
            State::Offered(offered) => {
                let Offered { dialog, invite, has_offer, origin, transaction, .. } = *offered;
                let is_late_offer = !has_offer;
                let mut ok = response_to(&invite, 200, Some(dialog.local_tag()));
                stack.introduce(&mut ok, dialog.flow());
                let session = session::answer(stack, &invite, &mut ok);
                ok.set_body(SDP, sdp.clone());
                self.timers.clear();
                let invite_seq = invite.cseq().map_or(0, |cseq| cseq.number);
                let occasion = Occasion::Call;
                let exchange = self.send_ok(
                    now,
                    stack,
                    Unacknowledged { transaction, invite_seq, ok, occasion, is_late_offer },
                );
                let up = Up {
                    local_sdp: sdp,
                    remote_origin: origin,
                    ..Up::new(dialog, exchange, &invite)
                };
                self.state = State::Up(Box::new(up));
                self.session_agreed(now, session);
            }
            other => self.state = other,
        }
    }

    /// Sends a 2xx to an INVITE and starts waiting for its ACK.
    pub fn send_ok(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        awaited: Unacknowledged,
    ) -> Exchange {
        let Unacknowledged { transaction, invite_seq, mut ok, occasion, is_late_offer } = awaited;
        stack.name(&mut ok);
        stack.respond(now, transaction, ok.clone());
        self.timers.set(LegTimer::ResendOk, now + T1);
        self.timers.set(LegTimer::NoAck, now + GIVE_UP);
        Exchange::AwaitingAck(AwaitingAck {
            transaction,
            invite_seq,
            ok,
            interval: T1,
            occasion,
            is_late_offer,
            then: AfterAck::GoOn,
        })
    }

    pub fn resend_ok(&mut self, now: Instant, stack: &mut Stack) {
        let State::Up(up) = &mut self.state else { return };
        let Exchange::AwaitingAck(awaiting) = &mut up.exchange else { return };
        awaiting.interval = (awaiting.interval * 2).min(T2);
        stack.transactions.respond(now, awaiting.transaction, &awaiting.ok);
        self.timers.set(LegTimer::ResendOk, now + awaiting.interval);
    }

    /// The ACK of a 2xx came.
    pub fn acknowledged(&mut self, now: Instant, stack: &mut Stack, ack: &Request) {
        let State::Up(up) = &mut self.state else { return };
        let number = ack.cseq().map(|cseq| cseq.number);
        match &up.exchange {
            Exchange::AwaitingAck(awaiting) if Some(awaiting.invite_seq) == number => {
                let answer = match body_of(ack, ack.body()) {
                    Body::Sdp(sdp) => Some(sdp),
                    Body::None | Body::Foreign => None,
                };
                self.settle_ack(now, stack, answer);
            }
            _ => {}
        }
    }

    /// Our 2xx has arrived: by its ACK, or because the peer goes on with a new INVITE.
    pub fn settle_ack(&mut self, now: Instant, stack: &mut Stack, answer: Option<Vec<u8>>) {
        let State::Up(up) = &mut self.state else { return };
        let Exchange::AwaitingAck(awaiting) = std::mem::replace(&mut up.exchange, Exchange::Idle)
        else {
            return;
        };
        self.timers.cancel(LegTimer::ResendOk);
        self.timers.cancel(LegTimer::NoAck);
        let leg = self.id;
        let answer = answer.filter(|_| awaiting.is_late_offer);
        if let Some(answer) = &answer {
            up.remote_origin = origin_of(answer);
        }
        match (awaiting.occasion, answer) {
            (Occasion::Call, answer) => stack.event(Event::Established { leg, answer }),
            (Occasion::Reinvite, Some(sdp)) => stack.event(Event::OfferAnswered { leg, sdp }),
            (Occasion::Reinvite, None) if awaiting.is_late_offer => {
                stack.event(Event::OfferFailed { leg, status: 488 });
            }
            (Occasion::Reinvite, None) => {}
        }
        match awaiting.then {
            AfterAck::GoOn => self.next_offer(now, stack),
            AfterAck::Bye { reason } => self.bye(now, stack, reason, EndCause::ByUs),
        }
    }

    /// 64*T1 without the ACK: the call is ended (section 13.3.1.4).
    pub fn give_up_ack(&mut self, now: Instant, stack: &mut Stack) {
        let State::Up(up) = &mut self.state else { return };
        if matches!(up.exchange, Exchange::AwaitingAck(_)) {
            up.exchange = Exchange::Idle;
            self.timers.cancel(LegTimer::ResendOk);
            self.bye(now, stack, None, EndCause::NoAck);
        }
    }

    /// A final refusal by command.
    pub fn reject(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        status: u16,
        retry_after_s: Option<u32>,
        warning: Option<&Warning>,
    ) {
        let State::Offered(offered) = &mut self.state else { return };
        let mut refusal = offered.response(status.clamp(300, 699));
        if let Some(seconds) = retry_after_s {
            refusal.push_header("Retry-After", seconds.to_string());
        }
        if let Some(warning) = warning {
            warn(&mut refusal, warning);
        }
        stack.respond(now, offered.transaction, refusal);
        self.finish(stack, None);
    }

    /// The caller gave up, or its time is over.
    pub fn withdraw(&mut self, now: Instant, stack: &mut Stack, status: u16) {
        let State::Offered(offered) = &mut self.state else { return };
        let refusal = offered.response(status);
        stack.respond(now, offered.transaction, refusal);
        let leg = self.id;
        self.finish(stack, Some(Event::Cancelled { leg }));
    }

    /// Nobody told us what to answer, to a call or to an offer, or nobody answers our call.
    pub fn decide_ourselves(&mut self, now: Instant, stack: &mut Stack) {
        match self.state {
            State::Offered(_) => self.withdraw(now, stack, 480),
            State::Up(_) => {
                self.refuse_offer(now, stack, 500, None);
                stack.event(Event::OfferWithdrawn { leg: self.id });
            }
            // It rings for ever.
            State::Calling(_) => self.cancel(now, stack),
            State::Ending(_) | State::Over => {}
        }
    }

    /// A CANCEL for this leg's INVITE, which has no final response yet.
    pub fn cancelled(&mut self, now: Instant, stack: &mut Stack, invite: TransactionId) {
        match &self.state {
            State::Offered(offered) if offered.transaction == invite => {
                self.withdraw(now, stack, 487);
            }
            State::Up(_) => self.offer_withdrawn(now, stack, invite),
            State::Offered(_) | State::Calling(_) | State::Ending(_) | State::Over => {}
        }
    }
}

/// A 2xx that is about to be sent.
pub(super) struct Unacknowledged {
    pub transaction: TransactionId,
    pub invite_seq: u32,
    pub ok: Response,
    pub occasion: Occasion,
    pub is_late_offer: bool,
}

impl Offered {
    pub fn response(&self, status: u16) -> Response {
        response_to(&self.invite, status, Some(self.dialog.local_tag()))
    }
}

/// Adds a Warning header field.
pub(super) fn warn(response: &mut Response, warning: &Warning) {
    let text = quote(&warning.text);
    response.push_header("Warning", format!("{} attendant {text}", warning.code.clamp(300, 399)));
}
