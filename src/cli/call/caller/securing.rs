//! Keys by a handshake: the far end is there for us once they are.

use std::time::Instant;

use super::{CALL, Caller, Closing};
use crate::appliance::associations::News;
use crate::call;
use crate::call::media::Plan;
use crate::cli::call::script;

impl Caller<'_> {
    /// Begins, or goes on with, the handshake that was agreed; before the media, which it is for.
    pub(super) fn associate(&mut self, now: Instant, plan: &Plan) {
        match self.agreement.association() {
            Some((number, terms)) => {
                let wanted = call::Association { number, terms: terms.clone() };
                let at = (CALL, self.place);
                self.associations.associate(now, at, wanted, &mut self.places);
            }
            None => {
                self.suite = plan.protection.keying().map(|keying| keying.suite);
                self.associations.forget(self.place);
            }
        }
    }

    /// What has come for the handshake, and what has become of it.
    pub(super) fn shake_hands(&mut self, now: Instant) {
        self.associations.receive(now, &mut self.places);
        self.associations.timeout(now, &mut self.places);
        while let Some((_, news)) = self.associations.news() {
            match news {
                News::Secured(suite) => {
                    if self.suite.replace(suite).is_none() {
                        self.act(now, script::Input::Connected);
                    }
                }
                News::Failed(_) => self.fail(now, Closing::NotSecured),
                // There is a BYE for that.
                News::Closed => (),
            }
        }
    }
}
