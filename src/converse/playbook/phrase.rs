//! Phrases of the playbook: words, `[optional words]`, `(one|the other)` and `{slot}`.

use crate::converse::matching::score::{Element, Lexicon, Variant};

/// Ways to say one phrase; more means that it had better be several phrases.
pub const VARIANTS: usize = 256;
const DEPTH: usize = 4;

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Slot(String),
}

/// Expands `phrase`. `slot` gives a slot's index and whether its value is digits.
///
/// # Errors
/// What is wrong with the phrase, in words for its author.
pub fn expand(
    phrase: &str,
    lexicon: &Lexicon,
    slot: impl Fn(&str) -> Option<(usize, bool)>,
) -> Result<Vec<Variant>, String> {
    let mut rest = phrase;
    let ways = alternatives(&mut rest, None, 0)?;
    let mut variants = Vec::new();
    for way in ways {
        let mut elements = Vec::new();
        for piece in way {
            match piece {
                Piece::Text(text) => elements.extend(
                    lexicon
                        .tokenise(&text)
                        .iter()
                        .map(|token| Element::Word(lexicon.canonical(&token.word).to_owned())),
                ),
                Piece::Slot(name) => {
                    let (index, numeric) =
                        slot(&name).ok_or_else(|| format!("there is no slot `{name}` here"))?;
                    elements.push(Element::Slot { index, numeric });
                }
            }
        }
        let variant = Variant::new(elements);
        if !variant.elements.is_empty() && !variants.contains(&variant) {
            variants.push(variant);
        }
    }
    if variants.is_empty() {
        return Err("the phrase has no words".to_owned());
    }
    Ok(variants)
}

type Ways = Vec<Vec<Piece>>;

/// Reads up to `close` (or the end) and gives every way to say it.
fn alternatives(rest: &mut &str, close: Option<char>, depth: usize) -> Result<Ways, String> {
    if depth > DEPTH {
        return Err(format!("brackets are nested deeper than {DEPTH}"));
    }
    let mut done: Ways = Vec::new();
    let mut ways: Ways = vec![Vec::new()];
    loop {
        let end = rest.find(['[', ']', '(', ')', '{', '}', '|']).unwrap_or(rest.len());
        let (text, tail) = rest.split_at(end);
        append(&mut ways, vec![vec![Piece::Text(text.to_owned())]])?;
        let mut characters = tail.chars();
        let mark = characters.next();
        *rest = characters.as_str();
        match mark {
            None if close.is_none() => break,
            None => return Err(format!("`{}` is missing", close.unwrap_or_default())),
            Some(mark) if Some(mark) == close => break,
            Some('[') => {
                let mut inner = alternatives(rest, Some(']'), depth + 1)?;
                inner.push(Vec::new());
                append(&mut ways, inner)?;
            }
            Some('(') => append(&mut ways, alternatives(rest, Some(')'), depth + 1)?)?,
            Some('{') => {
                let Some((name, tail)) = rest.split_once('}') else {
                    return Err("`}` is missing".to_owned());
                };
                append(&mut ways, vec![vec![Piece::Slot(name.trim().to_owned())]])?;
                *rest = tail;
            }
            Some('|') if close.is_some() => {
                done.append(&mut ways);
                ways.push(Vec::new());
            }
            Some(mark) => return Err(format!("`{mark}` stands where it has no meaning")),
        }
    }
    done.append(&mut ways);
    Ok(done)
}

fn append(ways: &mut Ways, tails: Ways) -> Result<(), String> {
    if ways.len() * tails.len() > VARIANTS {
        return Err(format!("more than {VARIANTS} ways to say it: write several phrases"));
    }
    let heads = std::mem::take(ways);
    for head in &heads {
        for tail in &tails {
            ways.push(head.iter().chain(tail).cloned().collect());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::converse::matching::grammar::Grammar;

    use super::*;

    fn said(phrase: &str) -> Result<Vec<String>, String> {
        let lexicon = Lexicon::new(Grammar::of("en"), BTreeMap::new());
        let variants = expand(phrase, &lexicon, |name| (name == "order").then_some((0, true)))?;
        Ok(variants
            .into_iter()
            .map(|variant| {
                let words: Vec<String> = variant
                    .elements
                    .into_iter()
                    .map(|element| match element {
                        Element::Word(word) => word,
                        Element::Slot { .. } => "#".to_owned(),
                    })
                    .collect();
                words.join(" ")
            })
            .collect())
    }

    #[test]
    fn every_way_to_say_a_phrase_is_listed() {
        assert_eq!(said("Where's it?").expect("valid"), ["where is it"]);
        assert_eq!(
            said("track [my] (order|parcel) {order}").expect("valid"),
            ["track my order #", "track my parcel #", "track order #", "track parcel #"]
        );
        assert_eq!(said("a [b [c]]").expect("valid"), ["a b c", "a b", "a"]);
    }

    #[test]
    fn a_wrong_phrase_says_what_is_wrong() {
        let table = [
            ("track [my", "`]` is missing"),
            ("track (a|b", "`)` is missing"),
            ("track {order", "`}` is missing"),
            ("track {number}", "no slot `number`"),
            ("a | b", "`|` stands"),
            ("a ] b", "`]` stands"),
            ("[[[[[[a]]]]]]", "nested"),
            ("", "no words"),
            ("(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)", "more than 256"),
        ];
        for (phrase, fault) in table {
            let error = said(phrase).expect_err(phrase);
            assert!(error.contains(fault), "{phrase}: {error}");
        }
    }
}
