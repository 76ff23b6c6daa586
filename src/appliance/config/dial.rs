//! The section `[dial]`: whom the box may call, how often, and for how much.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checked::Check;
use super::values::{Allowed, MaxDuration, allowed, within};
use crate::base::limits;
use crate::listen::answered::OnMachine;
use crate::trunk::dialling::{Limits, Money, NumberPlan, Permission, Schedule, Settings, Tariff};

/// Entries of one list of beginnings of numbers.
const PREFIXES: usize = 1_000;
/// Digits of one: of a number with its country code there are 15 at most.
const PREFIX_DIGITS: usize = 15;
/// Of a country code, and of what is dialled before a number.
const CODE_DIGITS: usize = 3;
const DIALLED_DIGITS: usize = 5;
/// Longest that it may ring: our SIP core gives up after 180 s.
const RING_S: i64 = 170;

/// Calls that the box makes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dial {
    /// Beginnings of numbers that may be called, with plus and country code; `+` alone is every
    /// number. Empty: none, and dialling out is off.
    pub allow: Vec<String>,
    /// Beginnings of numbers that are not called in spite of `allow`.
    pub deny: Vec<String>,
    /// Country code of numbers that are given without one, as in `49`. Empty: such are not called.
    pub country_code: String,
    /// What national numbers begin with, as in `0`. Empty: with anything.
    pub national_prefix: String,
    /// What stands for the plus, as in `00` or `011`.
    pub international_prefix: String,
    /// Calls begun in any minute, 1 to 600, and in a day, 1 to 100000.
    pub calls_per_minute: i64,
    pub calls_per_day: i64,
    /// Price of a minute in the owner's currency, where `costs` has none.
    pub cost_per_minute: f64,
    /// What a day's calls may cost together. 0: no limit.
    pub budget_per_day: f64,
    /// Seconds that it rings before we give up, 5 to 170.
    pub ring_s: i64,
    /// Seconds to wait before a number is called again that was busy, or where nobody answered: after
    /// the first time, the second and so on, each 1 to 86400. Empty: it is not called again.
    pub busy_retry_s: Vec<i64>,
    pub no_answer_retry_s: Vec<i64>,
    /// What becomes of a call that an answering machine takes: `talk` begins at once, whoever answers;
    /// `leave-message` and `hang-up` say nothing until it is known who is there.
    pub on_machine: String,
    /// Prices of a minute by the beginning of the number; the longest that fits counts.
    pub costs: BTreeMap<String, f64>,
}

impl Default for Dial {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            country_code: String::new(),
            national_prefix: "0".to_owned(),
            international_prefix: "00".to_owned(),
            calls_per_minute: 6,
            calls_per_day: 100,
            cost_per_minute: 0.0,
            budget_per_day: 0.0,
            ring_s: 45,
            busy_retry_s: Vec::new(),
            no_answer_retry_s: Vec::new(),
            on_machine: "talk".to_owned(),
            costs: BTreeMap::new(),
        }
    }
}

pub(super) fn on_machine(file: &Dial, check: &mut Check<'_>) -> Option<OnMachine> {
    let outcome = OnMachine::from_name(&file.on_machine)
        .map_or_else(|| allowed("talk, leave-message or hang-up"), Ok);
    check.take("dial.on_machine", &file.on_machine, outcome)
}

