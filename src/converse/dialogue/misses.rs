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
                State::Asked(question) => Some(bare(question.text.reveal()).to_owned()),
                state => self.question_of(state),
            });
            self.state = state;
            return Reaction::reprompt(parts);
        }
        match state {
            State::Filling(mut form, slot) if self.is_last_resort(&form) => {
                // A name that may be wrong is of more use to the firm's people than none.
                let taken = form.doubted.take().map_or(SlotValue::Skipped, SlotValue::Heard);
                form.set(slot, taken);
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

/// The question itself, without the sentences that led to it: after an apology they would be a second one.
fn bare(text: &str) -> &str {
    let text = text.trim_end();
    let Some(question) = text.strip_suffix('?') else { return text };
    let ends = question.char_indices().zip(question.chars().skip(1));
    let ends = ends.filter(|((_, sign), next)| ".!?…".contains(*sign) && next.is_whitespace());
    let last = ends.last().map_or(0, |((at, sign), _)| at + sign.len_utf8());
    text.get(last..).unwrap_or(text).trim_start()
}

#[cfg(test)]
mod tests {
    use super::bare;

    #[test]
    fn a_bare_question_is_its_last_sentence_if_that_is_one() {
        for (text, expected) in [
            ("I am sorry, I do not understand. Shall I take a message?", "Shall I take a message?"),
            ("Простите… Передать ваше сообщение? ", "Передать ваше сообщение?"),
            ("Anything else?", "Anything else?"),
            ("Is it 8.30?", "Is it 8.30?"),
            ("Which order? Say its number.", "Which order? Say its number."),
            ("", ""),
        ] {
            assert_eq!(bare(text), expected);
        }
    }
}
