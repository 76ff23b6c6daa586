//! A leg that takes another one's place in a call: one that comes in for it (RFC 3891), or one that we call
//! because the other end asks us to (RFC 3515), if the owner's rules let us.

use std::time::Instant;

use super::Switchboard;
use crate::appliance::clock::week_minute;
use crate::base::{CallId, Private, limits};
use crate::call;
use crate::converse::people::Address;
use crate::sip::message::Uri;
use crate::sip::{self, LegId, Referral};
use crate::trunk::Referrals;
use crate::web::{Event, TransferStep};

/// Refused by the owner's wish.
const DECLINED: u16 = 603;
/// Nobody whom the owner lets us call.
const FORBIDDEN: u16 = 403;

/// A wish of the other end's that is carried out.
pub(super) struct Granted {
    pub id: CallId,
    /// Whom the owner has named.
    pub to: Address,
    invite: Box<sip::Invite>,
    towards: call::Towards,
}

impl Switchboard {
    /// An INVITE comes in place of a leg that is up.
    pub(super) fn replace(
        &mut self,
        now: Instant,
        before: LegId,
        leg: LegId,
        incoming: Box<sip::Incoming>,
    ) {
        let flow = incoming.flow;
        let incoming = Box::new(call::Incoming::from(*incoming));
        let taken = match self.call_of(before) {
            Some(id) => self.towards_another(id, flow).map(|way| (id, way)).ok_or(488),
            // It was succeeded already, or is nobody's.
            None => Err(DECLINED),
        };
        match taken {
            Ok((id, towards)) => {
                self.call(now, id, call::Input::Replaced { leg, incoming, towards });
                if self.lines.get(&id).is_some_and(|line| line.call.leg() == leg) {
                    tracing::info!(call_id = %id, "another leg takes the place of its own");
                    self.legs.insert(leg, id);
                }
            }
            Err(status) => self.commands.push_back(sip::Command::Reject {
                leg,
                status,
                retry_after_s: None,
                warning: None,
            }),
        }
    }

    /// The call whose own leg this is.
    pub(super) fn call_of(&self, leg: LegId) -> Option<CallId> {
        let is_own = |id: &CallId| self.lines.get(id).is_some_and(|line| line.call.leg() == leg);
        self.legs.get(&leg).copied().filter(is_own)
    }

    /// The other end of a leg wants somebody else called in its place.
    pub(super) fn refer(&mut self, now: Instant, leg: LegId, referral: &Referral) {
        let granted = match self.call_of(leg) {
            Some(id) => {
                let (step, to) = (TransferStep::Asked, Some(referral.to.clone()));
                self.parts.board.tell(Event::Transfer { call: id, step, to });
                self.granted(id, referral)
            }
            None => Err(481),
        };
        let granted = granted.and_then(|granted| self.succeed_counted(now, leg, granted));
        if let Err(status) = granted {
            tracing::info!(status, "nobody is called for a REFER");
            self.commands.push_back(sip::Command::AnswerRefer { leg, status });
        }
    }

    /// Whom a referral has called, and what they are told; else the status of the refusal.
    fn granted(&mut self, id: CallId, referral: &Referral) -> Result<Granted, u16> {
        let line = self.lines.get_mut(&id).ok_or(481_u16)?;
        line.referrals = line.referrals.saturating_add(1);
        if line.referrals > limits::TRANSFERS_PER_CALL {
            return Err(DECLINED);
        }
        let (to, invite) = self.wanted_by(referral)?;
        // No sound could pass between the two versions of IP.
        let towards = self.towards_another(id, invite.flow).ok_or(488_u16)?;
        Ok(Granted { id, to, invite: Box::new(invite), towards })
    }

    pub(super) fn succeed(&mut self, now: Instant, granted: Granted) {
        let Granted { id, invite, towards, .. } = granted;
        let leg = self.parts.sip.reserve_leg();
        if let Some(line) = self.lines.get_mut(&id) {
            line.invite = Some(invite);
        }
        let within = self.parts.dialler.settings().ring;
        self.call(now, id, call::Input::Succeed { leg, within, towards });
        // It is still there where the call has put it off.
        let unsent = self.lines.get_mut(&id).and_then(|line| line.invite.take());
        if unsent.is_none() {
            tracing::info!(call_id = %id, "passed on by the other end");
            self.legs.insert(leg, id);
        }
    }

