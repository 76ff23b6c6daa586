//! `attendant check`: is the configuration sound? For image builds and before a start.

use std::path::Path;

use super::{ConfigArgument, printable, with_sources};
use crate::appliance::config::{Config, ModelFile, SmallerModel};
use crate::appliance::front;
use crate::appliance::paths::Paths;
use crate::appliance::ringcentral;
use crate::appliance::start_error::StartError;
use crate::speech::neural;
use crate::speech::turn;
use crate::store::trusted::{self, Untrusted};

/// Check the configuration and the files that it names; exit 0, or 78 with every fault.
///
/// Nothing is started and no port is taken.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), StartError> {
    let paths = Paths::here();
    let config = arguments.config.load(&paths)?;
    files(&config)?;
    // An image is built where the secrets of its box are not: told, and no fault.
    let missing = [
        front::questions(&config).map(drop),
        front::accounts(&config).map(drop),
        ringcentral::applications(&config).map(drop),
        front::relays(&config).map(drop),
    ];
    for missing in missing.into_iter().filter_map(Result::err) {
        eprintln!("attendant: a start here would fail: {}", with_sources(&missing));
    }
    front::srtp_warnings(&config).iter().for_each(|text| eprintln!("attendant: {text}"));
    match arguments.config.path(&paths) {
        Some(path) => println!("{}: sound", printable(&path.to_string_lossy())),
        None => println!("no configuration file: the defaults hold"),
    }
    Ok(())
}

/// Whether the files that the configuration names can be read, and the playbooks are sound.
fn files(config: &Config) -> Result<(), StartError> {
    if let Some(model) = &config.speech.whisper_model {
        let bad = bad_model("speech.whisper_model", model);
        readable(&model.path).map_err(|error| bad(error.is_missing(), with_sources(&error)))?;
    }
    if let Some(SmallerModel::File(model)) = &config.gpu.smaller_model {
        let bad = bad_model("gpu.smaller_model", model);
        readable(&model.path).map_err(|error| bad(error.is_missing(), with_sources(&error)))?;
    }
    if let (Some(model), Some(turn)) = (&config.speech.turn_model, config.turn_model()) {
        let bad = bad_model("speech.turn_model", model);
        turn::check(&turn, config.speech.onnxruntime.as_deref())
            .map_err(|error| bad(error.is_missing(), with_sources(&error)))?;
    }
    voices(config)?;
    if let Some(folder) = &config.knowledge {
        std::fs::read_dir(folder).map_err(|error| StartError::BadFile {
            key: "knowledge.folder",
            path: folder.clone(),
            reason: error.to_string(),
        })?;
    }
    front::tongues(config).map(drop)
}

/// The fault of a model's file, with the command that fetches one of the shelf.
fn bad_model(key: &'static str, model: &ModelFile) -> impl Fn(bool, String) -> StartError {
    move |is_missing, reason| StartError::BadFile {
        key,
        path: model.path.clone(),
        reason: match &model.shelved {
            Some(shelved) if is_missing => {
                format!("`attendant models pull {}` fetches it", shelved.name)
            }
            _ => reason,
        },
    }
}

/// Whether the neural voices are there and have the speakers that are named.
fn voices(config: &Config) -> Result<(), StartError> {
    for (key, voice) in config.neural() {
        neural::check(&voice, config.speech.onnxruntime.as_deref()).map_err(|error| {
            let pull = match error.is_missing().then(|| config.shelved_voice(&voice.name)).flatten()
            {
                Some(name) => format!("; `attendant models pull {name}` fetches it"),
                None => String::new(),
            };
            let reason = format!("{}{pull}", with_sources(&error));
            StartError::BadVoice { key, name: voice.name.clone(), reason }
        })?;
    }
    Ok(())
}

fn readable(path: &Path) -> Result<(), Untrusted> {
    trusted::open(path).map(drop)
}
