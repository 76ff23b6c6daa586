//! What a backup brings that is in use while the program runs: it waits in a folder beside, whole and checked, and takes its
//! place at the next start, before anything is opened.
//!
//! ```text
//!  restore.new/ ─ all of it is there and sound ─▶ restore/ ─ the next start ─▶ history.db, recordings/, knowledge
//!                                                               history.db ─▶ history.db.before
//! ```
//!
//! Each step can be done again: a start that was cut off goes on with what is left. Recordings and files of knowledge that are
//! there already stay as they are.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

/// Where it is gathered, and where it waits.
const NEW: &str = "restore.new";
const WAITS: &str = "restore";
pub const DATABASE: &str = "history.db";
pub const RECORDINGS: &str = "recordings";
pub const VOICEMAIL: &str = "voicemail";
pub const KNOWLEDGE: &str = "knowledge";
/// A copy of the database for a backup that is being made.
pub const COPY: &str = "backup.db";
/// What is copied from another disk, until it is whole.
const PARTIAL: &str = ".restoring";
/// Files that SQLite has beside a database.
const BESIDE: [&str; 3] = ["", "-wal", "-shm"];

/// A folder for what a backup brings, with nothing in it.
pub fn gather(state: &Path) -> io::Result<PathBuf> {
    let folder = state.join(NEW);
    gone(fs::remove_dir_all(&folder))?;
    DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

/// It takes its place at the next start.
pub fn commit(state: &Path) -> io::Result<()> {
    gone(fs::remove_dir_all(state.join(WAITS)))?;
    if state.join(NEW).join(DATABASE).is_file() {
        // Of the present one there will be one, and of no other.
        forget_before(state)?;
    }
    fs::rename(state.join(NEW), state.join(WAITS))?;
    File::open(state)?.sync_all()
}

/// What is gathered is not wanted.
pub fn drop_gathered(state: &Path) -> io::Result<()> {
    gone(fs::remove_dir_all(state.join(NEW)))
}

/// Nothing of it is wanted.
pub fn drop_all(state: &Path) -> io::Result<()> {
    drop_gathered(state)?;
    gone(fs::remove_dir_all(state.join(WAITS)))
}

/// The database of before the last backup waits to be the one again; false: there is none.
pub fn undo(state: &Path) -> io::Result<bool> {
    let before = state.join(format!("{DATABASE}.before"));
    if !before.is_file() {
        return Ok(false);
    }
    let folder = gather(state)?;
    for beside in BESIDE {
        let from = state.join(format!("{DATABASE}.before{beside}"));
        gone(fs::rename(from, folder.join(format!("{DATABASE}{beside}"))))?;
    }
    commit(state)?;
    Ok(true)
}

/// The database of before the last backup is gone.
pub fn forget_before(state: &Path) -> io::Result<()> {
    for beside in BESIDE {
        gone(fs::remove_file(state.join(format!("{DATABASE}.before{beside}"))))?;
    }
    Ok(())
}

/// The same, if nothing was written in it since then: all its calls are older.
pub fn forget_before_of(state: &Path, time: SystemTime) -> io::Result<()> {
    let written = |beside: &str| {
        let path = state.join(format!("{DATABASE}.before{beside}"));
        path.metadata().and_then(|about| about.modified()).ok()
    };
    match ["", "-wal"].into_iter().filter_map(written).max() {
        Some(written) if written < time => forget_before(state),
        _ => Ok(()),
    }
}

/// At a start, before the database is opened: what waits takes its place. `knowledge` is the owner's folder of it.
pub fn take_over(state: &Path, knowledge: Option<&Path>) -> io::Result<()> {
    // What a start before this one was cut off at.
    gone(fs::remove_file(state.join(COPY)))?;
    let folder = state.join(WAITS);
    if !folder.is_dir() {
        return Ok(());
    }
    tracing::info!("a backup takes its place");
    take_database(state, &folder)?;
    for sounds in [RECORDINGS, VOICEMAIL] {
        if folder.join(sounds).is_dir() {
            add(&folder.join(sounds), &state.join(sounds))?;
        }
    }
    if let Some(own) = knowledge.filter(|_| folder.join(KNOWLEDGE).is_dir()) {
        add(&folder.join(KNOWLEDGE), own)?;
    }
    fs::remove_dir_all(&folder)
}

fn take_database(state: &Path, folder: &Path) -> io::Result<()> {
    let new = folder.join(DATABASE);
    if !new.is_file() {
        return Ok(());
    }
    let now = state.join(DATABASE);
    if now.is_file() {
        // The log first: alone it says nothing, and the database without it would be an older one.
        for beside in ["-shm", "-wal", ""] {
            let before = state.join(format!("{DATABASE}.before{beside}"));
            gone(fs::rename(state.join(format!("{DATABASE}{beside}")), before))?;
        }
    }
    for beside in ["-wal", ""] {
        let from = folder.join(format!("{DATABASE}{beside}"));
        gone(fs::rename(from, state.join(format!("{DATABASE}{beside}"))))?;
    }
    File::open(state)?.sync_all()
}

/// Moves files into a folder, with those below; what is there stays.
fn add(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, place) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            add(&path, &place)?;
        } else if !place.exists() && fs::rename(&path, &place).is_err() {
            copied(&path, &to.join(PARTIAL), &place)?;
        }
    }
    Ok(())
}

