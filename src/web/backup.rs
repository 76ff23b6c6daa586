//! The box in one file, and back: what the owner has set (settings, playbooks, passwords, secrets, how much was dialled), and,
//! where that is wanted, what it keeps of calls (the database of calls and messages, recordings) and its folder of knowledge.
//!
//! Everything in it is encrypted with a key that argon2id makes of a passphrase (`sealed`): what is lost with a stick opens
//! nothing. Within that stands what was set, as JSON behind its length; then file after file with name and length:
//!
//! ```text
//!  length(8) JSON  [ length(2) name  length(8) bytes ]*  0(2)
//! ```
//!
//! It is written and read piece by piece. All of it is checked and on the disk before anything is moved: what is in use while the program runs waits, whole
//! and checked, for the next start (`store::restored`).

mod sealed;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::access::Passwords;
use super::settings::is_secret_text;
use crate::appliance::config;
use crate::base::limits;
use crate::converse::Playbook;
use crate::store::restored::{self, DATABASE, KNOWLEDGE, RECORDINGS, VOICEMAIL};
use crate::store::{bounded, history, ledger, recordings, whole};
use sealed::{Opening, Sealing};

pub use sealed::SALT;

/// The configuration's own name in the file, whatever it is called on the box.
const CONFIG: &str = "attendant.toml";
/// Files of the state folder that are the box's and not this machine's.
const STATE: [&str; 2] = ["passwords.json", "dialled.json"];
const SECRETS: &str = "secrets";
/// What was put back last.
const RESTORED: &str = "restored.json";
/// What the configuration was before a backup was put back; a change at the page has a file of its own.
const CONFIG_BEFORE: &str = "attendant.toml.before-restore";

/// Why there is no backup, or none is put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("a passphrase has 8 to 128 characters")]
    Passphrase,
    #[error("it is no backup of this program, or the passphrase is another one")]
    NotOurs,
    #[error("its configuration is not sound here: {0}")]
    Unsound(String),
    #[error("it is longer than may be, or than there is room for")]
    TooLong,
    #[error("there is nothing to go back to")]
    Nothing,
    #[error("a file cannot be read or written")]
    Files(#[from] io::Error),
}

/// Where things are.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    pub config: &'a Path,
    pub state: &'a Path,
}

/// What is kept of calls, as far as it is wanted.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// A copy of the database that nobody writes.
    pub database: Option<PathBuf>,
    /// The folder of recordings.
    pub recordings: Option<PathBuf>,
    /// That of messages after the tone.
    pub voicemail: Option<PathBuf>,
    /// The folder of knowledge.
    pub knowledge: Option<PathBuf>,
}

/// What was set.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    /// Of the program that made it.
    version: String,
    /// Base64 by name: `attendant.toml`, `playbooks/NAME`, `state/NAME`, `secrets/NAME`.
    files: BTreeMap<String, String>,
}

/// What the last backup has brought.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Restored {
    /// Names of what was set, as in `Contents`.
    files: Vec<String>,
    /// And a database: the one of before is another one's where it has not.
    has_database: bool,
}

/// A backup that can be made, and put back again.
pub struct Prepared {
    text: Vec<u8>,
    /// Names, places and lengths.
    files: Vec<(String, PathBuf, u64)>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prepared({} files)", self.files.len())
    }
}

