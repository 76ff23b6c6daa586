//! The conversation beside a model: when it is asked, what of its answer is said, what it may do.
//!
//! ```text
//!  Guessed ─▶ Ahead ── GoesOn ─▶ Idle         nothing is said, no tool runs
//!               │ Heard
//!               ▼
//!           Answering ── sentence ─▶ Say
//!               │  ├─ silence ─▶ filler ─▶ the playbook's answer, or its offer of a message
//!               │  └─ tools ─▶ policy ─▶ carried out, refused or Confirming ─▶ asked again
//!               ▼
//!             Idle
//! ```
//!
//! Invariant: at most one answer is being asked for; whatever replaces it cancels it first.

use std::fmt;
use std::time::Instant;

use super::{Caller, Conversation, Phase, Timer};
use crate::base::{Private, UtteranceId, limits};
use crate::converse::alphabet::{
    AskId, EndCause, Expectation, Message, Output, Purpose, Speaker, Turn,
};
use crate::converse::dialogue::{Dialogue, Reaction, Understanding};
use crate::converse::llm::{
    Answer, Chat, Decision, Event, History, Spent, Stage, Tool, ToolCall, ToolRequest, parse,
    system_text,
};
use crate::converse::matching::answers;
use crate::converse::playbook::Playbook;

/// The part of a conversation that has to do with a model.
pub struct Thinking {
    history: History,
    spent: Spent,
    last: AskId,
    state: State,
}

enum State {
    Idle,
    /// For words that may not be the last.
    Ahead {
        asked: Asked,
        words: Private<String>,
    },
    Answering(Answering),
    /// The caller is asked whether a tool shall be carried out.
    Confirming {
        request: ToolRequest,
        call: ToolCall,
        /// Of the other tools of the same answer.
        outcomes: Vec<(ToolRequest, String)>,
        answering: Answering,
    },
}

/// An answer on its way.
struct Asked {
    ask: AskId,
    at: Instant,
    answer: Answer,
}

/// An answer that is being said.
struct Answering {
    asked: Asked,
    /// Times that tools were called for this turn.
    rounds: u32,
    lull: Lull,
    said: Vec<(UtteranceId, String)>,
    /// What the playbook would do, and how its dialogue is then.
    playbook: Box<(Dialogue, Reaction)>,
}

/// How far the silence has come in which the caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lull {
    Fresh,
    /// The filler was said.
    Filled,
}

/// What the tools of one answer came to.
enum Outcome {
    AskAgain,
    Leave,
    Confirm(ToolRequest, ToolCall, Private<String>),
}

/// Without anybody's words.
impl fmt::Debug for Thinking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::Idle => write!(f, "Thinking(idle)"),
            State::Ahead { asked, .. } => write!(f, "Thinking(ahead, {:?})", asked.answer),
            State::Answering(Answering { asked, lull, .. }) => {
                write!(f, "Thinking({:?}, {lull:?})", asked.answer)
            }
            State::Confirming { call, .. } => write!(f, "Thinking(confirming {:?})", call.tool()),
        }
    }
}

impl Thinking {
    pub fn new(playbook: &Playbook) -> Self {
        let instructions = playbook.llm().map(|llm| llm.instructions.as_str()).unwrap_or_default();
        Self {
            history: History::new(system_text(instructions, playbook.language())),
            spent: Spent::default(),
            last: AskId::default(),
            state: State::Idle,
        }
    }

    /// What every chat of this call begins with, with a word of nobody's: a chat ends with the
    /// caller's.
    pub fn beginning(&self, playbook: &Playbook) -> Chat {
        self.chat(playbook, Some("Hello."))
    }

    fn chat(&self, playbook: &Playbook, saying: Option<&str>) -> Chat {
        Chat {
            messages: self.history.messages(saying),
            tools: playbook.llm().map(|llm| llm.policy.tools()).unwrap_or_default(),
            most_tokens: limits::LLM_TOKENS,
        }
    }

    /// A filler is no part of an answer: a model would learn to begin with it.
    pub fn note_turn(&mut self, turn: &Turn, playbook: &Playbook) {
        let filler = playbook.llm().map(|llm| llm.filler.as_str());
        if turn.speaker == Speaker::Caller || filler != Some(turn.text.reveal()) {
            self.history.turn(turn);
        }
    }

    /// The caller waits for an answer.
    pub const fn is_answering(&self) -> bool {
        matches!(self.state, State::Answering(_))
    }

    pub fn expectation(&self) -> Option<Expectation> {
        matches!(self.state, State::Confirming { .. }).then_some(Expectation::YesNo)
    }

    /// What the answer to these words will begin with, if it was asked for and has come.
    pub fn first_piece(&self, text: &str) -> Option<String> {
        match &self.state {
            State::Ahead { asked, words } if words.reveal() == text.trim() => {
                asked.answer.first_piece().map(|piece| piece.reveal().clone())
            }
            _ => None,
        }
    }

