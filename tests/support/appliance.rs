//! A box of the test's own: `attendant run` on free ports of this machine.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::folder::Folder;
use super::{counters, peers, wait};

/// Models are loaded and phrases rendered within this time on any machine.
const START: Duration = Duration::from_secs(120);
/// A box that is told to stop says goodbye on its calls.
const STOP: Duration = Duration::from_secs(15);
/// The interface answers again by then, whoever has asked too often.
const PATIENCE: Duration = Duration::from_secs(20);
/// Ports below those that the system hands out itself.
const MEDIA_PORTS: std::ops::Range<u16> = 20_000..32_000;
const TRIES: u32 = 4;

/// What differs from the defaults.
#[derive(Debug)]
pub struct Setup {
    address: IpAddr,
    calls_max: u16,
    sections: Vec<(&'static str, String)>,
    variables: Vec<(String, String)>,
    is_secure: bool,
    web_port: Option<u16>,
    disk: Option<&'static str>,
}

impl Default for Setup {
    fn default() -> Self {
        let address = Ipv4Addr::LOCALHOST.into();
        Self {
            address,
            calls_max: 5,
            sections: Vec::new(),
            variables: Vec::new(),
            is_secure: false,
            web_port: None,
            disk: None,
        }
    }
}

impl Setup {
    pub fn on(self, address: IpAddr) -> Self {
        Self { address, ..self }
    }

    pub fn calls_max(self, calls_max: u16) -> Self {
        Self { calls_max, ..self }
    }

    /// More keys of a section.
    pub fn with(mut self, section: &'static str, keys: &str) -> Self {
        self.sections.push((section, keys.to_owned()));
        self
    }

    /// A variable of the program's environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// It listens by TLS and by secure WebSocket, too, with a certificate made out to its address.
    pub fn secure(self) -> Self {
        Self { is_secure: true, ..self }
    }

    /// The port of its web interface, where somebody is to know it before.
    pub fn web_at(self, port: u16) -> Self {
        Self { web_port: Some(port), ..self }
    }

    /// Its state folder is made a disk of its own, which only it sees, by these commands of a shell.
    pub fn on_disk(self, commands: &'static str) -> Self {
        Self { disk: Some(commands), ..self }
    }

