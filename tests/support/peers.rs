//! The programs of others that the tests call with.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;

/// Whether the program is there. Where it is not, the test is left out with a line that says so;
/// where tests must be whole (the variable `CI` is set), it fails.
pub fn is_installed(program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
        return true;
    }
    let hint = format!("{program} is not installed ('make test-deps' installs {package})");
    assert!(std::env::var_os("CI").is_none(), "{hint}");
    println!("LEFT OUT: {hint}");
    false
}

/// Below those that calls' sound and the system's own choice have: a connection that somebody makes takes none.
const PORTS: std::ops::Range<u16> = 10_000..20_000;

/// A port that nobody has, for UDP and TCP alike. Another program may take it before it is used.
pub fn free_port(address: std::net::IpAddr) -> u16 {
    free_ports(address, 1)
}

/// The first of so many ports in a row that nobody has.
pub fn free_ports(address: std::net::IpAddr, count: u16) -> u16 {
    let is_free = |port| {
        std::net::TcpListener::bind((address, port)).is_ok()
            && std::net::UdpSocket::bind((address, port)).is_ok()
    };
    loop {
        let chance = RandomState::new().hash_one(0);
        let span = u64::from(PORTS.end - PORTS.start - count);
        let first = PORTS.start + u16::try_from(chance % span).expect("the span is one of ports");
        if (first..first + count).all(is_free) {
            return first;
        }
    }
}

/// A file's end, for a failure's message.
pub fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
