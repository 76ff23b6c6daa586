//! The section `[voicemail]`: how a message after the tone ends, and how long it is kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checked::Check;
use super::values::within;
use crate::call::VoicemailSettings;

/// As it is written.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// Seconds of silence that end a message, 2 to 30.
    pub silence_s: i64,
    /// Seconds of the longest message, 10 to 600.
    pub max_s: i64,
    /// The sound of messages is deleted after so many days, up to 36500. 0: never. The words stay with the message.
    pub days: i64,
    /// Megabytes of the sound of all messages, 1 to 100000000. Where there is no room no more are recorded.
    pub max_mb: i64,
}

impl Default for File {
    fn default() -> Self {
        Self { silence_s: 5, max_s: 180, days: 0, max_mb: 1_000 }
    }
}

/// As it was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voicemail {
    pub ends: VoicemailSettings,
    /// `None`: for ever.
    pub days: Option<u32>,
    pub bytes: u64,
}

pub(super) fn voicemail(file: &File, check: &mut Check<'_>) -> Option<Voicemail> {
    let silence = within(file.silence_s, 2, 30);
    let silence = check.take("voicemail.silence_s", file.silence_s, silence);
    let longest = check.take("voicemail.max_s", file.max_s, within(file.max_s, 10, 600));
    let days = check.take("voicemail.days", file.days, within(file.days, 0, 36_500));
    let mb = within(file.max_mb, 1, 100_000_000);
    let mb = check.take("voicemail.max_mb", file.max_mb, mb);
    let (silence, longest, days, mb): (u32, u32, u32, u32) = (silence?, longest?, days?, mb?);
    let seconds = |s: u32| Duration::from_secs(s.into());
    Some(Voicemail {
        ends: VoicemailSettings { silence: seconds(silence), longest: seconds(longest) },
        days: (days > 0).then_some(days),
        bytes: u64::from(mb) * 1_000_000,
    })
}
