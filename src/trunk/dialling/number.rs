//! Telephone numbers: from what people write to E.164, the one form in which numbers are compared.

use std::ops::RangeInclusive;

use crate::base::Private;

/// Digits of a number with its country code: E.164 has 15 at most, the shortest in use 7.
const DIGITS: RangeInclusive<usize> = 7..=15;
/// Characters of a number as it is written; more is no number.
const WRITTEN_CHARS: usize = 64;
/// What people put between digits (E.123), the space that does not break a line included.
const BETWEEN: [char; 7] = [' ', '\u{a0}', '-', '(', ')', '.', '/'];

/// A number of the world-wide telephone network, as E.164 has it: `+` and 7 to 15 digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(Private<String>);

impl Number {
    /// With its plus.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// Without it.
    pub fn digits(&self) -> &str {
        self.0.reveal().trim_start_matches('+')
    }
}

/// How numbers are dialled where the box stands; digits, each may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberPlan {
    /// Of a number without one, as in `49`. Empty: such numbers are not called.
    pub country_code: String,
    /// What a national number begins with, as in `0`. Empty: any that is not international is one.
    pub national_prefix: String,
    /// What stands for the plus, as in `00` or `011`.
    pub international_prefix: String,
}

/// Why a text is no number that can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotANumber {
    #[error("it has no digit")]
    Empty,
    #[error("a number has digits, spaces and -()./ only, and may begin with +")]
    Character,
    #[error("(0) must not stand in a number with a country code")]
    NationalZero,
    #[error("no country code begins with 0")]
    CountryCode,
    #[error("with its country code a number has 7 to 15 digits, not {0}")]
    Length(usize),
    #[error("it has no country code, and dial.country_code names none")]
    NoCountry,
    #[error("it is neither a national nor an international number by [dial]")]
    Local,
}

impl NumberPlan {
    /// The number that `written` is here.
    ///
    /// # Errors
    /// Says what is wrong with it; its digits do not stand in the error.
    pub fn normalise(&self, written: &str) -> Result<Number, NotANumber> {
        let written = written.trim();
        if written.chars().nth(WRITTEN_CHARS).is_some() {
            return Err(NotANumber::Character);
        }
        let (has_plus, rest) = match written.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        let is_written = |c: char| c.is_ascii_digit() || BETWEEN.contains(&c);
        if !rest.chars().all(is_written) {
            return Err(NotANumber::Character);
        }
        let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
        if digits.is_empty() {
            return Err(NotANumber::Empty);
        }
        let international = match has_plus {
            true => Some(digits.as_str()),
            false => after(&digits, &self.international_prefix),
        };
        match international {
            // In Italy it is dialled, in Germany it is not: which is meant cannot be known.
            Some(_) if rest.contains("(0)") => Err(NotANumber::NationalZero),
            Some(digits) => whole(digits.to_owned()),
            None => whole(format!("{}{}", self.country_code, self.national(&digits)?)),
        }
    }

    /// A national number without its prefix.
    fn national<'a>(&self, digits: &'a str) -> Result<&'a str, NotANumber> {
        if self.country_code.is_empty() {
            return Err(NotANumber::NoCountry);
        }
        match self.national_prefix.is_empty() {
            true => Ok(digits),
            false => after(digits, &self.national_prefix).ok_or(NotANumber::Local),
        }
    }
}

/// What follows a prefix; nothing begins with the empty one.
fn after<'a>(digits: &'a str, prefix: &str) -> Option<&'a str> {
    digits.strip_prefix(prefix).filter(|_| !prefix.is_empty())
}

fn whole(digits: String) -> Result<Number, NotANumber> {
    if digits.starts_with('0') {
        return Err(NotANumber::CountryCode);
    }
    match digits.len() {
        count if DIGITS.contains(&count) => Ok(Number(Private::new(format!("+{digits}")))),
        count => Err(NotANumber::Length(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(country: &str, national: &str, international: &str) -> NumberPlan {
        let [country_code, national_prefix, international_prefix] =
            [country, national, international].map(str::to_owned);
        NumberPlan { country_code, national_prefix, international_prefix }
    }

    #[test]
    fn what_people_write_becomes_e164() {
        let (germany, america, norway) =
            (plan("49", "0", "00"), plan("1", "1", "011"), plan("47", "", "00"));
        for (plan, written, number) in [
            (&germany, "+49 30 123456", "+4930123456"),
            (&germany, " 030/12 34-56 ", "+4930123456"),
            (&germany, "(030) 123.456", "+4930123456"),
            (&germany, "0049\u{a0}30123456", "+4930123456"),
            (&germany, "001 212 555 0100", "+12125550100"),
            (&america, "1 (212) 555-0100", "+12125550100"),
            (&america, "011 49 30 123456", "+4930123456"),
            (&norway, "22 12 34 56", "+4722123456"),
            (&norway, "0046 8 123 456", "+468123456"),
            (&NumberPlan::default(), "+290 12345", "+29012345"),
        ] {
            assert_eq!(plan.normalise(written).unwrap().reveal(), number, "{written}");
        }
    }

    #[test]
    fn what_is_no_number_is_told_why() {
        use NotANumber as N;
        let (germany, nowhere) = (plan("49", "0", "00"), NumberPlan::default());
        let long = "0".repeat(65);
        for (plan, written, fault) in [
            (&germany, "", N::Empty),
            (&germany, "+", N::Empty),
            (&germany, " - ", N::Empty),
            (&germany, "anna", N::Character),
            (&germany, "030 123456 x12", N::Character),
            (&germany, "sip:+4930123456@example.net", N::Character),
            (&germany, "+49+30123456", N::Character),
            (&germany, "030123456\r\nX: y", N::Character),
            (&germany, "\u{ff10}30123456", N::Character),
            (&germany, long.as_str(), N::Character),
            (&germany, "+49 (0)30 123456", N::NationalZero),
            (&germany, "0049 (0)30 123456", N::NationalZero),
            (&germany, "+0301234567", N::CountryCode),
            (&germany, "+49301", N::Length(5)),
            (&germany, "112", N::Local),
            (&germany, "123456", N::Local),
            (&germany, "+1234567890123456", N::Length(16)),
            (&nowhere, "030123456", N::NoCountry),
            (&nowhere, "0049301234567", N::NoCountry),
        ] {
            assert_eq!(plan.normalise(written), Err(fault), "{written:?}");
        }
    }

    #[test]
    fn a_number_does_not_print() {
        let number = plan("49", "0", "00").normalise("030 123456").unwrap();
        assert!(!format!("{number:?}").contains("123456"));
        assert_eq!(number.digits(), "4930123456");
    }
}
