//! A caller who is put through: by the caller's own side, or by us.

use std::time::{Duration, Instant};

use super::{Call, Limit, Output, State, Timer};
use crate::base::limits;
use crate::call::ending::Cause;
use crate::call::handover::{Handover, PutThrough};
use crate::converse;
use crate::converse::people::{Address, Way};
use crate::sip::{self, LegId};

/// How long a call of ours waits to be replaced after the caller's side has left: twice what is waited for its
/// word, for it may have said nothing because it was busy calling.
const REPLACED_WITHIN: Duration = limits::HANDED_OVER_WITHIN.saturating_mul(2);

impl Call {
    pub(super) fn put_through(&mut self, transfer: converse::Transfer) {
        let converse::Transfer { to, way, within, offer } = transfer;
        match way {
            // A visit has nobody of its own who could call.
            Way::Refer if !self.leg.is_visit() => {
                self.handover = Handover::Asked;
                let to = match to {
                    Address::Uri(uri) => sip::ReferTo::Uri(uri),
                    Address::Number(number) => sip::ReferTo::Number(number),
                };
                self.command(sip::Command::Refer { leg: self.leg, to, within });
            }
            Way::Refer | Way::Bridge | Way::Attended => {
                self.handover = Handover::Bridging;
                self.floor.wait();
                let is_attended = way == Way::Attended;
                let wanted = PutThrough { to, within, offer, is_attended };
                self.out.push_back(Output::PutThrough(wanted));
            }
        }
    }

    /// What has come of it. A success is one also when it comes late: the caller talks to somebody else.
    pub(super) fn referred(&mut self, now: Instant, news: sip::ReferNews) {
        match (news, self.handover) {
            (sip::ReferNews::Accepted, Handover::Asked) => self.handover = Handover::Accepted,
            (sip::ReferNews::Accepted, Handover::Handing { .. }) => {
                self.handover = Handover::Handing { is_accepted: true };
            }
            (sip::ReferNews::Done, _) => self.end(now, Cause::Transferred.into()),
            // The person is still there.
            (sip::ReferNews::Failed(_), Handover::Handing { .. }) => {
                self.handover = Handover::Bridging;
                self.out.push_back(Output::NotHandedOver);
            }
            (sip::ReferNews::Accepted, _) | (sip::ReferNews::Failed(_), Handover::Joined) => (),
            (sip::ReferNews::Failed(_), _) => {
                self.handover = Handover::None;
                self.floor.stop_waiting();
                if std::mem::take(&mut self.is_wished_away) {
                    self.floor.take_back(now);
                    return self.floor.held(now, !self.audibility.is_heard());
                }
                self.floor.not_transferred(now);
            }
        }
    }

    /// The caller's side calls somebody else, or has said that it will.
    pub(super) fn is_being_transferred(&self) -> bool {
        matches!(self.handover, Handover::Accepted | Handover::Handing { is_accepted: true })
    }

    /// The person on that leg has taken the caller: the caller's side shall call them in our place.
    pub(super) fn hand_over(&mut self, person: LegId) {
        if self.handover == Handover::Bridging {
            self.handover = Handover::Handing { is_accepted: false };
            let to = sip::ReferTo::Leg(person);
            let within = limits::HANDED_OVER_WITHIN;
            self.command(sip::Command::Refer { leg: self.leg, to, within });
        }
    }

    /// Somebody else will call in our place. Nothing is said or understood meanwhile, and who waits hears it.
    pub(super) fn handed(&mut self, now: Instant) {
        self.handover = Handover::Handed;
        self.floor.join(now);
        self.floor.partner_waits(true);
        self.timers.set(Timer::Handed, now + REPLACED_WITHIN);
    }

    /// The conversation has waited for long enough.
    pub(super) fn give_up_person(&mut self) {
        if matches!(self.handover, Handover::Bridging | Handover::Handing { .. }) {
            self.handover = Handover::None;
            self.floor.stop_waiting();
            self.out.push_back(Output::GiveUpPerson);
        }
    }

    /// Nobody of ours hears a partner while our leg is held without sound, or passed on.
    pub(super) fn tell_partner(&mut self) {
        let is_deaf = self.plan.as_ref().is_some_and(|plan| !plan.sends && !plan.receives);
        let waits = self.handover == Handover::Joined && (is_deaf || self.is_passed_on());
        if waits != self.partner_waits {
            self.partner_waits = waits;
            self.out.push_back(Output::PartnerWaits(waits));
        }
    }

    /// From here on this call and another one hear each other.
    pub(super) fn join(&mut self, now: Instant) {
        self.handover = Handover::Joined;
        self.is_wished_away = false;
        self.timers.cancel(Timer::Handed);
        if let Limit::Until(at) = self.limit {
            self.timers.set(Timer::Longest, at);
        }
        self.record.is_joined = true;
        self.floor.join(now);
        self.floor.partner_waits(false);
        self.out.push_back(Output::Recorded);
    }

    /// Whoever had this caller has left them behind.
    pub(super) fn left_behind(&mut self, now: Instant) {
        if self.handover == Handover::Joined && matches!(self.state, State::Active) {
            self.handover = Handover::None;
            self.floor.take_back(now);
            self.floor.held(now, !self.audibility.is_heard());
        }
    }
}
