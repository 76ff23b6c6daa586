//! Messages that are being recorded: a file each, and the message once it is over.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{News, Report};
use crate::appliance::clock::unix_ms;
use crate::base::pcm::{FRAME_MS, Frame, samples_to_ms};
use crate::base::{CallId, limits};
use crate::call::TapeNews;
use crate::converse::Message;
use crate::store::history::{self, Left, Sound};
use crate::store::recordings::{self, Encoder, Name, Recordings, Settings, Writing};
use crate::web::Board;

/// What a message is about of which nothing else is known.
const TOPIC: &str = "voicemail";

struct Open {
    name: Name,
    message: Message,
    encoder: Encoder,
    writing: Writing,
    frames: u64,
    /// Nothing more is written.
    has_failed: bool,
}

pub(super) struct Taping {
    settings: Settings,
    longest: Duration,
    board: Arc<Board>,
    /// `None` until the folder is there.
    recordings: Option<Recordings>,
    open: HashMap<CallId, Open>,
    /// Files of a start before this one are still to be looked at.
    has_taken_over: bool,
}

impl Taping {
    pub(super) fn new(settings: Settings, longest: Duration, board: Arc<Board>) -> Self {
        let (recordings, open) = (None, HashMap::new());
        Self { settings, longest, board, recordings, open, has_taken_over: false }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.recordings.as_ref().map_or(0, Recordings::bytes)
    }

    fn folder(&mut self) -> io::Result<&mut Recordings> {
        if self.recordings.is_none() {
            self.recordings = Some(Recordings::open(self.settings.clone())?);
        }
        self.recordings.as_mut().ok_or_else(|| io::Error::other("no folder"))
    }

    /// Whether there is room for the longest message.
    pub(super) fn begin(&mut self, name: Name, message: Message, report: &mut Report) -> bool {
        let room = self.longest.as_secs() * limits::VOICEMAIL_SECOND_BYTES;
        // Any number names the only stream of a file.
        let serial = u32::try_from(name.started_at_ms % u64::from(u32::MAX)).unwrap_or(1);
        let begun = Encoder::mono(serial).and_then(|encoder| {
            let name = self.free(name)?;
            let writing = self.folder()?.begin_with(name, room)?;
            Ok(Open { name, message, encoder, writing, frames: 0, has_failed: false })
        });
        match begun {
            Ok(open) => {
                self.open.insert(name.call, open);
                true
            }
            Err(error) => {
                failed(name.call, &error, report);
                false
            }
        }
    }

    /// The call's next message: those before it keep their names.
    fn free(&self, name: Name) -> io::Result<Name> {
        let mut names = (0..limits::VOICEMAIL_PER_CALL).map(|ordinal| Name { ordinal, ..name });
        let free = names.find(|name| !recordings::is_there(&self.settings.folder, *name));
        free.ok_or_else(|| io::Error::other("the call has left as many messages as it may"))
    }

    pub(super) fn sound(&mut self, call: CallId, frame: Frame) {
        // Of one that has ended nothing more is wanted.
        let Some(open) = self.open.get_mut(&call) else { return };
        // libopus takes every frame of this length.
        if !open.has_failed && open.encoder.push_mono(&frame).is_ok() {
            open.frames += 1;
        }
    }

    /// Gives the disk what has come.
    pub(super) fn write(&mut self, report: &mut Report, tell: &mpsc::Sender<News>) {
        let Some(recordings) = &mut self.recordings else { return };
        for (call, open) in self.open.iter_mut().filter(|(_, open)| !open.has_failed) {
            let pages = open.encoder.take();
            if let Err(error) = recordings.append(&mut open.writing, &pages) {
                open.has_failed = true;
                failed(*call, &error, report);
                let _ = tell.try_send(News { call: *call, news: TapeNews::Failed });
            }
        }
    }

    /// Whether a message was left.
    pub(super) fn end(&mut self, call: CallId, is_spoken: bool, report: &mut Report) -> bool {
        let (Some(open), Some(recordings)) = (self.open.remove(&call), &mut self.recordings) else {
            return false;
        };
        let Open { name, message, encoder, mut writing, frames, has_failed } = open;
        if !is_spoken {
            if let Err(error) = recordings.discard(writing) {
                tracing::warn!(call_id = %call, %error, "a message of nothing stays on the disk");
            }
            return false;
        }
        let written = match has_failed {
            true => Ok(()),
            false => encoder.finish().and_then(|pages| recordings.append(&mut writing, &pages)),
        };
        match written.and(recordings.end(writing)) {
            Ok(()) if !has_failed => report.fault = None,
            Ok(()) => (),
            // What there is of it is a message all the same.
            Err(error) => failed(call, &error, report),
        }
        tracing::info!(call_id = %call, seconds = frames * FRAME_MS / 1_000, "a message was left");
        report.left += 1;
        self.leave(name, message, frames * FRAME_MS);
        true
    }

    fn leave(&self, name: Name, message: Message, ms: u64) {
        let sound = Some(Sound { started_at_ms: name.started_at_ms, ordinal: name.ordinal, ms });
        self.board.past().leave(Left { call: name.call, unix_ms: unix_ms(), message, sound });
    }

    pub(super) fn end_all(&mut self, report: &mut Report) {
        let calls: Vec<CallId> = self.open.keys().copied().collect();
        for call in calls {
            // Whether somebody has spoken is not known: nothing that was said is thrown away.
            self.end(call, true, report);
        }
    }

    /// Deletes what is old.
    pub(super) fn tend(&mut self, believed: Option<u64>, report: &mut Report) {
        match self.folder().and_then(|recordings| recordings.tend(believed)) {
            Ok(0) => (),
            Ok(gone) => tracing::info!(gone, "messages' sound is deleted by its age"),
            Err(error) => {
                if report.fault.is_none() {
                    tracing::error!(%error, "voicemail: the folder cannot be used");
                }
                report.fault = Some(error.to_string());
            }
        }
    }

    /// Files of a start before this one without a message: the program ended in the middle of them. Whether there was one.
    pub(super) async fn take_over(&mut self) -> bool {
        if self.has_taken_over {
            return false;
        }
        let Some(Ok(names)) = self.recordings.as_ref().map(Recordings::names) else {
            return false;
        };
        let mut has_any = false;
        for name in names.into_iter().filter(|name| !self.open.contains_key(&name.call)) {
            let known = self.board.past().ask(move |open| history::has_sound(open, name)).await;
            match known {
                // Once the database can be read.
                Err(_) => return has_any,
                Ok(Some(false)) => {
                    let shelf = &self.settings;
                    let found = recordings::find(&shelf.folder, name, shelf.key.as_ref());
                    let sound = found.and_then(|file| recordings::decode(&file).ok());
                    let Some(samples) = sound.filter(|samples| !samples.is_empty()) else {
                        continue;
                    };
                    tracing::info!(call_id = %name.call, "a message was cut off by the end of the program");
                    let message = Message { topic: TOPIC.to_owned(), ..Message::default() };
                    self.leave(name, message, samples_to_ms(samples.len()));
                    has_any = true;
                }
                Ok(Some(true) | None) => (),
            }
        }
        self.has_taken_over = true;
        has_any
    }
}

fn failed(call: CallId, error: &io::Error, report: &mut Report) {
    tracing::error!(call_id = %call, %error, "a message cannot be recorded, or not to its end");
    report.failed += 1;
    report.fault = Some(error.to_string());
}
