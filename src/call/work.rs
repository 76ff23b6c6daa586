//! What a call asks of the speech engine and of the model, and what comes back. The shell carries it.

use serde::{Deserialize, Serialize};

use crate::base::{LanguageCode, Private, WorkId, serial};
use crate::converse::lookup::{LookUp, LookedUp};
use crate::converse::{agent, llm};
use crate::listen::{DecodeWish, Recognition};

/// From the call.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// Recognise this: 16 kHz mono, at most `limits::UTTERANCE_MS`.
    Transcribe { id: WorkId, wish: DecodeWish, audio: Private<Vec<i16>> },
    /// Speak this phrase, which is normalised for speech already.
    Speak { id: WorkId, language: LanguageCode, phrase: Private<String> },
    /// Have the model answer.
    Think { id: WorkId, chat: Box<llm::Chat> },
    /// Ask the owner's system.
    LookUp { id: WorkId, asked: LookUp },
    /// Have a remote agent hold the call; what comes of it comes until `Event::Ended`.
    Agent { id: WorkId, command: agent::Command },
    /// The result is no longer wanted; one may still come and is ignored then.
    Cancel { id: WorkId },
}

/// To the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WorkResult {
    Text {
        id: WorkId,
        recognition: Recognition,
        decode_ms: u32,
        /// The language that it is in and how likely, 0 to 1, where several were possible.
        detected: Option<(LanguageCode, f32)>,
    },
    /// A chunk of speech at 16 kHz, in order and without gaps.
    Audio {
        id: WorkId,
        #[serde(with = "serial::revealed")]
        samples: Private<Vec<i16>>,
    },
    /// All chunks of the phrase have come.
    Spoken { id: WorkId },
    /// A part of the model's answer.
    Thought { id: WorkId, event: llm::Event },
    /// What the owner's system has said.
    LookedUp { id: WorkId, outcome: LookedUp },
    /// A remote agent, under the work that had it prepared.
    Agent { id: WorkId, event: agent::Event },
    /// Nothing more will come.
    Failed { id: WorkId },
}

/// Numbers the work of one call.
#[derive(Debug, Default)]
pub struct WorkIds(u32);

impl WorkIds {
    pub fn allocate(&mut self) -> WorkId {
        self.0 = self.0.wrapping_add(1);
        WorkId(self.0)
    }
}
