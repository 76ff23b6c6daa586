//! The section `[voicemail]`: what is said around a message that is recorded after a tone.

use super::checks::Context;
use super::reader::{Faults, Section};
use super::{Action, Intent, IntentId, Playbook};

/// What follows a message, or comes in its place.
#[derive(Clone, Debug)]
pub struct Voicemail {
    /// The message is kept.
    pub saved: String,
    /// Nobody has spoken after the tone.
    pub nothing: String,
    /// It cannot be recorded, as where the disk is full.
    pub failed: String,
    /// The call goes on afterwards.
    pub goes_on: bool,
    /// What is begun where nothing can be recorded; without it we listen on.
    pub instead: Option<IntentId>,
}

const THEN: [(&str, bool); 2] = [("hang_up", false), ("go_on", true)];

pub fn voicemail(
    mut section: Section<'_>,
    faults: &mut Faults,
    context: &Context<'_>,
) -> Voicemail {
    let s = &mut section;
    let voicemail = Voicemail {
        saved: context.fixed(s, faults, "saved"),
        nothing: context.fixed(s, faults, "nothing"),
        failed: context.fixed(s, faults, "failed"),
        goes_on: s.choice(faults, "then", &THEN).unwrap_or(false),
        instead: context.reference(s, faults, "instead"),
    };
    section.finish(faults);
    voicemail
}

/// What the section and the intents want of each other.
pub fn check(voicemail: Option<&Voicemail>, intents: &[Intent], faults: &mut Faults) {
    let records = |intent: &&Intent| intent.action == Action::Voicemail;
    if let Some(intent) = intents.iter().find(records).filter(|_| voicemail.is_none()) {
        let key = format!("intent.{}.action", intent.name);
        let wanted = "needs a section [voicemail]: what is said afterwards";
        faults.note(key, "\"voicemail\"".to_owned(), wanted);
    }
    let instead = voicemail.and_then(|voicemail| voicemail.instead);
    if let Some(intent) = instead.and_then(|id| intents.get(id.0)).filter(records) {
        let wanted = "must be another intent than one that records";
        faults.note("voicemail.instead".to_owned(), format!("{:?}", intent.name), wanted);
    }
}

impl Voicemail {
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        [&self.saved, &self.nothing, &self.failed].into_iter().map(String::as_str)
    }
}

impl Playbook {
    /// What is said around a message after the tone, where the playbook has such.
    pub fn voicemail(&self) -> Option<&Voicemail> {
        self.voicemail.as_ref()
    }
}
