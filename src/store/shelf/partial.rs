//! A file that is being fetched: its bytes so far, and the note that says of what they are a part.
//!
//! The order of writing is what makes it safe to kill: a note of a new version is written only when
//! the bytes of the old one are gone, and never claims more bytes than the disk has.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use super::folder::Folder;
use super::resume::{Begun, Note};
use crate::base::limits;
use crate::store::trusted::Untrusted;

/// How a file's name ends until it is whole, and that of the note beside it.
pub const PARTIAL: &str = ".partial";
pub const NOTE: &str = ".note";

/// What a file is called until it is whole.
pub fn name_of(name: &str) -> String {
    format!("{name}{PARTIAL}")
}

fn note_of(name: &str) -> String {
    format!("{name}{NOTE}")
}

/// A file on its way.
#[derive(Debug)]
pub struct Partial<'a> {
    folder: &'a Folder,
    name: &'a str,
    file: File,
    note: Option<Note>,
    /// Written since the disk was last waited for.
    unsynced: u64,
}

impl<'a> Partial<'a> {
    /// What is there, or a new one.
    pub fn open(folder: &'a Folder, name: &'a str) -> Result<Self, Untrusted> {
        let file = folder.write(&name_of(name))?;
        let text = folder.small(&note_of(name))?;
        // A note that cannot be read is as good as none.
        let note = text.and_then(|text| serde_json::from_str(&text).ok());
        Ok(Self { folder, name, file, note, unsynced: 0 })
    }

    pub fn begun(&self) -> io::Result<Begun> {
        Ok(Begun { bytes: self.file.metadata()?.len(), note: self.note.clone() })
    }

    /// Begins anew; what follows is a part of what `note` says.
    pub fn begin(&mut self, note: Option<Note>) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.sync_all()?;
        self.folder.remove(&note_of(self.name))?;
        self.note = note;
        self.unsynced = 0;
        self.file.seek(SeekFrom::Start(0))?;
        self.save()
    }

    /// Goes on after the first `from` bytes; the rest is dropped.
    pub fn go_on(&mut self, from: u64) -> io::Result<()> {
        self.file.set_len(from)?;
        self.file.seek(SeekFrom::Start(from))?;
        if let Some(note) = &mut self.note
            && note.synced > from
        {
            note.synced = from;
            return self.save();
        }
        Ok(())
    }

    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.unsynced += bytes.len() as u64;
        if self.unsynced < limits::PULL_SYNC_BYTES {
            return Ok(());
        }
        self.sync()
    }

    /// Waits until the disk has everything, and notes how much that is.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        self.unsynced = 0;
        let bytes = self.file.metadata()?.len();
        match &mut self.note {
            Some(note) if note.synced != bytes => note.synced = bytes,
            _ => return Ok(()),
        }
        self.save()
    }

    /// The file from its beginning.
    pub fn rewound(&mut self) -> io::Result<&mut File> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok(&mut self.file)
    }

    /// Puts the file into its place.
    pub fn publish(self) -> io::Result<()> {
        self.file.sync_all()?;
        self.folder.rename(&name_of(self.name), self.name)?;
        self.folder.remove(&note_of(self.name))
    }

    /// Leaves nothing of it.
    pub fn discard(self) -> io::Result<()> {
        self.folder.remove(&name_of(self.name))?;
        self.folder.remove(&note_of(self.name))
    }

    fn save(&self) -> io::Result<()> {
        let Some(note) = &self.note else { return Ok(()) };
        self.folder.replace(&note_of(self.name), &serde_json::to_vec(note)?)
    }
}
