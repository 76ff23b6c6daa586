//! Who has the floor: hearing, conversation and voice of one call, joined.
//!
//! ```text
//!  frames ─▶ Hearing ─ guess ─▶ Conversation::preview ─▶ Voice::prepare     (thrown away if they go on)
//!                    ─ turn ──▶ Conversation::handle ──▶ Voice::say ─▶ frames out
//!                    ─ speaking, and we too ─▶ barge-in: Voice::pause, Silence ─ meant ─▶ Voice::stop
//!                                                                          else ─▶ Voice::resume
//! ```

mod agent;
mod barge_in;
mod din;
mod joining;
mod operator;
mod saying;
mod stalls;
mod thinking;
mod turns;
mod voicemail;
mod waiting;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::agent::Remote;
use super::ending::Cause;
use super::hearing::{Hearing, HearingOutput};
use super::language::{Detection, Ears, Manner, Tongues};
use super::latency::LastSpeech;
use super::media::HeardFrame;
use super::record::{AgentRecord, Speaking, Turn};
use super::relay::Relay;
use super::state::Settings;
use super::voice::{Shelf, Shelved, Voice};
use super::voicemail::{self as message, Taking, Tape};
use super::work::{Work, WorkIds, WorkResult};
use crate::base::{LanguageCode, Private, TimerTable, UtteranceId, WorkId};
use crate::converse::people::WeekMinute;
use crate::converse::{self, AskId, Conversation, EndCause, Say, Variables, plain};
use crate::listen::{Guards, Hint, PartialText, Urgency};
use barge_in::Overlap;
use din::Din;
use saying::Saying;
pub use stalls::Stage;
use stalls::Stalls;
use thinking::OpenTurn;
use turns::Reply;
pub use waiting::HoldSound;
use waiting::Waiting;

