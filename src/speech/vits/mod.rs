//! Neural voices: VITS graphs of Piper and Coqui, run by ONNX Runtime.
//!
//! ```text
//! text ─▶ clauses ─▶ phonemes (espeak-ng) ─▶ pieces ─▶ numbers (recipe) ─▶ graph ─▶ level ─▶ 16 kHz
//! ```
//! | file | what |
//! |---|---|
//! | `recipe`, `piper`, `coqui` | what the file beside the graph says; symbols to numbers (pure) |
//! | `clauses`, `pieces` | where a text is cut for espeak-ng, and what is rendered in one go (pure) |
//! | `phonemes` | espeak-ng as a child |
//! | `level` | gain and limiter (pure) |

pub mod clauses;
pub mod coqui;
pub mod level;
pub mod phonemes;
pub mod pieces;
pub mod piper;
pub mod recipe;

use std::sync::atomic::AtomicBool;

use ort::environment::Environment;

use super::DeviceWish;
use super::flite::Flow;
use super::onnx::{Extras, Graph, OnnxError};
use super::resample::ToSixteenKilohertz;
use clauses::{Words, clauses};
use level::Leveller;
use phonemes::{PhonemeError, Phonemes};
use pieces::{Piece, Spelled, pieces};
use recipe::{Maps, Reading, Recipe, RecipeError, Scales};

/// Spoken once before the voice is ready, to warm it and to learn how loud it is: the first of these
/// that it has enough symbols for. espeak-ng reads figures in every language.
const TRIALS: [&str; 3] = ["1 2 3 4 5 6 7 8 9 10", "mama tana sane mona", "мама тана сане мона"];
const TRIAL_SYMBOLS: usize = 8;
/// Samples that are handed on at a time: half a second.
const CHUNK_SAMPLES: usize = 8_000;
/// Below this nothing is heard (-80 dBFS).
const SILENCE: f32 = 1e-4;

/// Why a voice cannot speak.
#[derive(Debug, thiserror::Error)]
pub enum VitsError {
    #[error("the configuration beside it: {0}")]
    Recipe(#[from] RecipeError),
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Phonemes(#[from] PhonemeError),
    #[error("its configuration has several speakers, and its graph has no input sid")]
    NoSpeakerInput,
    #[error("it knows no symbol of a trial sentence")]
    NoSymbols,
    #[error("it was silent in a trial sentence")]
    Silent,
}

/// The files of a voice, verified.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    pub graph: &'a [u8],
    pub config: &'a str,
    pub maps: Maps<'a>,
}

/// Who speaks, in which language.
#[derive(Clone, Copy, Debug)]
pub struct Speaking<'a> {
    pub speaker: Option<&'a str>,
    /// For a graph that knows several: as its own list calls it.
    pub language: &'a str,
}

/// A voice that is loaded and warm.
#[derive(Debug)]
pub struct Vits {
    recipe: Recipe,
    graph: Graph,
    /// `None`: it reads letters.
    phonemes: Option<Phonemes>,
    speaker: Option<i64>,
    language: Option<i64>,
    gain: f32,
    /// Symbols that it did not know, since the start.
    pub unknown: usize,
}

impl Vits {
    pub fn load(
        environment: &Environment,
        files: Files<'_>,
        speaking: Speaking<'_>,
        (wish, threads): (DeviceWish, usize),
    ) -> Result<Self, VitsError> {
        let recipe = Recipe::parse(files.config, &files.maps)?;
        // A wrong speaker is told before the large file is looked at.
        let named = recipe.speakers.number(speaking.speaker)?;
        let phonemes = match &recipe.reading {
            Reading::Espeak { voice } => Some(Phonemes::open(voice)?),
            Reading::Letters { .. } => None,
        };
        let graph = Graph::load(environment, files.graph, wish, threads)?;
        let speaker = match (graph.has_speakers, named) {
            (false, None) => None,
            (false, Some(_)) => return Err(VitsError::NoSpeakerInput),
            (true, Some(number)) => Some(number),
            // Of one speaker alone.
            (true, None) => Some(recipe.speakers.numbers.values().next().copied().unwrap_or(0)),
        };
        let language = match graph.has_languages {
            false => None,
            true => {
                let unknown = || RecipeError::Language(speaking.language.to_owned());
                let number = recipe.languages.get(speaking.language);
                Some(*number.ok_or_else(unknown)?)
            }
        };
        let mut vits = Self { recipe, graph, phonemes, speaker, language, gain: 1.0, unknown: 0 };
        vits.gain = vits.try_out()?;
        Ok(vits)
    }

    /// Where it runs, in words.
    pub fn device(&self) -> &str {
        &self.graph.device
    }

    pub fn is_on_gpu(&self) -> bool {
        self.graph.is_on_gpu()
    }

    /// What its sound depends on besides its files, for a name of what is kept.
    pub fn settings(&self) -> Vec<u8> {
        let Scales { noise, length, noise_w } = self.recipe.scales;
        let floats = [noise, length, noise_w, self.gain].map(f32::to_le_bytes).concat();
        let numbers = [self.speaker, self.language].map(|n| n.unwrap_or(-1).to_le_bytes()).concat();
        [floats, numbers].concat()
    }

