//! A recording as it is heard: from any place on, decrypted on the way.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::sealed::{HEAD_BYTES, Key, LENGTH_BYTES, Opening, TAG_BYTES, is_length};
use crate::store::trusted;

/// An open recording.
pub struct Recording {
    file: File,
    bytes: u64,
    /// `None`: it is not encrypted.
    sealed: Option<Sealed>,
}

struct Sealed {
    opening: Opening,
    chunks: Vec<Chunk>,
}

/// Where a chunk's ciphertext is, and where its content is in the whole.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    at: u64,
    length: usize,
    from: u64,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recording({} bytes)", self.bytes)
    }
}

impl Recording {
    pub(super) fn open_plain(path: &Path) -> Option<Self> {
        let file = trusted::open_any(path).ok()?;
        let bytes = file.metadata().ok()?.len();
        Some(Self { file, bytes, sealed: None })
    }

    /// Finds its whole chunks; what was cut after them is left out.
    pub(super) fn open_sealed(path: &Path, key: &Key) -> Option<Self> {
        let file = trusted::open_any(path).ok()?;
        let end = file.metadata().ok()?.len();
        let mut head = [0; HEAD_BYTES];
        file.read_exact_at(&mut head, 0).ok()?;
        let opening = Opening::new(key, &head)?;
        let (mut chunks, mut at, mut from) = (Vec::new(), HEAD_BYTES as u64, 0);
        let mut prefix = [0; LENGTH_BYTES];
        while file.read_exact_at(&mut prefix, at).is_ok() {
            let length = u32::from_be_bytes(prefix) as usize;
            at += LENGTH_BYTES as u64;
            if !is_length(length) || at + length as u64 > end {
                break;
            }
            chunks.push(Chunk { at, length, from });
            at += length as u64;
            from += (length - TAG_BYTES) as u64;
        }
        Some(Self { file, bytes: from, sealed: Some(Sealed { opening, chunks }) })
    }

    /// Of what is heard.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Some bytes from there on, at most `most`; none at its end.
    ///
    /// # Errors
    /// The disk fails, or what it has was changed.
    pub fn read_at(&self, at: u64, most: usize) -> io::Result<Vec<u8>> {
        let Some(Sealed { opening, chunks }) = &self.sealed else {
            let mut bytes = vec![0; most];
            let read = self.file.read_at(&mut bytes, at)?;
            bytes.truncate(read);
            return Ok(bytes);
        };
        let after = chunks.partition_point(|chunk| chunk.from <= at);
        let Some(number) = after.checked_sub(1) else { return Ok(Vec::new()) };
        let Some(chunk) = chunks.get(number) else { return Ok(Vec::new()) };
        let mut sealed = vec![0; chunk.length];
        self.file.read_exact_at(&mut sealed, chunk.at)?;
        let plain = opening.chunk(number as u64, &sealed);
        let plain = plain.ok_or_else(|| io::Error::other("the recording was changed"))?;
        let skip = usize::try_from(at - chunk.from).unwrap_or(usize::MAX);
        Ok(plain.get(skip..).unwrap_or_default().iter().take(most).copied().collect())
    }
}
