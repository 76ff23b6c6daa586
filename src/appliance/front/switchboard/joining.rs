//! Callers whom we put through ourselves: the call to the person, and the two calls that become one.
//!
//! ```text
//! PutThrough ─▶ a call to the person ─ Accepted ─▶ joined: each hears the other
//!                  │ fails, or is not taken   │   ▲          ├ one ends ─▶ the other, too
//!                  │                          │   │          └ the person leaves for nobody ─▶ the caller is ours
//!                  └─▶ the caller is told     ▼   │ not handed over
//!                                   attended: the caller's side calls the person itself ─▶ both end
//! ```
//!
//! Invariant: a partner's partner is the call itself, and both forget each other with the first end.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Switchboard;
use super::dialling::{NoLine, Wanted};
use super::handsets::Found;
use crate::appliance::rings::AudioEventKind;
use crate::base::{CallId, Private};
use crate::call::language::Choice;
use crate::call::media::MediaEvent;
use crate::call::record::Dialled;
use crate::call::{self, Cause, PutThrough};
use crate::converse::Variables;
use crate::converse::people::Address;
use crate::listen::answered::OnMachine;
use crate::sip::message::Uri;
use crate::sip::{self, Server, Transport};
use crate::trunk::AnswerPolicy;
use crate::web::{Event, TransferStep};

/// Frames of a joined call in its playout ring: what waits there is delay, and one that comes with each
/// tick needs room for the tick at hand and one that is late.
pub(super) const JOINED_FRAMES: usize = 3;

/// The other half of a caller who is put through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partner {
    pub call: CallId,
    /// Whether that one is the person.
    pub is_person: bool,
    pub stage: Stage,
    /// Whether the caller's side is to call the person in our place.
    pub is_attended: bool,
    /// When the call to the person is answered.
    pub answer: AnswerPolicy,
}

/// How far the two have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The person is called, and told of the caller.
    Offered,
    /// The caller's side was asked to call the person.
    Handed,
    /// Each hears the other.
    Joined,
}

impl Switchboard {
    /// What a call wants of another one.
    pub(super) fn pair(&mut self, now: Instant, id: CallId, output: call::Output) {
        match output {
            call::Output::PutThrough(person) => self.put_through(now, id, person),
            call::Output::Sip(command) => self.ask_to_call(now, id, command),
            call::Output::Accepted => self.accepted(now, id),
            call::Output::GiveUpPerson => self.give_up_person(now, id),
            call::Output::NotHandedOver => self.join_after_all(now, id),
            call::Output::PartnerWaits(waits) => {
                if let Some(other) = self.joined_with(id) {
                    self.call(now, other, call::Input::PartnerWaits(waits));
                }
            }
            _ => (),
        }
    }

    /// Tells that somebody is wanted.
    pub(super) fn begins_transfer(&self, caller: CallId, to: &Address) {
        let (Address::Uri(to) | Address::Number(to)) = to;
        let (step, to) = (TransferStep::Begun, Some(to.clone()));
        self.parts.board.tell(Event::Transfer { call: caller, step, to });
    }

    /// Calls somebody for a caller, under this id.
    pub(super) fn call_person(
        &mut self,
        now: Instant,
        caller: CallId,
        id: CallId,
        wanted: PutThrough,
    ) {
        if let Err(status) = self.try_person(now, caller, id, wanted) {
            tracing::info!(call_id = %caller, status, "nobody could be called");
            self.parts.dialler.settle_person(id, None);
            self.not_put_through(now, caller, status);
        }
    }

