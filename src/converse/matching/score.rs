//! How well what was said fits a phrase of the playbook.
//!
//! Words weigh by how much they tell: those in many intents little, common words almost nothing.
//! The score is the weight of the phrase that was found, in order and out of order, times a share
//! for what was said beyond it.

use std::collections::BTreeMap;

use super::grammar::Grammar;
use super::numbers;
use super::tokens::{self, Token, tokenise};
use crate::converse::alphabet::Speech;

/// From this score on a phrase is taken as meant.
pub const ACCEPT: f32 = 0.7;
/// From this score on it is worth asking whether it was meant.
pub const DOUBTFUL: f32 = 0.58;
/// From this score on little else can have been meant.
pub const STRONG: f32 = 0.87;
/// Words of an utterance that are compared; a wish is said in fewer.
const COMPARED: usize = 40;

const COMMON_WEIGHT: f32 = 0.15;
const UNKNOWN_WEIGHT: f32 = 0.5;
const SLOT_WEIGHT: f32 = 0.6;
const NUMBER_WEIGHT: f32 = 0.25;

/// One way to say a phrase.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    pub elements: Vec<Element>,
    /// Weight of each element, once the whole playbook is known.
    weights: Vec<f32>,
}

impl Variant {
    pub fn new(elements: Vec<Element>) -> Self {
        Self { elements, weights: Vec::new() }
    }

    fn weighed(&self) -> impl Iterator<Item = (&Element, f32)> {
        self.elements.iter().zip(self.weights.iter().copied())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// A canonical word.
    Word(String),
    /// The slot of the intent with this index; `numeric` if its value is digits.
    Slot { index: usize, numeric: bool },
}

/// The words of a playbook: which mean the same and how much each tells.
#[derive(Clone, Debug)]
pub struct Lexicon {
    grammar: &'static Grammar,
    canonical: BTreeMap<String, String>,
    weights: BTreeMap<String, f32>,
}

/// A word of the caller as the scorer sees it.
#[derive(Clone, Debug)]
struct Heard {
    word: String,
    numeric: bool,
    common: bool,
    weight: f32,
}

/// What was said, ready to be compared with many phrases.
#[derive(Clone, Debug)]
pub struct Utterance {
    heard: Vec<Heard>,
    weight: f32,
    negated: bool,
    /// First bytes of the words.
    initials: [bool; 256],
    grammar: &'static Grammar,
}

impl Lexicon {
    /// `synonyms` maps a word to the one that stands for it.
    pub fn new(grammar: &'static Grammar, synonyms: BTreeMap<String, String>) -> Self {
        let mut canonical = BTreeMap::new();
        for (word, standard) in synonyms {
            let plain = |word: &str| (grammar.words.expand)(word).join(" ");
            let (word, standard) = (plain(&word), plain(&standard));
            if grammar.words.inflects_synonyms {
                let stem = (grammar.words.stem)(&word).to_owned();
                canonical.entry(stem).or_insert_with(|| standard.clone());
            }
            canonical.insert(word, standard);
        }
        Self { grammar, canonical, weights: BTreeMap::new() }
    }

    /// The words that were heard.
    pub fn heard(&self, speech: &Speech) -> Vec<Token> {
        tokens::heard(speech, self.grammar)
    }

    /// The words of `text`.
    pub fn tokenise(&self, text: &str) -> Vec<Token> {
        tokenise(text, self.grammar)
    }

    pub fn grammar(&self) -> &'static Grammar {
        self.grammar
    }

    pub fn canonical<'a>(&'a self, word: &'a str) -> &'a str {
        let form = || self.canonical.get((self.grammar.words.stem)(word));
        self.canonical.get(word).or_else(form).map_or(word, String::as_str)
    }

    /// Whether `words`, canonical, were said one after the other, but for slips.
    pub fn has_words(&self, tokens: &[Token], words: &[String]) -> bool {
        let alike = |(token, word): (&Token, &String)| {
            words_alike(word, self.canonical(&token.word), self.grammar) > 0.8
        };
        !words.is_empty()
            && tokens.windows(words.len()).any(|said| said.iter().zip(words).all(alike))
    }

    /// Learns the weight of each word from the phrases of every intent.
    pub fn weigh(&mut self, intents: &mut [&mut [Variant]]) {
        self.weights = self.spread(intents);
        for variant in intents.iter_mut().flat_map(|variants| variants.iter_mut()) {
            variant.weights = variant.elements.iter().map(|e| self.element_weight(e)).collect();
        }
    }

    fn spread(&self, intents: &[&mut [Variant]]) -> BTreeMap<String, f32> {
        let mut spread: BTreeMap<&str, u32> = BTreeMap::new();
        for variants in intents {
            let mut words: Vec<&str> = variants
                .iter()
                .flat_map(|variant| &variant.elements)
                .filter_map(|element| match element {
                    Element::Word(word) => Some(word.as_str()),
                    Element::Slot { .. } => None,
                })
                .collect();
            words.sort_unstable();
            words.dedup();
            for word in words {
                *spread.entry(word).or_default() += 1;
            }
        }
        spread
            .into_iter()
            .map(|(word, intents)| {
                let rare = 1.0 / (intents as f32).powf(0.35);
                (word.to_owned(), if self.grammar.is_common(word) { COMMON_WEIGHT } else { rare })
            })
            .collect()
    }

