//! Handsets of this machine: calls to them and from them, what is announced on them, and how they are.
//!
//! Whoever takes a call there has it at once: nobody asks them whether they want it, since no answering machine
//! hangs on a sound card, and who calls was said where it rang.

use std::time::Instant;

use super::Switchboard;
use crate::appliance::handset::{self, Report};
use crate::base::{CallId, LanguageCode, Private, Way, limits};
use crate::call::render_list;
use crate::converse::people::Address;
use crate::sip::{self, LegId};
use crate::trunk::AnswerPolicy;
use crate::web::{Control, Controlled, HandsetWish, NotHandled, NotSpoken};

/// Something that is to be spoken on handsets.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// By their places.
    pub handsets: Vec<usize>,
    pub language: LanguageCode,
    /// As it is said, one after the other.
    pub phrases: Vec<Private<String>>,
}

/// How a person is called.
pub(super) struct Found {
    /// `None`: the user agent gives one.
    pub leg: Option<LegId>,
    pub trunk: String,
    pub answer: AnswerPolicy,
    pub invite: sip::Invite,
}

impl Switchboard {
    /// The way to a person: a handset of ours, an account, or straight to the address.
    pub(super) fn find(&mut self, to: &Address) -> Option<Found> {
        if let Some(name) = to.handset() {
            let (leg, invite) = self.parts.visits.handsets.reserve(name)?;
            let answer = AnswerPolicy::default();
            return Some(Found { leg: Some(leg), trunk: String::new(), answer, invite });
        }
        let (trunk, answer, invite) = self.way_to(to)?;
        Some(Found { leg: None, trunk, answer, invite })
    }

    /// Whoever is at a handset does something.
    pub(super) fn handset_wish(
        &mut self,
        now: Instant,
        name: &str,
        wish: HandsetWish,
    ) -> Result<(), NotHandled> {
        let outcome = match wish {
            HandsetWish::Answer => self.parts.visits.handsets.answer(name),
            HandsetWish::HangUp => self.parts.visits.handsets.hang_up(name),
            HandsetWish::Call(to) => {
                // Whom it may not call it is not let call.
                if let Some(to) = &to {
                    self.target(to.reveal()).map_err(NotHandled::NotPlaced)?;
                }
                self.has_room().map_err(NotHandled::NotPlaced)?;
                self.parts.visits.handsets.call(now, name, to)
            }
        };
        self.signals(now);
        outcome.map_err(NotHandled::Handset)
    }

    /// A call from a handset is up: whom it wants is called.
    pub(super) fn handset_calls(&mut self, now: Instant, id: CallId, leg: LegId) {
        if leg.way() != Way::Handset {
            return;
        }
        if let Some(to) = self.parts.visits.handsets.take_wanted(leg) {
            let is_done = self.control(now, id, Control::Transfer(to)) == Controlled::Done;
            tracing::info!(call_id = %id, is_done, "somebody is called from a handset");
        }
    }

    /// A person has answered: where one of the two is at a handset they are joined with that.
    pub(super) fn join_at_once(&mut self, now: Instant, person: CallId) {
        if self.has_handset(person) {
            self.accepted(now, person);
        }
    }

    fn has_handset(&self, person: CallId) -> bool {
        let is_handset = |id: CallId| {
            self.lines.get(&id).is_some_and(|line| line.call.leg().way() == Way::Handset)
        };
        let partner = self.lines.get(&person).and_then(|line| line.partner);
        // The partner of a person's call is the caller.
        partner.is_some_and(|partner| {
            !partner.is_person && (is_handset(person) || is_handset(partner.call))
        })
    }

    /// Says where it rings who calls.
    pub(super) fn announce_caller(&mut self, leg: LegId, caller: CallId) {
        let Some(index) = self.parts.visits.handsets.announces(leg) else { return };
        let Some(line) = self.lines.get(&caller) else { return };
        let record = line.call.record();
        let language = record.language.unwrap_or(self.parts.call.tongues.default_one().code);
        let text = handset::who_calls(language, record.peer.reveal());
        self.want_announced(vec![index], language, &text);
    }

    /// Something is to be said on handsets, or on one.
    pub(super) fn announce_on(
        &mut self,
        now: Instant,
        text: &Private<String>,
        name: Option<&str>,
        language: Option<&str>,
    ) -> Result<(), NotSpoken> {
        let tongues = &self.parts.call.tongues;
        let language = match language {
            None => tongues.default_one().code,
            Some(tag) => LanguageCode::of_tag(tag)
                .filter(|code| tongues.iter().any(|tongue| tongue.code == *code))
                .ok_or(NotSpoken::NoLanguage)?,
        };
        let handsets = self.parts.visits.handsets.hearing(now, name);
        let handsets = handsets.map_err(NotSpoken::Handset)?;
        match self.want_announced(handsets, language, text.reveal()) {
            true => Ok(()),
            false => Err(NotSpoken::Full),
        }
    }

    fn want_announced(&mut self, handsets: Vec<usize>, language: LanguageCode, text: &str) -> bool {
        if self.announcements.len() >= limits::ANNOUNCEMENTS {
            return false;
        }
        let phrases = render_list(&[text.to_owned()], language);
        let phrases = phrases.into_iter().map(Private::new).collect();
        self.announcements.push_back(Announcement { handsets, language, phrases });
        true
    }

    /// What is to be spoken next.
    pub fn take_announcement(&mut self) -> Option<Announcement> {
        self.announcements.pop_front()
    }

    /// Sound of an announcement.
    pub fn announce_sound(&mut self, handsets: &[usize], samples: &[i16]) {
        for index in handsets {
            self.parts.visits.handsets.announce(*index, samples);
        }
    }

    /// How the handsets are.
    pub fn look_at_handsets(&mut self, now: Instant) -> Vec<Report> {
        let reports = self.parts.visits.handsets.look(now);
        self.signals(now);
        self.settle(now);
        reports
    }
}
