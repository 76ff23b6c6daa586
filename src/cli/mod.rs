//! The command line: one file for each subcommand, and the exit codes.
//!
//! `--help` is the manual. Below this module every error is typed; here it becomes a line on
//! standard error and an exit code.

mod api;
mod call;
mod check;
mod dial;
mod listening;
mod manual;
mod models;
mod openapi;
mod panic;
mod password;
mod replay;
mod run;
mod safe;
mod speech;
mod status;
mod transcribe;

pub mod exit;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::appliance::config::{self, Config};
use crate::appliance::paths::Paths;
use crate::appliance::start_error::{self, StartError};
use exit::Exit;

/// Answers the telephone: greets, listens, understands, replies aloud and hangs up.
///
/// Without a configuration file it works with the settings that `attendant.toml` of the source
/// shows.
#[derive(Debug, Parser)]
#[command(name = "attendant", version, after_long_help = manual_end(), max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Safe(safe::Arguments),
    Speech(speech::Arguments),
    Status(status::Arguments),
    Check(check::Arguments),
    Call(Box<call::Arguments>),
    Dial(dial::Arguments),
    Transcribe(transcribe::Arguments),
    Models(models::Arguments),
    Replay(replay::Arguments),
    Openapi(openapi::Arguments),
    Password(password::Arguments),
    #[command(hide = true)]
    Manual(manual::Arguments),
}

/// Which configuration counts.
#[derive(Debug, clap::Args)]
struct ConfigArgument {
    /// The configuration file. Without it: for an ordinary user
    /// $XDG_CONFIG_HOME/attendant/attendant.toml, then /etc/attendant/attendant.toml; without
    /// either, the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigArgument {
    fn load(&self, paths: &Paths) -> Result<Config, StartError> {
        let mut config = config::load(self.path(paths))?;
        config.take_from(&paths.models());
        Ok(config)
    }

    /// The file that counts, if there is one.
    fn path<'a>(&'a self, paths: &'a Paths) -> Option<&'a Path> {
        self.config.as_deref().or_else(|| paths.config())
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    panic::ends_the_program();
    let exit = match CommandLine::try_parse() {
        Ok(CommandLine { command }) => match command {
            Command::Run(arguments) => ended_with(run::run(&arguments)),
            Command::Safe(arguments) => ended_with(safe::run(&arguments)),
            Command::Speech(arguments) => ended(speech::run(&arguments)),
            Command::Status(arguments) => status::run(&arguments),
            Command::Check(arguments) => ended(check::run(&arguments)),
            Command::Call(arguments) => call::run(&arguments),
            Command::Dial(arguments) => dial::run(&arguments),
            Command::Transcribe(arguments) => transcribe::run(&arguments),
            Command::Models(arguments) => models::run(&arguments),
            Command::Replay(arguments) => replay::run(&arguments),
            Command::Openapi(arguments) => openapi::run(&arguments),
            Command::Password(arguments) => ended(password::run(&arguments)),
            Command::Manual(arguments) => ended(manual::run(&arguments)),
        },
        Err(error) => {
            // A closed standard output is no reason for another exit code.
            let _ = error.print();
            if error.use_stderr() { Exit::Usage } else { Exit::Done }
        }
    };
    exit.into()
}

fn ended(outcome: Result<(), StartError>) -> Exit {
    ended_with(outcome.map(|()| Exit::Done))
}

fn ended_with(outcome: Result<Exit, StartError>) -> Exit {
    match outcome {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("attendant: {}", with_sources(&error));
            Exit::from(&error)
        }
    }
}

/// The error and what caused it, on one line, fit for a terminal: a file, a server and the one who
/// gave a file its name may have put anything into it.
fn with_sources(error: &dyn Error) -> String {
    printable(&start_error::with_sources(error))
}

/// Control characters but the end of a line as they are written in a text with escapes: a terminal
/// would obey them.
fn printable(text: &str) -> String {
    let is_obeyed = |c: char| c.is_control() && c != '\n';
    text.chars().fold(String::with_capacity(text.len()), |mut printable, c| {
        match is_obeyed(c) {
            true => printable.extend(c.escape_default()),
            false => printable.push(c),
        }
        printable
    })
}

fn manual_end() -> String {
    let exits = Exit::ALL.iter().fold(String::new(), |list, exit| {
        format!("{list}\n  {:>3}  {}", exit.code(), exit.meaning())
    });
    format!(
        "Exit codes:{exits}\n\n\
         Environment:\n  \
           STATE_DIRECTORY, RUNTIME_DIRECTORY  folders, as systemd gives them; else the\n      \
           system's for root, the XDG folders for an ordinary user\n  \
           https_proxy, http_proxy, all_proxy, no_proxy  by which way models are fetched\n  \
           SSL_CERT_FILE  certificates to believe then instead of those inside the program"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound_and_its_help_lists_every_exit_code() {
        CommandLine::command().debug_assert();
        let help = CommandLine::command().render_long_help().to_string();
        for exit in Exit::ALL {
            assert!(help.contains(&format!("{:>3}  {}", exit.code(), exit.meaning())), "{help}");
        }
    }

    #[test]
    fn an_error_is_printed_with_its_cause() {
        let error = StartError::ModelMissing {
            path: "/m.bin".into(),
            source: std::io::ErrorKind::NotFound.into(),
        };
        let text = with_sources(&error);
        assert_eq!(text, "speech.whisper_model: cannot read /m.bin: entity not found");
    }

    #[test]
    fn nothing_that_is_printed_moves_the_terminal() {
        let error = StartError::BadFile {
            key: "converse.playbook",
            path: "/\u{1b}[2J\u{9b}m.toml".into(),
            reason: "one\ntwo\r".to_owned(),
        };
        let text = with_sources(&error);
        assert_eq!(text, "converse.playbook: /\\u{1b}[2J\\u{9b}m.toml: one\ntwo\\r");
    }
}