impl Prepared {
    /// Looks at how much it is, before anything of it is sent.
    pub fn of(places: Places<'_>, kept: &Kept) -> Result<Self, BackupError> {
        let text = serde_json::to_vec(&contents(places)?).map_err(io::Error::other)?;
        if text.len() > limits::BACKUP_BYTES {
            return Err(BackupError::TooLong);
        }
        let mut left = limits::RESTORE_BYTES;
        let mut all = Vec::new();
        for (name, path) in files(kept)? {
            let length = match path.metadata() {
                Ok(about) => about.len(),
                // Gone meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            left = left.checked_sub(length).ok_or(BackupError::TooLong)?;
            all.push((name, path, length));
        }
        Ok(Self { text, files: all })
    }

    /// Takes some 50 ms for the key on purpose. `salt` are bytes nobody can predict.
    pub fn seal(
        &self,
        passphrase: &str,
        salt: [u8; SALT],
        out: impl Write,
    ) -> Result<(), BackupError> {
        let mut sealing = Sealing::new(out, passphrase, salt)?;
        sealing.write_all(&(self.text.len() as u64).to_be_bytes())?;
        sealing.write_all(&self.text)?;
        for (name, path, length) in &self.files {
            put(&mut sealing, name, path, *length)?;
        }
        sealing.write_all(&0_u16.to_be_bytes())?;
        Ok(sealing.finish()?)
    }
}

fn contents(places: Places<'_>) -> Result<Contents, BackupError> {
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
    for name in names(&places.state.join(SECRETS), is_secret)? {
        put(format!("{SECRETS}/{name}"), &places.state.join(SECRETS).join(&name))?;
    }
    Ok(Contents { version: env!("CARGO_PKG_VERSION").to_owned(), files })
}

/// Names and places of what is kept.
fn files(kept: &Kept) -> Result<Vec<(String, PathBuf)>, BackupError> {
    let database = kept.database.iter().map(|path| (DATABASE.to_owned(), path.clone()));
    let mut all: Vec<_> = database.collect();
    for (sounds, folder) in [(RECORDINGS, &kept.recordings), (VOICEMAIL, &kept.voicemail)] {
        let Some(folder) = folder else { continue };
        let own = recordings::all(folder)?.into_iter();
        all.extend(own.filter_map(|(path, _)| {
            let name = path.file_name()?.to_str()?;
            Some((format!("{sounds}/{name}"), path.clone()))
        }));
    }
    if let Some(folder) = &kept.knowledge {
        below(folder, KNOWLEDGE, &mut all)?;
    }
    if all.len() > limits::RESTORE_FILES {
        return Err(BackupError::TooLong);
    }
    Ok(all)
}

/// The files of a folder and those below it, under names that begin so.
fn below(folder: &Path, prefix: &str, all: &mut Vec<(String, PathBuf)>) -> Result<(), BackupError> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(own) = entry.file_name().into_string() else { continue };
        let name = format!("{prefix}/{own}");
        let is_sound = name.strip_prefix("knowledge/").and_then(|n| restored::below(folder, n));
        if is_sound.is_none() {
            continue;
        }
        if all.len() >= limits::RESTORE_FILES {
            return Err(BackupError::TooLong);
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            below(&entry.path(), &name, all)?;
        } else if kind.is_file() {
            all.push((name, entry.path()));
        }
    }
    Ok(())
}

/// One that is gone meanwhile is left out; one that grows is taken as long as it was.
fn put(out: &mut impl Write, name: &str, path: &Path, length: u64) -> io::Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    out.write_all(&u16::try_from(name.len()).map_err(io::Error::other)?.to_be_bytes())?;
    out.write_all(name.as_bytes())?;
    out.write_all(&length.to_be_bytes())?;
    match io::copy(&mut file.take(length), out)? {
        copied if copied == length => Ok(()),
        _ => Err(io::Error::other("a file has become shorter")),
    }
}

/// A backup that lies on the disk, looked at, and has changed nothing yet.
#[derive(Debug)]
pub struct Gathered {
    /// Without the configuration's own: see `put_back`.
    wanted: Vec<whole::Wanted>,
    has_kept: bool,
    has_database: bool,
}

/// Reads a backup through and looks at all of it. What is kept of calls waits beside.
pub fn gather(
    places: Places<'_>,
    passphrase: &str,
    backup: impl Read,
) -> Result<Gathered, BackupError> {
    let mut opening = Opening::new(backup, passphrase)?;
    let wanted = set(places, &mut opening)?;
    let folder = restored::gather(places.state)?;
    match gathered(&folder, &mut opening) {
        Ok(has_kept) => {
            let has_database = folder.join(DATABASE).is_file();
            Ok(Gathered { wanted, has_kept, has_database })
        }
        Err(error) => {
            restored::drop_gathered(places.state)?;
            Err(error)
        }
    }
}

/// Puts what was gathered back: what cannot be written leaves all as it was, and what it takes the place of is kept for one
/// step back. What the backup has not stays.
/// `of_this_box` makes the configuration one that may count here. What is kept of calls takes its place at the next start.
pub fn put_back(
    places: Places<'_>,
    gathered: Gathered,
    of_this_box: impl FnOnce(&str) -> Result<String, String>,
) -> Result<(), BackupError> {
    let Gathered { mut wanted, has_kept, has_database } = gathered;
    let moved = of_the_box(places, &mut wanted, of_this_box).and_then(|()| {
        if has_kept {
            restored::commit(places.state)?;
        }
        whole::write_all(&wanted, limits::BACKUP_BYTES as u64)?;
        remember(places, &wanted, has_database)
    });
    if moved.is_err() || !has_kept {
        restored::drop_all(places.state)?;
    }
    moved
}

