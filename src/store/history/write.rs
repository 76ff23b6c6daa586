//! What the calls tell, as rows. Each function belongs to a transaction of the writer's.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Transaction, params};

use super::figures::{Figures, Times};
use super::voicemail::{self, Transcript};
use super::{Left, campaigns, number, signed};
use crate::base::{CallId, Private};
use crate::call::record::{CallRecord, Direction, Progress, Turn};

/// As `calls.state` has it.
pub const UP: i64 = 0;
pub const ENDED: i64 = 1;
pub const CUT_OFF: i64 = 2;

/// One thing to be written.
#[derive(Clone, Debug)]
pub enum Change {
    /// The call as it is now: it has begun, or has ended.
    Call(Arc<CallRecord>),
    Message(Arc<Left>),
    /// Of a message by its id.
    Transcript {
        message: i64,
        transcript: Transcript,
    },
}

/// How much of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The start of the program, counted.
    pub run: i64,
    /// What was said, and not only that it was.
    pub transcripts: bool,
}

impl Change {
    pub fn write(&self, transaction: &Transaction<'_>, manner: Manner) -> rusqlite::Result<()> {
        match self {
            Self::Call(record) => call(transaction, manner, record),
            Self::Message(left) => {
                let of_call = match left.sound {
                    Some(sound) => voicemail::call(transaction, left.call, sound)?,
                    None => find(transaction, manner.run, left.call)?,
                };
                message(transaction, of_call, left)?;
                of_call.map_or(Ok(()), |id| index(transaction, id))
            }
            Self::Transcript { message, transcript } => {
                voicemail::transcribed(transaction, *message, transcript)
            }
        }
    }
}

/// Counts this start; calls that were up at the end of the last one were cut off by it.
pub fn begin_run(transaction: &Transaction<'_>, now_ms: u64) -> rusqlite::Result<i64> {
    count(transaction, "runs", 1)?;
    campaigns::cut_off(transaction, now_ms)?;
    let cut = transaction
        .execute("UPDATE calls SET state = ?1 WHERE state = ?2", params![CUT_OFF, UP])?;
    count(transaction, "calls.cut-off", signed(cut as u64))?;
    transaction.query_row("SELECT value FROM counters WHERE name = 'runs'", [], |row| row.get(0))
}

/// Adds to a counter.
pub fn count(transaction: &Transaction<'_>, name: &str, more: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO counters (name, value) VALUES (?1, ?2) \
               ON CONFLICT (name) DO UPDATE SET value = value + excluded.value";
    transaction.execute(sql, params![name, more]).map(drop)
}

fn find(transaction: &Transaction<'_>, run: i64, call: CallId) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT id FROM calls WHERE run = ?1 AND call = ?2";
    transaction.query_row(sql, params![run, signed(call.0)], |row| row.get(0)).optional()
}

fn call(
    transaction: &Transaction<'_>,
    manner: Manner,
    record: &CallRecord,
) -> rusqlite::Result<()> {
    let before: Option<i64> = transaction
        .query_row(
            "SELECT state FROM calls WHERE run = ?1 AND call = ?2",
            params![manner.run, signed(record.id.0)],
            |row| row.get(0),
        )
        .optional()?;
    let id = upsert(transaction, manner.run, record)?;
    // What comes after its end may come when the number is being called again.
    if let Some(number) = record.dialled.as_ref().and_then(|dialled| dialled.campaign_number)
        && before != Some(ENDED)
    {
        campaigns::of_call(transaction, (manner.run, number), record)?;
    }
    if !record.progress.is_ended() {
        return Ok(());
    }
    transaction.execute("DELETE FROM turns WHERE of_call = ?1", [id])?;
    for (number, turn) in record.turns().iter().enumerate() {
        self::turn(transaction, manner, (id, number), turn)?;
    }
    index(transaction, id)?;
    match before {
        Some(ENDED) => Ok(()),
        _ => count_ended(transaction, record),
    }
}

