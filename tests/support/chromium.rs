//! Headless Chromium with a microphone of sound from a file, as somebody who telephones in a page.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::folder::Folder;
use super::peers;

/// One browser with one page. Killed with its owner.
#[derive(Debug)]
pub struct Chromium {
    child: Child,
    folder: Folder,
}

impl Chromium {
    /// Its microphone plays the file once, from the moment that the page asks for it.
    pub fn open(url: &str, microphone: &Path) -> Self {
        let folder = Folder::new("chromium");
        let log = File::create(folder.at("log")).unwrap();
        let child = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--mute-audio"])
            .args(["--ignore-certificate-errors", "--allow-loopback-in-peer-connection"])
            .args(["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"])
            .arg(format!("--use-file-for-fake-audio-capture={}%noloop", microphone.display()))
            .args(["--autoplay-policy=no-user-gesture-required", "--enable-logging=stderr"])
            .arg(format!("--user-data-dir={}", folder.at("profile").display()))
            .arg(url)
            .env("HOME", folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    pub fn log(&self) -> String {
        peers::tail(&self.folder.at("log"))
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("chromium's log:\n{}", self.log());
        }
        // Its own children are in its group.
        let _ = killpg(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
