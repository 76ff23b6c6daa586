//! Recordings of calls: files in Ogg with Opus in stereo, the caller left and the box right, each of which the owner alone can read; encrypted
//! where that is wanted.
//!
//! A recording's name is the call's begin and id, so that the folder alone says which there are: the history names its
//! calls by the same. Written by a thread of its own (`appliance::recorder`), which gives pages of a second; a file that was cut,
//! as by a power cut, can be heard up to its last whole page.
//!
//! Invariants: all files together have at most the bytes that [`Settings`] allow, and leave `limits::RECORDINGS_RESERVE_BYTES` of the
//! disk free; the oldest go first, but none that is being written.

mod decode;
mod opus;
mod reading;
mod sealed;

use std::collections::HashSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::base::{CallId, limits};
use crate::store::whole;

pub use decode::decode;
pub use opus::Encoder;
pub use reading::Recording;
pub use sealed::Key;

/// Endings of the files' names: as they are, and encrypted.
const PLAIN: &str = "opus";
const SEALED: &str = "sealed";
/// The folder of recordings in the state folder, and that of flight records, whose files are named alike.
pub const FOLDER: &str = "recordings";
/// That of messages after the tone, named alike, with a number of their own from the second of a call on.
pub const VOICEMAIL: &str = "voicemail";
const FLIGHTS: &str = "flights";
const DAY_MS: u64 = 24 * 3_600_000;

/// Where they are kept, and how many.
#[derive(Clone, Debug)]
pub struct Settings {
    pub folder: PathBuf,
    /// `None`: until there is no room.
    pub days: Option<u32>,
    /// Of all files together.
    pub bytes: u64,
    /// `None`: they are not encrypted.
    pub key: Option<Key>,
    pub when_full: WhenFull,
}

/// What becomes of a new one where there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest go for it.
    OldestGo,
    /// There is none: what somebody has left is not given up for another.
    Refuse,
}

/// What can be heard of before.
#[derive(Clone, Debug)]
pub struct Shelf {
    pub folder: PathBuf,
    /// For those that are encrypted.
    pub key: Option<Key>,
}

/// A call as files are named by it: its begin in Unix milliseconds, and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    pub started_at_ms: u64,
    pub call: CallId,
    /// Of messages after the tone: which of the call's, from 0.
    pub ordinal: u16,
}

impl Name {
    /// Of the call itself, and of its first message.
    pub const fn of(started_at_ms: u64, call: CallId) -> Self {
        Self { started_at_ms, call, ordinal: 0 }
    }

    fn stem(self) -> String {
        let Self { started_at_ms, call, ordinal } = self;
        match ordinal {
            0 => format!("{started_at_ms:013}-{call}"),
            _ => format!("{started_at_ms:013}-{call}-{ordinal}"),
        }
    }
}

/// The folder, as its one writer has it.
#[derive(Debug)]
pub struct Recordings {
    settings: Settings,
    /// Files that are being written.
    open: HashSet<PathBuf>,
    /// Of all files, at the last look and since.
    bytes: u64,
}

/// A file that is being written.
#[derive(Debug)]
pub struct Writing {
    file: File,
    path: PathBuf,
    sealing: Option<sealed::Sealing>,
}

