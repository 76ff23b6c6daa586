//! The section `[campaigns]`: when many numbers are called, and how often each.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checked::Check;
use super::values::{allowed, within};
use crate::base::limits;
use crate::converse::people::Hours;
use crate::trunk::campaign::Rules;

const CALLS: i64 = 100;
/// A week.
const LONGEST_S: i64 = 7 * 86_400;

/// As it is written.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// Calls of campaigns at once, 1 to 100.
    pub at_once: i64,
    /// When numbers may be called, by the box's clock.
    pub hours: String,
    /// Calls of one number at most, 1 to 10.
    pub attempts: i64,
    /// Seconds before a number is called again that was busy, 1 to 604800.
    pub busy_retry_s: i64,
    /// The same where nobody answered, or the call failed.
    pub no_answer_retry_s: i64,
    /// The same where a machine answered and was told nothing.
    pub machine_retry_s: i64,
}

impl Default for File {
    fn default() -> Self {
        Self {
            at_once: 1,
            hours: "Mon-Sat 09:00-20:00".to_owned(),
            attempts: 3,
            busy_retry_s: 300,
            no_answer_retry_s: 3_600,
            machine_retry_s: 7_200,
        }
    }
}

/// As it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaigns {
    pub at_once: usize,
    pub hours: Hours,
    pub rules: Rules,
}

pub(super) fn campaigns(file: &File, check: &mut Check<'_>) -> Option<Campaigns> {
    let at_once = within(file.at_once, 1, CALLS);
    let at_once = check.take("campaigns.at_once", file.at_once, at_once);
    let hours = Hours::parse(&file.hours)
        .map_or_else(|| allowed("days and times as in Mon-Fri 09:00-20:00, Sat 10:00-18:00"), Ok);
    let hours = check.take("campaigns.hours", &file.hours, hours);
    let attempts = within(file.attempts, 1, limits::CAMPAIGN_ATTEMPTS.into());
    let attempts = check.take("campaigns.attempts", file.attempts, attempts);
    let mut wait = |key: &str, seconds: i64| {
        let outcome = within(seconds, 1, LONGEST_S).map(|s| Duration::from_secs(s.into()));
        check.take(key, seconds, outcome)
    };
    let busy = wait("campaigns.busy_retry_s", file.busy_retry_s);
    let no_answer = wait("campaigns.no_answer_retry_s", file.no_answer_retry_s);
    let machine = wait("campaigns.machine_retry_s", file.machine_retry_s);
    Some(Campaigns {
        at_once: usize::try_from(at_once?).ok()?,
        hours: hours?,
        rules: Rules { attempts: attempts?, busy: busy?, no_answer: no_answer?, machine: machine? },
    })
}

#[cfg(test)]
mod tests {
    use super::super::from_text;
    use crate::converse::people::WeekMinute;

    #[test]
    fn without_a_section_one_number_at_a_time_is_called_by_day() {
        let campaigns = from_text("").unwrap().campaigns;
        assert_eq!((campaigns.at_once, campaigns.rules.attempts), (1, 3));
        assert!(campaigns.hours.has(WeekMinute::new(5, 19, 59)));
        assert!(!campaigns.hours.has(WeekMinute::new(5, 20, 0)));
        assert!(!campaigns.hours.has(WeekMinute::new(6, 12, 0)), "not on Sundays");
    }

    #[test]
    fn one_wrong_value_in_each_key_is_found() {
        for (entry, key) in [
            ("at_once = 0", "at_once"),
            ("hours = \"\"", "hours"),
            ("hours = \"always\"", "hours"),
            ("attempts = 11", "attempts"),
            ("busy_retry_s = 0", "busy_retry_s"),
            ("no_answer_retry_s = 604801", "no_answer_retry_s"),
            ("machine_retry_s = -1", "machine_retry_s"),
        ] {
            let told = from_text(&format!("[campaigns]\n{entry}\n")).unwrap_err().to_string();
            assert!(told.starts_with(&format!("campaigns.{key} = ")), "{entry}: {told}");
        }
    }
}
