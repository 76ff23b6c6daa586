//! Piper's voices: `NAME.onnx.json`, and symbols to numbers as the training did it. Pure.
//!
//! Source: the configuration and `phoneme_ids` of rhasspy/piper and OHF-Voice/piper1-gpl.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use super::recipe::{self, Reading, Recipe, RecipeError, Run, Scales, Speakers};

const PAD: &str = "_";
const BEGIN: &str = "^";
const END: &str = "$";

#[derive(Deserialize)]
struct Written {
    audio: Audio,
    espeak: Option<Espeak>,
    phoneme_type: Option<String>,
    phoneme_map: Option<HashMap<String, Vec<String>>>,
    phoneme_id_map: HashMap<String, Vec<i64>>,
    num_speakers: Option<usize>,
    speaker_id_map: Option<BTreeMap<String, i64>>,
    default_speaker_id: Option<i64>,
    #[serde(default)]
    inference: Inference,
    vowel_clusters: Option<Vec<Vec<String>>>,
}

#[derive(Deserialize)]
struct Audio {
    sample_rate: u32,
}

#[derive(Deserialize)]
struct Espeak {
    voice: String,
}

#[derive(Default, Deserialize)]
struct Inference {
    noise_scale: Option<f32>,
    length_scale: Option<f32>,
    noise_w: Option<f32>,
    phoneme_silence: Option<HashMap<String, f32>>,
}

/// Symbols and their numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Alphabet {
    ids: HashMap<String, Vec<i64>>,
    /// Replacements before anything is looked up.
    map: HashMap<String, Vec<String>>,
    /// Code points that are one symbol together, longest first.
    clusters: Vec<Vec<String>>,
    /// Silence after a symbol, at which the inference is cut.
    silences_ms: HashMap<String, u32>,
    pad: Vec<i64>,
    begin: Vec<i64>,
    end: Vec<i64>,
}

pub(super) fn recipe(value: serde_json::Value) -> Result<Recipe, RecipeError> {
    let form = |error: serde_json::Error| RecipeError::Form(error.to_string());
    let written: Written = serde_json::from_value(value).map_err(form)?;
    let kind = written.phoneme_type.as_deref().unwrap_or("espeak").to_ascii_lowercase();
    let reading = match (kind.as_str(), written.espeak) {
        ("espeak", Some(espeak)) => Reading::Espeak { voice: espeak.voice },
        ("espeak", None) => return Err(RecipeError::Missing("espeak.voice")),
        ("text", _) => Reading::Letters { lower: false },
        _ => return Err(RecipeError::FrontEnd { key: "phoneme_type", value: kind }),
    };
    let head = |symbol: &str, name| {
        let ids = written.phoneme_id_map.get(symbol).filter(|ids| !ids.is_empty());
        ids.cloned().ok_or(RecipeError::Missing(name))
    };
    let mut clusters = written.vowel_clusters.unwrap_or_default();
    clusters.retain(|cluster| cluster.len() > 1);
    clusters.sort_by_key(|cluster| std::cmp::Reverse(cluster.len()));
    let mut inference = written.inference;
    let silences = inference.phoneme_silence.take().unwrap_or_default();
    let alphabet = Alphabet {
        pad: head(PAD, "the pad _ in phoneme_id_map")?,
        begin: head(BEGIN, "the beginning ^ in phoneme_id_map")?,
        end: head(END, "the end $ in phoneme_id_map")?,
        map: written.phoneme_map.unwrap_or_default(),
        clusters,
        silences_ms: silences.into_iter().map(|(symbol, s)| (symbol, milliseconds(s))).collect(),
        ids: written.phoneme_id_map,
    };
    let numbers = written.speaker_id_map.unwrap_or_default();
    Ok(Recipe {
        rate_hz: written.audio.sample_rate,
        reading,
        alphabet: recipe::Alphabet::Piper(alphabet),
        scales: Scales {
            noise: inference.noise_scale.unwrap_or(0.667),
            length: inference.length_scale.unwrap_or(1.0),
            noise_w: inference.noise_w.unwrap_or(0.8),
        },
        speakers: Speakers {
            count: written.num_speakers.unwrap_or(numbers.len()),
            numbers,
            default: written.default_speaker_id,
        },
        languages: BTreeMap::new(),
    })
}

