//! The section `[dial]`: what is said first in a call that we make.
//!
//! The first sentence is whole before the call: it is heard as soon as somebody answers. What the
//! call is about has values of that call and follows it.

use std::collections::BTreeSet;

use super::checks::Context;
use super::reader::{Faults, Section};
use super::{FollowUp, Playbook};
use crate::base::{Private, limits};
use crate::converse::reply::Template;

/// What is said to whom we call.
#[derive(Clone, Debug)]
pub struct Dial {
    pub greeting: String,
    /// With values of the call.
    reason: Option<Template>,
    pub follow_up: Option<FollowUp>,
}

/// Values of one call that we make, by name.
pub type Variables = Vec<(String, Private<String>)>;

/// Why values do not fit the playbook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VariablesError {
    #[error(
        "the playbook has no section [dial]: it does not say what to say in a call that we make"
    )]
    NoDial,
    #[error("the playbook's dial.reason has no {{{name}}}; it knows: {known}")]
    Unknown { name: String, known: String },
    #[error("the playbook's dial.reason needs {{{0}}}, too")]
    Missing(String),
}

pub fn dial(mut section: Section<'_>, faults: &mut Faults, context: &Context<'_>) -> Dial {
    let s = &mut section;
    let greeting = context.fixed(s, faults, "greeting");
    let reason = match s.value("reason") {
        Some(_) => context.open_template(s, faults, "reason"),
        None => None,
    };
    let names: BTreeSet<&str> = reason.iter().flat_map(Template::names).collect();
    let is_name = |name: &&str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        (1..=limits::DIAL_VARIABLE_NAME_CHARS).contains(&name.len()) && name.chars().all(fits)
    };
    if names.len() > limits::DIAL_VARIABLES || !names.iter().all(is_name) {
        let allowed = format!(
            "may have {} values, with names of at most {} small letters, digits and _",
            limits::DIAL_VARIABLES,
            limits::DIAL_VARIABLE_NAME_CHARS
        );
        s.fault(faults, "reason", allowed);
    }
    let follow_up =
        s.table(faults, "follow_up").map(|f| super::sections::follow_up(f, faults, context));
    section.finish(faults);
    Dial { greeting, reason, follow_up }
}

impl Dial {
    /// The texts that need no value.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let reason = self.reason.as_ref().and_then(Template::fixed);
        let ask = self.follow_up.as_ref().map(|follow_up| follow_up.ask.as_str());
        [Some(self.greeting.as_str()), reason, ask].into_iter().flatten()
    }

    /// What the call is about; `None` where nothing of that was given.
    pub fn reason(&self, variables: &Variables) -> Option<String> {
        let value = |name: &str| {
            let found = variables.iter().find(|(known, _)| known == name)?;
            Some(found.1.reveal().as_str())
        };
        let reason = self.reason.as_ref()?;
        reason.names().all(|name| value(name).is_some()).then(|| reason.fill(value))
    }

    fn names(&self) -> BTreeSet<&str> {
        self.reason.iter().flat_map(Template::names).collect()
    }
}

impl Playbook {
    /// What is said first in a call that we make.
    pub fn dial(&self) -> Option<&Dial> {
        self.dial.as_ref()
    }

    /// Whether these values, all or none, are what the call's first words need.
    ///
    /// # Errors
    /// Names what is missing or unknown; no value stands in it.
    pub fn check_variables(&self, variables: &Variables) -> Result<(), VariablesError> {
        let names = self.dial().ok_or(VariablesError::NoDial)?.names();
        // A remote agent's own values may be given anew.
        let of_agent = |name: &str| {
            let mut values = self.agent().into_iter().flat_map(|agent| &agent.variables);
            values.any(|(known, _)| known == name)
        };
        let is_unknown = |name: &str| !names.contains(name) && !of_agent(name);
        if let Some((name, _)) = variables.iter().find(|(name, _)| is_unknown(name)) {
            let known = if names.is_empty() {
                "none".to_owned()
            } else {
                names.into_iter().collect::<Vec<_>>().join(", ")
            };
            return Err(VariablesError::Unknown { name: name.clone(), known });
        }
        let is_given = |name: &&&str| variables.iter().any(|(given, _)| given == **name);
        match names.iter().find(|name| !is_given(name)) {
            Some(missing) if variables.iter().any(|(name, _)| names.contains(name.as_str())) => {
                Err(VariablesError::Missing((*missing).to_owned()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playbook(reason: &str) -> Playbook {
        let shipped = Playbook::logistics();
        let (before, rest) = shipped.source().split_once("\nreason = ").unwrap();
        let (_, after) = rest.split_once('\n').unwrap();
        Playbook::parse(&format!("{before}\nreason = \"{reason}\"\n{after}")).unwrap()
    }

    fn variables(list: &[(&str, &str)]) -> Variables {
        list.iter().map(|(n, v)| ((*n).to_owned(), Private::new((*v).to_owned()))).collect()
    }

    #[test]
    fn the_reason_is_said_with_all_its_values_or_not_at_all() {
        let playbook = playbook("I call about order {order:digits} of {day}.");
        let dial = playbook.dial().unwrap();
        assert_eq!(dial.reason(&Vec::new()), None);
        assert_eq!(dial.reason(&variables(&[("order", "4729")])), None);
        let all = variables(&[("day", "Monday"), ("order", "47<29")]);
        let said = dial.reason(&all).unwrap();
        assert_eq!(said, "I call about order <digits>4729</digits> of Monday.");
    }

    #[test]
    fn values_that_do_not_fit_are_named() {
        let playbook = playbook("I call about order {order} of {day}.");
        let check = |list: &[(&str, &str)]| playbook.check_variables(&variables(list));
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&[("order", "1"), ("day", "2")]), Ok(()));
        assert_eq!(check(&[("order", "1")]), Err(VariablesError::Missing("day".to_owned())));
        let unknown = check(&[("name", "Anna")]).unwrap_err().to_string();
        assert!(unknown.contains("{name}") && unknown.contains("day, order"), "{unknown}");
        assert!(!unknown.contains("Anna"));
    }

    #[test]
    fn both_shipped_playbooks_have_first_words_that_are_rendered_before_the_call() {
        for (code, text) in super::super::SHIPPED {
            let playbook = Playbook::parse(text).unwrap();
            let dial = playbook.dial().unwrap();
            assert!(playbook.is_fixed(&dial.greeting), "{code}");
            assert_ne!(dial.greeting, playbook.prompts().greeting, "{code}");
            let ask = &dial.follow_up.as_ref().unwrap().ask;
            assert!(playbook.is_fixed(ask), "{code}");
            assert!(dial.reason(&variables(&[("subject", "x")])).is_some(), "{code}");
        }
    }

    #[test]
    fn a_greeting_with_values_is_a_fault_as_they_are_not_known_before_the_call() {
        let text = Playbook::logistics()
            .source()
            .replace("\nreason = ", "\nkeys_greeting = \"x\"\nreason = ");
        let told = Playbook::parse(&text).unwrap_err().to_string();
        assert!(told.contains("dial.keys_greeting"), "{told}");
        let shipped = Playbook::logistics();
        let text = shipped.source().replacen("automatic assistant of {firm}", "{name}", 1);
        let told = Playbook::parse(&text).unwrap_err().to_string();
        assert!(told.contains("dial.greeting") && told.contains("{name} is unknown"), "{told}");
    }
}
