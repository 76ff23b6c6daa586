//! The caller is put through: what is said, when it is asked for, and what if nobody answers.
//!
//! ```text
//! Talking ─ the announcement is said ─▶ Transferring ─ it is heard ─▶ Output::Transfer
//!    ▲                                       │              │
//!    └────── NotTransferred, or no news ─────┴──────────────┘     (a success ends the call)
//! ```

use std::time::{Duration, Instant};

use super::leaving::FAREWELL_GUARD;
use super::looking_up::Held;
use super::offering::OFFERED_WITHIN;
use super::{Caller, Conversation, Phase, Timer};
use crate::base::{Private, limits};
use crate::converse::alphabet::{self, Output, Purpose, Speech};
use crate::converse::people::{PersonId, Way};
use crate::converse::playbook::Transfer;

/// Beyond the time that it may ring: then no news will come.
const NO_NEWS: Duration = Duration::from_secs(10);
/// The end of the longest call waits this long at a time for the other telephone.
const END_DELAY: Duration = Duration::from_secs(1);

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The caller is being told.
    Announced,
    /// The other telephone rings, or will.
    Asked,
}

impl Conversation {
    /// Begins, once what is being said is heard. Refused beyond the budget of a call.
    pub(super) fn transfer(&mut self, now: Instant, person: PersonId) {
        self.stop_thinking();
        if self.transfers >= limits::TRANSFERS_PER_CALL {
            return self.not_transferred(now, person);
        }
        self.transfers += 1;
        self.forget_keys();
        self.phase = Phase::Transferring(person, Stage::Announced);
        self.timers.set(Timer::HangUp, now + FAREWELL_GUARD);
        self.ask_transfer_if_heard(now);
    }

    /// Tells the caller, and begins.
    pub(super) fn announce_transfer(&mut self, now: Instant, person: PersonId) {
        let name = self.playbook.people().get(person).map(|person| person.name.as_str());
        let said = self.playbook.transfer().zip(name);
        let say = said.map(|(transfer, name)| Transfer::text(&transfer.say, name));
        let _ = self.say(now, say.into_iter().collect(), false, Purpose::Reply);
        self.transfer(now, person);
    }

    /// What was being said has ended.
    pub(super) fn ask_transfer_if_heard(&mut self, now: Instant) {
        if self.voice.is_silent() {
            self.ask_transfer(now);
        }
    }

    fn ask_transfer(&mut self, now: Instant) {
        let Phase::Transferring(id, Stage::Announced) = self.phase else { return };
        let Some(person) = self.playbook.people().get(id) else {
            return self.not_transferred(now, id);
        };
        let offer = self.playbook.transfer().and_then(|transfer| transfer.offer.as_ref());
        let words = self.told.reveal();
        let offer = offer.map(|offer| Transfer::offer(offer, &person.name, words));
        let transfer = alphabet::Transfer {
            to: person.address.clone(),
            way: person.way,
            within: person.ring,
            offer: Private::new(offer.unwrap_or_default()),
        };
        // A person whom we call has answered by then, and is told of the caller.
        let within = match transfer.way {
            Way::Refer => transfer.within,
            Way::Bridge => transfer.within + OFFERED_WITHIN,
            Way::Attended => transfer.within + OFFERED_WITHIN + limits::HANDED_OVER_WITHIN,
        };
        self.phase = Phase::Transferring(id, Stage::Asked);
        self.timers.set(Timer::HangUp, now + within + NO_NEWS);
        self.outputs.push_back(Output::Transfer(transfer));
    }

    /// The timer that nothing may outlast has run out.
    pub(super) fn transfer_expired(&mut self, now: Instant) {
        match self.phase {
            Phase::Transferring(_, Stage::Announced) => self.ask_transfer(now),
            Phase::Transferring(person, Stage::Asked) => {
                self.outputs.push_back(Output::GiveUpTransfer);
                self.not_transferred(now, person);
            }
            Phase::Waiting
            | Phase::Talking
            | Phase::Recording(_)
            | Phase::Offering { .. }
            | Phase::Leaving(_)
            | Phase::Ended => (),
        }
    }

    /// Nobody answered: the caller is back.
    pub(super) fn transfer_failed(&mut self, now: Instant) {
        match self.phase {
            Phase::Transferring(person, Stage::Asked) if self.caller == Caller::Speaking => {
                self.held = Some(Held::NotTransferred(person));
            }
            Phase::Transferring(person, Stage::Asked) => self.not_transferred(now, person),
            _ => (),
        }
    }

    /// The caller was with somebody, and is back: that time was not ours.
    pub(super) fn left_behind(&mut self, now: Instant) {
        self.begin_length(now);
        self.transfer_failed(now);
    }

    /// Somebody else is tried, or a message is offered.
    pub(super) fn not_transferred(&mut self, now: Instant, person: PersonId) {
        self.phase = Phase::Talking;
        self.timers.cancel(Timer::HangUp);
        self.patience = super::Patience::Fresh;
        let next = self.playbook.people().next_in(person, self.settings.began);
        if let Some(next) = next.filter(|_| self.transfers < limits::TRANSFERS_PER_CALL) {
            return self.announce_transfer(now, next);
        }
        let reaction = self.dialogue.not_reached(person);
        self.follow(now, reaction);
    }

    /// A caller who speaks while it rings hears that we are still there.
    pub(super) fn heard_waiting(&mut self, now: Instant, speech: &Speech) {
        let Phase::Transferring(id, stage) = self.phase else { return };
        self.caller = Caller::Quiet;
        self.caller_turn(now, super::cut(speech.text.reveal()));
        if self.held.is_some() {
            return self.tell_held_news(now);
        }
        let name = self.playbook.people().get(id).map(|person| person.name.as_str());
        let said = self.playbook.transfer().zip(name);
        let waiting = said.map(|(transfer, name)| Transfer::text(&transfer.waiting, name));
        if stage == Stage::Asked && self.voice.is_silent() {
            let _ = self.say(now, waiting.into_iter().collect(), true, Purpose::Reply);
        }
    }

    /// The call is at its longest, but the other telephone rings.
    pub(super) fn put_off_end(&mut self, now: Instant) {
        self.timers.set(Timer::LengthEnd, now + END_DELAY);
    }
}
