//! `attendant safe`: safe mode.

use std::time::Duration;

use super::ConfigArgument;
use super::exit::Exit;
use crate::appliance::front::safe;
use crate::appliance::paths::Paths;
use crate::appliance::shutdown::Shutdown;
use crate::appliance::start_error::StartError;
use crate::appliance::{log, restart};

/// Answer each call with a recorded sentence, while `attendant run` cannot work.
///
/// Nothing else is needed: no engine, no playbook, and of the configuration what can be read. The page and
/// /health say what is wrong. safe.wav beside the configuration file is heard in place of the sentence inside the
/// program. systemd starts this by itself (attendant-safe.service).
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// End after this time, so that attendant run is tried again.
    #[arg(long = "for", value_name = "S", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    seconds: Option<u64>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, StartError> {
    let paths = Paths::here();
    let ended = safe::ended(|name| std::env::var(name).ok());
    let rescued = safe::rescue(arguments.config.path(&paths), ended);
    log::start(&rescued.config.log);
    let shutdown = Shutdown::on_signals()
        .map_err(|source| StartError::System { what: "cannot wait for signals", source })?;
    let lasts = arguments.seconds.map(Duration::from_secs);
    let is_stopped = safe::run(rescued, arguments.config.path(&paths), &paths, lasts, shutdown)?;
    Ok(if is_stopped && !restart::is_wanted() { Exit::Done } else { Exit::Again })
}
