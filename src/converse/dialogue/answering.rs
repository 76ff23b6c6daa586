//! One function for each state in which words of the caller arrive.

use super::*;
use crate::converse::matching::answers::do_not_know;
use crate::converse::matching::numbers;
use crate::converse::matching::slots::answer;
use crate::converse::playbook::Scope;

/// In a message's text only what is said exactly so is a command.
const EXACT: f32 = 0.96;

impl Dialogue {
    pub(super) fn hear_open(&mut self, heard: &Heard<'_>) -> Reaction {
        if let Some(reaction) = self.correct_recent(heard) {
            return reaction;
        }
        if let Some(guess) = heard.guess_from(ACCEPT) {
            if heard.sure || self.playbook.intent(guess.intent).weak {
                return self.act(guess, State::Open);
            }
            return self.ask_back(guess);
        }
        if yes_no(&heard.tokens).is_some() {
            let listen = self.playbook.prompts().listen.clone();
            return Reaction::say(vec![listen], Understanding::Answer);
        }
        match heard.guess_from(DOUBTFUL) {
            Some(guess) if !self.playbook.intent(guess.intent).weak => self.ask_back(guess),
            _ => {
                let prompt = self.playbook.prompts().miss.clone();
                self.missed(State::Open, prompt)
            }
        }
    }

    pub(super) fn hear_filling(&mut self, form: Form, slot: usize, heard: &Heard<'_>) -> Reaction {
        let playbook = Arc::clone(&self.playbook);
        let Some(wanted) = playbook.intent(form.intent).slots.get(slot) else {
            return self.complete(form, Understanding::Answer);
        };
        if !heard.sure {
            return self.hear_filling_in_doubt(form, slot, wanted, heard);
        }
        let free = matches!(wanted.kind, SlotKind::Text | SlotKind::Name);
        let least = if wanted.kind == SlotKind::Text { EXACT } else { STRONG };
        if let Some(guess) = self.command(heard, least) {
            return self.act(&guess, State::Filling(form, slot));
        }
        let not_known = do_not_know(&heard.tokens)
            || (wanted.optional && yes_no(&heard.tokens) == Some(Answer::No));
        if not_known && wanted.kind != SlotKind::Text && wanted.kind != SlotKind::YesNo {
            return self.without(form, slot, wanted.optional);
        }
        let changes_subject = wanted.kind == SlotKind::Name
            && mentioned(&wanted.kind, &heard.tokens) == Found::Nothing
            && heard.guess_from(STRONG).is_some_and(|guess| guess.intent != form.intent);
        let found =
            if changes_subject { Found::Nothing } else { answer(&wanted.kind, &heard.tokens) };
        match self.with_partial(&form, &wanted.kind, found, heard) {
            Found::Nothing => {}
            // These are the sentence itself, which has been judged as a whole.
            Found::Value(value) if !wanted.kind.is_part() => {
                let is_text = wanted.kind == SlotKind::Text;
                let text = if is_text { heard.kept_text() } else { value.text };
                let found = Found::Value(Value::certain(text));
                return self.fill_slot(form, slot, wanted, found);
            }
            found => return self.fill_slot(form, slot, wanted, found),
        }
        let least = if free { STRONG } else { ACCEPT };
        match heard.guess_from(least).filter(|guess| guess.intent != form.intent) {
            Some(guess) => self.act(guess, State::Filling(form, slot)),
            None => {
                let prompt = playbook.prompts().miss.clone();
                self.missed(State::Filling(form, slot), prompt)
            }
        }
    }

    /// The sentence is not believed, but what was asked for may be said clearly in it.
    fn hear_filling_in_doubt(
        &mut self,
        mut form: Form,
        slot: usize,
        wanted: &Slot,
        heard: &Heard<'_>,
    ) -> Reaction {
        let found = mentioned(&wanted.kind, &heard.tokens);
        if wanted.kind == SlotKind::Name
            && let Found::Value(name) = answer(&wanted.kind, &heard.tokens)
        {
            form.doubted = Some(name);
        }
        let found = self.with_partial(&form, &wanted.kind, found, heard);
        self.fill_slot(form, slot, wanted, found)
    }

    /// Takes what was found, if its own words are believed.
    fn fill_slot(&mut self, mut form: Form, slot: usize, wanted: &Slot, found: Found) -> Reaction {
        match found {
            Found::Value(value) if wanted.believes(&value) => {
                form.set(slot, SlotValue::Heard(value));
                self.misses = 0;
                self.advance(form, Understanding::Answer)
            }
            Found::Partial(digits) if wanted.believes(&digits) => {
                form.partial = digits;
                self.misses = 0;
                self.ask(form, slot, Understanding::Answer)
            }
            Found::Value(value) if wanted.kind == SlotKind::Name => {
                form.doubted = Some(value);
                self.not_caught(State::Filling(form, slot))
            }
            Found::Value(_) | Found::Partial(_) | Found::Nothing => {
                self.not_caught(State::Filling(form, slot))
            }
        }
    }

