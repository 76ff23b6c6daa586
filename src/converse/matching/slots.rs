//! Takes the value of a slot out of what the caller said.

use super::answers::{Answer, correction_start, yes_no};
use super::grammar::Grammar;
use super::numbers;
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

/// What was found for a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Value(String),
    /// Digits, but fewer than the slot wants: more may follow.
    Partial(String),
    Nothing,
}

impl SlotKind {
    /// Fewest and most digits, for the kinds that keys can fill.
    pub fn digit_count(&self) -> Option<(usize, usize)> {
        match self {
            Self::Digits { min, max } | Self::Phone { min, max } => Some((*min, *max)),
            Self::Number { max, .. } => Some((1, max.to_string().len())),
            Self::Name | Self::Time | Self::Day | Self::YesNo | Self::Text => None,
        }
    }

    /// Whether the value can be told from any other word without having been asked for.
    pub fn is_recognisable(&self) -> bool {
        !matches!(self, Self::Name | Self::Text | Self::YesNo)
    }
}

/// The value of kind `kind` in the answer to its question.
pub fn answer(kind: &SlotKind, tokens: &[Token]) -> Found {
    match kind {
        SlotKind::Name => name(tokens).map_or(Found::Nothing, Found::Value),
        SlotKind::Text => {
            let text: String = written(tokens).chars().take(VALUE_CHARS).collect();
            if text.is_empty() { Found::Nothing } else { Found::Value(text) }
        }
        SlotKind::YesNo => match yes_no(tokens) {
            Some(said) => Found::Value(spoken(said, tokens)),
            None => Found::Nothing,
        },
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
        SlotKind::Digits { min, max } | SlotKind::Phone { min, max } => digits(tokens, *min, *max),
        SlotKind::Number { min, max } => number(tokens, *min, *max),
        SlotKind::Time => {
            first_of(tokens, |grammar| grammar.time).map_or(Found::Nothing, Found::Value)
        }
        SlotKind::Day => {
            first_of(tokens, |grammar| grammar.day).map_or(Found::Nothing, Found::Value)
        }
        SlotKind::Name => introduced_name(tokens).map_or(Found::Nothing, Found::Value),
        SlotKind::Text | SlotKind::YesNo => Found::Nothing,
    }
}

/// What a finder of the tokens' language finds.
fn first_of(
    tokens: &[Token],
    finder: impl Fn(&Grammar) -> fn(&[Token]) -> Option<String>,
) -> Option<String> {
    finder(tokens.first()?.grammar)(tokens)
}

/// What is corrected counts, then what fits, then what may grow.
fn digits(tokens: &[Token], min: usize, max: usize) -> Found {
    let fits = |digits: &String| (min..=max).contains(&digits.len());
    if let Some(start) = correction_start(tokens) {
        let corrected = numbers::runs(tokens.get(start..).unwrap_or_default());
        if let Some(run) = corrected.into_iter().map(|run| run.digits).find(fits) {
            return Found::Value(run);
        }
    }
    let runs = numbers::runs(tokens);
    if let Some(run) = runs.iter().map(|run| &run.digits).find(|digits| fits(digits)) {
        return Found::Value(run.clone());
    }
    let all: String = runs.iter().map(|run| run.digits.as_str()).collect();
    let only_numbers = runs.iter().map(|run| run.end - run.start).sum::<usize>() * 2 > tokens.len();
    if fits(&all) && only_numbers {
        return Found::Value(all);
    }
    match runs.into_iter().map(|run| run.digits).max_by_key(String::len) {
        Some(longest) if longest.len() < min => Found::Partial(longest),
        _ => Found::Nothing,
    }
}

fn number(tokens: &[Token], min: u64, max: u64) -> Found {
    let value = numbers::runs(tokens)
        .iter()
        .filter_map(|run| numbers::value(&run.digits))
        .find(|value| (min..=max).contains(value));
    value.map_or(Found::Nothing, |value| Found::Value(value.to_string()))
}

fn name(tokens: &[Token]) -> Option<String> {
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
fn introduced_name(tokens: &[Token]) -> Option<String> {
    let names = &tokens.first()?.grammar.names;
    let rest = tokens.get((names.introduced)(tokens)?..)?;
    let sentence = rest.first()?.sentence;
    let rest: Vec<Token> =
        rest.iter().take_while(|t| t.sentence == sentence).take(NAME_WORDS).cloned().collect();
    let end = rest.iter().position(|t| t.is_one_of(names.stops)).unwrap_or(rest.len());
    trimmed_name(rest.get(..end)?)
}

fn trimmed_name(tokens: &[Token]) -> Option<String> {
    let tails = tokens.first()?.grammar.names.tails;
    let end = tokens.iter().rposition(|t| !t.is_one_of(tails)).map(|last| last + 1)?;
    let kept = tokens.get(..end)?;
    let start = kept.iter().position(|t| !t.is_common())?;
    let kept = kept.get(start..)?;
    let has_digit = kept.iter().any(numbers::is_number_word);
    let name = written(kept);
    (!has_digit && !name.is_empty()).then(|| name.chars().take(VALUE_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tokens::english as tokenise;
    use super::*;

    #[test]
    fn slots_are_filled() {
        let order = SlotKind::Digits { min: 4, max: 8 };
        let value = |v: &str| Found::Value(v.to_owned());
        let table = [
            (&order, "My order number is 4729.", value("4729")),
            (&order, "It's 47 29.", value("4729")),
            (&order, "47. 29.", value("4729")),
            (&order, "No, I meant 4728.", value("4728")),
            (&order, "4729, no, sorry, 4728.", value("4728")),
            (&order, "4729, not 4727", value("4729")),
            (&order, "my number is 4 7", Found::Partial("47".into())),
            (&order, "Hello.", Found::Nothing),
            (&order, "123456789012", Found::Nothing),
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
}