impl Recordings {
    /// Makes the folder, and looks at what is in it.
    pub fn open(settings: Settings) -> io::Result<Self> {
        match DirBuilder::new().mode(0o700).recursive(true).create(&settings.folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => (),
        }
        let bytes = files(&settings.folder)?.iter().map(|(_, bytes)| bytes).sum();
        Ok(Self { settings, open: HashSet::new(), bytes })
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Begins a file.
    ///
    /// # Errors
    /// There is no room, or the disk takes none.
    pub fn begin(&mut self, name: Name) -> io::Result<Writing> {
        self.begin_with(name, limits::RECORDING_CHUNK_BYTES as u64)
    }

    /// Begins one for which there is to be so much room.
    ///
    /// # Errors
    /// As of [`Self::begin`].
    pub fn begin_with(&mut self, name: Name, room: u64) -> io::Result<Writing> {
        self.make_room(room)?;
        let ending = if self.settings.key.is_some() { SEALED } else { PLAIN };
        let path = self.settings.folder.join(format!("{}.{ending}", name.stem()));
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
        let sealing = match &self.settings.key {
            None => None,
            Some(key) => {
                let (sealing, head) = sealed::Sealing::new(key);
                file.write_all(&head)?;
                self.bytes += head.len() as u64;
                Some(sealing)
            }
        };
        self.open.insert(path.clone());
        Ok(Writing { file, path, sealing })
    }

    /// Adds whole pages.
    ///
    /// # Errors
    /// There is no room, or the disk takes none: the file is good up to here.
    pub fn append(&mut self, writing: &mut Writing, pages: &[u8]) -> io::Result<()> {
        for chunk in pages.chunks(limits::RECORDING_CHUNK_BYTES) {
            let sealed =
                writing.sealing.as_mut().map(|sealing| sealing.chunk(chunk)).transpose()?;
            let bytes = sealed.as_deref().unwrap_or(chunk);
            self.make_room(bytes.len() as u64)?;
            self.bytes += bytes.len() as u64;
            writing.file.write_all(bytes)?;
        }
        Ok(())
    }

    /// Nothing more is written to it.
    ///
    /// # Errors
    /// It may not be on the disk.
    pub fn end(&mut self, writing: Writing) -> io::Result<()> {
        self.open.remove(&writing.path);
        writing.file.sync_data()
    }

    /// Nothing of it is wanted.
    ///
    /// # Errors
    /// It may still be there.
    pub fn discard(&mut self, writing: Writing) -> io::Result<()> {
        self.open.remove(&writing.path);
        let bytes = writing.file.metadata().map_or(0, |about| about.len());
        whole::remove(&writing.path)?;
        self.bytes -= bytes.min(self.bytes);
        Ok(())
    }

    /// All that there are, the oldest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn names(&self) -> io::Result<Vec<Name>> {
        let files = files(&self.settings.folder)?;
        Ok(files.iter().filter_map(|(path, _)| named(path)).collect())
    }

    /// Deletes what is older than it may be; the time is `None` where the clock is not believed. Gives how many went.
    pub fn tend(&mut self, now_ms: Option<u64>) -> io::Result<usize> {
        let mut files = files(&self.settings.folder)?;
        self.bytes = files.iter().map(|(_, bytes)| bytes).sum();
        let days = self.settings.days.zip(now_ms);
        let before = days.map_or(0, |(days, now)| now.saturating_sub(u64::from(days) * DAY_MS));
        files.retain(|(path, _)| began(path).is_some_and(|at| at < before));
        let mut gone = 0;
        for (path, bytes) in files.into_iter().filter(|(path, _)| !self.open.contains(path)) {
            whole::remove(&path)?;
            self.bytes -= bytes.min(self.bytes);
            gone += 1;
        }
        Ok(gone)
    }

    /// The oldest go until so many bytes fit.
    fn make_room(&mut self, more: u64) -> io::Result<()> {
        let free = free_bytes(&self.settings.folder)?;
        let wanted = limits::RECORDINGS_RESERVE_BYTES + more;
        let fits = |bytes: u64, free: u64| bytes + more <= self.settings.bytes && free >= wanted;
        if fits(self.bytes, free) {
            return Ok(());
        }
        let (mut bytes, mut free) = (self.bytes, free);
        for (path, length) in files(&self.settings.folder)? {
            if fits(bytes, free) || self.settings.when_full == WhenFull::Refuse {
                break;
            }
            if !self.open.contains(&path) {
                whole::remove(&path)?;
                bytes -= length.min(bytes);
                free += length;
            }
        }
        let has_room = fits(bytes, free);
        self.bytes = bytes;
        let reason = match self.settings.when_full {
            WhenFull::OldestGo => "no room for recordings: recordings.max_mb, or the disk, is full",
            WhenFull::Refuse => "no room for messages: voicemail.max_mb, or the disk, is full",
        };
        let full = || io::Error::new(io::ErrorKind::StorageFull, reason);
        has_room.then_some(()).ok_or_else(full)
    }
}