    /// Whom a referral has called, and the INVITE for it, without its offer; else the status of the refusal.
    fn wanted_by(&mut self, referral: &Referral) -> Result<(Address, sip::Invite), u16> {
        if self.parts.referrals == Referrals::Refuse {
            return Err(DECLINED);
        }
        let to = Uri::parse(referral.to.reveal()).ok_or(400_u16)?;
        let address = self.person_at(&to).ok_or(FORBIDDEN)?;
        let mut invite = self.way_to(&address).ok_or(503_u16)?.2;
        let header = |name: &str, value: &Private<Option<String>>| {
            value.reveal().clone().map(|value| (name.to_owned(), value))
        };
        invite.headers.extend(header("Replaces", &referral.replaces));
        invite.headers.extend(header("Referred-By", &referral.referred_by));
        Ok((address, invite))
    }

    /// The address of the person who is meant and is there now, as the owner has written it: that alone is
    /// called, whatever else the URI says.
    pub(super) fn person_at(&self, to: &Uri) -> Option<Address> {
        if to.param("maddr").is_some() {
            return None;
        }
        let now = week_minute();
        let playbook = &self.parts.call.tongues.default_one().playbook;
        let people = playbook.people();
        let mut meant = people.iter().filter(|(_, person)| is_same(&person.address, to));
        meant.find(|(id, _)| people.is_in(*id, now)).map(|(_, person)| person.address.clone())
    }
}

/// Whether a person's address is the one in a URI: user and host, or the digits of a number.
fn is_same(address: &Address, uri: &Uri) -> bool {
    match address {
        Address::Uri(known) => Uri::parse(known.reveal()).is_some_and(|known| {
            let hosts = known.host().zip(uri.host());
            let users = known.user_as_read().ok().zip(uri.user_as_read().ok());
            users.is_some_and(|(one, other)| one == other)
                && hosts.is_none_or(|(one, other)| one.same(other))
        }),
        Address::Number(known) => {
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            let is_number = |user: &String| {
                user.strip_prefix('+').unwrap_or(user).chars().all(|c| c.is_ascii_digit())
            };
            let user = uri.user_as_read().ok().flatten().filter(is_number);
            user.is_some_and(|user| digits(&user) == digits(known.reveal()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_known_by_the_address_that_the_owner_has_written() {
        let uri = |text: &str| Address::Uri(Private::new(text.to_owned()));
        let number = |text: &str| Address::Number(Private::new(text.to_owned()));
        for (address, to, expected) in [
            (uri("sip:anna@192.0.2.5"), "sip:anna@192.0.2.5:5080;transport=tcp", true),
            (uri("sip:anna@Example.com"), "sip:anna@example.com", true),
            (uri("sip:anna@192.0.2.5"), "sip:anna@192.0.2.6", false),
            (uri("sip:anna@192.0.2.5"), "sip:Anna@192.0.2.5", false),
            (uri("sip:anna@192.0.2.5"), "sip:%61nna@192.0.2.5", true),
            (uri("sip:anna@192.0.2.5"), "sip:anna%2@192.0.2.5", false),
            (uri("tel:+4930123456"), "tel:+4930123456", true),
            (number("+4930123456"), "sip:+4930123456@192.0.2.6", true),
            (number("+4930123456"), "sip:4930123456@192.0.2.6;user=phone", true),
            (number("+4930123456"), "sip:%2B4930123456@192.0.2.6", true),
            (number("+4930123456"), "tel:+4930123456", true),
            (number("+4930123456"), "sip:0900123456@192.0.2.6", false),
            (number("202"), "sip:x2x0x2@192.0.2.6", false),
        ] {
            assert_eq!(is_same(&address, &Uri::parse(to).unwrap()), expected, "{to}");
        }
    }
}
