//! What the floor wants, and what of it stands in the record.

use std::time::Instant;

use super::{Call, Output, State, Timer, millis};
use crate::base::{Private, UtteranceId};
use crate::call::floor::FloorOutput;
use crate::call::media::Report;
use crate::call::record::Speaking;
use crate::call::voicemail::Tape;
use crate::converse;

impl Call {
    /// As [`converse::Conversation::told_first`].
    pub fn told_first(&self) -> converse::ToldFirst {
        self.floor.told_first()
    }

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
                FloorOutput::Tape(tape) => {
                    let tape = self.with_number(tape);
                    self.out.push_back(Output::Tape(tape));
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

    /// Whoever leaves a message after the tone is called back where they call from, unless they say otherwise.
    fn with_number(&self, mut tape: Tape) -> Tape {
        if let Tape::Begin(message) = &mut tape
            && message.number.is_none()
        {
            message.number = number(self.record.peer.reveal()).map(Private::new);
        }
        tape
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

/// Digits of a number that can be called, as beside a name none are; an extension has three.
const DIGITS: std::ops::RangeInclusive<usize> = 3..=15;

/// The number in the other end's address, if it is one.
fn number(peer: &str) -> Option<String> {
    let rest = ["sips:", "sip:", "tel:"].iter().find_map(|scheme| peer.strip_prefix(scheme));
    let user = rest.unwrap_or(peer).split(['@', ';']).next()?;
    let digits = user.strip_prefix('+').unwrap_or(user);
    let is_number = DIGITS.contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit());
    is_number.then(|| user.to_owned())
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_is_called_back_and_a_name_is_not() {
        for (peer, known) in [
            ("sip:+4930123456@gw.example;user=phone", Some("+4930123456")),
            ("sips:101@pbx", Some("101")),
            ("tel:+4930123456;phone-context=x", Some("+4930123456")),
            ("+4930123456", Some("+4930123456")),
            ("sip:anna@gw", None),
            ("sip:anonymous@anonymous.invalid", None),
            ("sip:1@gw", None),
            ("", None),
        ] {
            assert_eq!(number(peer).as_deref(), known, "{peer}");
        }
    }
}
