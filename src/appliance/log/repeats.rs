//! Lines that come again and again: so many of one place in the program, then a count of those that were left out.
//!
//! Whoever can make us write a line, a broken peer or a flood, could fill the disk otherwise. Bounded by the number of
//! places that write.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

/// Lines of one place within one window: ten calls a second that begin and end.
const LINES: u32 = 200;
const WINDOW: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Repeats<Place = Identifier>(Mutex<HashMap<Place, Written>>);

#[derive(Clone, Copy, Debug)]
struct Written {
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl<Place> Default for Repeats<Place> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Place: Eq + Hash> Repeats<Place> {
    /// Whether one more line is written, and how many of the window before were not.
    fn take(&self, now: Instant, place: Place) -> (bool, u64) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Written { since: now, lines: 0, left_out: 0 };
        let written = places.entry(place).or_insert(new);
        let mut before = 0;
        if now.saturating_duration_since(written.since) >= WINDOW {
            before = std::mem::replace(written, new).left_out;
        }
        let is_written = written.lines < LINES;
        written.lines = written.lines.saturating_add(1);
        written.left_out += u64::from(!is_written);
        (is_written, before)
    }
}

impl<S: Subscriber> Filter<S> for Repeats {
    fn enabled(&self, _metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _context: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        let (is_written, left_out) = self.take(Instant::now(), metadata.callsite());
        if left_out > 0 {
            let (place, line) = (metadata.target(), metadata.line());
            tracing::warn!(left_out, place, line, "lines like the next one were left out");
        }
        is_written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_place_is_cut_and_counted_and_no_other_place_is() {
        let repeats = Repeats::default();
        let start = Instant::now();
        let written = (0..LINES + 50).filter(|_| repeats.take(start, "flood").0).count();
        assert_eq!(written, LINES as usize);
        assert_eq!(repeats.take(start, "other"), (true, 0));
        assert_eq!(repeats.take(start + WINDOW, "flood"), (true, 50));
        assert_eq!(repeats.take(start + WINDOW, "flood"), (true, 0));
    }
}
