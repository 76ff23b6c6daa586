//! A remote agent has the floor: it hears the caller and speaks, until it is gone and the conversation
//! takes over.
//!
//! Nothing is recognised, understood or spoken here meanwhile. Invariant: the agent is connected after the
//! call is answered and until it ends at most, and where it fails a caller hears something within
//! [`limits::AGENT_THERE_WITHIN`].

mod replies;

use std::time::{Duration, Instant};

use super::{Floor, FloorOutput, Phase, Timer};
use crate::base::{Private, WorkId, limits};
use crate::call::agent::{Stage, Talk};
use crate::call::ending::Cause;
use crate::call::media::HeardFrame;
use crate::call::record::AgentState;
use crate::call::work::Work;
use crate::converse::agent::{ClientMessage, Command, Effect, End, Event, Fault, Metadata};
use crate::converse::llm::ToolRequest;
use crate::converse::lookup::LookedUp;
use crate::converse::{self, TakeOver, Why};

/// Where nothing is heard of the caller for so long, silence is sent in its place. Longer than the net thread is
/// ever late: what it hears then comes all the same.
const UNHEARD: Duration = Duration::from_secs(1);
/// Keys that follow each other within this time are told together.
const KEY_PAUSE: Duration = Duration::from_millis(1_500);
/// A goodbye that ends so long ago is whole.
const GOODBYE_IS_OVER: Duration = Duration::from_millis(1_500);
/// What is in the ring of the audio thread is heard within this time.
const RING: Duration = Duration::from_millis(600);
/// Frames of speech that are no cough, in a call whose words are not recognised here.
const SPOKE_FRAMES: u32 = 50;

impl Floor {
    /// The agent holds the call, or will.
    pub(in crate::call) fn is_with_agent(&self) -> bool {
        self.agent.is_some()
    }

    pub(super) fn command_agent(&mut self, command: Command) {
        if let Some(remote) = &self.agent {
            let id = remote.work;
            self.out.push_back(FloorOutput::Work(Work::Agent { id, command }));
        }
    }

    /// It rings: find out where the agent is.
    pub(super) fn prepare_agent(&mut self) {
        let agent = self.agent.as_ref().and_then(|remote| remote.agent.clone());
        self.command_agent(Command::Prepare { agent });
    }

    /// The call is answered. False: there will be no agent.
    pub(super) fn connect_agent(&mut self, now: Instant) -> bool {
        let Some(remote) = &mut self.agent else { return false };
        remote.since = Some(now);
        match remote.stage {
            Stage::Preparing => (),
            _ => {
                self.forget_agent(now);
                return false;
            }
        }
        let (longest, warning) = (remote.longest, remote.warning);
        self.begin_connecting(now);
        self.timers.set(Timer::AgentLength, now + longest);
        self.timers.set(Timer::AgentWarning, now + (longest - warning));
        true
    }

    fn begin_connecting(&mut self, now: Instant) {
        let Some(remote) = &mut self.agent else { return };
        remote.stage = Stage::Connecting;
        remote.record.state = AgentState::Waiting;
        let initiation = Box::new(remote.initiation.clone());
        self.timers.set(Timer::AgentThere, now + limits::AGENT_THERE_WITHIN);
        self.command_agent(Command::Connect(initiation));
        self.show_agent();
    }

    pub(super) fn agent_event(&mut self, now: Instant, id: WorkId, event: Event) {
        let Some(remote) = self.agent.as_mut().filter(|remote| remote.work == id) else { return };
        match event {
            Event::Connected => {
                remote.connected(now);
                self.show_agent();
            }
            Event::Opened(opened) => self.agent_is_there(now, &opened),
            Event::Audio { event_id, sound } => self.agent_speaks(now, event_id, sound.reveal()),
            Event::Interrupted { event_id } => self.agent_interrupted(event_id),
            Event::Heard { text } => self.agent_has_heard(now, text),
            Event::Said { text } => self.agent_says(text),
            Event::Corrected { text } => self.agent_was_heard(text.reveal(), true),
            Event::Called(request) => self.agent_calls(now, &request),
            Event::Leaving => self.agent_leaves(now),
            Event::Ended(End::Failed(fault)) => self.agent_failed(now, fault),
            Event::Ended(End::Finished) => self.agent_finished(now),
        }
    }

