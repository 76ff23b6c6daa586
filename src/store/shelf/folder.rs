//! The folder of the shelf, held open: every file in it is reached through the descriptor, by a
//! plain name, never through a symlink. What is exchanged is exchanged whole.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, openat, renameat};
use nix::sys::stat::Mode;
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::base::limits;
use crate::store::bounded::{self, ReadError};
use crate::store::trusted::{self, Untrusted};

const LOCK: &str = ".lock";
/// How a file's name ends while [`Folder::replace`] writes it.
pub const NEW: &str = ".new";

/// The folder, open.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    descriptor: File,
    owner: u32,
}

impl Folder {
    /// Opens the folder, which is made if it is missing.
    pub fn make(path: &Path) -> Result<Self, Untrusted> {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(path);
        made.map_err(Untrusted::Unreadable)?;
        Self::open(path)
    }

    pub fn open(path: &Path) -> Result<Self, Untrusted> {
        let name = path.file_name().ok_or(Untrusted::NotAFile)?;
        let place = trusted::folder_of(path)?.join(name);
        let flags = trusted::FLAGS | OFlag::O_DIRECTORY;
        let opened = nix::fcntl::open(&place, flags, Mode::empty()).map(File::from);
        let descriptor = opened.map_err(|error| {
            // The kernel says of a symlink only that it is no folder.
            let is_link = || place.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
            match error == Errno::ENOTDIR && is_link() {
                true => Untrusted::Symlink,
                false => Untrusted::from_open(error.into()),
            }
        })?;
        let metadata = descriptor.metadata().map_err(Untrusted::Unreadable)?;
        trusted::folder_is_private(path, &metadata)?;
        let owner = trusted::folder_owner(&metadata)?;
        Ok(Self { path: path.to_owned(), descriptor, owner })
    }

    /// Where the file of this name is, for messages.
    pub fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file for reading.
    pub fn read(&self, name: &str) -> Result<File, Untrusted> {
        self.looked_at(self.with(name, OFlag::O_RDONLY))
    }

    /// A file of our own for reading and writing, made if it is missing.
    pub fn write(&self, name: &str) -> Result<File, Untrusted> {
        let file = self.looked_at(self.with(name, OFlag::O_RDWR | OFlag::O_CREAT))?;
        trusted::ours_alone(&file)?;
        Ok(file)
    }

    fn looked_at(&self, opened: io::Result<File>) -> Result<File, Untrusted> {
        let file = opened.map_err(Untrusted::from_open)?;
        trusted::plain(&file)?;
        trusted::private(&file, self.owner)?;
        Ok(file)
    }

    /// The names of all files and whatever else is in the folder, in their order.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let entries = self.path.read_dir()?.map(|entry| Ok(entry?.file_name()));
        let mut names = entries.collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    /// The content of a small file; `None` if there is none.
    pub fn small(&self, name: &str) -> Result<Option<String>, Untrusted> {
        let file = match self.read(name) {
            Ok(file) => file,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        match bounded::rest_as_text(file, limits::SMALL_FILE_BYTES) {
            Ok(text) => Ok(Some(text)),
            Err(ReadError::Unreadable(error)) => Err(Untrusted::Unreadable(error)),
            // Too long or no text: what is looked for is not in it.
            Err(_) => Ok(Some(String::new())),
        }
    }

    /// Gives the file of this name this content, whole or not at all, also when the power fails.
    pub fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let new = format!("{name}{NEW}");
        self.remove(&new)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let mut file = self.with(&new, flags)?;
        file.write_all(content)?;
        file.sync_all()?;
        self.rename(&new, name)
    }

    /// Exchanges what `to` names for what `from` names, and waits until the disk has it.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        renameat(&self.descriptor, from, &self.descriptor, to)?;
        self.descriptor.sync_all()
    }

    /// The file is gone afterwards; that it was not there is no fault.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.descriptor, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Bytes that may still be written to this disk.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let disk = fstatvfs(&self.descriptor)?;
        Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
    }

    /// Keeps other pulls out until the lock is dropped, or this process ends. `waits` is called if
    /// there is one to wait for.
    pub fn lock(&self, waits: impl FnOnce()) -> Result<Flock<File>, Untrusted> {
        let refused = |error: Errno| Untrusted::Unreadable(error.into());
        let file = self.looked_at(self.with(LOCK, OFlag::O_RDWR | OFlag::O_CREAT))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(lock),
            Err((file, Errno::EWOULDBLOCK)) => {
                waits();
                Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| refused(error))
            }
            Err((_, error)) => Err(refused(error)),
        }
    }

    fn with(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let mode = Mode::from_bits_truncate(0o644);
        Ok(openat(&self.descriptor, name, flags | trusted::FLAGS, mode)?.into())
    }
}
