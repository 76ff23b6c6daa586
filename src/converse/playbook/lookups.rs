//! The table `lookup` of an intent: where its answer comes from, and what is said of it.

use std::collections::BTreeMap;

use super::checks::Context;
use super::llm::Llm;
use super::reader::{Faults, Section};
use super::{Fault, Lookup, Playbook, Remote, Source};
use crate::converse::lookup::{self, Lookups};
use crate::converse::reply::Template;

const FIELDS: usize = 16;

pub fn lookup(
    mut section: Section<'_>,
    faults: &mut Faults,
    context: &Context<'_>,
    slots: &[&str],
    tables: &BTreeMap<String, BTreeMap<String, String>>,
) -> Option<Lookup> {
    let s = &mut section;
    if s.value("found").is_none() {
        s.fault(faults, "found", "is missing: a text with what was found, such as {status}");
    }
    let is_remote = s.value("name").is_some();
    let source = match is_remote {
        true => remote(s, faults, context, slots).map(Source::Remote),
        false => table(s, faults, slots, tables),
    };
    let mut known = slots.to_vec();
    match &source {
        Some(Source::Remote(remote)) => known.extend(remote.fields.iter().map(String::as_str)),
        _ => known.push("status"),
    }
    let found = context.template(s, faults, "found", &known).unwrap_or_default();
    section.finish(faults);
    Some(Lookup { source: source?, found })
}

fn table(
    s: &mut Section<'_>,
    faults: &mut Faults,
    slots: &[&str],
    tables: &BTreeMap<String, BTreeMap<String, String>>,
) -> Option<Source> {
    let table = s.text(faults, "table").unwrap_or_default().to_owned();
    if !tables.contains_key(&table) {
        let names: Vec<&str> = tables.keys().map(String::as_str).collect();
        let allowed = format!("must name a table under [tables]: {}", names.join(", "));
        s.fault(faults, "table", allowed);
    }
    let by = s.text(faults, "by").unwrap_or_default();
    let slot = slots.iter().position(|slot| *slot == by);
    if slot.is_none() {
        s.fault(faults, "by", format!("must name a slot: {}", slots.join(", ")));
    }
    Some(Source::Table { table, slot: slot? })
}

fn remote(
    s: &mut Section<'_>,
    faults: &mut Faults,
    context: &Context<'_>,
    slots: &[&str],
) -> Option<Remote> {
    let name = s.text(faults, "name")?.to_owned();
    let with = match s.table(faults, "with") {
        Some(table) => {
            let path = table.key("");
            let mut with = Vec::new();
            for (parameter, slot) in table.entries(faults) {
                match slots.iter().position(|known| *known == slot) {
                    Some(index) => with.push((parameter.to_owned(), index)),
                    None => {
                        let allowed = format!("must name a slot: {}", slots.join(", "));
                        faults.note(format!("{path}{parameter}"), format!("{slot:?}"), allowed);
                    }
                }
            }
            with
        }
        None => slots.iter().enumerate().map(|(i, slot)| ((*slot).to_owned(), i)).collect(),
    };
    let fields = match s.value("fields") {
        Some(_) => s.texts(faults, "fields", FIELDS).into_iter().map(str::to_owned).collect(),
        None => vec!["status".to_owned()],
    };
    let mut text = |s: &mut Section<'_>, name: &'static str| {
        if s.value(name).is_none() {
            s.fault(faults, name, "is missing: a text to say");
        }
        context.template(s, faults, name, slots).unwrap_or_default()
    };
    let [not_found, failed] = ["not_found", "failed"].map(|name| text(s, name));
    let wait = context.fixed(s, faults, "wait");
    Some(Remote { name, with, fields, not_found, failed, wait })
}

impl Lookup {
    /// The texts that need no value.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let more = match &self.source {
            Source::Remote(remote) => {
                vec![remote.not_found.fixed(), remote.failed.fixed(), Some(remote.wait.as_str())]
            }
            Source::Table { .. } => Vec::new(),
        };
        std::iter::once(self.found.fixed()).chain(more).flatten()
    }
}

