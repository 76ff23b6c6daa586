//! Whether the caller's thought sounds finished, for endpointing.

use super::*;
use crate::converse::alphabet::Completeness;
use crate::converse::matching::answers::do_not_know;
use crate::converse::matching::grammar::is_one_of;
use crate::converse::matching::numbers;
use crate::converse::matching::slots::answer;
use crate::converse::matching::tokens::joined;
use crate::converse::playbook::Scope;
use crate::converse::understanding::stops_before_slot;

/// A wish in the playbook's own words.
const EXACT: f32 = 0.985;
/// Words that are less sure than this together are a guess.
const GUESS: f32 = 0.1;
/// Words of a bare answer to a yes-or-no question.
const SHORT_ANSWER: usize = 4;
/// The voice hardly goes on below this.
const MAY_GO_ON: f32 = 0.25;
/// It goes on rather than not.
const GOES_ON: f32 = 0.5;
const SURELY_GOES_ON: f32 = 0.7;
/// The same as `GOES_ON` of a number: any number of digits may be all, so that the voice alone tells, and less.
const NUMBER_GOES_ON: f32 = 0.6;

impl Dialogue {
    /// Judges `speech` as what was heard so far in this turn.
    ///
    /// The words and the voice both tell, and where they disagree the caller is waited for. A voice
    /// that surely ended makes of words that fit nothing a thought that is probably whole. Of a number
    /// the voice tells less where the caller has not paused in it: who says as many digits as there
    /// usually are in one go has said all of them. `has_paused` is whether it did. Words that are a guess tell
    /// nothing of an end: the voice alone does.
    pub fn completeness(&self, speech: &Speech, has_paused: bool) -> Completeness {
        let text = speech.text.reveal();
        let tokens = self.playbook.lexicon().tokenise(text);
        if tokens.is_empty() {
            return self.wordless(text);
        }
        let voice = Voice { has_paused, ..Voice::of(speech) };
        if speech.confidence < GUESS && !self.takes(&tokens) {
            // Of such words it is no better than a guess itself.
            let goes_on = voice.goes_on(SURELY_GOES_ON);
            return if goes_on { Completeness::Doubtful } else { Completeness::Unclear };
        }
        self.judged(&tokens, voice)
    }

    /// What is asked for takes such words, however unsure they are.
    fn takes(&self, tokens: &[Token]) -> bool {
        let State::Filling(form, slot) = &self.state else { return false };
        let kind = self.slot(form, *slot).map(|slot| &slot.kind);
        kind.is_some_and(|kind| match kind {
            SlotKind::Text => true,
            kind => kind.count().is_some() && !numbers::runs(tokens).is_empty(),
        })
    }

    /// There are numbers in it.
    pub fn has_numbers(&self, speech: &Speech) -> bool {
        !numbers::runs(&self.playbook.lexicon().tokenise(speech.text.reveal())).is_empty()
    }

    /// Nothing but "um": the caller thinks. To a question "mm" may be all there is.
    fn wordless(&self, text: &str) -> Completeness {
        let is_said = text.chars().any(char::is_alphanumeric) && !text.contains(['[', '(']);
        match self.state {
            State::Open | State::Filling(..) if is_said => Completeness::Incomplete,
            State::Open
            | State::Filling(..)
            | State::Confirming(..)
            | State::Asked(_)
            | State::LookingUp(_) => Completeness::Unknown,
        }
    }

    fn judged(&self, tokens: &[Token], voice: Voice) -> Completeness {
        if is_thinking(tokens) {
            return Completeness::Incomplete;
        }
        if let Some(judged) = self.expected_answer(tokens, voice) {
            return judged;
        }
        let guess = guess(&self.playbook, tokens, self.floor());
        let exact = guess.as_ref().is_some_and(|guess| guess.score > EXACT);
        let dangles = !ends_well(tokens);
        let slot_follows = stops_before_slot(&self.playbook, tokens);
        let fits = guess.as_ref().is_some_and(|guess| guess.score >= STRONG);
        if (dangles && (slot_follows || !exact)) || (slot_follows && !fits) {
            return Completeness::Incomplete;
        }
        let writes = matches!(&self.state, State::Filling(form, slot)
            if self.slot(form, *slot).is_some_and(|slot| slot.kind == SlotKind::Text));
        match guess {
            // Whoever dictates says several sentences.
            _ if writes && voice.has_ended() => Completeness::Unknown,
            // The number may follow at once: "I want to track my order, 4729".
            Some(_) if fits && slot_follows && !exact && !voice.has_ended() => {
                voice.bends(Completeness::Probable)
            }
            Some(guess) if fits && !writes => self.judged_guess(&guess, tokens, voice),
            // It is answered, but a wish often follows such a word.
            _ if self.floor() == Floor::Open && short_answer(tokens).is_some() => {
                voice.bends(Completeness::Probable)
            }
            _ => voice.bends(Completeness::Unknown),
        }
    }

    /// The answer to what was asked, if it is one.
    fn expected_answer(&self, tokens: &[Token], voice: Voice) -> Option<Completeness> {
        match &self.state {
            State::Open | State::LookingUp(_) => None,
            State::Confirming(..) | State::Asked(_) => {
                short_answer(tokens).map(|_| voice.answers(Completeness::Complete))
            }
            State::Filling(form, slot) => {
                self.slot_answer(form, self.slot(form, *slot)?, tokens, voice)
            }
        }
    }

