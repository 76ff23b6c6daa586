//! Why a reply came when it did: the gap of a turn, cut into parts on one time line.
//!
//! ```text
//!  last packet  ─jitter─▶ played ─endpoint─▶ closed ─decode─▶ text ─think─▶ said ─voice─▶ first
//!  with speech                                                                            frame
//!  arrives                                                              on the wire ◀─pacing─┘
//! ```
//!
//! The parts are the critical path: each begins where the one before it ended, so their sum is the
//! gap. Recogniser, model and voice begin while the end of the turn is still waited for; what of
//! their work lies in that wait is no part of its own. [`Turn`](super::record::Turn) has the raw
//! times of that work beside the parts.

use std::time::Instant;

use super::state::millis;
use super::work::{Work, WorkResult};
use crate::base::WorkId;
use crate::converse::llm;

/// The parts of one gap, in whole milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// From the arrival of the caller's last packet with speech to the tick that played it.
    pub jitter_ms: u32,
    /// From that tick until the turn was taken as closed.
    pub endpoint_ms: u32,
    /// The turn was closed and its text was not there yet.
    pub decode_ms: u32,
    /// The text was there, and playbook or model had not yet said what to reply.
    pub think_ms: u32,
    /// The reply was known, and its first 20 ms of sound could not leave: the voice had none, or
    /// something else was still being said.
    pub voice_ms: u32,
    /// From there to the packet with the first audible sound: the ring, and a packet's filling.
    pub pacing_ms: u32,
}

impl Latency {
    /// Each part with its name, in the order of the time line.
    pub const fn parts(&self) -> [(&'static str, u32); 6] {
        [
            ("jitter", self.jitter_ms),
            ("endpoint", self.endpoint_ms),
            ("decode", self.decode_ms),
            ("think", self.think_ms),
            ("voice", self.voice_ms),
            ("pacing", self.pacing_ms),
        ]
    }

    /// What the parts explain of the gap.
    pub fn sum_ms(&self) -> u32 {
        self.parts().iter().map(|(_, ms)| ms).sum()
    }
}

/// The last frame of the caller's speech.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastSpeech {
    /// Of its packet.
    pub(super) arrived: Instant,
    /// The tick.
    pub(super) played: Instant,
}

/// The moments of a turn, as far as they have come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    speech: LastSpeech,
    closed: Instant,
    text: Instant,
    said: Instant,
    /// The reply's first frame went to the ring.
    left: Option<Instant>,
}

impl Moments {
    /// A turn that was closed at `closed` and is answered now that its text is there.
    pub(super) const fn new(speech: LastSpeech, closed: Instant, now: Instant) -> Self {
        Self { speech, closed, text: now, said: now, left: None }
    }

    /// The reply, or its beginning, is known only now.
    pub(super) const fn said(self, now: Instant) -> Self {
        Self { said: now, ..self }
    }

    pub(super) fn left(&mut self, now: Instant) {
        self.left.get_or_insert(now);
    }

    /// The reply is on the wire: the gap and its parts. A moment that comes before the one that it
    /// follows, as when a sound after the turn passes for speech, takes no time.
    pub(super) fn audible(&self, at: Instant) -> (u32, Latency) {
        let Self { speech, closed, text, said, left } = *self;
        let gap_ms = millis(at.saturating_duration_since(speech.arrived));
        let mut before_ms = 0;
        let mut until = |moment: Instant| {
            let ms = millis(moment.saturating_duration_since(speech.arrived)).min(gap_ms);
            let part_ms = ms.saturating_sub(before_ms);
            before_ms = before_ms.max(ms);
            part_ms
        };
        let latency = Latency {
            jitter_ms: until(speech.played),
            endpoint_ms: until(closed),
            decode_ms: until(text),
            think_ms: until(said),
            voice_ms: until(left.unwrap_or(at)),
            pacing_ms: until(at),
        };
        (gap_ms, latency)
    }
}

/// How long the work of a stage took until the first of it was there.
#[derive(Clone, Copy, Debug)]
struct Begun {
    id: WorkId,
    asked: Instant,
    first_ms: Option<u32>,
}

/// The raw times of model and voice for the next reply.
#[derive(Debug, Default)]
pub(super) struct Stages {
    model: Option<Begun>,
    voice: Option<Begun>,
}