/// Deletes recording, messages after the tone and flight record of these calls.
///
/// # Errors
/// One of them may still be there.
pub fn forget(state: &Path, names: &[Name]) -> io::Result<()> {
    let calls: HashSet<Name> = names.iter().copied().collect();
    for (path, _) in all(&state.join(VOICEMAIL))? {
        let call = named(&path).map(|name| Name::of(name.started_at_ms, name.call));
        if call.is_some_and(|call| calls.contains(&call)) {
            whole::remove(&path)?;
        }
    }
    for name in names {
        for ending in [PLAIN, SEALED] {
            whole::remove(&state.join(FOLDER).join(format!("{}.{ending}", name.stem())))?;
        }
        whole::remove(&state.join(FLIGHTS).join(format!("{}.flight", name.stem())))?;
    }
    Ok(())
}

/// Deletes these messages after the tone.
///
/// # Errors
/// One of them may still be there.
pub fn forget_sounds(state: &Path, names: &[Name]) -> io::Result<()> {
    for name in names {
        for ending in [PLAIN, SEALED] {
            whole::remove(&state.join(VOICEMAIL).join(format!("{}.{ending}", name.stem())))?;
        }
    }
    Ok(())
}

/// The recording of a call, with the key for those that are encrypted; `None`: there is none, or no key.
pub fn find(folder: &Path, name: Name, key: Option<&Key>) -> Option<Recording> {
    let at = |ending: &str| folder.join(format!("{}.{ending}", name.stem()));
    Recording::open_plain(&at(PLAIN)).or_else(|| Recording::open_sealed(&at(SEALED), key?))
}

/// Whether there is one, readable or not.
pub fn is_there(folder: &Path, name: Name) -> bool {
    let is = |ending: &str| folder.join(format!("{}.{ending}", name.stem())).is_file();
    is(PLAIN) || is(SEALED)
}

/// When the call of this file began.
fn began(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.split('-').next()?.parse().ok()
}

fn named(path: &Path) -> Option<Name> {
    let (_, rest) = path.file_stem()?.to_str()?.split_once('-')?;
    let (call, ordinal) = rest.split_once('-').unwrap_or((rest, "0"));
    let (call, ordinal) = (call.parse().ok()?, ordinal.parse().ok()?);
    Some(Name { started_at_ms: began(path)?, call, ordinal })
}

/// Bytes of the folder's disk that are free.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let about = nix::sys::statvfs::statvfs(folder)?;
    Ok(about.blocks_available().saturating_mul(about.fragment_size()))
}

/// All recordings with their lengths, the oldest first; none where there is no folder.
pub fn all(folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    match files(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        files => files,
    }
}

/// Whether a file of ours may be called so.
pub fn is_name(name: &str) -> bool {
    let Some((stem, ending)) = name.split_once('.') else { return false };
    let Some((began, call)) = stem.split_once('-') else { return false };
    let is_number =
        |text: &str| (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let call = call.strip_prefix('c').unwrap_or_default();
    let (call, ordinal) = call.split_once('-').unwrap_or((call, "0"));
    (ending == PLAIN || ending == SEALED)
        && is_number(began)
        && is_number(call)
        && is_number(ordinal)
}

fn files(folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_ours = path.extension().is_some_and(|ending| ending == PLAIN || ending == SEALED);
        // One that is gone meanwhile takes no room.
        let Ok(about) = path.symlink_metadata() else { continue };
        if is_ours && about.is_file() {
            files.push((path, about.len()));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests;
