//! Which intent of the playbook an utterance means, and the slot values that came with it.

use super::matching::belief::Belief;
use super::matching::numbers::joined_with_digits;
use super::matching::score::{ACCEPT, Utterance};
use super::matching::slots::{Found, SlotKind, Value, mentioned};
use super::matching::tokens::Token;
use super::people::PersonId;
use super::playbook::{Intent, IntentId, Playbook, Scope, Slot};

/// A pattern is the author's own rule and all but settles it.
const PATTERN_SCORE: f32 = 0.97;

/// The best guess at what was meant.
#[derive(Clone, Debug)]
pub struct Guess {
    pub intent: IntentId,
    /// From 0 to 1.
    pub score: f32,
    /// For each slot of the intent, what was said along with it.
    pub values: Vec<Found>,
    /// Whom it names.
    pub person: Option<PersonId>,
}

/// Whether a question of ours is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Floor {
    Open,
    Asking,
}

/// The intent that fits best; a pleasantry only if nothing else fits.
pub fn guess(playbook: &Playbook, tokens: &[Token], floor: Floor) -> Option<Guess> {
    let units = units(playbook, tokens);
    let mut best: Option<(IntentId, &Intent, f32, usize)> = None;
    for (id, intent) in playbook.intents() {
        if !listened_for(intent.scope, floor) {
            continue;
        }
        let (score, mut length) = intent_score(playbook, intent, &units);
        // `Cancel` in the middle of a question drops the question.
        if intent.scope == Scope::Asking {
            length = usize::MAX;
        }
        let better = best.is_none_or(|(_, rival, rival_score, rival_length)| {
            if rival.weak != intent.weak {
                let firm = if intent.weak { rival_score } else { score };
                return (firm >= ACCEPT) != intent.weak && score > 0.0;
            }
            score > rival_score + f32::EPSILON
                || ((score - rival_score).abs() <= f32::EPSILON && length > rival_length)
        });
        if better && score > 0.0 {
            best = Some((id, intent, score, length));
        }
    }
    let (id, intent, score, _) = best?;
    let person = playbook.named(tokens);
    Some(Guess { intent: id, score, values: values(playbook, intent, tokens), person })
}

/// Whether the caller stopped right where a slot of some phrase would follow.
pub fn stops_before_slot(playbook: &Playbook, tokens: &[Token]) -> bool {
    let utterance = playbook.lexicon().utterance(tokens);
    playbook
        .intents()
        .flat_map(|(_, intent)| &intent.phrases)
        .any(|variant| utterance.stops_before_slot(variant))
}

struct Unit {
    utterance: Utterance,
    joined: String,
}

/// The whole utterance, and each of its sentences if there are several.
fn units(playbook: &Playbook, tokens: &[Token]) -> Vec<Unit> {
    let unit = |part: &[Token]| Unit {
        utterance: playbook.lexicon().utterance(part),
        joined: joined_with_digits(part),
    };
    let mut units = vec![unit(tokens)];
    let sentences: Vec<&[Token]> = tokens.chunk_by(|a, b| a.sentence == b.sentence).collect();
    if sentences.len() > 1 {
        units.extend(sentences.into_iter().map(unit));
    }
    units
}

fn intent_score(playbook: &Playbook, intent: &Intent, units: &[Unit]) -> (f32, usize) {
    let mut best = (0.0_f32, 0);
    for unit in units {
        if intent.patterns.iter().any(|pattern| pattern.is_match(&unit.joined)) {
            best = better(best, (PATTERN_SCORE, usize::MAX));
        }
        for variant in &intent.phrases {
            let score = playbook.lexicon().score(variant, &unit.utterance);
            best = better(best, (score, variant.elements.len()));
        }
    }
    best
}

fn better(a: (f32, usize), b: (f32, usize)) -> (f32, usize) {
    if b.0 > a.0 || (b.0 == a.0 && b.1 > a.1) { b } else { a }
}

fn listened_for(scope: Scope, floor: Floor) -> bool {
    match (scope, floor) {
        (Scope::Open | Scope::Always, _) | (Scope::Asking, Floor::Asking) => true,
        (Scope::Asking, Floor::Open) => false,
    }
}

/// A number fills one slot only: the first that it fits.
fn values(playbook: &Playbook, intent: &Intent, tokens: &[Token]) -> Vec<Found> {
    let mut number_is_taken = false;
    let text = joined_with_digits(tokens);
    let captures = intent.patterns.iter().find_map(|pattern| pattern.captures(&text));
    let mut value = |slot: &Slot| {
        let captured = captures.as_ref().and_then(|captures| captures.name(&slot.name));
        if let Some(captured) = captured {
            let words = playbook.lexicon().tokenise(captured.as_str());
            let found = super::matching::slots::answer(&slot.kind, &words);
            if let Found::Value(Value { text, .. }) = found {
                // A pattern stands on all the words around it.
                return Found::Value(Value { text, belief: Belief::of(tokens) });
            }
        }
        let numeric = slot.kind.count().is_some();
        if numeric && number_is_taken {
            return Found::Nothing;
        }
        let found = match slot.kind {
            SlotKind::Text | SlotKind::YesNo => Found::Nothing,
            _ => mentioned(&slot.kind, tokens),
        };
        number_is_taken |= numeric && found != Found::Nothing;
        found
    };
    intent.slots.iter().map(&mut value).collect()
}