    /// Whether that is allowed here.
    pub fn can_have_its_own_disk() -> bool {
        let tried =
            Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]).output();
        let can = tried.is_ok_and(|tried| tried.status.success());
        if !can {
            println!("LEFT OUT: only root may mount a disk for the program alone");
        }
        can
    }

    fn text(&self, sip: SocketAddr, web: SocketAddr, tls: Option<[SocketAddr; 2]>) -> String {
        let media = free_media_ports(4 * self.calls_max);
        let mut sections = vec![
            (
                "sip",
                match tls {
                    None => format!("listen = [\"udp:{sip}\", \"tcp:{sip}\"]"),
                    Some([tls, wss]) => format!(
                        "listen = [\"udp:{sip}\", \"tcp:{sip}\", \"tls:{tls}\", \"wss:{wss}\"]"
                    ),
                },
            ),
            ("web", format!("listen = \"{web}\"")),
            // Others work on this machine, too: what its engine has time for is not what is tested.
            ("calls", format!("max = {}\nmax_load = 1.0", self.calls_max)),
            ("media", format!("ports = \"{}-{}\"", media.start, media.end - 1)),
            ("speech", "device = \"cpu\"".to_owned()),
        ];
        // Nor does it call itself in the middle of a test that does not ask for that.
        if !self.sections.iter().any(|(name, _)| *name == "canary") {
            sections.push(("canary", "every_s = 0".to_owned()));
        }
        for (name, keys) in &self.sections {
            match sections.iter_mut().find(|(known, _)| known == name) {
                Some((_, text)) => *text = format!("{text}\n{keys}"),
                None => sections.push((name, keys.clone())),
            }
        }
        sections.iter().fold(String::new(), |all, (name, text)| format!("{all}[{name}]\n{text}\n"))
    }

    /// Ready for calls.
    pub fn start(&self) -> Appliance {
        for _ in 0..TRIES {
            let mut appliance = self.spawn();
            match appliance.become_ready() {
                Ok(()) => return appliance,
                // A port was taken in the meantime: not what is tested here.
                Err(Some(status)) if matches!(status.code(), Some(69 | 75)) => (),
                Err(status) => panic!("not ready, {status:?}: {}", appliance.log()),
            }
        }
        panic!("no free ports in {TRIES} tries");
    }

    fn spawn(&self) -> Appliance {
        let folder = Folder::new("box");
        let sip = SocketAddr::new(self.address, peers::free_port(self.address));
        let loopback = Ipv4Addr::LOCALHOST.into();
        let web = self.web_port.unwrap_or_else(|| peers::free_port(loopback));
        let web = SocketAddr::new(loopback, web);
        let tls = self.is_secure.then(|| {
            let names = [self.address.to_string()];
            let made = rcgen::generate_simple_self_signed(names).unwrap();
            folder.write("box.crt", made.cert.pem());
            folder.write("box.key", made.signing_key.serialize_pem());
            [0, 1].map(|_| SocketAddr::new(self.address, peers::free_port(self.address)))
        });
        let mut text = self.text(sip, web, tls);
        if tls.is_some() {
            text += "[sip.tls]\ncertificate = \"box.crt\"\nkey = \"box.key\"\n";
        }
        let config = folder.write("attendant.toml", text);
        let log = folder.at("log");
        let program = env!("CARGO_BIN_EXE_attendant");
        let mut command = Command::new(if self.disk.is_some() { "unshare" } else { program });
        if let Some(disk) = self.disk {
            std::fs::create_dir_all(folder.at("state")).unwrap();
            let script = format!("{disk} && exec \"$@\"");
            command.args(["-m", "sh", "-c", &script, "sh", program]);
        }
        command
            .arg("run")
            .arg("--config")
            .arg(config)
            .env("STATE_DIRECTORY", folder.at("state"))
            .env("RUNTIME_DIRECTORY", folder.at("run"))
            .envs(self.variables.iter().cloned());
        let child = command.stderr(File::create(&log).unwrap()).spawn().unwrap();
        Appliance { child, command, folder, log, sip, web, tls }
    }
}

/// Stopped with its owner; its log is shown if the test has failed.
#[derive(Debug)]
pub struct Appliance {
    child: Child,
    command: Command,
    folder: Folder,
    log: PathBuf,
    pub sip: SocketAddr,
    pub web: SocketAddr,
    pub tls: Option<[SocketAddr; 2]>,
}

