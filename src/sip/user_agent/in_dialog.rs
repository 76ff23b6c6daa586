//! Requests and responses that belong to a call (RFC 3261 section 12.2.2).

use std::time::Instant;

use super::UserAgent;
use super::api::Event;
use super::compose::{SDP, key_of};
use super::dialect::Dialect;
use super::inspect::{self, Refusal};
use super::leg::Leg;
use super::stack::{Purpose, Stack};
use super::uas::{concerns_a_call, refuse};
use crate::sip::LegId;
use crate::sip::counters::Dropped;
use crate::sip::dialog::DialogId;
use crate::sip::message::{Method, Request, Response, response_to};
use crate::sip::transaction::TransactionId;
use crate::sip::transport::Flow;

impl UserAgent {
    /// A request with a To tag that no transaction knows.
    pub(super) fn request_in_dialog(&mut self, now: Instant, flow: Flow, request: Request) {
        let Some(leg) = self.leg_of(flow, &request) else {
            if self.is_stranger(flow) {
                return self.stack.drop_one(Dropped::Stranger);
            }
            if self.hears(now, flow, concerns_a_call(&request)) {
                if self.is_said(now, flow, &request) {
                    return;
                }
                refuse(&mut self.stack, now, flow, &request, Refusal::new(481));
            }
            return;
        };
        if !self.legs.get_mut(&leg).is_some_and(|leg| leg.may_be_asked(now, &request)) {
            return self.overloaded(now, flow, &request, Dropped::CallRate);
        }
        let Some(transaction) = self.stack.accept(&request, flow) else {
            return self.overloaded(now, flow, &request, Dropped::TransactionsFull);
        };
        self.with_leg(now, leg, |leg, stack| {
            leg.requested(now, stack, Asking { request, transaction, flow });
        });
    }

    /// An ACK that belongs to a 2xx, which only its dialog can tell.
    pub(super) fn ack_in_dialog(&mut self, now: Instant, flow: Flow, ack: &Request) {
        match self.leg_of(flow, ack) {
            Some(leg) => self.with_leg(now, leg, |leg, stack| leg.acknowledged(now, stack, ack)),
            None => self.stack.drop_one(Dropped::StrayAck),
        }
    }

    /// The leg whose dialog a request belongs to, if it may come from where it came from.
    fn leg_of(&mut self, flow: Flow, request: &Request) -> Option<LegId> {
        let id = DialogId::of_request(request)?;
        let leg = self.stack.dialogs.leg(&id)?;
        let dialog = self.legs.get_mut(&leg)?.dialog_mut(&id)?;
        if !dialog.may_come_from(flow.peer.ip()) {
            self.stack.drop_one(Dropped::Spoofed);
            return None;
        }
        // A peer that came back on another stream is answered on that one from now on.
        if flow.transport.is_reliable() && flow.transport == dialog.flow().transport {
            dialog.refresh(&[], Some(flow));
        }
        Some(leg)
    }

    /// A response that its transaction lets through.
    pub(super) fn response(&mut self, now: Instant, flow: Flow, response: &Response) {
        let Some(id) = self.stack.transactions.response(now, response) else {
            if !self.stack.transactions.knows(response) {
                self.stack.drop_one(Dropped::StrayResponse);
            }
            return;
        };
        if self.registrar_answered(now, id, response, flow)
            || self.stack.probe_answered(id, response)
        {
            return;
        }
        let is_invite = response.cseq().is_some_and(|cseq| cseq.method == Method::Invite);
        if is_invite && response.is_success() && self.stack.acknowledge_again(now, id, response) {
            return;
        }
        let serves = self.stack.use_of(id).filter(|serves| self.legs.contains_key(&serves.leg));
        match serves {
            Some(serves) => self.with_leg(now, serves.leg, |leg, stack| match serves.purpose {
                Purpose::Call => leg.call_answered(now, stack, id, response, flow),
                Purpose::Reoffer if response.is_final() => {
                    leg.reoffer_response(now, stack, id, response);
                }
                Purpose::Refresh if response.is_final() => leg.refreshed(now, stack, response),
                Purpose::Prack if response.is_final() => {
                    leg.prack_answered(now, stack, id, response);
                }
                Purpose::Bye if response.is_final() => leg.bye_answered(now, stack, response),
                Purpose::Refer if response.is_final() => {
                    leg.refer_answered(now, stack, id, response);
                }
                Purpose::Notify if response.is_final() => {
                    leg.notify_answered(now, stack, id, response);
                }
                Purpose::Reoffer
                | Purpose::Refresh
                | Purpose::Prack
                | Purpose::Bye
                | Purpose::Refer
                | Purpose::Notify
                | Purpose::Cancel
                | Purpose::Incoming => {}
            }),
            None if is_invite && response.is_success() => {
                self.stack.turn_away(now, id, response, flow);
            }
            None if is_invite && !response.is_final() => self.stack.call_off(now, id),
            None => {}
        }
    }
}

