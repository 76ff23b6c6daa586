//! The caller speaks over us: whether it takes the floor.

use std::time::{Duration, Instant};

use super::saying::Saying;
use super::{Floor, Timer};

/// Speech over our own must still go on this long after its onset was confirmed before we stop: a
/// cough and most of what comes back of our own voice are shorter.
const BARGE_IN: Duration = Duration::from_millis(120);

impl Floor {
    /// Both of us speak: looks again whether the caller means it.
    pub(super) fn watch_for_barge_in(&mut self, now: Instant) {
        if self.spoken.iter().any(Saying::is_going_on) && self.hearing.is_in_utterance() {
            self.timers.set(Timer::BargeIn, now + BARGE_IN);
        }
    }

    /// A caller who pauses may have coughed, or may go on.
    pub(super) fn barge_in(&mut self, now: Instant) {
        if self.hearing.is_hearing_speech() {
            self.stop_all();
            self.tell_unheard(now);
        } else {
            self.watch_for_barge_in(now);
        }
    }
}
