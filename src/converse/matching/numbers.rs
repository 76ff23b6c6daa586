//! Numbers as people say them on the telephone: digit by digit, in groups, doubled, with `oh` for
//! zero, and as whole numbers.

use super::tokens::Token;

/// A stretch of tokens that is one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// As digits in the order said: `double four seven` is `447`, `forty two` is `42`.
    pub digits: String,
    /// Index of the first token and of the one after the last.
    pub start: usize,
    pub end: usize,
}

/// A word of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Written in digits, of any length.
    Written(String),
    Unit(u8),
    Teen(u8),
    Tens(u8),
    /// `two hundred` in one word.
    Hundreds(u16),
    Hundred,
    /// Multiplies what stands before it.
    Thousand,
    /// The same, and a thousand where nothing stands before it.
    OneThousand,
    Repeat(usize),
    /// A digit as a thing: after two to four it is said so often.
    Thing(u8),
    /// The same in the plural, and nothing by itself: `two sevens`, but not `at sixes and sevens`.
    Things(u8),
    /// `oh`: a zero only next to other digits.
    Oh,
}

/// All numbers in `tokens`, longest stretches.
pub fn runs(tokens: &[Token]) -> Vec<Run> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let (parts, end) = parts_from(tokens, at);
        if parts.is_empty() {
            at += 1;
            continue;
        }
        let digits = digits_of(&parts);
        if !digits.is_empty() {
            found.push(Run { digits, start: at, end });
        }
        at = end;
    }
    found
}

/// The normalised words with every number in digits; what patterns are matched against.
pub fn joined_with_digits(tokens: &[Token]) -> String {
    let runs = runs(tokens);
    let mut words: Vec<&str> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match runs.iter().find(|run| (run.start..run.end).contains(&at)) {
            Some(run) if run.start == at => words.push(&run.digits),
            Some(_) => {}
            None => words.push(&token.word),
        }
    }
    words.join(" ")
}

/// Whether the word can only be a number (or its repetition).
pub fn is_number_word(token: &Token) -> bool {
    part(token).is_some_and(|part| !matches!(part, Part::Oh | Part::Things(_)))
}

/// How often what follows the word is said: `double`.
pub(super) fn repetition(token: &Token) -> Option<usize> {
    match part(token) {
        Some(Part::Repeat(times)) => Some(times),
        _ => None,
    }
}

/// A zero, but only next to other digits.
pub(super) fn is_oh(token: &Token) -> bool {
    part(token) == Some(Part::Oh)
}

/// The number that begins at this token, and where it ends.
pub(super) fn digits_at(tokens: &[Token], at: usize) -> Option<(String, usize)> {
    let (parts, end) = parts_from(tokens, at);
    let digits = digits_of(&parts);
    (!digits.is_empty()).then_some((digits, end))
}

/// The whole number that `digits` say, if it is not beyond 18 digits.
pub fn value(digits: &str) -> Option<u64> {
    if digits.len() > 18 { None } else { digits.parse().ok() }
}

fn parts_from(tokens: &[Token], start: usize) -> (Vec<Part>, usize) {
    let mut parts = Vec::new();
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        if let Some(part) = part(token) {
            parts.push(part);
        } else if !(is_within(token, parts.last())
            && tokens.get(at + 1).is_some_and(|next| part(next).is_some()))
        {
            break;
        }
        at += 1;
    }
    if says_nothing(&parts) {
        return (Vec::new(), at.max(start + 1));
    }
    (parts, at)
}

/// A word that is no number and may stand in the middle of one.
fn is_within(token: &Token, before: Option<&Part>) -> bool {
    let follows_scale = matches!(before, Some(Part::Hundred | Part::Thousand | Part::OneThousand));
    (follows_scale && token.word == token.grammar.number_link)
        || (before.is_some() && token.is_one_of(token.grammar.number_marks))
}

