//! The tools that an answer wants: judged, carried out, asked about, and told to the model.

use std::time::Instant;

use serde_json::Value;

use super::{Lull, Question, State};
use crate::base::{Private, limits};
use crate::converse::alphabet::{EndCause, Message, Output, Purpose, Speech};
use crate::converse::conversation::{Conversation, Phase, Timer};
use crate::converse::llm::{Decision, Rule, Said, Tool, ToolCall, ToolRequest, parse};
use crate::converse::lookup::{LookUp, LookedUp, Lookup};
use crate::converse::matching::answers;
use crate::converse::playbook::Playbook;
use crate::converse::reply::plain;

pub(super) const NOT_A_YES: &str = "not done: the caller did not say yes";
const ONE_THING: &str = "error: one thing at a time";
/// Times that a question is asked again.
const AGAIN: u32 = 2;

/// What the tools of one answer came to.
enum Outcome {
    AskAgain,
    /// The talk ends by this call.
    Leave(ToolCall),
    Confirm(ToolRequest, ToolCall, Private<String>),
    LookUp(ToolRequest, LookUp),
}

/// What a model is told of the tools that it may use.
pub(super) fn offered(playbook: &Playbook) -> Vec<Value> {
    let Some(policy) = playbook.llm().map(|llm| &llm.policy) else { return Vec::new() };
    let schema = |rule: &Rule| {
        let people = playbook.transfer().map(|_| playbook.people().iter());
        let names = people.into_iter().flatten().map(|(_, person)| person.name.as_str());
        let names: Vec<&str> = names.filter(|name| rule.may_name(name)).collect();
        let is_idle = rule.tool == Tool::Transfer && names.is_empty();
        (!is_idle).then(|| rule.tool.schema(&names))
    };
    let questions = |rule: &Rule| {
        let lookups = playbook.lookups().iter().map(|(_, lookup)| lookup);
        let is_its = |lookup: &&Lookup| policy.of_lookup(&lookup.name) == Some(rule);
        lookups.filter(is_its).map(Lookup::schema).collect()
    };
    let offer = |rule: &Rule| match rule.tool {
        Tool::LookUp => questions(rule),
        _ => schema(rule).into_iter().collect::<Vec<_>>(),
    };
    policy.rules().iter().flat_map(offer).collect()
}

impl Conversation {
    pub(super) fn use_tools(&mut self, now: Instant) {
        let State::Answering(answering) = &mut self.thinking.state else { return };
        let mut calls = answering.asked.answer.take_calls();
        if calls.is_empty() {
            return self.finish();
        }
        // What ends the talk is judged last, wherever it stood: a caller who is asked is not left.
        calls.sort_by_key(|request| Tool::of_name(&request.name).is_some_and(Tool::ends_talk));
        let mut outcomes = Vec::new();
        let mut has_message = false;
        let mut outcome = Outcome::AskAgain;
        for request in calls {
            let text = match (self.judge(&request), &outcome) {
                (Ok((ToolCall::LookUp { asked, .. }, Decision::Allow)), Outcome::AskAgain) => {
                    outcome = Outcome::LookUp(request, asked);
                    continue;
                }
                (Ok((ToolCall::LookUp { .. }, Decision::Allow)), _) => ONE_THING.to_owned(),
                (Ok((call, Decision::Allow)), Outcome::LookUp(..)) if call.tool().ends_talk() => {
                    ONE_THING.to_owned()
                }
                (Ok((call, Decision::Allow)), Outcome::Confirm(..)) if call.tool().ends_talk() => {
                    "error: the caller is being asked first; do it after the answer".to_owned()
                }
                (Ok((call, Decision::Allow)), Outcome::Leave(_)) if call.tool().ends_talk() => {
                    ONE_THING.to_owned()
                }
                (Ok((call, Decision::Allow)), _) => {
                    if call.tool().ends_talk() {
                        outcome = Outcome::Leave(call.clone());
                    }
                    has_message |= call.tool() == Tool::TakeMessage;
                    self.carry_out(call).to_owned()
                }
                (Ok((call, Decision::Confirm(question))), Outcome::AskAgain) => {
                    outcome = Outcome::Confirm(request, call, question);
                    continue;
                }
                (Ok((_, Decision::Confirm(_))), _) => ONE_THING.to_owned(),
                (Ok((_, Decision::Refuse(reason))), _) => reason.to_owned(),
                (Err(reason), _) => reason,
            };
            outcomes.push((request, text));
        }
        if let State::Answering(answering) = &mut self.thinking.state {
            answering.since_then.has_message |= has_message;
        }
        match outcome {
            Outcome::AskAgain => self.ask_again(now, outcomes),
            Outcome::LookUp(request, asked) => self.look_up(now, request, asked, outcomes),
            Outcome::Leave(call) => self.end_talk(now, &call, outcomes),
            Outcome::Confirm(request, call, question) => {
                let state = std::mem::replace(&mut self.thinking.state, State::Idle);
                let State::Answering(answering) = state else { return };
                self.timers.cancel(Timer::Lull);
                self.dialogue.said(std::slice::from_ref(question.reveal()));
                let text = question.reveal().clone();
                let question =
                    Question { text: question, utterance: None, is_heard: false, again: 0 };
                self.thinking.state = State::Confirming {
                    request,
                    call,
                    question,
                    outcomes,
                    answering: Box::new(answering),
                };
                self.say_question(now, vec![text], Purpose::Reply);
                self.expect();
            }
        }
    }

