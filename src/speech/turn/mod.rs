//! A turn model: has the caller finished, by the voice alone? Smart Turn's graphs (version 3), which
//! look at the last 8 s of a turn and say how likely it is complete.
//!
//! What is looked at ends where a pause has just begun. The graph has one input, `input_features`
//! (1, 80, 800), which [`log_mel`] makes, and one output of which the first value counts: a
//! probability.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ort::environment::Environment;
use ort::session::Session;
use ort::value::Tensor;

use super::graph_file::{self, GraphFileError};
use super::model::Hash;
use super::onnx::{self, OnnxError};

pub mod asking;
pub mod log_mel;

use log_mel::{BANDS, FRAMES, LogMel};

const INPUT: &str = "input_features";
/// One look takes some tens of milliseconds on one thread; more would take them from decoding.
const THREADS: usize = 1;

/// A turn model as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnSettings {
    /// As the owner wrote it.
    pub name: String,
    pub graph: PathBuf,
    pub hash: Hash,
}

/// Why a turn model tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    #[error(transparent)]
    File(#[from] GraphFileError),
    #[error(transparent)]
    Runtime(#[from] OnnxError),
    #[error("it is no turn model: it gives {0} where a probability is due")]
    NoProbability(String),
    #[error("it was not ready in time")]
    Slow,
    #[error("it is left alone: {0}")]
    LeftAlone(&'static str),
}

impl TurnError {
    /// There is no such file, or it may not be read.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File(error) if error.is_missing())
    }
}

/// A turn model that is loaded and has looked once.
#[derive(Debug)]
pub struct TurnModel {
    session: Session,
    log_mel: LogMel,
}

impl TurnModel {
    /// Always on the CPU: a look is too short to be worth the way to a GPU.
    pub fn from_bytes(environment: &Environment, bytes: &[u8]) -> Result<Self, TurnError> {
        let session = onnx::session(environment, bytes, THREADS, false)?;
        let inputs = session.inputs();
        if let Some(other) = inputs.iter().find(|input| input.name() != INPUT) {
            return Err(OnnxError::OtherInput(onnx::short(other.name())).into());
        }
        if inputs.is_empty() {
            return Err(OnnxError::NoInput(INPUT).into());
        }
        let mut model = Self { session, log_mel: LogMel::new() };
        model.complete(&[])?;
        Ok(model)
    }

    /// Probability that whoever spoke `audio`, 16 kHz, has finished, 0 to 1.
    pub fn complete(&mut self, audio: &[i16]) -> Result<f32, TurnError> {
        let failed = |error: ort::Error| OnnxError::Run(onnx::short(&error.to_string()));
        let picture = self.log_mel.picture(audio);
        let shape = [1, BANDS, FRAMES];
        let input = Tensor::from_array((shape, picture)).map_err(failed)?;
        let outputs = self.session.run(ort::inputs![INPUT => input]).map_err(failed)?;
        let (_, output) = outputs.into_iter().next().ok_or(OnnxError::NoOutput)?;
        let (_, values) = output.try_extract_tensor::<f32>().map_err(failed)?;
        match values.first() {
            Some(&probability) if (0.0..=1.0).contains(&probability) => Ok(probability),
            other => Err(TurnError::NoProbability(format!("{other:?}"))),
        }
    }
}

/// Whether the file is there and may be loaded, without loading it.
pub fn check(settings: &TurnSettings, library: Option<&Path>) -> Result<(), TurnError> {
    graph_file::read(&settings.graph, settings.hash)?;
    Ok(onnx::is_there(library)?)
}

/// Reads, checks, loads and tries it.
pub fn load(settings: &TurnSettings, library: Option<&Path>) -> Result<TurnModel, TurnError> {
    let (graph, _) = graph_file::read(&settings.graph, settings.hash)?;
    TurnModel::from_bytes(onnx::runtime(library)?, &graph)
}

/// What a turn model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warmth {
    /// Reading, checking, loading and the first look.
    pub load_ms: u64,
    pub look_ms: u64,
}

/// Loads it as the engine does and has it look at 2 s of silence.
pub fn warm(settings: &TurnSettings, library: Option<&Path>) -> Result<Warmth, TurnError> {
    let millis = |begun: Instant| u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let begun = Instant::now();
    let mut model = load(settings, library)?;
    let load_ms = millis(begun);
    let begun = Instant::now();
    model.complete(&vec![0; log_mel::SAMPLES / 4])?;
    Ok(Warmth { load_ms, look_ms: millis(begun) })
}

#[cfg(test)]
mod tests;
