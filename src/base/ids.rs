//! Identities that cross module borders.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One call, from its INVITE to its record. Unique while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallId(pub u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

impl std::str::FromStr for CallId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.strip_prefix('c').ok_or(())?;
        digits.parse().map(Self).map_err(|_| ())
    }
}

/// One thing that we say in a call, numbered from 1. Barge-in stops an utterance by its number.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct UtteranceId(pub u32);

impl UtteranceId {
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// One piece of work that a call asks of the speech engine, numbered by the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkId(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_reads_back_what_it_prints() {
        assert_eq!("c42".parse(), Ok(CallId(42)));
        assert_eq!(CallId(42).to_string(), "c42");
        assert!("42".parse::<CallId>().is_err());
        assert!("c".parse::<CallId>().is_err());
    }
}
