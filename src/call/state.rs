//! The signalling side of a call, its timers and its end.
//!
//! Owns the dialogue with `sip::UserAgent` about one leg, and the [`Floor`] once there is sound.
//! Invariant: every call ends in `Ended`, exactly once, with the media stopped and the record
//! complete.

mod attending;
mod passing;
mod placing;
mod securing;
mod succeeding;
mod telling;
mod wishing;

pub use attending::Attendance;
pub use placing::Outgoing;
pub use securing::Association;
pub use wishing::{TransferTo, Wish};

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::agreement::{Agreement, LocalMedia, Towards};
use super::dialling::Dialling;
use super::ending::{Cause, Ending};
use super::floor::{Floor, HoldSound, Stage};
use super::handover::{Handover, PutThrough};
use super::incoming::Incoming;
use super::keys::Keys;
use super::language::{Manner, Tongues};
use super::latency::Stages;
use super::line::Line;
use super::media::{HeardFrame, MediaEvent, Plan, Report};
use super::record::{CallRecord, Direction, Progress, Speaking};
use super::voice::{Shelf, Shelved};
use super::voicemail::{self, Tape, TapeNews};
use super::who::Who;
use super::work::{Work, WorkResult};
use crate::base::pcm::Frame;
use crate::base::{CallId, Private, SrtpSuite, TimerTable, UtteranceId};
use crate::converse;
use crate::converse::people::WeekMinute;
use crate::listen;
use crate::sdp::{Offering, Refusal};
use crate::sip::{self, EndCause, LegId, Warning};
use crate::speak::PlayoutFrame;
use securing::Audibility;
use succeeding::Succession;

/// RFC 3261 section 21.3.3.
const MOVED: u16 = 302;

