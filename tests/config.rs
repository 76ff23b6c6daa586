//! A broken configuration ends the program with its own code and names every fault.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]

use std::path::PathBuf;
use std::process::{Command, Output};

struct File(PathBuf);

impl File {
    fn with(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("attendant-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn attendant(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_attendant")).args(arguments).output().unwrap()
}

fn with_config(subcommand: &str, file: &File) -> (Option<i32>, String) {
    let output = attendant(&[subcommand, "--config", file.0.to_str().unwrap()]);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn check_and_run_end_with_78_and_every_fault() {
    let file = File::with(
        "faults.toml",
        "[calls]\nmax = 0\nmaximum = 3\n[media]\nports = \"1-2\"\n[spech]\nvoice = \"slt\"\n",
    );
    for subcommand in ["check", "run", "speech"] {
        let (code, text) = with_config(subcommand, &file);
        assert_eq!(code, Some(78), "{subcommand}: {text}");
        for key in ["calls.max = 0", "calls.maximum = 3", "media.ports = \"1-2\"", "spech"] {
            assert!(text.contains(key), "{subcommand}: {key}: {text}");
        }
    }
}

#[test]
fn a_secret_of_a_lookup_that_is_not_here_is_told_and_ends_no_image_build() {
    let file = File::with(
        "secret.toml",
        "[[lookup]]\nname = \"order_status\"\ndescription = \"The status.\"\n\
         url = \"https://erp.example.net/{order}\"\nparameters = { order = \"digits 3-12\" }\n\
         headers = { Authorization = \"Bearer {secret}\" }\nfields = { status = \"/status\" }\n",
    );
    let (code, text) = with_config("check", &file);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("ATTENDANT_LOOKUP_ORDER_STATUS"), "{text}");
    assert_eq!(with_config("run", &file).0, Some(78));
}

#[test]
fn a_password_of_an_account_that_is_not_here_is_told_and_ends_no_image_build() {
    let file = File::with(
        "account.toml",
        "[[accounts]]\nname = \"front_desk\"\nserver = \"sip.example.net\"\nuser = \"1001\"\n",
    );
    let (code, text) = with_config("check", &file);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("ATTENDANT_ACCOUNT_FRONT_DESK"), "{text}");
    assert!(text.contains("the credential account_front_desk"), "{text}");
    assert_eq!(with_config("run", &file).0, Some(78));
}

#[test]
fn the_shipped_file_is_sound() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/attendant.toml");
    let output = attendant(&["check", "--config", path]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_missing_file_and_a_missing_playbook_are_named() {
    let output = attendant(&["check", "--config", "/nonexistent/attendant.toml"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nonexistent/attendant.toml"));
    let file = File::with("playbook.toml", "[converse]\nplaybook = \"/nonexistent/desk.toml\"\n");
    let (code, text) = with_config("check", &file);
    assert_eq!(code, Some(78));
    assert!(text.contains("converse.playbook: /nonexistent/desk.toml"), "{text}");
}

#[test]
fn a_file_without_an_end_is_refused_at_once() {
    let pipe = std::env::temp_dir().join(format!("attendant-{}-pipe", std::process::id()));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for endless in ["/dev/zero", "/dev", pipe.to_str().unwrap()] {
        let output = attendant(&["check", "--config", endless]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{text}");
        assert!(text.contains(endless) && text.contains("no file"), "{text}");
        for section in ["[converse]", "[[language]]\ncode = \"ru\"\ncalled = [\"ru\"]"] {
            let file =
                File::with("endless.toml", &format!("{section}\nplaybook = \"{endless}\"\n"));
            let (code, text) = with_config("check", &file);
            assert_eq!(code, Some(78), "{text}");
            let names = text.contains("playbook: ") && text.contains(endless);
            assert!(names && text.contains("no file"), "{text}");
        }
    }
    std::fs::remove_file(pipe).unwrap();
    // No configuration is a configuration.
    assert_eq!(attendant(&["check", "--config", "/dev/null"]).status.code(), Some(0));
    let long = File::with("long.toml", &"#\n".repeat(600_000));
    let (code, text) = with_config("check", &long);
    assert!(code == Some(78) && text.contains("longer than 1048576 bytes"), "{text}");
}

#[test]
fn what_a_file_says_does_not_move_the_terminal() {
    let key = "[\"\\u001b[31m\"]\n\"\\u001b]0;title\\u0007\" = 1\n";
    let value = "[speech]\n\"\\u001b[2J\" = 'x'\nvoice = \"\\u001b[1m\"\n";
    for text in [key, value, "[calls]\nmax = \u{1b}[31m\n", "\u{1b}[2J"] {
        let (code, told) = with_config("check", &File::with("terminal.toml", text));
        assert_eq!(code, Some(78), "{told}");
        assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
    }
    let (_, told) = with_config("check", &File::with("escape.toml", value));
    assert!(told.contains("speech.\\u{1b}[2J"), "{told}");
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    assert_eq!(attendant(&["dance"]).status.code(), Some(2));
    assert_eq!(attendant(&["--help"]).status.code(), Some(0));
}
