//! Calls that we make: whether one is begun, through which account, and when it is tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::controlling;
use super::redirecting::Redirection;
use super::taking::MediaWish;
use super::{Line, Switchboard};
use crate::appliance::accounts::{NoTrunk, Trunk};
use crate::appliance::clock::{unix_ms, week_minute};
use crate::appliance::front::dialler::{LATER, Order, Told, not_counted, not_placed};
use crate::appliance::rtp_socket::PortsExhausted;
use crate::base::{CallId, LanguageCode, Private};
use crate::call::admission::Limit;
use crate::call::flight::Tracked;
use crate::call::language::{Choice, Known, Manner};
use crate::call::record::{Dialled, Direction};
use crate::call::{self, Cause, Outgoing, Start};
use crate::converse::Variables;
use crate::listen::answered::OnMachine;
use crate::sdp::OfferedKeys;
use crate::sip::{self, Flow, LegId, ReferNews};
use crate::store::ledger::Written;
use crate::trunk::campaign::LEFT_FREE;
use crate::trunk::dialling::{LimitReached, Number, Refusal};
use crate::trunk::{AnswerPolicy, Sign};
use crate::web::{Command, DialOrder, HungUp, NotPlaced, Placed};

/// The last attempt's leg is still being ended when the next is due.
const STILL_ENDING: Duration = Duration::from_millis(250);

/// A call that is to go out, whoever wants it.
pub(super) struct Wanted {
    /// Of a handset; `None`: of SIP.
    pub leg: Option<LegId>,
    pub invite: sip::Invite,
    pub peer: Private<String>,
    pub dialled: Dialled,
    pub manner: Manner,
    pub ring: Duration,
    pub variables: Variables,
    pub on_machine: OnMachine,
    /// What a person is told of a caller who waits.
    pub offer: Option<Private<String>>,
}

/// Why there is no line for it.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLine {
    #[error(transparent)]
    Ports(#[from] PortsExhausted),
    #[error("every line is in use")]
    Full,
}

