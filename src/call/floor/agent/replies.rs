//! What the agent says and hears: its sound on the way to the caller, its words in the record.

use std::time::{Duration, Instant};

use super::SPOKE_FRAMES;
use crate::base::pcm::FRAME_SAMPLES;
use crate::base::{Private, UtteranceId, limits};
use crate::call::agent::{Reply, Stage, Words};
use crate::call::floor::{Floor, FloorOutput, Timer};
use crate::call::record::{CallRecord, Turn};
use crate::call::state::millis;
use crate::converse::agent::Command;
use crate::converse::heard_part;
use crate::speak::PlayoutFrame;

/// Sound that comes so long after all before it was played is another reply.
const PAUSE: Duration = Duration::from_millis(300);

impl Floor {
    pub(super) fn agent_speaks(&mut self, now: Instant, event_id: i64, sound: &[u8]) {
        let Some(remote) = &mut self.agent else { return };
        let Stage::Talking(talk) = &mut remote.stage else { return };
        if !talk.takes(event_id) {
            return;
        }
        let is_over = |reply: &Reply| {
            let since = reply.fetched.map(|at| now.saturating_duration_since(at));
            talk.down.is_empty() && since.is_some_and(|since| since >= PAUSE)
        };
        if talk.reply.as_ref().is_none_or(is_over) {
            self.last_wire = self.last_wire.next();
            let wire = self.last_wire;
            talk.reply = Some(Reply { wire, samples: 0, frames: 0, fetched: None, is_cut: false });
        }
        let kept = talk.down.push(now, sound);
        if let Some(reply) = &mut talk.reply {
            reply.samples += kept;
        }
        talk.speech_frames = 0;
        remote.was_heard = true;
        let is_full = talk.reads && talk.down.ms() > limits::AGENT_READ_UP_TO_MS;
        if !talk.is_leaving {
            self.timers.cancel(Timer::AgentQuiet);
        }
        if is_full {
            talk.reads = false;
            self.command_agent(Command::Read(false));
        }
    }

    /// The next 20 ms of it.
    pub(in crate::call::floor) fn agent_frame(&mut self, now: Instant) -> Option<PlayoutFrame> {
        if !self.is_agent_heard() {
            return None;
        }
        let remote = self.agent.as_mut()?;
        let is_all = matches!(remote.stage, Stage::Leaving(_));
        let talk = remote.talk()?;
        let frame = talk.down.next(now, is_all)?;
        let reply = talk.reply.as_mut()?;
        reply.frames += 1;
        reply.fetched = Some(now);
        let last = is_all && talk.down.is_empty();
        let utterance = reply.wire;
        if !talk.reads && talk.down.ms() < limits::AGENT_READ_AGAIN_MS {
            talk.reads = true;
            self.command_agent(Command::Read(true));
        }
        Some(PlayoutFrame { utterance, frame, last })
    }

    /// The caller has spoken over it.
    pub(super) fn agent_interrupted(&mut self, event_id: i64) {
        let Some(talk) = self.agent.as_mut().and_then(|remote| remote.talk()) else { return };
        talk.watermark = Some(talk.watermark.map_or(event_id, |known| known.max(event_id)));
        talk.down.clear();
        let reads = std::mem::replace(&mut talk.reads, true);
        let Some(reply) = &mut talk.reply else { return };
        reply.is_cut = true;
        let (wire, is_unheard) = (reply.wire, reply.frames == 0);
        self.out.push_back(FloorOutput::Silence(wire));
        if !reads {
            self.command_agent(Command::Read(true));
        }
        if is_unheard {
            self.agent_silenced((wire, 0));
        }
    }

