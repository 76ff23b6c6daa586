//! The passwords of the two who sign in at the page, the owner and whoever may only look: argon2id hashes in a file of
//! the state folder.
//!
//! What `attendant password` writes there a running box sees within a second. A file that cannot be read opens nothing.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use serde::{Deserialize, Serialize};

use super::{Scope, Scopes, first_code};
use crate::base::{Private, limits};
use crate::store::{bounded, whole};

const FILE: &str = "passwords.json";
/// The file is looked at this often.
const LOOK: Duration = Duration::from_secs(1);

/// Who signs in. The names are part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    /// May do everything.
    Owner,
    /// Sees calls with their words, and changes nothing.
    Reader,
}

impl Person {
    pub const ALL: [Self; 2] = [Self::Owner, Self::Reader];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Reader => "reader",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|person| person.name() == name)
    }

    pub fn scopes(self) -> Scopes {
        match self {
            Self::Owner => Scopes::all(),
            Self::Reader => [Scope::Read, Scope::Words, Scope::Metrics].into_iter().collect(),
        }
    }
}

/// Why a password is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotSet {
    #[error(
        "a password has {} to {} characters",
        limits::PASSWORD_LEAST_CHARS,
        limits::PASSWORD_MOST_CHARS
    )]
    Length,
    #[error("the owner's password comes first")]
    OwnerFirst,
    #[error("the file of passwords cannot be written")]
    Unwritten(#[from] io::Error),
}

/// PHC strings.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Hashes {
    owner: Option<Phc>,
    reader: Option<Phc>,
}

/// A hash that is written to its file and to nothing else.
#[derive(Clone, Deserialize, Serialize)]
#[serde(transparent)]
struct Phc(String);

impl std::fmt::Debug for Phc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(private)")
    }
}