impl Stages {
    /// The call asks for something.
    pub(super) fn asked(&mut self, now: Instant, work: &Work) {
        let stage = match work {
            Work::Speak { .. } => &mut self.voice,
            Work::Think { .. } => &mut self.model,
            Work::Cancel { id } => return self.cancelled(*id),
            Work::Transcribe { .. } | Work::LookUp { .. } | Work::Agent { .. } => return,
        };
        if let Work::Speak { id, .. } | Work::Think { id, .. } = work {
            stage.get_or_insert(Begun { id: *id, asked: now, first_ms: None });
        }
    }

    fn cancelled(&mut self, id: WorkId) {
        for stage in [&mut self.model, &mut self.voice] {
            stage.take_if(|work| work.id == id && work.first_ms.is_none());
        }
    }

    /// Something of it came.
    pub(super) fn came(&mut self, now: Instant, result: &WorkResult) {
        let (stage, id) = match result {
            WorkResult::Audio { id, .. } => (&mut self.voice, *id),
            WorkResult::Thought { id, event: llm::Event::Text(_) | llm::Event::Call(_) } => {
                (&mut self.model, *id)
            }
            WorkResult::Failed { id } => return self.cancelled(*id),
            _ => return,
        };
        if let Some(work) = stage.as_mut().filter(|work| work.id == id) {
            work.first_ms.get_or_insert(millis(now.saturating_duration_since(work.asked)));
        }
    }

    /// Something of ours is heard: model's and voice's times for it, where they worked for it.
    pub(super) fn take(&mut self) -> (Option<u32>, Option<u32>) {
        let first = |work: Option<Begun>| work.and_then(|work| work.first_ms);
        (first(self.model.take()), first(self.voice.take()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{LanguageCode, Private};
    use std::time::Duration;

    /// Moments in milliseconds after the arrival of the last packet with speech.
    fn moments(played: u64, closed: u64, text: u64, said: u64, left: u64) -> (Instant, Moments) {
        #[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
        let arrived = Instant::now();
        let at = |ms| arrived + Duration::from_millis(ms);
        let speech = LastSpeech { arrived, played: at(played) };
        let mut moments = Moments::new(speech, at(closed), at(text)).said(at(said));
        moments.left(at(left));
        (arrived, moments)
    }

    #[test]
    fn the_parts_follow_one_another_and_their_sum_is_the_gap() {
        let (arrived, moments) = moments(40, 180, 250, 600, 660);
        let (gap_ms, latency) = moments.audible(arrived + Duration::from_millis(680));
        assert_eq!(latency.parts().map(|(_, ms)| ms), [40, 140, 70, 350, 60, 20]);
        assert_eq!((gap_ms, latency.sum_ms()), (680, 680));
    }

    #[test]
    fn moments_out_of_order_never_make_a_sum_that_is_not_the_gap() {
        for (played, closed, text, said, left) in
            [(40, 20, 10, 300, 5), (0, 0, 0, 0, 0), (900, 1, 800, 2, 700), (40, 180, 180, 180, 999)]
        {
            let (arrived, moments) = moments(played, closed, text, said, left);
            let (gap_ms, latency) = moments.audible(arrived + Duration::from_millis(500));
            assert_eq!((gap_ms, latency.sum_ms()), (500, 500), "{latency:?}");
        }
    }

    #[test]
    fn the_raw_time_of_a_stage_is_that_of_the_first_work_that_was_not_cancelled() {
        let (now, _) = moments(0, 0, 0, 0, 0);
        let at = |ms| now + Duration::from_millis(ms);
        let speak = |id| Work::Speak {
            id: WorkId(id),
            language: LanguageCode::ENGLISH,
            phrase: Private::default(),
        };
        let audio = |id| WorkResult::Audio { id: WorkId(id), samples: Private::default() };
        let mut stages = Stages::default();
        stages.asked(at(0), &speak(1));
        stages.asked(at(10), &Work::Cancel { id: WorkId(1) });
        stages.asked(at(10), &speak(2));
        stages.asked(at(10), &speak(3));
        stages.came(at(15), &audio(3));
        stages.came(at(25), &audio(2));
        stages.came(at(90), &audio(2));
        assert_eq!(stages.take(), (None, Some(15)));
        assert_eq!(stages.take(), (None, None));
    }
}