/// `Oh` by itself is a sigh, unless it is doubled; a repetition of nothing is none.
fn says_nothing(parts: &[Part]) -> bool {
    let is_doubled_oh = |pair: &[Part]| matches!(pair, [Part::Repeat(_), Part::Oh]);
    parts.iter().all(|part| matches!(part, Part::Oh | Part::Repeat(_) | Part::Things(_)))
        && !parts.windows(2).any(is_doubled_oh)
}

/// Digits as written, or a word of the language.
fn part(token: &Token) -> Option<Part> {
    let word = token.word.as_str();
    let digits = word.strip_prefix('+').unwrap_or(word);
    if !digits.is_empty() && digits.len() <= 40 && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Part::Written(digits.to_owned()));
    }
    (token.grammar.number)(word)
}

/// Groups are written one after the other; a group is a whole number as far as its words go.
fn digits_of(parts: &[Part]) -> String {
    let mut digits = String::new();
    let mut at = 0;
    while let Some(part) = parts.get(at) {
        let next = parts.get(at + 1);
        at += 1;
        match part {
            Part::Repeat(times) => {
                let (Some(digit), true) = (next.and_then(single), next.is_some()) else { continue };
                digits.extend(std::iter::repeat_n(digit, *times));
                at += 1;
            }
            Part::Written(written) if !before_multiplier(next) => digits.push_str(written),
            Part::Unit(times @ 2..=4) if matches!(next, Some(Part::Thing(_) | Part::Things(_))) => {
                let digit = next.and_then(single);
                digits.extend(std::iter::repeat_n(digit, usize::from(*times)).flatten());
                at += 1;
            }
            Part::Thing(digit) => digits.push(char::from(b'0' + digit)),
            Part::Oh => digits.push('0'),
            Part::Things(_) => {}
            Part::OneThousand => {
                let rest = parts.get(at..).unwrap_or_default();
                let more = rest.first().is_some_and(is_word).then(|| cardinal(rest));
                let (more, taken) = more.filter(|(more, _)| *more < 1_000).unwrap_or((0, 0));
                digits.push_str(&(1_000 + more).to_string());
                at += taken;
            }
            Part::Written(_)
            | Part::Unit(_)
            | Part::Teen(_)
            | Part::Tens(_)
            | Part::Hundreds(_)
            | Part::Hundred
            | Part::Thousand => {
                let (number, taken) = cardinal(parts.get(at - 1..).unwrap_or_default());
                digits.push_str(&number.to_string());
                at += taken - 1;
            }
        }
    }
    digits
}

fn before_multiplier(next: Option<&Part>) -> bool {
    matches!(next, Some(Part::Hundred | Part::Thousand | Part::OneThousand))
}

fn single(part: &Part) -> Option<char> {
    match part {
        Part::Unit(unit) => Some(char::from(b'0' + unit)),
        Part::Thing(digit) | Part::Things(digit) => Some(char::from(b'0' + digit)),
        Part::Oh => Some('0'),
        Part::Written(written) if written.len() == 1 => written.chars().next(),
        _ => None,
    }
}

/// The whole number at the start of `parts` and how many parts it took, at least one. `A hundred` is
/// one hundred.
fn cardinal(parts: &[Part]) -> (u64, usize) {
    let (mut total, mut taken) = match parts.first() {
        Some(Part::Hundred | Part::Thousand) => (1, 0),
        _ => below_thousand(parts),
    };
    let mut scaled = taken > 1 && total >= 100;
    while let Some(scale) = parts.get(taken) {
        let factor = match scale {
            Part::Hundred if total < 100 => 100,
            Part::Thousand | Part::OneThousand if total < 1_000 => 1_000,
            _ => break,
        };
        total *= factor;
        taken += 1;
        scaled = true;
        let rest = parts.get(taken..).unwrap_or_default();
        if rest.first().is_some_and(is_word) {
            let (more, used) = if factor == 1_000 { cardinal(rest) } else { below_hundred(rest) };
            if more < factor {
                total += more;
                taken += used;
            }
        }
    }
    if !scaled {
        return below_thousand(parts);
    }
    (total, taken)
}

