//! The signalling side of a call, its timers and its end.
//!
//! Owns the dialogue with `sip::UserAgent` about one leg, and the [`Floor`] once there is sound.
//! Invariant: every call ends in `Ended`, exactly once, with the media stopped and the record
//! complete.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::agreement::{Agreement, LocalMedia};
use super::ending::{Cause, Ending};
use super::floor::{Floor, FloorOutput};
use super::keys::Keys;
use super::language::{Manner, Tongues};
use super::latency::Stages;
use super::media::{HeardFrame, MediaEvent, Plan, Report};
use super::record::{CallRecord, Direction, Progress, RtpReport};
use super::voice::{Shelf, Shelved};
use super::work::{Work, WorkResult};
use crate::base::{CallId, Private, TimerTable, UtteranceId};
use crate::converse;
use crate::converse::people::{Address, WeekMinute};
use crate::listen;
use crate::sdp::{Offering, Refusal};
use crate::sip::{self, EndCause, LegId, Warning};
use crate::speak::PlayoutFrame;

/// What all calls have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    pub offering: Offering,
    /// How long it rings before the answer.
    pub answer_after: Duration,
    pub listen: listen::Settings,
    pub converse: converse::Settings,
    pub tongues: Tongues,
}

/// A moment on both clocks: the record speaks of days, everything else of intervals.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub now: Instant,
    pub unix_ms: u64,
    /// The hour of the week, where we are.
    pub local: WeekMinute,
}

/// What a call is made from.
pub struct Opening {
    pub id: CallId,
    pub leg: LegId,
    pub start: Start,
    pub incoming: Box<sip::Incoming>,
    pub media: LocalMedia,
    pub manner: Manner,
    pub shelf: Arc<Shelf>,
}

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    Sip(sip::Event),
    Heard(&'a HeardFrame),
    Media(MediaEvent),
    /// The utterance was played to its end.
    Finished(UtteranceId),
    /// All utterances up to `through` are gone; of `utterance` so many frames had been played.
    Silenced {
        through: UtteranceId,
        utterance: UtteranceId,
        frames: u32,
    },
    Report(Report),
    Work(WorkResult),
    EngineLost,
    EngineBack,
    /// End the call, as the API or a shutdown wants it.
    HangUp(Cause),
    Timeout,
}

/// What a call wants.
pub enum Output {
    Sip(sip::Command),
    StartMedia(Plan),
    ApplyMedia(Plan),
    StopMedia,
    /// Throw away what is in the ring of utterances up to this one.
    Silence(UtteranceId),
    Work(Work),
    Message(converse::Message),
    /// Press these keys, one after the other.
    SendDigits(Private<String>),
    /// The record has changed.
    Recorded,
    /// The reply to this turn of the record, counted from 0, is on the wire: its gap is known.
    Replied(usize),
    Timeout(Option<Instant>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    Answer,
    Floor,
}

#[derive(Debug)]
enum State {
    /// The caller hears it ring; `answer` is our 200's body.
    Ringing {
        answer: Vec<u8>,
        plan: Option<Plan>,
    },
    /// 200 is sent. Without a plan the ACK has to bring the answer to our offer.
    AwaitingAck {
        has_plan: bool,
    },
    Active,
    /// BYE is sent.
    Ending(Ending),
    Ended,
}

/// How far the caller's side has come in calling somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Referral {
    None,
    Asked,
    Accepted,
}

/// One call.
pub struct Call {
    leg: LegId,
    start: Start,
    state: State,
    agreement: Agreement,
    floor: Floor,
    stages: Stages,
    referral: Referral,
    keys: Keys,
    record: CallRecord,
    timers: TimerTable<Timer>,
    out: VecDeque<Output>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Call({}, {:?})", self.record.id, self.leg)
    }
}

