//! A stream that is encrypted piece by piece (AES-256-GCM), so that neither end has it whole in memory.
//!
//! ```text
//!  file  = MAGIC salt(16) piece*       piece = length(4, of what follows, big-endian) ciphertext tag(16)
//! ```
//!
//! The nonce is the piece's number and whether it is the last, so that no piece can be left out, moved or added, and a file
//! that was cut is none. The key is argon2id's of a passphrase and the salt: no key sees a nonce twice.

use std::io::{self, Read, Write};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::Argon2;

use super::BackupError;
use crate::base::limits;

const MAGIC: &[u8] = b"attendant-backup-2\n";
pub const SALT: usize = 16;
const TAG: usize = 16;
const PIECE: usize = limits::BACKUP_PIECE_BYTES;

/// Takes some 50 ms on purpose.
fn cipher(passphrase: &str, salt: &[u8]) -> Result<Aes256Gcm, BackupError> {
    if !super::is_passphrase(passphrase) {
        return Err(BackupError::Passphrase);
    }
    let mut key = zeroize::Zeroizing::new([0; 32]);
    Argon2::default()
        .hash_password_into(passphrase.as_bytes(), salt, &mut *key)
        .map_err(|_| BackupError::Passphrase)?;
    Aes256Gcm::new_from_slice(&*key).map_err(|_| BackupError::Passphrase)
}

fn nonce(number: u64, is_last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[0] = u8::from(is_last);
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    nonce
}

/// Encrypts what is written to it; [`Self::finish`] is its end.
pub struct Sealing<W> {
    out: W,
    cipher: Aes256Gcm,
    number: u64,
    waiting: Vec<u8>,
}

impl<W: Write> Sealing<W> {
    /// `salt` is random.
    pub fn new(mut out: W, passphrase: &str, salt: [u8; SALT]) -> Result<Self, BackupError> {
        let cipher = cipher(passphrase, &salt)?;
        out.write_all(MAGIC)?;
        out.write_all(&salt)?;
        Ok(Self { out, cipher, number: 0, waiting: Vec::with_capacity(PIECE) })
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.piece(true)?;
        self.out.flush()
    }

    fn piece(&mut self, is_last: bool) -> io::Result<()> {
        let payload = Payload { msg: &self.waiting, aad: MAGIC };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce(self.number, is_last)), payload);
        let sealed = sealed.map_err(|_| io::Error::other("it cannot be encrypted"))?;
        self.number += 1;
        self.waiting.clear();
        let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(&sealed)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waiting.len() == PIECE {
            self.piece(false)?;
        }
        let taken = bytes.len().min(PIECE - self.waiting.len());
        self.waiting.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Decrypts what is read from it. The end comes only behind a last piece.
pub struct Opening<R> {
    input: R,
    cipher: Aes256Gcm,
    number: u64,
    piece: Vec<u8>,
    at: usize,
    is_over: bool,
}

impl<R: Read> Opening<R> {
    pub fn new(mut input: R, passphrase: &str) -> Result<Self, BackupError> {
        let mut head = [0; MAGIC.len() + SALT];
        input.read_exact(&mut head).map_err(|_| BackupError::NotOurs)?;
        let salt = head.strip_prefix(MAGIC).ok_or(BackupError::NotOurs)?;
        let cipher = cipher(passphrase, salt)?;
        Ok(Self { input, cipher, number: 0, piece: Vec::new(), at: 0, is_over: false })
    }

    fn next(&mut self) -> io::Result<()> {
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "it was changed, or cut off");
        let mut length = [0; 4];
        self.input.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length) as usize;
        if !(TAG..=PIECE + TAG).contains(&length) {
            return Err(wrong());
        }
        let mut sealed = vec![0; length];
        self.input.read_exact(&mut sealed)?;
        let open = |is_last| {
            let payload = Payload { msg: &sealed[..], aad: MAGIC };
            self.cipher.decrypt(&Nonce::from(nonce(self.number, is_last)), payload).ok()
        };
        let (piece, is_last) = match open(false) {
            Some(piece) => (piece, false),
            None => (open(true).ok_or_else(wrong)?, true),
        };
        // Behind the last nothing stands.
        if is_last && self.input.read(&mut [0])? > 0 {
            return Err(wrong());
        }
        (self.piece, self.at, self.is_over) = (piece, 0, is_last);
        self.number += 1;
        Ok(())
    }
}

impl<R: Read> Read for Opening<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && !self.is_over {
            self.next()?;
        }
        let rest = self.piece.get(self.at..).unwrap_or_default();
        let taken = rest.len().min(into.len());
        into[..taken].copy_from_slice(&rest[..taken]);
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "four quiet harbours";

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut sealing = Sealing::new(&mut file, WORDS, [7; SALT]).unwrap();
        sealing.write_all(plain).unwrap();
        sealing.finish().unwrap();
        file
    }

    fn opened(file: &[u8]) -> Option<Vec<u8>> {
        let mut plain = Vec::new();
        Opening::new(file, WORDS).ok()?.read_to_end(&mut plain).ok()?;
        Some(plain)
    }

    #[test]
    fn what_was_sealed_opens_and_what_was_cut_moved_or_added_does_not() {
        for length in [0, 1, PIECE, PIECE + 1, 3 * PIECE] {
            let plain: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            assert_eq!(opened(&sealed(&plain)).as_ref(), Some(&plain), "{length}");
        }
        let plain = vec![1; 2 * PIECE + 5];
        let file = sealed(&plain);
        let head = MAGIC.len() + SALT;
        let piece = 4 + PIECE + TAG;
        for cut in [0, head, head + 3, head + piece, head + 2 * piece, file.len() - 1] {
            assert_eq!(opened(&file[..cut]), None, "{cut}");
        }
        let swapped = [
            &file[..head],
            &file[head + piece..head + 2 * piece],
            &file[head..head + piece],
            &file[head + 2 * piece..],
        ];
        assert_eq!(opened(&swapped.concat()), None);
        assert_eq!(opened(&[&file[..], &[0]].concat()), None);
        assert_eq!(opened(&[&file[..head], &file[head + 2 * piece..]].concat()), None);
        let mut spoiled = file.clone();
        spoiled[head + 100] ^= 1;
        assert_eq!(opened(&spoiled), None);
        assert!(Opening::new(&file[..], "another phrase").unwrap().read(&mut [0]).is_err());
    }
}