    fn agent_is_there(&mut self, now: Instant, opened: &Metadata) {
        let Some(remote) = &mut self.agent else { return };
        if !matches!(remote.stage, Stage::Connecting) {
            return;
        }
        remote.stage = Stage::Talking(Box::new(Talk::new(opened)));
        remote.record.state = AgentState::Talking;
        remote.record.conversation = opened.conversation.clone();
        let context = remote.context().filter(|_| remote.has_tried_again);
        self.timers.cancel(Timer::AgentThere);
        self.timers.set(Timer::AgentQuiet, now + limits::AGENT_FIRST_WORDS);
        self.timers.set(Timer::AgentSound, now + UNHEARD);
        if let Some(context) = context {
            self.command_agent(Command::Send(ClientMessage::ContextualUpdate(context)));
        }
        self.show_agent();
    }

    /// 20 ms of the caller.
    pub(super) fn agent_hears(&mut self, now: Instant, frame: &HeardFrame) {
        let Some(talk) = self.agent.as_mut().and_then(|remote| remote.talk()) else { return };
        if frame.is_speech() {
            talk.speech_frames += 1;
            if talk.speech_frames == SPOKE_FRAMES {
                self.timers.set_sooner(Timer::AgentQuiet, now + limits::AGENT_ANSWERS_WITHIN);
            } else if talk.speech_frames > SPOKE_FRAMES {
                self.timers.set(Timer::AgentQuiet, now + limits::AGENT_ANSWERS_WITHIN);
            }
        }
        self.timers.set(Timer::AgentSound, now + UNHEARD);
        self.send_sound(&frame.frame.0);
    }

    /// The caller is not heard: the agent gets silence, without which it knows no end of a turn.
    fn send_silence(&mut self, now: Instant) {
        self.timers.set(Timer::AgentSound, now + UNHEARD);
        let samples =
            crate::base::pcm::ms_to_samples(u64::try_from(UNHEARD.as_millis()).unwrap_or_default());
        let silence = vec![0; samples];
        for frame in silence.chunks(crate::base::pcm::FRAME_SAMPLES) {
            self.send_sound(frame);
        }
    }

    fn send_sound(&mut self, samples: &[i16]) {
        let Some(remote) = &mut self.agent else { return };
        let Stage::Talking(talk) = &mut remote.stage else { return };
        if let Some(chunk) = talk.up.push(samples) {
            let message = ClientMessage::Audio(Private::new(chunk));
            self.command_agent(Command::Send(message));
        }
    }

    /// A key, which the agent is told of when no more follow.
    pub(super) fn agent_digit(&mut self, now: Instant, digit: char) {
        let Some(remote) = &mut self.agent else { return };
        if remote.press(digit) {
            self.timers.set(Timer::AgentKeys, now + KEY_PAUSE);
        }
        if digit == '#' {
            self.tell_keys();
        }
    }

    fn tell_keys(&mut self) {
        self.timers.cancel(Timer::AgentKeys);
        let Some(remote) = &mut self.agent else { return };
        let keys = std::mem::take(&mut remote.keys);
        if !keys.reveal().is_empty() && remote.talk().is_some() {
            let text = format!("(The caller pressed the telephone keys {}.)", keys.reveal());
            let message = ClientMessage::UserMessage(Private::new(text));
            self.command_agent(Command::Send(message));
        }
    }