impl Call {
    /// Takes a call that was admitted; a description that nothing fits is refused.
    pub fn answer(settings: &Settings, opening: Opening) -> Result<Self, Refusal> {
        let Opening { id, leg, start, incoming, media, manner, shelf } = opening;
        let mut agreement = Agreement::new(settings.offering.clone(), &media);
        let (answer, plan) = match &incoming.offer {
            Some(offer) => agreement.answer(offer).map(|(body, plan)| (body, Some(plan)))?,
            None => (agreement.offer(), None),
        };
        let peer = incoming.from_uri.reveal().clone();
        let mut record = CallRecord::new(id, Direction::Inbound, peer, start.unix_ms);
        record.language = Some(manner.language);
        record.sip_call_id = incoming.sip_call_id.clone();
        let mut call = Self {
            leg,
            start,
            state: State::Ringing { answer, plan },
            agreement,
            floor: Floor::new(settings, start.local, manner, shelf),
            referral: Referral::None,
            keys: Keys::default(),
            stages: Stages::default(),
            record,
            timers: TimerTable::default(),
            out: VecDeque::new(),
        };
        call.timers.set(Timer::Answer, start.now + settings.answer_after);
        if settings.answer_after.is_zero() {
            call.timeout(start.now);
        } else {
            call.command(sip::Command::Ring { leg, status: 180, sdp: None });
        }
        Ok(call)
    }

    pub fn record(&self) -> &CallRecord {
        &self.record
    }

    /// Phrases of the shelf that were said so far, each once, with their sound.
    pub fn shelved(&self) -> &[Shelved] {
        self.floor.shelved()
    }

    pub fn leg(&self) -> LegId {
        self.leg
    }

    /// Nothing more will come of it, and it may be dropped once the media has stopped.
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The next 20 ms for the playout ring.
    pub fn next_frame(&mut self, now: Instant) -> Option<PlayoutFrame> {
        self.floor.next_frame(now)
    }

