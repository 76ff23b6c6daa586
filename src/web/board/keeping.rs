//! Where what the board shows is kept for good, and how that goes.

use super::Board;
use crate::appliance::recorder;
use crate::base::Private;
use crate::store::history::{self, History};
use crate::store::recordings::Shelf;

impl Board {
    /// From here on calls are kept there.
    pub fn keep_in(&self, history: History) {
        // It is given once, at the start.
        let _ = self.history.set(history);
    }

    /// The calls of before; without a database one of which nothing can be read.
    pub fn past(&self) -> History {
        self.history.get().cloned().unwrap_or_else(History::closed)
    }

    /// What is wrong with the database is a reason of the health, too.
    pub fn set_history(&self, report: history::Report) {
        let (before, now) = {
            let mut shown = self.lock();
            let before = shown.health();
            shown.history = report;
            (before, shown.health())
        };
        self.tell_health(&before, now);
    }

    /// Recordings of before are heard from there.
    pub fn keep_recordings(&self, shelf: Shelf) {
        // It is given once, at the start.
        let _ = self.recordings.set(shelf);
    }

    pub fn recordings_shelf(&self) -> Option<Shelf> {
        self.recordings.get().cloned()
    }

    /// What is wrong with recording is a reason of the health, too.
    pub fn set_recordings(&self, report: recorder::Report) {
        let (before, now) = {
            let mut shown = self.lock();
            let before = shown.health();
            shown.recordings = Some(report);
            (before, shown.health())
        };
        self.tell_health(&before, now);
    }

    pub fn recordings(&self) -> Option<recorder::Report> {
        self.lock().recordings.clone()
    }

    pub fn history(&self) -> history::Report {
        self.lock().history.clone()
    }

    /// Of the ended calls none of this number is shown any more.
    pub fn forget_number(&self, number: &Private<String>) {
        let key = history::number_key(number.reveal());
        if !key.is_empty() {
            self.lock().ended.retain(|record| history::number_key(record.peer.reveal()) != key);
        }
    }
}