/// Up to two seconds; a longer one would be taken for the end of the sentence.
fn milliseconds(seconds: f32) -> u32 {
    (seconds.clamp(0.0, 2.0) * 1_000.0) as u32
}

impl Alphabet {
    /// `begin, pad, then each symbol and a pad, end`: the layout of the training.
    pub fn encode(&self, symbols: &str) -> (Vec<Run>, usize) {
        let symbols = self.clustered(self.mapped(symbols));
        let mut unknown = 0;
        let mut runs = Vec::new();
        let mut ids = self.opening();
        for symbol in symbols {
            match self.ids.get(&symbol) {
                Some(numbers) => {
                    ids.extend(numbers);
                    ids.extend(&self.pad);
                }
                None => unknown += 1,
            }
            if let Some(&pause_ms) = self.silences_ms.get(&symbol) {
                self.close(&mut ids, pause_ms, &mut runs);
            }
        }
        self.close(&mut ids, 0, &mut runs);
        (runs, unknown)
    }

    fn opening(&self) -> Vec<i64> {
        [&self.begin[..], &self.pad].concat()
    }

    fn close(&self, ids: &mut Vec<i64>, pause_ms: u32, runs: &mut Vec<Run>) {
        let opening = self.opening();
        if ids.len() > opening.len() {
            let mut ids = std::mem::replace(ids, opening);
            ids.extend(&self.end);
            runs.push(Run { ids, pause_ms });
        } else if let Some(last) = runs.last_mut() {
            last.pause_ms = last.pause_ms.max(pause_ms);
        }
    }

    /// Single code points of the decomposed text, replaced where the voice wants it.
    fn mapped(&self, symbols: &str) -> Vec<String> {
        let points = symbols.nfd().map(String::from);
        points
            .flat_map(|point| match self.map.get(&point) {
                Some(others) => others.clone(),
                None => vec![point],
            })
            .collect()
    }

