//! One file brought to the shelf: fetched in as many attempts as it takes, or copied, then verified,
//! pinned and put under its own name.

// A shell: it waits between attempts.
#![allow(clippy::disallowed_methods)]

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::address::Address;
use super::check::{self, Flaw};
use super::content::{self, Place, Role};
use super::folder::Folder;
use super::manifest::{Model, ModelFile};
use super::partial::Partial;
use super::pull::{Event, Puller, Source};
use super::resume::{Begun, Note, Refusal, Request, Step, Verdict, Wanted, step, validator};
use super::web::{Answer, Web, WebError};
use crate::base::limits;
use crate::store::trusted::{self, Untrusted};

const CHUNK_BYTES: usize = 256 * 1024;
/// A server that exchanges the file under our hands more often is not waited for.
const MOST_STARTS: u32 = 3;

/// Why a file is not on the shelf.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Web(#[from] WebError),
    #[error("given up after {tries} attempts: {cause}")]
    GivenUp { tries: u32, cause: String },
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// Of a file whose hash was learnt, so that the owner decides.
    #[error(
        "{source}; `attendant models pull {model} --anew` fetches it again and pins what comes"
    )]
    Pinned { model: String, source: Flaw },
    #[error("{} is not there", path.display())]
    NotInFolder { path: PathBuf },
    #[error("{}", path.display())]
    Untrusted { path: PathBuf, source: Untrusted },
    #[error("{needed} bytes are needed on the disk, and {free} are free")]
    Full { needed: u64, free: u64 },
    #[error("the disk refuses it")]
    Disk(#[from] io::Error),
}

/// One file on its way.
pub(super) struct Fetch<'a, 'b> {
    pub(super) puller: &'a mut Puller<'b>,
    pub(super) folder: &'a Folder,
    pub(super) model: &'a Model,
    pub(super) file: &'a ModelFile,
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
    pub(super) fn bring(&mut self) -> Result<(), FileError> {
        let brought = self.bring_as_pinned();
        brought.map_err(|error| match error {
            FileError::Flaw(source) if self.file.sha256.is_none() && source.may_be_the_pins() => {
                FileError::Pinned { model: self.model.name.clone(), source }
            }
            error => error,
        })
    }

    fn bring_as_pinned(&mut self) -> Result<(), FileError> {
        let sha256 = match self.file.sha256 {
            Some(sha256) => Some(sha256),
            None if self.puller.anew => None,
            None => check::pinned(self.folder, &self.file.name)?,
        };
        let wanted = Wanted { sha256, ..self.file.wanted() };
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
                self.puller.room(self.folder, total.saturating_sub(begun.bytes))?;
                partial.go_on(request.from)?;
                (request.from, Some(total))
            }
            Verdict::Fresh { total } => {
                // What was begun makes room when it is dropped.
                self.puller.room(self.folder, total.unwrap_or(0).saturating_sub(begun.bytes))?;
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

    /// Writes the body down until it ends, breaks off, is longer than the file, or fills the disk:
    /// not every server says how long it is, and others write to the disk meanwhile.
    fn receive(
        &mut self,
        body: &mut dyn Read,
        from: u64,
        total: Option<u64>,
        partial: &mut Partial<'_>,
    ) -> Result<Attempt, FileError> {
        let most = total.unwrap_or(limits::MODEL_BYTES);
        let mut at = from;
        let mut room_until = from;
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
            if at > room_until {
                let ahead = count as u64 + limits::PULL_SYNC_BYTES.min(most - at);
                self.puller.room(self.folder, ahead)?;
                room_until = at + limits::PULL_SYNC_BYTES;
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
        if total > limits::MODEL_BYTES {
            return Err(Flaw::TooLong(limits::MODEL_BYTES).into());
        }
        let mut partial = self.partial()?;
        self.puller.room(self.folder, total.saturating_sub(partial.begun()?.bytes))?;
        partial.begin(None)?;
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
        let has = |name: &str| check::has(self.model, name);
        let role = Role::of(self.file, self.model);
        let place = Place { name: &self.file.name, role, has: &has };
        Ok(content::read(partial.rewound()?, &place, wanted.sha256)?)
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
        check::pin(self.folder, name, sha256)?;
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
mod tests {
    use super::*;

    #[test]
    fn waits_between_attempts_double_up_to_the_most() {
        let waits = [1, 2, 3, 9, 40].map(|tries| pause(tries).min(limits::PULL_WAIT_MOST));
        assert_eq!(waits[0], limits::PULL_WAIT);
        assert_eq!(waits[1], limits::PULL_WAIT * 2);
        assert_eq!(waits[2], limits::PULL_WAIT * 4);
        assert_eq!(waits[3..], [limits::PULL_WAIT_MOST; 2]);
    }
}