    fn agent_calls(&mut self, now: Instant, request: &ToolRequest) {
        let Some(remote) = &mut self.agent else { return };
        let answered = (String::from("done"), false);
        let (result, is_error) = match remote.tools.call(request) {
            Effect::Refused(reason) => (reason, true),
            Effect::TakeMessage(message) => {
                self.out.push_back(FloorOutput::Message(message));
                answered
            }
            Effect::SendDigits(digits) => {
                self.out.push_back(FloorOutput::SendDigits(digits));
                answered
            }
            Effect::HangUp => {
                self.agent_leaves(now);
                answered
            }
            Effect::Transfer(person) => {
                self.answer_tool(&request.id, answered.0, false);
                return self.take_over(now, Why::Transfer(person), None);
            }
            Effect::LookUp { asked, changes } if remote.look_ups.len() < limits::AGENT_LOOK_UPS => {
                let id = self.ids.allocate();
                remote.look_ups.push((id, request.id.clone(), changes));
                self.timers.set(Timer::AgentQuiet, now + limits::AGENT_ANSWERS_WITHIN * 2);
                return self.out.push_back(FloorOutput::Work(Work::LookUp { id, asked }));
            }
            Effect::LookUp { .. } => ("error: one thing at a time".to_owned(), true),
        };
        self.answer_tool(&request.id, result, is_error);
    }

    fn answer_tool(&mut self, id: &str, result: String, is_error: bool) {
        let (id, result) = (id.to_owned(), Private::new(result));
        self.command_agent(Command::Send(ClientMessage::ToolResult { id, result, is_error }));
    }

    /// Whether the agent had asked this.
    pub(super) fn agent_looked_up(&mut self, now: Instant, id: WorkId, outcome: &LookedUp) -> bool {
        let Some(remote) = &mut self.agent else { return false };
        let Some(at) = remote.look_ups.iter().position(|(of, ..)| *of == id) else { return false };
        let (_, call, changes) = remote.look_ups.swap_remove(at);
        let is_error = *outcome == LookedUp::Failed;
        self.timers.set(Timer::AgentQuiet, now + limits::AGENT_ANSWERS_WITHIN);
        self.answer_tool(&call, outcome.told(changes), is_error);
        true
    }

    /// The call ends once its goodbye is heard.
    fn agent_leaves(&mut self, now: Instant) {
        if let Some(talk) = self.agent.as_mut().and_then(|remote| remote.talk()) {
            talk.is_leaving = true;
            self.timers.set(Timer::AgentQuiet, now + GOODBYE_IS_OVER);
        }
    }

    fn agent_finished(&mut self, now: Instant) {
        let Some(remote) = &mut self.agent else { return };
        match std::mem::replace(&mut remote.stage, Stage::Connecting) {
            Stage::Talking(talk) | Stage::Leaving(talk) if talk.is_leaving => {
                remote.disconnected(now);
                let rest = Duration::from_millis(talk.down.ms());
                remote.stage = Stage::Leaving(talk);
                self.timers.set(Timer::AgentQuiet, now + rest + RING);
                self.show_agent();
            }
            stage => {
                remote.stage = stage;
                // It has ended what it holds, and the caller is still there.
                self.agent_failed(now, Fault::Closed(1000));
            }
        }
    }

    fn agent_failed(&mut self, now: Instant, fault: Fault) {
        let Some(remote) = &mut self.agent else { return };
        remote.disconnected(now);
        if fault.may_pass() && !remote.has_tried_again {
            remote.has_tried_again = true;
            let is_answered = remote.since.is_some();
            self.flush_agent();
            if let Some(remote) = &mut self.agent {
                remote.work = self.ids.allocate();
                remote.look_ups.clear();
            }
            self.prepare_agent();
            if is_answered {
                self.begin_connecting(now);
            }
            return;
        }
        if remote.since.is_none() {
            remote.record.fault = Some(fault);
            remote.stage = Stage::Failed;
            return self.show_agent();
        }
        let why = if remote.was_heard { Why::Gone } else { Why::NotThere };
        self.take_over(now, why, Some(fault));
    }

    /// The conversation has the call from here on.
    fn take_over(&mut self, now: Instant, why: Why, fault: Option<Fault>) {
        let Some(remote) = &mut self.agent else { return };
        remote.record.fault = fault;
        let (since, told) = (remote.since.unwrap_or(now), remote.wish());
        self.flush_agent();
        self.forget_agent(now);
        self.spoke = None;
        self.converse(now, converse::Input::TakeOver(TakeOver { since, why, told }));
    }

