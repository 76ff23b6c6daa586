//! The thread that writes: many changes in one transaction, and again what failed.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, ErrorCode, Transaction, params};
use tokio::sync::oneshot;

use super::import::ImportError;
use super::schema::{self, Look, SchemaError};
use super::write::{self, Change, Manner};
use super::{Calendar, Erased, FILE, Report, Settings, Unavailable, erase, import, signed};
use crate::base::{Private, limits};
use crate::store::{recordings, restored, whole};

/// Changes in one transaction: each has a sync of the disk.
const BATCH: usize = 256;
/// What failed is tried again after the first, then twice as long up to the second.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_MOST: Duration = Duration::from_secs(30);
/// How often what is old is looked for, and how much of it goes at once: a call that waits to be written waits for it.
const TEND: Duration = Duration::from_secs(60);
const TEND_CALLS: u32 = 500;
/// Damaged databases that are kept.
const KEPT_ASIDE: usize = 3;
/// For so long the database of before a backup can come back where calls are kept for ever.
const BEFORE_DAYS: u32 = 30;
const DAY_MS: u64 = 24 * 3_600_000;

type Told<T> = oneshot::Sender<Result<T, Unavailable>>;

/// What the thread is asked for.
#[derive(Debug)]
pub enum Order {
    Change(Change),
    Erase {
        number: Private<String>,
        told: Told<Erased>,
    },
    Mark {
        id: i64,
        read_at_ms: Option<u64>,
        told: Told<bool>,
    },
    Flush {
        told: Told<()>,
    },
    Work(Work),
    /// The reader has found damage.
    Look,
    Stop,
}

/// A change that whoever wants it has written.
pub struct Work(Box<dyn FnOnce(&mut Writer) + Send>);

impl Work {
    pub fn of<T: Send + 'static>(
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
        told: Told<T>,
    ) -> Self {
        Self(Box::new(move |writer| {
            let done = writer.at_once(|transaction| Ok(work(transaction)?));
            // Whoever asked may have gone.
            let _ = told.send(done);
        }))
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Work")
    }
}

/// See the module.
pub struct Writer {
    settings: Settings,
    path: PathBuf,
    open: Option<Connection>,
    /// Of the present database; `None` until this start is counted in it.
    run: Option<i64>,
    look: Look,
    waiting: VecDeque<Change>,
    batch: usize,
    failures: u32,
    /// Since the last success.
    has_set_aside: bool,
    again_at: Option<Instant>,
    tend_at: Option<Instant>,
    calendar: Calendar,
    report: Report,
    told: Option<Report>,
    generation: Arc<AtomicU64>,
    generations: u64,
    refused: Arc<AtomicU64>,
    lost: u64,
    tell: Box<dyn Fn(Report) + Send>,
}

impl Writer {
    pub fn new(
        settings: Settings,
        generation: Arc<AtomicU64>,
        refused: Arc<AtomicU64>,
        tell: Box<dyn Fn(Report) + Send>,
    ) -> Self {
        let path = settings.folder.join(FILE);
        Self {
            settings,
            path,
            open: None,
            run: None,
            look: Look::Whole,
            waiting: VecDeque::new(),
            batch: BATCH,
            failures: 0,
            has_set_aside: false,
            again_at: None,
            tend_at: None,
            calendar: Calendar::default(),
            report: Report::default(),
            told: None,
            generation,
            generations: 0,
            refused,
            lost: 0,
            tell,
        }
    }

    pub fn run(&mut self, orders: &Receiver<Order>) {
        loop {
            let now = Instant::now();
            self.work(now);
            // What is old waits as long as nothing can be written.
            let tend_at = self.tend_at.filter(|_| self.open.is_some());
            let due = [self.again_at, tend_at].into_iter().flatten().min();
            let wait = due.map_or(TEND, |at| at.saturating_duration_since(Instant::now()));
            let first = match orders.recv_timeout(wait) {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(Order::Stop),
            };
            let rest = std::iter::from_fn(|| orders.try_recv().ok()).take(BATCH);
            for order in first.into_iter().chain(rest) {
                if matches!(order, Order::Stop) {
                    return self.finish();
                }
                self.take(order);
            }
        }
    }

