//! `attendant transcribe` hears files as a call hears a caller: what it prints, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::folder::Folder;

const RATE_HZ: u32 = 8_000;

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audio")
}

/// The files and their texts; an empty text is no speech.
fn utterances() -> Vec<(PathBuf, String)> {
    let index = fs::read_to_string(recordings().join("utterances.tsv")).unwrap();
    let row = |line: &str| {
        let (name, text) = line.split_once('\t').unwrap();
        (recordings().join(name), text.to_owned())
    };
    index.lines().map(row).collect()
}

/// The exit code, standard output, standard error.
fn ran(arguments: &[&str]) -> (Option<i32>, String, String) {
    let program = Command::new(env!("CARGO_BIN_EXE_attendant"))
        .arg("transcribe")
        .args(["--config", "/dev/null"])
        .args(arguments)
        .output();
    let Output { status, stdout, stderr } = program.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

fn reports(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// All that was said in a file.
fn said(report: &Value) -> String {
    let utterances = report["utterances"].as_array().unwrap();
    let texts: Vec<&str> = utterances.iter().map(|u| u["text"].as_str().unwrap()).collect();
    texts.join(" ").trim().to_owned()
}

/// Words without case and signs.
fn plain(text: &str) -> String {
    let keep = |c: char| c.is_alphanumeric() || c == ' ';
    text.to_lowercase().chars().filter(|c| keep(*c)).collect()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn samples(path: &Path) -> Vec<i16> {
    let bytes = fs::read(path).unwrap();
    bytes[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// A WAV file of so many channels, whose header announces `announced` bytes of sound.
fn wav(rate_hz: u32, channels: u16, samples: &[i16], announced: u32) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0".to_vec();
    file.extend(channels.to_le_bytes());
    file.extend(rate_hz.to_le_bytes());
    file.extend((rate_hz * 2 * u32::from(channels)).to_le_bytes());
    file.extend((2 * channels).to_le_bytes());
    file.extend(16_u16.to_le_bytes());
    file.extend(b"data");
    file.extend(announced.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

fn bytes_of(samples: &[i16]) -> u32 {
    u32::try_from(2 * samples.len()).unwrap()
}

#[test]
fn what_the_recordings_say_is_printed_with_times_words_and_confidence() {
    let all = utterances();
    let files: Vec<&str> = all.iter().map(|(file, _)| path(file)).collect();
    let (code, output, error) = ran(&[&files[..], &["--json", "--model", "starter"]].concat());
    assert_eq!(code, Some(0), "{error}");
    let reports = reports(&output);
    assert_eq!(reports.len(), all.len());
    let mut right = 0;
    for ((file, text), report) in all.iter().zip(&reports) {
        assert_eq!(report["file"], path(file));
        let utterances = report["utterances"].as_array().unwrap();
        if text.is_empty() {
            assert_eq!(said(report), "", "{report}");
            continue;
        }
        assert_eq!(utterances.len(), 1, "{report}");
        right += usize::from(plain(&said(report)) == plain(text));
        let spoken = &utterances[0];
        let (start, end) = (spoken["start_ms"].as_u64(), spoken["end_ms"].as_u64());
        assert!(start > Some(100) && start < end && end < report["duration_ms"].as_u64());
        let share = |value: &Value| (0.0..=1.0).contains(&value["confidence"].as_f64().unwrap());
        assert!(share(spoken) && spoken["decode_ms"].as_u64().is_some(), "{spoken}");
        let words = spoken["words"].as_array().unwrap();
        assert!(words.iter().all(share), "{spoken}");
        let joined: String = words.iter().map(|word| word["word"].as_str().unwrap()).collect();
        assert_eq!(plain(&joined), plain(&said(report)).replace(' ', ""));
    }
    // The ear cuts them otherwise than the recordings were chosen by.
    assert!(right + 3 >= all.len() - 2, "{right} of {}: {output}", all.len());
}

#[test]
fn the_same_file_gives_the_same_answer_and_the_line_changes_it_by_its_seed() {
    let file = recordings().join("order-4729.wav");
    let heard = |arguments: &[&str]| {
        let (code, output, error) = ran(&[&[path(&file), "--json"], arguments].concat());
        assert_eq!(code, Some(0), "{error}");
        let mut report = reports(&output).remove(0);
        for spoken in report["utterances"].as_array_mut().unwrap() {
            spoken["decode_ms"] = Value::Null;
        }
        report
    };
    assert_eq!(heard(&[]), heard(&[]));
    let lossy = |seed| heard(&["--line", "pcma", "--loss", "30", "--seed", seed]);
    assert_eq!(lossy("7"), lossy("7"));
    assert_ne!(lossy("7"), lossy("8"));
    for codec in ["pcmu", "g722", "opus"] {
        assert!(said(&heard(&["--line", codec])).contains("order"), "{codec}");
    }
    // All is lost: nothing but comfort noise arrives.
    assert_eq!(said(&heard(&["--line", "pcmu", "--loss", "100"])), "");
}

#[test]
fn silence_before_the_words_takes_nothing_from_them() {
    let file = recordings().join("opening-hours.wav");
    let mut starts = Vec::new();
    for lead_ms in ["0", "1000", "2000", "3000", "5000"] {
        let (code, output, error) = ran(&[path(&file), "--json", "--lead-silence", lead_ms]);
        assert_eq!(code, Some(0), "{error}");
        let report = reports(&output).remove(0);
        assert_eq!(plain(&said(&report)), "what are your opening hours", "{lead_ms} ms: {report}");
        starts.push(report["utterances"][0]["start_ms"].as_i64().unwrap());
    }
    // Times are the file's own.
    assert!(starts.iter().all(|start| (start - starts[0]).abs() <= 40), "{starts:?}");
}

#[test]
fn stereo_at_another_rate_silence_and_a_file_that_was_cut_off() {
    let folder = Folder::new("transcribe");
    let speech = samples(&recordings().join("opening-hours.wav"));
    // 44.1 kHz by repetition, which leaves images that nobody minds; the words on the right.
    let longer = speech.len() * 441 / 80;
    let right = (0..longer).map(|n| speech[n * 80 / 441]);
    let both: Vec<i16> = right.flat_map(|sample| [0, sample]).collect();
    let stereo = folder.at("stereo.wav");
    fs::write(&stereo, wav(44_100, 2, &both, bytes_of(&both))).unwrap();
    for (channel, words) in [("right", "opening hours"), ("both", "opening hours"), ("left", "")] {
        let (code, output, error) = ran(&[path(&stereo), "--json", "--channel", channel]);
        assert_eq!(code, Some(0), "{error}");
        let text = plain(&said(&reports(&output)[0]));
        assert!(
            text.contains(words) && (!words.is_empty() || text.is_empty()),
            "{channel}: {text}"
        );
    }

    let silent = folder.at("silent.wav");
    let nothing = vec![0; 5 * RATE_HZ as usize];
    fs::write(&silent, wav(RATE_HZ, 1, &nothing, bytes_of(&nothing))).unwrap();
    let cut = folder.at("cut.wav");
    fs::write(&cut, wav(RATE_HZ, 1, &speech, 2 * bytes_of(&speech))).unwrap();
    let (code, output, error) = ran(&[path(&silent), path(&cut)]);
    assert_eq!(code, Some(0), "{error}");
    assert!(output.contains("nobody speaks") && output.contains("opening hours"), "{output}");
    assert!(error.contains("cut.wav: the file is cut off"), "{error}");
}

#[test]
fn what_cannot_be_heard_is_named_and_the_rest_is_heard() {
    let folder = Folder::new("transcribe");
    let wrong = folder.at("wrong.wav");
    fs::write(&wrong, wav(96_000, 1, &[1; 100], 200)).unwrap();
    let headless = folder.at("headless.wav");
    fs::write(&headless, b"RIFF\x24\0\0\0WAVEfmt ").unwrap();
    let list = folder.at("list.txt");
    let good = recordings().join("yes.wav");
    let missing = "/nonexistent/nobody.wav";
    // Nobody writes to the one, and the other has no end.
    let pipe = folder.at("pipe.wav");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let endless = "/dev/zero";
    let files = [path(&wrong), path(&headless), missing, "", path(&pipe), endless, path(&good)];
    let lines = files.join("\n");
    fs::write(&list, lines).unwrap();
    let (code, output, error) = ran(&["--list", path(&list), "--json"]);
    assert_eq!(code, Some(1), "{error}");
    for (file, reason) in [
        (path(&wrong), "96000 Hz; 8000 to 48000"),
        (path(&headless), "ends before its sound"),
        (missing, "No such file"),
        (path(&pipe), "no file"),
        (endless, "no file"),
    ] {
        let told = error.lines().any(|line| line.contains(file) && line.contains(reason));
        assert!(told, "{file}: {error}");
    }
    let reports = reports(&output);
    assert_eq!(reports.len(), 6);
    assert!(reports[2]["error"].as_str().unwrap().contains(missing), "{output}");
    assert_eq!(plain(&said(&reports[5])), "yes");
    // Words are for standard output alone.
    assert!(!error.to_lowercase().contains("yes."), "{error}");
}

#[test]
fn a_missing_model_an_empty_list_and_a_wrong_command_line_have_their_exit_codes() {
    let good = recordings().join("yes.wav");
    let (code, output, error) = ran(&[path(&good), "--model", "/nonexistent/ggml.bin"]);
    assert_eq!((code, output.as_str()), (Some(66), ""), "{error}");
    assert!(error.contains("/nonexistent/ggml.bin"), "{error}");
    let (code, _, error) = ran(&["--list", "/dev/null"]);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("/dev/null: names no file"), "{error}");
    let (code, _, error) = ran(&["--list", "/dev/zero"]);
    assert!(code == Some(1) && error.contains("--list /dev/zero: it is no file"), "{error}");
    for wrong in [
        &[][..],
        &["x.wav", "--line", "gsm"],
        &["x.wav", "--loss", "5"],
        &["x.wav", "--threads", "0"],
    ] {
        assert_eq!(ran(wrong).0, Some(2), "{wrong:?}");
    }
}
