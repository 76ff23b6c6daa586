//! Takes over the file of messages that versions before the database have written: lines of JSON.
//!
//! Its messages are in the database or in the file, never in both: they are written in one transaction that
//! remembers the file's name, and what is remembered is only deleted at the next start.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, Transaction};
use serde::Deserialize;

use super::schema::SchemaError;
use super::{Left, write};
use crate::base::{CallId, Private};
use crate::converse::Message;
use crate::store::bounded::{self, ReadError};

/// The files, the older one first.
pub const FILES: [&str; 2] = ["messages.jsonl.1", "messages.jsonl"];
/// Twice what one of them had at most.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

#[derive(Deserialize)]
struct Line {
    unix_ms: u64,
    call: String,
    topic: String,
    name: Option<String>,
    number: Option<String>,
    text: Option<String>,
    #[serde(default)]
    fields: serde_json::Map<String, serde_json::Value>,
}

/// Why the messages of a file are not written.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Unreadable(ReadError),
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

/// What has come of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    pub messages: usize,
    /// Lines that make no sense.
    pub unreadable: usize,
}

/// Writes the messages of one file, unless that was done before; `None`: there is no such file.
///
/// # Errors
/// It is there and cannot be read; or the database cannot be written.
pub fn file(transaction: &Transaction<'_>, path: &Path) -> Result<Option<Imported>, ImportError> {
    let name = name(path);
    let mut imported = Imported { messages: 0, unreadable: 0 };
    let text = match bounded::text(path, MOST_BYTES) {
        Ok(text) => text,
        Err(error) if error.is_missing() => {
            forget(transaction, path)?;
            return Ok(None);
        }
        Err(error) => return Err(ImportError::Unreadable(error)),
    };
    let sql = "INSERT INTO imported VALUES (?1) ON CONFLICT DO NOTHING";
    if transaction.execute(sql, [&name])? == 0 {
        return Ok(Some(imported));
    }
    for line in text.lines() {
        match serde_json::from_str::<Line>(line) {
            Ok(line) => {
                write::message(transaction, None, &line.into_left())?;
                imported.messages += 1;
            }
            Err(_) => imported.unreadable += 1,
        }
    }
    Ok(Some(imported))
}

/// After the commit: the file is not needed any more, and another one of its name is read again. One with lines that make
/// no sense stays under another name.
pub fn is_over(
    connection: &Connection,
    path: &Path,
    imported: Imported,
) -> Result<(), SchemaError> {
    match imported.unreadable {
        0 => std::fs::remove_file(path)?,
        _ => std::fs::rename(path, path.with_extension("unreadable"))?,
    }
    // Until it is gone for good what is remembered keeps it from being read twice.
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(forget(connection, path)?)
}

fn forget(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM imported WHERE file = ?1", [name(path)]).map(drop)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Line {
    fn into_left(self) -> Left {
        let shown = |text: Option<String>| text.map(Private::new);
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let fields = self.fields.into_iter();
        Left {
            call: self.call.parse().unwrap_or(CallId(0)),
            unix_ms: self.unix_ms,
            sound: None,
            message: Message {
                topic: self.topic,
                name: shown(self.name),
                number: shown(self.number),
                text: shown(self.text),
                fields: fields.map(|(name, value)| (name, Private::new(text(value)))).collect(),
            },
        }
    }
}
