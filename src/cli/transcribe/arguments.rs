//! The command line of `attendant transcribe`.

use std::io;
use std::path::{Path, PathBuf};

use crate::appliance::front::EngineWish;
use crate::base::limits;
use crate::cli::ConfigArgument;
use crate::codec::Codec;
use crate::listen::{DecodeWish, Expectation, Hint};
use crate::store::bounded::{self, ReadError};
use crate::store::wav::Channel;

/// Print what recordings say, heard as a caller would be.
///
/// Reads WAV files (16-bit PCM, mu-law or A-law; one or two channels; 8 to 48 kHz). Their sound
/// takes the way of a call: resampling, voice detection, cutting into utterances, recognition,
/// confidence. It is fed as fast as the machine can and the result is always the same.
///
/// A file that cannot be read is named on standard error, the others are heard, and the exit code
/// is 1.
///
/// With --json each file is an object: file, model, duration_ms, truncated, utterances; or file and
/// error. An utterance has start_ms and end_ms, heard ("words", "unclear" for speech that was not
/// understood, "nothing"), text, confidence, words with theirs, decode_ms, guards (why the model's
/// text was not taken as it stood), and as evidence what the
/// model gave of itself: its text and uncalibrated probabilities, for each piece of 10 s. Confidence,
/// 0 to 1, is how likely a word, or every word of the utterance, is right. An empty word stands where
/// a part was not understood.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The WAV files.
    #[arg(value_name = "FILE", required_unless_present = "list")]
    files: Vec<PathBuf>,
    /// Also hear the files that this text file lists, one a line; - is standard input.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Print one JSON object for each file, each on its line.
    #[arg(long)]
    pub(super) json: bool,
    /// Hear with this Whisper model (ggml), or with "starter", the one inside the program; without
    /// it, as the configuration says.
    #[arg(long, value_name = "FILE|starter")]
    model: Option<PathBuf>,
    /// Threads of one decode. Large models gain from more than one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Which channel of a file with two.
    #[arg(long, value_name = "NAME", value_enum, default_value_t)]
    pub(super) channel: Channel,
    #[command(flatten)]
    pub(super) way: WayArguments,
    #[command(flatten)]
    hints: HintArguments,
    #[command(flatten)]
    pub(super) config: ConfigArgument,
}

/// What lies between the file and the ear.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct WayArguments {
    /// Send the sound through a telephone line: pcmu, pcma, g722 or opus.
    #[arg(long, value_name = "CODEC", value_parser = codec)]
    pub line: Option<Codec>,
    /// Percent of the line's packets that are lost; the call's own jitter buffer and concealment
    /// make up for them.
    #[arg(long, value_name = "PERCENT", requires = "line", default_value_t = 0.0,
          value_parser = percent)]
    pub loss: f32,
    /// Which packets are lost: the same number loses the same packets of the same file.
    #[arg(long, value_name = "N", requires = "line", default_value_t = 1)]
    pub seed: u64,
    /// Silence before each file.
    #[arg(long, value_name = "MS", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub lead_silence: u64,
    /// What the caller has been asked for, on which the pauses within an utterance depend.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    pub expect: Expected,
}

/// What the model is told.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct HintArguments {
    /// A text file of phrases that the callers are likely to say, one a line, the likeliest first:
    /// what a playbook's vocabulary is for. The model is told them where the configuration has
    /// speech.prompt.
    #[arg(long, value_name = "FILE")]
    likely: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Expected {
    #[default]
    Anything,
    Digits,
    YesNo,
}

impl From<Expected> for Expectation {
    fn from(expected: Expected) -> Self {
        match expected {
            Expected::Anything => Self::Anything,
            Expected::Digits => Self::Digits,
            Expected::YesNo => Self::YesNo,
        }
    }
}

/// Why a list of files or phrases cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListError {
    #[error("--list {}", path.display())]
    Unreadable { path: PathBuf, source: ReadError },
    #[error("--likely {}", path.display())]
    Phrases { path: PathBuf, source: ReadError },
    #[error("--list {}: names no file", path.display())]
    Empty { path: PathBuf },
}

impl Arguments {
    /// All files, those of the command line first.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>, ListError> {
        let mut files = self.files.clone();
        if let Some(path) = &self.list {
            let text = read_list(path)?;
            files.extend(
                text.lines().map(str::trim_end).filter(|l| !l.is_empty()).map(PathBuf::from),
            );
            if files.is_empty() {
                return Err(ListError::Empty { path: path.clone() });
            }
        }
        Ok(files)
    }

    /// How the utterances are to be decoded.
    pub(super) fn wish(&self) -> Result<DecodeWish, ListError> {
        let Some(path) = &self.hints.likely else { return Ok(DecodeWish::default()) };
        let text = bounded::text(path, limits::SMALL_FILE_BYTES);
        let text = text.map_err(|source| ListError::Phrases { path: path.clone(), source })?;
        Ok(DecodeWish { hint: Hint::new(text.lines()), ..DecodeWish::default() })
    }

    /// The engine that is wanted, where it is not the configuration's.
    pub(super) fn engine_wish(&self) -> EngineWish {
        EngineWish { model: self.model.clone(), threads: self.threads, lanes: Some(1) }
    }
}

fn read_list(path: &Path) -> Result<String, ListError> {
    let text = match path.to_str() {
        Some("-") => bounded::rest_as_text(io::stdin(), limits::FILE_LIST_BYTES),
        _ => bounded::text(path, limits::FILE_LIST_BYTES),
    };
    text.map_err(|source| ListError::Unreadable { path: path.to_path_buf(), source })
}

fn codec(text: &str) -> Result<Codec, String> {
    Codec::from_name(text).ok_or_else(|| "one of pcmu, pcma, g722, opus".to_owned())
}

fn percent(text: &str) -> Result<f32, String> {
    let value = text.parse().ok().filter(|value| (0.0..=100.0).contains(value));
    value.ok_or_else(|| "a share from 0 to 100".to_owned())
}