    fn judge(&self, request: &ToolRequest) -> Result<(ToolCall, Decision), String> {
        let call =
            parse(request, self.playbook.lookups()).map_err(|malformed| malformed.to_string())?;
        let call = self.with_person(call)?;
        let policy = self.playbook.llm().map(|llm| &llm.policy);
        let refusal = Decision::Refuse("error: there are no tools");
        let decision = policy.map_or(refusal, |p| p.decide(&self.thinking.spent, &call));
        Ok((call, decision))
    }

    /// The call with the person's own name: only who is configured, and there, can be named.
    fn with_person(&self, call: ToolCall) -> Result<ToolCall, String> {
        let ToolCall::Transfer { person } = call else { return Ok(call) };
        let found = self.playbook.transfer().and(self.playbook.called(&person));
        let Some((id, person)) = found else {
            return Err("error: the caller cannot be put through to that person".to_owned());
        };
        if !self.dialogue.is_in(id) {
            return Err(format!("not done: {person} is not there now; offer to take a message"));
        }
        Ok(ToolCall::Transfer { person: person.to_owned() })
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
            ToolCall::Remember { name, value } => match self.thinking.history.note(name, value) {
                true => "done",
                false => "not done: there is no room for more facts",
            },
            ToolCall::Transfer { .. } => "done: the caller is being put through",
            // It was carried out, and is asked of the owner's system by whoever has allowed it.
            ToolCall::LookUp { .. } | ToolCall::HangUp => "done",
        }
    }

    /// The answer waits for the owner's system.
    fn look_up(
        &mut self,
        now: Instant,
        request: ToolRequest,
        asked: LookUp,
        outcomes: Vec<(ToolRequest, String)>,
    ) {
        let state = std::mem::replace(&mut self.thinking.state, State::Idle);
        let State::Answering(answering) = state else { return };
        self.thinking.spent.note_lookup(&request.name);
        self.thinking.state = State::LookingUp { request, outcomes, answering };
        self.begin_look_up(now, asked);
    }

    /// What the owner's system has said is data for the model.
    pub(in crate::converse::conversation) fn model_looked_up(
        &mut self,
        now: Instant,
        outcome: &LookedUp,
    ) {
        let state = std::mem::replace(&mut self.thinking.state, State::Idle);
        let State::LookingUp { request, mut outcomes, mut answering } = state else { return };
        let told = outcome.told(self.changes_by(&request));
        outcomes.push((request, told));
        // What the model makes of it is waited for anew.
        answering.lull = Lull::Fresh;
        answering.since = now;
        self.timers.cancel(Timer::Lull);
        self.thinking.state = State::Answering(answering);
        self.ask_again(now, outcomes);
    }

    /// Lets the model go on with what its tools came to.
    fn ask_again(&mut self, now: Instant, outcomes: Vec<(ToolRequest, String)>) {
        self.tell(now, outcomes);
        let State::Answering(answering) = &mut self.thinking.state else { return };
        answering.rounds += 1;
        let is_endless = answering.rounds >= limits::LLM_ROUNDS;
        if is_endless || self.thinking.last.0 >= limits::LLM_ASKS_PER_CALL {
            return self.fail(now);
        }
        let asked = self.ask(now, None);
        if let State::Answering(answering) = &mut self.thinking.state {
            answering.asked = asked;
        }
    }

    /// Tells the model what its tools came to, beside what it said in the same answer.
    fn tell(&mut self, now: Instant, outcomes: Vec<(ToolRequest, String)>) {
        let State::Answering(answering) = &mut self.thinking.state else { return };
        let said = answering.said.iter().skip(answering.told);
        let said = said.map(|(utterance, text)| Said {
            under_way: self.voice.is_under_way(*utterance).then_some(*utterance),
            text: Private::new(plain(text)),
        });
        let said = said.collect();
        answering.told = answering.said.len();
        self.thinking.history.tools(now, said, outcomes);
    }

    /// The talk is over, or goes on with somebody else.
    fn end_talk(&mut self, now: Instant, call: &ToolCall, outcomes: Vec<(ToolRequest, String)>) {
        self.tell(now, outcomes);
        self.finish();
        match call.argument("person").and_then(|name| self.playbook.called(name)) {
            Some((person, _)) => self.announce_transfer(now, person),
            None => self.say_goodbye(now),
        }
    }

    fn say_goodbye(&mut self, now: Instant) {
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
    pub(super) fn confirmed(&mut self, now: Instant, speech: &Speech) -> bool {
        let said = self.dialogue.yes_or_no(speech);
        let is_early = said == Some(answers::Answer::Yes) && !self.has_heard_question();
        if (is_early || !self.dialogue.believes(speech)) && self.confirm_again(now) {
            return true;
        }
        let said = said.filter(|_| !is_early);
        let state = std::mem::replace(&mut self.thinking.state, State::Idle);
        let State::Confirming { request, call, mut outcomes, mut answering, .. } = state else {
            return false;
        };
        let outcome = match said {
            // What was asked was allowed then; the budget may have been spent since.
            Some(answers::Answer::Yes) if self.is_in_budget(&call) => {
                if call.tool().ends_talk() {
                    outcomes.push((request, self.carry_out(call.clone()).to_owned()));
                    answering.told = answering.said.len();
                    self.thinking.state = State::Answering(*answering);
                    self.end_talk(now, &call, outcomes);
                    return true;
                }
                if let ToolCall::LookUp { asked, .. } = call {
                    answering.go_on_after_answer(self.waits_since(now));
                    self.thinking.state = State::Answering(*answering);
                    self.stop(self.voice.interruptible());
                    self.look_up(now, request, asked, outcomes);
                    self.expect();
                    return true;
                }
                answering.since_then.has_message |= call.tool() == Tool::TakeMessage;
                self.carry_out(call)
            }
            Some(answers::Answer::Yes) => "error: this tool was used too often in this call",
            Some(answers::Answer::No) => "not done: the caller said no",
            None => NOT_A_YES,
        };
        outcomes.push((request, outcome.to_owned()));
        if said.is_none() {
            self.thinking.history.tools(now, Vec::new(), outcomes);
            self.expect();
            return self.think(now, speech);
        }
        answering.go_on_after_answer(self.waits_since(now));
        self.thinking.state = State::Answering(*answering);
        self.stop(self.voice.interruptible());
        self.ask_again(now, outcomes);
        self.expect();
        true
    }

    /// The caller's answer was not understood; false if there is no question, or it was asked again
    /// often enough.
    pub(in crate::converse::conversation) fn confirm_again(&mut self, now: Instant) -> bool {
        let State::Confirming { question, .. } = &mut self.thinking.state else {
            return false;
        };
        if question.again >= AGAIN {
            return false;
        }
        question.again += 1;
        let text = question.text.reveal().clone();
        self.stop(self.voice.interruptible());
        self.say_question(now, vec![text], Purpose::Reprompt);
        true
    }

    const fn has_heard_question(&self) -> bool {
        matches!(&self.thinking.state, State::Confirming { question, .. } if question.is_heard)
    }

    fn is_in_budget(&self, call: &ToolCall) -> bool {
        let policy = self.playbook.llm().map(|llm| &llm.policy);
        let decision = policy.map(|policy| policy.decide(&self.thinking.spent, call));
        matches!(decision, Some(Decision::Allow | Decision::Confirm(_)))
            && self.phase == Phase::Talking
    }
}