impl Hashes {
    const fn of(&self, person: Person) -> Option<&Phc> {
        match person {
            Person::Owner => self.owner.as_ref(),
            Person::Reader => self.reader.as_ref(),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Passwords {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    hashes: Hashes,
    /// Which file they are from: its inode and when it was changed; `None`: there was none.
    of: Option<(u64, i64, i64)>,
    looked: Instant,
    /// Grows when somebody else has written the file.
    version: u64,
    /// There is a file that nobody could read yet: there may be passwords, and nobody may sign in.
    is_closed: bool,
}

impl Passwords {
    /// Those in this folder; none where there is no file.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE);
        let of = stamp(&path)?;
        let known = Known { hashes: read(&path)?, of, looked: now(), version: 0, is_closed: false };
        Ok(Self { path, known: Mutex::new(known) })
    }

    /// The same; where they cannot be read nobody may sign in until they can, and why is told.
    pub fn open_or_closed(folder: &Path) -> (Self, Option<io::Error>) {
        match Self::open(folder) {
            Ok(passwords) => (passwords, None),
            Err(error) => {
                let path = folder.join(FILE);
                let of = stamp(&path).ok().flatten();
                let hashes = Hashes::default();
                let known = Known { hashes, of, looked: now(), version: 0, is_closed: true };
                (Self { path, known: Mutex::new(known) }, Some(error))
            }
        }
    }

    /// Whether these bytes are what such a file has.
    pub fn check(bytes: &[u8]) -> io::Result<()> {
        let wrong = || io::Error::other("it is no file of passwords");
        if bytes.len() as u64 > limits::PASSWORDS_BYTES {
            return Err(wrong());
        }
        let hashes: Hashes = serde_json::from_slice(bytes).map_err(|_| wrong())?;
        let all = [&hashes.owner, &hashes.reader].into_iter().flatten();
        match all.into_iter().all(|Phc(hash)| PasswordHash::new(hash).is_ok()) {
            true => Ok(()),
            false => Err(wrong()),
        }
    }

    /// Drops those in this folder, which may be unreadable.
    pub fn forget(folder: &Path) -> io::Result<()> {
        whole::remove(&folder.join(FILE))
    }

    /// The state folder.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Whether whoever comes must sign in.
    pub fn is_set(&self) -> bool {
        self.has(Person::Owner)
    }

    /// Another one: passwords were changed by another program, so that nobody is to stay signed in.
    pub fn version(&self) -> u64 {
        self.known().version
    }

    pub fn has(&self, person: Person) -> bool {
        let known = self.known();
        known.is_closed || known.hashes.of(person).is_some()
    }

    /// Takes some 50 ms and 19 MiB on purpose.
    pub fn is_right(&self, person: Person, password: &Private<String>) -> bool {
        let hash = self.known().hashes.of(person).cloned();
        let Some(Phc(hash)) = hash else { return false };
        let Ok(hash) = PasswordHash::new(&hash) else { return false };
        Argon2::default().verify_password(password.reveal().as_bytes(), &hash).is_ok()
    }

    /// `salt` is 128 random bits.
    pub fn set(
        &self,
        person: Person,
        password: &Private<String>,
        salt: [u8; 16],
    ) -> Result<(), NotSet> {
        let length = password.reveal().chars().count();
        if !(limits::PASSWORD_LEAST_CHARS..=limits::PASSWORD_MOST_CHARS).contains(&length) {
            return Err(NotSet::Length);
        }
        if person != Person::Owner && !self.is_set() {
            return Err(NotSet::OwnerFirst);
        }
        let failed = |_| io::Error::other("argon2id");
        let salt = SaltString::encode_b64(&salt).map_err(failed)?;
        let hash = Argon2::default().hash_password(password.reveal().as_bytes(), &salt);
        let hash = Phc(hash.map_err(failed)?.to_string());
        self.change(|hashes| match person {
            Person::Owner => hashes.owner = Some(hash),
            Person::Reader => hashes.reader = Some(hash),
        })?;
        // It was for the first password; one that stays opens nothing any more.
        let _ = first_code::forget(self.folder());
        Ok(())
    }

    /// Whoever only looks has no password any more.
    pub fn remove_reader(&self) -> io::Result<()> {
        self.change(|hashes| hashes.reader = None)
    }

    fn change(&self, change: impl FnOnce(&mut Hashes)) -> io::Result<()> {
        let mut known = self.known();
        if known.is_closed {
            return Err(io::Error::other("the present passwords cannot be read"));
        }
        let mut hashes = known.hashes.clone();
        change(&mut hashes);
        whole::write(&self.path, &serde_json::to_vec(&hashes)?)?;
        known.hashes = hashes;
        known.of = stamp(&self.path)?;
        Ok(())
    }

    /// As the file has them now. One that cannot be read any more leaves what was known.
    fn known(&self) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        if now.duration_since(known.looked) >= LOOK {
            known.looked = now;
            match stamp(&self.path) {
                Ok(of) if of.is_some() && of != known.of => {
                    // One that cannot be read is told once.
                    known.of = of;
                    match read(&self.path) {
                        Ok(hashes) => {
                            known.hashes = hashes;
                            known.version += 1;
                            known.is_closed = false;
                        }
                        Err(error) => tracing::error!(%error, "the file of passwords"),
                    }
                }
                Ok(_) => (),
                Err(error) => tracing::error!(%error, "the file of passwords"),
            }
        }
        known
    }
}

fn stamp(path: &Path) -> io::Result<Option<(u64, i64, i64)>> {
    match fs::metadata(path) {
        // The time of its change: also when only its owner or its mode has changed.
        Ok(found) => Ok(Some((found.ino(), found.ctime(), found.ctime_nsec()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> io::Result<Hashes> {
    let text = match bounded::bytes(path, limits::PASSWORDS_BYTES) {
        Ok(text) => text,
        Err(error) if error.is_missing() => return Ok(Hashes::default()),
        Err(error) => return Err(io::Error::other(error)),
    };
    // serde would say what it found.
    serde_json::from_slice(&text).map_err(|_| io::Error::other("it is no file of passwords"))
}

fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn private(text: &str) -> Private<String> {
        Private::new(text.to_owned())
    }

    #[test]
    fn a_password_is_kept_as_its_hash_and_known_again_by_another_run() {
        let folder = std::env::temp_dir().join(format!("passwords-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let passwords = Passwords::open(&folder).unwrap();
        assert!(!passwords.is_set());
        let right = private("correct horse");
        assert!(matches!(passwords.set(Person::Reader, &right, [1; 16]), Err(NotSet::OwnerFirst)));
        assert!(matches!(
            passwords.set(Person::Owner, &private("short"), [1; 16]),
            Err(NotSet::Length)
        ));
        passwords.set(Person::Owner, &right, [1; 16]).unwrap();
        let text = fs::read_to_string(folder.join(FILE)).unwrap();
        assert!(text.contains("$argon2id$v=19$m=19456,t=2,p=1$") && !text.contains("horse"));
        assert_eq!(fs::metadata(folder.join(FILE)).unwrap().mode() & 0o777, 0o600);
        let again = Passwords::open(&folder).unwrap();
        assert!(again.is_set() && again.is_right(Person::Owner, &right));
        assert!(!again.is_right(Person::Owner, &private("correct horsf")));
        assert!(!again.is_right(Person::Reader, &right));
        again.set(Person::Reader, &private("only looking"), [2; 16]).unwrap();
        assert!(again.is_right(Person::Reader, &private("only looking")));
        again.remove_reader().unwrap();
        assert!(!again.has(Person::Reader) && again.has(Person::Owner));
        fs::write(folder.join(FILE), "{").unwrap();
        assert!(Passwords::open(&folder).is_err(), "what cannot be read opens nothing");
        let (closed, fault) = Passwords::open_or_closed(&folder);
        assert!(fault.is_some() && closed.is_set() && closed.has(Person::Owner));
        assert!(!closed.is_right(Person::Owner, &right));
        assert!(closed.set(Person::Owner, &right, [1; 16]).is_err());
        // Somebody mends it, and the next look finds it.
        again.set(Person::Owner, &right, [1; 16]).unwrap();
        closed.known.lock().unwrap().looked -= LOOK;
        assert!(closed.is_right(Person::Owner, &right) && !closed.has(Person::Reader));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn who_only_looks_may_change_nothing() {
        for scope in [Scope::Dial, Scope::Calls, Scope::Settings, Scope::Webrtc, Scope::Audio] {
            assert!(!Person::Reader.scopes().has(scope), "{scope:?}");
        }
        assert!(Person::Reader.scopes().has(Scope::Words));
        assert!(Scope::ALL.into_iter().all(|scope| Person::Owner.scopes().has(scope)));
    }
}
