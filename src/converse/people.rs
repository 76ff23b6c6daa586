//! The people whom callers can be put through to: only those whom the owner has named.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Private, serial};

/// What the address of a handset of the box begins with; its name follows.
pub const HANDSET: &str = "local:";

const DAY: u16 = 24 * 60;
const WEEK: u16 = 7 * DAY;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// One of [`People`] by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PersonId(pub usize);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// As it is said.
    pub name: String,
    /// What callers call them besides that, as phrases of a playbook without slots.
    pub phrases: Vec<String>,
    pub address: Address,
    /// `None`: at any time.
    pub hours: Option<Hours>,
    /// Who makes the call there.
    #[serde(default)]
    pub way: Way,
    /// Who is tried when nobody takes the call.
    #[serde(default)]
    pub then: Option<PersonId>,
    /// How long it rings there before the caller is taken back.
    #[serde(with = "serial::ms")]
    pub ring: Duration,
}

/// Who makes the call to a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// The caller's own side, by REFER: the call leaves the box.
    #[default]
    Refer,
    /// We do, and join the two once the person has taken the caller.
    Bridge,
    /// We do, and once the person has taken the caller, the caller's own side calls them in our place
    /// (RFC 5589 section 7); where it does not, we join the two.
    Attended,
}

impl Way {
    /// Whether the first call to the person is ours.
    pub fn is_called_by_us(self) -> bool {
        self != Self::Refer
    }
}

/// Where a person is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// `sip:`, `sips:`, `tel:`, or `local:` for a handset of the box.
    Uri(#[serde(with = "serial::revealed")] Private<String>),
    /// A telephone number, for the caller's own side to know.
    Number(#[serde(with = "serial::revealed")] Private<String>),
}

impl Address {
    /// The name of a handset of the box.
    pub fn handset(&self) -> Option<&str> {
        match self {
            Self::Uri(uri) => uri.reveal().strip_prefix(HANDSET),
            Self::Number(_) => None,
        }
    }
}

/// Everybody who is configured, the first for callers who name nobody. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People(Arc<[Person]>);

/// Minutes since Monday 0:00, local time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeekMinute(u16);

/// When somebody is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours(Vec<Range<u16>>);

impl People {
    pub fn new(people: Vec<Person>) -> Self {
        Self(people.into())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, id: PersonId) -> Option<&Person> {
        self.0.get(id.0)
    }

    pub fn iter(&self) -> impl Iterator<Item = (PersonId, &Person)> {
        self.0.iter().enumerate().map(|(index, person)| (PersonId(index), person))
    }

    /// Whether they are there at this time.
    pub fn is_in(&self, id: PersonId, at: WeekMinute) -> bool {
        let hours = |person: &Person| person.hours.as_ref().is_none_or(|hours| hours.has(at));
        self.get(id).is_some_and(hours)
    }

    /// Who is tried after this person at this time, if anybody.
    pub fn next_in(&self, id: PersonId, at: WeekMinute) -> Option<PersonId> {
        let mut next = self.get(id)?.then;
        // Who names each other in a circle is passed once.
        for _ in 0..self.0.len() {
            match next {
                Some(id) if self.is_in(id, at) => return Some(id),
                Some(id) => next = self.get(id)?.then,
                None => return None,
            }
        }
        None
    }

    /// For a caller who names nobody.
    pub fn first_in(&self, at: WeekMinute) -> Option<PersonId> {
        self.iter().map(|(id, _)| id).find(|id| self.is_in(*id, at))
    }
}

impl WeekMinute {
    /// `day` counts from Monday, 0. What is out of range goes on in the next day or week.
    pub const fn new(day: u16, hour: u16, minute: u16) -> Self {
        let minutes = day as u32 * DAY as u32 + hour as u32 * 60 + minute as u32;
        Self((minutes % WEEK as u32) as u16)
    }
}

impl Hours {
    /// Reads `Mon-Fri 08:00-18:00, Sat 22:00-02:00`; an end before its beginning is the next day's.
    pub fn parse(text: &str) -> Option<Self> {
        let mut open = Vec::new();
        for part in text.split(',') {
            let (days, times) = part.trim().split_once(char::is_whitespace)?;
            let (first, last) = days.split_once('-').unwrap_or((days, days));
            let (first, last) = (day(first)?, day(last)?);
            let (from, to) = times.trim().split_once('-')?;
            let (from, to) = (time(from)?, time(to)?);
            let length = if to > from { to - from } else { to + DAY - from };
            let count = (last + 7 - first) % 7 + 1;
            for index in 0..count {
                let start = (first + index) % 7 * DAY + from;
                open.push(start..start + length);
            }
        }
        Some(Self(open))
    }

    /// What begins on Sunday may end on Monday.
    pub fn has(&self, at: WeekMinute) -> bool {
        self.0.iter().any(|open| open.contains(&at.0) || open.contains(&(at.0 + WEEK)))
    }
}

fn day(text: &str) -> Option<u16> {
    let text = text.trim().to_ascii_lowercase();
    let index = DAYS.iter().position(|day| *day == text)?;
    u16::try_from(index).ok()
}

/// Minutes of the day; 24:00 is its end.
fn time(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= DAY).then_some(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_hold_on_their_days_and_over_midnight() {
        let hours = Hours::parse("Mon-Fri 08:00-18:00, sat 22:00-02:00,Sun 23:30-00:30").unwrap();
        for (day, hour, minute, open) in [
            (0, 8, 0, true),
            (0, 7, 59, false),
            (4, 17, 59, true),
            (4, 18, 0, false),
            (5, 12, 0, false),
            (5, 23, 0, true),
            (6, 1, 59, true),
            (6, 2, 0, false),
            (6, 23, 59, true),
            (0, 0, 29, true),
            (0, 0, 30, false),
        ] {
            let at = WeekMinute::new(day, hour, minute);
            assert_eq!(hours.has(at), open, "{day} {hour}:{minute}");
        }
        assert!(Hours::parse("Fri-Mon 00:00-24:00").unwrap().has(WeekMinute::new(6, 12, 0)));
        assert!(!Hours::parse("Fri-Mon 00:00-24:00").unwrap().has(WeekMinute::new(2, 12, 0)));
    }

    #[test]
    fn what_is_no_hours_is_refused() {
        for text in [
            "",
            "always",
            "Mon",
            "Mon 8-18",
            "Mon 08:00",
            "Mo 08:00-18:00",
            "Mon 25:00-26:00",
            "Mon 08:60-09:00",
            "Mon +8:00-09:00",
        ] {
            assert_eq!(Hours::parse(text), None, "{text:?}");
        }
    }
}
