//! What the owner has set in one file, and back: settings, playbooks, passwords, secrets, and how much was dialled. Calls
//! and messages are not in it: they stay in `history.db` of the state folder.
//!
//! Everything in it is encrypted (AES-256-GCM) with a key that argon2id makes of a passphrase: what is lost with a
//! stick opens nothing. The file is `attendant-backup-1` and a line break, 16 bytes of salt, 12 of nonce, then the
//! encrypted JSON with its 16 bytes of tag.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::Argon2;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::access::Passwords;
use super::settings::is_secret_text;
use crate::appliance::config;
use crate::base::limits;
use crate::converse::Playbook;
use crate::store::{bounded, ledger, whole};

const MAGIC: &[u8] = b"attendant-backup-1\n";
const SALT: usize = 16;
const NONCE: usize = 12;
const TAG: usize = 16;
/// The configuration's own name in the file, whatever it is called on the box.
const CONFIG: &str = "attendant.toml";
/// Files of the state folder that are the box's and not this machine's.
const STATE: [&str; 2] = ["passwords.json", "dialled.json"];
/// Of older versions' backups; the database takes it over at the next start.
const OLD_MESSAGES: &str = "messages.jsonl";
const SECRETS: &str = "secrets";

/// Why there is no backup, or none is put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("a passphrase has 8 to 128 characters")]
    Passphrase,
    #[error("it is no backup of this program, or the passphrase is another one")]
    NotOurs,
    #[error("its configuration is not sound here: {0}")]
    Unsound(String),
    #[error("it is longer than {} MiB", limits::BACKUP_BYTES / 1024 / 1024)]
    TooLong,
    #[error("a file cannot be read or written")]
    Files(#[from] io::Error),
}

/// Where things are.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    pub config: &'a Path,
    pub state: &'a Path,
}

/// What is encrypted.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    /// Of the program that made it.
    version: String,
    /// Base64 by name: `attendant.toml`, `playbooks/NAME`, `state/NAME`, `secrets/NAME`.
    files: BTreeMap<String, String>,
}

/// Takes some 50 ms for the key on purpose. `random` are 28 bytes nobody can predict.
pub fn make(
    places: Places<'_>,
    passphrase: &str,
    random: [u8; SALT + NONCE],
) -> Result<Vec<u8>, BackupError> {
    let mut files = BTreeMap::new();
    let mut put = |name: String, path: &Path| -> Result<(), BackupError> {
        match bounded::bytes(path, limits::BACKUP_BYTES as u64) {
            Ok(bytes) => {
                files.insert(name, STANDARD.encode(bytes));
                Ok(())
            }
            Err(error) if error.is_missing() => Ok(()),
            Err(bounded::ReadError::TooLong(_)) => Err(BackupError::TooLong),
            Err(error) => Err(io::Error::other(error).into()),
        }
    };
    put(CONFIG.to_owned(), places.config)?;
    for name in toml_files(places.config)? {
        put(format!("playbooks/{name}"), &places.config.with_file_name(&name))?;
    }
    for name in STATE {
        put(format!("state/{name}"), &places.state.join(name))?;
    }
    for name in names(&places.state.join(SECRETS))?.into_iter().filter(|name| is_secret(name)) {
        put(format!("{SECRETS}/{name}"), &places.state.join(SECRETS).join(&name))?;
    }
    let contents = Contents { version: env!("CARGO_PKG_VERSION").to_owned(), files };
    let mut text = serde_json::to_vec(&contents).map_err(io::Error::other)?;
    if text.len() > limits::BACKUP_BYTES {
        return Err(BackupError::TooLong);
    }
    let (salt, nonce) = random.split_at(SALT);
    let cipher = cipher(passphrase, salt)?;
    let tag = cipher
        .encrypt_in_place_detached(Nonce::from_slice(nonce), MAGIC, &mut text)
        .map_err(|_| BackupError::TooLong)?;
    Ok([MAGIC, &random, &text, &tag].concat())
}

/// Puts everything back, or nothing: all of it is looked at first, and lies on the disk before the first name is moved.
/// What the backup has not stays; what it takes the place of is kept for one step back.
/// `of_this_box` makes the configuration one that may count here.
pub fn put_back(
    places: Places<'_>,
    passphrase: &str,
    backup: &[u8],
    of_this_box: impl FnOnce(&str) -> Result<String, String>,
) -> Result<(), BackupError> {
    let rest = backup.strip_prefix(MAGIC).ok_or(BackupError::NotOurs)?;
    let (head, text) = rest.split_at_checked(SALT + NONCE).ok_or(BackupError::NotOurs)?;
    let length = text.len().checked_sub(TAG).ok_or(BackupError::NotOurs)?;
    let (text, tag) = text.split_at(length);
    let (salt, nonce) = head.split_at(SALT);
    let mut text = text.to_vec();
    cipher(passphrase, salt)?
        .decrypt_in_place_detached(Nonce::from_slice(nonce), MAGIC, &mut text, tag.into())
        .map_err(|_| BackupError::NotOurs)?;
    let contents: Contents = serde_json::from_slice(&text).map_err(|_| BackupError::NotOurs)?;
    let mut wanted = Vec::new();
    let mut of_this_box = Some(of_this_box);
    for (name, file) in contents.files {
        let mut bytes = STANDARD.decode(file).map_err(|_| BackupError::NotOurs)?;
        let path = place(places, &name).ok_or(BackupError::NotOurs)?;
        check(&name, &bytes)?;
        if name == CONFIG
            && let Some(of_this_box) = of_this_box.take()
        {
            let text = String::from_utf8(bytes).map_err(|_| BackupError::NotOurs)?;
            bytes = of_this_box(&text).map_err(BackupError::Unsound)?.into_bytes();
        }
        wanted.push(whole::Wanted { before: before(places, &name, &path), path, bytes });
    }
    Ok(whole::write_all(&wanted, limits::BACKUP_BYTES as u64)?)
}

