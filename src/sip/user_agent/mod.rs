//! skeleton
mod api;

use std::time::Instant;

pub use api::{
    Admission, Command, EndCause, Event, HEADERS_OF_INTEREST, Incoming, Input, Invite, LegId,
    OfferBy, Output, Settings, Warning,
};

use crate::base::Entropy;
use crate::sip::counters::Counters;

/// The one thing that the shell talks to.
pub struct UserAgent {
    settings: Settings,
    entropy: Entropy,
    counters: Counters,
    next_leg: u64,
}

impl UserAgent {
    pub fn new(settings: Settings, entropy: Entropy) -> Self {
        Self { settings, entropy, counters: Counters::default(), next_leg: 1 }
    }

    /// The id for an outgoing leg, to be given in [`Command::Invite`].
    pub fn reserve_leg(&mut self) -> LegId {
        let leg = LegId(self.next_leg);
        self.next_leg += 1;
        leg
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// One input; then drain [`Self::poll_output`] until it returns `Timeout`.
    pub fn handle(&mut self, _now: Instant, _input: Input<'_>) {}

    pub fn poll_output(&mut self) -> Output {
        Output::Timeout(None)
    }
}
