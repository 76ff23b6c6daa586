//! The playbook's section `[llm]`: what a model is told, when it answers and what it may do.

use super::checks::Context;
use super::reader::{Faults, Section};
use crate::base::limits;
use crate::converse::llm::{Policy, Rule, Tool};

/// One for each question to the owner's systems, and the other tools.
const TOOLS: usize = 24;
const SEQUENCES: usize = 32;

/// How a model takes part in conversations by this playbook.
#[derive(Clone, Debug, PartialEq)]
pub struct Llm {
    pub answers: Answers,
    /// Who it speaks for and what it knows.
    pub instructions: String,
    /// Said when its answer takes long.
    pub filler: String,
    /// Said when it takes longer still.
    pub filler_again: String,
    /// The offer of a message where there is no answer, and the playbook has none either: what the
    /// caller wanted was not misunderstood.
    pub offer: Option<String>,
    /// What its messages to the firm are about.
    pub topic: String,
    pub policy: Policy,
    /// Names that stand for the playbook's own texts in every question.
    pub(super) variables: Vec<String>,
}

/// What of open talk a model answers; questions, forms and keys are always the playbook's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// What the playbook does not understand.
    Missed,
    /// Also what the playbook would answer with a plain reply, which then stands in for it when the
    /// model fails.
    Open,
}

const ANSWERS: [(&str, Answers); 2] = [("missed", Answers::Missed), ("open", Answers::Open)];

pub fn llm(mut section: Section<'_>, faults: &mut Faults, context: &Context<'_>) -> Llm {
    let s = &mut section;
    let answers = s.choice(faults, "answers", &ANSWERS).unwrap_or(Answers::Missed);
    let instructions = instructions(s, faults, context);
    let filler = context.fixed(s, faults, "filler");
    let filler_again = match s.value("filler_again").is_some() {
        true => context.fixed(s, faults, "filler_again"),
        false => filler.clone(),
    };
    let offer = s.value("offer").is_some().then(|| context.fixed(s, faults, "offer"));
    let topic = s.text(faults, "topic").unwrap_or("a call").to_owned();
    let policy = Policy::new(rules(s, faults, context));
    section.finish(faults);
    let variables = context.variables.keys().map(|name| (*name).to_owned()).collect();
    Llm { answers, instructions, filler, filler_again, offer, topic, policy, variables }
}

/// The list `[[...tool]]`.
pub(super) fn rules(
    section: &mut Section<'_>,
    faults: &mut Faults,
    context: &Context<'_>,
) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for section in section.list(faults, "tool", TOOLS) {
        rules.extend(rule(section, faults, context, &rules));
    }
    rules
}

impl Llm {
    pub fn is_filler(&self, said: &str) -> bool {
        [&self.filler, &self.filler_again].into_iter().any(|filler| filler == said)
    }

    /// What is said as it is.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        [&self.filler, &self.filler_again].into_iter().chain(&self.offer).map(String::as_str)
    }
}

/// Longer than what is said, and with the playbook's variables like all texts.
fn instructions(section: &mut Section<'_>, faults: &mut Faults, context: &Context<'_>) -> String {
    let text = section.text(faults, "instructions").unwrap_or_default();
    if text.trim().is_empty() || text.len() > limits::LLM_INSTRUCTIONS_BYTES {
        let most = limits::LLM_INSTRUCTIONS_BYTES;
        section.fault(faults, "instructions", format!("must be a text of 1 to {most} bytes"));
    }
    let mut filled = text.to_owned();
    for (name, value) in &context.variables {
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    filled
}

fn rule(
    mut section: Section<'_>,
    faults: &mut Faults,
    context: &Context<'_>,
    others: &[Rule],
) -> Option<Rule> {
    let s = &mut section;
    let tool = s.text(faults, "name").and_then(Tool::of_name);
    match tool {
        None => {
            let names: Vec<&str> = Tool::ALL.iter().map(|tool| tool.name()).collect();
            s.fault(faults, "name", format!("must be one of: {}", names.join(", ")));
        }
        // Each question to the owner's systems may have a rule of its own.
        Some(tool) if tool != Tool::LookUp && others.iter().any(|rule| rule.tool == tool) => {
            s.fault(faults, "name", "is there already");
        }
        Some(_) => (),
    }
    let most = s.number(faults, "most", 1..=limits::LLM_TOOLS_PER_CALL as u64, 3);
    let known = tool.map(Tool::arguments).unwrap_or_default();
    let confirm = match tool {
        // Which parameters there are is known once the owner's systems are.
        Some(Tool::LookUp) => context.open_template(s, faults, "confirm"),
        _ => context.template(s, faults, "confirm", known),
    };
    let allowed = s.texts(faults, "allowed", SEQUENCES);
    let is_keys =
        |text: &&str| !text.is_empty() && text.chars().all(|c| matches!(c, '0'..='9' | '*' | '#'));
    match tool {
        Some(Tool::SendDigits) if allowed.is_empty() || !allowed.iter().all(is_keys) => {
            s.fault(
                faults,
                "allowed",
                "must list the keys that may be sent, as in [\"1\", \"9#\"]",
            );
        }
        Some(Tool::LookUp) => lookup_rule(s, faults, &allowed, others),
        Some(Tool::SendDigits | Tool::Transfer) => (),
        _ if !allowed.is_empty() => {
            s.fault(faults, "allowed", "is for send_dtmf, transfer and lookup only");
        }
        _ => (),
    }
    section.finish(faults);
    let allowed = allowed.into_iter().map(str::to_owned).collect();
    Some(Rule { tool: tool?, most: u32::try_from(most).unwrap_or(u32::MAX), confirm, allowed })
}

/// Of several sections for lookups each names others, and one may name none: it is for the rest.
fn lookup_rule(section: &Section<'_>, faults: &mut Faults, allowed: &[&str], others: &[Rule]) {
    let mut rules = others.iter().filter(|rule| rule.tool == Tool::LookUp);
    if allowed.is_empty() {
        if rules.any(|rule| rule.allowed.is_empty()) {
            section.fault(faults, "name", "is there already; name other lookups in `allowed`");
        }
        return;
    }
    for rule in rules.filter(|rule| !rule.allowed.is_empty()) {
        for name in allowed.iter().filter(|name| rule.may_name(name)) {
            let fault = format!("{name:?} stands in another section for lookups already");
            section.fault(faults, "allowed", fault);
        }
    }
}
