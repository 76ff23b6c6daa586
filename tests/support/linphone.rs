//! linphone's console: a telephone that takes calls over and lets its own be taken over (RFC 3891), steered by
//! what is typed into it.

use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use super::folder::Folder;
use super::{peers, wait};

const START: Duration = Duration::from_secs(30);

/// The process, killed with its owner.
#[derive(Debug)]
pub struct Linphone {
    child: Child,
    input: ChildStdin,
    folder: Folder,
    uri: String,
}

impl Linphone {
    /// Without a sound card: it sends silence. `answers`: whoever calls.
    pub fn start(user: &str, answers: bool) -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let [port, rtp] = [0, 1].map(|_| peers::free_port(loopback));
        let folder = Folder::new(user);
        let config = format!(
            "[sip]\nsip_port={port}\nsip_tcp_port=0\nsip_tls_port=0\nuse_ipv6=0\n\
             contact=sip:{user}@127.0.0.1\nregister_only_when_network_is_up=0\n\
             media_encryption=none\n[rtp]\naudio_rtp_port={rtp}\n[misc]\nauto_net_state_mon=0\n\
             [video]\nenabled=0\ndisplay=0\ncapture=0\n"
        );
        folder.write("linphonerc", config);
        let output = File::create(folder.at("log")).unwrap();
        let mut command = Command::new("linphonec");
        command.arg("-c").arg(folder.at("linphonerc"));
        if answers {
            command.arg("-a");
        }
        let mut child = command
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut phone = Self { child, input, folder, uri: format!("sip:{user}@127.0.0.1:{port}") };
        wait::until("linphone has its port", START, || {
            std::net::UdpSocket::bind((loopback, port)).is_err().then_some(())
        });
        phone.types("soundcard use files");
        phone
    }

    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// A command, or keys of the telephone.
    pub fn types(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
        self.input.flush().unwrap();
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
