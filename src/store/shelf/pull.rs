//! A model brought to the shelf: from its server, or from a folder such as a stick's.
//!
//! Whatever interrupts it, what lies under a file's own name was verified, and the next pull goes on
//! from what was fetched.

// A shell: it waits between attempts.
#![allow(clippy::disallowed_methods)]

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::Shelf;
use super::address::Address;
use super::check::{self, Flaw};
use super::folder::Folder;
use super::manifest::{Model, ModelFile};
use super::partial::Partial;
use super::resume::{Begun, Note, Refusal, Request, Step, Verdict, Wanted, step, validator};
use super::web::{Answer, Web, WebError};
use crate::base::limits;
use crate::speech::model::hexadecimal;
use crate::store::trusted::{self, Untrusted};

const CHUNK_BYTES: usize = 256 * 1024;
/// A server that exchanges the file under our hands more often is not waited for.
const MOST_STARTS: u32 = 3;

/// Where files come from.
#[derive(Debug)]
pub enum Source {
    /// The manifest's addresses, or the same names in the folder that `mirror` is.
    Web { web: Web, mirror: Option<Address> },
    /// A folder that holds the files under their names.
    Folder(PathBuf),
}

/// What is told while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Another pull is at work on this shelf.
    WaitsForOther,
    /// The file is there and right.
    Kept {
        file: String,
    },
    /// Bytes come from here on; `total` where it is known.
    Begins {
        file: String,
        from: u64,
        total: Option<u64>,
    },
    At {
        bytes: u64,
    },
    Pauses {
        cause: String,
        wait: Duration,
    },
    StartsOver {
        cause: String,
    },
    Verifies,
    /// The file is there and right; `learnt` if its hash was not known before.
    Done {
        bytes: u64,
        learnt: bool,
    },
}

/// Why a model is not on the shelf.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error("the shelf {}", path.display())]
    Shelf { path: PathBuf, source: Untrusted },
    #[error("{model} is kept by Ollama: `ollama pull {model}` fetches it")]
    Ollama { model: String },
    #[error("{needed} bytes are needed on the disk of {}, and {free} are free", path.display())]
    Full { path: PathBuf, needed: u64, free: u64 },
    #[error("{file}")]
    File { file: String, source: FileError },
}

/// Why a file is not on the shelf.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Web(#[from] WebError),
    #[error("given up after {tries} attempts: {cause}")]
    GivenUp { tries: u32, cause: String },
    #[error(transparent)]
    Flaw(#[from] Flaw),
    #[error("{} is not there", path.display())]
    NotInFolder { path: PathBuf },
    #[error("{}", path.display())]
    Untrusted { path: PathBuf, source: Untrusted },
    #[error("{needed} bytes are needed on the disk, and {free} are free")]
    Full { needed: u64, free: u64 },
    #[error("the disk refuses it")]
    Disk(#[from] io::Error),
}

/// Brings models to a shelf and tells `report` what happens.
pub struct Puller<'a> {
    pub shelf: &'a Shelf,
    pub source: &'a Source,
    /// Bytes that are free on the shelf's disk.
    pub free_bytes: &'a dyn Fn(&Folder) -> io::Result<u64>,
    pub report: &'a mut dyn FnMut(Event),
}

impl Puller<'_> {
    /// Brings all files of the model; those that are there and right are kept.
    pub fn pull(&mut self, model: &Model) -> Result<(), PullError> {
        if model.files.is_empty() {
            return Err(PullError::Ollama { model: model.name.clone() });
        }
        let path = self.shelf.path();
        let refused = |source| PullError::Shelf { path: path.to_owned(), source };
        let folder = Folder::make(path).map_err(refused)?;
        let _lock = folder.lock(|| (self.report)(Event::WaitsForOther)).map_err(refused)?;
        let mut missing = Vec::new();
        for file in &model.files {
            match check::check(&folder, model, file) {
                Ok(_) => (self.report)(Event::Kept { file: file.name.clone() }),
                Err(_) => missing.push(file),
            }
        }
        self.room_for_all(&folder, &missing)?;
        for file in missing {
            let mut fetch = Fetch { puller: self, folder: &folder, model, file };
            let brought = fetch.bring();
            brought.map_err(|source| PullError::File { file: file.name.clone(), source })?;
        }
        Ok(())
    }

    /// Before anything is asked for: is there room for what is known to come?
    fn room_for_all(&self, folder: &Folder, missing: &[&ModelFile]) -> Result<(), PullError> {
        let mut needed = 0_u64;
        for file in missing {
            let Some(bytes) = file.bytes else { continue };
            let begun = match self.shelf.begun_bytes(folder, file) {
                Some(begun) if begun <= bytes => begun,
                _ => 0,
            };
            needed += bytes - begun;
        }
        match self.room(folder, needed) {
            Err(FileError::Full { needed, free }) => {
                Err(PullError::Full { path: self.shelf.path().to_owned(), needed, free })
            }
            Err(source) => {
                let file = missing.first().map_or_else(String::new, |file| file.name.clone());
                Err(PullError::File { file, source })
            }
            Ok(()) => Ok(()),
        }
    }

    fn room(&self, folder: &Folder, needed: u64) -> Result<(), FileError> {
        if needed == 0 {
            return Ok(());
        }
        let needed = needed.saturating_add(limits::SHELF_RESERVE_BYTES);
        let free = (self.free_bytes)(folder)?;
        if needed > free { Err(FileError::Full { needed, free }) } else { Ok(()) }
    }
}

