//! An INVITE that one server of a trunk does not serve goes to the next (RFC 3263 section 4.3).
//!
//! Another server is asked after a 503, where there is no way, where nothing has come at all, and where 100
//! was the last word; never once something has rung, so that no telephone is rung by two. The request is the
//! same but for its branch, Via and Contact: who gets both by two ways knows them for one call, and says 482
//! to the second, whose first is then waited for. What the first server says in the end is called off, or
//! acknowledged and ended. One that has said 100 is called off at once, and the request after it has a CSeq
//! of its own: that call may never be heard of again.

use std::time::{Duration, Instant};

use super::calling::{contact_of, preferred_flow, renumber};
use super::leg::{Calling, Cancelling, Leg, LegTimer, State};
use super::probing::Presence;
use super::stack::Stack;
use crate::base::limits;
use crate::sip::transaction::TransactionId;
use crate::sip::transport::Flow;

/// How long a server may say nothing at all. One that is there says 100 within 200 ms (RFC 3261 section
/// 17.2.1); by then the INVITE was sent three times over UDP, the last time 1.5 s ago. Timer B's 32 s are
/// longer than a caller waits.
pub(super) const SILENT_FOR: Duration = Duration::from_secs(3);

/// A server that was passed over in silence.
pub(super) struct Passed {
    pub transaction: TransactionId,
    pub flow: Flow,
    pub watched: Flow,
}

impl Leg {
    /// Waits for a word of the server only where there is another, or another way to it.
    pub(super) fn wait_for_server(&mut self, now: Instant) {
        let State::Calling(calling) = &self.state else { return };
        match calling.others.is_empty() && calling.udp_flow.is_none() {
            true => self.timers.cancel(LegTimer::NextServer),
            false => self.timers.set(LegTimer::NextServer, now + SILENT_FOR),
        }
    }

    /// The server has said this provisional status.
    pub(super) fn server_at_work(&mut self, now: Instant, status: u16) {
        let State::Calling(calling) = &mut self.state else { return };
        if status > 100 {
            // It may be ringing there: nobody else is called.
            calling.others.clear();
        }
        match calling.others.is_empty() {
            true => self.timers.cancel(LegTimer::NextServer),
            false => self.timers.set(LegTimer::NextServer, now + limits::SIP_TRYING_TIME),
        }
    }

    pub(super) fn server_silent(&mut self, now: Instant, stack: &mut Stack) {
        let State::Calling(calling) = &self.state else { return };
        let silent = calling.current();
        let (id, is_last) = (silent.transaction, calling.others.is_empty());
        if calling.cancelling != Cancelling::No {
            return;
        }
        // What waits for a stream would leave whenever that is there, and call a second time.
        if stack.take_back(id) {
            let goes_on = self.call_by_datagram(now, stack)
                || self.call_next_server(now, stack, Presence::Silent);
            if !goes_on {
                self.call_failed(now, stack, 503);
            }
            return;
        }
        let is_trying = stack.transactions.may_be_cancelled(id);
        if is_last || !self.call_next_server(now, stack, Presence::Silent) {
            return;
        }
        if is_trying {
            return stack.call_off(now, id);
        }
        stack.transactions.hush(id);
        if let State::Calling(calling) = &mut self.state {
            calling.passed.push(silent);
        }
    }

    /// Calls the same server by datagrams, where a stream was wanted for the size of the INVITE: a large
    /// datagram is better than no call. False if that is no choice.
    pub(super) fn call_by_datagram(&mut self, now: Instant, stack: &mut Stack) -> bool {
        let State::Calling(calling) = &mut self.state else { return false };
        if calling.cancelling != Cancelling::No {
            return false;
        }
        let Some(flow) = calling.udp_flow.take() else { return false };
        calling.flow = flow;
        let mut invite = calling.invite.clone();
        invite.set_header("Contact", contact_of(stack, flow));
        self.call_again(now, stack, invite)
    }

    /// Calls again by the next server; false if there is none, or nobody wants the call any more.
    pub(super) fn call_next_server(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        presence: Presence,
    ) -> bool {
        let State::Calling(calling) = &mut self.state else { return false };
        if calling.cancelling != Cancelling::No {
            return false;
        }
        let Some(next) = calling.others.pop_front() else { return false };
        stack.passed_over(calling.watched, presence);
        let mut invite = calling.invite.clone();
        // Another server's nonces mean nothing to this one.
        invite.remove_header("Authorization");
        invite.remove_header("Proxy-Authorization");
        if stack.transactions.may_be_cancelled(calling.transaction) {
            renumber(&mut invite);
        }
        let destination = next.peer.ip();
        let authentication = self.authentication.as_ref().map(|own| own.towards(destination));
        self.authentication = authentication;
        calling.watched = next;
        (calling.flow, calling.udp_flow) = preferred_flow(stack, &invite, next);
        invite.set_header("Contact", contact_of(stack, calling.flow));
        self.call_again(now, stack, invite)
    }

    /// A server says that it has this call by another way (482): by one that was passed over in silence, which
    /// is waited for from now on. False if there is none.
    pub(super) fn go_back(&mut self, stack: &Stack) -> bool {
        let State::Calling(calling) = &mut self.state else { return false };
        let is_silent = |passed: &Passed| stack.transactions.is_silent(passed.transaction);
        let Some(at) = calling.passed.iter().rposition(is_silent) else { return false };
        calling.others.clear();
        self.timers.cancel(LegTimer::NextServer);
        self.take_up(stack, at)
    }

    /// Something good came in `transaction`: a server that was passed over is there after all, and has the call
    /// if the one that was asked after it has said nothing yet.
    pub(super) fn hear_late(&mut self, stack: &mut Stack, transaction: TransactionId) {
        let State::Calling(calling) = &mut self.state else { return };
        let is_late = |passed: &Passed| passed.transaction == transaction;
        let Some(at) = calling.passed.iter().position(is_late) else { return };
        let current = calling.current();
        let id = current.transaction;
        if calling.cancelling != Cancelling::No || !stack.transactions.is_silent(id) {
            return;
        }
        if self.take_up(stack, at) && !stack.take_back(id) {
            stack.transactions.hush(id);
            if let State::Calling(calling) = &mut self.state {
                calling.passed.push(current);
            }
        }
    }

    /// Makes one that was passed over the server of this call again.
    fn take_up(&mut self, stack: &Stack, at: usize) -> bool {
        let State::Calling(calling) = &mut self.state else { return false };
        let Passed { transaction, flow, watched } = calling.passed.swap_remove(at);
        let Some(invite) = stack.transactions.request(transaction) else { return false };
        calling.invite = invite.clone();
        (calling.transaction, calling.flow, calling.watched) = (transaction, flow, watched);
        calling.udp_flow = None;
        let authentication = self.authentication.as_ref();
        self.authentication = authentication.map(|own| own.towards(flow.peer.ip()));
        true
    }
}

impl Calling {
    fn current(&self) -> Passed {
        Passed { transaction: self.transaction, flow: self.flow, watched: self.watched }
    }
}
