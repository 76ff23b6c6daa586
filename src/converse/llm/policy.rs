//! What a model may do, decided outside of the model: no text that reaches it can change this.

use super::spoken::Spoken;
use super::tools::{Tool, ToolCall};
use crate::base::{Private, limits};
use crate::converse::reply::Template;

/// What the owner allows of one tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub tool: Tool,
    /// Times in one call.
    pub most: u32,
    /// The question that the caller must say yes to first, in the playbook's words and not the
    /// model's; `{text}` and the other arguments stand for what would be done.
    pub confirm: Option<Template>,
    /// Of `send_dtmf`: the only sequences that may be sent. Of `transfer`: the only people, if any
    /// are named; of `lookup`, the questions that the rule is for: without any, those that no other
    /// rule names.
    pub allowed: Vec<String>,
}

/// The owner's rules: a tool without one is not offered and never runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    rules: Vec<Rule>,
}

/// What was carried out in one call.
#[derive(Clone, Debug, Default)]
pub struct Spent {
    /// Of `lookup`, with the question's name.
    tools: Vec<(Tool, Option<String>)>,
}

/// What becomes of a tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow,
    /// The caller is asked this, and must say yes.
    Confirm(Private<String>),
    /// Told to the model.
    Refuse(&'static str),
}

impl Rule {
    /// Of `transfer` and `lookup`: whether this person or this question is meant.
    pub fn may_name(&self, name: &str) -> bool {
        self.allowed.is_empty() || self.allowed.iter().any(|one| one.eq_ignore_ascii_case(name))
    }
}

impl Spent {
    /// The tool was carried out.
    pub fn note(&mut self, tool: Tool) {
        self.push(tool, None);
    }

    /// The question of this name was asked.
    pub fn note_lookup(&mut self, name: &str) {
        self.push(Tool::LookUp, Some(name.to_owned()));
    }

    fn push(&mut self, tool: Tool, name: Option<String>) {
        if self.tools.len() < limits::LLM_TOOLS_PER_CALL {
            self.tools.push((tool, name));
        }
    }
}

/// An argument as the caller hears it in a question: what is speech of it, and not all of a long one.
fn aloud(call: &ToolCall, name: &str) -> String {
    let written = call.argument(name).unwrap_or_default();
    // A hash is a key here.
    if matches!(call, ToolCall::SendDigits { .. }) {
        return written.to_owned();
    }
    let (mut spoken, mut said) = (Spoken::default(), String::new());
    spoken.push(written, &mut said);
    spoken.end(&mut said);
    if let Some((end, _)) = said.char_indices().nth(limits::LLM_ASKED_CHARS) {
        said.truncate(end);
        said.truncate(said.rfind(char::is_whitespace).unwrap_or(end));
    }
    said.trim().to_owned()
}

impl Policy {
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// The tools to offer.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The questions to the owner's systems that are named.
    pub fn looked_up(&self) -> impl Iterator<Item = &str> {
        let rules = self.rules.iter().filter(|rule| rule.tool == Tool::LookUp);
        rules.flat_map(|rule| rule.allowed.iter().map(String::as_str))
    }

    /// The rule for a question to the owner's systems: the one that names it, else the one that
    /// names none.
    pub fn of_lookup(&self, name: &str) -> Option<&Rule> {
        let rules = || self.rules.iter().filter(|rule| rule.tool == Tool::LookUp);
        let named = rules().find(|rule| !rule.allowed.is_empty() && rule.may_name(name));
        named.or_else(|| rules().find(|rule| rule.allowed.is_empty()))
    }

    fn rule_of(&self, tool: Tool, lookup: Option<&str>) -> Option<&Rule> {
        match lookup {
            Some(name) => self.of_lookup(name),
            None => self.rules.iter().find(|rule| rule.tool == tool),
        }
    }

    /// Times that tools under this rule were carried out.
    fn spent_of(&self, spent: &Spent, rule: &Rule) -> usize {
        let rules =
            spent.tools.iter().filter_map(|(tool, name)| self.rule_of(*tool, name.as_deref()));
        rules.filter(|other| std::ptr::eq(*other, rule)).count()
    }

    pub fn decide(&self, spent: &Spent, call: &ToolCall) -> Decision {
        let lookup = match call {
            ToolCall::LookUp { name, .. } => Some(name.as_str()),
            _ => None,
        };
        let Some(rule) = self.rule_of(call.tool(), lookup) else {
            return Decision::Refuse("error: this tool is not allowed here");
        };
        if spent.tools.len() >= limits::LLM_TOOLS_PER_CALL
            || self.spent_of(spent, rule) >= rule.most as usize
        {
            return Decision::Refuse("error: this tool was used too often in this call");
        }
        if let ToolCall::SendDigits { digits } = call
            && !rule.allowed.contains(digits.reveal())
        {
            return Decision::Refuse("error: these keys are not allowed");
        }
        if let ToolCall::Transfer { person } = call
            && !rule.may_name(person)
        {
            return Decision::Refuse("error: the caller cannot be put through to that person");
        }
        match &rule.confirm {
            Some(question) => {
                let said: Vec<(&str, String)> =
                    question.names().map(|name| (name, aloud(call, name))).collect();
                let value = |name: &str| {
                    said.iter().find(|(known, _)| *known == name).map(|(_, said)| said.as_str())
                };
                Decision::Confirm(Private::new(question.fill(value)))
            }
            None => Decision::Allow,
        }
    }
}
