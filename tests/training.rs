//! The starter model can be made again: the whole recipe at a twentieth of its size ends with a
//! model that the program loads and that hears digits far better than chance.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::folder::Folder;

const DIGITS: [&str; 10] =
    ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const VOICES: [&str; 3] = ["rms", "awb", "kal16"];
const TEMPI: [&str; 2] = ["1.0", "1.2"];
/// Of a hundred digits one hears ten right by chance.
const WANTED_PERCENT: usize = 30;

#[test]
#[ignore = "trains for ten minutes on two idle cores, after fetching PyTorch: make train-test"]
fn a_twentieth_of_the_recipe_beats_chance() {
    let folder = Folder::new("training");
    let out = folder.path().join("run");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/train/run.sh");
    let trained = Command::new(script)
        .args(["--twentieth", "--workers", "2", "--out"])
        .arg(&out)
        .stdout(Stdio::inherit())
        .status();
    assert!(trained.unwrap().success(), "the training has failed");

    let (mut list, mut expected) = (String::new(), Vec::new());
    for voice in VOICES {
        for tempo in TEMPI {
            for (digit, name) in DIGITS.iter().enumerate() {
                let file = folder.path().join(format!("{voice}-{tempo}-{digit}.wav"));
                let stretch = format!("duration_stretch={tempo}");
                let spoken = Command::new("flite")
                    .args(["-voice", voice, "--setf", &stretch, "-t", name, "-o"])
                    .arg(&file)
                    .status();
                assert!(spoken.unwrap().success(), "flite has failed");
                writeln!(list, "{}", file.display()).unwrap();
                expected.push(digit.to_string());
            }
        }
    }
    let files = folder.path().join("files.txt");
    fs::write(&files, list).unwrap();
    let heard = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .args(["transcribe", "--json", "--config", "/dev/null", "--expect", "digits", "--model"])
        .arg(out.join("ggml-starter-en-q8_0.bin"))
        .arg("--list")
        .arg(&files)
        .output()
        .unwrap();
    assert!(heard.status.success(), "{}", String::from_utf8_lossy(&heard.stderr));
    let reports = String::from_utf8(heard.stdout).unwrap();
    let is_right = |(report, digit): &(&str, &String)| {
        let report: Value = serde_json::from_str(report).unwrap();
        let texts = report["utterances"].as_array().unwrap().iter().map(|u| u["text"].as_str());
        let text: String = texts.flatten().collect();
        text.chars().filter(char::is_ascii_digit).eq(digit.chars())
    };
    let right = reports.lines().zip(&expected).filter(is_right).count();
    let percent = 100 * right / expected.len();
    println!("{right} of {} digits right: {percent} %, by chance 10 %", expected.len());
    assert!(percent >= WANTED_PERCENT, "{right} of {} digits right", expected.len());
}
