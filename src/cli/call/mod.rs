//! `attendant call`: a real SIP caller for trials and tests.
//!
//! | file | what |
//! |---|---|
//! | `arguments` | the command line: target, turns in their order |
//! | `scenario` | what a caller does and what must come of it, from there or from a script file (pure) |
//! | `sound`, `noise` | the acts made ready before the call |
//! | `caller` | the call, with the product's own SIP core, sockets and audio thread |
//! | `talk`, `script` | when the far end talks; when we speak, listen, hang up (pure) |
//! | `far_end`, `ears` | the far end's words: from its record, or by our own engine |
//! | `judge` | whether it came out as wanted (pure) |
//! | `report` | the conversation as text or JSON |

// A shell: it asks for the time itself, and waits for the far end's record.
#![allow(clippy::disallowed_methods)]

mod arguments;
mod caller;
mod ears;
mod far_end;
mod judge;
mod noise;
mod report;
mod scenario;
mod script;
mod sound;
mod talk;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use arguments::Arguments;
use arguments::{Callee, Target};

use super::api::Method;
use super::exit::Exit;
use super::listening::{Listening, ListeningError};
use super::{printable, with_sources};
use crate::appliance::canary::UNLISTED;
use crate::appliance::config;
use crate::appliance::engine::link::EnginePlace;
use crate::appliance::front;
use crate::appliance::paths::Paths;
use crate::appliance::start_error::StartError;
use crate::base::pcm::SAMPLE_RATE_HZ;
use crate::store::bounded::{self, ReadError};
use crate::store::wav;
use caller::{CallError, CallLog, Dial, Reader};
use far_end::{ApiError, FarCall, OwnTurn, Words};
use judge::Known;
use report::{Report, Source};
use scenario::{Act, Manner, Scenario};
use script::{Verdict, What};
use sound::{SoundError, Studio};

/// Why there is no report, or none with words.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("what is expected needs the other end's words: --api URL or --transcribe")]
    NoWords,
    #[error("--script {path}: expect.messages needs --api URL")]
    NoMessages { path: PathBuf },
    #[error("--script {path}")]
    Unreadable { path: PathBuf, source: ReadError },
    #[error("--script {path}: {faults}")]
    Script { path: PathBuf, faults: String },
    #[error("the box does not call itself: {0}")]
    NotItself(&'static str),
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
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("--record {path}")]
    Record { path: PathBuf, source: std::io::Error },
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::NoWords | Self::NoMessages { .. } | Self::Script { .. } | Self::NotItself(_) => {
                Exit::Usage
            }
            Self::NoAddress { .. } => Exit::CallFailed,
            Self::Call(CallError::Ports(_)) => Exit::PortsExhausted,
            Self::Ears(_) => Exit::EngineFailed,
            Self::Start(error) => Exit::from(error),
            Self::Unreadable { .. }
            | Self::Sound(_)
            | Self::Call(_)
            | Self::Api(_)
            | Self::Thread(_)
            | Self::Record { .. } => Exit::Failed,
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
    let mut scenario = match &arguments.script {
        Some(path) => from_script(path)?,
        None => from_directives(arguments),
    };
    scenario.patience = arguments.patience.map(Duration::from_secs);
    if scenario.needs_words() && arguments.api.is_none() && !arguments.transcribe {
        return Err(Failure::NoWords);
    }
    if let (Some(_), None, Some(path)) =
        (&scenario.wanted.messages, &arguments.api, &arguments.script)
    {
        return Err(Failure::NoMessages { path: path.clone() });
    }
    if let Some(api) = &arguments.api {
        // Before the call, whose words would be lost.
        api.ask(Method::Get, "/health", None).map_err(ApiError::from)?;
    }
    if arguments.unlisted && arguments.target != Callee::Itself {
        return Err(Failure::NotItself("--unlisted is for the box of this machine"));
    }
    let target = match &arguments.target {
        Callee::Target(target) => target.clone(),
        Callee::Itself => itself(arguments)?,
    };
    let host = || target.uri.clone();
    let resolved = target.resolve();
    let peer = resolved.map_err(|source| Failure::NoAddress { host: host(), source })?;
    let sounds = Studio::new(scenario.seed).rehearse(&scenario)?;
    let longest = Duration::from_secs(arguments.max_seconds);
    let dial = Dial {
        target: &target,
        peer,
        codecs: match arguments.codec {
            Some(codec) => vec![codec],
            None => config::Config::default().media.codecs,
        },
        scenario: &scenario,
        srtp: arguments.srtp,
        keys: arguments.keys,
        sounds,
        reader: match &arguments.script {
            Some(_) => reader(arguments)?,
            None => None,
        },
        limit: scenario.wanted.at_most.unwrap_or(longest),
    };
    let log = caller::make(dial)?;
    if let Some(path) = &arguments.record {
        let file = wav::stereo(SAMPLE_RATE_HZ, &log.sent, &log.heard_track());
        let written = std::fs::write(path, file);
        written.map_err(|source| Failure::Record { path: path.clone(), source })?;
    }
    report(arguments, &scenario, &log)
}

/// The box of this machine, by its configuration.
fn itself(arguments: &Arguments) -> Result<Target, Failure> {
    let config = arguments.config.load(&Paths::here())?;
    let door = config.own_door();
    let door = door.ok_or(Failure::NotItself("sip.listen has neither udp nor tcp"))?;
    if !config.lets_itself_in() {
        return Err(Failure::NotItself(
            "inbound.from does not let it in, and there is no [canary]",
        ));
    }
    let user = if arguments.unlisted { UNLISTED } else { "itself" };
    Target::parse(&door.own_uri(user)).map_err(|_| Failure::NotItself("sip.listen has no address"))
}