    fn slot_answer(
        &self,
        form: &Form,
        slot: &Slot,
        tokens: &[Token],
        voice: Voice,
    ) -> Option<Completeness> {
        let found = answer(&slot.kind, tokens);
        if let (Some(_), Found::Value(digits) | Found::Partial(digits)) =
            (slot.kind.count(), &found)
        {
            let judged = counted((form.partial.length(), digits.length()), slot, voice);
            let dangles = judged != Completeness::Complete && !ends_well(tokens);
            return Some(if dangles { Completeness::Incomplete } else { judged });
        }
        let judged = match (&slot.kind, found) {
            (SlotKind::Text, _) => None,
            (_, Found::Value(_)) => ends_well(tokens).then_some(Completeness::Complete),
            (SlotKind::YesNo, _) => None,
            _ if slot.optional && short_answer(tokens) == Some(Answer::No) => {
                Some(Completeness::Complete)
            }
            // The reason, or the number all the same, may follow.
            _ if do_not_know(tokens) && ends_well(tokens) => Some(Completeness::Probable),
            (_, Found::Nothing | Found::Partial(_)) => None,
        };
        judged.map(|judged| voice.answers(judged))
    }

    fn judged_guess(&self, guess: &Guess, tokens: &[Token], voice: Voice) -> Completeness {
        let intent = self.playbook.intent(guess.intent);
        for (slot, found) in intent.slots.iter().zip(&guess.values) {
            match (slot.kind.count(), found) {
                (Some(_), Found::Value(digits) | Found::Partial(digits)) => {
                    return counted((0, digits.length()), slot, voice);
                }
                (None, _) | (_, Found::Nothing) => {}
            }
        }
        // A greeting is often only the start of a sentence.
        let judged = if intent.weak { Completeness::Probable } else { Completeness::Complete };
        // Of one word the voice tells little, and of a command that is said in full, such as to repeat.
        let is_command = guess.score > EXACT && intent.scope != Scope::Open && !intent.weak;
        if tokens.len() == 1 || is_command { voice.answers(judged) } else { voice.bends(judged) }
    }
}

/// How likely the voice goes on after the last word, where the recogniser tells.
#[derive(Clone, Copy, Debug)]
struct Voice {
    told: Option<f32>,
    /// In the number that is being said.
    has_paused: bool,
}

impl Voice {
    fn of(speech: &Speech) -> Self {
        let told = if trails_off(speech.text.reveal()) { Some(1.0) } else { speech.goes_on };
        Self { told, has_paused: true }
    }

    fn goes_on(self, at_least: f32) -> bool {
        self.told.is_some_and(|goes_on| goes_on >= at_least)
    }

    fn has_ended(self) -> bool {
        self.told.is_some_and(|goes_on| goes_on < MAY_GO_ON)
    }

    /// The same of an answer: it is all that was asked for, but a wish may follow.
    fn answers(self, judged: Completeness) -> Completeness {
        match judged {
            Completeness::Complete if self.goes_on(GOES_ON) => Completeness::Probable,
            judged => self.bends(judged),
        }
    }

    /// What the voice makes of what the words say.
    fn bends(self, judged: Completeness) -> Completeness {
        match judged {
            // "Track my order", and its number follows; "hello", and the wish does.
            Completeness::Complete if self.goes_on(SURELY_GOES_ON) => Completeness::Incomplete,
            Completeness::Complete | Completeness::Probable if self.goes_on(GOES_ON) => {
                Completeness::Doubtful
            }
            Completeness::Unknown if self.goes_on(GOES_ON) => Completeness::Incomplete,
            Completeness::Unknown if self.has_ended() => Completeness::Probable,
            judged => judged,
        }
    }
}

/// The recogniser wrote that the sentence goes on, as Whisper does of its own accord.
fn trails_off(text: &str) -> bool {
    let text = text.trim_end();
    text.ends_with([',', '-', '–', '…', ':']) || text.ends_with("...")
}

/// The last sentence is what people say while they think.
fn is_thinking(tokens: &[Token]) -> bool {
    let Some(last) = tokens.last() else { return false };
    let sentence = tokens.iter().rposition(|token| token.sentence != last.sentence);
    let words = joined(&tokens[sentence.map_or(0, |at| at + 1)..]);
    is_one_of(last.grammar.words.thinking, &words)
}

fn ends_well(tokens: &[Token]) -> bool {
    tokens.last().is_some_and(|token| !token.is_dangling())
}

/// A yes or a no and hardly more.
fn short_answer(tokens: &[Token]) -> Option<Answer> {
    yes_no(tokens).filter(|_| ends_well(tokens) && tokens.len() <= SHORT_ANSWER)
}

/// Judges so many digits or characters, of earlier turns and of this one, of a slot that takes these
/// one by one.
fn counted((kept, new): (usize, usize), slot: &Slot, voice: Voice) -> Completeness {
    let (min, max) = slot.kind.count().unwrap_or_default();
    let digits = kept + new;
    // Who gave a part of a number gives the rest in parts, too: the voice tells less of its end.
    let is_in_parts = kept > 0;
    let goes_on = voice.goes_on(NUMBER_GOES_ON);
    let is_told = voice.told.is_some() && !is_in_parts;
    if digits >= max {
        Completeness::Complete
    } else if slot.usual.contains(&digits) {
        let has_paused = is_in_parts || voice.has_paused;
        if goes_on && has_paused { Completeness::Doubtful } else { Completeness::Probable }
    } else if digits < min && voice.has_ended() && !is_in_parts {
        // Perhaps it is all that the caller knows; the rest can be asked for.
        Completeness::Unknown
    } else if digits < min || goes_on {
        Completeness::Incomplete
    } else if slot.usual.iter().any(|usual| digits < *usual) {
        if is_told { Completeness::Unknown } else { Completeness::Incomplete }
    } else if is_in_parts {
        Completeness::Doubtful
    } else if is_told {
        Completeness::Probable
    } else {
        Completeness::Unknown
    }
}
