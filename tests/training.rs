//! The starter model can be made again: the whole recipe at a twentieth of its size ends with a
//! model that the program loads and that hears sentences far better than chance.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use serde_json::Value;
use support::folder::Folder;

/// Of the desk's about 300 fixed sentences a blind guess gets one in three hundred right.
const SENTENCES: [&str; 20] = [
    "What are your opening hours?",
    "Where are you located?",
    "Track my order.",
    "I want to track my order.",
    "Where is my order?",
    "I want to cancel my order.",
    "Can I leave a message?",
    "I want to speak to a person.",
    "Please call me back.",
    "Thank you very much.",
    "Thank you, goodbye.",
    "No, thank you.",
    "Yes, please.",
    "That is correct.",
    "Good morning.",
    "Can you repeat that, please?",
    "I need help.",
    "What can you do?",
    "One moment, please.",
    "My package is damaged.",
];
/// Voices of the training: what is shown is that it learns.
const VOICES: [&str; 3] = ["rms", "awb", "kal16"];
const WANTED_PERCENT: usize = 10;

#[test]
#[ignore = "trains for ten minutes on two idle cores, after fetching PyTorch: make train-test"]
fn a_twentieth_of_the_recipe_beats_chance() {
    let folder = Folder::new("training");
    // A run that was interrupted can be gone on with in a folder of its own.
    let out = env::var_os("TRAINING_OUT").map_or_else(|| folder.at("run"), PathBuf::from);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/train/run.sh");
    let mut training = Command::new(script);
    training.args(["--twentieth", "--workers", "2", "--out"]).arg(&out).stdout(Stdio::inherit());
    assert!(training.status().unwrap().success(), "the training has failed");

    let spoken = speak_all(&folder);
    let list: Vec<String> = spoken.iter().map(|(file, _)| file.display().to_string()).collect();
    let files = folder.at("files.txt");
    fs::write(&files, list.join("\n")).unwrap();
    let heard = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["transcribe", "--json", "--config", "/dev/null", "--model"])
        .arg(out.join("ggml-starter-en-q8_0.bin"))
        .arg("--list")
        .arg(&files)
        .output()
        .unwrap();
    assert!(heard.status.success(), "{}", String::from_utf8_lossy(&heard.stderr));
    let reports = String::from_utf8(heard.stdout).unwrap();
    assert_eq!(reports.lines().count(), spoken.len());
    let reports = reports.lines().zip(&spoken);
    let right =
        reports.filter(|(report, (_, text))| plain(&text_of(report)) == plain(text)).count();
    let percent = 100 * right / spoken.len();
    println!("{right} of {} sentences right: {percent} %, by chance 0.3 %", spoken.len());
    assert!(percent >= WANTED_PERCENT, "{right} of {} sentences right", spoken.len());
}

fn speak_all(folder: &Folder) -> Vec<(PathBuf, &'static str)> {
    let all = VOICES.iter().flat_map(|voice| SENTENCES.iter().map(move |text| (*voice, *text)));
    let speak = |(number, (voice, text)): (usize, (&str, &'static str))| {
        let file = folder.at(&format!("{number}.wav"));
        let spoken =
            Command::new("flite").args(["-voice", voice, "-t", text, "-o"]).arg(&file).status();
        assert!(spoken.unwrap().success(), "flite has failed");
        (file, text)
    };
    all.enumerate().map(speak).collect()
}

/// What the model wrote, believed or not: confidence is fitted to the model in the program.
fn text_of(report: &str) -> String {
    let report: Value = serde_json::from_str(report).unwrap();
    let utterances = report["utterances"].as_array().unwrap().iter();
    let pieces = utterances.flat_map(|u| u["evidence"].as_array().unwrap().iter());
    let texts: Vec<&str> = pieces.map(|piece| piece["text"].as_str().unwrap()).collect();
    texts.join(" ")
}

fn plain(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric() || *c == ' ');
    kept.collect::<String>().trim().to_lowercase()
}
