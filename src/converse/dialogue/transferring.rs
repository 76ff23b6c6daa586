//! Callers who want a person: whom they are put through to, and what is offered instead.

use super::*;
use crate::converse::playbook::Transfer;
use crate::converse::reply::Template;

impl Dialogue {
    /// If that is the wish for a person and there are people: puts through to the one who was
    /// named, else to the first who is there.
    pub(super) fn put_through(
        &mut self,
        form: &Form,
        understanding: Understanding,
    ) -> Option<Reaction> {
        let playbook = Arc::clone(&self.playbook);
        let transfer = playbook.transfer().filter(|transfer| transfer.intent == form.intent)?;
        let people = playbook.people();
        let wanted = form.person.or_else(|| people.first_in(self.began));
        self.misses = 0;
        let Some(person) = wanted.filter(|person| self.is_in(*person)) else {
            let name = wanted.and_then(|person| people.get(person));
            let name = name.map_or_else(String::new, |person| person.name.clone());
            return Some(self.offer(transfer, &transfer.closed, &name, understanding));
        };
        let say = Transfer::text(&transfer.say, &people.get(person)?.name);
        self.state = State::Open;
        let mut reaction = Reaction::say(vec![say], understanding);
        reaction.transfer = Some(person);
        Some(reaction)
    }

    /// Whether it is their time.
    pub fn is_in(&self, person: PersonId) -> bool {
        self.playbook.people().is_in(person, self.began)
    }

    /// The person did not take the call.
    pub fn not_reached(&mut self, person: PersonId) -> Reaction {
        let playbook = Arc::clone(&self.playbook);
        let name = playbook.people().get(person).map(|person| person.name.as_str());
        let reaction = match (playbook.transfer(), name) {
            (Some(transfer), Some(name)) => {
                self.offer(transfer, &transfer.failed, name, Understanding::Answer)
            }
            _ => self.fall_back(),
        };
        self.settle(reaction)
    }

    fn offer(
        &mut self,
        transfer: &Transfer,
        question: &Template,
        name: &str,
        understanding: Understanding,
    ) -> Reaction {
        let ask = Transfer::text(question, name);
        let follow_up = FollowUp { ask: ask.clone(), yes: Some(transfer.yes), no: transfer.no };
        self.state = State::Asked(self.question_from(&follow_up));
        Reaction::say(vec![ask], understanding)
    }
}
