//! Takes the value of a slot out of what the caller said.

use super::answers::{Answer, correction_start, yes_no};
use super::belief::Belief;
use super::codes;
use super::grammar::Grammar;
use super::numbers::{self, Run};
use super::tokens::{Token, written};

/// Longest value kept for free text, in characters; the recogniser hears ten seconds at once.
pub const VALUE_CHARS: usize = 600;
/// Most words of a name.
const NAME_WORDS: usize = 4;

/// What a slot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// Digits read one by one: order and customer numbers.
    Digits {
        min: usize,
        max: usize,
    },
    /// A telephone number.
    Phone {
        min: usize,
        max: usize,
    },
    /// Letters and digits, in capitals.
    Code {
        min: usize,
        max: usize,
    },
    /// A whole number within these bounds.
    Number {
        min: u64,
        max: u64,
    },
    Name,
    Time,
    Day,
    YesNo,
    /// Anything, as it was said.
    Text,
}

/// A value and how far it can be believed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Value {
    pub text: String,
    pub belief: Belief,
}

/// What was found for a slot.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    Value(Value),
    /// Digits, but fewer than the slot wants: more may follow.
    Partial(Value),
    Nothing,
}

impl Value {
    /// One that was not heard, such as a key's.
    pub const fn certain(text: String) -> Self {
        Self { text, belief: Belief::CERTAIN }
    }

    /// One that was taken from these words.
    fn of(text: String, tokens: &[Token]) -> Self {
        Self { text, belief: Belief::of(tokens) }
    }

    fn of_run(run: &Run, tokens: &[Token]) -> Self {
        Self::of(run.digits.clone(), tokens.get(run.start..run.end).unwrap_or_default())
    }

    /// In characters.
    pub fn length(&self) -> usize {
        self.text.chars().count()
    }

    /// What comes first and what follows it, as one.
    pub fn then(&self, next: &Self) -> Self {
        let text = format!("{}{}", self.text, next.text);
        Self { text, belief: self.belief.and(next.belief) }
    }
}

impl From<Option<Value>> for Found {
    fn from(value: Option<Value>) -> Self {
        value.map_or(Self::Nothing, Self::Value)
    }
}

impl SlotKind {
    /// Fewest and most digits, for the kinds that keys can fill.
    pub fn digit_count(&self) -> Option<(usize, usize)> {
        match self {
            Self::Digits { min, max } | Self::Phone { min, max } => Some((*min, *max)),
            Self::Number { max, .. } => Some((1, max.to_string().len())),
            Self::Code { .. } | Self::Name | Self::Time | Self::Day | Self::YesNo | Self::Text => {
                None
            }
        }
    }

    /// Fewest and most characters, for the kinds that are said one by one.
    pub fn count(&self) -> Option<(usize, usize)> {
        match self {
            Self::Code { min, max } => Some((*min, *max)),
            _ => self.digit_count(),
        }
    }

    /// Whether the value is some of the words that were said, and not what all of them mean.
    pub fn is_part(&self) -> bool {
        !matches!(self, Self::Text | Self::YesNo)
    }

    /// Whether the value can be told from any other word without having been asked for.
    pub fn is_recognisable(&self) -> bool {
        !matches!(self, Self::Name | Self::Text | Self::YesNo)
    }
}

/// The value of kind `kind` in the answer to its question.
pub fn answer(kind: &SlotKind, tokens: &[Token]) -> Found {
    match kind {
        SlotKind::Name => name(tokens).into(),
        SlotKind::Text => {
            let text: String = written(tokens).chars().take(VALUE_CHARS).collect();
            Some(Value::of(text, tokens)).filter(|value| !value.text.is_empty()).into()
        }
        SlotKind::YesNo => {
            yes_no(tokens).map(|said| Value::of(spoken(said, tokens), tokens)).into()
        }
        _ => mentioned(kind, tokens),
    }
}

/// The answer in the caller's language, so that it can be said again.
fn spoken(said: Answer, tokens: &[Token]) -> String {
    let answers = tokens.first().map(|t| &t.grammar.answers);
    let word = answers.map_or("", |answers| match said {
        Answer::Yes => answers.spoken_yes,
        Answer::No => answers.spoken_no,
    });
    word.to_owned()
}

