//! What is remembered of calls for good: who, when, what was said, and what callers left, in a database (SQLite).
//!
//! ```text
//!  net thread ─ Board::update_call ─▶ History::note ─ bounded ─▶ writer ─ one transaction ─▶ history.db
//!  web thread ─ ask ─ bounded ─▶ reader ─ beside the writer (WAL) ─▶ history.db
//!             ─ erase, mark, change ─ bounded ─▶ writer
//! ```
//!
//! Two threads of its own: nobody else waits for the disk. A call is written when it begins and when it has ended, each commit
//! is on the disk before it counts as done; so whatever ends the program, the calls that had ended are there, and one that was up
//! shows as cut off.
//!
//! What cannot be written waits, up to `limits::HISTORY_WAITING`, and is tried again: a full disk loses nothing as long as
//! the program runs. A database that is damaged is set aside whole, and a new one begun. Both is told to whoever shows it.

// Threads of its own: they ask for the time themselves.
#![allow(clippy::disallowed_methods)]

mod calendar;
pub mod campaigns;
mod erase;
mod figures;
mod import;
mod number;
mod read;
mod reader;
mod schema;
mod voicemail;
mod write;
mod writer;

#[cfg(test)]
pub mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, Transaction};
use tokio::sync::oneshot;

use crate::base::{CallId, Private, limits};
use crate::call::record::CallRecord;
use crate::converse;
pub use calendar::Calendar;
pub use erase::Erased;
pub use figures::{Figures, Times};
pub use number::key as number_key;
pub use read::{
    Call, Message, MessagePage, MessageSound, Page, State, Turn, Whole, calls, counters, messages,
    name, one_message, whole,
};
use reader::Question;
pub use schema::SchemaError;
pub use voicemail::{Transcript, Unheard, has_sound, message_name, unheard};
use write::Change;
use writer::{Order, Work, Writer};

/// The database's name in the state folder.
const FILE: &str = "history.db";
/// How long one of the two threads waits for the other.
const PATIENCE: Duration = Duration::from_secs(5);
/// The log beside the database is cut to this after it was taken in.
const WAL_BYTES: i64 = 8 * 1024 * 1024;

/// What is kept, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The state folder.
    pub folder: PathBuf,
    /// What was said, and not only that it was.
    pub transcripts: bool,
    /// `None`: for ever.
    pub days: Option<u32>,
    /// The oldest go beyond it.
    pub most_calls: u64,
}

/// A message with where it came from.
#[derive(Clone, Debug)]
pub struct Left {
    pub call: CallId,
    pub unix_ms: u64,
    pub message: converse::Message,
    /// Of a message after the tone.
    pub sound: Option<Sound>,
}

/// The caller's own voice, in a file that is named as the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    /// When the call began.
    pub started_at_ms: u64,
    /// Which of the call's.
    pub ordinal: u16,
    pub ms: u64,
}

/// How the database is, for the owner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its file was read through and it takes calls.
    pub is_open: bool,
    /// Why nothing can be written at present.
    pub fault: Option<String>,
    /// A file of messages of an older version that is there and cannot be read.
    pub not_taken_over: Option<&'static str>,
    /// A damaged database was set aside under this name.
    pub set_aside: Option<String>,
    /// Calls and messages that wait to be written.
    pub waiting: usize,
    /// Calls and messages for which there was no room, or which could not be written.
    pub lost: u64,
}

impl Report {
    /// What is wrong, as sentences.
    pub fn sentences(&self) -> Vec<String> {
        let fault = self.fault.as_ref().map(|fault| {
            format!("history: calls and messages are not written to the disk: {fault}; they wait in memory")
        });
        let set_aside = self.set_aside.as_ref().map(|name| {
            format!(
                "history: the database was damaged; it is kept as {name}, and a new one was begun"
            )
        });
        let not_taken_over = self
            .not_taken_over
            .map(|name| format!("history: the messages in {name} cannot be read; the file stays"));
        let lost = (self.lost > 0).then(|| "history: calls or messages are lost".to_owned());
        [fault, set_aside, not_taken_over, lost].into_iter().flatten().collect()
    }
}

/// Nothing can be read or changed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database cannot be used now")]
pub struct Unavailable;

/// The database, as others use it. Nothing here waits for the disk but what is awaited.
#[derive(Clone)]
pub struct History {
    orders: SyncSender<Order>,
    questions: SyncSender<Question>,
    /// What found the queue full.
    lost: Arc<AtomicU64>,
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("History")
    }
}

/// The two threads; they finish what waits when this is dropped.
#[derive(Debug)]
pub struct HistoryThreads {
    history: History,
    threads: Vec<JoinHandle<()>>,
}

