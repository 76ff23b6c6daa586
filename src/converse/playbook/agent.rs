//! The playbook's section `[agent]`: which remote agent holds its calls, what it is told, what it may do,
//! and what the caller hears where the playbook takes over from it.

use super::checks::Context;
use super::llm::rules;
use super::reader::{Faults, Section};
use crate::base::limits;
use crate::converse::llm::{Policy, Rule, Tool};

const ID_CHARS: usize = 100;
const MESSAGE_CHARS: usize = 500;
/// What the server keeps for its own.
const RESERVED: &str = "system__";

/// How a remote agent takes part in calls by this playbook.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agent {
    /// Whether it holds calls; `None`: as the configuration says.
    pub talks: Option<bool>,
    /// `None`: the configured one.
    pub id: Option<String>,
    /// Said where the agent is lost in the middle of a call; `None`: to wait, and the question what they
    /// want.
    pub takes_over: Option<String>,
    /// In place of what is set on the agent.
    pub prompt: Option<String>,
    pub first_message: Option<String>,
    pub voice: Option<String>,
    /// It is told the language of the call.
    pub tells_language: bool,
    pub variables: Vec<(String, String)>,
    /// What its messages to the firm are about.
    pub topic: String,
    pub policy: Policy,
}

pub fn agent(mut section: Section<'_>, faults: &mut Faults, context: &Context<'_>) -> Agent {
    let s = &mut section;
    let talks = s.value("talks").is_some().then(|| s.flag(faults, "talks"));
    let id = short(s, faults, "id", ID_CHARS);
    if id.as_deref().is_some_and(|id| !is_id(id)) {
        s.fault(faults, "id", "must be letters, digits, - and _");
    }
    let takes_over =
        s.value("takes_over").is_some().then(|| context.fixed(s, faults, "takes_over"));
    let prompt = short(s, faults, "prompt", limits::LLM_INSTRUCTIONS_BYTES);
    let first_message = short(s, faults, "first_message", MESSAGE_CHARS);
    let voice = short(s, faults, "voice", ID_CHARS);
    let tells_language = s.flag(faults, "tells_language");
    let topic = s.text(faults, "topic").unwrap_or("a call").to_owned();
    let variables = variables(s, faults);
    let rules = rules(s, faults, context);
    for rule in &rules {
        refuse_what_it_cannot(rule, s, faults);
    }
    section.finish(faults);
    let filled = |text: Option<String>| text.map(|text| filled(&text, context));
    Agent {
        talks,
        id,
        takes_over,
        prompt: filled(prompt),
        first_message: filled(first_message),
        voice,
        tells_language,
        variables,
        topic,
        policy: Policy::new(rules),
    }
}

/// Whether this can stand in an address as it is.
pub fn is_id(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=ID_CHARS).contains(&text.len()) && text.chars().all(fits)
}

/// Whether a variable may have this name.
pub fn is_variable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=limits::DIAL_VARIABLE_NAME_CHARS).contains(&name.len())
        && name.chars().all(fits)
        && !name.starts_with(RESERVED)
}

fn short(
    section: &mut Section<'_>,
    faults: &mut Faults,
    name: &'static str,
    most: usize,
) -> Option<String> {
    let text = section.text(faults, name)?;
    if text.trim().is_empty() || text.len() > most {
        section.fault(faults, name, format!("must be a text of 1 to {most} bytes"));
        return None;
    }
    Some(text.to_owned())
}

fn variables(section: &mut Section<'_>, faults: &mut Faults) -> Vec<(String, String)> {
    let Some(table) = section.table(faults, "variables") else { return Vec::new() };
    let path = table.key("");
    let entries = table.entries(faults);
    if entries.len() > limits::DIAL_VARIABLES {
        let allowed = format!("must have {} entries at most", limits::DIAL_VARIABLES);
        section.fault(faults, "variables", allowed);
    }
    for (name, _) in entries.iter().filter(|(name, _)| !is_variable(name)) {
        let allowed = "must be a name of letters, digits and _ that does not begin with system__";
        faults.note(format!("{path}{name}"), String::new(), allowed);
    }
    entries.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The caller cannot be asked in the playbook's words while the agent talks, and what an agent has to
/// remember it remembers itself.
fn refuse_what_it_cannot(rule: &Rule, section: &Section<'_>, faults: &mut Faults) {
    let name = rule.tool.name();
    if rule.confirm.is_some() {
        let allowed = "is not possible here: an agent asks in its own words";
        faults.note(section.key(&format!("tool.{name}.confirm")), String::new(), allowed);
    }
    if rule.tool == Tool::Remember {
        let allowed = "is not for agents, which remember by themselves";
        faults.note(section.key(&format!("tool.{name}")), String::new(), allowed);
    }
}

fn filled(text: &str, context: &Context<'_>) -> String {
    let variables = context.variables.iter();
    variables
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}
