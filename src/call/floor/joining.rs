//! A caller whom we put through ourselves: what is heard until somebody is there, and afterwards the sound
//! of the other call in place of ours.
//!
//! Once two calls are joined nothing of them is recognised, understood or recorded here: what the two say
//! is theirs. Joined ends with the call, or where whoever had the caller has left them behind.

use std::time::Instant;

use super::waiting::Waiting;
use super::{Floor, FloorOutput, Phase};
use crate::base::pcm::Frame;
use crate::call::relay::Relay;
use crate::converse;
use crate::speak::PlayoutFrame;

impl Floor {
    /// Somebody is called: the caller hears that they are waited for.
    pub(in crate::call) fn wait(&mut self) {
        self.last_wire = self.last_wire.next();
        self.waiting = Some(Waiting::new(self.last_wire, self.hold));
    }

    /// Nobody is waited for any more.
    pub(in crate::call) fn stop_waiting(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.out.push_back(FloorOutput::Silence(waiting.wire));
        }
    }

    /// From here on this call has the sound of another one.
    pub(in crate::call) fn join(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Joined | Phase::Closed) {
            return;
        }
        // The conversation hears of it if it ever goes on.
        let said = self.spoken.iter().map(|saying| saying.utterance);
        self.unheard.extend(said.map(|utterance| converse::Input::Finished { utterance }));
        self.close(now);
        self.phase = Phase::Joined;
        self.waiting = None;
        self.out.push_back(FloorOutput::Silence(self.last_wire));
        self.last_wire = self.last_wire.next();
        self.relay = Some(Relay::new(self.last_wire));
    }

    /// Nobody is there any more: the conversation goes on as if nobody had been reached.
    pub(in crate::call) fn take_back(&mut self, now: Instant) {
        if self.phase != Phase::Joined {
            return;
        }
        (self.waiting, self.relay) = (None, None);
        (self.overlap, self.din, self.awaited_reply) = (None, None, None);
        self.out.push_back(FloorOutput::Silence(self.last_wire));
        self.phase = Phase::Open { since: now };
        self.watch_anew();
        self.converse(now, converse::Input::CallerSilent { since: now });
        self.converse(now, converse::Input::LeftBehind);
    }

    /// The other half of a joined call hears nobody for a while, or is heard again.
    pub(in crate::call) fn partner_waits(&mut self, waits: bool) {
        match (self.phase, waits, self.waiting.is_some()) {
            (Phase::Joined, true, false) => self.wait(),
            (Phase::Joined, false, true) => {
                self.stop_waiting();
                self.last_wire = self.last_wire.next();
                self.relay = Some(Relay::new(self.last_wire));
            }
            _ => (),
        }
    }

    /// 20 ms of the other call. What is too late is left out.
    pub(in crate::call) fn relay(&mut self, frame: &Frame) {
        if self.waiting.is_none()
            && let Some(relay) = &mut self.relay
        {
            relay.push(frame);
        }
    }

    pub(super) fn relayed(&mut self) -> Option<PlayoutFrame> {
        if self.waiting.is_some() {
            return self.waited();
        }
        self.relay.as_mut()?.next()
    }

    /// What is heard where nothing is said.
    pub(super) fn waited(&mut self) -> Option<PlayoutFrame> {
        let waiting = self.waiting.as_mut()?;
        // What was said meanwhile may be silenced, and all before it with it.
        if waiting.wire != self.last_wire {
            self.last_wire = self.last_wire.next();
            waiting.wire = self.last_wire;
        }
        waiting.next()
    }
}
