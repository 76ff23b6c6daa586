//! Which clauses are rendered in one go. Pure.
//!
//! A sentence is best rendered whole, for its melody; but nothing is heard before its rendering has
//! ended, so the first sentence of a phrase gives its first clause away if it is long.

use super::clauses::Clause;

/// A first sentence of up to so many symbols is rendered whole: about two seconds of speech.
const WHOLE_SYMBOLS: usize = 40;
/// The first clause, and what is left, have at least so many, or they sound torn off.
const LEAST_SYMBOLS: usize = 10;
/// A sentence without an end is cut.
const MOST_SYMBOLS: usize = 400;
/// Between two sentences.
const SENTENCE_PAUSE_MS: u32 = 200;

/// A clause and its symbols, without its mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spelled {
    pub symbols: String,
    pub end: Option<char>,
}

impl Spelled {
    pub fn new(clause: &Clause, symbols: String) -> Self {
        Self { symbols, end: clause.end }
    }

    fn count(&self) -> usize {
        self.symbols.chars().count()
    }

    fn ends_sentence(&self) -> bool {
        matches!(self.end, Some('.' | '?' | '!'))
    }
}

/// What is rendered in one go, with its marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub symbols: String,
    pub pause_ms: u32,
}

/// The pieces of one phrase.
pub fn pieces(clauses: &[Spelled]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut sentence: &[Spelled] = clauses;
    while !sentence.is_empty() {
        let end =
            sentence.iter().position(Spelled::ends_sentence).map_or(sentence.len(), |n| n + 1);
        let (this, rest) = sentence.split_at(end);
        let head = if pieces.is_empty() { head_of(this) } else { 0 };
        let (first, second) = this.split_at(head);
        for part in [first, second].into_iter().flat_map(bounded) {
            pieces.push(Piece { symbols: joined(part), pause_ms: 0 });
        }
        if let (Some(last), false) = (pieces.last_mut(), rest.is_empty()) {
            last.pause_ms = SENTENCE_PAUSE_MS;
        }
        sentence = rest;
    }
    pieces.retain(|piece| !piece.symbols.is_empty());
    pieces
}

/// Clauses that the first sentence gives away.
fn head_of(sentence: &[Spelled]) -> usize {
    let total: usize = sentence.iter().map(Spelled::count).sum();
    if total <= WHOLE_SYMBOLS {
        return 0;
    }
    let mut so_far = 0;
    for (index, clause) in sentence.iter().enumerate() {
        so_far += clause.count();
        if so_far >= LEAST_SYMBOLS {
            return if total - so_far >= LEAST_SYMBOLS { index + 1 } else { 0 };
        }
    }
    0
}

/// Parts that one inference takes.
fn bounded(clauses: &[Spelled]) -> Vec<&[Spelled]> {
    let mut parts = Vec::new();
    let (mut start, mut count) = (0, 0);
    for (index, clause) in clauses.iter().enumerate() {
        if index > start && count + clause.count() > MOST_SYMBOLS {
            parts.extend(clauses.get(start..index));
            (start, count) = (index, 0);
        }
        count += clause.count();
    }
    parts.extend(clauses.get(start..).filter(|rest| !rest.is_empty()));
    parts
}

fn joined(clauses: &[Spelled]) -> String {
    let mut text = String::new();
    for clause in clauses {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&clause.symbols);
        text.extend(clause.end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(clauses: &[(&str, char)]) -> Vec<(String, u32)> {
        let spelled: Vec<Spelled> = clauses
            .iter()
            .map(|&(symbols, end)| Spelled {
                symbols: symbols.to_owned(),
                end: Some(end).filter(|&c| c != '-'),
            })
            .collect();
        pieces(&spelled).into_iter().map(|piece| (piece.symbols, piece.pause_ms)).collect()
    }

    #[test]
    fn sentences_are_pieces_and_a_long_first_one_gives_its_first_clause_away() {
        let (twelve, thirty) = ("abcdefghijkl", "abcdefghijklmnopqrstuvwxyzabcd");
        let text = |symbols: &str, pause| (symbols.to_owned(), pause);
        assert_eq!(
            cuts(&[("ab", ','), ("cd", '.'), ("ef", '?')]),
            [text("ab, cd.", 200), text("ef?", 0)]
        );
        assert_eq!(
            cuts(&[(twelve, ','), (thirty, '.')]),
            [text("abcdefghijkl,", 0), text(&format!("{thirty}."), 0)]
        );
        // Too little to stand alone: before or after.
        assert_eq!(cuts(&[("ab", ','), (twelve, ','), (thirty, '.')])[0].0, "ab, abcdefghijkl,");
        assert_eq!(cuts(&[(thirty, ','), (twelve, ' '), ("ab", '.')]).len(), 2);
        assert_eq!(cuts(&[(&thirty.repeat(2), ','), ("ab", '.')]).len(), 1);
        // Later sentences are whole.
        assert_eq!(cuts(&[("ab", '.'), (twelve, ','), (thirty, '-')])[1].0.matches(',').count(), 1);
        assert_eq!(cuts(&[]), []);
    }

    #[test]
    fn a_sentence_without_end_is_cut() {
        let clause = "a".repeat(150);
        let all: Vec<(&str, char)> = (0..9).map(|_| (clause.as_str(), '-')).collect();
        let cut = cuts(&all);
        assert!(cut.iter().all(|(symbols, _)| symbols.len() <= MOST_SYMBOLS), "{cut:?}");
        assert_eq!(cut.iter().map(|(s, _)| s.matches('a').count()).sum::<usize>(), 9 * 150);
    }
}