fn from_script(path: &Path) -> Result<Scenario, Failure> {
    let text = bounded::text(path, scenario::FILE_BYTES)
        .map_err(|source| Failure::Unreadable { path: path.to_owned(), source })?;
    scenario::read(&text, path.parent().unwrap_or(Path::new(""))).map_err(|faults| {
        let faults = printable(&faults.join("\n"));
        Failure::Script { path: path.to_owned(), faults }
    })
}

fn from_directives(arguments: &Arguments) -> Scenario {
    let directives = arguments.directives.clone();
    let mut turns = directives.turns;
    for turn in &mut turns {
        if let Act::Say(speech) = &mut turn.act {
            speech.manner = Manner {
                voice: arguments.voice.clone(),
                words_per_minute: arguments.speed,
                ..Manner::default()
            };
        }
    }
    Scenario { greeting: directives.greeting, turns, ..Scenario::default() }
}

/// From where a script learns what is said during the call.
fn reader(arguments: &Arguments) -> Result<Option<Reader>, Failure> {
    let source = match &arguments.api {
        Some(api) => caller::Source::Record(api.clone()),
        None if arguments.transcribe => {
            caller::Source::Ears(Box::new(Listening::start(own_engine(arguments)?)?))
        }
        None => return Ok(None),
    };
    Reader::start(source).map(Some).map_err(Failure::Thread)
}

fn own_engine(arguments: &Arguments) -> Result<EnginePlace, Failure> {
    let paths = Paths::here();
    let config = arguments.config.load(&paths)?;
    Ok(front::engine_place(&config, arguments.config.path(&paths), &paths)?)
}

/// Prints what the call was like.
fn report(arguments: &Arguments, scenario: &Scenario, log: &CallLog) -> Result<Exit, Failure> {
    // The words may be out of reach; the measurements are shown all the same.
    let (said, failure) = match said(arguments, scenario, log) {
        Ok(said) => (said, None),
        Err(failure) => (Said::default(), Some(failure)),
    };
    let outcomes = match &arguments.script {
        Some(_) => {
            let messages = said.far.as_ref().map(|far| far.messages.as_slice());
            judge::outcomes(scenario, &Known { log, words: &said.words, messages })
        }
        None => Vec::new(),
    };
    let report = Report::new(scenario, log, (said.source, &said.words), outcomes);
    if arguments.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.text());
    }
    // A script judges by itself how a call that was taken may end, but for one that was lost.
    let is_broken =
        arguments.script.is_none() && log.verdict != Verdict::Complete || log.closing.is_loss();
    match failure {
        _ if is_broken || log.answer_delay.is_none() => Ok(Exit::CallFailed),
        Some(failure) => Err(failure),
        None if report.is_as_expected() => Ok(Exit::Done),
        None => Ok(Exit::NotAsExpected),
    }
}

/// What was said, from where the command line wants it.
#[derive(Debug)]
struct Said {
    source: Source,
    /// The greeting's words, then those of each act.
    words: Vec<Words>,
    far: Option<FarCall>,
}

impl Default for Said {
    fn default() -> Self {
        Self { source: Source::Nowhere, words: Vec::new(), far: None }
    }
}

fn said(arguments: &Arguments, scenario: &Scenario, log: &CallLog) -> Result<Said, Failure> {
    let Some(connected) = log.greeting.spoken else { return Ok(Said::default()) };
    let mut said = Said::default();
    if let Some(api) = &arguments.api {
        let own = log.acts.iter().filter_map(|done| {
            let since = done.exchange.began?.saturating_duration_since(connected);
            let began_at_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
            let act = match done.what {
                What::Turn(turn) => scenario.turns.get(turn).map(|turn| &turn.act),
                What::Whenever(at) => scenario.whenever.get(at).map(|reflex| &reflex.act),
            };
            let is_mute = matches!(act, Some(Act::Press(_) | Act::Wait(_)));
            Some(OwnTurn { began_at_ms, is_mute })
        });
        let own: Vec<OwnTurn> = own.collect();
        let far = far_end::ended(api, &log.sip_call_id)?;
        let words = far_end::align(&far.turns, &own);
        said = Said { source: Source::FarEnd, words, far: Some(far) };
    } else if arguments.transcribe && log.words.is_none() {
        let words = ears::listen(own_engine(arguments)?, log)?;
        said = Said { source: Source::Ears, words, far: None };
    }
    if let Some(all) = &log.words {
        said.words.resize(log.acts.len() + 1, Words::default());
        if said.far.is_none() {
            said.source = Source::Ears;
        }
        for (words, reply) in said.words.iter_mut().zip(replies(all, log)) {
            reply.clone_into(&mut words.reply);
        }
    }
    Ok(said)
}

/// What the far end said, cut where our acts began.
fn replies<'a>(all: &'a str, log: &'a CallLog) -> impl Iterator<Item = &'a str> {
    let begins = || log.acts.iter().map(|act| act.words_from);
    let ends = begins().chain(std::iter::once(all.len()));
    let pieces = std::iter::once(0).chain(begins()).zip(ends);
    pieces.map(|(from, to)| all.get(from..to).unwrap_or_default().trim())
}
