//! A file in chunks that are encrypted one by one (AES-256-GCM), so that one that was cut is readable up to its last whole chunk.
//!
//! ```text
//!  file  = "ATTDREC1" salt(16) chunk*        chunk = length(4, of what follows, big-endian) ciphertext tag(16)
//! ```
//!
//! Each file has a key of its own, HMAC-SHA256 of its salt under the owner's key; the nonce is the chunk's number. So no key
//! sees a nonce twice, and a chunk that was changed, or that stands in another place or file, is not believed.

use std::io;

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;

use crate::base::{Private, limits};

const MAGIC: &[u8; 8] = b"ATTDREC1";
const SALT_BYTES: usize = 16;
pub const HEAD_BYTES: usize = 8 + SALT_BYTES;
pub const LENGTH_BYTES: usize = 4;
pub const TAG_BYTES: usize = 16;

/// The owner's key.
#[derive(Clone, Debug)]
pub struct Key(Private<[u8; 32]>);

impl Key {
    /// 64 hexadecimal digits, as `openssl rand -hex 32` gives them; `None`: it is none.
    pub fn read(text: &str) -> Option<Self> {
        let (pairs, odd) = text.as_bytes().as_chunks::<2>();
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let byte = |pair: &[u8; 2]| {
            let value = digit(pair[0])? * 16 + digit(pair[1])?;
            u8::try_from(value).ok()
        };
        let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
        let bytes = <[u8; 32]>::try_from(bytes).ok().filter(|_| odd.is_empty())?;
        Some(Self(Private::new(bytes)))
    }

    fn of_file(&self, salt: &[u8]) -> Aes256Gcm {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(self.0.reveal())
            .expect("HMAC takes keys of any length");
        mac.update(MAGIC);
        mac.update(salt);
        Aes256Gcm::new(&mac.finalize().into_bytes())
    }
}

fn nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    nonce
}

/// Encrypts one file.
pub struct Sealing {
    cipher: Aes256Gcm,
    number: u64,
}

impl std::fmt::Debug for Sealing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealing({} chunks)", self.number)
    }
}

impl Sealing {
    /// With what the file begins with.
    pub fn new(key: &Key) -> (Self, Vec<u8>) {
        let mut salt = [0; SALT_BYTES];
        rand::rng().fill_bytes(&mut salt);
        let head = [&MAGIC[..], &salt].concat();
        (Self { cipher: key.of_file(&salt), number: 0 }, head)
    }

    /// At most `limits::RECORDING_CHUNK_BYTES`.
    pub fn chunk(&mut self, plain: &[u8]) -> io::Result<Vec<u8>> {
        let nonce = nonce(self.number);
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), plain);
        let sealed = sealed.map_err(|_| io::Error::other("it cannot be encrypted"))?;
        self.number += 1;
        let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        Ok([&length.to_be_bytes()[..], &sealed].concat())
    }
}

/// Decrypts one file.
pub struct Opening {
    cipher: Aes256Gcm,
}

impl Opening {
    /// From what the file begins with; `None`: it is none of ours.
    pub fn new(key: &Key, head: &[u8; HEAD_BYTES]) -> Option<Self> {
        let salt = head.strip_prefix(&MAGIC[..])?;
        Some(Self { cipher: key.of_file(salt) })
    }

    /// `None`: it was changed, or is under another key.
    pub fn chunk(&self, number: u64, sealed: &[u8]) -> Option<Vec<u8>> {
        self.cipher.decrypt(&Nonce::from(nonce(number)), sealed).ok()
    }
}

/// Bytes of a whole chunk's ciphertext that makes sense.
pub fn is_length(length: usize) -> bool {
    (TAG_BYTES + 1..=limits::RECORDING_CHUNK_BYTES + TAG_BYTES).contains(&length)
}