    /// Nothing more of what it has said is heard.
    fn flush_agent(&mut self) {
        self.out.push_back(FloorOutput::Silence(self.last_wire));
        if let Some(talk) = self.agent.as_mut().and_then(|remote| remote.talk()) {
            talk.down.clear();
            talk.reply = None;
        }
    }

    /// There is no agent any more.
    pub(super) fn forget_agent(&mut self, now: Instant) {
        let Some(remote) = &mut self.agent else { return };
        remote.disconnected(now);
        remote.record.state = AgentState::Over;
        let look_ups = std::mem::take(&mut remote.look_ups).into_iter().map(|(id, ..)| id);
        let works = std::iter::once(remote.work).chain(look_ups);
        self.out.extend(works.map(|id| FloorOutput::Work(Work::Cancel { id })));
        self.show_agent();
        self.agent = None;
        for timer in [
            Timer::AgentThere,
            Timer::AgentLength,
            Timer::AgentWarning,
            Timer::AgentQuiet,
            Timer::AgentSound,
            Timer::AgentKeys,
        ] {
            self.timers.cancel(timer);
        }
    }

    pub(super) fn show_agent(&mut self) {
        if let Some(remote) = &self.agent {
            self.out.push_back(FloorOutput::Agent(remote.record.clone()));
        }
    }

    /// How long the agent was connected, where it is.
    pub(in crate::call) fn note_agent_use(&mut self, now: Instant) {
        if let Some(remote) = &mut self.agent {
            remote.note_use(now);
            self.show_agent();
        }
    }

    pub(super) fn agent_timeout(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::AgentThere => self.agent_failed(now, Fault::Late),
            Timer::AgentLength => self.take_over(now, Why::TimeIsOver, None),
            Timer::AgentWarning => self.warn_agent(),
            Timer::AgentSound => self.send_silence(now),
            Timer::AgentKeys => self.tell_keys(),
            Timer::AgentQuiet => self.agent_is_quiet(now),
            Timer::Hearing
            | Timer::Conversation
            | Timer::Key
            | Timer::Text
            | Timer::Reply
            | Timer::Sound
            | Timer::Voice
            | Timer::Unheard
            | Timer::Voicemail => (),
        }
    }

    /// What is said last is the playbook's.
    pub(super) fn close_agent(&mut self, now: Instant) {
        if self.is_with_agent() {
            self.take_over(now, Why::TimeIsOver, None);
        }
    }

    /// It tells the caller in its own words.
    fn warn_agent(&mut self) {
        let Some(remote) = &self.agent else { return };
        let seconds = remote.warning.as_secs();
        let text =
            format!("This telephone call has to end in {seconds} seconds: say so, and goodbye.");
        let message = ClientMessage::ContextualUpdate(Private::new(text));
        self.command_agent(Command::Send(message));
    }

    /// It has said nothing for as long as it may, or its goodbye is over.
    fn agent_is_quiet(&mut self, now: Instant) {
        let Some(remote) = &mut self.agent else { return };
        let is_over = matches!(remote.stage, Stage::Leaving(_));
        let Some(talk) = remote.talk() else { return };
        if !talk.is_leaving && !is_over {
            // What it has said may take longer than what is waited for.
            if !talk.down.is_empty() {
                let rest = Duration::from_millis(talk.down.ms());
                return self
                    .timers
                    .set(Timer::AgentQuiet, now + rest + limits::AGENT_ANSWERS_WITHIN);
            }
            return self.agent_failed(now, Fault::Silent);
        }
        let spoke = talk.down.arrived().map(|at| now.saturating_duration_since(at));
        let is_silent = talk.down.is_empty() && spoke.is_none_or(|since| since >= GOODBYE_IS_OVER);
        match is_silent || is_over && talk.down.is_empty() {
            true => self.out.push_back(FloorOutput::HangUp(Cause::Goodbye)),
            false => {
                let rest = Duration::from_millis(talk.down.ms()).max(RING);
                self.timers.set(Timer::AgentQuiet, now + rest);
            }
        }
    }

    /// The peer holds us, and hears nothing of the agent.
    pub(super) fn is_agent_heard(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }
}