fn of_the_box(
    places: Places<'_>,
    wanted: &mut [whole::Wanted],
    of_this_box: impl FnOnce(&str) -> Result<String, String>,
) -> Result<(), BackupError> {
    if let Some(file) = wanted.iter_mut().find(|file| file.path == places.config) {
        let text = std::str::from_utf8(&file.bytes).map_err(|_| BackupError::NotOurs)?;
        file.bytes = of_this_box(text).map_err(BackupError::Unsound)?.into_bytes();
    }
    Ok(())
}

/// What was set, checked.
fn set(places: Places<'_>, opening: &mut impl Read) -> Result<Vec<whole::Wanted>, BackupError> {
    let length = usize::try_from(number(opening)?).unwrap_or(usize::MAX);
    if length > limits::BACKUP_BYTES {
        return Err(BackupError::TooLong);
    }
    let mut text = vec![0; length];
    opening.read_exact(&mut text).map_err(not_ours)?;
    let contents: Contents = serde_json::from_slice(&text).map_err(|_| BackupError::NotOurs)?;
    let mut wanted = Vec::new();
    for (name, file) in contents.files {
        let bytes = STANDARD.decode(file).map_err(|_| BackupError::NotOurs)?;
        let path = place(places, &name).ok_or(BackupError::NotOurs)?;
        check(&name, &bytes)?;
        wanted.push(whole::Wanted { before: before(places, &name, &path), path, bytes });
    }
    Ok(wanted)
}

/// Reads the rest into a folder, and looks at it; whether there is any.
fn gathered(folder: &Path, opening: &mut impl Read) -> Result<bool, BackupError> {
    let (mut left, mut count) = (limits::RESTORE_BYTES, 0);
    loop {
        let mut length = [0; 2];
        opening.read_exact(&mut length).map_err(not_ours)?;
        let mut name = vec![0; usize::from(u16::from_be_bytes(length))];
        if name.is_empty() {
            break;
        }
        opening.read_exact(&mut name).map_err(not_ours)?;
        let name = String::from_utf8(name).map_err(|_| BackupError::NotOurs)?;
        let path = kept_place(folder, &name).ok_or(BackupError::NotOurs)?;
        let length = number(opening)?;
        left = left.checked_sub(length).ok_or(BackupError::TooLong)?;
        count += 1;
        let free = recordings::free_bytes(folder)?;
        if count > limits::RESTORE_FILES
            || free < length.saturating_add(limits::RESTORE_RESERVE_BYTES)
        {
            return Err(BackupError::TooLong);
        }
        take(&path, length, opening)?;
    }
    // Only its end says that it is whole.
    if opening.read(&mut [0]).map_err(not_ours)? > 0 {
        return Err(BackupError::NotOurs);
    }
    let database = folder.join(DATABASE);
    if database.is_file() {
        let sound = history::check(&database).and_then(|()| history::pause_campaigns(&database));
        sound.map_err(|error| BackupError::Unsound(error.to_string()))?;
    }
    Ok(count > 0)
}

fn take(path: &Path, length: u64, opening: &mut impl Read) -> Result<(), BackupError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    match io::copy(&mut opening.take(length), &mut file).map_err(not_ours)? {
        copied if copied == length => Ok(file.sync_all()?),
        _ => Err(BackupError::NotOurs),
    }
}

/// Where a file waits that is kept of calls.
fn kept_place(folder: &Path, name: &str) -> Option<PathBuf> {
    match name.split_once('/') {
        None => (name == DATABASE).then(|| folder.join(DATABASE)),
        Some((sounds @ (RECORDINGS | VOICEMAIL), own)) => {
            recordings::is_name(own).then(|| folder.join(sounds).join(own))
        }
        Some((KNOWLEDGE, own)) => restored::below(&folder.join(KNOWLEDGE), own),
        Some(_) => None,
    }
}

fn number(input: &mut impl Read) -> Result<u64, BackupError> {
    let mut number = [0; 8];
    input.read_exact(&mut number).map_err(not_ours)?;
    Ok(u64::from_be_bytes(number))
}

/// What does not decrypt is none of ours; anything else is a disk's or a network's fault.
fn not_ours(error: io::Error) -> BackupError {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => BackupError::NotOurs,
        _ => BackupError::Files(error),
    }
}