const fn is_word(part: &Part) -> bool {
    matches!(part, Part::Unit(_) | Part::Teen(_) | Part::Tens(_) | Part::Hundreds(_))
}

/// Hundreds of one word take what follows them.
fn below_thousand(parts: &[Part]) -> (u64, usize) {
    let Some(Part::Hundreds(hundreds)) = parts.first() else { return below_hundred(parts) };
    let rest = parts.get(1..).unwrap_or_default();
    let follows = matches!(rest.first(), Some(Part::Tens(_) | Part::Teen(_) | Part::Unit(1..)));
    let (more, taken) = if follows { below_hundred(rest) } else { (0, 0) };
    (u64::from(*hundreds) + more, 1 + taken)
}

fn below_hundred(parts: &[Part]) -> (u64, usize) {
    match (parts.first(), parts.get(1)) {
        (Some(Part::Tens(tens)), Some(Part::Unit(unit))) if *unit > 0 => {
            (u64::from(tens + unit), 2)
        }
        (Some(Part::Tens(n) | Part::Teen(n) | Part::Unit(n)), _) => (u64::from(*n), 1),
        (Some(Part::Written(written)), _) => (value(written).unwrap_or(0).min(999_999), 1),
        _ => (0, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::english as tokenise;
    use super::*;

    #[test]
    fn numbers_are_heard_in_every_form() {
        let table = [
            ("My order number is 4729.", "4729"),
            ("four seven two nine", "4729"),
            ("4 7 2 9", "4729"),
            ("47 29", "4729"),
            ("47, um, 29.", "4729"),
            ("forty-seven twenty-nine", "4729"),
            ("four oh two", "402"),
            ("double four seven", "447"),
            ("triple seven one", "7771"),
            ("double oh seven", "007"),
            ("one hundred", "100"),
            ("one hundred and five", "105"),
            ("two thousand twenty six", "2026"),
            ("three hundred twelve", "312"),
            ("5 hundred", "500"),
            ("twenty oh one", "2001"),
            ("1,234", "1234"),
            ("4-7-2-9", "4729"),
            ("+49 170 123", "49170123"),
            ("plus four nine one seventy", "49170"),
            ("double five, four", "554"),
            ("double 5 4", "554"),
            ("quadruple nine", "9999"),
            ("double oh", "00"),
            ("double oh double seven", "0077"),
            ("nought point", "0"),
            ("two sevens and a four", "774"),
            ("three zeros", "000"),
            ("four fives two", "55552"),
            ("six sevens", "6"),
            ("at sixes and sevens", ""),
            ("the other ones", ""),
            ("a hundred", "100"),
            ("a hundred and five", "105"),
            ("a thousand two hundred", "1200"),
            ("twenty three hundred", "2300"),
            ("nineteen hundred and five", "1905"),
            ("three thousand and five", "3005"),
            ("one hundred twenty three thousand four hundred fifty six", "123456"),
            ("twenty three", "23"),
            ("twenty, thirty three", "2033"),
            ("ten oh five", "1005"),
            ("four seven dash two nine", "4729"),
            ("47 hyphen 29", "4729"),
            ("4 7 slash 2", "472"),
            ("dash four", "4"),
            ("four dash", "4"),
            ("4,000", "4000"),
            ("oh", ""),
            ("oh I see", ""),
            ("double", ""),
            ("nothing here", ""),
        ];
        for (text, expected) in table {
            let found: String = runs(&tokenise(text)).into_iter().map(|r| r.digits).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn patterns_see_numbers_as_digits() {
        let seen = joined_with_digits(&tokenise("My order is four seven, two nine, please."));
        assert_eq!(seen, "my order is 4729 please");
    }

    #[test]
    fn separate_numbers_stay_separate() {
        let found: Vec<String> =
            runs(&tokenise("between 3 and 4, or 12")).into_iter().map(|r| r.digits).collect();
        assert_eq!(found, ["3", "4", "12"]);
    }
}
