//! What is deleted: on request all of a number's, and by age or number what is too much.

use rusqlite::{Transaction, params};

use super::read::named;
use super::voicemail::sound_named;
use super::write::UP;
use super::{campaigns, number, signed, unsigned};
use crate::base::Private;
use crate::store::recordings::Name;

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    pub calls: u64,
    pub messages: u64,
    /// Places in campaigns.
    pub campaign_numbers: u64,
    /// Calls of that number which are up, and stay.
    pub still_up: u64,
}

/// The same, with the names by which other files know it.
#[derive(Debug, Default)]
pub struct Gone {
    pub erased: Erased,
    /// Calls, with all that is of them.
    pub calls: Vec<Name>,
    /// Calls of others, of which the message after the tone goes.
    pub sounds: Vec<Name>,
}

/// Everything of one number: its calls with all that is of them, messages that want it called back, and its places in
/// campaigns. That it is not to be called by any stays.
pub fn number_of(
    transaction: &Transaction<'_>,
    number: &Private<String>,
) -> rusqlite::Result<Gone> {
    let key = number::key(number.reveal());
    if key.is_empty() {
        return Ok(Gone::default());
    }
    let count = |sql: &str| -> rusqlite::Result<u64> {
        let rows: i64 = transaction.query_row(sql, params![key, UP], |row| row.get(0))?;
        Ok(unsigned(rows))
    };
    let still_up = count("SELECT count(*) FROM calls WHERE number = ?1 AND state = ?2")?;
    let messages = count(
        "SELECT count(*) FROM messages LEFT JOIN calls ON calls.id = of_call \
         WHERE called_back_at = ?1 OR (calls.number = ?1 AND calls.state <> ?2)",
    )?;
    // The words of other calls have their messages, too.
    let mut touched = transaction.prepare(
        "SELECT DISTINCT of_call FROM messages WHERE called_back_at = ?1 AND of_call IS NOT NULL",
    )?;
    let touched: Vec<i64> =
        touched.query_map([&key], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut sounds = transaction.prepare(
        "SELECT started_at_ms, call, sound_ordinal FROM messages JOIN calls ON calls.id = of_call \
         WHERE called_back_at = ?1 AND sound_ms IS NOT NULL",
    )?;
    let sounds = sounds.query_map([&key], sound_named)?.collect::<rusqlite::Result<_>>()?;
    transaction.execute("DELETE FROM messages WHERE called_back_at = ?1", [&key])?;
    let names = calls(transaction, "number = ?1 AND state <> ?2", params![key, UP])?;
    for id in &touched {
        super::write::index(transaction, *id)?;
    }
    if !(names.is_empty() && touched.is_empty()) {
        // What is only marked as deleted in the index of words goes when it is written anew.
        transaction.execute("INSERT INTO words (words) VALUES ('optimize')", [])?;
    }
    let campaign_numbers = campaigns::erase(transaction, &key)?;
    let erased = Erased { calls: names.len() as u64, messages, campaign_numbers, still_up };
    Ok(Gone { erased, calls: names, sounds })
}

/// Calls that began before `before_ms`, and the oldest beyond `most`: at most `at_once` of them.
pub fn old(
    transaction: &Transaction<'_>,
    before_ms: Option<u64>,
    most: u64,
    at_once: u32,
) -> rusqlite::Result<Vec<Name>> {
    let before_ms = before_ms.map_or(i64::MIN, signed);
    let condition = "id IN (SELECT id FROM calls WHERE state <> ?2 AND (started_at_ms < ?1 \
                     OR id <= (SELECT id FROM calls ORDER BY id DESC LIMIT 1 OFFSET ?3)) \
                     ORDER BY id LIMIT ?4)";
    let gone = calls(transaction, condition, params![before_ms, UP, signed(most), at_once])?;
    // Those that were taken over from a file have no call to go with.
    let sql = "DELETE FROM messages WHERE of_call IS NULL AND left_at_ms < ?1";
    transaction.execute(sql, [before_ms])?;
    campaigns::old(transaction, before_ms)?;
    Ok(gone)
}

/// Turns and messages go with their call; its words by hand.
fn calls(
    transaction: &Transaction<'_>,
    condition: &str,
    values: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<Vec<Name>> {
    let sql = format!("DELETE FROM words WHERE rowid IN (SELECT id FROM calls WHERE {condition})");
    transaction.execute(&sql, values)?;
    let sql = format!("DELETE FROM calls WHERE {condition} RETURNING started_at_ms, call");
    let mut deleted = transaction.prepare(&sql)?;
    deleted.query_map(values, named)?.collect()
}
