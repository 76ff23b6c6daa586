//! Calls by WebSocket: what is asked for them by HTTP, and what their sessions want.

use std::borrow::Cow;
use std::time::Instant;

use super::Switchboard;
use crate::appliance::audio_legs::{Announced, Announcer, NotAnnounced, Wanted};
use crate::base::{Way, limits};
use crate::call;
use crate::call::admission::Readiness;
use crate::sdp::Srtp;
use crate::web::AudioStatus;
use crate::websocket::{CODEC, Order};

impl Switchboard {
    /// A session, or a bridge that we have called, wants something.
    pub fn audio_wanted(&mut self, now: Instant, wanted: Wanted) {
        match wanted {
            Wanted::Leg(wish) => self.parts.visits.wish(wish),
            Wanted::Announce { by, order, told } => {
                let outcome = self.announce(by, order);
                // Its thread may be ending.
                let _ = told.send(outcome);
            }
        }
        self.signals(now);
        self.settle(now);
    }

    /// A call is to be expected, if there is a line for it besides those that are expected already.
    pub(super) fn announce(
        &mut self,
        by: Announcer,
        order: Order,
    ) -> Result<Announced, NotAnnounced> {
        if self.readiness != Readiness::Ready {
            return Err(NotAnnounced::Unavailable);
        }
        let free = self.free_lines();
        self.parts.visits.announce(by, order, free)
    }

    pub(super) fn audio_status(&self) -> AudioStatus {
        AudioStatus {
            figures: self.parts.visits.figures(),
            most: self.parts.admission.max,
            free: self.free_lines(),
            longest: self.parts.call.converse.max_duration,
        }
    }

    fn free_lines(&self) -> usize {
        match self.limit() {
            Some(_) => 0,
            None => self.parts.admission.max.saturating_sub(self.parts.places.taken()),
        }
    }

    /// What goes for calls that come by this way.
    pub(super) fn settings_of(&self, way: Way) -> Cow<'_, call::Settings> {
        let mut settings = Cow::Borrowed(&self.parts.call);
        if self.answers_by_hand {
            settings.to_mut().answer_after = limits::ANSWERED_BY_HAND;
        }
        if matches!(way, Way::WebSocket | Way::Handset) {
            // Between us and ourselves.
            let offering = &mut settings.to_mut().offering;
            offering.codecs = vec![CODEC];
            offering.dtmf = true;
            offering.srtp = Srtp::Off;
        }
        settings
    }
}
