//! Messages after the tone: which wait for their words, and what became of them.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::read::{self, Message, named};
use super::write::index;
use super::{Sound, signed};
use crate::base::{CallId, Private};
use crate::store::recordings::Name;

/// As `messages.transcript` has it.
pub const WAITING: i64 = 0;
const TOLD: i64 = 1;
const DONE: i64 = 2;
const NONE: i64 = 3;

/// What became of the words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transcript {
    /// People were told of the message, and its words are still to come.
    Told,
    Words(Private<String>),
    /// None can be had.
    None,
}

/// One that waits for its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unheard {
    pub message: Message,
    pub name: Name,
    /// The language of the call.
    pub language: Option<String>,
    /// People know of it.
    pub is_told: bool,
}

/// The call of a message, also of a start before this one.
pub(super) fn call(
    transaction: &Transaction<'_>,
    call: CallId,
    sound: Sound,
) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT id FROM calls WHERE started_at_ms = ?1 AND call = ?2";
    let values = params![signed(sound.started_at_ms), signed(call.0)];
    transaction.query_row(sql, values, |row| row.get(0)).optional()
}

pub(super) fn transcribed(
    transaction: &Transaction<'_>,
    message: i64,
    transcript: &Transcript,
) -> rusqlite::Result<()> {
    let (state, text) = match transcript {
        Transcript::Told => (TOLD, None),
        Transcript::Words(text) => (DONE, Some(text.reveal())),
        Transcript::None => (NONE, None),
    };
    // One that was deleted meanwhile stays so.
    let sql = "UPDATE messages SET transcript = ?2, text = coalesce(?3, text) \
               WHERE id = ?1 AND transcript < ?4 RETURNING of_call";
    let values = params![message, state, text, DONE];
    let of_call = transaction.query_row(sql, values, |row| row.get(0)).optional()?;
    of_call.flatten().map_or(Ok(()), |id| index(transaction, id))
}

/// The oldest of those that wait for their words.
pub fn unheard(connection: &Connection) -> rusqlite::Result<Option<Unheard>> {
    let sql = "SELECT started_at_ms, call, sound_ordinal, messages.id, language, transcript FROM messages \
               JOIN calls ON calls.id = of_call WHERE transcript < 2 ORDER BY messages.id LIMIT 1";
    let found = connection.query_row(sql, [], |row| {
        let is_told = row.get::<_, i64>(5)? == TOLD;
        Ok((row.get::<_, i64>(3)?, sound_named(row)?, row.get(4)?, is_told))
    });
    let Some((id, name, language, is_told)) = found.optional()? else { return Ok(None) };
    let message = read::one_message(connection, id)?;
    Ok(message.map(|message| Unheard { message, name, language, is_told }))
}

/// Of the columns `started_at_ms`, `call` and `sound_ordinal`.
pub(super) fn sound_named(row: &Row<'_>) -> rusqlite::Result<Name> {
    Ok(Name { ordinal: row.get(2)?, ..named(row)? })
}

/// By what the sound of a message is named.
pub fn message_name(connection: &Connection, message: i64) -> rusqlite::Result<Option<Name>> {
    let sql = "SELECT started_at_ms, call, sound_ordinal FROM messages JOIN calls ON calls.id = of_call \
               WHERE messages.id = ?1 AND sound_ms IS NOT NULL";
    connection.query_row(sql, [message], sound_named).optional()
}

/// Whether there is a message with the sound of this name; `None` where its call is not known.
pub fn has_sound(connection: &Connection, name: Name) -> rusqlite::Result<Option<bool>> {
    let sql = "SELECT EXISTS (SELECT 1 FROM messages WHERE of_call = calls.id \
                              AND sound_ms IS NOT NULL AND sound_ordinal = ?3) \
               FROM calls WHERE started_at_ms = ?1 AND call = ?2";
    let values = params![signed(name.started_at_ms), signed(name.call.0), name.ordinal];
    connection.query_row(sql, values, |row| row.get(0)).optional()
}

/// One word for the API, stable.
pub(super) const fn state(transcript: i64) -> &'static str {
    match transcript {
        WAITING | TOLD => "waiting",
        DONE => "done",
        _ => "none",
    }
}
