//! What the owner has written down: a folder of Markdown files, searched by the words of callers.
//!
//! A thread of its own holds the index, answers searches one by one and looks each minute whether the
//! folder has changed. The net thread hands a search over without waiting; where too many wait, it is
//! refused. Files that cannot be taken are left out and told by name; the others are searched.

mod index;
mod passages;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, SystemTime};

use super::bounded;
use crate::base::{LanguageCode, Private, limits};
pub use index::{Found, Index};
pub use passages::{Passage, first_sentence};

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
    /// # Errors
    /// The folder cannot be read, or there is no thread to be had.
    pub fn open(folder: &Path, language: LanguageCode) -> io::Result<Self> {
        fs::read_dir(folder)?;
        let (searches, receiver) = sync_channel(WAITING);
        let mut reader =
            Reader { folder: folder.to_owned(), language, state: Vec::new(), index: None };
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

struct Reader {
    folder: PathBuf,
    language: LanguageCode,
    state: Vec<Seen>,
    index: Option<Index>,
}

impl Reader {
    fn run(&mut self, searches: &Receiver<Search>) {
        self.look();
        loop {
            match searches.recv_timeout(LOOK) {
                Ok(Search { words, answer }) => {
                    let found = self.index.as_ref().and_then(|i| i.search(words.reveal()).ok());
                    answer(found);
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Builds the index anew if the folder is not as it was.
    fn look(&mut self) {
        let mut files = Vec::new();
        list(&self.folder, 0, &mut files);
        files.sort();
        if self.index.is_some() && files == self.state {
            return;
        }
        let (passages, faults) = read(&self.folder, &files);
        for fault in faults {
            tracing::warn!("knowledge: {fault}");
        }
        match Index::build(&passages, self.language) {
            Ok(index) => {
                tracing::info!(files = files.len(), passages = passages.len(), "knowledge is read");
                self.index = Some(index);
            }
            Err(error) => tracing::warn!(%error, "knowledge cannot be indexed"),
        }
        self.state = files;
    }
}

/// Every Markdown file, no links followed: what is elsewhere was not put into this folder.
fn list(folder: &Path, depth: usize, files: &mut Vec<Seen>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        let is_markdown = path.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("md"));
        if metadata.is_dir() && !is_hidden && depth < DEPTH {
            list(&path, depth + 1, files);
        } else if metadata.is_file() && is_markdown && files.len() < limits::KNOWLEDGE_FILES {
            files.push((path, metadata.len(), metadata.modified().ok()));
        }
    }
}

/// The passages of these files, and what is wrong with the others.
fn read(folder: &Path, files: &[Seen]) -> (Vec<Passage>, Vec<String>) {
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    if files.len() >= limits::KNOWLEDGE_FILES {
        faults.push(format!("only {} files are read", limits::KNOWLEDGE_FILES));
    }
    let mut left = limits::KNOWLEDGE_BYTES;
    for (path, ..) in files {
        let most = limits::KNOWLEDGE_FILE_BYTES.min(left);
        let name = path.strip_prefix(folder).unwrap_or(path).with_extension("");
        match bounded::text(path, most) {
            Ok(text) => {
                left -= text.len() as u64;
                all.extend(passages::cut(
                    &name.to_string_lossy().replace(['/', '_', '-'], " "),
                    &text,
                ));
            }
            Err(error) => faults.push(format!("{} is left out: {error}", path.display())),
        }
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

        fn read(&self) -> (Vec<Passage>, Vec<String>) {
            let mut files = Vec::new();
            list(&self.0, 0, &mut files);
            files.sort();
            read(&self.0, &files)
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
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("bad.md") && faults[1].contains("long.md"), "{faults:?}");
    }

    #[test]
    fn what_changes_is_found_anew() {
        let folder = Folder::new("attendant-knowledge-change");
        let file = folder.0.join("a.md");
        fs::write(&file, "Lorries park behind the hall.").unwrap();
        let path = folder.0.clone();
        let mut reader = Reader {
            folder: path,
            language: LanguageCode::ENGLISH,
            state: Vec::new(),
            index: None,
        };
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
    fn searches_are_answered_elsewhere_and_a_missing_folder_is_told() {
        assert!(Knowledge::open(Path::new("/nonexistent/x"), LanguageCode::ENGLISH).is_err());
        let folder = Folder::new("attendant-knowledge-thread");
        fs::write(folder.0.join("a.md"), "# Pallets\nUp to 800 kilograms.").unwrap();
        let knowledge = Knowledge::open(&folder.0, LanguageCode::ENGLISH).unwrap();
        let (sender, receiver) = channel();
        let words = Private::new("How heavy is a pallet?".to_owned());
        knowledge.search(words, Box::new(move |found| sender.send(found).unwrap()));
        let found = receiver.recv().unwrap().unwrap();
        assert_eq!(found[0].passage.text, "Up to 800 kilograms.");
    }
}
