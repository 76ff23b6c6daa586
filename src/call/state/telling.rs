//! What the floor wants, and what of it stands in the record.

use std::time::Instant;

use super::{Call, Output, State, Timer, millis};
use crate::base::UtteranceId;
use crate::call::floor::FloorOutput;
use crate::call::media::Report;
use crate::call::record::Speaking;

impl Call {
    /// `peer_spoke`: the last packet with speech, by the audio thread.
    pub(super) fn audible(
        &mut self,
        utterance: UtteranceId,
        at: Instant,
        peer_spoke: Option<Instant>,
    ) {
        let turn = self.floor.audible(&mut self.record, utterance, at);
        let (model_ms, voice_ms) = self.stages.take();
        if let Some(number) = turn
            && let Some(turn) = self.record.turn_mut(number)
        {
            (turn.model_ms, turn.voice_ms) = (model_ms, voice_ms);
            turn.wire_gap_ms = peer_spoke.map(|spoke| millis(at.saturating_duration_since(spoke)));
            self.out.push_back(Output::Replied(number));
        }
        self.out.push_back(Output::Recorded);
    }

    pub(super) fn report(&mut self, now: Instant, report: &Report) {
        self.line.report(now, report, &mut self.record);
        self.floor.note_agent_use(now);
        self.floor.reported(now, report.received);
        self.out.push_back(Output::Recorded);
    }

    pub(super) fn drain_floor(&mut self, now: Instant) {
        self.floor.watch(now);
        loop {
            match self.floor.poll_output() {
                FloorOutput::Work(work) => {
                    self.stages.asked(now, &work);
                    self.out.push_back(Output::Work(work));
                }
                FloorOutput::Silence(through) => self.out.push_back(Output::Silence(through)),
                FloorOutput::Message(message) => {
                    self.record.push_message(message.clone());
                    self.out.push_back(Output::Message(message));
                    self.out.push_back(Output::Recorded);
                }
                FloorOutput::Turn(turn) => {
                    self.record.push_turn(turn);
                    self.out.push_back(Output::Recorded);
                }
                FloorOutput::Reply { turn, text } => {
                    if let Some(turn) = self.record.turn_mut(turn) {
                        turn.add_reply(&text);
                        self.out.push_back(Output::Recorded);
                    }
                }
                FloorOutput::ReplyIs { turn, text } => {
                    if let Some(turn) = self.record.turn_mut(turn) {
                        turn.reply_text = text;
                        self.out.push_back(Output::Recorded);
                    }
                }
                FloorOutput::Agent(agent) => {
                    self.record.agent = Some(agent);
                    self.out.push_back(Output::Recorded);
                }
                FloorOutput::SendDigits(digits) => {
                    self.out.push_back(Output::SendDigits(digits));
                }
                FloorOutput::Partial(text) => {
                    self.record.partial = text;
                    self.out.push_back(Output::Recorded);
                }
                FloorOutput::Guarded(guards) => {
                    self.record.guards.add(guards);
                    self.out.push_back(Output::Recorded);
                }
                FloorOutput::Transfer(transfer) => self.put_through(transfer),
                FloorOutput::GiveUpTransfer => self.give_up_person(),
                FloorOutput::Accepted => self.out.push_back(Output::Accepted),
                FloorOutput::Language(language) => {
                    self.record.language = Some(language);
                    self.out.push_back(Output::Recorded);
                }
                FloorOutput::Interrupted { turn } => {
                    if let Some(turn) = self.record.turn_mut(turn) {
                        turn.interrupted = true;
                        self.out.push_back(Output::Recorded);
                    }
                }
                FloorOutput::Stalled(stage) => self.out.push_back(Output::Stalled(stage)),
                FloorOutput::HangUp(cause) => self.end(now, cause.into()),
                FloorOutput::Timeout(at) => {
                    match at.filter(|_| matches!(self.state, State::Active)) {
                        Some(at) => self.timers.set(Timer::Floor, at),
                        None => self.timers.cancel(Timer::Floor),
                    }
                    return self.note_speaking();
                }
            }
        }
    }

    fn note_speaking(&mut self) {
        let speaking = match self.state {
            State::Active => self.floor.speaking(),
            _ => Speaking::default(),
        };
        if self.record.speaking != speaking {
            self.record.speaking = speaking;
            self.out.push_back(Output::Recorded);
        }
    }
}
