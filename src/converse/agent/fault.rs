//! How a connection to an agent ends, and what follows from that.

use serde::{Deserialize, Serialize};

/// How it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The agent's side has closed it as planned (close code 1000).
    Finished,
    Failed(Fault),
}

/// Why there is no agent. Texts are for the log and the page, without an address or a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Fault {
    #[error("it cannot be reached")]
    Unreachable,
    #[error("the key is refused (status {0})")]
    Key(u16),
    #[error("there is no such agent (status 404)")]
    Unknown,
    #[error("it has too much to do (status 429)")]
    Busy,
    #[error("it refuses with status {0}")]
    Status(u16),
    #[error("it took too long to answer")]
    Late,
    #[error("it gives sound in a format that is not known here")]
    Format,
    #[error("what it sends cannot be read")]
    Unreadable,
    #[error("it has closed the connection with code {0}")]
    Closed(u16),
    #[error("the connection was lost")]
    Lost,
    #[error("it says nothing")]
    Silent,
    #[error("it takes no sound")]
    Stalled,
    #[error("agent.max_seconds_per_call is reached")]
    CallSeconds,
    #[error("agent.max_seconds_per_day is reached")]
    DaySeconds,
    #[error("its seconds cannot be counted: the disk does not take them")]
    Uncounted,
    #[error("it has failed before and is left alone for a while")]
    Resting,
}

impl Fault {
    /// Of a response to a request over HTTP.
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::Key(status),
            404 => Self::Unknown,
            429 => Self::Busy,
            status => Self::Status(status),
        }
    }

    /// Whether another attempt within the same call may succeed; one is made at most.
    pub const fn may_pass(self) -> bool {
        match self {
            Self::Unreachable | Self::Busy | Self::Lost | Self::Closed(1011 | 1006) => true,
            Self::Status(status) => status >= 500,
            Self::Key(_)
            | Self::Unknown
            | Self::Late
            | Self::Format
            | Self::Unreadable
            | Self::Closed(_)
            | Self::Silent
            | Self::Stalled
            | Self::CallSeconds
            | Self::DaySeconds
            | Self::Uncounted
            | Self::Resting => false,
        }
    }

    /// Somebody has to change something before it works again.
    pub const fn is_lasting(self) -> bool {
        match self {
            Self::Key(_) | Self::Unknown | Self::Format | Self::Closed(1008) => true,
            Self::Status(status) => status < 500,
            _ => false,
        }
    }

    /// It says something about the agent, and nothing about a limit of ours.
    pub const fn is_the_agents(self) -> bool {
        !matches!(
            self,
            Self::CallSeconds | Self::DaySeconds | Self::Uncounted | Self::Resting | Self::Busy
        )
    }

    /// One word for the API, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Key(_) => "key-refused",
            Self::Unknown => "no-such-agent",
            Self::Busy => "busy",
            Self::Status(_) => "refused",
            Self::Late => "late",
            Self::Format => "unknown-format",
            Self::Unreadable => "unreadable",
            Self::Closed(_) => "closed",
            Self::Lost => "lost",
            Self::Silent => "silent",
            Self::Stalled => "stalled",
            Self::CallSeconds => "call-seconds",
            Self::DaySeconds => "day-seconds",
            Self::Uncounted => "uncounted",
            Self::Resting => "resting",
        }
    }
}
