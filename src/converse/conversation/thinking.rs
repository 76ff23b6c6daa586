//! The conversation beside a model: when it is asked, what of its answer is said, what it may do.
//!
//! ```text
//!  Guessed ─▶ Ahead ── GoesOn ─▶ Idle         nothing is said, no tool runs
//!               │ Heard
//!               ▼
//!           Answering ── sentence ─▶ Say
//!               │  ├─ silence ─▶ filler ─▶ another ─▶ the playbook's answer, or an offer of a message
//!               │  └─ tools ─▶ policy ─▶ carried out, refused or Confirming ─▶ asked again
//!               ▼
//!             Idle
//! ```
//!
//! Invariant: at most one answer is being asked for; whatever replaces it cancels it first.

mod silence;
mod tools;

use std::fmt;
use std::time::Instant;

use super::question::HEARD;
use super::{Caller, Conversation, Timer};
use crate::base::{Private, UtteranceId, limits};
use crate::converse::alphabet::{AskId, Expectation, Output, Purpose, Speaker, Speech, Turn};
use crate::converse::dialogue::{Dialogue, Reaction, Understanding};
use crate::converse::llm::{
    Answer, Chat, Event, History, Spent, Stage, ToolCall, ToolRequest, system_text,
};
use crate::converse::lookup::LookedUp;
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
        question: Question,
        /// Of the other tools of the same answer.
        outcomes: Vec<(ToolRequest, String)>,
        answering: Box<Answering>,
    },
    /// The owner's system is asked for the model.
    LookingUp {
        request: ToolRequest,
        outcomes: Vec<(ToolRequest, String)>,
        answering: Answering,
    },
}

/// A question that only the caller's yes answers.
struct Question {
    text: Private<String>,
    /// As it was said last.
    utterance: Option<UtteranceId>,
    /// Enough of it for an answer.
    is_heard: bool,
    /// Times that it was asked again.
    again: u32,
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
    /// Since when the caller waits for its first words.
    since: Instant,
    /// Times that tools were called for this turn.
    rounds: u32,
    lull: Lull,
    said: Vec<(UtteranceId, String)>,
    /// Those at the beginning of `said` that the model was told with its tool calls.
    told: usize,
    /// What the playbook would do, and how its dialogue is then.
    playbook: Box<(Dialogue, Reaction)>,
    since_then: SinceThen,
}

impl Answering {
    /// The caller has answered the question before a tool, and waits since then.
    fn go_on_after_answer(&mut self, since: Instant) {
        self.lull = Lull::Fresh;
        self.since = since;
        self.since_then.has_answer = true;
        self.said.clear();
        self.told = 0;
    }
}

/// What has happened since the caller's words that `Answering::playbook` is for.
#[derive(Clone, Copy, Debug, Default)]
struct SinceThen {
    /// A tool has left a message.
    has_message: bool,
    /// The caller was asked about a tool, and has answered.
    has_answer: bool,
}

/// How far the silence has come in which the caller waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lull {
    Fresh,
    /// The filler was said.
    Filled,
    /// The second one, too.
    FilledAgain,
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
            State::LookingUp { .. } => write!(f, "Thinking(looking up)"),
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

    /// The call goes on by another playbook: with the model told anew who it is, but with what it
    /// has used up and noted, and no number asked under twice.
    pub fn switch(&mut self, playbook: &Playbook) {
        let Self { mut history, .. } = Self::new(playbook);
        for (name, value) in self.history.notes() {
            history.note(name.clone(), value.clone());
        }
        self.history = history;
        self.state = State::Idle;
    }

    /// What every chat of this call begins with, with a word of nobody's: a chat ends with the
    /// caller's.
    pub fn beginning(&self, playbook: &Playbook) -> Chat {
        self.chat(playbook, Some("Hello."))
    }

    fn chat(&self, playbook: &Playbook, saying: Option<&str>) -> Chat {
        Chat {
            messages: self.history.messages(saying),
            tools: tools::offered(playbook),
            most_tokens: limits::LLM_TOKENS,
        }
    }

    /// A filler is no part of an answer: a model would learn to begin with it.
    pub fn note_turn(&mut self, turn: &Turn, playbook: &Playbook) {
        let said = turn.text.reveal();
        let is_filler = playbook.llm().is_some_and(|llm| llm.is_filler(said));
        if turn.speaker == Speaker::Caller || !is_filler {
            self.history.turn(turn);
        }
    }

    /// The caller has heard this share of an utterance.
    pub fn utterance_heard(&mut self, utterance: UtteranceId, heard_fraction: f32) {
        if let State::Confirming { question, .. } = &mut self.state
            && question.utterance == Some(utterance)
        {
            question.is_heard |= heard_fraction >= HEARD;
        }
    }

    /// The end of an utterance; true if the model was told of it before, as of words beside a tool
    /// call.
    pub fn was_heard(&mut self, utterance: UtteranceId, text: &Private<String>) -> bool {
        self.history.was_heard(utterance, text)
    }

    /// The caller waits for an answer.
    pub const fn is_answering(&self) -> bool {
        matches!(self.state, State::Answering(_) | State::LookingUp { .. })
    }

    pub const fn is_looking_up(&self) -> bool {
        matches!(self.state, State::LookingUp { .. })
    }

    /// The question whether a tool shall be carried out.
    pub fn question(&self) -> Option<String> {
        match &self.state {
            State::Confirming { question, .. } => Some(question.text.reveal().clone()),
            State::Idle | State::Ahead { .. } | State::Answering(_) | State::LookingUp { .. } => {
                None
            }
        }
    }

    /// It was asked again, as this utterance; false if there is none.
    pub fn asked_again(&mut self, said: Option<UtteranceId>) -> bool {
        let State::Confirming { question, .. } = &mut self.state else { return false };
        question.utterance = said;
        true
    }

    /// What the caller has heard of the question counts no more.
    pub fn forget_hearing(&mut self) {
        if let State::Confirming { question, .. } = &mut self.state {
            question.is_heard = false;
        }
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
            State::Idle | State::Confirming { .. } | State::LookingUp { .. } => None,
        }
    }
}

