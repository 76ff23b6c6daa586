//! What we are saying and have said: utterances under way, and the history of the call.

use std::collections::VecDeque;
use std::time::Instant;

use super::alphabet::{Speaker, Turn};
use super::reply::heard_part;
use crate::base::{Private, UtteranceId, limits};

/// Utterances that may wait to be played; the call reports each end. A model makes its sentences
/// faster than they are spoken: `limits::LLM_SPOKEN_CHARS` in short ones.
const UNDER_WAY: usize = 64;

/// One utterance on its way to the caller.
#[derive(Clone, Debug)]
struct Spoken {
    utterance: UtteranceId,
    plain: Private<String>,
    interruptible: bool,
    said_at: Instant,
}

#[derive(Clone, Debug, Default)]
pub struct Voice {
    last: UtteranceId,
    under_way: VecDeque<Spoken>,
}

impl Voice {
    pub fn begin(&mut self, now: Instant, plain: String, interruptible: bool) -> UtteranceId {
        self.last = self.last.next();
        if self.under_way.len() >= UNDER_WAY {
            self.under_way.pop_front();
        }
        let plain = Private::new(plain);
        self.under_way.push_back(Spoken {
            utterance: self.last,
            plain,
            interruptible,
            said_at: now,
        });
        self.last
    }

    /// The turn that this utterance was, as far as it was heard.
    pub fn end(&mut self, utterance: UtteranceId, heard_fraction: f32) -> Option<Turn> {
        let at = self.under_way.iter().position(|spoken| spoken.utterance == utterance)?;
        let spoken = self.under_way.remove(at)?;
        let text = Private::new(heard_part(spoken.plain.reveal(), heard_fraction));
        Some(Turn { at: spoken.said_at, speaker: Speaker::Desk, text })
    }

    pub fn is_under_way(&self, utterance: UtteranceId) -> bool {
        self.under_way.iter().any(|spoken| spoken.utterance == utterance)
    }

    pub fn is_silent(&self) -> bool {
        self.under_way.is_empty()
    }

    /// What gives way to the caller.
    pub fn interruptible(&self) -> Vec<UtteranceId> {
        self.under_way.iter().filter(|spoken| spoken.interruptible).map(|s| s.utterance).collect()
    }

    pub fn all(&self) -> Vec<UtteranceId> {
        self.under_way.iter().map(|spoken| spoken.utterance).collect()
    }
}

/// The turns of a call, the oldest forgotten first.
#[derive(Clone, Debug, Default)]
pub struct History(VecDeque<Turn>);

impl History {
    pub fn push(&mut self, turn: Turn) {
        if self.0.len() >= limits::TURNS_PER_CALL {
            self.0.pop_front();
        }
        self.0.push_back(turn);
    }

    pub fn turns(&self) -> impl Iterator<Item = &Turn> {
        self.0.iter()
    }
}
