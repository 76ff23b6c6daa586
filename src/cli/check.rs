//! `attendant check`: is the configuration sound? For image builds and before a start.

use super::{ConfigArgument, printable, with_sources};
use crate::appliance::front;
use crate::appliance::paths::Paths;
use crate::appliance::soundness;
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
    let paths = Paths::here();
    let config = arguments.config.load(&paths)?;
    soundness::files(&config)?;
    soundness::places(&config, paths.state(), arguments.config.path(&paths))?;
    // An image is built where the secrets of its box are not: told, and no fault.
    for missing in front::missing_secrets(&config, paths.state()) {
        eprintln!("attendant: a start here would fail: {}", with_sources(&missing));
    }
    front::srtp_warnings(&config).iter().for_each(|text| eprintln!("attendant: {text}"));
    match arguments.config.path(&paths) {
        Some(path) => println!("{}: sound", printable(&path.to_string_lossy())),
        None => println!("no configuration file: the defaults hold"),
    }
    Ok(())
}