impl Switchboard {
    /// The interface asks for something.
    pub fn command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Dial { order, told } => self.dial(order, told),
            Command::CheckDial { order, told } => {
                // Whoever asked may have gone.
                let _ = told.send(self.makes_sense(&order));
            }
            Command::HangUp { call, told } => {
                let outcome = self.hang_up(now, call);
                // Whoever asked may have gone.
                let _ = told.send(outcome);
            }
            Command::PlatformEvent { section, event, told } => {
                let _ = told.send(self.parts.ringcentral.event(section, *event.into_revealed()));
            }
            Command::PlatformControl { order, told } => self.control_party(now, order, told),
            Command::Control { call, wish, told } => {
                let outcome = self.control(now, call, wish);
                let _ = told.send(outcome);
            }
            Command::AnswerByHand(by_hand) => self.answers_by_hand = by_hand,
            Command::Announce { by, order, told } => {
                let outcome = self.announce(by, order);
                let _ = told.send(outcome);
            }
            Command::TryLine { name, told } => {
                self.parts.accounts.try_line(now, &name, told, &mut self.parts.sip);
                self.signals(now);
            }
            // The engine is asked by who has it.
            Command::TryVoice { told, .. } => drop(told),
            Command::AudioStatus { told } => {
                let _ = told.send(self.audio_status());
            }
            Command::Operate { session, wish, told } => {
                let _ = told.send(self.operate(now, &session, wish));
            }
            Command::Handset { name, wish, told } => {
                let outcome = self.handset_wish(now, &name, wish);
                let _ = told.send(outcome);
            }
            Command::Speak { text, handset, language, told } => {
                let outcome = self.announce_on(now, &text, handset.as_deref(), language.as_deref());
                let _ = told.send(outcome);
            }
            Command::WebRtc { request, told } => {
                self.parts.visits.ask_webrtc(request, told);
                self.signals(now);
            }
        }
        self.settle(now);
    }

    /// A ledger is on the disk, or could not be written.
    pub fn ledger_written(&mut self, now: Instant, written: Written) {
        for (id, is_kept) in self.parts.dialler.on_disk(written) {
            // Whoever has gone believes that nobody is called.
            let is_wanted =
                |order: &Order| order.told.as_ref().is_none_or(|told| !told.is_closed());
            let is_wanted = self.parts.dialler.order(id).is_some_and(is_wanted);
            let may_begin = is_kept && is_wanted;
            let begun = if may_begin { self.begin(now, id) } else { Err(not_counted()) };
            self.tell(now, id, begun);
            // Whoever asked is told before anything can come of it.
            self.settle(now);
            if let Some(leg) = self.lines.get(&id).map(|line| line.call.leg()) {
                self.name(now, id, leg);
            }
        }
        self.release(now, written);
        self.settle(now);
    }

    fn dial(&mut self, wanted: DialOrder, told: Told) {
        let DialOrder {
            phone_number,
            trunk,
            playbook,
            variables,
            on_machine,
            agent,
            campaign_number,
        } = wanted;
        let choice = self.placeable(phone_number.reveal(), trunk.as_deref(), playbook.as_deref());
        let checked = choice.and_then(|(number, choice)| {
            if campaign_number.is_some() {
                self.has_room_to_spare()?;
                if self.parts.dialler.has(&number) {
                    let text = "this number is being called by somebody else's wish";
                    return Err(NotPlaced::Unavailable(text.to_owned()));
                }
            }
            if agent == Some(true) && !self.parts.agent_rule.is_there() {
                return Err(NotPlaced::Wrong("agent: there is none; see [agent]".to_owned()));
            }
            let manner = self.abilities.manner(choice, &self.parts.call.tongues);
            let tongue = self.parts.call.tongues.find(manner.language);
            let fits = tongue.playbook.check_variables(&variables);
            fits.map_err(|error| NotPlaced::Wrong(error.to_string()))?;
            Ok((number, choice))
        });
        let (number, choice) = match checked {
            Ok(checked) => checked,
            Err(why) => return refuse(told, why),
        };
        let id = self.new_call();
        let mut order = Order::new(number, (trunk, choice), variables, told);
        (order.on_machine, order.agent) = (on_machine, agent);
        order.dialled.campaign_number = campaign_number;
        if let Err((mut order, why)) = self.parts.dialler.reserve(id, order)
            && let Some(told) = order.told.take()
        {
            let why = why.map_or_else(|why| why, |limit| not_placed(Refusal::Limit(limit)));
            refuse(told, why);
        }
    }

    /// Of a call that is wanted without a language, by the default one's playbook.
    fn makes_sense(&self, order: &DialOrder) -> Result<(), NotPlaced> {
        self.parts.accounts.has_trunk(order.trunk.as_deref()).map_err(no_trunk)?;
        let choice = order.playbook.as_deref().map(|name| self.playbook(name)).transpose()?;
        let tongues = &self.parts.call.tongues;
        let tongue = match choice {
            Some(choice) => tongues.find(self.abilities.manner(choice, tongues).language),
            None => tongues.default_one(),
        };
        let fits = tongue.playbook.check_variables(&order.variables);
        fits.map_err(|error| NotPlaced::Wrong(error.to_string()))
    }

    /// The number, and the language of the call, if there could be a call at this moment.
    fn placeable(
        &mut self,
        text: &str,
        trunk: Option<&str>,
        playbook: Option<&str>,
    ) -> Result<(Number, Choice), NotPlaced> {
        let number = self.parts.dialler.number(text)?;
        self.parts.accounts.has_trunk(trunk).map_err(no_trunk)?;
        let named = playbook.map(|name| self.playbook(name)).transpose()?;
        self.has_room()?;
        let ready =
            self.parts.accounts.trunk(trunk, &number, &mut self.parts.sip).map_err(no_trunk)?;
        let choice = named.unwrap_or_else(|| self.by_number(&number, ready.invite.flow));
        Ok((number, choice))
    }

    /// A playbook is named by its language: there is one for each.
    fn playbook(&self, name: &str) -> Result<Choice, NotPlaced> {
        let tongues = &self.parts.call.tongues;
        let code = LanguageCode::of_tag(name).filter(|c| tongues.iter().any(|t| t.code == *c));
        code.map(Choice::Language).ok_or_else(|| {
            let known: Vec<String> = tongues.iter().map(|t| t.code.to_string()).collect();
            NotPlaced::Wrong(format!(
                "playbook: there is none of this name; there are: {}",
                known.join(", ")
            ))
        })
    }

    /// As for a caller from there.
    fn by_number(&self, number: &Number, flow: Flow) -> Choice {
        self.parts.languages.choose(&Known {
            called: Private::default(),
            caller: Private::new(Some(number.reveal().to_owned())),
            local: Some((flow.transport, flow.local)),
        })
    }

    pub(super) fn has_room(&self) -> Result<(), NotPlaced> {
        self.admitted().map_err(|refusal| {
            let why = match (refusal.limit, refusal.cause) {
                (Some(Limit::Lines), _) => "every line is in use",
                (Some(Limit::Load), _) => "the speech engine has too much to do",
                (Some(Limit::Heat), _) => "the box is too hot for another call",
                (Some(Limit::Memory), _) => "the box has too little memory for another call",
                (None, Cause::ShuttingDown) => "the program is being stopped",
                (None, _) => "the speech engine is not ready",
            };
            NotPlaced::Unavailable(why.to_owned())
        })
    }

    /// Calls of campaigns leave lines to callers.
    fn has_room_to_spare(&self) -> Result<(), NotPlaced> {
        self.has_room()?;
        match self.parts.admission.max.saturating_sub(self.parts.places.taken()) > LEFT_FREE {
            true => Ok(()),
            false => Err(NotPlaced::Unavailable("the last line is left to callers".to_owned())),
        }
    }

    /// Begins an attempt that is counted.
    fn begin(&mut self, now: Instant, id: CallId) -> Result<(), NotPlaced> {
        let Some(order) = self.parts.dialler.order(id) else { return Err(not_counted()) };
        match order.dialled.campaign_number {
            Some(_) => self.has_room_to_spare()?,
            None => self.has_room()?,
        }
        let (number, choice) = (order.number.clone(), order.choice);
        let variables = order.variables.clone();
        let on_machine = order.on_machine.unwrap_or(self.parts.on_machine);
        let before = order.dialled.clone();
        let asked = order.agent;
        let trunk = self.parts.accounts.trunk(order.trunk.as_deref(), &number, &mut self.parts.sip);
        let Trunk { name, answer, agent, invite } =
            trunk.map_err(|error| NotPlaced::Unavailable(error.to_string()))?;
        let dialled = Dialled { trunk: name, ..before };
        if let Some(order) = self.parts.dialler.order_mut(id) {
            (order.answer, order.dialled) = (answer, dialled.clone());
        }
        let mut manner = self.abilities.manner(choice, &self.parts.call.tongues);
        self.choose_agent(&mut manner, Direction::Outbound, asked, agent);
        let wanted = Wanted {
            leg: None,
            invite,
            peer: Private::new(number.reveal().to_owned()),
            dialled,
            manner,
            ring: self.parts.dialler.settings().ring,
            variables,
            on_machine,
            offer: None,
        };
        self.open_line(now, id, wanted)
            .map_err(|error| NotPlaced::Unavailable(error.to_string()))?;
        tracing::info!(call_id = %id, "dialling");
        self.parts.dialler.begun(id);
        self.drain(now, id);
        self.admit();
        Ok(())
    }

    /// Opens the line of a call that goes out. Its INVITE leaves when the line is drained.
    pub(super) fn open_line(
        &mut self,
        now: Instant,
        id: CallId,
        wanted: Wanted,
    ) -> Result<(), NoLine> {
        let Wanted { leg, invite, peer, dialled, manner, ring, variables, on_machine, offer } =
            wanted;
        let redirection = Redirection::of(&invite);
        let is_ipv4 = invite.flow.local.is_ipv4();
        let account = invite.flow.account;
        let is_offered = self.parts.call.offering.keys == OfferedKeys::Dtls;
        let wish = match leg {
            Some(_) => MediaWish::of_handset(),
            None => self.wish(invite.flow, is_offered),
        };
        let (sockets, media) = self.open_media(now, wish)?;
        let place = self.parts.places.reserve(id, sockets).ok_or(NoLine::Full)?;
        let leg = leg.unwrap_or_else(|| self.parts.sip.reserve_leg());
        let outgoing = Outgoing {
            id,
            leg,
            start: Start { now, unix_ms: unix_ms(), local: week_minute() },
            invite: Box::new(invite),
            peer,
            dialled,
            media,
            manner,
            shelf: Arc::clone(&self.shelf),
            ring,
            variables,
            on_machine,
            offer,
        };
        let call = Tracked::dial(&self.settings_of(leg.way()), outgoing);
        self.legs.insert(leg, id);
        self.lines.insert(id, Line { redirection, account, ..Line::new(call, place, is_ipv4) });
        self.parts.accounts.call_begins(account);
        Ok(())
    }

    /// The Call-ID is known once the INVITE is out.
    fn name(&mut self, now: Instant, id: CallId, leg: sip::LegId) {
        let sip_call_id = self.parts.sip.sip_call_id(leg).map(str::to_owned);
        if let (Some(name), Some(order)) = (sip_call_id, self.parts.dialler.order_mut(id)) {
            order.sip_call_id = Private::new(name);
            self.show(now, id);
        }
    }

    /// What came of beginning the first attempt goes to whoever asked; a later one waits once more.
    fn tell(&mut self, now: Instant, id: CallId, begun: Result<(), NotPlaced>) {
        let Some(order) = self.parts.dialler.order_mut(id) else { return };
        let number = Private::new(order.number.reveal().to_owned());
        let told = order.told.take();
        match (begun, told) {
            (Ok(()), told) => {
                let placed = Ok(Placed { call: id, number });
                // Whoever asked may have gone; the call goes on, and the page shows it.
                let _ = told.map(|told| told.send(placed));
            }
            (Err(why), Some(told)) => {
                self.parts.dialler.not_begun(id, None);
                refuse(told, why);
            }
            (Err(_), None) => {
                self.parts.dialler.not_begun(id, Some(now + LATER));
                self.show_waiting(now, id);
            }
        }
    }

    /// Attempts that are due.
    pub(super) fn dial_again(&mut self, now: Instant) {
        while let Some((id, order)) = self.parts.dialler.take_due(now) {
            if self.lines.contains_key(&id) {
                self.parts.dialler.put_back(id, order, now + STILL_ENDING);
                continue;
            }
            let trunk = order.trunk.as_deref();
            let trunk = self.parts.accounts.trunk(trunk, &order.number, &mut self.parts.sip);
            if trunk.is_err() || self.has_room().is_err() {
                self.parts.dialler.put_back(id, order, now + LATER);
                self.show_waiting(now, id);
                continue;
            }
            match self.parts.dialler.reserve(id, order) {
                Ok(()) => (),
                Err((order, Ok(LimitReached::Minute { again_in_s }))) => {
                    let at = now + Duration::from_secs(again_in_s.max(1).into());
                    self.parts.dialler.put_back(id, *order, at);
                    self.show_waiting(now, id);
                }
                // The limits of the day: it is over with what it had come to.
                Err((order, _)) => {
                    tracing::info!(call_id = %id, "not called again: a limit is reached");
                    let record = order.ended(order.last_ending());
                    record.into_iter().for_each(|record| self.parts.board.update_call(record));
                }
            }
        }
    }

    /// Ends a call, or gives up one that waits to be tried again.
    fn hang_up(&mut self, now: Instant, id: CallId) -> HungUp {
        if self.parts.dialler.all_waiting().contains(&id) {
            self.give_up(id, Cause::EndedByOwner);
            return HungUp::Ending;
        }
        match self.lines.get(&id) {
            Some(line) if line.call.record().progress.is_ended() => HungUp::NotUp,
            Some(_) => {
                self.call(now, id, call::Input::HangUp(Cause::EndedByOwner));
                HungUp::Ending
            }
            None => HungUp::NotUp,
        }
    }

    /// Calls that wait are forgotten with the program.
    pub(super) fn give_up_waiting(&mut self, cause: Cause) {
        for id in self.parts.dialler.all_waiting() {
            self.give_up(id, cause);
        }
    }

    fn give_up(&mut self, id: CallId, cause: Cause) {
        let record = self.parts.dialler.give_up(id, cause);
        record.into_iter().for_each(|record| self.parts.board.update_call(record));
        if !self.lines.contains_key(&id) {
            self.parts.dialler.forget(id);
        }
    }

    /// Gives a call what the user agent has of it, and the trunk's word if that is the answer.
    pub(super) fn leg_event(&mut self, now: Instant, id: CallId, event: sip::Event) {
        let sign = match &event {
            sip::Event::Progress { .. } => Some(Sign::Provisional),
            sip::Event::Answered { .. } => Some(Sign::Success),
            _ => None,
        };
        if let sip::Event::Dtmf { digit, duration_ms, .. } = event
            && self.press(id, digit, Duration::from_millis(duration_ms.into()))
        {
            return;
        }
        // News of a REFER that was given up, while somebody is called in its place: but a success is one, for
        // the caller talks to somebody else.
        let is_late = matches!(&event, sip::Event::Refer { news, .. } if *news != ReferNews::Done)
            && self.lines.get(&id).is_some_and(|line| line.call.awaits_person());
        if is_late || self.goes_on_elsewhere(now, id, &event) {
            return;
        }
        let leg = event.leg();
        let is_confirmed = matches!(event, sip::Event::Established { .. });
        let failed = controlling::failed(id, &event);
        let is_over = matches!(event, sip::Event::Ended { .. } | sip::Event::Refused { .. });
        if self.is_passed_on(now, id, &event) {
            let done = sip::Event::Refer { leg, news: ReferNews::Done };
            self.call(now, id, call::Input::Sip(done));
        }
        self.call(now, id, call::Input::Sip(event));
        failed.into_iter().for_each(|event| self.parts.board.tell(event));
        if is_confirmed {
            self.confirmed(id);
            self.handset_calls(now, id, leg);
        }
        // One that was succeeded, or has not succeeded; the call's own is known until the call is forgotten.
        if is_over && self.lines.get(&id).is_some_and(|line| line.call.leg() != leg) {
            self.legs.remove(&leg);
        }
        if sign
            .zip(self.answer_policy(id))
            .is_some_and(|(sign, policy)| policy.is_answered_by(sign))
        {
            self.call(now, id, call::Input::PickedUp);
            self.join_at_once(now, id);
        }
    }

    /// What tells that a call of ours is answered.
    pub(super) fn answer_policy(&self, id: CallId) -> Option<AnswerPolicy> {
        let of_order = self.parts.dialler.order(id).map(|order| order.answer);
        let of_person = || self.lines.get(&id)?.partner.map(|partner| partner.answer);
        of_order.or_else(of_person)
    }

    /// Shows a call on the board.
    pub(super) fn show(&mut self, now: Instant, id: CallId) {
        if let Some(line) = self.lines.get(&id).filter(|line| !line.is_own) {
            let record = self.parts.dialler.show(now, line.record());
            self.parts.board.update_call(record);
        }
    }

    fn show_waiting(&mut self, now: Instant, id: CallId) {
        let record = self.parts.dialler.waiting(now, id);
        record.into_iter().for_each(|record| self.parts.board.update_call(record));
    }
}

fn no_trunk(error: NoTrunk) -> NotPlaced {
    match error {
        NoTrunk::None | NoTrunk::Unknown { .. } => NotPlaced::Wrong(format!("trunk: {error}")),
        NoTrunk::NotReady(_) | NoTrunk::NoWay(_) | NoTrunk::Full(_) | NoTrunk::NoEvents(_) => {
            NotPlaced::Unavailable(error.to_string())
        }
    }
}

fn refuse(told: Told, why: NotPlaced) {
    let reason = match &why {
        NotPlaced::Wrong(_) => "it makes no sense",
        NotPlaced::Forbidden(_) => "it is not allowed",
        NotPlaced::Limited(..) => "a limit is reached",
        NotPlaced::Unavailable(_) => "it is not possible now",
    };
    tracing::info!(reason, "a call was not made");
    // Whoever asked may have gone.
    let _ = told.send(Err(why));
}
