//! SIPp as a crowd of callers.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::folder::Folder;
use super::{peers, wait};

/// What one run of SIPp does.
#[derive(Clone, Copy, Debug)]
pub struct Crowd<'a> {
    pub scenario: &'a str,
    pub calls: u32,
    pub per_second: u32,
    pub transport: &'a str,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub successful: u64,
    pub failed: u64,
}

/// A run under way. Killed with its owner.
#[derive(Debug)]
pub struct Sipp {
    child: Child,
    folder: Folder,
    statistics: PathBuf,
}

impl Sipp {
    /// `files` lie in the folder that it runs in.
    pub fn start(crowd: &Crowd<'_>, to: SocketAddr, files: &[(&str, &[u8])]) -> Self {
        let folder = Folder::new("sipp");
        folder.write("scenario.xml", crowd.scenario);
        for (name, bytes) in files {
            folder.write(name, bytes);
        }
        let statistics = folder.at("statistics.csv");
        let output = File::create(folder.at("log")).unwrap();
        let own = to.ip().to_string();
        let port = peers::free_port(to.ip()).to_string();
        let child = Command::new("sipp")
            .arg(to.to_string())
            .args(["-sf", "scenario.xml", "-i", &own, "-mi", &own, "-p", &port])
            .args(["-m", &crowd.calls.to_string(), "-r", &crowd.per_second.to_string()])
            .args(["-t", crowd.transport, "-nostdin", "-trace_err", "-error_file", "errors"])
            .args(["-trace_stat", "-stf", "statistics.csv", "-fd", "1", "-l", "1000"])
            .current_dir(folder.path())
            .env("TERM", "dumb")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self { child, folder, statistics }
    }

    /// Waits for its end.
    pub fn finish(mut self, limit: Duration) -> Outcome {
        let ended = wait::within(limit, || self.child.try_wait().unwrap());
        let text = std::fs::read_to_string(&self.statistics).unwrap_or_default();
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap_or_default().split(';').collect();
        let last: Vec<&str> = lines.last().unwrap_or_default().split(';').collect();
        let total = |name: &str| {
            let at = names.iter().position(|known| *known == name)?;
            last.get(at)?.parse().ok()
        };
        let outcome = total("SuccessfulCall(C)").zip(total("FailedCall(C)"));
        let (successful, failed) = outcome.unwrap_or_else(|| panic!("no figures: {}", self.told()));
        if ended.is_none() || failed > 0 {
            eprintln!("SIPp, ended {ended:?}:\n{}", self.told());
        }
        Outcome { successful, failed }
    }

    fn told(&self) -> String {
        let file = |name| peers::tail(&self.folder.at(name));
        format!("{}\n{}", file("errors"), file("log"))
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
