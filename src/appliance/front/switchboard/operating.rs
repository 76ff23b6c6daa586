//! People of the firm who listen to calls, and speak in them: their legs, and what passes between them and the calls.
//!
//! ```text
//!  VisitEvent::Observer ─▶ may it be listened to? ─▶ Operator, in a place beside the lines
//!  the call's place ─ observed ─▶ Operator ─▶ its own place           TakesOver, GivesBack ─▶ Call
//!  its own place ─ heard ─▶ while it speaks: the call, as from a partner
//! ```
//!
//! Invariants: an operator ends with its call; nothing is given to `observed` while nobody listens; an operator who ends,
//! by whatever, gives the call back first.

use std::time::Instant;

use super::Switchboard;
use super::joining::JOINED_FRAMES;
use super::taking::MediaWish;
use crate::appliance::places::Places;
use crate::appliance::rings::Place;
use crate::base::{CallId, Private, Way, limits};
use crate::call::operator::{self, Back, Operator};
use crate::call::record::Progress;
use crate::call::{self, Attendance};
use crate::sip::{self, LegId};
use crate::web::{Operated, Operating};
use crate::webrtc::{Observes, SessionId};

const BAD_REQUEST: u16 = 400;
const FORBIDDEN: u16 = 403;
const NOT_FOUND: u16 = 404;
const UNAVAILABLE: u16 = 503;
const PENDING: u16 = 491;
/// Of a warning that has a text alone (RFC 3261 section 20.43).
const MISCELLANEOUS: u16 = 399;

/// One of them.
#[derive(Debug)]
pub(super) struct Desk {
    operator: Operator,
    /// The call that it listens to.
    of: CallId,
    by: Private<String>,
    /// `None` once the audio thread has let go.
    place: Option<Place>,
    pub(super) deadline: Option<Instant>,
}

/// Why nobody may listen, by the SIP status of it.
struct NotObserved {
    status: u16,
    warning: Option<sip::Warning>,
}

impl NotObserved {
    const fn plain(status: u16) -> Self {
        Self { status, warning: None }
    }

    fn not_now(text: &str) -> Self {
        let warning = sip::Warning { code: MISCELLANEOUS, text: text.to_owned() };
        Self { status: PENDING, warning: Some(warning) }
    }
}

impl Switchboard {
    /// A leg asks to listen to a call.
    pub(super) fn observe(
        &mut self,
        now: Instant,
        leg: LegId,
        visit: &call::Visit,
        observes: &Observes,
    ) {
        if let Err(NotObserved { status, warning }) = self.try_observe(now, leg, visit, observes) {
            tracing::info!(call_id = %observes.call, status, "nobody listens");
            self.commands.push_back(sip::Command::Reject {
                leg,
                status,
                retry_after_s: None,
                warning,
            });
        }
    }

    fn try_observe(
        &mut self,
        now: Instant,
        leg: LegId,
        visit: &call::Visit,
        observes: &Observes,
    ) -> Result<(), NotObserved> {
        let Observes { call: of, by } = observes.clone();
        self.may_observe(of)?;
        let offer = visit.incoming.offer.as_ref().ok_or(NotObserved::plain(BAD_REQUEST))?;
        let wish = MediaWish::of_visit(visit, &self.parts.ways);
        let opened = self.open_media(now, wish);
        let (sockets, media) = opened.map_err(|error| {
            tracing::warn!(%error, "nobody can listen");
            NotObserved::plain(UNAVAILABLE)
        })?;
        let offering = self.settings_of(Way::WebRtc).offering.clone();
        let operator = Operator::answer(offering, leg, &media, offer).map_err(|refusal| {
            NotObserved { status: refusal.status, warning: Some(call::warning(&refusal)) }
        })?;
        let id = self.new_call();
        let place = self.parts.places.reserve_beside(id, sockets);
        let place = place.ok_or(NotObserved::plain(UNAVAILABLE))?;
        if self.operators_of(of).next().is_none() {
            self.observe_place(of, true);
        }
        tracing::info!(call_id = %of, operator = %id, "somebody listens");
        self.legs.insert(leg, id);
        self.parts.visits.took(leg, id);
        let desk = Desk { operator, of, by: by.clone(), place: Some(place), deadline: None };
        self.operators.insert(id, desk);
        self.attended(now, of, Attendance::Listens { operator: id, by });
        self.drain_operator(now, id);
        Ok(())
    }

