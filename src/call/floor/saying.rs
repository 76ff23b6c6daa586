//! What is being said: from the conversation's wish to the end that it is told.
//!
//! Invariant: every utterance that the conversation said ends for it in `Finished` or `Interrupted`.

use std::time::Instant;

use super::{Floor, FloorOutput, Phase};
use crate::base::UtteranceId;
use crate::call::record::CallRecord;
use crate::call::state::millis;
use crate::converse::{self, Purpose, Say};
use crate::speak::PlayoutFrame;

/// Something that the conversation wants said and that has not ended.
#[derive(Debug)]
pub(super) struct Saying {
    pub(super) utterance: UtteranceId,
    interruptible: bool,
    purpose: Purpose,
    /// The turn that it belongs to, counted from 0.
    turn: usize,
    /// Frames that were given to the ring.
    frames: u32,
    /// Once it was stopped: the frames that it would have had in all.
    stopped: Option<u32>,
}

impl Saying {
    pub(super) const fn new(say: &Say, turn: usize) -> Self {
        Self {
            utterance: say.utterance,
            interruptible: say.interruptible,
            purpose: say.purpose,
            turn,
            frames: 0,
            stopped: None,
        }
    }

    pub(super) const fn is_going_on(&self) -> bool {
        self.stopped.is_none()
    }
}

impl Floor {
    /// Frames flow while the floor is open, and not while the peer holds us.
    pub(in crate::call) fn next_frame(&mut self, now: Instant) -> Option<PlayoutFrame> {
        let frame = match self.phase {
            Phase::Open { .. } => self.voice.next_frame()?,
            Phase::Waiting { .. } | Phase::Held { .. } | Phase::Closed => return None,
        };
        if let Some(spoken) = self.spoken.iter_mut().find(|s| s.utterance == frame.utterance) {
            spoken.frames += 1;
        }
        if let Some(reply) = &mut self.awaited_reply
            && reply.utterance == frame.utterance
            && let Some(moments) = &mut reply.moments
        {
            moments.left(now);
        }
        Some(frame)
    }

    pub(in crate::call) fn finished(&mut self, now: Instant, utterance: UtteranceId) {
        if let Some(index) = self.spoken.iter().position(|s| s.utterance == utterance) {
            self.spoken.remove(index);
            self.converse(now, converse::Input::Finished { utterance });
        }
    }

    /// The audio thread has thrown away everything up to `through`; of one utterance of it so many
    /// frames had been played, of the others none.
    pub(in crate::call) fn silenced(
        &mut self,
        now: Instant,
        through: UtteranceId,
        played: (UtteranceId, u32),
    ) {
        let (gone, going_on): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.spoken).into_iter().partition(|s| s.utterance <= through);
        self.spoken = going_on;
        for spoken in gone {
            let whole = spoken.stopped.unwrap_or(spoken.frames).max(1);
            let frames = if spoken.utterance == played.0 { played.1 } else { 0 };
            let heard_fraction = (frames as f32 / whole as f32).min(1.0);
            let utterance = spoken.utterance;
            self.unheard.push_back(converse::Input::Interrupted { utterance, heard_fraction });
        }
        self.tell_unheard(now);
    }

    /// An utterance has become audible: the end of a gap. Gives the turn that it replies to.
    pub(in crate::call) fn audible(
        &mut self,
        record: &mut CallRecord,
        utterance: UtteranceId,
        at: Instant,
    ) -> Option<usize> {
        let is_greeting = |s: &Saying| s.utterance == utterance && s.purpose == Purpose::Greeting;
        if let Phase::Open { since } = self.phase
            && self.spoken.iter().any(is_greeting)
        {
            record.greeting_delay_ms = Some(millis(at.saturating_duration_since(since)));
        }
        let reply = self.awaited_reply.take_if(|reply| reply.utterance == utterance)?;
        let (gap_ms, latency) = reply.moments?.audible(at);
        let turn = record.turn_mut(reply.turn)?;
        (turn.gap_ms, turn.latency) = (Some(gap_ms), Some(latency));
        Some(reply.turn)
    }

    pub(super) fn tell_unheard(&mut self, now: Instant) {
        while let Some(input) = self.unheard.pop_front() {
            self.converse(now, input);
        }
    }

    /// The caller has taken the floor.
    pub(super) fn stop_all(&mut self) {
        let all: Vec<(UtteranceId, usize)> = self
            .spoken
            .iter()
            .filter(|s| s.interruptible && s.stopped.is_none())
            .map(|s| (s.utterance, s.turn))
            .collect();
        for (utterance, turn) in all {
            if self.stop(utterance) {
                self.out.push_back(FloorOutput::Interrupted { turn });
            }
        }
    }

    /// What may not be interrupted protects what follows it, too: silencing is always up to an
    /// utterance. False if it goes on.
    pub(super) fn stop(&mut self, utterance: UtteranceId) -> bool {
        let Some(index) = self.spoken.iter().position(|s| s.utterance == utterance) else {
            return false;
        };
        let is_protected = |s: &Saying| !s.interruptible && s.stopped.is_none();
        let is_stopped = |s: &Saying| s.stopped.is_some();
        if self.spoken.iter().take(index).any(is_protected)
            || self.spoken.get(index).is_some_and(is_stopped)
        {
            return false;
        }
        let left = self.voice.stop(utterance).map_or(0, |progress| progress.frames_left);
        match self.spoken.get_mut(index) {
            Some(spoken) if spoken.frames > 0 => {
                spoken.stopped = Some(spoken.frames + left);
                self.out.push_back(FloorOutput::Silence(utterance));
            }
            _ => {
                self.spoken.remove(index);
                let unheard = converse::Input::Interrupted { utterance, heard_fraction: 0.0 };
                self.unheard.push_back(unheard);
            }
        }
        true
    }
}