    /// The last attempt.
    fn finish(&mut self) {
        self.again_at = None;
        self.work(Instant::now());
        if !self.waiting.is_empty() {
            tracing::error!(count = self.waiting.len(), "history: calls and messages are lost");
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Change(change) => self.push(change),
            Order::Look => {
                self.close();
                self.look = Look::Whole;
            }
            Order::Stop => (),
            Order::Flush { told } => {
                self.work(Instant::now());
                let is_done = self.waiting.is_empty() && self.run.is_some();
                let _ = told.send(if is_done { Ok(()) } else { Err(Unavailable) });
            }
            Order::Erase { number, told } => {
                let folder = self.settings.folder.clone();
                let done = self.at_once(|transaction| {
                    let gone = erase::number_of(transaction, &number)?;
                    // Where a file stays, the calls stay, too, and with them who asks knows of it.
                    recordings::forget(&folder, &gone.calls)?;
                    recordings::forget_sounds(&folder, &gone.sounds)?;
                    Ok(gone.erased)
                });
                if done.is_ok() {
                    self.take_in();
                }
                if done.is_ok() && !super::number_key(number.reveal()).is_empty() {
                    self.forget_set_aside();
                }
                let _ = told.send(done);
            }
            Order::Work(Work(work)) => work(self),
            Order::Mark { id, read_at_ms, told } => {
                let done = self.at_once(|transaction| Ok(mark(transaction, id, read_at_ms)?));
                let _ = told.send(done);
            }
        }
    }