    pub(super) fn hear_confirming(
        &mut self,
        mut form: Form,
        confirm: Confirm,
        heard: &Heard<'_>,
    ) -> Reaction {
        if let Some(guess) = self.command(heard, STRONG).filter(|_| heard.sure) {
            return self.act(&guess, State::Confirming(form, confirm));
        }
        let said = yes_no(&heard.tokens);
        let corrected = self.corrected(&form, confirm, heard, said);
        let is_new = |(slot, value): &(usize, SlotValue)| {
            form.values.get(*slot).and_then(SlotValue::text) != value.text()
        };
        // A yes that is not believed confirms nothing; another value is read back in its turn.
        if !heard.sure && !corrected.as_ref().is_some_and(is_new) {
            return self.not_caught(State::Confirming(form, confirm));
        }
        match corrected {
            Some(same) if said != Some(Answer::No) && !is_new(&same) => {
                return self.confirmed(form, confirm);
            }
            Some((slot, value)) => {
                form.set(slot, value);
                self.misses = 0;
                return self.advance(form, Understanding::Answer);
            }
            None => {}
        }
        match said {
            Some(Answer::Yes) => self.confirmed(form, confirm),
            Some(Answer::No) => self.refused(form, confirm),
            None => match heard.guess_from(ACCEPT).filter(|guess| guess.intent != form.intent) {
                Some(guess) => self.act(guess, State::Confirming(form, confirm)),
                None => {
                    let prompt = self.playbook.prompts().miss.clone();
                    self.missed(State::Confirming(form, confirm), prompt)
                }
            },
        }
    }

    pub(super) fn hear_asked(&mut self, question: Question, heard: &Heard<'_>) -> Reaction {
        let said = yes_no(&heard.tokens);
        if let Some(reaction) = self.correct_recent(heard) {
            return reaction;
        }
        let wish = heard.guess_from(ACCEPT).filter(|guess| {
            let weak = self.playbook.intent(guess.intent).weak;
            said.is_none() || (guess.score >= STRONG && !weak)
        });
        if let Some(guess) = wish {
            return self.act(guess, State::Asked(question));
        }
        let consequence = match said {
            Some(Answer::Yes) => question.yes,
            Some(Answer::No) => question.no,
            None => {
                let prompt = self.playbook.prompts().miss.clone();
                return self.missed(State::Asked(question), prompt);
            }
        };
        self.misses = 0;
        match consequence {
            Consequence::Start(form) => self.advance(form, Understanding::Answer),
            Consequence::Listen => {
                let listen = self.playbook.prompts().listen.clone();
                Reaction::say(vec![listen], Understanding::Answer)
            }
        }
    }

    /// A wish that is listened for everywhere, said clearly enough to be no answer.
    fn command(&self, heard: &Heard<'_>, least: f32) -> Option<Guess> {
        let guess = heard.guess_from(least)?;
        let intent = self.playbook.intent(guess.intent);
        (intent.scope != Scope::Open && !intent.weak).then(|| guess.clone())
    }

    /// Asks whether the guess was meant.
    fn ask_back(&mut self, guess: &Guess) -> Reaction {
        let playbook = Arc::clone(&self.playbook);
        let intent = playbook.intent(guess.intent);
        let title = |name: &str| (name == "title").then_some(intent.title.as_str());
        let text = playbook.prompts().did_you_mean.fill(title);
        let form = Form::new(guess.intent, intent, &guess.values).naming(guess.person);
        self.state = State::Asked(Question {
            text: Private::new(text.clone()),
            yes: Consequence::Start(form),
            no: Consequence::Listen,
        });
        let understanding = Understanding::Intent { id: guess.intent, score: guess.score };
        Reaction::say(vec![text], understanding)
    }

    /// The caller does not have what we ask for.
    fn without(&mut self, mut form: Form, slot: usize, optional: bool) -> Reaction {
        if optional || self.is_last_resort(&form) {
            form.set(slot, SlotValue::Skipped);
            self.misses = 0;
            return self.advance(form, Understanding::Answer);
        }
        self.fall_back()
    }

    /// Digits that come in several turns are one number, unless the caller starts it again.
    fn with_partial(&self, form: &Form, kind: &SlotKind, found: Found, heard: &Heard<'_>) -> Found {
        let Some((min, max)) = kind.count().filter(|_| !form.partial.text.is_empty()) else {
            return found;
        };
        let new = match &found {
            Found::Value(new) | Found::Partial(new) => new,
            Found::Nothing => return found,
        };
        let joined = form.partial.then(new);
        let is_again = starts_again(heard) || new.text.starts_with(&form.partial.text);
        if is_again || joined.length() > max {
            return found;
        }
        if joined.length() >= min { Found::Value(joined) } else { Found::Partial(joined) }
    }

