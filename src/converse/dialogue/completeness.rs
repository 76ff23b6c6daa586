//! Whether the caller's thought sounds finished, for endpointing.

use super::*;
use crate::converse::alphabet::Completeness;
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
            _ => Completeness::Unknown,
        }
    }

    /// The answer to what was asked, if it is one.
    fn expected_answer(&self, tokens: &[Token]) -> Option<Completeness> {
        match &self.state {
            State::Open => None,
            State::Confirming(..) | State::Asked(_) => {
                yes_no(tokens)?;
                let ends_well = tokens.last().is_some_and(|t| !t.is_dangling());
                (ends_well && tokens.len() <= SHORT_ANSWER).then_some(Completeness::Complete)
            }
            State::Filling(form, slot) => {
                let kind = &self.slot(form, *slot)?.kind;
                let found = answer(kind, tokens);
                if let (Some(bounds), Found::Value(digits) | Found::Partial(digits)) =
                    (kind.digit_count(), &found)
                {
                    return Some(counted(form.partial.text.len() + digits.text.len(), bounds));
                }
                let ends_well = tokens.last().is_some_and(|t| !t.is_dangling());
                match (kind, found) {
                    (SlotKind::Text, _) | (_, Found::Nothing | Found::Partial(_)) => None,
                    (_, Found::Value(_)) => ends_well.then_some(Completeness::Complete),
                }
            }
        }
    }

    fn judged_guess(&self, guess: &Guess) -> Completeness {
        let intent = self.playbook.intent(guess.intent);
        let mut judged = Completeness::Complete;
        for (slot, found) in intent.slots.iter().zip(&guess.values) {
            match (slot.kind.digit_count(), found) {
                (Some(bounds), Found::Value(digits) | Found::Partial(digits)) => {
                    judged = counted(digits.text.len(), bounds);
                }
                (None, _) | (_, Found::Nothing) => {}
            }
        }
        // A greeting is often only the start of a sentence.
        if intent.weak && judged == Completeness::Complete { Completeness::Unknown } else { judged }
    }
}

fn counted(digits: usize, (min, max): (usize, usize)) -> Completeness {
    if digits >= max {
        Completeness::Complete
    } else if digits < min {
        Completeness::Incomplete
    } else {
        Completeness::Unknown
    }
}