    /// Speaks `text`, handing over the sound piece by piece: 16 kHz mono. Ends early when the sink
    /// says `Stop` or `cancelled` is set. A text without words has no sound.
    pub fn speak(
        &mut self,
        text: &str,
        cancelled: &AtomicBool,
        sink: &mut dyn FnMut(&[i16]) -> Flow,
    ) -> Result<(), VitsError> {
        let pieces = self.spell(text)?;
        let mut out = Output::new(self.gain, self.recipe.rate_hz)?;
        let mut loudest: Option<f32> = None;
        for piece in pieces {
            let (runs, unknown) = self.recipe.encode(&piece.symbols);
            self.unknown += unknown;
            let last = runs.len().saturating_sub(1);
            for (index, run) in runs.into_iter().enumerate() {
                let sound = self.render(&run.ids, self.recipe.scales, cancelled)?;
                let peak = sound.iter().fold(0.0, |most: f32, sample| most.max(sample.abs()));
                loudest = Some(loudest.unwrap_or(0.0).max(peak));
                let pause_ms = if index == last { piece.pause_ms } else { 0 }.max(run.pause_ms);
                if out.push(&sound, pause_ms, sink) == Flow::Stop {
                    return Ok(());
                }
            }
        }
        match loudest {
            Some(loudest) if loudest < SILENCE => Err(OnnxError::NoSound.into()),
            _ => {
                out.finish(sink);
                Ok(())
            }
        }
    }

    /// The graph's own sound of these symbols, without chance: equal symbols give equal sound.
    pub fn raw(&mut self, symbols: &str) -> Result<Vec<f32>, VitsError> {
        let (runs, _) = self.recipe.encode(symbols);
        let mut sound = Vec::new();
        let scales = self.recipe.scales.without_noise();
        for run in runs {
            sound.extend(self.render(&run.ids, scales, &AtomicBool::new(false))?);
        }
        Ok(sound)
    }

    fn render(
        &mut self,
        ids: &[i64],
        scales: Scales,
        cancelled: &AtomicBool,
    ) -> Result<Vec<f32>, VitsError> {
        let (speaker, language) = (self.speaker, self.language);
        let extras = Extras { scales: scales.as_array(), speaker, language };
        Ok(self.graph.run(ids, &extras, cancelled)?)
    }

    /// The pieces that a text is rendered in, as symbols.
    fn spell(&mut self, text: &str) -> Result<Vec<Piece>, PhonemeError> {
        let mut spelled = Vec::new();
        for clause in clauses(text) {
            let symbols = match (&clause.words, &mut self.phonemes, &self.recipe.reading) {
                (Words::Phonemes(raw), _, _) => raw.clone(),
                (Words::Text(words), Some(phonemes), _) => phonemes.ipa(words)?,
                (Words::Text(words), None, Reading::Letters { lower: true }) => {
                    words.to_lowercase()
                }
                (Words::Text(words), None, _) => words.clone(),
            };
            spelled.push(Spelled::new(&clause, symbols));
        }
        Ok(pieces(&spelled))
    }

    /// Speaks a trial sentence; the gain that brings it to the wanted level.
    fn try_out(&mut self) -> Result<f32, VitsError> {
        for trial in TRIALS {
            let pieces = self.spell(trial)?;
            let symbols: Vec<String> = pieces.into_iter().map(|piece| piece.symbols).collect();
            let symbols = symbols.join(" ");
            let (_, unknown) = self.recipe.encode(&symbols);
            if symbols.chars().count() >= TRIAL_SYMBOLS + unknown {
                let sound = self.raw(&symbols)?;
                let dbfs = level::speech_dbfs(&sound, self.recipe.rate_hz);
                return dbfs.map(level::gain_for).ok_or(VitsError::Silent);
            }
        }
        Err(VitsError::NoSymbols)
    }
}

/// The way of one phrase's sound from the graph to the sink.
struct Output {
    leveller: Leveller,
    resampler: ToSixteenKilohertz,
    rate_hz: u32,
}

impl Output {
    fn new(gain: f32, rate_hz: u32) -> Result<Self, VitsError> {
        let resampler = ToSixteenKilohertz::new(rate_hz).ok_or(RecipeError::Rate(rate_hz))?;
        Ok(Self { leveller: Leveller::new(gain, rate_hz), resampler, rate_hz })
    }

    fn push(&mut self, sound: &[f32], pause_ms: u32, sink: &mut dyn FnMut(&[i16]) -> Flow) -> Flow {
        let mut levelled = Vec::new();
        self.leveller.push(sound, &mut levelled);
        let pause = u64::from(self.rate_hz) * u64::from(pause_ms) / 1_000;
        self.leveller.push(&vec![0.0; pause as usize], &mut levelled);
        let mut samples = Vec::new();
        self.resampler.push(&levelled, &mut samples);
        hand_on(&samples, sink)
    }

    fn finish(mut self, sink: &mut dyn FnMut(&[i16]) -> Flow) {
        let (mut levelled, mut samples) = (Vec::new(), Vec::new());
        self.leveller.finish(&mut levelled);
        self.resampler.push(&levelled, &mut samples);
        self.resampler.finish(&mut samples);
        hand_on(&samples, sink);
    }
}

fn hand_on(samples: &[i16], sink: &mut dyn FnMut(&[i16]) -> Flow) -> Flow {
    for chunk in samples.chunks(CHUNK_SAMPLES) {
        if sink(chunk) == Flow::Stop {
            return Flow::Stop;
        }
    }
    Flow::Continue
}

#[cfg(test)]
pub(super) mod tests;