impl HistoryThreads {
    /// `tell` is called on the writing thread with how it is, after each change.
    ///
    /// # Errors
    /// There are no threads to be had.
    pub fn start(settings: Settings, tell: impl Fn(Report) + Send + 'static) -> io::Result<Self> {
        let (orders, ordered): (_, Receiver<Order>) = sync_channel(limits::HISTORY_QUEUE);
        let (questions, asked) = sync_channel(limits::HISTORY_QUESTIONS);
        let generation = Arc::new(AtomicU64::new(0));
        let lost = Arc::new(AtomicU64::new(0));
        let path = settings.folder.join(FILE);
        let reader = reader::Reader::new(path, Arc::clone(&generation), orders.clone());
        let mut writer = Writer::new(settings, generation, Arc::clone(&lost), Box::new(tell));
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run)
        };
        let threads = vec![
            spawn("history", Box::new(move || writer.run(&ordered)))?,
            spawn("history-reader", Box::new(move || reader.run(&asked)))?,
        ];
        Ok(Self { history: History { orders, questions, lost }, threads })
    }

    pub fn history(&self) -> History {
        self.history.clone()
    }
}

impl Drop for HistoryThreads {
    fn drop(&mut self) {
        // One that is gone has told why when it went.
        let _ = self.history.orders.send(Order::Stop);
        let _ = self.history.questions.send(Question::Stop);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl History {
    /// One without a database: nothing is kept, and nothing can be read.
    pub fn closed() -> Self {
        let (orders, questions) = (sync_channel(1).0, sync_channel(1).0);
        Self { orders, questions, lost: Arc::default() }
    }

    /// A call as it is now, and as it was before. What is in between its begin and its end is written with the end.
    pub fn note(&self, before: Option<&CallRecord>, now: &Arc<CallRecord>) {
        let is_new = before.is_none();
        let is_answered = |record: &CallRecord| record.progress.answered_at_ms().is_some();
        let is_answered_now = is_answered(now) && !before.is_some_and(is_answered);
        if is_new || is_answered_now || now.progress.is_ended() {
            self.order(Order::Change(Change::Call(Arc::clone(now))));
        }
    }

    /// A message that a caller has left.
    pub fn leave(&self, left: Left) {
        self.order(Order::Change(Change::Message(Arc::new(left))));
    }

    /// What became of the words of a message after the tone.
    pub fn transcribed(&self, message: i64, transcript: Transcript) {
        self.order(Order::Change(Change::Transcript { message, transcript }));
    }

    fn order(&self, order: Order) {
        if let Err(TrySendError::Full(_)) = self.orders.try_send(order) {
            self.lost.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Has the reader answer. At most `limits::HISTORY_QUESTIONS` wait.
    ///
    /// # Errors
    /// The database is not open, or too much waits.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        let (told, answer) = oneshot::channel();
        let question = Question::of(question, told);
        self.questions.try_send(question).map_err(|_| Unavailable)?;
        answer.await.unwrap_or(Err(Unavailable))
    }

    /// Deletes everything of a number.
    ///
    /// # Errors
    /// It is not deleted: the database cannot be written now.
    pub async fn erase(&self, number: Private<String>) -> Result<Erased, Unavailable> {
        self.awaited(|told| Order::Erase { number, told }).await
    }

    /// Marks a message as read at this moment, or as not read; false: there is none.
    ///
    /// # Errors
    /// It is not marked: the database cannot be written now.
    pub async fn mark(&self, id: i64, read_at_ms: Option<u64>) -> Result<bool, Unavailable> {
        self.awaited(|told| Order::Mark { id, read_at_ms, told }).await
    }

    /// Has the writer change something, whole or not at all.
    ///
    /// # Errors
    /// It is not changed: the database cannot be written now.
    pub async fn change<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Unavailable> {
        self.awaited(|told| Order::Work(Work::of(work, told))).await
    }

    async fn awaited<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, Unavailable>>) -> Order,
    ) -> Result<T, Unavailable> {
        let (told, answer) = oneshot::channel();
        self.orders.try_send(order(told)).map_err(|_| Unavailable)?;
        answer.await.unwrap_or(Err(Unavailable))
    }

    /// Waits until everything before this is on the disk; false: it is not.
    pub async fn flushed(&self) -> bool {
        self.awaited(|told| Order::Flush { told }).await.is_ok()
    }
}

/// A copy of a state folder's database as it is at this moment, made into a file that is not there or empty. By a connection of
/// its own: nobody who reads waits for it.
pub fn copy(folder: &Path, path: &Path) -> rusqlite::Result<()> {
    copy_to(&schema::open_to_read(&folder.join(FILE))?, path)
}

fn copy_to(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    connection.execute("VACUUM INTO ?1", [path.to_string_lossy().into_owned()]).map(drop)
}

/// Whether a file is a whole database of ours that this version can use.
///
/// # Errors
/// What is wrong with it.
pub fn check(path: &Path) -> Result<(), SchemaError> {
    schema::check_copy(path)
}

/// Has the campaigns of a backup's database wait for the owner: since it was made others may have been called, and nobody is to
/// be called for what an old copy knows.
///
/// # Errors
/// It is as it was.
pub fn pause_campaigns(path: &Path) -> Result<(), SchemaError> {
    schema::pause_campaigns(path)
}

/// SQLite has signed integers only; what is larger is no time or count of ours.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// The name under which a damaged database is kept, beside it.
fn aside(path: &Path, unix_ms: u64) -> PathBuf {
    path.with_extension(format!("damaged-{}", unix_ms / 1_000))
}