    /// Whether one more may listen to this call.
    fn may_observe(&self, of: CallId) -> Result<(), NotObserved> {
        if !self.parts.has_operators {
            return Err(NotObserved::plain(FORBIDDEN));
        }
        let line = self.lines.get(&of).ok_or(NotObserved::plain(NOT_FOUND))?;
        match line.call.record().progress {
            Progress::Active { .. } => (),
            Progress::Ended { .. } => return Err(NotObserved::plain(NOT_FOUND)),
            _ => return Err(NotObserved::not_now("the call is not answered yet")),
        }
        let is_told = line.call.told_first().announced && line.call.record().agent.is_none();
        if !self.parts.call.converse.announced.is_empty() && !is_told {
            let text = "its caller has not heard that somebody may listen";
            return Err(NotObserved::not_now(text));
        }
        match self.operators_of(of).count() {
            count if count >= limits::OPERATORS_OF_CALL => {
                Err(NotObserved::not_now("as many listen to it as may"))
            }
            _ => Ok(()),
        }
    }

    /// Somebody who listens wants to speak, or does not any more.
    pub(super) fn operate(
        &mut self,
        now: Instant,
        session: &SessionId,
        wish: Operating,
    ) -> Operated {
        let id = self.parts.visits.operator(session);
        let Some(desk) = id.and_then(|id| self.operators.get_mut(&id)) else {
            return Operated::NoSuchSession;
        };
        match wish {
            Operating::TakeOver if desk.operator.is_speaking() => (),
            Operating::TakeOver => {
                if let Err(text) = may_be_taken_over(self.lines.get(&desk.of)) {
                    return Operated::NotNow(text);
                }
                desk.operator.ask(now);
            }
            Operating::GiveBack => desk.operator.give_back(),
        }
        id.into_iter().for_each(|id| self.drain_operator(now, id));
        Operated::Done
    }

    /// What an operator's leg has; false if there is no such operator.
    pub(super) fn operator(&mut self, now: Instant, id: CallId, input: &call::Input<'_>) -> bool {
        let Some(desk) = self.operators.get_mut(&id) else { return false };
        desk.operator.handle(now, input);
        let (of, is_heard) = (desk.of, desk.operator.is_speaking());
        if let call::Input::Heard(frame) = input
            && is_heard
        {
            self.call(now, of, call::Input::Relayed(&frame.frame));
        }
        self.drain_operator(now, id);
        true
    }

    /// Gives those who listen what has passed in their calls, and their rings what they hear.
    pub(super) fn serve_operators(&mut self, now: Instant) {
        if self.operators.is_empty() {
            return;
        }
        let mut calls: Vec<CallId> = self.operators.values().map(|desk| desk.of).collect();
        calls.sort_unstable();
        calls.dedup();
        for of in calls {
            let Some(place) = self.lines.get(&of).and_then(|line| line.place) else { continue };
            while let Some(passed) = self.parts.places.passed(place) {
                let desks = self.operators.values_mut();
                let desks = desks.filter(|desk| desk.of == of && passed.call == of);
                desks.for_each(|desk| desk.operator.passed(&passed.heard, &passed.said));
            }
        }
        let places = &mut self.parts.places;
        self.operators.values_mut().for_each(|desk| desk.fill(places));
        let due = |desk: &Desk| desk.deadline.is_some_and(|at| at <= now);
        let due = self.operators.iter().filter(|(_, desk)| due(desk)).map(|(id, _)| *id);
        for id in due.collect::<Vec<_>>() {
            self.operator(now, id, &call::Input::Timeout);
        }
    }

    /// The call is over.
    pub(super) fn dismiss(&mut self, now: Instant, of: CallId) {
        let ids: Vec<CallId> = self.operators_of(of).collect();
        for id in ids {
            if let Some(desk) = self.operators.get_mut(&id) {
                desk.operator.end();
            }
            self.drain_operator(now, id);
        }
    }

