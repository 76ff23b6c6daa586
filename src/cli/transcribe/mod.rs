//! `attendant transcribe`: what recordings say, by the way that a call's sound takes.
//!
//! ```text
//!  WAV ─▶ 16 kHz ─▶ frames ─▶ (line: encode, lose, jitter buffer, decode, conceal) ─▶ VAD ─▶ Ear
//!      ─▶ engine ─▶ listen::transcript ─▶ text or JSON
//! ```
//! | file | what |
//! |---|---|
//! | `arguments` | the command line |
//! | `recording` | a file to frames |
//! | `line` | the telephone line between the file and the ear |
//! | `utterances` | frames to utterances, on a clock that moves as fast as it can |
//! | `report` | what is printed |
//!
//! Time is simulated and the line's chances are seeded: the same file gives the same text. Words go
//! to standard output only, which is the owner's; the log never has any.

// A shell: a simulated clock has to begin somewhere.
#![allow(clippy::disallowed_methods)]

mod arguments;
mod line;
mod recording;
mod report;
mod utterances;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(super) use arguments::Arguments;

use super::exit::Exit;
use super::listening::{Listening, ListeningError};
use super::with_sources;
use crate::appliance::engine::Failure;
use crate::appliance::front;
use crate::appliance::paths::Paths;
use crate::appliance::start_error::StartError;
use crate::listen::{DecodeWish, Guards, transcript};
use arguments::ListError;
use recording::{Recording, RecordingError};
use report::{FileReport, Spoken};
use utterances::{Utterance, Way};

/// Why nothing is transcribed.
#[derive(Debug, thiserror::Error)]
enum Fatal {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Engine(#[from] ListeningError),
    #[error(transparent)]
    List(#[from] ListError),
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}

/// Why one file is not transcribed; the others are.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error("{}", path.display())]
    Engine { path: PathBuf, source: Failure },
}

impl Fatal {
    fn exit(&self) -> Exit {
        match self {
            Self::Start(error) => Exit::from(error),
            Self::Engine(ListeningError::Engine { exit_code: Some(code), .. }) => {
                Exit::of_engine(*code)
            }
            Self::Engine(_) => Exit::EngineFailed,
            Self::List(_) | Self::Output(_) => Exit::Failed,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    match transcribe(arguments) {
        Ok(exit) => exit,
        // Whoever reads has read enough.
        Err(Fatal::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(fatal) => {
            eprintln!("attendant: {}", with_sources(&fatal));
            fatal.exit()
        }
    }
}

fn transcribe(arguments: &Arguments) -> Result<Exit, Fatal> {
    let files = arguments.files()?;
    let decoding = arguments.wish()?;
    let paths = Paths::here();
    let config = arguments.config.load(&paths)?;
    let wish = arguments.engine_wish();
    let place = front::own_engine(&config, arguments.config.path(&paths), &paths, &wish)?;
    let mut engine = Listening::start(place)?;
    let mut exit = Exit::Done;
    let mut out = io::stdout().lock();
    for path in &files {
        let heard = hear(path, arguments, &decoding, &mut engine);
        if let Err(error) = &heard {
            eprintln!("attendant: {}", with_sources(error));
            exit = Exit::Failed;
        }
        let line = match (&heard, arguments.json) {
            (Ok(report), true) => format!("{}\n", report.json(&engine.ready.model)),
            (Ok(report), false) => report.text(),
            (Err(error), true) => format!("{}\n", report::failure(path, &with_sources(error))),
            (Err(_), false) => continue,
        };
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).map_err(Fatal::Output)?;
        if matches!(heard, Err(FileError::Engine { source: Failure::EngineDown, .. })) {
            return Ok(Exit::EngineFailed);
        }
    }
    Ok(exit)
}

/// One file, from its bytes to its words.
fn hear(
    path: &Path,
    arguments: &Arguments,
    wish: &DecodeWish,
    engine: &mut Listening,
) -> Result<FileReport, FileError> {
    let recording = Recording::open(path, arguments.channel)?;
    let mut report = FileReport::new(path, recording.duration_ms(), recording.is_cut());
    if recording.is_cut() {
        eprintln!("attendant: {}: the file is cut off; what is there is heard", path.display());
    }
    let mut way = Way::new(&arguments.way, &recording);
    let failed = |source| FileError::Engine { path: path.to_path_buf(), source };
    for frame in way.frames(recording) {
        if let Some(utterance) = way.hear(&frame) {
            report.utterances.push(decode(utterance, wish, engine).map_err(failed)?);
        }
    }
    Ok(report)
}

/// What was said in one utterance; it is in pieces when it is longer than the engine's window.
fn decode(
    utterance: Utterance,
    wish: &DecodeWish,
    engine: &mut Listening,
) -> Result<Spoken, Failure> {
    let Utterance { start_ms, end_ms, pieces } = utterance;
    let (mut parts, mut recognitions, mut decode_ms) = (Vec::new(), Vec::new(), 0);
    let mut guards = Guards::default();
    for piece in pieces {
        let text = engine.hear(piece.audio, wish.clone())?;
        decode_ms += text.decode_ms;
        let reading = transcript::read(&text.recognition, Some(piece.evidence));
        guards.add(reading.guards);
        parts.push(reading.heard);
        recognitions.push(text.recognition);
    }
    let heard = transcript::join(&parts);
    Ok(Spoken { start_ms, end_ms, decode_ms, heard, guards, recognitions })
}
