//! Numbers as English words.

const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const SCALES: [(u64, &str); 4] = [
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1_000, "thousand"),
];
/// Numbers beyond this are read digit by digit.
pub const LARGEST: u64 = 999_999_999_999_999;

/// `forty two`. Beyond [`LARGEST`] the digits one by one.
pub fn cardinal(number: u64) -> String {
    if number > LARGEST {
        return digit_words(&number.to_string());
    }
    for (scale, name) in SCALES {
        if number >= scale {
            return with_rest(
                format!("{} {name}", cardinal(number / scale)),
                number % scale,
                cardinal,
            );
        }
    }
    if number >= 100 {
        return with_rest(format!("{} hundred", cardinal(number / 100)), number % 100, cardinal);
    }
    below_hundred(number)
}

/// `forty second`.
pub fn ordinal(number: u64) -> String {
    let words = cardinal(number);
    let (head, last) = words.rsplit_once(' ').unwrap_or(("", &words));
    let last = match last {
        "one" => "first".to_owned(),
        "two" => "second".to_owned(),
        "three" => "third".to_owned(),
        "five" => "fifth".to_owned(),
        "eight" => "eighth".to_owned(),
        "nine" => "ninth".to_owned(),
        "twelve" => "twelfth".to_owned(),
        last => match last.strip_suffix('y') {
            Some(stem) => format!("{stem}ieth"),
            None => format!("{last}th"),
        },
    };
    if head.is_empty() { last } else { format!("{head} {last}") }
}

/// `nineteen eighty four`, `two thousand five`, `twenty twenty six`.
pub fn year(number: u64) -> String {
    let (century, rest) = (number / 100, number % 100);
    match (century, rest) {
        (20, 0..=9) | (10, 0..=9) => cardinal(number),
        (_, 0) => format!("{} hundred", cardinal(century)),
        (_, 1..=9) => format!("{} oh {}", cardinal(century), cardinal(rest)),
        _ => format!("{} {}", cardinal(century), cardinal(rest)),
    }
}

/// `four seven two nine`; anything that is no digit is left out.
pub fn digit_words(digits: &str) -> String {
    let words: Vec<&str> = digits
        .chars()
        .filter_map(|c| c.to_digit(10))
        .filter_map(|digit| UNITS.get(digit as usize).copied())
        .collect();
    words.join(" ")
}

fn below_hundred(number: u64) -> String {
    if let Some(word) = usize::try_from(number).ok().and_then(|n| UNITS.get(n)) {
        return (*word).to_owned();
    }
    let tens = TENS.get((number / 10) as usize).copied().unwrap_or_default();
    with_rest(tens.to_owned(), number % 10, below_hundred)
}

fn with_rest(head: String, rest: u64, words: fn(u64) -> String) -> String {
    if rest == 0 { head } else { format!("{head} {}", words(rest)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_words() {
        let cardinals = [
            (0, "zero"),
            (13, "thirteen"),
            (40, "forty"),
            (42, "forty two"),
            (100, "one hundred"),
            (105, "one hundred five"),
            (1_000, "one thousand"),
            (4_729, "four thousand seven hundred twenty nine"),
            (1_000_001, "one million one"),
        ];
        for (number, words) in cardinals {
            assert_eq!(cardinal(number), words);
        }
        assert!(cardinal(u64::MAX).starts_with("one eight four"));
        let ordinals = [
            (1, "first"),
            (2, "second"),
            (3, "third"),
            (12, "twelfth"),
            (20, "twentieth"),
            (21, "twenty first"),
            (30, "thirtieth"),
            (100, "one hundredth"),
        ];
        for (number, words) in ordinals {
            assert_eq!(ordinal(number), words);
        }
        let years = [
            (1984, "nineteen eighty four"),
            (1900, "nineteen hundred"),
            (1905, "nineteen oh five"),
            (2000, "two thousand"),
            (2005, "two thousand five"),
            (2026, "twenty twenty six"),
        ];
        for (number, words) in years {
            assert_eq!(year(number), words);
        }
    }
}
