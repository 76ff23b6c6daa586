//! What calls are told of their handshakes.

use std::time::Instant;

use super::Switchboard;
use crate::appliance::associations::News;
use crate::base::{CallId, Way};
use crate::call;
use crate::sip::LegId;

impl Switchboard {
    /// Tells calls of their keys.
    pub(super) fn secure(&mut self, now: Instant) {
        while let Some((id, news)) = self.parts.associations.news() {
            let input = match news {
                News::Secured(suite) => {
                    tracing::debug!(call_id = %id, suite = suite.name(), "keys by DTLS");
                    call::Input::Secured(suite)
                }
                News::Failed(fault) => {
                    tracing::warn!(call_id = %id, reason = fault.name(), "no keys by DTLS");
                    call::Input::NotSecured
                }
                News::Closed => {
                    self.left(now, id);
                    continue;
                }
            };
            self.call(now, id, input);
        }
    }

    /// The other end of the handshake has ended it. A page that is closed has no time for more than that; in SIP there is
    /// a BYE, and a call may go on without this handshake.
    fn left(&mut self, now: Instant, id: CallId) {
        let is_its = |(leg, call): &(&LegId, &CallId)| **call == id && leg.way() == Way::WebRtc;
        if let Some(leg) = self.legs.iter().find(is_its).map(|(leg, _)| *leg) {
            self.parts.visits.left(leg);
            self.signals(now);
        }
    }
}
