//! linphone's console: a telephone that takes calls over and lets its own be taken over (RFC 3891), with a file
//! for a microphone and one for a loudspeaker, steered by what is typed into it.

use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use super::folder::Folder;
use super::sound::{self, Sound};
use super::{peers, wait};

const START: Duration = Duration::from_secs(30);
/// Longer than any call of a test.
const SILENCE_MS: u32 = 150_000;

/// The process, killed with its owner.
#[derive(Debug)]
pub struct Linphone {
    child: Child,
    input: ChildStdin,
    folder: Folder,
    user: String,
    pub address: SocketAddr,
}

impl Linphone {
    /// Without a sound card, and with silence until it plays. `answers`: whoever calls.
    pub fn start(user: &str, answers: bool) -> Self {
        let loopback = Ipv4Addr::LOCALHOST.into();
        let [address, media] =
            [0, 1].map(|_| SocketAddr::new(loopback, peers::free_port(loopback)));
        let folder = Folder::new(user);
        std::fs::create_dir_all(folder.at(".local/share/linphone")).unwrap();
        let config = folder.write("linphonerc", config(user, address, media.port()));
        let output = File::create(folder.at("log")).unwrap();
        let mut child = Command::new("linphonec")
            .args(if answers { &["-a"][..] } else { &[] })
            .args(["-d", "0", "-c"])
            .arg(config)
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut phone = Self { child, input, folder, user: user.to_owned(), address };
        wait::until("linphone has its port", START, || {
            UdpSocket::bind(address).is_err().then_some(())
        });
        phone.types("soundcard use files");
        let silence = phone.folder.at("silence.wav");
        sound::write_wav(&silence, sound::SAMPLE_RATE_HZ, &[], SILENCE_MS);
        phone.types(&format!("play {}", silence.display()));
        phone
    }

    pub fn uri(&self) -> String {
        format!("sip:{}@{}", self.user, self.address)
    }

    /// A command, or keys of the telephone.
    pub fn types(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
        self.input.flush().unwrap();
    }

    /// Plays this file from its first call on, and records what it hears.
    pub fn listens_and_plays(&mut self, microphone: &Path) {
        self.types(&format!("play {}", microphone.display()));
        let heard = self.folder.at("heard.wav");
        self.types(&format!("record {}", heard.display()));
    }

    /// What came out of its loudspeaker, once it has ended.
    pub fn heard(mut self) -> Sound {
        self.types("quit");
        let ended = wait::within(START, || self.child.try_wait().unwrap());
        assert!(ended.is_some(), "linphone does not end");
        sound::read_wav(&self.folder.at("heard.wav")).expect("linphone has recorded")
    }

    /// Lines of what it says that have these words.
    pub fn says(&self, words: &str) -> usize {
        let log = std::fs::read(self.folder.at("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains(words)).count()
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("linphone:\n{}", peers::tail(&self.folder.at("log")));
        }
    }
}

/// -2: no such transport.
fn config(user: &str, address: SocketAddr, media: u16) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!(
        "[sip]\nsip_port={port}\nsip_tcp_port=-2\nsip_tls_port=-2\nbind_address={ip}\nuse_ipv6=0\n\
         guess_hostname=0\ncontact=sip:{user}@{ip}\ndefault_proxy=-1\n\
         register_only_when_network_is_up=0\nmedia_encryption=none\n\
         [rtp]\naudio_rtp_port={media}\n[misc]\nauto_net_state_mon=0\n\
         [video]\nenabled=0\ncapture=0\ndisplay=0\nautomatically_initiate=0\n\
         automatically_accept=0\n"
    )
}
