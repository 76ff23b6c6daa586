//! Coqui's VITS voices: `config.json`, `speaker_ids.json`, and symbols to numbers by the vocabulary.
//! Pure.
//!
//! Source: `TTSTokenizer`, `VitsCharacters` and `Vits.export_onnx` of coqui-ai/TTS.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::recipe::{self, Maps, Reading, Recipe, RecipeError, Run, Scales, Speakers};

const VITS_CHARACTERS: &str = "VitsCharacters";

#[derive(Deserialize)]
struct Written {
    audio: Audio,
    characters: Characters,
    #[serde(default)]
    add_blank: Option<bool>,
    #[serde(default)]
    use_phonemes: bool,
    phonemizer: Option<String>,
    phoneme_language: Option<String>,
    text_cleaner: Option<String>,
    num_speakers: Option<usize>,
    #[serde(default)]
    model_args: ModelArguments,
}

#[derive(Deserialize)]
struct Audio {
    sample_rate: u32,
}

#[derive(Deserialize)]
struct Characters {
    characters_class: Option<String>,
    pad: Option<String>,
    #[serde(default)]
    punctuations: Option<String>,
    #[serde(default)]
    characters: Option<String>,
    /// IPA, where it is kept apart.
    #[serde(default)]
    phonemes: Option<String>,
}

#[derive(Default, Deserialize)]
struct ModelArguments {
    num_speakers: Option<usize>,
    inference_noise_scale: Option<f32>,
    length_scale: Option<f32>,
    inference_noise_scale_dp: Option<f32>,
}

/// Symbols and their numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Alphabet {
    ids: HashMap<char, i64>,
    /// Stands before, between and after all symbols.
    blank: Option<i64>,
}

pub(super) fn recipe(value: serde_json::Value, maps: &Maps<'_>) -> Result<Recipe, RecipeError> {
    let form = |error: serde_json::Error| RecipeError::Form(error.to_string());
    let written: Written = serde_json::from_value(value).map_err(form)?;
    let map = |text: Option<&str>| -> Result<BTreeMap<String, i64>, RecipeError> {
        text.map_or_else(|| Ok(BTreeMap::new()), |text| serde_json::from_str(text).map_err(form))
    };
    let numbers = map(maps.speakers)?;
    let arguments = &written.model_args;
    let count = arguments.num_speakers.or(written.num_speakers).unwrap_or(0).max(numbers.len());
    Ok(Recipe {
        rate_hz: written.audio.sample_rate,
        reading: reading(&written)?,
        scales: Scales {
            noise: arguments.inference_noise_scale.unwrap_or(0.667),
            length: arguments.length_scale.unwrap_or(1.0),
            noise_w: arguments.inference_noise_scale_dp.unwrap_or(1.0),
        },
        speakers: Speakers { count, numbers, default: None },
        languages: map(maps.languages)?,
        alphabet: recipe::Alphabet::Coqui(alphabet(&written)?),
    })
}

fn reading(written: &Written) -> Result<Reading, RecipeError> {
    if !written.use_phonemes {
        // `phoneme_cleaners` and `no_cleaners` keep capitals.
        let cleaner = written.text_cleaner.as_deref().unwrap_or_default();
        let keeps = matches!(cleaner, "" | "no_cleaners" | "phoneme_cleaners");
        return Ok(Reading::Letters { lower: !keeps });
    }
    match written.phonemizer.as_deref() {
        None | Some("espeak") => {}
        Some(other) => {
            let value = other.to_owned();
            return Err(RecipeError::FrontEnd { key: "phonemizer", value });
        }
    }
    let voice = written.phoneme_language.clone().filter(|language| !language.is_empty());
    Ok(Reading::Espeak { voice: voice.ok_or(RecipeError::Missing("phoneme_language"))? })
}

/// The vocabulary: pad, punctuation, characters, IPA, blank; a number is the place in it. A
/// character that stands there twice has the number of the last place.
fn alphabet(written: &Written) -> Result<Alphabet, RecipeError> {
    let characters = &written.characters;
    let class = characters.characters_class.as_deref().unwrap_or(VITS_CHARACTERS);
    if class.rsplit('.').next() != Some(VITS_CHARACTERS) {
        let value = class.to_owned();
        return Err(RecipeError::FrontEnd { key: "characters_class", value });
    }
    let pad = characters.pad.as_deref().filter(|pad| !pad.is_empty());
    let pad = pad.ok_or(RecipeError::Missing("characters.pad"))?;
    let letters = characters.characters.as_deref();
    let letters = letters.ok_or(RecipeError::Missing("characters.characters"))?;
    let punctuations = characters.punctuations.as_deref().unwrap_or_default();
    let ipa = characters.phonemes.as_deref().unwrap_or_default();
    let mut ids = HashMap::new();
    // A pad of several characters is one symbol, which no text has.
    if let (Some(pad), None) = (pad.chars().next(), pad.chars().nth(1)) {
        ids.insert(pad, 0);
    }
    let mut next = 1;
    for symbol in punctuations.chars().chain(letters.chars()).chain(ipa.chars()) {
        ids.insert(symbol, next);
        next += 1;
    }
    // The class's own default is true.
    let blank = written.add_blank.unwrap_or(true).then_some(next);
    Ok(Alphabet { ids, blank })
}

