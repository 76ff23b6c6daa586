//! The section `[recordings]`: whether calls are recorded, what is said of it, and how long they are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::checked::Check;
use super::values::{Allowed, allowed, within};
use crate::base::{LanguageCode, limits};

/// As it is written.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// Calls are recorded.
    pub enabled: bool,
    /// What is said after the greeting, by language. A call in a language without a sentence is not recorded.
    pub consent: BTreeMap<String, String>,
    /// Recordings are deleted after so many days, up to 36500. 0: when there is no room any more.
    pub days: i64,
    /// Megabytes of all of them, 1 to 100000000; the oldest go first.
    pub max_mb: i64,
    /// They are encrypted with the credential `recordings_key`.
    pub encrypted: bool,
}

impl Default for File {
    fn default() -> Self {
        let consent = ("en".to_owned(), "This call is recorded.".to_owned());
        Self {
            enabled: false,
            consent: [consent].into(),
            days: 30,
            max_mb: 2_000,
            encrypted: false,
        }
    }
}

/// As it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recordings {
    pub enabled: bool,
    /// By language, two or three letters.
    pub consent: BTreeMap<String, String>,
    /// `None`: until there is no room.
    pub days: Option<u32>,
    pub bytes: u64,
    pub encrypted: bool,
}

pub(super) fn recordings(file: &File, check: &mut Check<'_>) -> Option<Recordings> {
    let consent = consent(&file.consent, file.enabled);
    let consent = check.take("recordings.consent", &file.consent, consent);
    let days = check.take("recordings.days", file.days, within(file.days, 0, 36_500));
    let mb = within(file.max_mb, 1, 100_000_000);
    let mb = check.take("recordings.max_mb", file.max_mb, mb);
    let (days, mb) = (days?, mb?);
    Some(Recordings {
        enabled: file.enabled,
        consent: consent?,
        days: (days > 0).then_some(days),
        bytes: u64::from(mb) * 1_000_000,
        encrypted: file.encrypted,
    })
}

fn consent(
    sentences: &BTreeMap<String, String>,
    enabled: bool,
) -> Result<BTreeMap<String, String>, Allowed> {
    let is_language = |code: &String| LanguageCode::new(code).is_some();
    let is_sentence = |text: &String| {
        let chars = text.trim().chars().count();
        (1..=limits::CONSENT_CHARS).contains(&chars) && !text.chars().any(char::is_control)
    };
    let is_right = sentences.keys().all(is_language) && sentences.values().all(is_sentence);
    match is_right && (!enabled || !sentences.is_empty()) {
        true => Ok(sentences.clone()),
        false => allowed(format!(
            "a sentence of at most {} characters for each language, as in {{ en = \"This call is recorded.\" }}",
            limits::CONSENT_CHARS
        )),
    }
}
