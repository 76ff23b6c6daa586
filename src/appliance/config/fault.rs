//! What is wrong with a configuration file, in words that name key, value and what is allowed.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::store::bounded::ReadError;

/// What is told of an entry that does not exist begins so.
pub const UNKNOWN: &str = "no such ";

/// One wrong entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Dotted, as in `calls.max`.
    pub key: String,
    /// As written in the file.
    pub value: String,
    /// What would have been right.
    pub allowed: String,
}

impl Fault {
    pub(super) fn new(key: &str, value: impl fmt::Display, allowed: impl fmt::Display) -> Self {
        Self { key: key.to_owned(), value: value.to_string(), allowed: allowed.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, allowed } = self;
        // There is nothing that it would be allowed to be.
        let is_unknown = allowed.starts_with(UNKNOWN);
        let what = if is_unknown { "" } else { "allowed: " };
        write!(f, "{key} = {value}: {what}{allowed}")
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {}", path.display())]
    Unreadable { path: PathBuf, source: ReadError },
    #[error("{}line {line}: not TOML: {message}", place(path.as_deref()))]
    Syntax { path: Option<PathBuf>, line: usize, message: String },
    #[error("{}{}", place(path.as_deref()), list(faults))]
    Faults { path: Option<PathBuf>, faults: Vec<Fault> },
}

impl ConfigError {
    pub(super) fn in_file(self, file: &Path) -> Self {
        let path = Some(file.to_owned());
        match self {
            Self::Unreadable { .. } => self,
            Self::Syntax { line, message, .. } => Self::Syntax { path, line, message },
            Self::Faults { faults, .. } => Self::Faults { path, faults },
        }
    }
}

fn place(path: Option<&Path>) -> String {
    path.map_or_else(String::new, |path| format!("{}: ", path.display()))
}

fn list(faults: &[Fault]) -> String {
    match faults {
        [fault] => fault.to_string(),
        many => many
            .iter()
            .fold(format!("{} faults", many.len()), |list, fault| format!("{list}\n  {fault}")),
    }
}