    fn asked(&mut self, ask: AskId) -> Option<&mut Asked> {
        match &mut self.state {
            State::Ahead { asked, .. } | State::Answering(Answering { asked, .. }) => {
                (asked.ask == ask).then_some(asked)
            }
            State::Idle | State::Confirming { .. } => None,
        }
    }
}

impl Conversation {
    /// What the playbook would do with words that a model is to answer.
    pub(super) fn is_for_model(&self, text: &str, confidence: f32) -> Option<(Dialogue, Reaction)> {
        let llm = self.playbook.llm().filter(|_| self.settings.has_model)?;
        let is_free = !matches!(self.thinking.state, State::Confirming { .. });
        let in_budget = self.thinking.last.0 < limits::LLM_ASKS_PER_CALL;
        if !is_free || !in_budget {
            return None;
        }
        self.dialogue.leaves(llm, text, confidence)
    }

    /// What the playbook would say to these words is not what will be said.
    pub(super) fn is_beyond_playbook(&self, text: &str) -> bool {
        let is_asking = matches!(self.thinking.state, State::Confirming { .. });
        is_asking || self.is_for_model(text, super::CERTAIN).is_some()
    }

    /// Asks for the answer to words that may not be the last.
    pub(super) fn think_ahead(&mut self, now: Instant, text: &str) {
        let words = super::cut(text).trim();
        match &self.thinking.state {
            State::Ahead { words: known, .. } if known.reveal() == words => return,
            State::Answering(_) | State::Confirming { .. } => return,
            State::Idle | State::Ahead { .. } => self.forget_ahead(),
        }
        if self.is_for_model(words, super::CERTAIN).is_some() {
            let asked = self.ask(now, Some(words));
            let words = Private::new(words.to_owned());
            self.thinking.state = State::Ahead { asked, words };
        }
    }

    pub(super) fn forget_ahead(&mut self) {
        if matches!(self.thinking.state, State::Ahead { .. }) {
            self.stop_thinking();
        }
    }

    /// The caller's turn is closed; true if a model answers it.
    pub(super) fn think(&mut self, now: Instant, text: &str, confidence: f32) -> bool {
        if matches!(self.thinking.state, State::Confirming { .. }) {
            return self.confirmed(now, text);
        }
        let Some(playbook) = self.is_for_model(text, confidence) else {
            self.stop_thinking();
            return false;
        };
        let asked = match std::mem::replace(&mut self.thinking.state, State::Idle) {
            State::Ahead { asked, words } if words.reveal() == text.trim() => asked,
            other => {
                self.thinking.state = other;
                self.stop_thinking();
                self.ask(now, None)
            }
        };
        self.stop(self.voice.interruptible());
        self.timers.cancel(Timer::Lull);
        self.timers.cancel(Timer::Held);
        let (said, playbook) = (Vec::new(), Box::new(playbook));
        let answering = Answering { asked, rounds: 0, lull: Lull::Fresh, said, playbook };
        self.thinking.state = State::Answering(answering);
        self.go_on(now);
        true
    }

    pub(super) fn thought(&mut self, now: Instant, ask: AskId, event: Event) {
        let Some(asked) = self.thinking.asked(ask) else { return };
        let had_piece = asked.answer.first_piece().is_some();
        asked.answer.take(event);
        let first = asked.answer.first_piece().filter(|_| !had_piece).cloned();
        match self.thinking.state {
            State::Answering(_) => self.go_on(now),
            State::Ahead { .. } => self.outputs.extend(first.map(Output::Prepare)),
            State::Idle | State::Confirming { .. } => (),
        }
    }

    /// What was held while the caller spoke can be said, unless it was a turn.
    pub(super) fn caller_silent(&mut self, now: Instant) {
        self.caller = Caller::Quiet;
        if self.thinking.is_answering() {
            self.timers.set(Timer::Held, now);
        }
    }

    /// The caller has stopped this: an answer that it belongs to is not wanted any more.
    pub(super) fn interrupted(&mut self, utterance: UtteranceId) {
        let is_ours = matches!(&self.thinking.state, State::Answering(answering)
            if answering.said.iter().any(|(said, _)| *said == utterance));
        if is_ours {
            self.stop_thinking();
        }
    }

    /// No answer is wanted any more, and the server is told so.
    pub(super) fn stop_thinking(&mut self) {
        self.timers.cancel(Timer::Lull);
        let state = std::mem::replace(&mut self.thinking.state, State::Idle);
        if let State::Ahead { asked, .. } | State::Answering(Answering { asked, .. }) = state
            && asked.answer.stage() == Stage::Coming
        {
            self.outputs.push_back(Output::CancelAsk(asked.ask));
        }
    }

