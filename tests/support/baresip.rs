//! baresip as the caller, steered through its control socket.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::folder::Folder;
use super::sound::{self, Sound};
use super::{peers, wait};

const START: Duration = Duration::from_secs(30);
/// How many choices of its ports are tried.
const STARTS: u32 = 4;
/// What it logs of a port that another program has.
const PORT_TAKEN: &str = "Address already in use";
const MODULES: &str = "/usr/lib/baresip/modules";
/// baresip ends the call where its sound file ends.
const SILENCE_MS: u32 = 150_000;

/// The process, killed with its owner, and its files.
#[derive(Debug)]
struct Program {
    child: Child,
    folder: Folder,
}

/// One caller.
#[derive(Debug)]
pub struct Baresip {
    program: Program,
    /// Where others reach it.
    uri: String,
    /// Of what it plays: its own conversion from 16 to 8 kHz makes words hard to understand.
    rate_hz: u32,
    control: TcpStream,
    control_at: SocketAddr,
    received: Vec<u8>,
    /// Events not yet asked for.
    events: Vec<Value>,
}

impl Baresip {
    /// `user` is the caller's name; `codec` the only one it offers.
    pub fn start(user: &str, address: IpAddr, transport: &str, codec: &str) -> Self {
        Self::start_with(user, address, (transport, codec), "")
    }

    /// The same with more lines of configuration.
    pub fn start_with(user: &str, address: IpAddr, way: (&str, &str), lines: &str) -> Self {
        Self::start_as(user, address, way, "", lines)
    }

    /// One that registers there, with this password, and is called by nobody else.
    pub fn registering(user: &str, registrar: SocketAddr, password: &str) -> Self {
        // It reads a password up to a space.
        let parameters = format!(";answermode=manual;auth_user={user};auth_pass={password}");
        let account = format!("<sip:{user}@{registrar};transport=udp>;regint=60");
        let way = ("udp", "PCMU/8000/1");
        Self::run(user, registrar.ip(), way, (Some(&account), &parameters), "")
    }

    /// The same with more parameters of its account, such as `;mediaenc=srtp`.
    pub fn start_as(
        user: &str,
        address: IpAddr,
        (transport, codec): (&str, &str),
        parameters: &str,
        lines: &str,
    ) -> Self {
        Self::run(user, address, (transport, codec), (None, parameters), lines)
    }

    fn run(
        user: &str,
        address: IpAddr,
        way: (&str, &str),
        account: (Option<&str>, &str),
        lines: &str,
    ) -> Self {
        // Between the choice of its ports and their use others may have taken one.
        (0..STARTS)
            .find_map(|_| Self::try_start(user, address, way, account, lines))
            .expect("baresip starts at one of several choices of ports")
    }

    /// `None` where a port of its own was taken by another program.
    fn try_start(
        user: &str,
        address: IpAddr,
        (transport, codec): (&str, &str),
        (account, parameters): (Option<&str>, &str),
        lines: &str,
    ) -> Option<Self> {
        let folder = Folder::new(user);
        // The one after it is for TLS, wanted or not.
        let port = peers::free_ports(address, 2);
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let control_port = peers::free_port(address);
        let quiet = folder.at("silence.wav");
        let rate_hz = if codec.starts_with("PCM") { 8_000 } else { sound::SAMPLE_RATE_HZ };
        sound::write_wav(&quiet, rate_hz, &[], SILENCE_MS);
        let own = format!("<sip:{user}@{host}:{port};transport={transport}>;regint=0");
        let account = account.unwrap_or(&own);
        folder.write("accounts", format!("{account};audio_codecs={codec}{parameters}\n"));
        folder.write("contacts", "");
        let mut config = format!(
            "poll_method epoll\nsip_listen {host}:{port}\nnet_interface {address}\n\
             audio_source aufile,{}\nausrc_srate {rate_hz}\nausrc_channels 1\nsnd_path {}\n\
             ctrl_tcp_listen {host}:{control_port}\nstatmode_default off\nmodule_path {MODULES}\n",
            quiet.display(),
            folder.path().display(),
        );
        config += lines;
        for module in ["g711", "g722", "opus", "aufile", "sndfile"] {
            config += &format!("module {module}.so\n");
        }
        for module in ["account", "menu", "ctrl_tcp"] {
            config += &format!("module_app {module}.so\n");
        }
        folder.write("config", config);
        let log = File::create(folder.at("log")).unwrap();
        let child = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let program = Program { child, folder };
        let control = wait::until("baresip starts", START, || {
            match std::fs::read(program.folder.at("log")) {
                Ok(log) if String::from_utf8_lossy(&log).contains(PORT_TAKEN) => Some(None),
                _ => TcpStream::connect((address, control_port)).ok().map(Some),
            }
        })?;
        control.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let uri = format!("sip:{user}@{host}:{port};transport={transport}");
        let control_at = SocketAddr::new(address, control_port);
        let (received, events) = (Vec::new(), Vec::new());
        Some(Self { program, uri, rate_hz, control, control_at, received, events })
    }

