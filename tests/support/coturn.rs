//! coturn as a server that lends addresses.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::folder::Folder;
use super::{peers, wait};

const START: Duration = Duration::from_secs(20);

/// Whom it lends to.
pub const USER: &str = "box";
pub const PASSWORD: &str = "lend me an ear";

/// Killed with its owner.
#[derive(Debug)]
pub struct Coturn {
    child: Child,
    folder: Folder,
    pub address: SocketAddr,
    /// By TLS, with a certificate of its own making.
    pub secure: SocketAddr,
}

impl Coturn {
    pub fn is_installed() -> bool {
        peers::is_installed("turnserver", "coturn")
    }

    /// On loopback, for peers on loopback, by UDP, TCP and TLS.
    pub fn start() -> Self {
        let loopback = Ipv4Addr::LOCALHOST.into();
        let [address, secure] =
            [0, 1].map(|_| SocketAddr::new(loopback, peers::free_port(loopback)));
        let folder = Folder::new("coturn");
        let names = [loopback.to_string()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let certificate = folder.write("turn.crt", made.cert.pem());
        let key = folder.write("turn.key", made.signing_key.serialize_pem());
        let log = File::create(folder.at("log")).unwrap();
        let child = Command::new("turnserver")
            .args(["-n", "--no-cli", "--no-dtls", "--lt-cred-mech", "--verbose"])
            .args([
                "--allow-loopback-peers",
                "--no-software-attribute",
                "--realm=telephones.example",
            ])
            .arg(format!("--user={USER}:{PASSWORD}"))
            .arg("--listening-ip=127.0.0.1")
            .arg(format!("--relay-ip={}", lent_ip()))
            .arg(format!("--listening-port={}", address.port()))
            .arg(format!("--tls-listening-port={}", secure.port()))
            .arg(format!("--cert={}", certificate.display()))
            .arg(format!("--pkey={}", key.display()))
            .arg(format!("--pidfile={}", folder.at("pid").display()))
            .arg(format!("--userdb={}", folder.at("users").display()))
            .args(["--log-file=stdout", "--simple-log"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let coturn = Self { child, folder, address, secure };
        wait::until("coturn listens", START, || TcpStream::connect(address).ok());
        coturn
    }

    /// Who believes this certificate believes its TLS.
    pub fn certificate(&self) -> PathBuf {
        self.folder.at("turn.crt")
    }

    /// It is there no more.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Lines of its log that have these words.
    pub fn lines_with(&self, words: &str) -> usize {
        let log = std::fs::read(self.folder.at("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).lines().filter(|line| line.contains(words)).count()
    }
}

/// Where baresip is that it sends to: at an address of this machine's network, if it has one. What a server
/// on loopback lends would be reached from loopback, where no candidate of baresip's is.
fn lent_ip() -> Ipv4Addr {
    let all = nix::ifaddrs::getifaddrs().unwrap();
    let mut found = all.filter_map(|interface| Some(interface.address?.as_sockaddr_in()?.ip()));
    found.find(|ip| !ip.is_loopback() && !ip.is_link_local()).unwrap_or(Ipv4Addr::LOCALHOST)
}

impl Drop for Coturn {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("coturn:\n{}", peers::tail(&self.folder.at("log")));
        }
    }
}
