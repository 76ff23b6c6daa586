//! One number on its way: it is taken, its call begins and ends, or none is made.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{finish, is_unwanted};
use crate::base::Private;
use crate::call::Cause;
use crate::call::record::{CallRecord, Progress};
use crate::listen::answered::Verdict;
use crate::store::history::{signed, unsigned};
use crate::trunk::campaign::{After, Outcome, Rules, Tried};

/// What there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Numbers that are being called.
    pub calling: usize,
    /// The number that has waited longest since its time came, by its id.
    pub due: Option<i64>,
    /// When the next one's has.
    pub next_at_ms: Option<u64>,
}

/// A call that is to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The number's id.
    pub number: i64,
    pub peer: Private<String>,
    pub playbook: Option<String>,
    pub trunk: Option<String>,
    pub on_machine: Option<String>,
    pub variables: BTreeMap<String, Private<String>>,
}

/// Of a number that another campaign is calling nothing is due.
const MAY_BE_CALLED: &str = "state = 'waiting' \
    AND EXISTS (SELECT 1 FROM campaigns WHERE campaigns.id = of_campaign AND campaigns.state = 'running') \
    AND NOT EXISTS (SELECT 1 FROM campaign_numbers AS up WHERE up.state = 'calling' AND up.number = campaign_numbers.number)";

pub fn work(connection: &Connection, now_ms: u64) -> rusqlite::Result<Work> {
    let sql = "SELECT count(*) FROM campaign_numbers WHERE state = 'calling'";
    let calling: i64 = connection.prepare(sql)?.query_row([], |row| row.get(0))?;
    let sql = format!(
        "SELECT id, next_at_ms FROM campaign_numbers WHERE {MAY_BE_CALLED} \
         ORDER BY next_at_ms, id LIMIT 1"
    );
    let first = connection
        .prepare(&sql)?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, unsigned(row.get(1)?))));
    let first = first.optional()?;
    Ok(Work {
        calling: usize::try_from(calling).unwrap_or(usize::MAX),
        due: first.filter(|(_, at_ms)| *at_ms <= now_ms).map(|(id, _)| id),
        next_at_ms: first.map(|(_, at_ms)| at_ms).filter(|at_ms| *at_ms > now_ms),
    })
}

/// Takes a number to be called, and counts the attempt; `None`: it may not be called any more.
pub fn claim(
    transaction: &Transaction<'_>,
    now_ms: u64,
    id: i64,
) -> rusqlite::Result<Option<Call>> {
    let sql = "SELECT number FROM campaign_numbers WHERE id = ?1";
    let key: Option<String> = transaction.query_row(sql, [id], |row| row.get(0)).optional()?;
    let Some(key) = key else { return Ok(None) };
    if is_unwanted(transaction, &key)? {
        let sql = "UPDATE campaign_numbers SET state = 'withdrawn', next_at_ms = NULL \
                   WHERE id = ?1 AND state = 'waiting'";
        transaction.execute(sql, [id])?;
        finish(transaction, now_ms)?;
        return Ok(None);
    }
    let sql = format!(
        "UPDATE campaign_numbers SET state = 'calling', attempts = attempts + 1, next_at_ms = NULL, \
             run = NULL, call = NULL WHERE id = ?1 AND next_at_ms <= ?2 AND {MAY_BE_CALLED}"
    );
    if transaction.execute(&sql, params![id, signed(now_ms)])? == 0 {
        return Ok(None);
    }
    let sql = "SELECT peer, playbook, trunk, on_machine, variables FROM campaign_numbers \
               JOIN campaigns ON campaigns.id = of_campaign WHERE campaign_numbers.id = ?1";
    let call = transaction.query_row(sql, [id], |row| {
        let variables: String = row.get(4)?;
        let variables: BTreeMap<String, String> =
            serde_json::from_str(&variables).unwrap_or_default();
        Ok(Call {
            number: id,
            peer: Private::new(row.get(0)?),
            playbook: row.get(1)?,
            trunk: row.get(2)?,
            on_machine: row.get(3)?,
            variables: variables.into_iter().map(|(k, v)| (k, Private::new(v))).collect(),
        })
    })?;
    Ok(Some(call))
}

/// No call was made: it waits for so long and the attempt does not count, or it is over (`None`).
pub fn refused(
    transaction: &Transaction<'_>,
    now_ms: u64,
    (id, again): (i64, Option<Duration>),
) -> rusqlite::Result<()> {
    let sql = "UPDATE campaign_numbers SET attempts = attempts - 1, last_at_ms = ?2, next_at_ms = NULL, \
                   state = 'refused' WHERE id = ?1 AND state = 'calling'";
    let changed = transaction.execute(sql, params![id, signed(now_ms)])?;
    if let (1, Some(again)) = (changed, again) {
        let sql = "UPDATE campaign_numbers SET state = CASE WHEN is_last OR \
                       (SELECT state FROM campaigns WHERE campaigns.id = of_campaign) = 'cancelled' \
                       THEN 'withdrawn' ELSE 'waiting' END WHERE id = ?1";
        transaction.execute(sql, [id])?;
        let sql = "UPDATE campaign_numbers SET next_at_ms = ?2 WHERE id = ?1 AND state = 'waiting'";
        transaction.execute(sql, params![id, later(now_ms, again)])?;
    }
    finish(transaction, now_ms)
}

