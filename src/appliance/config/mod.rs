//! The configuration: one strict TOML file, wholly checked before anything starts.
//!
//! `file` is the file as written, its comments are the manual; `checked` is what the program uses,
//! made of `values` that are in their range by their type.
//! No core sees either: each gets its own settings, made in
//! `cores`. Every fault is reported at once.
//! No file at all is a working configuration.

mod accounts;
mod agent;
mod bridges;
mod campaigns;
mod checked;
mod cores;
mod described;
mod dial;
mod edit;
mod fault;
mod file;
mod gpu;
mod handsets;
mod history;
mod languages;
mod listen;
mod llm;
mod lookups;
mod mail;
mod model_file;
mod operators;
mod parse;
mod people;
mod recordings;
mod ringcentral;
mod tls;
mod tokens;
mod turn;
mod upkeep;
mod values;
mod voicemail;
mod voices;
mod webhooks;
mod written;

pub use accounts::{Account, Inbound, Place};
pub use agent::{Agent, AgentCalls};
pub use bridges::Bridge;
pub use campaigns::Campaigns;
pub use checked::{Baresip, Calls, Config, Converse, Log, Media, Sip, Speech, Web};
pub use described::{DOCUMENTED, Key, Section, described};
pub use edit::{NotEdited, changed_of_the_box, edited, kept_of_the_box};
pub use fault::{ConfigError, Fault, UNKNOWN};
pub use gpu::{Gpu, SmallerModel};
pub use history::History;
pub use languages::Language;
pub use llm::Llm;
pub use lookups::Lookup;
pub use mail::Mail;
pub use model_file::{ModelFile, Shelved};
pub use operators::Operators;
pub use recordings::Recordings;
pub use ringcentral::{Events as RingCentralEvents, RingCentral};
pub use tls::{AccountTls, CertificateFiles};
pub use tokens::Token;
pub use turn::{Turn, TurnServer, TurnTransport};
pub use upkeep::{RealTime, Updates};
pub use values::{
    Device, Level, ListenAddress, MaxCalls, MaxDuration, PortRange, Ptime, SilenceTimes, Voice,
};
pub use voicemail::Voicemail;
pub use voices::NeuralVoice;
pub use webhooks::Webhook;
pub use written::{Written, written};

use std::path::Path;

use crate::base::limits;
use crate::store::bounded;

/// Reads and checks the file at `path`, whose folder relative paths in it count from; without a
/// path the defaults stand.
pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
    let Some(path) = path else {
        return Ok(Config::default());
    };
    let text = bounded::text(path, limits::CONFIG_BYTES)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let mut config = from_text(&text).map_err(|error| error.in_file(path))?;
    config.resolve(path.parent().unwrap_or(Path::new("")));
    Ok(config)
}

/// Checks `text` as the file at `path` would be.
pub fn at(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let mut config = from_text(text)?;
    config.resolve(path.parent().unwrap_or(Path::new("")));
    Ok(config)
}

/// What of a file with faults is sound, entry by entry; what is not has its default.
pub fn sound_sections(path: &Path) -> Config {
    let text = bounded::text(path, limits::CONFIG_BYTES).unwrap_or_default();
    let mut config = written::sound(&text);
    config.resolve(path.parent().unwrap_or(Path::new("")));
    config
}

/// The lines of a file that are no TOML, from 1 on; what is in the others may hold.
pub fn unreadable_lines(path: &Path) -> Vec<usize> {
    let text = bounded::text(path, limits::CONFIG_BYTES).unwrap_or_default();
    written::unreadable_lines(&text)
}

/// Checks `text` as a configuration file.
pub fn from_text(text: &str) -> Result<Config, ConfigError> {
    let (file, mut faults) = parse::parse(text)?;
    let checked = checked::check(&file, &mut faults);
    match checked {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(ConfigError::Faults { path: None, faults }),
    }
}

#[cfg(test)]
mod tests;
