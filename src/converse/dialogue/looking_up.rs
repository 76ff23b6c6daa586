//! Answers that depend on the owner's own system: the question to it, and what follows its answer.

use super::*;
use crate::converse::lookup::LookedUp;
use crate::converse::playbook::{Remote, Source};

impl Dialogue {
    /// What the system is asked before the form can be answered, if it is to be asked.
    pub(super) fn look_up(&mut self, form: Form, understanding: Understanding) -> Reaction {
        let playbook = Arc::clone(&self.playbook);
        let intent = playbook.intent(form.intent);
        let Some(remote) = remote(intent) else { return self.answer(form, None, understanding) };
        let value = |parameter: &str| {
            let (_, slot) = remote.with.iter().find(|(name, _)| name == parameter)?;
            form.values.get(*slot)?.text()
        };
        let found = playbook.lookups().find(&remote.name);
        let asked = found.and_then(|(id, _)| playbook.lookups().ask(id, value).ok());
        match asked {
            Some(asked) => {
                self.recent = Some(form.clone());
                self.state = State::LookingUp(form);
                let mut reaction = Reaction::say(Vec::new(), understanding);
                reaction.look_up = Some(asked);
                reaction
            }
            // No such value can be in that system.
            None => self.looked_up_for(form, &LookedUp::NotFound, understanding),
        }
    }

    /// The owner's system is being asked.
    pub fn is_looking_up(&self) -> bool {
        matches!(self.state, State::LookingUp(_))
    }

    /// Said while it takes long.
    pub fn waiting(&self) -> Option<String> {
        let State::LookingUp(form) = &self.state else { return None };
        remote(self.playbook.intent(form.intent)).map(|remote| remote.wait.clone())
    }

    /// The system has answered.
    pub fn looked_up(&mut self, outcome: &LookedUp) -> Option<Reaction> {
        let State::LookingUp(form) = &self.state else { return None };
        let form = form.clone();
        self.state = State::Open;
        let reaction = self.looked_up_for(form, outcome, Understanding::Answer);
        Some(self.settle(reaction))
    }

    fn looked_up_for(
        &mut self,
        form: Form,
        outcome: &LookedUp,
        understanding: Understanding,
    ) -> Reaction {
        let playbook = Arc::clone(&self.playbook);
        let intent = playbook.intent(form.intent);
        let lookup = intent.lookup.as_ref();
        // What the answer needs may not be among what came back.
        let has_any = |remote: &Remote| match outcome {
            LookedUp::Found(fields) => fields.iter().any(|(name, _)| remote.fields.contains(name)),
            LookedUp::NotFound | LookedUp::Failed => true,
        };
        let outcome = match remote(intent).is_none_or(has_any) {
            true => outcome,
            false => &LookedUp::NotFound,
        };
        let (template, fields) = match (lookup.zip(remote(intent)), outcome) {
            (Some((lookup, _)), LookedUp::Found(fields)) => (&lookup.found, fields.as_slice()),
            (Some((_, remote)), LookedUp::NotFound) => (&remote.not_found, [].as_slice()),
            (Some((_, remote)), LookedUp::Failed) => (&remote.failed, [].as_slice()),
            (None, _) => (&intent.reply, [].as_slice()),
        };
        let said = template.fill(|name| {
            let field = fields.iter().find(|(known, _)| known == name);
            let field = field.map(|(_, value)| value.reveal().as_str());
            field.or_else(|| form.value(intent, name))
        });
        let status = matches!(outcome, LookedUp::Found(_));
        self.answer(form, Some((said, status)), understanding)
    }

    /// Words of a caller who waits: another wish, or a correction, is followed; anything else leaves
    /// the question as it is.
    pub(super) fn hear_waiting(&mut self, form: Form, heard: &Heard<'_>) -> Reaction {
        if let Some(reaction) = self.correct_recent(heard) {
            return reaction;
        }
        let wish = heard.guess_from(ACCEPT).filter(|guess| {
            heard.sure && guess.intent != form.intent && !self.playbook.intent(guess.intent).weak
        });
        match wish {
            Some(guess) => self.act(guess, State::Open),
            None => {
                self.state = State::LookingUp(form);
                let wait = self.waiting();
                Reaction::say(wait.into_iter().collect(), Understanding::Answer)
            }
        }
    }
}

fn remote(intent: &Intent) -> Option<&Remote> {
    match &intent.lookup.as_ref()?.source {
        Source::Remote(remote) => Some(remote),
        Source::Table { .. } => None,
    }
}