    fn weight(&self, word: &str) -> f32 {
        let unknown = || if self.grammar.is_common(word) { COMMON_WEIGHT } else { UNKNOWN_WEIGHT };
        self.weights.get(word).copied().unwrap_or_else(unknown)
    }

    /// Prepares `tokens` for [`score`](Self::score); a number of several words counts as one.
    pub fn utterance(&self, tokens: &[Token]) -> Utterance {
        let runs = numbers::runs(tokens);
        let mut heard = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            match runs.iter().find(|run| (run.start..run.end).contains(&at)) {
                Some(run) if run.start == at => {
                    let word = run.digits.clone();
                    heard.push(Heard { word, numeric: true, common: false, weight: NUMBER_WEIGHT });
                }
                Some(_) => {}
                None => {
                    let word = self.canonical(&token.word).to_owned();
                    let weight = self.weight(&word);
                    let common = self.grammar.is_common(&word);
                    heard.push(Heard { word, numeric: false, common, weight });
                }
            }
            if heard.len() >= COMPARED {
                break;
            }
        }
        let weight = heard.iter().map(|h| h.weight).sum();
        let is_negation = |word: &str| self.grammar.words.negations.contains(&word);
        let negated = heard.iter().any(|h| is_negation(&h.word));
        let mut initials = [false; 256];
        for first in heard.iter().filter_map(|h| h.word.as_bytes().first()) {
            if let Some(initial) = initials.get_mut(usize::from(*first)) {
                *initial = true;
            }
        }
        Utterance { heard, weight, negated, initials, grammar: self.grammar }
    }

    /// From 0 (nothing in common) to 1 (said exactly so).
    pub fn score(&self, variant: &Variant, utterance: &Utterance) -> f32 {
        let phrase: f32 = variant.weights.iter().sum();
        if phrase <= 0.0 || utterance.heard.is_empty() {
            return 0.0;
        }
        // Most phrases share nothing with what was said; their letters tell so at little cost.
        let possible: f32 = variant
            .weighed()
            .filter(|(e, _)| utterance.may_have(e))
            .map(|(_, weight)| weight)
            .sum();
        if possible / phrase < DOUBTFUL {
            return 0.0;
        }
        let (anywhere, covered) = anywhere(variant, utterance);
        // Common words alone are found everywhere; then all of them must be there.
        let tells = variant.elements.iter().zip(&variant.weights).any(|(element, weight)| {
            matches!(element, Element::Word(_)) && *weight > COMMON_WEIGHT
        });
        let least = if tells { DOUBTFUL } else { 0.93 };
        if anywhere / phrase < least {
            return 0.0;
        }
        let found = (0.6 * in_order(variant, utterance) + 0.4 * anywhere) / phrase;
        let beyond = (covered / utterance.weight.max(f32::EPSILON)).min(1.0);
        // A bare slot fits any number, so that what else was said must count against it.
        let slots = variant.elements.iter().filter(|e| matches!(e, Element::Slot { .. })).count();
        let words = phrase - slots as f32 * SLOT_WEIGHT;
        let floor = 0.4 + 0.28 * words.clamp(0.0, 1.0);
        let negates = |e: &Element| matches!(e, Element::Word(w) if self.grammar.words.negations.contains(&w.as_str()));
        let contrary =
            if utterance.negated == variant.elements.iter().any(negates) { 1.0 } else { 0.7 };
        (found * (floor + (1.0 - floor) * beyond) * contrary).min(1.0)
    }

    fn element_weight(&self, element: &Element) -> f32 {
        match element {
            Element::Word(word) => self.weight(word),
            Element::Slot { .. } => SLOT_WEIGHT,
        }
    }
}

/// Weight of the phrase found in any order, and weight of the utterance that it covers.
fn anywhere(variant: &Variant, utterance: &Utterance) -> (f32, f32) {
    let mut used = [false; COMPARED];
    let (mut found, mut covered) = (0.0, 0.0);
    for (element, element_weight) in variant.weighed() {
        let best = utterance
            .heard
            .iter()
            .zip(used.iter_mut())
            .filter(|(_, used)| !**used)
            .map(|(heard, used)| (likeness(element, heard, utterance.grammar), heard.weight, used))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((likeness, weight, used)) = best
            && likeness > 0.0
        {
            *used = true;
            found += likeness * element_weight;
            covered += weight;
        }
    }
    (found, covered)
}

/// Weight of the longest common subsequence.
fn in_order(variant: &Variant, utterance: &Utterance) -> f32 {
    let mut row = vec![0.0_f32; utterance.heard.len() + 1];
    for (element, weight) in variant.weighed() {
        let mut diagonal = 0.0;
        let mut left = 0.0_f32;
        for (cell, heard) in row.iter_mut().skip(1).zip(&utterance.heard) {
            let above = *cell;
            let with = diagonal + likeness(element, heard, utterance.grammar) * weight;
            *cell = above.max(left).max(with);
            diagonal = above;
            left = *cell;
        }
    }
    row.last().copied().unwrap_or(0.0)
}

