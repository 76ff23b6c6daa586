//! Whether what a configuration names is there: looked at before a start, and before a change is written.

use std::path::Path;

use super::config::{Config, ModelFile, SmallerModel};
use super::credentials;
use super::front;
use super::start_error::{StartError, with_sources};
use crate::speech::neural;
use crate::speech::turn;
use crate::store::trusted::{self, Untrusted};

/// Whether the files that the configuration names can be read, and the playbooks are sound.
pub fn files(config: &Config) -> Result<(), StartError> {
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

/// Whether the folder of knowledge is apart from what the box keeps for itself: its files are read to callers, and go into
/// backups. It may lie below the folder of the configuration.
pub fn places(config: &Config, state: &Path, file: Option<&Path>) -> Result<(), StartError> {
    let Some(folder) = &config.knowledge else { return Ok(()) };
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let own = real(folder);
    let credentials = credentials::folder();
    let is_inside = [Some(state), credentials.as_deref()]
        .into_iter()
        .flatten()
        .map(real)
        .any(|kept| own.starts_with(&kept) || kept.starts_with(&own));
    let parent = file.and_then(Path::parent).map(real);
    if is_inside || parent.is_some_and(|parent| parent.starts_with(&own)) {
        return Err(StartError::BadFile {
            key: "knowledge.folder",
            path: folder.clone(),
            reason: "it is, has in it, or lies in a folder that the box keeps for itself: state, credentials or \
                     configuration"
                .to_owned(),
        });
    }
    Ok(())
}

/// Whether the secrets that the configuration wants are there and fit, as the start has it.
pub fn secrets(config: &Config, state: &Path) -> Result<(), StartError> {
    front::missing_secrets(config, state).into_iter().next().map_or(Ok(()), Err)
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