#[derive(Debug)]
pub(super) enum FloorOutput {
    Work(Work),
    Silence(UtteranceId),
    Message(converse::Message),
    /// Of a message after the tone.
    Tape(Tape),
    Turn(Turn),
    /// More of the reply to this turn, counted from 0.
    Reply {
        turn: usize,
        text: Private<String>,
    },
    /// All of the reply to it is this.
    ReplyIs {
        turn: usize,
        text: Private<String>,
    },
    /// What is remembered of a remote agent.
    Agent(AgentRecord),
    SendDigits(Private<String>),
    /// What the caller seems to be saying; `None` once that is over.
    Partial(Option<PartialText>),
    /// What was kept from being taken for words.
    Guarded(Guards),
    /// Have the caller put through.
    Transfer(converse::Transfer),
    /// Nothing has come of that in time.
    GiveUpTransfer,
    /// Whom we called takes the caller who waits.
    Accepted,
    /// The call goes on in this language.
    Language(LanguageCode),
    /// A part of the call's way stands still.
    Stalled(Stage),
    /// The caller spoke over the reply of this turn, counted from 0.
    Interrupted {
        turn: usize,
    },
    HangUp(Cause),
    Timeout(Option<Instant>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    Hearing,
    Conversation,
    /// A key is down.
    Key,
    /// A message after the tone.
    Voicemail,
    /// A remote agent is not there.
    AgentThere,
    /// The call has lasted for as long as it may, and will soon.
    AgentLength,
    AgentWarning,
    /// It says nothing.
    AgentQuiet,
    /// The caller is not heard.
    AgentSound,
    /// Keys of the caller's wait for it.
    AgentKeys,
    /// What the caller has said does not come as text.
    Text,
    /// Nothing is said to it.
    Reply,
    /// What is to be said has no sound.
    Sound,
    /// The voice is tried again.
    Voice,
    /// What has left is not heard to its end.
    Unheard,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No ACK yet.
    Waiting {
        is_held: bool,
    },
    Open {
        since: Instant,
    },
    /// The peer holds us: it hears nothing, so we say nothing.
    Held {
        since: Instant,
    },
    /// The sound of another call is heard, and nothing of ours.
    Joined,
    Closed,
}

/// Hearing, conversation and voice of one call.
#[derive(Debug)]
pub(super) struct Floor {
    phase: Phase,
    hearing: Hearing,
    ears: Ears,
    tongues: Tongues,
    detection: Detection,
    conversation: Conversation,
    voice: Voice,
    ids: WorkIds,
    /// In the order in which they are said.
    spoken: Vec<Saying>,
    /// The number of the newest utterance on the way to the caller.
    last_wire: UtteranceId,
    /// What is heard of that, and of what kind it is.
    waiting: Option<Waiting>,
    hold: HoldSound,
    relay: Option<Relay>,
    voicemail: message::Settings,
    /// The caller leaves a message after the tone.
    taking: Option<Taking>,
    /// A remote agent holds the call, or will.
    agent: Option<Box<Remote>>,
    /// The caller speaks over us.
    overlap: Option<Overlap>,
    /// What is around the caller drowns its words.
    din: Option<Din>,
    /// What the conversation has yet to be told of utterances that were stopped unheard.
    unheard: VecDeque<converse::Input>,
    awaited_reply: Option<Reply>,
    open_turn: Option<OpenTurn>,
    /// What is asked of the model.
    asks: Vec<(AskId, WorkId)>,
    /// What is asked of the owner's system.
    look_up: Option<WorkId>,
    /// Something of the engine's failed while the greeting was being said.
    greets_in_part: bool,
    /// Turns that were given out.
    turns: usize,
    /// The last frame with the caller's speech.
    spoke: Option<LastSpeech>,
    stalls: Stalls,
    timers: TimerTable<Timer>,
    out: VecDeque<FloorOutput>,
}

impl Floor {
    pub(super) fn new(
        settings: &Settings,
        began: WeekMinute,
        manner: Manner,
        shelf: Arc<Shelf>,
    ) -> Self {
        let tongue = settings.tongues.find(manner.language);
        let playbook = Arc::clone(&tongue.playbook);
        let apology = playbook.prompts().engine.synthesizer_lost.clone();
        let detection = Detection::new(&manner);
        let converse = converse::Settings { began, ..settings.converse.clone() };
        let mut conversation = Conversation::new(playbook, converse);
        if manner.ears == Ears::Closed {
            conversation = conversation.by_keys();
        }
        let mut ids = WorkIds::default();
        let agent = manner
            .agent
            .then(|| Box::new(Remote::new(ids.allocate(), &tongue.playbook, &settings.converse)));
        let mut floor = Self {
            phase: Phase::Waiting { is_held: false },
            hearing: Hearing::new(settings.listen.clone(), detection.languages()),
            ears: manner.ears,
            tongues: settings.tongues.clone(),
            voice: Voice::new(tongue.code, shelf, &apology),
            detection,
            conversation,
            ids,
            spoken: Vec::new(),
            last_wire: UtteranceId::default(),
            waiting: None,
            hold: settings.hold,
            relay: None,
            voicemail: settings.voicemail,
            taking: None,
            agent,
            overlap: None,
            din: None,
            unheard: VecDeque::new(),
            awaited_reply: None,
            open_turn: None,
            asks: Vec::new(),
            look_up: None,
            greets_in_part: false,
            turns: 0,
            spoke: None,
            stalls: Stalls::default(),
            timers: TimerTable::default(),
            out: VecDeque::new(),
        };
        floor.prepare_agent();
        floor
    }

    /// Of a call that we have made.
    pub(super) fn dialled(mut self, variables: Variables) -> Self {
        if let Some(remote) = &mut self.agent {
            remote.know(&variables);
        }
        self.conversation = self.conversation.dialled(variables);
        self
    }

    /// Of a call that we have made to offer somebody a caller.
    pub(super) fn offering(mut self, offer: Private<String>) -> Self {
        self.conversation = self.conversation.offering(offer);
        self
    }