/// The value of a recognisable kind anywhere in `tokens`.
pub fn mentioned(kind: &SlotKind, tokens: &[Token]) -> Found {
    match kind {
        SlotKind::Digits { min, max } | SlotKind::Phone { min, max } => {
            one_by_one(tokens, *min, *max, numbers::runs)
        }
        SlotKind::Code { min, max } => one_by_one(tokens, *min, *max, codes::runs),
        SlotKind::Number { min, max } => number(tokens, *min, *max),
        SlotKind::Time => first_of(tokens, |grammar| grammar.time).into(),
        SlotKind::Day => first_of(tokens, |grammar| grammar.day).into(),
        SlotKind::Name => introduced_name(tokens).into(),
        SlotKind::Text | SlotKind::YesNo => Found::Nothing,
    }
}

/// What a finder of the tokens' language finds. It was taken from the fewest words that give it.
fn first_of(
    tokens: &[Token],
    finder: impl Fn(&Grammar) -> fn(&[Token]) -> Option<String>,
) -> Option<Value> {
    let find = finder(tokens.first()?.grammar);
    let found = find(tokens)?;
    let is_enough = |words: &Option<&[Token]>| words.and_then(find).as_ref() == Some(&found);
    let heads = (1..=tokens.len()).map(|end| tokens.get(..end));
    let head = heads.into_iter().find(is_enough).flatten()?;
    let tails = (0..head.len()).rev().map(|start| head.get(start..));
    let words = tails.into_iter().find(is_enough).flatten()?;
    Some(Value::of(found, words))
}

/// What is corrected counts, then what fits, then what may grow.
fn one_by_one(tokens: &[Token], min: usize, max: usize, runs: fn(&[Token]) -> Vec<Run>) -> Found {
    let length = |text: &str| text.chars().count();
    let fits = |run: &&Run| (min..=max).contains(&length(&run.digits));
    if let Some(corrected) = correction_start(tokens).and_then(|start| tokens.get(start..))
        && let Some(run) = runs(corrected).iter().find(fits)
    {
        return Found::Value(Value::of_run(run, corrected));
    }
    let runs = runs(tokens);
    if let Some(run) = runs.iter().find(fits) {
        return Found::Value(Value::of_run(run, tokens));
    }
    let each = runs.iter().map(|run| Value::of_run(run, tokens));
    let all = each.fold(Value::default(), |all, run| all.then(&run));
    let only_numbers = runs.iter().map(|run| run.end - run.start).sum::<usize>() * 2 > tokens.len();
    if (min..=max).contains(&length(&all.text)) && only_numbers {
        return Found::Value(all);
    }
    match runs.iter().max_by_key(|run| length(&run.digits)) {
        Some(longest) if length(&longest.digits) < min => {
            Found::Partial(Value::of_run(longest, tokens))
        }
        _ => Found::Nothing,
    }
}

fn number(tokens: &[Token], min: u64, max: u64) -> Found {
    let value = numbers::runs(tokens).into_iter().find_map(|run| {
        let value = numbers::value(&run.digits).filter(|value| (min..=max).contains(value))?;
        Some(Value { text: value.to_string(), ..Value::of_run(&run, tokens) })
    });
    value.into()
}

fn name(tokens: &[Token]) -> Option<Value> {
    if let Some(name) = introduced_name(tokens) {
        return Some(name);
    }
    let skip = tokens.first()?.grammar.names.openers;
    let rest: Vec<Token> = tokens.iter().skip_while(|t| t.is_one_of(skip)).cloned().collect();
    let sentence = rest.first()?.sentence;
    let rest: Vec<Token> = rest.into_iter().take_while(|t| t.sentence == sentence).collect();
    (rest.len() <= NAME_WORDS).then(|| trimmed_name(&rest)).flatten()
}

/// The name after `my name is` and its like.
fn introduced_name(tokens: &[Token]) -> Option<Value> {
    let names = &tokens.first()?.grammar.names;
    let rest = tokens.get((names.introduced)(tokens)?..)?;
    let sentence = rest.first()?.sentence;
    let rest: Vec<Token> =
        rest.iter().take_while(|t| t.sentence == sentence).take(NAME_WORDS).cloned().collect();
    let end = rest.iter().position(|t| t.is_one_of(names.stops)).unwrap_or(rest.len());
    trimmed_name(rest.get(..end)?)
}

fn trimmed_name(tokens: &[Token]) -> Option<Value> {
    let tails = tokens.first()?.grammar.names.tails;
    let end = tokens.iter().rposition(|t| !t.is_one_of(tails)).map(|last| last + 1)?;
    let kept = tokens.get(..end)?;
    let start = kept.iter().position(|t| !t.is_common())?;
    let kept = kept.get(start..)?;
    let has_digit = kept.iter().any(numbers::is_number_word);
    let name = written(kept);
    (!has_digit && !name.is_empty())
        .then(|| Value::of(name.chars().take(VALUE_CHARS).collect(), kept))
}

