//! A model brought to the shelf: from its server, or from a folder such as a stick's.
//!
//! Whatever interrupts it, what lies under a file's own name was verified, and the next pull goes on
//! from what was fetched.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::address::Address;
use super::check;
use super::fetch::{Fetch, FileError};
use super::folder::Folder;
use super::manifest::{Model, ModelFile};
use super::web::Web;
use super::{Shelf, begun_bytes};
use crate::base::limits;
use crate::store::trusted::Untrusted;

/// Where files come from.
#[derive(Debug)]
pub enum Source {
    /// The manifest's addresses, or the same names in the folder that `mirror` is.
    Web { web: Web, mirror: Option<Address> },
    /// A folder that holds the files under their names.
    Folder(PathBuf),
}

/// What is told while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Another pull is at work on this shelf.
    WaitsForOther,
    /// The file is there and right.
    Kept {
        file: String,
    },
    /// Bytes come from here on; `total` where it is known.
    Begins {
        file: String,
        from: u64,
        total: Option<u64>,
    },
    At {
        bytes: u64,
    },
    Pauses {
        cause: String,
        wait: Duration,
    },
    StartsOver {
        cause: String,
    },
    Verifies,
    /// The file is there and right; `learnt` if its hash was not known before.
    Done {
        bytes: u64,
        learnt: bool,
    },
}

/// Why a model is not on the shelf.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error("the shelf {}", path.display())]
    Shelf { path: PathBuf, source: Untrusted },
    #[error("{model} is kept by Ollama: `ollama pull {model}` fetches it")]
    Ollama { model: String },
    #[error("{needed} bytes are needed on the disk of {}, and {free} are free", path.display())]
    Full { path: PathBuf, needed: u64, free: u64 },
    #[error("{file}")]
    File { file: String, source: FileError },
}

/// Brings models to a shelf and tells `report` what happens.
pub struct Puller<'a> {
    pub shelf: &'a Shelf,
    pub source: &'a Source,
    /// Files whose hash is not known beforehand are fetched again, whatever is pinned.
    pub anew: bool,
    /// Bytes that are free on the shelf's disk.
    pub free_bytes: &'a dyn Fn(&Folder) -> io::Result<u64>,
    pub report: &'a mut dyn FnMut(Event),
}

impl Puller<'_> {
    /// Brings all files of the model; those that are there and right are kept.
    pub fn pull(&mut self, model: &Model) -> Result<(), PullError> {
        if model.files.is_empty() {
            return Err(PullError::Ollama { model: model.name.clone() });
        }
        let path = self.shelf.path();
        let refused = |source| PullError::Shelf { path: path.to_owned(), source };
        let folder = Folder::make(path).map_err(refused)?;
        let _lock = folder.lock(|| (self.report)(Event::WaitsForOther)).map_err(refused)?;
        let mut missing = Vec::new();
        for file in &model.files {
            let forgotten = self.anew && file.sha256.is_none();
            if forgotten || check::check(&folder, model, file).is_err() {
                missing.push(file);
                continue;
            }
            pin_again(&folder, file)
                .map_err(|source| PullError::File { file: file.name.clone(), source })?;
            (self.report)(Event::Kept { file: file.name.clone() });
        }
        self.room_for_all(&folder, &missing)?;
        for file in missing {
            let brought = Fetch { puller: self, folder: &folder, model, file }.bring();
            brought.map_err(|source| PullError::File { file: file.name.clone(), source })?;
        }
        Ok(())
    }

    /// Before anything is asked for: is there room for what is known to come?
    fn room_for_all(&self, folder: &Folder, missing: &[&ModelFile]) -> Result<(), PullError> {
        let mut needed = 0_u64;
        for file in missing {
            let Some(bytes) = file.bytes else { continue };
            // What has come is gone on with, or makes room when it is dropped.
            needed += bytes.saturating_sub(begun_bytes(folder, file).unwrap_or(0));
        }
        match self.room(folder, needed) {
            Err(FileError::Full { needed, free }) => {
                Err(PullError::Full { path: self.shelf.path().to_owned(), needed, free })
            }
            Err(source) => {
                let file = missing.first().map_or_else(String::new, |file| file.name.clone());
                Err(PullError::File { file, source })
            }
            Ok(()) => Ok(()),
        }
    }

    /// Whether so many bytes more leave the disk what it needs otherwise.
    pub(super) fn room(&self, folder: &Folder, needed: u64) -> Result<(), FileError> {
        if needed == 0 {
            return Ok(());
        }
        let needed = needed.saturating_add(limits::SHELF_RESERVE_BYTES);
        let free = (self.free_bytes)(folder)?;
        if needed > free { Err(FileError::Full { needed, free }) } else { Ok(()) }
    }
}

/// A file that is right by the manifest's hash may have lost its pin, or have a damaged one.
fn pin_again(folder: &Folder, file: &ModelFile) -> Result<(), FileError> {
    let Some(sha256) = &file.sha256 else { return Ok(()) };
    match check::pinned(folder, &file.name) {
        Ok(Some(pinned)) if pinned == *sha256 => Ok(()),
        _ => Ok(check::pin(folder, &file.name, sha256)?),
    }
}

#[cfg(test)]
mod tests;
