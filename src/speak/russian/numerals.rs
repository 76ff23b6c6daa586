//! Numbers as Russian words, in gender and case.

/// Of the noun that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gender {
    Masculine,
    Feminine,
    Neuter,
}

/// Where a caller would hear a fault. Accusative differs from nominative for one feminine thing
/// only: `одну минуту`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Nominative,
    Genitive,
    Dative,
    Accusative,
}

/// A noun as it is counted: `час, часа, часов`.
#[derive(Clone, Copy, Debug)]
pub struct Noun {
    pub gender: Gender,
    pub one: &'static str,
    /// After 2, 3 and 4, and the genitive of one.
    pub few: &'static str,
    pub many: &'static str,
}

impl Noun {
    pub const fn new(gender: Gender, [one, few, many]: [&'static str; 3]) -> Self {
        Self { gender, one, few, many }
    }

    /// The form that follows `number`.
    pub const fn after(&self, number: u64, case: Case) -> &'static str {
        match (plural(number), case) {
            (Plural::One, Case::Genitive) => self.few,
            (Plural::One, _) => self.one,
            (Plural::Few, Case::Nominative | Case::Accusative) => self.few,
            (Plural::Few | Plural::Many, _) => self.many,
        }
    }

    /// `два часа`.
    pub fn counted(&self, number: u64, case: Case) -> String {
        format!("{} {}", cardinal(number, self.gender, case), self.after(number, case))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Plural {
    One,
    Few,
    Many,
}

const fn plural(number: u64) -> Plural {
    match (number % 100, number % 10) {
        (11..=19, _) => Plural::Many,
        (_, 1) => Plural::One,
        (_, 2..=4) => Plural::Few,
        _ => Plural::Many,
    }
}

/// Nominative and genitive of 3 to 20; the smaller ones have genders.
const SMALL: [(&str, &str); 18] = [
    ("три", "трёх"),
    ("четыре", "четырёх"),
    ("пять", "пяти"),
    ("шесть", "шести"),
    ("семь", "семи"),
    ("восемь", "восьми"),
    ("девять", "девяти"),
    ("десять", "десяти"),
    ("одиннадцать", "одиннадцати"),
    ("двенадцать", "двенадцати"),
    ("тринадцать", "тринадцати"),
    ("четырнадцать", "четырнадцати"),
    ("пятнадцать", "пятнадцати"),
    ("шестнадцать", "шестнадцати"),
    ("семнадцать", "семнадцати"),
    ("восемнадцать", "восемнадцати"),
    ("девятнадцать", "девятнадцати"),
    ("двадцать", "двадцати"),
];
const TENS: [(&str, &str); 8] = [
    ("двадцать", "двадцати"),
    ("тридцать", "тридцати"),
    ("сорок", "сорока"),
    ("пятьдесят", "пятидесяти"),
    ("шестьдесят", "шестидесяти"),
    ("семьдесят", "семидесяти"),
    ("восемьдесят", "восьмидесяти"),
    ("девяносто", "девяноста"),
];
const HUNDREDS: [(&str, &str, &str); 9] = [
    ("сто", "ста", "ста"),
    ("двести", "двухсот", "двумстам"),
    ("триста", "трёхсот", "трёмстам"),
    ("четыреста", "четырёхсот", "четырёмстам"),
    ("пятьсот", "пятисот", "пятистам"),
    ("шестьсот", "шестисот", "шестистам"),
    ("семьсот", "семисот", "семистам"),
    ("восемьсот", "восьмисот", "восьмистам"),
    ("девятьсот", "девятисот", "девятистам"),
];
const SCALES: [(u64, Noun); 3] = [
    (1_000_000_000, Noun::new(Gender::Masculine, ["миллиард", "миллиарда", "миллиардов"])),
    (1_000_000, Noun::new(Gender::Masculine, ["миллион", "миллиона", "миллионов"])),
    (1_000, Noun::new(Gender::Feminine, ["тысяча", "тысячи", "тысяч"])),
];
/// Numbers beyond this are read digit by digit.
const LARGEST: u64 = 999_999_999_999;

/// `двадцать одна`.
pub fn cardinal(number: u64, gender: Gender, case: Case) -> String {
    if number > LARGEST {
        return digit_words(&number.to_string());
    }
    if number == 0 {
        return match case {
            Case::Nominative | Case::Accusative => "ноль",
            Case::Genitive => "нуля",
            Case::Dative => "нулю",
        }
        .to_owned();
    }
    let mut words = Vec::new();
    let mut rest = number;
    for (scale, noun) in SCALES {
        let count = rest / scale;
        rest %= scale;
        if count == 1 {
            words.push(scale_alone(&noun, case).to_owned());
        } else if count > 0 {
            words.push(below_thousand(count, noun.gender, case));
            words.push(scale_after(&noun, count, case).to_owned());
        }
    }
    if rest > 0 {
        words.push(below_thousand(rest, gender, case));
    }
    words.join(" ")
}

fn scale_alone(noun: &Noun, case: Case) -> &'static str {
    match (noun.gender, case) {
        (Gender::Feminine, Case::Accusative) => "тысячу",
        (Gender::Feminine, Case::Dative) => "тысяче",
        _ => noun.after(1, case),
    }
}

fn scale_after(noun: &Noun, count: u64, case: Case) -> &'static str {
    match (noun.gender, plural(count), case) {
        (Gender::Feminine, Plural::One, Case::Accusative) => "тысячу",
        (Gender::Feminine, Plural::One, Case::Dative) => "тысяче",
        (Gender::Feminine, _, Case::Dative) => "тысячам",
        _ => noun.after(count, case),
    }
}