#[cfg(test)]
mod tests {
    use super::super::tokens::{english as tokenise, heard};
    use super::*;
    use crate::converse::tests::desk::speech;

    #[test]
    fn slots_are_filled() {
        let order = SlotKind::Digits { min: 4, max: 8 };
        let code = SlotKind::Code { min: 4, max: 8 };
        let value = |v: &str| Found::Value(Value::certain(v.to_owned()));
        let table = [
            (&order, "My order number is 4729.", value("4729")),
            (&order, "It's 47 29.", value("4729")),
            (&order, "47. 29.", value("4729")),
            (&order, "No, I meant 4728.", value("4728")),
            (&order, "4729, no, sorry, 4728.", value("4728")),
            (&order, "4729, not 4727", value("4729")),
            (&order, "my number is 4 7", Found::Partial(Value::certain("47".into()))),
            (&order, "Hello.", Found::Nothing),
            (&order, "123456789012", Found::Nothing),
            (&code, "It is A B 47 29.", value("AB4729")),
            (&code, "alpha bravo 47, no, sorry, A B 48", value("AB48")),
            (&code, "A B", Found::Partial(Value::certain("AB".into()))),
            (&code, "Hello, I am Anna.", Found::Nothing),
            (&SlotKind::Number { min: 1, max: 20 }, "I have twelve packages.", value("12")),
            (&SlotKind::Number { min: 1, max: 20 }, "40", Found::Nothing),
            (&SlotKind::Name, "Anna.", value("Anna")),
            (&SlotKind::Name, "My name is Anna Smith.", value("Anna Smith")),
            (&SlotKind::Name, "This is Peter speaking.", value("Peter")),
            (&SlotKind::Name, "It's Maria, thanks", value("Maria")),
            (&SlotKind::Name, "Hello, my name is Paul and I have a question.", value("Paul")),
            (&SlotKind::Name, "4729", Found::Nothing),
            (&SlotKind::Name, "yes", Found::Nothing),
            (&SlotKind::Day, "On Monday at 3 o'clock.", value("Monday")),
            (&SlotKind::Time, "On Monday at 3 o'clock.", value("3 o'clock")),
            (&SlotKind::YesNo, "Yes, please.", value("yes")),
            (
                &SlotKind::Text,
                "Please call me, it is urgent!",
                value("Please call me it is urgent"),
            ),
            (&SlotKind::Text, "", Found::Nothing),
        ];
        for (kind, text, expected) in table {
            assert_eq!(answer(kind, &tokenise(text)), expected, "{text}");
        }
    }

    #[test]
    fn a_value_is_as_sure_as_the_words_that_it_was_taken_from() {
        let order = SlotKind::Digits { min: 4, max: 8 };
        let table = [
            (&order, "um/0.2 my uh/0.2 order/0.3 number is 47 29/0.9", 0.9, 1.0),
            (&order, "47/0.8 29/0.4", 0.4, 1.0),
            (&order, "47/0.8 uh/0.3 29/0.9", 0.8, 0.3),
            (&order, "4729/0.3 no sorry 4728/0.9", 0.9, 1.0),
            (&order, "my number is 47/0.6", 0.6, 1.0),
            (&order, "4729 /0.1 please", 0.1, 1.0),
            (&SlotKind::Number { min: 1, max: 20 }, "not/0.1 forty packages/0.2 12", 1.0, 1.0),
            (&SlotKind::Name, "my/0.2 name/0.3 is Anna/0.8 Smith/0.7", 0.7, 1.0),
            (&SlotKind::Day, "perhaps/0.1 on the 3rd/0.6 of March/0.9 please/0.2", 0.6, 1.0),
            (&SlotKind::Time, "maybe/0.1 half/0.5 past three/0.6 then/0.2", 0.5, 1.0),
            (&SlotKind::YesNo, "yes/0.9 please/0.6", 0.6, 1.0),
            (&SlotKind::Text, "call/0.9 me/0.6", 0.6, 1.0),
        ];
        for (kind, marked, own, beside) in table {
            let tokens = heard(&speech(marked), Grammar::of("en"));
            match answer(kind, &tokens) {
                Found::Value(value) | Found::Partial(value) => {
                    assert_eq!(value.belief, Belief { own, beside }, "{marked}");
                }
                Found::Nothing => panic!("{marked}"),
            }
        }
    }
}
