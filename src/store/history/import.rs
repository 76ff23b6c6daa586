//! Takes over the file of messages that versions before the database have written: lines of JSON.
//!
//! Its messages are in the database or in the file, never in both: they are written in one transaction that
//! remembers the file's name, and what is remembered is only deleted at the next start.

use std::io;
use std::path::Path;

use rusqlite::Transaction;
use serde::Deserialize;

use super::{Left, write};
use crate::base::{CallId, Private};
use crate::converse::Message;
use crate::store::bounded;

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

/// What has come of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    pub messages: usize,
    /// Lines that make no sense.
    pub unreadable: usize,
}

/// Writes the messages of one file, unless that was done before; `None`: there is no such file.
pub fn file(transaction: &Transaction<'_>, path: &Path) -> rusqlite::Result<Option<Imported>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut imported = Imported { messages: 0, unreadable: 0 };
    let Ok(text) = bounded::text(path, MOST_BYTES) else {
        transaction.execute("DELETE FROM imported WHERE file = ?1", [&name])?;
        return Ok(None);
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

/// After the commit: the file is not needed any more. One with lines that make no sense stays under another name.
pub fn is_over(path: &Path, imported: Imported) -> io::Result<()> {
    match imported.unreadable {
        0 => std::fs::remove_file(path),
        _ => std::fs::rename(path, path.with_extension("unreadable")),
    }
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