    /// The newest of a call has all that those before it have.
    fn push(&mut self, change: Change) {
        if let Change::Call(record) = &change {
            let same = |known: &&mut Change| matches!(known, Change::Call(r) if r.id == record.id);
            if let Some(known) = self.waiting.iter_mut().rev().find(same) {
                *known = change;
                return;
            }
        }
        if self.waiting.len() >= limits::HISTORY_WAITING {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(change);
    }

    /// Writes what waits, if it is time, and tells how it went.
    fn work(&mut self, now: Instant) {
        if self.again_at.is_none_or(|at| at <= now) {
            self.again_at = None;
            while let Err(error) = self.write_all(now) {
                if !self.failed(now, &error) {
                    break;
                }
            }
        }
        self.show();
    }

    fn write_all(&mut self, now: Instant) -> Result<(), SchemaError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.open_database(now)?,
        };
        let manner = Manner { run: self.run.unwrap_or(0), transcripts: self.settings.transcripts };
        while !self.waiting.is_empty() {
            let count = self.waiting.len().min(self.batch);
            let transaction = open.transaction()?;
            for change in self.waiting.iter().take(count) {
                change.write(&transaction, manner)?;
            }
            transaction.commit()?;
            self.waiting.drain(..count);
            self.batch = BATCH;
        }
        self.tend(now, &mut open)?;
        self.open = Some(open);
        self.failures = 0;
        self.has_set_aside = false;
        self.report.fault = None;
        self.report.is_open = true;
        Ok(())
    }

    fn open_database(&mut self, now: Instant) -> Result<Connection, SchemaError> {
        std::fs::create_dir_all(&self.settings.folder)?;
        let mut open = schema::open(&self.path, self.look)?;
        self.look = Look::Head;
        if self.run.is_none() {
            let transaction = open.transaction()?;
            let sql = "SELECT max(started_at_ms) FROM calls";
            let newest: Option<i64> = transaction.query_row(sql, [], |row| row.get(0))?;
            let run = write::begin_run(&transaction, unix_ms())?;
            transaction.commit()?;
            self.calendar.known(now, unix_ms(), newest.map(super::unsigned));
            self.run = Some(run);
        }
        self.take_over(&mut open)?;
        self.generations += 1;
        self.generation.store(self.generations, Ordering::Release);
        Ok(open)
    }

    /// Messages of versions before.
    fn take_over(&mut self, open: &mut Connection) -> Result<(), SchemaError> {
        self.report.not_taken_over = None;
        for name in import::FILES {
            let path = self.settings.folder.join(name);
            let transaction = open.transaction()?;
            let imported = match import::file(&transaction, &path) {
                Ok(imported) => imported,
                Err(ImportError::Database(error)) => return Err(error.into()),
                // Of what comes now nothing waits for it.
                Err(ImportError::Unreadable(error)) => {
                    tracing::error!(file = name, %error, "history: messages of an older version cannot be read");
                    self.report.not_taken_over = Some(name);
                    continue;
                }
            };
            transaction.commit()?;
            if let Some(imported) = imported {
                tracing::info!(
                    file = name,
                    messages = imported.messages,
                    unreadable = imported.unreadable,
                    "history: messages of an older version are taken over"
                );
                if let Err(error) = import::is_over(open, &path, imported) {
                    tracing::warn!(file = name, %error, "history: it cannot be deleted");
                }
            }
        }
        Ok(())
    }

    /// Forgets what is old.
    fn tend(&mut self, now: Instant, open: &mut Connection) -> Result<(), SchemaError> {
        if self.tend_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        let wall_ms = self.calendar.look(now, unix_ms());
        let before_ms = wall_ms
            .zip(self.settings.days)
            .map(|(wall_ms, days)| wall_ms.saturating_sub(u64::from(days).saturating_mul(DAY_MS)));
        if let Some(wall_ms) = wall_ms {
            let days = u64::from(self.settings.days.unwrap_or(BEFORE_DAYS));
            let since = wall_ms.saturating_sub(days.saturating_mul(DAY_MS));
            restored::forget_before_of(
                &self.settings.folder,
                UNIX_EPOCH + Duration::from_millis(since),
            )?;
        }
        let transaction = open.transaction()?;
        let gone = erase::old(&transaction, before_ms, self.settings.most_calls, TEND_CALLS)?;
        recordings::forget(&self.settings.folder, &gone)?;
        transaction.commit()?;
        // More of it goes at once, after what has come meanwhile.
        let is_all = gone.len() < TEND_CALLS as usize;
        self.tend_at = Some(if is_all { now + TEND } else { now });
        Ok(())
    }

    /// What somebody waits for is not tried again.
    fn at_once<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, SchemaError>,
    ) -> Result<T, Unavailable> {
        // In its order: what was before it is written before it.
        self.work(Instant::now());
        let open = self.open.as_mut().ok_or(Unavailable)?;
        let outcome = committed(open, work);
        outcome.map_err(|error| {
            self.failed(Instant::now(), &error);
            self.show();
            Unavailable
        })
    }

    /// What was deleted is not left in the log beside the database either.
    fn take_in(&mut self) {
        if let Some(open) = &self.open {
            // A reader that is at work puts it off until the next time.
            let _ = open.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }

    /// Nobody can say whose calls are in there: they go whole.
    fn forget_set_aside(&mut self) {
        forget_aside(&self.path, 0);
        let folder = &self.settings.folder;
        let before = restored::forget_before(folder);
        if let Err(error) = before.and_then(|()| whole::remove(&folder.join(restored::COPY))) {
            tracing::error!(%error, "history: the database of before a backup cannot be deleted");
        }
        self.report.set_aside = None;
        for name in import::FILES {
            // Lines that made no sense.
            let path = self.settings.folder.join(name).with_extension("unreadable");
            let _ = std::fs::remove_file(path);
        }
        self.show();
    }

    /// What is there can still be read.
    fn close(&mut self) {
        self.open = None;
        self.report.is_open = false;
    }

    /// True: it is tried again at once.
    fn failed(&mut self, now: Instant, error: &SchemaError) -> bool {
        self.close();
        let was_ours = self.run.is_some();
        let is_damage = if was_ours { error.is_damage_of_ours() } else { error.is_damage() };
        if is_damage && !std::mem::replace(&mut self.has_set_aside, true) {
            return self.set_aside(error);
        }
        if is_of_the_change(error) && !self.waiting.is_empty() {
            // Of many one does not go in: each is tried alone, and that one is left out.
            if std::mem::replace(&mut self.batch, 1) == 1 {
                self.waiting.pop_front();
                self.lost += 1;
                tracing::error!(%error, "history: one entry cannot be written and is lost");
            }
            return true;
        }
        let fault = error.to_string();
        if self.report.fault.as_ref() != Some(&fault) {
            tracing::error!(file = FILE, fault, "history: not written; it is tried again");
        }
        self.report.fault = Some(fault);
        let wait = AGAIN.saturating_mul(1 << self.failures.min(6)).min(AGAIN_MOST);
        self.failures += 1;
        self.again_at = Some(now + wait);
        false
    }

    /// Keeps the damaged database under another name; true: a new one can be begun.
    fn set_aside(&mut self, error: &SchemaError) -> bool {
        self.generation.store(0, Ordering::Release);
        let aside = super::aside(&self.path, unix_ms());
        if let Err(fault) = rename_all(&self.path, &aside) {
            tracing::error!(%error, %fault, "history: the database is damaged and cannot be moved");
            return true;
        }
        let name = aside.file_name().unwrap_or_default().to_string_lossy().into_owned();
        tracing::error!(%error, kept_as = name, "history: the database was damaged; a new one is begun");
        self.report.set_aside = Some(name);
        self.run = None;
        self.look = Look::Whole;
        forget_aside(&self.path, KEPT_ASIDE);
        true
    }

    fn show(&mut self) {
        self.report.waiting = self.waiting.len();
        self.report.lost = self.lost + self.refused.load(Ordering::Relaxed);
        if self.told.as_ref() != Some(&self.report) {
            self.told = Some(self.report.clone());
            (self.tell)(self.report.clone());
        }
    }
}

