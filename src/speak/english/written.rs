//! What one written word is, and how it is said: money, times, dates, units, codes, acronyms.

use super::numerals::{cardinal, ordinal, year};
use super::{count_words, read_digits};

/// The words on either side; empty at the ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Neighbours<'a> {
    pub before: &'a str,
    pub after: &'a str,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Units after a number: written, one, many.
const UNITS: [(&str, &str, &str); 26] = [
    ("kg", "kilogram", "kilograms"),
    ("g", "gram", "grams"),
    ("mg", "milligram", "milligrams"),
    ("t", "ton", "tons"),
    ("lb", "pound", "pounds"),
    ("lbs", "pound", "pounds"),
    ("oz", "ounce", "ounces"),
    ("km", "kilometer", "kilometers"),
    ("m", "meter", "meters"),
    ("cm", "centimeter", "centimeters"),
    ("mm", "millimeter", "millimeters"),
    ("km/h", "kilometer per hour", "kilometers per hour"),
    ("mph", "mile per hour", "miles per hour"),
    ("ft", "foot", "feet"),
    ("l", "liter", "liters"),
    ("ml", "milliliter", "milliliters"),
    ("h", "hour", "hours"),
    ("hrs", "hour", "hours"),
    ("min", "minute", "minutes"),
    ("s", "second", "seconds"),
    ("ms", "millisecond", "milliseconds"),
    ("°C", "degree Celsius", "degrees Celsius"),
    ("°F", "degree Fahrenheit", "degrees Fahrenheit"),
    ("°", "degree", "degrees"),
    ("m²", "square meter", "square meters"),
    ("m³", "cubic meter", "cubic meters"),
];

/// `word`, which stands without punctuation around it, as it is said.
pub fn spoken(word: &str, neighbours: Neighbours<'_>) -> String {
    symbol(word)
        .map(str::to_owned)
        .or_else(|| unit_alone(word, neighbours))
        .or_else(|| half_of_day(word, neighbours))
        .or_else(|| network_address(word))
        .or_else(|| money(word, neighbours))
        .or_else(|| percent(word))
        .or_else(|| time(word))
        .or_else(|| date(word))
        .or_else(|| nth(word))
        .or_else(|| number(word, neighbours))
        .or_else(|| range_or_fraction(word))
        .or_else(|| with_unit(word))
        .or_else(|| code(word))
        .or_else(|| capitals(word))
        .unwrap_or_else(|| word.replace('&', " and ").replace('_', " "))
}

fn symbol(word: &str) -> Option<&'static str> {
    Some(match word {
        "&" => "and",
        "+" => "plus",
        "=" => "equals",
        "@" => "at",
        "%" => "percent",
        "#" => "number",
        "*" => "star",
        "/" => "slash",
        "-" | "–" | "—" => ",",
        "°" => "degrees",
        _ => return None,
    })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether the word is a number such as `5`, `1,200` or `3.5`.
fn is_quantity(word: &str) -> bool {
    plain_number(word).is_some()
}

/// `1,200` and `3.5` without the marks of thousands: whole part and decimals.
fn plain_number(word: &str) -> Option<(String, Option<&str>)> {
    let (whole, decimals) = match word.split_once('.') {
        Some((whole, decimals)) if is_digits(decimals) => (whole, Some(decimals)),
        Some(_) => return None,
        None => (word, None),
    };
    let mut parts = whole.split(',');
    let first = parts.next()?;
    let thousands = parts.clone().count() > 0;
    if !is_digits(first) || (thousands && first.len() > 3) {
        return None;
    }
    let mut joined = first.to_owned();
    for part in parts {
        if !is_digits(part) || part.len() != 3 {
            return None;
        }
        joined.push_str(part);
    }
    Some((joined, decimals))
}

fn quantity(word: &str) -> Option<String> {
    let (whole, decimals) = plain_number(word)?;
    let mut said = count_words(&whole);
    if let Some(decimals) = decimals {
        said.push_str(" point ");
        said.push_str(&super::numerals::digit_words(decimals));
    }
    Some(said)
}

