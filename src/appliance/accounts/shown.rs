//! What the owner is shown of one account: in the reasons of its health, and on the page.

use std::time::{Duration, Instant};

use crate::trunk::Status;
use crate::web::AccountReport;

/// An account as it is. Times are those of the net thread's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub name: String,
    pub status: Status,
}

impl Shown {
    /// What is wrong, as a sentence.
    pub fn fault(&self) -> Option<String> {
        let name = &self.name;
        match self.status {
            Status::Failing { reason, .. } => {
                Some(format!("account {name}: it is not registered: {reason}"))
            }
            Status::Registering => Some(format!("account {name}: it is not registered yet")),
            Status::Registered { .. } | Status::Open | Status::Left => None,
        }
    }

    /// With the times of the wall clock, which says `unix_ms` at `now`.
    pub fn report(&self, now: Instant, unix_ms: u64) -> AccountReport {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (state, since_ms, until_ms, reason) = match self.status {
            Status::Registering => ("registering", None, None, None),
            Status::Registered { until } => {
                let left = ms(until.saturating_duration_since(now));
                ("registered", None, Some(unix_ms.saturating_add(left)), None)
            }
            Status::Failing { since, reason } => {
                let ago = ms(now.saturating_duration_since(since));
                ("failing", Some(unix_ms.saturating_sub(ago)), None, Some(reason.to_string()))
            }
            Status::Open => ("open", None, None, None),
            Status::Left => ("ended", None, None, None),
        };
        AccountReport { name: self.name.clone(), state, since_ms, until_ms, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trunk::Reason;

    #[test]
    fn an_account_is_shown_with_the_times_of_the_wall_clock() {
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let now = start + minute;
        let shown = |status| Shown { name: "office".to_owned(), status }.report(now, 100_000);
        let registered = shown(Status::Registered { until: now + minute });
        assert_eq!((registered.state, registered.until_ms), ("registered", Some(160_000)));
        assert_eq!(shown(Status::Registered { until: start }).until_ms, Some(100_000));
        let reason = Reason::NoAddress;
        let failing = shown(Status::Failing { since: start, reason });
        assert_eq!((failing.state, failing.since_ms), ("failing", Some(40_000)));
        assert_eq!(failing.reason, Some(reason.to_string()));
        assert_eq!(shown(Status::Registering).state, "registering");
        assert_eq!(shown(Status::Left).state, "ended");
        assert_eq!(shown(Status::Open).state, "open");
    }
}
