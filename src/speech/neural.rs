//! The neural voices that are configured: their files, their loading, and whether they speak.
//!
//! **Invariant:** a voice that cannot be loaded, or fails, is never a dead line: its phrases are
//! spoken by the plain voice of their language, and its report says so once.

// A shell: it asks for the time itself.
#![allow(clippy::disallowed_methods)]

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::espeak::Espeak;
use super::flite::Flow;
use super::graph_file::{self, GraphFileError};
use super::model::{Hash, ModelError, verified};
use super::onnx::{self, OnnxError};
use super::protocol::{Phrase, VoiceReport};
use super::vits::recipe::{Maps, Recipe, RecipeError};
use super::vits::{Files, Speaking, Vits, VitsError};
use super::{DeviceWish, EngineSettings};
use crate::base::{limits, pcm};
use crate::store::phrases::{PhraseKey, Phrases};

/// Coqui's own names for the files beside a voice.
const COQUI_CONFIG: &str = "config.json";
const SPEAKERS: &str = "speaker_ids.json";
const LANGUAGES: &str = "language_ids.json";
/// Phrases in a row that a voice may fail at before it is left alone.
const FAILURES: u32 = 3;
/// Threads of one inference at most: more do not make it faster.
const THREADS: usize = 4;
/// What kept sounds depend on besides model and settings: how this version renders and levels.
const RENDERING: &[u8] = b"attendant vits 1";

/// A voice as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeuralSettings {
    /// As phrases name it.
    pub name: String,
    pub graph: PathBuf,
    pub graph_hash: Hash,
    /// Of the file beside it.
    pub config_hash: Hash,
    pub speaker: Option<String>,
    /// For a graph of several languages.
    pub language: String,
}