    /// One input; drain [`Self::poll_output`] afterwards.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Sip(event) => self.signal(now, event),
            Input::HangUp(cause) => self.end(now, cause.into()),
            Input::Timeout => self.timeout(now),
            Input::Report(report) => self.report(&report),
            Input::Media(MediaEvent::MediaTimeout) => self.end(now, Cause::MediaTimeout.into()),
            Input::Media(MediaEvent::UtteranceAudible { utterance, at, peer_spoke }) => {
                self.audible(utterance, at, peer_spoke);
            }
            Input::Media(MediaEvent::DigitBegun) => {
                if self.keys.begins() {
                    self.floor.digit_begun(now);
                }
            }
            Input::Media(MediaEvent::Digit { digit, .. }) => {
                if self.keys.ends(now, digit) {
                    self.floor.digit(now, digit);
                }
            }
            Input::Media(
                MediaEvent::FirstPacket { .. }
                | MediaEvent::DigitsSent
                | MediaEvent::RemoteLearnt
                | MediaEvent::SsrcChanged
                | MediaEvent::PeerLeft,
            ) => (),
            Input::Heard(frame) => {
                if matches!(self.state, State::Active) {
                    self.floor.heard(now, frame);
                }
            }
            Input::Finished(utterance) => self.floor.finished(now, utterance),
            Input::Silenced { through, utterance, frames } => {
                self.floor.silenced(now, through, (utterance, frames));
            }
            Input::Work(result) => {
                self.stages.came(now, &result);
                self.floor.work_result(now, result);
            }
            Input::EngineLost => self.floor.engine_lost(now),
            Input::EngineBack => self.floor.engine_back(now),
        }
        self.drain_floor(now);
    }

    /// Drain until `Timeout`.
    pub fn poll_output(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    fn signal(&mut self, now: Instant, event: sip::Event) {
        use sip::Event as E;
        match event {
            E::Established { answer, .. } => self.established(now, answer.as_deref()),
            E::OfferReceived { offer, .. } => self.reoffered(now, offer.as_deref()),
            E::OfferAnswered { sdp, .. } => self.reanswered(now, &sdp),
            E::Dtmf { digit, .. } => {
                if self.keys.info(now, digit) {
                    self.floor.digit(now, digit);
                }
            }
            E::Refer { news, .. } => self.referred(now, news),
            E::Cancelled { .. } => self.finish(now, Cause::Cancelled.into()),
            E::Ended { cause, .. } => self.ended(now, cause),
            // Offers are answered at once, and the others belong to calls that we make.
            E::Incoming { .. }
            | E::Progress { .. }
            | E::Answered { .. }
            | E::Refused { .. }
            | E::OfferFailed { .. }
            | E::OfferWithdrawn { .. } => (),
        }
    }

    fn established(&mut self, now: Instant, answer: Option<&[u8]>) {
        let State::AwaitingAck { has_plan } = self.state else { return };
        if !has_plan {
            let accepted = answer.ok_or(()).and_then(|a| self.agreement.accept(a).map_err(|_| ()));
            match accepted {
                Ok(plan) => self.start_media(now, plan),
                Err(()) => return self.end(now, Cause::NoCommonCodec.into()),
            }
        }
        self.state = State::Active;
        self.floor.connected(now);
    }

    fn reoffered(&mut self, now: Instant, offer: Option<&[u8]>) {
        let leg = self.leg;
        let Some(offer) = offer else {
            let sdp = self.agreement.offer();
            return self.command(sip::Command::AcceptOffer { leg, sdp });
        };
        match self.agreement.answer(offer) {
            Ok((sdp, plan)) => {
                self.command(sip::Command::AcceptOffer { leg, sdp });
                self.apply_media(now, plan);
            }
            Err(refusal) => {
                let warning = Some(warning(&refusal));
                self.command(sip::Command::RefuseOffer { leg, status: refusal.status, warning });
            }
        }
    }

    /// An answer that fits nothing leaves the media as it was.
    fn reanswered(&mut self, now: Instant, answer: &[u8]) {
        if let Ok(plan) = self.agreement.accept(answer) {
            self.apply_media(now, plan);
        }
    }

    /// Has the caller's side call somebody else in our place.
    fn refer(&mut self, to: &Address, within: Duration) {
        self.referral = Referral::Asked;
        let to = match to.clone() {
            Address::Uri(uri) => sip::ReferTo::Uri(uri),
            Address::Number(number) => sip::ReferTo::Number(number),
        };
        self.command(sip::Command::Refer { leg: self.leg, to, within });
    }

    /// A success is one also when it comes late: the caller talks to somebody else.
    fn referred(&mut self, now: Instant, news: sip::ReferNews) {
        match news {
            sip::ReferNews::Accepted => self.referral = Referral::Accepted,
            sip::ReferNews::Done => self.end(now, Cause::Transferred.into()),
            sip::ReferNews::Failed(_) => {
                self.referral = Referral::None;
                self.floor.not_transferred(now);
            }
        }
    }

    fn start_media(&mut self, now: Instant, plan: Plan) {
        self.note_plan(&plan);
        self.floor.held(now, !plan.sends);
        self.out.push_back(Output::StartMedia(plan));
    }

    /// What both the record and the keys must know of it.
    fn note_plan(&mut self, plan: &Plan) {
        self.keys.agreed(plan.dtmf.is_some());
        self.record.codec = Some(plan.codec);
        self.record.srtp = plan.keying.as_ref().map(|keying| keying.suite);
    }

    fn apply_media(&mut self, now: Instant, plan: Plan) {
        self.note_plan(&plan);
        self.floor.held(now, !plan.sends);
        self.out.push_back(Output::ApplyMedia(plan));
        self.out.push_back(Output::Recorded);
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Answer => self.pick_up(now),
                Timer::Floor => self.floor.timeout(now),
            }
        }
    }

    fn pick_up(&mut self, now: Instant) {
        let State::Ringing { answer, plan } = std::mem::replace(&mut self.state, State::Ended)
        else {
            return;
        };
        self.state = State::AwaitingAck { has_plan: plan.is_some() };
        let delay = now.saturating_duration_since(self.start.now);
        self.record.answer_delay_ms = Some(millis(delay));
        self.record.progress = Progress::Active { answered_at_ms: self.unix_ms(now) };
        self.command(sip::Command::Answer { leg: self.leg, sdp: answer });
        if let Some(plan) = plan {
            self.start_media(now, plan);
        }
        self.out.push_back(Output::Recorded);
    }

    /// We want the call to end.
    fn end(&mut self, now: Instant, ending: Ending) {
        match &self.state {
            State::Ringing { .. } => {
                let status = ending.cause.wording().sip_status;
                let leg = self.leg;
                let reject =
                    sip::Command::Reject { leg, status, retry_after_s: None, warning: None };
                self.command(reject);
                self.finish(now, ending);
            }
            State::AwaitingAck { .. } | State::Active => {
                let reason = Some(format!("SIP;cause={}", ending.cause.wording().sip_status));
                self.command(sip::Command::Bye { leg: self.leg, reason });
                self.stop_media();
                self.state = State::Ending(ending);
                self.record_end(now, ending);
            }
            State::Ending(_) | State::Ended => (),
        }
    }

    /// The leg is gone.
    fn ended(&mut self, now: Instant, cause: EndCause) {
        let ending = match (&self.state, cause) {
            (State::Ending(ending), _) => *ending,
            // Many hang up on us as soon as they call the other.
            (_, EndCause::ByPeer) if self.referral == Referral::Accepted => {
                Cause::LeftInTransfer.into()
            }
            (_, EndCause::ByPeer) => Cause::HungUp.into(),
            (_, EndCause::ByUs) => Cause::Goodbye.into(),
            (_, EndCause::NoAck) => Cause::NoAck.into(),
            (_, EndCause::Timeout | EndCause::Gone | EndCause::Unreachable) => {
                Cause::SignallingLost.into()
            }
        };
        self.finish(now, ending);
    }

    fn finish(&mut self, now: Instant, ending: Ending) {
        if !matches!(self.state, State::Ending(_) | State::Ended) {
            self.stop_media();
            self.record_end(now, ending);
        }
        self.state = State::Ended;
        self.timers.clear();
    }

    fn stop_media(&mut self) {
        self.floor.close();
        self.out.push_back(Output::StopMedia);
    }

    fn record_end(&mut self, now: Instant, ending: Ending) {
        let answered_at_ms = self.record.progress.answered_at_ms();
        let ended_at_ms = self.unix_ms(now);
        self.record.partial = None;
        self.record.progress = Progress::Ended { answered_at_ms, ended_at_ms, ending };
        self.out.push_back(Output::Recorded);
    }

    /// `peer_spoke`: the last packet with speech, by the audio thread.
    fn audible(&mut self, utterance: UtteranceId, at: Instant, peer_spoke: Option<Instant>) {
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

    fn report(&mut self, report: &Report) {
        self.record.rtp = RtpReport {
            packets_sent: report.sent,
            packets_received: report.received,
            packets_lost: report.lost,
            packets_late: report.late,
            packets_duplicated: report.duplicate,
            jitter_ms: report.jitter_ms,
            concealed_ms: report.concealed_ms,
            peer_loss: report.peer_loss,
            round_trip_ms: report.rtt_ms,
            srtp_failed: report.srtp_failed,
            srtp_replayed: report.srtp_replayed,
        };
        self.out.push_back(Output::Recorded);
    }

    fn drain_floor(&mut self, now: Instant) {
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
                FloorOutput::Transfer { to, within } => self.refer(&to, within),
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
                FloorOutput::HangUp(cause) => self.end(now, cause.into()),
                FloorOutput::Timeout(at) => {
                    match at.filter(|_| matches!(self.state, State::Active)) {
                        Some(at) => self.timers.set(Timer::Floor, at),
                        None => self.timers.cancel(Timer::Floor),
                    }
                    return;
                }
            }
        }
    }

    fn command(&mut self, command: sip::Command) {
        self.out.push_back(Output::Sip(command));
    }

    fn unix_ms(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.start.now);
        self.start.unix_ms + u64::from(millis(since))
    }
}

/// The Warning header field of a refused description.
pub fn warning(refusal: &Refusal) -> Warning {
    Warning { code: refusal.warning_code, text: refusal.warning.to_owned() }
}

pub(super) fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