    pub(super) fn connected(&mut self, now: Instant) {
        let is_held = self.phase == Phase::Waiting { is_held: true };
        self.phase = Phase::Open { since: now };
        if !self.connect_agent(now) {
            self.converse(now, converse::Input::Connected);
        }
        self.held(now, is_held);
    }

    /// A machine records: it is told what the call is about, and that is all.
    pub(super) fn leave_message(&mut self, now: Instant) {
        self.forget_agent(now);
        self.conversation.leave_message();
        self.connected(now);
    }

    /// The peer has put us on hold, or taken us back.
    pub(super) fn held(&mut self, now: Instant, held: bool) {
        match (self.phase, held) {
            (Phase::Open { since }, true) => {
                self.phase = Phase::Held { since };
                self.hold_tape(now, true);
                // Silence on hold is nobody's fault.
                self.converse(now, converse::Input::CallerSpeaking);
            }
            (Phase::Held { since }, false) => {
                self.phase = Phase::Open { since };
                self.hold_tape(now, false);
                self.converse(now, converse::Input::CallerSilent { since: now });
            }
            (Phase::Waiting { .. }, is_held) => self.phase = Phase::Waiting { is_held },
            (Phase::Joined | Phase::Closed, _)
            | (Phase::Open { .. }, false)
            | (Phase::Held { .. }, true) => (),
        }
    }

    /// The call is over: nothing more is asked of the engine, nothing more is said.
    pub(super) fn close(&mut self, now: Instant) {
        self.phase = Phase::Closed;
        self.stop_tape();
        self.forget_agent(now);
        self.timers.clear();
        self.voice.forget();
        for spoken in std::mem::take(&mut self.spoken) {
            self.voice.stop(spoken.wire);
        }
        self.cancel_asks();
        self.cancel_look_up();
        self.hearing.close();
    }

    /// As [`Voice::shelved`].
    pub(super) fn shelved(&self) -> &[Shelved] {
        self.voice.shelved()
    }

    pub(super) fn heard(&mut self, now: Instant, frame: &HeardFrame) {
        self.note_frame(frame.origin);
        if self.is_with_agent() {
            if frame.is_speech() {
                self.spoke = Some(LastSpeech { arrived: frame.arrived, played: frame.at });
            }
            return self.agent_hears(now, frame);
        }
        if self.is_taking() {
            // Music of whoever holds us is no message.
            if !matches!(self.phase, Phase::Held { .. }) {
                self.tape_hears(now, frame);
            }
            return;
        }
        if matches!(self.phase, Phase::Open { .. }) && self.ears != Ears::Closed {
            if self.is_drowned(now, frame) {
                return;
            }
            if frame.is_speech() {
                self.spoke = Some(LastSpeech { arrived: frame.arrived, played: frame.at });
            }
            self.hearing.frame(now, frame);
            self.drain_hearing(now);
            self.weigh_overlap(now);
        }
    }

    pub(super) fn digit(&mut self, now: Instant, digit: char) {
        if self.is_with_agent() {
            return self.agent_digit(now, digit);
        }
        if self.is_taking() {
            return self.tape_key(now, digit);
        }
        self.converse(now, converse::Input::Digit(digit));
        if self.timers.is_armed(Timer::Key) {
            self.key_is_up(now);
        }
    }

    /// Has sound recognised that is not of the conversation; who asks takes the result.
    pub(super) fn recognise(&mut self, audio: Vec<i16>) -> WorkId {
        let id = self.ids.allocate();
        let work = self.hearing.transcribe(id, audio, Urgency::Turn);
        self.out.push_back(FloorOutput::Work(work));
        id
    }