/// Why a voice does not speak.
#[derive(Debug, thiserror::Error)]
pub enum NeuralError {
    #[error(transparent)]
    File(#[from] ModelError),
    #[error("{} is no text", .0.display())]
    NotText(PathBuf),
    #[error(transparent)]
    Graph(#[from] GraphFileError),
    #[error("voice {}: {source}", path.display())]
    Vits { path: PathBuf, source: VitsError },
    #[error(transparent)]
    Runtime(#[from] OnnxError),
    #[error("it was not ready after {} s", limits::VOICE_LOAD.as_secs())]
    Slow,
    #[error("it is left alone: {0}")]
    LeftAlone(&'static str),
}

impl NeuralError {
    /// One of its files is not there, or may not be read.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::File(error) => error.is_missing(),
            Self::Graph(error) => error.is_missing(),
            _ => false,
        }
    }
}

/// The text files of a voice, verified.
struct Texts {
    config: String,
    speakers: Option<String>,
    languages: Option<String>,
}

impl Texts {
    fn read(settings: &NeuralSettings) -> Result<Self, NeuralError> {
        let most = limits::VOICE_CONFIG_BYTES;
        let text = |path: &Path, hash| -> Result<String, NeuralError> {
            let (bytes, _) = verified(path, hash, most)?;
            String::from_utf8(bytes).map_err(|_| NeuralError::NotText(path.to_owned()))
        };
        let optional = |path: PathBuf| match text(&path, Hash::PinnedIfAny) {
            Ok(text) => Ok(Some(text)),
            Err(NeuralError::File(error)) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        };
        let mut beside = settings.graph.clone().into_os_string();
        beside.push(".json");
        let (beside, folder) = (PathBuf::from(beside), settings.graph.with_file_name(""));
        let config = match text(&beside, settings.config_hash) {
            // A folder of Coqui's has one voice; the shelf has no such file.
            Err(NeuralError::File(error)) if error.is_missing() => {
                let coqui = folder.join(COQUI_CONFIG);
                text(&coqui, Hash::PinnedIfAny).map_err(|_| NeuralError::File(error))?
            }
            config => config?,
        };
        let speakers = optional(folder.join(SPEAKERS))?;
        Ok(Self { config, speakers, languages: optional(folder.join(LANGUAGES))? })
    }

    fn maps(&self) -> Maps<'_> {
        Maps { speakers: self.speakers.as_deref(), languages: self.languages.as_deref() }
    }
}

/// Whether the voice's files are there and have the speaker, without loading anything.
pub fn check(settings: &NeuralSettings, library: Option<&Path>) -> Result<(), NeuralError> {
    let vits = |source| NeuralError::Vits { path: settings.graph.clone(), source };
    let recipe = |error: RecipeError| vits(VitsError::from(error));
    let texts = Texts::read(settings)?;
    let parsed = Recipe::parse(&texts.config, &texts.maps()).map_err(recipe)?;
    parsed.speakers.number(settings.speaker.as_deref()).map_err(recipe)?;
    graph_file::read(&settings.graph, settings.graph_hash)?;
    onnx::is_there(library)?;
    Ok(())
}

/// A voice that is loaded and warm.
#[derive(Debug)]
pub struct Loaded {
    pub vits: Vits,
    /// Stands for everything that its sound depends on.
    pub id: [u8; 32],
}

/// Reads, checks, loads and tries a voice.
pub fn load(
    settings: &NeuralSettings,
    library: Option<&Path>,
    device: (DeviceWish, usize),
) -> Result<Loaded, NeuralError> {
    let texts = Texts::read(settings)?;
    let (graph, sha256) = graph_file::read(&settings.graph, settings.graph_hash)?;
    let environment = onnx::runtime(library)?;
    let files = Files { graph: &graph, config: &texts.config, maps: texts.maps() };
    let speaking = Speaking { speaker: settings.speaker.as_deref(), language: &settings.language };
    let vits = Vits::load(environment, files, speaking, device)
        .map_err(|source| NeuralError::Vits { path: settings.graph.clone(), source })?;
    let mut hash = Sha256::new();
    let maps = [&texts.speakers, &texts.languages].map(|map| map.clone().unwrap_or_default());
    let [speakers, languages] = &maps;
    let (settings, espeak) = (vits.settings(), Espeak::version());
    for part in [
        RENDERING,
        &sha256,
        texts.config.as_bytes(),
        speakers.as_bytes(),
        languages.as_bytes(),
        &settings,
        &espeak,
    ] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Ok(Loaded { vits, id: hash.finalize().into() })
}

/// What a voice takes before it is ready for calls, and then for one sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Warmth {
    pub device: String,
    /// Reading, checking, loading, and the trial sentence.
    pub load_ms: u64,
    /// From the sentence to its first sound.
    pub first_ms: u64,
    /// For the whole sentence.
    pub render_ms: u64,
    /// Its length.
    pub speech_ms: u64,
}

impl std::fmt::Display for Warmth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { device, load_ms, first_ms, render_ms, speech_ms } = self;
        write!(
            f,
            "loaded in {load_ms} ms, first sound after {first_ms} ms, {render_ms} ms for \
             {speech_ms} ms of speech on {device}"
        )
    }
}

/// Numbers again: every language reads them. Long enough to be cut once.
const SENTENCE: &str = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16.";

/// Loads the voice as the engine does and has it say one sentence.
pub fn warm(settings: &NeuralSettings, engine: &EngineSettings) -> Result<Warmth, NeuralError> {
    let begun = Instant::now();
    let device = (engine.device, threads());
    let mut loaded = load(settings, engine.onnxruntime.as_deref(), device)?;
    let load_ms = millis(begun);
    let begun = Instant::now();
    let (mut first_ms, mut samples) = (None, 0);
    let mut sink = |sound: &[i16]| {
        first_ms.get_or_insert_with(|| millis(begun));
        samples += sound.len();
        Flow::Continue
    };
    loaded
        .vits
        .speak(SENTENCE, &AtomicBool::new(false), &mut sink)
        .map_err(|source| NeuralError::Vits { path: settings.graph.clone(), source })?;
    Ok(Warmth {
        device: loaded.vits.device().to_owned(),
        load_ms,
        first_ms: first_ms.unwrap_or(0),
        render_ms: millis(begun),
        speech_ms: pcm::samples_to_ms(samples),
    })
}

fn millis(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Threads of one inference.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(THREADS)
}

