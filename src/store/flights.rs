//! Flight records on disk: a file for each call that only the owner can read, the oldest of them
//! forgotten first.
//!
//! Invariants: there are never more files and bytes than [`Settings`] allow, and a file that is being
//! written is not forgotten. So a record that finds no room beside those that are being written does
//! not begin, or ends there.
//!
//! Written by a thread of its own, so that a slow disk never reaches a call. What cannot be written
//! ends that call's record, which is whole up to there; the call goes on.

// A thread of its own: it asks for the time itself.
#![allow(clippy::disallowed_methods)]

use std::collections::{HashMap, HashSet};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::base::CallId;
use crate::call::flight::Piece;
use crate::store::whole;

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
        let mut writer = Writer::new(settings);
        writer.make_room(0, 0)?;
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
    /// Bytes of all files that are not being written, at the last look or since.
    closed_bytes: u64,
}

struct Open {
    file: File,
    path: PathBuf,
    /// With what is just being written.
    bytes: u64,
    written: Instant,
}

impl Writer {
    fn new(settings: Settings) -> Self {
        Self { settings, files: HashMap::new(), closed_bytes: 0 }
    }

    fn take(&mut self, call: CallId, piece: Piece) {
        if let Err(error) = self.write(call, piece) {
            self.close(call);
            tracing::error!(call_id = %call, %error, "a flight record ends: it cannot be written");
        }
        let is_forgotten = |open: &Open| open.written.elapsed() >= FORGOTTEN_AFTER;
        let forgotten = self.files.iter().filter(|(_, open)| is_forgotten(open));
        let forgotten: Vec<CallId> = forgotten.map(|(call, _)| *call).collect();
        forgotten.into_iter().for_each(|call| drop(self.close(call)));
    }

    fn write(&mut self, call: CallId, piece: Piece) -> io::Result<()> {
        match piece {
            Piece::Head(head) => {
                let name = format!("{:013}-{call}.{ENDING}", head.unix_ms());
                self.begin(call, &name, &Piece::Head(head).into_bytes())
            }
            Piece::Block(bytes) => self.append(call, &bytes),
            Piece::End => self.close(call).map_or(Ok(()), |file| file.sync_data()),
        }
    }

    fn begin(&mut self, call: CallId, name: &str, head: &[u8]) -> io::Result<()> {
        if !self.make_room(1, head.len() as u64)? {
            return Err(no_room());
        }
        let path = self.settings.folder.join(name);
        let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?;
        self.files.insert(call, Open { file, path, bytes: 0, written: Instant::now() });
        self.append(call, head)
    }

    fn append(&mut self, call: CallId, bytes: &[u8]) -> io::Result<()> {
        let length = bytes.len() as u64;
        // Of a file that could not be written nothing more is wanted.
        if !self.files.contains_key(&call) {
            return Ok(());
        }
        let all = self.closed_bytes + self.open_bytes() + length;
        if all > self.settings.bytes && !self.make_room(0, length)? {
            return Err(no_room());
        }
        if let Some(open) = self.files.get_mut(&call) {
            open.bytes += length;
            open.file.write_all(bytes)?;
            open.written = Instant::now();
        }
        Ok(())
    }

    /// Nothing more is written of this call: its file may be forgotten from here on.
    fn close(&mut self, call: CallId) -> Option<File> {
        let open = self.files.remove(&call)?;
        self.closed_bytes += open.bytes;
        Some(open.file)
    }

    fn open_bytes(&self) -> u64 {
        self.files.values().map(|open| open.bytes).sum()
    }

