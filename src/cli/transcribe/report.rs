//! What was heard in one file, for people and as JSON.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::listen::{Guards, Heard, Recognition, WordSpan};

/// One utterance and its words.
pub(super) struct Spoken {
    pub start_ms: u64,
    pub end_ms: u64,
    pub decode_ms: u32,
    pub heard: Heard,
    /// What was kept from being taken for words.
    pub guards: Guards,
    /// What the engine gave for each piece, from which confidence was made.
    pub recognitions: Vec<Recognition>,
}

/// One file.
pub(super) struct FileReport {
    path: PathBuf,
    duration_ms: u64,
    is_cut: bool,
    pub utterances: Vec<Spoken>,
}

impl FileReport {
    pub(super) fn new(path: &Path, duration_ms: u64, is_cut: bool) -> Self {
        Self { path: path.to_path_buf(), duration_ms, is_cut, utterances: Vec::new() }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // A string takes all that is written to it.
        let _ = writeln!(text, "{}  {:.1} s", self.path.display(), seconds(self.duration_ms));
        if self.utterances.is_empty() {
            let _ = writeln!(text, "  nobody speaks");
        }
        for spoken in &self.utterances {
            let (from, to) = (seconds(spoken.start_ms), seconds(spoken.end_ms));
            let _ = write!(text, "  {from:7.2} - {to:6.2} s  ");
            let _ = match &spoken.heard {
                Heard::Words { text: words, confidence, .. } => {
                    writeln!(text, "{confidence:4.2}  {}", words.reveal())
                }
                Heard::Unclear => writeln!(text, "      (not understood)"),
                Heard::Nothing => writeln!(text, "      (no speech)"),
            };
        }
        text
    }

    pub(super) fn json(&self, model: &str) -> Value {
        let utterances: Vec<Value> = self.utterances.iter().map(Spoken::json).collect();
        json!({
            "file": self.path.to_string_lossy(),
            "model": model,
            "duration_ms": self.duration_ms,
            "truncated": self.is_cut,
            "utterances": utterances,
        })
    }
}

impl Spoken {
    fn json(&self) -> Value {
        let (heard, text, confidence, words) = match &self.heard {
            Heard::Words { text, confidence, words } => {
                ("words", text.reveal().as_str(), *confidence, words.as_slice())
            }
            Heard::Unclear => ("unclear", "", 0.0, &[][..]),
            Heard::Nothing => ("nothing", "", 0.0, &[][..]),
        };
        let words: Vec<Value> = words
            .iter()
            .map(|word| {
                let place = text.get(word.range.clone());
                json!({ "word": place, "confidence": rounded(word.confidence) })
            })
            .collect();
        let evidence: Vec<Value> = self.recognitions.iter().map(evidence).collect();
        let guards: Vec<&str> = self.guards.counts().map(|(guard, _)| guard.name()).collect();
        json!({
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "heard": heard,
            "text": text,
            "confidence": rounded(confidence),
            "words": words,
            "guards": guards,
            "evidence": evidence,
            "decode_ms": self.decode_ms,
        })
    }
}

/// The model's own probabilities, uncalibrated, and its text as it wrote it.
fn evidence(recognition: &Recognition) -> Value {
    let text = recognition.text.reveal();
    let word = |span: &WordSpan| {
        let word = text.get(span.start as usize..span.end as usize);
        json!([word, rounded(span.probability)])
    };
    let words: Vec<Value> = recognition.words.iter().map(word).collect();
    json!({
        "text": text,
        "words": words,
        "ending": rounded(recognition.ending),
        "no_speech": rounded(recognition.no_speech),
    })
}

/// A file that could not be heard.
pub(super) fn failure(path: &Path, reason: &str) -> Value {
    json!({ "file": path.to_string_lossy(), "error": reason })
}

/// Four places: more is noise.
fn rounded(value: f32) -> f64 {
    (f64::from(value) * 10_000.0).round() / 10_000.0
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
