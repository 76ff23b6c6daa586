//! How far words are believed, and what is taken from them.
//!
//! A value is as sure as the least sure of the words that it was taken from: the others may be as
//! doubtful as they like. What was dropped beside them counts for itself: an `uh` between digits may
//! have been an `oh`.

use super::tokens::Token;
use crate::converse::alphabet::Speech;

/// How likely words are right, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belief {
    /// The least sure of the words themselves.
    pub own: f32,
    /// The least sure of what stood beside them and was dropped.
    pub beside: f32,
}

impl Belief {
    pub const CERTAIN: Self = Self { own: 1.0, beside: 1.0 };

    pub fn of(tokens: &[Token]) -> Self {
        tokens.iter().fold(Self::CERTAIN, |all, token| all.and(token.belief))
    }

    pub const fn and(self, other: Self) -> Self {
        Self { own: self.own.min(other.own), beside: self.beside.min(other.beside) }
    }

    /// All that speaks against it.
    pub const fn weakest(self) -> f32 {
        self.own.min(self.beside)
    }
}

impl Default for Belief {
    fn default() -> Self {
        Self::CERTAIN
    }
}

/// Gives each token the confidence of the words that it was made of. A part that was not understood
/// may have belonged to what stands at its sides.
pub fn believe(tokens: &mut [Token], speech: &Speech) {
    if speech.words.is_empty() {
        tokens.iter_mut().for_each(|token| lower(&mut token.belief.own, speech.confidence));
    }
    for word in &speech.words {
        let first = tokens.partition_point(|token| token.range.end <= word.range.start);
        let (before, after) = tokens.split_at_mut(first);
        let made = after.iter().take_while(|token| token.range.start < word.range.end).count();
        if let Some(made) = after.get_mut(..made).filter(|made| !made.is_empty()) {
            made.iter_mut().for_each(|token| lower(&mut token.belief.own, word.confidence));
            continue;
        }
        for token in before.last_mut().into_iter().chain(after.first_mut()) {
            let belief = &mut token.belief;
            let is_missing = word.range.is_empty();
            let lowered = if is_missing { &mut belief.own } else { &mut belief.beside };
            lower(lowered, word.confidence);
        }
    }
}

/// What is no number is no reason to believe.
fn lower(share: &mut f32, to: f32) {
    *share = if to.is_nan() { 0.0 } else { share.min(to) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::converse::alphabet::Word;
    use crate::converse::matching::grammar::Grammar;
    use crate::converse::matching::tokens::heard;
    use crate::converse::tests::desk::speech;

    #[test]
    fn each_token_is_as_sure_as_its_words_and_doubts_what_was_dropped_beside_it() {
        // A word, how far it is believed itself, and what stood beside it.
        let table = [
            ("order 47/0.5", "order 1 1, 47 0.5 1"),
            ("uh/0.2 my 4 uh/0.3 7", "my 1 0.2, 4 1 0.3, 7 1 0.3"),
            ("where's/0.4", "where 0.4 1, is 0.4 1"),
            ("47 uh/0.5 /0.1 29", "47 0.1 0.5, 29 0.1 0.5"),
            ("4 /0.1", "4 0.1 1"),
            ("4 7/NaN", "4 1 1, 7 0 1"),
        ];
        for (marked, expected) in table {
            let tokens = heard(&speech(marked), Grammar::of("en"));
            let shown = |t: &Token| format!("{} {} {}", t.word, t.belief.own, t.belief.beside);
            let found: Vec<String> = tokens.iter().map(shown).collect();
            assert_eq!(found.join(", "), expected, "{marked}");
        }
    }

    #[test]
    fn a_joined_number_is_as_sure_as_each_of_its_digits() {
        let word = |at: usize, confidence| Word { range: at..at + 1, confidence };
        let words = vec![word(0, 0.9), word(1, 0.4), word(2, 0.8)];
        let speech = Speech { words, ..Speech::certain("472") };
        assert_eq!(heard(&speech, Grammar::of("en"))[0].belief.own, 0.4);
    }

    #[test]
    fn without_words_each_is_as_sure_as_the_whole() {
        let tokens = heard(&Speech::evenly("one two", 0.3), Grammar::of("en"));
        assert_eq!(Belief::of(&tokens), Belief { own: 0.3, beside: 1.0 });
    }
}
