//! ONNX Runtime: found on this machine and loaded when something needs it, never part of the program.
//!
//! The library is C++ like the graphs that it runs, so only the engine's process loads it. Graphs are
//! given to it as bytes that were verified before; it opens no file by itself.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ort::environment::Environment;
use ort::ep::CUDA;
use ort::logging::LogLevel;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{RunOptions, Session, SessionInputValue};
use ort::value::Tensor;

use super::DeviceWish;
use crate::base::limits;
use crate::store::trusted::{self, Untrusted};

/// How the library's file begins; a version follows, or nothing.
const NAME: &str = "libonnxruntime.so";
/// Where it is looked for, after the folder of the program.
const PLACES: [&str; 7] = [
    "/usr/local/lib/attendant",
    "/usr/lib/attendant",
    "/opt/onnxruntime/lib",
    "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib",
];
/// The variable by which other programs with ONNX Runtime name it, too.
const VARIABLE: &str = "ORT_DYLIB_PATH";
/// How often a run is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Why nothing can be run.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    #[error(
        "ONNX Runtime is not on this machine: no {NAME} in any of the usual folders; \
         speech.onnxruntime names it"
    )]
    NoLibrary,
    #[error("ONNX Runtime, {}, is refused: {source}", path.display())]
    Untrusted { path: PathBuf, source: Untrusted },
    #[error("ONNX Runtime, {}, cannot be loaded: {reason}", path.display())]
    Library { path: PathBuf, reason: String },
    #[error("ONNX Runtime refuses the graph: {0}")]
    Graph(String),
    #[error("it has no input {0}")]
    NoInput(&'static str),
    #[error("it has an input {0:?} that nobody knows")]
    OtherInput(String),
    #[error("the graph failed: {0}")]
    Run(String),
    #[error("the graph took longer than {} s", limits::VOICE_TIMEOUT.as_secs())]
    TimedOut,
    #[error("the graph gives nothing")]
    NoOutput,
    #[error("the graph gave no sound")]
    NoSound,
    #[error("the graph gave more than a minute of sound")]
    TooLong,
    #[error("cancelled")]
    Cancelled,
}

pub(super) fn refused(error: impl Into<ort::Error>) -> OnnxError {
    OnnxError::Graph(short(&error.into().to_string()))
}

/// The runtime's messages may have hundreds of lines.
pub(super) fn short(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

/// The library, loaded once and kept: `wish` is the file that the owner names.
pub fn runtime(wish: Option<&Path>) -> Result<&'static Environment, OnnxError> {
    static LOADED: OnceLock<Environment> = OnceLock::new();
    static LOADING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = LOADED.get() {
        return Ok(environment);
    }
    let path = trusted_file(wish)?;
    let failed = |reason: String| OnnxError::Library { path: path.clone(), reason: short(&reason) };
    let builder = ort::init_from(&path).map_err(|error| failed(error.to_string()))?;
    let log = |level: LogLevel, _: &str, _: &str, _: &str, message: &str| {
        if matches!(level, LogLevel::Error | LogLevel::Fatal) {
            tracing::debug!(message = short(message), "ONNX Runtime");
        }
    };
    let builder = builder.with_name("attendant").with_telemetry(false);
    let built = builder.with_logger(std::sync::Arc::new(log)).build();
    let environment = built.map_err(|error| failed(error.to_string()))?;
    Ok(LOADED.get_or_init(|| environment))
}

/// Whether the library's file is there, without loading it.
pub fn is_there(wish: Option<&Path>) -> Result<(), OnnxError> {
    trusted_file(wish).map(drop)
}

/// The library itself. The name that it goes by is mostly a symlink of its package's; what that
/// leads to must be as trustworthy as a model.
fn trusted_file(wish: Option<&Path>) -> Result<PathBuf, OnnxError> {
    let path = find(wish).ok_or(OnnxError::NoLibrary)?;
    let untrusted = |source| OnnxError::Untrusted { path: path.clone(), source };
    let real = path.canonicalize().map_err(Untrusted::Unreadable).map_err(untrusted)?;
    trusted::open(&real).map_err(untrusted)?;
    Ok(real)
}