/// Where what was there before is kept.
fn before(places: Places<'_>, name: &str, path: &Path) -> PathBuf {
    if name == CONFIG {
        return places.state.join("attendant.toml.before");
    }
    let mut before = path.as_os_str().to_owned();
    before.push(".before");
    before.into()
}

/// Only names of ours become names of files.
fn place(places: Places<'_>, name: &str) -> Option<PathBuf> {
    match name.split_once('/') {
        None => (name == CONFIG).then(|| places.config.to_owned()),
        Some(("playbooks", name)) => is_playbook(name).then(|| places.config.with_file_name(name)),
        Some(("state", name)) => {
            (STATE.contains(&name) || name == OLD_MESSAGES).then(|| places.state.join(name))
        }
        Some((SECRETS, name)) => is_secret(name).then(|| places.state.join(SECRETS).join(name)),
        Some(_) => None,
    }
}

fn check(name: &str, bytes: &[u8]) -> Result<(), BackupError> {
    let text = || std::str::from_utf8(bytes).map_err(|_| BackupError::NotOurs);
    let unsound = |error: &dyn std::error::Error| BackupError::Unsound(error.to_string());
    if name.starts_with("secrets/") {
        return if is_secret_text(text()?) { Ok(()) } else { Err(BackupError::NotOurs) };
    }
    match name {
        "state/passwords.json" => Passwords::check(bytes).map_err(|error| unsound(&error))?,
        "state/dialled.json" => ledger::check(bytes).map_err(|error| unsound(&error))?,
        "state/messages.jsonl" => text().map(drop)?,
        _ => (),
    }
    if name == CONFIG {
        config::from_text(text()?).map_err(|error| unsound(&error))?;
    } else if name.starts_with("playbooks/") {
        Playbook::parse(text()?).map_err(|error| unsound(&error))?;
    }
    Ok(())
}

fn is_playbook(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.ends_with(".toml") && name.len() <= 64 && !name.starts_with('.') && name.chars().all(fits)
}

