//! The call's sound on its way to the client: as the call's clock gives it, never faster than the client
//! reads.
//!
//! The call sends 20 ms every 20 ms, so nothing is paced here. What a client has read is known by its answers
//! to pings, which carry how much was sent before them: the buffers of two kernels would hide minutes.
//! Invariant: at most `limits::AUDIO_UNREAD_MS` are on the way and `limits::AUDIO_OUT_FRAMES` wait.

use std::collections::VecDeque;

use super::format::{Format, Writer};
use crate::base::limits;
use crate::base::pcm::{FRAME_MS, Frame};

/// Sound between two pings.
const PING_MS: u64 = 400;

/// See the module.
pub struct SoundOut {
    writer: Writer,
    queue: VecDeque<Vec<u8>>,
    sent_ms: u64,
    /// As the last ping said it.
    pinged_ms: u64,
    read_ms: u64,
    lost: u64,
    /// Frames that were thrown away since the client was told.
    untold: u64,
}

impl SoundOut {
    pub fn new(format: Format) -> Self {
        Self {
            writer: Writer::new(format),
            queue: VecDeque::new(),
            sent_ms: 0,
            pinged_ms: 0,
            read_ms: 0,
            lost: 0,
            untold: 0,
        }
    }

    /// Takes a frame of the call's; the oldest goes where too many wait.
    pub fn push(&mut self, frame: &Frame) {
        let message = self.writer.write(frame);
        self.queue.push_back(message);
        if self.queue.len() > limits::AUDIO_OUT_FRAMES {
            self.queue.pop_front();
            self.lost += 1;
            self.untold += 1;
        }
    }

    /// The next message, if the client has read enough for it.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        if self.is_unread() {
            return None;
        }
        let message = self.queue.pop_front()?;
        self.sent_ms += FRAME_MS;
        Some(message)
    }

    /// There is something that the client may have.
    pub fn is_ready(&self) -> bool {
        !self.queue.is_empty() && !self.is_unread()
    }

    fn is_unread(&self) -> bool {
        self.sent_ms - self.read_ms >= limits::AUDIO_UNREAD_MS
    }

    /// What the next ping carries, if one is due.
    pub fn ping(&mut self) -> Option<u64> {
        let is_due = self.sent_ms - self.pinged_ms >= PING_MS;
        is_due.then(|| {
            self.pinged_ms = self.sent_ms;
            self.sent_ms
        })
    }

    /// The answer to a ping; what we have never sent means nothing.
    pub fn pong(&mut self, ms: u64) {
        if ms <= self.sent_ms {
            self.read_ms = self.read_ms.max(ms);
        }
    }

    /// Throws away what waits: the call does not want it said any more.
    pub fn clear(&mut self) {
        self.queue.clear();
    }

    /// Another socket has nothing of what was on the way.
    pub fn restart(&mut self) {
        self.queue.clear();
        self.read_ms = self.sent_ms;
        self.pinged_ms = self.sent_ms;
    }

    /// Sound that was sent, in milliseconds.
    pub fn sent_ms(&self) -> u64 {
        self.sent_ms
    }

    /// Frames that nobody got, in all.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Frames that were lost since this was asked last, once the client reads again.
    pub fn take_untold(&mut self) -> Option<u64> {
        let tells = self.untold > 0 && !self.is_unread();
        tells.then(|| std::mem::take(&mut self.untold))
    }
}
