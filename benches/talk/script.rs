//! What the callers say, for the desk of the built-in playbook.

use std::path::PathBuf;

use crate::support::folder::Folder;
use crate::support::sound;

/// One turn: what is said, and what the reply shows if it was understood.
#[derive(Debug)]
pub struct Line {
    /// Parts with so many milliseconds of silence between them, as people make.
    pub parts: &'static [&'static str],
    pub pause_ms: u32,
    pub expect: &'static str,
}

const fn line(parts: &'static [&'static str], expect: &'static str) -> Line {
    Line { parts, pause_ms: 0, expect }
}

const fn paused(pause_ms: u32, parts: &'static [&'static str], expect: &'static str) -> Line {
    Line { parts, pause_ms, expect }
}

/// A call each; ten turns.
pub const SCRIPTS: [[Line; 10]; 5] = [
    [
        line(&["hello"], "hear you"),
        line(&["I want to track my order"], "order number"),
        paused(500, &["four seven", "two nine"], "right"),
        line(&["yes that is right"], "noted order"),
        line(&["no thank you"], "anything else"),
        paused(300, &["can I leave", "a message"], "your name"),
        line(&["never mind"], "dropped"),
        line(&["thank you"], "welcome"),
        line(&["can I speak to a person"], "what is it about"),
        line(&["goodbye"], "goodbye"),
    ],
    [
        line(&["good morning"], "hear you"),
        line(&["I want to cancel my order"], "which order"),
        paused(700, &["one two", "three four"], "right"),
        line(&["yes"], "want to cancel order"),
        line(&["yes please"], "do for you"),
        line(&["can I leave a message"], "your name"),
        line(&["forget it"], "dropped"),
        paused(400, &["thank you", "very much"], "welcome"),
        line(&["hello"], "hear you"),
        line(&["that is all thank you"], "goodbye"),
    ],
    [
        line(&["hi"], "hear you"),
        line(&["I want to confirm my order"], "which order"),
        paused(400, &["eight", "zero", "five"], "right"),
        line(&["yes"], "confirm order"),
        line(&["thank you"], "welcome"),
        paused(500, &["I want to", "leave a message"], "your name"),
        line(&["stop"], "dropped"),
        line(&["good afternoon"], "hear you"),
        line(&["can I speak to sales"], "what is it about"),
        line(&["have a nice day"], "goodbye"),
    ],
    [
        line(&["can you hear me"], "hear you"),
        line(&["where is my order"], "order number"),
        paused(300, &["six two", "five one"], "right"),
        line(&["no"], "order number"),
        line(&["never mind"], "dropped"),
        line(&["take a message"], "your name"),
        line(&["go back"], "dropped"),
        paused(600, &["can you please", "call me back"], "your name"),
        line(&["cancel that"], "dropped"),
        line(&["thank you goodbye"], "goodbye"),
    ],
    [
        line(&["good evening"], "hear you"),
        line(&["I have a question about my order"], "order number"),
        paused(900, &["three three", "nine zero"], "right"),
        line(&["that is right"], "noted order"),
        line(&["no"], "anything else"),
        line(&["thank you very much"], "welcome"),
        paused(400, &["put me through", "to a person"], "what is it about"),
        line(&["forget it"], "dropped"),
        line(&["hello"], "hear you"),
        line(&["bye bye"], "goodbye"),
    ],
];

/// The turns with a pause, as files; where a script has none, its sentences are spoken.
#[derive(Debug)]
pub struct Recordings {
    folder: Folder,
}

impl Recordings {
    pub fn make() -> Self {
        let recordings = Self { folder: Folder::new("turns") };
        for line in SCRIPTS.iter().flatten().filter(|line| line.pause_ms > 0) {
            let mut samples: Vec<i16> = Vec::new();
            for part in line.parts {
                if !samples.is_empty() {
                    samples.extend(sound::silence_ms(line.pause_ms));
                }
                samples.extend(sound::trimmed(&sound::speak(part)));
            }
            sound::write_wav(&recordings.path(line), sound::SAMPLE_RATE_HZ, &samples, 0);
        }
        recordings
    }

    pub fn path(&self, line: &Line) -> PathBuf {
        self.folder.at(&format!("{}.wav", line.parts.join(" ").replace(' ', "-")))
    }
}
