//! Whether a call that rings is answered, and what it is told if not.
//!
//! Every call is answered while there is a slot and the box can speak and listen; the rest hears a
//! status that makes its switch try elsewhere or later.

use super::ending::Cause;
use crate::base::limits;

/// What a caller is told when all slots are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// 486: this desk is busy; the caller hears the busy tone.
    Busy,
    /// 503 with Retry-After: a trunk sends the call elsewhere.
    Unavailable,
}

/// The rules, from `[calls]`.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Calls at once.
    pub max: usize,
    pub when_full: WhenFull,
    /// Seconds after which a refused peer may try again.
    pub retry_after_s: u32,
}

/// A call that is not answered; its SIP status is in the table of endings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub cause: Cause,
    /// Value of Retry-After.
    pub retry_after_s: Option<u32>,
}

/// What the box can do at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The models are not loaded and warm yet.
    Starting,
    Ready,
    /// The process is shutting down.
    Draining,
}

impl Settings {
    /// Decides on one new call while `active` others are up.
    pub fn admit(&self, readiness: Readiness, active: usize) -> Result<(), Refusal> {
        match readiness {
            Readiness::Starting => Err(self.unavailable(Cause::NotReady)),
            Readiness::Draining => Err(self.unavailable(Cause::ShuttingDown)),
            Readiness::Ready if active < self.max => Ok(()),
            Readiness::Ready => Err(self.full()),
        }
    }

    /// The refusal of a call for which there is no slot.
    pub fn full(&self) -> Refusal {
        match self.when_full {
            WhenFull::Busy => Refusal { cause: Cause::Busy, retry_after_s: None },
            WhenFull::Unavailable => self.unavailable(Cause::Overloaded),
        }
    }

    /// The refusal of a call for which no pair of RTP ports is free.
    pub fn no_ports(&self) -> Refusal {
        self.unavailable(Cause::PortsExhausted)
    }

    fn unavailable(&self, cause: Cause) -> Refusal {
        let retry_after_s = self.retry_after_s.clamp(1, limits::RETRY_AFTER_MAX_S);
        Refusal { cause, retry_after_s: Some(retry_after_s) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: Settings = Settings { max: 5, when_full: WhenFull::Busy, retry_after_s: 30 };

    fn told(refusal: Refusal) -> (u16, Option<u32>) {
        (refusal.cause.wording().sip_status, refusal.retry_after_s)
    }

    #[test]
    fn the_call_after_the_last_slot_is_refused_as_configured() {
        assert_eq!(FIVE.admit(Readiness::Ready, 4), Ok(()));
        let busy = FIVE.admit(Readiness::Ready, 5).unwrap_err();
        assert_eq!(told(busy), (486, None));
        let other = Settings { when_full: WhenFull::Unavailable, ..FIVE };
        let full = other.admit(Readiness::Ready, 5).unwrap_err();
        assert_eq!(told(full), (503, Some(30)));
    }

    #[test]
    fn nobody_is_answered_before_the_models_are_warm_or_while_draining() {
        for (readiness, cause) in
            [(Readiness::Starting, Cause::NotReady), (Readiness::Draining, Cause::ShuttingDown)]
        {
            let refusal = FIVE.admit(readiness, 0).unwrap_err();
            assert_eq!(refusal.cause, cause);
            assert_eq!(told(refusal), (503, Some(30)));
        }
    }
}
