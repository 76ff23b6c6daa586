//! The thread that reads, with a connection of its own beside the writer's.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::writer::Order;
use super::{Unavailable, schema};

/// What is asked, with where the answer goes; true: the database is damaged.
type Asked = Box<dyn FnOnce(Option<&Connection>) -> bool + Send>;

/// One question.
pub enum Question {
    Asked(Asked),
    Stop,
}

impl Question {
    pub fn of<T: Send + 'static>(
        question: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        told: oneshot::Sender<Result<T, Unavailable>>,
    ) -> Self {
        Self::Asked(Box::new(move |connection| {
            let answer = connection.map(question);
            let is_damaged = matches!(&answer, Some(Err(error)) if schema::is_damage(error));
            if let Some(Err(error)) = &answer {
                // Its text names tables, never what is in them.
                tracing::warn!(code = ?error.sqlite_error_code(), "history: a question failed");
            }
            // Whoever asked may have gone.
            let _ = told.send(answer.and_then(Result::ok).ok_or(Unavailable));
            is_damaged
        }))
    }
}

/// See the module.
pub struct Reader {
    path: PathBuf,
    /// The number of the database that is open; 0: none.
    generation: Arc<AtomicU64>,
    orders: SyncSender<Order>,
    open: Option<(u64, Connection)>,
}

impl Reader {
    pub fn new(path: PathBuf, generation: Arc<AtomicU64>, orders: SyncSender<Order>) -> Self {
        Self { path, generation, orders, open: None }
    }

    pub fn run(mut self, asked: &Receiver<Question>) {
        for question in asked {
            let Question::Asked(ask) = question else { return };
            if ask(self.connection()) {
                // A full queue has something that will find out as well.
                let _ = self.orders.try_send(Order::Look);
            }
        }
    }

    /// Of the present database, which another may have become.
    fn connection(&mut self) -> Option<&Connection> {
        let generation = self.generation.load(Ordering::Acquire);
        if self.open.as_ref().is_none_or(|(number, _)| *number != generation) {
            self.open = None;
            if generation > 0 {
                self.open = schema::open_to_read(&self.path).ok().map(|open| (generation, open));
            }
        }
        self.open.as_ref().map(|(_, connection)| connection)
    }
}
