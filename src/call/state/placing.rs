//! A call that we make: from the INVITE to the moment at which somebody has answered, when all is
//! connected at once. See `call::dialling` for what is an answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Begun, Call, Limit, Output, Settings, Start, State, Timer, millis};
use crate::base::{CallId, Private};
use crate::call::agreement::{Agreement, LocalMedia, Towards};
use crate::call::dialling::{Dialling, Media};
use crate::call::ending::Cause;
use crate::call::floor::Floor;
use crate::call::language::Manner;
use crate::call::line::Line;
use crate::call::media::HeardFrame;
use crate::call::record::{CallRecord, Dialled, Direction, Progress};
use crate::call::voice::Shelf;
use crate::call::who::{DECIDED_WITHIN, Who};
use crate::call::work::WorkResult;
use crate::converse::Variables;
use crate::listen::answered::{OnMachine, Step, Verdict};
use crate::listen::transcript;
use crate::sip::{self, LegId};

/// Who is put through in the last moment is not cut off at once; what is set aside for a call has room for it.
const JOINED_LATE: Duration = Duration::from_secs(30);

/// What a call that we make is made from.
pub struct Outgoing {
    pub id: CallId,
    pub leg: LegId,
    pub start: Start,
    /// The INVITE without its offer.
    pub invite: Box<sip::Invite>,
    /// The number, for the record.
    pub peer: Private<String>,
    pub dialled: Dialled,
    pub media: LocalMedia,
    pub manner: Manner,
    pub shelf: Arc<Shelf>,
    /// How long it may ring.
    pub ring: Duration,
    /// For the first words.
    pub variables: Variables,
    /// What becomes of it where a machine answers.
    pub on_machine: OnMachine,
    /// A caller waits for whom we call: what is said of that, in place of any other words.
    pub offer: Option<Private<String>>,
}

impl Call {
    /// Begins a call of ours. Until it is answered nothing is asked of the engine or of a model: what
    /// is said first is on the shelf.
    pub fn dial(settings: &Settings, outgoing: Outgoing) -> Self {
        let Outgoing { id, leg, start, mut invite, peer, dialled, media, manner, .. } = outgoing;
        let mut agreement = Agreement::new(settings.offering.clone(), &media);
        invite.sdp = Some(agreement.offer());
        let peer = peer.into_revealed();
        let mut record = CallRecord::new(id, Direction::Outbound, peer, start.unix_ms);
        record.language = Some(manner.language);
        record.dialled = Some(dialled);
        let floor = Floor::new(settings, start.local, manner, outgoing.shelf);
        let is_counted = outgoing.offer.is_none();
        let floor = match outgoing.offer {
            Some(offer) => floor.offering(offer),
            None => floor.dialled(outgoing.variables),
        };
        let state = State::Dialling(Dialling::new());
        let line = Line::new(invite.flow.peer.ip());
        let mut call = Self::new(Begun { leg, start, state, agreement, floor, line, record });
        call.who = Some(Who::new(outgoing.on_machine));
        if is_counted {
            call.limit = Limit::Lasts(settings.converse.max_duration + JOINED_LATE);
        }
        call.timers.set(Timer::Unanswered, start.now + outgoing.ring);
        call.command(sip::Command::Invite { leg, invite });
        call.drain_floor(start.now);
        call.out.push_back(Output::Recorded);
        call
    }

    pub(super) fn provisional(&mut self, now: Instant, status: u16, sdp: Option<&[u8]>) {
        let State::Dialling(dialling) = &mut self.state else { return };
        let media = dialling.provisional(&mut self.agreement, status, sdp);
        let progress = dialling.progress();
        if self.record.progress != progress {
            self.record.progress = progress;
            self.out.push_back(Output::Recorded);
        }
        self.follow(now, media);
    }

    pub(super) fn accepted(&mut self, now: Instant, sdp: Option<&[u8]>) {
        let State::Dialling(dialling) = &mut self.state else { return };
        let media = dialling.accepted(&mut self.agreement, sdp);
        if media.is_none() {
            return self.end(now, Cause::NoCommonCodec.into());
        }
        self.record.progress = Progress::EarlyMedia;
        self.follow(now, media);
        self.connect(now);
    }

    /// Somebody has answered, by the trunk's word.
    pub(super) fn picked_up(&mut self, now: Instant) {
        if let State::Dialling(dialling) = &mut self.state {
            dialling.pick_up();
            self.connect(now);
        }
    }

