//! Reads a TOML table key by key and notes every fault instead of stopping at the first.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::Fault;

/// Faults beyond this many help nobody.
const FAULTS: usize = 100;
const SHOWN_CHARS: usize = 60;

/// All faults of one file.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub fn note(&mut self, key: String, value: String, allowed: impl Into<String>) {
        if self.0.len() < FAULTS {
            self.0.push(Fault { key, value, allowed: allowed.into() });
        }
    }

    pub fn into_result<T>(self, value: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

/// One table of the file; `finish` reports the keys that nobody asked for.
pub struct Section<'a> {
    path: String,
    table: &'a Table,
    asked: BTreeSet<&'static str>,
}

impl<'a> Section<'a> {
    pub fn new(path: String, table: &'a Table) -> Self {
        Self { path, table, asked: BTreeSet::new() }
    }

    pub fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub fn value(&mut self, name: &'static str) -> Option<&'a Value> {
        self.asked.insert(name);
        self.table.get(name)
    }

    pub fn fault(&self, faults: &mut Faults, name: &str, allowed: impl Into<String>) {
        let value = self.table.get(name).map(shown).unwrap_or_default();
        faults.note(self.key(name), value, allowed);
    }

    pub fn text(&mut self, faults: &mut Faults, name: &'static str) -> Option<&'a str> {
        match self.value(name)? {
            Value::String(text) => Some(text),
            _ => {
                self.fault(faults, name, "must be a text in quotes");
                None
            }
        }
    }

    pub fn flag(&mut self, faults: &mut Faults, name: &'static str) -> bool {
        match self.value(name) {
            Some(Value::Boolean(flag)) => *flag,
            Some(_) => {
                self.fault(faults, name, "must be true or false");
                false
            }
            None => false,
        }
    }

    pub fn number(
        &mut self,
        faults: &mut Faults,
        name: &'static str,
        range: std::ops::RangeInclusive<u64>,
        default: u64,
    ) -> u64 {
        let number = match self.value(name) {
            None => return default,
            Some(Value::Integer(number)) => u64::try_from(*number).ok(),
            Some(_) => None,
        };
        match number.filter(|number| range.contains(number)) {
            Some(number) => number,
            None => {
                let allowed = format!("must be a number from {} to {}", range.start(), range.end());
                self.fault(faults, name, allowed);
                default
            }
        }
    }

    /// A count or a list of counts.
    pub fn counts(
        &mut self,
        faults: &mut Faults,
        name: &'static str,
        range: std::ops::RangeInclusive<usize>,
    ) -> Vec<usize> {
        let Some(value) = self.value(name) else { return Vec::new() };
        let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let count = |value: &Value| usize::try_from(value.as_integer()?).ok();
        let counts: Option<Vec<usize>> = list.iter().map(count).collect();
        match counts.filter(|counts| counts.iter().all(|count| range.contains(count))) {
            Some(counts) => counts,
            None => {
                let (from, to) = (range.start(), range.end());
                let allowed = format!("must be a number from {from} to {to}, or a list of such");
                self.fault(faults, name, allowed);
                Vec::new()
            }
        }
    }

    /// A part of a whole, 0 to 1.
    pub fn share(&mut self, faults: &mut Faults, name: &'static str, default: f32) -> f32 {
        let share = match self.value(name) {
            None => return default,
            Some(Value::Float(share)) => Some(*share as f32),
            Some(Value::Integer(share)) => Some(*share as f32),
            Some(_) => None,
        };
        match share.filter(|share| (0.0..=1.0).contains(share)) {
            Some(share) => share,
            None => {
                self.fault(faults, name, "must be a number from 0 to 1, such as 0.3");
                default
            }
        }
    }

    /// A table that is read in its own turn.
    pub fn peek(&self, name: &str) -> Option<&'a Table> {
        self.table.get(name)?.as_table()
    }

    /// One of `choices`, the first if it is not given.
    pub fn choice<T: Copy>(
        &mut self,
        faults: &mut Faults,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let Some(text) = self.value(name) else {
            return choices.first().map(|(_, choice)| *choice);
        };
        let found = text.as_str().and_then(|t| choices.iter().find(|(n, _)| *n == t));
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.fault(faults, name, format!("must be one of: {}", names.join(", ")));
        }
        found.map(|(_, choice)| *choice)
    }

    pub fn texts(&mut self, faults: &mut Faults, name: &'static str, most: usize) -> Vec<&'a str> {
        let Some(value) = self.value(name) else { return Vec::new() };
        let list: Option<Vec<&str>> =
            value.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
        match list {
            Some(list) if list.len() <= most => list,
            Some(_) => {
                self.fault(faults, name, format!("must have no more than {most} entries"));
                Vec::new()
            }
            None => {
                self.fault(faults, name, "must be a list of texts: [\"...\", \"...\"]");
                Vec::new()
            }
        }
    }

    pub fn table(&mut self, faults: &mut Faults, name: &'static str) -> Option<Section<'a>> {
        match self.value(name)? {
            Value::Table(table) => Some(Section::new(self.key(name), table)),
            _ => {
                self.fault(faults, name, format!("must be a table: [{}]", self.key(name)));
                None
            }
        }
    }

    /// The tables of a list `[[name]]`, each called by its own `name` or its place.
    pub fn list(
        &mut self,
        faults: &mut Faults,
        name: &'static str,
        most: usize,
    ) -> Vec<Section<'a>> {
        let Some(value) = self.value(name) else { return Vec::new() };
        let tables: Option<Vec<&Table>> =
            value.as_array().and_then(|list| list.iter().map(Value::as_table).collect());
        let Some(tables) = tables.filter(|tables| tables.len() <= most) else {
            let allowed = format!("must be no more than {most} tables: [[{}]]", self.key(name));
            self.fault(faults, name, allowed);
            return Vec::new();
        };
        let path = |index: usize, table: &Table| match table.get("name").and_then(Value::as_str) {
            Some(own) => format!("{}.{own}", self.key(name)),
            None => format!("{}[{index}]", self.key(name)),
        };
        tables.iter().enumerate().map(|(i, t)| Section::new(path(i, t), t)).collect()
    }

    /// Keys and texts of a table whose keys the owner chooses.
    pub fn entries(self, faults: &mut Faults) -> Vec<(&'a str, &'a str)> {
        let mut entries = Vec::new();
        for (name, value) in self.table {
            match value.as_str() {
                Some(text) => entries.push((name.as_str(), text)),
                None => faults.note(self.key(name), shown(value), "must be a text in quotes"),
            }
        }
        entries
    }

    /// The values of a table whose keys the owner chooses.
    pub fn values(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.table.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub fn finish(self, faults: &mut Faults) {
        for (name, value) in self.table {
            if !self.asked.contains(name.as_str()) {
                let known: Vec<&str> = self.asked.iter().copied().collect();
                let allowed = format!("is not a key here; known are: {}", known.join(", "));
                faults.note(self.key(name), shown(value), allowed);
            }
        }
    }
}

/// A value as a fault shows it.
pub fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    };
    let text = text.replace('\n', " ");
    if text.chars().count() > SHOWN_CHARS {
        format!("{}...", text.chars().take(SHOWN_CHARS).collect::<String>())
    } else {
        text
    }
}
