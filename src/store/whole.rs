//! Files that are written whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::bounded::{self, ReadError};

/// A file that is to be.
#[derive(Debug)]
pub struct Wanted {
    pub path: PathBuf,
    /// Where what it takes the place of is kept.
    pub before: PathBuf,
    pub bytes: Vec<u8>,
}

/// All of them or none: each lies on the disk before the first name is moved, and where one cannot be moved those before it
/// are what they were. Files that are there keep their rights; one longer than `most` is not replaced.
pub fn write_all(wanted: &[Wanted], most: u64) -> io::Result<()> {
    let mut olds = Vec::new();
    for file in wanted {
        if let Some(folder) = file.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let old = match bounded::bytes(&file.path, most) {
            Ok(old) => Some((old, std::fs::metadata(&file.path)?.permissions())),
            Err(ReadError::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(io::Error::other(error)),
        };
        olds.push(old);
    }
    let staged: Vec<PathBuf> = wanted.iter().map(|file| beside(&file.path, ".staged")).collect();
    let moved = stage(wanted, &staged, &olds).and_then(|()| {
        for (file, old) in wanted.iter().zip(&olds) {
            if let Some((old, _)) = old {
                write(&file.before, old)?;
            }
        }
        for (index, (file, staged)) in wanted.iter().zip(&staged).enumerate() {
            let moved = std::fs::rename(staged, &file.path).and_then(|()| sync_folder(&file.path));
            if let Err(error) = moved {
                take_back(&wanted[..=index], &olds);
                return Err(error);
            }
        }
        Ok(())
    });
    if moved.is_err() {
        // Those that were moved are not there any more.
        staged.iter().for_each(|path| drop(std::fs::remove_file(path)));
    }
    moved
}

type Old = Option<(Vec<u8>, Permissions)>;

fn stage(wanted: &[Wanted], staged: &[PathBuf], olds: &[Old]) -> io::Result<()> {
    for ((file, staged), old) in wanted.iter().zip(staged).zip(olds) {
        let mut new = create(staged)?;
        new.write_all(&file.bytes)?;
        if let Some((_, rights)) = old {
            new.set_permissions(rights.clone())?;
        }
        new.sync_all()?;
    }
    Ok(())
}

/// As well as it goes; what does not is beside it as it was before.
fn take_back(moved: &[Wanted], olds: &[Old]) {
    for (file, old) in moved.iter().zip(olds) {
        let _ = match old {
            Some((old, rights)) => write(&file.path, old)
                .and_then(|()| std::fs::set_permissions(&file.path, rights.clone())),
            None => std::fs::remove_file(&file.path),
        };
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// A name is moved to bytes that are on the disk; for the owner only.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path, ".new");
    let mut file = create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    sync_folder(path)
}
