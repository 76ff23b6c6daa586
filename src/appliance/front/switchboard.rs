//! The net thread's state: routes what happens between SIP, calls, audio thread and engine.
//!
//! ```text
//!  sip::UserAgent, visits ─ events ─▶ Call ─ commands ─▶ whose leg it is
//!  audio thread ─ frames, events ─▶ Call ─ frames, plans ─▶ audio thread
//!  engine ─ results ─▶ Call ─ work ─▶ engine
//! ```
//!
//! Decides nothing about a call but whether it is taken. Invariant: after each public function all
//! machines are drained and `deadline` is theirs.

mod accounts;
mod controlling;
mod counting;
mod dialling;
mod handsets;
mod joining;
mod line;
mod logging;
mod measuring;
mod operating;
mod parts;
mod recording;
mod redirecting;
mod ringcentral;
mod securing;
mod succeeding;
mod taking;
mod visiting;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::appliance::agent::{AgentEvent, Figures};
use crate::appliance::engine::EngineEvent;
use crate::appliance::llm::ModelEvent;
use crate::appliance::lookup::LookUpAnswer;
use crate::appliance::relays;
use crate::appliance::rings::{AudioEvent, AudioEventKind};
use crate::appliance::sip_socket::Arrival;
use crate::appliance::visits::VisitEvent;
use crate::base::CallId;
use crate::call::admission::{Headroom, Readiness};
use crate::call::language::Abilities;
use crate::call::{self, Cause, Shelf};
use crate::converse::Message;
use crate::sip::{self, LegId};
use crate::web::{Event, SipFigures};
use counting::Held;
pub use handsets::Announcement;
use joining::JOINED_FRAMES;
use line::Line;
pub use parts::Parts;
use ringcentral::Platform;

/// See the module.
pub struct Switchboard {
    parts: Parts,
    readiness: Readiness,
    headroom: Headroom,
    shelf: Arc<Shelf>,
    abilities: Abilities,
    lines: HashMap<CallId, Line>,
    /// Who listens to them, numbered like them.
    operators: HashMap<CallId, operating::Desk>,
    legs: HashMap<LegId, CallId>,
    next_call: u64,
    /// Commands of calls that the user agent has yet to get.
    commands: VecDeque<sip::Command>,
    messages: Vec<(CallId, Message)>,
    /// What waits for its count to be on the disk.
    held: Vec<Held>,
    /// Calls as RingCentral names them.
    platform: Platform,
    /// What is to be spoken on handsets.
    announcements: VecDeque<Announcement>,
    /// Calls that come ring until somebody answers them by the interface.
    answers_by_hand: bool,
}

impl std::fmt::Debug for Switchboard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Switchboard({} lines, {:?})", self.lines.len(), self.readiness)
    }
}

impl Switchboard {
    pub fn new(now: Instant, parts: Parts) -> Self {
        let mut switchboard = Self {
            parts,
            readiness: Readiness::Starting,
            headroom: Headroom::default(),
            shelf: Arc::default(),
            abilities: Abilities::default(),
            lines: HashMap::new(),
            operators: HashMap::new(),
            legs: HashMap::new(),
            next_call: 1,
            commands: VecDeque::new(),
            messages: Vec::new(),
            held: Vec::new(),
            platform: Platform::default(),
            announcements: VecDeque::new(),
            answers_by_hand: false,
        };
        switchboard.commands.push_back(switchboard.parts.accounts.open());
        switchboard.admit();
        switchboard.show_dropped();
        switchboard.settle(now);
        switchboard
    }

    fn new_call(&mut self) -> CallId {
        let id = CallId(self.next_call);
        self.next_call += 1;
        id
    }

    /// The soonest deadline of all machines.
    pub fn deadline(&self) -> Option<Instant> {
        let lines = self.lines.values().filter_map(|line| line.deadline);
        let lines = lines.chain(self.operators.values().filter_map(|desk| desk.deadline));
        let parts = &self.parts;
        let others = [
            parts.sip.deadline(),
            parts.accounts.deadline(),
            parts.dialler.deadline(),
            parts.associations.deadline(),
            self.platform.deadline(),
            parts.ways.deadline(),
        ];
        lines.chain(others.into_iter().flatten()).min()
    }

    pub fn calls(&self) -> usize {
        self.lines.len()
    }

