//! What calls cost, by the owner's own table: no provider is asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::number::Number;

/// Millionths of the owner's currency, whichever that is.
const PARTS: f64 = 1_000_000.0;

/// An amount, in millionths of the owner's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(u64);

impl Money {
    pub const NONE: Self = Self(0);
    /// Of one amount in the configuration.
    pub const MOST: f64 = 1_000_000.0;

    /// From units of the currency, 0 to [`Self::MOST`]; `None` for anything else.
    pub fn of_units(units: f64) -> Option<Self> {
        let fits = (0.0..=Self::MOST).contains(&units);
        fits.then(|| Self((units * PARTS).round() as u64))
    }

    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Prices of a minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tariff {
    /// Of a number that `by_prefix` does not know.
    pub per_minute: Money,
    /// By the digits that a number begins with; the longest that fits counts.
    pub by_prefix: Vec<(String, Money)>,
}

impl Tariff {
    /// What a talk of this length costs. A minute that has begun is paid.
    pub fn cost(&self, number: &Number, talk: Duration) -> Money {
        let minutes = talk.as_millis().div_ceil(60_000);
        let minutes = u64::try_from(minutes).unwrap_or(u64::MAX);
        Money(self.per_minute(number).0.saturating_mul(minutes))
    }

    fn per_minute(&self, number: &Number) -> Money {
        let fitting = self
            .by_prefix
            .iter()
            .filter(|(prefix, _)| number.digits().starts_with(prefix.as_str()));
        let longest = fitting.max_by_key(|(prefix, _)| prefix.len());
        longest.map_or(self.per_minute, |(_, price)| *price)
    }
}

#[cfg(test)]
mod tests {
    use super::super::NumberPlan;
    use super::*;

    #[test]
    fn the_longest_prefix_has_the_price_and_begun_minutes_are_paid() {
        let price = |units| Money::of_units(units).unwrap();
        let tariff = Tariff {
            per_minute: price(1.0),
            by_prefix: vec![("49".to_owned(), price(0.02)), ("4915".to_owned(), price(0.2))],
        };
        for (number, seconds, cost) in [
            ("+4930123456", 0, 0.0),
            ("+4930123456", 1, 0.02),
            ("+4930123456", 60, 0.02),
            ("+4930123456", 61, 0.04),
            ("+4915123456", 119, 0.4),
            ("+12125550100", 60, 1.0),
        ] {
            let called = NumberPlan::default().normalise(number).unwrap();
            let talk = Duration::from_secs(seconds);
            assert_eq!(tariff.cost(&called, talk), price(cost), "{number} {seconds}");
        }
    }

    #[test]
    fn an_amount_is_neither_negative_nor_endless_and_sums_do_not_overflow() {
        for wrong in [-0.01, f64::NAN, f64::INFINITY, 1e12] {
            assert_eq!(Money::of_units(wrong), None);
        }
        assert_eq!(Money(u64::MAX).plus(Money(1)), Money(u64::MAX));
    }
}
