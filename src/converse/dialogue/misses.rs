//! What follows when the caller was not understood.

use super::*;

impl Dialogue {
    /// The words are not believed.
    pub(super) fn not_caught(&mut self, state: State) -> Reaction {
        let prompt = self.playbook.prompts().unclear.clone();
        self.missed(state, prompt)
    }

    /// Counts a miss and asks again, or offers something else after two.
    pub(super) fn missed(&mut self, state: State, prompt: String) -> Reaction {
        self.misses += 1;
        if self.misses < MISSES {
            let mut parts = vec![prompt];
            parts.extend(match &state {
                State::Filling(form, slot) => {
                    self.slot(form, *slot).map(|slot| self.fill(&slot.reask, form))
                }
                state => self.question_of(state),
            });
            self.state = state;
            return Reaction::reprompt(parts);
        }
        match state {
            State::Filling(mut form, slot) if self.is_last_resort(&form) => {
                form.set(slot, SlotValue::Skipped);
                self.misses = 0;
                self.advance(form, Understanding::Missed)
            }
            State::Confirming(form, _) if self.is_last_resort(&form) => {
                self.complete(form, Understanding::Missed)
            }
            _ => self.fall_back(),
        }
    }

    /// The form that the fallback starts takes what it can get: nothing is left to fall back to.
    pub(super) fn is_last_resort(&self, form: &Form) -> bool {
        self.playbook.fallback().yes == Some(form.intent)
    }

    pub(super) fn fall_back(&mut self) -> Reaction {
        let playbook = Arc::clone(&self.playbook);
        self.fall_back_to(playbook.fallback())
    }

    pub(super) fn fall_back_to(&mut self, offer: &FollowUp) -> Reaction {
        self.misses = 0;
        self.fallbacks += 1;
        let playbook = Arc::clone(&self.playbook);
        if self.fallbacks > FALLBACKS {
            self.state = State::Open;
            let mut reaction = Reaction::reprompt(vec![playbook.prompts().give_up.clone()]);
            reaction.purpose = Purpose::Farewell;
            reaction.hang_up = Some(EndCause::NotUnderstood);
            return reaction;
        }
        let question = self.question_from(offer);
        let parts = vec![question.text.reveal().clone()];
        self.state = State::Asked(question);
        Reaction::reprompt(parts)
    }
}
