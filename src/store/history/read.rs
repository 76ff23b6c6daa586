//! What is asked of the database, page by page. Pages go by id, newest first, so that what is added or deleted between two of
//! them neither doubles nor hides anything, whatever the clock does.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::figures::{Figures, Times};
use super::unsigned;
use super::write::{CUT_OFF, ENDED};
use crate::base::{CallId, Private, limits};
use crate::store::recordings::Name;

/// A part of the list of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Only calls with these words, or with a number that begins so.
    pub query: Option<Private<String>>,
    /// Look also for what was said and left, and not for the number alone.
    pub in_words: bool,
    /// Only ids below it.
    pub before: Option<i64>,
    /// 1 to [`limits::HISTORY_PAGE`].
    pub limit: u32,
}

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Up,
    Ended,
    /// The program ended in the middle of it; nothing is known of its end.
    CutOff,
}

impl State {
    /// One word for the API, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Ended => "ended",
            Self::CutOff => "cut-off",
        }
    }
}

/// One call in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub id: i64,
    /// The start of the program, and the call's id since then.
    pub run: i64,
    pub call: CallId,
    pub state: State,
    pub direction: String,
    pub way: String,
    pub peer: Private<String>,
    pub sip_call_id: Private<String>,
    pub started_at_ms: u64,
    pub answered_at_ms: Option<u64>,
    pub ended_at_ms: Option<u64>,
    pub ended_by: Option<String>,
    pub cause: Option<String>,
    pub language: Option<String>,
    pub codec: Option<String>,
    pub trunk: Option<String>,
    pub turns: u64,
    pub turns_left_out: u64,
    pub messages: u64,
}

/// One call with all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Whole {
    pub call: Call,
    pub figures: Figures,
    pub turns: Vec<Turn>,
    pub messages: Vec<Message>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    pub caller: Private<String>,
    pub reply: Private<String>,
    pub heard_at_ms: u64,
    pub gap_ms: Option<u32>,
    pub times: Times,
    pub interrupted: bool,
}

/// What a caller left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: i64,
    pub of_call: Option<i64>,
    pub left_at_ms: u64,
    pub topic: String,
    pub name: Option<Private<String>>,
    pub number: Option<Private<String>>,
    pub text: Option<Private<String>>,
    pub fields: BTreeMap<String, Private<String>>,
    pub read_at_ms: Option<u64>,
    /// Of a message after the tone.
    pub sound: Option<MessageSound>,
}

/// The caller's own voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageSound {
    pub ms: u64,
    /// `waiting`, `done` or `none`: whether the text is what is said in it.
    pub transcript: &'static str,
}

impl Message {
    /// For whoever may know that it is there, and not what is in it.
    pub fn withhold_words(&mut self) {
        self.topic.clear();
        (self.name, self.number, self.text) = (None, None, None);
        self.fields.clear();
    }
}

/// A part of the list of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessagePage {
    pub only_unread: bool,
    pub before: Option<i64>,
    pub limit: u32,
}

const CALL: &str = "id, run, call, state, direction, way, peer, sip_call_id, started_at_ms, answered_at_ms, ended_at_ms, \
    ended_by, cause, language, codec, trunk, turns, turns_left_out, \
    (SELECT count(*) FROM messages WHERE of_call = calls.id), figures";
const MESSAGE: &str =
    "id, of_call, left_at_ms, topic, name, number, text, fields, read_at_ms, sound_ms, transcript";

