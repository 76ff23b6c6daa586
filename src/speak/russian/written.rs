//! What one written word is, and how it is said in Russian.

use super::RUSSIAN;
use super::numerals::{Case, Gender, Noun, Ordinal, cardinal, digit_words, ordinal};
use crate::speak::normalise::digits_of;

/// The words around; empty at the ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Neighbours<'a> {
    pub before: &'a str,
    pub after: &'a str,
    pub after_next: &'a str,
}

const MONTHS: [&str; 12] = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
];

const HOUR: Noun = Noun::new(Gender::Masculine, ["час", "часа", "часов"]);
const ROUBLE: Noun = Noun::new(Gender::Masculine, ["рубль", "рубля", "рублей"]);
const KOPECK: Noun = Noun::new(Gender::Feminine, ["копейка", "копейки", "копеек"]);
const DOLLAR: Noun = Noun::new(Gender::Masculine, ["доллар", "доллара", "долларов"]);
const EURO: Noun = Noun::new(Gender::Masculine, ["евро", "евро", "евро"]);
const CENT: Noun = Noun::new(Gender::Masculine, ["цент", "цента", "центов"]);
const PERCENT: Noun = Noun::new(Gender::Masculine, ["процент", "процента", "процентов"]);

/// What is written after a number in short.
const UNITS: [(&str, Noun); 22] = [
    ("ч", HOUR),
    ("час", HOUR),
    ("мин", Noun::new(Gender::Feminine, ["минута", "минуты", "минут"])),
    ("сек", Noun::new(Gender::Feminine, ["секунда", "секунды", "секунд"])),
    ("с", Noun::new(Gender::Feminine, ["секунда", "секунды", "секунд"])),
    ("руб", ROUBLE),
    ("р", ROUBLE),
    ("₽", ROUBLE),
    ("коп", KOPECK),
    ("%", PERCENT),
    ("кг", Noun::new(Gender::Masculine, ["килограмм", "килограмма", "килограммов"])),
    ("г", Noun::new(Gender::Masculine, ["грамм", "грамма", "граммов"])),
    ("т", Noun::new(Gender::Feminine, ["тонна", "тонны", "тонн"])),
    ("км", Noun::new(Gender::Masculine, ["километр", "километра", "километров"])),
    ("м", Noun::new(Gender::Masculine, ["метр", "метра", "метров"])),
    ("см", Noun::new(Gender::Masculine, ["сантиметр", "сантиметра", "сантиметров"])),
    ("мм", Noun::new(Gender::Masculine, ["миллиметр", "миллиметра", "миллиметров"])),
    ("л", Noun::new(Gender::Masculine, ["литр", "литра", "литров"])),
    ("шт", Noun::new(Gender::Feminine, ["штука", "штуки", "штук"])),
    ("$", DOLLAR),
    ("€", EURO),
    ("дн", Noun::new(Gender::Masculine, ["день", "дня", "дней"])),
];

/// `word`, which stands without punctuation around it, as it is said.
pub fn spoken(word: &str, neighbours: Neighbours<'_>) -> String {
    let case = case_after(neighbours.before);
    symbol(word)
        .map(str::to_owned)
        .or_else(|| unit_after(word, neighbours.before))
        .or_else(|| network_address(word))
        .or_else(|| with_unit(word, case))
        .or_else(|| time(word, case))
        .or_else(|| date(word, neighbours.before))
        .or_else(|| nth(word))
        .or_else(|| number(word, neighbours))
        .or_else(|| days(word))
        .or_else(|| range(word))
        .or_else(|| code(word))
        .or_else(|| capitals(word))
        .unwrap_or_else(|| word.replace('&', " и ").replace('_', " "))
}

/// Whether `word` is a unit, so that groups of digits before it are one number.
pub fn is_unit(word: &str) -> bool {
    let bare = word.trim_end_matches(['.', ',', '?', '!', ';']).to_lowercase();
    unit(&bare).is_some() || bare.starts_with("рубл") || bare.starts_with("доллар")
}

/// A unit that stands apart from its number, which is said by itself before.
pub fn unit_after(word: &str, before: &str) -> Option<String> {
    let noun = unit(&word.to_lowercase())?;
    let (whole, decimals) = plain_number(before)?;
    Some(
        match decimals {
            Some(_) => noun.few,
            None => noun.after(whole.parse().ok()?, Case::Nominative),
        }
        .to_owned(),
    )
}

