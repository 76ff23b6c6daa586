//! Why the appliance or its engine could not start or had to stop, naming key or file.
//!
//! `cli::exit` gives each kind an exit code of its own.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::config::{ConfigError, PortRange};
use crate::speech::protocol::Failure;
use crate::speech::{EngineError, ModelError};

/// The error and what caused it, on one line.
pub fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The playbook, or another file that a key of the configuration names.
    #[error("{key}: {}: {reason}", path.display())]
    BadFile { key: &'static str, path: PathBuf, reason: String },
    /// A neural voice, which `attendant run` does without.
    #[error("{key}: {name:?}: {reason}")]
    BadVoice { key: String, name: String, reason: String },
    #[error("speech.whisper_model: cannot read {}", path.display())]
    ModelMissing { path: PathBuf, source: io::Error },
    #[error(
        "speech.whisper_model: {name} is not on the shelf as {}; `attendant models pull {name}` fetches it",
        path.display()
    )]
    NotPulled { name: String, path: PathBuf },
    #[error("speech.whisper_model: {0}")]
    ModelCorrupt(ModelError),
    #[error("{key}: {address} is in use by another program")]
    PortBusy { key: &'static str, address: SocketAddr },
    #[error("{key}: cannot take {address}")]
    Address { key: &'static str, address: SocketAddr, source: io::Error },
    #[error("media.ports: {range} has {free} free pairs of ports, calls.max needs {needed}")]
    PortsExhausted { range: PortRange, free: usize, needed: usize },
    /// In the engine's own process.
    #[error("the speech engine cannot work")]
    Engine(#[source] EngineError),
    /// In the front: the engine has said why it cannot work, and ended with this exit code.
    #[error("the speech engine cannot work (exit code {code})")]
    EngineGone { code: u8 },
    /// In the front: no phrase could be rendered.
    #[error("speech.voice: nothing can be spoken in the language {language}: {failure}")]
    Mute { language: String, failure: Failure },
    #[error("the state folder: cannot write {}; STATE_DIRECTORY names another", path.display())]
    StateFolder { path: PathBuf, source: io::Error },
    /// The operating system refused something that nothing works without.
    #[error("{what}")]
    System { what: &'static str, source: io::Error },
}

impl From<EngineError> for StartError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Model(ModelError::Unreadable { path, source }) => {
                Self::ModelMissing { path, source }
            }
            EngineError::Model(error) => Self::ModelCorrupt(error),
            error => Self::Engine(error),
        }
    }
}

impl StartError {
    /// The key of the configuration that it is about, where it is about one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::BadFile { key, .. } | Self::PortBusy { key, .. } | Self::Address { key, .. } => {
                Some(key)
            }
            Self::BadVoice { key, .. } => Some(key),
            Self::ModelMissing { .. } | Self::NotPulled { .. } | Self::ModelCorrupt(_) => {
                Some("speech.whisper_model")
            }
            Self::PortsExhausted { .. } => Some("media.ports"),
            Self::Mute { .. } => Some("speech.voice"),
            Self::Config(_)
            | Self::Engine(_)
            | Self::EngineGone { .. }
            | Self::StateFolder { .. }
            | Self::System { .. } => None,
        }
    }

    /// For a socket that `key` asks for and that could not be had.
    pub fn from_bind(key: &'static str, address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortBusy { key, address },
            _ => Self::Address { key, address, source },
        }
    }
}
