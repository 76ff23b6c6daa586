//! Calls that we make: which numbers are called, how often, for how much, and when again.
//!
//! ```text
//!  text ─ NumberPlan ─▶ Number ─ Permission ─▶ may be called ─ Ledger ─▶ within the limits
//!                                                                          │ busy, no answer
//!                                                                          ▼
//!                                                                        Redial ─▶ again, or over
//! ```
//!
//! Decides only; the call is made by the front. The ledger's memory over a restart is `store`'s.

mod ledger;
mod number;
mod permission;
mod redial;
mod tariff;

pub use ledger::{Ledger, LimitReached, Limits};
pub use number::{NotANumber, Number, NumberPlan};
pub use permission::{Forbidden, Permission};
pub use redial::{Redial, Schedule, Unanswered};
pub use tariff::{Money, Tariff};

use std::time::Duration;

/// Time that a call may take beyond the longest one: until it is known who has answered, and for the words
/// that end it.
const BEYOND: Duration = Duration::from_secs(75 + 60);

/// The owner's rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub plan: NumberPlan,
    pub permission: Permission,
    pub tariff: Tariff,
    pub limits: Limits,
    pub schedule: Schedule,
    /// How long it rings before we give up.
    pub ring: Duration,
    /// The longest call.
    pub longest: Duration,
}

/// Why a number is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0}")]
    NotANumber(#[from] NotANumber),
    #[error("{0}")]
    Forbidden(#[from] Forbidden),
    #[error("{0}")]
    Limit(#[from] LimitReached),
}

impl Settings {
    /// The number that is meant, if it may be called at all.
    ///
    /// # Errors
    /// `NotANumber` or `Forbidden`.
    pub fn number(&self, text: &str) -> Result<Number, Refusal> {
        self.permission.is_on()?;
        let number = self.plan.normalise(text)?;
        self.permission.check(&number)?;
        Ok(number)
    }

    /// The most that one call of this number can cost: what is set aside for it.
    pub fn most(&self, number: &Number) -> Money {
        self.tariff.cost(number, self.longest + BEYOND)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            plan: NumberPlan {
                country_code: "49".to_owned(),
                national_prefix: "0".to_owned(),
                international_prefix: "00".to_owned(),
            },
            permission: Permission { allow: vec!["49".to_owned()], deny: vec!["49900".to_owned()] },
            tariff: Tariff { per_minute: Money::of_units(0.02).unwrap(), by_prefix: Vec::new() },
            limits: Limits { per_minute: 2, per_day: 5, budget: None },
            schedule: Schedule::default(),
            ring: Duration::from_secs(45),
            longest: Duration::from_secs(300),
        }
    }

    #[test]
    fn a_number_is_looked_at_as_it_is_called_and_not_as_it_is_written() {
        let settings = settings();
        for text in ["0900 123456", "0049 900 123456", "+49900123456"] {
            assert_eq!(settings.number(text), Err(Forbidden::Denied.into()), "{text}");
        }
        assert_eq!(settings.number("030 123456").unwrap().reveal(), "+4930123456");
        assert_eq!(settings.number("+1 212 555 0100"), Err(Forbidden::NotAllowed.into()));
        assert!(matches!(settings.number("anna"), Err(Refusal::NotANumber(_))));
    }

    #[test]
    fn nothing_is_called_where_nothing_is_allowed_and_that_is_said_first() {
        let mut settings = settings();
        settings.permission.allow.clear();
        assert_eq!(settings.number("anna"), Err(Forbidden::Off.into()));
    }

    #[test]
    fn the_longest_call_and_its_farewell_are_set_aside() {
        let number = settings().number("030 123456").unwrap();
        assert_eq!(settings().most(&number), Money::of_units(0.16).unwrap());
    }
}