    pub(super) fn work_result(&mut self, now: Instant, result: WorkResult) {
        match result {
            WorkResult::Audio { id, samples } => {
                self.note_sound();
                self.voice.audio(id, samples.reveal());
            }
            WorkResult::Spoken { id } => self.voice.complete(id),
            WorkResult::Text { .. } => {
                self.hearing.text(now, result);
                self.drain_hearing(now);
            }
            WorkResult::Thought { id, event } => self.thought(now, id, event),
            WorkResult::LookedUp { id, outcome } => {
                if !self.agent_looked_up(now, id, &outcome) {
                    self.looked_up(now, id, outcome);
                }
            }
            WorkResult::Agent { id, event } => self.agent_event(now, id, event),
            WorkResult::Failed { id } => {
                // What could not be spoken was not heard, though its utterance comes to its end.
                self.greets_in_part |= self.spoken.iter().any(Saying::is_greeting);
                self.voice.fail(id);
                self.hearing.failed(now, id);
                self.drain_hearing(now);
            }
        }
    }

    /// As [`Conversation::told_first`].
    pub(super) fn told_first(&self) -> converse::ToldFirst {
        match self.greets_in_part {
            true => converse::ToldFirst::default(),
            false => self.conversation.told_first(),
        }
    }

    /// The line closes: goodbye is said, by the playbook also where an agent holds the call.
    pub(super) fn say_goodbye(&mut self, now: Instant) {
        self.close_agent(now);
        self.stop_tape();
        self.converse(now, converse::Input::Close);
    }