    /// Keeps watch over a silence in which the caller waits.
    pub(super) fn watch_lull(&mut self, now: Instant) {
        let State::Answering(answering) = &self.thinking.state else { return };
        let is_quiet = self.caller == Caller::Quiet && self.voice.is_silent();
        if !is_quiet {
            return self.timers.cancel(Timer::Lull);
        }
        if !self.timers.is_armed(Timer::Lull) {
            let at = match answering.lull {
                Lull::Fresh if answering.said.is_empty() && answering.rounds == 0 => {
                    answering.asked.at + limits::LLM_FILLER_AFTER
                }
                Lull::Fresh => now + limits::LLM_FILLER_AFTER,
                Lull::Filled => now + limits::LLM_PATIENCE,
            };
            self.timers.set(Timer::Lull, at);
        }
    }

    pub(super) fn lull(&mut self, now: Instant) {
        let State::Answering(answering) = &mut self.thinking.state else { return };
        match answering.lull {
            Lull::Fresh => {
                answering.lull = Lull::Filled;
                let filler = self.playbook.llm().map(|llm| llm.filler.clone());
                let _ = self.say(now, filler.into_iter().collect(), true, Purpose::Reply);
            }
            Lull::Filled => self.fail(now),
        }
    }

    fn ask(&mut self, now: Instant, saying: Option<&str>) -> Asked {
        let thinking = &mut self.thinking;
        thinking.last = AskId(thinking.last.0 + 1);
        let ask = thinking.last;
        let chat = thinking.chat(&self.playbook, saying);
        self.outputs.push_back(Output::Ask { ask, chat: Box::new(chat) });
        Asked { ask, at: now, answer: Answer::default() }
    }

    /// Says what has come, while the caller listens, and does what follows the end of the answer.
    pub(super) fn go_on(&mut self, now: Instant) {
        let State::Answering(answering) = &mut self.thinking.state else { return };
        if self.caller == Caller::Speaking {
            return;
        }
        let pieces = answering.asked.answer.take_pieces();
        let stage = answering.asked.answer.stage();
        for piece in pieces {
            let piece = piece.into_revealed();
            let utterance = self.say(now, vec![piece.clone()], true, Purpose::Reply);
            if let State::Answering(answering) = &mut self.thinking.state {
                answering.lull = Lull::Fresh;
                answering.said.extend(utterance.map(|utterance| (utterance, piece)));
            }
        }
        match stage {
            Stage::Coming => (),
            Stage::Failed => self.fail(now),
            Stage::Whole => self.use_tools(now),
            Stage::Enough => {
                if let State::Answering(answering) = &self.thinking.state {
                    self.outputs.push_back(Output::CancelAsk(answering.asked.ask));
                }
                self.finish();
            }
        }
    }

    /// The answer is said.
    fn finish(&mut self) {
        self.timers.cancel(Timer::Lull);
        let state = std::mem::replace(&mut self.thinking.state, State::Idle);
        if let State::Answering(answering) = state {
            let parts: Vec<String> = answering.said.into_iter().map(|(_, piece)| piece).collect();
            self.dialogue.answered(&parts);
        }
    }

    /// There will be no answer, or no more of it: the playbook answers, or offers what is left.
    fn fail(&mut self, now: Instant) {
        let State::Answering(answering) = &self.thinking.state else { return };
        let has_said = !answering.said.is_empty();
        let (dialogue, reaction) = (*answering.playbook).clone();
        self.stop_thinking();
        let reaction = if has_said || reaction.understanding == Understanding::Missed {
            self.dialogue.give_way()
        } else {
            self.dialogue = dialogue;
            reaction
        };
        self.follow(now, reaction);
    }

    fn use_tools(&mut self, now: Instant) {
        let State::Answering(answering) = &mut self.thinking.state else { return };
        let calls = answering.asked.answer.take_calls();
        if calls.is_empty() {
            return self.finish();
        }
        let mut outcomes = Vec::new();
        let mut outcome = Outcome::AskAgain;
        for request in calls {
            let text = match (self.judge(&request), &outcome) {
                (Ok((call, Decision::Allow)), _) => {
                    if call == ToolCall::HangUp {
                        outcome = Outcome::Leave;
                    }
                    self.carry_out(call).to_owned()
                }
                (Ok((call, Decision::Confirm(question))), Outcome::AskAgain) => {
                    outcome = Outcome::Confirm(request, call, question);
                    continue;
                }
                (Ok((_, Decision::Confirm(_))), _) => "error: one thing at a time".to_owned(),
                (Ok((_, Decision::Refuse(reason))), _) => reason.to_owned(),
                (Err(reason), _) => reason,
            };
            outcomes.push((request, text));
        }
        match outcome {
            Outcome::AskAgain => self.ask_again(now, outcomes),
            Outcome::Leave => self.say_goodbye(now, outcomes),
            Outcome::Confirm(request, call, question) => {
                let state = std::mem::replace(&mut self.thinking.state, State::Idle);
                let State::Answering(answering) = state else { return };
                self.thinking.state = State::Confirming { request, call, outcomes, answering };
                self.timers.cancel(Timer::Lull);
                let question = question.into_revealed();
                self.dialogue.said(std::slice::from_ref(&question));
                let _ = self.say(now, vec![question], true, Purpose::Reply);
                self.expect();
            }
        }
    }

