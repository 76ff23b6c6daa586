//! `attendant models warm`: loads each model as the engine would, and times it.

use std::error::Error;
use std::path::Path;

use super::verify::on_shelf;
use super::{ManifestArgument, NoModel, bytes_in_words, named};
use crate::appliance::config::{Config, Voice};
use crate::appliance::paths::Paths;
use crate::appliance::start_error::StartError;
use crate::cli::exit::Exit;
use crate::cli::{ConfigArgument, with_sources};
use crate::speech::engine::{self, Warmth};
use crate::speech::neural::{self, NeuralError};
use crate::speech::turn::{self, TurnError, TurnSettings};
use crate::speech::{ModelSource, starter};
use crate::store::shelf::Shelf;
use crate::store::shelf::manifest::{Kind, Model};

/// Load each model as a call would have it, let it hear or say a sentence, and print the times.
///
/// Without names, the model inside the program and every Whisper model, voice and turn model on the
/// shelf. speech.device and speech.threads of the configuration count. Exit code 2 if a model is named
/// that this version cannot load.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Names as `attendant models list` shows them.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    config: ConfigArgument,
    #[command(flatten)]
    manifest: ManifestArgument,
}

pub(super) fn run(arguments: &Arguments, shelf: &Shelf) -> Result<Exit, NoModel> {
    let manifest = arguments.manifest.load()?;
    let config = match arguments.config.load(&Paths::here()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("attendant: {}", with_sources(&error));
            return Ok(Exit::from(&error));
        }
    };
    let is_starter = |name: &String| name == starter::NAME;
    let names: Vec<String> = arguments.names.iter().filter(|n| !is_starter(n)).cloned().collect();
    let starter = arguments.names.is_empty() || arguments.names.iter().any(is_starter);
    let models = match arguments.names.is_empty() {
        true => on_shelf(&manifest, shelf),
        false => named(&manifest, &names)?,
    };
    let mut outcome = Exit::Done;
    let mut worse = |exit| {
        if outcome == Exit::Done {
            outcome = exit;
        }
    };
    if starter {
        worse(warm(starter::NAME, ModelSource::Starter, &config));
    }
    for model in models {
        worse(match (model.kind, shelf.source(model)) {
            (Kind::Whisper, Some(source)) => warm(&model.name, source, &config),
            (Kind::Voice, Some(_)) => warm_voice(model, &config, shelf),
            (Kind::Turn, Some(source)) => warm_turn_model(model, source, &config),
            _ => not_loaded(model, !names.is_empty()),
        });
    }
    Ok(outcome)
}

/// Who names a model wants it loaded.
fn not_loaded(model: &Model, is_named: bool) -> Exit {
    let why = match model.kind {
        Kind::Llm => "kept and loaded by Ollama",
        _ => "this version cannot load it: it is no ONNX file",
    };
    match is_named {
        true => eprintln!("attendant: {}: not loaded: {why}", model.name),
        false => println!("{}: {why}", model.name),
    }
    if is_named { Exit::Usage } else { Exit::Done }
}

/// A voice as `speech.voice` would have it.
fn warm_voice(model: &Model, config: &Config, shelf: &Shelf) -> Exit {
    let mut config = config.clone();
    let file = model.files.first().map(|file| shelf.path().join(&file.name));
    let file = file.as_deref().and_then(Path::to_str).unwrap_or_default();
    // One of the owner's own manifest is named by its file.
    let named = Voice::try_from(model.name.as_str()).or_else(|_| Voice::try_from(file));
    let Ok(voice) = named else { return not_loaded(model, true) };
    config.speech.voice = voice;
    config.take_from(shelf.path());
    let settings = config.engine(std::path::PathBuf::new(), None);
    let Some(voice) = settings.neural.first() else { return not_loaded(model, true) };
    match neural::warm(voice, &settings) {
        Ok(warmth) => {
            println!("{}: {warmth}", model.name);
            Exit::Done
        }
        Err(error) => {
            let of_runtime = matches!(error, NeuralError::Runtime(_));
            not_warm(model, &error, error.is_missing(), of_runtime)
        }
    }
}

/// A turn model as `speech.turn_model` would have it.
fn warm_turn_model(model: &Model, source: ModelSource, config: &Config) -> Exit {
    let ModelSource::File { path: graph, hash } = source else { return not_loaded(model, true) };
    let turn = TurnSettings { name: model.name.clone(), graph, hash };
    match turn::warm(&turn, config.speech.onnxruntime.as_deref()) {
        Ok(turn::Warmth { load_ms, look_ms }) => {
            println!("{}: loaded in {load_ms} ms, {look_ms} ms for a look", model.name);
            Exit::Done
        }
        Err(error) => {
            let of_runtime = matches!(error, TurnError::Runtime(_));
            not_warm(model, &error, error.is_missing(), of_runtime)
        }
    }
}

/// What ONNX Runtime was to load, and why it did not.
fn not_warm(model: &Model, error: &dyn Error, is_missing: bool, of_runtime: bool) -> Exit {
    eprintln!("attendant: {}: {}", model.name, with_sources(error));
    match (is_missing, of_runtime) {
        (true, _) => Exit::ModelMissing,
        (false, true) => Exit::EngineFailed,
        (false, false) => Exit::ModelCorrupt,
    }
}

fn warm(name: &str, source: ModelSource, config: &Config) -> Exit {
    let mut settings = config.engine(std::path::PathBuf::new(), None);
    let cores = settings.decode_workers.max(settings.decode_threads);
    // The starter does not gain from a second thread; a larger one has those of one caller.
    settings.decode_threads = if source == ModelSource::Starter { 1 } else { cores };
    settings.lanes = 1;
    settings.model = source;
    let before = memory_bytes();
    match engine::warm(&settings) {
        Ok(warmth) => {
            let memory =
                memory_bytes().zip(before).map(|(after, before)| after - before.min(after));
            println!("{name}: {}", in_words(&warmth, memory, settings.decode_threads));
            Exit::Done
        }
        Err(error) => {
            let error = StartError::from(error);
            eprintln!("attendant: {name}: {}", with_sources(&error));
            Exit::from(&error)
        }
    }
}

fn in_words(warmth: &Warmth, memory: Option<u64>, threads: u16) -> String {
    let Warmth { device, load_ms, first_decode_ms, decode_ms, utterance_ms, .. } = warmth;
    let memory = memory.map_or_else(String::new, |bytes| {
        format!(", {} more memory at most", bytes_in_words(bytes))
    });
    format!(
        "loaded in {load_ms} ms, first decode {first_decode_ms} ms, then {decode_ms} ms for \
         {utterance_ms} ms of speech on {device} with {threads} threads{memory}"
    )
}

/// The most memory that this process has had.
fn memory_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}
