//! The program for arm64, in QEMU where this machine is another one: `make arm64-test`, also a part of `make nightly`.
//!
//! QEMU carries out each instruction some tens of times slower, so nothing is said here of how long a machine of that kind
//! takes: only that all of it works there, whisper.cpp, the codecs, the voice and the threads included.

#![allow(clippy::unwrap_used, reason = "a test fails where its tools fail")]
#![allow(clippy::disallowed_methods, reason = "these tests live in real time")]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::folder::Folder;
use support::machine::report;
use support::{peers, wait};

/// Models are loaded and phrases rendered by a processor that is itself a program.
const READY: Duration = Duration::from_secs(900);

/// What was built for arm64; told where it was not.
fn program() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let program = target.join("arm64/aarch64-unknown-linux-gnu/release/attendant");
    if program.exists() {
        return Some(program);
    }
    assert!(std::env::var_os("CI").is_none(), "tools/cross build makes {}", program.display());
    eprintln!("left out: tools/cross build makes {}", program.display());
    None
}

/// The program for arm64 with these words, by what can carry it out here.
fn attendant(program: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/cross"));
    command.arg("run").arg(program).args(words);
    command
}

/// `/health` answers 200: calls are taken.
fn is_ready(web: SocketAddr) -> bool {
    let ask = |mut stream: TcpStream| -> std::io::Result<String> {
        stream.write_all(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = TcpStream::connect(web).and_then(ask);
    answer.is_ok_and(|answer| answer.split_whitespace().nth(1) == Some("200"))
}

/// Ended with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs a build for arm64: make arm64-test"]
fn it_says_what_it_is_and_checks_a_configuration() {
    let Some(program) = program() else { return };
    let version = attendant(&program, &["--version"]).output().unwrap();
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    assert_eq!(version.trim(), concat!("attendant ", env!("CARGO_PKG_VERSION")));
    let folder = Folder::new("arm64");
    let good = folder.write("good.toml", "[calls]\nmax = 2\n");
    let bad = folder.write("bad.toml", "[calls]\nmaximum = 2\n");
    let check = |file: &Path| {
        let words = ["check", "--config", file.to_str().unwrap()];
        attendant(&program, &words).output().unwrap().status.code()
    };
    assert_eq!(check(&good), Some(0));
    assert_eq!(check(&bad), Some(78));
}

/// Two of these programs telephone with one another: SIP, RTP, the starter model and the voice, each for arm64.
#[test]
#[ignore = "needs a build for arm64: make arm64-test"]
fn two_of_them_hold_a_call() {
    let Some(program) = program() else { return };
    let folder = Folder::new("arm64");
    let here: IpAddr = Ipv4Addr::LOCALHOST.into();
    let (sip, web) = (peers::free_port(here), peers::free_port(here));
    let media = peers::free_ports(here, 20);
    let config = format!(
        "[sip]\nlisten = [\"udp:{here}:{sip}\"]\n[web]\nlisten = \"{here}:{web}\"\n\
         [calls]\nmax = 1\nmax_load = 1.0\n[speech]\ndevice = \"cpu\"\n[media]\nports = \"{media}-{}\"\n",
        media + 19
    );
    let config = folder.write("attendant.toml", config);
    let config = config.to_str().unwrap();
    let socket = folder.at("engine.sock");
    let socket = socket.to_str().unwrap();
    let started = |name: &str, words: &[&str]| {
        let log = File::create(folder.at(name)).unwrap();
        let mut command = attendant(&program, words);
        command.env("STATE_DIRECTORY", folder.at("state"));
        command.env("RUNTIME_DIRECTORY", folder.at("run"));
        Running(command.stderr(log).spawn().unwrap())
    };
    let began = Instant::now();
    // The front would start it by itself, which QEMU cannot.
    let _engine = started("engine.log", &["speech", "--config", config, "--socket", socket]);
    let _front = started("front.log", &["run", "--config", config, "--engine-socket", socket]);
    let address = SocketAddr::new(here, web);
    let ready = wait::within(READY, || is_ready(address).then_some(()));
    let logs = || {
        format!(
            "{}\n{}",
            peers::tail(&folder.at("engine.log")),
            peers::tail(&folder.at("front.log"))
        )
    };
    assert!(ready.is_some(), "{}", logs());
    println!("ready after {:.1} s", began.elapsed().as_secs_f32());
    let began = Instant::now();
    let uri = format!("sip:desk@{here}:{sip}");
    let call =
        ["call", &uri, "--json", "--max-seconds", "240", "--say", "what are your opening hours"];
    let call = attendant(&program, &call).stdout(Stdio::piped()).spawn().unwrap();
    let report = report(call);
    println!(
        "a call of {} ms in {:.1} s: {report:#}",
        report["lasted_ms"],
        began.elapsed().as_secs_f32()
    );
    assert!(report["turns"][0]["gap_ms"].is_i64(), "{report:#}\n{}", logs());
}