/// What was there before the last backup comes back, and once more asked what that brought.
pub fn undo(places: Places<'_>) -> Result<(), BackupError> {
    let path = places.state.join(RESTORED);
    let text = match bounded::bytes(&path, limits::BACKUP_BYTES as u64) {
        Ok(text) => text,
        Err(error) if error.is_missing() => return Err(BackupError::Nothing),
        Err(error) => return Err(io::Error::other(error).into()),
    };
    let Restored { files, has_database } =
        serde_json::from_slice(&text).map_err(|_| BackupError::Nothing)?;
    let mut wanted = Vec::new();
    for name in files {
        let path = place(places, &name).ok_or(BackupError::Nothing)?;
        let before = before(places, &name, &path);
        match bounded::bytes(&before, limits::BACKUP_BYTES as u64) {
            Ok(bytes) => wanted.push(whole::Wanted { path, before, bytes }),
            // It was not there before, and nobody misses it.
            Err(error) if error.is_missing() => (),
            Err(error) => return Err(io::Error::other(error).into()),
        }
    }
    whole::write_all(&wanted, limits::BACKUP_BYTES as u64)?;
    if has_database {
        restored::undo(places.state)?;
    }
    Ok(())
}

pub fn can_undo(places: Places<'_>) -> bool {
    places.state.join(RESTORED).is_file()
}

fn remember(
    places: Places<'_>,
    wanted: &[whole::Wanted],
    has_database: bool,
) -> Result<(), BackupError> {
    let names = wanted.iter().filter_map(|file| {
        let name = file.path.file_name()?.to_str()?;
        let is_secret = file.path.starts_with(places.state.join(SECRETS));
        let is_state = file.path.starts_with(places.state);
        Some(match (is_secret, is_state) {
            (true, _) => format!("{SECRETS}/{name}"),
            (false, true) => format!("state/{name}"),
            (false, false) if file.path == places.config => CONFIG.to_owned(),
            (false, false) => format!("playbooks/{name}"),
        })
    });
    let restored = Restored { files: names.collect(), has_database };
    let text = serde_json::to_vec(&restored).map_err(io::Error::other)?;
    Ok(whole::write(&places.state.join(RESTORED), &text)?)
}

/// Neither too short to be kept secret nor longer than one can be.
pub fn is_passphrase(text: &str) -> bool {
    (limits::PASSWORD_LEAST_CHARS..=limits::PASSWORD_MOST_CHARS).contains(&text.chars().count())
}

/// Where what was there before is kept.
fn before(places: Places<'_>, name: &str, path: &Path) -> PathBuf {
    if name == CONFIG {
        return places.state.join(CONFIG_BEFORE);
    }
    let mut before = path.as_os_str().to_owned();
    before.push(".before");
    before.into()
}

/// Only names of ours become names of files.
fn place(places: Places<'_>, name: &str) -> Option<PathBuf> {
    match name.split_once('/') {
        None => (name == CONFIG).then(|| places.config.to_owned()),
        // Never the configuration itself, which is checked as one.
        Some(("playbooks", name)) => (is_playbook(name) && !is_config(places.config, name))
            .then(|| places.config.with_file_name(name)),
        Some(("state", name)) => STATE.contains(&name).then(|| places.state.join(name)),
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

fn is_config(config: &Path, name: &str) -> bool {
    config.file_name().is_some_and(|own| own == name)
}

fn is_secret(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

/// Playbooks beside the configuration.
fn toml_files(config: &Path) -> Result<Vec<String>, BackupError> {
    let folder = config.parent().unwrap_or(Path::new("."));
    let is_sound = |name: &String| {
        let path = config.with_file_name(name);
        let text = bounded::text(&path, limits::CONFIG_BYTES);
        text.is_ok_and(|text| Playbook::parse(&text).is_ok())
    };
    let all = names(folder, |name| is_playbook(name) && !is_config(config, name))?;
    Ok(all.into_iter().filter(is_sound).collect())
}

/// Those that fit; more than may be are an error, so that no backup lacks some.
fn names(folder: &Path, fits: impl Fn(&str) -> bool) -> Result<Vec<String>, BackupError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut all = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !fits(&name) {
            continue;
        }
        if all.len() >= limits::BACKUP_FILES {
            return Err(BackupError::TooLong);
        }
        all.push(name);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
