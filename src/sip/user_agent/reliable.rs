//! Reliable provisional responses (RFC 3262), both ways: what we say before the answer to a caller
//! that requires it, and our PRACK for what a callee says.
//!
//! ```text
//! callee   180, RSeq n ──▶ again after T1, 2*T1, … ──PRACK n──▶ acknowledged
//!                                             └─64*T1─▶ 504
//! caller   18x, RSeq n ──▶ PRACK n; the same n again, or one out of order: nothing
//! ```
//!
//! Invariant: at most one response of ours waits for its PRACK, and a 2xx waits for one that had a
//! description.

use std::time::{Duration, Instant};

use super::compose::{Body, SUPPORTED, body_of};
use super::exchange::asked_again;
use super::in_dialog::Asking;
use super::leg::{Early, Leg, LegTimer, State};
use super::stack::{Purpose, Stack, Use};
use crate::base::Entropy;
use crate::sip::dialog::DialogId;
use crate::sip::message::{Headers, Method, Request, Response, response_to};
use crate::sip::transaction::{T1, TransactionId};

/// The option tag.
const RELIABLE: &str = "100rel";

/// What a callee keeps.
#[derive(Debug)]
pub(super) struct Reliable {
    rseq: u32,
    unacknowledged: Option<Unacknowledged>,
}

#[derive(Debug)]
struct Unacknowledged {
    response: Response,
    interval: Duration,
    has_sdp: bool,
    /// The body of our 200, which waits.
    answer: Option<Vec<u8>>,
}

impl Reliable {
    /// For a caller that requires it; one that only knows it is spared the traffic.
    pub fn wanted(invite: &Request, entropy: &mut Entropy) -> Option<Self> {
        let wants = invite.require().iter().any(|option| option.eq_ignore_ascii_case(RELIABLE));
        // Section 3: between 1 and 2^31 - 1, so that it does not wrap within a call.
        let rseq = 1 + entropy.next_u32() % 0x7fff_0000;
        wants.then_some(Self { rseq, unacknowledged: None })
    }

    /// Makes a provisional response reliable; false: the one before is still to be acknowledged.
    pub fn take(&mut self, response: &mut Response) -> bool {
        if self.unacknowledged.is_some() {
            return false;
        }
        self.rseq += 1;
        response.set_header("Require", RELIABLE);
        response.set_header("RSeq", self.rseq.to_string());
        let has_sdp = !response.body().is_empty();
        let response = response.clone();
        self.unacknowledged =
            Some(Unacknowledged { response, interval: T1, has_sdp, answer: None });
        true
    }

    /// Keeps our answer until the description before it is acknowledged; gives it back if it may go.
    pub fn hold(&mut self, answer: Vec<u8>) -> Option<Vec<u8>> {
        match self.unacknowledged.as_mut().filter(|waits| waits.has_sdp) {
            Some(waits) => {
                waits.answer = Some(answer);
                None
            }
            None => Some(answer),
        }
    }
}

/// Sets the fields of an INVITE of ours. Without an offer a reliable response would bring one, whose
/// answer had to be ready for the PRACK: then we do not ask for any.
pub(super) fn offer_extensions(invite: &mut Request) {
    if invite.body().is_empty() {
        let others = SUPPORTED.split(", ").filter(|option| *option != RELIABLE);
        let others: Vec<_> = others.collect();
        invite.set_header("Supported", others.join(", "));
    }
}

/// The number of a provisional response that wants to be acknowledged.
fn rseq_of(response: &Response) -> Option<u32> {
    let is_reliable = response.require().iter().any(|option| option.eq_ignore_ascii_case(RELIABLE));
    response.header("RSeq")?.trim().parse().ok().filter(|_| is_reliable)
}

/// `RAck: 776656 1 INVITE`: the response's number, and the INVITE's.
fn rack_of(prack: &Headers) -> Option<(u32, u32)> {
    let mut parts = prack.header("RAck")?.split_ascii_whitespace();
    let (rseq, cseq) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (parts.next()? == Method::Invite.as_str()).then_some((rseq, cseq))
}

