//! Linphone's console telephone, with a file for a microphone and one for a loudspeaker.

use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::folder::Folder;
use super::sound::{self, Sound};
use super::{peers, wait};

const START: Duration = Duration::from_secs(20);

/// One telephone on a port of its own, without an account. Killed with its owner.
#[derive(Debug)]
pub struct Linphone {
    child: Child,
    folder: Folder,
    pub address: SocketAddr,
}

impl Linphone {
    /// It plays `microphone` from the beginning of its first call on and takes every call.
    pub fn start(microphone: &Path) -> Self {
        let loopback = Ipv4Addr::LOCALHOST.into();
        let [address, media] =
            [0, 1].map(|_| SocketAddr::new(loopback, peers::free_port(loopback)));
        let folder = Folder::new("linphone");
        std::fs::create_dir_all(folder.at(".local/share/linphone")).unwrap();
        let config = folder.write("linphonerc", config(address, media.port()));
        let log = File::create(folder.at("log")).unwrap();
        let child = Command::new("linphonec")
            .args(["-a", "-d", "0", "-c"])
            .arg(config)
            .env("HOME", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut linphone = Self { child, folder, address };
        let is_ready = wait::within(START, || linphone.log().contains("linphonec>").then_some(()));
        assert!(is_ready.is_some(), "linphone does not start: {}", linphone.log());
        linphone.command("soundcard use files");
        linphone.command(&format!("play {}", microphone.display()));
        let heard = linphone.folder.at("heard.wav");
        linphone.command(&format!("record {}", heard.display()));
        linphone
    }

    /// What would be typed.
    pub fn command(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// What came out of its loudspeaker, once it has ended.
    pub fn heard(mut self) -> Sound {
        self.command("quit");
        let ended = wait::within(START, || self.child.try_wait().unwrap());
        assert!(ended.is_some(), "linphone does not end: {}", self.log());
        sound::read_wav(&self.folder.at("heard.wav")).expect("linphone has recorded")
    }

    pub fn log(&self) -> String {
        peers::tail(&self.folder.at("log"))
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("linphone's log:\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// -2: no such transport.
fn config(address: SocketAddr, media: u16) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        "[sip]\nsip_port={port}\nsip_tcp_port=-2\nsip_tls_port=-2\nbind_address={ip}\nuse_ipv6=0\n\
         guess_hostname=0\ncontact=\"caller\" <sip:caller@{ip}>\ndefault_proxy=-1\n\
         media_encryption=none\n\
         [rtp]\naudio_rtp_port={media}\n\
         [video]\nenabled=0\ncapture=0\ndisplay=0\nautomatically_initiate=0\n\
         automatically_accept=0\n"
    )
}