fn below_thousand(number: u64, gender: Gender, case: Case) -> String {
    let mut words: Vec<&str> = Vec::new();
    let at = |index: u64| usize::try_from(index).unwrap_or_default();
    let oblique = matches!(case, Case::Genitive | Case::Dative);
    let pick = |(nominative, genitive): (&'static str, &'static str)| {
        if oblique { genitive } else { nominative }
    };
    if let Some((nominative, genitive, dative)) =
        (number / 100).checked_sub(1).and_then(|n| HUNDREDS.get(at(n))).copied()
    {
        words.push(match case {
            Case::Nominative | Case::Accusative => nominative,
            Case::Genitive => genitive,
            Case::Dative => dative,
        });
    }
    let mut rest = number % 100;
    if rest > 20 {
        words.extend(TENS.get(at(rest / 10 - 2)).copied().map(pick));
        rest %= 10;
    }
    match rest {
        0 => {}
        1 => words.push(one(gender, case)),
        2 => words.push(two(gender, case)),
        3 if case == Case::Dative => words.push("трём"),
        4 if case == Case::Dative => words.push("четырём"),
        rest => words.extend(SMALL.get(at(rest - 3)).copied().map(pick)),
    }
    words.join(" ")
}

const fn one(gender: Gender, case: Case) -> &'static str {
    match (gender, case) {
        (Gender::Feminine, Case::Nominative) => "одна",
        (Gender::Feminine, Case::Accusative) => "одну",
        (Gender::Feminine, _) => "одной",
        (Gender::Neuter, Case::Nominative | Case::Accusative) => "одно",
        (Gender::Masculine, Case::Nominative | Case::Accusative) => "один",
        (_, Case::Genitive) => "одного",
        (_, Case::Dative) => "одному",
    }
}

const fn two(gender: Gender, case: Case) -> &'static str {
    match (gender, case) {
        (Gender::Feminine, Case::Nominative | Case::Accusative) => "две",
        (_, Case::Nominative | Case::Accusative) => "два",
        (_, Case::Genitive) => "двух",
        (_, Case::Dative) => "двум",
    }
}

/// The forms in which dates, years and `2-й` are said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordinal {
    /// `второй`
    Masculine,
    /// `вторая`
    Feminine,
    /// `второе`
    Neuter,
    /// `второго`
    Genitive,
    /// `втором`
    Prepositional,
}

/// Stems that take the hard endings, by value; `третий` is alone with its soft ones.
const ORDINAL_STEMS: [(u64, &str); 36] = [
    (1, "перв"),
    (2, "втор"),
    (4, "четвёрт"),
    (5, "пят"),
    (6, "шест"),
    (7, "седьм"),
    (8, "восьм"),
    (9, "девят"),
    (10, "десят"),
    (11, "одиннадцат"),
    (12, "двенадцат"),
    (13, "тринадцат"),
    (14, "четырнадцат"),
    (15, "пятнадцат"),
    (16, "шестнадцат"),
    (17, "семнадцат"),
    (18, "восемнадцат"),
    (19, "девятнадцат"),
    (20, "двадцат"),
    (30, "тридцат"),
    (40, "сороков"),
    (50, "пятидесят"),
    (60, "шестидесят"),
    (70, "семидесят"),
    (80, "восьмидесят"),
    (90, "девяност"),
    (100, "сот"),
    (200, "двухсот"),
    (300, "трёхсот"),
    (400, "четырёхсот"),
    (500, "пятисот"),
    (600, "шестисот"),
    (700, "семисот"),
    (800, "восьмисот"),
    (900, "девятисот"),
    (2_000, "двухтысячн"),
];

