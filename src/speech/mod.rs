//! The engine process: hears with Whisper, speaks with flite, espeak-ng and neural voices.
//!
//! It owns everything that is C or C++ and parses models, and knows nothing of calls, networks or
//! secrets. The front talks to it over a Unix socket in the words of [`protocol`]. It may die at
//! any time (ggml aborts on an assertion): requests are complete in themselves and the front sends
//! them again to the next one.

// A shell: it asks for the time itself.
#![allow(clippy::disallowed_methods)]

use std::io;
use std::path::PathBuf;

use crate::appliance::caution::Starts;
use crate::appliance::notify;
use crate::base::LanguageCode;

pub mod desk;
pub mod device;
pub mod engine;
pub mod espeak;
pub mod flite;
pub mod gate;
pub mod ggml;
pub mod graph_file;
pub mod model;
pub mod neural;
pub mod onnx;
pub mod protocol;
pub mod resample;
pub mod socket;
pub mod starter;
pub mod turn;
pub mod vits;
pub mod voice;
pub mod whisper;
pub mod words;

pub use model::{ModelError, ModelSource};
pub use voice::EnglishVoice;
pub use whisper::DeviceWish;

/// How the engine is set up.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// Where it listens; the folder exists.
    pub socket: PathBuf,
    /// The front that started it, with which it is to end. `None` for a unit of its own.
    pub parent: Option<u32>,
    pub model: ModelSource,
    pub device: DeviceWish,
    /// Languages of the callers, the default first.
    pub languages: Vec<LanguageCode>,
    /// Recogniser states: `calls.max`.
    pub lanes: u16,
    /// Decodes at a time: the cores of the machine, or fewer.
    pub decode_workers: u16,
    /// Threads of one decode. More than one helps large models only.
    pub decode_threads: u16,
    /// Tell the model what the caller is likely to say, as text that came before. A model that was
    /// not trained with such text takes it for speech, as the starter does.
    pub prompt: bool,
    pub english_voice: EnglishVoice,
    pub neural: Vec<neural::NeuralSettings>,
    /// What tells the end of a turn by the voice, besides a model that was taught to.
    pub turn: Option<turn::TurnSettings>,
    /// Why nothing that needs ONNX Runtime is loaded, if nothing is to be.
    pub without_onnx: Option<&'static str>,
    /// The file of ONNX Runtime; `None`: where it usually is.
    pub onnxruntime: Option<PathBuf>,
    /// Where rendered phrases are kept, and how many bytes of them at most.
    pub phrases: Option<(PathBuf, u64)>,
    /// Of a unit of its own: forgotten once it is stable.
    pub starts: Option<Starts>,
}

impl EngineSettings {
    /// The starter model on as many cores as there are.
    pub fn new(socket: PathBuf, lanes: u16) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            socket,
            parent: None,
            model: ModelSource::Starter,
            device: DeviceWish::Auto,
            languages: vec![LanguageCode::ENGLISH],
            lanes,
            decode_workers: u16::try_from(cores).unwrap_or(u16::MAX).min(lanes).max(1),
            decode_threads: 1,
            prompt: false,
            english_voice: EnglishVoice::Slt,
            neural: Vec::new(),
            turn: None,
            without_onnx: None,
            onnxruntime: None,
            phrases: None,
            starts: None,
        }
    }
}

/// Why the engine does not run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Recogniser(#[from] whisper::RecogniserError),
    #[error(transparent)]
    Voice(#[from] flite::FliteError),
    #[error("the engine's socket {} cannot be used", path.display())]
    Socket { path: PathBuf, source: io::Error },
    #[error("the engine cannot start a thread")]
    Thread(#[source] io::Error),
    #[error("the program that started the engine has ended")]
    Orphan,
}

/// Runs the engine; it returns only when it cannot go on. The socket exists before the models are
/// loaded, so that a front may connect and wait for `Ready`.
pub fn run(settings: &EngineSettings) -> Result<(), EngineError> {
    if let Some(parent) = settings.parent {
        end_with(parent)?;
    }
    let bound = match socket::inherited() {
        Some(bound) => bound,
        None => socket::bind(&settings.socket)?,
    };
    let (engine, answers) = engine::Engine::start(settings)?;
    let ready = engine.ready();
    tracing::info!(
        device = ready.device,
        model = ready.model,
        sha256 = model::hexadecimal(&ready.model_sha256),
        voices = ready.voices.join(" "),
        load_ms = ready.load_ms,
        warm_ms = ready.warm_ms,
        "the engine is ready"
    );
    notify::ready(&format!("Hears with {} on {}", ready.model, ready.device));
    socket::serve(&bound, &engine, answers, settings.starts.as_ref())
}

/// Asks the kernel to end this process when the thread that started it ends.
fn end_with(parent: u32) -> Result<(), EngineError> {
    use nix::sys::{prctl, signal::Signal};
    let asked = prctl::set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from);
    asked.map_err(EngineError::Thread)?;
    // It may have ended before the kernel was asked.
    if std::os::unix::process::parent_id() == parent { Ok(()) } else { Err(EngineError::Orphan) }
}

#[cfg(test)]
mod tests;
