//! Waiting for a condition, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

/// How often a condition is looked at: soon enough for a figure in a test's output, seldom enough
/// for a busy machine.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What `look` finds at last; fails the test after `limit`.
pub fn until<T>(what: &str, limit: Duration, look: impl FnMut() -> Option<T>) -> T {
    within(limit, look).unwrap_or_else(|| panic!("not within {limit:?}: {what}"))
}

/// What `look` finds within `limit`.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(LOOK_EVERY);
    }
}
