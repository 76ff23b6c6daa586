//! What the owner has written down: a folder of Markdown files, searched by the words of callers.
//!
//! A thread of its own holds the index, answers searches one by one and looks each minute whether the
//! folder has changed, however many searches come. The net thread hands a search over without waiting;
//! where too many wait, it is refused. Files that cannot be taken are left out, told by name in the log
//! and counted in a [`Report`]; the others are searched.

// A thread of its own: it asks for the time itself.
#![allow(clippy::disallowed_methods)]

mod index;
mod passages;
mod report;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use super::bounded::{self, ReadError};
use crate::base::{LanguageCode, Private, limits};
pub use index::{Found, Index};
pub use passages::{Passage, first_sentence};
pub use report::{LeftOut, Report};

/// Searches that wait.
const WAITING: usize = 32;
/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(60);
/// Folders below folders.
const DEPTH: usize = 4;

/// The passages that were found, the best first.
pub type Answer = Box<dyn FnOnce(Option<Vec<Found>>) + Send>;

struct Search {
    words: Private<String>,
    answer: Answer,
}

/// The folder, as others ask it. Its thread ends with the last of these.
#[derive(Clone)]
pub struct Knowledge {
    searches: SyncSender<Search>,
}

impl fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Knowledge")
    }
}

impl Knowledge {
    /// `tell` is called on the thread of the index with what has been read, after each change.
    ///
    /// # Errors
    /// The folder cannot be read, or there is no thread to be had.
    pub fn open(
        folder: &Path,
        language: LanguageCode,
        tell: impl Fn(Report) + Send + 'static,
    ) -> io::Result<Self> {
        fs::read_dir(folder)?;
        let (searches, receiver) = sync_channel(WAITING);
        let mut reader = Reader::new(folder.to_owned(), language, Box::new(tell));
        std::thread::Builder::new()
            .name("knowledge".to_owned())
            .spawn(move || reader.run(&receiver))?;
        Ok(Self { searches })
    }

    /// Searches; `answer` is called on the thread of the index, with `None` if it cannot be searched.
    /// Without a place it is called at once.
    pub fn search(&self, words: Private<String>, answer: Answer) {
        if let Err(refused) = self.searches.try_send(Search { words, answer }) {
            let (std::sync::mpsc::TrySendError::Full(search)
            | std::sync::mpsc::TrySendError::Disconnected(search)) = refused;
            (search.answer)(None);
        }
    }
}

/// A file by what changes when it does.
type Seen = (PathBuf, u64, Option<SystemTime>);

/// The folder as one look finds it.
#[derive(Debug, Default, PartialEq)]
struct Listing {
    files: Vec<Seen>,
    left_out: BTreeMap<LeftOut, usize>,
}

struct Reader {
    folder: PathBuf,
    language: LanguageCode,
    state: Listing,
    index: Option<Index>,
    tell: Box<dyn Fn(Report) + Send>,
}

impl Reader {
    fn new(folder: PathBuf, language: LanguageCode, tell: Box<dyn Fn(Report) + Send>) -> Self {
        Self { folder, language, state: Listing::default(), index: None, tell }
    }