fn unit(written: &str) -> Option<Noun> {
    UNITS.iter().find(|(unit, _)| *unit == written).map(|(_, noun)| *noun)
}

fn symbol(word: &str) -> Option<&'static str> {
    Some(match word {
        "&" => "и",
        "+" => "плюс",
        "=" => "равно",
        "@" => "собака",
        "№" | "#" => "номер",
        "*" => "звёздочка",
        "/" => "дробь",
        "-" | "–" | "—" => ",",
        _ => return None,
    })
}

/// The case that a preposition asks for.
fn case_after(before: &str) -> Case {
    match before.trim_start_matches(['(', '«', '"']).to_lowercase().as_str() {
        "с" | "со" | "до" | "от" | "около" | "после" | "без" | "для" | "из" | "более" | "менее"
        | "позднее" | "позже" | "раньше" | "больше" | "меньше" | "свыше" | "течение" => {
            Case::Genitive
        }
        "к" | "ко" => Case::Dative,
        "в" | "во" | "на" | "через" | "за" => Case::Accusative,
        _ => Case::Nominative,
    }
}

/// The gender of the noun that stands after a number, by its ending: `одна минута`, `одно место`,
/// `две минуты`.
fn gender_before(number: u64, neighbours: Neighbours<'_>) -> Gender {
    let bare = |word: &str| word.trim_end_matches(|c: char| !c.is_alphabetic()).to_lowercase();
    let mut noun = bare(neighbours.after);
    if noun.ends_with("ых") || noun.ends_with("их") {
        noun = bare(neighbours.after_next);
    }
    let is_one = number % 10 == 1;
    match noun.chars().last() {
        Some('ы' | 'и') => Gender::Feminine,
        Some('а' | 'я' | 'у' | 'ю') if is_one => Gender::Feminine,
        Some('о' | 'е') if is_one => Gender::Neuter,
        _ => Gender::Masculine,
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// `1200`, `2,5` and `2.5`: whole part and decimals.
fn plain_number(word: &str) -> Option<(&str, Option<&str>)> {
    match word.split_once([',', '.']) {
        Some((whole, decimals)) if is_digits(whole) && is_digits(decimals) => {
            Some((whole, Some(decimals)))
        }
        None if is_digits(word) => Some((word, None)),
        _ => None,
    }
}

/// `две целых пять десятых`.
fn fraction(whole: &str, decimals: &str) -> Option<String> {
    let count: u64 = decimals.parse().ok()?;
    let whole: u64 = whole.parse().ok()?;
    let parts = match decimals.len() {
        1 => ["десятая", "десятых"],
        2 => ["сотая", "сотых"],
        3 => ["тысячная", "тысячных"],
        _ => return Some(format!("{whole} запятая {}", digit_words(decimals))),
    };
    let ends_in_one = |n: u64| n % 10 == 1 && n % 100 != 11;
    let say = |n: u64| cardinal(n, Gender::Feminine, Case::Nominative);
    let wholes = if ends_in_one(whole) { "целая" } else { "целых" };
    let [one, many] = parts;
    let part = if ends_in_one(count) { one } else { many };
    Some(format!("{} {wholes} {} {part}", say(whole), say(count)))
}

fn with_unit(word: &str, case: Case) -> Option<String> {
    let (number, written) = match word.strip_prefix(['$', '€', '₽']) {
        Some(number) => (number, word.get(..word.len() - number.len())?),
        None => {
            let border = word.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ','))?;
            word.split_at_checked(border)?
        }
    };
    let noun = unit(&written.to_lowercase())?;
    let (whole, decimals) = plain_number(number)?;
    let count: u64 = whole.parse().ok()?;
    let small = match written {
        "₽" | "руб" | "р" => Some(KOPECK),
        "$" | "€" => Some(CENT),
        _ => None,
    };
    Some(match (decimals, small) {
        (None, _) => noun.counted(count, case),
        (Some(decimals), Some(small)) if decimals.len() == 2 => {
            let coins: u64 = decimals.parse().ok()?;
            let main = noun.counted(count, case);
            if coins == 0 { main } else { format!("{main} {}", small.counted(coins, case)) }
        }
        (Some(decimals), _) => format!("{} {}", fraction(whole, decimals)?, noun.few),
    })
}

