//! What follows when all that an intent needs is known.

use super::*;
use crate::converse::playbook::Source;

impl Dialogue {
    /// Everything is known, but perhaps not yet what the owner's system says to it.
    pub(super) fn complete(&mut self, form: Form, understanding: Understanding) -> Reaction {
        self.misses = 0;
        let playbook = Arc::clone(&self.playbook);
        self.remember(playbook.intent(form.intent), &form);
        self.look_up(form, understanding)
    }

    /// Answers a form. `said` is what a system that was asked has to it, and whether that is an
    /// answer; else the owner's tables are looked at.
    pub(super) fn answer(
        &mut self,
        form: Form,
        said: Option<(String, bool)>,
        understanding: Understanding,
    ) -> Reaction {
        let playbook = Arc::clone(&self.playbook);
        let intent = playbook.intent(form.intent);
        let status = intent.lookup.as_ref().and_then(|lookup| {
            let Source::Table { table, slot } = &lookup.source else { return None };
            let key = form.values.get(*slot)?.text()?;
            Some((&lookup.found, playbook.look_up(table, key)?))
        });
        let (reply, is_answered) = match (said, status) {
            (Some(said), _) => said,
            (None, Some((found, status))) => {
                let value = |name: &str| match name {
                    "status" => Some(status),
                    name => form.value(intent, name),
                };
                (found.fill(value), true)
            }
            (None, None) => (self.fill(&intent.reply, &form), false),
        };
        let mut reaction = Reaction::say(vec![reply], understanding);
        match intent.action {
            Action::HangUp => {
                reaction.purpose = Purpose::Farewell;
                reaction.hang_up = Some(EndCause::Goodbye);
                return reaction;
            }
            Action::Voicemail => {
                reaction.record = Some(form.message(intent));
                return reaction;
            }
            Action::Message if !is_answered => reaction.message = Some(form.message(intent)),
            Action::Message | Action::Answer | Action::Repeat | Action::Abort => {}
        }
        if !intent.slots.is_empty() {
            self.recent = Some(form);
        }
        if let Some(follow_up) = &intent.follow_up {
            reaction.parts.push(follow_up.ask.clone());
            self.state = State::Asked(self.question_from(follow_up));
        }
        reaction
    }

    pub(super) fn question_from(&self, follow_up: &FollowUp) -> Question {
        let consequence = |intent: Option<IntentId>| match intent {
            Some(id) => Consequence::Start(Form::new(id, self.playbook.intent(id), &[])),
            None => Consequence::Listen,
        };
        Question {
            text: Private::new(follow_up.ask.clone()),
            yes: consequence(follow_up.yes),
            no: consequence(follow_up.no),
        }
    }

    pub(super) fn remembered(&self, slot: &Slot) -> Option<String> {
        let known = self.memory.iter().find(|(name, _)| *name == slot.name)?;
        slot.remember.then(|| known.1.reveal().clone())
    }

    pub(super) fn remember(&mut self, intent: &Intent, form: &Form) {
        for (slot, value) in intent.slots.iter().zip(&form.values) {
            let Some(text) = value.text().filter(|_| slot.remember) else { continue };
            self.memory.retain(|(name, _)| *name != slot.name);
            if self.memory.len() < MEMORY {
                self.memory.push((slot.name.clone(), Private::new(text.to_owned())));
            }
        }
    }
}
