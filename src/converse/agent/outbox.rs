//! What waits to be sent: the caller's sound and everything else, for a connection that may stall.
//!
//! Invariant: at most [`limits::AGENT_OUTBOX_MS`] of sound, of which the oldest is left out, and at most
//! [`limits::AGENT_OUTBOX_MESSAGES`] other messages. Those go before sound: a pong that waits behind two
//! seconds of it would be late.

use std::collections::VecDeque;

use super::outgoing::ClientMessage;
use crate::base::limits;

#[derive(Debug, Default)]
pub struct Outbox {
    /// Each with its length in milliseconds.
    audio: VecDeque<(ClientMessage, u64)>,
    audio_ms: u64,
    others: VecDeque<ClientMessage>,
    dropped_ms: u64,
}

impl Outbox {
    /// `ms`: how long its sound is. False: it is full of messages that are none, and the connection is of
    /// no use.
    pub fn push(&mut self, message: ClientMessage, ms: u64) -> bool {
        if !message.is_audio() {
            if self.others.len() >= limits::AGENT_OUTBOX_MESSAGES {
                return false;
            }
            self.others.push_back(message);
            return true;
        }
        self.audio.push_back((message, ms));
        self.audio_ms += ms;
        while self.audio_ms > limits::AGENT_OUTBOX_MS {
            let Some((_, oldest)) = self.audio.pop_front() else { break };
            self.audio_ms -= oldest;
            self.dropped_ms += oldest;
        }
        true
    }

    pub fn pop(&mut self) -> Option<ClientMessage> {
        if let Some(message) = self.others.pop_front() {
            return Some(message);
        }
        let (message, ms) = self.audio.pop_front()?;
        self.audio_ms -= ms;
        Some(message)
    }

    /// Sound that was left out so far.
    pub const fn dropped_ms(&self) -> u64 {
        self.dropped_ms
    }
}