    /// Where it is steered; it has one client, and another one that connects takes the place of this.
    pub fn control_at(&self) -> SocketAddr {
        self.control_at
    }

    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Gives one command of its menu.
    pub fn command(&mut self, name: &str, params: &str) {
        let text = json!({ "command": name, "params": params, "token": "t" }).to_string();
        // A netstring.
        write!(self.control, "{}:{text},", text.len()).unwrap();
    }

    /// From now on its sound is this, then silence.
    pub fn play(&mut self, samples: &[i16]) {
        let path = self.program.folder.at("sentence.wav");
        sound::write_wav(&path, self.rate_hz, samples, SILENCE_MS);
        self.command("ausrc", &format!("aufile,{}", path.display()));
    }

    /// Waits for the next event of this type, such as `CALL_ESTABLISHED`.
    pub fn event(&mut self, kind: &str, limit: Duration) -> Value {
        let deadline = Instant::now() + limit;
        loop {
            let at = self.events.iter().position(|event| event["type"] == kind);
            if let Some(at) = at {
                return self.events.drain(..=at).next_back().unwrap();
            }
            assert!(Instant::now() < deadline, "no {kind} within {limit:?}");
            self.receive();
        }
    }

    /// Whether this event has come.
    pub fn has_seen(&mut self, kind: &str) -> bool {
        self.receive();
        self.events.iter().any(|event| event["type"] == kind)
    }

    fn receive(&mut self) {
        let mut bytes = [0; 4_096];
        match self.control.read(&mut bytes) {
            Ok(0) => panic!("baresip has ended"),
            Ok(count) => self.received.extend_from_slice(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => (),
            Err(error) => panic!("baresip's control socket: {error}"),
        }
        while let Some(colon) = self.received.iter().position(|&byte| byte == b':') {
            let length = std::str::from_utf8(&self.received[..colon]).unwrap();
            let end = colon + 1 + length.parse::<usize>().unwrap();
            if self.received.len() <= end {
                return;
            }
            let message: Value = serde_json::from_slice(&self.received[colon + 1..end]).unwrap();
            self.received.drain(..=end);
            if message["event"] == true {
                self.events.push(message);
            }
        }
    }

    /// Lines of its log that have these words.
    pub fn lines_with(&self, words: &str) -> usize {
        let log = std::fs::read(self.program.folder.at("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains(words)).count()
    }

    /// What it heard; whole once the call is closed.
    pub fn recording(&self) -> Option<Sound> {
        let entries = std::fs::read_dir(self.program.folder.path()).unwrap().flatten();
        let mut paths = entries.map(|entry| entry.path());
        let is_it = |path: &PathBuf| path.to_string_lossy().ends_with("-dec.wav");
        sound::read_wav(&paths.find(is_it)?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("baresip:\n{}", peers::tail(&self.folder.at("log")));
        }
    }
}
