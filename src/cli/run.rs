//! `attendant run`: the appliance.

use super::ConfigArgument;
use crate::appliance::paths::Paths;
use crate::appliance::shutdown::Shutdown;
use crate::appliance::start_error::StartError;
use crate::appliance::{front, log, restart};

/// Answer calls until SIGTERM or SIGINT.
///
/// The calls that are up then are ended; a second signal ends the program at once. A
/// fault that prevents the start is printed and has an exit code of its own (attendant --help).
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), StartError> {
    let paths = Paths::here();
    let config = arguments.config.load(&paths)?;
    log::start(config.log.level);
    let shutdown = Shutdown::on_signals()
        .map_err(|source| StartError::System { what: "cannot wait for signals", source })?;
    front::run(&config, arguments.config.path(&paths), &paths, shutdown)?;
    restart::again()
        .map_err(|source| StartError::System { what: "cannot start the program again", source })
}
