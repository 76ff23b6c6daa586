//! What speaks around the caller and has no end: the call goes on by keys until it is over.

use std::time::Instant;

use super::Floor;
use crate::base::pcm::FRAME_MS;
use crate::call::media::{HeardFrame, Origin};
use crate::converse;

/// Quiet in which the din is over: music and crowds have no such pause, and a caller who waits for us to
/// hear again makes one.
const QUIET_FRAMES: u32 = (2_000 / FRAME_MS) as u32;

/// Speech without an end, of which no words were understood.
#[derive(Debug, Default)]
pub(super) struct Din {
    /// Frames without speech in a row.
    quiet_frames: u32,
}

impl Floor {
    /// It would stop each of our replies: the ears are closed.
    pub(super) fn too_loud(&mut self, now: Instant) {
        // Without a recogniser nobody's words are understood.
        if !self.conversation.hears_words() {
            return;
        }
        self.din = Some(Din::default());
        self.hearing.close();
        self.overlap = None;
        self.open_turn = None;
        self.stop_all();
        self.voice.forget();
        self.converse(now, converse::Input::TooLoud);
    }

    /// Whether this frame is one of the din, or of the quiet that ends it.
    pub(super) fn is_drowned(&mut self, now: Instant, frame: &HeardFrame) -> bool {
        let is_ours = !self.spoken.is_empty();
        let Some(din) = &mut self.din else { return false };
        // Under our own voice, and where nothing comes, it may go on.
        if is_ours || frame.origin != Origin::Received {
            return true;
        }
        din.quiet_frames = if frame.is_speech() { 0 } else { din.quiet_frames + 1 };
        if din.quiet_frames == QUIET_FRAMES {
            self.din = None;
            self.converse(now, converse::Input::QuietAgain);
        }
        true
    }
}