/// What all calls have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    pub offering: Offering,
    /// How long it rings before the answer.
    pub answer_after: Duration,
    pub listen: listen::Settings,
    pub converse: converse::Settings,
    pub tongues: Tongues,
    /// What a caller hears while somebody is called for them.
    pub hold: HoldSound,
    /// How a message after the tone ends.
    pub voicemail: voicemail::Settings,
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
    pub incoming: Incoming,
    pub media: LocalMedia,
    pub manner: Manner,
    pub shelf: Arc<Shelf>,
}

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    Sip(sip::Event),
    /// The trunk says that a call which we make is answered.
    PickedUp,
    /// The two calls of a caller who is put through are one from here on.
    Joined,
    /// Whom we have called for this caller takes the call, and the caller's side is to call them in
    /// place of this leg.
    HandOver(LegId),
    /// The other half of that: this call is to be replaced by one of the caller's side.
    Handed,
    /// An INVITE has come that takes the place of the call's leg.
    Replaced {
        leg: LegId,
        incoming: Box<Incoming>,
        towards: Towards,
    },
    /// What the other end wants by `sip::Event::Referred` is granted: somebody else is to be called by this
    /// leg, and may ring for so long.
    Succeed {
        leg: LegId,
        within: Duration,
        towards: Towards,
    },
    /// Whom we call is elsewhere: they are called there by this leg.
    Redirected {
        leg: LegId,
        towards: Towards,
    },
    /// The other half of a joined call has gone after it had passed this one on to somebody who was not
    /// reached: the caller is ours again.
    LeftBehind,
    /// Nobody is heard in the other half of a joined call for a while, or somebody is again.
    PartnerWaits(bool),
    /// 20 ms of the other one.
    Relayed(&'a Frame),
    /// Somebody of the firm's listens to it, or speaks in it.
    Attended(Attendance),
    Heard(&'a HeardFrame),
    Media(MediaEvent),
    /// The handshake of the newest association has made keys of this suite.
    Secured(SrtpSuite),
    /// It has not come to an end, or the peer is not who its description says.
    NotSecured,
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
    /// Of the message that the caller leaves after the tone.
    Tape(TapeNews),
    EngineLost,
    EngineBack,
    /// The signalling's way to the peer was lost, and is there again: sound may have another one, too.
    WayBack,
    /// End the call, as the API or a shutdown wants it.
    HangUp(Cause),
    Wish(Wish),
    Timeout,
}

/// What a call wants.
pub enum Output {
    Sip(sip::Command),
    /// Send the INVITE that this leg is for, with this offer.
    Invite {
        leg: LegId,
        sdp: Vec<u8>,
    },
    /// A handshake is to bring the keys of the media, which start or change next. That of another number
    /// is given up; of the same it goes on, on another way where the terms say so.
    Associate(Box<Association>),
    StartMedia(Plan),
    ApplyMedia(Plan),
    StopMedia,
    /// Throw away what is in the ring of utterances up to this one.
    Silence(UtteranceId),
    Work(Work),
    Message(converse::Message),
    /// Of a message after the tone; answered by `Input::Tape`.
    Tape(Tape),
    /// Press these keys, one after the other.
    SendDigits(Private<String>),
    /// Call somebody for the caller, who waits; `ReferNews` tells the call if that fails, and
    /// `Input::Joined` if they take the call.
    PutThrough(PutThrough),
    /// Whom we have called for a caller takes the call.
    Accepted,
    /// Nobody is waited for any more.
    GiveUpPerson,
    /// Nobody of ours hears the other half of a joined call for a while, or somebody does again.
    PartnerWaits(bool),
    /// The caller's side does not call the person in our place: the two are to be joined.
    NotHandedOver,
    /// The other end has pressed this key.
    Pressed(Private<char>),
    /// The record has changed.
    Recorded,
    /// The reply to this turn of the record, counted from 0, is on the wire: its gap is known.
    Replied(usize),
    /// A part of the call's way stands still; what the caller gets in its place is under way.
    Stalled(Stage),
    Timeout(Option<Instant>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    Answer,
    /// Nobody has answered our call.
    Unanswered,
    /// Two whom we have joined have talked for as long as a call may last.
    Longest,
    /// It is not known who has.
    Undecided,
    /// Nobody has taken our place in the call.
    Handed,
    /// Whom we call in the peer's place has not answered.
    Successor,
    /// The leg before has not hung up.
    Leaving,
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
    /// We call.
    Dialling(Dialling),
    Active,
    /// BYE or CANCEL is sent.
    Ending(Ending),
    Ended,
}

/// How long a call may last once what was said in it is not ours any more.
#[derive(Clone, Copy, Debug)]
enum Limit {
    None,
    /// From the answer on.
    Lasts(Duration),
    Until(Instant),
}

/// What each call begins with, whoever has made it.
struct Begun {
    leg: LegId,
    start: Start,
    state: State,
    agreement: Agreement,
    floor: Floor,
    line: Line,
    record: CallRecord,
}

/// One call.
pub struct Call {
    leg: LegId,
    start: Start,
    state: State,
    agreement: Agreement,
    audibility: Audibility,
    floor: Floor,
    stages: Stages,
    /// Of a call that we make.
    who: Option<Who>,
    /// Of one that the owner's limits count.
    limit: Limit,
    handover: Handover,
    /// What the other half of a joined call was told last.
    partner_waits: bool,
    /// Somebody is called by a wish, of which the conversation knows nothing.
    is_wished_away: bool,
    succession: Succession,
    /// Our 2xx of a leg that has replaced another one had the offer.
    awaits_answer: bool,
    /// The media as they were agreed on last.
    plan: Option<Plan>,
    keys: Keys,
    line: Line,
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
        let peer = incoming.peer.reveal().clone();
        let mut record = CallRecord::new(id, Direction::Inbound, peer, start.unix_ms);
        record.language = Some(manner.language);
        record.sip_call_id = incoming.sip_call_id.clone();
        record.way = incoming.way;
        let floor = Floor::new(settings, start.local, manner, shelf);
        let state = State::Ringing { answer, plan };
        let line = Line::new(incoming.signals_from);
        let mut call = Self::new(Begun { leg, start, state, agreement, floor, line, record });
        // Nobody else could take a visit meanwhile, and whoever is there waits for nothing but the answer.
        let answer_after = if leg.is_visit() { Duration::ZERO } else { settings.answer_after };
        call.timers.set(Timer::Answer, start.now + answer_after);
        if answer_after.is_zero() {
            call.timeout(start.now);
        } else {
            call.command(sip::Command::Ring { leg, status: 180, sdp: None });
        }
        call.drain_floor(start.now);
        Ok(call)
    }

    fn new(begun: Begun) -> Self {
        let Begun { leg, start, state, agreement, floor, line, record } = begun;
        Self {
            leg,
            start,
            state,
            agreement,
            audibility: Audibility::new(),
            floor,
            who: None,
            limit: Limit::None,
            handover: Handover::None,
            partner_waits: false,
            is_wished_away: false,
            succession: Succession::None,
            awaits_answer: false,
            plan: None,
            keys: Keys::default(),
            stages: Stages::default(),
            line,
            record,
            timers: TimerTable::default(),
            out: VecDeque::new(),
        }
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

    /// Its caller waits for somebody whom we call.
    pub fn awaits_person(&self) -> bool {
        self.handover == Handover::Bridging
    }

    /// The other end's keys come as events, and not as sound.
    pub fn has_key_events(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.dtmf.is_some())
    }

    /// What is said in it is another call's, or an operator's.
    pub fn is_joined(&self) -> bool {
        matches!(self.handover, Handover::Joined | Handover::TakenOver)
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
            Input::PickedUp => self.picked_up(now),
            Input::Joined => self.join(now),
            Input::HandOver(person) => self.hand_over(person),
            Input::Handed => self.handed(now),
            Input::Replaced { leg, incoming, towards } => {
                self.replaced(now, leg, &incoming, &towards);
            }
            Input::Redirected { leg, towards } => self.redirected(now, leg, &towards),
            Input::Succeed { leg, within, towards } => self.succeed(now, leg, within, &towards),
            Input::LeftBehind => self.left_behind(now),
            Input::PartnerWaits(waits) => self.floor.partner_waits(waits),
            Input::Relayed(frame) => self.floor.relay(frame),
            Input::Attended(attendance) => self.attend(now, attendance),
            Input::HangUp(cause) => self.end(now, cause.into()),
            Input::Wish(wish) => self.wish(now, wish),
            Input::Timeout => self.timeout(now),
            Input::Report(report) => self.report(now, &report),
            Input::Media(MediaEvent::MediaTimeout) => self.media_lost(now),
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
                    self.pressed(now, digit);
                }
            }
            Input::Media(
                MediaEvent::FirstPacket { .. }
                | MediaEvent::DigitsSent
                | MediaEvent::RemoteLearnt
                | MediaEvent::SsrcChanged
                | MediaEvent::PeerLeft,
            ) => (),
            Input::Secured(suite) => self.secured(now, suite),
            Input::NotSecured => self.not_secured(now),
            Input::Heard(frame) => self.heard(now, frame),
            Input::Finished(utterance) => self.floor.finished(now, utterance),
            Input::Silenced { through, utterance, frames } => {
                self.floor.silenced(now, through, (utterance, frames));
            }
            Input::Work(result) => {
                self.stages.came(now, &result);
                if !self.first_words(now, &result) {
                    self.floor.work_result(now, result);
                }
            }
            Input::Tape(news) => self.floor.tape(now, news),
            Input::EngineLost => self.floor.engine_lost(now),
            Input::EngineBack => self.floor.engine_back(now),
            Input::WayBack => self.offer_anew(),
        }
        self.tell_partner();
        self.drain_floor(now);
    }

    fn pressed(&mut self, now: Instant, key: char) {
        self.out.push_back(Output::Pressed(Private::new(key)));
        self.floor.digit(now, key);
    }

    /// Drain until `Timeout`.
    pub fn poll_output(&mut self) -> Output {
        self.out.pop_front().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    fn signal(&mut self, now: Instant, event: sip::Event) {
        use sip::Event as E;
        if event.leg() != self.leg {
            return self.other_leg(now, &event);
        }
        match event {
            E::Established { answer, .. } => self.established(now, answer.as_deref()),
            E::OfferReceived { offer, .. } => self.reoffered(now, offer.as_deref()),
            E::OfferAnswered { sdp, .. } => self.reanswered(now, &sdp),
            E::Dtmf { digit, .. } => {
                if self.keys.info(now, digit) {
                    self.pressed(now, digit);
                }
            }
            E::Refer { news, .. } => self.referred(now, news),
            E::Cancelled { .. } => self.finish(now, Cause::Cancelled.into()),
            E::Ended { cause, .. } => self.ended(now, cause),
            E::Progress { status, sdp, .. } => self.provisional(now, status, sdp.as_deref()),
            E::Answered { sdp, .. } => self.accepted(now, sdp.as_deref()),
            E::Refused { status, .. } => self.refused(now, status),
            E::Redirected { .. } => self.refused(now, MOVED),
            // Offers are answered at once.
            E::Incoming { .. } | E::OfferFailed { .. } | E::OfferWithdrawn { .. } => (),
            // Whether it is granted is decided outside.
            E::Referred { .. } => (),
        }
    }

    fn established(&mut self, now: Instant, answer: Option<&[u8]>) {
        let State::AwaitingAck { has_plan } = self.state else {
            return self.described(now, answer);
        };
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

    /// The peer learns that we are still there, and where.
    fn offer_anew(&mut self) {
        if matches!(self.state, State::Active) {
            let (leg, sdp) = (self.leg, self.agreement.restart());
            self.command(sip::Command::Reoffer { leg, sdp });
        }
    }

    /// An answer that fits nothing leaves the media as it was.
    fn reanswered(&mut self, now: Instant, answer: &[u8]) {
        if let Ok(plan) = self.agreement.accept(answer) {
            self.apply_media(now, plan);
        }
    }

    fn start_media(&mut self, now: Instant, plan: Plan) {
        self.note_plan(now, &plan);
        self.line.agreed(now, &plan);
        self.out.push_back(Output::StartMedia(plan));
    }

    /// What record, keys and floor must know of it.
    fn note_plan(&mut self, now: Instant, plan: &Plan) {
        self.keys.agreed(plan.dtmf.is_some());
        self.record.codec = Some(plan.codec);
        self.plan = Some(plan.clone());
        self.protect(now, plan);
    }

    fn apply_media(&mut self, now: Instant, plan: Plan) {
        self.note_plan(now, &plan);
        self.line.agreed(now, &plan);
        self.out.push_back(Output::ApplyMedia(plan));
        self.out.push_back(Output::Recorded);
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Answer => self.pick_up(now),
                Timer::Unanswered => self.end(now, Cause::NoAnswer.into()),
                Timer::Undecided => self.talk_at_last(now),
                Timer::Longest => self.end(now, Cause::MaxDuration.into()),
                Timer::Successor => self.give_up_successor(),
                Timer::Leaving => self.send_off(),
                Timer::Handed => self.end(now, Cause::LeftInTransfer.into()),
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
        let has_no_leg = self.drop_succession();
        match &self.state {
            State::Ringing { .. } => {
                let status = ending.cause.wording().sip_status;
                let leg = self.leg;
                let reject =
                    sip::Command::Reject { leg, status, retry_after_s: None, warning: None };
                self.command(reject);
                self.finish(now, ending);
            }
            State::Dialling(dialling) if !dialling.is_accepted() => {
                self.command(sip::Command::Cancel { leg: self.leg });
                self.stop_media(now);
                self.state = State::Ending(ending);
                self.record_end(now, ending);
            }
            State::Active if has_no_leg => self.finish(now, ending),
            State::AwaitingAck { .. } | State::Dialling(_) | State::Active => {
                let reason = Some(format!("SIP;cause={}", ending.cause.wording().sip_status));
                self.command(sip::Command::Bye { leg: self.leg, reason });
                self.stop_media(now);
                self.state = State::Ending(ending);
                self.record_end(now, ending);
            }
            State::Ending(_) | State::Ended => (),
        }
    }

    /// The leg is gone.
    fn ended(&mut self, now: Instant, cause: EndCause) {
        if self.outlives_leg(now) {
            return;
        }
        let ending = match (&self.state, cause) {
            (State::Ending(ending), _) => *ending,
            // A 2xx that was no answer, by the trunk's word.
            (State::Dialling(_), EndCause::ByPeer) => Cause::NoAnswer.into(),
            // Many hang up on us as soon as they call the other.
            (_, EndCause::ByPeer) if self.is_being_transferred() => Cause::LeftInTransfer.into(),
            // Whether by whom the caller's side has called in our place, or plainly, only that side knows.
            (_, EndCause::ByPeer) if self.handover == Handover::Handed => {
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
        self.drop_succession();
        if !matches!(self.state, State::Ending(_) | State::Ended) {
            self.stop_media(now);
            self.record_end(now, ending);
        }
        self.state = State::Ended;
        self.timers.clear();
    }

    fn stop_media(&mut self, now: Instant) {
        self.floor.close(now);
        self.out.push_back(Output::StopMedia);
    }

    fn record_end(&mut self, now: Instant, ending: Ending) {
        let answered_at_ms = self.record.progress.answered_at_ms();
        let ended_at_ms = self.unix_ms(now);
        self.record.partial = None;
        self.record.speaking = Speaking::default();
        self.record.end_attending(ended_at_ms);
        self.record.progress = Progress::Ended { answered_at_ms, ended_at_ms, ending };
        self.out.push_back(Output::Recorded);
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
