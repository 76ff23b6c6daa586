//! Somebody of the firm's who listens to a call, and may speak in it in the assistant's place.
//!
//! ```text
//!  both sides of the call ─▶ mixed ─▶ Relay ─▶ frames for the operator's ring
//!  Listening ─ asks ─▶ Asked ─ the microphone is heard ─▶ Speaking: the caller alone is heard, and hears the operator
//!      ▲                 └ not in time ──┐                   │ gives back, or nothing comes for a second
//!      └─────────────────────────────────┴───────────────────┘
//! ```
//!
//! An operator is one leg without a conversation: it is told what any leg is told ([`call::Input`](super::Input)), and
//! wants of it what any leg wants. Pure; by which way the leg has come makes no difference. Invariants: while it
//! listens nothing of it is heard in the call; the assistant falls silent only for an operator who is heard.

use std::collections::VecDeque;
use std::time::Instant;

use super::agreement::{Agreement, LocalMedia};
use super::media::{HeardFrame, MediaEvent, Origin, Plan};
use super::relay::Relay;
use super::{Association, Input, Output as LegOutput, warning};
use crate::base::pcm::Frame;
use crate::base::{TimerTable, UtteranceId, limits};
use crate::sdp::{Offering, Refusal};
use crate::sip::{self, LegId};
use crate::speak::PlayoutFrame;

/// The number of what goes to the operator's ring: nothing of it is ever silenced.
const WIRE: UtteranceId = UtteranceId(1);

/// What an operator wants.
pub enum Output {
    /// Of its leg.
    Leg(Box<LegOutput>),
    /// To speak in the assistant's place: [`Operator::speaks`] or [`Operator::listens`] is the answer.
    TakesOver,
    /// The assistant has the call again.
    GivesBack(Back),
    Timeout(Option<Instant>),
}

/// Why it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// The operator wants it so, or has hung up.
    Given,
    /// Nothing is heard of the operator any more.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// The operator who asked to speak has no microphone.
    Microphone,
    /// The operator who speaks is gone.
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Listening,
    /// To speak, as soon as the microphone is heard.
    Asked,
    Speaking,
    Ended,
}

/// See the module.
pub struct Operator {
    leg: LegId,
    state: State,
    agreement: Agreement,
    heard: Relay,
    timers: TimerTable<Timer>,
    out: VecDeque<Output>,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Operator({:?}, {:?})", self.leg, self.state)
    }
}

impl Operator {
    /// Takes the leg; a description that nothing fits is refused. Drain [`Self::poll_output`] afterwards.
    pub fn answer(
        offering: Offering,
        leg: LegId,
        media: &LocalMedia,
        offer: &[u8],
    ) -> Result<Self, Refusal> {
        let mut agreement = Agreement::new(offering, media);
        let (sdp, plan) = agreement.answer(offer)?;
        let mut operator = Self {
            leg,
            state: State::Listening,
            agreement,
            heard: Relay::new(WIRE),
            timers: TimerTable::default(),
            out: VecDeque::new(),
        };
        operator.command(sip::Command::Answer { leg, sdp });
        operator.associate();
        operator.leg_wants(LegOutput::StartMedia(plan));
        Ok(operator)
    }

    pub const fn leg(&self) -> LegId {
        self.leg
    }

    /// The caller hears it, and not the assistant.
    pub fn is_speaking(&self) -> bool {
        self.state == State::Speaking
    }

    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// What happens to its leg; drain [`Self::poll_output`] afterwards.
    pub fn handle(&mut self, now: Instant, input: &Input<'_>) {
        match input {
            Input::Heard(frame) => self.heard(now, frame),
            Input::Sip(sip::Event::OfferReceived { offer: Some(offer), .. }) => {
                self.reoffered(offer);
            }
            // It has gone, or is not who it says.
            Input::Sip(sip::Event::Ended { .. } | sip::Event::Cancelled { .. }) => self.ended(),
            Input::NotSecured | Input::HangUp(_) | Input::Media(MediaEvent::MediaTimeout) => {
                self.end();
            }
            Input::Timeout => self.timeout(now),
            // Of a leg without a conversation nothing else is of interest.
            _ => (),
        }
    }

