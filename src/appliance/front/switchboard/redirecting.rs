//! Calls of ours that are sent on by 300, 301 and 302 (RFC 3261 section 8.1.3.4): to whom the owner's rules let
//! us call anyway, and to nobody else.
//!
//! An order of `[dial]` goes to another number by its own account, if that number is allowed and costs no more
//! than what was set aside for the first. A call to a person goes to another person who is there, at the address
//! that the owner has written: nothing else that stands in an answer says who may be called. Each is tried once.

use std::collections::VecDeque;
use std::time::Instant;

use super::Switchboard;
use crate::base::{CallId, Private, limits};
use crate::call;
use crate::sip;
use crate::sip::message::Uri;

/// What a call was sent on to.
#[derive(Debug, Default)]
pub(super) struct Redirection {
    /// Request-URIs that were called.
    called: Vec<Private<String>>,
    /// What is still to be tried.
    waiting: VecDeque<Private<String>>,
}

impl Redirection {
    pub(super) fn of(invite: &sip::Invite) -> Self {
        Self { called: vec![invite.target.clone()], waiting: VecDeque::new() }
    }

    /// Puts what is wanted more before what was wanted by somebody else earlier.
    fn note(&mut self, to: &[String]) {
        for address in to.iter().rev() {
            self.waiting.push_front(Private::new(address.clone()));
        }
        self.waiting.truncate(limits::REDIRECTS_PER_CALL);
    }

    /// False where that was called, or nothing more may be.
    fn take(&mut self, invite: &sip::Invite) -> bool {
        let is_new = !self.called.contains(&invite.target);
        let may_be = is_new && self.called.len() <= limits::REDIRECTS_PER_CALL;
        if may_be {
            self.called.push(invite.target.clone());
        }
        may_be
    }
}

impl Switchboard {
    /// Goes on with another address, if what has become of our INVITE leaves one.
    pub(super) fn goes_on_elsewhere(
        &mut self,
        now: Instant,
        id: CallId,
        event: &sip::Event,
    ) -> bool {
        let Some(line) = self.lines.get_mut(&id) else { return false };
        let record = line.call.record();
        let is_dialling = !record.progress.is_ended() && record.progress.answered_at_ms().is_none();
        if !is_dialling || event.leg() != line.call.leg() {
            return false;
        }
        match event {
            sip::Event::Redirected { to, .. } => line.redirection.note(to.reveal()),
            // 6xx speaks for everywhere (section 21.6).
            sip::Event::Refused { status: ..=599, .. } => (),
            _ => return false,
        }
        while let Some(address) = self.next_address(id) {
            let Some(invite) = self.redirected(id, &address) else { continue };
            let Some(towards) = self.towards_another(id, invite.flow) else { continue };
            let Some(line) = self.lines.get_mut(&id) else { return false };
            if !line.redirection.take(&invite) {
                continue;
            }
            tracing::info!(call_id = %id, "sent on to another address");
            line.invite = Some(Box::new(invite));
            let leg = self.parts.sip.reserve_leg();
            self.legs.insert(leg, id);
            self.call(now, id, call::Input::Redirected { leg, towards });
            return true;
        }
        false
    }

    fn next_address(&mut self, id: CallId) -> Option<Private<String>> {
        self.lines.get_mut(&id)?.redirection.waiting.pop_front()
    }

    /// The INVITE to that address, if it may be called.
    pub(super) fn redirected(
        &mut self,
        id: CallId,
        address: &Private<String>,
    ) -> Option<sip::Invite> {
        let to = Uri::parse(address.reveal()).filter(|to| to.param("maddr").is_none())?;
        if let Some(order) = self.parts.dialler.order(id) {
            let settings = self.parts.dialler.settings();
            let number = settings.number(&to.user_as_read().ok()??).ok()?;
            if settings.most(&number) > settings.most(&order.number) {
                return None;
            }
            let trunk = order.trunk.clone();
            let trunk = self.parts.accounts.trunk(trunk.as_deref(), &number, &mut self.parts.sip);
            return trunk.ok().map(|trunk| trunk.invite);
        }
        let person = self.person_at(&to).filter(|person| self.is_covered(id, person))?;
        self.way_to(&person).map(|(_, _, invite)| invite)
    }
}
