//! The floor beside a model and the owner's system: what is asked as which work, and for which turn.

use std::time::Instant;

use super::{Floor, FloorOutput, Reply, joined};
use crate::base::WorkId;
use crate::call::latency::Moments;
use crate::call::work::Work;
use crate::converse::llm::{self, Chat};
use crate::converse::lookup::{LookUp, LookedUp};
use crate::converse::{self, AskId, Say};

/// A turn that a model is answering: its reply comes in pieces.
#[derive(Debug)]
pub(super) struct OpenTurn {
    pub(super) turn: usize,
    moments: Option<Moments>,
    has_reply: bool,
}

impl Floor {
    pub(super) fn ask(&mut self, ask: AskId, chat: Box<Chat>) {
        let id = self.ids.allocate();
        self.asks.push((ask, id));
        self.out.push_back(FloorOutput::Work(Work::Think { id, chat }));
    }

    pub(super) fn cancel_ask(&mut self, ask: AskId) {
        if let Some(index) = self.asks.iter().position(|(of, _)| *of == ask) {
            let (_, id) = self.asks.swap_remove(index);
            self.out.push_back(FloorOutput::Work(Work::Cancel { id }));
        }
    }

    pub(super) fn cancel_asks(&mut self) {
        let works = std::mem::take(&mut self.asks).into_iter().map(|(_, id)| id);
        self.out.extend(works.map(|id| FloorOutput::Work(Work::Cancel { id })));
    }

    pub(super) fn look_up(&mut self, asked: LookUp) {
        self.cancel_look_up();
        let id = self.ids.allocate();
        self.look_up = Some(id);
        self.out.push_back(FloorOutput::Work(Work::LookUp { id, asked }));
    }

    pub(super) fn cancel_look_up(&mut self) {
        let asked = self.look_up.take();
        self.out.extend(asked.map(|id| FloorOutput::Work(Work::Cancel { id })));
    }

    pub(super) fn looked_up(&mut self, now: Instant, id: WorkId, outcome: LookedUp) {
        if self.look_up.take_if(|asked| *asked == id).is_some() {
            self.converse(now, converse::Input::LookedUp(outcome));
        }
    }

    /// More may be said to this turn.
    pub(super) fn keep_open(&mut self, turn: usize, moments: Option<Moments>, has_reply: bool) {
        if self.conversation.is_thinking() {
            self.open_turn = Some(OpenTurn { turn, moments, has_reply });
        }
    }

    /// What is said while the model answers belongs to the turn that it answers.
    pub(super) fn more_of_the_reply(&mut self, now: Instant, said: &[Say]) -> bool {
        let Some(open) = &mut self.open_turn else { return false };
        let (turn, moments) = (open.turn, open.moments.map(|moments| moments.said(now)));
        if !std::mem::replace(&mut open.has_reply, true) {
            let utterance = said.first().map(|say| say.utterance);
            self.awaited_reply = utterance.map(|utterance| Reply { utterance, turn, moments });
        }
        self.out.push_back(FloorOutput::Reply { turn, text: joined(said) });
        true
    }

    pub(super) fn thought(&mut self, now: Instant, id: WorkId, event: llm::Event) {
        let Some(index) = self.asks.iter().position(|(_, work)| *work == id) else { return };
        let Some((ask, _)) = self.asks.get(index).copied() else { return };
        if event.is_end() {
            self.asks.swap_remove(index);
        }
        self.converse(now, converse::Input::Thought { ask, event });
    }
}
