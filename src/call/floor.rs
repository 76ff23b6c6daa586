//! Who has the floor: hearing, conversation and voice of one call, joined.
//!
//! ```text
//!  frames ─▶ Hearing ─ guess ─▶ Conversation::preview ─▶ Voice::prepare     (thrown away if they go on)
//!                    ─ turn ──▶ Conversation::handle ──▶ Voice::say ─▶ frames out
//!                    ─ speaking, and we too ─▶ barge-in: Voice::stop, Silence
//! ```
//!
//! Invariant: every utterance that the conversation said ends for it in `Finished` or `Interrupted`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::call::{Settings, millis};
use super::ending::Cause;
use super::hearing::{HeardTurn, Hearing, HearingOutput};
use super::media::HeardFrame;
use super::record::{CallRecord, Turn};
use super::voice::{Shelf, Voice};
use super::work::{Work, WorkIds, WorkResult};
use crate::base::{Private, TimerTable, UtteranceId};
use crate::converse::{self, Conversation, EndCause, Purpose, Say, plain};
use crate::speak::PlayoutFrame;

/// Speech over our own must go on for this long after its onset was confirmed before we stop: a
/// cough and most of what comes back of our own voice are shorter.
const BARGE_IN: Duration = Duration::from_millis(120);

#[derive(Debug)]
pub(super) enum FloorOutput {
    Work(Work),
    Silence(UtteranceId),
    Message(converse::Message),
    Turn(Turn),
    /// The caller spoke over the reply of the last turn.
    Interrupted,
    HangUp(Cause),
    Timeout(Option<Instant>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    BargeIn,
    Hearing,
    Conversation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No ACK yet.
    Waiting,
    Open {
        since: Instant,
    },
    /// The peer holds us: it hears nothing, so we say nothing.
    Held {
        since: Instant,
    },
    Closed,
}

/// Something that the conversation wants said and that has not ended.
#[derive(Debug)]
struct Spoken {
    utterance: UtteranceId,
    interruptible: bool,
    purpose: Purpose,
    /// Frames that were given to the ring.
    frames: u32,
    /// Once it was stopped: the frames that it would have had in all.
    stopped: Option<u32>,
}

/// Hearing, conversation and voice of one call.
#[derive(Debug)]
pub(super) struct Floor {
    phase: Phase,
    hearing: Hearing,
    conversation: Conversation,
    voice: Voice,
    ids: WorkIds,
    /// In the order in which they were said.
    spoken: Vec<Spoken>,
    /// What the conversation has yet to be told of utterances that were stopped unheard.
    unheard: VecDeque<converse::Input>,
    /// The first utterance of the reply to the last turn, until it is heard.
    awaited_reply: Option<UtteranceId>,
    timers: TimerTable<Timer>,
    out: VecDeque<FloorOutput>,
}

impl Floor {
    pub(super) fn new(settings: &Settings, shelf: Arc<Shelf>) -> Self {
        let playbook = Arc::clone(&settings.playbook);
        Self {
            phase: Phase::Waiting,
            hearing: Hearing::new(settings.listen.clone()),
            conversation: Conversation::new(playbook, settings.converse.clone()),
            voice: Voice::new(settings.language, shelf),
            ids: WorkIds::default(),
            spoken: Vec::new(),
            unheard: VecDeque::new(),
            awaited_reply: None,
            timers: TimerTable::default(),
            out: VecDeque::new(),
        }
    }

    pub(super) fn connected(&mut self, now: Instant) {
        self.phase = Phase::Open { since: now };
        self.converse(now, converse::Input::Connected);
    }

