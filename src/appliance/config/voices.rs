//! Voices as the configuration names them.

use std::path::{Path, PathBuf};

use super::checked::Config;
use super::model_file::ModelFile;
use super::values::{Allowed, Voice, allowed};
use crate::speech::neural::NeuralSettings;
use crate::store::shelf::manifest::{Kind, Manifest};

/// How a graph's file ends.
const GRAPH: &str = ".onnx";
/// Bytes of a voice with its speaker: it is a name in messages to the engine.
const WRITTEN_BYTES: usize = 250;
const SPEAKER_CHARS: usize = 64;

/// A neural voice: `NAME` of the shelf or a file `NAME.onnx`, with `:SPEAKER` or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeuralVoice {
    /// As it was written, which is its name everywhere.
    pub written: String,
    pub graph: ModelFile,
    pub speaker: Option<String>,
    /// What the shelf says that it speaks; `None`: nobody knows.
    languages: Option<Vec<String>>,
    /// What the manifest says of the file beside the graph.
    config_sha256: Option<[u8; 32]>,
}

impl TryFrom<&str> for Voice {
    type Error = Allowed;

    fn try_from(text: &str) -> Result<Self, Allowed> {
        match text.split_once(':') {
            None if text == "slt" => Ok(Self::Slt),
            Some(("espeak", language)) if is_voice_name(language) => {
                Ok(Self::Espeak { language: language.to_owned() })
            }
            _ => match neural(text) {
                Some(voice) => Ok(Self::Neural(voice)),
                None => allowed(
                    "slt, espeak:LANGUAGE as in espeak:de, a voice of `attendant models list` that \
                     is an ONNX file, or such a file of your own (NAME.onnx); with several speakers \
                     :SPEAKER after it",
                ),
            },
        }
    }
}

/// What espeak-ng calls a voice; the name reaches its command line, so it is narrow.
fn is_voice_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '+';
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 32
        && text.chars().all(plain)
}

fn neural(text: &str) -> Option<NeuralVoice> {
    if text.len() > WRITTEN_BYTES || text.chars().any(char::is_control) {
        return None;
    }
    let (voice, speaker) = match text.rsplit_once(':') {
        Some((voice, speaker)) if !speaker.contains('/') && !speaker.ends_with(GRAPH) => {
            (voice, Some(speaker))
        }
        _ => (text, None),
    };
    let is_speaker = |name: &str| (1..=SPEAKER_CHARS).contains(&name.chars().count());
    if !speaker.is_none_or(is_speaker) {
        return None;
    }
    let own = NeuralVoice {
        written: text.to_owned(),
        graph: ModelFile::of_path(voice.into()),
        speaker: speaker.map(str::to_owned),
        languages: None,
        config_sha256: None,
    };
    let known = Manifest::known().find(voice).filter(|model| model.kind == Kind::Voice);
    let Some(model) = known else { return voice.ends_with(GRAPH).then_some(own) };
    let [graph, config] = model.files.as_slice() else { return None };
    graph.name.ends_with(GRAPH).then(|| NeuralVoice {
        graph: ModelFile::shelved(&model.name, graph),
        speaker: own.speaker.or_else(|| model.speaker.clone()),
        languages: Some(model.languages.clone()),
        config_sha256: config.sha256,
        written: own.written,
    })
}

impl NeuralVoice {
    /// Whether the shelf says that it speaks this language; nobody knows it of other files.
    pub(super) fn may_speak(&self, code: &str) -> bool {
        let languages = self.languages.as_ref();
        languages.is_none_or(|languages| languages.iter().any(|known| known == code))
    }

    fn settings(&self, language: &str) -> NeuralSettings {
        NeuralSettings {
            name: self.written.clone(),
            graph: self.graph.path.clone(),
            graph_hash: self.graph.hash(),
            config_hash: self.graph.hash_beside(self.config_sha256),
            speaker: self.speaker.clone(),
            language: language.to_owned(),
        }
    }
}

impl Config {
    /// Every voice that is written somewhere.
    pub(super) fn neural_voices_mut(&mut self) -> impl Iterator<Item = &mut NeuralVoice> {
        let others = self.languages.iter_mut().filter_map(|language| language.voice.as_mut());
        std::iter::once(&mut self.speech.voice).chain(others).filter_map(|voice| match voice {
            Voice::Neural(voice) => Some(voice),
            Voice::Slt | Voice::Espeak { .. } => None,
        })
    }