/// From another disk: nothing has the name before it is whole.
fn copied(from: &Path, partial: &Path, place: &Path) -> io::Result<()> {
    gone(fs::remove_file(partial))?;
    let mut out = File::options().write(true).create_new(true).mode(0o600).open(partial)?;
    io::copy(&mut File::open(from)?, &mut out)?;
    out.sync_all()?;
    fs::rename(partial, place)?;
    place.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// The path of a name below a folder; `None`: it leads elsewhere, or is hidden.
pub fn below(folder: &Path, name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    let fits = |part: Component<'_>| match part {
        Component::Normal(part) => {
            let part = part.to_string_lossy();
            !part.starts_with('.') && !part.chars().any(char::is_control) && part.len() <= 255
        }
        _ => false,
    };
    let is_sound =
        !name.is_empty() && path.components().count() <= 8 && path.components().all(fits);
    is_sound.then(|| folder.join(path))
}

fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_takes_its_place_once_and_the_database_of_before_comes_back() {
        let state = std::env::temp_dir().join(format!("restored-{}", std::process::id()));
        let _ = fs::remove_dir_all(&state);
        fs::create_dir_all(state.join(RECORDINGS)).unwrap();
        let knowledge = state.join("own");
        let read = |name: &str| fs::read_to_string(state.join(name)).ok();
        let write = |name: &str, text: &str| {
            let path = state.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for (name, text) in [
            ("history.db", "old"),
            ("history.db-wal", "log"),
            ("recordings/a.opus", "mine"),
            ("own/a.txt", "mine"),
        ] {
            write(name, text);
        }
        assert!(!undo(&state).unwrap());
        gather(&state).unwrap();
        for (name, text) in [
            ("history.db", "new"),
            ("recordings/a.opus", "its"),
            ("recordings/b.opus", "its"),
            ("voicemail/c.opus", "its"),
            ("knowledge/sub/b.txt", "its"),
        ] {
            write(&format!("restore.new/{name}"), text);
        }
        take_over(&state, Some(&knowledge)).unwrap();
        assert_eq!(read("history.db").unwrap(), "old", "it is not whole yet");
        commit(&state).unwrap();
        for _ in 0..2 {
            take_over(&state, Some(&knowledge)).unwrap();
            assert_eq!(read("history.db").unwrap(), "new");
            assert_eq!(
                (read("history.db-wal"), read("history.db.before").unwrap()),
                (None, "old".to_owned())
            );
        }
        assert_eq!(
            (read("recordings/a.opus").unwrap(), read("recordings/b.opus").unwrap()),
            ("mine".to_owned(), "its".to_owned())
        );
        assert_eq!(
            (read("own/a.txt").unwrap(), read("own/sub/b.txt").unwrap()),
            ("mine".to_owned(), "its".to_owned())
        );
        assert_eq!(read("voicemail/c.opus").unwrap(), "its");
        assert!(undo(&state).unwrap());
        take_over(&state, None).unwrap();
        assert_eq!(
            (read("history.db").unwrap(), read("history.db-wal").unwrap()),
            ("old".to_owned(), "log".to_owned())
        );
        assert_eq!(read("history.db.before").unwrap(), "new", "and forward again");
        write("backup.db", "cut off");
        take_over(&state, None).unwrap();
        assert_eq!(read("backup.db"), None);
        let written = fs::metadata(state.join("history.db.before")).unwrap().modified().unwrap();
        forget_before_of(&state, written).unwrap();
        assert!(read("history.db.before").is_some());
        forget_before_of(&state, written + std::time::Duration::from_secs(1)).unwrap();
        assert_eq!(read("history.db.before"), None);
        fs::remove_dir_all(&state).unwrap();
    }

    #[test]
    fn what_comes_from_another_disk_has_its_name_once_it_is_whole() {
        let folder = std::env::temp_dir().join(format!("restored-disk-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (from, partial, place) = (folder.join("a"), folder.join(PARTIAL), folder.join("b"));
        fs::write(&partial, "half of an older one").unwrap();
        assert!(copied(&from, &partial, &place).is_err() && !place.exists());
        fs::write(&from, "its").unwrap();
        copied(&from, &partial, &place).unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "its");
        assert!(!partial.exists());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn no_name_leads_out_of_a_folder() {
        let folder = Path::new("/var/a");
        for name in
            ["", "/etc/passwd", "..", "a/../b", "./a", ".a", "a/.b", "a\nb", "a/b/c/d/e/f/g/h/i"]
        {
            assert_eq!(below(folder, name), None, "{name:?}");
        }
        assert_eq!(below(folder, "a/b.txt").unwrap(), Path::new("/var/a/a/b.txt"));
    }
}
