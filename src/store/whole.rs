//! Files that are written whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::bounded;

const SETGID: u32 = 0o2000;

/// Who a new file belongs to, and what may be done with it.
struct Rights {
    mode: u32,
    user: u32,
    group: u32,
}

impl Rights {
    /// Of what takes the place of this file.
    fn of_successor(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(old) => Ok(Self { mode: old.mode() & 0o777, user: old.uid(), group: old.gid() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = fs::metadata(folder(path))?;
                let mode = if folder.mode() & SETGID != 0 { 0o660 } else { 0o600 };
                Ok(Self { mode, user: folder.uid(), group: folder.gid() })
            }
            Err(error) => Err(error),
        }
    }
}

/// A name is moved to bytes that are on the disk; for the owner only, who is that of the folder where root writes: what
/// root sets for a program of another user is for that one to read.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = fs::metadata(folder(path))?;
    put(path, bytes, &Rights { mode: 0o600, user: folder.uid(), group: folder.gid() })
}

/// The same for a file that others read, too: what is there keeps its group and its mode. One that is new is for the
/// folder's group where the folder says so by its set-group-ID bit.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, &Rights::of_successor(path)?)
}

/// Takes a file away; one that is gone already is as wanted.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A file that is to be.
#[derive(Debug)]
pub struct Wanted {
    pub path: PathBuf,
    /// Where what it takes the place of is kept.
    pub before: PathBuf,
    pub bytes: Vec<u8>,
}

/// All of them or none, each with the rights that `replace` gives: each lies on the disk before the first name is moved, and
/// where one cannot be moved those before it are what they were. One longer than `most` is not replaced.
pub fn write_all(wanted: &[Wanted], most: u64) -> io::Result<()> {
    let mut olds = Vec::new();
    for file in wanted {
        DirBuilder::new().recursive(true).mode(0o700).create(folder(&file.path))?;
        let old = match bounded::bytes(&file.path, most) {
            Ok(old) => Some(old),
            Err(error) if error.is_missing() => None,
            Err(error) => return Err(io::Error::other(error)),
        };
        olds.push(old);
    }
    let staged: Vec<PathBuf> = wanted.iter().map(|file| beside(&file.path, ".staged")).collect();
    let moved = move_all(wanted, &staged, &olds);
    if moved.is_err() {
        // Those that were moved are not there any more.
        staged.iter().for_each(|path| drop(fs::remove_file(path)));
    }
    moved
}

fn move_all(wanted: &[Wanted], staged: &[PathBuf], olds: &[Option<Vec<u8>>]) -> io::Result<()> {
    for (file, staged) in wanted.iter().zip(staged) {
        lay_down(staged, &file.bytes, &Rights::of_successor(&file.path)?)?;
    }
    for (file, old) in wanted.iter().zip(olds) {
        if let Some(old) = old {
            write(&file.before, old)?;
        }
    }
    for (index, (file, staged)) in wanted.iter().zip(staged).enumerate() {
        if let Err(error) = rename(staged, &file.path) {
            take_back(&wanted[..=index], olds);
            return Err(error);
        }
    }
    Ok(())
}

/// As well as it goes; what does not is beside it as it was before.
fn take_back(moved: &[Wanted], olds: &[Option<Vec<u8>>]) {
    for (file, old) in moved.iter().zip(olds) {
        let _ = match old {
            Some(old) => replace(&file.path, old),
            None => fs::remove_file(&file.path),
        };
    }
}

fn put(path: &Path, bytes: &[u8], rights: &Rights) -> io::Result<()> {
    let new = beside(path, ".new");
    lay_down(&new, bytes, rights)?;
    rename(&new, path)
}

/// The file is on the disk, under a name that nobody reads yet.
fn lay_down(path: &Path, bytes: &[u8], rights: &Rights) -> io::Result<()> {
    let mut file =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    let own = file.metadata()?;
    if nix::unistd::geteuid().is_root() {
        fchown(&file, Some(rights.user), Some(rights.group))?;
    } else if own.gid() != rights.group && rights.mode & 0o070 != 0 {
        // Whoever is not of the group may not give it; its rights would be another group's then.
        fchown(&file, None, Some(rights.group))?;
    }
    file.set_permissions(Permissions::from_mode(rights.mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    File::open(folder(to))?.sync_all()
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::chown;

    fn rights(path: &Path) -> (u32, u32, u32) {
        let known = fs::metadata(path).unwrap();
        (known.uid(), known.gid(), known.mode() & 0o777)
    }

    #[test]
    fn what_root_writes_is_for_the_folders_owner_and_a_file_for_a_group_stays_one() {
        let folder = std::env::temp_dir().join(format!("whole-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (own, others) = (folder.join("own"), folder.join("others"));
        let is_root = nix::unistd::geteuid().is_root();
        if is_root {
            chown(&folder, Some(4_321), Some(4_322)).unwrap();
        }
        let known = fs::metadata(&folder).unwrap();
        let (user, group) = (known.uid(), known.gid());
        write(&own, b"secret").unwrap();
        assert_eq!(rights(&own), (user, group, 0o600));
        replace(&others, b"a").unwrap();
        assert_eq!(rights(&others), (user, group, 0o600));
        fs::set_permissions(&others, Permissions::from_mode(0o640)).unwrap();
        if is_root {
            chown(&others, Some(0), Some(4_323)).unwrap();
        }
        let before = rights(&others);
        replace(&others, b"b").unwrap();
        assert_eq!(rights(&others), before);
        assert_eq!(fs::read(&others).unwrap(), b"b");
        fs::set_permissions(&folder, Permissions::from_mode(0o2770)).unwrap();
        replace(&folder.join("new"), b"c").unwrap();
        assert_eq!(rights(&folder.join("new")), (user, group, 0o660));
        fs::remove_dir_all(&folder).unwrap();
    }
}
