//! `attendant run`: the appliance.

use std::path::PathBuf;

use tokio::sync::mpsc;

use super::ConfigArgument;
use super::exit::Exit;
use crate::appliance::front::Signals;
use crate::appliance::paths::Paths;
use crate::appliance::shutdown::Shutdown;
use crate::appliance::start_error::StartError;
use crate::appliance::{front, log, restart};

/// Answer calls until SIGTERM or SIGINT.
///
/// In the calls that are up then goodbye is said; a second signal ends the program at once. SIGHUP reads playbooks and
/// how calls are held anew. A
/// fault that prevents the start is printed and has an exit code of its own (attendant --help).
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Ask the speech engine at this socket, in place of that of speech.socket or of one that is started.
    #[arg(long, value_name = "PATH")]
    engine_socket: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, StartError> {
    let paths = Paths::here();
    let mut config = arguments.config.load(&paths)?;
    if let Some(socket) = &arguments.engine_socket {
        config.speech.socket = Some(socket.clone());
    }
    log::start(&config.log);
    let (hang_up, hung_up) = mpsc::channel(1);
    let shutdown = Shutdown::on_signals_and(Some(hang_up))
        .map_err(|source| StartError::System { what: "cannot wait for signals", source })?;
    let signals = Signals { shutdown, hung_up };
    front::run(&config, arguments.config.path(&paths), &paths, signals)?;
    restart::again()
        .map_err(|source| StartError::System { what: "cannot start the program again", source })?;
    Ok(if restart::is_wanted() { Exit::Again } else { Exit::Done })
}
