//! The accounts at the switchboard: begun, asked and ended with the house, and told what is new.

use std::time::Instant;

use super::Switchboard;
use crate::appliance::accounts::{Resolved, Shown};
use crate::trunk::Input;

impl Switchboard {
    /// Calls can be taken: the accounts register. What has begun goes on.
    pub fn start_accounts(&mut self, now: Instant) {
        self.parts.accounts.all(now, &Input::Start, &mut self.parts.sip);
        self.signals(now);
        self.settle(now);
    }

    /// Takes all registrations away; [`Self::are_accounts_leaving`] until that is done.
    pub fn stop_accounts(&mut self, now: Instant) {
        self.parts.ringcentral.stop();
        self.parts.accounts.all(now, &Input::Stop, &mut self.parts.sip);
        self.signals(now);
        self.settle(now);
    }

    pub fn are_accounts_leaving(&self) -> bool {
        self.parts.accounts.are_leaving()
    }

    /// The addresses of an account's servers have come.
    pub fn resolved(&mut self, now: Instant, answer: Resolved) {
        self.parts.accounts.resolved(now, answer, &mut self.parts.sip);
        self.signals(now);
        self.settle(now);
    }

    /// All accounts, if anything has changed since the last time.
    pub fn take_accounts(&mut self) -> Option<Vec<Shown>> {
        self.parts.accounts.take_change()
    }
}
