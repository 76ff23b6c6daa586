//! Which models there are: the manifest inside the program, or one of the same form that the owner
//! names. Strict: an unknown key, a doubtful name or address refuses the whole file. Pure.

use std::collections::HashSet;
use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::OWN_ENDINGS;
use super::address::{Address, AddressError};
use crate::base::limits;
use crate::speech::model::parse_sha256;

const KNOWN: &str = include_str!("manifest.toml");

/// The models that can be had, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    models: Vec<Model>,
}

/// One model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    pub name: String,
    pub kind: Kind,
    /// An SPDX name, or words.
    pub licence: String,
    /// Codes of two or three letters, or `many` alone.
    pub languages: Vec<String>,
    /// About what it needs at work.
    pub memory_bytes: u64,
    /// The speaker that is used, of a voice with several.
    pub speaker: Option<String>,
    /// None for an LLM, which Ollama keeps; else the one that is loaded comes first.
    pub files: Vec<ModelFile>,
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// In the folder of the shelf; no other model has one of this name.
    pub name: String,
    pub address: Address,
    /// `None`: learnt from the server.
    pub bytes: Option<u64>,
    /// `None`: learnt on the first pull and pinned beside the file.
    pub sha256: Option<[u8; 32]>,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Whisper,
    Voice,
    Turn,
    Llm,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Whisper => "whisper",
            Self::Voice => "voice",
            Self::Turn => "turn",
            Self::Llm => "llm",
        })
    }
}

/// What is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("not a manifest of models: {0}")]
    Form(String),
    #[error("model {model}: {fault}")]
    Model { model: String, fault: Fault },
}

/// What is wrong with one entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("name: 1 to 64 letters, digits and . _ - + : are allowed, a letter or digit first")]
    Name,
    #[error("there are two of this name")]
    Twice,
    #[error("{key} is empty or too long")]
    Text { key: &'static str },
    #[error("languages: codes of two or three small letters, or \"many\" alone")]
    Languages,
    #[error("memory_mb: 1 to 1000000")]
    Memory,
    #[error("speaker: only a voice has one")]
    Speaker,
    #[error("file: 1 to {} files, none for an llm", limits::MODEL_FILES)]
    Files,
    #[error("file.url: {0}")]
    Address(#[from] AddressError),
    #[error(
        "file.name {0:?}: 1 to 128 letters, digits and . _ - + are allowed, a letter or digit first, and no end that the shelf uses itself"
    )]
    FileName(String),
    #[error("file {0}: another one has this name")]
    FileTwice(String),
    #[error("file.bytes: 1 to {}", limits::MODEL_BYTES)]
    Bytes,
    #[error("file.sha256: 64 hexadecimal digits")]
    Sha256,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    model: Vec<WrittenModel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenModel {
    name: String,
    kind: Kind,
    licence: String,
    languages: Vec<String>,
    memory_mb: u64,
    speaker: Option<String>,
    #[serde(default)]
    file: Vec<WrittenFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    url: String,
    name: Option<String>,
    bytes: Option<u64>,
    sha256: Option<String>,
}

impl Manifest {
    /// The one inside the program.
    pub fn known() -> &'static Self {
        static MANIFEST: OnceLock<Manifest> = OnceLock::new();
        MANIFEST.get_or_init(|| Self::parse(KNOWN).expect("a test parses it"))
    }

    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let written: Written =
            toml::from_str(text).map_err(|error| ManifestError::Form(error.to_string()))?;
        if written.model.is_empty() || written.model.len() > limits::MANIFEST_MODELS {
            let most = limits::MANIFEST_MODELS;
            return Err(ManifestError::Form(format!("1 to {most} models are allowed")));
        }
        let mut names = HashSet::new();
        let mut files = HashSet::new();
        let mut models = Vec::new();
        for written in written.model {
            let name = written.name.clone();
            let fault = |fault| ManifestError::Model { model: printable(&name), fault };
            let model = model(written).map_err(fault)?;
            if !names.insert(model.name.clone()) {
                return Err(fault(Fault::Twice));
            }
            for file in &model.files {
                if !files.insert(file.name.clone()) {
                    return Err(fault(Fault::FileTwice(file.name.clone())));
                }
            }
            models.push(model);
        }
        Ok(Self { models })
    }

    pub fn models(&self) -> &[Model] {
        &self.models
    }

    pub fn find(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.name == name)
    }

    /// The known name that looks most like `name`, for a message.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let shared = |known: &str| {
            let alike = |(a, b): &(char, char)| a.eq_ignore_ascii_case(b);
            known.chars().zip(name.chars()).take_while(alike).count()
        };
        let names = self.models.iter().map(|model| model.name.as_str());
        // Of several that begin alike the first; `max_by_key` would give the last.
        let best = names.rev().max_by_key(|known| shared(known))?;
        (shared(best) > 1).then_some(best)
    }
}