    /// Another value for what is being confirmed, and its slot.
    fn corrected(
        &self,
        form: &Form,
        confirm: Confirm,
        heard: &Heard<'_>,
        said: Option<Answer>,
    ) -> Option<(usize, SlotValue)> {
        let intent = self.playbook.intent(form.intent);
        intent.slots.iter().enumerate().find_map(|(index, slot)| {
            if confirm != Confirm::All && confirm != Confirm::Slot(index) {
                return None;
            }
            let old = form.values.get(index).and_then(SlotValue::value).unwrap_or_default();
            let wrap = |value: Value| match form.values.get(index) {
                Some(SlotValue::Settled(old)) if *old == value.text => {
                    SlotValue::Settled(value.text)
                }
                _ => SlotValue::Heard(value),
            };
            let found = mentioned(&slot.kind, &heard.tokens);
            match (found, &slot.kind) {
                (Found::Value(rest), _)
                    if said.is_none()
                        && slot.believes(&rest)
                        && is_rest(slot, &old, &rest)
                        && only_numbers(heard)
                        && !starts_again(heard) =>
                {
                    Some((index, SlotValue::Heard(old.then(&rest))))
                }
                (Found::Value(value), _) if slot.believes(&value) => Some((index, wrap(value))),
                (
                    Found::Partial(more),
                    SlotKind::Digits { max, .. } | SlotKind::Phone { max, .. },
                ) if said.is_none()
                    && slot.believes(&more)
                    && old.text.len() + more.text.len() <= *max
                    && only_numbers(heard) =>
                {
                    Some((index, SlotValue::Heard(old.then(&more))))
                }
                _ => None,
            }
        })
    }

    fn confirmed(&mut self, mut form: Form, confirm: Confirm) -> Reaction {
        self.misses = 0;
        match confirm {
            Confirm::All => self.complete(form, Understanding::Answer),
            Confirm::Slot(slot) => {
                let value = form.values.get(slot).and_then(SlotValue::text);
                let value = value.unwrap_or_default().to_owned();
                form.set(slot, SlotValue::Settled(value));
                self.advance(form, Understanding::Answer)
            }
        }
    }

    fn refused(&mut self, mut form: Form, confirm: Confirm) -> Reaction {
        form.refusals += 1;
        if form.refusals >= REFUSALS {
            if self.is_last_resort(&form) {
                return self.complete(form, Understanding::Answer);
            }
            return self.fall_back();
        }
        self.misses = 0;
        let intent = self.playbook.intent(form.intent);
        let forgotten: Vec<&str> = intent.slots.iter().map(|slot| slot.name.as_str()).collect();
        self.memory.retain(|(name, _)| !forgotten.contains(&name.as_str()));
        let first = match confirm {
            Confirm::Slot(slot) => slot,
            Confirm::All => {
                for value in &mut form.values {
                    *value = SlotValue::Empty;
                }
                0
            }
        };
        form.set(first, SlotValue::Empty);
        self.ask(form, first, Understanding::Answer)
    }

    /// `No, I meant 4728` after the form was done.
    pub(super) fn correct_recent(&mut self, heard: &Heard<'_>) -> Option<Reaction> {
        let says_so = heard.tokens.iter().any(|t| t.is_one_of(t.grammar.corrections.meant));
        let corrects = only_numbers(heard) && correction_start(&heard.tokens).is_some();
        if !says_so && !corrects {
            return None;
        }
        let intent = self.playbook.intent(self.recent.as_ref()?.intent);
        let (index, value) = intent.slots.iter().enumerate().find_map(|(index, slot)| {
            match mentioned(&slot.kind, &heard.tokens) {
                Found::Value(value) if slot.believes(&value) => Some((index, value)),
                Found::Value(_) | Found::Partial(_) | Found::Nothing => None,
            }
        })?;
        let mut form = self.recent.take()?;
        form.set(index, SlotValue::Heard(value));
        self.misses = 0;
        Some(self.advance(form, Understanding::Answer))
    }
}

impl Heard<'_> {
    /// The caller's own words for a message, without the recogniser's remarks.
    fn kept_text(&self) -> String {
        let most = crate::converse::matching::slots::VALUE_CHARS;
        self.text.chars().filter(|c| !matches!(c, '<' | '>' | '[' | ']')).take(most).collect()
    }
}

/// Words around the digits, as in `my number is`, or a correction: not the rest of a number.
fn starts_again(heard: &Heard<'_>) -> bool {
    let says_number = heard.tokens.iter().any(|t| t.is_one_of(t.grammar.corrections.restarts));
    says_number || correction_start(&heard.tokens).is_some()
}

/// Both together are of a length that such numbers have, and the first part alone is not: a caller who
/// was taken for finished goes on.
fn is_rest(slot: &Slot, old: &Value, rest: &Value) -> bool {
    let is_usual = |length: usize| slot.usual.contains(&length);
    slot.kind.count().is_some() && is_usual(old.length() + rest.length()) && !is_usual(old.length())
}

fn only_numbers(heard: &Heard<'_>) -> bool {
    let runs = numbers::runs(&heard.tokens);
    let numeric: usize = runs.iter().map(|run| run.end - run.start).sum();
    let linking = heard.tokens.iter().filter(|t| t.is_one_of(t.grammar.corrections.links));
    numeric > 0 && numeric + linking.count() >= heard.tokens.len()
}