/// Without the longest call, which `[calls]` has.
pub(super) fn dial(
    file: &Dial,
    has_accounts: bool,
    longest: Option<MaxDuration>,
    check: &mut Check<'_>,
) -> Option<Settings> {
    let allow = prefixes(&file.allow).and_then(|allow| match allow.is_empty() || has_accounts {
        true => Ok(allow),
        false => allowed("a section [[accounts]] or [[ringcentral]] to call through, too"),
    });
    let allow = check.take("dial.allow", &file.allow, allow);
    let deny = check.take("dial.deny", &file.deny, prefixes(&file.deny));
    let mut digits = |key: &str, text: &String, most| {
        let outcome = match text.len() <= most && text.chars().all(|c| c.is_ascii_digit()) {
            true => Ok(text.clone()),
            false => allowed(format!("at most {most} digits, or empty")),
        };
        check.take(key, text, outcome)
    };
    let country_code = digits("dial.country_code", &file.country_code, CODE_DIGITS);
    let national_prefix = digits("dial.national_prefix", &file.national_prefix, DIALLED_DIGITS);
    let international_prefix =
        digits("dial.international_prefix", &file.international_prefix, DIALLED_DIGITS);
    let per_minute = within(file.calls_per_minute, 1, 600);
    let per_minute = check.take("dial.calls_per_minute", file.calls_per_minute, per_minute);
    let per_day = within(file.calls_per_day, 1, 100_000);
    let per_day = check.take("dial.calls_per_day", file.calls_per_day, per_day);
    let cost = money(file.cost_per_minute);
    let cost = check.take("dial.cost_per_minute", file.cost_per_minute, cost);
    let budget = money(file.budget_per_day);
    let budget = check.take("dial.budget_per_day", file.budget_per_day, budget);
    let by_prefix: Result<Vec<_>, Allowed> =
        file.costs.iter().map(|(text, units)| Ok((prefix(text)?, money(*units)?))).collect();
    let by_prefix = check.take("dial.costs", &file.costs, by_prefix);
    let ring = within(file.ring_s, 5, RING_S).map(seconds);
    let ring = check.take("dial.ring_s", file.ring_s, ring);
    let busy = check.take("dial.busy_retry_s", &file.busy_retry_s, waits(&file.busy_retry_s));
    let no_answer = waits(&file.no_answer_retry_s);
    let no_answer = check.take("dial.no_answer_retry_s", &file.no_answer_retry_s, no_answer);
    Some(Settings {
        plan: NumberPlan {
            country_code: country_code?,
            national_prefix: national_prefix?,
            international_prefix: international_prefix?,
        },
        permission: Permission { allow: allow?, deny: deny? },
        tariff: Tariff { per_minute: cost?, by_prefix: by_prefix? },
        limits: Limits {
            per_minute: per_minute?,
            per_day: per_day?,
            budget: budget.map(|budget| (budget != Money::NONE).then_some(budget))?,
        },
        schedule: Schedule { busy: busy?, no_answer: no_answer? },
        ring: ring?,
        longest: longest?.as_duration(),
    })
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

fn money(units: f64) -> Result<Money, Allowed> {
    let range = || format!("0 to {}", Money::MOST);
    Money::of_units(units).ok_or(()).or_else(|()| allowed(range()))
}

/// The digits after the plus.
fn prefix(text: &str) -> Result<String, Allowed> {
    let digits = text.strip_prefix('+').unwrap_or("x");
    match digits.len() <= PREFIX_DIGITS && digits.chars().all(|c| c.is_ascii_digit()) {
        true => Ok(digits.to_owned()),
        false => allowed("beginnings of numbers with plus and country code, as in +49 or +4930"),
    }
}

fn prefixes(list: &[String]) -> Result<Vec<String>, Allowed> {
    match list.len() {
        0..=PREFIXES => list.iter().map(|text| prefix(text)).collect(),
        _ => allowed(format!("at most {PREFIXES} beginnings of numbers")),
    }
}

fn waits(list: &[i64]) -> Result<Vec<Duration>, Allowed> {
    let wait = |value: &i64| within(*value, 1, 86_400).map(seconds);
    let waits: Result<Vec<_>, _> = list.iter().map(wait).collect();
    match waits {
        Ok(waits) if waits.len() <= limits::DIAL_RETRIES => Ok(waits),
        _ => allowed(format!("at most {} waits, each 1 to 86400", limits::DIAL_RETRIES)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::from_text;
    use super::*;

    const ACCOUNT: &str =
        "[[accounts]]\nname = \"office\"\nserver = \"sip.example.net\"\nuser = \"1001\"\n";

    #[test]
    fn without_a_section_nobody_is_called() {
        let dial = from_text("").unwrap().dial;
        assert!(dial.permission.is_on().is_err());
        assert_eq!(dial.limits.budget, None);
        assert_eq!((dial.schedule, dial.ring.as_secs()), (Schedule::default(), 45));
    }

    #[test]
    fn the_rules_arrive_as_written() {
        let text = format!(
            "{ACCOUNT}[calls]\nmax_duration_s = 120\n[dial]\nallow = [\"+\"]\n\
             deny = [\"+49900\"]\ncountry_code = \"49\"\nbudget_per_day = 2.5\n\
             cost_per_minute = 1\nbusy_retry_s = [60, 300]\ncosts = {{ \"+49\" = 0.02 }}\n"
        );
        let dial = from_text(&text).unwrap().dial;
        let number = dial.number("030 123456").unwrap();
        assert_eq!(number.reveal(), "+4930123456");
        assert_eq!(dial.most(&number), Money::of_units(0.1).unwrap());
        assert_eq!(dial.most(&dial.number("+12125550100").unwrap()), Money::of_units(5.0).unwrap());
        assert!(dial.number("0900 1234567").is_err());
        assert_eq!(dial.limits.budget, Money::of_units(2.5));
        assert_eq!(dial.schedule.busy, [seconds(60), seconds(300)]);
    }

    #[test]
    fn one_wrong_value_in_each_key_is_found() {
        for (entry, key) in [
            ("allow = [\"49\"]", "allow"),
            ("allow = [\"+49 30\"]", "allow"),
            ("deny = [\"+1234567890123456\"]", "deny"),
            ("country_code = \"+49\"", "country_code"),
            ("national_prefix = \"x\"", "national_prefix"),
            ("international_prefix = \"123456\"", "international_prefix"),
            ("calls_per_minute = 0", "calls_per_minute"),
            ("calls_per_day = 100001", "calls_per_day"),
            ("cost_per_minute = -0.1", "cost_per_minute"),
            ("cost_per_minute = nan", "cost_per_minute"),
            ("budget_per_day = inf", "budget_per_day"),
            ("ring_s = 4", "ring_s"),
            ("ring_s = 171", "ring_s"),
            ("busy_retry_s = [0]", "busy_retry_s"),
            ("no_answer_retry_s = [1,1,1,1,1,1,1,1,1,1,1]", "no_answer_retry_s"),
            ("costs = { \"49\" = 0.1 }", "costs"),
            ("costs = { \"+49\" = -1 }", "costs"),
            ("numbers = 1", "numbers"),
        ] {
            let told = from_text(&format!("{ACCOUNT}[dial]\n{entry}\n")).unwrap_err().to_string();
            assert!(told.starts_with(&format!("dial.{key} = ")), "{entry}: {told}");
        }
        let alone = from_text("[dial]\nallow = [\"+49\"]\n").unwrap_err().to_string();
        assert!(alone.contains("[[accounts]]"), "{alone}");
    }
}
