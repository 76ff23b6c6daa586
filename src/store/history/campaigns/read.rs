//! Campaigns as they are shown, page by page.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Standing;
use crate::base::{Private, limits};
use crate::store::history::unsigned;

/// A campaign with how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    pub id: i64,
    pub name: String,
    pub standing: Standing,
    pub playbook: Option<String>,
    pub trunk: Option<String>,
    pub on_machine: Option<String>,
    /// Calls of one number at most.
    pub attempts: u32,
    pub created_at_ms: u64,
    pub changed_at_ms: u64,
    /// Numbers by their state; those that none is in are left out.
    pub counts: BTreeMap<String, u64>,
}

/// One number of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    pub id: i64,
    pub peer: Private<String>,
    pub state: String,
    pub attempts: u32,
    pub next_at_ms: Option<u64>,
    /// The last call's id in the history.
    pub call: Option<i64>,
    pub last_outcome: Option<String>,
    pub last_at_ms: Option<u64>,
}

/// Which numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    pub campaign: i64,
    /// Only ids above it.
    pub after: i64,
    /// 1 to [`limits::HISTORY_PAGE`].
    pub limit: u32,
}

const CAMPAIGN: &str = "SELECT id, name, state, playbook, trunk, on_machine, attempts, created_at_ms, changed_at_ms \
    FROM campaigns";

/// The newest first, only ids below `before`.
pub fn list(
    connection: &Connection,
    before: Option<i64>,
    limit: u32,
) -> rusqlite::Result<Vec<Campaign>> {
    let sql = format!("{CAMPAIGN} WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
    let row = params![before.unwrap_or(i64::MAX), limit.clamp(1, limits::HISTORY_PAGE)];
    let mut statement = connection.prepare(&sql)?;
    let found: Vec<Campaign> =
        statement.query_map(row, campaign)?.collect::<rusqlite::Result<_>>()?;
    found.into_iter().map(|campaign| counted(connection, campaign)).collect()
}

pub fn one(connection: &Connection, id: i64) -> rusqlite::Result<Option<Campaign>> {
    let sql = format!("{CAMPAIGN} WHERE id = ?1");
    let found = connection.prepare(&sql)?.query_row([id], campaign).optional()?;
    found.map(|campaign| counted(connection, campaign)).transpose()
}

/// In the order in which they were given.
pub fn numbers(connection: &Connection, wanted: Numbers) -> rusqlite::Result<Vec<Number>> {
    let sql = "SELECT id, peer, state, attempts, next_at_ms, \
                   (SELECT id FROM calls WHERE calls.run = campaign_numbers.run AND calls.call = campaign_numbers.call), \
                   last_outcome, last_at_ms FROM campaign_numbers \
               WHERE of_campaign = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    let limit = wanted.limit.clamp(1, limits::HISTORY_PAGE);
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(params![wanted.campaign, wanted.after, limit], |row| {
        Ok(Number {
            id: row.get(0)?,
            peer: Private::new(row.get(1)?),
            state: row.get(2)?,
            attempts: row.get(3)?,
            next_at_ms: row.get::<_, Option<i64>>(4)?.map(unsigned),
            call: row.get(5)?,
            last_outcome: row.get(6)?,
            last_at_ms: row.get::<_, Option<i64>>(7)?.map(unsigned),
        })
    })?;
    rows.collect()
}

fn campaign(row: &Row<'_>) -> rusqlite::Result<Campaign> {
    Ok(Campaign {
        id: row.get(0)?,
        name: row.get(1)?,
        standing: standing(row, 2)?,
        playbook: row.get(3)?,
        trunk: row.get(4)?,
        on_machine: row.get(5)?,
        attempts: row.get(6)?,
        created_at_ms: unsigned(row.get(7)?),
        changed_at_ms: unsigned(row.get(8)?),
        counts: BTreeMap::new(),
    })
}

fn counted(connection: &Connection, campaign: Campaign) -> rusqlite::Result<Campaign> {
    let sql = "SELECT state, count(*) FROM campaign_numbers WHERE of_campaign = ?1 GROUP BY state";
    let mut statement = connection.prepare(sql)?;
    let rows =
        statement.query_map([campaign.id], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?;
    let counts = rows.collect::<rusqlite::Result<_>>()?;
    Ok(Campaign { counts, ..campaign })
}

pub(super) fn standing(row: &Row<'_>, index: usize) -> rusqlite::Result<Standing> {
    let text: String = row.get(index)?;
    Ok(match text.as_str() {
        "running" => Standing::Running,
        "paused" => Standing::Paused,
        "done" => Standing::Done,
        _ => Standing::Cancelled,
    })
}
