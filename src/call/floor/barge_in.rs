//! The caller speaks over us: whether it takes the floor, and what becomes of it when it did not.
//!
//! ```text
//!  speech ─▶ Overlap ─ long enough, or words ─▶ paused ─ longer still, or a turn ─▶ stopped
//!                                                    └─ a cough, "mm-hm", nothing ─▶ goes on
//! ```
//!
//! Our own echo does not come so far: it counts as silence (`listen::echo`).

use std::time::{Duration, Instant};

use super::saying::Saying;
use super::{Floor, Phase, Timer};
use crate::base::pcm::FRAME_MS;
use crate::call::hearing::HeardTurn;
use crate::converse;

/// Frames of speech by which the ear is sure of an onset.
const ONSET_FRAMES: u32 = 4;
/// Speech that takes the floor where we have asked something: a cough is shorter.
const ANSWER_FRAMES: u32 = frames(160);
/// Speech that takes the floor where we have not: most people's "mm-hm" and "okay" are shorter. A
/// word that is none of these takes it as soon as it is understood.
const FLOOR_FRAMES: u32 = frames(400);
/// Speech after which what we said is given up, and a model that still makes more of it is stopped:
/// no cough lasts so long.
const GIVEN_UP_FRAMES: u32 = frames(1_000);
/// Sound over our voice that was not understood is taken for no words at all up to this length.
const UNCLEAR_FRAMES: u32 = frames(700);
/// What speaks so soon after the call was connected was there before it: a caller who has dialled listens
/// for somebody to answer, a room full of people does not.
const FROM_THE_START: Duration = Duration::from_millis(500);
/// Speech after which that is a caller nevertheless: many people at once are known for what they are by
/// then (`listen::near`).
const KNOWN_FRAMES: u32 = frames(2_800);

/// Short words over our voice that are believed less than this are a cough's or a door's: a model makes
/// words of any sound.
const BELIEVED: f32 = 0.6;

/// A key that is held down for longer, or whose end is not told, does not keep us silent.
const KEY_DOWN: Duration = Duration::from_secs(2);

const fn frames(ms: u64) -> u32 {
    (ms / FRAME_MS) as u32
}

/// Speech of the caller while we speak, until its utterance has ended.
#[derive(Debug)]
pub(super) struct Overlap {
    speech_frames: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It began after our question, or before we did: it is meant for us.
    Meant,
    /// While we tell something.
    Aside,
    /// It was there before the call was.
    Around,
}

impl Overlap {
    /// Speech that takes the floor.
    const fn needed_frames(&self) -> u32 {
        match self.kind {
            Kind::Meant => ANSWER_FRAMES,
            Kind::Aside => FLOOR_FRAMES,
            Kind::Around => KNOWN_FRAMES,
        }
    }

    /// What is not understood may be no words at all.
    const fn is_short(&self) -> bool {
        let longest = match self.kind {
            Kind::Meant | Kind::Aside => UNCLEAR_FRAMES,
            Kind::Around => KNOWN_FRAMES,
        };
        self.speech_frames < longest
    }
}

impl Floor {
    /// The caller has begun to speak for sure.
    pub(super) fn begin_overlap(&mut self, now: Instant) {
        if self.spoken.iter().any(Saying::is_under_way) {
            let kind = if self.was_there_before(now) {
                Kind::Around
            } else if self.is_question_open(now) || self.has_just_begun(now) {
                Kind::Meant
            } else {
                Kind::Aside
            };
            self.overlap = Some(Overlap { speech_frames: ONSET_FRAMES - 1, kind });
        }
    }

