//! SIPp as a crowd of callers, and as whom the box calls.

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

    /// Takes so many calls at the address that is given back with it.
    pub fn answering(scenario: &str, calls: u32) -> (Self, SocketAddr) {
        let folder = Folder::new("callee");
        folder.write("scenario.xml", scenario);
        let statistics = folder.at("statistics.csv");
        let output = File::create(folder.at("log")).unwrap();
        let at = SocketAddr::from(([127, 0, 0, 1], peers::free_port([127, 0, 0, 1].into())));
        let own = at.ip().to_string();
        let child = Command::new("sipp")
            .args(["-sf", "scenario.xml", "-i", &own, "-mi", &own, "-p", &at.port().to_string()])
            .args(["-m", &calls.to_string(), "-t", "u1", "-nostdin", "-trace_err"])
            .args(["-error_file", "errors", "-trace_msg", "-message_file", "messages"])
            .args(["-trace_stat", "-stf", "statistics.csv", "-fd", "1"])
            .current_dir(folder.path())
            .env("TERM", "dumb")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        // It is there when its port is taken.
        wait::until("SIPp listens", Duration::from_secs(20), || {
            std::net::UdpSocket::bind(at).is_err().then_some(())
        });
        (Self { child, folder, statistics }, at)
    }

    /// What it got and sent so far.
    pub fn messages(&self) -> String {
        std::fs::read_to_string(self.folder.at("messages")).unwrap_or_default()
    }

    /// Waits for its end.
    pub fn finish(mut self, limit: Duration) -> Outcome {
        self.ended(limit)
    }

    /// The same, with the files still there.
    pub fn ended(&mut self, limit: Duration) -> Outcome {
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