    fn try_person(
        &mut self,
        now: Instant,
        caller: CallId,
        id: CallId,
        wanted: PutThrough,
    ) -> Result<(), u16> {
        let PutThrough { to, within, offer, is_attended } = wanted;
        if self.has_room().is_err() {
            return Err(486);
        }
        let Found { leg, trunk, answer, invite } = self.find(&to).ok_or(503_u16)?;
        let language = self.lines.get(&caller).and_then(|line| line.call.record().language);
        let choice = language.map_or(Choice::Detect, Choice::Language);
        let manner = self.abilities.manner(choice, &self.parts.call.tongues);
        let (Address::Uri(peer) | Address::Number(peer)) = to;
        let wanted = Wanted {
            leg,
            invite,
            peer,
            dialled: Dialled { trunk, ..Dialled::default() },
            manner,
            ring: within,
            variables: Variables::default(),
            on_machine: OnMachine::Talk,
            offer: Some(offer),
        };
        self.open_line(now, id, wanted).map_err(|error| match error {
            NoLine::Ports(_) => 503_u16,
            NoLine::Full => 486,
        })?;
        tracing::info!(call_id = %id, caller = %caller, "calling a person");
        for (one, other, is_person) in [(id, caller, false), (caller, id, true)] {
            if let Some(line) = self.lines.get_mut(&one) {
                let stage = Stage::Offered;
                let partner = Partner { call: other, is_person, stage, is_attended, answer };
                line.partner = Some(partner);
            }
        }
        self.drain(now, id);
        self.admit();
        // Its INVITE leaves first, by which it rings there.
        self.settle(now);
        leg.into_iter().for_each(|leg| self.announce_caller(leg, caller));
        Ok(())
    }

    /// The INVITE to a person by SIP, without its offer: through the first account, or else straight to the
    /// address in the URI.
    pub(super) fn way_to(&mut self, to: &Address) -> Option<(String, AnswerPolicy, sip::Invite)> {
        if to.handset().is_some() {
            return None;
        }
        if let Some(trunk) = self.parts.accounts.trunk_to(to, &mut self.parts.sip) {
            return Some((trunk.name, trunk.answer, trunk.invite));
        }
        let Address::Uri(uri) = to else { return None };
        let target = Uri::parse(uri.reveal()).filter(Uri::is_sip)?;
        let transport = target.transport().and_then(Transport::from_token);
        let transport = transport.unwrap_or(Transport::Udp);
        let port = target.port().unwrap_or(transport.default_port());
        let address = SocketAddr::new(target.host()?.ip()?, port);
        let flow = self.parts.sip.flow_towards(None, Server { transport, address })?;
        let invite = sip::Invite {
            flow,
            others: Vec::new(),
            target: Private::new(uri.reveal().clone()),
            from: None,
            display: None,
            sdp: None,
            credentials: None,
            headers: Vec::new(),
        };
        Some((String::new(), AnswerPolicy::default(), invite))
    }

    /// The caller waits for nobody any more: the other telephone stops ringing.
    pub(super) fn give_up_person(&mut self, now: Instant, caller: CallId) {
        self.forget_held_person(caller);
        let Some(line) = self.lines.get_mut(&caller) else { return };
        let Some(person) = line.partner.take().map(|partner| partner.call) else { return };
        if let Some(line) = self.lines.get_mut(&person) {
            line.partner = None;
        }
        self.call(now, person, call::Input::HangUp(Cause::Cancelled));
    }

    /// The person takes the caller, who may have gone or given up.
    pub(super) fn accepted(&mut self, now: Instant, person: CallId) {
        let partner = self.lines.get(&person).and_then(|line| line.partner);
        let waits = |caller: &CallId| {
            let line = self.lines.get(caller);
            line.is_some_and(|line| {
                line.call.awaits_person()
                    && line.partner.is_some_and(|partner| partner.call == person)
            })
        };
        let Some(caller) = partner.map(|partner| partner.call).filter(waits) else {
            return self.call(now, person, call::Input::HangUp(Cause::Goodbye));
        };
        let leg = self.lines.get(&person).map(|line| line.call.leg());
        let leg = leg.filter(|_| partner.is_some_and(|partner| partner.is_attended));
        let Some(leg) = leg else { return self.join(now, caller, person) };
        tracing::info!(call_id = %caller, person = %person, "handing over");
        self.set_stage([caller, person], Stage::Handed);
        self.call(now, person, call::Input::Handed);
        self.call(now, caller, call::Input::HandOver(leg));
    }