fn unit(written: &str) -> Option<(&'static str, &'static str)> {
    UNITS.iter().find(|(unit, ..)| *unit == written).map(|(_, one, many)| (*one, *many))
}

fn unit_alone(word: &str, neighbours: Neighbours<'_>) -> Option<String> {
    let (one, many) = unit(word).filter(|_| is_quantity(neighbours.before))?;
    Some(if neighbours.before == "1" { one } else { many }.to_owned())
}

fn with_unit(word: &str) -> Option<String> {
    let border = word.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','))?;
    let (number, written) = word.split_at_checked(border)?;
    let (one, many) = unit(written)?;
    Some(format!("{} {}", quantity(number)?, if number == "1" { one } else { many }))
}

fn half_of_day(word: &str, neighbours: Neighbours<'_>) -> Option<String> {
    let half = half(word)?;
    let before = neighbours.before;
    let after_time = before.split(':').all(is_digits) || before == "o'clock";
    after_time.then(|| half.to_owned())
}

fn half(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "am" | "a.m" => Some("A M"),
        "pm" | "p.m" => Some("P M"),
        _ => None,
    }
}

fn network_address(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    let bare = ["https://", "http://", "sip:", "mailto:"]
        .iter()
        .find_map(|scheme| lower.strip_prefix(scheme));
    let known_end =
        [".com", ".org", ".net", ".de", ".io", ".eu", ".co.uk", ".info", ".example", ".biz"];
    let host = lower.split('/').next().unwrap_or_default();
    let mail =
        lower.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    let address = bare.is_some()
        || mail
        || lower.starts_with("www.")
        || known_end.iter().any(|end| host.ends_with(end) && host.len() > end.len());
    if !address {
        return None;
    }
    let mut said = String::new();
    let mut digits = String::new();
    for c in bare.unwrap_or(&lower).trim_end_matches('/').chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        say_part(&mut said, &read_digits(&std::mem::take(&mut digits)));
        match c {
            '.' => say_part(&mut said, "dot"),
            '@' => say_part(&mut said, "at"),
            '-' => say_part(&mut said, "dash"),
            '_' => say_part(&mut said, "underscore"),
            '/' => say_part(&mut said, "slash"),
            ':' => say_part(&mut said, "colon"),
            '?' | '&' | '=' | '#' | '+' | '%' => say_part(&mut said, ""),
            c => said.push(c),
        }
    }
    say_part(&mut said, &read_digits(&digits));
    Some(said.replace("www dot", "W W W dot").trim().to_owned())
}

fn say_part(said: &mut String, part: &str) {
    if part.is_empty() {
        return;
    }
    if !said.is_empty() && !said.ends_with(' ') {
        said.push(' ');
    }
    said.push_str(part);
    said.push(' ');
}

fn money(word: &str, neighbours: Neighbours<'_>) -> Option<String> {
    const CURRENCIES: [(char, &str, &str, &str, &str); 4] = [
        ('$', "dollar", "dollars", "cent", "cents"),
        ('€', "euro", "euros", "cent", "cents"),
        ('£', "pound", "pounds", "penny", "pence"),
        ('¥', "yen", "yen", "", ""),
    ];
    let (_, one, many, cent, cents) =
        CURRENCIES.into_iter().find(|(sign, ..)| word.contains(*sign))?;
    let amount = word.trim_matches(|c: char| matches!(c, '$' | '€' | '£' | '¥'));
    let (whole, decimals) = plain_number(amount)?;
    let after = neighbours.after.trim_end_matches(['.', ',', '?', '!']);
    if matches!(after, "million" | "billion" | "thousand") {
        return quantity(amount);
    }
    let mut said = format!("{} {}", count_words(&whole), if whole == "1" { one } else { many });
    match decimals {
        Some(decimals) if decimals.len() == 2 && !cent.is_empty() => {
            let count: u64 = decimals.parse().ok()?;
            let coins = format!("{} {}", cardinal(count), if count == 1 { cent } else { cents });
            match (whole.as_str(), count) {
                (_, 0) => {}
                ("0", _) => said = coins,
                _ => said = format!("{said} and {coins}"),
            }
        }
        Some(_) => said = format!("{} {many}", quantity(amount)?),
        None => {}
    }
    Some(said)
}