/// A request in a dialog with its transaction.
pub(super) struct Asking {
    pub request: Request,
    pub transaction: TransactionId,
    pub flow: Flow,
}

impl Leg {
    /// A new request in this leg's dialog.
    fn requested(&mut self, now: Instant, stack: &mut Stack, asking: Asking) {
        let dialect = stack.dialect(asking.flow);
        if let Err(refusal) = self.admissible(&asking.request, dialect) {
            let mut response = response_to(&asking.request, refusal.status, None);
            if let Some((name, value)) = refusal.header {
                response.push_header(name, value);
            }
            return stack.respond(now, asking.transaction, response);
        }
        match asking.request.method() {
            Method::Invite => self.reinvited(now, stack, asking),
            Method::Update => self.updated(now, stack, asking),
            Method::Bye => self.bye_received(now, stack, &asking.request, asking.transaction),
            Method::Info => self.informed(now, stack, &asking),
            Method::Prack => self.pracked(now, stack, &asking),
            Method::Notify => self.notified(now, stack, &asking),
            Method::Refer => self.referred(now, stack, asking),
            _ => {
                let mut ok = response_to(&asking.request, 200, None);
                stack.introduce(&mut ok, asking.flow);
                ok.push_header("Accept", SDP);
                stack.respond(now, asking.transaction, ok);
            }
        }
    }

    /// Whether the peer may have a transaction for one more request. Each is kept for 32 s, so one
    /// call could take them all. A BYE that will end the call is always heard: it is the last.
    fn may_be_asked(&mut self, now: Instant, request: &Request) -> bool {
        self.is_farewell(request) || self.requests.take(now)
    }

    fn is_farewell(&mut self, request: &Request) -> bool {
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        let id = DialogId::of_request(request);
        *request.method() == Method::Bye
            && id.and_then(|id| self.dialog_mut(&id)).is_some_and(|dialog| dialog.expects(number))
            && inspect::require(request).is_ok()
            && inspect::content(request).is_ok()
    }

    /// Order first: a CSeq is used up even by a request that is refused for another reason.
    fn admissible(&mut self, request: &Request, dialect: Dialect) -> Result<(), Refusal> {
        let id = DialogId::of_request(request);
        let dialog = id.and_then(|id| self.dialog_mut(&id)).ok_or(Refusal::new(481))?;
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        dialog.take_remote_seq(number).map_err(|_| Refusal::new(500))?;
        if dialect.is_platforms() && matches!(request.method(), Method::Info | Method::Message) {
            // What it tells in a call is in a form of its own, and any other answer ends the call.
            return Ok(());
        }
        inspect::method_in_dialog(request)?;
        inspect::require(request)?;
        inspect::content(request)
    }

    /// INFO: a key, or a sign of life.
    fn informed(&mut self, now: Instant, stack: &mut Stack, asking: &Asking) {
        let request = &asking.request;
        match key_of(request) {
            Some((digit, duration_ms)) => {
                stack.respond(now, asking.transaction, response_to(request, 200, None));
                match self.keys.take(now) {
                    true => stack.event(Event::Dtmf { leg: self.id, digit, duration_ms }),
                    false => stack.drop_one(Dropped::CallRate),
                }
            }
            None if request.body().is_empty() || stack.dialect(asking.flow).is_platforms() => {
                stack.respond(now, asking.transaction, response_to(request, 200, None));
            }
            None => stack.respond(now, asking.transaction, response_to(request, 400, None)),
        }
    }
}