    /// The caller's side does not call the person, who may have gone by now.
    fn join_after_all(&mut self, now: Instant, caller: CallId) {
        match self.lines.get(&caller).and_then(|line| line.partner) {
            Some(partner) => self.join(now, caller, partner.call),
            None => self.not_put_through(now, caller, 480),
        }
    }

    fn join(&mut self, now: Instant, caller: CallId, person: CallId) {
        tracing::info!(call_id = %caller, person = %person, "put through");
        self.set_stage([caller, person], Stage::Joined);
        for id in [caller, person] {
            self.call(now, id, call::Input::Joined);
        }
    }

    fn set_stage(&mut self, calls: [CallId; 2], stage: Stage) {
        for id in calls {
            if let Some(partner) = self.lines.get_mut(&id).and_then(|line| line.partner.as_mut()) {
                partner.stage = stage;
            }
        }
    }

    /// A call has ended: what becomes of the other one.
    pub(super) fn part(&mut self, now: Instant, id: CallId) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        let Some(partner) = line.partner.take() else { return };
        let cause = line.call.record().progress.ending().map(|ending| ending.cause);
        let status = cause.map_or(480, |cause| cause.wording().sip_status);
        let Some(other) = self.lines.get_mut(&partner.call) else { return };
        if other.partner.take_if(|own| own.call == id).is_none() {
            return;
        }
        let hang_up = match (partner.stage, partner.is_person) {
            // The person has passed the caller on to somebody who was not reached.
            (Stage::Joined, false) if cause == Some(Cause::LeftInTransfer) => {
                tracing::info!(call_id = %partner.call, "taken back: whom it was passed on to is not there");
                return self.call(now, partner.call, call::Input::LeftBehind);
            }
            (Stage::Joined, true) if cause == Some(Cause::LeftInTransfer) => Cause::LeftInTransfer,
            (Stage::Joined, _) => Cause::Transferred,
            (Stage::Handed, true) if cause == Some(Cause::Transferred) => Cause::Transferred,
            // The person's call must be there to be replaced; else its own deadline ends it.
            (Stage::Handed, true) if cause == Some(Cause::LeftInTransfer) => return,
            // The caller's side has replaced it, or the person has gone: its news will tell.
            (Stage::Handed, false) => return,
            // The caller has gone: the other telephone stops ringing.
            (Stage::Offered | Stage::Handed, true) => Cause::Cancelled,
            (Stage::Offered, false) => return self.not_put_through(now, partner.call, status),
        };
        self.call(now, partner.call, call::Input::HangUp(hang_up));
    }

    /// Keys travel beside the sound, not in it.
    pub(super) fn press_for_partner(&mut self, id: CallId, kind: &AudioEventKind) {
        let AudioEventKind::Media(MediaEvent::Digit { digit, duration }) = kind else { return };
        // As sound they are relayed with it.
        if self.lines.get(&id).is_some_and(|line| line.call.has_key_events()) {
            self.press(id, *digit, *duration);
        }
    }

    /// Presses a key at the other end of a joined call; false if it is not joined.
    pub(super) fn press(&mut self, id: CallId, digit: char, duration: Duration) -> bool {
        let Some(other) = self.joined_with(id) else { return false };
        if let Some(place) = self.lines.get(&other).and_then(|line| line.place) {
            self.parts.places.press(place, digit, duration);
        }
        true
    }

    /// Whose sound a call's frames are, if it is joined with another one.
    pub(super) fn joined_with(&self, id: CallId) -> Option<CallId> {
        let partner = self.lines.get(&id)?.partner?;
        (partner.stage == Stage::Joined).then_some(partner.call)
    }
}