    /// The peer has put us on hold, or taken us back.
    pub(super) fn held(&mut self, now: Instant, held: bool) {
        match (self.phase, held) {
            (Phase::Open { since }, true) => {
                self.phase = Phase::Held { since };
                // Silence on hold is nobody's fault.
                self.converse(now, converse::Input::CallerSpeaking);
            }
            (Phase::Held { since }, false) => {
                self.phase = Phase::Open { since };
                self.converse(now, converse::Input::CallerSilent);
            }
            (Phase::Waiting | Phase::Closed, _)
            | (Phase::Open { .. }, false)
            | (Phase::Held { .. }, true) => (),
        }
    }

    /// The call is over: nothing more is asked of the engine, nothing more is said.
    pub(super) fn close(&mut self) {
        self.phase = Phase::Closed;
        self.timers.clear();
        self.voice.forget();
        for spoken in std::mem::take(&mut self.spoken) {
            self.voice.stop(spoken.utterance);
        }
        self.hearing.close();
    }

    /// Frames flow while the floor is open, and not while the peer holds us.
    pub(super) fn next_frame(&mut self) -> Option<PlayoutFrame> {
        let frame = match self.phase {
            Phase::Open { .. } => self.voice.next_frame()?,
            Phase::Waiting | Phase::Held { .. } | Phase::Closed => return None,
        };
        if let Some(spoken) = self.spoken.iter_mut().find(|s| s.utterance == frame.utterance) {
            spoken.frames += 1;
        }
        Some(frame)
    }

    pub(super) fn heard(&mut self, now: Instant, frame: &HeardFrame) {
        if matches!(self.phase, Phase::Open { .. }) {
            self.hearing.frame(now, frame);
            self.drain_hearing(now);
        }
    }

    pub(super) fn digit(&mut self, now: Instant, digit: char) {
        self.converse(now, converse::Input::Digit(digit));
    }

    pub(super) fn finished(&mut self, now: Instant, utterance: UtteranceId) {
        if let Some(index) = self.spoken.iter().position(|s| s.utterance == utterance) {
            self.spoken.remove(index);
            self.converse(now, converse::Input::Finished { utterance });
        }
    }

    /// The audio thread has thrown away all that was stopped; of `utterance` it had played so many
    /// frames, of the others none.
    pub(super) fn silenced(&mut self, now: Instant, utterance: UtteranceId, frames: u32) {
        let (stopped, going_on) =
            std::mem::take(&mut self.spoken).into_iter().partition(|s| s.stopped.is_some());
        self.spoken = going_on;
        for spoken in Vec::<Spoken>::from(stopped) {
            let whole = spoken.stopped.unwrap_or_default().max(1);
            let played = if spoken.utterance == utterance { frames } else { 0 };
            let heard_fraction = (played as f32 / whole as f32).min(1.0);
            let utterance = spoken.utterance;
            self.unheard.push_back(converse::Input::Interrupted { utterance, heard_fraction });
        }
        self.tell_unheard(now);
    }

    /// An utterance has become audible: the end of a gap.
    pub(super) fn audible(
        &mut self,
        record: &mut CallRecord,
        utterance: UtteranceId,
        at: Instant,
        peer_spoke: Option<Instant>,
    ) {
        let is_greeting = |s: &Spoken| s.utterance == utterance && s.purpose == Purpose::Greeting;
        if let Phase::Open { since } = self.phase
            && self.spoken.iter().any(is_greeting)
        {
            record.greeting_delay_ms = Some(millis(at.saturating_duration_since(since)));
        }
        if self.awaited_reply == Some(utterance) {
            self.awaited_reply = None;
            if let (Some(turn), Some(spoke)) = (record.last_turn_mut(), peer_spoke) {
                turn.gap_ms = Some(millis(at.saturating_duration_since(spoke)));
            }
        }
    }

    pub(super) fn work_result(&mut self, now: Instant, result: WorkResult) {
        match result {
            WorkResult::Audio { id, samples } => self.voice.audio(id, samples.reveal()),
            WorkResult::Spoken { id } => self.voice.complete(id),
            WorkResult::Text { .. } => {
                self.hearing.text(now, result);
                self.drain_hearing(now);
            }
            WorkResult::Failed { id } => {
                self.voice.complete(id);
                self.hearing.failed(now, id);
                self.drain_hearing(now);
            }
        }
    }

