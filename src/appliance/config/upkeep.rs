//! How the box looks after itself: `[canary]`, `[realtime]` and `[updates]`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checked::Check;
use super::values::{allowed, within};

/// Calls of the box to itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CanaryKeys {
    /// Seconds between two, 60 to 86400, while nobody else calls. 0: none.
    pub every_s: i64,
}

impl Default for CanaryKeys {
    /// Four an hour: each keeps the processor busy for a few seconds, and what is wrong is known within the time in
    /// which somebody would ask.
    fn default() -> Self {
        Self { every_s: 900 }
    }
}

/// The audio thread's place on the machine.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RealTimeKeys {
    /// Its SCHED_FIFO priority, 1 to 99. 0: it is a thread like any other.
    pub priority: i64,
    /// The core that it is bound to, from 0 on. -1: by the machine.
    pub audio_core: i64,
}

impl Default for RealTimeKeys {
    fn default() -> Self {
        Self { priority: 40, audio_core: -1 }
    }
}

/// When what is newer is installed, on a system that can be updated as a whole.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpdatesKeys {
    /// By itself, once a day at `at`.
    pub automatic: bool,
    /// `HH:MM` by the box's clock: the time outside busy hours.
    pub at: String,
}

impl Default for UpdatesKeys {
    fn default() -> Self {
        Self { automatic: false, at: "03:00".to_owned() }
    }
}

/// The same, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updates {
    pub automatic: bool,
    /// Minutes after midnight.
    pub at: u32,
}

/// The same, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealTime {
    pub priority: Option<i32>,
    /// `None`: by the machine.
    pub audio_core: Option<usize>,
}

const DAY_S: i64 = 86_400;
/// As many as the kernel's sets of cores hold.
const CORES: i64 = 1_023;

pub(super) fn canary(keys: &CanaryKeys, check: &mut Check<'_>) -> Option<Option<Duration>> {
    if keys.every_s == 0 {
        return Some(None);
    }
    let every = within(keys.every_s, 60, DAY_S);
    let every = check.take("canary.every_s", keys.every_s, every)?;
    Some(Some(Duration::from_secs(every.into())))
}

pub(super) fn updates(keys: &UpdatesKeys, check: &mut Check<'_>) -> Option<Updates> {
    let parsed = keys.at.split_once(':').and_then(|(hour, minute)| {
        let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let both = digits(hour) && digits(minute);
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        (both && hour < 24 && minute < 60).then_some(hour * 60 + minute)
    });
    let at = parsed.map_or_else(|| allowed("a time of day, as in 03:00"), Ok);
    let at = check.take("updates.at", &keys.at, at)?;
    Some(Updates { automatic: keys.automatic, at })
}

pub(super) fn real_time(keys: &RealTimeKeys, check: &mut Check<'_>) -> Option<RealTime> {
    let priority = check.take("realtime.priority", keys.priority, within(keys.priority, 0, 99));
    let core = match keys.audio_core {
        -1 => None,
        core => Some(check.take("realtime.audio_core", core, within(core, 0, CORES))?),
    };
    Some(RealTime {
        priority: i32::try_from(priority?).ok().filter(|priority| *priority > 0),
        audio_core: core.and_then(|core| usize::try_from(core).ok()),
    })
}
