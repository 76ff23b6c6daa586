//! Campaigns in the database: what is to be called, how far each number is, and who is never called.
//!
//! ```text
//!  web ─ create, control ─▶ campaigns, campaign_numbers ◀─ claim ─ before a call is asked for
//!                                     ▲
//!                                     └─ the call's own record, in the transaction that writes it
//! ```
//!
//! Invariants: a number is `calling` on the disk before a call of it is asked for, so no two are at once, whatever ends the
//! program; and it leaves that state with the record of its call, so no end is seen without the other. Each function
//! belongs to a transaction of the writer's, but those of `read`.

mod calling;
mod read;

#[cfg(test)]
mod tests;

use rusqlite::{OptionalExtension, Transaction, params};

use super::{number, signed};
use crate::base::{Private, limits};
use crate::converse::Variables;
use crate::trunk::campaign::{Rules, State};
pub use calling::{Call, Work, claim, refused, work};
pub(super) use calling::{cut_off, of_call};
pub use read::{Campaign, Number, Numbers, list, numbers, one};

/// A campaign that is wanted.
#[derive(Clone, Debug)]
pub struct New {
    pub name: String,
    pub playbook: Option<String>,
    pub trunk: Option<String>,
    /// As the API names it.
    pub on_machine: Option<String>,
    pub variables: Variables,
    pub rules: Rules,
    pub numbers: Vec<NewNumber>,
}

/// One number of it.
#[derive(Clone, Debug)]
pub struct NewNumber {
    /// As it is called, or as it was given where it cannot be.
    pub number: Private<String>,
    pub is_allowed: bool,
}

/// Where a campaign is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Running,
    Paused,
    /// Every number has come to something.
    Done,
    Cancelled,
}

impl Standing {
    /// One word for database and API, stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What the owner wants of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Pause,
    Resume,
    /// What waits is not called any more; calls that are up go on.
    Cancel,
}

/// Puts a campaign there; `None`: there is no room for another one that is not over.
pub fn create(
    transaction: &Transaction<'_>,
    now_ms: u64,
    new: &New,
) -> rusqlite::Result<Option<i64>> {
    let sql = "DELETE FROM campaigns WHERE state IN ('done', 'cancelled') AND id <= \
               (SELECT id FROM campaigns ORDER BY id DESC LIMIT 1 OFFSET ?1) \
               AND NOT EXISTS (SELECT 1 FROM campaign_numbers WHERE of_campaign = campaigns.id AND state = 'calling')";
    transaction.execute(sql, [limits::CAMPAIGNS - 1])?;
    let count: u32 =
        transaction.query_row("SELECT count(*) FROM campaigns", [], |row| row.get(0))?;
    if count >= limits::CAMPAIGNS {
        return Ok(None);
    }
    let variables = new.variables.iter().map(|(name, value)| (name, value.reveal()));
    let variables: std::collections::BTreeMap<_, _> = variables.collect();
    let ms = |wait: std::time::Duration| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
    let sql = "INSERT INTO campaigns (name, playbook, trunk, on_machine, variables, state, attempts, \
                   busy_retry_ms, no_answer_retry_ms, machine_retry_ms, created_at_ms, changed_at_ms) \
               VALUES (?1, ?2, ?3, ?4, ?5, 'running', ?6, ?7, ?8, ?9, ?10, ?10) RETURNING id";
    let row = params![
        new.name,
        new.playbook,
        new.trunk,
        new.on_machine,
        // Texts only.
        serde_json::to_string(&variables).unwrap_or_default(),
        new.rules.attempts,
        ms(new.rules.busy),
        ms(new.rules.no_answer),
        ms(new.rules.machine),
        signed(now_ms),
    ];
    let id = transaction.query_row(sql, row, |row| row.get(0))?;
    fill(transaction, (id, now_ms), &new.numbers)?;
    finish(transaction, now_ms)?;
    Ok(Some(id))
}

/// Each number once, however it is written.
fn fill(
    transaction: &Transaction<'_>,
    (campaign, now_ms): (i64, u64),
    numbers: &[NewNumber],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare(
        "INSERT INTO campaign_numbers (of_campaign, peer, number, state, next_at_ms) \
         VALUES (?1, ?2, ?3, ?4, CASE ?4 WHEN 'waiting' THEN ?5 END) ON CONFLICT DO NOTHING",
    )?;
    for NewNumber { number, is_allowed } in numbers {
        let key = number::key(number.reveal());
        let state = match is_allowed {
            false => State::Refused,
            true if is_unwanted(transaction, &key)? => State::Withdrawn,
            true => State::Waiting,
        };
        let row = params![campaign, number.reveal(), key, state.name(), signed(now_ms)];
        insert.execute(row)?;
    }
    Ok(())
}

