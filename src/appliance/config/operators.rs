//! The section `[operators]`: whether people of the firm may listen to calls and speak in them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::checked::Check;
use super::values::{Allowed, allowed};
use crate::base::{LanguageCode, limits};

/// As it is written.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// Whoever has the scope `listen` may listen to calls, and take them over.
    pub enabled: bool,
    /// What callers are told of it after the greeting, by language. None: nothing.
    pub announce: BTreeMap<String, String>,
    /// What is said when a call that was taken over is given back, by language.
    pub back: BTreeMap<String, String>,
}

impl Default for File {
    fn default() -> Self {
        let back = [
            ("en", "I am back. What can I do for you?"),
            ("ru", "Я снова с вами. Чем могу помочь?"),
        ];
        Self {
            enabled: false,
            announce: BTreeMap::new(),
            back: back.map(|(code, text)| (code.to_owned(), text.to_owned())).into(),
        }
    }
}

/// As it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operators {
    pub enabled: bool,
    /// By language, two or three letters.
    pub announce: BTreeMap<String, String>,
    pub back: BTreeMap<String, String>,
}

pub(super) fn operators(file: &File, check: &mut Check<'_>) -> Option<Operators> {
    let announce = sentences(&file.announce);
    let announce = check.take("operators.announce", &file.announce, announce);
    let back = check.take("operators.back", &file.back, sentences(&file.back));
    Some(Operators { enabled: file.enabled, announce: announce?, back: back? })
}

fn sentences(texts: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Allowed> {
    let is_language = |code: &String| LanguageCode::new(code).is_some();
    let is_sentence = |text: &String| {
        let chars = text.trim().chars().count();
        (1..=limits::OPERATOR_SENTENCE_CHARS).contains(&chars)
            && !text.chars().any(char::is_control)
    };
    match texts.keys().all(is_language) && texts.values().all(is_sentence) {
        true => Ok(texts.clone()),
        false => allowed(format!(
            "a sentence of at most {} characters for each language, as in {{ en = \"I am back.\" }}",
            limits::OPERATOR_SENTENCE_CHARS
        )),
    }
}