    fn run(&mut self, searches: &Receiver<Search>) {
        let mut look_at = Instant::now();
        loop {
            look_at = self.look_if_due(Instant::now(), look_at);
            match searches.recv_timeout(look_at.saturating_duration_since(Instant::now())) {
                Ok(search) => self.answer(search),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Looks at the folder if it is time, and says when the next look is due. No search puts it off.
    fn look_if_due(&mut self, now: Instant, look_at: Instant) -> Instant {
        if now < look_at {
            return look_at;
        }
        self.look();
        now + LOOK
    }

    fn answer(&self, Search { words, answer }: Search) {
        answer(self.index.as_ref().and_then(|index| index.search(words.reveal()).ok()));
    }

    /// Builds the index anew if the folder is not as it was.
    fn look(&mut self) {
        let mut listing = Listing::default();
        list(&self.folder, 0, &mut listing);
        listing.files.sort();
        if self.index.is_some() && listing == self.state {
            return;
        }
        let mut left_out = listing.left_out.clone();
        for (why, count) in &left_out {
            tracing::warn!("knowledge: {count} files are left out: {}", why.reason());
        }
        let (passages, faults) = read(&self.folder, &listing.files);
        for (why, name) in &faults {
            tracing::warn!("knowledge: {} is left out: {}", name.display(), why.reason());
            *left_out.entry(*why).or_default() += 1;
        }
        let files = listing.files.len() - faults.len();
        match Index::build(&passages, self.language) {
            Ok(index) => {
                tracing::info!(files, passages = passages.len(), "knowledge is read");
                self.index = Some(index);
                (self.tell)(Report { files, passages: passages.len(), left_out });
                self.state = listing;
            }
            Err(error) => tracing::warn!(%error, "knowledge cannot be indexed"),
        }
    }
}

/// Every Markdown file, no links followed: what is elsewhere was not put into this folder.
fn list(folder: &Path, depth: usize, listing: &mut Listing) {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    // Where there are too many the same are left out each time.
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        let is_markdown = path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("md"));
        if metadata.is_dir() {
            if !is_hidden && depth < DEPTH {
                list(&path, depth + 1, listing);
            }
        } else if is_markdown {
            let why = match metadata.is_file() {
                true if listing.files.len() < limits::KNOWLEDGE_FILES => {
                    listing.files.push((path, metadata.len(), metadata.modified().ok()));
                    continue;
                }
                true => LeftOut::TooMany,
                false => LeftOut::NotPlain,
            };
            *listing.left_out.entry(why).or_default() += 1;
        }
    }
}

/// The passages of these files, and what is wrong with the others.
fn read(folder: &Path, files: &[Seen]) -> (Vec<Passage>, Vec<(LeftOut, PathBuf)>) {
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    let mut left = limits::KNOWLEDGE_BYTES;
    for (path, ..) in files {
        let most = limits::KNOWLEDGE_FILE_BYTES.min(left);
        let name = path.strip_prefix(folder).unwrap_or(path).with_extension("");
        let why = match bounded::text(path, most) {
            Ok(text) => {
                left -= text.len() as u64;
                all.extend(passages::cut(
                    &name.to_string_lossy().replace(['/', '_', '-'], " "),
                    &text,
                ));
                continue;
            }
            Err(ReadError::TooLong(most)) if most < limits::KNOWLEDGE_FILE_BYTES => LeftOut::NoRoom,
            Err(ReadError::TooLong(_)) => LeftOut::TooLong,
            Err(ReadError::NotText) => LeftOut::NotText,
            Err(ReadError::NotAFile) => LeftOut::NotPlain,
            Err(ReadError::Unreadable(_)) => LeftOut::Unreadable,
        };
        faults.push((why, path.clone()));
    }
    (all, faults)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use nix::sys::stat::Mode;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
            fs::create_dir_all(path.join("deep/er")).unwrap();
            Self(path)
        }

        fn read(&self) -> (Vec<Passage>, Vec<(LeftOut, PathBuf)>) {
            let mut listing = Listing::default();
            list(&self.0, 0, &mut listing);
            listing.files.sort();
            read(&self.0, &listing.files)
        }

