//! Small files of the kernel's, each a word or a number.

use std::path::{Path, PathBuf};

use crate::base::limits;
use crate::store::bounded;

/// Its text without the line's end; `None` if it cannot be read.
pub(super) fn word(path: &Path) -> Option<String> {
    let text = bounded::text(path, limits::SYSFS_BYTES).ok()?;
    // Files of the device tree end with a zero byte.
    Some(text.trim_end_matches(['\0', '\n', ' ']).to_owned())
}

pub(super) fn number(path: &Path) -> Option<i64> {
    word(path)?.parse().ok()
}

pub(super) fn natural(path: &Path) -> Option<u64> {
    word(path)?.parse().ok()
}

/// The entries of a folder whose names begin so, sorted; a bounded number of them.
pub(super) fn entries(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(listed) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = listed
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)));
    let mut paths: Vec<PathBuf> =
        names.take(limits::SYSFS_ENTRIES).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}
