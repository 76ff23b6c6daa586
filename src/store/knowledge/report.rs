//! What was read of the folder of knowledge, in numbers: no name and no word of a file.

use std::collections::BTreeMap;

/// The folder at the last change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files that are searched.
    pub files: usize,
    /// Their passages.
    pub passages: usize,
    /// Files that are not searched, by the reason.
    pub left_out: BTreeMap<LeftOut, usize>,
}

/// Why a file is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    TooLong,
    NoRoom,
    TooMany,
    NotText,
    NotPlain,
    Unreadable,
}

impl LeftOut {
    /// A phrase for the owner; the numbers are those of `limits::KNOWLEDGE_*`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "longer than 256 KiB",
            Self::NoRoom => "all files together are longer than 8 MiB",
            Self::TooMany => "more than 500 files",
            Self::NotText => "no text in UTF-8",
            Self::NotPlain => "a link or no plain file",
            Self::Unreadable => "cannot be read",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits;

    #[test]
    fn the_reasons_name_the_limits() {
        let kib = limits::KNOWLEDGE_FILE_BYTES / 1024;
        let mib = limits::KNOWLEDGE_BYTES / 1024 / 1024;
        assert!(LeftOut::TooLong.reason().ends_with(&format!("{kib} KiB")));
        assert!(LeftOut::NoRoom.reason().ends_with(&format!("{mib} MiB")));
        let files = format!("{} files", limits::KNOWLEDGE_FILES);
        assert!(LeftOut::TooMany.reason().ends_with(&files));
    }
}
