//! The sound of one utterance and of the moment before it, in memory taken once.

use std::collections::VecDeque;

use crate::base::pcm::{FRAME_MS, FRAME_SAMPLES, Frame, ms_to_samples};

/// Length of the stretch whose energy is compared when looking for a place to cut.
const CUT_WINDOW_FRAMES: usize = 3;

/// The ear's memory. Frames are always pushed; an utterance is taken out of the last ones.
pub(super) struct Recording {
    /// The last frames, for the pre-roll.
    recent: VecDeque<Frame>,
    recent_frames: usize,
    /// The utterance so far.
    audio: Vec<i16>,
}

impl Recording {
    /// Room for `recent_ms` of pre-roll and `utterance_ms` of speech; neither is exceeded.
    pub(super) fn new(recent_ms: u64, utterance_ms: u64) -> Self {
        let recent_frames = (recent_ms / FRAME_MS) as usize;
        Self {
            recent: VecDeque::with_capacity(recent_frames + 1),
            recent_frames,
            audio: Vec::with_capacity(ms_to_samples(utterance_ms)),
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.recent.clear();
        self.audio.clear();
    }

    /// Ends the utterance; of the recent frames only the last `frames` may start the next one, so
    /// that no word is heard twice.
    pub(super) fn finish(&mut self, frames: usize) {
        self.audio.clear();
        let old = self.recent.len().saturating_sub(frames);
        self.recent.drain(..old);
    }

    /// Outside an utterance: remembers the frame for the pre-roll.
    pub(super) fn wait(&mut self, frame: &Frame) {
        self.recent.push_back(*frame);
        if self.recent.len() > self.recent_frames {
            self.recent.pop_front();
        }
    }

    /// Inside an utterance: appends the frame.
    pub(super) fn append(&mut self, frame: &Frame) {
        self.wait(frame);
        if self.audio.len() + FRAME_SAMPLES <= self.audio.capacity() {
            self.audio.extend_from_slice(&frame.0);
        }
    }

    /// Starts an utterance with the last `frames` frames, or as many as there are.
    pub(super) fn begin(&mut self, frames: usize) {
        self.audio.clear();
        let old = self.recent.len().saturating_sub(frames);
        for frame in self.recent.iter().skip(old) {
            self.audio.extend_from_slice(&frame.0);
        }
    }

    /// Samples of the utterance so far.
    pub(super) fn len(&self) -> usize {
        self.audio.len()
    }

    /// A copy of the utterance's first `samples` samples.
    pub(super) fn head(&self, samples: usize) -> Vec<i16> {
        self.audio[..samples.min(self.audio.len())].to_vec()
    }

    /// Takes the first `samples` samples out; the rest is the utterance now.
    pub(super) fn split_head(&mut self, samples: usize) -> Vec<i16> {
        let head = self.head(samples);
        self.audio.copy_within(head.len().., 0);
        self.audio.truncate(self.audio.len() - head.len());
        head
    }

    /// Where the utterance is quietest between two sample positions, to within a frame.
    pub(super) fn quietest(&self, from: usize, to: usize) -> usize {
        let window = CUT_WINDOW_FRAMES * FRAME_SAMPLES;
        let to = to.min(self.audio.len());
        let power = |start: &usize| -> i64 {
            let stretch = &self.audio[*start..*start + window];
            stretch.iter().map(|&s| i64::from(s) * i64::from(s)).sum()
        };
        let starts = (from..(to + 1).saturating_sub(window)).step_by(FRAME_SAMPLES);
        starts.min_by_key(power).map_or(to, |start| start + window / 2)
    }
}
