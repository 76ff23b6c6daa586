//! A leg that takes another one's place in a call: one that comes in for it (RFC 3891), or one that we call
//! because the other end asks us to (RFC 3515), if the owner's rules let us.

use std::time::Instant;

use super::Switchboard;
use crate::base::{CallId, Private};
use crate::call;
use crate::converse::people::Address;
use crate::sip::message::Uri;
use crate::sip::{self, LegId, Referral};
use crate::trunk::{Referrals, is_within_house};

/// Refused by the owner's wish.
const DECLINED: u16 = 603;
/// Nobody whom the owner lets us call.
const FORBIDDEN: u16 = 403;

impl Switchboard {
    /// An INVITE comes in place of a leg that is up.
    pub(super) fn replace(
        &mut self,
        now: Instant,
        before: LegId,
        leg: LegId,
        incoming: Box<sip::Incoming>,
    ) {
        let Some(id) = self.legs.get(&before).copied() else {
            return self.commands.push_back(sip::Command::Reject {
                leg,
                status: 481,
                retry_after_s: None,
                warning: None,
            });
        };
        tracing::info!(call = %id, "another leg takes the place of its own");
        self.legs.insert(leg, id);
        self.call(now, id, call::Input::Replaced { leg, incoming });
    }

    /// The other end of a leg wants somebody else called in its place.
    pub(super) fn refer(&mut self, now: Instant, leg: LegId, referral: &Referral) {
        let id = self.legs.get(&leg).copied();
        let is_its_own =
            |id: &CallId| self.lines.get(id).is_some_and(|line| line.call.leg() == leg);
        let granted = match id.filter(is_its_own) {
            Some(id) => self.wanted_by(referral).map(|invite| (id, invite)),
            None => Err(481),
        };
        match granted {
            Ok((id, invite)) => {
                tracing::info!(call = %id, "passed on by the other end");
                let successor = self.parts.sip.reserve_leg();
                self.legs.insert(successor, id);
                if let Some(line) = self.lines.get_mut(&id) {
                    line.invite = Some(Box::new(invite));
                }
                let within = self.parts.dialler.settings().ring;
                self.call(now, id, call::Input::Succeed { leg: successor, within });
            }
            Err(status) => {
                tracing::info!(status, "nobody is called for a REFER");
                self.commands.push_back(sip::Command::AnswerRefer { leg, status });
            }
        }
    }

    /// The INVITE that a referral asks for, without its offer; else the status of the refusal.
    fn wanted_by(&mut self, referral: &Referral) -> Result<sip::Invite, u16> {
        let rule = self.parts.referrals;
        if rule == Referrals::Refuse {
            return Err(DECLINED);
        }
        let to = Uri::parse(referral.to.reveal()).ok_or(400_u16)?;
        let mut invite = match self.person_at(&to) {
            Some(address) => self.way_to(&address).ok_or(503_u16)?.2,
            None if rule == Referrals::SameHost
                && referral.is_at_peer
                && is_within_house(to.user()) =>
            {
                self.invite_at(referral)
            }
            None => return Err(FORBIDDEN),
        };
        let header = |name: &str, value: &Private<Option<String>>| {
            value.reveal().clone().map(|value| (name.to_owned(), value))
        };
        invite.headers.extend(header("Replaces", &referral.replaces));
        invite.headers.extend(header("Referred-By", &referral.referred_by));
        Ok(invite)
    }

    /// The address of the person who is meant, as the owner has written it.
    pub(super) fn person_at(&self, to: &Uri) -> Option<Address> {
        let playbook = &self.parts.call.tongues.default_one().playbook;
        let mut people = playbook.people().iter().map(|(_, person)| &person.address);
        people.find(|address| is_same(address, to)).cloned()
    }

    /// To somebody at the peer's own host: by its account if it has one, else straight back to it.
    fn invite_at(&mut self, referral: &Referral) -> sip::Invite {
        let peer = referral.flow.peer.ip();
        let to = referral.to.clone();
        if let Some(trunk) = self.parts.accounts.trunk_at(peer, &to, &mut self.parts.sip) {
            return trunk.invite;
        }
        sip::Invite {
            flow: referral.flow,
            others: Vec::new(),
            target: to,
            from: None,
            display: None,
            sdp: None,
            credentials: None,
            headers: Vec::new(),
        }
    }
}

/// Whether a person's address is the one in a URI: user and host, or the digits of a number.
fn is_same(address: &Address, uri: &Uri) -> bool {
    match address {
        Address::Uri(known) => Uri::parse(known.reveal()).is_some_and(|known| {
            let hosts = known.host().zip(uri.host());
            known.user() == uri.user() && hosts.is_none_or(|(one, other)| one.same(other))
        }),
        Address::Number(known) => {
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            let is_number = |user: &&str| {
                user.strip_prefix('+').unwrap_or(user).chars().all(|c| c.is_ascii_digit())
            };
            uri.user().filter(is_number).is_some_and(|user| digits(user) == digits(known.reveal()))
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
            (uri("tel:+4930123456"), "tel:+4930123456", true),
            (number("+4930123456"), "sip:+4930123456@192.0.2.6", true),
            (number("+4930123456"), "sip:4930123456@192.0.2.6;user=phone", true),
            (number("+4930123456"), "tel:+4930123456", true),
            (number("+4930123456"), "sip:0900123456@192.0.2.6", false),
            (number("202"), "sip:x2x0x2@192.0.2.6", false),
        ] {
            assert_eq!(is_same(&address, &Uri::parse(to).unwrap()), expected, "{to}");
        }
    }
}