fn upsert(transaction: &Transaction<'_>, run: i64, record: &CallRecord) -> rusqlite::Result<i64> {
    let (state, ended_at_ms) = match record.progress {
        Progress::Ended { ended_at_ms, .. } => (ENDED, Some(signed(ended_at_ms))),
        _ => (UP, None),
    };
    let ending = record.progress.ending();
    let peer = record.peer.reveal();
    let sql = "INSERT INTO calls (run, call, state, direction, way, peer, number, sip_call_id, \
                   started_at_ms, answered_at_ms, ended_at_ms, ended_by, cause, language, codec, \
                   trunk, turns, turns_left_out, figures) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19) \
               ON CONFLICT (run, call) DO UPDATE SET state = excluded.state, peer = excluded.peer, \
                   started_at_ms = excluded.started_at_ms, \
                   number = excluded.number, sip_call_id = excluded.sip_call_id, \
                   answered_at_ms = excluded.answered_at_ms, ended_at_ms = excluded.ended_at_ms, \
                   ended_by = excluded.ended_by, cause = excluded.cause, \
                   language = excluded.language, codec = excluded.codec, trunk = excluded.trunk, \
                   turns = excluded.turns, turns_left_out = excluded.turns_left_out, \
                   figures = excluded.figures \
               RETURNING id";
    let row = params![
        run,
        signed(record.id.0),
        state,
        direction(record.direction),
        record.way.name(),
        peer,
        number::key(peer),
        record.sip_call_id.reveal(),
        signed(record.started_at_ms),
        record.progress.answered_at_ms().map(signed),
        ended_at_ms,
        ending.map(|ending| ending.by.name()),
        ending.map(|ending| ending.cause.wording().name),
        record.language.map(|language| language.to_string()),
        record.codec.map(|codec| codec.name()),
        record.dialled.as_ref().map(|dialled| &dialled.trunk),
        signed(record.turns().len() as u64),
        record.turns_left_out(),
        json(&Figures::of(record)),
    ];
    transaction.query_row(sql, row, |row| row.get(0))
}

fn turn(
    transaction: &Transaction<'_>,
    manner: Manner,
    (of_call, number): (i64, usize),
    turn: &Turn,
) -> rusqlite::Result<()> {
    let kept = |words: &Private<String>| match manner.transcripts {
        true => words.reveal().clone(),
        false => String::new(),
    };
    let sql = "INSERT INTO turns (of_call, number, caller, reply, heard_at_ms, gap_ms, times, interrupted) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let row = params![
        of_call,
        signed(number as u64),
        kept(&turn.caller_text),
        kept(&turn.reply_text),
        signed(turn.heard_at_ms),
        turn.gap_ms,
        json(&Times::of(turn)),
        turn.interrupted,
    ];
    transaction.execute(sql, row).map(drop)
}

/// A message, also one of a call that is not known.
pub fn message(
    transaction: &Transaction<'_>,
    of_call: Option<i64>,
    left: &Left,
) -> rusqlite::Result<()> {
    let shown = |part: &Option<Private<String>>| part.as_ref().map(|part| part.reveal().clone());
    let message = &left.message;
    let fields = message.fields.iter().map(|(name, value)| (name, value.reveal()));
    let fields: std::collections::BTreeMap<_, _> = fields.collect();
    let number = shown(&message.number);
    let sql = "INSERT INTO messages (of_call, left_at_ms, topic, name, number, called_back_at, text, fields, \
                   sound_ms, transcript, sound_ordinal) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let row = params![
        of_call,
        signed(left.unix_ms),
        message.topic,
        shown(&message.name),
        number,
        number.as_deref().map(number::key),
        shown(&message.text),
        json(&fields),
        left.sound.map(|sound| signed(sound.ms)),
        left.sound.map(|_| voicemail::WAITING),
        left.sound.map(|sound| sound.ordinal),
    ];
    transaction.execute(sql, row)?;
    count(transaction, "messages", 1)
}

/// Makes the words of a call findable as they are now.
pub fn index(transaction: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM words WHERE rowid = ?1", [id])?;
    let sql = "INSERT INTO words (rowid, peer, said, left_behind) SELECT id, peer, \
                   (SELECT group_concat(caller || ' ' || reply, ' ') FROM turns WHERE of_call = id), \
                   (SELECT group_concat(concat_ws(' ', topic, name, number, text, fields), ' ') \
                    FROM messages WHERE of_call = calls.id) \
               FROM calls WHERE id = ?1";
    transaction.execute(sql, [id]).map(drop)
}

fn count_ended(transaction: &Transaction<'_>, record: &CallRecord) -> rusqlite::Result<()> {
    count(transaction, &format!("calls.{}", direction(record.direction)), 1)?;
    let Progress::Ended { answered_at_ms, ended_at_ms, ending } = record.progress else {
        return Ok(());
    };
    count(transaction, &format!("endings.{}", ending.cause.wording().name), 1)?;
    let Some(answered_at_ms) = answered_at_ms else { return Ok(()) };
    count(transaction, "calls.answered", 1)?;
    count(transaction, "turns", signed(record.turns().len() as u64))?;
    count(transaction, "talk_ms", signed(ended_at_ms.saturating_sub(answered_at_ms)))
}

const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

/// Numbers, texts, lists and maps with texts as keys always have one; a float that is no number is null.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
