//! The client's sound on its way into the call: whatever it comes in, it leaves in 20 ms steps.
//!
//! A frame leaves when it comes, or 20 ms after the one before, whichever is later, and the first frame sets that
//! clock: so a client that sends in
//! real time loses nothing to a clock of ours, and one that sends chunks, or a file at once, is played evenly.
//! A frame that is late moves those after it back; what is gained by that for good, without need, is given back
//! frame by frame.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::format::{Format, Reader};
use crate::base::limits;
use crate::base::pcm::{FRAME_MS, Frame};

const TICK: Duration = Duration::from_millis(FRAME_MS);
/// A frame that is late by less is waited for, and the call's concealment covers the gap; after it the
/// client is silent.
const GRACE: Duration = Duration::from_millis(60);
const GRACE_TICKS: u32 = 3;
/// For so long more must have waited than was needed, before a frame leaves early.
const WATCHED: u32 = 50;
/// With more than this in the queue it is a file or long chunks, not a jitter that is over.
const JITTER_FRAMES: usize = 12;
/// A call whose client has said nothing yet hears silence after this long.
const FIRST: Duration = Duration::from_millis(200);
/// A clock that has stood still for longer begins anew.
const STALLED: Duration = Duration::from_millis(500);

/// What is owed to the call.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Sound(Box<Frame>),
    Silence,
    /// So many steps have passed without either.
    Nothing(u32),
    /// All sound before this mark has left.
    Mark(String),
}

enum Item {
    Frame(Box<Frame>),
    Mark(String),
}

/// How the sound comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// The call is not up, or is held since then.
    Stopped { since: Option<Instant> },
    /// The first frame is waited for.
    Awaited { until: Instant },
    /// The next frame is due then; it may be late.
    Sound { due: Instant },
    /// The client is silent, and the next silence is due then.
    Silence { due: Instant },
}

/// See the module.
pub struct SoundIn {
    reader: Reader,
    queue: VecDeque<Item>,
    frames: usize,
    flow: Flow,
    /// Steps for which the call was held.
    held: u32,
    /// The least and the most that waited behind a frame, and over how many.
    least: usize,
    most: usize,
    watched: u32,
    lost: u64,
}

impl SoundIn {
    pub fn new(format: Format) -> Self {
        Self {
            reader: Reader::new(format),
            queue: VecDeque::new(),
            frames: 0,
            flow: Flow::Stopped { since: None },
            held: 0,
            least: usize::MAX,
            most: 0,
            watched: 0,
            lost: 0,
        }
    }

    /// Takes a binary message; the oldest sound goes where it is too much. Gives the frames that went.
    pub fn push(&mut self, now: Instant, bytes: &[u8]) -> u64 {
        let was_empty = self.frames == 0;
        let Self { reader, queue, frames, .. } = self;
        reader.read(bytes, |frame| {
            queue.push_back(Item::Frame(Box::new(frame)));
            *frames += 1;
        });
        if was_empty && self.frames > 0 {
            self.flow = match self.flow {
                // A frame that was waited for moves those after it.
                Flow::Sound { due } => Flow::Sound { due: now.max(due) },
                Flow::Awaited { .. } => Flow::Sound { due: now },
                other => other,
            };
        }
        self.shed()
    }

    /// No more sound for now: what is left of a frame is one.
    pub fn flush(&mut self) {
        if let Some(frame) = self.reader.flush() {
            self.queue.push_back(Item::Frame(Box::new(frame)));
            self.frames += 1;
            self.shed();
        }
    }

    /// False if too many wait.
    pub fn mark(&mut self, name: String) -> bool {
        let marks = self.queue.len() - self.frames;
        if marks >= limits::AUDIO_MARKS {
            return false;
        }
        self.queue.push_back(Item::Mark(name));
        true
    }

    /// Throws away what has not left; gives the marks in it.
    pub fn clear(&mut self) -> Vec<String> {
        self.reader.clear();
        self.frames = 0;
        let mark = |item| match item {
            Item::Mark(name) => Some(name),
            Item::Frame(_) => None,
        };
        self.queue.drain(..).filter_map(mark).collect()
    }

    /// The call is up, or again.
    pub fn begin(&mut self, now: Instant) {
        if let Flow::Stopped { since: Some(since) } = self.flow {
            self.held += steps(now.saturating_duration_since(since));
        }
        self.flow = match self.frames {
            0 => Flow::Awaited { until: now + FIRST },
            _ => Flow::Sound { due: now },
        };
        self.forget_watch();
    }

    /// The call is held or over.
    pub fn stop(&mut self, now: Instant) {
        self.flow = Flow::Stopped { since: Some(now) };
    }

    /// Frames that were too much, in all.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Frames that wait.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.frames
    }

    /// When [`Self::poll`] has something, if nothing comes before.
    pub fn deadline(&self) -> Option<Instant> {
        match self.flow {
            Flow::Stopped { .. } => None,
            Flow::Sound { due } if self.queue.is_empty() => Some(due + GRACE),
            Flow::Sound { due } | Flow::Silence { due } | Flow::Awaited { until: due } => Some(due),
        }
    }

    /// What is owed by now; call until `None`.
    pub fn poll(&mut self, now: Instant) -> Option<Step> {
        let due = match self.flow {
            Flow::Stopped { .. } => return None,
            _ if self.held > 0 => return Some(Step::Nothing(std::mem::take(&mut self.held))),
            Flow::Sound { due } | Flow::Silence { due } | Flow::Awaited { until: due } => due,
        };
        let late = now.checked_duration_since(due)?;
        if late > STALLED {
            self.flow = Flow::Silence { due: now };
            return Some(Step::Nothing(steps(late)));
        }
        match (self.queue.pop_front(), self.flow) {
            (Some(Item::Mark(name)), _) => Some(Step::Mark(name)),
            (Some(Item::Frame(frame)), _) => {
                self.frames -= 1;
                self.flow = Flow::Sound { due: due + TICK - self.early() };
                Some(Step::Sound(frame))
            }
            (None, Flow::Sound { .. }) if late < GRACE => None,
            (None, Flow::Sound { .. }) => {
                self.flow = Flow::Silence { due: due + GRACE };
                self.forget_watch();
                Some(Step::Nothing(GRACE_TICKS))
            }
            (None, _) => {
                self.flow = Flow::Silence { due: due + TICK };
                Some(Step::Silence)
            }
        }
    }

    /// By how much the next frame may leave early: a whole one, where one has waited all the time.
    fn early(&mut self) -> Duration {
        self.least = self.least.min(self.frames);
        self.most = self.most.max(self.frames);
        self.watched += 1;
        if self.watched < WATCHED {
            return Duration::ZERO;
        }
        let has_too_many = self.least > 0 && self.most <= JITTER_FRAMES;
        self.forget_watch();
        if has_too_many { TICK } else { Duration::ZERO }
    }

    fn forget_watch(&mut self) {
        (self.least, self.most, self.watched) = (usize::MAX, 0, 0);
    }

    fn shed(&mut self) -> u64 {
        let mut shed = 0;
        let mut index = 0;
        // Marks stay: they are answered in their order.
        while self.frames > limits::AUDIO_IN_FRAMES && index < self.queue.len() {
            match self.queue.get(index) {
                Some(Item::Frame(_)) => {
                    self.queue.remove(index);
                    self.frames -= 1;
                    shed += 1;
                }
                _ => index += 1,
            }
        }
        self.lost += shed;
        shed
    }
}

/// Whole steps in a time.
fn steps(time: Duration) -> u32 {
    u32::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(0)
}