pub fn calls(connection: &Connection, page: &Page) -> rusqlite::Result<Vec<Call>> {
    let before = page.before.unwrap_or(i64::MAX);
    let limit = page.limit.clamp(1, limits::HISTORY_PAGE);
    let wanted = page.query.as_ref().map(|query| search(query.reveal(), page.in_words));
    match wanted {
        // Nothing in it can be looked for.
        Some(None) => Ok(Vec::new()),
        Some(Some(wanted)) => {
            let sql = format!(
                "SELECT {CALL} FROM calls WHERE id IN (SELECT rowid FROM words \
                 WHERE words MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3) ORDER BY id DESC"
            );
            all(connection, &sql, &[&wanted, &before, &limit], call)
        }
        None => {
            let sql = format!("SELECT {CALL} FROM calls WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
            all(connection, &sql, &[&before, &limit], call)
        }
    }
}

/// Words are never query syntax: each is cut out as letters and digits and quoted. All must be there; the last may be only a
/// beginning, as of a number. One letter is none: half of all words would have to be gone through for it.
fn search(text: &str, in_words: bool) -> Option<String> {
    let number = is_number(text).then(|| super::number::key(text));
    let text = number.as_deref().unwrap_or(text);
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> =
        words.take(limits::HISTORY_WORDS).map(|word| format!("\"{word}\"")).collect();
    let all = words.join(" AND ");
    let scope = if in_words { "" } else { "peer : " };
    let is_letter =
        |word: &String| word.chars().count() == 3 && !word.contains(|c: char| c.is_ascii_digit());
    let beginning = if words.last().is_some_and(is_letter) { "" } else { "*" };
    (!all.is_empty()).then(|| format!("{scope}({all}{beginning})"))
}

/// With signs between its digits, as people write it: it is looked for as one word.
fn is_number(text: &str) -> bool {
    text.trim_start().starts_with(['+', '(', '0'])
        && text.chars().all(|c| c.is_ascii_digit() || " +-./()".contains(c))
}

/// By what its recording is named.
pub fn name(connection: &Connection, id: i64) -> rusqlite::Result<Option<Name>> {
    let sql = "SELECT started_at_ms, call FROM calls WHERE id = ?1";
    connection.query_row(sql, [id], named).optional()
}

/// Of the columns `started_at_ms` and `call`.
pub(super) fn named(row: &Row<'_>) -> rusqlite::Result<Name> {
    let [started_at_ms, call] = [unsigned(row.get(0)?), unsigned(row.get(1)?)];
    Ok(Name::of(started_at_ms, CallId(call)))
}

pub fn whole(connection: &Connection, id: i64) -> rusqlite::Result<Option<Whole>> {
    let sql = format!("SELECT {CALL} FROM calls WHERE id = ?1");
    let found = connection.query_row(&sql, [id], |row| Ok((call(row)?, from_json(row, 19)?)));
    let Some((call, figures)) = found.optional()? else { return Ok(None) };
    let turns = all(
        connection,
        "SELECT caller, reply, heard_at_ms, gap_ms, times, interrupted FROM turns \
         WHERE of_call = ?1 ORDER BY number",
        &[&id],
        |row| {
            Ok(Turn {
                caller: Private::new(row.get(0)?),
                reply: Private::new(row.get(1)?),
                heard_at_ms: unsigned(row.get(2)?),
                gap_ms: row.get(3)?,
                times: from_json(row, 4)?,
                interrupted: row.get(5)?,
            })
        },
    )?;
    let sql = format!("SELECT {MESSAGE} FROM messages WHERE of_call = ?1 ORDER BY id");
    let messages = all(connection, &sql, &[&id], message)?;
    Ok(Some(Whole { call, figures, turns, messages }))
}

pub fn messages(connection: &Connection, page: MessagePage) -> rusqlite::Result<Vec<Message>> {
    let before = page.before.unwrap_or(i64::MAX);
    let unread = if page.only_unread { "AND read_at_ms IS NULL" } else { "" };
    let sql =
        format!("SELECT {MESSAGE} FROM messages WHERE id < ?1 {unread} ORDER BY id DESC LIMIT ?2");
    all(connection, &sql, &[&before, &page.limit.clamp(1, limits::HISTORY_PAGE)], message)
}

pub fn one_message(connection: &Connection, id: i64) -> rusqlite::Result<Option<Message>> {
    let sql = format!("SELECT {MESSAGE} FROM messages WHERE id = ?1");
    connection.query_row(&sql, params![id], message).optional()
}

/// What is counted over all starts.
pub fn counters(connection: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let sql = "SELECT name, value FROM counters ORDER BY name";
    let rows = all(connection, sql, &[], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?;
    Ok(rows.into_iter().collect())
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    one: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare(sql)?;
    statement.query_map(values, |row| one(row))?.collect()
}

fn call(row: &Row<'_>) -> rusqlite::Result<Call> {
    let time = |index: usize| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(index)?.map(unsigned))
    };
    Ok(Call {
        id: row.get(0)?,
        run: row.get(1)?,
        call: CallId(unsigned(row.get(2)?)),
        state: match row.get(3)? {
            ENDED => State::Ended,
            CUT_OFF => State::CutOff,
            _ => State::Up,
        },
        direction: row.get(4)?,
        way: row.get(5)?,
        peer: Private::new(row.get(6)?),
        sip_call_id: Private::new(row.get(7)?),
        started_at_ms: unsigned(row.get(8)?),
        answered_at_ms: time(9)?,
        ended_at_ms: time(10)?,
        ended_by: row.get(11)?,
        cause: row.get(12)?,
        language: row.get(13)?,
        codec: row.get(14)?,
        trunk: row.get(15)?,
        turns: unsigned(row.get(16)?),
        turns_left_out: unsigned(row.get(17)?),
        messages: unsigned(row.get(18)?),
    })
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let text = |index: usize| -> rusqlite::Result<Option<Private<String>>> {
        Ok(row.get::<_, Option<String>>(index)?.map(Private::new))
    };
    let fields: BTreeMap<String, String> = from_json(row, 7)?;
    Ok(Message {
        id: row.get(0)?,
        of_call: row.get(1)?,
        left_at_ms: unsigned(row.get(2)?),
        topic: row.get(3)?,
        name: text(4)?,
        number: text(5)?,
        text: text(6)?,
        fields: fields.into_iter().map(|(name, value)| (name, Private::new(value))).collect(),
        read_at_ms: row.get::<_, Option<i64>>(8)?.map(unsigned),
        sound: sound(row)?,
    })
}

fn sound(row: &Row<'_>) -> rusqlite::Result<Option<MessageSound>> {
    let ms: Option<i64> = row.get(9)?;
    let transcript: Option<i64> = row.get(10)?;
    let transcript = super::voicemail::state(transcript.unwrap_or(0));
    Ok(ms.map(|ms| MessageSound { ms: unsigned(ms), transcript }))
}

/// What a version of before has written otherwise is left out, and not the call for it.
fn from_json<T: Default + serde::de::DeserializeOwned>(
    row: &Row<'_>,
    index: usize,
) -> rusqlite::Result<T> {
    let text: String = row.get(index)?;
    Ok(serde_json::from_str(&text).unwrap_or_default())
}
