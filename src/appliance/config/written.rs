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

/// The configuration of those entries that are sound together with those before them; of a text that is no TOML those of the
/// lines that can be read.
pub(super) fn sound(text: &str) -> Config {
    let written = text.parse::<Table>().unwrap_or_else(|_| readable(text).0);
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

/// Lines that nobody can read, from 1 on; none of a text that is TOML.
pub(super) fn unreadable_lines(text: &str) -> Vec<usize> {
    if text.parse::<Table>().is_ok() { Vec::new() } else { readable(text).1 }
}

/// What is left of a text without the lines that are no TOML, and those lines. Sections are looked at one by one, so that a
/// quote that is not closed takes no other section with it.
fn readable(text: &str) -> (Table, Vec<usize>) {
    let (mut whole, mut unreadable) = (String::new(), Vec::new());
    let mut section: Vec<(usize, &str)> = Vec::new();
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line)).peekable();
    while let Some(line) = lines.next() {
        section.push(line);
        let is_over = lines.peek().is_none_or(|(_, next)| next.starts_with('['));
        if is_over {
            let kept = readable_section(std::mem::take(&mut section), &mut unreadable);
            let tried = format!("{whole}{kept}");
            // One that is there twice is no TOML either: the first holds.
            if tried.parse::<Table>().is_ok() {
                whole = tried;
            }
        }
    }
    unreadable.sort_unstable();
    (whole.parse().unwrap_or_default(), unreadable)
}

fn readable_section(mut lines: Vec<(usize, &str)>, unreadable: &mut Vec<usize>) -> String {
    let has_header =
        |lines: &[(usize, &str)]| lines.first().is_some_and(|(_, l)| l.starts_with('['));
    let is_section = has_header(&lines);
    while !lines.is_empty() {
        let text: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
        let Err(error) = text.parse::<Table>() else { return text };
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let at = before.matches('\n').count().min(lines.len() - 1);
        unreadable.push(lines.remove(at).0);
        if is_section && !has_header(&lines) {
            // What follows is of no section any more.
            unreadable.extend(lines.iter().filter(|(_, l)| l.contains('=')).map(|(at, _)| *at));
            return String::new();
        }
    }
    String::new()
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

    #[test]
    fn of_a_file_that_is_no_toml_every_readable_line_holds() {
        let good = "[sip]\nlisten = [\"udp:127.0.0.1:5099\"]\n";
        let account = "[[accounts]]\nname = \"office\"\nserver = \"pbx.example\"\nuser = \"1\"\n";
        for (bad, lines) in [
            ("[calls]\nmax = = 3\n", vec![4]),
            ("[calls]\nmax 3\n", vec![4]),
            ("[calls]\nwhen_full = \"busy\n", vec![4]),
            ("[calls\nmax = 3\n", vec![3, 4]),
            ("[media]\nsrtp = [\n", vec![4]),
        ] {
            let text = format!("{good}{bad}{account}");
            let config = sound(&text);
            assert_eq!(config.sip.listen[0].to_string(), "udp:127.0.0.1:5099", "{bad}");
            assert_eq!(config.accounts.len(), 1, "{bad}");
            assert_eq!(config.calls.max.count(), Config::default().calls.max.count(), "{bad}");
            assert_eq!(unreadable_lines(&text), lines, "{bad}");
        }
        assert_eq!(unreadable_lines(&format!("{good}{account}")), [0; 0]);
    }
}