fn percent(word: &str) -> Option<String> {
    let number = word.strip_suffix('%')?;
    let (sign, number) = number.strip_prefix('-').map_or(("", number), |rest| ("minus ", rest));
    Some(format!("{sign}{} percent", quantity(number)?))
}

fn time(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    let (clock, half_of_day) = ["am", "pm", "a.m", "p.m"]
        .iter()
        .find_map(|end| lower.strip_suffix(end).map(|clock| (clock, half(end))))
        .unwrap_or((&lower, None));
    let tail = half_of_day.map(|half| format!(" {half}")).unwrap_or_default();
    let Some((hours, minutes)) = clock.split_once(':') else {
        let hour: u64 = clock.parse().ok().filter(|hour| *hour <= 12)?;
        return half_of_day.map(|half| format!("{} {half}", cardinal(hour)));
    };
    if !is_digits(hours) || !is_digits(minutes) || minutes.len() != 2 {
        return None;
    }
    let (hour, minute): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hour > 24 || minute > 59 {
        return None;
    }
    let hour_words = cardinal(hour);
    Some(match minute {
        0 if half_of_day.is_some() => format!("{hour_words}{tail}"),
        0 if (1..=12).contains(&hour) => format!("{hour_words} o'clock"),
        0 => format!("{hour_words} hundred hours"),
        1..=9 => format!("{hour_words} oh {}{tail}", cardinal(minute)),
        _ => format!("{hour_words} {}{tail}", cardinal(minute)),
    })
}

/// `2026-11-20` and `20/11/2026`; the month is told from the day by its size, else it is first.
fn date(word: &str) -> Option<String> {
    let parts: Vec<&str> = word.split(['-', '/']).collect();
    let [a, b, c] = parts.as_slice() else { return None };
    if ![a, b, c].into_iter().all(|part| is_digits(part)) {
        return None;
    }
    let number = |text: &str| text.parse::<u64>().ok();
    let (the_year, month, day) = if a.len() == 4 {
        (number(a)?, number(b)?, number(c)?)
    } else if c.len() == 4 {
        let (first, second) = (number(a)?, number(b)?);
        if first > 12 { (number(c)?, second, first) } else { (number(c)?, first, second) }
    } else {
        return None;
    };
    let name = usize::try_from(month).ok()?.checked_sub(1).and_then(|index| MONTHS.get(index))?;
    (1..=31).contains(&day).then(|| format!("{name} {}, {}", ordinal(day), year(the_year)))
}

fn nth(word: &str) -> Option<String> {
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end))?;
    if !is_digits(digits) || digits.len() > 9 {
        return None;
    }
    digits.parse().ok().map(ordinal)
}

