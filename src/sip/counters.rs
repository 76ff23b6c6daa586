//! What the user agent received, dropped and answered, for metrics and tests. Numbers only: no
//! address or name is kept here.

use std::collections::BTreeMap;

/// Why something received was not processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// Not SIP, or a response or ACK that cannot be parsed: nobody to tell.
    Malformed,
    /// A datagram beyond the largest message.
    TooLarge,
    /// A response that belongs to no transaction of ours.
    StrayResponse,
    /// An ACK that belongs to nothing.
    StrayAck,
    /// A request in a dialog from an address that has no part in it.
    Spoofed,
    /// The source asked for more than its share.
    SourceRate,
    /// A call asked for more than its share.
    CallRate,
    /// The transaction table is full.
    TransactionsFull,
    /// The dialog table is full.
    DialogsFull,
    /// Something new from an address that may begin nothing here.
    Stranger,
    /// A known scanner's User-Agent.
    Scanner,
    /// A connection beyond the limits.
    ConnectionRefused,
    /// A message for a peer to whom no way is left.
    Undeliverable,
}

impl Dropped {
    /// A word for metrics, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
            Self::StrayResponse => "stray-response",
            Self::StrayAck => "stray-ack",
            Self::Spoofed => "spoofed",
            Self::SourceRate => "source-rate",
            Self::CallRate => "call-rate",
            Self::TransactionsFull => "transactions-full",
            Self::DialogsFull => "dialogs-full",
            Self::Stranger => "stranger",
            Self::Scanner => "scanner",
            Self::ConnectionRefused => "connection-refused",
            Self::Undeliverable => "undeliverable",
        }
    }
}

/// Totals since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub datagrams: u64,
    pub stream_reads: u64,
    pub keep_alives: u64,
    pub requests: u64,
    pub responses: u64,
    /// Requests that a transaction answered again or absorbed.
    pub retransmissions: u64,
    pub transmitted: u64,
    pub calls_in: u64,
    pub calls_out: u64,
    dropped: BTreeMap<Dropped, u64>,
    answered: BTreeMap<u16, u64>,
}

impl Counters {
    pub fn dropped(&self, reason: Dropped) -> u64 {
        self.dropped.get(&reason).copied().unwrap_or(0)
    }

    /// Responses given with `status`; a transaction's retransmissions are not counted again.
    pub fn answered(&self, status: u16) -> u64 {
        self.answered.get(&status).copied().unwrap_or(0)
    }

    /// Every reason that occurred, with its count.
    pub fn all_dropped(&self) -> impl Iterator<Item = (Dropped, u64)> {
        self.dropped.iter().map(|(reason, count)| (*reason, *count))
    }

    /// Every status that we gave, with its count.
    pub fn all_answered(&self) -> impl Iterator<Item = (u16, u64)> {
        self.answered.iter().map(|(status, count)| (*status, *count))
    }

    pub(super) fn drop_one(&mut self, reason: Dropped) {
        *self.dropped.entry(reason).or_default() += 1;
    }

    /// `status` is one of ours, so there are at most a few dozen.
    pub(super) fn answer_one(&mut self, status: u16) {
        *self.answered.entry(status).or_default() += 1;
    }
}