    /// What is wrong with the address that callers are told.
    pub fn media_fault(&self) -> Option<&'static str> {
        self.parts.media_address.fault()
    }

    /// What is wrong with the servers that lend addresses.
    pub fn relay_fault(&self) -> Option<&str> {
        self.parts.ways.fault()
    }

    /// A relay has something to tell; whether the owner must know of it.
    pub fn relay(&mut self, now: Instant, news: &relays::News) -> bool {
        if let relays::News::Opened { port, peer, through } = *news
            && let Some(place) = self.parts.places.with_port(port)
        {
            let Parts { associations, places, .. } = &mut self.parts;
            associations.open(now, place, (peer, through), places);
            self.settle(now);
        }
        self.parts.ways.note(news)
    }

    pub fn sip_figures(&self) -> SipFigures {
        self.parts.sip.figures()
    }

    /// The phrases that new calls need no engine for.
    pub fn stock(&mut self, shelf: Shelf) {
        self.shelf = Arc::new(shelf);
    }

    /// What can be heard and spoken from here on; calls that are up stay as they are.
    pub fn set_abilities(&mut self, abilities: Abilities) {
        self.abilities = abilities;
    }

    pub fn set_readiness(&mut self, now: Instant, readiness: Readiness) {
        self.readiness = readiness;
        self.admit();
        self.settle(now);
    }

    /// Messages that callers have left since the last time.
    pub fn take_messages(&mut self) -> Vec<(CallId, Message)> {
        std::mem::take(&mut self.messages)
    }

    pub fn arrival(&mut self, now: Instant, arrival: Arrival) {
        self.parts.sip.arrival(now, arrival);
        self.signals(now);
        self.settle(now);
    }

    /// The audio thread has left something.
    pub fn audio(&mut self, now: Instant) {
        self.parts.places.flush();
        while let Some(event) = self.parts.places.event() {
            self.audio_event(now, event);
        }
        self.parts.associations.receive(now, &mut self.parts.places);
        self.secure(now);
        for place in self.parts.places.all() {
            while let Some((id, frame)) = self.parts.places.heard(place) {
                match self.joined_with(id) {
                    Some(other) => self.call(now, other, call::Input::Relayed(&frame.frame)),
                    None => self.call(now, id, call::Input::Heard(&frame)),
                }
            }
        }
        self.serve_operators(now);
        let ids: Vec<CallId> = self.lines.keys().copied().collect();
        ids.into_iter().for_each(|id| self.fill(now, id));
        self.settle(now);
    }

    pub fn engine(&mut self, now: Instant, event: EngineEvent) {
        if let Some((id, result)) = self.parts.errands.result(event) {
            self.call(now, id, call::Input::Work(result));
        }
        self.settle(now);
    }

    /// A part of a model's answer.
    pub fn thought(&mut self, now: Instant, event: ModelEvent) {
        if let Some((id, result)) = self.parts.errands.thought(event) {
            self.call(now, id, call::Input::Work(result));
        }
        self.settle(now);
    }

    /// The owner's system has answered.
    pub fn looked_up(&mut self, now: Instant, answer: LookUpAnswer) {
        if let Some((id, result)) = self.parts.errands.looked_up(answer) {
            self.call(now, id, call::Input::Work(result));
        }
        self.settle(now);
    }

    /// A remote agent says or hears something.
    pub fn agent(&mut self, now: Instant, event: AgentEvent) {
        if let Some((id, result)) = self.parts.errands.agent(event) {
            self.call(now, id, call::Input::Work(result));
        }
        self.settle(now);
    }

    /// `None`: there is no remote agent.
    pub fn agent_figures(&mut self) -> Option<Figures> {
        self.parts.errands.agent_figures()
    }

    /// The engine has died, or is back.
    pub fn engine_is(&mut self, now: Instant, up: bool) {
        let ids: Vec<CallId> = self.lines.keys().copied().collect();
        for id in ids {
            let input = if up { call::Input::EngineBack } else { call::Input::EngineLost };
            self.call(now, id, input);
        }
        self.settle(now);
    }

    pub fn timeout(&mut self, now: Instant) {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        self.parts.sip.timeout(now);
        self.parts.accounts.timeout(now, &mut self.parts.sip);
        self.parts.associations.timeout(now, &mut self.parts.places);
        self.parts.ways.timeout(now, &mut self.parts.ports);
        self.secure(now);
        self.signals(now);
        let ids = self.lines.iter().filter(|(_, line)| due(line.deadline)).map(|(id, _)| *id);
        for id in ids.collect::<Vec<_>>() {
            self.call(now, id, call::Input::Timeout);
        }
        self.serve_operators(now);
        self.dial_again(now);
        self.answer_late(now);
        self.settle(now);
    }

    /// Ends every call.
    pub fn hang_up_all(&mut self, now: Instant, cause: Cause) {
        self.give_up_waiting(cause);
        let ids: Vec<CallId> = self.lines.keys().copied().collect();
        for id in ids {
            self.call(now, id, call::Input::HangUp(cause));
        }
        self.settle(now);
    }

    /// Gives the user agent what calls have commanded, until nothing follows from it.
    fn settle(&mut self, now: Instant) {
        while let Some(command) = self.commands.pop_front() {
            match command.leg().filter(|leg| leg.is_visit()) {
                Some(leg) => self.parts.visits.command(now, leg, command),
                None => self.parts.sip.command(now, command),
            }
            self.signals(now);
        }
    }

    /// What the user agent and the other ways have for the calls and the accounts.
    fn signals(&mut self, now: Instant) {
        loop {
            while let Some(event) = self.parts.visits.event() {
                self.visit_event(now, event);
            }
            while let Some(event) = self.parts.sip.event() {
                self.sip_event(now, event);
            }
            while let Some((id, said)) = self.parts.sip.said() {
                self.said(now, id, &said);
            }
            let Some((id, news)) = self.parts.sip.account_news() else { return };
            self.parts.accounts.news(now, id, news, &mut self.parts.sip);
            self.look_at_ways(now);
        }
    }

    fn sip_event(&mut self, now: Instant, event: sip::Event) {
        match event {
            sip::Event::Incoming { leg, incoming } => match incoming.replaces {
                Some(before) => self.replace(now, before, leg, incoming),
                None => self.incoming(now, leg, incoming),
            },
            sip::Event::Referred { leg, referral } => self.refer(now, leg, &referral),
            other => self.own_leg_event(now, other),
        }
    }

    /// What happens to a leg that is no SIP.
    fn visit_event(&mut self, now: Instant, event: VisitEvent) {
        match event {
            VisitEvent::Incoming { leg, visit } => self.visit(now, leg, *visit),
            VisitEvent::Observer { leg, visit, observes } => {
                self.observe(now, leg, &visit, &observes);
            }
            VisitEvent::Leg(event) => self.own_leg_event(now, event),
            VisitEvent::Candidates { leg, candidates } => {
                let id = self.legs.get(&leg).copied();
                let line = id.and_then(|id| self.lines.get(&id)).and_then(|line| line.place);
                let place = line.or_else(|| id.and_then(|id| self.operator_place(id)));
                if let Some(place) = place {
                    let parts = &mut self.parts;
                    parts.associations.add_candidates(now, place, &candidates, &mut parts.places);
                }
            }
        }
    }

    /// Of a leg that is some call's, or that waits to be.
    fn own_leg_event(&mut self, now: Instant, event: sip::Event) {
        match self.legs.get(&event.leg()).copied() {
            Some(id) => self.leg_event(now, id, event),
            None => self.platform.is_over(event.leg()),
        }
    }

    /// Gives a call, or who listens to one, an input and carries out what it wants.
    fn call(&mut self, now: Instant, id: CallId, input: call::Input<'_>) {
        match self.lines.get_mut(&id) {
            Some(line) => {
                line.call.handle(now, input);
                self.drain(now, id);
            }
            None => drop(self.operator(now, id, &input)),
        }
    }

    fn drain(&mut self, now: Instant, id: CallId) {
        let (mut has_changed, mut failed_tape) = (false, false);
        let mut pairing = Vec::new();
        let Some(line) = self.lines.get_mut(&id) else { return };
        loop {
            match (line.call.poll_output(), line.place) {
                (call::Output::Sip(command), _) => {
                    let transfer = controlling::begun(id, &command);
                    transfer.into_iter().for_each(|event| self.parts.board.tell(event));
                    match &command {
                        sip::Command::Refer { .. } => pairing.push(call::Output::Sip(command)),
                        _ => self.commands.push_back(command),
                    }
                }
                (call::Output::Invite { leg, sdp }, _) => {
                    let invite = line.invite.take().map(|mut invite| {
                        invite.sdp = Some(sdp);
                        sip::Command::Invite { leg, invite }
                    });
                    self.commands.extend(invite);
                }
                (call::Output::Message(message), _) => self.messages.push((id, message)),
                (call::Output::Tape(tape), _) => {
                    let at_ms = line.call.record().started_at_ms;
                    failed_tape |= !recording::tape(&mut self.parts.voicemail, (id, at_ms), tape);
                }
                (call::Output::Recorded, _) => has_changed = true,
                (
                    output @ (call::Output::PutThrough(_)
                    | call::Output::Accepted
                    | call::Output::GiveUpPerson
                    | call::Output::NotHandedOver
                    | call::Output::PartnerWaits(_)),
                    _,
                ) => pairing.push(output),
                (call::Output::Replied(turn), _) => logging::replied(id, line.call.record(), turn),
                (call::Output::Pressed(key), _) => {
                    self.parts.board.tell(Event::Key { call: id, key })
                }
                (call::Output::Stalled(stage), _) => {
                    logging::stalled(id, stage);
                    self.parts.board.stands_still(stage);
                }
                (call::Output::Timeout(at), _) => {
                    line.deadline = at;
                    break;
                }
                (output, Some(place)) => {
                    let held = line.told.hold(&output);
                    let held = held.map(|news| Event::Call { news, record: line.shown() });
                    held.into_iter().for_each(|event| self.parts.board.tell(event));
                    if matches!(output, call::Output::Silence(_)) {
                        self.parts.visits.silenced(line.call.leg());
                    }
                    self.parts.carry_out(now, (id, place), output);
                }
                // The media is over, and with it the talk.
                (_, None) => (),
            }
        }
        if has_changed {
            line.tell_one_way(id);
            self.parts.visits.recorded(line.call.leg(), line.call.record());
            if !line.is_own {
                let record = self.parts.dialler.show(now, line.record());
                self.parts.board.update_call(record);
            }
        }
        let is_over = line.call.record().progress.is_ended();
        let is_ended = line.call.is_ended();
        if let Some(place) = line.place {
            if is_ended {
                self.parts.stop(now, place);
            }
            if self.parts.places.is_free(place) {
                line.place = None;
            }
        }
        let has_place = line.place.is_some();
        // Whoever waits for this call is told before it is forgotten.
        if is_over {
            self.part(now, id);
            self.dismiss(now, id);
        }
        self.look_at_sound(id);
        match is_ended {
            true if !has_place => self.forget(now, id),
            true => (),
            false => self.fill(now, id),
        }
        if failed_tape {
            self.call(now, id, call::Input::Tape(call::TapeNews::Failed));
        }
        if !is_over {
            pairing.into_iter().for_each(|output| self.pair(now, id, output));
        }
    }

    fn fill(&mut self, now: Instant, id: CallId) {
        if let Some(Line { call, place: Some(place), .. }) = self.lines.get_mut(&id) {
            let most = if call.is_joined() { JOINED_FRAMES } else { usize::MAX };
            self.parts.places.fill(*place, most, || call.next_frame(now));
        }
        self.keep(now, id);
    }

    /// The leg is gone and the audio thread has let go.
    fn forget(&mut self, now: Instant, id: CallId) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.call.end_recording();
        }
        self.keep(now, id);
        let Some(line) = self.lines.remove(&id) else { return };
        self.parts.accounts.call_ends(line.account);
        self.platform.forget(id);
        self.legs.retain(|_, call| *call != id);
        self.parts.errands.cancel_all(id);
        self.parts.dialler.forget(id);
        logging::ended(id, line.call.record());
        self.admit();
    }

    fn audio_event(&mut self, now: Instant, event: AudioEvent) {
        let AudioEvent { place, call, kind } = event;
        self.press_for_partner(call, &kind);
        let input = match kind {
            AudioEventKind::Media(event) => call::Input::Media(event),
            AudioEventKind::Finished { utterance } => {
                self.call(now, call, call::Input::Finished(utterance));
                return self.has_said(call);
            }
            AudioEventKind::Silenced { through, utterance, frames } => {
                call::Input::Silenced { through, utterance, frames }
            }
            AudioEventKind::Report(report) => call::Input::Report(report),
            AudioEventKind::Alive { from } => {
                return self.parts.associations.hear(now, place, from, &mut self.parts.places);
            }
            AudioEventKind::Stopped { sockets, report } => {
                drop(sockets);
                self.parts.places.release(place);
                if let Some(line) = self.lines.get_mut(&call) {
                    line.place = None;
                }
                self.operator_has_left(call);
                self.call(now, call, call::Input::Report(report));
                return self.admit();
            }
        };
        self.call(now, call, input);
    }

    /// Tells the user agent what a new call would get, so that OPTIONS says the same.
    fn admit(&mut self) {
        let admission = match self.admitted() {
            Ok(()) => sip::Admission::Open,
            Err(refusal) => sip::Admission::Closed {
                status: refusal.cause.wording().sip_status,
                retry_after_s: refusal.retry_after_s,
            },
        };
        self.commands.push_back(sip::Command::Admit(admission));
    }
}

#[cfg(test)]
mod tests;
