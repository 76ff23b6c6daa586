//! Opens files that a process is to believe: no symlink, no device, nothing that anybody may write.
//!
//! What was looked at is the opened file itself, not its name: nothing can be exchanged between the
//! look and the reading.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

/// Without following a symlink, and without waiting for the other end of a pipe.
pub const FLAGS: OFlag = OFlag::O_NOFOLLOW.union(OFlag::O_CLOEXEC).union(OFlag::O_NONBLOCK);
/// Mode bits: writable by others; sticky.
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

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
    #[error("everybody may exchange files in its folder (chmod o-w)")]
    OpenFolder,
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

/// Opens the file for reading; its folder and it are writable for their owners only.
pub fn open(path: &Path) -> Result<File, Untrusted> {
    let file = open_any(path)?;
    private(&file)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = std::fs::metadata(folder.unwrap_or(Path::new(".")));
    folder_is_private(&folder.map_err(Untrusted::Unreadable)?)?;
    Ok(file)
}

/// Opens a plain file for reading whoever may write to it, as on a stick, which has no owners.
pub fn open_any(path: &Path) -> Result<File, Untrusted> {
    let opened = OpenOptions::new().read(true).custom_flags(FLAGS.bits()).open(path);
    let file = opened.map_err(Untrusted::from_open)?;
    plain(&file)?;
    Ok(file)
}

/// That the opened file is a plain one.
pub fn plain(file: &File) -> Result<(), Untrusted> {
    let metadata = file.metadata().map_err(Untrusted::Unreadable)?;
    if metadata.is_file() { Ok(()) } else { Err(Untrusted::NotAFile) }
}

/// That not everybody may write to the opened file.
pub fn private(file: &File) -> Result<(), Untrusted> {
    let metadata = file.metadata().map_err(Untrusted::Unreadable)?;
    if metadata.mode() & OTHERS_WRITE == 0 { Ok(()) } else { Err(Untrusted::Writable) }
}

/// That not everybody may exchange what is in the folder; in a sticky one only owners may.
pub fn folder_is_private(metadata: &std::fs::Metadata) -> Result<(), Untrusted> {
    let open = metadata.mode() & OTHERS_WRITE != 0 && metadata.mode() & STICKY == 0;
    if open { Err(Untrusted::OpenFolder) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_a_plain_file_in_a_private_place_is_opened() {
        let folder = std::env::temp_dir().join(format!("attendant-trusted-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("file");
        fs::write(&file, "x").unwrap();
        let mode = |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode));
        mode(&folder, 0o755).unwrap();
        mode(&file, 0o664).unwrap();
        assert!(open(&file).is_ok());

        let link = folder.join("link");
        symlink(&file, &link).unwrap();
        assert!(matches!(open(&link), Err(Untrusted::Symlink)));
        assert!(matches!(open(&folder), Err(Untrusted::NotAFile)));
        // A pipe would hold a reader that waits for its writer.
        let pipe = folder.join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(open(&pipe), Err(Untrusted::NotAFile)));
        assert!(matches!(open(Path::new("/dev/zero")), Err(Untrusted::NotAFile)));
        assert!(open(&folder.join("missing")).unwrap_err().is_missing());

        mode(&file, 0o666).unwrap();
        assert!(matches!(open(&file), Err(Untrusted::Writable)));
        assert!(open_any(&file).is_ok());
        mode(&file, 0o644).unwrap();
        mode(&folder, 0o777).unwrap();
        assert!(matches!(open(&file), Err(Untrusted::OpenFolder)));
        mode(&folder, 0o1777).unwrap();
        assert!(open(&file).is_ok());
        fs::remove_dir_all(folder).unwrap();
    }
}