    /// The audio thread has let go of this one.
    pub(super) fn operator_has_left(&mut self, id: CallId) {
        if self.operators.remove(&id).is_some() {
            self.legs.retain(|_, call| *call != id);
        }
    }

    /// Where candidates of this leg's peer belong.
    pub(super) fn operator_place(&self, id: CallId) -> Option<Place> {
        self.operators.get(&id)?.place
    }

    fn operators_of(&self, of: CallId) -> impl Iterator<Item = CallId> {
        let is_its = move |(_, desk): &(&CallId, &Desk)| desk.of == of && !desk.operator.is_ended();
        self.operators.iter().filter(is_its).map(|(id, _)| *id)
    }

    fn observe_place(&mut self, of: CallId, is_observed: bool) {
        if let Some(place) = self.lines.get(&of).and_then(|line| line.place) {
            self.parts.places.observe(place, is_observed);
        }
    }

    fn attended(&mut self, now: Instant, of: CallId, attendance: Attendance) {
        self.call(now, of, call::Input::Attended(attendance));
    }

    fn drain_operator(&mut self, now: Instant, id: CallId) {
        loop {
            let Some(desk) = self.operators.get_mut(&id) else { return };
            let (of, place) = (desk.of, desk.place);
            match desk.operator.poll_output() {
                operator::Output::Leg(output) => match (*output, place) {
                    (call::Output::Sip(command), _) => self.commands.push_back(command),
                    (output, Some(place)) => self.parts.carry_out(now, (id, place), output),
                    // The audio thread has let go.
                    (_, None) => (),
                },
                operator::Output::TakesOver => self.takes_over(now, id),
                operator::Output::GivesBack(why) => {
                    tracing::info!(call_id = %of, operator = %id, why = named(why), "given back");
                    self.attended(now, of, Attendance::GivesBack(id));
                }
                operator::Output::Timeout(at) => {
                    desk.deadline = at;
                    break;
                }
            }
        }
        self.let_go(now, id);
    }

    fn takes_over(&mut self, now: Instant, id: CallId) {
        let Some(desk) = self.operators.get_mut(&id) else { return };
        if may_be_taken_over(self.lines.get(&desk.of)).is_err() {
            return desk.operator.listens();
        }
        desk.operator.speaks(now);
        // It may have asked more than once before it was drained.
        if !desk.operator.is_speaking() {
            return;
        }
        let (of, by) = (desk.of, desk.by.clone());
        tracing::info!(call_id = %of, operator = %id, "taken over");
        self.attended(now, of, Attendance::TakesOver { operator: id, by });
    }

    /// One that has ended listens no more, and is forgotten with its place.
    fn let_go(&mut self, now: Instant, id: CallId) {
        let Some(desk) = self.operators.get_mut(&id).filter(|desk| desk.operator.is_ended()) else {
            return;
        };
        let of = desk.of;
        let is_free = desk.place.is_none_or(|place| self.parts.places.is_free(place));
        if self.legs.values().any(|call| *call == id) {
            self.legs.retain(|_, call| *call != id);
            tracing::info!(call_id = %of, operator = %id, "nobody listens there any more");
            if self.operators_of(of).next().is_none() {
                self.observe_place(of, false);
            }
            self.attended(now, of, Attendance::Leaves(id));
        }
        if is_free {
            self.operator_has_left(id);
        }
    }
}

impl Desk {
    fn fill(&mut self, places: &mut Places) {
        if let Some(place) = self.place {
            places.fill(place, JOINED_FRAMES, || self.operator.next_frame());
        }
    }
}

/// Whether somebody may speak in this call, or why not, in words for them.
fn may_be_taken_over(line: Option<&super::Line>) -> Result<(), &'static str> {
    let Some(line) = line else { return Err("the call has ended") };
    let record = line.call.record();
    match () {
        () if record.is_taken_over => Err("somebody else speaks in it already"),
        () if line.partner.is_some() || line.call.is_joined() => Err(
            "its caller is with somebody else, or on the way there: it can be listened to alone",
        ),
        () if line.call.may_be_taken_over() => Ok(()),
        () => Err("the call is not at a point at which it can be taken over"),
    }
}

const fn named(why: Back) -> &'static str {
    match why {
        Back::Given => "given",
        Back::Lost => "not heard any more",
    }
}
