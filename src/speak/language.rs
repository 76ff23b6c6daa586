//! Whose words a text becomes. A language is one file that makes a `Spoken`, and one row in
//! `LANGUAGES`.

use super::english::ENGLISH;
use super::normalise::spaced;
use super::russian::RUSSIAN;
use crate::base::LanguageCode;

/// A language as the normaliser knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    English,
    Russian,
    /// Passes through, but for `<digits>`: the voice, espeak-ng, reads numbers itself.
    Other,
}

/// What one language knows of being read aloud.
pub(super) struct Spoken {
    /// Written text without marks as words.
    pub(super) words: fn(&str) -> String,
    /// Digits one by one.
    pub(super) digits: fn(&str) -> String,
    pub(super) plus: &'static str,
    /// Whether a word with its full stop is an abbreviation after which a sentence goes on.
    pub(super) is_abbreviation: fn(&str) -> bool,
    /// Words before which a long sentence may pause.
    pub(super) conjunctions: &'static [&'static str],
    /// Names of the digits, which stay together.
    pub(super) digit_names: &'static [&'static str],
    /// Words that are not torn from the number before them.
    pub(super) after_number: &'static [&'static str],
    /// Abbreviations that may end a sentence all the same.
    pub(super) ends_day: &'static [&'static str],
}

const LANGUAGES: [(&str, Language); 2] = [("en", Language::English), ("ru", Language::Russian)];

const OTHER: Spoken = Spoken {
    words: |text| text.trim().to_owned(),
    digits: spaced,
    plus: "plus",
    is_abbreviation: |_| false,
    conjunctions: &[],
    digit_names: &[],
    after_number: &[],
    ends_day: &[],
};

impl Language {
    pub fn of(code: LanguageCode) -> Self {
        let known = LANGUAGES.iter().find(|(name, _)| *name == code.as_str());
        known.map_or(Self::Other, |(_, language)| *language)
    }

    pub(super) const fn spoken(self) -> &'static Spoken {
        match self {
            Self::English => &ENGLISH,
            Self::Russian => &RUSSIAN,
            Self::Other => &OTHER,
        }
    }
}
