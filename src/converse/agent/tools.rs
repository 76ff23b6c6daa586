//! The tools that an agent calls: judged by the playbook's policy, as those of a model.
//!
//! A tool that needs the caller's yes is in no agent's policy: the agent asks in its own words, and a yes
//! that it reports is its word only.

use std::sync::Arc;

use crate::base::{Private, limits};
use crate::converse::alphabet::Message;
use crate::converse::llm::{Decision, Spent, ToolCall, ToolRequest, parse};
use crate::converse::lookup::LookUp;
use crate::converse::people::PersonId;
use crate::converse::playbook::Playbook;

/// What becomes of a call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The agent is told why not.
    Refused(String),
    TakeMessage(Message),
    SendDigits(Private<String>),
    HangUp,
    Transfer(PersonId),
    /// The owner's system is asked; whether that may change something there.
    LookUp {
        asked: LookUp,
        changes: bool,
    },
}

/// The tools of one call.
#[derive(Debug)]
pub struct Tools {
    playbook: Arc<Playbook>,
    spent: Spent,
    look_ups: u32,
    transfers: u32,
}

impl Tools {
    pub fn new(playbook: Arc<Playbook>) -> Self {
        Self { playbook, spent: Spent::default(), look_ups: 0, transfers: 0 }
    }

    /// Judges a request; what is allowed counts as carried out.
    pub fn call(&mut self, request: &ToolRequest) -> Effect {
        self.judge(request).unwrap_or_else(Effect::Refused)
    }

    fn judge(&mut self, request: &ToolRequest) -> Result<Effect, String> {
        let refused = |text: &str| text.to_owned();
        let lookups = self.playbook.lookups();
        let call = parse(request, lookups).map_err(|malformed| malformed.to_string())?;
        let agent = self.playbook.agent();
        let policy = agent.map(|agent| &agent.policy);
        let Some(policy) = policy else {
            return Err(refused("error: this tool is not allowed here"));
        };
        match policy.decide(&self.spent, &call) {
            Decision::Allow => (),
            Decision::Confirm(_) => return Err(refused("error: this tool is not allowed here")),
            Decision::Refuse(reason) => return Err(refused(reason)),
        }
        let tool = call.tool();
        let effect = match call {
            ToolCall::TakeMessage { name, number, text } => Effect::TakeMessage(Message {
                topic: agent.map(|agent| agent.topic.clone()).unwrap_or_default(),
                name,
                number,
                text: Some(text),
                fields: Vec::new(),
            }),
            ToolCall::HangUp => Effect::HangUp,
            ToolCall::SendDigits { digits } => Effect::SendDigits(digits),
            ToolCall::Remember { .. } => {
                return Err(refused("error: this tool is not allowed here"));
            }
            ToolCall::Transfer { person } => {
                let (person, _) = self
                    .playbook
                    .called(&person)
                    .filter(|_| self.playbook.transfer().is_some())
                    .ok_or_else(|| refused("error: there is no such person"))?;
                if self.transfers >= limits::TRANSFERS_PER_CALL {
                    return Err(refused("error: nobody else can be tried in this call"));
                }
                self.transfers += 1;
                Effect::Transfer(person)
            }
            ToolCall::LookUp { name, asked } => {
                if self.look_ups >= limits::LOOK_UPS_PER_CALL {
                    return Err(refused("error: this tool was used too often in this call"));
                }
                self.look_ups += 1;
                let changes = lookups.find(&name).is_some_and(|(_, lookup)| lookup.changes);
                self.spent.note_lookup(&name);
                return Ok(Effect::LookUp { asked, changes });
            }
        };
        self.spent.note(tool);
        Ok(effect)
    }
}
