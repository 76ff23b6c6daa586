//! Rendered phrases on the disk, so that what was said once need not be rendered again.
//!
//! ```text
//! voice + text ──HMAC──▶ NAME.phrase: head, MAC, 16 kHz PCM      key: the secret of both MACs
//! ```
//! A text may be private, so neither it nor a plain hash of it stands anywhere: names are made with
//! a secret of this folder, which nobody but its owner may enter. **Invariant:** a sound is given
//! out only if its MAC, over name and sound, is right; whatever a crash or the power has left is a
//! miss and is removed. The folder belongs to one process at a time and holds no more than its limit;
//! what was not used for the longest time goes first.

// A shell: it asks for the time itself.
#![allow(clippy::disallowed_methods)]

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use hmac::{Hmac, Mac};
use nix::fcntl::{Flock, FlockArg};
use rand::RngCore;
use sha2::Sha256;

use super::bounded;
use super::shelf::folder::{Folder, NEW};
use super::trusted::Untrusted;
use crate::base::limits;
use crate::speech::model::{hexadecimal, parse_sha256};

const ENDING: &str = ".phrase";
const LOCK: &str = ".lock";
const SECRET: &str = "secret";
const SECRET_BYTES: usize = 32;
/// Format and version of a file.
const MAGIC: &[u8; 8] = b"ATTPHR1\n";
const MAC_BYTES: usize = 32;
const HEAD_BYTES: usize = MAGIC.len() + MAC_BYTES;
const FILE_BYTES: u64 = HEAD_BYTES as u64 + limits::PHRASE_BYTES;

/// What a phrase of one voice is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhraseKey([u8; 32]);

impl PhraseKey {
    fn name(&self) -> String {
        format!("{}{ENDING}", hexadecimal(&self.0))
    }
}

