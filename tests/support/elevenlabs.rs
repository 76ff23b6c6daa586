//! The stand-in for ElevenLabs Agents of `tests/elevenlabs`, and what it has seen.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::folder::Folder;
use super::sound::{self, Sound};
use super::wait;

/// The key that it takes.
pub const KEY: &str = "stand-in-key";
pub const VOICE: &str = "Good morning, this is the remote agent.";
pub const ANSWER: &str = "I have stopped and listen to you.";

/// The Python with the provider's client, which `make test-deps` installs.
pub fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/elevenlabs/bin/python");
    if python.exists() {
        return Some(python);
    }
    let hint = "target/elevenlabs is not there ('make test-deps' makes it)";
    assert!(std::env::var_os("CI").is_none(), "{hint}");
    println!("LEFT OUT: {hint}");
    None
}

/// One stand-in, ended with its owner.
#[derive(Debug)]
pub struct StandIn {
    child: Child,
    folder: Folder,
    pub port: u16,
    tls: bool,
}

impl StandIn {
    /// `None` where there is no Python for it.
    pub fn start() -> Option<Self> {
        Self::open(false)
    }

    /// By TLS, with a certificate that [`Self::certificate`] is.
    pub fn secure() -> Option<Self> {
        Self::open(true)
    }

    fn open(tls: bool) -> Option<Self> {
        let python = python()?;
        let folder = Folder::new("elevenlabs");
        for (name, words) in [("voice.wav", VOICE), ("answer.wav", ANSWER)] {
            let samples = sound::trimmed(&sound::speak(words)).to_vec();
            sound::write_wav(&folder.at(name), sound::SAMPLE_RATE_HZ, &samples, 0);
        }
        if tls {
            let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
            folder.write("cert.pem", made.cert.pem());
            folder.write("key.pem", made.signing_key.serialize_pem());
        }
        let log = std::fs::File::create(folder.at("errors")).unwrap();
        let mut child = Command::new(python)
            .arg(script("stand_in.py"))
            .arg(folder.path())
            .args(tls.then_some("tls"))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| {
            panic!("{}", std::fs::read_to_string(folder.at("errors")).unwrap_or_default())
        });
        Some(Self { child, folder, port, tls })
    }

    pub fn url(&self) -> String {
        format!("http{}://127.0.0.1:{}", if self.tls { "s" } else { "" }, self.port)
    }

    /// The file of what vouches for it.
    pub fn certificate(&self) -> PathBuf {
        self.folder.at("cert.pem")
    }

    /// From here on the agent `scripted` behaves like this one.
    pub fn is(&self, agent: &str) {
        self.folder.write("agent", agent);
    }

    /// Keys of `[agent]` for the agent `scripted`.
    pub fn keys(&self) -> String {
        format!("backend = \"elevenlabs\"\nagent_id = \"scripted\"\nserver = \"{}\"\n", self.url())
    }

    /// All that it has seen of this kind, the oldest first.
    pub fn seen(&self, what: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.at("log.jsonl")).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["what"] == what).collect()
    }

    /// Waits until there are so many of this kind; gives the last of them.
    pub fn sees(&self, what: &str, count: usize, limit: Duration) -> Value {
        let found = wait::within(limit, || self.seen(what).get(count - 1).cloned());
        found.unwrap_or_else(|| panic!("no {what} {count}: {}", self.log()))
    }

    /// Everything, for a failure's message.
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(self.folder.at("log.jsonl")).unwrap_or_default();
        let short = |line: &str| line.chars().take(300).collect::<String>();
        text.lines().map(short).collect::<Vec<_>>().join("\n")
    }

    /// What the agent of this connection has heard.
    pub fn heard(&self, number: u64) -> Sound {
        let path = self.folder.at(&format!("heard-{number}.wav"));
        wait::until("what the agent has heard is written", Duration::from_secs(10), || {
            sound::read_wav(&path)
        })
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A script of `tests/elevenlabs`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/elevenlabs").join(name)
}
