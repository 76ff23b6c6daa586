//! The code that whoever sets the first password must show: `attendant status` shows it, and it is in a file of the state
//! folder, whose name is in the log of the start and which only who has the box can read. That a request comes from the
//! box itself proves nothing: a proxy there asks for the whole world.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::base::{Entropy, Private, limits};
use crate::store::{bounded, whole};

const FILE: &str = "setup-code";
/// Nobody reads one for another: no 0, 1, I or O.
const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const LENGTH: usize = 8;

/// See the module.
#[derive(Debug)]
pub struct FirstCode {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    entropy: Entropy,
    code: Private<String>,
    /// Wrong ones since it was made.
    failures: u32,
}

impl FirstCode {
    /// That of the folder, which stays over a restart; else a new one. `is_needed`: there is no password, and it is told.
    pub fn open(folder: &Path, mut entropy: Entropy, is_needed: bool) -> Self {
        let path = folder.join(FILE);
        if !is_needed {
            // One of a box that lost its power between the password and this.
            let _ = forget(folder);
        }
        let code = match read(folder).filter(|_| is_needed) {
            Some(code) => code,
            None => new(&mut entropy),
        };
        let first = Self { path, known: Mutex::new(Known { entropy, code, failures: 0 }) };
        if is_needed {
            first.keep(&first.lock().code);
        }
        first
    }

    /// After `limits::FIRST_CODE_TRIES` wrong ones there is another. Takes the same time whatever is shown.
    pub fn is_right(&self, shown: &str) -> bool {
        let mut known = self.lock();
        let wanted = Sha256::digest(plain(known.code.reveal()));
        let is_right: bool = wanted.ct_eq(&Sha256::digest(plain(shown))).into();
        if is_right {
            return true;
        }
        known.failures += 1;
        if known.failures >= limits::FIRST_CODE_TRIES {
            let Known { entropy, code, failures } = &mut *known;
            (*code, *failures) = (new(entropy), 0);
            self.keep(&known.code);
        }
        false
    }

    /// Writes it where the owner looks.
    fn keep(&self, code: &Private<String>) {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        // At the first start nobody has made it yet.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let text = format!("{}\n", code.reveal());
        if let Err(error) = made.and_then(|()| whole::write(&self.path, text.as_bytes())) {
            tracing::error!(%error, "the file with the code for the first password");
        }
        tracing::warn!(
            "no password is set yet: the page asks for a code to set the first one, which `attendant status` shows; it \
             is in {}",
            self.path.display()
        );
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The code that a box with this state folder asks for; `None`: it asks for none, or it is not for this user to see.
pub fn read(folder: &Path) -> Option<Private<String>> {
    let text = bounded::text(&folder.join(FILE), limits::FIRST_CODE_BYTES).ok()?;
    let code = text.trim();
    (plain(code).len() == LENGTH).then(|| Private::new(code.to_owned()))
}

/// There is a password now.
pub fn forget(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn new(entropy: &mut Entropy) -> Private<String> {
    let mut letters = String::with_capacity(LENGTH + 1);
    let mut random = entropy.next_u64();
    for place in 0..LENGTH {
        if place == LENGTH / 2 {
            letters.push('-');
        }
        letters.push(char::from(LETTERS[(random % 32) as usize]));
        random /= 32;
    }
    Private::new(letters)
}

/// However it is typed.
fn plain(code: &str) -> String {
    let letters = code.chars().filter(char::is_ascii_alphanumeric).take(2 * LENGTH);
    letters.map(|c| c.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_code_stays_over_a_restart_and_is_another_after_many_wrong_ones() {
        let folder = std::env::temp_dir().join(format!("first-code-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let first = FirstCode::open(&folder, Entropy::new([7; 32]), true);
        let told = read(&folder).unwrap();
        assert_eq!(fs::metadata(folder.join(FILE)).unwrap().mode() & 0o777, 0o600);
        assert!(first.is_right(told.reveal()));
        assert!(first.is_right(&told.reveal().to_lowercase().replace('-', " ")));
        assert!(!first.is_right("") && !first.is_right(&format!("{}2", told.reveal())));
        drop(first);
        let again = FirstCode::open(&folder, Entropy::new([8; 32]), true);
        for tried in 0..limits::FIRST_CODE_TRIES {
            assert!(again.is_right(told.reveal()), "after {tried}");
            assert!(!again.is_right("AAAA-AAAA"));
        }
        let other = read(&folder).unwrap();
        assert!(other.reveal() != told.reveal() && !again.is_right(told.reveal()));
        assert!(again.is_right(other.reveal()));
        drop(again);
        fs::write(folder.join(FILE), "nonsense").unwrap();
        drop(FirstCode::open(&folder, Entropy::new([9; 32]), true));
        assert!(read(&folder).is_some(), "what is no code is replaced");
        drop(FirstCode::open(&folder, Entropy::new([9; 32]), false));
        assert!(read(&folder).is_none());
        fs::remove_dir_all(&folder).unwrap();
    }
}
