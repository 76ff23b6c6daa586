//! `attendant call`: a real SIP caller for trials and tests.
//!
//! | file | what |
//! |---|---|
//! | `arguments` | the command line: target, turns in their order |
//! | `sound` | the turns made ready before the call |
//! | `caller` | the call, with the product's own SIP core, sockets and audio thread |
//! | `talk`, `script` | when the far end talks; when we speak, listen, hang up (pure) |
//! | `far_end`, `ears` | the far end's words: from its record, or by our own engine |
//! | `report` | the conversation as text or JSON |

// A shell: it asks for the time itself, and waits for the far end's record.
#![allow(clippy::disallowed_methods)]

mod arguments;
mod caller;
mod ears;
mod far_end;
mod report;
mod script;
mod sound;
mod talk;

use std::path::PathBuf;
use std::time::Duration;

pub(super) use arguments::Arguments;

use super::exit::Exit;
use super::listening::ListeningError;
use super::{wav, with_sources};
use crate::appliance::config;
use crate::appliance::front;
use crate::appliance::paths::Paths;
use crate::appliance::start_error::StartError;
use crate::base::pcm::SAMPLE_RATE_HZ;
use caller::{CallError, CallLog, Dial};
use far_end::{ApiError, OwnTurn, Words};
use report::{Report, Source};
use script::Verdict;
use sound::{SoundError, Studio};

/// Why there is no report, or none with words.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("--expect needs the other end's words: --api URL or --transcribe")]
    NoWords,
    #[error("{host} has no address")]
    NoAddress { host: String, source: std::io::Error },
    #[error(transparent)]
    Sound(#[from] SoundError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("--transcribe")]
    Ears(#[from] ListeningError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("--record {path}")]
    Record { path: PathBuf, source: std::io::Error },
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::NoWords => Exit::Usage,
            Self::NoAddress { .. } => Exit::CallFailed,
            Self::Call(CallError::Ports(_)) => Exit::PortsExhausted,
            Self::Ears(_) => Exit::EngineFailed,
            Self::Start(error) => Exit::from(error),
            Self::Sound(_) | Self::Call(_) | Self::Api(_) | Self::Record { .. } => Exit::Failed,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    match call(arguments) {
        Ok(exit) => exit,
        Err(failure) => {
            eprintln!("attendant: {}", with_sources(&failure));
            failure.exit()
        }
    }
}

fn call(arguments: &Arguments) -> Result<Exit, Failure> {
    let directives = &arguments.directives;
    if directives.expects() && arguments.api.is_none() && !arguments.transcribe {
        return Err(Failure::NoWords);
    }
    let host = || arguments.target.uri.clone();
    let resolved = arguments.target.resolve();
    let peer = resolved.map_err(|source| Failure::NoAddress { host: host(), source })?;
    let studio = Studio { voice: &arguments.voice, words_per_minute: arguments.speed };
    let turns = directives.turns.iter().map(|turn| Ok((turn.pause, studio.prepare(&turn.act)?)));
    let turns = turns.collect::<Result<Vec<_>, SoundError>>()?;
    let dial = Dial {
        target: &arguments.target,
        peer,
        codecs: match arguments.codec {
            Some(codec) => vec![codec],
            None => config::Config::default().media.codecs,
        },
        turns: turns.clone(),
        limit: Duration::from_secs(arguments.max_seconds),
    };
    let log = caller::make(dial)?;
    if let Some(path) = &arguments.record {
        let (sent, heard) = (log.sent_track(&turns), log.heard_track());
        let file = wav::stereo(SAMPLE_RATE_HZ, &sent, &heard);
        let written = std::fs::write(path, file);
        written.map_err(|source| Failure::Record { path: path.clone(), source })?;
    }
    // The words may be out of reach; the measurements are shown all the same.
    let (source, words, failure) = match words(arguments, &log) {
        Ok((source, words)) => (source, words, None),
        Err(failure) => (Source::Nowhere, Vec::new(), Some(failure)),
    };
    let report = Report::new(directives, &log, source, words);
    if arguments.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.text());
    }
    match failure {
        _ if log.verdict != Verdict::Complete || log.answer_delay.is_none() => Ok(Exit::CallFailed),
        Some(failure) => Err(failure),
        None if report.is_as_expected() => Ok(Exit::Done),
        None => Ok(Exit::NotAsExpected),
    }
}

/// What was said, from where the command line wants it.
fn words(arguments: &Arguments, log: &CallLog) -> Result<(Source, Vec<Words>), Failure> {
    let Some(dialled) = log.greeting.spoken else { return Ok((Source::Nowhere, Vec::new())) };
    if let Some(api) = &arguments.api {
        let turns = arguments.directives.turns.iter().zip(&log.turns);
        let own = turns.filter_map(|(turn, exchange)| {
            let since = exchange.began?.saturating_duration_since(dialled);
            let began_at_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
            Some(OwnTurn { began_at_ms, is_keys: matches!(turn.act, arguments::Act::Press(_)) })
        });
        let own: Vec<OwnTurn> = own.collect();
        let far = api.turns(&log.sip_call_id)?;
        return Ok((Source::FarEnd, far_end::align(&far, &own)));
    }
    if arguments.transcribe {
        let paths = Paths::here();
        let config = arguments.config.load(&paths)?;
        let place = front::engine_place(&config, arguments.config.path(&paths), &paths)?;
        return Ok((Source::Ears, ears::listen(place, log)?));
    }
    Ok((Source::Nowhere, Vec::new()))
}