impl Playbook {
    pub fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    /// The same playbook with what can be asked of the owner's systems.
    ///
    /// # Errors
    /// Questions that it names and that are none, or with other parameters and fields; those that
    /// may change something and that its model could ask without the caller's yes.
    pub fn with_lookups(mut self, lookups: Lookups) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::default();
        for intent in &self.intents {
            let Some(Source::Remote(remote)) = intent.lookup.as_ref().map(|l| &l.source) else {
                continue;
            };
            let mut note = |name: &str, value: &str, allowed: String| {
                let key = format!("intent.{}.lookup.{name}", intent.name);
                faults.note(key, format!("{value:?}"), allowed);
            };
            let Some((_, lookup)) = lookups.find(&remote.name) else {
                let known: Vec<&str> = lookups.iter().map(|(_, l)| l.name.as_str()).collect();
                let known = known.join(", ");
                let allowed = format!("must name a [[lookup]] of attendant.toml: {known}");
                note("name", &remote.name, allowed);
                continue;
            };
            for parameter in &lookup.parameters {
                if !remote.with.iter().any(|(name, _)| *name == parameter.name) {
                    let allowed = "needs a slot: a slot of this name, or an entry in `with`";
                    note("with", &parameter.name, allowed.to_owned());
                }
            }
            for field in remote.fields.iter().filter(|field| !lookup.fields.contains(field)) {
                let known = lookup.fields.join(", ");
                note("fields", field, format!("must be fields of that lookup: {known}"));
            }
        }
        let allowed = self.llm.iter().flat_map(|llm| llm.policy.looked_up());
        for name in allowed.filter(|name| lookups.find(name).is_none()) {
            let known: Vec<&str> = lookups.iter().map(|(_, l)| l.name.as_str()).collect();
            let known = format!("must name a [[lookup]] of attendant.toml: {}", known.join(", "));
            faults.note("llm.tool.lookup.allowed".to_owned(), format!("{name:?}"), known);
        }
        let of_agent = self.agent.iter().flat_map(|agent| agent.policy.looked_up());
        for name in of_agent.filter(|name| lookups.find(name).is_none()) {
            let known = "must name a [[lookup]] of attendant.toml";
            faults.note("agent.tool.lookup.allowed".to_owned(), format!("{name:?}"), known);
        }
        for (_, lookup) in lookups.iter().filter(|(_, lookup)| lookup.changes) {
            let policy = self.agent.as_ref().map(|agent| &agent.policy);
            if policy.is_some_and(|policy| policy.of_lookup(&lookup.name).is_some()) {
                let allowed = "is not for agents: a POST may change what cannot be changed back, and the \
                               caller cannot be asked; or `changes_nothing = true` in that [[lookup]]";
                let key = "agent.tool.lookup.allowed".to_owned();
                faults.note(key, format!("{:?}", lookup.name), allowed);
            }
        }
        for (_, lookup) in lookups.iter() {
            self.llm.iter().for_each(|llm| of_model(llm, lookup, &mut faults));
        }
        self.lookups = lookups;
        faults.into_result(self)
    }
}

/// Whether a model may ask this as the playbook lets it.
fn of_model(llm: &Llm, lookup: &lookup::Lookup, faults: &mut Faults) {
    let key = || "llm.tool.lookup.confirm".to_owned();
    let name = &lookup.name;
    match llm.policy.of_lookup(name).map(|rule| rule.confirm.as_ref()) {
        None => (),
        Some(None) if lookup.changes => {
            let allowed = format!(
                "is missing for {name}: a POST may change what cannot be changed back, so the caller \
                 must be asked first; or `changes_nothing = true` in that [[lookup]] of attendant.toml"
            );
            faults.note(key(), String::new(), allowed);
        }
        Some(None) => (),
        Some(Some(question)) => asked_first(llm, lookup, question, faults),
    }
}

/// The question says what would be asked: a value is one of the lookup's own.
fn asked_first(llm: &Llm, lookup: &lookup::Lookup, question: &Template, faults: &mut Faults) {
    let key = || "llm.tool.lookup.confirm".to_owned();
    let parameters: Vec<&str> = lookup.parameters.iter().map(|p| p.name.as_str()).collect();
    for unknown in question.names().filter(|name| !parameters.contains(name)) {
        let (name, known) = (&lookup.name, parameters.join(", "));
        let allowed = format!("is no parameter of {name}; its parameters are: {known}");
        faults.note(key(), format!("{{{unknown}}}"), allowed);
    }
    let is_hidden = |name: &&&str| llm.variables.iter().any(|variable| variable == **name);
    for hidden in parameters.iter().filter(is_hidden) {
        let allowed = format!(
            "stands for the variable of this name and not for the parameter of {}: rename one",
            lookup.name
        );
        faults.note(key(), format!("{{{hidden}}}"), allowed);
    }
}