impl Utterance {
    /// Whether something here could be like `element`, judged by its first letter.
    fn may_have(&self, element: &Element) -> bool {
        match element {
            Element::Slot { .. } => true,
            Element::Word(word) => word.as_bytes().first().is_some_and(|first| {
                self.initials.get(usize::from(*first)).copied().unwrap_or_default()
            }),
        }
    }

    /// Whether it stops right before a slot of `variant`: `my order number is` and then nothing.
    pub fn stops_before_slot(&self, variant: &Variant) -> bool {
        variant.elements.iter().enumerate().any(|(at, element)| {
            let Element::Slot { .. } = element else { return false };
            let before = variant.elements.get(at.saturating_sub(3)..at).unwrap_or_default();
            let heard = self.heard.len().checked_sub(before.len());
            let tail = heard.and_then(|from| self.heard.get(from..)).unwrap_or_default();
            before.len() >= 2
                && tail.len() == before.len()
                && before
                    .iter()
                    .zip(tail)
                    .all(|(element, heard)| likeness(element, heard, self.grammar) > 0.8)
        })
    }
}

fn likeness(element: &Element, heard: &Heard, grammar: &Grammar) -> f32 {
    match element {
        Element::Slot { numeric: true, .. } => f32::from(heard.numeric),
        Element::Slot { numeric: false, .. } => f32::from(!heard.numeric && !heard.common) * 0.9,
        Element::Word(_) if heard.numeric => 0.0,
        Element::Word(word) => words_alike(word, &heard.word, grammar),
    }
}

/// 1 for the same word, less for another form of it or a slip of one or two letters.
fn words_alike(a: &str, b: &str, grammar: &Grammar) -> f32 {
    if a == b {
        return 1.0;
    }
    if a.as_bytes().first() != b.as_bytes().first() {
        return 0.0;
    }
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    if (grammar.words.is_form)(short, long) {
        return 0.95;
    }
    let allowed = match short.chars().count() {
        0..=4 => 0,
        5..=7 => 1,
        _ => 2,
    };
    if allowed == 0 {
        return 0.0;
    }
    match distance(short, long, allowed) {
        Some(1) => 0.85,
        Some(_) => 0.75,
        None => 0.0,
    }
}

/// Letters to insert, drop or change, if they are no more than `most`.
fn distance(a: &str, b: &str, most: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > most || b.len() > 40 {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            *cell = (diagonal + usize::from(ca != cb)).min(above + 1).min(left + 1);
            diagonal = above;
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::english as tokenise;
    use super::*;

    #[test]
    fn forms_and_slips_of_a_word_are_alike_and_short_words_are_not() {
        let table = [
            ("parcel", "parcel", 1.0),
            ("parcel", "parcels", 0.95),
            ("cancel", "canceled", 0.95),
            ("warehouse", "warehose", 0.85),
            ("address", "adress", 0.85),
            ("tracking", "trackin", 0.85),
            ("hour", "your", 0.0),
            ("open", "oven", 0.0),
            ("close", "those", 0.0),
            ("order", "older", 0.85),
        ];
        for (a, b, expected) in table {
            assert_eq!(words_alike(a, b, Grammar::of("en")), expected, "{a} {b}");
            assert_eq!(words_alike(b, a, Grammar::of("en")), expected, "{b} {a}");
        }
    }

    fn lexicon() -> (Lexicon, Variant, Variant) {
        let words = |text: &str| {
            Variant::new(text.split(' ').map(|w| Element::Word(w.to_owned())).collect())
        };
        let mut lexicon = Lexicon::new(
            Grammar::of("en"),
            BTreeMap::from([("package".to_owned(), "parcel".to_owned())]),
        );
        let mut track = [words("where is my parcel")];
        let mut cancel = [words("i want to cancel my parcel")];
        lexicon.weigh(&mut [&mut track, &mut cancel]);
        let ([track], [cancel]) = (track, cancel);
        (lexicon, track, cancel)
    }

    #[test]
    fn a_phrase_is_found_in_other_words_and_orders() {
        let (lexicon, track, cancel) = lexicon();
        let score = |variant: &Variant, text: &str| {
            lexicon.score(variant, &lexicon.utterance(&tokenise(text)))
        };
        assert!(score(&track, "Where's the package?") > ACCEPT);
        assert!(score(&track, "My parcel, where is it?") > ACCEPT);
        assert!(score(&track, "Hello, could you please tell me where my packages are?") > ACCEPT);
        assert!(score(&cancel, "Cancel my parcel") > ACCEPT);
        assert!(score(&cancel, "I do not want to cancel my parcel") < ACCEPT);
        assert!(score(&cancel, "where is my parcel") < DOUBTFUL);
        assert!(score(&track, "What is the weather like?") < DOUBTFUL);
        assert_eq!(score(&track, ""), 0.0);
    }
}