impl Conversation {
    /// What the playbook would do with words that a model is to answer.
    pub(super) fn is_for_model(&self, speech: &Speech) -> Option<(Dialogue, Reaction)> {
        let llm = self.playbook.llm().filter(|_| self.settings.has_model)?;
        let is_free = !matches!(self.thinking.state, State::Confirming { .. });
        let in_budget = self.thinking.last.0 < limits::LLM_ASKS_PER_CALL;
        if !is_free || !in_budget {
            return None;
        }
        self.dialogue.leaves(llm, speech)
    }

    /// What the playbook would say to these words is not what will be said.
    pub(super) fn is_beyond_playbook(&self, speech: &Speech) -> bool {
        let is_asking = matches!(self.thinking.state, State::Confirming { .. });
        is_asking || self.is_for_model(speech).is_some()
    }

    /// Asks for the answer to words that may not be the last.
    pub(super) fn think_ahead(&mut self, now: Instant, speech: &Speech) {
        let words = super::cut(speech.text.reveal()).trim();
        match &self.thinking.state {
            State::Ahead { words: known, .. } if known.reveal() == words => return,
            State::Answering(_) | State::Confirming { .. } | State::LookingUp { .. } => return,
            State::Idle | State::Ahead { .. } => self.forget_ahead(),
        }
        if self.is_for_model(speech).is_some() {
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
    pub(super) fn think(&mut self, now: Instant, speech: &Speech) -> bool {
        if matches!(self.thinking.state, State::Confirming { .. }) {
            return self.confirmed(now, speech);
        }
        let Some(playbook) = self.is_for_model(speech) else {
            self.stop_thinking();
            return false;
        };
        let text = super::cut(speech.text.reveal());
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
        self.thinking.state = State::Answering(Answering {
            asked,
            since: self.waits_since(now),
            rounds: 0,
            lull: Lull::Fresh,
            said: Vec::new(),
            told: 0,
            playbook: Box::new(playbook),
            since_then: SinceThen::default(),
        });
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
            State::Idle | State::Confirming { .. } | State::LookingUp { .. } => (),
        }
    }

    /// What was held while the caller spoke can be said, unless it was a turn.
    pub(super) fn caller_silent(&mut self, now: Instant, since: Instant) {
        self.caller = Caller::Quiet;
        self.spoke_until = Some(since);
        if self.thinking.is_answering() || self.held.is_some() {
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
        match std::mem::replace(&mut self.thinking.state, State::Idle) {
            State::Ahead { asked, .. } | State::Answering(Answering { asked, .. }) => {
                if matches!(asked.answer.stage(), Stage::Coming | Stage::Enough) {
                    self.outputs.push_back(Output::CancelAsk(asked.ask));
                }
            }
            // A model that is told nothing of it would believe that it was done.
            State::Confirming { request, mut outcomes, answering, .. } => {
                outcomes.push((request, tools::NOT_A_YES.to_owned()));
                self.thinking.history.tools(answering.asked.at, Vec::new(), outcomes);
            }
            State::LookingUp { request, mut outcomes, answering } => {
                let told = LookedUp::Failed.told(self.changes_by(&request));
                outcomes.push((request, told));
                self.thinking.history.tools(answering.asked.at, Vec::new(), outcomes);
            }
            State::Idle => (),
        }
    }

    /// The question that this asks may change something.
    fn changes_by(&self, request: &ToolRequest) -> bool {
        self.playbook.lookups().find(&request.name).is_none_or(|(_, lookup)| lookup.changes)
    }

    /// A caller who waits for the owner's system says something that is no wish: it is waited on, for
    /// what was asked may not be undone.
    pub(super) fn wait_on(&mut self, now: Instant, speech: &Speech) -> bool {
        if !self.thinking.is_looking_up() {
            return false;
        }
        let understanding = self.dialogue.clone().hear(speech).understanding;
        if let Understanding::Intent { id, .. } = understanding
            && !self.playbook.intent(id).weak
        {
            return false;
        }
        self.stop(self.voice.interruptible());
        let filler = self.playbook.llm().map(|llm| llm.filler_again.clone());
        let _ = self.say(now, filler.into_iter().collect(), true, Purpose::Reply);
        true
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
        let has_words = answering.asked.answer.has_words();
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
            Stage::Enough if !has_words => self.fail(now),
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
}