/// `двадцать шестого`: the last word alone is inflected. `None` for round thousands but 2000.
pub fn ordinal(number: u64, form: Ordinal) -> Option<String> {
    let step = |size: u64| number % size;
    let last = match number {
        2_000 => 2_000,
        _ if (1..=19).contains(&step(100)) => step(100),
        _ if step(10) > 0 => step(10),
        _ if step(100) > 0 => step(100),
        _ if step(1_000) > 0 => step(1_000),
        _ => return None,
    };
    let head = number - last;
    let tail = inflected(last, form)?;
    Some(match head {
        0 => tail,
        head => format!("{} {tail}", cardinal(head, Gender::Masculine, Case::Nominative)),
    })
}

fn inflected(number: u64, form: Ordinal) -> Option<String> {
    if number == 3 {
        let word = match form {
            Ordinal::Masculine => "третий",
            Ordinal::Feminine => "третья",
            Ordinal::Neuter => "третье",
            Ordinal::Genitive => "третьего",
            Ordinal::Prepositional => "третьем",
        };
        return Some(word.to_owned());
    }
    let (_, stem) = ORDINAL_STEMS.iter().find(|(value, _)| *value == number)?;
    let ending = match form {
        Ordinal::Masculine if matches!(number, 2 | 6 | 7 | 8 | 40) => "ой",
        Ordinal::Masculine => "ый",
        Ordinal::Feminine => "ая",
        Ordinal::Neuter => "ое",
        Ordinal::Genitive => "ого",
        Ordinal::Prepositional => "ом",
    };
    Some(format!("{stem}{ending}"))
}

/// `четыре семь два девять`; anything that is no digit is left out.
pub fn digit_words(digits: &str) -> String {
    let word = |digit: u32| cardinal(digit.into(), Gender::Masculine, Case::Nominative);
    let words: Vec<String> = digits.chars().filter_map(|c| c.to_digit(10)).map(word).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_agree_in_gender_and_case() {
        use Case::{Accusative, Dative, Genitive, Nominative};
        use Gender::{Feminine, Masculine, Neuter};
        let table = [
            (0, Masculine, Nominative, "ноль"),
            (1, Feminine, Nominative, "одна"),
            (1, Feminine, Accusative, "одну"),
            (1, Neuter, Nominative, "одно"),
            (2, Feminine, Nominative, "две"),
            (4, Masculine, Dative, "четырём"),
            (12, Feminine, Nominative, "двенадцать"),
            (21, Feminine, Nominative, "двадцать одна"),
            (42, Masculine, Genitive, "сорока двух"),
            (100, Masculine, Genitive, "ста"),
            (216, Masculine, Nominative, "двести шестнадцать"),
            (1_000, Masculine, Nominative, "тысяча"),
            (2_001, Masculine, Nominative, "две тысячи один"),
            (5_000, Masculine, Genitive, "пяти тысяч"),
            (21_000, Masculine, Accusative, "двадцать одну тысячу"),
            (4_729, Masculine, Nominative, "четыре тысячи семьсот двадцать девять"),
            (3_000_000, Masculine, Nominative, "три миллиона"),
        ];
        for (number, gender, case, expected) in table {
            assert_eq!(cardinal(number, gender, case), expected, "{number} {gender:?} {case:?}");
        }
        assert!(cardinal(u64::MAX, Masculine, Nominative).starts_with("один восемь"));
    }

    #[test]
    fn nouns_follow_their_number() {
        let hour = Noun::new(Gender::Masculine, ["час", "часа", "часов"]);
        let counts = [
            (1, "один час"),
            (2, "два часа"),
            (5, "пять часов"),
            (11, "одиннадцать часов"),
            (21, "двадцать один час"),
            (24, "двадцать четыре часа"),
            (112, "сто двенадцать часов"),
        ];
        for (number, expected) in counts {
            assert_eq!(hour.counted(number, Case::Nominative), expected);
        }
        assert_eq!(hour.counted(2, Case::Genitive), "двух часов");
        assert_eq!(hour.counted(1, Case::Genitive), "одного часа");
    }

    #[test]
    fn ordinals_inflect_their_last_word() {
        let table = [
            (1, Ordinal::Genitive, "первого"),
            (3, Ordinal::Neuter, "третье"),
            (20, Ordinal::Genitive, "двадцатого"),
            (21, Ordinal::Neuter, "двадцать первое"),
            (31, Ordinal::Genitive, "тридцать первого"),
            (6, Ordinal::Masculine, "шестой"),
            (1984, Ordinal::Prepositional, "тысяча девятьсот восемьдесят четвёртом"),
            (2000, Ordinal::Genitive, "двухтысячного"),
            (2026, Ordinal::Prepositional, "две тысячи двадцать шестом"),
            (2012, Ordinal::Genitive, "две тысячи двенадцатого"),
        ];
        for (number, form, expected) in table {
            assert_eq!(ordinal(number, form).as_deref(), Some(expected));
        }
        assert_eq!(ordinal(3_000, Ordinal::Genitive), None);
    }
}
