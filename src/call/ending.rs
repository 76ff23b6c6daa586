//! How a call ended: a value with blame, and the one table from it to SIP, log and page.
//!
//! Owned by the call; the SIP core asks it for a status, the log and the page for their words.
//! Invariant: every cause has exactly one row.

use serde::{Deserialize, Serialize};

/// Who ended the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// The other end of the line, whoever dialled.
    Caller,
    Us,
    /// Nobody: the way between the two ends was lost.
    Network,
    /// We, against our will.
    Fault,
}

impl By {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Us => "us",
            Self::Network => "network",
            Self::Fault => "fault",
        }
    }
}

/// Why the call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// BYE from the other end.
    HungUp,
    /// CANCEL, or a hang-up before the answer.
    Cancelled,
    /// The other end refused our call with this SIP status.
    Refused(u16),
    /// The conversation came to its end.
    Goodbye,
    /// Whom we called is elsewhere, where we may not call.
    Redirected,
    /// Somebody else has taken the call from us.
    Transferred,
    /// The caller's side left while it was putting itself through and did not say how that ended.
    LeftInTransfer,
    /// `calls.max_duration_s` is over.
    MaxDuration,
    /// Nothing was said in spite of every prompt.
    Silence,
    /// What was said was not understood, again and again.
    NotUnderstood,
    /// `calls.max` calls are up and `calls.when_full` is `busy`.
    Busy,
    /// `calls.max` calls are up and `calls.when_full` is `unavailable`.
    Overloaded,
    /// The speech engine is not loaded yet.
    NotReady,
    /// Offer and answer have no codec in common.
    NoCommonCodec,
    /// The handshake for the keys of the sound failed, or showed somebody else.
    NoKeys,
    /// The program is being stopped.
    ShuttingDown,
    /// No ACK came within 64*T1 of our 200 (RFC 3261 section 13.3.1.4).
    NoAck,
    /// No RTP and no RTCP came for `MEDIA_TIMEOUT`.
    MediaTimeout,
    /// A request of ours inside the dialog stayed unanswered, or the connection broke.
    SignallingLost,
    /// A machine took our call, or a tone, and the owner wants to talk to people.
    NoPerson,
    /// Nobody took our call.
    NoAnswer,
    /// Whom we called is in another call.
    CalleeBusy,
    /// Another telephone has answered a call that rang here, too.
    TakenElsewhere,
    /// The owner has ended it, by the interface.
    EndedByOwner,
    /// Every port of `media.ports` is taken.
    PortsExhausted,
    /// A part of ours failed and the call could not go on.
    Internal,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ending {
    pub by: By,
    pub cause: Cause,
}

/// One row of the table: what each reader is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wording {
    /// Final response to an INVITE that is not answered yet; after the answer it is a BYE.
    pub sip_status: u16,
    /// One word for logs and the API, stable.
    pub name: &'static str,
    /// A sentence for the owner.
    pub page: &'static str,
}

impl From<Cause> for Ending {
    fn from(cause: Cause) -> Self {
        Self { by: cause.by(), cause }
    }
}

impl Cause {
    /// Every cause, one refusal standing for all.
    pub const ALL: [Self; 26] = [
        Self::HungUp,
        Self::Cancelled,
        Self::Refused(603),
        Self::Redirected,
        Self::Goodbye,
        Self::Transferred,
        Self::LeftInTransfer,
        Self::MaxDuration,
        Self::Silence,
        Self::NotUnderstood,
        Self::Busy,
        Self::Overloaded,
        Self::NotReady,
        Self::NoCommonCodec,
        Self::NoKeys,
        Self::ShuttingDown,
        Self::NoAck,
        Self::MediaTimeout,
        Self::SignallingLost,
        Self::NoPerson,
        Self::NoAnswer,
        Self::CalleeBusy,
        Self::TakenElsewhere,
        Self::EndedByOwner,
        Self::PortsExhausted,
        Self::Internal,
    ];