    /// 20 ms of the call, both sides. Who speaks hears the caller alone: their own voice is the other side.
    pub fn passed(&mut self, heard: &Frame, said: &Frame) {
        match self.state {
            State::Speaking => self.heard.push(heard),
            State::Listening | State::Asked => self.heard.push(&mixed(heard, said)),
            State::Ended => (),
        }
    }

    /// The next 20 ms for the operator's ring.
    pub fn next_frame(&mut self) -> Option<PlayoutFrame> {
        self.heard.next()
    }

    /// It wants to speak; [`Output::TakesOver`] follows once it is heard.
    pub fn ask(&mut self, now: Instant) {
        if self.state == State::Listening {
            self.state = State::Asked;
            self.timers.set(Timer::Microphone, now + limits::OPERATOR_MICROPHONE);
        }
    }

    /// It speaks from here on.
    pub fn speaks(&mut self, now: Instant) {
        if self.state == State::Asked {
            self.state = State::Speaking;
            self.timers.cancel(Timer::Microphone);
            self.timers.set(Timer::Lost, now + limits::OPERATOR_LOST);
            // The assistant's last words, and the delay they were waiting in.
            self.heard.clear();
        }
    }

    /// It does not speak, or not any more.
    pub fn listens(&mut self) {
        if self.state != State::Ended {
            self.state = State::Listening;
            self.timers.clear();
        }
    }

    /// It gives the call back, or does not want to speak after all.
    pub fn give_back(&mut self) {
        self.stop_speaking(Back::Given);
    }

    /// The call is over, or is somebody else's by now: the leg ends.
    pub fn end(&mut self) {
        if self.state != State::Ended {
            self.command(sip::Command::Bye { leg: self.leg, reason: None });
            self.ended();
        }
    }

    /// Drain until `Timeout`.
    pub fn poll_output(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    /// The leg is gone.
    fn ended(&mut self) {
        if self.state == State::Ended {
            return;
        }
        self.stop_speaking(Back::Given);
        self.state = State::Ended;
        self.timers.clear();
        self.leg_wants(LegOutput::StopMedia);
    }

    fn heard(&mut self, now: Instant, frame: &HeardFrame) {
        // What is made up for lost packets shows nobody.
        if frame.origin != Origin::Received {
            return;
        }
        match self.state {
            State::Asked => self.out.push_back(Output::TakesOver),
            State::Speaking => self.timers.set(Timer::Lost, now + limits::OPERATOR_LOST),
            State::Listening | State::Ended => (),
        }
    }

    fn stop_speaking(&mut self, why: Back) {
        if self.is_speaking() {
            self.out.push_back(Output::GivesBack(why));
        }
        self.listens();
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Microphone => self.listens(),
                Timer::Lost => self.stop_speaking(Back::Lost),
            }
        }
    }

    fn reoffered(&mut self, offer: &[u8]) {
        let leg = self.leg;
        match self.agreement.answer(offer) {
            Ok((sdp, plan)) => {
                self.command(sip::Command::AcceptOffer { leg, sdp });
                self.apply(plan);
            }
            Err(refusal) => {
                let warning = Some(warning(&refusal));
                self.command(sip::Command::RefuseOffer { leg, status: refusal.status, warning });
            }
        }
    }

    fn apply(&mut self, plan: Plan) {
        self.associate();
        self.leg_wants(LegOutput::ApplyMedia(plan));
    }

    fn associate(&mut self) {
        if let Some((number, terms)) = self.agreement.association() {
            let association = Association { number, terms: terms.clone() };
            self.leg_wants(LegOutput::Associate(Box::new(association)));
        }
    }

    fn command(&mut self, command: sip::Command) {
        self.leg_wants(LegOutput::Sip(command));
    }

    fn leg_wants(&mut self, output: LegOutput) {
        self.out.push_back(Output::Leg(Box::new(output)));
    }
}

/// Both sides as one sound. Who speaks over whom is louder than a sample can be: it is cut there, as any mixer does.
fn mixed(heard: &Frame, said: &Frame) -> Frame {
    let mut frame = *heard;
    for (sample, other) in frame.0.iter_mut().zip(said.0) {
        *sample = sample.saturating_add(other);
    }
    frame
}

#[cfg(test)]
mod tests;