/// Why there are no kept phrases.
#[derive(Debug, thiserror::Error)]
pub enum PhrasesError {
    #[error("the folder cannot be used")]
    Folder(#[from] Untrusted),
    #[error("the folder cannot be read or written")]
    Io(#[from] io::Error),
    #[error("another process uses it")]
    InUse,
}

/// The kept phrases.
#[derive(Debug)]
pub struct Phrases {
    folder: Folder,
    secret: [u8; SECRET_BYTES],
    most_bytes: u64,
    index: Mutex<Index>,
    _lock: Flock<File>,
}

impl Phrases {
    /// The phrases in this folder, which is made if it is missing, for this user only. It holds
    /// `most_bytes` at most.
    pub fn open(path: &Path, most_bytes: u64) -> Result<Self, PhrasesError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let folder = Folder::open(path)?;
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o700))?;
        let lock = Flock::lock(folder.write(LOCK)?, FlockArg::LockExclusiveNonblock)
            .map_err(|_| PhrasesError::InUse)?;
        let (secret, is_new) = secret(&folder)?;
        let index = Mutex::new(Index::of(&folder, is_new)?);
        let phrases = Self { folder, secret, most_bytes, index, _lock: lock };
        phrases.make_room(&mut phrases.index(), 0);
        Ok(phrases)
    }

    /// The key of a text in a voice, which stands for everything that its sound depends on.
    pub fn key(&self, voice: &[u8; 32], text: &str) -> PhraseKey {
        PhraseKey(self.mac(b"name", &[voice, text.as_bytes()]))
    }

    /// There is a sound under this key, as far as was seen; nothing is read.
    pub fn has(&self, key: &PhraseKey) -> bool {
        self.index().entries.contains_key(key)
    }

    /// A phrase that is not known to be said again is worth its room when it comes the second time:
    /// most of what is said once names somebody.
    pub fn comes_again(&self, key: PhraseKey) -> bool {
        let mut index = self.index();
        if index.met.contains(&key) {
            return true;
        }
        index.meet(key);
        false
    }

    /// The sound, 16 kHz mono, if it is there and right.
    pub fn read(&self, key: &PhraseKey) -> Option<Vec<i16>> {
        let name = key.name();
        let sound = self.folder.read(&name).ok().and_then(|file| self.verified(key, file));
        let mut index = self.index();
        match sound {
            Some(_) => index.touch(key),
            // Missing, cut, changed: whatever it is, it is not the phrase.
            None => {
                index.forget(key);
                let _ = self.folder.remove(&name);
            }
        }
        sound
    }

    fn verified(&self, key: &PhraseKey, file: File) -> Option<Vec<i16>> {
        let touched = file.set_modified(SystemTime::now());
        let bytes = bounded::rest(file, FILE_BYTES).ok()?;
        // Without it the phrase is only thought older than it is.
        drop(touched);
        let (magic, rest) = bytes.split_first_chunk::<{ MAGIC.len() }>()?;
        let (mac, sound) = rest.split_first_chunk::<MAC_BYTES>()?;
        let is_right = magic == MAGIC && *mac == self.mac(b"sound", &[&key.0, sound]);
        let (pairs, odd) = sound.as_chunks::<2>();
        let samples = || pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        (is_right && odd.is_empty()).then(samples)
    }

    /// Keeps a sound, whole or not at all. One that is too long, or for which the disk has no room,
    /// is left out: true when it is kept.
    pub fn write(&self, key: PhraseKey, samples: &[i16]) -> io::Result<bool> {
        let sound: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let content = [&MAGIC[..], &self.mac(b"sound", &[&key.0, &sound]), &sound].concat();
        let bytes = content.len() as u64;
        let fits = bytes <= FILE_BYTES.min(self.most_bytes)
            && self.folder.free_bytes()? >= bytes + limits::SHELF_RESERVE_BYTES;
        if !fits || samples.is_empty() {
            return Ok(false);
        }
        {
            let mut index = self.index();
            // Its own file is replaced.
            index.forget(&key);
            self.make_room(&mut index, bytes);
        }
        self.folder.replace(&key.name(), &content)?;
        self.index().put(key, bytes);
        Ok(true)
    }

    /// Bytes of all sounds.
    pub fn bytes(&self) -> u64 {
        self.index().bytes
    }

    fn make_room(&self, index: &mut Index, more: u64) {
        while index.bytes + more > self.most_bytes
            && let Some(oldest) = index.oldest()
        {
            index.forget(&oldest);
            if let Err(error) = self.folder.remove(&oldest.name()) {
                tracing::warn!(%error, "an old phrase cannot be removed");
            }
        }
    }

    fn mac(&self, purpose: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes keys of any length");
        mac.update(purpose);
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The secret of the folder, and whether it was made just now.
fn secret(folder: &Folder) -> Result<([u8; SECRET_BYTES], bool), PhrasesError> {
    if let Some(secret) = folder.small(SECRET)?.and_then(|text| parse_sha256(&text)) {
        return Ok((secret, false));
    }
    let mut secret = [0; SECRET_BYTES];
    rand::rng().fill_bytes(&mut secret);
    folder.replace(SECRET, hexadecimal(&secret).as_bytes())?;
    Ok((secret, true))
}

/// What is in the folder.
#[derive(Debug, Default)]
struct Index {
    entries: HashMap<PhraseKey, Entry>,
    /// By last use, oldest first.
    order: BTreeMap<u64, PhraseKey>,
    uses: u64,
    bytes: u64,
    /// Keys that were asked for and are not kept, bounded; oldest first in `met_order`.
    met: HashSet<PhraseKey>,
    met_order: VecDeque<PhraseKey>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    bytes: u64,
    used: u64,
}

impl Index {
    /// Looks through the folder and removes what a write has left that did not come to its end, and
    /// under a new secret everything.
    fn of(folder: &Folder, is_new: bool) -> io::Result<Self> {
        let mut found = Vec::new();
        for name in folder.names()? {
            let Some(name) = name.to_str() else { continue };
            if name.ends_with(NEW) {
                folder.remove(name)?;
                continue;
            }
            let Some(key) = name.strip_suffix(ENDING).and_then(parse_sha256) else { continue };
            let look = || {
                let metadata = folder.read(name).ok()?.metadata().ok()?;
                Some((metadata.modified().ok()?, PhraseKey(key), metadata.len()))
            };
            match look() {
                Some(entry) if !is_new => found.push(entry),
                _ => folder.remove(name)?,
            }
        }
        found.sort();
        let mut index = Self::default();
        found.into_iter().for_each(|(_, key, bytes)| index.put(key, bytes));
        Ok(index)
    }

    fn put(&mut self, key: PhraseKey, bytes: u64) {
        self.forget(&key);
        self.uses += 1;
        self.bytes += bytes;
        self.order.insert(self.uses, key);
        self.entries.insert(key, Entry { bytes, used: self.uses });
    }

    fn touch(&mut self, key: &PhraseKey) {
        if let Some(entry) = self.entries.get(key) {
            self.put(*key, entry.bytes);
        }
    }

    fn forget(&mut self, key: &PhraseKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }

    fn oldest(&self) -> Option<PhraseKey> {
        self.order.values().next().copied()
    }

    fn meet(&mut self, key: PhraseKey) {
        if self.met_order.len() >= limits::PHRASES_MET
            && let Some(oldest) = self.met_order.pop_front()
        {
            self.met.remove(&oldest);
        }
        self.met.insert(key);
        self.met_order.push_back(key);
    }
}

#[cfg(test)]
mod tests;