/// The record of a call of it: it has begun, or has just ended.
pub fn of_call(
    transaction: &Transaction<'_>,
    (run, number): (i64, i64),
    record: &CallRecord,
) -> rusqlite::Result<()> {
    let sql = "UPDATE campaign_numbers SET run = ?2, call = ?3 WHERE id = ?1 AND state = 'calling'";
    transaction.execute(sql, params![number, run, signed(record.id.0)])?;
    match outcome(record) {
        Some((outcome, at_ms)) => is_over(transaction, at_ms, (number, outcome)),
        None => Ok(()),
    }
}

/// At the start of the program nobody is being called: whoever was, was cut off.
pub fn cut_off(transaction: &Transaction<'_>, now_ms: u64) -> rusqlite::Result<()> {
    let sql = "SELECT id FROM campaign_numbers WHERE state = 'calling'";
    let ids: Vec<i64> = transaction
        .prepare(sql)?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    ids.into_iter().try_for_each(|id| is_over(transaction, now_ms, (id, Outcome::CutOff)))
}

fn is_over(
    transaction: &Transaction<'_>,
    now_ms: u64,
    (id, outcome): (i64, Outcome),
) -> rusqlite::Result<()> {
    let ms = |value: i64| Duration::from_millis(unsigned(value));
    let sql = "SELECT campaign_numbers.attempts, was_cut_off, is_last OR state_of = 'cancelled', most, \
                   busy_retry_ms, no_answer_retry_ms, machine_retry_ms, of_campaign FROM campaign_numbers \
               JOIN (SELECT id AS campaign, state AS state_of, attempts AS most, busy_retry_ms, \
                   no_answer_retry_ms, machine_retry_ms FROM campaigns) ON campaign = of_campaign \
               WHERE campaign_numbers.id = ?1 AND state = 'calling'";
    let found = transaction.query_row(sql, [id], |row| {
        let tried = Tried { attempts: row.get(0)?, was_cut_off: row.get(1)?, is_last: row.get(2)? };
        let rules = Rules {
            attempts: row.get(3)?,
            busy: ms(row.get(4)?),
            no_answer: ms(row.get(5)?),
            machine: ms(row.get(6)?),
        };
        Ok((rules.after(tried, outcome), row.get::<_, i64>(7)?))
    });
    // It was deleted meanwhile.
    let Some((after, campaign)) = found.optional()? else { return Ok(()) };
    let (state, next_at_ms) = match after {
        After::Over(state) => (state.name(), None),
        After::Again(wait) => ("waiting", Some(later(now_ms, wait))),
    };
    let sql = "UPDATE campaign_numbers SET state = ?2, next_at_ms = ?3, last_outcome = ?4, last_at_ms = ?5, \
                   was_cut_off = was_cut_off OR ?6 WHERE id = ?1";
    let is_cut_off = outcome == Outcome::CutOff;
    let row = params![id, state, next_at_ms, outcome.name(), signed(now_ms), is_cut_off];
    transaction.execute(sql, row)?;
    let sql = "UPDATE campaigns SET changed_at_ms = ?2 WHERE id = ?1";
    transaction.execute(sql, params![campaign, signed(now_ms)])?;
    finish(transaction, now_ms)
}

fn later(now_ms: u64, wait: Duration) -> i64 {
    let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    signed(now_ms.saturating_add(wait))
}

/// SIP: temporarily unavailable, which is what a telephone that is off or away has.
const AWAY: u16 = 480;

/// What the call came to, and when; `None`: it has not ended.
pub(super) fn outcome(record: &CallRecord) -> Option<(Outcome, u64)> {
    let Progress::Ended { answered_at_ms, ended_at_ms, ending } = record.progress else {
        return None;
    };
    let is_machine = record.answered_by == Some(Verdict::Machine);
    let outcome = match (ending.cause, answered_at_ms) {
        (Cause::ShuttingDown, _) => Outcome::CutOff,
        (Cause::NoPerson, _) => Outcome::Machine,
        (_, Some(_)) if is_machine => Outcome::MessageLeft,
        (_, Some(_)) => Outcome::Reached,
        (Cause::CalleeBusy, None) => Outcome::Busy,
        (Cause::NoAnswer | Cause::Refused(AWAY), None) => Outcome::NoAnswer,
        // The number's own switch has something against it; above 500 ours, or the way there, has a fault.
        (Cause::Refused(status), None) if !(500..600).contains(&status) => Outcome::Refused,
        (Cause::Redirected | Cause::TakenElsewhere, None) => Outcome::Refused,
        (Cause::EndedByOwner, None) => Outcome::Withdrawn,
        (_, None) => Outcome::Failed,
    };
    Some((outcome, ended_at_ms))
}
