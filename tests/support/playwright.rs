//! Debian's Chromium driven by Playwright: scripts of tests/page, each of which tells what came of it as JSON.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;

use super::folder::Folder;
use super::{peers, wait};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What runs the scripts.
#[derive(Debug)]
pub struct Playwright {
    module: PathBuf,
    chromium: PathBuf,
}

/// A script that runs. Killed with its owner, and its browser with it.
#[derive(Debug)]
pub struct Script {
    child: Child,
    folder: Folder,
    name: &'static str,
}

impl Playwright {
    /// `None`: the test is left out.
    pub fn find() -> Option<Self> {
        let needed = [("chromium", "chromium"), ("node", "nodejs")];
        if !needed.iter().all(|(program, package)| peers::is_installed(program, package)) {
            return None;
        }
        let module =
            Path::new(ROOT).join("target/playwright/node_modules/playwright-core/index.mjs");
        if module.is_file() {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let chromium = std::env::split_paths(&path).map(|folder| folder.join("chromium"));
            let chromium = chromium.into_iter().find(|file| file.is_file())?;
            return Some(Self { module, chromium });
        }
        let hint = "target/playwright is not there ('make test-deps' makes it)";
        assert!(std::env::var_os("CI").is_none(), "{hint}");
        println!("LEFT OUT: {hint}");
        None
    }

    /// Begins a script of tests/page with these settings.
    pub fn start(&self, name: &'static str, mut settings: Value) -> Script {
        let folder = Folder::new("playwright");
        settings["result"] = folder.at("result").to_str().into();
        let log = File::create(folder.at("log")).unwrap();
        let child = Command::new("node")
            .arg(Path::new(ROOT).join("tests/page").join(name))
            .env("PLAYWRIGHT", &self.module)
            .env("CHROMIUM", &self.chromium)
            .env("SETTINGS", settings.to_string())
            .env("HOME", folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Script { child, folder, name }
    }
}

impl Script {
    /// What it tells at its end.
    pub fn result(mut self, within: Duration) -> Value {
        let ended = wait::within(within, || self.child.try_wait().unwrap());
        let name = self.name;
        assert!(ended.is_some_and(|status| status.success()), "{name}: {ended:?}");
        let told = std::fs::read(self.folder.at("result")).unwrap();
        serde_json::from_slice(&told).unwrap()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}:\n{}", self.name, peers::tail(&self.folder.at("log")));
        }
        // The browser is in its group.
        let _ = killpg(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
