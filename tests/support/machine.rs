//! A machine of its own under systemd: a container that is booted, and what is asked of systemd inside.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::Value;

use super::folder::Folder;
use super::{peers, wait};

pub const BOOT: Duration = Duration::from_secs(60);
/// Models are loaded and phrases rendered, by a program that was built for tests.
pub const READY: Duration = Duration::from_secs(120);
/// One machine boots at a time: two would want the same cores.
static ONE: Mutex<()> = Mutex::new(());

/// A booted container.
pub struct Machine {
    nspawn: Child,
    pub leader: u32,
    _folder: Folder,
    _one: MutexGuard<'static, ()>,
}

impl Machine {
    /// `None`: this cannot be done here, which is told.
    pub fn boot(config: &str) -> Option<Self> {
        let folder = Self::folder()?;
        let config = folder.write("attendant.toml", config);
        let program = Path::new(env!("CARGO_BIN_EXE_attendant"));
        let machine = Self::start(folder, "boot", &[program, &config]);
        Some(machine)
    }

    /// A system that is new (`tools/deps trees`), with a folder of packages in /srv. `None` as above.
    pub fn boot_tree(suite: &str, packages: &Path) -> Option<Self> {
        let folder = Self::folder()?;
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/trees").join(suite);
        if !tree.with_extension("made").exists() {
            assert!(std::env::var_os("CI").is_none(), "tools/deps trees makes target/trees");
            eprintln!("left out: tools/deps trees makes target/trees");
            return None;
        }
        Some(Self::start(folder, "tree", &[&tree, packages]))
    }

    /// `None`: this cannot be done here, which is told.
    fn folder() -> Option<Folder> {
        if !peers::is_installed("systemd-nspawn", "systemd-container") {
            return None;
        }
        if !geteuid().is_root() {
            assert!(std::env::var_os("CI").is_none(), "only root can boot a container");
            eprintln!("left out: only root can boot a container");
            return None;
        }
        Some(Folder::new("machine"))
    }

    fn start(folder: Folder, script: &str, arguments: &[&Path]) -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (root, told) = (folder.at("box"), folder.at("leader"));
        fs::create_dir(&root).unwrap();
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systemd");
        let nspawn = Command::new("unshare")
            .arg("--mount")
            .arg(scripts.join(script))
            .arg(&root)
            .args(arguments)
            .arg(&told)
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let leader = wait::until("the container boots", BOOT, || {
            fs::read_to_string(&told).ok()?.trim().parse().ok()
        });
        let machine = Self { nspawn, leader, _folder: folder, _one: one };
        wait::until("systemd answers", BOOT, || {
            machine.run(&["systemctl", "is-active", "basic.target"]).0.then_some(())
        });
        machine
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.leader.to_string(), "--all", "--"]).args(words);
        // What is set outside, as a list of certificates, means nothing inside.
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LANG", "C.UTF-8");
        command
    }

    /// Whether it went well, and what was said.
    pub fn run(&self, words: &[&str]) -> (bool, String) {
        let output = self.command(words).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    pub fn systemctl(&self, words: &[&str]) -> String {
        let (is_well, text) = self.run(&[&["systemctl", "--no-pager"], words].concat());
        assert!(is_well, "systemctl {words:?}: {text}\n{}", self.journal());
        text
    }

    pub fn property(&self, unit: &str, name: &str) -> String {
        self.systemctl(&["show", "--value", "--property", name, unit]).trim().to_owned()
    }

    pub fn journal(&self) -> String {
        self.run(&["journalctl", "--no-pager", "-b", "-n", "80"]).1
    }

    pub fn is_active(&self, unit: &str) -> bool {
        self.run(&["systemctl", "is-active", unit]).0
    }

    pub fn becomes_active(&self, unit: &str, within: Duration) {
        let active = wait::within(within, || self.is_active(unit).then_some(()));
        assert!(active.is_some(), "{unit} is not active: {}", self.journal());
    }

    /// The number of a unit's main process, outside.
    pub fn main_pid(&self, unit: &str) -> u32 {
        let found = wait::within(Duration::from_secs(5), || self.pid(unit));
        found.unwrap_or_else(|| panic!("{unit} has no process"))
    }

    /// The same; `None` while there is none.
    pub fn pid(&self, unit: &str) -> Option<u32> {
        let inside = self.property(unit, "MainPID");
        let numbers = fs::read_dir("/proc").unwrap().flatten();
        let mut numbers = numbers.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
        numbers.find(|number| {
            let status = fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
            let spaces = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            let spaces: Vec<&str> = spaces.unwrap_or_default().split_whitespace().collect();
            let own = fs::read_link(format!("/proc/{number}/ns/pid")).ok();
            let theirs = fs::read_link(format!("/proc/{}/ns/pid", self.leader)).ok();
            own == theirs && spaces.len() == 2 && spaces[1] == inside
        })
    }

    /// There is a front, and not this one.
    pub fn has_other(&self, front: u32) -> bool {
        self.pid("attendant.service").is_some_and(|pid| pid != front)
    }

    pub fn call(&self, arguments: &[&str]) -> Child {
        let call = ["/usr/bin/attendant", "call", "sip:desk@127.0.0.1:5060", "--json"];
        let mut command = self.command(&[&call[..], arguments].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
    }

    /// What the box says of itself; `None` while it is down.
    pub fn health(&self) -> Option<Value> {
        let (_, text) = self.run(&["/usr/bin/attendant", "status", "--json"]);
        serde_json::from_str(&text).ok()
    }

    pub fn restarts_by_the_page(&self) {
        let asked = ["curl", "-sf", "-X", "POST", "http://127.0.0.1:8080/api/restart"];
        wait::until("the page is up", READY, || self.run(&asked).0.then_some(()));
    }

    /// Something answers OPTIONS or a call at the SIP port, as the kernel lists sockets.
    pub fn listens(&self) -> bool {
        let sockets = fs::read_to_string(format!("/proc/{}/net/udp", self.leader)).unwrap();
        // 5060 in hexadecimal.
        sockets.lines().any(|line| line.contains(":13C4 "))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.journal());
        }
        // Its first process is what holds all others.
        let _ = kill(Pid::from_raw(self.leader.try_into().unwrap()), Signal::SIGKILL);
        let _ = self.nspawn.wait();
    }
}

/// What `attendant call --json` has told at its end.
pub fn report(call: Child) -> Value {
    let output = call.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
}