    /// The caller is still ours.
    pub(super) fn not_transferred(&mut self, now: Instant) {
        self.converse(now, converse::Input::NotTransferred);
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
                Timer::Conversation => self.converse(now, converse::Input::Timeout),
                Timer::Key => self.key_is_up(now),
                Timer::Voicemail => self.tape_timeout(now),
                Timer::AgentThere
                | Timer::AgentLength
                | Timer::AgentWarning
                | Timer::AgentQuiet
                | Timer::AgentSound
                | Timer::AgentKeys => self.agent_timeout(now, timer),
                Timer::Text | Timer::Reply | Timer::Sound | Timer::Voice | Timer::Unheard => {
                    self.stall_timeout(now, timer);
                }
                Timer::Hearing => {
                    self.hearing.timeout(now);
                    self.drain_hearing(now);
                }
            }
        }
    }

    /// Who is speaking; of a call that is held, joined or over nobody is.
    pub(super) fn speaking(&self) -> Speaking {
        let is_open = matches!(self.phase, Phase::Open { .. });
        Speaking {
            caller: is_open && self.hearing.is_hearing_speech(),
            us: is_open && self.spoken.iter().any(Saying::is_audible),
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
                HearingOutput::Guess(words) => {
                    // In the wrong playbook words say nothing.
                    if !self.detection.would_change(words.detected) {
                        self.guess(now, &words.speech);
                    }
                }
                HearingOutput::GoesOn { was_heard, is_pause } => {
                    self.voice.forget();
                    if is_pause {
                        self.converse(now, converse::Input::Paused);
                    }
                    self.converse(now, converse::Input::GoesOn);
                    if !was_heard {
                        self.converse(now, converse::Input::PausedUnheard);
                    }
                }
                HearingOutput::Turn(turn) => self.turn(now, turn),
                HearingOutput::Nothing => self.spoke_for_nothing(now),
                HearingOutput::Partial(text) => self.out.push_back(FloorOutput::Partial(text)),
                HearingOutput::Guarded(guards) => self.out.push_back(FloorOutput::Guarded(guards)),
                HearingOutput::Work(work) => {
                    let work = self.with_hint(work);
                    self.out.push_back(FloorOutput::Work(work));
                }
                HearingOutput::Timeout(at) => return self.arm(Timer::Hearing, at),
            }
        }
    }

    /// Tells the recogniser what the conversation expects.
    fn with_hint(&self, mut work: Work) -> Work {
        if let Work::Transcribe { wish, .. } = &mut work {
            let likely = self.conversation.likely();
            wish.hint = Hint::new(likely.iter().map(String::as_str));
        }
        work
    }

    fn caller_speaking(&mut self, now: Instant) {
        self.converse(now, converse::Input::CallerSpeaking);
        self.begin_overlap(now);
    }

    /// The caller pauses: what would we answer if that were all?
    fn guess(&mut self, now: Instant, speech: &converse::Speech) {
        if self.is_backchannel(speech) {
            return self.hearing.hint(now, converse::Completeness::Complete);
        }
        if self.overlap.is_some() && !self.is_noise(speech) {
            self.pause_all();
        }
        let preview = self.conversation.preview(speech);
        if let Some(reply) = preview.reply {
            self.voice.prepare(&mut self.ids, reply.reveal());
        }
        self.converse(now, converse::Input::Guessed(speech.clone()));
        self.hearing.hint(now, preview.completeness);
    }

    /// Anything but a turn of the caller: what we say to it stands in the record as our own turn.
    fn converse(&mut self, now: Instant, input: converse::Input) {
        if !self.conversation.is_thinking() {
            self.open_turn = None;
        }
        let said = self.conversation_says(now, input);
        if !said.is_empty() && !self.more_of_the_reply(now, &said) {
            let reply_text = joined(&said);
            self.give_turn(Turn { reply_text, ..Turn::default() });
        }
    }

    /// One input and, before and after it, what was stopped unheard; gives all that is said then.
    fn conversation_says(&mut self, now: Instant, input: converse::Input) -> Vec<Say> {
        let mut said = Vec::new();
        if matches!(self.phase, Phase::Joined | Phase::Closed) {
            self.keep_for_later(input);
            return said;
        }
        let mut inputs = std::mem::take(&mut self.unheard);
        inputs.push_back(input);
        while let Some(next) = inputs.pop_front() {
            self.conversation_step(now, next, &mut said);
            inputs.append(&mut self.unheard);
        }
        said
    }

    fn conversation_step(&mut self, now: Instant, input: converse::Input, said: &mut Vec<Say>) {
        self.conversation.handle(now, input);
        loop {
            match self.conversation.poll_output() {
                converse::Output::Say(say) => {
                    self.note_reply(now, true);
                    self.last_wire = self.last_wire.next();
                    self.voice.say(&mut self.ids, self.last_wire, say.text.reveal());
                    let turn = self.open_turn.as_ref().map_or(self.turns, |open| open.turn);
                    let saying = Saying::new(&say, self.last_wire, turn);
                    self.say_after_all(saying);
                    said.push(say);
                }
                converse::Output::Stop(utterance) => drop(self.stop(utterance)),
                converse::Output::Expect(awaited) => self.hearing.expect(now, awaited),
                converse::Output::TakeMessage(message) => {
                    self.out.push_back(FloorOutput::Message(message));
                }
                converse::Output::RecordMessage(message) => self.record_message(now, message),
                converse::Output::Ask { ask, chat } => self.ask(ask, chat),
                converse::Output::CancelAsk(ask) => self.cancel_ask(ask),
                converse::Output::Prepare(text) => {
                    self.voice.prepare(&mut self.ids, text.reveal());
                }
                converse::Output::SendDigits(digits) => {
                    self.out.push_back(FloorOutput::SendDigits(digits));
                }
                converse::Output::LookUp(asked) => self.look_up(asked),
                converse::Output::CancelLookUp => self.cancel_look_up(),
                converse::Output::Transfer(transfer) => {
                    self.out.push_back(FloorOutput::Transfer(transfer));
                }
                converse::Output::GiveUpTransfer => {
                    self.out.push_back(FloorOutput::GiveUpTransfer);
                }
                converse::Output::Accepted => self.out.push_back(FloorOutput::Accepted),
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
}

fn ending(cause: EndCause) -> Cause {
    match cause {
        EndCause::Goodbye => Cause::Goodbye,
        EndCause::Silence => Cause::Silence,
        EndCause::MaxDuration => Cause::MaxDuration,
        EndCause::NotUnderstood => Cause::NotUnderstood,
        EndCause::Closing => Cause::ShuttingDown,
    }
}

fn joined(said: &[Say]) -> Private<String> {
    let texts: Vec<String> = said.iter().map(|say| plain(say.text.reveal())).collect();
    Private::new(texts.join(" "))
}