    /// Forgets the oldest records that are not being written, so that there is room for so many files
    /// and bytes more. False, and nothing is forgotten, if those that are being written leave none.
    fn make_room(&mut self, files: usize, bytes: u64) -> io::Result<bool> {
        let (files, bytes) = (self.files.len() + files, self.open_bytes() + bytes);
        let fits = |closed: usize, closed_bytes: u64| {
            files + closed <= self.settings.files && bytes + closed_bytes <= self.settings.bytes
        };
        if !fits(0, 0) {
            return Ok(false);
        }
        let open: HashSet<&PathBuf> = self.files.values().map(|open| &open.path).collect();
        let mut closed = records(&self.settings.folder)?;
        closed.retain(|(path, _)| !open.contains(path));
        let mut count = closed.len();
        let mut closed_bytes = closed.iter().map(|(_, length)| length).sum();
        for (path, length) in closed {
            if fits(count, closed_bytes) {
                break;
            }
            // The owner may be quicker.
            whole::remove(&path)?;
            count -= 1;
            closed_bytes -= length;
        }
        self.closed_bytes = closed_bytes;
        Ok(true)
    }
}

fn no_room() -> io::Error {
    let reason = "records that are being written fill calls.flight_files or calls.flight_mb";
    io::Error::new(io::ErrorKind::StorageFull, reason)
}

/// All records with their lengths in bytes, the oldest first.
fn records(folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut files: Vec<(PathBuf, u64)> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        // One that is gone meanwhile takes no room.
        let Ok(about) = path.symlink_metadata() else { continue };
        if about.is_file() && path.extension().is_some_and(|ending| ending == ENDING) {
            files.push((path, about.len()));
        }
    }
    // Their names begin with the time.
    files.sort();
    Ok(files)
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
        drop(FlightLog::open(settings(2, 1_000)).unwrap());
        assert_eq!(names(&folder), ["0-notes.txt", "2-c2.flight", "3-c3.flight"]);
        drop(FlightLog::open(settings(3, 150)).unwrap());
        assert_eq!(names(&folder), ["0-notes.txt", "3-c3.flight"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn no_more_room_is_taken_than_allowed_and_what_is_being_written_stays() {
        let folder = folder("room");
        let settings = Settings { folder: folder.clone(), files: 3, bytes: 1_000 };
        drop(FlightLog::open(settings.clone()).unwrap());
        std::fs::write(folder.join("2-c2.flight"), [0; 300]).unwrap();
        let mut writer = Writer::new(settings);
        let bytes = || {
            let files = names(&folder).into_iter().map(|name| folder.join(name));
            files.map(|path| path.metadata().unwrap().len()).sum::<u64>()
        };
        // Older than any by its name, so that it would be the first to go.
        writer.begin(CallId(1), "1-c1.flight", &[1; 400]).unwrap();
        writer.begin(CallId(3), "3-c3.flight", &[3; 200]).unwrap();
        assert_eq!((names(&folder).len(), bytes()), (3, 900));

        // A file grows: what is closed goes for it.
        writer.append(CallId(3), &[3; 200]).unwrap();
        assert_eq!(names(&folder), ["1-c1.flight", "3-c3.flight"]);
        assert_eq!(bytes(), 800);
        // Nothing is closed: the record ends there and the other one does not.
        writer.take(CallId(3), Piece::Block(vec![3; 201]));
        assert_eq!(bytes(), 800);
        writer.append(CallId(1), &[1; 100]).unwrap();
        writer.take(CallId(3), Piece::Block(vec![3; 1]));
        assert_eq!((names(&folder).len(), bytes()), (2, 900));

        // What has ended may go, by number, too; where all are being written the new one does not begin.
        writer.begin(CallId(4), "4-c4.flight", &[4; 10]).unwrap();
        writer.begin(CallId(5), "5-c5.flight", &[5; 10]).unwrap();
        assert_eq!(names(&folder), ["1-c1.flight", "4-c4.flight", "5-c5.flight"]);
        assert!(writer.begin(CallId(6), "6-c6.flight", &[6; 10]).is_err());
        assert_eq!(names(&folder), ["1-c1.flight", "4-c4.flight", "5-c5.flight"]);
        writer.take(CallId(1), Piece::End);
        writer.begin(CallId(6), "6-c6.flight", &[6; 10]).unwrap();
        assert_eq!(names(&folder), ["4-c4.flight", "5-c5.flight", "6-c6.flight"]);
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
