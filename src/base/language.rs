//! The name of a language.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Two or three small letters as in ISO 639: `en`, `ru`, `yue`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LanguageCode([u8; 3]);

impl LanguageCode {
    pub const ENGLISH: Self = Self(*b"en ");

    /// `None` for anything else than two or three letters from a to z.
    pub fn new(text: &str) -> Option<Self> {
        match *text.as_bytes() {
            [a, b] if [a, b].iter().all(u8::is_ascii_lowercase) => Some(Self([a, b, b' '])),
            [a, b, c] if [a, b, c].iter().all(u8::is_ascii_lowercase) => Some(Self([a, b, c])),
            _ => None,
        }
    }

    /// The language of a tag such as `pt-br`.
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::new(&tag.split(['-', '_']).next()?.to_ascii_lowercase())
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("all three are letters or spaces").trim_end()
    }
}

impl Serialize for LanguageCode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for LanguageCode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = || serde::de::Error::custom("two or three letters from a to z");
        Self::new(&text).ok_or_else(wrong)
    }
}

impl fmt::Display for LanguageCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for LanguageCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_two_or_three_small_letters() {
        for text in ["en", "ru", "yue"] {
            assert_eq!(LanguageCode::new(text).unwrap().to_string(), text);
        }
        for text in ["", "e", "EN", "english", "e1", "ру", "en "] {
            assert_eq!(LanguageCode::new(text), None, "{text}");
        }
        assert_eq!(LanguageCode::of_tag("pt-BR"), LanguageCode::new("pt"));
        assert_eq!(LanguageCode::new("en"), Some(LanguageCode::ENGLISH));
    }
}
