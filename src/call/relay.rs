//! Sound of another call on its way to this one's playout ring: a few frames that wait, and never more.

use std::collections::VecDeque;

use crate::base::UtteranceId;
use crate::base::pcm::Frame;
use crate::speak::PlayoutFrame;

/// Frames that may wait: more would be delay that never goes away again.
const WAITING: usize = 5;

/// See the module.
#[derive(Debug)]
pub(super) struct Relay {
    wire: UtteranceId,
    waiting: VecDeque<Frame>,
}

impl Relay {
    /// What is relayed goes to the ring under this number.
    pub(super) const fn new(wire: UtteranceId) -> Self {
        Self { wire, waiting: VecDeque::new() }
    }

    /// 20 ms of the other call. What is too late is left out.
    pub(super) fn push(&mut self, frame: &Frame) {
        if self.waiting.len() >= WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(*frame);
    }

    /// The next 20 ms for the playout ring.
    pub(super) fn next(&mut self) -> Option<PlayoutFrame> {
        let frame = self.waiting.pop_front()?;
        Some(PlayoutFrame { utterance: self.wire, frame, last: false })
    }

    /// Nothing of what waits is to be heard.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_comes_too_fast_the_oldest_goes() {
        let mut relay = Relay::new(UtteranceId(3));
        for value in 1..=9_i16 {
            relay.push(&Frame([value; crate::base::pcm::FRAME_SAMPLES]));
        }
        let heard: Vec<i16> =
            std::iter::from_fn(|| relay.next()).map(|next| next.frame.0[0]).collect();
        assert_eq!(heard, [5, 6, 7, 8, 9]);
        relay.push(&Frame::SILENCE);
        relay.clear();
        assert!(relay.next().is_none());
    }
}
