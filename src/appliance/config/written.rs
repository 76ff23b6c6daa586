//! The file as it is written, to tell what has changed in it.

use std::path::Path;

use toml::{Table, Value};

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
}
