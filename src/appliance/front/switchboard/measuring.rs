//! What is measured: how much the box has left for another call, and what calls cost.

use std::time::Instant;

use super::Switchboard;
use crate::call::admission::{Headroom, Limit, Refusal};
use crate::call::record::Progress;

impl Switchboard {
    /// What another call would find.
    pub fn set_headroom(&mut self, now: Instant, headroom: Headroom) {
        let before = self.admitted();
        self.headroom = headroom;
        let after = self.admitted();
        if after == before {
            return;
        }
        match after.err().and_then(|refusal| refusal.limit) {
            Some(limit) => tracing::warn!(limit = limit.name(), "no more calls are taken"),
            None => tracing::info!("calls are taken again"),
        }
        self.admit();
        self.settle(now);
    }

    /// Whether one more call is taken now.
    pub(super) fn admitted(&self) -> Result<(), Refusal> {
        let taken = self.parts.places.taken();
        self.parts.admission.admit(self.readiness, taken, self.headroom)
    }

    /// What one more call would be too many for.
    pub fn limit(&self) -> Option<Limit> {
        self.admitted().err()?.limit
    }

    /// The GPU has used this much since the last time: for the calls that were up, each its part.
    pub fn spend(&mut self, joules: f64) {
        let is_up =
            |line: &super::Line| matches!(line.call.record().progress, Progress::Active { .. });
        let up = self.lines.values_mut().filter(|line| is_up(line));
        let mut up: Vec<_> = up.collect();
        let share = joules / up.len().max(1) as f64;
        for line in &mut up {
            *line.gpu_energy_j.get_or_insert_default() += share;
        }
    }
}
