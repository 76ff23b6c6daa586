//! `attendant check`: is the configuration sound? For image builds and before a start.

use std::fs::File;
use std::path::Path;

use super::ConfigArgument;
use crate::appliance::config::Config;
use crate::appliance::front;
use crate::appliance::paths::Paths;
use crate::appliance::start_error::StartError;

/// Check the configuration and the files that it names; exit 0, or 78 with every fault.
///
/// Nothing is started and no port is taken.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), StartError> {
    let config = arguments.config.load(&Paths::here())?;
    files(&config)
}

/// Whether the files that the configuration names can be read, and the playbooks are sound.
fn files(config: &Config) -> Result<(), StartError> {
    if let Some(path) = &config.speech.whisper_model {
        let key = "speech.whisper_model";
        readable(path).map_err(|error| StartError::BadFile {
            key,
            path: path.clone(),
            reason: error.to_string(),
        })?;
    }
    front::tongues(config).map(drop)
}

fn readable(path: &Path) -> std::io::Result<()> {
    let metadata = File::open(path)?.metadata()?;
    match metadata.is_file() {
        true => Ok(()),
        false => Err(std::io::ErrorKind::IsADirectory.into()),
    }
}