    /// After each frame: who has spoken so long takes the floor.
    pub(super) fn weigh_overlap(&mut self, now: Instant) {
        if !self.hearing.is_hearing_speech() {
            return;
        }
        if self.overlap.is_none() && self.spoken.iter().any(Saying::is_going_on) {
            let kind = if self.was_there_before(now) { Kind::Around } else { Kind::Meant };
            self.overlap = Some(Overlap { speech_frames: 0, kind });
        }
        let Some(overlap) = &mut self.overlap else { return };
        overlap.speech_frames = overlap.speech_frames.saturating_add(1);
        let needed = overlap.needed_frames();
        let speech_frames = overlap.speech_frames;
        // Breath alone, however long, is no wish to speak; whispered words end as a turn.
        if !self.hearing.is_hearing_voice() {
            return;
        }
        if speech_frames >= needed {
            self.pause_all();
        }
        if speech_frames >= GIVEN_UP_FRAMES {
            self.stop_paused();
            self.tell_unheard(now);
        }
    }

    /// The caller presses a key: it is heard without our voice, whatever becomes of it.
    pub(in crate::call) fn digit_begun(&mut self, now: Instant) {
        let is_talk = !self.is_with_agent() && !self.is_taking();
        if matches!(self.phase, Phase::Open { .. }) && is_talk {
            self.pause_all();
            self.timers.set(Timer::Key, now + KEY_DOWN);
        }
    }

    /// What the key has not stopped goes on.
    pub(super) fn key_is_up(&mut self, now: Instant) {
        self.timers.cancel(Timer::Key);
        if self.overlap.is_none() {
            self.resume_all();
            self.tell_unheard(now);
        }
    }

    /// "Mm-hm" over our voice while no question is open.
    pub(super) fn is_backchannel(&self, speech: &converse::Speech) -> bool {
        self.overlap.as_ref().is_some_and(|overlap| overlap.kind != Kind::Meant)
            && self.conversation.is_backchannel(speech)
    }

    /// Something short over our voice while no question is open, in which words are hardly believed.
    pub(super) fn is_noise(&self, speech: &converse::Speech) -> bool {
        let is_light = |o: &Overlap| o.kind != Kind::Meant && o.is_short();
        speech.confidence < BELIEVED
            && !self.spoken.is_empty()
            && self.overlap.as_ref().is_some_and(is_light)
    }

    /// What was spoken over our voice and wants no reply.
    pub(super) fn is_no_turn(&self, heard: &HeardTurn) -> bool {
        match &heard.words {
            Some(words) => self.is_backchannel(&words.speech) || self.is_noise(&words.speech),
            // Once we have ended it may be the reply to what we said.
            None => !self.spoken.is_empty() && self.overlap.as_ref().is_some_and(Overlap::is_short),
        }
    }

    /// What the caller said needs no reply: we go on where we were.
    pub(super) fn spoke_for_nothing(&mut self, now: Instant) {
        self.overlap = None;
        self.voice.forget();
        self.resume_all();
        self.tell_unheard(now);
        self.converse(now, converse::Input::GoesOn);
        self.converse(now, converse::Input::CallerSilent { since: now });
    }

    /// We wait for an answer, and the question was begun at least.
    fn is_question_open(&self, now: Instant) -> bool {
        let is_expected = self.conversation.expectation() != converse::Expectation::Anything;
        let mut going_on = self.spoken.iter().filter(|saying| saying.is_going_on());
        match (going_on.next(), going_on.next()) {
            (Some(last), None) => {
                // A model asks without saying so.
                (is_expected || last.asks())
                    && last.has_begun_question(now, self.voice.length(last.wire))
            }
            // The question comes last.
            (Some(_), Some(_)) => false,
            (None, _) => is_expected,
        }
    }

    /// The call has just been connected.
    fn was_there_before(&self, now: Instant) -> bool {
        let Phase::Open { since } = self.phase else { return false };
        now.saturating_duration_since(since) < FROM_THE_START
    }

    /// All that we say has begun at this moment: the caller had begun, too.
    fn has_just_begun(&self, now: Instant) -> bool {
        self.spoken.iter().all(|saying| saying.has_just_begun(now))
    }
}
