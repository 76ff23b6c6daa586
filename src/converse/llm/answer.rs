//! One answer of a model as it comes in: what of it can be said, and which tools it wants.

use std::fmt;

use super::reader::{Event, Finish};
use super::sentences::Sentences;
use super::spoken::Spoken;
use super::tools::ToolRequest;
use crate::base::{Private, limits};

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Coming,
    /// All of it is there.
    Whole,
    /// It broke off, or there was nothing in it.
    Failed,
    /// It is longer than anybody wants to hear on a telephone, or than a model writes for one: the
    /// rest is not waited for.
    Enough,
}

/// Collects the events of one answer.
#[derive(Clone)]
pub struct Answer {
    spoken: Spoken,
    sentences: Sentences,
    /// Pieces that nobody has taken yet.
    pieces: Vec<Private<String>>,
    calls: Vec<ToolRequest>,
    /// Characters of all pieces so far.
    chars: usize,
    /// Bytes of text so far, spoken or not.
    bytes: usize,
    stage: Stage,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            spoken: Spoken::default(),
            sentences: Sentences::default(),
            pieces: Vec::new(),
            calls: Vec::new(),
            chars: 0,
            bytes: 0,
            stage: Stage::Coming,
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({:?}, {} characters)", self.stage, self.chars)
    }
}

impl Answer {
    pub fn take(&mut self, event: Event) {
        if self.stage != Stage::Coming {
            return;
        }
        match event {
            Event::Text(text) => {
                let left = limits::LLM_TEXT_BYTES.saturating_sub(self.bytes);
                let is_cut = text.reveal().len() >= left;
                let text = head(text.reveal(), left);
                self.bytes += text.len();
                let mut clean = String::new();
                self.spoken.push(text, &mut clean);
                self.collect(|sentences, piece| sentences.push(&clean, piece));
                if is_cut {
                    self.stage = Stage::Enough;
                }
            }
            Event::Call(call) => {
                if self.calls.len() < limits::LLM_TOOL_CALLS {
                    self.calls.push(call);
                }
            }
            Event::Done(finish) => self.finish(finish),
            Event::Failed(_) => self.stage = Stage::Failed,
        }
    }

    /// The pieces that can be said and were not taken before.
    pub fn take_pieces(&mut self) -> Vec<Private<String>> {
        std::mem::take(&mut self.pieces)
    }

    /// The first piece, as long as it was not taken.
    pub fn first_piece(&self) -> Option<&Private<String>> {
        self.pieces.first()
    }

    /// Some of it can be said, or could.
    pub const fn has_words(&self) -> bool {
        self.chars > 0
    }

    /// The tools that it wants, once it is whole.
    pub fn take_calls(&mut self) -> Vec<ToolRequest> {
        std::mem::take(&mut self.calls)
    }

    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// A torn sentence is not said, unless there is nothing else.
    fn finish(&mut self, finish: Finish) {
        if finish == Finish::Stop || self.chars == 0 {
            let mut clean = String::new();
            self.spoken.end(&mut clean);
            self.collect(|sentences, mut piece| {
                sentences.push(&clean, &mut piece);
                sentences.end(piece);
            });
        }
        if self.stage == Stage::Coming {
            let is_empty = self.chars == 0 && self.calls.is_empty();
            self.stage = if is_empty { Stage::Failed } else { Stage::Whole };
        }
    }

    fn collect(&mut self, cut: impl FnOnce(&mut Sentences, &mut dyn FnMut(String) -> bool)) {
        let Self { sentences, pieces, chars, stage, .. } = self;
        cut(sentences, &mut |piece| {
            let length = piece.chars().count();
            if *chars > 0 && *chars + length > limits::LLM_SPOKEN_CHARS {
                *stage = Stage::Enough;
            }
            if *stage != Stage::Enough {
                *chars += length;
                pieces.push(Private::new(piece));
            }
            *stage != Stage::Enough
        });
    }
}

/// The beginning of a text, within so many bytes.
pub(super) fn head(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