    /// The audio thread has thrown away what was left of a reply, of which so many frames were played.
    pub(in crate::call::floor) fn agent_silenced(&mut self, (wire, frames): (UtteranceId, u32)) {
        let Some(talk) = self.agent.as_mut().and_then(|remote| remote.talk()) else { return };
        let Some(reply) = talk.reply.take_if(|reply| reply.is_cut && reply.wire == wire) else {
            return;
        };
        let played = frames as usize * FRAME_SAMPLES;
        // What was left is a breath.
        if played + 2 * FRAME_SAMPLES >= reply.samples {
            return;
        }
        let share = played as f32 / reply.samples.max(1) as f32;
        let heard = heard_part(talk.said_last().last(), share);
        if let Some(turn) = talk.said_last().turn {
            self.out.push_back(FloorOutput::Interrupted { turn });
        }
        self.agent_was_heard(&heard, false);
    }

    /// Of the last that it said, this was heard, by its own word if it `is_told`.
    pub(super) fn agent_was_heard(&mut self, text: &str, is_told: bool) {
        let Some(talk) = self.agent.as_mut().and_then(|remote| remote.talk()) else { return };
        let words = talk.said_last();
        words.correct(text, is_told);
        if let Some(turn) = words.turn {
            let text = words.all();
            self.out.push_back(FloorOutput::ReplyIs { turn, text });
        }
    }

    /// What it takes the caller's words for: another turn.
    pub(super) fn agent_has_heard(&mut self, now: Instant, text: Private<String>) {
        let turn = self.turns;
        let Some(remote) = &mut self.agent else { return };
        remote.heard(text.reveal());
        let since = remote.since.unwrap_or(now);
        let Some(talk) = remote.talk() else { return };
        talk.begin_turn(turn);
        talk.awaited = Some(turn);
        talk.speech_frames = SPOKE_FRAMES;
        if talk.down.is_empty() {
            self.timers.set(Timer::AgentQuiet, now + limits::AGENT_ANSWERS_WITHIN);
        }
        let spoke = self.spoke.map_or(now, |spoke| spoke.arrived);
        self.give_turn(Turn {
            caller_text: text,
            heard_at_ms: millis(spoke.saturating_duration_since(since)).into(),
            ..Turn::default()
        });
    }

    pub(super) fn agent_says(&mut self, text: Private<String>) {
        let turn = self.turns;
        let Some(remote) = &mut self.agent else { return };
        remote.tell("You", text.reveal());
        let Some(talk) = remote.talk() else { return };
        let is_new = talk.words.turn.is_none();
        if is_new {
            talk.words = Words::of_turn(turn);
        }
        talk.words.add(text.reveal());
        let (turn, all) = (talk.words.turn.unwrap_or(turn), talk.words.all());
        match is_new {
            true => self.give_turn(Turn { reply_text: all, ..Turn::default() }),
            false => self.out.push_back(FloorOutput::ReplyIs { turn, text: all }),
        }
    }

    /// A reply has become audible; gives the turn whose gap that ends.
    pub(in crate::call::floor) fn agent_audible(
        &mut self,
        record: &mut CallRecord,
        wire: UtteranceId,
        at: Instant,
    ) -> Option<usize> {
        let remote = self.agent.as_mut()?;
        let since = remote.since?;
        let talk = remote.talk()?;
        talk.reply.as_ref().filter(|reply| reply.wire == wire)?;
        let first = millis(at.saturating_duration_since(since));
        record.greeting_delay_ms.get_or_insert(first);
        let turn = talk.awaited.take()?;
        let spoke = self.spoke.take()?;
        let gap_ms = millis(at.checked_duration_since(spoke.arrived)?);
        record.turn_mut(turn)?.gap_ms = Some(gap_ms);
        Some(turn)
    }

    /// The last frame of its goodbye was heard.
    pub(in crate::call::floor) fn agent_has_left(&mut self, wire: UtteranceId) -> bool {
        let Some(remote) = &self.agent else { return false };
        let Stage::Leaving(talk) = &remote.stage else { return false };
        talk.reply.as_ref().is_some_and(|reply| reply.wire == wire)
    }
}
