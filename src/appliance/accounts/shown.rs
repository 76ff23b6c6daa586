//! What the owner is shown of one account: in the reasons of its health, and on the page.

use std::time::{Duration, Instant};

use crate::trunk::{Standing, Status};
use crate::web::AccountReport;

/// An account as it is. Times are those of the net thread's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub name: String,
    pub status: Status,
    /// Of an account of RingCentral's: what its REST interface does not do, with what to do about it.
    pub platform: Vec<String>,
}

impl Shown {
    /// What is wrong, as sentences.
    pub fn faults(&self) -> Vec<String> {
        let of_platform = self.platform.iter();
        let of_platform = of_platform.map(|text| format!("account {}: {text}", self.name));
        self.fault().into_iter().chain(of_platform).collect()
    }

    /// What is wrong with its registration.
    pub(super) fn fault(&self) -> Option<String> {
        let name = &self.name;
        match self.status {
            Status::Failing { reason, .. } => {
                Some(format!("account {name}: it is not registered: {reason}"))
            }
            Status::Registering => Some(format!("account {name}: it is not registered yet")),
            Status::Open(Standing { used: 2.., .. }) | Status::Unreachable { .. } => {
                Some(format!("account {name}: {}", self.servers()?))
            }
            Status::Registered { .. } | Status::Open(_) | Status::Left => None,
        }
    }

    /// Which of the servers that it does not register with is used, where not all answer.
    fn servers(&self) -> Option<String> {
        match self.status {
            Status::Open(Standing { gone: 0, .. }) => None,
            Status::Open(Standing { used, of, gone }) => {
                let answer = if gone == 1 { "does" } else { "do" };
                Some(format!("its server {used} of {of} is used, {gone} {answer} not answer"))
            }
            Status::Unreachable { reason, of: 1, .. } => Some(reason.to_string()),
            Status::Unreachable { reason, of, .. } => {
                Some(format!("none of its {of} servers answers: of the first, {reason}"))
            }
            _ => None,
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
            Status::Open(_) => ("open", None, None, self.servers()),
            Status::Unreachable { since, .. } => {
                let ago = ms(now.saturating_duration_since(since));
                ("unreachable", Some(unix_ms.saturating_sub(ago)), None, self.servers())
            }
            Status::Left => ("ended", None, None, None),
        };
        let reasons = reason.into_iter().chain(self.platform.iter().cloned());
        let reason = Some(reasons.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty());
        let status = match self.status {
            Status::Failing { reason, .. } => reason.status(),
            _ => None,
        };
        AccountReport { name: self.name.clone(), state, since_ms, until_ms, status, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::RegistrationFailure;
    use crate::trunk::Reason;

    #[test]
    fn an_account_is_shown_with_the_times_of_the_wall_clock() {
        let (start, minute) = (Instant::now(), Duration::from_secs(60));
        let now = start + minute;
        let shown = |status| {
            let (name, platform) = ("office".to_owned(), Vec::new());
            Shown { name, status, platform }.report(now, 100_000)
        };
        let registered = shown(Status::Registered { until: now + minute });
        assert_eq!((registered.state, registered.until_ms), ("registered", Some(160_000)));
        assert_eq!(shown(Status::Registered { until: start }).until_ms, Some(100_000));
        let reason = Reason::NoAddress;
        let failing = shown(Status::Failing { since: start, reason });
        assert_eq!((failing.state, failing.since_ms), ("failing", Some(40_000)));
        assert_eq!(failing.reason, Some(reason.to_string()));
        assert_eq!(shown(Status::Registering).state, "registering");
        assert_eq!(shown(Status::Left).state, "ended");
        let all_answer = Standing { used: 1, of: 2, gone: 0 };
        let open = shown(Status::Open(all_answer));
        assert_eq!((open.state, open.reason), ("open", None));
    }

    #[test]
    fn what_a_platform_refuses_stands_beside_the_registration() {
        let start = Instant::now();
        let platform = vec!["no telephony events come: x".to_owned()];
        let status = Status::Registered { until: start };
        let shown = Shown { name: "desk".to_owned(), status, platform };
        assert_eq!(shown.faults(), ["account desk: no telephony events come: x"]);
        let report = shown.report(start, 0);
        assert_eq!(report.state, "registered");
        assert_eq!(report.reason.as_deref(), Some("no telephony events come: x"));
    }

    #[test]
    fn an_account_without_registration_tells_which_server_is_used_and_how_many_are_gone() {
        let start = Instant::now();
        let shown = |status| Shown { name: "office".to_owned(), status, platform: Vec::new() };
        for (standing, reason, is_fault) in [
            (Standing { used: 1, of: 1, gone: 0 }, None, false),
            (
                Standing { used: 1, of: 3, gone: 2 },
                Some("its server 1 of 3 is used, 2 do not answer"),
                false,
            ),
            (
                Standing { used: 2, of: 2, gone: 1 },
                Some("its server 2 of 2 is used, 1 does not answer"),
                true,
            ),
        ] {
            let open = shown(Status::Open(standing));
            assert_eq!(open.report(start, 0).reason.as_deref(), reason);
            let fault = reason.filter(|_| is_fault).map(|text| format!("account office: {text}"));
            assert_eq!(open.fault(), fault);
        }
        let reason = Reason::Failed(RegistrationFailure::Unanswered);
        let gone = |of| shown(Status::Unreachable { since: start, reason, of });
        assert_eq!(gone(1).fault().unwrap(), "account office: its server does not answer");
        let told = "none of its 2 servers answers: of the first, its server does not answer";
        let report = gone(2).report(start, 7_000);
        assert_eq!((report.state, report.since_ms), ("unreachable", Some(7_000)));
        assert_eq!(report.reason.as_deref(), Some(told));
    }
}