    /// Connects hearing, conversation and voice, if this is the answer.
    fn connect(&mut self, now: Instant) {
        if !matches!(&self.state, State::Dialling(dialling) if dialling.is_answered()) {
            return;
        }
        self.state = State::Active;
        self.timers.cancel(Timer::Unanswered);
        if let Limit::Lasts(longest) = self.limit {
            self.limit = Limit::Until(now + longest);
        }
        let delay = now.saturating_duration_since(self.start.now);
        self.record.answer_delay_ms = Some(millis(delay));
        self.record.progress = Progress::Active { answered_at_ms: self.unix_ms(now) };
        if self.who.as_mut().is_none_or(|who| who.connect(now)) {
            self.floor.connected(now);
        } else {
            self.timers.set(Timer::Undecided, now + DECIDED_WITHIN);
        }
        self.out.push_back(Output::Recorded);
    }

    pub(super) fn talk_at_last(&mut self, now: Instant) {
        let step = self.who.as_mut().map_or(Step::Listen, Who::give_up);
        self.take_step(now, step);
    }

    fn take_step(&mut self, now: Instant, step: Step) {
        if !matches!(self.state, State::Active) {
            return;
        }
        match step {
            Step::Listen => (),
            Step::Talk | Step::Introduce => self.floor.connected(now),
            Step::LeaveMessage => self.floor.leave_message(now),
            Step::HangUp => {
                let cause = self.who.as_ref().map_or(Cause::NoPerson, Who::cause);
                self.end(now, cause.into());
            }
        }
    }

    /// 20 ms of the other end.
    pub(super) fn heard(&mut self, now: Instant, frame: &HeardFrame) {
        let is_active = matches!(self.state, State::Active);
        if let Some(told) = self.who.as_mut().map(|who| who.heard(now, frame)) {
            self.answered_by(now, told);
        }
        if let Some(who) = &mut self.who
            && let Some(words) = who.words_due()
        {
            who.asked(self.floor.recognise(words));
        }
        if is_active {
            self.floor.heard(now, frame);
        }
    }

    /// Whether this is what became of the first words of who answered.
    pub(super) fn first_words(&mut self, now: Instant, result: &WorkResult) -> bool {
        let (WorkResult::Text { id, .. } | WorkResult::Failed { id }) = result else {
            return false;
        };
        let Some(who) = &mut self.who else { return false };
        if !who.is_answered(*id) {
            return false;
        }
        if let WorkResult::Text { recognition, .. } = result {
            let told = who.read(now, &transcript::read(recognition, None).heard);
            self.answered_by(now, told);
        }
        true
    }

    fn answered_by(&mut self, now: Instant, (verdict, step): (Option<Verdict>, Step)) {
        if verdict.is_some() {
            self.record.answered_by = verdict;
            self.out.push_back(Output::Recorded);
        }
        self.take_step(now, step);
    }

    /// Our INVITE has failed.
    pub(super) fn refused(&mut self, now: Instant, status: u16) {
        let ending = match &self.state {
            State::Ending(ending) => *ending,
            State::Dialling(dialling) => dialling.refusal(status).into(),
            State::Ringing { .. } | State::AwaitingAck { .. } | State::Active | State::Ended => {
                Cause::SignallingLost.into()
            }
        };
        self.finish(now, ending);
    }

    /// Nothing has come for long. Before the answer that is nobody's fault: many send no early media; and who
    /// passes the call on has better to do.
    pub(super) fn media_lost(&mut self, now: Instant) {
        if !matches!(self.state, State::Dialling(_)) && !self.is_passed_on() {
            self.end(now, Cause::MediaTimeout.into());
        }
    }

    /// Whom we call is elsewhere.
    pub(super) fn redirected(&mut self, now: Instant, leg: LegId, towards: &Towards) {
        let State::Dialling(dialling) = &mut self.state else { return };
        dialling.begin_again();
        let mut agreement = self.agreement.with_another(towards);
        let sdp = agreement.offer();
        self.agreement = agreement;
        self.leg = leg;
        self.mute(now);
        self.out.push_back(Output::Invite { leg, sdp });
        self.record.progress = Progress::Dialling;
        self.out.push_back(Output::Recorded);
    }

    fn follow(&mut self, now: Instant, media: Option<Media>) {
        match media {
            Some(Media::Start(plan)) => self.start_media(now, plan),
            Some(Media::Apply(plan)) => self.apply_media(now, plan),
            None => (),
        }
    }
}
