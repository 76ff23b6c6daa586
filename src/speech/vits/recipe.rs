//! What the file beside a VITS model says of it: Piper's `NAME.onnx.json`, or Coqui's `config.json`.
//! Pure.

use std::collections::BTreeMap;

use super::{coqui, piper};

/// Names that a message lists at most.
const NAMES_SHOWN: usize = 8;

/// Everything that a voice needs besides its graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Of the graph's sound.
    pub rate_hz: u32,
    pub reading: Reading,
    pub alphabet: Alphabet,
    pub scales: Scales,
    pub speakers: Speakers,
    /// Languages of a multilingual graph and their numbers.
    pub languages: BTreeMap<String, i64>,
}

/// What the symbols are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// IPA by this voice of espeak-ng.
    Espeak { voice: String },
    /// The letters themselves.
    Letters { lower: bool },
}

/// How symbols become numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Alphabet {
    Piper(piper::Alphabet),
    Coqui(coqui::Alphabet),
}

/// The input `scales`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scales {
    pub noise: f32,
    /// More than 1 is slower.
    pub length: f32,
    /// Of the durations.
    pub noise_w: f32,
}

impl Scales {
    /// The same pace, without chance: equal input gives equal sound.
    #[must_use]
    pub const fn without_noise(self) -> Self {
        Self { noise: 0.0, noise_w: 0.0, ..self }
    }

    pub const fn as_array(self) -> [f32; 3] {
        [self.noise, self.length, self.noise_w]
    }
}

/// Who speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Speakers {
    pub count: usize,
    /// Numbers by name; the order of names says nothing.
    pub numbers: BTreeMap<String, i64>,
    /// The one that the file itself prefers.
    pub default: Option<i64>,
}

/// One inference.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub ids: Vec<i64>,
    /// Silence after it.
    pub pause_ms: u32,
}

/// What is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    #[error("it is no configuration of a voice: {0}")]
    Form(String),
    #[error("it has neither phoneme_id_map (Piper) nor characters (Coqui VITS)")]
    OtherKind,
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{key} {value:?} needs a front end that this program does not have")]
    FrontEnd { key: &'static str, value: String },
    #[error("sample_rate {0}: 8000 to 48000 are allowed")]
    Rate(u32),
    #[error("{0} is out of its range")]
    Range(&'static str),
    #[error("there is no speaker {name:?} in it; there are {known}")]
    UnknownSpeaker { name: String, known: String },
    #[error("it has {count} speakers and none is named; there are {known}")]
    NoSpeaker { count: usize, known: String },
    #[error("speaker {0:?} is named and it has only one voice")]
    OneSpeaker(String),
    #[error("it speaks several languages, and {0:?} is none of them")]
    Language(String),
}

impl Recipe {
    /// From the configuration, and for Coqui's voices the maps that lie beside it.
    pub fn parse(json: &str, maps: &Maps<'_>) -> Result<Self, RecipeError> {
        let form = |error: serde_json::Error| RecipeError::Form(error.to_string());
        let value: serde_json::Value = serde_json::from_str(json).map_err(form)?;
        let has = |key: &str| value.get(key).is_some_and(|value| !value.is_null());
        let recipe = match () {
            () if has("phoneme_id_map") => piper::recipe(value)?,
            () if has("characters") => coqui::recipe(value, maps)?,
            () => return Err(RecipeError::OtherKind),
        };
        if !(8_000..=48_000).contains(&recipe.rate_hz) {
            return Err(RecipeError::Rate(recipe.rate_hz));
        }
        let Scales { noise, length, noise_w } = recipe.scales;
        let is_sound = |scale: f32| (0.0..=10.0).contains(&scale);
        if !is_sound(noise) || !is_sound(noise_w) || !(0.1..=10.0).contains(&length) {
            return Err(RecipeError::Range("noise_scale, length_scale or noise_w"));
        }
        if recipe.speakers.numbers.values().any(|&number| number < 0) {
            return Err(RecipeError::Range("a speaker's number"));
        }
        Ok(recipe)
    }

    /// The inferences that symbols come to, and how many symbols the voice does not know.
    pub fn encode(&self, symbols: &str) -> (Vec<Run>, usize) {
        match &self.alphabet {
            Alphabet::Piper(alphabet) => alphabet.encode(symbols),
            Alphabet::Coqui(alphabet) => alphabet.encode(symbols),
        }
    }
}

/// Maps that Coqui keeps in files of their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Maps<'a> {
    pub speakers: Option<&'a str>,
    pub languages: Option<&'a str>,
}

impl Speakers {
    /// The number of the speaker of this name, of that which the file prefers, or `None` where there
    /// is only one. Never another speaker than the one that was named.
    pub fn number(&self, name: Option<&str>) -> Result<Option<i64>, RecipeError> {
        match name {
            Some(name) if self.count <= 1 && self.numbers.is_empty() => {
                Err(RecipeError::OneSpeaker(name.to_owned()))
            }
            Some(name) => {
                let unknown = || RecipeError::UnknownSpeaker {
                    name: name.chars().filter(|c| !c.is_control()).collect(),
                    known: self.known(),
                };
                self.numbers.get(name).copied().map(Some).ok_or_else(unknown)
            }
            None if self.count <= 1 => Ok(None),
            None => match self.default {
                Some(number) => Ok(Some(number)),
                None => Err(RecipeError::NoSpeaker { count: self.count, known: self.known() }),
            },
        }
    }

    fn known(&self) -> String {
        let plain = |name: &str| name.chars().filter(|c| !c.is_control()).collect::<String>();
        let first: Vec<String> = self.numbers.keys().take(NAMES_SHOWN).map(|n| plain(n)).collect();
        let more = self.numbers.len().saturating_sub(NAMES_SHOWN);
        match (first.is_empty(), more) {
            (true, _) => "no names".to_owned(),
            (false, 0) => first.join(", "),
            (false, more) => format!("{} and {more} more", first.join(", ")),
        }
    }
}