fn number(word: &str, neighbours: Neighbours<'_>) -> Option<String> {
    if let Some(digits) = word.strip_prefix('#').filter(|digits| is_digits(digits)) {
        return Some(format!("number {}", read_digits(digits)));
    }
    if let Some(rest) = word.strip_prefix(['-', '−']).filter(|rest| is_quantity(rest)) {
        return Some(format!("minus {}", quantity(rest)?));
    }
    if let Some(rest) = word.strip_prefix('+').filter(|rest| rest.len() < 7 && is_quantity(rest)) {
        return Some(format!("plus {}", quantity(rest)?));
    }
    if !is_quantity(word) {
        return None;
    }
    if !is_digits(word) {
        return quantity(word);
    }
    let before = neighbours.before.trim_end_matches([':', ',']).to_ascii_lowercase();
    let is_month = |name: &str| MONTHS.iter().any(|month| month.eq_ignore_ascii_case(name));
    let value: u64 = word.parse().unwrap_or(u64::MAX);
    if is_month(&before)
        && (1..=31).contains(&value)
        && neighbours.before.ends_with(char::is_alphabetic)
    {
        return Some(ordinal(value));
    }
    let after_day = neighbours.before.ends_with(',') && before.len() <= 2 && is_digits(&before);
    let year_word = matches!(before.as_str(), "in" | "since" | "until" | "year" | "by");
    if (1100..2100).contains(&value) && (year_word || is_month(&before) || after_day) {
        return Some(year(value));
    }
    let names_something = matches!(
        before.as_str(),
        "number"
            | "order"
            | "invoice"
            | "parcel"
            | "code"
            | "pin"
            | "extension"
            | "ext."
            | "no."
            | "room"
            | "flight"
            | "tracking"
            | "reference"
            | "call"
            | "dial"
            | "account"
    );
    if word.len() > 9 || (names_something && word.len() >= 3) {
        return Some(read_digits(word));
    }
    Some(count_words(word))
}

fn range_or_fraction(word: &str) -> Option<String> {
    if let Some((from, to)) = word.split_once(['-', '–']) {
        return Some(format!("{} to {}", quantity_or_time(from)?, quantity_or_time(to)?));
    }
    let (over, under) = word.split_once('/')?;
    if !is_digits(over) || !is_digits(under) || over.len() > 3 || under.len() > 3 {
        return None;
    }
    Some(match word {
        "1/2" => "one half".to_owned(),
        "1/4" => "one quarter".to_owned(),
        "3/4" => "three quarters".to_owned(),
        "1/3" => "one third".to_owned(),
        "2/3" => "two thirds".to_owned(),
        "24/7" => "twenty four seven".to_owned(),
        _ => format!("{} slash {}", count_words(over), count_words(under)),
    })
}

fn quantity_or_time(word: &str) -> Option<String> {
    quantity(word).or_else(|| time(word))
}

/// Letters and digits mixed: `A4729`, `B-12`.
fn code(word: &str) -> Option<String> {
    let has_digit = word.chars().any(|c| c.is_ascii_digit());
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let coded = word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-');
    (has_digit && letters > 0 && letters <= 4 && coded).then(|| read_digits(word))
}

/// Acronyms letter by letter; a word in capitals as a word.
fn capitals(word: &str) -> Option<String> {
    let (stem, plural) = match word.strip_suffix('s') {
        Some(stem) if stem.len() >= 2 && is_capitals(stem) => (stem, "'s"),
        _ => (word, ""),
    };
    if let Some((a, b)) = stem.split_once('&')
        && is_capitals(a)
        && is_capitals(b)
    {
        return Some(format!("{} and {}", letters(a), letters(b)));
    }
    let dotted: String = stem.chars().filter(|c| *c != '.').collect();
    let initials =
        stem.contains('.') && stem.split('.').all(|part| part.len() == 1 && is_capitals(part));
    if initials {
        return Some(letters(&dotted));
    }
    if stem.len() < 2 || !is_capitals(stem) {
        return None;
    }
    const WORDS: [&str; 27] = [
        "A", "I", "THE", "AND", "NOT", "YES", "NO", "FOR", "YOU", "ARE", "ALL", "NEW", "OUR",
        "OUT", "ONE", "TWO", "PIN", "SIM", "TO", "OF", "ON", "IN", "AT", "IS", "OR", "GO", "STOP",
    ];
    if stem == "OK" {
        return Some("okay".to_owned());
    }
    let vowel = stem.chars().any(|c| "AEIOUY".contains(c));
    let is_word = WORDS.contains(&stem) || (stem.len() > 3 && vowel) || stem.len() > 6;
    Some(if is_word { word.to_lowercase() } else { format!("{}{plural}", letters(stem)) })
}

fn is_capitals(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase())
}

fn letters(text: &str) -> String {
    text.chars().map(String::from).collect::<Vec<_>>().join(" ")
}