impl Leg {
    pub fn resend_ring(&mut self, now: Instant, stack: &mut Stack) {
        let State::Offered(offered) = &mut self.state else { return };
        let reliable = offered.reliable.as_mut();
        let Some(waits) = reliable.and_then(|r| r.unacknowledged.as_mut()) else { return };
        waits.interval *= 2;
        stack.transactions.respond(now, offered.transaction, &waits.response);
        self.timers.set(LegTimer::ResendRing, now + waits.interval);
    }

    /// A caller that does not acknowledge is gone (section 3).
    pub fn give_up_prack(&mut self, now: Instant, stack: &mut Stack) {
        let State::Offered(offered) = &self.state else { return };
        if offered.reliable.as_ref().is_some_and(|r| r.unacknowledged.is_some()) {
            self.withdraw(now, stack, 504);
        }
    }

    /// A PRACK came.
    pub fn pracked(&mut self, now: Instant, stack: &mut Stack, asking: &Asking) {
        let request = &asking.request;
        let status = match &mut self.state {
            State::Offered(offered) => {
                let invite = offered.invite.cseq().map_or(0, |cseq| cseq.number);
                let rack = rack_of(request);
                let waits = offered.reliable.as_mut().and_then(|reliable| {
                    let is_this = rack == Some((reliable.rseq, invite));
                    reliable.unacknowledged.take_if(|_| is_this)
                });
                match waits {
                    // It would change a description that nobody has agreed on yet.
                    Some(waits) if matches!(body_of(request, request.body()), Body::Sdp(_)) => {
                        offered.restore(waits);
                        488
                    }
                    Some(waits) => return self.acknowledged_early(now, stack, asking, waits),
                    None if rack.is_none() => 400,
                    None => 481,
                }
            }
            // It crossed our 2xx.
            State::Up(_) | State::Ending(_) => 200,
            State::Calling(_) | State::Over => 481,
        };
        stack.respond(now, asking.transaction, response_to(request, status, None));
    }

    fn acknowledged_early(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        asking: &Asking,
        waits: Unacknowledged,
    ) {
        self.timers.cancel(LegTimer::ResendRing);
        self.timers.cancel(LegTimer::NoPrack);
        stack.respond(now, asking.transaction, response_to(&asking.request, 200, None));
        if let Some(answer) = waits.answer {
            self.answer(now, stack, answer);
        }
    }

    /// Acknowledges a reliable response to our INVITE. False: it was heard before, or came out of
    /// order, and is to be ignored.
    pub fn acknowledge_early(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        response: &Response,
    ) -> bool {
        let Some(rseq) = rseq_of(response) else { return true };
        let State::Calling(calling) = &mut self.state else { return false };
        let id = DialogId::of_response(response);
        let early = calling.early.iter_mut().find(|early| Some(early.dialog.id()) == id.as_ref());
        let Some(early) = early else { return false };
        if early.rseq.is_some_and(|last| rseq != last.wrapping_add(1)) {
            return false;
        }
        early.rseq = Some(rseq);
        let number = calling.invite.cseq().map_or(0, |cseq| cseq.number);
        let (mut prack, way) = stack.in_dialog(&mut early.dialog, Method::Prack);
        prack.push_header("RAck", format!("{rseq} {number} INVITE"));
        if let Some(authentication) = &mut self.authentication {
            authentication.begin_request();
        }
        let serves = Use { leg: self.id, purpose: Purpose::Prack };
        stack.request(now, prack, way, Some(serves));
        true
    }

    /// A final response to our PRACK: a challenge is answered, and nothing else is waited for.
    pub fn prack_answered(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        transaction: TransactionId,
        response: &Response,
    ) {
        let State::Calling(calling) = &mut self.state else { return };
        if !matches!(response.status(), 401 | 407) {
            return;
        }
        let id = DialogId::of_response(response);
        let mut early = calling.early.iter_mut().map(|early: &mut Early| &mut early.dialog);
        let Some(dialog) = early.find(|dialog| Some(dialog.id()) == id.as_ref()) else { return };
        let authentication = self.authentication.as_mut();
        let again = asked_again(stack, dialog, authentication, transaction, response);
        if let Some((prack, way)) = again {
            let serves = Use { leg: self.id, purpose: Purpose::Prack };
            stack.request(now, prack, way, Some(serves));
        }
    }
}

impl super::leg::Offered {
    fn restore(&mut self, waits: Unacknowledged) {
        if let Some(reliable) = &mut self.reliable {
            reliable.unacknowledged = Some(waits);
        }
    }
}
