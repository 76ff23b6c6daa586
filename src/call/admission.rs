//! Whether a call that rings is answered, and what it is told if not.
//!
//! Every call is answered while there is a slot, the box can speak and listen, and what is measured leaves room for
//! one more; the rest hears a status that makes its switch try elsewhere or later.

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
    /// The engine's real-time factor above which no more calls are taken, 0 to 1.
    pub max_load: f32,
}

/// What the box has left for another call, as it is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Headroom {
    /// The engine's real-time factor, 0 to 1.
    pub load: f32,
    /// It is too hot for as many calls as usual.
    pub is_hot: bool,
    pub is_memory_short: bool,
}

/// What another call would be one too many for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// `calls.max`.
    Lines,
    Load,
    Heat,
    Memory,
}

impl Limit {
    pub const ALL: [Self; 4] = [Self::Lines, Self::Load, Self::Heat, Self::Memory];

    /// One word for log and figures, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Load => "load",
            Self::Heat => "heat",
            Self::Memory => "memory",
        }
    }
}

/// A call that is not answered; its SIP status is in the table of endings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub cause: Cause,
    /// `None`: it is refused for something else.
    pub limit: Option<Limit>,
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
    pub fn admit(
        &self,
        readiness: Readiness,
        active: usize,
        headroom: Headroom,
    ) -> Result<(), Refusal> {
        match readiness {
            Readiness::Starting => Err(self.unavailable(Cause::NotReady)),
            Readiness::Draining => Err(self.unavailable(Cause::ShuttingDown)),
            Readiness::Ready => match self.limit(active, headroom) {
                Some(limit) => Err(self.full(limit)),
                None => Ok(()),
            },
        }
    }

    /// What one more call would be too many for. Whatever is measured, the first call is taken: a slow answer is
    /// better than none, and nobody else's is slowed by it.
    fn limit(&self, active: usize, headroom: Headroom) -> Option<Limit> {
        if active >= self.max {
            return Some(Limit::Lines);
        }
        match active {
            0 => None,
            _ if headroom.is_memory_short => Some(Limit::Memory),
            _ if headroom.is_hot && active >= self.while_hot() => Some(Limit::Heat),
            _ if headroom.load > self.max_load => Some(Limit::Load),
            _ => None,
        }
    }

    /// Calls at once while the box is too hot: half of them.
    pub fn while_hot(&self) -> usize {
        (self.max / 2).max(1)
    }

    /// The refusal of a call that would be one too many.
    pub fn full(&self, limit: Limit) -> Refusal {
        let limit = Some(limit);
        match self.when_full {
            WhenFull::Busy => Refusal { cause: Cause::Busy, limit, retry_after_s: None },
            WhenFull::Unavailable => Refusal { limit, ..self.unavailable(Cause::Overloaded) },
        }
    }

    /// The refusal of a call for which no pair of RTP ports is free.
    pub fn no_ports(&self) -> Refusal {
        self.unavailable(Cause::PortsExhausted)
    }

    fn unavailable(&self, cause: Cause) -> Refusal {
        let retry_after_s = self.retry_after_s.clamp(1, limits::RETRY_AFTER_MAX_S);
        Refusal { cause, limit: None, retry_after_s: Some(retry_after_s) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: Settings =
        Settings { max: 5, when_full: WhenFull::Busy, retry_after_s: 30, max_load: 0.7 };
    const EASY: Headroom = Headroom { load: 0.2, is_hot: false, is_memory_short: false };

    fn told(refusal: Refusal) -> (u16, Option<u32>) {
        (refusal.cause.wording().sip_status, refusal.retry_after_s)
    }

    #[test]
    fn the_call_after_the_last_slot_is_refused_as_configured() {
        assert_eq!(FIVE.admit(Readiness::Ready, 4, EASY), Ok(()));
        let busy = FIVE.admit(Readiness::Ready, 5, EASY).unwrap_err();
        assert_eq!(told(busy), (486, None));
        let other = Settings { when_full: WhenFull::Unavailable, ..FIVE };
        let full = other.admit(Readiness::Ready, 5, EASY).unwrap_err();
        assert_eq!(told(full), (503, Some(30)));
    }

    #[test]
    fn what_is_measured_limits_all_calls_but_the_first() {
        let limit = |active, headroom| {
            FIVE.admit(Readiness::Ready, active, headroom).err().and_then(|refusal| refusal.limit)
        };
        let loaded = Headroom { load: 0.71, ..EASY };
        let hot = Headroom { is_hot: true, ..EASY };
        let short = Headroom { is_memory_short: true, ..EASY };
        for (active, headroom, expected) in [
            (0, loaded, None),
            (1, Headroom { load: 0.7, ..EASY }, None),
            (1, loaded, Some(Limit::Load)),
            (5, loaded, Some(Limit::Lines)),
            (0, hot, None),
            (1, hot, None),
            (2, hot, Some(Limit::Heat)),
            (0, short, None),
            (1, short, Some(Limit::Memory)),
        ] {
            assert_eq!(limit(active, headroom), expected, "{active} {headroom:?}");
        }
        assert_eq!(Settings { max: 1, ..FIVE }.while_hot(), 1);
        // As where all lines are in use: the owner has said what callers get then.
        let refusal = FIVE.admit(Readiness::Ready, 1, loaded).unwrap_err();
        assert_eq!(told(refusal), (486, None));
    }

    #[test]
    fn nobody_is_answered_before_the_models_are_warm_or_while_draining() {
        for (readiness, cause) in
            [(Readiness::Starting, Cause::NotReady), (Readiness::Draining, Cause::ShuttingDown)]
        {
            let refusal = FIVE.admit(readiness, 0, EASY).unwrap_err();
            assert_eq!(refusal.cause, cause);
            assert_eq!(told(refusal), (503, Some(30)));
        }
    }
}