    const fn by(self) -> By {
        match self {
            Self::HungUp
            | Self::Cancelled
            | Self::Refused(_)
            | Self::Redirected
            | Self::LeftInTransfer
            | Self::TakenElsewhere
            | Self::CalleeBusy => By::Caller,
            Self::Goodbye
            | Self::Transferred
            | Self::MaxDuration
            | Self::Silence
            | Self::NotUnderstood
            | Self::Busy
            | Self::Overloaded
            | Self::NotReady
            | Self::NoPerson
            | Self::NoCommonCodec
            | Self::EndedByOwner
            | Self::ShuttingDown => By::Us,
            Self::NoAck
            | Self::NoKeys
            | Self::MediaTimeout
            | Self::SignallingLost
            | Self::NoAnswer => By::Network,
            Self::PortsExhausted | Self::Internal => By::Fault,
        }
    }

    /// The table.
    pub const fn wording(self) -> Wording {
        let (sip_status, name, page) = match self {
            Self::HungUp => (487, "hung-up", "The other end hung up."),
            Self::Cancelled => (487, "cancelled", "The caller gave up before the answer."),
            Self::Refused(status) => (status, "refused", "The other end refused the call."),
            Self::Redirected => {
                (480, "redirected", "The other end is elsewhere, where we may not call.")
            }
            Self::Goodbye => (603, "goodbye", "The conversation came to its end."),
            Self::Transferred => (603, "transferred", "The caller was put through to a person."),
            Self::LeftInTransfer => (
                487,
                "left-in-transfer",
                "The caller left while being put through; whether somebody answered was not told.",
            ),
            Self::MaxDuration => (603, "max-duration", "The longest time for a call was over."),
            Self::Silence => (603, "silence", "The other end said nothing."),
            Self::NotUnderstood => {
                (603, "not-understood", "What was said was not understood, again and again.")
            }
            Self::Busy => (486, "busy", "Refused as busy: every line was in use."),
            Self::Overloaded => (503, "overloaded", "Refused for now: every line was in use."),
            Self::NotReady => (503, "not-ready", "Refused: the speech engine was not ready."),
            Self::NoCommonCodec => (488, "no-common-codec", "Refused: no codec in common."),
            Self::NoKeys => {
                (488, "no-keys", "No keys for encrypted sound came about with the other side.")
            }
            Self::ShuttingDown => (503, "shutting-down", "The program was being stopped."),
            Self::NoAck => (408, "no-ack", "The caller's side never confirmed the answer."),
            Self::MediaTimeout => (408, "media-timeout", "No sound came from the other end."),
            Self::SignallingLost => (408, "signalling-lost", "The other end was out of reach."),
            Self::NoPerson => (603, "no-person", "A machine took the call, or a tone was heard."),
            Self::NoAnswer => (408, "no-answer", "Nobody answered."),
            Self::CalleeBusy => (486, "callee-busy", "The other end was busy."),
            Self::TakenElsewhere => {
                (486, "taken-elsewhere", "Another telephone has answered the call.")
            }
            Self::EndedByOwner => (603, "ended-by-owner", "It was ended by the owner."),
            Self::PortsExhausted => {
                (503, "ports-exhausted", "Every port of media.ports was taken.")
            }
            Self::Internal => (500, "internal", "A part of this program failed."),
        };
        Wording { sip_status, name, page }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_cause_has_a_name_of_its_own_and_a_final_failure_status() {
        let names: HashSet<_> = Cause::ALL.iter().map(|cause| cause.wording().name).collect();
        assert_eq!(names.len(), Cause::ALL.len());
        for cause in Cause::ALL {
            let wording = cause.wording();
            assert!((400..700).contains(&wording.sip_status), "{cause:?}");
            assert!(wording.page.ends_with('.'), "{cause:?}");
        }
    }

    #[test]
    fn blame_follows_from_the_cause() {
        for (cause, by) in [
            (Cause::HungUp, By::Caller),
            (Cause::Transferred, By::Us),
            (Cause::Overloaded, By::Us),
            (Cause::NotUnderstood, By::Us),
            (Cause::CalleeBusy, By::Caller),
            (Cause::EndedByOwner, By::Us),
            (Cause::NoAck, By::Network),
            (Cause::PortsExhausted, By::Fault),
        ] {
            assert_eq!(Ending::from(cause).by, by, "{cause:?}");
        }
    }
}
