//! An INVITE that is to take the place of a call that we are in (RFC 3891).
//!
//! It comes from whom may call us anyway, and names a dialog by two random tags and a Call-ID: who knows
//! these has had them from one of the two who are in the call.

use super::UserAgent;
use super::inspect::Refusal;
use super::leg::State;
use crate::sip::LegId;
use crate::sip::dialog::DialogId;
use crate::sip::message::{Replaces, Request};

impl UserAgent {
    /// The leg that an INVITE is to replace, if any.
    ///
    /// # Errors
    /// The response that section 3 has for one that replaces nothing.
    pub(super) fn to_replace(&self, invite: &Request) -> Result<Option<LegId>, Refusal> {
        let mut values = invite.headers("Replaces");
        let Some(value) = values.next() else { return Ok(None) };
        // A comma would begin another one.
        let is_one = values.next().is_none() && !value.contains(',');
        if !is_one || invite.header("Join").is_some() {
            return Err(Refusal::new(400));
        }
        let replaces = Replaces::parse(value).ok_or(Refusal::new(400))?;
        let leg = self.dialog_of(&replaces).ok_or(Refusal::new(481))?;
        match self.legs.get(&leg).map(|leg| &leg.state) {
            Some(State::Up(up)) if up.is_leaving() => Err(Refusal::new(603)),
            Some(State::Up(_)) if replaces.is_early_only => Err(Refusal::new(486)),
            Some(State::Up(_)) => Ok(Some(leg)),
            // Who calls us has no early dialog that others may have; whom we call answers for itself.
            Some(State::Offered(_) | State::Calling(_)) | None => Err(Refusal::new(481)),
            Some(State::Ending(_) | State::Over) => Err(Refusal::new(603)),
        }
    }

    /// Section 6.1: the tag zero stands for none, which a peer of RFC 2543 has, besides itself.
    fn dialog_of(&self, replaces: &Replaces) -> Option<LegId> {
        let dialogs = &self.stack.dialogs;
        let named = dialogs.leg(&DialogId::of_replaces(replaces));
        if replaces.from_tag != "0" {
            return named;
        }
        let without = Replaces { from_tag: String::new(), ..replaces.clone() };
        let untagged = dialogs.leg(&DialogId::of_replaces(&without));
        // Of two that match neither is meant.
        named.xor(untagged)
    }
}