    fn judge(&self, request: &ToolRequest) -> Result<(ToolCall, Decision), String> {
        let call = parse(request).map_err(|malformed| malformed.to_string())?;
        let policy = self.playbook.llm().map(|llm| &llm.policy);
        let refusal = Decision::Refuse("error: there are no tools");
        let decision = policy.map_or(refusal, |p| p.decide(&self.thinking.spent, &call));
        Ok((call, decision))
    }

    /// Does what was allowed; the text is for the model.
    fn carry_out(&mut self, call: ToolCall) -> &'static str {
        self.thinking.spent.note(call.tool());
        match call {
            ToolCall::TakeMessage { name, number, text } => {
                let topic = self.playbook.llm().map(|llm| llm.topic.clone()).unwrap_or_default();
                let fields = self.thinking.history.notes().to_vec();
                let text = Some(text);
                let message = Message { topic, name, number, text, fields };
                self.outputs.push_back(Output::TakeMessage(message));
                "done: the message is left"
            }
            ToolCall::SendDigits { digits } => {
                self.outputs.push_back(Output::SendDigits(digits));
                "done: the keys are pressed"
            }
            ToolCall::Remember { name, value } => {
                self.thinking.history.note(name, value);
                "done"
            }
            ToolCall::HangUp => "done",
        }
    }

    /// Lets the model go on with what its tools came to.
    fn ask_again(&mut self, now: Instant, outcomes: Vec<(ToolRequest, String)>) {
        let State::Answering(answering) = &mut self.thinking.state else { return };
        answering.rounds += 1;
        let is_endless = answering.rounds >= limits::LLM_ROUNDS;
        self.thinking.history.tools(now, outcomes);
        if is_endless || self.thinking.last.0 >= limits::LLM_ASKS_PER_CALL {
            return self.fail(now);
        }
        let asked = self.ask(now, None);
        if let State::Answering(answering) = &mut self.thinking.state {
            answering.asked = asked;
        }
    }

    fn say_goodbye(&mut self, now: Instant, outcomes: Vec<(ToolRequest, String)>) {
        self.thinking.history.tools(now, outcomes);
        self.finish();
        if self.voice.is_silent() {
            let farewell = self.dialogue.farewell();
            let _ = self.say(now, farewell.into_iter().collect(), false, Purpose::Farewell);
        }
        match self.voice.is_silent() {
            true => self.hang_up(EndCause::Goodbye),
            false => self.leave(now, EndCause::Goodbye),
        }
    }

    /// The caller has answered whether a tool shall be carried out. Anything but a yes is a no, and
    /// words that are neither are for the playbook and the model like any others.
    fn confirmed(&mut self, now: Instant, text: &str) -> bool {
        let state = std::mem::replace(&mut self.thinking.state, State::Idle);
        let State::Confirming { request, call, mut outcomes, mut answering } = state else {
            return false;
        };
        let said = self.dialogue.yes_or_no(text);
        let outcome = match said {
            // What was asked was allowed then; the budget may have been spent since.
            Some(answers::Answer::Yes) if self.is_in_budget(&call) => {
                if call.tool() == Tool::HangUp {
                    outcomes.push((request, self.carry_out(call).to_owned()));
                    self.thinking.state = State::Answering(answering);
                    self.say_goodbye(now, outcomes);
                    return true;
                }
                self.carry_out(call)
            }
            Some(answers::Answer::Yes) => "error: this tool was used too often in this call",
            Some(answers::Answer::No) => "not done: the caller said no",
            None => "not done: the caller did not say yes",
        };
        outcomes.push((request, outcome.to_owned()));
        if said.is_none() {
            self.thinking.history.tools(now, outcomes);
            self.expect();
            return self.think(now, text, super::CERTAIN);
        }
        answering.lull = Lull::Fresh;
        answering.said.clear();
        self.thinking.state = State::Answering(answering);
        self.stop(self.voice.interruptible());
        self.ask_again(now, outcomes);
        self.expect();
        true
    }

    fn is_in_budget(&self, call: &ToolCall) -> bool {
        let policy = self.playbook.llm().map(|llm| &llm.policy);
        let decision = policy.map(|policy| policy.decide(&self.thinking.spent, call));
        matches!(decision, Some(Decision::Allow | Decision::Confirm(_)))
            && self.phase == Phase::Talking
    }
}
