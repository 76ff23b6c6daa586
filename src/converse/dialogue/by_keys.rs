//! What is keyed in, and what is asked of a caller who answers by keys.

use super::*;

impl Dialogue {
    /// Asks for nothing that keys cannot answer.
    #[must_use]
    pub fn by_keys(self) -> Self {
        Self { channel: Channel::KeysOnly, ..self }
    }

    /// The same from here on; what is being asked is given up if keys cannot answer it.
    pub fn hear_keys_only(&mut self) {
        self.channel = Channel::KeysOnly;
        if self.question_by_keys().is_none() && !self.is_looking_up() {
            self.state = State::Open;
        }
    }

    /// Words are heard again.
    pub fn hear_words(&mut self) {
        self.channel = Channel::WordsAndKeys;
    }

    /// Digits were keyed in for the slot that is asked for.
    pub fn keyed(&mut self, digits: &str) -> Reaction {
        let state = std::mem::replace(&mut self.state, State::Open);
        let reaction = match state {
            State::Filling(mut form, slot) => match self.with_spoken(&form, slot, digits) {
                Some(digits) => {
                    form.set(slot, SlotValue::Heard(Value::certain(digits)));
                    self.misses = 0;
                    self.advance(form, Understanding::Answer)
                }
                None => {
                    let prompt = self.playbook.prompts().miss.clone();
                    self.missed(State::Filling(form, slot), prompt)
                }
            },
            state => {
                let prompt = self.playbook.prompts().miss.clone();
                self.missed(state, prompt)
            }
        };
        self.settle(reaction)
    }

    /// The question that is open, for a caller who answers by keys; `None` where keys cannot answer it.
    pub fn question_by_keys(&self) -> Option<Vec<String>> {
        let yes_no = || self.playbook.prompts().keypad_yes_no.clone();
        match (&self.state, self.expectation()) {
            (State::Filling(form, slot), Expectation::Digits { .. }) => {
                let slot = self.slot(form, *slot)?;
                Some(vec![self.fill(&slot.reask, form)])
            }
            (state, Expectation::YesNo) => Some(vec![self.question_of(state)?, yes_no()]),
            (_, Expectation::Digits { .. } | Expectation::Text | Expectation::Anything) => None,
        }
    }

    /// The number of which a part was perhaps spoken and this was keyed in, if it fits: the rest,
    /// unless it begins as the part does, or all of it.
    fn with_spoken(&self, form: &Form, slot: usize, digits: &str) -> Option<String> {
        let spoken = &form.partial.text;
        let joined = format!("{spoken}{digits}");
        let is_again = spoken.is_empty() || digits.starts_with(spoken.as_str());
        let candidates = if is_again { [digits, &joined] } else { [joined.as_str(), digits] };
        let fitting = candidates.into_iter().find(|digits| self.fits(form, slot, digits));
        fitting.map(str::to_owned)
    }

    fn fits(&self, form: &Form, slot: usize, digits: &str) -> bool {
        let Some(slot) = self.slot(form, slot) else { return false };
        match &slot.kind {
            SlotKind::Number { min, max } => {
                digits.parse().is_ok_and(|value: u64| (min..=max).contains(&&value))
            }
            kind => {
                kind.digit_count().is_some_and(|(min, max)| (min..=max).contains(&digits.len()))
            }
        }
    }
}
