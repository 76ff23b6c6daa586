//! How the box looks after itself, as the board has it: its own calls, what stands still, its clock.

use super::{Board, CanaryReport};
use crate::call::Stage;

/// What the owner reads of a wall clock that has jumped.
pub(super) const CLOCK: &str = "the clock of the box was set by more than an hour: times of calls before and after do not \
    fit, and nothing is deleted by its age for a day";

impl Board {
    /// Whether the wall clock goes on as it did.
    pub fn set_clock(&self, is_believed: bool) {
        self.change_health(|shown| shown.is_clock_doubted = !is_believed);
    }

    /// A stage of a call has stood still.
    pub fn stands_still(&self, stage: Stage) {
        let mut shown = self.lock();
        for (known, count) in Stage::ALL.into_iter().zip(&mut shown.stalls) {
            *count += u64::from(known == stage);
        }
    }

    /// Each stage with the times that it stood still.
    pub fn stalls(&self) -> impl Iterator<Item = (Stage, u64)> + use<> {
        Stage::ALL.into_iter().zip(self.lock().stalls)
    }

    /// One more call of our own.
    pub fn set_canary(&self, mut report: CanaryReport) {
        self.change_health(|shown| {
            if let Some(last) = &shown.canary {
                (report.well, report.failed) = (last.well, last.failed);
            }
            match report.fault {
                None => report.well += 1,
                Some(_) => report.failed += 1,
            }
            shown.canary = Some(report);
        });
    }

    /// `None` until there was one.
    pub fn canary(&self) -> Option<CanaryReport> {
        self.lock().canary.clone()
    }
}
