//! The shelf: models in a folder of the state folder, each with a hash that is checked before use.
//!
//! | file | what |
//! |---|---|
//! | `manifest` | which models there are (pure; `manifest.toml` is part of the program) |
//! | `address`, `proxy`, `resume` | where from, by which way, from which byte on (pure) |
//! | `onnx` | which other files an ONNX file would read (pure) |
//! | `folder` | the folder, held open: no symlinks, everything exchanged whole |
//! | `content` | what is in a file: its hash, then its kind |
//! | `check` | is a file what the manifest or its pin says? |
//! | `web`, `partial`, `fetch`, `pull` | a model fetched, or copied from a stick |
//!
//! ```text
//! server ──▶ NAME.partial + NAME.note ──▶ size, SHA-256, kind ──▶ NAME.sha256 ──▶ rename to NAME
//! stick  ──▶      what was begun               verified             pinned
//! ```
//! A file under its own name is whole and was verified; one that may be killed at any time leaves
//! `NAME.partial`, from which the next pull goes on. `sha256sum -c *.sha256` in the folder says what
//! `attendant models verify` says.

pub mod address;
pub mod check;
pub mod content;
pub mod fetch;
pub mod folder;
pub mod manifest;
pub mod onnx;
pub mod partial;
pub mod proxy;
pub mod pull;
pub mod resume;
pub mod web;

use std::path::{Path, PathBuf};

use crate::speech::model::{Hash, ModelSource};
use crate::store::trusted::Untrusted;
use folder::Folder;
use manifest::{Model, ModelFile};
use resume::Wanted;

/// How the names end of what the shelf puts beside a model's file; no such file may be called so.
pub const OWN_ENDINGS: [&str; 4] = [check::PIN, partial::PARTIAL, partial::NOTE, folder::NEW];

/// The models of this box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelf {
    path: PathBuf,
}

/// What is there of a file, by a look that reads no content.
#[derive(Debug)]
pub enum Presence {
    Missing,
    /// A pull was interrupted.
    Begun {
        bytes: u64,
    },
    /// Of the right length, where one is known.
    Whole {
        bytes: u64,
    },
    WrongLength {
        bytes: u64,
        wanted: u64,
    },
    Untrusted(Untrusted),
}

impl Shelf {
    /// The shelf in this folder, which need not be there yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that is loaded, for what loads it; `None` for an LLM.
    pub fn source(&self, model: &Model) -> Option<ModelSource> {
        let file = model.files.first()?;
        let hash = file.sha256.map_or(Hash::Pinned, Hash::Known);
        Some(ModelSource::File { path: self.path.join(&file.name), hash })
    }

    /// What is there of the file.
    pub fn look(&self, file: &ModelFile) -> Presence {
        let length = || {
            let folder = Folder::open(&self.path)?;
            match folder.read(&file.name) {
                Ok(file) => Ok(Ok(file.metadata().map_err(Untrusted::Unreadable)?.len())),
                Err(error) if error.is_missing() => Ok(Err(begun_bytes(&folder, file))),
                Err(error) => Err(error),
            }
        };
        match length() {
            Ok(Ok(bytes)) => match file.bytes {
                Some(wanted) if wanted != bytes => Presence::WrongLength { bytes, wanted },
                _ => Presence::Whole { bytes },
            },
            Ok(Err(begun)) => begun.map_or(Presence::Missing, |bytes| Presence::Begun { bytes }),
            Err(error) if error.is_missing() => Presence::Missing,
            Err(error) => Presence::Untrusted(error),
        }
    }
}

/// Bytes that an interrupted pull has left.
fn begun_bytes(folder: &Folder, file: &ModelFile) -> Option<u64> {
    let partial = folder.read(&partial::name_of(&file.name)).ok()?;
    Some(partial.metadata().ok()?.len())
}

impl ModelFile {
    fn wanted(&self) -> Wanted {
        Wanted { bytes: self.bytes, sha256: self.sha256 }
    }
}