/// One file on its way.
struct Fetch<'a, 'b> {
    puller: &'a mut Puller<'b>,
    folder: &'a Folder,
    model: &'a Model,
    file: &'a ModelFile,
}

/// How an attempt ended that did not fail for good.
enum Attempt {
    /// The body ended as it should.
    Ended,
    Broken {
        cause: String,
        wait: Option<Duration>,
    },
    /// The file is another one than that which was begun.
    Changed,
}

impl<'a> Fetch<'a, '_> {
    fn bring(&mut self) -> Result<(), FileError> {
        let pinned = check::pinned(self.folder, &self.file.name)?;
        let wanted = Wanted { sha256: self.file.sha256.or(pinned), ..self.file.wanted() };
        match self.puller.source {
            Source::Folder(folder) => self.copy(&folder.join(&self.file.name), &wanted),
            Source::Web { web, mirror } => {
                let address = match mirror {
                    Some(mirror) => mirror.file(&self.file.name).map_err(WebError::from)?,
                    None => self.file.address.clone(),
                };
                self.download(web, &address, &wanted)
            }
        }
    }

    /// Fetches until everything is there and right. A file that was put together from several
    /// attempts and is wrong is fetched once more in one piece: a disk may lose what it had.
    fn download(&mut self, web: &Web, address: &Address, wanted: &Wanted) -> Result<(), FileError> {
        let mut partial = self.partial()?;
        let mut starts = 0;
        loop {
            starts += 1;
            let in_one_piece = self.fetch(web, address, wanted, &mut partial)?;
            match self.verified(&mut partial, wanted) {
                Ok(sha256) => return self.publish(partial, &sha256, wanted),
                Err(flaw) if in_one_piece || starts == MOST_STARTS => {
                    partial.discard()?;
                    return Err(flaw);
                }
                Err(flaw) => self.tell(Event::StartsOver { cause: flaw.to_string() }),
            }
            partial.begin(None)?;
        }
    }

    fn partial(&self) -> Result<Partial<'a>, FileError> {
        let name = &self.file.name;
        Partial::open(self.folder, name).map_err(|source| FileError::Untrusted {
            path: self.folder.at(&super::partial::name_of(name)),
            source,
        })
    }

    /// Fetches until everything is there; whether it came in one piece.
    fn fetch(
        &mut self,
        web: &Web,
        address: &Address,
        wanted: &Wanted,
        partial: &mut Partial<'_>,
    ) -> Result<bool, FileError> {
        let (mut tries, mut attempts, mut starts, mut furthest) = (0, 0, 0, 0);
        loop {
            let begun = partial.begun()?;
            let request = match step(&begun, address, wanted) {
                Step::Verify => return Ok(false),
                Step::Ask(request) => request,
            };
            attempts += 1;
            let (cause, wait) = match self.attempt(web, address, wanted, &request, partial)? {
                Attempt::Ended => match self.ended(partial, wanted)? {
                    true => return Ok(attempts == 1 && request.from == 0),
                    false => ("the server sent a part only".to_owned(), None),
                },
                Attempt::Broken { cause, wait } => (cause, wait),
                Attempt::Changed => {
                    starts += 1;
                    let cause = "the server has another version of the file".to_owned();
                    if starts > MOST_STARTS {
                        return Err(FileError::GivenUp { tries: starts, cause });
                    }
                    self.tell(Event::StartsOver { cause });
                    partial.begin(None)?;
                    continue;
                }
            };
            // Bytes that came before bring us no further.
            let reached = partial.begun()?.bytes;
            tries = if reached > furthest { 1 } else { tries + 1 };
            furthest = furthest.max(reached);
            if tries >= limits::PULL_TRIES {
                return Err(FileError::GivenUp { tries, cause });
            }
            let wait = wait.unwrap_or_else(|| pause(tries)).min(limits::PULL_WAIT_MOST);
            self.tell(Event::Pauses { cause, wait });
            thread::sleep(wait);
        }
    }

    /// Whether the end of a body was the end of the file.
    fn ended(&self, partial: &mut Partial<'_>, wanted: &Wanted) -> Result<bool, FileError> {
        partial.sync()?;
        let begun = partial.begun()?;
        let total = wanted.bytes.or_else(|| begun.note.and_then(|note| note.total));
        Ok(total.is_none_or(|total| begun.bytes >= total))
    }

    fn attempt(
        &mut self,
        web: &Web,
        address: &Address,
        wanted: &Wanted,
        request: &Request,
        partial: &mut Partial<'_>,
    ) -> Result<Attempt, FileError> {
        let begun = partial.begun()?;
        let Answer { verdict, head, mut body } = match web.ask(address, request, &begun, wanted) {
            Ok(answer) => answer,
            Err(WebError::Passing(cause)) => {
                return Ok(Attempt::Broken { cause, wait: None });
            }
            Err(error) => return Err(error.into()),
        };
        let (from, total) = match verdict {
            Verdict::Append { total } => {
                self.puller.room(self.folder, total.saturating_sub(request.from))?;
                partial.go_on(request.from)?;
                (request.from, Some(total))
            }
            Verdict::Fresh { total } => {
                self.puller.room(self.folder, total.unwrap_or(0))?;
                let address = address.as_str().to_owned();
                let validator = validator(&head);
                partial.begin(Some(Note { address, validator, total, synced: 0 }))?;
                (0, total)
            }
            Verdict::Later { status, retry_after_s } => {
                let cause = format!("the server answers {status}");
                let wait = retry_after_s.map(Duration::from_secs);
                return Ok(Attempt::Broken { cause, wait });
            }
            Verdict::StartOver => return Ok(Attempt::Changed),
            // `Web::ask` has done with these.
            Verdict::Follow(_) => return Err(WebError::from(Refusal::Redirects).into()),
            Verdict::Refuse(refusal) => return Err(WebError::from(refusal).into()),
        };
        self.tell(Event::Begins { file: self.file.name.clone(), from, total });
        self.receive(&mut body, from, total, partial)
    }

    /// Writes the body down until it ends, breaks off, or is longer than the file.
    fn receive(
        &mut self,
        body: &mut dyn Read,
        from: u64,
        total: Option<u64>,
        partial: &mut Partial<'_>,
    ) -> Result<Attempt, FileError> {
        let most = total.unwrap_or(limits::MODEL_BYTES);
        let mut at = from;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let count = match body.read(&mut chunk) {
                Ok(0) => return Ok(Attempt::Ended),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    partial.sync()?;
                    let cause = format!("broken off: {error}");
                    return Ok(Attempt::Broken { cause, wait: None });
                }
            };
            at += count as u64;
            if at > most {
                return Err(WebError::from(Refusal::Endless(most)).into());
            }
            partial.append(chunk.get(..count).unwrap_or_default())?;
            self.tell(Event::At { bytes: at });
        }
    }

    /// Copies the file from a folder; there is nothing to go on from.
    fn copy(&mut self, path: &Path, wanted: &Wanted) -> Result<(), FileError> {
        let there = trusted::open_any(path).map_err(|source| match source.is_missing() {
            true => FileError::NotInFolder { path: path.to_owned() },
            false => FileError::Untrusted { path: path.to_owned(), source },
        });
        let mut there = there?;
        let total = there.metadata()?.len();
        check::right_size(total, wanted.bytes)?;
        check::right_size(total.min(limits::MODEL_BYTES), Some(total))?;
        let mut partial = self.partial()?;
        partial.begin(None)?;
        self.puller.room(self.folder, total)?;
        self.tell(Event::Begins { file: self.file.name.clone(), from: 0, total: Some(total) });
        if let Attempt::Broken { cause, .. } =
            self.receive(&mut there, 0, Some(total), &mut partial)?
        {
            return Err(FileError::GivenUp { tries: 1, cause });
        }
        match self.verified(&mut partial, wanted) {
            Ok(sha256) => self.publish(partial, &sha256, wanted),
            Err(flaw) => {
                partial.discard()?;
                Err(flaw)
            }
        }
    }

    /// The hash of what came, if it is right.
    fn verified(
        &mut self,
        partial: &mut Partial<'_>,
        wanted: &Wanted,
    ) -> Result<[u8; 32], FileError> {
        partial.sync()?;
        self.tell(Event::Verifies);
        let Begun { bytes, note } = partial.begun()?;
        let total = wanted.bytes.or_else(|| note.and_then(|note| note.total));
        check::right_size(bytes, total)?;
        let actual = check::content(partial.rewound()?, self.model, self.file)?;
        match wanted.sha256 {
            Some(wanted) if wanted != actual => {
                let [actual, wanted] = [actual, wanted].map(|sha256| hexadecimal(&sha256));
                Err(Flaw::Hash { actual, wanted }.into())
            }
            _ => Ok(actual),
        }
    }

    /// The pin comes first: a file under its own name is never without one.
    fn publish(
        &mut self,
        partial: Partial<'_>,
        sha256: &[u8; 32],
        wanted: &Wanted,
    ) -> Result<(), FileError> {
        let bytes = partial.begun()?.bytes;
        let name = &self.file.name;
        self.folder.replace(&check::pin_of(name), check::pin_line(name, sha256).as_bytes())?;
        partial.publish()?;
        self.tell(Event::Done { bytes, learnt: wanted.sha256.is_none() });
        Ok(())
    }

    fn tell(&mut self, event: Event) {
        (self.puller.report)(event);
    }
}

/// Doubles with each attempt that brought nothing.
fn pause(tries: u32) -> Duration {
    limits::PULL_WAIT.saturating_mul(1 << tries.saturating_sub(1).min(16))
}

#[cfg(test)]
mod tests;