fn time(word: &str, case: Case) -> Option<String> {
    let (hours, minutes) = word.split_once(':')?;
    if !is_digits(hours) || !is_digits(minutes) || hours.len() > 2 || minutes.len() != 2 {
        return None;
    }
    let (hour, minute): (u64, u64) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hour > 24 || minute > 59 {
        return None;
    }
    let say = |n: u64| cardinal(n, Gender::Masculine, case);
    Some(match (hour, minute) {
        (1, 0) => HOUR.after(1, case).to_owned(),
        (_, 0) => HOUR.counted(hour, case),
        (_, 1..=9) => format!("{} {} {}", say(hour), say(0), say(minute)),
        _ => format!("{} {}", say(hour), say(minute)),
    })
}

/// `20.11.2026` and `2026-11-20`.
fn date(word: &str, before: &str) -> Option<String> {
    let parts: Vec<&str> = word.split(['.', '-', '/']).collect();
    let [a, b, c] = parts.as_slice() else { return None };
    if ![a, b, c].into_iter().all(|part| is_digits(part)) {
        return None;
    }
    let (day, month, year) = if a.len() == 4 { (c, b, a) } else { (a, b, c) };
    let month: usize = month.parse().ok()?;
    let name = MONTHS.get(month.checked_sub(1)?)?;
    let day = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let year = ordinal(year.parse().ok().filter(|_| year.len() == 4)?, Ordinal::Genitive)?;
    Some(format!("{} {name} {year} года", ordinal(day, day_form(before))?))
}

/// `на двадцатое`, but `двадцатого` and `до двадцатого`.
fn day_form(before: &str) -> Ordinal {
    match before.to_lowercase().as_str() {
        "на" | "по" => Ordinal::Neuter,
        _ => Ordinal::Genitive,
    }
}

/// `2-й`, `5-го`, `1-я`.
fn nth(word: &str) -> Option<String> {
    let (digits, ending) = word.split_once('-')?;
    let form = match ending {
        "й" | "ый" | "ой" | "ий" => Ordinal::Masculine,
        "я" | "ая" => Ordinal::Feminine,
        "е" | "ое" => Ordinal::Neuter,
        "го" | "ого" => Ordinal::Genitive,
        "м" | "ом" => Ordinal::Prepositional,
        _ => return None,
    };
    ordinal(digits.parse().ok().filter(|_| is_digits(digits))?, form)
}

fn number(word: &str, neighbours: Neighbours<'_>) -> Option<String> {
    if let Some(digits) = word.strip_prefix(['#', '№']).filter(|digits| is_digits(digits)) {
        return Some(format!("номер {}", digits_of(digits, &RUSSIAN)));
    }
    if let Some(rest) = word.strip_prefix(['-', '−']).filter(|r| plain_number(r).is_some()) {
        return Some(format!("минус {}", number(rest, neighbours)?));
    }
    let (whole, decimals) = plain_number(word)?;
    if let Some(decimals) = decimals {
        return fraction(whole, decimals);
    }
    let value: u64 = whole.parse().unwrap_or(u64::MAX);
    let bare = |text: &str| text.trim_end_matches(|c: char| !c.is_alphabetic()).to_lowercase();
    let (before, after) = (bare(neighbours.before), bare(neighbours.after));
    if MONTHS.contains(&after.as_str()) && (1..=31).contains(&value) {
        return ordinal(value, day_form(neighbours.before));
    }
    let year = match after.as_str() {
        "года" | "г" if whole.len() == 4 => Some(Ordinal::Genitive),
        "году" => Some(Ordinal::Prepositional),
        "год" => Some(Ordinal::Masculine),
        _ if MONTHS.contains(&before.as_str()) && whole.len() == 4 => Some(Ordinal::Genitive),
        _ => None,
    };
    if let Some(said) =
        year.filter(|_| (1100..2100).contains(&value)).and_then(|f| ordinal(value, f))
    {
        return Some(said);
    }
    let names_something = [
        "номер",
        "заказ",
        "заказа",
        "заказу",
        "код",
        "накладная",
        "накладной",
        "счёт",
        "счет",
        "добавочный",
        "трек",
        "пин",
    ];
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if leading_zero
        || whole.len() > 9
        || (whole.len() >= 3
            && (names_something.contains(&before.as_str()) || neighbours.before == "№"))
    {
        return Some(digits_of(whole, &RUSSIAN));
    }
    let case = case_after(neighbours.before);
    let gender = match unit(&after) {
        Some(noun) => noun.gender,
        None => gender_before(value, neighbours),
    };
    Some(cardinal(value, gender, case))
}

