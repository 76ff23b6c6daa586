//! Why there is no answer, and whether asking again may help.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What went wrong. Servers' own texts are not kept: they may quote the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
pub enum Fault {
    #[error("the server cannot be reached")]
    Unreachable,
    #[error("the server did not begin to answer in time")]
    Late,
    #[error("the server stopped in mid-answer")]
    Stalled,
    #[error("the server is busy or still loading the model")]
    Busy,
    #[error("the server wants another key")]
    Key,
    #[error("the server does not have the model")]
    NoModel,
    #[error("the server refuses the request with status {0}")]
    Refused(u16),
    #[error("the server failed with status {0}")]
    Server(u16),
    #[error("the server reported an error in mid-answer")]
    Told,
    #[error("the answer ended before its end")]
    CutOff,
    #[error("the answer is not in the protocol that is configured")]
    Protocol,
    #[error("the answer is longer than allowed")]
    TooLong,
    #[error("as many answers are being made as the server can make at once")]
    Full,
    #[error("the server is loading the model")]
    Loading,
    #[error("the server has failed repeatedly and is left alone for a while")]
    Resting,
}

/// Waits before the second and the third attempt at a server that is busy or not there.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

impl Fault {
    /// What a status other than 200 means.
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::Key,
            404 => Self::NoModel,
            408 | 425 | 429 | 503 => Self::Busy,
            500.. => Self::Server(status),
            _ => Self::Refused(status),
        }
    }

    /// How long to wait before asking again when `failed` attempts have failed; `None`: do not. Of
    /// an answer that had begun nothing is asked again: the caller may have heard its beginning.
    pub fn retry_after(self, failed: usize) -> Option<Duration> {
        match self {
            Self::Unreachable | Self::Busy => PAUSES.get(failed.checked_sub(1)?).copied(),
            Self::Server(_) if failed == 1 => PAUSES.first().copied(),
            _ => None,
        }
    }

    /// Only a change of the configuration or of the server's models ends it.
    pub const fn is_lasting(self) -> bool {
        matches!(self, Self::Key | Self::NoModel | Self::Refused(_) | Self::Protocol)
    }

    /// It speaks against the server, so the circuit breaker counts it.
    pub const fn is_the_servers(self) -> bool {
        !matches!(self, Self::Full | Self::Loading | Self::Resting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_meaning_and_its_attempts() {
        let millis = |fault: Fault| -> Vec<u128> {
            (1..5).filter_map(|failed| fault.retry_after(failed)).map(|d| d.as_millis()).collect()
        };
        for (status, fault, pauses) in [
            (400, Fault::Refused(400), vec![]),
            (401, Fault::Key, vec![]),
            (403, Fault::Key, vec![]),
            (404, Fault::NoModel, vec![]),
            (429, Fault::Busy, vec![250, 1_000]),
            (499, Fault::Refused(499), vec![]),
            (500, Fault::Server(500), vec![250]),
            (501, Fault::Server(501), vec![250]),
            (503, Fault::Busy, vec![250, 1_000]),
        ] {
            assert_eq!(Fault::of_status(status), fault, "{status}");
            assert_eq!(millis(fault), pauses, "{status}");
        }
        assert_eq!(millis(Fault::Unreachable), [250, 1_000]);
        for begun in [Fault::Stalled, Fault::Told, Fault::CutOff, Fault::TooLong, Fault::Late] {
            assert_eq!(begun.retry_after(1), None, "{begun:?}");
        }
        assert!(Fault::NoModel.is_lasting() && !Fault::Busy.is_lasting());
    }
}
