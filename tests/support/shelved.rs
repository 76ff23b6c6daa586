//! A shelf of the test's own, with a manifest of one model, and `attendant models` at work on it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use attendant::speech::model::hexadecimal;
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

use super::folder::Folder;

const ENDED: Duration = Duration::from_secs(120);
const PROXIES: [&str; 8] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

/// A state folder with a manifest of one model, `m`, whose file is `m.onnx.json` or as named.
pub struct Shelved {
    pub folder: Folder,
    file: String,
}

impl Shelved {
    pub fn new(url: &str, file: &str, kind: &str, known: &str) -> Self {
        let folder = Folder::new("models");
        let manifest = format!(
            "[[model]]\nname = \"m\"\nkind = \"{kind}\"\nlicence = \"MIT\"\nlanguages = [\"en\"]\n\
             memory_mb = 1\n[[model.file]]\nurl = \"{url}\"\nname = \"{file}\"\n{known}"
        );
        folder.write("manifest.toml", manifest);
        Self { folder, file: file.to_owned() }
    }

    /// A voice's archive: a kind of file of which nothing but length and hash is looked at.
    pub fn plain(url: &str, known: &str) -> Self {
        Self::new(url, "m.json", "voice", known)
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attendant"));
        for name in PROXIES {
            command.env_remove(name);
        }
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("STATE_DIRECTORY", self.folder.path());
        command.env("RUNTIME_DIRECTORY", self.folder.path());
        command
    }

    pub fn models(&self, words: &[&str]) -> Command {
        let manifest = self.folder.at("manifest.toml");
        let mut command = self.command(&["models"]);
        command.args(words).arg("--manifest").arg(manifest);
        command
    }

    pub fn run(&self, words: &[&str]) -> Ended {
        ended(self.models(words))
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join("models").join(name)
    }

    pub fn content(&self) -> Option<Vec<u8>> {
        fs::read(self.at(&self.file)).ok()
    }
}

#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    #[track_caller]
    pub fn is(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.out.contains(word) || self.err.contains(word), "{word} in {self:?}");
        }
    }
}

pub fn ended(mut command: Command) -> Ended {
    let child = command.spawn().unwrap();
    let id = child.id().to_string();
    let (done, is_done) = mpsc::channel::<()>();
    let guard = thread::spawn(move || {
        if is_done.recv_timeout(ENDED).is_err() {
            let _ = Command::new("kill").arg(&id).status();
        }
    });
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    // The guard may have ended it.
    let _ = done.send(());
    guard.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: status.code(), out: text(stdout), err: text(stderr) }
}

/// A file that begins like an archive.
pub fn noise(bytes: usize) -> Vec<u8> {
    let mut file = vec![0; bytes];
    StdRng::seed_from_u64(bytes as u64).fill_bytes(&mut file);
    file[..4].copy_from_slice(b"PK\x03\x04");
    file
}

pub fn hash(file: &[u8]) -> String {
    hexadecimal(&Sha256::digest(file))
}

pub fn known(file: &[u8]) -> String {
    format!("bytes = {}\nsha256 = \"{}\"\n", file.len(), hash(file))
}
