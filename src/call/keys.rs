//! By which way a call's keys are believed: RFC 4733 events, INFO, or tones in the sound.
//!
//! Many telephones send a key by two of them at once. Tones count only where no events were agreed, and
//! no more once a key has come by INFO.

use std::time::{Duration, Instant};

/// An INFO may come this much after the tone of the same key was heard to its end.
const SAME_KEY: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Keys {
    has_events: bool,
    has_info: bool,
    /// When the last tone ended; which key it was is nobody's business in a log.
    tone: Option<(crate::base::Private<char>, Instant)>,
}

impl Keys {
    /// Whether telephone events were agreed.
    pub(super) fn agreed(&mut self, has_events: bool) {
        self.has_events = has_events;
    }

    /// Whether a key that begins in the media is one.
    pub(super) fn begins(&self) -> bool {
        self.has_events || !self.has_info
    }

    /// Whether a key that ended in the media counts.
    pub(super) fn ends(&mut self, now: Instant, key: char) -> bool {
        if !self.has_events {
            self.tone = Some((key.into(), now));
        }
        self.begins()
    }

    /// Whether a key by INFO counts: not the first one where its tone was taken already.
    pub(super) fn info(&mut self, now: Instant, key: char) -> bool {
        let is_first = !std::mem::replace(&mut self.has_info, true);
        let tone = self.tone.take().filter(|_| is_first);
        !tone.is_some_and(|(heard, at)| {
            *heard.reveal() == key && now.saturating_duration_since(at) < SAME_KEY
        })
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_comes_by_two_ways_is_one() {
        let now = Instant::now();
        let later = now + Duration::from_millis(300);
        // A tone and its INFO; then by INFO only.
        let mut keys = Keys::default();
        assert!(keys.begins() && keys.ends(now, '5'));
        assert!(!keys.info(later, '5'));
        assert!(!keys.begins() && !keys.ends(later, '6'));
        assert!(keys.info(later, '6') && keys.info(later, '6'));
        // The INFO first.
        let mut keys = Keys::default();
        assert!(keys.info(now, '5') && !keys.begins() && !keys.ends(now, '5'));
        // Another key, and one that is pressed long after.
        let mut keys = Keys::default();
        assert!(keys.ends(now, '5') && keys.info(later, '6'));
        let mut keys = Keys::default();
        assert!(keys.ends(now, '5') && keys.info(now + SAME_KEY, '5'));
        // Agreed events are not tones.
        let mut keys = Keys::default();
        keys.agreed(true);
        assert!(keys.info(now, '5') && keys.begins() && keys.ends(now, '5'));
    }
}