    pub(super) fn engine_lost(&mut self, now: Instant) {
        self.converse(now, converse::Input::SynthesizerLost);
        self.converse(now, converse::Input::RecognizerLost);
    }

    pub(super) fn engine_back(&mut self, now: Instant) {
        self.converse(now, converse::Input::SynthesizerBack);
        self.converse(now, converse::Input::RecognizerBack);
    }

    pub(super) fn timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::BargeIn => {
                    self.stop_all();
                    self.tell_unheard(now);
                }
                Timer::Conversation => self.converse(now, converse::Input::Timeout),
                Timer::Hearing => {
                    self.hearing.timeout(now);
                    self.drain_hearing(now);
                }
            }
        }
    }

    pub(super) fn poll_output(&mut self) -> FloorOutput {
        if let Some(work) = self.voice.poll_work() {
            return FloorOutput::Work(work);
        }
        self.out.pop_front().unwrap_or_else(|| FloorOutput::Timeout(self.timers.next()))
    }

    fn drain_hearing(&mut self, now: Instant) {
        loop {
            match self.hearing.poll_output(&mut self.ids) {
                HearingOutput::Speaking => self.caller_speaking(now),
                HearingOutput::Guess(text) => self.guess(now, &text),
                HearingOutput::GoesOn => self.voice.forget(),
                HearingOutput::Turn(turn) => self.turn(now, turn),
                HearingOutput::Nothing => {
                    self.timers.cancel(Timer::BargeIn);
                    self.voice.forget();
                    self.converse(now, converse::Input::CallerSilent);
                }
                HearingOutput::Work(work) => self.out.push_back(FloorOutput::Work(work)),
                HearingOutput::Timeout(at) => return self.arm(Timer::Hearing, at),
            }
        }
    }

    fn caller_speaking(&mut self, now: Instant) {
        self.converse(now, converse::Input::CallerSpeaking);
        if self.spoken.iter().any(|s| s.stopped.is_none()) {
            self.timers.set(Timer::BargeIn, now + BARGE_IN);
        }
    }

    /// The caller pauses: what would we answer if that were all?
    fn guess(&mut self, now: Instant, text: &Private<String>) {
        self.timers.cancel(Timer::BargeIn);
        let preview = self.conversation.preview(text.reveal());
        if let Some(reply) = preview.reply {
            self.voice.prepare(&mut self.ids, reply.reveal());
        }
        self.hearing.hint(now, preview.completeness);
    }

    fn turn(&mut self, now: Instant, heard: HeardTurn) {
        self.timers.cancel(Timer::BargeIn);
        self.converse(now, converse::Input::CallerSilent);
        let input = match &heard.words {
            Some(words) => {
                self.stop_all();
                let text = words.text.clone();
                converse::Input::Heard { text, confidence: words.confidence }
            }
            None => converse::Input::HeardUnclear,
        };
        let reply = self.conversation_says(now, input);
        self.voice.forget();
        self.awaited_reply = reply.first().map(|say| say.utterance);
        let since = match self.phase {
            Phase::Open { since } | Phase::Held { since } => since,
            Phase::Waiting | Phase::Closed => now,
        };
        let (caller_text, decode_ms) =
            heard.words.map(|w| (w.text, w.decode_ms)).unwrap_or_default();
        self.out.push_back(FloorOutput::Turn(Turn {
            caller_text,
            reply_text: joined(&reply),
            heard_at_ms: millis(heard.spoke_until.saturating_duration_since(since)).into(),
            gap_ms: None,
            endpoint_ms: heard.endpoint_ms,
            decode_ms,
            interrupted: false,
        }));
    }

    /// Anything but a turn of the caller: what we say to it stands in the record as our own turn.
    fn converse(&mut self, now: Instant, input: converse::Input) {
        let said = self.conversation_says(now, input);
        if !said.is_empty() {
            let reply_text = joined(&said);
            self.out.push_back(FloorOutput::Turn(Turn { reply_text, ..Turn::default() }));
        }
    }

    fn tell_unheard(&mut self, now: Instant) {
        while let Some(input) = self.unheard.pop_front() {
            self.converse(now, input);
        }
    }

    /// One input and, before it, what was stopped unheard; gives all that is said to them.
    fn conversation_says(&mut self, now: Instant, input: converse::Input) -> Vec<Say> {
        let mut said = Vec::new();
        if self.phase == Phase::Closed {
            return said;
        }
        while let Some(earlier) = self.unheard.pop_front() {
            self.conversation_step(now, earlier, &mut said);
        }
        self.conversation_step(now, input, &mut said);
        said
    }

    fn conversation_step(&mut self, now: Instant, input: converse::Input, said: &mut Vec<Say>) {
        self.conversation.handle(now, input);
        loop {
            match self.conversation.poll_output() {
                converse::Output::Say(say) => {
                    self.voice.say(&mut self.ids, say.utterance, say.text.reveal());
                    self.spoken.push(Spoken {
                        utterance: say.utterance,
                        interruptible: say.interruptible,
                        purpose: say.purpose,
                        frames: 0,
                        stopped: None,
                    });
                    said.push(say);
                }
                converse::Output::Stop(utterance) => self.stop(utterance),
                converse::Output::Expect(expectation) => self.hearing.expect(now, expectation),
                converse::Output::TakeMessage(message) => {
                    self.out.push_back(FloorOutput::Message(message));
                }
                converse::Output::Record(_) => (),
                converse::Output::HangUp(cause) => {
                    self.out.push_back(FloorOutput::HangUp(ending(cause)));
                }
                converse::Output::Timeout(at) => return self.arm(Timer::Conversation, at),
            }
        }
    }

    fn arm(&mut self, timer: Timer, at: Option<Instant>) {
        match at {
            Some(at) => self.timers.set(timer, at),
            None => self.timers.cancel(timer),
        }
    }

    /// The caller has taken the floor. What may not be interrupted protects what follows it, too.
    fn stop_all(&mut self) {
        let first: Vec<UtteranceId> = self
            .spoken
            .iter()
            .take_while(|s| s.interruptible)
            .filter(|s| s.stopped.is_none())
            .map(|s| s.utterance)
            .collect();
        if first.is_empty() {
            return;
        }
        self.out.push_back(FloorOutput::Interrupted);
        first.into_iter().for_each(|utterance| self.stop(utterance));
    }

    fn stop(&mut self, utterance: UtteranceId) {
        let left = self.voice.stop(utterance).map_or(0, |progress| progress.frames_left);
        let Some(index) = self.spoken.iter().position(|s| s.utterance == utterance) else { return };
        match self.spoken.get_mut(index) {
            Some(spoken) if spoken.frames > 0 => {
                spoken.stopped = Some(spoken.frames + left);
                self.out.push_back(FloorOutput::Silence(utterance));
            }
            _ => {
                self.spoken.remove(index);
                let unheard = converse::Input::Interrupted { utterance, heard_fraction: 0.0 };
                self.unheard.push_back(unheard);
            }
        }
    }
}

fn ending(cause: EndCause) -> Cause {
    match cause {
        EndCause::Goodbye => Cause::Goodbye,
        EndCause::Silence => Cause::Silence,
        EndCause::MaxDuration => Cause::MaxDuration,
        EndCause::NotUnderstood => Cause::NotUnderstood,
    }
}

fn joined(said: &[Say]) -> Private<String> {
    let texts: Vec<String> = said.iter().map(|say| plain(say.text.reveal())).collect();
    Private::new(texts.join(" "))
}