impl Appliance {
    fn become_ready(&mut self) -> Result<(), Option<ExitStatus>> {
        let ready = wait::within(START, || {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(Err(Some(status)));
            }
            // 200 also where the kernel refuses real-time scheduling and the box says so.
            let (status, _) = self.get("/health")?;
            (status == 200).then_some(Ok(()))
        });
        ready.unwrap_or(Err(None))
    }

    /// The address that callers dial.
    pub fn uri(&self) -> String {
        format!("sip:desk@{}", self.sip)
    }

    /// The same by TLS.
    pub fn secure_uri(&self) -> String {
        format!("sip:desk@{};transport=tls", self.tls.expect("it is secure")[0])
    }

    /// The same by secure WebSocket.
    pub fn websocket_uri(&self) -> String {
        format!("sip:desk@{};transport=wss", self.tls.expect("it is secure")[1])
    }

    /// The certificate of a secure box.
    pub fn certificate(&self) -> PathBuf {
        self.folder.at("box.crt")
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.at("state")
    }

    /// The runtime folder.
    pub fn runtime(&self) -> PathBuf {
        self.folder.at("run")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.at("attendant.toml")
    }

    /// What `attendant check` says of its configuration: exit code and standard error.
    pub fn check(&self) -> (Option<i32>, String) {
        let checked = Command::new(env!("CARGO_BIN_EXE_attendant"))
            .args(["check", "--config"])
            .arg(self.config())
            .output()
            .unwrap();
        (checked.status.code(), String::from_utf8_lossy(&checked.stderr).into_owned())
    }

    /// The speech engine's process, if there is one just now.
    pub fn engine_pid(&self) -> Option<u32> {
        counters::children(self.pid(), "speech").first().copied()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Status and JSON of a path; `None` if nobody answers.
    pub fn get(&self, path: &str) -> Option<(u16, Value)> {
        self.send("GET", path, None)
    }

    /// The same for any request.
    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let (status, text) = self.exchange(method, path, body)?;
        Some((status, serde_json::from_str(&text).ok()?))
    }

    /// What is no JSON, as the metrics.
    pub fn text(&self, path: &str) -> String {
        let (status, text) = self.exchange("GET", path, None).expect("the web interface answers");
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.web, Duration::from_secs(5)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        let host = self.web;
        let body = body.map(Value::to_string);
        let kind = body.as_ref().map_or("", |_| "Content-Type: application/json\r\n");
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }

    pub fn api(&self, path: &str) -> Value {
        // Many who wait at once ask more often than the interface lets anybody.
        let answer = wait::until("the web interface has time", PATIENCE, || {
            let (status, value) = self.get(path).expect("the web interface answers");
            (status != 429).then_some((status, value))
        });
        let (status, value) = answer;
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    pub fn live_calls(&self) -> u64 {
        self.api("/health")["live_calls"].as_u64().unwrap()
    }

    /// The record of this user's call.
    pub fn record_of(&self, user: &str) -> Option<Value> {
        let user = format!("sip:{user}@");
        self.record(|call| call["peer"].as_str().unwrap().contains(&user))
    }

    /// The full record of the newest call that `is_it` picks from the list.
    pub fn record(&self, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
        let calls = self.api("/api/calls");
        let one = calls["calls"].as_array().unwrap().iter().find(|call| is_it(call))?;
        Some(self.api(&format!("/api/calls/{}", one["id"].as_str().unwrap())))
    }

    /// Killed without warning and started again, with its state and its configuration.
    pub fn crash_and_start_again(&mut self) {
        self.crash();
        self.begin_again();
        self.is_ready_again();
    }

    /// Killed without warning, whatever it does just now.
    pub fn crash(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Started again after its end, and not waited for.
    pub fn begin_again(&mut self) {
        let log = File::options().append(true).open(&self.log).unwrap();
        self.child = self.command.stderr(log).spawn().unwrap();
    }

    /// Waits until it takes calls.
    pub fn is_ready_again(&mut self) {
        self.become_ready()
            .unwrap_or_else(|status| panic!("not ready, {status:?}: {}", self.log()));
    }

    /// What it ends with by itself, or after a signal of the test's own.
    pub fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        wait::within(within, || self.child.try_wait().unwrap())
    }

    /// Asks it to stop, as systemd does, and gives what it ended with.
    pub fn stop(&mut self) -> ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        if self.child.try_wait().unwrap().is_none() {
            let _ = kill(pid, Signal::SIGTERM);
        }
        let ended = wait::within(STOP, || self.child.try_wait().unwrap());
        ended.unwrap_or_else(|| {
            let _ = self.child.kill();
            self.child.wait().unwrap()
        })
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("the box's log, also in {}:\n{}", self.log.display(), peers::tail(&self.log));
        }
    }
}

/// Ports of which none is taken just now, starting with an even one.
fn free_media_ports(count: u16) -> std::ops::Range<u16> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let mut random = u64::from(since.subsec_nanos()) ^ u64::from(std::process::id()) << 32;
    loop {
        // Knuth's linear congruential generator: any spread will do.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let room = u64::from(MEDIA_PORTS.end - MEDIA_PORTS.start - count) / 2;
        let first = MEDIA_PORTS.start + 2 * u16::try_from((random >> 33) % room).unwrap();
        let range = first..first + count;
        let is_free = |port| std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
        if range.clone().all(is_free) {
            return range;
        }
    }
}
