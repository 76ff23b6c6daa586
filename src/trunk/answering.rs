//! When a call that we make counts as answered: a policy of the trunk.
//!
//! Until then what comes is early media, which may be heard: nothing is spoken, and no engine or
//! model works for it. Not every trunk's 200 means that somebody has picked up.

/// What tells that somebody has answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswerPolicy {
    /// The 200 to our INVITE, as of carriers and SIP devices.
    #[default]
    Sip200,
    /// The word of the telephony session, for a server whose 200 comes at once and says nothing, as
    /// RingCentral's.
    TelephonySession,
}

/// What a trunk tells of a call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// 101 to 199, with a description or without.
    Provisional,
    /// 2xx.
    Success,
    /// The session tells that whom we call has answered.
    PartyAnswered,
}

impl AnswerPolicy {
    /// Whether the call is answered with this.
    pub const fn is_answered_by(self, sign: Sign) -> bool {
        match (self, sign) {
            (Self::Sip200, Sign::Success) => true,
            (Self::TelephonySession, Sign::PartyAnswered) => true,
            (Self::Sip200, Sign::Provisional | Sign::PartyAnswered)
            | (Self::TelephonySession, Sign::Provisional | Sign::Success) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_media_is_no_answer() {
        assert!(!AnswerPolicy::Sip200.is_answered_by(Sign::Provisional));
        assert!(AnswerPolicy::Sip200.is_answered_by(Sign::Success));
    }

    #[test]
    fn where_the_session_tells_a_200_is_no_answer() {
        let policy = AnswerPolicy::TelephonySession;
        assert!(!policy.is_answered_by(Sign::Provisional) && !policy.is_answered_by(Sign::Success));
        assert!(policy.is_answered_by(Sign::PartyAnswered));
    }
}
