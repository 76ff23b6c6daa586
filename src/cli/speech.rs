//! `attendant speech`: the speech engine alone, in a process that knows no call and no secret.

use std::path::PathBuf;

use super::ConfigArgument;
use crate::appliance::caution::Starts;
use crate::appliance::config::Device;
use crate::appliance::log;
use crate::appliance::paths::Paths;
use crate::appliance::realtime;
use crate::appliance::start_error::StartError;
use crate::speech::{self, DeviceWish};

/// The model that needs no file.
const STARTER: &str = "starter";

/// Hear and speak for `attendant run`, over a Unix socket.
///
/// `attendant run` starts this by itself unless speech.socket is set, as it is where systemd runs
/// the engine as a unit of its own.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The socket to wait at; without it, that of speech.socket, else engine.sock in
    /// the runtime folder.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Hear on the CPU, also where there is a GPU.
    #[arg(long)]
    cpu: bool,
    /// Hear with this Whisper model (ggml), or with "starter", the one inside the program, instead
    /// of what the configuration says.
    #[arg(long, value_name = "FILE|starter")]
    model: Option<PathBuf>,
    /// Load nothing that needs ONNX Runtime: no neural voice and no turn model.
    #[arg(long)]
    without_onnx: bool,
    /// Threads of one decode.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Utterances that are heard at a time; otherwise calls.max.
    #[arg(long, value_name = "N", hide = true)]
    lanes: Option<u16>,
    /// The process that started this one and with which it ends.
    #[arg(long, value_name = "PID", hide = true)]
    parent: Option<u32>,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), StartError> {
    let paths = Paths::here();
    let mut config = arguments.config.load(&paths)?;
    if arguments.cpu {
        config.speech.device = Device::Cpu;
    }
    log::start(&config.log);
    if let Some(cores) = realtime::roles(config.real_time.audio_core).engine {
        realtime::keep_to(&cores);
    }
    let socket = arguments.socket.clone().or_else(|| config.speech.socket.clone());
    let socket = match socket {
        Some(socket) => socket,
        None => paths.engine_socket().map_err(|source| StartError::System {
            what: "cannot make the folder of the engine's socket",
            source,
        })?,
    };
    match arguments.model.as_deref() {
        None => {}
        Some(name) if name.as_os_str() == STARTER => config.hear_with(None, &paths.models()),
        Some(path) => config.hear_with(Some(path.to_path_buf()), &paths.models()),
    }
    let mut settings = config.engine(socket, arguments.parent);
    settings.lanes = arguments.lanes.unwrap_or(settings.lanes);
    settings.decode_workers = settings.decode_workers.min(settings.lanes).max(1);
    if arguments.lanes.is_some() && config.speech.whisper_model.is_some() {
        settings.decode_threads = config.threads() / settings.decode_workers;
    }
    settings.phrases = config.kept_phrases(paths.cache());
    settings.starts = starts(&paths, arguments.parent);
    if settings.starts.as_ref().is_some_and(Starts::wants_caution) {
        tracing::warn!(
            "the two engines before this one came to nothing: no GPU and no ONNX Runtime"
        );
        settings.device = DeviceWish::Cpu;
        settings.without_onnx = Some("two engines in a row came to nothing");
    }
    if arguments.without_onnx {
        settings.without_onnx = Some("the engine was told to, as after two that failed in a row");
    }
    settings.decode_threads = arguments.threads.unwrap_or(settings.decode_threads);
    Ok(speech::run(&settings)?)
}

/// Counted for a unit of its own; a front that has started this one counts itself.
fn starts(paths: &Paths, parent: Option<u32>) -> Option<Starts> {
    let is_unit = parent.is_none() && std::env::var_os("NOTIFY_SOCKET").is_some();
    paths.given_runtime().filter(|_| is_unit).map(Starts::begin)
}
