//! Why an account is not registered, in words that an owner understands.

use std::fmt;

use crate::sip::RegistrationFailure;

/// What is told; no name, number or address stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No address is known for the names of its servers.
    NoAddress,
    Failed(RegistrationFailure),
    /// As many telephones as may be are registered for its user.
    TooManyTelephones,
}

impl Reason {
    /// Whether trying again soon may help: the server is out of order or cannot be reached. What
    /// it refuses it will refuse again (RFC 3261 sections 10.2.7 and 21.4 to 21.6).
    pub const fn is_passing(self) -> bool {
        match self {
            Self::NoAddress | Self::TooManyTelephones => true,
            Self::Failed(failure) => match failure {
                RegistrationFailure::Unanswered | RegistrationFailure::Unreachable => true,
                RegistrationFailure::Refused(status) => {
                    matches!(status, 408 | 429 | 430 | 480 | 500..=599)
                }
                RegistrationFailure::Disbelieved
                | RegistrationFailure::NotForUs
                | RegistrationFailure::NotKept => false,
            },
        }
    }
}

impl Reason {
    /// What the registrar has answered, where it has refused.
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::TooManyTelephones => Some(603),
            Self::Failed(RegistrationFailure::Refused(status)) => Some(status),
            Self::Failed(RegistrationFailure::Disbelieved | RegistrationFailure::NotForUs) => {
                Some(401)
            }
            Self::NoAddress
            | Self::Failed(
                RegistrationFailure::NotKept
                | RegistrationFailure::Unanswered
                | RegistrationFailure::Unreachable,
            ) => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = match self {
            Self::NoAddress => {
                return f.write_str("no address is found for the name of its server");
            }
            Self::TooManyTelephones => {
                return f.write_str(
                    "as many telephones as its server allows use this extension already (603): \
                     close one, or wait until a place is free",
                );
            }
            Self::Failed(failure) => failure,
        };
        match failure {
            RegistrationFailure::Refused(status) => refusal(*status, f),
            RegistrationFailure::Disbelieved => {
                f.write_str("its server does not accept the user or the password")
            }
            RegistrationFailure::NotForUs => f.write_str(
                "its server wants a password for another realm, or in a way that is not known here",
            ),
            RegistrationFailure::NotKept => f.write_str("its server does not keep it registered"),
            RegistrationFailure::Unanswered => f.write_str("its server does not answer"),
            RegistrationFailure::Unreachable => f.write_str("its server cannot be reached"),
        }
    }
}

fn refusal(status: u16, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = match status {
        300..=399 => "its server sends us to another one, which is not followed",
        403 => "its server has closed the account to us",
        404 | 604 => "its server does not know the user",
        423 => "its server wants another time between registrations",
        500..=599 => "its server is out of order",
        _ => "its server refuses it",
    };
    write!(f, "{text} ({status})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        use RegistrationFailure as F;
        for (failure, passes, words) in [
            (F::Unanswered, true, "its server does not answer"),
            (F::Unreachable, true, "its server cannot be reached"),
            (F::Refused(503), true, "its server is out of order (503)"),
            (F::Refused(408), true, "its server refuses it (408)"),
            (F::Refused(403), false, "its server has closed the account to us (403)"),
            (F::Refused(404), false, "its server does not know the user (404)"),
            (
                F::Refused(302),
                false,
                "its server sends us to another one, which is not followed (302)",
            ),
            (F::Refused(603), false, "its server refuses it (603)"),
            (F::Disbelieved, false, "its server does not accept the user or the password"),
            (F::NotKept, false, "its server does not keep it registered"),
        ] {
            let reason = Reason::Failed(failure);
            assert_eq!((reason.is_passing(), reason.to_string().as_str()), (passes, words));
        }
        assert!(Reason::NoAddress.is_passing());
    }
}