    fn clustered(&self, symbols: Vec<String>) -> Vec<String> {
        if self.clusters.is_empty() {
            return symbols;
        }
        let mut merged = Vec::new();
        let mut rest = symbols.as_slice();
        while let Some((first, after)) = rest.split_first() {
            let cluster = self.clusters.iter().find(|cluster| rest.starts_with(cluster));
            match cluster {
                Some(cluster) => {
                    merged.push(cluster.concat());
                    rest = rest.get(cluster.len()..).unwrap_or_default();
                }
                None => {
                    merged.push(first.clone());
                    rest = after;
                }
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::recipe::Maps;
    use super::*;

    fn written() -> Value {
        json!({
            "audio": { "sample_rate": 22_050, "quality": "medium" },
            "espeak": { "voice": "en-us" },
            "inference": { "noise_scale": 0.333, "length_scale": 1.1, "noise_w": 0.4 },
            "phoneme_map": {},
            "phoneme_id_map": {
                "_": [0], "^": [1], "$": [2], " ": [3], "!": [4], "'": [5], "(": [6], ")": [7],
                ",": [8], "-": [9], ".": [10], "a": [14], "c": [16], "ˈ": [120], "ː": [122],
                "\u{327}": [140], "x": [50, 51],
            },
            "num_speakers": 1, "speaker_id_map": {},
        })
    }

    fn with(changes: Value) -> Result<Recipe, RecipeError> {
        let mut all = written();
        for (key, value) in changes.as_object().unwrap() {
            all[key] = value.clone();
        }
        Recipe::parse(&all.to_string(), &Maps::default())
    }

    fn ids(recipe: &Recipe, symbols: &str) -> (Vec<i64>, usize) {
        let (runs, unknown) = recipe.encode(symbols);
        (runs.into_iter().flat_map(|run| run.ids).collect(), unknown)
    }

    #[test]
    fn a_pad_follows_the_beginning_and_each_symbol_and_unknown_ones_are_counted() {
        let recipe = with(json!({})).unwrap();
        for (symbols, expected, unknown) in [
            ("a", vec![1, 0, 14, 0, 2], 0),
            ("aˈaː.", vec![1, 0, 14, 0, 120, 0, 14, 0, 122, 0, 10, 0, 2], 0),
            ("x", vec![1, 0, 50, 51, 0, 2], 0),
            ("a日a", vec![1, 0, 14, 0, 14, 0, 2], 1),
            // Decomposed: the cedilla is a symbol of its own.
            ("ç", vec![1, 0, 16, 0, 140, 0, 2], 0),
            ("日", vec![], 1),
            ("", vec![], 0),
        ] {
            assert_eq!(ids(&recipe, symbols), (expected, unknown), "{symbols}");
        }
        assert_eq!(recipe.rate_hz, 22_050);
        assert_eq!(recipe.scales, Scales { noise: 0.333, length: 1.1, noise_w: 0.4 });
        assert_eq!(recipe.reading, Reading::Espeak { voice: "en-us".to_owned() });
    }

    #[test]
    fn maps_clusters_and_silences_come_before_the_numbers() {
        let recipe = with(json!({
            "phoneme_map": { "a": ["x", "c"], "b": [] },
            "vowel_clusters": [["x", "c"]],
            "phoneme_id_map": { "_": [0], "^": [1], "$": [2], "xc": [9], "c": [16], ",": [8] },
            "inference": { "phoneme_silence": { ",": 0.25 } },
        }))
        .unwrap();
        assert_eq!(ids(&recipe, "abc"), (vec![1, 0, 9, 0, 16, 0, 2], 0));
        let (runs, _) = recipe.encode("c,c");
        assert_eq!(runs[0], Run { ids: vec![1, 0, 16, 0, 8, 0, 2], pause_ms: 250 });
        assert_eq!(runs[1], Run { ids: vec![1, 0, 16, 0, 2], pause_ms: 0 });
        // Defaults where the file says nothing.
        assert_eq!(recipe.scales, Scales { noise: 0.667, length: 1.0, noise_w: 0.8 });
    }

    #[test]
    fn a_speaker_is_found_by_name_and_never_guessed() {
        let many = with(json!({
            "num_speakers": 3, "speaker_id_map": { "p239": 0, "p227": 82, "p225": 107 },
        }))
        .unwrap();
        assert_eq!(many.speakers.number(Some("p227")), Ok(Some(82)));
        let error = many.speakers.number(Some("p999")).unwrap_err().to_string();
        assert!(error.contains("p999") && error.contains("p227"), "{error}");
        assert!(matches!(many.speakers.number(None), Err(RecipeError::NoSpeaker { count: 3, .. })));
        let one = with(json!({})).unwrap();
        assert_eq!(one.speakers.number(None), Ok(None));
        assert!(matches!(one.speakers.number(Some("p227")), Err(RecipeError::OneSpeaker(_))));
    }

    #[test]
    fn what_cannot_be_spoken_right_is_refused_by_its_key() {
        for (changes, named) in [
            (json!({ "phoneme_type": "pinyin" }), "pinyin"),
            (json!({ "espeak": null }), "espeak.voice"),
            (json!({ "audio": { "sample_rate": 4_000 } }), "4000"),
            (json!({ "phoneme_id_map": { "_": [0], "$": [2] } }), "^"),
            (json!({ "inference": { "length_scale": 0.0 } }), "length_scale"),
            (json!({ "speaker_id_map": { "a": -1 } }), "speaker"),
            (json!({ "phoneme_id_map": null }), "phoneme_id_map"),
            (json!({ "audio": null }), "sample_rate"),
        ] {
            let error = with(changes).unwrap_err().to_string();
            assert!(error.contains(named) || named == "sample_rate", "{named}: {error}");
        }
        let letters = with(json!({ "phoneme_type": "text", "espeak": null })).unwrap();
        assert_eq!(letters.reading, Reading::Letters { lower: false });
        assert!(Recipe::parse("[", &Maps::default()).is_err());
    }
}
