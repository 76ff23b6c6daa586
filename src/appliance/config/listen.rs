//! The section `[listen]`: when a caller's turn begins and ends.
//!
//! Its keys have the names and ranges that `attendant replay --set listen.KEY=VALUE` takes, so that what
//! was tried on a recorded call is written down as it was tried.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::checked::Check;
use super::values::allowed;
use crate::call::tuning;
use crate::listen::Settings;

/// What of [`Settings`] the owner can change; they say what each is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    pub speech_threshold: f64,
    pub onset_ms: i64,
    pub preroll_ms: i64,
    pub resume_ms: i64,
    pub shortest_speech_ms: i64,
    pub speculate_after_ms: i64,
    pub close_complete_ms: i64,
    pub close_probable_ms: i64,
    pub close_yes_no_ms: i64,
    pub close_unknown_ms: i64,
    pub close_unclear_ms: i64,
    pub close_doubtful_ms: i64,
    pub close_incomplete_ms: i64,
    pub close_digits_ms: i64,
    pub close_digits_incomplete_ms: i64,
    pub longest_pace_ms: i64,
    pub cut_off_within_ms: i64,
}

impl Default for Listen {
    fn default() -> Self {
        let ear = Settings::default();
        let ms = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        Self {
            // As it is written, and not the nearest that 32 bits can hold.
            speech_threshold: (f64::from(ear.speech_threshold) * 1_000.0).round() / 1_000.0,
            onset_ms: ms(ear.onset_ms),
            preroll_ms: ms(ear.preroll_ms),
            resume_ms: ms(ear.resume_ms),
            shortest_speech_ms: ms(ear.shortest_speech_ms),
            speculate_after_ms: ms(ear.speculate_after_ms),
            close_complete_ms: ms(ear.close_complete_ms),
            close_probable_ms: ms(ear.close_probable_ms),
            close_yes_no_ms: ms(ear.close_yes_no_ms),
            close_unknown_ms: ms(ear.close_unknown_ms),
            close_unclear_ms: ms(ear.close_unclear_ms),
            close_doubtful_ms: ms(ear.close_doubtful_ms),
            close_incomplete_ms: ms(ear.close_incomplete_ms),
            close_digits_ms: ms(ear.close_digits_ms),
            close_digits_incomplete_ms: ms(ear.close_digits_incomplete_ms),
            longest_pace_ms: ms(ear.longest_pace_ms),
            cut_off_within_ms: ms(ear.cut_off_within_ms),
        }
    }
}

/// The ear's settings with those of the file.
pub(super) fn listen(file: &Listen, check: &mut Check<'_>) -> Option<Settings> {
    let written: Map<String, Value> = match serde_json::to_value(file) {
        Ok(Value::Object(written)) => written,
        _ => return None,
    };
    let mut is_sound = true;
    for (name, value) in &written {
        // What JSON cannot hold, as infinity, is none.
        let outcome = tuning::check(name, value.as_f64().unwrap_or(f64::NAN));
        let outcome = outcome.or_else(allowed);
        is_sound &= check.take(&format!("listen.{name}"), Shown(value), outcome).is_some();
    }
    is_sound.then(|| tuning::with(written)).flatten()
}

/// A number as it stands in the file.
struct Shown<'a>(&'a Value);

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Value::Null => f.write_str("no number"),
            value => write!(f, "{value}"),
        }
    }
}
