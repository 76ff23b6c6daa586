//! `attendant speech`: the speech engine alone, in a process that knows no call and no secret.

use std::path::PathBuf;

use super::ConfigArgument;
use crate::appliance::log;
use crate::appliance::paths::Paths;
use crate::appliance::shutdown::Shutdown;
use crate::appliance::start_error::StartError;
use crate::speech;

/// Hear and speak for `attendant run`, over a Unix socket.
///
/// `attendant run` starts this by itself unless speech.socket is set, as it is where systemd runs
/// the engine as a unit of its own.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The socket to wait at; without it, that of speech.socket.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), StartError> {
    let mut config = arguments.config.load(&Paths::here())?;
    log::start(config.log.level);
    if let Some(socket) = &arguments.socket {
        config.speech.socket = Some(socket.clone());
    }
    let shutdown = Shutdown::on_signals()
        .map_err(|source| StartError::System { what: "cannot wait for signals", source })?;
    speech::run(&config, shutdown)
}