impl Alphabet {
    /// Without a beginning or end of its own; with blanks there are `2 n + 1` numbers.
    pub fn encode(&self, symbols: &str) -> (Vec<Run>, usize) {
        let known: Vec<i64> =
            symbols.chars().filter_map(|symbol| self.ids.get(&symbol).copied()).collect();
        let unknown = symbols.chars().count() - known.len();
        if known.is_empty() {
            return (Vec::new(), unknown);
        }
        let ids = match self.blank {
            None => known,
            Some(blank) => {
                let pairs = known.into_iter().flat_map(|id| [id, blank]);
                std::iter::once(blank).chain(pairs).collect()
            }
        };
        (vec![Run { ids, pause_ms: 0 }], unknown)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SPEAKERS: &str = r#"{"ED\n": 0, "p225": 1, "p226": 2, "p227": 3}"#;

    fn written() -> Value {
        json!({
            "model": "vits",
            "audio": { "sample_rate": 22_050 },
            "use_phonemes": true, "phonemizer": "espeak", "phoneme_language": "en-us",
            "add_blank": true,
            "characters": {
                "characters_class": "TTS.tts.models.vits.VitsCharacters",
                "pad": "_", "punctuations": ";,. ", "characters": "ab", "phonemes": "əˈ",
            },
            "model_args": { "num_speakers": 4, "length_scale": 1.2 },
        })
    }

    fn with(changes: Value, speakers: Option<&str>) -> Result<Recipe, RecipeError> {
        let mut all = written();
        for (key, value) in changes.as_object().unwrap() {
            all[key] = value.clone();
        }
        Recipe::parse(&all.to_string(), &Maps { speakers, languages: None })
    }

    fn ids(recipe: &Recipe, symbols: &str) -> (Vec<i64>, usize) {
        let (runs, unknown) = recipe.encode(symbols);
        (runs.into_iter().flat_map(|run| run.ids).collect(), unknown)
    }

    #[test]
    fn the_vocabulary_is_pad_punctuation_characters_ipa_blank() {
        let recipe = with(json!({}), Some(SPEAKERS)).unwrap();
        // _ ; , . space a b ə ˈ <BLNK>
        assert_eq!(ids(&recipe, "a"), (vec![9, 5, 9], 0));
        assert_eq!(ids(&recipe, "ˈab, ə."), {
            (vec![9, 8, 9, 5, 9, 6, 9, 2, 9, 4, 9, 7, 9, 3, 9], 0)
        });
        assert_eq!(ids(&recipe, "a日b"), (vec![9, 5, 9, 6, 9], 1));
        assert_eq!(ids(&recipe, "日"), (vec![], 1));
        let plain = with(json!({ "add_blank": false }), Some(SPEAKERS)).unwrap();
        assert_eq!(ids(&plain, "ab"), (vec![5, 6], 0));
        assert_eq!(recipe.scales, Scales { noise: 0.667, length: 1.2, noise_w: 1.0 });
    }

    #[test]
    fn a_character_that_stands_twice_has_its_last_place() {
        let characters = json!({ "pad": "_", "punctuations": ".", "characters": "aba" });
        let recipe = with(json!({ "characters": characters }), Some(SPEAKERS)).unwrap();
        assert_eq!(ids(&recipe, "ab"), (vec![5, 4, 5, 3, 5], 0));
    }

    #[test]
    fn the_same_name_is_another_number_than_pipers() {
        let recipe = with(json!({}), Some(SPEAKERS)).unwrap();
        assert_eq!(recipe.speakers.number(Some("p227")), Ok(Some(3)));
        assert!(recipe.speakers.number(Some("VCTK_p227")).is_err());
        assert!(recipe.speakers.number(None).is_err());
        let without = with(json!({}), None).unwrap();
        let error = without.speakers.number(Some("p227")).unwrap_err().to_string();
        assert!(error.contains("no names"), "{error}");
    }

    #[test]
    fn letters_are_small_where_the_cleaner_makes_them_so() {
        let cleaner = |name| json!({ "use_phonemes": false, "text_cleaner": name });
        let lower = |name| with(cleaner(name), None).unwrap().reading;
        assert_eq!(lower("english_cleaners"), Reading::Letters { lower: true });
        assert_eq!(lower("no_cleaners"), Reading::Letters { lower: false });
    }

    #[test]
    fn another_front_end_is_refused_by_name() {
        for (changes, named) in [
            (json!({ "phonemizer": "gruut" }), "gruut"),
            (json!({ "phoneme_language": null }), "phoneme_language"),
            (json!({ "characters": { "characters_class": "IPAPhonemes" } }), "IPAPhonemes"),
            (json!({ "characters": { "characters": "ab" } }), "pad"),
            (json!({ "characters": { "pad": "_" } }), "characters.characters"),
            (json!({ "characters": null }), "neither"),
        ] {
            let error = with(changes, None).unwrap_err().to_string();
            assert!(error.contains(named), "{named}: {error}");
        }
    }
}
