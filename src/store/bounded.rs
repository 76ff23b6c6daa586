//! Reads whole files that the owner names: plain ones, and no more of them than is allowed.
//!
//! A name on a command line or in a configuration may be that of a pipe that nobody writes to, or of
//! a device without an end. Neither may hold the program or eat the box's memory.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::makedev;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error("it is no file")]
    NotAFile,
    #[error("it is longer than {0} bytes")]
    TooLong(u64),
    #[error("it is no text in UTF-8")]
    NotText,
}

impl ReadError {
    /// There is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Unreadable(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// The whole file, at most `most` bytes.
pub fn bytes(path: &Path, most: u64) -> Result<Vec<u8>, ReadError> {
    // A pipe would hold whoever opens it until its other end is opened.
    let flags = OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let metadata = file.metadata()?;
    match () {
        () if is_null(&metadata) => Ok(Vec::new()),
        () if !metadata.is_file() => Err(ReadError::NotAFile),
        () => rest(file, most),
    }
}

/// The whole file as text.
pub fn text(path: &Path, most: u64) -> Result<String, ReadError> {
    String::from_utf8(bytes(path, most)?).map_err(|_| ReadError::NotText)
}

/// What is left of something that is open already, at most `most` bytes.
pub fn rest(input: impl Read, most: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    input.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(ReadError::TooLong(most)) } else { Ok(bytes) }
}

/// What is left as text.
pub fn rest_as_text(input: impl Read, most: u64) -> Result<String, ReadError> {
    String::from_utf8(rest(input, most)?).map_err(|_| ReadError::NotText)
}

/// The device that is empty: `--config /dev/null` is how one says "none".
fn is_null(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == makedev(1, 3)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn only_a_plain_file_is_read_and_no_longer_one_than_allowed() {
        let folder = std::env::temp_dir().join(format!("attendant-bounded-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("file");
        fs::write(&file, "12345").unwrap();
        assert_eq!(text(&file, 5).unwrap(), "12345");
        assert!(matches!(bytes(&file, 4), Err(ReadError::TooLong(4))));
        let link = folder.join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(bytes(&link, 5).unwrap(), b"12345");
        fs::write(&file, [0xff]).unwrap();
        assert!(matches!(text(&file, 5), Err(ReadError::NotText)));

        let pipe = folder.join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        for endless in [pipe.as_path(), &folder, Path::new("/dev/zero")] {
            let read = bytes(endless, 5);
            assert!(matches!(read, Err(ReadError::NotAFile)), "{}: {read:?}", endless.display());
        }
        assert_eq!(text(Path::new("/dev/null"), 5).unwrap(), "");
        let missing = bytes(&folder.join("missing"), 5);
        assert!(matches!(missing, Err(ReadError::Unreadable(_))), "{missing:?}");
        fs::remove_dir_all(folder).unwrap();
    }
}