fn committed<T>(
    open: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, SchemaError>,
) -> Result<T, SchemaError> {
    let transaction = open.transaction()?;
    let outcome = work(&transaction)?;
    transaction.commit()?;
    Ok(outcome)
}

fn mark(transaction: &Transaction<'_>, id: i64, read_at_ms: Option<u64>) -> rusqlite::Result<bool> {
    // One that was read stays so since then.
    let sql = "UPDATE messages SET read_at_ms = CASE WHEN ?2 IS NULL THEN NULL \
               ELSE coalesce(read_at_ms, ?2) END WHERE id = ?1";
    Ok(transaction.execute(sql, params![id, read_at_ms.map(signed)])? > 0)
}

/// It lies in what is written, and not in disk or rights.
fn is_of_the_change(error: &SchemaError) -> bool {
    let SchemaError::Sqlite(error) = error else { return false };
    match error.sqlite_error_code() {
        Some(code) => matches!(
            code,
            ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig
        ),
        None => true,
    }
}

/// With the files that SQLite has beside it.
fn rename_all(path: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::rename(path, to)?;
    for ending in ["-wal", "-shm"] {
        let beside = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        match std::fs::rename(beside(path), beside(to)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (),
            renamed => renamed?,
        }
    }
    Ok(())
}

/// The newest `kept` of them stay.
fn forget_aside(path: &Path, kept: usize) {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let prefix = format!("{stem}.damaged-");
    let folder = path.parent().unwrap_or(Path::new("."));
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(&prefix)).collect();
    // A name ends with the seconds; those of SQLite's files beside it follow it.
    names.sort();
    let is_database = |name: &&String| !name.ends_with("-wal") && !name.ends_with("-shm");
    let databases: Vec<&String> = names.iter().filter(is_database).collect();
    let gone = databases.len().saturating_sub(kept);
    for database in databases.into_iter().take(gone) {
        for name in names.iter().filter(|name| name.starts_with(database.as_str())) {
            // It takes room until the next time.
            let _ = std::fs::remove_file(folder.join(name));
        }
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
