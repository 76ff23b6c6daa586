//! Somebody of the firm's speaks in the assistant's place, and gives the call back.
//!
//! What was being said stops and its history keeps what was heard of it; nothing is recognised, asked or said until the
//! call is given back. Invariant: the conversation is told everything that it missed before it says its first word.

use std::time::Instant;

use super::{Floor, FloorOutput, Phase};
use crate::call::relay::Relay;
use crate::converse::{self, TakeOver, Why};

impl Floor {
    /// Whether there is a talk that somebody could go on with.
    pub(in crate::call) fn may_give_way(&self) -> bool {
        matches!(self.phase, Phase::Open { .. } | Phase::Held { .. })
    }

    /// From here on somebody else speaks, and hears the caller.
    pub(in crate::call) fn give_way(&mut self, now: Instant) {
        if !self.may_give_way() {
            return;
        }
        // The agent's conversation ends with its connection; the playbook goes on with the call.
        let agent = self.agent.as_ref().map(|remote| TakeOver {
            since: remote.since.unwrap_or(now),
            why: Why::Operator,
            told: remote.wish(),
        });
        self.give_way_all();
        let falling = std::mem::take(&mut self.spoken);
        self.close(now);
        self.spoken = falling;
        self.phase = Phase::Joined;
        self.unheard.extend(agent.map(converse::Input::TakeOver));
        (self.waiting, self.overlap) = (None, None);
        (self.awaited_reply, self.open_turn) = (None, None);
        self.out.push_back(FloorOutput::Silence(self.last_wire));
        self.last_wire = self.last_wire.next();
        self.relay = Some(Relay::new(self.last_wire));
    }

    /// The conversation goes on.
    pub(in crate::call) fn give_back(&mut self, now: Instant) {
        if self.phase != Phase::Joined {
            return;
        }
        self.relay = None;
        self.out.push_back(FloorOutput::Silence(self.last_wire));
        self.phase = Phase::Open { since: now };
        self.watch_anew();
        self.converse(now, converse::Input::CallerSilent { since: now });
        self.converse(now, converse::Input::GivenBack);
    }

    /// Whether engines work is news also to a conversation that somebody else holds meanwhile.
    pub(super) fn keep_for_later(&mut self, input: converse::Input) {
        use converse::Input as I;
        let is_of_engine = matches!(
            input,
            I::RecognizerLost | I::RecognizerBack | I::SynthesizerLost | I::SynthesizerBack
        );
        if is_of_engine && self.phase == Phase::Joined {
            // Each once, in the order of its last time: an engine that comes and goes fills no memory.
            self.unheard.retain(|known| *known != input);
            self.unheard.push_back(input);
        }
    }
}
