//! The section `[history]`: what is kept of calls, and for how long.

use serde::{Deserialize, Serialize};

use super::checked::Check;
use super::values::within;

/// As it is written.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// What was said is kept, and not only that it was.
    pub transcripts: bool,
    /// Calls with all that is of them are deleted after so many days, up to 36500. 0: never.
    pub days: i64,
    /// Calls that are kept at most, 100 to 10000000; the oldest go first.
    pub calls: i64,
}

impl Default for File {
    fn default() -> Self {
        Self { transcripts: true, days: 0, calls: 200_000 }
    }
}

/// As it was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    pub transcripts: bool,
    /// `None`: for ever.
    pub days: Option<u32>,
    pub calls: u32,
}

pub(super) fn history(file: &File, check: &mut Check<'_>) -> Option<History> {
    let days = check.take("history.days", file.days, within(file.days, 0, 36_500));
    let calls = check.take("history.calls", file.calls, within(file.calls, 100, 10_000_000));
    let (days, calls) = (days?, calls?);
    Some(History { transcripts: file.transcripts, days: (days > 0).then_some(days), calls })
}