    /// The neural voices for the engine, each once, the default language's first.
    pub fn neural(&self) -> Vec<(String, NeuralSettings)> {
        let default = self.speech.language.map_or("en".to_owned(), |code| code.to_string());
        let others = self
            .languages
            .iter()
            .filter_map(|language| Some((language.code?.to_string(), language.voice.as_ref()?)));
        let mut voices: Vec<(String, NeuralSettings)> = Vec::new();
        for (language, voice) in std::iter::once((default, &self.speech.voice)).chain(others) {
            let Voice::Neural(voice) = voice else { continue };
            if !voices.iter().any(|(_, known)| known.name == voice.written) {
                let key = match voices.is_empty() && self.speech.voice.is(voice) {
                    true => "speech.voice".to_owned(),
                    false => format!("language.{language}.voice"),
                };
                voices.push((key, voice.settings(&language)));
            }
        }
        voices
    }

    /// The shelf's name of a voice that is named as the shelf names it.
    pub fn shelved_voice(&self, written: &str) -> Option<&str> {
        let others = self.languages.iter().filter_map(|language| language.voice.as_ref());
        std::iter::once(&self.speech.voice).chain(others).find_map(|voice| match voice {
            Voice::Neural(voice) if voice.written == written => {
                voice.graph.shelved.as_ref().map(|shelved| shelved.name.as_str())
            }
            _ => None,
        })
    }

    /// Where the engine keeps rendered phrases in the state folder, and how many bytes.
    pub fn kept_phrases(&self, state: &Path) -> Option<(PathBuf, u64)> {
        let bytes = u64::from(self.speech.phrases_mb) * 1_000_000;
        (bytes > 0).then(|| (state.join("phrases"), bytes))
    }
}

impl Voice {
    fn is(&self, voice: &NeuralVoice) -> bool {
        matches!(self, Self::Neural(own) if own == voice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::model::Hash;

    fn neural_of(text: &str) -> Option<NeuralVoice> {
        match Voice::try_from(text) {
            Ok(Voice::Neural(voice)) => Some(voice),
            _ => None,
        }
    }

    #[test]
    fn a_voice_is_a_name_of_the_shelf_or_a_file_with_its_speaker() {
        let table = [
            ("en_US-joe-medium", "en_US-joe-medium.onnx", None),
            ("en_GB-vctk-medium", "en_GB-vctk-medium.onnx", Some("p227")),
            ("en_GB-vctk-medium:p225", "en_GB-vctk-medium.onnx", Some("p225")),
            ("/srv/firm.onnx", "/srv/firm.onnx", None),
            ("firm.onnx:VCTK_p227", "firm.onnx", Some("VCTK_p227")),
            ("/a:b/firm.onnx", "/a:b/firm.onnx", None),
        ];
        for (text, graph, speaker) in table {
            let voice = neural_of(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(
                (voice.graph.path.to_str(), voice.speaker.as_deref()),
                (Some(graph), speaker)
            );
            assert_eq!(voice.written, text);
        }
        // An archive of PyTorch weights is no graph; neither is a model that hears.
        let long = format!("{}.onnx", "a".repeat(WRITTEN_BYTES));
        for text in ["coqui-en-vctk", "small.en", "amy", "amy:p227", "a.onnx:", "a\n.onnx", &long] {
            assert!(Voice::try_from(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_shelf_and_relative_paths_and_hashes_are_resolved() {
        let mut voice = neural_of("en_US-joe-medium").unwrap();
        voice.graph.resolve("/etc/attendant".as_ref());
        voice.graph.take_from("/state/models".as_ref());
        let settings = voice.settings("en");
        assert_eq!(settings.graph, Path::new("/state/models/en_US-joe-medium.onnx"));
        assert!(matches!(
            (settings.graph_hash, settings.config_hash),
            (Hash::Known(_), Hash::Known(_))
        ));
        assert!(voice.may_speak("en") && !voice.may_speak("de"));

        let mut vctk = neural_of("en_GB-vctk-medium").unwrap();
        vctk.graph.take_from("/state/models".as_ref());
        assert_eq!(vctk.settings("en").graph_hash, Hash::Pinned);

        let mut own = neural_of("firm.onnx").unwrap();
        own.graph.resolve("/etc/attendant".as_ref());
        own.graph.take_from("/state/models".as_ref());
        let settings = own.settings("en");
        assert_eq!(settings.graph, Path::new("/etc/attendant/firm.onnx"));
        assert_eq!(settings.graph_hash, Hash::PinnedIfAny);
        assert!(own.may_speak("de"));
    }
}