/// Where it is afterwards, and whether that is what was wanted; `None`: there is no such campaign.
pub fn control(
    transaction: &Transaction<'_>,
    now_ms: u64,
    (id, wish): (i64, Wish),
) -> rusqlite::Result<Option<(Standing, bool)>> {
    let sql = "SELECT state FROM campaigns WHERE id = ?1";
    let state = transaction.query_row(sql, [id], |row| read::standing(row, 0)).optional()?;
    let Some(state) = state else { return Ok(None) };
    let wanted = match wish {
        Wish::Pause => Standing::Paused,
        Wish::Resume => Standing::Running,
        Wish::Cancel => Standing::Cancelled,
    };
    if state == wanted {
        return Ok(Some((state, true)));
    }
    if !matches!(state, Standing::Running | Standing::Paused) {
        return Ok(Some((state, false)));
    }
    let sql = "UPDATE campaigns SET state = ?2, changed_at_ms = ?3 WHERE id = ?1";
    transaction.execute(sql, params![id, wanted.name(), signed(now_ms)])?;
    if wish == Wish::Cancel {
        let sql = "UPDATE campaign_numbers SET state = 'withdrawn', next_at_ms = NULL \
                   WHERE of_campaign = ?1 AND state = 'waiting'";
        transaction.execute(sql, [id])?;
    }
    finish(transaction, now_ms)?;
    Ok(Some((wanted, true)))
}

const NOTHING_LEFT: &str = "WHERE state = 'running' AND NOT EXISTS (SELECT 1 FROM campaign_numbers \
    WHERE of_campaign = campaigns.id AND campaign_numbers.state IN ('waiting', 'calling'))";

/// A campaign is done when nothing in it waits or is up.
fn finish(transaction: &Transaction<'_>, now_ms: u64) -> rusqlite::Result<()> {
    let sql = format!("UPDATE campaigns SET state = 'done', changed_at_ms = ?1 {NOTHING_LEFT}");
    transaction.execute(&sql, [signed(now_ms)]).map(drop)
}

/// No campaign calls this number any more; false: there is no room for it.
pub fn leave_alone(
    transaction: &Transaction<'_>,
    now_ms: u64,
    number: &Private<String>,
) -> rusqlite::Result<bool> {
    let key = number::key(number.reveal());
    let count: u32 =
        transaction.query_row("SELECT count(*) FROM do_not_call", [], |row| row.get(0))?;
    if count >= limits::DO_NOT_CALL && !is_unwanted(transaction, &key)? {
        return Ok(false);
    }
    let sql =
        "INSERT INTO do_not_call (number, added_at_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    transaction.execute(sql, params![key, signed(now_ms)])?;
    let sql = "UPDATE campaign_numbers SET state = 'withdrawn', next_at_ms = NULL \
               WHERE number = ?1 AND state = 'waiting'";
    transaction.execute(sql, [&key])?;
    is_last(transaction, &key)?;
    finish(transaction, now_ms)?;
    Ok(true)
}

/// It may be called again by campaigns that are made from now on; false: it was not among those.
pub fn allow_again(
    transaction: &Transaction<'_>,
    number: &Private<String>,
) -> rusqlite::Result<bool> {
    let sql = "DELETE FROM do_not_call WHERE number = ?1";
    Ok(transaction.execute(sql, [number::key(number.reveal())])? > 0)
}

fn is_unwanted(transaction: &Transaction<'_>, key: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM do_not_call WHERE number = ?1)";
    transaction.prepare(sql)?.query_row([key], |row| row.get(0))
}

/// A call that is up goes on, and is not followed by another.
fn is_last(transaction: &Transaction<'_>, key: &str) -> rusqlite::Result<()> {
    let sql = "UPDATE campaign_numbers SET is_last = 1 WHERE number = ?1 AND state = 'calling'";
    transaction.execute(sql, [key]).map(drop)
}

/// Takes a number out of every campaign, by what it is known by; how often it was there. Where it is being called it
/// stays until it is asked for again, as its call does.
pub(super) fn erase(transaction: &Transaction<'_>, key: &str) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM campaign_numbers WHERE number = ?1 AND state <> 'calling'";
    let gone = transaction.execute(sql, [key])?;
    is_last(transaction, key)?;
    transaction.execute(&format!("UPDATE campaigns SET state = 'done' {NOTHING_LEFT}"), [])?;
    Ok(gone as u64)
}

/// Campaigns in which nothing has happened since then go with their numbers, whatever still waits.
pub(super) fn old(transaction: &Transaction<'_>, before_ms: i64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM campaigns WHERE changed_at_ms < ?1 AND NOT EXISTS \
               (SELECT 1 FROM campaign_numbers WHERE of_campaign = campaigns.id AND state = 'calling')";
    transaction.execute(sql, [before_ms]).map(drop)
}
