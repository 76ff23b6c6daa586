//! Opens files that a process is to believe: no symlink, no device, nobody's who could give it
//! another content: neither itself, nor by exchanging it or a folder above it.
//!
//! What was looked at is the opened file itself, not its name: nothing can be exchanged between the
//! look and the reading.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::geteuid;

/// Without following a symlink, and without waiting for the other end of a pipe.
pub const FLAGS: OFlag = OFlag::O_NOFOLLOW.union(OFlag::O_CLOEXEC).union(OFlag::O_NONBLOCK);
/// Mode bits: writable by others; sticky.
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;

/// Why a file is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Untrusted {
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    #[error("it is a symlink; name the file itself")]
    Symlink,
    #[error("it is no file")]
    NotAFile,
    #[error("everybody may write to it (chmod o-w)")]
    Writable,
    #[error("everybody may exchange what is in {}, above it (chmod o-w)", .0.display())]
    OpenFolder(PathBuf),
    #[error("it belongs to the user {0}, neither to root nor to the one who runs this (chown)")]
    Owner(u32),
    #[error("it belongs to the user {0}, who began it; remove it, or run this as that user")]
    Begun(u32),
    #[error("it is a file elsewhere too (a hard link); remove it")]
    HardLink,
}

impl Untrusted {
    /// From opening with [`FLAGS`].
    pub fn from_open(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) if code == nix::errno::Errno::ELOOP as i32 => Self::Symlink,
            _ => Self::Unreadable(error),
        }
    }

    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Unreadable(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Opens the file for reading: root's or our own, which nobody else may write to or exchange.
pub fn open(path: &Path) -> Result<File, Untrusted> {
    let name = path.file_name().ok_or(Untrusted::NotAFile)?;
    let file = open_any(&folder_of(path)?.join(name))?;
    private(&file, me())?;
    Ok(file)
}

/// Opens a plain file for reading whoever may write to it, as on a stick, which has no owners.
pub fn open_any(path: &Path) -> Result<File, Untrusted> {
    let opened = OpenOptions::new().read(true).custom_flags(FLAGS.bits()).open(path);
    let file = opened.map_err(Untrusted::from_open)?;
    plain(&file)?;
    Ok(file)
}

/// The folder that `path` lies in, by its way without symlinks, on which nobody may exchange a
/// folder: whoever may write to one of them decides what all names below it mean.
pub fn folder_of(path: &Path) -> Result<PathBuf, Untrusted> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize().map_err(Untrusted::Unreadable)?;
    for above in folder.ancestors() {
        folder_is_private(above, &above.metadata().map_err(Untrusted::Unreadable)?)?;
    }
    Ok(folder)
}

/// That the opened file is a plain one.
pub fn plain(file: &File) -> Result<(), Untrusted> {
    if look(file)?.is_file() { Ok(()) } else { Err(Untrusted::NotAFile) }
}

/// That the opened file is root's or this owner's, and that not everybody may write to it.
pub fn private(file: &File, owner: u32) -> Result<(), Untrusted> {
    let metadata = look(file)?;
    match metadata.uid() {
        _ if metadata.mode() & OTHERS_WRITE != 0 => Err(Untrusted::Writable),
        other if ![ROOT, owner, me()].contains(&other) => Err(Untrusted::Owner(other)),
        _ => Ok(()),
    }
}

/// That the opened file, which is to be written to, is ours and has no other name: what another
/// user has put there would get our bytes in a file of their choice, or stay open in their hands.
pub fn ours_alone(file: &File) -> Result<(), Untrusted> {
    let metadata = look(file)?;
    match metadata.uid() {
        other if other != me() => Err(Untrusted::Begun(other)),
        _ if metadata.nlink() != 1 => Err(Untrusted::HardLink),
        _ => Ok(()),
    }
}

/// That not everybody may exchange what is in the folder; in a sticky one only owners may.
pub fn folder_is_private(path: &Path, metadata: &Metadata) -> Result<(), Untrusted> {
    let open = metadata.mode() & OTHERS_WRITE != 0 && metadata.mode() & STICKY == 0;
    if open { Err(Untrusted::OpenFolder(path.to_owned())) } else { Ok(()) }
}

