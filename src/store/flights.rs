//! Flight records on disk: a file for each call that only the owner can read, the oldest of them
//! forgotten first.
//!
//! Written by a thread of its own, so that a slow disk never reaches a call. What cannot be written
//! ends that call's record, which is whole up to there; the call goes on.

// A thread of its own: it asks for the time itself.
#![allow(clippy::disallowed_methods)]

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::base::CallId;
use crate::call::flight::Piece;

/// Pieces that wait for the disk: a hundred calls with one a second, for five seconds.
const WAITING: usize = 512;
/// A call gives a piece each second; a file without one for longer has lost its end.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// Ending of the files' names.
const ENDING: &str = "flight";

/// Where records are kept, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub folder: PathBuf,
    pub files: usize,
    /// Of all files together.
    pub bytes: u64,
}

/// The writing thread; it finishes what waits when this is dropped.
#[derive(Debug)]
pub struct FlightLog {
    sender: Option<SyncSender<(CallId, Piece)>>,
    thread: Option<JoinHandle<()>>,
}

impl FlightLog {
    /// Makes the folder, so that one that cannot be written is known at start.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let parent = settings.folder.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent)?;
        match DirBuilder::new().mode(0o700).create(&settings.folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => (),
        }
        retain(&settings)?;
        let mut writer = Writer { settings, files: HashMap::new() };
        Self::start(WAITING, move |call, piece| writer.take(call, piece))
    }

    fn start(
        waiting: usize,
        mut take: impl FnMut(CallId, Piece) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, receiver): (_, Receiver<(CallId, Piece)>) = mpsc::sync_channel(waiting);
        let thread = std::thread::Builder::new()
            .name("flights".to_owned())
            .spawn(move || receiver.into_iter().for_each(|(call, piece)| take(call, piece)))?;
        Ok(Self { sender: Some(sender), thread: Some(thread) })
    }

    /// Gives a piece to the thread without waiting. False when it takes none: nothing more of this
    /// call may follow.
    pub fn write(&self, call: CallId, piece: Piece) -> bool {
        self.sender.as_ref().is_some_and(|sender| sender.try_send((call, piece)).is_ok())
    }
}

impl Drop for FlightLog {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there was told when it happened.
            let _ = thread.join();
        }
    }
}

struct Writer {
    settings: Settings,
    files: HashMap<CallId, Open>,
}

struct Open {
    file: File,
    written: Instant,
}

impl Writer {
    fn take(&mut self, call: CallId, piece: Piece) {
        if let Err(error) = self.write(call, piece) {
            self.files.remove(&call);
            tracing::error!(call = %call, %error, "a flight record ends: it cannot be written");
        }
        self.files.retain(|_, open| open.written.elapsed() < FORGOTTEN_AFTER);
    }

    fn write(&mut self, call: CallId, piece: Piece) -> io::Result<()> {
        match piece {
            Piece::Head(head) => {
                retain(&self.settings)?;
                let name = format!("{:013}-{call}.{ENDING}", head.unix_ms());
                let path = self.settings.folder.join(name);
                let mut file =
                    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
                file.write_all(&Piece::Head(head).into_bytes())?;
                self.files.insert(call, Open { file, written: Instant::now() });
            }
            // Of a file that could not be written nothing more is wanted.
            Piece::Block(bytes) => {
                if let Some(open) = self.files.get_mut(&call) {
                    open.file.write_all(&bytes)?;
                    open.written = Instant::now();
                }
            }
            Piece::End => {
                if let Some(open) = self.files.remove(&call) {
                    open.file.sync_data()?;
                }
                retain(&self.settings)?;
            }
        }
        Ok(())
    }
}

/// Forgets the oldest records, so that there is room for one more.
fn retain(settings: &Settings) -> io::Result<()> {
    let mut files: Vec<(PathBuf, u64)> = Vec::new();
    for entry in std::fs::read_dir(&settings.folder)? {
        let path = entry?.path();
        // One that is gone meanwhile takes no room.
        let Ok(about) = path.symlink_metadata() else { continue };
        if about.is_file() && path.extension().is_some_and(|ending| ending == ENDING) {
            files.push((path, about.len()));
        }
    }
    // Their names begin with the time.
    files.sort();
    let mut bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    let mut count = files.len();
    for (path, length) in files {
        if count < settings.files && bytes < settings.bytes {
            break;
        }
        std::fs::remove_file(&path)?;
        count -= 1;
        bytes -= length;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("attendant-flights-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_records_are_forgotten_by_number_and_by_bytes_and_nothing_else_is() {
        let folder = folder("retain");
        let settings = |files, bytes| Settings { folder: folder.clone(), files, bytes };
        drop(FlightLog::open(settings(10, 1_000)).unwrap());
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        for name in ["1-c1.flight", "2-c2.flight", "3-c3.flight", "0-notes.txt"] {
            std::fs::write(folder.join(name), [0; 100]).unwrap();
        }
        drop(FlightLog::open(settings(3, 1_000)).unwrap());
        assert_eq!(names(&folder), ["0-notes.txt", "2-c2.flight", "3-c3.flight"]);
        drop(FlightLog::open(settings(3, 150)).unwrap());
        assert_eq!(names(&folder), ["0-notes.txt", "3-c3.flight"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_disk_that_hangs_ends_the_record_and_nobody_waits_for_it() {
        let (go_on, wait) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let log = FlightLog::start(2, move |call, piece| {
            // Until the disk comes back, for which nobody may wait.
            let _ = wait.recv();
            let _ = tell.send((call, piece.into_bytes()));
        })
        .unwrap();
        let mut taken = Vec::new();
        for number in 0..=u8::MAX {
            if !log.write(CallId(1), Piece::Block(vec![number])) {
                break;
            }
            taken.push(number);
        }
        // Two wait, and the thread may have one in hand.
        assert!((2..=3).contains(&taken.len()), "{taken:?}");
        drop(go_on);
        drop(log);
        let written: Vec<u8> = told.into_iter().flat_map(|(_, bytes)| bytes).collect();
        assert_eq!(written, taken, "what was taken is written, in its order and without a hole");
    }

    #[test]
    fn blocks_without_a_head_are_dropped_and_a_folder_that_cannot_be_made_is_told() {
        let folder = folder("blocks");
        let settings = Settings { folder: folder.clone(), files: 3, bytes: 1_000 };
        let log = FlightLog::open(settings).unwrap();
        assert!(log.write(CallId(1), Piece::Block(vec![1; 10])));
        assert!(log.write(CallId(1), Piece::End));
        drop(log);
        assert!(names(&folder).is_empty());
        std::fs::write(folder.join("file"), "").unwrap();
        let within = folder.join("file").join("flights");
        assert!(FlightLog::open(Settings { folder: within, files: 3, bytes: 9 }).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
