//! What the caller is likely to say next, for the recogniser's bias.

use super::*;
use crate::converse::playbook::Scope;

/// How a number is to be written, digit by digit.
const DIGITS: &str = "0 1 2 3 4 5 6 7 8 9";

impl Dialogue {
    /// Phrases, the likeliest first. They are the playbook's and the language's, never the caller's.
    pub fn likely(&self) -> Vec<String> {
        let answers = &self.playbook.lexicon().grammar().answers;
        let mut likely: Vec<String> = match self.expectation() {
            Expectation::YesNo => {
                [answers.spoken_yes, answers.spoken_no].map(str::to_owned).to_vec()
            }
            Expectation::Digits { .. } => vec![DIGITS.to_owned()],
            Expectation::Anything | Expectation::Text => Vec::new(),
        };
        let free = matches!(self.expectation(), Expectation::Text);
        likely.extend(self.playbook.vocabulary().iter().cloned());
        let intents = self.playbook.intents().map(|(_, intent)| intent);
        let listened_for =
            intents.filter(|intent| !intent.weak).filter(|intent| match self.floor() {
                Floor::Open => intent.scope != Scope::Asking,
                Floor::Asking => intent.scope != Scope::Open && !free,
            });
        likely.extend(listened_for.map(|intent| intent.title.clone()));
        likely
    }
}