/// A configured voice, as the whole engine sees it.
#[derive(Debug)]
pub struct Neural {
    pub name: String,
    standing: Mutex<Standing>,
}

#[derive(Debug)]
enum Standing {
    Speaks { device: String, id: [u8; 32], failures: u32 },
    Off { reason: String },
}

impl Neural {
    /// As it came out of loading.
    pub fn new(name: String, loaded: Result<(String, [u8; 32]), String>) -> Self {
        let standing = match loaded {
            Ok((device, id)) => Standing::Speaks { device, id, failures: 0 },
            Err(reason) => Standing::Off { reason },
        };
        Self { name, standing: Mutex::new(standing) }
    }

    /// What its kept phrases are found by; `None`: it does not speak.
    pub fn id(&self) -> Option<[u8; 32]> {
        match &*self.standing() {
            Standing::Speaks { id, .. } => Some(*id),
            Standing::Off { .. } => None,
        }
    }

    /// It has spoken a phrase.
    pub fn spoke(&self) {
        if let Standing::Speaks { failures, .. } = &mut *self.standing() {
            *failures = 0;
        }
    }

    /// It has failed at a phrase; true when it is left alone from here on.
    pub fn failed(&self, why: &str) -> bool {
        let mut standing = self.standing();
        let Standing::Speaks { failures, .. } = &mut *standing else { return false };
        *failures += 1;
        if *failures < FAILURES {
            return false;
        }
        let reason = format!("it failed {FAILURES} times in a row: {why}");
        *standing = Standing::Off { reason };
        true
    }

    /// It was loaded again, on another device.
    pub fn moved(&self, device: String, id: [u8; 32]) {
        *self.standing() = Standing::Speaks { device, id, failures: 0 };
    }

    fn report(&self) -> VoiceReport {
        let (device, fault) = match &*self.standing() {
            Standing::Speaks { device, .. } => (device.clone(), None),
            Standing::Off { reason } => (String::new(), Some(reason.clone())),
        };
        VoiceReport { name: self.name.clone(), device, fault }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All configured voices, and the phrases that they have rendered before.
#[derive(Clone, Debug, Default)]
pub struct NeuralVoices {
    pub all: Arc<[Neural]>,
    pub kept: Option<Arc<Phrases>>,
}

impl NeuralVoices {
    /// The voice that a phrase names, with its place.
    pub fn named(&self, phrase: &Phrase) -> Option<(u8, &Neural)> {
        let index = self.all.iter().position(|voice| voice.name == phrase.voice)?;
        Some((u8::try_from(index).ok()?, self.all.get(index)?))
    }

    /// Where the phrase would be kept.
    pub fn key(&self, phrase: &Phrase) -> Option<(&Phrases, PhraseKey)> {
        let (_, voice) = self.named(phrase)?;
        let kept = self.kept.as_deref()?;
        Some((kept, kept.key(&voice.id()?, phrase.text.reveal())))
    }

    pub fn reports(&self) -> Vec<VoiceReport> {
        self.all.iter().map(Neural::report).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_is_left_alone_after_failures_in_a_row_and_says_why_once() {
        let voice = Neural::new("a".to_owned(), Ok(("cpu".to_owned(), [1; 32])));
        assert!(!voice.failed("x") && !voice.failed("x"));
        voice.spoke();
        assert!(!voice.failed("x") && !voice.failed("x"));
        assert_eq!(voice.id(), Some([1; 32]));
        assert!(voice.failed("no memory"));
        assert!(!voice.failed("no memory"), "told once");
        assert_eq!(voice.id(), None);
        let report = voice.report();
        assert!(report.fault.unwrap().contains("no memory") && report.device.is_empty());
    }

    #[test]
    fn a_missing_file_is_told_by_its_name() {
        let settings = NeuralSettings {
            name: "a".to_owned(),
            graph: "/nonexistent/a.onnx".into(),
            graph_hash: Hash::PinnedIfAny,
            config_hash: Hash::PinnedIfAny,
            speaker: None,
            language: "en".to_owned(),
        };
        let error = check(&settings, None).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/a.onnx.json"), "{error}");
    }
}
