//! A telephone in a page of Chromium: the page with the library that it calls with, a microphone of sound from a file,
//! and what it tells of what it saw and heard.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::chromium::Chromium;
use super::file_server::{FileServer, Reply};
use super::folder::Folder;
use super::sound::{self, Sound};
use super::{peers, wait};

/// Of a browser that starts on a busy machine, and registers.
pub const START: Duration = Duration::from_secs(60);
/// At the rate that a browser records with.
const MICROPHONE_HZ: u32 = 16_000;

/// Where `make test-deps` puts a library; `None`: the test is left out.
pub fn library(name: &str, file: &str) -> Option<PathBuf> {
    let needed = [("chromium", "chromium"), ("flite", "flite")];
    if !needed.iter().all(|(program, package)| peers::is_installed(program, package)) {
        return None;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(name);
    if folder.join(file).is_file() {
        return Some(folder);
    }
    let hint = format!("target/{name} is not there ('make test-deps' fetches it)");
    assert!(std::env::var_os("CI").is_none(), "{hint}");
    println!("LEFT OUT: {hint}");
    None
}

/// One browser with the page.
pub struct WebTelephone {
    told: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    _server: FileServer,
    _folder: Folder,
    _chromium: Chromium,
}

impl WebTelephone {
    /// The page is served with its settings, and what it imports below `/library/` out of a folder.
    pub fn open(page: &'static str, library: PathBuf, mut settings: Value, says: &[i16]) -> Self {
        settings["rate"] = MICROPHONE_HZ.into();
        let told: Arc<Mutex<HashMap<String, Vec<u8>>>> = Arc::default();
        let (kept, settings) = (Arc::clone(&told), settings.to_string());
        let server = FileServer::start(move |asked| {
            if let Some(name) = asked.path.strip_prefix("/told/") {
                kept.lock().unwrap().insert(name.to_owned(), asked.body.clone());
                return of_type("text/plain", Vec::new());
            }
            match asked.path.as_str() {
                "/" => of_type("text/html", page.into()),
                "/settings" => of_type("application/json", settings.clone().into()),
                "/page.js" => of_type("text/javascript", include_str!("page.js").into()),
                path => script(&library, path),
            }
        });
        let folder = Folder::new("microphone");
        sound::write_wav(&folder.at("said.wav"), MICROPHONE_HZ, says, 0);
        let chromium = Chromium::open(&server.url(""), &folder.at("said.wav"));
        Self { told, _server: server, _folder: folder, _chromium: chromium }
    }

    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.told.lock().unwrap().get(name).cloned()
    }

    /// What it tells by this name, and fails where it tells that something has failed.
    pub fn within(&self, limit: Duration, name: &str) -> Vec<u8> {
        let found = wait::within(limit, || {
            for bad in ["failed", "refused"] {
                let what = self.get(bad).map(|words| String::from_utf8_lossy(&words).into_owned());
                assert!(what.is_none(), "{bad}: {what:?}");
            }
            self.get(name)
        });
        found.unwrap_or_else(|| panic!("not {name}; told: {:?}", self.told.lock().unwrap().keys()))
    }
}

/// How like the greeting is to what a page has recorded.
pub fn greeting_in(heard: &[u8]) -> f64 {
    let samples: Vec<i16> =
        heard.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let heard = Sound { rate_hz: MICROPHONE_HZ, samples };
    let greeting = sound::GREETING.map(sound::flite);
    sound::likeness_of_phrases(&heard, &greeting.each_ref())
}

fn script(folder: &Path, path: &str) -> Reply {
    let file = path.strip_prefix("/library/").map(|name| folder.join(name));
    match file.and_then(|file| std::fs::read(file).ok()) {
        Some(bytes) => of_type("text/javascript", bytes),
        None => Reply {
            head: "HTTP/1.1 404 Not Found\r\nContent-Length: 0".to_owned(),
            ..Reply::default()
        },
    }
}

fn of_type(kind: &str, body: Vec<u8>) -> Reply {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}");
    Reply { head, body, ..Reply::default() }
}
