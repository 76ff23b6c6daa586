//! Whether the caller's thought sounds finished, for endpointing.

use super::*;
use crate::converse::alphabet::Completeness;
use crate::converse::matching::answers::do_not_know;
use crate::converse::matching::slots::answer;
use crate::converse::understanding::stops_before_slot;

/// Words of a bare answer to a yes-or-no question.
const SHORT_ANSWER: usize = 4;

impl Dialogue {
    /// Judges `text` as what was heard so far in this turn.
    pub fn completeness(&self, text: &str) -> Completeness {
        let tokens = self.playbook.lexicon().tokenise(text);
        let Some(last) = tokens.last() else { return Completeness::Unknown };
        let goes_on = text.trim_end().ends_with([',', '-', '–', '…', ':'])
            || text.trim_end().ends_with("...");
        if goes_on {
            return Completeness::Incomplete;
        }
        if let Some(judged) = self.expected_answer(&tokens) {
            return judged;
        }
        let guess = guess(&self.playbook, &tokens, self.floor());
        let exact = guess.as_ref().is_some_and(|guess| guess.score > 0.985);
        let dangles = last.is_dangling();
        let slot_follows = stops_before_slot(&self.playbook, &tokens);
        if (dangles && (slot_follows || !exact)) || (slot_follows && !exact) {
            return Completeness::Incomplete;
        }
        let writes = matches!(&self.state, State::Filling(form, slot)
            if self.slot(form, *slot).is_some_and(|slot| slot.kind == SlotKind::Text));
        match guess {
            Some(guess) if guess.score >= STRONG && !writes => self.judged_guess(&guess),
            // It is answered, but a wish often follows such a word.
            _ if self.floor() == Floor::Open && short_answer(&tokens).is_some() => {
                Completeness::Probable
            }
            _ => Completeness::Unknown,
        }
    }

    /// The answer to what was asked, if it is one.
    fn expected_answer(&self, tokens: &[Token]) -> Option<Completeness> {
        match &self.state {
            State::Open => None,
            State::Confirming(..) | State::Asked(_) => {
                short_answer(tokens).map(|_| Completeness::Complete)
            }
            State::Filling(form, slot) => self.slot_answer(form, self.slot(form, *slot)?, tokens),
        }
    }

    fn slot_answer(&self, form: &Form, slot: &Slot, tokens: &[Token]) -> Option<Completeness> {
        let found = answer(&slot.kind, tokens);
        if let (Some(_), Found::Value(digits) | Found::Partial(digits)) =
            (slot.kind.digit_count(), &found)
        {
            let judged = counted(form.partial.text.len() + digits.text.len(), slot);
            let dangles = judged != Completeness::Complete && !ends_well(tokens);
            return Some(if dangles { Completeness::Incomplete } else { judged });
        }
        match (&slot.kind, found) {
            (SlotKind::Text, _) => None,
            (_, Found::Value(_)) => ends_well(tokens).then_some(Completeness::Complete),
            (SlotKind::YesNo, _) => None,
            _ if slot.optional && short_answer(tokens) == Some(Answer::No) => {
                Some(Completeness::Complete)
            }
            // The reason, or the number all the same, may follow.
            _ if do_not_know(tokens) && ends_well(tokens) => Some(Completeness::Probable),
            (_, Found::Nothing | Found::Partial(_)) => None,
        }
    }

    fn judged_guess(&self, guess: &Guess) -> Completeness {
        let intent = self.playbook.intent(guess.intent);
        let mut judged = Completeness::Complete;
        for (slot, found) in intent.slots.iter().zip(&guess.values) {
            match (slot.kind.digit_count(), found) {
                (Some(_), Found::Value(digits) | Found::Partial(digits)) => {
                    judged = counted(digits.text.len(), slot);
                }
                (None, _) | (_, Found::Nothing) => {}
            }
        }
        // A greeting is often only the start of a sentence.
        if intent.weak && judged == Completeness::Complete {
            Completeness::Probable
        } else {
            judged
        }
    }
}

fn ends_well(tokens: &[Token]) -> bool {
    tokens.last().is_some_and(|token| !token.is_dangling())
}

/// A yes or a no and hardly more.
fn short_answer(tokens: &[Token]) -> Option<Answer> {
    yes_no(tokens).filter(|_| ends_well(tokens) && tokens.len() <= SHORT_ANSWER)
}

/// Judges so many digits of a slot that takes digits.
fn counted(digits: usize, slot: &Slot) -> Completeness {
    let (min, max) = slot.kind.digit_count().unwrap_or_default();
    if digits >= max {
        Completeness::Complete
    } else if digits < min {
        Completeness::Incomplete
    } else if slot.usual.contains(&digits) {
        Completeness::Probable
    } else {
        Completeness::Unknown
    }
}