/// The library's file.
fn find(wish: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = wish {
        return Some(path.to_owned());
    }
    if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let program = std::env::current_exe().ok();
    let beside = program.as_deref().and_then(Path::parent).map(Path::to_owned);
    beside.into_iter().chain(PLACES.map(PathBuf::from)).find_map(|folder| newest_in(&folder))
}

/// The library in this folder; of several the one with the plain name, else the last by name.
fn newest_in(folder: &Path) -> Option<PathBuf> {
    let names = folder.read_dir().ok()?.filter_map(|entry| Some(entry.ok()?.file_name()));
    let is_it = |name: &str| {
        let version = name.strip_prefix(NAME);
        version.is_some_and(|v| v.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit()))
    };
    let mut found: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    found.retain(|name| is_it(name));
    found.sort();
    let name = match found.iter().any(|name| name == NAME) {
        true => NAME.to_owned(),
        false => found.pop()?,
    };
    Some(folder.join(name))
}

/// What a VITS graph is given besides its symbols.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extras {
    pub scales: [f32; 3],
    /// Set exactly if the graph has the input.
    pub speaker: Option<i64>,
    pub language: Option<i64>,
}

/// A VITS graph that is loaded: inputs `input`, `input_lengths`, `scales`, and `sid` and `langid`
/// where it knows several speakers or languages.
#[derive(Debug)]
pub struct Graph {
    session: Session,
    /// Where it runs, in words, with the reason if that is not the GPU that was wished.
    pub device: String,
    pub has_speakers: bool,
    pub has_languages: bool,
}

impl Graph {
    /// On the GPU if `wish` allows it and ONNX Runtime can use one, strictly: without the CPU in
    /// secret for what the GPU does not do. Otherwise on the CPU, and `device` says so.
    pub fn load(
        environment: &Environment,
        bytes: &[u8],
        wish: DeviceWish,
        threads: usize,
    ) -> Result<Self, OnnxError> {
        if wish == DeviceWish::Cpu {
            return Self::on(session(environment, bytes, threads, false)?, "cpu".to_owned());
        }
        match session(environment, bytes, threads, true) {
            Ok(session) => Self::on(session, "cuda".to_owned()),
            Err(error) => {
                let device = format!("cpu (CUDA: {})", short_reason(&error));
                Self::on(session(environment, bytes, threads, false)?, device)
            }
        }
    }

    fn on(session: Session, device: String) -> Result<Self, OnnxError> {
        let names: Vec<String> = session.inputs().iter().map(|i| i.name().to_owned()).collect();
        let has = |name: &str| names.iter().any(|known| known == name);
        for name in ["input", "input_lengths", "scales"] {
            if !has(name) {
                return Err(OnnxError::NoInput(name));
            }
        }
        let known = ["input", "input_lengths", "scales", "sid", "langid"];
        if let Some(other) = names.iter().find(|name| !known.contains(&name.as_str())) {
            return Err(OnnxError::OtherInput(short(other)));
        }
        Ok(Self { has_speakers: has("sid"), has_languages: has("langid"), session, device })
    }

    pub fn is_on_gpu(&self) -> bool {
        self.device == "cuda"
    }

    /// The sound of these symbols at the voice's own rate, about ±1. It is stopped when `cancelled`
    /// is set, and after `limits::VOICE_TIMEOUT`; if it then does not stop, the process ends: a
    /// thread that is stuck in a graph cannot be had back.
    pub fn run(
        &mut self,
        ids: &[i64],
        extras: &Extras,
        cancelled: &AtomicBool,
    ) -> Result<Vec<f32>, OnnxError> {
        let failed = |error: ort::Error| OnnxError::Run(short(&error.to_string()));
        let length = i64::try_from(ids.len()).unwrap_or(i64::MAX);
        let integer = |shape: Vec<i64>, values: Vec<i64>| {
            Tensor::from_array((shape, values)).map(SessionInputValue::from).map_err(failed)
        };
        let scales = Tensor::from_array((vec![3_i64], extras.scales.to_vec())).map_err(failed)?;
        let mut inputs = vec![
            ("input", integer(vec![1, length], ids.to_vec())?),
            ("input_lengths", integer(vec![1], vec![length])?),
            ("scales", scales.into()),
        ];
        for (name, value) in [("sid", extras.speaker), ("langid", extras.language)] {
            if let Some(value) = value {
                inputs.push((name, integer(vec![1], vec![value])?));
            }
        }
        let options = RunOptions::new().map_err(failed)?;
        let timed_out = AtomicBool::new(false);
        let sound = std::thread::scope(|scope| {
            let (done, running) = channel::<()>();
            scope.spawn(|| watch(running, &options, cancelled, &timed_out));
            let outputs = self.session.run_with_options(inputs, &options).map_err(failed);
            drop(done);
            let (_, output) = outputs?.into_iter().next().ok_or(OnnxError::NoSound)?;
            let (_, samples) = output.try_extract_tensor::<f32>().map_err(failed)?;
            Ok(samples.to_vec())
        });
        match sound {
            _ if timed_out.load(Ordering::Relaxed) => Err(OnnxError::TimedOut),
            _ if cancelled.load(Ordering::Relaxed) => Err(OnnxError::Cancelled),
            Ok(sound) => checked(sound),
            Err(error) => Err(error),
        }
    }
}