const DAYS: [(&str, &str, &str, &str); 7] = [
    ("пн", "понедельник", "понедельника", "понедельник"),
    ("вт", "вторник", "вторника", "вторник"),
    ("ср", "среда", "среды", "среду"),
    ("чт", "четверг", "четверга", "четверг"),
    ("пт", "пятница", "пятницы", "пятницу"),
    ("сб", "суббота", "субботы", "субботу"),
    ("вс", "воскресенье", "воскресенья", "воскресенье"),
];

/// `Пн`, and `Пн-Пт` as `с понедельника по пятницу`.
fn days(word: &str) -> Option<String> {
    let lower = word.to_lowercase();
    let day = |short: &str| DAYS.iter().find(|(known, ..)| *known == short);
    match lower.split_once(['-', '–', '—']) {
        None => day(&lower).map(|(_, name, ..)| (*name).to_owned()),
        Some((from, to)) => Some(format!("с {} по {}", day(from)?.2, day(to)?.3)),
    }
}

/// `8-12` as `от восьми до двенадцати`.
fn range(word: &str) -> Option<String> {
    let (from, to) = word.split_once(['-', '–', '—'])?;
    let say = |text: &str| {
        time(text, Case::Genitive).or_else(|| {
            let value = text.parse().ok().filter(|_| is_digits(text) && text.len() <= 9)?;
            Some(cardinal(value, Gender::Masculine, Case::Genitive))
        })
    };
    Some(format!("от {} до {}", say(from)?, say(to)?))
}

fn network_address(word: &str) -> Option<String> {
    let lower = word.to_lowercase();
    let host = lower.split('/').next().unwrap_or_default();
    let known_end = [".ru", ".рф", ".com", ".org", ".net", ".su", ".by", ".kz", ".example"];
    let mail =
        lower.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    if !mail && !known_end.iter().any(|end| host.ends_with(end) && host.len() > end.len()) {
        return None;
    }
    let mut said = String::new();
    for c in lower.trim_end_matches('/').chars() {
        match c {
            '.' => said.push_str(" точка "),
            '@' => said.push_str(" собака "),
            '-' => said.push_str(" дефис "),
            '_' => said.push_str(" подчёркивание "),
            '/' => said.push_str(" дробь "),
            c if c.is_ascii_digit() => said.push_str(&format!(" {} ", digit_words(&c.to_string()))),
            c => said.push(c),
        }
    }
    Some(said.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Letters and digits mixed: `А4729`, `B-12`.
fn code(word: &str) -> Option<String> {
    let has_digit = word.chars().any(|c| c.is_ascii_digit());
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let coded = |c: char| c.is_uppercase() || c.is_ascii_digit() || c == '-';
    (has_digit && (1..=4).contains(&letters) && word.chars().all(coded))
        .then(|| digits_of(word, &RUSSIAN))
}

/// Acronyms letter by letter: `ООО`, `ИНН`; `ГОСТ` and whole words in capitals as words.
fn capitals(word: &str) -> Option<String> {
    const NAMES: [(char, &str); 28] = [
        ('А', "а"),
        ('Б', "бэ"),
        ('В', "вэ"),
        ('Г', "гэ"),
        ('Д', "дэ"),
        ('Е', "е"),
        ('Ж', "жэ"),
        ('З', "зэ"),
        ('И', "и"),
        ('К', "ка"),
        ('Л', "эль"),
        ('М', "эм"),
        ('Н', "эн"),
        ('О', "о"),
        ('П', "пэ"),
        ('Р', "эр"),
        ('С', "эс"),
        ('Т', "тэ"),
        ('У', "у"),
        ('Ф', "эф"),
        ('Х', "ха"),
        ('Ц', "цэ"),
        ('Ч', "че"),
        ('Ш', "ша"),
        ('Щ', "ща"),
        ('Э', "э"),
        ('Ю', "ю"),
        ('Я', "я"),
    ];
    let count = word.chars().count();
    let name = |c: char| NAMES.iter().find(|(letter, _)| *letter == c).map(|(_, name)| *name);
    if count < 2 || !word.chars().all(|c| c.is_uppercase() && !c.is_ascii()) {
        return None;
    }
    let has_vowel = word.chars().any(|c| "АЕИОУЫЭЮЯ".contains(c));
    if count > 4 || (count == 4 && has_vowel) {
        return Some(word.to_lowercase());
    }
    let names: Option<Vec<&str>> = word.chars().map(name).collect();
    names.map(|names| names.join(" "))
}
