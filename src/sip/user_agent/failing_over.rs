//! An INVITE that one server of a trunk does not serve goes to the next (RFC 3263 section 4.3).
//!
//! Another server is asked after a 503, where there is no way, and where nothing has come at all; never
//! once something has rung, so that no telephone is rung by two. The request is the same but for its
//! branch, Via and Contact: who gets both by two ways knows them for one call (482). What the first
//! server says in the end is called off, or acknowledged and ended.

use std::time::{Duration, Instant};

use super::calling::{contact_of, preferred_flow};
use super::leg::{Cancelling, Leg, LegTimer, State};
use super::probing::Presence;
use super::stack::Stack;

/// How long a server may say nothing at all. One that is there says 100 within 200 ms (RFC 3261 section
/// 17.2.1); by then the INVITE was sent three times over UDP, the last time 1.5 s ago. Timer B's 32 s are
/// longer than a caller waits.
pub(super) const SILENT_FOR: Duration = Duration::from_secs(3);

impl Leg {
    /// Waits for a word of the server only where there is another.
    pub(super) fn wait_for_server(&mut self, now: Instant) {
        let State::Calling(calling) = &self.state else { return };
        match calling.others.is_empty() {
            true => self.timers.cancel(LegTimer::NextServer),
            false => self.timers.set(LegTimer::NextServer, now + SILENT_FOR),
        }
    }

    pub(super) fn server_silent(&mut self, now: Instant, stack: &mut Stack) {
        let State::Calling(calling) = &self.state else { return };
        let silent = calling.transaction;
        if self.call_next_server(now, stack, Presence::Silent) {
            stack.transactions.hush(silent);
        }
    }

    /// Calls again by the next server; false if there is none, or nobody wants the call any more.
    pub(super) fn call_next_server(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        presence: Presence,
    ) -> bool {
        let leg = self.id;
        let State::Calling(calling) = &mut self.state else { return false };
        if calling.cancelling != Cancelling::No {
            return false;
        }
        let Some(next) = calling.others.pop_front() else { return false };
        stack.passed_over(calling.flow, presence);
        let mut invite = calling.invite.clone();
        // Another server's nonces mean nothing to this one.
        invite.remove_header("Authorization");
        invite.remove_header("Proxy-Authorization");
        let destination = next.peer.ip();
        let authentication = self.authentication.as_ref().map(|own| own.towards(destination));
        self.authentication = authentication;
        (calling.flow, calling.udp_flow) = preferred_flow(stack, &invite, next);
        invite.set_header("Contact", contact_of(stack, calling.flow));
        if !calling.send_again(now, stack, leg, invite) {
            return false;
        }
        self.wait_for_server(now);
        true
    }
}