/// Sound that a caller may hear: of this world, and not without end.
fn checked(sound: Vec<f32>) -> Result<Vec<f32>, OnnxError> {
    if sound.is_empty() || !sound.iter().all(|sample| sample.is_finite()) {
        return Err(OnnxError::NoSound);
    }
    match sound.len() > limits::VOICE_SAMPLES {
        true => Err(OnnxError::TooLong),
        false => Ok(sound),
    }
}

fn short_reason(error: &OnnxError) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("ONNX Runtime refuses the graph: ").unwrap_or(&text);
    text.chars().take(120).collect()
}

/// A graph with threads of its own that do not wait by spinning.
pub(super) fn session(
    environment: &Environment,
    bytes: &[u8],
    threads: usize,
    on_gpu: bool,
) -> Result<Session, OnnxError> {
    let mut builder = Session::builder(environment)
        .map_err(refused)?
        .with_optimization_level(GraphOptimizationLevel::Level2)
        .map_err(refused)?
        .with_intra_threads(threads)
        .map_err(refused)?
        // Between two phrases the threads would burn what Whisper needs.
        .with_intra_op_spinning(false)
        .map_err(refused)?;
    if on_gpu {
        let cuda = CUDA::default().build().error_on_failure();
        builder = builder.with_execution_providers([cuda]).map_err(refused)?;
    }
    builder.commit_from_memory(bytes).map_err(refused)
}

/// Stops a run that is not wanted any more or takes too long.
fn watch(
    running: Receiver<()>,
    options: &RunOptions,
    cancelled: &AtomicBool,
    timed_out: &AtomicBool,
) {
    let begun = Instant::now();
    let mut told_at = None;
    while running.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        let is_late = begun.elapsed() >= limits::VOICE_TIMEOUT;
        let is_over = is_late || cancelled.load(Ordering::Relaxed);
        match told_at {
            None if is_over => {
                timed_out.store(is_late, Ordering::Relaxed);
                told_at = Some(Instant::now());
                if let Err(error) = options.terminate() {
                    tracing::error!(%error, "a voice's graph cannot be told to stop");
                }
            }
            Some(told) if told.elapsed() >= limits::VOICE_TIMEOUT => {
                tracing::error!("a voice's graph does not stop; the engine ends to be rid of it");
                std::process::abort();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_found_by_its_name_and_no_other() {
        let folder = std::env::temp_dir().join(format!("attendant-onnx-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(newest_in(&folder), None);
        for name in
            ["libonnxruntime.so.1.20.0", "libonnxruntime.so.1.23.2", "libonnxruntime.so.bak"]
        {
            std::fs::write(folder.join(name), "x").unwrap();
        }
        assert_eq!(newest_in(&folder), Some(folder.join("libonnxruntime.so.1.23.2")));
        std::fs::write(folder.join(NAME), "x").unwrap();
        assert_eq!(newest_in(&folder), Some(folder.join(NAME)));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_no_caller_may_hear_is_no_sound() {
        assert!(checked(vec![0.5, -0.5]).is_ok());
        for bad in [vec![], vec![0.1, f32::NAN], vec![f32::INFINITY]] {
            assert!(matches!(checked(bad), Err(OnnxError::NoSound)));
        }
        let endless = vec![0.0; limits::VOICE_SAMPLES + 1];
        assert!(matches!(checked(endless), Err(OnnxError::TooLong)));
    }
}
