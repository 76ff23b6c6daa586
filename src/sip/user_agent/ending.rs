//! The end of a call that is up: our BYE, the peer's, and a peer that is lost (RFC 3261 section 15).

use std::time::Instant;

use super::api::{EndCause, Event};
use super::leg::{AfterAck, Ending, Exchange, Leg, State};
use super::stack::{Purpose, Stack, Use};
use crate::sip::dialog::{Dialog, DialogId};
use crate::sip::message::{Method, Request, Response, response_to};
use crate::sip::transaction::TransactionId;

impl Leg {
    /// Our BYE by command. A callee's waits for the ACK of its 2xx.
    pub fn hang_up(&mut self, now: Instant, stack: &mut Stack, reason: Option<String>) {
        match &mut self.state {
            State::Offered(_) => self.withdraw(now, stack, 480),
            State::Calling(_) => self.cancel(now, stack),
            State::Up(up) => match &mut up.exchange {
                Exchange::AwaitingAck(awaiting) => awaiting.then = AfterAck::Bye { reason },
                _ => self.bye(now, stack, reason, EndCause::ByUs),
            },
            State::Ending(_) | State::Over => {}
        }
    }

    /// Sends BYE; the leg ends with `cause` when that is done with.
    pub fn bye(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        reason: Option<String>,
        cause: EndCause,
    ) {
        let event = Event::Ended { leg: self.id, cause };
        self.bye_with(now, stack, reason, event);
    }

    /// Sends BYE; `event` is the leg's last word.
    pub fn bye_with(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        reason: Option<String>,
        event: Event,
    ) {
        let up = match std::mem::replace(&mut self.state, State::Over) {
            State::Up(up) => *up,
            other => {
                self.state = other;
                return;
            }
        };
        self.timers.clear();
        let mut dialog = up.dialog;
        drop_exchange(now, stack, &dialog, &up.exchange);
        let (mut bye, way) = stack.in_dialog(&mut dialog, Method::Bye);
        if let Some(reason) = reason {
            bye.push_header("Reason", reason);
        }
        if let Some(authentication) = &mut self.authentication {
            authentication.begin_request();
        }
        let serves = Use { leg: self.id, purpose: Purpose::Bye };
        match stack.request(now, bye.clone(), way, Some(serves)) {
            Some(transaction) => {
                let ending = Ending { dialog, transaction, bye, event };
                self.state = State::Ending(Box::new(ending));
            }
            None => {
                stack.dialogs.remove(dialog.id());
                stack.event(event);
            }
        }
    }

    /// A final response to our BYE.
    pub fn bye_answered(&mut self, now: Instant, stack: &mut Stack, response: &Response) {
        let State::Ending(ending) = &mut self.state else { return };
        if matches!(response.status(), 401 | 407) {
            let mut bye = ending.dialog.request(Method::Bye);
            for name in ["Reason", "User-Agent"] {
                for value in ending.bye.headers(name) {
                    bye.push_header(name, value);
                }
            }
            let way = stack.way(&ending.dialog);
            let answered = self.authentication.as_mut().is_some_and(|authentication| {
                let peer = way.flow.peer.ip();
                authentication.answer(response, &mut bye, peer, &mut stack.entropy).is_ok()
            });
            let serves = Use { leg: self.id, purpose: Purpose::Bye };
            let sent = if answered { stack.request(now, bye, way, Some(serves)) } else { None };
            if let Some(transaction) = sent {
                ending.transaction = transaction;
                return;
            }
        }
        self.bye_done(stack);
    }

    /// Whatever came of our BYE, the call is over.
    pub fn bye_done(&mut self, stack: &mut Stack) {
        if let State::Ending(ending) = &self.state {
            let event = ending.event.clone();
            self.finish(stack, Some(event));
        }
    }

    /// Nobody is where our BYE goes.
    pub fn bye_undelivered(&mut self) {
        if let State::Ending(ending) = &mut self.state
            && let Event::Ended { cause: cause @ EndCause::ByUs, .. } = &mut ending.event
        {
            *cause = EndCause::Unreachable;
        }
    }

    /// The peer's BYE.
    pub fn bye_received(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        bye: &Request,
        transaction: TransactionId,
    ) {
        let status = if matches!(self.state, State::Over) { 481 } else { 200 };
        stack.respond(now, transaction, response_to(bye, status, None));
        match &self.state {
            State::Offered(_) => self.withdraw(now, stack, 487),
            State::Up(up) => {
                drop_exchange(now, stack, &up.dialog, &up.exchange);
                let event = Event::Ended { leg: self.id, cause: EndCause::ByPeer };
                self.finish(stack, Some(event));
            }
            State::Calling(_) => self.early_dialog_ended(stack, bye),
            State::Ending(_) => self.bye_done(stack),
            State::Over => {}
        }
    }

    /// A callee may not end an early dialog so, but one that does is heard.
    fn early_dialog_ended(&mut self, stack: &mut Stack, bye: &Request) {
        let State::Calling(calling) = &mut self.state else { return };
        if let Some(id) = DialogId::of_request(bye) {
            calling.early.retain(|early| *early.dialog.id() != id);
            stack.dialogs.remove(&id);
        }
    }

    /// A request of ours in the dialog got 408, 481 or nothing: the peer has no call any more
    /// (section 12.2.1.2).
    pub fn lost(&mut self, now: Instant, stack: &mut Stack, status: u16) {
        let cause = if status == 481 { EndCause::Gone } else { EndCause::Timeout };
        self.bye(now, stack, None, cause);
    }
}

/// What is owed to an exchange that the end of its call cuts off.
fn drop_exchange(now: Instant, stack: &mut Stack, dialog: &Dialog, exchange: &Exchange) {
    match exchange {
        Exchange::Asked(asked) => {
            let refusal = response_to(&asked.request, 487, Some(dialog.local_tag()));
            stack.respond(now, asked.transaction, refusal);
        }
        Exchange::AnswerDue { transaction } => {
            stack.acknowledge(now, *transaction, dialog, None);
        }
        Exchange::Offering { transaction, .. } => stack.transactions.expire(now, *transaction),
        Exchange::Idle | Exchange::AwaitingAck(_) => {}
    }
}
