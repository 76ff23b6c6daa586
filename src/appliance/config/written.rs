//! The file as it is written, to tell what has changed in it.

use std::path::Path;

use toml::{Table, Value};

use super::checked::Config;
use super::fault::ConfigError;
use super::parse;
use crate::base::limits;
use crate::store::bounded;

/// All sections with their keys, those that are not written with their defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written(Table);

/// Reads the file; without one all defaults stand. What is wrong in it is left out.
pub fn written(path: Option<&Path>) -> Result<Written, ConfigError> {
    let Some(path) = path else { return Ok(Written(parse::defaults())) };
    let text = bounded::text(path, limits::CONFIG_BYTES)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let (file, _) = parse::parse(&text).map_err(|error| error.in_file(path))?;
    // What was read from a table can be written to one.
    Ok(Written(Table::try_from(file).unwrap_or_default()))
}

impl Written {
    /// The keys, as in `calls.max`, whose values differ. Sections of which there may be many are one key.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut sections: Vec<&String> = self.0.keys().chain(other.0.keys()).collect();
        sections.sort_unstable();
        sections.dedup();
        sections.into_iter().flat_map(|section| self.in_section(other, section)).collect()
    }

    fn in_section(&self, other: &Self, section: &str) -> Vec<String> {
        let (before, now) = (self.0.get(section), other.0.get(section));
        let (Some(Value::Table(before)), Some(Value::Table(now))) = (before, now) else {
            return if before == now { Vec::new() } else { vec![section.to_owned()] };
        };
        let mut keys: Vec<&String> = before.keys().chain(now.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        let differ = keys.into_iter().filter(|key| before.get(*key) != now.get(*key));
        differ.map(|key| format!("{section}.{key}")).collect()
    }
}

/// The configuration of those entries that are sound together with those before them.
pub(super) fn sound(text: &str) -> Config {
    let Ok(written) = text.parse::<Table>() else { return Config::default() };
    let mut kept = Table::new();
    let mut config = Config::default();
    // A page for other machines needs a token: that is to be there first.
    let is_late = |section: &str| section == "web";
    let (late, early): (Vec<_>, Vec<_>) =
        written.into_iter().partition(|(section, _)| is_late(section));
    for (section, value) in early.into_iter().chain(late) {
        for (key, value) in entries(value) {
            let mut tried = kept.clone();
            add(&mut tried, &section, key, value);
            if let Ok(sound) = super::from_text(&tried.to_string()) {
                (kept, config) = (tried, sound);
            }
        }
    }
    config
}

/// Each is tried by itself: the keys of a section, or the sections of which there are many.
fn entries(value: Value) -> Vec<(Option<String>, Value)> {
    match value {
        Value::Table(keys) => keys.into_iter().map(|(key, value)| (Some(key), value)).collect(),
        Value::Array(sections) => sections.into_iter().map(|section| (None, section)).collect(),
        other => vec![(None, other)],
    }
}

fn add(table: &mut Table, section: &str, key: Option<String>, value: Value) {
    match key {
        Some(key) => {
            let keys = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(keys) = keys {
                keys.insert(key, value);
            }
        }
        None => {
            let sections = table.entry(section).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(sections) = sections {
                sections.push(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Written {
        Written(Table::try_from(parse::parse(text).unwrap().0).unwrap())
    }

    #[test]
    fn what_differs_is_named_and_a_default_that_is_written_does_not() {
        let nothing = of("");
        assert!(nothing.differences(&of("[log]\nlevel = \"info\"\n")).is_empty());
        let other = of("[log]\nlevel = \"debug\"\n[calls]\nmax = 3\n[[person]]\nname = \"a\"\n");
        assert_eq!(nothing.differences(&other), ["calls.max", "log.level", "person"]);
        assert_eq!(other.differences(&nothing), ["calls.max", "log.level", "person"]);
    }

    #[test]
    fn of_a_file_with_faults_every_sound_entry_holds() {
        let text = "[sip]\nlisten = [\"udp:127.0.0.1:5099\"]\nnames = 3\n[calls]\nmax = 0\n\
                    [media]\nports = \"20000-20099\"\n[nothing]\na = 1\n";
        let config = sound(text);
        assert_eq!(config.sip.listen[0].to_string(), "udp:127.0.0.1:5099");
        assert_eq!(config.media.ports.to_string(), "20000-20099");
        assert_eq!(config.calls.max.count(), Config::default().calls.max.count());
        assert_eq!(sound("[sip"), Config::default());
    }
}
