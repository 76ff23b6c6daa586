//! The files that remember over a restart how many calls we made and what they cost, and how long remote
//! agents were connected.
//!
//! Written by a thread of its own; the net thread hands over the whole ledger and is told when it is
//! on the disk. What it counts is begun only after that, so no crash makes room for more than the owner
//! allows. A file that cannot be read allows none: it is never taken for an empty one.

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::bounded::{self, ReadError};
use super::whole;
use crate::base::limits;
use crate::converse::agent::allowance::Allowance;
use crate::trunk::dialling::Ledger;

/// Ledgers that wait for the disk; each is whole, so more come only from a disk that hangs.
const WAITING: usize = 64;

/// Why there is no ledger to go on with.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("it cannot be read")]
    Unreadable(#[from] ReadError),
    #[error("it is damaged: {0}")]
    Damaged(serde_json::Error),
    #[error("it cannot be written")]
    Unwritable(#[source] io::Error),
}

/// What such a file holds.
pub trait Kept: Clone + Default + Serialize + DeserializeOwned + Send + 'static {
    /// What it is after a restart.
    #[must_use]
    fn resumed(self) -> Self;
}

impl Kept for Ledger {
    fn resumed(self) -> Self {
        Ledger::resumed(self)
    }
}

impl Kept for Allowance {
    fn resumed(self) -> Self {
        Allowance::resumed(self)
    }
}

/// The last ledger that was written, or that could not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Its number, and with it all before.
    pub number: u64,
    pub is_kept: bool,
}

/// The writing thread; it finishes what waits when this is dropped.
#[derive(Debug)]
pub struct LedgerFile<L = Ledger> {
    sender: Option<SyncSender<(u64, L)>>,
    thread: Option<JoinHandle<()>>,
    written: watch::Receiver<Written>,
    last: u64,
}

impl<L: Kept> LedgerFile<L> {
    /// What was remembered, written once more at once, so that a folder that takes nothing is known
    /// at start.
    ///
    /// # Errors
    /// For a file that is there and cannot be read or written.
    pub fn open(path: &Path) -> Result<(L, Self), LedgerError> {
        let ledger: L = read::<L>(path)?.resumed();
        write(path, &ledger).map_err(LedgerError::Unwritable)?;
        let (sender, receiver) = mpsc::sync_channel(WAITING);
        let (told, written) = watch::channel(Written::default());
        let path = path.to_owned();
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || write_all(&path, &receiver, &told))
            .map_err(LedgerError::Unwritable)?;
        let file = Self { sender: Some(sender), thread: Some(thread), written, last: 0 };
        Ok((ledger, file))
    }

    /// Gives a ledger to the thread without waiting; its number, by which [`Self::written`] tells
    /// what became of it. `None`: the disk does not take it.
    pub fn write(&mut self, ledger: &L) -> Option<u64> {
        let number = self.last + 1;
        self.sender.as_ref()?.try_send((number, ledger.clone())).ok()?;
        self.last = number;
        Some(number)
    }

    pub fn written(&self) -> watch::Receiver<Written> {
        self.written.clone()
    }
}

impl<L> Drop for LedgerFile<L> {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there was told when it happened.
            let _ = thread.join();
        }
    }
}

fn write_all<L: Kept>(path: &Path, receiver: &Receiver<(u64, L)>, told: &watch::Sender<Written>) {
    for (mut number, mut ledger) in receiver {
        // The newest has all that those before it have.
        while let Ok(newer) = receiver.try_recv() {
            (number, ledger) = newer;
        }
        let outcome = write(path, &ledger);
        if let Err(error) = &outcome {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            tracing::error!(%error, %file, "what it counts cannot be remembered");
        }
        told.send_replace(Written { number, is_kept: outcome.is_ok() });
    }
}

/// Whether these bytes are a ledger of calls.
///
/// # Errors
/// They are none, or too many.
pub fn check(bytes: &[u8]) -> Result<(), LedgerError> {
    if bytes.len() as u64 > limits::LEDGER_BYTES {
        return Err(ReadError::TooLong(limits::LEDGER_BYTES).into());
    }
    serde_json::from_slice::<Ledger>(bytes).map(drop).map_err(LedgerError::Damaged)
}

fn read<L: Kept>(path: &Path) -> Result<L, LedgerError> {
    let bytes = match bounded::bytes(path, limits::LEDGER_BYTES) {
        Err(error) if error.is_missing() => return Ok(L::default()),
        read => read?,
    };
    serde_json::from_slice(&bytes).map_err(LedgerError::Damaged)
}

fn write<L: Kept>(path: &Path, ledger: &L) -> io::Result<()> {
    whole::write(path, &serde_json::to_vec(ledger).map_err(io::Error::other)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::base::CallId;
    use crate::base::day::Clock;
    use crate::trunk::dialling::{LimitReached, Limits, Money};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("attendant-ledger-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join("dialled.json")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const NOW: Clock = Clock { day: 20_000, up: Duration::from_secs(100), start: 1 };
    const TWO: Limits = Limits { per_minute: 100, per_day: 2, budget: None };

    #[test]
    fn what_was_counted_is_there_after_a_restart_and_only_the_owner_reads_it() {
        let folder = Folder::new("restart");
        for id in 1..=2 {
            let (mut ledger, mut file) = LedgerFile::<Ledger>::open(&folder.file()).unwrap();
            ledger.reserve(NOW, &TWO, CallId(id), Money::NONE).unwrap();
            assert_eq!(file.write(&ledger), Some(1));
            drop(file);
        }
        let mode = folder.file().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (mut ledger, _file) = LedgerFile::<Ledger>::open(&folder.file()).unwrap();
        let third = ledger.reserve(NOW, &TWO, CallId(3), Money::NONE);
        assert_eq!(third, Err(LimitReached::Day));
    }

    #[test]
    fn a_damaged_file_is_an_error_and_stays_as_it_is() {
        let folder = Folder::new("damaged");
        for text in ["", "{", "{\"page\":1}", "[]"] {
            fs::write(folder.file(), text).unwrap();
            let error = LedgerFile::<Ledger>::open(&folder.file()).unwrap_err();
            assert!(matches!(error, LedgerError::Damaged(_)), "{text}: {error}");
            assert_eq!(fs::read_to_string(folder.file()).unwrap(), text);
        }
        fs::write(folder.file(), "x".repeat(100_000)).unwrap();
        let error = LedgerFile::<Ledger>::open(&folder.file()).unwrap_err();
        assert!(matches!(error, LedgerError::Unreadable(ReadError::TooLong(_))), "{error}");
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_told() {
        let folder = Folder::new("unwritable");
        let (ledger, mut file) = LedgerFile::<Ledger>::open(&folder.file()).unwrap();
        let mut written = file.written();
        let number = file.write(&ledger).unwrap();
        written.wait_for(|written| written.number == number).await.unwrap();
        assert!(written.borrow().is_kept);
        // The name of the new file is a folder's.
        fs::create_dir(folder.0.join("dialled.json.new")).unwrap();
        let number = file.write(&ledger).unwrap();
        written.wait_for(|written| written.number == number).await.unwrap();
        assert!(!written.borrow().is_kept);
        assert!(matches!(
            LedgerFile::<Ledger>::open(&folder.file()),
            Err(LedgerError::Unwritable(_))
        ));
    }
}