        /// A reader of this folder, and what it tells.
        fn reader(&self) -> (Reader, Receiver<Report>) {
            let (tell, told) = channel();
            let tell = Box::new(move |report| tell.send(report).unwrap());
            (Reader::new(self.0.clone(), LanguageCode::ENGLISH, tell), told)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn plain_markdown_is_read_and_everything_else_is_left_out() {
        let folder = Folder::new("attendant-knowledge-kinds");
        let at = |name: &str| folder.0.join(name);
        fs::write(at("returns.md"), "# Returns\nWithin 14 days.").unwrap();
        fs::write(at("deep/er/price-list.md"), "Nine euros.").unwrap();
        fs::write(at("bad.md"), [0xff, 0xfe]).unwrap();
        fs::write(at("long.md"), vec![b'x'; limits::KNOWLEDGE_FILE_BYTES as usize + 1]).unwrap();
        fs::write(at("notes.txt"), "no").unwrap();
        fs::write(at("secret"), "root:x").unwrap();
        std::os::unix::fs::symlink(at("secret"), at("link.md")).unwrap();
        std::os::unix::fs::symlink("/etc", at("etc")).unwrap();
        nix::unistd::mkfifo(&at("pipe.md"), Mode::S_IRWXU).unwrap();
        let (passages, faults) = folder.read();
        let titles: Vec<&str> = passages.iter().map(|passage| passage.title.as_str()).collect();
        assert_eq!(titles, ["deep er price list", "returns, Returns"]);
        let faults: Vec<_> = faults.iter().map(|(why, path)| (*why, path.as_path())).collect();
        let (bad, long) = (at("bad.md"), at("long.md"));
        assert_eq!(faults, [(LeftOut::NotText, &*bad), (LeftOut::TooLong, &*long)]);

        let (mut reader, told) = folder.reader();
        reader.look();
        let left_out =
            [(LeftOut::TooLong, 1), (LeftOut::NotText, 1), (LeftOut::NotPlain, 2)].into();
        assert_eq!(told.recv().unwrap(), Report { files: 2, passages: 2, left_out });
    }

    #[test]
    fn what_changes_is_found_anew() {
        let folder = Folder::new("attendant-knowledge-change");
        let file = folder.0.join("a.md");
        fs::write(&file, "Lorries park behind the hall.").unwrap();
        let (mut reader, _told) = folder.reader();
        let finds = |reader: &Reader, word: &str| {
            !reader.index.as_ref().unwrap().search(word).unwrap().is_empty()
        };
        reader.look();
        assert!(finds(&reader, "lorry") && !finds(&reader, "ramp"));
        fs::write(&file, "Lorries park at the ramp, in front.").unwrap();
        reader.look();
        assert!(finds(&reader, "ramp") && !finds(&reader, "hall"));
        fs::remove_file(&file).unwrap();
        reader.look();
        assert!(!finds(&reader, "ramp"));
    }

    #[test]
    fn searches_one_after_the_other_do_not_put_off_the_look() {
        let folder = Folder::new("attendant-knowledge-busy");
        let file = folder.0.join("a.md");
        fs::write(&file, "Lorries park behind the hall.").unwrap();
        let (mut reader, told) = folder.reader();
        let start = Instant::now();
        let mut look_at = reader.look_if_due(start, start);
        assert_eq!(told.try_iter().count(), 1);
        fs::write(&file, "Lorries park at the ramp, in front.").unwrap();
        for second in 1..=60 {
            reader.answer(Search { words: Private::new("ramp".into()), answer: Box::new(drop) });
            look_at = reader.look_if_due(start + Duration::from_secs(second), look_at);
            assert_eq!(told.try_iter().count(), usize::from(second == 60), "{second}");
        }
        assert_eq!(look_at, start + 2 * LOOK);
    }

    #[test]
    fn searches_are_answered_elsewhere_and_a_missing_folder_is_told() {
        assert!(Knowledge::open(Path::new("/nonexistent/x"), LanguageCode::ENGLISH, drop).is_err());
        let folder = Folder::new("attendant-knowledge-thread");
        fs::write(folder.0.join("a.md"), "# Pallets\nUp to 800 kilograms.").unwrap();
        let knowledge = Knowledge::open(&folder.0, LanguageCode::ENGLISH, drop).unwrap();
        let (sender, receiver) = channel();
        let words = Private::new("How heavy is a pallet?".to_owned());
        knowledge.search(words, Box::new(move |found| sender.send(found).unwrap()));
        let found = receiver.recv().unwrap().unwrap();
        assert_eq!(found[0].passage.text, "Up to 800 kilograms.");
    }
}