/// Whose folder it is; root works in that of a service too, which is the service's own user's.
pub fn folder_owner(metadata: &Metadata) -> Result<u32, Untrusted> {
    let owner = metadata.uid();
    match [ROOT, owner].contains(&me()) || owner == ROOT {
        true => Ok(owner),
        false => Err(Untrusted::Owner(owner)),
    }
}

/// The user of this process.
fn me() -> u32 {
    geteuid().as_raw()
}

fn look(file: &File) -> Result<Metadata, Untrusted> {
    file.metadata().map_err(Untrusted::Unreadable)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let name = format!("attendant-trusted-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        mode(&folder, 0o755);
        folder.canonicalize().unwrap()
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn only_a_plain_file_in_a_private_place_is_opened() {
        let folder = folder("plain");
        let file = folder.join("file");
        fs::write(&file, "x").unwrap();
        mode(&file, 0o664);
        assert!(open(&file).is_ok());

        let link = folder.join("link");
        symlink(&file, &link).unwrap();
        assert!(matches!(open(&link), Err(Untrusted::Symlink)));
        assert!(matches!(open(&folder), Err(Untrusted::NotAFile)));
        assert!(matches!(open(&folder.join("..")), Err(Untrusted::NotAFile)));
        // A pipe would hold a reader that waits for its writer.
        let pipe = folder.join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(open(&pipe), Err(Untrusted::NotAFile)));
        assert!(matches!(open(Path::new("/dev/zero")), Err(Untrusted::NotAFile)));
        assert!(open(&folder.join("missing")).unwrap_err().is_missing());
        assert!(open(&folder.join("missing/file")).unwrap_err().is_missing());

        mode(&file, 0o666);
        assert!(matches!(open(&file), Err(Untrusted::Writable)));
        assert!(open_any(&file).is_ok());
        mode(&file, 0o644);
        mode(&folder, 0o777);
        assert!(matches!(open(&file), Err(Untrusted::OpenFolder(path)) if path == folder));
        mode(&folder, 0o1777);
        assert!(open(&file).is_ok());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_folder_above_is_looked_at_by_whatever_name_it_is_reached() {
        let top = folder("above");
        let (open_one, below) = (top.join("open"), top.join("open/below"));
        fs::create_dir_all(&below).unwrap();
        let file = below.join("file");
        fs::write(&file, "x").unwrap();
        let link = top.join("link");
        symlink(&below, &link).unwrap();
        assert!(open(&file).is_ok() && open(&link.join("file")).is_ok());
        mode(&open_one, 0o777);
        for way in [file, link.join("file")] {
            let refused = open(&way);
            assert!(matches!(&refused, Err(Untrusted::OpenFolder(path)) if *path == open_one));
        }
        fs::remove_dir_all(top).unwrap();
    }

    #[test]
    fn a_file_of_another_user_is_refused() {
        let folder = folder("owner");
        let file = folder.join("file");
        fs::write(&file, "x").unwrap();
        let opened = File::open(&file).unwrap();
        assert!(private(&opened, me()).is_ok() && ours_alone(&opened).is_ok());
        fs::hard_link(&file, folder.join("other")).unwrap();
        assert!(matches!(ours_alone(&opened), Err(Untrusted::HardLink)));
        // Only root gives files away.
        if me() == ROOT {
            fs::remove_file(folder.join("other")).unwrap();
            chown(&file, Some(4_711), None).unwrap();
            assert!(matches!(open(&file), Err(Untrusted::Owner(4_711))));
            assert!(matches!(ours_alone(&opened), Err(Untrusted::Begun(4_711))));
            assert!(private(&opened, 4_711).is_ok());
            chown(&folder, Some(4_711), None).unwrap();
            assert_eq!(folder_owner(&folder.metadata().unwrap()).unwrap(), 4_711);
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
