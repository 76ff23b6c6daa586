//! The folder of the shelf, held open: every file in it is reached through the descriptor, by a
//! plain name, never through a symlink. What is exchanged is exchanged whole.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag, openat, renameat};
use nix::sys::stat::Mode;
use nix::sys::statvfs::fstatvfs;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::store::trusted::{self, Untrusted};

/// Notes and pins are shorter.
const SMALL_BYTES: u64 = 4_096;
const LOCK: &str = ".lock";

/// The folder, open.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    descriptor: File,
}

impl Folder {
    /// Opens the folder, which is made if it is missing.
    pub fn make(path: &Path) -> Result<Self, Untrusted> {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(path);
        made.map_err(Untrusted::Unreadable)?;
        Self::open(path)
    }

    pub fn open(path: &Path) -> Result<Self, Untrusted> {
        let flags = trusted::FLAGS | OFlag::O_DIRECTORY;
        let opened = nix::fcntl::open(path, flags, Mode::empty()).map(File::from);
        let descriptor = opened.map_err(|error| {
            // The kernel says of a symlink only that it is no folder.
            let is_link = || path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
            match error == Errno::ENOTDIR && is_link() {
                true => Untrusted::Symlink,
                false => Untrusted::from_open(error.into()),
            }
        })?;
        let metadata = descriptor.metadata().map_err(Untrusted::Unreadable)?;
        trusted::folder_is_private(&metadata)?;
        Ok(Self { path: path.to_owned(), descriptor })
    }

    /// Where the file of this name is, for messages.
    pub fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file for reading.
    pub fn read(&self, name: &str) -> Result<File, Untrusted> {
        let file = self.with(name, OFlag::O_RDONLY).map_err(Untrusted::from_open)?;
        trusted::plain(&file)?;
        trusted::private(&file)?;
        Ok(file)
    }

    /// A file for reading and writing, made if it is missing.
    pub fn write(&self, name: &str) -> Result<File, Untrusted> {
        let file = self.with(name, OFlag::O_RDWR | OFlag::O_CREAT).map_err(Untrusted::from_open)?;
        trusted::plain(&file)?;
        trusted::private(&file)?;
        Ok(file)
    }

    /// The content of a small file; `None` if there is none.
    pub fn small(&self, name: &str) -> Result<Option<String>, Untrusted> {
        let file = match self.read(name) {
            Ok(file) => file,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        file.take(SMALL_BYTES).read_to_string(&mut text).map_err(Untrusted::Unreadable)?;
        Ok(Some(text))
    }

    /// Gives the file of this name this content, whole or not at all, also when the power fails.
    pub fn replace(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let new = format!("{name}.new");
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
        match Flock::lock(self.write(LOCK)?, FlockArg::LockExclusiveNonblock) {
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
