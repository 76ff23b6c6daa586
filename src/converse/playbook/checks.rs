//! What single keys of a playbook must be: texts with values, phrases, patterns, references.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};

use super::phrase::expand;
use super::reader::{Faults, Section};
use super::{IntentId, ReadBack, Slot};
use crate::base::limits;
use crate::converse::matching::score::{Lexicon, Variant};
use crate::converse::matching::slots::SlotKind;
use crate::converse::reply::Template;

/// Phrases and patterns of one intent.
const PHRASES: usize = 100;
/// Compiled size of one pattern in bytes; a regular expression must not eat the box's memory.
const PATTERN_BYTES: usize = 256 * 1024;

/// What the texts of a playbook may refer to.
pub struct Context<'a> {
    pub variables: BTreeMap<&'a str, &'a str>,
    pub names: Vec<&'a str>,
    pub lexicon: Lexicon,
    /// Of a slot that names no threshold of its own.
    pub ask_again_below: f32,
    pub read_back_below: f32,
    /// The question for slots with `read_back = true`, and for digits in doubt.
    pub read_back: Option<String>,
}

impl Context<'_> {
    /// A text that may hold variables and the values called `known`.
    pub fn template(
        &self,
        section: &mut Section<'_>,
        faults: &mut Faults,
        name: &'static str,
        known: &[&str],
    ) -> Option<Template> {
        let template = self.open_template(section, faults, name)?;
        let unknown: Vec<&str> = template.names().filter(|n| !known.contains(n)).collect();
        for unknown in unknown {
            let mut names: Vec<&str> = self.variables.keys().copied().collect();
            names.extend(known);
            let allowed = format!("{{{unknown}}} is unknown; known are: {}", names.join(", "));
            section.fault(faults, name, allowed);
        }
        Some(template)
    }

    /// A text whose values are known later.
    pub fn open_template(
        &self,
        section: &mut Section<'_>,
        faults: &mut Faults,
        name: &'static str,
    ) -> Option<Template> {
        let text = section.text(faults, name)?;
        if text.trim().is_empty() || text.chars().count() > limits::REPLY_CHARS {
            let most = limits::REPLY_CHARS;
            section.fault(faults, name, format!("must have from 1 to {most} characters"));
            return None;
        }
        let fixed = |name: &str| self.variables.get(name).map(|value| (*value).to_owned());
        match Template::parse(text, fixed) {
            Ok(template) => Some(template),
            Err(fault) => {
                section.fault(faults, name, fault);
                None
            }
        }
    }

    /// When each slot is read back, now that it is known what the intent's own `confirm` says: a
    /// number that nothing else reads back is read back in doubt.
    pub fn in_doubt(
        &self,
        section: &Section<'_>,
        faults: &mut Faults,
        slots: &[Slot],
        confirm: Option<&Template>,
    ) -> Vec<ReadBack> {
        let is_confirmed = |slot: &Slot| {
            confirm.is_some_and(|question| question.names().any(|name| name == slot.name))
        };
        let mut read_back = |slot: &Slot| match slot.read_back {
            ReadBack::Never
                if self.read_back_below > 0.0
                    && slot.kind.count().is_some()
                    && !is_confirmed(slot) =>
            {
                let key = section.key(&format!("slot.{}.read_back", slot.name));
                let question = self.read_back(key, faults, &slot.name, &slot.kind);
                question.map_or(ReadBack::Never, ReadBack::InDoubt)
            }
            _ => slot.read_back.clone(),
        };
        slots.iter().map(&mut read_back).collect()
    }

    /// The playbook's own question about the value of a slot, whose `read_back` is called `key`;
    /// numbers are read digit by digit.
    pub fn read_back(
        &self,
        key: String,
        faults: &mut Faults,
        slot: &str,
        kind: &SlotKind,
    ) -> Option<Template> {
        let Some(text) = &self.read_back else {
            let allowed = "needs confirm here, or prompts.read_back: a question with {value}";
            faults.note(key, String::new(), allowed);
            return None;
        };
        let digits = matches!(
            kind,
            SlotKind::Digits { .. } | SlotKind::Phone { .. } | SlotKind::Code { .. }
        );
        let value = format!("{{{slot}{}}}", if digits { ":digits" } else { "" });
        let fixed = |name: &str| self.variables.get(name).map(|value| (*value).to_owned());
        match Template::parse(&text.replace("{value}", &value), fixed) {
            Ok(template) => Some(template),
            Err(fault) => {
                faults.note(key, format!("{text:?}"), fault);
                None
            }
        }
    }

    /// A text that must be there and holds nothing but variables.
    pub fn fixed(
        &self,
        section: &mut Section<'_>,
        faults: &mut Faults,
        name: &'static str,
    ) -> String {
        if section.value(name).is_none() {
            section.fault(faults, name, "is missing: a text to say");
            return String::new();
        }
        let template = self.template(section, faults, name, &[]);
        template.and_then(|template| template.fixed().map(str::to_owned)).unwrap_or_default()
    }

    /// The same of a text that may be left out: then nothing is said.
    pub fn fixed_or_none(
        &self,
        section: &mut Section<'_>,
        faults: &mut Faults,
        name: &'static str,
    ) -> String {
        match section.value(name) {
            Some(_) => self.fixed(section, faults, name),
            None => String::new(),
        }
    }

    pub fn intent(&self, name: &str) -> Option<IntentId> {
        self.names.iter().position(|known| *known == name).map(IntentId)
    }

    /// The intent that a key names.
    pub fn reference(
        &self,
        section: &mut Section<'_>,
        faults: &mut Faults,
        name: &'static str,
    ) -> Option<IntentId> {
        let text = section.text(faults, name)?;
        let found = self.intent(text);
        if found.is_none() {
            section.fault(faults, name, self.intent_names());
        }
        found
    }

    pub fn intent_names(&self) -> String {
        format!("must name an intent: {}", self.names.join(", "))
    }

    pub fn phrases(
        &self,
        section: &mut Section<'_>,
        faults: &mut Faults,
        slots: &[Slot],
    ) -> Vec<Variant> {
        let mut variants = Vec::new();
        for phrase in section.texts(faults, "phrases", PHRASES) {
            let slot = |name: &str| {
                let index = slots.iter().position(|slot| slot.name == name)?;
                slots.get(index).map(|slot| (index, slot.kind.digit_count().is_some()))
            };
            match expand(phrase, &self.lexicon, slot) {
                Ok(expanded) => variants.extend(expanded),
                Err(fault) => faults.note(section.key("phrases"), format!("{phrase:?}"), fault),
            }
        }
        variants
    }
}

/// Regular expressions on the normalised words; named groups fill the slots of the same name.
pub fn patterns(section: &mut Section<'_>, faults: &mut Faults, slots: &[Slot]) -> Vec<Regex> {
    let mut compiled = Vec::new();
    for pattern in section.texts(faults, "patterns", PHRASES) {
        let shown = format!("{pattern:?}");
        match RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build() {
            Ok(regex) => {
                for group in regex.capture_names().flatten() {
                    if !slots.iter().any(|slot| slot.name == group) {
                        let fault = format!("there is no slot `{group}` for this group");
                        faults.note(section.key("patterns"), shown.clone(), fault);
                    }
                }
                compiled.push(regex);
            }
            Err(error) => {
                let reason = error.to_string();
                let last = reason.lines().last().unwrap_or_default().to_owned();
                faults.note(section.key("patterns"), shown, last);
            }
        }
    }
    compiled
}