impl Model {
    /// Of all files, if each is known.
    pub fn bytes(&self) -> Option<u64> {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

fn model(written: WrittenModel) -> Result<Model, Fault> {
    if !is_name(&written.name, 64, "._-+:") {
        return Err(Fault::Name);
    }
    let text = |key, text: &str| match text.trim().is_empty() || text.len() > 200 {
        true => Err(Fault::Text { key }),
        false => Ok(()),
    };
    text("licence", &written.licence)?;
    if let Some(speaker) = &written.speaker {
        text("speaker", speaker)?;
        if written.kind != Kind::Voice {
            return Err(Fault::Speaker);
        }
    }
    let is_code = |code: &String| {
        (2..=3).contains(&code.len()) && code.chars().all(|c| c.is_ascii_lowercase())
    };
    let many = written.languages == ["many"];
    if !many && (written.languages.is_empty() || !written.languages.iter().all(is_code)) {
        return Err(Fault::Languages);
    }
    if !(1..=1_000_000).contains(&written.memory_mb) {
        return Err(Fault::Memory);
    }
    let wanted = if written.kind == Kind::Llm { 0..=0 } else { 1..=limits::MODEL_FILES };
    if !wanted.contains(&written.file.len()) {
        return Err(Fault::Files);
    }
    Ok(Model {
        name: written.name,
        kind: written.kind,
        licence: written.licence,
        languages: written.languages,
        memory_bytes: written.memory_mb * 1_000_000,
        speaker: written.speaker,
        files: written.file.into_iter().map(file).collect::<Result<_, _>>()?,
    })
}

fn file(written: WrittenFile) -> Result<ModelFile, Fault> {
    let address = Address::parse(&written.url)?;
    let name = written.name.or_else(|| address.file_name().map(str::to_owned)).unwrap_or_default();
    if is_ours(&name) || !is_name(&name, 128, "._-+") {
        return Err(Fault::FileName(printable(&name)));
    }
    if written.bytes.is_some_and(|bytes| !(1..=limits::MODEL_BYTES).contains(&bytes)) {
        return Err(Fault::Bytes);
    }
    let sha256 = match written.sha256 {
        None => None,
        Some(text) if text.len() == 64 => Some(parse_sha256(&text).ok_or(Fault::Sha256)?),
        Some(_) => return Err(Fault::Sha256),
    };
    Ok(ModelFile { name, address, bytes: written.bytes, sha256 })
}

/// Whether the name is like one of those that the shelf makes of a model file's.
pub fn is_ours(name: &str) -> bool {
    OWN_ENDINGS.iter().any(|ending| name.to_ascii_lowercase().ends_with(ending))
}

/// The name becomes a file name and a word on a command line, so it is narrow.
fn is_name(text: &str, most: usize, marks: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= most
        && text.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: &str = "[[model]]\nname = \"m\"\nkind = \"whisper\"\nlicence = \"MIT\"\n\
                         languages = [\"en\"]\nmemory_mb = 10\n";
    const FILE: &str = "[[model.file]]\nurl = \"https://example.org/m.bin\"\n";

    #[test]
    fn the_manifest_inside_the_program_is_sound() {
        let manifest = Manifest::known();
        for model in manifest.models() {
            for file in &model.files {
                assert!(file.address.is_secure(), "{}", file.address);
            }
            let hashed = model.files.iter().all(|f| f.bytes.is_some() && f.sha256.is_some());
            assert!(hashed || model.kind != Kind::Whisper, "{}", model.name);
        }
        let sizes = ["tiny", "base", "small", "medium"];
        for size in sizes {
            let quantised = if size == "medium" { "q5_0" } else { "q5_1" };
            for name in [size.to_owned(), format!("{size}.en"), format!("{size}.en-{quantised}")] {
                let model = manifest.find(&name).unwrap();
                assert_eq!(model.kind, Kind::Whisper);
                let language = if name.contains(".en") { "en" } else { "many" };
                assert_eq!(model.languages, [language], "{name}");
                assert_eq!(model.files[0].name, format!("ggml-{name}.bin"));
            }
        }
        for name in ["large-v3", "large-v3-turbo", "large-v3-turbo-q5_0"] {
            assert!(manifest.find(name).is_some(), "{name}");
        }
        let vctk = manifest.find("en_GB-vctk-medium").unwrap();
        assert_eq!(vctk.speaker.as_deref(), Some("p227"));
        assert_eq!(vctk.files[1].name, "en_GB-vctk-medium.onnx.json");
        for language in ["en", "ru", "de", "es", "fr"] {
            let speaks = |model: &&Model| {
                model.kind == Kind::Voice && model.languages.iter().any(|l| l == language)
            };
            assert!(manifest.models().iter().any(|model| speaks(&model)), "{language}");
        }
        for kind in [Kind::Turn, Kind::Llm] {
            assert!(manifest.models().iter().any(|model| model.kind == kind));
        }
    }

    #[test]
    fn a_file_is_called_as_its_address_ends_unless_it_has_a_name() {
        let manifest = Manifest::parse(&format!("{MODEL}{FILE}")).unwrap();
        assert_eq!(manifest.models()[0].files[0].name, "m.bin");
        let manifest = Manifest::parse(&format!("{MODEL}{FILE}name = \"n.bin\"\n")).unwrap();
        assert_eq!(manifest.models()[0].files[0].name, "n.bin");
    }

    #[test]
    fn whatever_is_doubtful_refuses_the_file() {
        let whole = format!("{MODEL}{FILE}");
        for (from, to, named) in [
            ("name = \"m\"", "name = \"\"", "name"),
            ("name = \"m\"", "name = \"../m\"", "name"),
            ("name = \"m\"", "name = \"-m\"", "name"),
            ("whisper", "robot", "robot"),
            ("\"MIT\"", "\" \"", "licence"),
            ("[\"en\"]", "[]", "languages"),
            ("[\"en\"]", "[\"English\"]", "languages"),
            ("[\"en\"]", "[\"en\", \"many\"]", "languages"),
            ("memory_mb = 10", "memory_mb = 0", "memory_mb"),
            ("memory_mb = 10", "memory_mb = -1", "memory_mb"),
            ("memory_mb = 10", "memory_mb = 10\nspeaker = \"s\"", "speaker"),
            ("memory_mb = 10", "memory_mb = 10\ncolour = 1", "colour"),
            ("whisper", "llm", "file"),
            ("https://example.org", "http://example.org", "https"),
            ("https://example.org", "file://", "url"),
            ("m.bin\"", "m.bin\"\nname = \"a/b\"", "file.name"),
            ("m.bin\"", "m.bin\"\nname = \"..\"", "file.name"),
            ("m.bin\"", "m.bin\"\nname = \".m\"", "file.name"),
            ("m.bin\"", "m.bin\"\nname = \"m.sha256\"", "file.name"),
            ("m.bin\"", "m.bin\"\nname = \"m.partial\"", "file.name"),
            ("m.bin\"", "m.bin\"\nname = \"m.note\"", "file.name"),
            ("m.bin\"", "m.bin\"\nname = \"m.sha256.New\"", "file.name"),
            ("m.bin\"", "m.bin\"\nbytes = 0", "bytes"),
            ("m.bin\"", "m.bin\"\nbytes = 99999999999999", "bytes"),
            ("m.bin\"", "m.bin\"\nsha256 = \"00\"", "sha256"),
            ("m.bin\"", "m.bin\"\nmd5 = \"00\"", "md5"),
        ] {
            let text = whole.replacen(from, to, 1);
            let error = Manifest::parse(&text).expect_err(&text).to_string();
            assert!(error.contains(named), "{named}: {error}");
        }
        for (text, named) in [
            (format!("{whole}{whole}"), "two of this name"),
            (format!("{whole}{}{FILE}", MODEL.replace("\"m\"", "\"n\"")), "another one"),
            (format!("{whole}{}", FILE.repeat(limits::MODEL_FILES)), "file"),
            (MODEL.to_owned(), "file"),
            (String::new(), "model"),
        ] {
            let error = Manifest::parse(&text).expect_err(&text).to_string();
            assert!(error.contains(named), "{named}: {error}");
        }
    }

    #[test]
    fn a_name_with_a_slip_finds_the_one_that_was_meant() {
        for (written, meant) in [
            ("small.en-q5", Some("small.en-q5_1")),
            ("Large-v3-turbo", Some("large-v3-turbo")),
            ("en_GB-vctk", Some("en_GB-vctk-medium")),
            ("zebra", None),
        ] {
            assert_eq!(Manifest::known().nearest(written), meant, "{written}");
        }
    }
}