fn is_secret(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

/// Playbooks beside the configuration.
fn toml_files(config: &Path) -> io::Result<Vec<String>> {
    let own = config.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let all = names(config.parent().unwrap_or(Path::new(".")))?;
    let is_sound = |name: &String| {
        let path = config.with_file_name(name);
        let text = bounded::text(&path, limits::CONFIG_BYTES);
        text.is_ok_and(|text| Playbook::parse(&text).is_ok())
    };
    Ok(all.into_iter().filter(|n| *n != own && is_playbook(n)).filter(is_sound).collect())
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .take(limits::BACKUP_FILES)
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn cipher(passphrase: &str, salt: &[u8]) -> Result<Aes256Gcm, BackupError> {
    let length = passphrase.chars().count();
    if !(limits::PASSWORD_LEAST_CHARS..=limits::PASSWORD_MOST_CHARS).contains(&length) {
        return Err(BackupError::Passphrase);
    }
    let mut key = zeroize::Zeroizing::new([0; 32]);
    Argon2::default()
        .hash_password_into(passphrase.as_bytes(), salt, &mut *key)
        .map_err(|_| BackupError::Passphrase)?;
    Aes256Gcm::new_from_slice(&*key).map_err(|_| BackupError::Passphrase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const WORDS: &str = "four quiet harbours";

    fn a_box(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("backup-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("state/secrets")).unwrap();
        folder
    }

    #[test]
    fn a_box_comes_back_whole_and_nothing_in_the_file_can_be_read() {
        let (old, new) = (a_box("old"), a_box("new"));
        let playbook = Playbook::logistics().source().replace("Northgate Logistics", "Miller");
        for (name, text) in [
            ("attendant.toml", "[converse]\nplaybook = \"desk.toml\"\n"),
            ("desk.toml", &*playbook),
            ("other.toml", "[no]\nplaybook = 1\n"),
            ("state/passwords.json", "{\"owner\":null,\"reader\":null}"),
            ("state/messages.jsonl", "{}\n"),
            ("state/engine.bin", "of this machine"),
            ("state/secrets/account_office", "tiger"),
        ] {
            fs::write(old.join(name), text).unwrap();
        }
        let of = |folder: &'static str, at: &Path| (at.join("attendant.toml"), at.join(folder));
        let ((old_config, old_state), (new_config, new_state)) =
            (of("state", &old), of("state", &new));
        let from = Places { config: &old_config, state: &old_state };
        let to = Places { config: &new_config, state: &new_state };
        let backup = make(from, WORDS, [7; 28]).unwrap();
        let has = |text: &[u8]| backup.windows(text.len()).any(|part| part == text);
        assert!(!has(b"tiger") && !has(b"Miller") && !has(b"account_office"));
        assert!(!has(STANDARD.encode("tiger").as_bytes()));
        assert!(matches!(
            put_back(to, "another one", &backup, as_it_is),
            Err(BackupError::NotOurs)
        ));
        let mut spoiled = backup.clone();
        spoiled[60] ^= 1;
        assert!(matches!(put_back(to, WORDS, &spoiled, as_it_is), Err(BackupError::NotOurs)));
        for length in [0, 10, MAGIC.len(), MAGIC.len() + 30] {
            assert!(matches!(
                put_back(to, WORDS, &backup[..length], as_it_is),
                Err(BackupError::NotOurs)
            ));
        }
        assert!(!new_config.exists());
        // As an installed box has it: the engine reads it by its group.
        fs::write(&new_config, "").unwrap();
        fs::set_permissions(&new_config, fs::Permissions::from_mode(0o660)).unwrap();
        put_back(to, WORDS, &backup, as_it_is).unwrap();
        assert_eq!(fs::read_to_string(new.join("desk.toml")).unwrap(), playbook);
        assert_eq!(fs::read_to_string(new_state.join("secrets/account_office")).unwrap(), "tiger");
        assert_eq!(fs::metadata(&new_config).unwrap().permissions().mode() & 0o777, 0o660);
        assert!(!new_state.join("messages.jsonl").exists());
        assert!(!new_state.join("engine.bin").exists() && !new.join("other.toml").exists());
        assert!(matches!(make(from, "short", [7; 28]), Err(BackupError::Passphrase)));
        [old, new].iter().for_each(|folder| fs::remove_dir_all(folder).unwrap());
    }

    fn as_it_is(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    /// A backup of these files, by whoever has the passphrase.
    fn of_files(files: &[(&str, &str)]) -> Vec<u8> {
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), STANDARD.encode(text)));
        let contents = Contents { version: "1".to_owned(), files: files.collect() };
        let mut text = serde_json::to_vec(&contents).unwrap();
        let random = [7; SALT + NONCE];
        let (salt, nonce) = random.split_at(SALT);
        let cipher = cipher(WORDS, salt).unwrap();
        let tag =
            cipher.encrypt_in_place_detached(Nonce::from_slice(nonce), MAGIC, &mut text).unwrap();
        [MAGIC, &random, &text, &tag].concat()
    }

    #[test]
    fn what_is_not_sound_is_not_put_back_and_nothing_else_with_it() {
        let folder = a_box("unsound");
        let (config, state) = (folder.join("attendant.toml"), folder.join("state"));
        let places = Places { config: &config, state: &state };
        fs::write(&config, "# ours\n").unwrap();
        let long = "x".repeat(9_000);
        for (name, text) in [
            ("secrets/llm_key", "two\nlines"),
            ("secrets/llm_key", &*long),
            ("state/passwords.json", "{\"owner\":\"none\",\"reader\":null}"),
            ("state/passwords.json", "{"),
            ("state/dialled.json", "[]"),
            ("playbooks/desk.toml", "[no]\n"),
        ] {
            let backup = of_files(&[("attendant.toml", "# other\n"), (name, text)]);
            let put = put_back(places, WORDS, &backup, as_it_is);
            assert!(put.is_err(), "{name}");
            assert_eq!(fs::read_to_string(&config).unwrap(), "# ours\n", "{name}");
        }
        let backup = of_files(&[("attendant.toml", "# other\n"), ("secrets/llm_key", "tiger\n")]);
        // A folder stands where the last file is to go: those before it are as they were.
        fs::create_dir(state.join("secrets/llm_key")).unwrap();
        assert!(matches!(put_back(places, WORDS, &backup, as_it_is), Err(BackupError::Files(_))));
        assert_eq!(fs::read_to_string(&config).unwrap(), "# ours\n");
        fs::remove_dir(state.join("secrets/llm_key")).unwrap();
        put_back(places, WORDS, &backup, as_it_is).unwrap();
        assert_eq!(fs::read_to_string(&config).unwrap(), "# other\n");
        assert_eq!(fs::read_to_string(state.join("attendant.toml.before")).unwrap(), "# ours\n");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn no_name_leads_out_of_the_folders() {
        let places =
            Places { config: Path::new("/etc/a/attendant.toml"), state: Path::new("/var/a") };
        for name in [
            "/etc/passwd",
            "..",
            "state/../x",
            "state/engine.bin",
            "secrets/../../x",
            "secrets/",
            "playbooks/../x.toml",
            "playbooks/.x.toml",
            "other.toml",
        ] {
            assert_eq!(place(places, name), None, "{name}");
        }
        assert_eq!(place(places, "playbooks/desk.toml").unwrap(), Path::new("/etc/a/desk.toml"));
    }
}
