//! The four transaction machines of RFC 3261 section 17 with the Accepted states of RFC 6026, and
//! the bounded table that keeps them.
//!
//! A machine knows bytes and classes of responses, not messages: the table does the matching, the
//! user agent does the talking. A machine answers each input with [`Effect`]s and reads no clock.
//!
//! Invariant: a machine in `Terminated` has no timer armed and is removed by the table.

pub mod client;
pub mod invite_client;
pub mod invite_server;
pub mod key;
pub mod server;
pub mod table;

use std::time::Duration;

pub use key::{ClientKey, MergeKey, ServerKey};
pub use table::{Received, Report, TransactionId, TransactionTable};

/// Round-trip estimate (RFC 3261 section 17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);
/// Longest retransmission interval for non-INVITE requests and INVITE responses.
pub const T2: Duration = Duration::from_secs(4);
/// Longest time that a message stays in the network.
pub const T4: Duration = Duration::from_secs(5);
/// 64*T1: how long a transaction is tried.
pub const GIVE_UP: Duration = Duration::from_secs(32);
/// Timer D on UDP: at least 32 s.
pub const ABSORB_FINAL: Duration = Duration::from_secs(32);

/// The timers, by their names in RFC 3261 table 4 and RFC 6026. (C belongs to proxies.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    A,
    B,
    D,
    E,
    F,
    G,
    H,
    I,
    J,
    K,
    L,
    M,
}

/// What class a response has: all that a machine needs to know about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 100-199
    Provisional,
    /// 200-299
    Success,
    /// 300-699
    Failure,
}

impl Class {
    pub const fn of(status: u16) -> Self {
        match status {
            ..=199 => Self::Provisional,
            200..=299 => Self::Success,
            _ => Self::Failure,
        }
    }
}

/// What a machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Transmit(Vec<u8>),
    Arm(Timer, Duration),
    Disarm(Timer),
    /// The message that was the input is the transaction user's to see.
    Deliver,
    /// B, F or H ran out.
    TimedOut,
    /// The transport could not deliver.
    Unreachable,
    Terminated,
}

#[cfg(test)]
mod tests;
